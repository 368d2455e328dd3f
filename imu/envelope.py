"""The line under late arrivals: arrival minus device time, seen from below.

A radio only ever delivers late, never early, so the least lateness of many packets is nearly constant
while the mean wanders with every stall. The idea and its measured advantage over mean fits are in the
project's sensor reference C.3 (7 sensors within 4 ms where a recursive mean is up to 122 ms off).
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled

BIN_S = 1.0
SKEW_WINDOW_S = 600.0
OFFSET_WINDOW_S = 15.0
QUANTILE = 0.25
ENOUGH_BINS = 8
MAD = 1.4826
"""One sigma of normal noise in median absolute deviations."""
WORTH_S = 1e-4
"""A packet must be this much earlier than the line to be worth a fit before its bin is full."""


@dataclass(slots=True)
class Envelope:
    """Lower envelope of lateness over device time; fitted once a bin, O(1) per packet in between.

    The line's slope is the median slope between the two halves of the last 600 s, shrunk towards what is
    known beforehand; its height is the 25 % quantile of the straightened bin minima of the last 15 s (the
    least of them until there are 8), so that one bin full of late packets cannot lift it.

    Parameters
    ----------
    period
        Nominal time between samples, s. Minima cannot be known better than a share of it, because they
        depend on where sampling falls between two connection events.
    skew
        What is known beforehand of (true - nominal) / nominal length of a device second.
    skew_sigma
        One sigma of that.
    limit
        |skew| is clipped at this.
    """

    period: float
    skew: float
    skew_sigma: float
    limit: float
    slope: float = field(init=False)
    slope_sigma: float = field(init=False)
    sigma: float = field(init=False, default=math.inf)
    height: float = field(init=False, default=math.nan)
    at: float = field(init=False, default=math.nan)
    _bin: int | None = field(init=False, default=None)
    _t: list[float] = field(init=False, default_factory=list[float])
    _least: list[float] = field(init=False, default_factory=list[float])
    _gaps: list[float] = field(init=False, default_factory=list[float])
    _inside: list[float] = field(init=False, default_factory=list[float])

    def __post_init__(self) -> None:
        """Start from what is known beforehand."""
        self.slope = self.skew
        self.slope_sigma = self.skew_sigma

    @property
    def bins(self) -> int:
        """How many bins hold a minimum."""
        return len(self._t)

    def lateness(self, t: float) -> float:
        """Return the least lateness expected at device time `t`; NaN before the first packet."""
        return self.height + self.slope * (t - self.at)

    def feed(self, t: float, late: float) -> None:
        """Take one packet: device time of its newest sample and arrival minus that, both s.

        Where several sensors share one envelope, a packet may be of an older bin than the newest. Another
        one with newer samples came before it, so it is later than that one and says nothing of the least.
        """
        index = math.floor(t / BIN_S)
        if index == self._bin:
            if late < self._least[-1]:
                self._t[-1], self._least[-1] = t, late
                if late < self.height + self.slope * (t - self.at) - WORTH_S:
                    self._fit()
        elif self._bin is None or index > self._bin:
            self._begin_bin(index, t, late)
        else:
            return
        self._inside.append(late)

    def _begin_bin(self, index: int, t: float, late: float) -> None:
        """Note how coarse the lateness of the finished bin is, and fit with the first packet of the next.

        The coarseness is the widest empty stretch above the bin's least.
        """
        if self._inside:
            least = min(self._inside)
            low = sorted(late - least for late in self._inside if late - least < self.period)
            low.append(self.period)
            self._gaps.append(max(b - a for a, b in pairwise(low)))
            del self._gaps[: -round(OFFSET_WINDOW_S / BIN_S)]
            self._inside = []
        self._bin = index
        self._t.append(t)
        self._least.append(late)
        old = 0
        while self._t[old] < t - SKEW_WINDOW_S:
            old += 1
        del self._t[:old], self._least[:old]
        self._fit()

    def _fit(self) -> None:
        self.at = self._t[-1]
        self.slope, self.slope_sigma, self.height, self.sigma = _line(
            np.array(self._t),
            np.array(self._least),
            np.array(self._gaps),
            self.period,
            (self.slope, self.slope_sigma, self.skew, self.skew_sigma, self.limit),
        )

    def save(self) -> dict[str, Any]:
        """Return everything the next packet's result depends on, as JSON values."""
        return {
            "period": self.period,
            "skew": self.skew,
            "skew_sigma": self.skew_sigma,
            "limit": self.limit,
            "slope": self.slope,
            "slope_sigma": self.slope_sigma,
            "sigma": self.sigma,
            "height": self.height,
            "at": self.at,
            "bin": self._bin,
            "t": list(self._t),
            "least": list(self._least),
            "gaps": list(self._gaps),
            "inside": list(self._inside),
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Envelope":
        """Return the envelope that was saved."""
        envelope = cls(saved["period"], saved["skew"], saved["skew_sigma"], saved["limit"])
        for name in ("slope", "slope_sigma", "sigma", "height", "at"):
            setattr(envelope, name, float(saved[name]))
        envelope._bin = saved["bin"]
        for name in ("t", "least", "gaps", "inside"):
            setattr(envelope, f"_{name}", [float(value) for value in saved[name]])
        return envelope


@compiled
def _line(
    t: FloatArray,
    least: FloatArray,
    gaps: FloatArray,
    period: float,
    rate: tuple[float, float, float, float, float],
) -> tuple[float, float, float, float]:
    """Return slope, its sigma, height at the last bin and its sigma of the line under the bin minima.

    A gap of width g that holds no packet hides the true least anywhere in it: g / sqrt(12). Before 8 bins the
    slope stays as it was, the scatter is not known, and one period stands for it.

    Parameters
    ----------
    t, least : (N,)
        Device time and lateness of each bin's minimum, s, N >= 1.
    gaps : (M,)
        How coarse lateness was seen in the last bins, s.
    rate
        Slope and its sigma as they were, and as they were known beforehand, and the limit.
    """
    slope, slope_sigma, skew, skew_sigma, limit = rate
    coarse = _median(gaps) if len(gaps) else period
    if len(t) >= ENOUGH_BINS:
        span = t[-1] - t[0]
        half = len(t) // 2
        found = _median((least[-half:] - least[:half]) / (t[-half:] - t[:half]))
        scatter = least - found * t
        spread = MAD * _median(np.abs(scatter - _median(scatter)))
        noise = math.hypot(coarse / 2.0, spread) / span
        weight = skew_sigma**2 / (skew_sigma**2 + noise**2)
        slope = min(max(skew + weight * (found - skew), -limit), limit)
        slope_sigma = skew_sigma * noise / math.hypot(skew_sigma, noise)
    first = len(t) - 1
    while first > 0 and t[first - 1] >= t[-1] - OFFSET_WINDOW_S:
        first -= 1
    rest = np.sort(least[first:] - slope * (t[first:] - t[-1]))
    height = rest[0]
    spread = period
    if len(rest) >= ENOUGH_BINS:
        rank = QUANTILE * (len(rest) - 1)
        below = int(rank)
        height = rest[below] + (rank - below) * (rest[below + 1] - rest[below])
        spread = MAD * _median(np.abs(rest - _median(rest))) / math.sqrt(len(rest))
    drift = slope_sigma * OFFSET_WINDOW_S / 2.0
    return slope, slope_sigma, height, math.sqrt(coarse**2 / 12.0 + spread**2 + drift**2)


@compiled
def _median(values: FloatArray) -> float:
    """Return the median of one number or more."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
