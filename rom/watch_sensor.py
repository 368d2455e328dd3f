"""What one sensor's samples tell by themselves: gaps, the end of the range, a soft mount, a bent field.

Samples are judged in halves of a second of the capture clock, each once it is over.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from imu.block import FloatArray, ImuBlock, join
from imu.compiled import sequential
from imu.gaps import COAST
from imu.sync import PATIENCE
from rom.alert import Alert, place
from rom.watch_field import FieldWatch

SPAN = 0.5
"""Samples are judged in stretches of so many seconds, on the grid k * SPAN of the capture clock."""

RANGE_END = 0.99
"""A rate beyond this share of the sensor's range is not known; the tracker's limit."""

QUIET_AFTER = 5.0
"""The end of the range is told again after so many seconds without, s."""


REMEMBERED = round(PATIENCE / SPAN)
"""Stretches whose liveliness is kept: as far as one sensor may run ahead of another."""


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
        self._mount = _Mount()
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
        rows = _table(join(self._held))
        spans = np.floor(rows[:, 0] / SPAN)
        bounds = [0, *(np.flatnonzero(np.diff(spans) > 0.0) + 1).tolist()]
        found: list[Alert] = []
        seen = np.empty((len(bounds) - 1, 6))
        _survey(rows, np.array(bounds, dtype=np.float64), self._limit, self._known, seen)
        for (first, last), what in zip(pairwise(bounds), seen.tolist(), strict=True):
            self._border = SPAN * (float(spans[first]) + 1.0)
            found += self._judge(rows[first:last], what)
        self._border = SPAN * (float(spans[-1]) + 1.0)
        self._held = [block[int(block.t.searchsorted(rows[bounds[-1], 0])) :]]
        return found

    def _judge(self, rows: FloatArray, seen: list[float]) -> list[Alert]:
        """Return what a stretch of rows (n, 10) shows (time, rate, force, field) of which `_survey` wrote."""
        level, largest, hole, doubtful, until, has_field = seen
        found: list[Alert] = []
        rate = rows[:, 1:4]
        if doubtful or hole > COAST:
            known, felt = np.isfinite(rate).all(axis=1), np.isfinite(rows[:, 4:7]).all(axis=1)
            clipped = np.where(known, np.abs(rate).max(axis=1) >= self._limit, felt)
            found += self._gaps(rows[known & felt, 0]) + self._range(rows[clipped, 0])
        self._known = until
        index = round(self._border / SPAN)
        self.levels.pop(index - REMEMBERED, None)
        self.levels[index] = level
        if doubtful:
            self._mount.interrupt()
        else:
            found += self._soft(self._mount.judge(rows[:, :4], largest))
        if has_field:
            found += self._magnetic(self._field.judge(rows[-1, 7:10]), float(rows[-1, 0]))
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


@sequential("(n,m),(b),(),()->(k,6)")
def _survey(rows: FloatArray, bounds: FloatArray, limit: float, known: float, out: FloatArray) -> None:
    """Write what there is to see of each stretch of rows, from bound to bound.

    Mean square rate, rad^2/s^2; largest rate about an axis, rad/s; longest time without a known sample, s;
    whether any rate is not known or at the limit; time of the last known sample, s, `known` if none is;
    whether the last row has a field.
    """
    for k in range(len(out)):
        total, count, largest, hole, doubtful = 0.0, 0, 0.0, 0.0, 0.0
        for i in range(int(bounds[k]), int(bounds[k + 1])):
            x, y, z = rows[i, 1], rows[i, 2], rows[i, 3]
            square = x * x + y * y + z * z
            if not np.isfinite(square):
                doubtful = 1.0
                continue
            total += square
            count += 1
            size = max(abs(x), abs(y), abs(z))
            largest = max(largest, size)
            if size >= limit:
                doubtful = 1.0
            if np.isfinite(rows[i, 4] + rows[i, 5] + rows[i, 6]):
                if not np.isnan(known):
                    hole = max(hole, rows[i, 0] - known)
                known = rows[i, 0]
        out[k, 0] = total / count if count else np.nan
        out[k, 1], out[k, 2], out[k, 3], out[k, 4] = largest, hole, doubtful, known
        field = rows[int(bounds[k + 1]) - 1, 7:10]
        out[k, 5] = 1.0 if np.isfinite(field).all() else 0.0


def _table(block: ImuBlock) -> FloatArray:
    field = np.full((len(block), 3), np.nan) if block.mag is None else block.mag
    return np.concatenate([block.t[:, None], block.gyr, block.acc, field], axis=1)


def _block(sensor: str, rows: FloatArray) -> ImuBlock:
    return ImuBlock(sensor, rows[:, 0], rows[:, 1:4], rows[:, 4:7], rows[:, 7:10])


JOLT = math.radians(60.0)
"""Rate before a stop that can set a mount ringing, rad/s: well above slow passes, within any quick kick."""

RINGING = (0.12, 0.7)
"""Rate after a stop as a share of the rate before it. A sensor held fast keeps 3 % (tremor, simulated
clinic); a spring keeps most of it. Above, the movement itself goes on."""

RING_HZ = (4.0, 20.0)
"""Voluntary movement ends at about 5 Hz; a mount that rings above 20 Hz sags less than 2 deg."""

RINGS = 3
"""Stops after which it must ring, at one frequency within `UNEVEN`: a spring knows no other, muscle does."""

UNEVEN = 0.15
"""Spread of the half periods of one ringing, and of the frequencies of several, as a share."""

SAG, SAG_HZ = math.radians(6.0), 10.0
"""A sensor of 11 g, 36 x 30 x 11 mm, its middle 8 mm above a spring, that rings at 10 Hz on it sags by 6 deg
under its own weight: m g h / (I omega^2). Sag goes with the inverse square of the frequency."""


class _Mount:
    """Whether a sensor rings after brisk stops, as on foam: a spring, which also yields to its weight."""

    def __init__(self) -> None:
        self._before = np.zeros((0, 4))
        self._brisk = False
        self._rings: list[float] = []
        self._told = False

    def judge(self, rows: FloatArray, largest: float) -> tuple[float, float] | None:
        """Take the next stretch of rows (n, 4): time and rate; and its largest rate about an axis, rad/s.

        Return when it was sure and the frequency, Hz, once.
        """
        before, brisk = self._before, self._brisk
        self._before, self._brisk = rows, largest >= JOLT / 2.0
        if self._told or not (brisk or self._brisk):
            return None
        ring = self._ring(np.concatenate([before, rows]))
        if ring is None:
            return None
        self._rings = [*self._rings, ring]
        self.interrupt()
        middle = float(np.median(self._rings))
        alike = sum(abs(each - middle) < UNEVEN * middle for each in self._rings)
        if alike < max(RINGS, 0.75 * len(self._rings)):
            return None
        self._told = True
        return float(rows[-1, 0]), middle

    def interrupt(self) -> None:
        """Take note that samples are missing: nothing can be told across."""
        self._before, self._brisk = np.zeros((0, 4)), False

    def _ring(self, table: FloatArray) -> float | None:
        """Return the frequency of the ringing after the first stop in a second of rows; None without."""
        t = table[:, 0]
        speed = np.sqrt((table[:, 1:] ** 2).sum(axis=1))
        for start in np.arange(t[0] + 0.2, t[-1] - 0.4, 0.05).tolist():
            i, j = np.searchsorted(t, [start, start + 0.4]).tolist()
            k = int(np.searchsorted(t, start - 0.2))
            if j - i < 8 or i <= k:
                continue
            peak = float(speed[k:i].max())
            if peak < JOLT:
                continue
            after = table[i:j, 1:]
            middle = after.mean(axis=0)
            swing = after - middle
            strength = math.sqrt(float((swing * swing).sum(axis=1).mean()))
            drift = math.sqrt(float((middle * middle).sum()))
            if not RINGING[0] * peak < strength < RINGING[1] * peak or drift > 0.5 * strength:
                continue
            axis = after[int(np.argmax((swing * swing).sum(axis=1)))] - middle
            along = swing[:, 0] * axis[0] + swing[:, 1] * axis[1] + swing[:, 2] * axis[2]
            size = np.abs(along)
            turns = np.flatnonzero(np.diff(np.sign(along)) != 0)
            if len(turns) < 4:
                continue
            halves = np.diff(t[i + turns])
            frequency = 0.5 / float(halves.mean())
            peaks = np.array([size[m:n].max() for m, n in pairwise((turns + 1).tolist())])
            even = float(halves.std()) < 1.5 * UNEVEN * float(halves.mean())
            fading = float(peaks[-1]) < 0.7 * float(peaks[0])
            if even and fading and RING_HZ[0] <= frequency <= RING_HZ[1]:
                return frequency
        return None

    def save(self) -> dict[str, Any]:
        return {
            "before": self._before.tolist(),
            "brisk": self._brisk,
            "rings": list(self._rings),
            "told": self._told,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._before = np.array(state["before"], dtype=np.float64).reshape(-1, 4)
        self._brisk = bool(state["brisk"])
        self._rings = [float(ring) for ring in state["rings"]]
        self._told = bool(state["told"])
