"""What sensors contribute to an angle where the filters do not say it themselves, and to a range.

Constants come from data sheets and from the error budget of the algorithm reference.
"""

import math

import numpy as np

from calibration.relative_state import RelativeParams
from imu.block import BoolArray, FloatArray
from rom.angles import JointSeries

TILT_SIGMA = math.radians(0.8)
"""One-sigma inclination error of one sensor, rad: an accelerometer offset of 10 mg (half the 20 mg of the
BMI270 data sheet) is 0.57 deg, limb acceleration and gyroscope scale about as much again (error budget in
the algorithm reference, "removable" columns; VQF on BROAD: 0.72 deg root mean square)."""

DRIFT = math.radians(0.02)
"""Relative heading lost per second without any evidence, rad/s: a residual gyroscope bias of 0.02 deg/s."""

IN_INTERVAL = 1.0 / math.sqrt(12.0)
"""One sigma of the instant to which a sample belongs, in sample intervals: no sensor tells where between two
ticks its low-pass puts a value, so any place is as likely (uniform distribution)."""

GYR_SCALE = RelativeParams().scale_sigma
"""One sigma of a gyroscope's sensitivity, share."""

LIMB_ACCELERATION = math.radians(0.2)
"""What the limb's own acceleration leaves of the inclination in a range, rad: 0.1 to 0.3 deg (error budget of
the algorithm reference)."""


def range_sigma(part: JointSeries, before: BoolArray, at_end: BoolArray, travel: float) -> float:
    """Return one sigma of a range, straps included, soft tissue not, rad; NaN where an end is not known.

    Between its ends gyroscopes carry the angle: off by their sensitivity, and by what is left of their
    offset. As far as the axis is level, gravity corrects that, off by what accelerometers tell wrong, and
    that turns with its sensor: one that turned by an angle a errs anew with a variance of 2 (1 - cos a) times
    its own. Of both opinions the filter keeps the surer. About a vertical axis there is only the first.
    An alignment that is off by e shortens a travel by 1 - cos e.

    Parameters
    ----------
    part
        The angles around the rep.
    before, at_end : (N,)
        Which instants are its start and its end.
    travel
        Its range, rad.
    """
    start, end = (
        [median(v, where) for v in (part.t, part.sigma[:, 0], part.strap_sigma, part.heading_sigma)]
        for where in (before, at_end)
    )
    strap, upright = end[2], min(median(part.upright, at_end), 1.0)
    carried = (GYR_SCALE * travel) ** 2 + (DRIFT * (end[0] - start[0])) ** 2
    tilt = max(
        0.5 * sum(max(total**2 - straps**2 - heading**2, 0.0) for _, total, straps, heading in (start, end)),
        1e-12,
    )
    leant = abs(median(part.support, at_end) - median(part.support, before))
    turned = 1.0 - math.cos(travel)
    turned += 1.0 - math.cos(leant) if math.isfinite(leant) else turned
    level, gravity = (1.0 - upright**2) * carried, turned * tilt
    corrected = level * gravity / max(level + gravity, 1e-12)
    lost = travel * strap**2 / 2.0
    return math.sqrt(upright**2 * carried + corrected + LIMB_ACCELERATION**2 + lost**2)


def median(values: FloatArray, where: BoolArray) -> float:
    """Return the median of the known ones among some values; NaN of none."""
    known = values[where]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else math.nan
