"""The line under late arrivals: arrival minus device time, seen from below.

A radio only ever delivers late, never early, so the least lateness of many packets is nearly constant
while the mean wanders with every stall. The idea and its measured advantage over mean fits are in the
project's sensor reference C.3 (7 sensors within 4 ms where a recursive mean is up to 122 ms off).
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from imu.block import FloatArray

BIN_S = 1.0
SKEW_WINDOW_S = 600.0
OFFSET_WINDOW_S = 15.0
QUANTILE = 0.25
ENOUGH_BINS = 8
WORTH_S = 1e-4
"""A packet must be this much earlier than the line to be worth a fit before its bin is full."""


@dataclass(slots=True)
class _Bin:
    index: int
    t: float
    least: float


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
    _bins: deque[_Bin] = field(init=False, default_factory=deque[_Bin])
    _gaps: deque[float] = field(init=False, default_factory=deque[float])
    _inside: list[float] = field(init=False, default_factory=list[float])

    def __post_init__(self) -> None:
        """Start from what is known beforehand."""
        self.slope = self.skew
        self.slope_sigma = self.skew_sigma

    @property
    def bins(self) -> int:
        """How many bins hold a minimum."""
        return len(self._bins)

    def lateness(self, t: float) -> float:
        """Return the least lateness expected at device time `t`; NaN before the first packet."""
        return self.height + self.slope * (t - self.at)

    def feed(self, t: float, late: float) -> None:
        """Take one packet: device time of its newest sample and arrival minus that, both s.

        Where several sensors share one envelope, a packet may be of an older bin than the newest. Another
        one with newer samples came before it, so it is later than that one and says nothing of the least.
        """
        index = math.floor(t / BIN_S)
        if self._bins and index < self._bins[-1].index:
            return
        if not self._bins or self._bins[-1].index != index:
            self._close()
            self._bins.append(_Bin(index, t, late))
            while self._bins[0].t < t - SKEW_WINDOW_S:
                self._bins.popleft()
            self._fit()
        elif late < self._bins[-1].least:
            self._bins[-1].t, self._bins[-1].least = t, late
            if late < self.lateness(t) - WORTH_S:
                self._fit()
        self._inside.append(late)

    def _close(self) -> None:
        """Note how coarse the lateness of the finished bin is: the widest empty stretch above its least."""
        if self._inside:
            least = min(self._inside)
            low = sorted(late - least for late in self._inside if late - least < self.period)
            low.append(self.period)
            self._gaps.append(max(b - a for a, b in pairwise(low)))
            while len(self._gaps) > OFFSET_WINDOW_S / BIN_S:
                self._gaps.popleft()
            self._inside = []

    def _fit(self) -> None:
        t = np.array([b.t for b in self._bins])
        least = np.array([b.least for b in self._bins])
        self.at = float(t[-1])
        self._fit_slope(t, least)
        recent = t >= self.at - OFFSET_WINDOW_S
        rest = least[recent] - self.slope * (t[recent] - self.at)
        enough = len(rest) >= ENOUGH_BINS
        self.height = float(np.quantile(rest, QUANTILE)) if enough else float(rest.min())
        self._fit_sigma(rest)

    def _fit_slope(self, t: FloatArray, least: FloatArray) -> None:
        if len(t) < ENOUGH_BINS:
            return
        span = float(t[-1] - t[0])
        half = len(t) // 2
        slope = float(np.median((least[-half:] - least[:half]) / (t[-half:] - t[:half])))
        scatter = least - slope * t
        spread = 1.4826 * float(np.median(np.abs(scatter - np.median(scatter))))
        noise = math.hypot(self._coarseness() / 2.0, spread) / span
        weight = self.skew_sigma**2 / (self.skew_sigma**2 + noise**2)
        self.slope = min(max(self.skew + weight * (slope - self.skew), -self.limit), self.limit)
        self.slope_sigma = self.skew_sigma * noise / math.hypot(self.skew_sigma, noise)

    def _fit_sigma(self, rest: FloatArray) -> None:
        """One sigma of the height: how coarse lateness is seen, how far it scatters, how sure the slope is.

        A gap of width g that holds no packet hides the true least anywhere in it: g / sqrt(12). Before 8
        bins the scatter is not known and one period stands for it.
        """
        gap = self._coarseness()
        scatter = 1.4826 * float(np.median(np.abs(rest - np.median(rest)))) / math.sqrt(len(rest))
        if len(rest) < ENOUGH_BINS:
            scatter = self.period
        drift = self.slope_sigma * OFFSET_WINDOW_S / 2.0
        self.sigma = math.sqrt(gap**2 / 12.0 + scatter**2 + drift**2)

    def _coarseness(self) -> float:
        return float(np.median(self._gaps)) if self._gaps else self.period

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
            "bins": [[b.index, b.t, b.least] for b in self._bins],
            "gaps": list(self._gaps),
            "inside": list(self._inside),
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Envelope":
        """Return the envelope that was saved."""
        envelope = cls(saved["period"], saved["skew"], saved["skew_sigma"], saved["limit"])
        for name in ("slope", "slope_sigma", "sigma", "height", "at"):
            setattr(envelope, name, float(saved[name]))
        envelope._bins = deque(_Bin(int(i), float(t), float(d)) for i, t, d in saved["bins"])
        envelope._gaps = deque(saved["gaps"])
        envelope._inside = list(saved["inside"])
        return envelope
