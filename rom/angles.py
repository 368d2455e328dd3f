"""Segment orientations to clinical joint angles, and how an error in the one reaches the other. Pure."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.block import FloatArray
from imu.errors import InputError
from imu.quaternion import columns
from rom.catalogue.movement import AngleRule, Side

GAP = 1
"""Flag: a sensor's samples are missing here, or were so shortly before that the heading may have moved."""
SATURATED = 2
"""Flag: a sensor is at the end of its range."""
HEADING_UNKNOWN = 4
"""Flag: the movement does not show the relative heading here, and the angle depends on it."""
UNCALIBRATED = 8
"""Flag: no calibration says how the sensors sit on the segments; zero is the start pose."""
UNSURE = 16
"""Flag: the standard deviation of the primary angle, straps aside, exceeds what a statement can use."""

FLAG_WORDS = {
    GAP: "samples are missing",
    SATURATED: "a sensor is at the end of its range",
    HEADING_UNKNOWN: "relative heading not observable",
    UNCALIBRATED: "no calibration: zero is the start pose",
    UNSURE: "uncertainty too large for a statement",
}


@dataclass(frozen=True, slots=True, eq=False)
class AngleErrors:
    """Angles and what their errors are made of.

    Parameters
    ----------
    angle, sigma : (N, 3)
        Angles and standard deviations, rad; the latter end at pi, where nothing is known.
    strap_sigma : (N,)
        The part of the primary angle's sigma that the alignments make, rad.
    heading_sigma : (N,)
        The part that the relative heading makes, rad.
    """

    angle: FloatArray
    sigma: FloatArray
    strap_sigma: FloatArray
    heading_sigma: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class JointSeries:
    """The angles of one joint over time.

    Parameters
    ----------
    t : (N,)
        Instants on the capture clock, s.
    angle : (N, 3)
        Clinical angles, rad: the primary one first, then the two off its axis. Unwrapped over time. NaN
        where not known.
    sigma : (N, 3)
        One standard deviation of the sensor-level error of each, rad. NaN where the angle is NaN.
    flags : (N,)
        Bits of `FLAG_WORDS`.
    support : (N,)
        Turn of the proximal segment about its own axis of the primary component, rad, from an arbitrary
        zero; the integral of its bias-free rate, so only changes within seconds mean something. NaN where
        there is no proximal sensor.
    strap_sigma : (N,)
        The part of the primary angle's sigma that stays as long as the straps stay: the alignments, rad.
    heading_sigma : (N,)
        The part that the relative heading makes; it changes slowly, over minutes, rad.
    """

    t: FloatArray
    angle: FloatArray
    sigma: FloatArray
    flags: NDArray[np.uint8]
    support: FloatArray
    strap_sigma: FloatArray
    heading_sigma: FloatArray

    def __len__(self) -> int:
        """Return the number of instants."""
        return self.t.shape[0]

    def __getitem__(self, span: slice) -> "JointSeries":
        """Return the instants of a slice, in time order."""
        return JointSeries(
            self.t[span],
            self.angle[span],
            self.sigma[span],
            self.flags[span],
            self.support[span],
            self.strap_sigma[span],
            self.heading_sigma[span],
        )


def join_series(parts: list[JointSeries]) -> JointSeries:
    """Return consecutive series as one; an empty one for none."""
    if not parts:
        none, nothing = np.zeros(0), np.zeros((0, 3))
        return JointSeries(none, nothing, nothing, np.zeros(0, np.uint8), none, none, none)
    return JointSeries(
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.angle for part in parts]),
        np.concatenate([part.sigma for part in parts]),
        np.concatenate([part.flags for part in parts]),
        np.concatenate([part.support for part in parts]),
        np.concatenate([part.strap_sigma for part in parts]),
        np.concatenate([part.heading_sigma for part in parts]),
    )


def period(rule: AngleRule) -> float:
    """Return after how much of the primary angle, rad, the same pose comes again; infinite for elevations.

    An inclination is measured from a line, not from a direction, so half a turn brings it back.
    """
    return {"inclination": math.pi, "elevation": math.inf}.get(rule.kind, 2.0 * math.pi)


