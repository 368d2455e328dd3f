"""Bring directions known in a sensor and in its segment into one frame: Wahba's weighted problem."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.segment import SegmentAlignment
from imu import quaternion
from imu.block import FloatArray
from imu.errors import CalibrationError

_SETTLED = math.radians(0.1)
"""How fast an azimuth that is settled stays while the lean is found, rad."""

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


def lean(direction: Direction, up: FloatArray) -> Direction:
    """Return what a direction says of a segment's lean, its azimuth about `up` (3,) left open."""
    if abs(float(direction.segment[1])) > 0.5:
        return direction
    variance = float(up @ np.linalg.inv(direction.weight) @ up)
    return replace(direction, weight=np.outer(up, up) / variance)


def align(
    sensor: str, segment: str, upright: FloatArray, sigma: float, known: Sequence[Direction]
) -> SegmentAlignment:
    """Return the alignment of one segment, or refuse directions that do not fit together.

    Parameters
    ----------
    sensor, segment
        Ids.
    upright : (4,)
        `q_sensor_from_segment` whose azimuth is settled.
    sigma
        Of that azimuth, rad, which all directions have had their part in.
    known
        Of these comes the lean.
    """
    x, up, z = quaternion.to_matrix(upright).T
    forward = Direction(x, np.array([1.0, 0.0, 0.0]), np.outer(z, z) / _SETTLED**2)
    q, normal, _ = fit_frame([forward, *(lean(each, up) for each in known)])
    covariance = np.asarray(np.linalg.inv(normal + np.eye(3) / math.pi**2), np.float64)
    covariance[1, 1] += sigma**2
    angles, sigmas, surprises = [], [], []
    for each in known:
        meant = quaternion.rotate(q, each.segment)
        angles.append(math.acos(max(-1.0, min(1.0, float(each.sensor @ meant)))))
        sigmas.append(math.sqrt(3.0 / float(np.trace(each.weight))))
        surprises.append(_surprise(each, meant, up, float(covariance[1, 1])))
    if max(surprises) > LARGEST_SURPRISE:
        raise CalibrationError(
            f"{segment}: pose and movements disagree by {math.degrees(max(angles)):.0f} deg; check that left "
            "and right, proximal and distal sensors are where they belong, then calibrate again"
        )
    weights = [1.0 / sigma**2 for sigma in sigmas]
    residual = math.sqrt(sum(w * a * a for w, a in zip(weights, angles, strict=True)) / sum(weights))
    return SegmentAlignment(sensor, segment, q, covariance, residual)


def _surprise(direction: Direction, meant: FloatArray, up: FloatArray, variance: float) -> float:
    """Return by how many sigmas a direction lies off where it is meant, (3,), in its sensor.

    `variance` of the segment's azimuth about `up` (3,), rad^2, of which the direction may have no part.
    """
    covariance = np.linalg.inv(direction.weight)
    if abs(float(direction.segment[1])) > 0.5:
        return float(np.linalg.norm(direction.sensor - meant)) / math.sqrt(float(np.trace(covariance)) / 3.0)
    high, low = float(direction.sensor @ up), float(meant @ up)
    sideways = np.cross(up, direction.sensor)
    level = max(float(np.linalg.norm(sideways)), 1e-6)
    azimuth = math.atan2(float(sideways @ meant), float(direction.sensor @ meant) - high * low)
    spread = float(sideways @ covariance @ sideways) / level**2 + variance
    return math.hypot((high - low) / math.sqrt(float(up @ covariance @ up)), azimuth / math.sqrt(spread))
