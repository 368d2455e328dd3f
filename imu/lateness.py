"""How late samples came: what a clock reports beside their times."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from imu.block import FloatArray

AT_ONCE = 1000
"""Packets wait for so many others to be counted with."""


class Lateness:
    """How late samples came, counted by the millisecond.

    Parameters
    ----------
    counted
        What `save` returned, to go on from there.
    """

    def __init__(self, counted: Sequence[tuple[int, int]] = ()) -> None:
        self._counted = Counter(dict(counted))
        self._fresh: list[tuple[float, FloatArray]] = []

    def add(self, arrival: float, times: FloatArray) -> None:
        """Take samples of some times (N,) that arrived together, s; many packets are counted at once."""
        self._fresh.append((arrival, times))
        if len(self._fresh) >= AT_ONCE:
            self._count()

    def quantile(self, share: float) -> float:
        """Return how late, s, a share of the samples came at most; NaN without any."""
        self._count()
        wanted = share * self._counted.total()
        seen = 0
        for value in sorted(self._counted):
            seen += self._counted[value]
            if seen >= wanted:
                return value / 1e3
        return math.nan

    def save(self) -> list[tuple[int, int]]:
        """Return (milliseconds, samples)."""
        self._count()
        return sorted(self._counted.items())

    def _count(self) -> None:
        if self._fresh:
            late = np.concatenate([arrival - times for arrival, times in self._fresh])
            self._counted.update(np.maximum(np.rint(late * 1e3), 0.0).astype(int).tolist())
            self._fresh.clear()