def joint_angles(rule: AngleRule, side: Side, q_proximal_from_distal: FloatArray) -> FloatArray:
    """Return the clinical angles of a joint.

    Parameters
    ----------
    rule
        Kind, primary component and sign, as the catalogue gives them; not an inclination.
    side
        Left and right limbs that mirror each other give the same numbers: off-axis turns about X and Y
        count on the left as on the right (adduction, inversion and ulnar deviation, internal rotation
        positive), turns about Z are the same on either side.
    q_proximal_from_distal : (N, 4)
        Orientation of the distal segment frame in the proximal one (ISB axes), unit quaternions.

    Returns
    -------
    (N, 3)
        rad, primary first. Cardan kinds: then the other two axes in the order Z, X, Y, each in
        (-pi, pi], the middle one in [-pi/2, pi/2]. `elevation`: [0, pi], then plane of elevation, then
        axial rotation (the twist about Y). `plane_of_elevation`: then elevation and axial rotation.
        NaN in gives NaN out.

    Raises
    ------
    InputError
        If the rule is an inclination, which has no proximal segment.

    References
    ----------
    Wu 2002 J Biomech 35:543; Wu 2005 J Biomech 38:981; Phadke 2011 J Biomech 44:700 (X-Z'-Y'' at the
    shoulder). Closed forms from the entries of the rotation matrix.
    """
    return _decompose(rule, side, _Matrix(q_proximal_from_distal))[0]


def segment_inclination(rule: AngleRule, side: Side, q_earth_from_segment: FloatArray) -> FloatArray:
    """Return the inclination of one segment; gravity alone tells it.

    Parameters
    ----------
    rule
        An inclination: `component` is the segment's own axis of turn (0: Z, 1: X), `zero` the line.
    side
        Decides the sign, by the rule.
    q_earth_from_segment : (N, 4)
        Orientation of the segment frame (ISB axes), earth z up; its heading does not count.

    Returns
    -------
    (N, 3)
        rad: the inclination in (-pi/2, pi/2], the tilt out of that plane in [-pi/2, pi/2] (same sign on
        mirrored sides), and NaN for the turn about the vertical, which gravity does not tell.

    Raises
    ------
    InputError
        If the rule is no inclination about Z or X.
    """
    return _incline(rule, side, q_earth_from_segment)[0]


def angle_errors(
    rule: AngleRule,
    side: Side,
    *,
    q_earth_from_proximal: FloatArray,
    q_proximal_from_distal: FloatArray,
    turn_covariance: FloatArray,
    proximal_covariance: FloatArray,
    distal_covariance: FloatArray,
) -> AngleErrors:
    """Return the joint angles and their standard deviations to first order.

    A small turn between the segments changes each angle by its gradient times the turn, whose variance
    the gradient therefore picks out: relative heading counts with the vertical part of the gradient, as
    for a hinge sigma_delta |j_z|, and inclination with the level part.

    Parameters
    ----------
    rule, side, q_proximal_from_distal
        As for `joint_angles`.
    q_earth_from_proximal : (N, 4)
        Where the proximal segment lies.
    turn_covariance : (N, 3, 3)
        Of the error in turning one sensor's orientation against the other's, as a rotation vector in the
        earth frame (z up), rad^2: both inclinations in x and y, the relative heading in z.
    proximal_covariance, distal_covariance : (3, 3)
        Of each segment's alignment, rad^2, in its own frame.

    Returns
    -------
    AngleErrors
        Angles with standard deviations.
    """
    matrix = _Matrix(q_proximal_from_distal)
    angle, gradient = _decompose(rule, side, matrix)
    gx, gy, gz = gradient[..., 0], gradient[..., 1], gradient[..., 2]
    level_x, level_y, vertical = _Matrix(q_earth_from_proximal).to_outer(gx, gy, gz)
    straps = _quadratic(proximal_covariance, gx, gy, gz)
    straps = straps + _quadratic(distal_covariance, *matrix.to_inner(gx, gy, gz))
    variance = _quadratic(turn_covariance, level_x, level_y, vertical) + straps
    heading = turn_covariance[:, 2, 2] * vertical[:, 0] * vertical[:, 0]
    return AngleErrors(angle, _sigma(variance), _sigma(straps[:, 0]), _sigma(heading))


def inclination_errors(
    rule: AngleRule, side: Side, q_earth_from_segment: FloatArray, tilt_sigma: float, covariance: FloatArray
) -> AngleErrors:
    """Return a segment's inclination and its standard deviation.

    `tilt_sigma` is the standard deviation of one sensor's inclination, rad; `covariance` (3, 3) that of
    its alignment, rad^2, segment frame.
    """
    angle, gradient = _incline(rule, side, q_earth_from_segment)
    gx, gy, gz = gradient[..., 0], gradient[..., 1], gradient[..., 2]
    straps = _quadratic(covariance, gx, gy, gz)
    variance = (tilt_sigma * tilt_sigma) * (gx * gx + gy * gy + gz * gz) + straps
    return AngleErrors(angle, _sigma(variance), _sigma(straps[:, 0]), np.zeros(len(angle)))


