"""How good a recording is, sensor by sensor, counted while its blocks go by."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.compiled import sequential
from imu.gaps import BRIDGE


@dataclass(frozen=True, slots=True)
class SensorQuality:
    """What one sensor delivered.

    Parameters
    ----------
    sensor
        Its id.
    samples
        Samples received.
    loss
        Share of samples missing or unknown, of those that its rate promises between first and last.
    gaps
        Number of gaps longer than can be bridged (50 ms).
    longest_gap
        s.
    saturated
        Samples with an unknown rate beside a known force: the end of the range.
    rate
        Samples per second between the first and the last, by its own clock where nothing is missing, Hz.
    quietest
        Standard deviation of the rate in the quietest second, rad/s: the sensor's noise if it ever lay still.
    """

    sensor: str
    samples: int
    loss: float
    gaps: int
    longest_gap: float
    saturated: int
    rate: float
    quietest: float

    def to_document(self) -> dict[str, Any]:
        """Return the figures for `--json`."""
        return {
            "sensor": self.sensor,
            "samples": self.samples,
            "loss": self.loss,
            "gaps": self.gaps,
            "longest_gap_s": self.longest_gap,
            "saturated": self.saturated,
            "rate_hz": self.rate,
            "quietest_second_deg_s": math.degrees(self.quietest),
        }


class QualityCount:
    """Counts one sensor's blocks.

    Parameters
    ----------
    sensor
        Its id.
    rate
        Nominal samples per second, Hz.
    """

    def __init__(self, sensor: str, rate: float) -> None:
        self._sensor, self._rate = sensor, rate
        self._samples = self._known = self._gaps = self._saturated = 0
        self._first, self._last, self._last_known = math.nan, math.nan, math.nan
        self._longest = 0.0
        self._steps: list[float] = []
        self._quietest = math.nan

    def add(self, block: ImuBlock) -> None:
        """Count a block of this sensor."""
        if not len(block):
            return
        self._first = float(block.t[0]) if math.isnan(self._first) else self._first
        self._last = float(block.t[-1])
        rate_known = np.isfinite(block.gyr).all(axis=1)
        force_known = np.isfinite(block.acc).all(axis=1)
        known = rate_known & force_known
        self._samples += len(block)
        self._known += int(np.count_nonzero(known))
        self._saturated += int(np.count_nonzero(~rate_known & force_known))
        t = block.t[known]
        if not len(t):
            return
        holes = np.diff(t, prepend=t[0] if math.isnan(self._last_known) else self._last_known)
        missing = holes - 1.0 / self._rate
        self._gaps += int(np.count_nonzero(missing > BRIDGE + 1e-9))
        self._longest = max(self._longest, float(missing.max()))
        self._last_known = float(t[-1])
        if len(block) > 2:
            self._steps.append(float(np.median(np.diff(block.t))))
        self._quietest = _quietest_second(t, block.gyr[known], 0.5 * self._rate, self._quietest)

    def result(self) -> SensorQuality:
        """Return the figures so far."""
        promised = (self._last - self._first) * self._rate + 1.0 if self._samples else 0.0
        return SensorQuality(
            self._sensor,
            self._samples,
            max(0.0, 1.0 - self._known / promised) if promised else math.nan,
            self._gaps,
            self._longest,
            self._saturated,
            1.0 / float(np.median(self._steps)) if self._steps else math.nan,
            self._quietest,
        )


@sequential("(n),(n,c),(),()")
def _quietest_second(t: FloatArray, gyr: FloatArray, least: float, quietest: float) -> float:
    """Return the smallest noise within a second of the clock: of its axes the middle standard deviation.

    A second counts with at least so many samples; `quietest` is the smallest so far, NaN for none.
    """
    first = 0
    for i in range(1, len(t) + 1):
        if i < len(t) and math.floor(t[i]) == math.floor(t[first]):
            continue
        if i - first >= least:
            spread = np.empty(3)
            for k in range(3):
                spread[k] = gyr[first:i, k].std()
            noise = np.sort(spread)[1]
            quietest = quietest if quietest <= noise else noise
        first = i
    return quietest
