"""What a joint's laws say about the turn between two earth frames, as rows of residual and slope.

A hinge keeps its axis the same seen from both segments; a joint of two axes keeps the angle between them;
the neutral pose keeps the segments' heading. Each is offered in two shapes: on the full circle of heading,
`a + b cos(delta) + c sin(delta)`, to find delta from nothing; and linear in a small rotation, to follow it.
"""

import math
from dataclasses import dataclass

import numpy as np

from calibration.rotation import (
    Vector,
    applied,
    conjugate,
    dot,
    matrix_at,
    matrix_of,
    product,
    quaternion_at,
    rotated,
    vector_at,
    wrapped,
)
from calibration.segment import JointCalibration
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled

Circle = tuple[float, float, float, float]
"""a, b, c and one sigma of a residual on the circle of heading."""

UP = (0.0, 0.0, 1.0)


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
    ups = np.stack([c.up_proximal, c.up_distal])
    likely, leant = like(upper, lower, c.q_neutral, ups)
    near = still & (leant[:, 0] > math.cos(tilt)) & (leant[:, 1] > math.cos(tilt))
    return Laws(np.where(near, likely, np.nan), likely)


@compiled
def like(
    upper: FloatArray, lower: FloatArray, q_neutral: FloatArray, ups: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the heading that the neutral pose would mean (K,), rad, and what gravity says of it.

    That is the cosines (K, 2) of its angles from its place in that pose.
    """
    likely, leant = np.empty(upper.shape[0]), np.empty((upper.shape[0], 2))
    for k in range(upper.shape[0]):
        one, two = quaternion_at(upper[k]), quaternion_at(lower[k])
        turn = product(product(one, quaternion_at(q_neutral)), conjugate(two))
        likely[k] = wrapped(2.0 * math.atan2(turn[3], turn[0]))
        leant[k, 0] = dot(rotated(conjugate(one), UP), vector_at(ups[0]))
        leant[k, 1] = dot(rotated(conjugate(two), UP), vector_at(ups[1]))
    return likely, leant


@compiled
def seen(earth_from_segment: FloatArray, direction: FloatArray) -> Vector:
    """Return a direction in a segment (3,) as seen in the earth frame of a rotation matrix (3, 3)."""
    return applied(matrix_at(earth_from_segment), vector_at(direction))


@compiled
def hinge_rows(first: Vector, second: Vector, sigma: float) -> tuple[Circle, Circle]:
    """Return the circle rows of one axis seen from both segments: its two horizontal components agree."""
    (ux, uy, uz), (vx, vy, vz) = first, second
    spread = math.hypot(sigma, uz - vz)
    return (ux, -vx, vy, spread), (uy, -vy, -vx, spread)


@compiled
def carrying_row(first: Vector, second: Vector, carrying: float, sigma: float) -> Circle:
    """Return the circle row of two axes with a constant angle between them."""
    (ux, uy, uz), (vx, vy, vz) = first, second
    return (uz * vz - math.cos(carrying), ux * vx + uy * vy, uy * vx - ux * vy, sigma)


def heading_rows(heading: float, sigma: float) -> list[Circle]:
    """Return the circle rows of a direct look at the heading."""
    return [(math.cos(heading), -1.0, 0.0, sigma), (math.sin(heading), 0.0, -1.0, sigma)]


@compiled
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
    beyond = np.zeros(headings.size)
    back, distal = conjugate(quaternion_at(upper)), quaternion_at(lower)
    for g in range(headings.size):
        about = (math.cos(0.5 * headings[g]), 0.0, 0.0, math.sin(0.5 * headings[g]))
        m = matrix_of(product(back, product(about, distal)))
        angles = (
            math.atan2(-m[0][1], m[1][1]),
            math.asin(min(max(m[2][1], -1.0), 1.0)),
            math.atan2(-m[2][0], m[2][2]),
        )
        for i in range(3):
            low, high = limits[i, 0], limits[i, 1]
            if math.isfinite(low) and math.isfinite(high):
                middle, half = 0.5 * (low + high), 0.5 * (high - low)
                beyond[g] = max(beyond[g], abs(wrapped(angles[i] - middle)) - half)
    return beyond
