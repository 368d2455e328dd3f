"""Frames of two sensors as the stretches that the heading estimator steps through."""

from dataclasses import dataclass

import numpy as np

from calibration.evidence import Laws, laws
from calibration.motion import stretches
from calibration.relative import Stretch
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.sync import Frames

WIDTH = 12
"""Orientation 4, rate 3, force 3, bias sigma, lost heading: what is kept of a frame and a sensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """What K consecutive stretches bring; two sensors, each in its own earth frame.

    Parameters
    ----------
    begin, end : (K, 4)
        See `relative.Stretch`, as for all names that it has.
    force : (K, 2, 3)
    lever, carried, swept : (K, 2, 3, 3)
    turned : (K, 2)
    known : (K,)
        Whether every sample of the stretch was.
    laws
        What the joint's laws say at the end of each.
    upper, lower : (K, 4)
        `q_earth_from_segment` at the end of each, and as matrices (K, 3, 3).
    rate : (K, 2, 3)
        Angular rates in the segment frames at the end of each, rad/s.
    bias : (K,)
        One sigma of the rate of the heading between the two earth frames, rad/s.
    lost : (K,)
        Heading lost in gaps, one sigma, rad.
    """

    begin: FloatArray
    end: FloatArray
    force: FloatArray
    lever: FloatArray
    carried: FloatArray
    swept: FloatArray
    turned: FloatArray
    known: BoolArray
    laws: Laws
    upper: FloatArray
    lower: FloatArray
    upper_matrix: FloatArray
    lower_matrix: FloatArray
    rate: FloatArray
    bias: FloatArray
    lost: FloatArray

    def stretch(self, k: int) -> Stretch:
        """Return one stretch."""
        return Stretch(
            self.force[k],
            self.lever[k],
            self.carried[k],
            self.swept[k],
            self.begin[k],
            self.end[k],
            self.turned[k],
        )


def packed(frames: Frames, pair: tuple[int, int]) -> FloatArray:
    """Return what is kept of the frames of two sensors, (M, 2, WIDTH)."""
    both = list(pair)
    rows = np.zeros((len(frames.t), 2, WIDTH))
    rows[..., :4] = frames.q[:, both]
    rows[..., 4:7] = frames.gyr[:, both]
    rows[..., 7:10] = frames.acc[:, both]
    rows[..., 10] = frames.gyr_bias_sigma[:, both]
    if frames.lost_heading is not None:
        rows[..., 11] = frames.lost_heading[:, both]
    return rows


def intake(
    rows: FloatArray, calibration: JointCalibration, stride: int, rate: float, limits: tuple[float, float]
) -> Intake:
    """Return the stretches between the first and the last row, both on the grid.

    Parameters
    ----------
    rows : (K stride + 1, 2, WIDTH)
        See `packed`.
    calibration
        Alignments and laws of the joint.
    stride, rate
        Frames per stretch and frames per second, Hz.
    limits
        Rate below which a pose is held, rad/s, and tilt within which it is the neutral one, rad.
    """
    s = stretches(rows[..., 4:7], rows[..., 7:10], stride, rate)
    q = rows[::stride, :, :4]
    start, stop = q[:-1], q[1:]
    own = quaternion.multiply(start, quaternion.multiply(s.turn, quaternion.conjugate(stop)))
    angle = quaternion.angle_of(s.turn)
    after = quaternion.multiply(start, s.turn)
    turned = np.stack([quaternion.rotate(after, axis) for axis in np.eye(3)], axis=-1)
    upper = quaternion.multiply(stop[:, 0], calibration.proximal.q_sensor_from_segment)
    lower = quaternion.multiply(stop[:, 1], calibration.distal.q_sensor_from_segment)
    held_rate, tilt = limits
    slow = angle < held_rate * stride / rate
    lost = np.zeros(len(start))
    for k in range(1, stride + 1):
        lost = np.maximum(lost, np.maximum(rows[k::stride, 0, 11], rows[k::stride, 1, 11])[: lost.size])
    return Intake(
        begin=quaternion.conjugate(own[:, 0]),
        end=own[:, 1],
        force=quaternion.rotate(start, s.force),
        lever=np.stack([quaternion.rotate(start, s.lever[..., k]) for k in range(3)], axis=-1),
        carried=0.5 * (quaternion.to_matrix(start) + turned),
        swept=quaternion.to_matrix(stop) * quaternion.to_rotation_vector(s.turn)[..., None, :],
        turned=angle,
        known=s.known & np.isfinite(own[:, 0, 0] + own[:, 1, 0]),
        laws=laws(calibration, upper, lower, slow[:, 0] & slow[:, 1], tilt),
        upper=upper,
        lower=lower,
        upper_matrix=quaternion.to_matrix(upper),
        lower_matrix=quaternion.to_matrix(lower),
        rate=np.stack(
            [
                quaternion.rotate(
                    quaternion.conjugate(alignment.q_sensor_from_segment), rows[stride::stride, k, 4:7]
                )
                for k, alignment in enumerate((calibration.proximal, calibration.distal))
            ],
            axis=1,
        ),
        bias=np.hypot(rows[stride::stride, 0, 10], rows[stride::stride, 1, 10]),
        lost=lost,
    )
