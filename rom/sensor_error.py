"""What sensors contribute to an angle where the filters do not say it themselves, and to a range.

Constants come from data sheets and from the error budget of the algorithm reference.
"""

import math
from dataclasses import dataclass

import numpy as np

from calibration.expected import USUAL, Expected
from imu import quaternion
from imu.block import STANDARD_GRAVITY, BoolArray, FloatArray
from rom.angles import JointSeries, joint_angles, segment_inclination
from rom.catalogue.movement import AngleRule, Side

TILT_SIGMA = math.radians(0.8)
"""One-sigma inclination error of one sensor, rad: an accelerometer offset of 10 mg (half the 20 mg of the
BMI270 data sheet) is 0.57 deg, limb acceleration and gyroscope scale about as much again (error budget in
the algorithm reference, "removable" columns; VQF on BROAD: 0.72 deg root mean square)."""

DRIFT = math.radians(0.02)
"""Relative heading lost per second without any evidence, rad/s: a residual gyroscope bias of 0.02 deg/s."""

IN_INTERVAL = 1.0 / math.sqrt(12.0)
"""One sigma of the instant to which a sample belongs, in sample intervals: no sensor tells where between two
ticks its low-pass puts a value, so any place is as likely (uniform distribution)."""

LEVER = 0.3
"""From a joint to a sensor, m: a forearm's or a shank's."""

LEANING = math.sqrt(2.0) / 3.0
"""Corner, rad/s, below which an orientation filter follows the acceleration that it feels: VQF's second-order
Butterworth filter for its own 3 s (D. Laidig and T. Seel, Information Fusion 91, 2023)."""

LEAST_LEVEL, LEAST_UPRIGHT = 0.05, 0.05
"""Below these gravity, and the relative heading, have no part in an angle that would matter."""

_STEP = 1e-4
"""Turn by which a slope is measured, rad."""

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Lasting:
    """What errs alike at both ends of a range, and how the angle is read.

    Parameters
    ----------
    rule, side
        As for `rom.angles.joint_angles`; an inclination is that of the distal segment.
    straps : (K, 2, 3)
        One sigma of each error of the alignments; see `JointCalibration.alignment_errors`.
    expected
        What the worse of the sensors errs by.
    """

    rule: AngleRule
    side: Side
    straps: FloatArray
    expected: Expected


HINGE = Lasting(AngleRule("cardan_zxy", 0, 1, 1), "right", np.zeros((0, 2, 3)), USUAL)
"""A turn about one axis, seen by usual sensors of which it is known how they sit."""


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """One end of a range.

    Parameters
    ----------
    t
        When it was, s.
    segments : (2, 4)
        Where the segments were, as in `JointSeries`.
    slope, up : (2, 3)
        What a small turn of each segment changes of the angle, and the upward vertical, in its own frame.
    heading, tilt
        One sigma and variance of the angle that the heading and the inclinations make, rad and rad^2.
    """

    t: float
    segments: FloatArray
    slope: FloatArray
    up: FloatArray
    heading: float
    tilt: float

    @property
    def upright(self) -> FloatArray:
        """How much of a turn about the vertical is in the angle, (2,)."""
        return (self.slope * self.up).sum(axis=1)

    @property
    def lean(self) -> FloatArray:
        """What a force across the vertical, by the unit of gravity, changes of the angle, (2, 3)."""
        return np.cross(self.slope, self.up)


def range_sigma(part: JointSeries, before: BoolArray, at_end: BoolArray, lasting: Lasting = HINGE) -> float:
    """Return one sigma of a range, straps included, soft tissue not, rad; NaN where an end is not known.

    A small turn of a segment changes the angle by a slope, which depends on the posture. An error that is the
    same at both ends is in a range by what its slope changes between them: not at all where a joint turns
    about one axis, and more the more the limb does beside. So it is with the alignments, in the segments'
    frames; with the heading, about the vertical, which besides changes by what was learnt of it; and with
    what the accelerometers tell wrong, in their sensors' frames, as a lean.

    Between its ends gyroscopes carry the angle: off by their sensitivity times what each segment turned, and
    by what is left of their offset. As far as the slope is level, gravity corrects that, and of both opinions
    the filter keeps the surer. About a vertical axis there is only the first. A sensor's own acceleration
    leans its filter by how far it was moved.

    Parameters
    ----------
    part
        The angles around the rep.
    before, at_end : (N,)
        Which instants are its start and its end.
    lasting
        What errs alike at both.
    """
    start, end = (_end(part, where, lasting) for where in (before, at_end))
    expected, seconds = lasting.expected, abs(end.t - start.t)
    straps = ((end.slope - start.slope) * lasting.straps).sum(axis=(1, 2))
    turns = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(start.segments), end.segments))
    carried = (expected.gyr_scale * turns) ** 2 + np.array([0.0, (DRIFT * seconds) ** 2])
    level, upright = (end.lean**2).sum(axis=1), end.upright
    by_gyroscopes = float((level * carried).sum())
    by_gravity = _told_by_gravity(start, end, expected.acc_shape)
    corrected = by_gyroscopes * by_gravity / max(by_gyroscopes + by_gravity, 1e-12)
    moved = 2.0 * LEVER * np.sin(turns / 2.0)
    leaning = 0.5 * (_left(seconds) / STANDARD_GRAVITY) ** 2 * float((level * moved**2).sum())
    before_it, after_it = _headings(start, end)
    heading = (after_it - before_it) * upright[1], after_it * (upright[1] - start.upright[1])
    alone = float((upright**2 * carried).sum())
    return math.hypot(*straps, *heading, math.sqrt(alone + corrected + leaning))


