"""What a joint's laws say about the turn between two earth frames, as rows of residual and slope.

A hinge keeps its axis the same seen from both segments; a joint of two axes keeps the angle between them;
the neutral pose keeps the segments' heading. Each is offered in two shapes: on the full circle of heading,
`a + b cos(delta) + c sin(delta)`, to find delta from nothing; and linear in a small rotation, to follow it.
"""

import math
from dataclasses import dataclass

import numpy as np

from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray

Circle = tuple[float, float, float, float]
"""a, b, c and one sigma of a residual on the circle of heading."""

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Laws:
    """What a joint's neutral pose says at K instants.

    Parameters
    ----------
    neutral : (K,)
        Heading that the neutral pose would mean, rad; NaN where gravity or motion says it isn't that pose.
    likely : (K,)
        The same whatever the pose: the middle of the joint's reach about the vertical; NaN without a pose.
    """

    neutral: FloatArray
    likely: FloatArray


def laws(
    calibration: JointCalibration, upper: FloatArray, lower: FloatArray, still: BoolArray, tilt: float
) -> Laws:
    """Return the laws at K instants.

    Parameters
    ----------
    upper, lower : (K, 4)
        `q_earth_from_segment`, each in its sensor's own earth frame.
    still : (K,)
        Whether both segments were held.
    tilt
        Largest angle between gravity and its place in the neutral pose, rad.
    """
    c = calibration
    down_upper, down_lower = quaternion.conjugate(upper), quaternion.conjugate(lower)
    near = still.copy()
    for back, expected in ((down_upper, c.up_proximal), (down_lower, c.up_distal)):
        found = quaternion.rotate(back, UP)
        agree = found[:, 0] * expected[0] + found[:, 1] * expected[1] + found[:, 2] * expected[2]
        near &= agree > math.cos(tilt)
    turn = quaternion.multiply(quaternion.multiply(upper, c.q_neutral), down_lower)
    heading = quaternion.wrap(2.0 * np.arctan2(turn[:, 3], turn[:, 0]))
    return Laws(
        np.where(near, heading, np.nan),
        heading,
    )


def hinge_rows(first: FloatArray, second: FloatArray, sigma: float) -> list[Circle]:
    """Return the circle rows of one axis seen from both segments: its two horizontal components agree."""
    (ux, uy, uz), (vx, vy, vz) = first.tolist(), second.tolist()
    spread = math.hypot(sigma, uz - vz)
    return [(ux, -vx, vy, spread), (uy, -vy, -vx, spread)]


def carrying_row(first: FloatArray, second: FloatArray, carrying: float, sigma: float) -> Circle:
    """Return the circle row of two axes with a constant angle between them."""
    (ux, uy, uz), (vx, vy, vz) = first.tolist(), second.tolist()
    return (uz * vz - math.cos(carrying), ux * vx + uy * vy, uy * vx - ux * vy, sigma)


def heading_rows(heading: float, sigma: float) -> list[Circle]:
    """Return the circle rows of a direct look at the heading."""
    return [(math.cos(heading), -1.0, 0.0, sigma), (math.sin(heading), 0.0, -1.0, sigma)]


def beyond_limits(
    upper: FloatArray, lower: FloatArray, headings: FloatArray, limits: FloatArray
) -> FloatArray:
    """Return by how much a joint would exceed its limits for each heading, rad, shape (G,).

    Parameters
    ----------
    upper, lower : (4,)
        `q_earth_from_segment`, each in its sensor's own earth frame.
    headings : (G,)
        Relative headings to try, rad.
    limits : (3, 2)
        Ranges of the intrinsic Z-X-Y angles, rad; rows with NaN do not count.
    """
    turned = quaternion.multiply(quaternion.about_vertical(headings), lower)
    m = quaternion.to_matrix(quaternion.multiply(quaternion.conjugate(upper), turned))
    angles = (
        np.arctan2(-m[:, 0, 1], m[:, 1, 1]),
        np.arcsin(np.clip(m[:, 2, 1], -1.0, 1.0)),
        np.arctan2(-m[:, 2, 0], m[:, 2, 2]),
    )
    beyond = np.zeros(headings.size)
    for angle, (low, high) in zip(angles, limits.tolist(), strict=True):
        if math.isfinite(low) and math.isfinite(high):
            middle, half = 0.5 * (low + high), 0.5 * (high - low)
            beyond = np.maximum(beyond, np.abs(quaternion.wrap(angle - middle)) - half)
    return beyond
