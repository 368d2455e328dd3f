"""What sensors contribute to an angle where the filters do not say it themselves, and to a range.

Constants come from data sheets and from the error budget of the algorithm reference.
"""

import math

import numpy as np

from calibration.expected import USUAL, Expected
from imu.block import STANDARD_GRAVITY, BoolArray, FloatArray
from rom.angles import JointSeries
from rom.catalogue.movement import AngleRule

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

LEANING_TIME = 3.0
"""Seconds in which an orientation filter follows the acceleration that it feels (VQF's own default)."""

LEAN = 0.5 * 1.875 * LEVER / (STANDARD_GRAVITY * LEANING_TIME)
"""What the limb's own acceleration leaves of the inclination after a swing, rad for each rad/s of its mean
speed. At mid-swing of a minimum-jerk movement it has leant the filter by 1.875 lever speed / (g leaning
time); slowing down leans it back by half or so, as the direction has changed. A slow pass of 95 deg in 4.5 s:
0.2 deg, where the error budget of the algorithm reference has 0.1 to 0.3."""

LEAST_UPRIGHT = 0.05
"""Below this the relative heading has no part in an angle that would matter."""


def range_sigma(
    part: JointSeries,
    before: BoolArray,
    at_end: BoolArray,
    travel: float,
    *,
    rule: AngleRule | None = None,
    expected: Expected = USUAL,
) -> float:
    """Return one sigma of a range, straps included, soft tissue not, rad; NaN where an end is not known.

    Between its ends gyroscopes carry the angle: off by their sensitivity, and by what is left of their
    offset. As far as the axis is level, gravity corrects that, off by what accelerometers tell wrong, and
    that turns with its sensor: one that turned by an angle a errs anew with a variance of 2 (1 - cos a) times
    its own. Of both opinions the filter keeps the surer. About a vertical axis there is only the first. The
    faster the swing, the more its own acceleration leans the filters. Heading is the same error at both ends,
    but for what was learnt of it between them, by which its sigma shrank, and for an axis that leant. An
    alignment that is off by e shortens a travel by 1 - cos e. What it adds to a turn about one axis is the
    same at both ends; to an elevation it adds along its plane, so that a plane that turned on the way leaves
    a difference: all of it twice if the limb goes from one side of the vertical to the other.

    Parameters
    ----------
    part
        The angles around the rep.
    before, at_end : (N,)
        Which instants are its start and its end.
    travel
        Its range, rad.
    rule
        How the angle is read; None if as a turn about one axis.
    expected
        What the worse of its sensors errs by.
    """
    begun, start, start_upright, start_tilt = _end(part, before)
    ended, end, upright, tilt = _end(part, at_end)
    straps = [median(part.strap_sigma, where) for where in (before, at_end)]
    swung = 1.0 - math.cos(_plane(part, at_end) - _plane(part, before)) if _is_elevation(rule) else 0.0
    apart = (straps[1] - straps[0]) ** 2 + 2.0 * straps[0] * straps[1] * swung
    lasted = ended - begun
    carried = (expected.gyr_scale * travel) ** 2 + (DRIFT * lasted) ** 2
    leant = abs(median(part.support, at_end) - median(part.support, before))
    turned = 1.0 - math.cos(travel)
    turned += 1.0 - math.cos(leant) if math.isfinite(leant) else turned
    level = (1.0 - upright**2) * carried
    gravity = turned * (0.5 * (tilt + start_tilt) + (1.0 - upright**2) * expected.acc_shape**2)
    corrected = level * gravity / max(level + gravity, 1e-12)
    leaning = LEAN * travel / lasted if lasted > 0.0 else 0.0
    heading = ((end - start) * upright) ** 2 + (end * (upright - start_upright)) ** 2
    lost = travel * straps[1] ** 2 / 2.0
    return math.sqrt(upright**2 * carried + corrected + leaning**2 + heading + lost**2 + apart)


def _is_elevation(rule: AngleRule | None) -> bool:
    return rule is not None and rule.kind == "elevation"


def _plane(part: JointSeries, where: BoolArray) -> float:
    """Return the plane of an elevation, rad: the direction of the mean."""
    plane = part.angle[where, 1]
    return math.atan2(float(np.nansum(np.sin(plane))), float(np.nansum(np.cos(plane))))


def _end(part: JointSeries, where: BoolArray) -> tuple[float, float, float, float]:
    """Return when an end was, one sigma of heading there, how upright its axis, the variance of tilt."""
    sigma, strap, share = (median(v, where) for v in (part.sigma[:, 0], part.strap_sigma, part.heading_sigma))
    upright = max(-1.0, min(median(part.upright, where), 1.0))
    heading = share / max(abs(upright), LEAST_UPRIGHT)
    return median(part.t, where), heading, upright, max(sigma**2 - strap**2 - share**2, 0.0)


def median(values: FloatArray, where: BoolArray) -> float:
    """Return the median of the known ones among some values; NaN of none."""
    known = values[where]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else math.nan
