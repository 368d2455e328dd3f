"""Unit quaternions (w, x, y, z) as arrays of shape (..., 4).

A quaternion named `q_b_from_a` turns coordinates in frame a into coordinates in frame b, so products
read by cancellation: `multiply(q_c_from_b, q_b_from_a)` is `q_c_from_a`. q and -q are the same
rotation. NaN in gives NaN out. Every function broadcasts, and works element by element without
matrix products, so that the result of a row never depends on how many rows come with it.
"""

import numpy as np

from imu.block import FloatArray
from imu.compiled import rowwise


def columns(*parts: FloatArray) -> FloatArray:
    """Return n arrays of shape (...) side by side, shape (..., n); for few values faster than stacking."""
    out = np.empty((*np.shape(parts[0]), len(parts)))
    for i, part in enumerate(parts):
        out[..., i] = part
    return out


@rowwise("(n),(n)->(n)")
def _product(q: FloatArray, p: FloatArray, out: FloatArray) -> None:
    qw, qx, qy, qz = q
    pw, px, py, pz = p
    out[0] = qw * pw - qx * px - qy * py - qz * pz
    out[1] = qw * px + qx * pw + qy * pz - qz * py
    out[2] = qw * py - qx * pz + qy * pw + qz * px
    out[3] = qw * pz + qx * py - qy * px + qz * pw


def multiply(q: FloatArray, p: FloatArray) -> FloatArray:
    """Return the product q p, shape (..., 4): first the rotation p, then q."""
    return _product(q, p)


def conjugate(q: FloatArray) -> FloatArray:
    """Return the inverse rotation of a unit quaternion, shape (..., 4)."""
    out = -q
    out[..., 0] = q[..., 0]
    return out


def rotate(q_b_from_a: FloatArray, vector_a: FloatArray) -> FloatArray:
    """Return vectors of frame a, shape (..., 3), in frame b."""
    w, x, y, z = q_b_from_a[..., 0], q_b_from_a[..., 1], q_b_from_a[..., 2], q_b_from_a[..., 3]
    vx, vy, vz = vector_a[..., 0], vector_a[..., 1], vector_a[..., 2]
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return columns(
        vx + w * tx + (y * tz - z * ty),
        vy + w * ty + (z * tx - x * tz),
        vz + w * tz + (x * ty - y * tx),
    )


def normalise(q: FloatArray) -> FloatArray:
    """Return q scaled to unit length, shape (..., 4). A zero quaternion gives NaN."""
    length = np.sqrt(q[..., 0] ** 2 + q[..., 1] ** 2 + q[..., 2] ** 2 + q[..., 3] ** 2)
    return q / np.where(length > 0.0, length, np.nan)[..., None]


def from_axis_angle(axis: FloatArray, angle: FloatArray | float) -> FloatArray:
    """Return the rotation by `angle` (rad, shape (...)) about the unit vector `axis` (..., 3)."""
    half = np.asarray(angle, dtype=np.float64) / 2.0
    sine = np.sin(half)
    x, y, z = axis[..., 0] * sine, axis[..., 1] * sine, axis[..., 2] * sine
    out = np.empty((*np.shape(x), 4))
    out[..., 0], out[..., 1], out[..., 2], out[..., 3] = np.cos(half), x, y, z
    return out


def about_vertical(heading: FloatArray | float) -> FloatArray:
    """Return the rotation by `heading` (rad, shape (...)) about the earth's z axis, which points up."""
    return from_axis_angle(np.array([0.0, 0.0, 1.0]), heading)


def from_rotation_vector(vector: FloatArray) -> FloatArray:
    """Return the rotation about `vector` (..., 3) by its length, rad."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    angle = np.sqrt(x**2 + y**2 + z**2)
    scale = 0.5 * np.sinc(angle / (2.0 * np.pi))
    return np.stack([np.cos(angle / 2.0), x * scale, y * scale, z * scale], axis=-1)


def to_rotation_vector(q: FloatArray) -> FloatArray:
    """Return axis times angle, rad, shape (..., 3), with the angle in [0, pi]."""
    w = q[..., 0]
    x, y, z = q[..., 1], q[..., 2], q[..., 3]
    sine = np.sqrt(x**2 + y**2 + z**2)
    sign = np.where(w < 0.0, -1.0, 1.0)
    angle = 2.0 * np.arctan2(sine, np.abs(w))
    scale = np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1.0), 2.0) * sign
    return np.stack([x * scale, y * scale, z * scale], axis=-1)


def angle_of(q: FloatArray) -> FloatArray:
    """Return the rotation angle, rad, in [0, pi], shape (...)."""
    sine = np.sqrt(q[..., 1] ** 2 + q[..., 2] ** 2 + q[..., 3] ** 2)
    return 2.0 * np.arctan2(sine, np.abs(q[..., 0]))


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
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    x2, y2, z2 = x + x, y + y, z + z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    entries = columns(
        1.0 - (yy + zz),
        xy - wz,
        xz + wy,
        xy + wz,
        1.0 - (xx + zz),
        yz - wx,
        xz - wy,
        yz + wx,
        1.0 - (xx + yy),
    )
    return entries.reshape(*entries.shape[:-1], 3, 3)


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
    ax, ay, az = vector_a[..., 0], vector_a[..., 1], vector_a[..., 2]
    bx, by, bz = vector_b[..., 0], vector_b[..., 1], vector_b[..., 2]
    dot = ax * bx + ay * by + az * bz
    q = np.stack([1.0 + dot, ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
    first = np.abs(ax) < 0.8
    zero = np.zeros_like(ax)
    turn_x = np.stack([zero, zero, az, -ay], axis=-1)
    turn_y = np.stack([zero, -az, zero, ax], axis=-1)
    half_turn = np.where(first[..., None], turn_x, turn_y)
    return normalise(np.where((dot < -1.0 + 1e-12)[..., None], half_turn, q))


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
