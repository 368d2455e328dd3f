"""Clinical angles of one orientation, and their gradients, in closed form: what `rom.angles` applies to rows.

A gradient is by a small turn, as a rotation vector, in the frame of the proximal segment (of the segment
itself for an inclination). `how` holds plain numbers, made by `rom.angles`.
"""

import math

import numpy as np

from calibration.rotation import (
    conjugate,
    product,
    put,
    put_quaternion,
    quaternion_at,
    rotated,
    scaled,
    vector_at,
)
from imu.block import FloatArray
from imu.compiled import compiled, rowwise

CARDAN_ZXY, CARDAN_XZY, ELEVATION = 0.0, 1.0, 2.0
"""Forms of a joint's angles: about Z, X, Y in two sequences, or elevation, its plane, and axial rotation."""


@compiled
def _matrix(q: FloatArray) -> tuple[tuple[float, ...], ...]:
    """Return the rows of the matrix of q_outer_from_inner: row i is axis i of the outer frame."""
    w, x, y, z = q
    x2, y2, z2 = x + x, y + y, z + z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    return (
        (1.0 - (yy + zz), xy - wz, xz + wy),
        (xy + wz, 1.0 - (xx + zz), yz - wx),
        (xz - wy, yz + wx, 1.0 - (xx + yy)),
    )


@compiled
def _quadratic(c: FloatArray, x: float, y: float, z: float) -> float:
    """Return v' C v for a symmetric C."""
    across = x * (c[0, 0] * x + 2.0 * (c[0, 1] * y + c[0, 2] * z))
    return across + y * (c[1, 1] * y + 2.0 * c[1, 2] * z) + c[2, 2] * z * z


@compiled
def _sigma(variance: float) -> float:
    """Return the standard deviation, at most pi, where nothing is known; NaN for NaN."""
    sigma = math.sqrt(0.0 if variance <= 0.0 else variance)
    return math.pi if sigma > math.pi else sigma


@compiled
def _cardan_zxy(r: tuple[tuple[float, ...], ...], raw: FloatArray, slope: FloatArray) -> None:
    """Fill the angles about Z, X, Y of R = Rz Rx Ry."""
    cosine = math.sqrt(r[0][1] * r[0][1] + r[1][1] * r[1][1])
    raw[0], raw[2] = math.atan2(-r[0][1], r[1][1]), math.atan2(-r[2][0], r[2][2])
    raw[1] = math.atan2(r[2][1], cosine)
    safe = 1e-9 if cosine < 1e-9 else cosine
    cz, sz, tangent = r[1][1] / safe, -r[0][1] / safe, r[2][1] / safe
    slope[0, 0], slope[0, 1], slope[0, 2] = sz * tangent, -cz * tangent, 1.0
    slope[1, 0], slope[1, 1], slope[1, 2] = cz, sz, 0.0
    slope[2, 0], slope[2, 1], slope[2, 2] = -sz / safe, cz / safe, 0.0


@compiled
def _cardan_xzy(r: tuple[tuple[float, ...], ...], raw: FloatArray, slope: FloatArray) -> None:
    """Fill the angles about Z, X, Y of R = Rx Rz Ry."""
    cosine = math.sqrt(r[1][1] * r[1][1] + r[2][1] * r[2][1])
    raw[1], raw[2] = math.atan2(r[2][1], r[1][1]), math.atan2(r[0][2], r[0][0])
    raw[0] = math.atan2(-r[0][1], cosine)
    safe = 1e-9 if cosine < 1e-9 else cosine
    cx, sx, tangent = r[1][1] / safe, r[2][1] / safe, -r[0][1] / safe
    slope[0, 0], slope[0, 1], slope[0, 2] = 0.0, -sx, cx
    slope[1, 0], slope[1, 1], slope[1, 2] = 1.0, cx * tangent, sx * tangent
    slope[2, 0], slope[2, 1], slope[2, 2] = 0.0, cx / safe, sx / safe


