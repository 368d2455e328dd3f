"""Unit quaternions (w, x, y, z) as arrays of shape (..., 4).

A quaternion named `q_b_from_a` turns coordinates in frame a into coordinates in frame b, so products
read by cancellation: `multiply(q_c_from_b, q_b_from_a)` is `q_c_from_a`. q and -q are the same
rotation. NaN in gives NaN out. Every function broadcasts, and works element by element without
matrix products, so that the result of a row never depends on how many rows come with it.
"""

import math

import numpy as np

from imu.block import FloatArray
from imu.compiled import rowwise

_FOUR, _THREE = np.zeros(4), np.zeros(3)
"""They only tell a compiled function how long the rows of its result are."""


def multiply(q: FloatArray, p: FloatArray) -> FloatArray:
    """Return the product q p, shape (..., 4): first the rotation p, then q."""
    return _product(q, p)


def conjugate(q: FloatArray) -> FloatArray:
    """Return the inverse rotation of a unit quaternion, shape (..., 4)."""
    return _inverse(q)


def rotate(q_b_from_a: FloatArray, vector_a: FloatArray) -> FloatArray:
    """Return vectors of frame a, shape (..., 3), in frame b."""
    return _turned(q_b_from_a, vector_a)


def normalise(q: FloatArray) -> FloatArray:
    """Return q scaled to unit length, shape (..., 4). A zero quaternion gives NaN."""
    return _unit(q)


def from_axis_angle(axis: FloatArray, angle: FloatArray | float) -> FloatArray:
    """Return the rotation by `angle` (rad, shape (...)) about the unit vector `axis` (..., 3)."""
    return _about(axis, angle, _FOUR)


def about_vertical(heading: FloatArray | float) -> FloatArray:
    """Return the rotation by `heading` (rad, shape (...)) about the earth's z axis, which points up."""
    return from_axis_angle(np.array([0.0, 0.0, 1.0]), heading)


def from_rotation_vector(vector: FloatArray) -> FloatArray:
    """Return the rotation about `vector` (..., 3) by its length, rad."""
    return _of_vector(vector, _FOUR)


def to_rotation_vector(q: FloatArray) -> FloatArray:
    """Return axis times angle, rad, shape (..., 3), with the angle in [0, pi]."""
    return _to_vector(q, _THREE)


def angle_of(q: FloatArray) -> FloatArray:
    """Return the rotation angle, rad, in [0, pi], shape (...)."""
    return _angle(q)


def twist(q: FloatArray, axis: FloatArray) -> FloatArray:
    """Return the angle about a unit axis (3,) in the swing-twist split of q, rad in (-pi, pi], shape (...).

    References
    ----------
    P. Dobrowolski, "Swing-twist decomposition in Clifford algebra", 2015. arXiv:1506.05481.
    """
    along = q[..., 1] * axis[..., 0] + q[..., 2] * axis[..., 1] + q[..., 3] * axis[..., 2]
    return wrap(2.0 * np.arctan2(along, q[..., 0]))


def wrap(angle: FloatArray) -> FloatArray:
    """Return an angle, rad, brought into (-pi, pi]."""
    return np.pi - (np.pi - angle) % (2.0 * np.pi)


def from_matrix(matrix: FloatArray) -> FloatArray:
    """Return the quaternion, w >= 0, of rotation matrices (..., 3, 3).

    Source: S. W. Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1:223, 1978.
    """
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    largest = np.argmax(squares, axis=-1)
    rows = [
        [1.0 + trace, m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]],
        [
            m[..., 2, 1] - m[..., 1, 2],
            1.0 - trace + 2.0 * m[..., 0, 0],
            m[..., 0, 1] + m[..., 1, 0],
            m[..., 0, 2] + m[..., 2, 0],
        ],
        [
            m[..., 0, 2] - m[..., 2, 0],
            m[..., 0, 1] + m[..., 1, 0],
            1.0 - trace + 2.0 * m[..., 1, 1],
            m[..., 1, 2] + m[..., 2, 1],
        ],
        [
            m[..., 1, 0] - m[..., 0, 1],
            m[..., 0, 2] + m[..., 2, 0],
            m[..., 1, 2] + m[..., 2, 1],
            1.0 - trace + 2.0 * m[..., 2, 2],
        ],
    ]
    table = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    q = normalise(np.take_along_axis(table, largest[..., None, None], axis=-2)[..., 0, :])
    return np.where(q[..., :1] < 0.0, -q, q)


def to_matrix(q: FloatArray) -> FloatArray:
    """Return the rotation matrices, shape (..., 3, 3), of unit quaternions."""
    return _matrix(q, _THREE)


