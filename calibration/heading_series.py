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


def with_axes(heading: Heading, joint: JointCalibration, frames: Frames, pair: tuple[int, int]) -> Heading:
    """Return a heading whose turn also carries the axes from where the calibration saw them.

    The joint's orientation is formed with the calibration's alignments; what the session has learnt about
    the axes since is put between them and the turn, so that every reader of `q_earth1_from_earth2` has it.
    """
    if math.isnan(joint.axis_proximal[0] + joint.axis_distal[0]) or joint.freedom not in (1, 2):
        return heading
    turn = heading.q_earth1_from_earth2
    sides = ((joint.proximal, joint.axis_proximal), (joint.distal, joint.axis_distal))
    for k, (alignment, axis) in enumerate(sides):
        moved = _carry(axis, heading.axes[:, k])
        q = quaternion.multiply(frames.q[:, pair[k]], alignment.q_sensor_from_segment)
        inner = quaternion.multiply(q, quaternion.multiply(moved, quaternion.conjugate(q)))
        turn = (
            quaternion.multiply(quaternion.conjugate(inner), turn)
            if k == 0
            else quaternion.multiply(turn, inner)
        )
    return replace(heading, q_earth1_from_earth2=turn)


def _carry(axis: FloatArray, axes: FloatArray) -> FloatArray:
    """Return the turns (M, 4) of a segment that bring its axis (3,) to axes (M, 3).

    First about the segment's length, which is what a calibration leaves open, then the shortest way.
    """
    azimuth = np.arctan2(axes[:, 0], axes[:, 2]) - math.atan2(float(axis[0]), float(axis[2]))
    level = np.hypot(axes[:, 0], axes[:, 2]) * math.hypot(float(axis[0]), float(axis[2]))
    about = quaternion.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.where(level > 0.1, azimuth, 0.0))
    return quaternion.multiply(quaternion.between(quaternion.rotate(about, axis), axes), about)
