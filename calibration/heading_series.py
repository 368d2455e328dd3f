"""What is known of the relative heading at every frame, and what is done to such a series as a whole."""

import math
from dataclasses import dataclass, replace

import numpy as np

from calibration.relative import HEADING
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.sync import Frames


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Relative heading at the instants of frames.

    Parameters
    ----------
    delta : (M,)
        rad, in (-pi, pi]; NaN until first known.
    sigma : (M,)
        One sigma of delta, rad; pi while not known.
    observable : (M,)
        Whether evidence spoke within the last seconds.
    q_earth1_from_earth2 : (M, 4)
        The full turn from the distal sensor's earth frame into the proximal one's: delta about the vertical,
        and the small relative tilt found. Use this one to form the joint's orientation. While delta is not
        known it holds the likeliest one, with a covariance to match.
    covariance : (M, 3, 3)
        Of its error as a rotation vector in the proximal sensor's earth frame, rad^2.
    axes : (M, 2, 3)
        The joint's axes in the proximal and the distal segment, as refined while the session runs; NaN where
        the calibration has none. Already part of `q_earth1_from_earth2`.
    """

    delta: FloatArray
    sigma: FloatArray
    observable: BoolArray
    q_earth1_from_earth2: FloatArray
    covariance: FloatArray
    axes: FloatArray


def blank(size: int) -> Heading:
    """Return a heading of which nothing is known."""
    covariance = np.zeros((size, 3, 3))
    covariance[:, HEADING, HEADING] = math.pi**2
    return Heading(
        np.full(size, np.nan),
        np.full(size, math.pi),
        np.zeros(size, dtype=np.bool_),
        np.full((size, 4), np.nan),
        covariance,
        np.full((size, 2, 3), np.nan),
    )


class AxisShift:
    """Puts what a session has learnt about a joint's axes between the calibration's alignments and the turn.

    The joint's orientation is formed with the calibration's alignments; with this, every reader of
    `q_earth1_from_earth2` has the refined axes too. What a stretch moved is computed once for the stretch.

    Parameters
    ----------
    joint
        Alignments and axes as the calibration saw them; a joint without axes is left as it is.
    """

    def __init__(self, joint: JointCalibration) -> None:
        self._axes = np.stack([joint.axis_proximal, joint.axis_distal])
        self._alignments = np.stack(
            [joint.proximal.q_sensor_from_segment, joint.distal.q_sensor_from_segment]
        )
        self._known = joint.freedom in (1, 2) and not bool(np.isnan(self._axes).any())
        self._azimuth = np.arctan2(self._axes[:, 0], self._axes[:, 2])
        self._level = np.hypot(self._axes[:, 0], self._axes[:, 2])

    def moved(self, axes: FloatArray) -> FloatArray:
        """Return the turns (..., 2, 4) of both segments that bring the calibration's axes to (..., 2, 3).

        First about the segment's length, which is what a calibration leaves open, then the shortest way.
        """
        if not self._known:
            return np.full((*axes.shape[:-1], 4), np.nan)
        azimuth = np.arctan2(axes[..., 0], axes[..., 2]) - self._azimuth
        level = np.hypot(axes[..., 0], axes[..., 2]) * self._level
        about = quaternion.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.where(level > 0.1, azimuth, 0.0))
        return quaternion.multiply(quaternion.between(quaternion.rotate(about, self._axes), axes), about)

    def segments(
        self, upper: FloatArray, lower: FloatArray, moved: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return two segments (4,), seen by the alignments alone, as moved axes (2, 4) show them."""
        if not self._known:
            return upper, lower
        return quaternion.multiply(upper, moved[0]), quaternion.multiply(lower, moved[1])

    def carry(self, heading: Heading, moved: FloatArray, frames: Frames, pair: tuple[int, int]) -> Heading:
        """Return a heading whose turn also carries the axes, moved (M, 2, 4), to where they are now."""
        if not self._known:
            return heading
        q = quaternion.multiply(frames.q[:, list(pair)], self._alignments)
        inner = quaternion.multiply(q, quaternion.multiply(moved, quaternion.conjugate(q)))
        turn = quaternion.multiply(quaternion.conjugate(inner[:, 0]), heading.q_earth1_from_earth2)
        return replace(heading, q_earth1_from_earth2=quaternion.multiply(turn, inner[:, 1]))