def _told_by_gravity(start: _End, end: _End, shape: float) -> float:
    """Return the variance of a change that accelerometers alone tell, rad^2.

    Their offsets, as far as they are in the angles at both ends, and `shape`, one sigma of their sensitivity
    and of what one axis sees of another: a force f is read as f + E f, with independent entries of E.
    """
    first, second = start.lean, end.lean
    sizes = max(float((first**2).sum()), LEAST_LEVEL), max(float((second**2).sum()), LEAST_LEVEL)
    offsets = 0.5 * (start.tilt / sizes[0] + end.tilt / sizes[1])
    alike = (first * second).sum(axis=1) * (start.up * end.up).sum(axis=1)
    shapes = float((first**2).sum() + (second**2).sum() - 2.0 * alike.sum())
    return offsets * float(((second - first) ** 2).sum()) + shape**2 * shapes


def _headings(start: _End, end: _End) -> tuple[float, float]:
    """Return one sigma of the heading at both ends, rad; one that shows nothing of it takes the other's."""
    shown = [max(abs(float(each.upright[1])), LEAST_UPRIGHT) for each in (start, end)]
    found = [each.heading / upright for each, upright in zip((start, end), shown, strict=True)]
    hidden = [upright <= LEAST_UPRIGHT for upright in shown]
    return found[1] if hidden[0] else found[0], found[0] if hidden[1] else found[1]


def _left(seconds: float) -> float:
    """Return how strongly what a sensor was moved by still leans its filter after so long a swing, 1/s^2.

    A filter that follows acceleration below a corner passes on the corner squared times what a high-pass
    filter of that corner leaves of the way; of a step in mid-swing, here.
    """
    since = LEANING * seconds / math.sqrt(8.0)
    return LEANING**2 * math.exp(-since) * (math.cos(since) - math.sin(since))


def _end(part: JointSeries, where: BoolArray, lasting: Lasting) -> _End:
    """Return one end of a range; NaN where it is not known."""
    segments = np.stack([quaternion.mean(part.segments[where, k]) for k in (0, 1)])
    up = quaternion.rotate(quaternion.conjugate(segments), _UP)
    slope = _slope(segments, lasting)
    sigma, strap, share = (median(v, where) for v in (part.sigma[:, 0], part.strap_sigma, part.heading_sigma))
    tilt = max(sigma**2 - strap**2 - share**2, 0.0)
    return _End(median(part.t, where), segments, slope, up, share, tilt)


def _slope(segments: FloatArray, lasting: Lasting) -> FloatArray:
    """Return what a small turn of each segment in its own frame changes of the angle, (2, 3)."""
    turned = np.tile(segments, (2, 2, 3, 1, 1))
    for way, step in enumerate((_STEP, -_STEP)):
        turns = quaternion.from_rotation_vector(step * np.eye(3))
        for which in (0, 1):
            turned[way, which, :, which] = quaternion.multiply(segments[which], turns)
    rows = turned.reshape(-1, 2, 4)
    if lasting.rule.kind == "inclination":
        angles = segment_inclination(lasting.rule, lasting.side, rows[:, 1])[:, 0]
    else:
        joint = quaternion.multiply(quaternion.conjugate(rows[:, 0]), rows[:, 1])
        angles = joint_angles(lasting.rule, lasting.side, joint)[:, 0]
    above, below = angles.reshape(2, 2, 3)
    return quaternion.wrap(above - below) / (2.0 * _STEP)


def median(values: FloatArray, where: BoolArray) -> float:
    """Return the median of the known ones among some values; NaN of none."""
    known = values[where]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else math.nan
