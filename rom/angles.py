"""Segment orientations to clinical joint angles, and how an error in the one reaches the other. Pure."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from imu.block import FloatArray
from imu.errors import InputError
from rom.angle_rows import (
    CARDAN_XZY,
    CARDAN_ZXY,
    ELEVATION,
    inclination_errors_row,
    joint_errors_row,
)
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

_SURE = np.zeros((3, 3))
_PROMPT = np.zeros((2, 3))


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
    segments : (N, 2, 4)
        `q_earth_from_segment`, proximal and distal, in one earth frame; of a lone segment twice the same. NaN
        where no calibration says how the sensors sit.
    """

    t: FloatArray
    angle: FloatArray
    sigma: FloatArray
    flags: NDArray[np.uint8]
    support: FloatArray
    strap_sigma: FloatArray
    heading_sigma: FloatArray
    segments: FloatArray

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
            self.segments[span],
        )


def join_series(parts: list[JointSeries]) -> JointSeries:
    """Return consecutive series as one; an empty one for none."""
    if not parts:
        none, nothing = np.zeros(0), np.zeros((0, 3))
        flags, nowhere = np.zeros(0, np.uint8), np.zeros((0, 2, 4))
        return JointSeries(none, nothing, nothing, flags, none, none, none, nowhere)
    return JointSeries(
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.angle for part in parts]),
        np.concatenate([part.sigma for part in parts]),
        np.concatenate([part.flags for part in parts]),
        np.concatenate([part.support for part in parts]),
        np.concatenate([part.strap_sigma for part in parts]),
        np.concatenate([part.heading_sigma for part in parts]),
        np.concatenate([part.segments for part in parts]),
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
    q = q_proximal_from_distal
    return joint_errors_row(_joint(rule, side), q, q, _SURE, _SURE, _SURE, _PROMPT)[0]


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
    return inclination_errors_row(_inclination(rule, side), q_earth_from_segment, 0.0, _SURE, _PROMPT[0])[0]


def angle_errors(
    rule: AngleRule,
    side: Side,
    *,
    q_earth_from_proximal: FloatArray,
    q_proximal_from_distal: FloatArray,
    turn_covariance: FloatArray,
    proximal_covariance: FloatArray,
    distal_covariance: FloatArray,
    timing: FloatArray = _PROMPT,
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
    timing : (N, 2, 3)
        How far the proximal and the distal segment turn while the instant of their samples is in doubt, one
        sigma, rotation vectors in the segments' own frames, rad.

    Returns
    -------
    AngleErrors
        Angles with standard deviations.
    """
    return AngleErrors(
        *joint_errors_row(
            _joint(rule, side),
            q_earth_from_proximal,
            q_proximal_from_distal,
            turn_covariance,
            proximal_covariance,
            distal_covariance,
            timing,
        )
    )


def inclination_errors(
    rule: AngleRule,
    side: Side,
    q_earth_from_segment: FloatArray,
    *,
    tilt_sigma: float,
    covariance: FloatArray,
    timing: FloatArray = _PROMPT[0],
) -> AngleErrors:
    """Return a segment's inclination and its standard deviation.

    `tilt_sigma` is the standard deviation of one sensor's inclination, rad; `covariance` (3, 3) that of
    its alignment, rad^2, segment frame; `timing` (N, 3) is that of `angle_errors` for the one segment.
    """
    angle, sigma, strap_sigma = inclination_errors_row(
        _inclination(rule, side), q_earth_from_segment, tilt_sigma, covariance, timing
    )
    return AngleErrors(angle, sigma, strap_sigma, np.zeros(len(angle)))


@cache
def _joint(rule: AngleRule, side: Side) -> FloatArray:
    """Return what `joint_errors_row` must know: form, mirror, order of its angles and their signs."""
    mirror = -1.0 if side == "left" else 1.0
    sign = float(rule.sign(side))
    match rule.kind:
        case "inclination":
            raise InputError("an inclination belongs to one segment; use segment_inclination")
        case "elevation":
            how = [ELEVATION, mirror, 0, 1, 2, sign, mirror, 1.0]
        case "plane_of_elevation":
            how = [ELEVATION, mirror, 1, 0, 2, sign, 1.0, 1.0]
        case _:
            order = [rule.component, *(axis for axis in (0, 1, 2) if axis != rule.component)]
            sides = (1.0, mirror, mirror)
            form = CARDAN_ZXY if rule.kind == "cardan_zxy" else CARDAN_XZY
            how = [form, mirror, *order, sign, *(sides[axis] for axis in order[1:])]
    return np.array(how)


@cache
def _inclination(rule: AngleRule, side: Side) -> FloatArray:
    """Return what `inclination_errors_row` must know: axis, angle of the line, mirror and sign."""
    if rule.kind != "inclination" or rule.component not in (0, 1):
        raise InputError(
            f"an inclination is a turn about Z or X, got {rule.kind} about {'ZXY'[rule.component]}"
        )
    line = math.pi / 2.0 if rule.zero == "horizontal" else 0.0
    return np.array([rule.component, line, -1.0 if side == "left" else 1.0, rule.sign(side)])
