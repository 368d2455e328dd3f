"""What one sensor's samples tell by themselves: gaps, the end of the range, a soft mount, a bent field.

Samples are judged in halves of a second of the capture clock, each once it is over.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from imu.block import FloatArray, ImuBlock, join
from imu.compiled import sequential
from imu.gaps import COAST
from imu.sync import PATIENCE
from rom.alert import Alert, place
from rom.watch_field import FieldWatch
from rom.watch_mount import LEAST_JOLT, SAG, SAG_HZ, MountWatch

SPAN = 0.5
"""Samples are judged in stretches of so many seconds, on the grid k * SPAN of the capture clock."""

RANGE_END = 0.99
"""A rate beyond this share of the sensor's range is not known; the tracker's limit."""

QUIET_AFTER = 5.0
"""The end of the range is told again after so many seconds without, s."""


REMEMBERED = round(PATIENCE / SPAN)
"""Stretches whose liveliness is kept: as far as one sensor may run ahead of another."""

_NO_FIELD = np.zeros((0, 3))


class SensorWatch:
    """Watch one sensor. `levels` holds the mean square rate of stretches by their number, rad^2/s^2.

    Parameters
    ----------
    sensor, segment
        Its id, and where it is strapped.
    gyr_range
        End of its range, rad/s; infinite if not known.
    """

    def __init__(self, sensor: str, segment: str, gyr_range: float = math.inf) -> None:
        self.sensor, self.segment = sensor, segment
        self._limit = RANGE_END * gyr_range
        self._held: list[ImuBlock] = []
        self._border = -math.inf
        self._known = math.nan
        self._clipped = -math.inf
        self._mount = MountWatch()
        self._field = FieldWatch()
        self.levels: dict[int, float] = {}

    def feed(self, block: ImuBlock) -> list[Alert]:
        """Take the next samples; return what the stretches that are over show."""
        if not len(block):
            return []
        if math.isinf(self._border):
            self._border = SPAN * (math.floor(block.t[0] / SPAN) + 1.0)
        self._held.append(block)
        if block.t[-1] < self._border:
            return []
        whole = join(self._held)
        cells = np.floor(whole.t[[0, -1]] / SPAN)
        rows = np.empty((int(cells[1] - cells[0]), len(_Stretch._fields)))
        field = _NO_FIELD if whole.mag is None else whole.mag
        count = _survey(whole.t, whole.gyr, whole.acc, field, self._limit, self._known, rows)
        rows = rows[:count]
        found: list[Alert] = []
        for k in _telling(rows):
            if k > 0:
                self._known = float(rows[k - 1, 7])
            found += self._judge(whole, _Stretch(*rows[k].tolist()))
        numbers = rows[:, 2].astype(np.int64).tolist()
        self.levels |= zip(numbers, rows[:, 3].tolist(), strict=True)
        while (oldest := next(iter(self.levels))) <= numbers[-1] - REMEMBERED:
            del self.levels[oldest]
        self._border = SPAN * (float(cells[1]) + 1.0)
        self._held = [whole[int(rows[-1, 1]) :]]
        return found

    def _judge(self, block: ImuBlock, seen: "_Stretch") -> list[Alert]:
        """Return what a stretch of a block shows."""
        rows = slice(int(seen.first), int(seen.stop))
        t, rate = block.t[rows], block.gyr[rows]
        found: list[Alert] = []
        if seen.doubtful or seen.hole > COAST:
            known, felt = np.isfinite(rate).all(axis=1), np.isfinite(block.acc[rows]).all(axis=1)
            clipped = np.where(known, np.abs(rate).max(axis=1) >= self._limit, felt)
            found += self._gaps(t[known & felt]) + self._range(t[clipped])
        self._known = seen.known
        if seen.doubtful:
            self._mount.interrupt()
        else:
            found += self._soft(self._mount.judge(t, rate, seen.largest))
        if seen.has_field and block.mag is not None:
            found += self._magnetic(self._field.judge(block.mag[rows.stop - 1]), float(t[-1]))
        return found

    def _alert(
        self,
        kind: Any,
        severity: Any,
        times: tuple[float, float, float],
        words: tuple[str, str, str],
        size: float,
    ) -> Alert:
        t, since, until = times
        return Alert(kind, severity, t, since, until, self.sensor, self.segment, *words, size)

    def _gaps(self, t: FloatArray) -> list[Alert]:
        """Tell of gaps after which the filter takes its inclination anew and the relative heading is lost."""
        holes = np.diff(t, prepend=t[:1] if math.isnan(self._known) else self._known)
        found: list[Alert] = []
        for k in np.flatnonzero(holes > COAST).tolist():
            hole, stop = float(holes[k]), float(t[k])
            words = (
                f"{place(self.segment)} sensor: no data for {hole:.1f} s from {{since}}",
                "The angle in it is not known, and the relative heading is looked for again",
                "Repeat what fell into it; hold the neutral pose for a second",
            )
            found.append(self._alert("gap", "warning", (stop, stop - hole, stop), words, hole))
        return found

    def _range(self, t: FloatArray) -> list[Alert]:
        """Tell of samples at the end of the gyroscope's range, once for each bout."""
        if not len(t):
            return []
        fresh = float(t[0]) - self._clipped > QUIET_AFTER
        self._clipped = float(t[-1])
        if not fresh:
            return []
        since, last = float(t[0]), float(t[-1])
        words = (
            f"{place(self.segment)} sensor turned faster than it can tell at {{since}}",
            "What it turned then is missing from every angle until the heading is found again",
            "Move more slowly, or set a larger range",
        )
        return [self._alert("saturated", "warning", (last, since, last), words, float(len(t)))]

    def _soft(self, ring: tuple[float, float] | None) -> list[Alert]:
        if ring is None:
            return []
        t, frequency = ring
        sag = SAG * (SAG_HZ / frequency) ** 2
        words = (
            f"{place(self.segment)} sensor swings on after each stop, {frequency:.0f} times a second",
            f"Something soft lies under it, and its own weight may nod it by about {math.degrees(sag):.0f}°, "
            "which counts as range",
            "Strap it tightly on firm ground, without foam or clothes, and calibrate again",
        )
        return [self._alert("soft_mount", "note", (t, 0.0, math.inf), words, frequency)]

    def _magnetic(self, bent: float | None, t: float) -> list[Alert]:
        if bent is None:
            return []
        words = (
            f"{place(self.segment)} sensor: the magnetic field changed by {bent:.0%} from place to place",
            "Steel or a magnet is near; only the first heading leans on the field, unless more was asked for",
            "Move away from it before a calibration, or leave magnetometers out",
        )
        return [self._alert("magnetic", "note", (t, t, math.inf), words, bent)]

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "held": [_table(block).tolist() for block in self._held],
            "border": self._border,
            "known": self._known,
            "clipped": self._clipped,
            "levels": [[k, level] for k, level in self.levels.items()],
            "mount": self._mount.save(),
            "field": self._field.save(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._held = [_block(self.sensor, np.array(rows, dtype=np.float64)) for rows in state["held"]]
        self._border, self._known = float(state["border"]), float(state["known"])
        self._clipped = float(state["clipped"])
        self.levels = {int(k): float(level) for k, level in state["levels"]}
        self._mount.restore(state["mount"])
        self._field.restore(state["field"])


class _Stretch(NamedTuple):
    """What there is to see of one stretch of samples.

    Parameters
    ----------
    first, stop, number
        Its samples, and the number of its end on the grid.
    level
        Mean square rate, rad^2/s^2; NaN if none is known.
    largest
        Largest rate about an axis, rad/s.
    hole
        Longest time without a known sample, s.
    doubtful
        Whether a rate is not known or at the limit.
    known
        Time of the last known sample so far, s.
    has_field
        Whether the last sample has a field.
    """

    first: float
    stop: float
    number: float
    level: float
    largest: float
    hole: float
    doubtful: float
    known: float
    has_field: float


def _telling(rows: FloatArray) -> list[int]:
    """Return which stretches (K, 9) may tell something, with their neighbours and both ends, in order.

    A mount rings from one stretch into the next.
    """
    jolt = rows[:, 4] >= LEAST_JOLT
    telling = jolt | (rows[:, 5] > COAST) | (rows[:, 6] > 0.0) | (rows[:, 8] > 0.0)
    telling[1:] |= jolt[:-1]
    telling[:-1] |= jolt[1:]
    telling[[0, -1]] = True
    return np.flatnonzero(telling).tolist()


@sequential("(n),(n,c),(n,c),(m,c),(),()->(k,s)")
def _survey(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    t: FloatArray,
    gyr: FloatArray,
    acc: FloatArray,
    mag: FloatArray,
    limit: float,
    known: float,
    out: FloatArray,
) -> int:
    """Fill a row as of `_Stretch` for each stretch that is over, and return how many are.

    `known` is the time of the last known sample before, s; without a magnetometer `mag` is empty.
    """
    count, first = 0, 0
    for stop in range(1, len(t)):
        cell = math.floor(t[first] / SPAN)
        if math.floor(t[stop] / SPAN) == cell:
            continue
        total, certain, largest, hole, doubtful = 0.0, 0, 0.0, 0.0, False
        for i in range(first, stop):
            x, y, z = gyr[i]
            square = x * x + y * y + z * z
            if not math.isfinite(square):
                doubtful = True
                continue
            total += square
            certain += 1
            size = max(abs(x), abs(y), abs(z))
            largest = max(largest, size)
            doubtful = doubtful or size >= limit
            if math.isfinite(acc[i, 0] + acc[i, 1] + acc[i, 2]):
                if not math.isnan(known):
                    hole = max(hole, t[i] - known)
                known = t[i]
        row = out[count]
        row[0], row[1], row[2] = first, stop, cell + 1
        row[3], row[4], row[5] = total / certain if certain else math.nan, largest, hole
        row[6], row[7], row[8] = doubtful, known, 0.0
        if len(mag):
            row[8] = math.isfinite(mag[stop - 1, 0] + mag[stop - 1, 1] + mag[stop - 1, 2])
        count, first = count + 1, stop
    return count


def _table(block: ImuBlock) -> FloatArray:
    field = np.full((len(block), 3), np.nan) if block.mag is None else block.mag
    return np.concatenate([block.t[:, None], block.gyr, block.acc, field], axis=1)


def _block(sensor: str, rows: FloatArray) -> ImuBlock:
    return ImuBlock(sensor, rows[:, 0], rows[:, 1:4], rows[:, 4:7], rows[:, 7:10])
