"""Rotations, vectors and 3 by 3 maps one at a time, as tuples of floats: what compiled loops reckon with.

The arithmetic of rotations is that of `imu.quaternion`, where rows of them are.
"""

import math

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
"""Row by row."""
Place = int | np.int_


@compiled
def quaternion_at(row: FloatArray, start: Place = 0) -> Quaternion:
    """Return the quaternion (w, x, y, z) at a place in a row."""
    return row[start], row[start + 1], row[start + 2], row[start + 3]


@compiled
def vector_at(row: FloatArray, start: Place = 0) -> Vector:
    """Return the vector at a place in a row."""
    return row[start], row[start + 1], row[start + 2]


@compiled
def matrix_at(m: FloatArray) -> Matrix:
    """Return an array (3, 3) as a matrix."""
    return (
        (m[0, 0], m[0, 1], m[0, 2]),
        (m[1, 0], m[1, 1], m[1, 2]),
        (m[2, 0], m[2, 1], m[2, 2]),
    )


@compiled
def put(row: FloatArray, start: Place, v: Vector) -> None:
    """Write a vector at a place in a row."""
    row[start], row[start + 1], row[start + 2] = v


@compiled
def put_quaternion(row: FloatArray, q: Quaternion) -> None:
    """Write a quaternion at the beginning of a row."""
    row[0], row[1], row[2], row[3] = q


@compiled
def put_matrix(rows: FloatArray, column: Place, m: Matrix) -> None:
    """Write a matrix into three rows (3, n), from a column on."""
    put(rows[0], column, m[0])
    put(rows[1], column, m[1])
    put(rows[2], column, m[2])


@compiled
def plus(v: Vector, w: Vector) -> Vector:
    """Return v + w."""
    return v[0] + w[0], v[1] + w[1], v[2] + w[2]


@compiled
def minus(v: Vector, w: Vector) -> Vector:
    """Return v - w."""
    return v[0] - w[0], v[1] - w[1], v[2] - w[2]


@compiled
def scaled(v: Vector, factor: float) -> Vector:
    """Return a vector times a factor."""
    return v[0] * factor, v[1] * factor, v[2] * factor


@compiled
def stretched(m: Matrix, factor: float) -> Matrix:
    """Return a matrix times a factor."""
    return scaled(m[0], factor), scaled(m[1], factor), scaled(m[2], factor)


@compiled
def total(m: Matrix, n: Matrix) -> Matrix:
    """Return m + n."""
    return plus(m[0], n[0]), plus(m[1], n[1]), plus(m[2], n[2])


@compiled
def transposed(m: Matrix) -> Matrix:
    """Return a matrix with rows and columns exchanged."""
    (a, b, c), (d, e, f), (g, h, i) = m
    return (a, d, g), (b, e, h), (c, f, i)


@compiled
def dot(v: Vector, w: Vector) -> float:
    """Return the product v w."""
    return v[0] * w[0] + v[1] * w[1] + v[2] * w[2]


@compiled
def applied(m: Matrix, v: Vector) -> Vector:
    """Return m v."""
    return dot(m[0], v), dot(m[1], v), dot(m[2], v)


@compiled
def times(m: Matrix, n: Matrix) -> Matrix:
    """Return m n."""
    columns = transposed(n)
    return applied(columns, m[0]), applied(columns, m[1]), applied(columns, m[2])


@compiled
def conjugate(q: Quaternion) -> Quaternion:
    """Return the inverse rotation of a unit quaternion."""
    return q[0], -q[1], -q[2], -q[3]


@compiled
def product(q: Quaternion, p: Quaternion) -> Quaternion:
    """Return the unit quaternion q p: first the rotation p, then q."""
    qw, qx, qy, qz = q
    pw, px, py, pz = p
    w = qw * pw - qx * px - qy * py - qz * pz
    x = qw * px + qx * pw + qy * pz - qz * py
    y = qw * py - qx * pz + qy * pw + qz * px
    z = qw * pz + qx * py - qy * px + qz * pw
    scale = 1.0 / math.sqrt(w * w + x * x + y * y + z * z)
    return w * scale, x * scale, y * scale, z * scale


