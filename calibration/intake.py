"""Frames of two sensors as the stretches that the heading estimator steps through."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calibration.evidence import Laws, laws
from calibration.follow import Pages, Stretches
from calibration.magnetic import Looks
from calibration.motion import BIAS, FORCE, LOST, RATE, WIDTH, motion
from calibration.rotation import (
    angle_of,
    applied,
    conjugate,
    matrix_of,
    product,
    put,
    put_matrix,
    put_quaternion,
    quaternion_at,
    rotated,
    stretched,
    times,
    total,
    vector_at,
)
from calibration.segment import JointCalibration
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled, sequential


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """What K consecutive stretches bring; two sensors, each in its own earth frame.

    Parameters
    ----------
    begin, end : (K, 4)
        See `relative.Stretch`, as for all names that it has.
    force : (K, 2, 3)
    lever, carried : (K, 2, 3, 3)
    turned : (K, 2)
    known : (K,)
        Whether every sample of the stretch was; what was not turns nothing, and its forces mean nothing.
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
    seconds
        How long a stretch lasts, s.
    """

    begin: FloatArray
    end: FloatArray
    force: FloatArray
    lever: FloatArray
    carried: FloatArray
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
    seconds: float

    @property
    def decisive(self) -> BoolArray:
        """Whether a stretch brings what the estimator has to decide upon: a gap or the neutral pose, (K,)."""
        return (self.lost > 0.0) | np.isfinite(self.laws.neutral)

    def stretches(self) -> Stretches:
        """Return what is walked through."""
        return Stretches(
            *(self.begin, self.end, self.force, self.lever, self.carried, self.turned),
            *(self.known, self.upper_matrix, self.lower_matrix, self.bias, self.seconds),
        )


class Tape(NamedTuple):
    """What hindsight needs of stretches: what was written down on the way through, and what they brought."""

    pages: Pages
    inputs: Intake
    fields: Looks | None


@sequential("(k,p,w),(n,s,q),(n,s,c),(n,s,c),(n,s),(n,s),(),()")
def gathered(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    held: FloatArray,
    q: FloatArray,
    gyr: FloatArray,
    acc: FloatArray,
    gyr_bias_sigma: FloatArray,
    lost_heading: FloatArray,
    proximal: float,
    distal: float,
) -> FloatArray:
    """Return rows (K, 2, WIDTH) followed by those of N frames: what is kept of two of their sensors."""
    kept, new = len(held), len(q)
    rows = np.empty((kept + new, 2, WIDTH))
    rows[:kept] = held
    for i in range(new):
        for side in range(2):
            row, sensor = rows[kept + i, side], int(proximal if side == 0 else distal)
            for k in range(RATE):
                row[k] = q[i, sensor, k]
            for k in range(3):
                row[RATE + k], row[FORCE + k] = gyr[i, sensor, k], acc[i, sensor, k]
            row[BIAS], row[LOST] = gyr_bias_sigma[i, sensor], lost_heading[i, sensor]
    return rows


def intake(
    rows: FloatArray, calibration: JointCalibration, stride: int, rate: float, limits: tuple[float, float]
) -> Intake:
    """Return the stretches between the first and the last row, both on the grid.

    Parameters
    ----------
    rows : (K stride + 1, 2, WIDTH)
        See `gathered`.
    calibration
        Alignments and laws of the joint.
    stride, rate
        Frames per stretch and frames per second, Hz.
    limits
        Rate below which a pose is held, rad/s, and tilt within which it is the neutral one, rad.
    """
    mounting = np.stack([end.q_sensor_from_segment for end in (calibration.proximal, calibration.distal)])
    held_rate, tilt = limits
    taken = _taken_in(rows, mounting, stride, rate, held_rate * stride / rate)
    own, segment, matrix, vectors, maps, turned, bias, lost, known, slow = taken
    (upper, lower), (upper_matrix, lower_matrix) = segment, matrix
    (force, rates), (lever, carried) = vectors, maps
    return Intake(
        begin=own[0],
        end=own[1],
        force=force,
        lever=lever,
        carried=carried,
        turned=turned,
        known=known,
        laws=laws(calibration, upper, lower, slow, tilt),
        upper=upper,
        lower=lower,
        upper_matrix=upper_matrix,
        lower_matrix=lower_matrix,
        rate=rates,
        bias=bias,
        lost=lost,
        seconds=stride / rate,
    )


@compiled
def _taken_in(
    rows: FloatArray, mounting: FloatArray, stride: int, rate: float, slowest: float
) -> tuple[
    *tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    *tuple[BoolArray, BoolArray],
]:
    """Return what `Intake` says of K stretches of sensors mounted as (2, 4).

    By kind, then stretch and sensor: begin and end, (2, K, 4); upper and lower as quaternions and as
    matrices; force and rate, (2, K, 2, 3); lever and carried, (2, K, 2, 3, 3); turned; bias; lost;
    known; and whether both sensors turned by less than `slowest`, rad.
    """
    count = (rows.shape[0] - 1) // stride
    own, segment, matrix = np.empty((2, count, 4)), np.empty((2, count, 4)), np.empty((2, count, 3, 3))
    vectors, maps = np.empty((2, count, 2, 3)), np.empty((2, count, 2, 3, 3))
    turned, bias, lost = np.empty((count, 2)), np.empty(count), np.zeros(count)
    known, slow = np.empty(count, np.bool_), np.empty(count, np.bool_)
    for k in range(count):
        first, last = k * stride, (k + 1) * stride
        for sensor in range(2):
            start, stop = quaternion_at(rows[first, sensor]), quaternion_at(rows[last, sensor])
            worn = quaternion_at(mounting[sensor])
            turn, force, lever = motion(rows, sensor, first, stride, rate)
            after = product(start, turn)
            at_start, at_end = matrix_of(start), matrix_of(after)
            drift = product(after, conjugate(stop))
            put_quaternion(own[sensor, k], conjugate(drift) if sensor == 0 else drift)
            put_quaternion(segment[sensor, k], product(stop, worn))
            put_matrix(matrix[sensor, k], 0, matrix_of(product(stop, worn)))
            put(vectors[0, k, sensor], 0, applied(at_start, force))
            put(vectors[1, k, sensor], 0, rotated(conjugate(worn), vector_at(rows[last, sensor], RATE)))
            put_matrix(maps[0, k, sensor], 0, times(at_start, lever))
            put_matrix(maps[1, k, sensor], 0, stretched(total(at_start, at_end), 0.5))
            turned[k, sensor] = angle_of(turn)
            for frame in range(first + 1, last + 1):
                lost[k] = max(lost[k], rows[frame, sensor, LOST])
        bias[k] = math.hypot(rows[last, 0, BIAS], rows[last, 1, BIAS])
        slow[k] = turned[k, 0] < slowest and turned[k, 1] < slowest
        known[k] = math.isfinite(own[0, k, 0] + own[1, k, 0] + vectors[0, k].sum())
        if not known[k]:
            own[:, k], vectors[0, k], maps[:, k], turned[k] = 0.0, 0.0, 0.0, 0.0
            own[:, k, 0] = 1.0
    return own, segment, matrix, vectors, maps, turned, bias, lost, known, slow
