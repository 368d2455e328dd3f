"""Whether 95 % intervals hold the truth: of the angle, of the angle since the pose, of ranges.

Three intervals are stated, and each is held against the truth that it speaks of:

angle
    Against the bones' angle. It has everything in it: sensors, straps, how bent the joint was in the pose
    that is called zero, soft tissue. One treatment is all or nothing, as its pose shifts every instant alike.
since the pose
    Against how far the joint, as the sensors are mounted, has turned since the pose. Sensors and straps
    only: what the filters answer for. A still segment with a level axis errs by nearly the same all the time,
    by what the accelerometers' offsets say otherwise there than in the pose; so this too is one draw for each
    treatment.
ranges
    Against the range as the sensors are mounted: sensors and straps. Against bones (people, end to end) soft
    tissue is added.

As the instants of a treatment err together, the share of a few treatments tells next to nothing: of sixteen
sound ones, more often than not one lies outside whole. Only means over many treatments, with their standard
error, can be held against 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu.block import BoolArray, FloatArray
from rom.angles import JointSeries
from rom.sensor_error import HINGE, Lasting, range_sigma
from rom.soft_tissue import SoftTissue

NORMAL_95 = 1.96
"""Half the 95 % interval in standard deviations."""


@dataclass(frozen=True, slots=True)
class Held:
    """Shares of one treatment that lie in their 95 % interval; NaN where nothing is stated.

    Parameters
    ----------
    angle
        Of the instants: the angle against that of the bones. Its interval is what the product says of an
        angle: sensors, straps with the pose that is called zero, soft tissue.
    since_pose
        Of the instants: how far the joint has turned since the pose, as the sensors saw it. Its interval
        leaves out how bent the joint was in the pose, and soft tissue.
    ranges
        Of the passes: the range, as the sensors saw it, in the interval that the product states of a range,
        soft tissue left out.
    """

    angle: float = math.nan
    since_pose: float = math.nan
    ranges: float = math.nan


def coverage(error: FloatArray, sigma: FloatArray) -> float | None:
    """Return the share of errors within the 95 % interval of their sigma; None if sigma is never known."""
    stated = np.isfinite(error) & np.isfinite(sigma)
    return float(np.mean(np.abs(error[stated]) <= NORMAL_95 * sigma[stated])) if stated.any() else None


def minutes_inside(t: FloatArray, error: FloatArray, sigma: FloatArray) -> float:
    """Return the share of minutes whose mean error lies within the 95 % interval of the mean sigma."""
    minutes = np.floor(t / 60.0)
    return float(
        np.mean(
            [
                abs(error[minutes == minute].mean()) <= NORMAL_95 * sigma[minutes == minute].mean()
                for minute in np.unique(minutes)
            ]
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """One range: which instants (N,) are its ends, what was found and what is true, rad."""

    before: BoolArray
    at_end: BoolArray
    found: float
    true: float


def bone_sigma(series: JointSeries, tissue: SoftTissue | None) -> FloatArray:
    """Return one sigma of the primary angle against the bones, (N,); against the sensors without tissue."""
    if tissue is None:
        return series.sigma[:, 0]
    return np.hypot(series.sigma[:, 0], np.hypot(tissue.angle, tissue.share * series.angle[:, 0]))


def held_ranges(
    series: JointSeries,
    reaches: Sequence[Reach],
    tissue: SoftTissue | None = None,
    lasting: Lasting = HINGE,
    reference: float = 0.0,
) -> float:
    """Return the share of ranges whose interval holds the truth; NaN of none.

    Parameters
    ----------
    series
        What the ends are instants of.
    reaches
        The ranges.
    tissue
        What is allowed for soft tissue; None where the truth is what the sensors saw.
    lasting
        What errs alike at both ends of a range.
    reference
        One sigma of what is taken for the truth, rad.
    """
    held = [
        abs(each.found - each.true)
        <= NORMAL_95
        * math.hypot(
            range_sigma(series, each.before, each.at_end, lasting),
            0.0 if tissue is None else tissue.of_range(each.found),
            reference,
        )
        for each in reaches
        if math.isfinite(each.found)
    ]
    return float(np.mean(held)) if held else math.nan


def mean_and_error(shares: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the known shares and its standard error; NaN where there are too few."""
    known = np.array([share for share in shares if math.isfinite(share)])
    if not known.size:
        return math.nan, math.nan
    error = float(known.std(ddof=1)) / math.sqrt(known.size) if known.size > 1 else math.nan
    return float(known.mean()), error