@compiled
def _elevation(r: tuple[tuple[float, ...], ...], mirror: float, raw: FloatArray, slope: FloatArray) -> None:
    """Fill elevation, its plane, and the axial rotation (the twist about Y)."""
    sine = math.sqrt(r[0][1] * r[0][1] + r[2][1] * r[2][1])
    raw[0] = math.atan2(sine, r[1][1])
    raw[1] = math.atan2(-mirror * r[0][1], -mirror * r[2][1])
    raw[2] = mirror * math.atan2(r[0][2] - r[2][0], r[0][0] + r[2][2])
    level = not sine <= 1e-9
    safe = sine if level else 1e-9
    nx, nz = (r[2][1] / safe, -r[0][1] / safe) if level else (1.0, 0.0)
    cotangent = r[1][1] / safe
    near = 1.0 + r[1][1]
    near = 1.0 / (1e-9 if near < 1e-9 else near)
    slope[0, 0], slope[0, 1], slope[0, 2] = nx, 0.0, nz
    slope[1, 0], slope[1, 1], slope[1, 2] = nz * cotangent, 1.0, -nx * cotangent
    slope[2, 0], slope[2, 1], slope[2, 2] = r[0][1] * near, (1.0 + r[1][1]) * near, r[2][1] * near


@compiled
def _joint(how: FloatArray, q: FloatArray, angle: FloatArray, gradient: FloatArray) -> None:
    """Fill the clinical angles and their gradients in the order and with the signs asked for."""
    r = _matrix(q)
    raw, slope = np.empty(3), np.empty((3, 3))
    if how[0] == CARDAN_ZXY:
        _cardan_zxy(r, raw, slope)
    elif how[0] == CARDAN_XZY:
        _cardan_xzy(r, raw, slope)
    else:
        _elevation(r, how[1], raw, slope)
    for i in range(3):
        k = int(how[2 + i])
        angle[i] = how[5 + i] * raw[k]
        gradient[i] = slope[k]


@compiled
def _inclination(how: FloatArray, q: FloatArray, angle: FloatArray, gradient: FloatArray) -> None:
    """Fill the angles of the vertical in the segment frame, the last row of its matrix."""
    w, x, y, z = q
    ux, uy, uz = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)
    about_z = how[0] == 0.0
    along, out, mirror = (ux, uz, how[2]) if about_z else (-uz, ux, 1.0)
    flat = math.sqrt(along * along + uy * uy)
    quarter = math.pi / 2.0
    angle[0] = how[3] * (quarter - (quarter - (math.atan2(along, uy) - how[1])) % math.pi)
    angle[1] = mirror * math.atan2(out, flat)
    angle[2] = math.nan
    safe = 1e-9 if flat < 1e-9 else flat
    slope = out / safe
    if about_z:
        gradient[0, 0], gradient[0, 1], gradient[0, 2] = slope * ux / safe, slope * uy / safe, -1.0
        gradient[1, 0], gradient[1, 1], gradient[1, 2] = -uy / safe, ux / safe, 0.0
    else:
        gradient[0, 0], gradient[0, 1], gradient[0, 2] = -1.0, slope * uy / safe, slope * uz / safe
        gradient[1, 0], gradient[1, 1], gradient[1, 2] = 0.0, -uz / safe, uy / safe
    gradient[2] = math.nan


@rowwise("(s,n),(s,n),(n),(n),(s,c),(s)->(s,n),(n),(s,c)")
def joint_row(  # noqa: PLR0917 -- a ufunc has no keywords
    q_earth_from_sensor: FloatArray,
    q_sensor_from_segment: FloatArray,
    q_earth1_from_earth2: FloatArray,
    q_earth1_from_shown: FloatArray,
    gyr: FloatArray,
    seconds: FloatArray,
    q_earth_from_segment: FloatArray,
    q_proximal_from_distal: FloatArray,
    timing: FloatArray,
) -> None:
    """Fill where both segments lie and the joint's orientation, of two sensors, proximal first.

    The turns are those of `calibration.heading_series.Heading`. Also how far each segment turns in so many
    seconds, in its own frame, rad: by nothing where the rate is not known.
    """
    upper = product(quaternion_at(q_earth_from_sensor[0]), quaternion_at(q_sensor_from_segment[0]))
    lower = product(quaternion_at(q_earth_from_sensor[1]), quaternion_at(q_sensor_from_segment[1]))
    turned = product(quaternion_at(q_earth1_from_earth2), lower)
    shown = quaternion_at(q_earth1_from_shown)
    put_quaternion(q_earth_from_segment[0], product(shown, upper))
    put_quaternion(q_earth_from_segment[1], product(shown, turned))
    put_quaternion(q_proximal_from_distal, product(conjugate(upper), turned))
    for k in range(2):
        segment_from_sensor = conjugate(quaternion_at(q_sensor_from_segment[k]))
        turn = rotated(segment_from_sensor, scaled(vector_at(gyr[k]), seconds[k]))
        put(timing[k], 0, turn if math.isfinite(turn[0] + turn[1] + turn[2]) else (0.0, 0.0, 0.0))


