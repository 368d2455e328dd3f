"""The constants by which the relative heading is estimated, each with its reason."""

import math
from dataclasses import dataclass, field

from calibration.relative_state import RelativeParams
from calibration.returns import ReturnParams

LARGEST_MISFIT = math.radians(8.0)
"""Axes found in the past that two sensors see farther apart than this are not believed, rad."""

CONTRADICTED = 1e-5
"""Likelihood left to a followed heading at which it is given up: far beyond what weak evidence adds up to."""


@dataclass(frozen=True, slots=True)
class HeadingParams:
    """Constants of the estimator, each with its reason.

    Parameters
    ----------
    step_hz
        Stretches per second. Limb movement is below 3 Hz; heading changes by < 0.1 deg/s.
    hinge_sigma
        One sigma of a joint's motion outside its axes before it is learnt, and the least it can be, rad: 2 to
        4 deg on people (screw-home, soft tissue).
    hinge_floor
        The least that can be learnt, rad.
    hinge_memory
        Seconds over which it is learnt.
    evidence_time
        Seconds over which such an error lasts: one half of a slow pass.
    axis_time
        Seconds over which the error of the axes themselves lasts: skin turns with the posture, a minute or
        so.
    horizontal_floor
        Least product of the horizontal parts of the axes at which they speak of heading: below, an error of
        3 deg in an axis is more than 15 deg of heading.
    first_search
        A hinge's axes are searched in all that was seen after so many seconds, and again each time that has
        grown by a quarter, while they are not known or open about the vertical.
    longest_search, search_sigma
        Of no more than so many seconds; found axes are taken if their heading is this sure, rad.
    open_azimuth
        A calibration that leaves the proximal axis more open than this, rad, counts as not knowing the
        heading until the axes have been found: half of what contradicts a heading (30 deg), so that two sigma
        of the axis don't look like a wrong one.
    pair_sigma, azimuth_sigma
        One sigma of the axes in their segments after a calibration, rad: what the fit of a movement leaves,
        and of the proximal one about the segment's length, which a still segment hides (algorithms.md 4).
    lean_sigma
        The most that the axes may be off in any other direction, rad: a functional axis lies 3 to 7 deg from
        one through landmarks. What the skin of an upper arm or thigh adds, it adds about the segment's
        length; given to the lean too, a few movements would tilt both segments against the pose.
    neutral_tilt
        A pose counts as the neutral one if gravity agrees with it within this angle in both segments, rad.
    held_rate, held_time
        A pose is held below this rate, rad/s, for so long, s. Each time it is taken it counts once.
    acquired
        Spread of likelihood below which a first heading is shown, rad.
    doubt_time
        So often it is asked whether the circle contradicts what is followed, s: a wrong heading shows after a
        minute rather than a second.
    recent
        Seconds after which evidence no longer counts as speaking.
    likely_sigma
        One sigma of the heading that the neutral pose would mean while nothing is known yet, rad: joints turn
        by some 45 deg either way about a vertical.
    brisk
        Horizontal force, m/s^2, above which the common acceleration speaks of heading.
    relative
        Constants of the follower.
    returns
        Constants of postures that come back.
    """

    step_hz: float = 5.0
    hinge_sigma: float = math.radians(3.0)
    hinge_floor: float = math.radians(0.5)
    hinge_memory: float = 20.0
    evidence_time: float = 3.0
    axis_time: float = 30.0
    horizontal_floor: float = 0.15
    first_search: float = 15.0
    longest_search: float = 240.0
    search_sigma: float = math.radians(12.0)
    open_azimuth: float = math.radians(15.0)
    pair_sigma: float = math.radians(2.0)
    azimuth_sigma: float = math.radians(20.0)
    lean_sigma: float = math.radians(5.0)
    neutral_tilt: float = math.radians(12.0)
    held_rate: float = math.radians(20.0)
    held_time: float = 0.6
    acquired: float = math.radians(30.0)
    doubt_time: float = 2.0
    recent: float = 6.0
    likely_sigma: float = math.radians(50.0)
    brisk: float = 0.5
    relative: RelativeParams = field(default_factory=RelativeParams)
    returns: ReturnParams = field(default_factory=ReturnParams)
