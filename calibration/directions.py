"""Bring directions known in a sensor and in its segment into one frame: Wahba's weighted problem."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.segment import SegmentAlignment
from imu import quaternion
from imu.block import FloatArray
from imu.errors import CalibrationError

LARGEST_SURPRISE = 4.0
"""A direction so many sigma away from where all others want it refuses the calibration."""


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A direction known in the sensor (3,) and in the segment (3,), with the inverse of its covariance."""

    sensor: FloatArray
    segment: FloatArray
    weight: FloatArray


def fit_frame(known: Sequence[Direction]) -> tuple[FloatArray, FloatArray, float]:
    """Return `q_sensor_from_segment`, the normal matrix of its error in the segment frame, and the cost."""
    profile = np.zeros((3, 3))
    for each in known:
        profile += float(np.trace(each.weight)) * np.outer(each.sensor, each.segment)
    u, _, vt = np.linalg.svd(profile)
    q = quaternion.from_matrix(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)
    normal, cost = np.zeros((3, 3)), 0.0
    for _ in range(6):
        normal, right, cost = np.zeros((3, 3)), np.zeros(3), 0.0
        turn = quaternion.to_matrix(q)
        for each in known:
            local = turn.T @ each.weight @ turn
            error = turn.T @ each.sensor - each.segment
            x, y, z = each.segment.tolist()
            slope = np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]])
            normal += slope.T @ local @ slope
            right += slope.T @ local @ error
            cost += float(error @ local @ error)
        step = np.asarray(np.linalg.solve(normal + 1e-3 * np.eye(3), right), np.float64)
        q = quaternion.normalise(quaternion.multiply(q, quaternion.from_rotation_vector(step)))
    return q, normal, cost


def align(sensor: str, segment: str, known: Sequence[Direction]) -> SegmentAlignment:
    """Return the alignment of one segment, or refuse directions that do not fit together."""
    q, normal, _ = fit_frame(known)
    back = quaternion.conjugate(q)
    cosines = [float(quaternion.rotate(back, each.sensor) @ each.segment) for each in known]
    sigmas = [math.sqrt(3.0 / float(np.trace(each.weight))) for each in known]
    angles = [math.acos(max(-1.0, min(1.0, cosine))) for cosine in cosines]
    worst = max(angle / sigma for angle, sigma in zip(angles, sigmas, strict=True))
    if worst > LARGEST_SURPRISE:
        raise CalibrationError(
            f"{segment}: pose and movements disagree by {math.degrees(max(angles)):.0f} deg; check that left "
            "and right, proximal and distal sensors are where they belong, then calibrate again"
        )
    weights = [1.0 / sigma**2 for sigma in sigmas]
    residual = math.sqrt(sum(w * a * a for w, a in zip(weights, angles, strict=True)) / sum(weights))
    covariance = np.asarray(np.linalg.inv(normal + np.eye(3) / math.pi**2), np.float64)
    return SegmentAlignment(sensor, segment, q, covariance, residual)