@rowwise("(h),(n),(n),(c,c),(c,c),(c,c),(s,c)->(c),(c),(),()")
def joint_errors_row(  # noqa: PLR0917 -- a ufunc has no keywords
    how: FloatArray,
    q_earth_from_proximal: FloatArray,
    q_proximal_from_distal: FloatArray,
    turn_covariance: FloatArray,
    proximal_covariance: FloatArray,
    distal_covariance: FloatArray,
    timing: FloatArray,
    angle: FloatArray,
    sigma: FloatArray,
    strap_sigma: FloatArray,
    heading_sigma: FloatArray,
) -> None:
    """Fill a joint's angles with their standard deviations and two parts of the first one's.

    `how` is the form, the mirror, the order of the three angles, and their signs.
    """
    gradient = np.empty((3, 3))
    _joint(how, q_proximal_from_distal, angle, gradient)
    outer, inner = _matrix(q_earth_from_proximal), _matrix(q_proximal_from_distal)
    for i in range(3):
        x, y, z = gradient[i, 0], gradient[i, 1], gradient[i, 2]
        dx = inner[0][0] * x + inner[1][0] * y + inner[2][0] * z
        dy = inner[0][1] * x + inner[1][1] * y + inner[2][1] * z
        dz = inner[0][2] * x + inner[1][2] * y + inner[2][2] * z
        straps = _quadratic(proximal_covariance, x, y, z) + _quadratic(distal_covariance, dx, dy, dz)
        vertical = outer[2][0] * x + outer[2][1] * y + outer[2][2] * z
        turned = _quadratic(
            turn_covariance,
            outer[0][0] * x + outer[0][1] * y + outer[0][2] * z,
            outer[1][0] * x + outer[1][1] * y + outer[1][2] * z,
            vertical,
        )
        early = x * timing[0, 0] + y * timing[0, 1] + z * timing[0, 2]
        late = dx * timing[1, 0] + dy * timing[1, 1] + dz * timing[1, 2]
        sigma[i] = _sigma(turned + early * early + late * late + straps)
        if i == 0:
            strap_sigma[0] = _sigma(straps)
            heading_sigma[0] = _sigma(turn_covariance[2, 2] * vertical * vertical)


@rowwise("(h),(n),(),(c,c),(c)->(c),(c),()")
def inclination_errors_row(  # noqa: PLR0917 -- a ufunc has no keywords
    how: FloatArray,
    q: FloatArray,
    tilt_sigma: float,
    covariance: FloatArray,
    timing: FloatArray,
    angle: FloatArray,
    sigma: FloatArray,
    strap_sigma: FloatArray,
) -> None:
    """Fill inclination, tilt out of its plane and NaN, with standard deviations and the straps' part of it.

    `how` is the axis, the angle of the line, the mirror and the sign.
    """
    gradient = np.empty((3, 3))
    _inclination(how, q, angle, gradient)
    for i in range(3):
        x, y, z = gradient[i, 0], gradient[i, 1], gradient[i, 2]
        straps = _quadratic(covariance, x, y, z)
        late = x * timing[0] + y * timing[1] + z * timing[2]
        sigma[i] = _sigma(tilt_sigma * tilt_sigma * (x * x + y * y + z * z) + late * late + straps)
        if i == 0:
            strap_sigma[0] = _sigma(straps)