def _sigma(variance: FloatArray) -> FloatArray:
    return np.minimum(np.sqrt(np.maximum(variance, 0.0)), math.pi)


class _Matrix:
    """The entries of rotation matrices, each (N,): `rij` is row i, column j; of R for q_outer_from_inner."""

    def __init__(self, q: FloatArray) -> None:
        w, x, y, z = q[:, 0], q[:, 1], q[:, 2], q[:, 3]
        x2, y2, z2 = x + x, y + y, z + z
        xx, yy, zz = x * x2, y * y2, z * z2
        xy, xz, yz = x * y2, x * z2, y * z2
        wx, wy, wz = w * x2, w * y2, w * z2
        self.r00, self.r01, self.r02 = 1.0 - (yy + zz), xy - wz, xz + wy
        self.r10, self.r11, self.r12 = xy + wz, 1.0 - (xx + zz), yz - wx
        self.r20, self.r21, self.r22 = xz - wy, yz + wx, 1.0 - (xx + yy)

    def to_inner(
        self, x: FloatArray, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return vectors of the outer (row) frame, components (N, 3), in the inner (column) frame."""
        each = (slice(None), None)
        return (
            self.r00[each] * x + self.r10[each] * y + self.r20[each] * z,
            self.r01[each] * x + self.r11[each] * y + self.r21[each] * z,
            self.r02[each] * x + self.r12[each] * y + self.r22[each] * z,
        )

    def to_outer(
        self, x: FloatArray, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return vectors of the inner frame, components (N, 3), in the outer frame."""
        each = (slice(None), None)
        return (
            self.r00[each] * x + self.r01[each] * y + self.r02[each] * z,
            self.r10[each] * x + self.r11[each] * y + self.r12[each] * z,
            self.r20[each] * x + self.r21[each] * y + self.r22[each] * z,
        )


def _decompose(rule: AngleRule, side: Side, m: _Matrix) -> tuple[FloatArray, FloatArray]:
    """Return clinical angles (N, 3) and their gradients (N, 3, 3) by a small turn in the proximal frame."""
    mirror = -1.0 if side == "left" else 1.0
    sign = float(rule.sign(side))
    if rule.kind in ("cardan_zxy", "cardan_xzy"):
        z, x, y, gz, gx, gy = _cardan_zxy(m) if rule.kind == "cardan_zxy" else _cardan_xzy(m)
        order = [rule.component, *(axis for axis in (0, 1, 2) if axis != rule.component)]
        sides = (1.0, mirror, mirror)
        signs = [sign, *(sides[axis] for axis in order[1:])]
        angle = columns(*((z, x, y)[axis] * s for axis, s in zip(order, signs, strict=True)))
        return angle, _layers(*((gz, gx, gy)[axis] for axis in order))
    if rule.kind == "inclination":
        raise InputError("an inclination belongs to one segment; use segment_inclination")
    sine = np.sqrt(m.r01 * m.r01 + m.r21 * m.r21)
    elevation = np.arctan2(sine, m.r11)
    plane = np.arctan2(-mirror * m.r01, -mirror * m.r21)
    twist = mirror * np.arctan2(m.r02 - m.r20, m.r00 + m.r22)
    safe = np.where(sine > 1e-9, sine, 1.0)
    nx, nz = np.where(sine > 1e-9, m.r21 / safe, 1.0), np.where(sine > 1e-9, -m.r01 / safe, 0.0)
    zero = np.zeros_like(nx)
    far = 1.0 / np.maximum(sine, 1e-9)
    near = 1.0 / np.maximum(1.0 + m.r11, 1e-9)
    by_elevation = columns(nx, zero, nz)
    cotangent = m.r11 * far
    by_plane = columns(nz * cotangent, np.ones_like(nx), -nx * cotangent)
    by_twist = columns(m.r01 * near, (1.0 + m.r11) * near, m.r21 * near)
    if rule.kind == "elevation":
        return columns(sign * elevation, mirror * plane, twist), _layers(by_elevation, by_plane, by_twist)
    return columns(sign * plane, elevation, twist), _layers(by_plane, by_elevation, by_twist)


def _cardan_zxy(m: _Matrix) -> tuple[FloatArray, ...]:
    """Return the angles about Z, X, Y of R = Rz Rx Ry, and the gradient of each, (N, 3)."""
    z, y = np.arctan2(-m.r01, m.r11), np.arctan2(-m.r20, m.r22)
    cosine = np.sqrt(m.r01 * m.r01 + m.r11 * m.r11)
    x = np.arctan2(m.r21, cosine)
    safe = np.maximum(cosine, 1e-9)
    cz, sz = m.r11 / safe, -m.r01 / safe
    tangent, zero = m.r21 / safe, np.zeros_like(cz)
    by_z = columns(sz * tangent, -cz * tangent, np.ones_like(cz))
    by_x = columns(cz, sz, zero)
    by_y = columns(-sz / safe, cz / safe, zero)
    return z, x, y, by_z, by_x, by_y


def _cardan_xzy(m: _Matrix) -> tuple[FloatArray, ...]:
    """Return the angles about Z, X, Y of R = Rx Rz Ry, and the gradient of each, (N, 3)."""
    x, y = np.arctan2(m.r21, m.r11), np.arctan2(m.r02, m.r00)
    cosine = np.sqrt(m.r11 * m.r11 + m.r21 * m.r21)
    z = np.arctan2(-m.r01, cosine)
    safe = np.maximum(cosine, 1e-9)
    cx, sx = m.r11 / safe, m.r21 / safe
    tangent, zero = -m.r01 / safe, np.zeros_like(cx)
    by_x = columns(np.ones_like(cx), cx * tangent, sx * tangent)
    by_z = columns(zero, -sx, cx)
    by_y = columns(zero, cx / safe, sx / safe)
    return z, x, y, by_z, by_x, by_y


def _incline(rule: AngleRule, side: Side, q_earth_from_segment: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return inclination, out-of-plane tilt, NaN (N, 3), and gradients (N, 3, 3) in the segment frame."""
    if rule.kind != "inclination" or rule.component not in (0, 1):
        raise InputError(
            f"an inclination is a turn about Z or X, got {rule.kind} about {'ZXY'[rule.component]}"
        )
    mirror = -1.0 if side == "left" else 1.0
    ux, uy, uz = _up_in(q_earth_from_segment)
    along, out, mirror = (ux, uz, mirror) if rule.component == 0 else (-uz, ux, 1.0)
    from_line = np.arctan2(along, uy) - (math.pi / 2.0 if rule.zero == "horizontal" else 0.0)
    inclination = math.pi / 2.0 - (math.pi / 2.0 - from_line) % math.pi
    flat = np.sqrt(ux * ux + uy * uy) if rule.component == 0 else np.sqrt(uy * uy + uz * uz)
    tilt = mirror * np.arctan2(out, flat)
    unknown = np.full_like(tilt, np.nan)
    one, zero = np.ones_like(tilt), np.zeros_like(tilt)
    slope = out / np.maximum(flat, 1e-9)
    safe = np.maximum(flat, 1e-9)
    if rule.component == 0:
        by_main = columns(slope * ux / safe, slope * uy / safe, -one)
        by_tilt = columns(-uy / safe, ux / safe, zero)
    else:
        by_main = columns(-one, slope * uy / safe, slope * uz / safe)
        by_tilt = columns(zero, -uz / safe, uy / safe)
    by_nothing = columns(unknown, unknown, unknown)
    angle = columns(float(rule.sign(side)) * inclination, tilt, unknown)
    return angle, _layers(by_main, by_tilt, by_nothing)


def _layers(*parts: FloatArray) -> FloatArray:
    """Return vectors (N, 3) as rows of matrices (N, n, 3)."""
    out = np.empty((len(parts[0]), len(parts), 3))
    for i, part in enumerate(parts):
        out[:, i] = part
    return out


def _up_in(q_earth_from_segment: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the vertical in the segment frame, three components (N,): the last row of the matrix."""
    w, x, y, z = (q_earth_from_segment[:, i] for i in range(4))
    return 2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)


def _quadratic(c: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Return v' C v of vectors (N, 3) given by components; C is (3, 3) or one for each row (N, 3, 3)."""
    xx, yy, zz = c[..., 0, 0, None], c[..., 1, 1, None], c[..., 2, 2, None]
    xy, xz, yz = c[..., 0, 1, None], c[..., 0, 2, None], c[..., 1, 2, None]
    return x * (xx * x + 2.0 * (xy * y + xz * z)) + y * (yy * y + 2.0 * yz * z) + zz * z * z
