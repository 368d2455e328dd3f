"""Rotations one at a time: the arithmetic of `imu.quaternion` without the cost of arrays."""

import math
from collections.abc import Sequence

import numpy as np

from imu.block import FloatArray


def cross_matrix(v: FloatArray) -> FloatArray:
    """Return the matrix (3, 3) that turns w into v x w."""
    x, y, z = v.tolist()
    return np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))


def rotate_by(vector: FloatArray, q: FloatArray) -> FloatArray:
    """Return q (4,) turned further by a small rotation vector (3,), unit length."""
    x, y, z = (0.5 * vector).tolist()
    return product((math.sqrt(max(1.0 - x * x - y * y - z * z, 0.0)), x, y, z), q.tolist())


def product(q: Sequence[float], p: Sequence[float]) -> FloatArray:
    """Return the unit quaternion q p, (4,), of one pair: `quaternion.multiply` without the cost of arrays."""
    qw, qx, qy, qz = q
    pw, px, py, pz = p
    w = qw * pw - qx * px - qy * py - qz * pz
    x = qw * px + qx * pw + qy * pz - qz * py
    y = qw * py - qx * pz + qy * pw + qz * px
    z = qw * pz + qx * py - qy * px + qz * pw
    scale = 1.0 / math.sqrt(w * w + x * x + y * y + z * z)
    return np.array((w * scale, x * scale, y * scale, z * scale))


def matrix_of(q: FloatArray) -> FloatArray:
    """Return the rotation matrix (3, 3) of one unit quaternion: `quaternion.to_matrix` for one."""
    w, x, y, z = q.tolist()
    xx, yy, zz = 2.0 * x * x, 2.0 * y * y, 2.0 * z * z
    xy, xz, yz = 2.0 * x * y, 2.0 * x * z, 2.0 * y * z
    wx, wy, wz = 2.0 * w * x, 2.0 * w * y, 2.0 * w * z
    return np.array(
        (
            (1.0 - yy - zz, xy - wz, xz + wy),
            (xy + wz, 1.0 - xx - zz, yz - wx),
            (xz - wy, yz + wx, 1.0 - xx - yy),
        )
    )