@compiled
def rotated(q: Quaternion, v: Vector) -> Vector:
    """Return a vector turned by a unit quaternion."""
    w, x, y, z = q
    vx, vy, vz = v
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return (
        vx + w * tx + (y * tz - z * ty),
        vy + w * ty + (z * tx - x * tz),
        vz + w * tz + (x * ty - y * tx),
    )


@compiled
def cross(v: Vector, w: Vector) -> Vector:
    """Return v x w."""
    return v[1] * w[2] - v[2] * w[1], v[2] * w[0] - v[0] * w[2], v[0] * w[1] - v[1] * w[0]


@compiled
def wrapped(angle: float) -> float:
    """Return an angle, rad, brought into (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


@compiled
def heading_of(row: FloatArray) -> float:
    """Return the part about the vertical of the quaternion at the beginning of a row, rad in (-pi, pi]."""
    return wrapped(2.0 * math.atan2(row[3], row[0]))


@compiled
def turn_about(v: Vector) -> Quaternion:
    """Return the rotation about a vector by its length, rad."""
    x, y, z = v
    angle = math.sqrt(x * x + y * y + z * z)
    scale = math.sin(0.5 * angle) / angle if angle > 0.0 else 0.5
    return math.cos(0.5 * angle), x * scale, y * scale, z * scale


@compiled
def shortest(v: Vector, w: Vector) -> Quaternion:
    """Return the shortest rotation that turns a unit vector into another one."""
    cosine = 1.0 + dot(v, w)
    x, y, z = cross(v, w)
    if cosine < 1e-12:
        cosine = 0.0
        x, y, z = (0.0, v[2], -v[1]) if abs(v[0]) < 0.8 else (-v[2], 0.0, v[0])
    scale = 1.0 / math.sqrt(cosine * cosine + x * x + y * y + z * z)
    return cosine * scale, x * scale, y * scale, z * scale


@compiled
def angle_of(q: Quaternion) -> float:
    """Return the rotation angle of a unit quaternion, rad, in [0, pi]."""
    return 2.0 * math.atan2(math.sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3]), abs(q[0]))


@compiled
def vector_of(q: Quaternion) -> Vector:
    """Return axis times angle of a unit quaternion, rad, with the angle in [0, pi]."""
    w, x, y, z = q
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, abs(w)) / sine if sine > 1e-12 else 2.0
    if w < 0.0:
        scale = -scale
    return x * scale, y * scale, z * scale


@compiled
def rotate_by(v: Vector, q: Quaternion) -> Quaternion:
    """Return q turned further by a small rotation vector, unit length."""
    x, y, z = 0.5 * v[0], 0.5 * v[1], 0.5 * v[2]
    return product((math.sqrt(max(1.0 - x * x - y * y - z * z, 0.0)), x, y, z), q)


@compiled
def cross_matrix(v: Vector) -> Matrix:
    """Return the matrix that turns w into v x w."""
    x, y, z = v
    return (0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)


@compiled
def matrix_of(q: Quaternion) -> Matrix:
    """Return the rotation matrix of a unit quaternion."""
    w, x, y, z = q
    xx, yy, zz = 2.0 * x * x, 2.0 * y * y, 2.0 * z * z
    xy, xz, yz = 2.0 * x * y, 2.0 * x * z, 2.0 * y * z
    wx, wy, wz = 2.0 * w * x, 2.0 * w * y, 2.0 * w * z
    return (
        (1.0 - yy - zz, xy - wz, xz + wy),
        (xy + wz, 1.0 - xx - zz, yz - wx),
        (xz - wy, yz + wx, 1.0 - xx - yy),
    )
