"""Whether 95 % intervals hold the truth: of the angle, of the angle since the pose, of ranges.

An error is held against the sigma of the same quantity, no other. Errors of one treatment go together: a pose
that was bent shifts every instant alike, so one treatment is all or nothing and only many of them tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu.block import BoolArray, FloatArray
from rom.angles import JointSeries
from rom.sensor_error import range_sigma

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


def held_ranges(series: JointSeries, reaches: Sequence[Reach], tissue: float = 0.0) -> float:
    """Return the share of ranges whose interval holds the truth; NaN of none.

    Parameters
    ----------
    series
        What the ends are instants of.
    reaches
        The ranges.
    tissue
        Soft tissue's part of sigma, rad; 0 where the truth is what the sensors saw.
    """
    held = [
        abs(each.found - each.true)
        <= NORMAL_95 * math.hypot(range_sigma(series, each.before, each.at_end, each.found), tissue)
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
