"""How good a recording is, sensor by sensor, counted while its blocks go by."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.compiled import compiled, sequential
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
        self._samples = 0
        self._first, self._last = math.nan, math.nan
        self._tally = np.array([0.0, 0.0, 0.0, 0.0, math.nan, math.nan])
        self._steps: list[float] = []

    def add(self, block: ImuBlock) -> None:
        """Count a block of this sensor."""
        if not len(block):
            return
        self._first = float(block.t[0]) if math.isnan(self._first) else self._first
        self._last = float(block.t[-1])
        self._samples += len(block)
        if len(block) > 2:
            self._steps.append(float(np.median(np.diff(block.t))))
        _count(block.t, block.gyr, block.acc, self._rate, BRIDGE + 1e-9, self._tally)

    def result(self) -> SensorQuality:
        """Return the figures so far."""
        known, saturated, gaps, longest, _, quietest = self._tally.tolist()
        promised = (self._last - self._first) * self._rate + 1.0 if self._samples else 0.0
        return SensorQuality(
            self._sensor,
            self._samples,
            max(0.0, 1.0 - known / promised) if promised else math.nan,
            int(gaps),
            longest,
            int(saturated),
            1.0 / float(np.median(self._steps)) if self._steps else math.nan,
            quietest,
        )


@compiled
def _known(row: FloatArray) -> bool:
    return math.isfinite(row[0] + row[1] + row[2])


@compiled
def _noise(gyr: FloatArray, acc: FloatArray, least: float) -> float:
    """Return of the axes' standard deviations the middle one, rad/s; NaN with fewer known samples."""
    count, mean, square = 0.0, np.zeros(3), np.zeros(3)
    for i in range(len(gyr)):
        if _known(gyr[i]) and _known(acc[i]):
            count += 1.0
            share = 1.0 / count
            for axis in range(3):
                apart = gyr[i, axis] - mean[axis]
                mean[axis] += apart * share
                square[axis] += apart * (gyr[i, axis] - mean[axis])
    if count < least or count == 0.0:
        return math.nan
    x, y, z = square
    return math.sqrt(max(min(x, y), min(max(x, y), z)) / count)


@sequential("(n),(n,c),(n,c),(),()->(s)")
def _count(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    t: FloatArray, gyr: FloatArray, acc: FloatArray, rate: float, gap: float, tally: FloatArray
) -> None:
    """Add samples to a tally; more than `gap` seconds missing are a gap.

    It holds the known ones, the saturated ones, gaps, the longest of them, s, the time of the last known one,
    s, and the smallest noise within a second of the clock, rad/s. A second counts with at least half its
    samples; its noise is of the axes' standard deviations the middle one.
    """
    known, saturated, gaps, longest, last, quietest = tally
    begun = 0
    for i in range(len(t)):
        if _known(gyr[i]) and _known(acc[i]):
            missing = (0.0 if math.isnan(last) else t[i] - last) - 1.0 / rate
            gaps += missing > gap
            longest, last, known = max(longest, missing), t[i], known + 1.0
        elif _known(acc[i]):
            saturated += 1.0
        if i + 1 == len(t) or math.floor(t[i + 1]) != math.floor(t[i]):
            noise = _noise(gyr[begun : i + 1], acc[begun : i + 1], 0.5 * rate)
            quietest = noise if noise < quietest or math.isnan(quietest) else quietest
            begun = i + 1
    tally[0], tally[1], tally[2] = known, saturated, gaps
    tally[3], tally[4], tally[5] = longest, last, quietest