def slerp(q0: FloatArray, q1: FloatArray, share: FloatArray) -> FloatArray:
    """Return the rotation a `share` (0 to 1, shape (...)) of the way from q0 to q1 on the shorter arc.

    Source: K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    step = to_rotation_vector(multiply(conjugate(q0), q1))
    return multiply(q0, from_rotation_vector(step * np.asarray(share)[..., None]))


def between(vector_a: FloatArray, vector_b: FloatArray) -> FloatArray:
    """Return the shortest rotation, shape (..., 4), that turns unit vectors a (..., 3) into b (..., 3).

    For opposite vectors any half turn is right; the one about a fixed perpendicular axis is returned.
    """
    return _shortest(vector_a, vector_b, _FOUR)


def mean(q: FloatArray) -> FloatArray:
    """Return the rotation nearest to all rows of q (N, 4), shape (4,), w >= 0; rows with NaN do not count.

    Source: F. L. Markley et al., "Averaging quaternions", J. Guidance, Control and Dynamics 30:1193, 2007.
    """
    rows = q[np.isfinite(q).all(axis=-1)]
    if len(rows) == 0:
        return np.full(4, np.nan)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    best = vectors[:, -1]
    return -best if best[0] < 0.0 else best


@rowwise("(n),(n)->(n)")
def _product(q: FloatArray, p: FloatArray, out: FloatArray) -> None:
    qw, qx, qy, qz = q
    pw, px, py, pz = p
    out[0] = qw * pw - qx * px - qy * py - qz * pz
    out[1] = qw * px + qx * pw + qy * pz - qz * py
    out[2] = qw * py - qx * pz + qy * pw + qz * px
    out[3] = qw * pz + qx * py - qy * px + qz * pw


@rowwise("(n)->(n)")
def _inverse(q: FloatArray, out: FloatArray) -> None:
    out[0], out[1], out[2], out[3] = q[0], -q[1], -q[2], -q[3]


@rowwise("(n),(m)->(m)")
def _turned(q: FloatArray, vector: FloatArray, out: FloatArray) -> None:
    w, x, y, z = q
    vx, vy, vz = vector
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    out[0] = vx + w * tx + (y * tz - z * ty)
    out[1] = vy + w * ty + (z * tx - x * tz)
    out[2] = vz + w * tz + (x * ty - y * tx)


@rowwise("(n)->(n)")
def _unit(q: FloatArray, out: FloatArray) -> None:
    w, x, y, z = q
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not length > 0.0:
        length = math.nan
    out[0], out[1], out[2], out[3] = w / length, x / length, y / length, z / length


@rowwise("(m),(),(n)->(n)")
def _about(axis: FloatArray, angle: float, _four: FloatArray, out: FloatArray) -> None:
    sine = math.sin(angle / 2.0)
    out[0] = math.cos(angle / 2.0)
    out[1], out[2], out[3] = axis[0] * sine, axis[1] * sine, axis[2] * sine


@rowwise("(m),(n)->(n)")
def _of_vector(vector: FloatArray, _four: FloatArray, out: FloatArray) -> None:
    x, y, z = vector
    half = math.sqrt(x * x + y * y + z * z) / 2.0
    safe = half if half > 0.0 else 1.0
    scale = 0.5 * (math.sin(half) / safe if half > 0.0 else 1.0)
    out[0], out[1], out[2], out[3] = math.cos(half), x * scale, y * scale, z * scale


@rowwise("(n),(m)->(m)")
def _to_vector(q: FloatArray, _three: FloatArray, out: FloatArray) -> None:
    w, x, y, z = q
    sine = math.sqrt(x * x + y * y + z * z)
    safe = sine if sine > 1e-12 else 1.0
    scale = 2.0 * math.atan2(sine, abs(w)) / safe if sine > 1e-12 else 2.0
    if w < 0.0:
        scale = -scale
    out[0], out[1], out[2] = x * scale, y * scale, z * scale


@rowwise("(n)->()")
def _angle(q: FloatArray, out: FloatArray) -> None:
    w, x, y, z = q
    out[0] = 2.0 * math.atan2(math.sqrt(x * x + y * y + z * z), abs(w))


@rowwise("(n),(m)->(m,m)")
def _matrix(q: FloatArray, _three: FloatArray, out: FloatArray) -> None:
    w, x, y, z = q
    x2, y2, z2 = x + x, y + y, z + z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - (yy + zz), xy - wz, xz + wy
    out[1, 0], out[1, 1], out[1, 2] = xy + wz, 1.0 - (xx + zz), yz - wx
    out[2, 0], out[2, 1], out[2, 2] = xz - wy, yz + wx, 1.0 - (xx + yy)


@rowwise("(m),(m),(n)->(n)")
def _shortest(a: FloatArray, b: FloatArray, _four: FloatArray, out: FloatArray) -> None:
    ax, ay, az = a
    bx, by, bz = b
    w = 1.0 + (ax * bx + ay * by + az * bz)
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    if w < 1e-12:
        w = 0.0
        x, y, z = (0.0, az, -ay) if abs(ax) < 0.8 else (-az, 0.0, ax)
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not length > 0.0:
        length = math.nan
    out[0], out[1], out[2], out[3] = w / length, x / length, y / length, z / length
