"""Many sensors, each with its own rate and offset, to common instants on one absolute grid.

A filter turns by each sample's rate for a whole period, so its orientation lies half a period behind the
instant at which rate and force were felt. At 200 deg/s and 50 Hz that is two degrees, and other ones for a
sensor of another rate; here orientations are turned back to the instant of their samples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imu.block import BoolArray, FloatArray, ImuBlock
from imu.compiled import compiled, sequential
from imu.errors import InputError
from imu.gaps import BRIDGE, Orientation

PATIENCE = 60.0
"""A sensor this far behind the newest one, s, no longer holds the others back: its instants become NaN.
Bounds the memory; far beyond any burst or reconnection in order of arrival that a capture lives with."""

_Q, _GYR, _ACC, _REST, _SIGMA = slice(0, 4), slice(4, 7), slice(7, 10), 10, 11
_MAG, _LOST = slice(12, 15), 15
_WIDTH = 16
_NO_FIELD = np.zeros((0, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """All sensors at common instants. S counts the sensors in the order given to the `Synchroniser`.

    Parameters
    ----------
    t : (M,)
        Instants k / rate on the capture clock, s.
    q : (M, S, 4)
        `q_earth_from_sensor`, each sensor's own earth frame (z up), at the instant at which rate and force
        are felt. NaN inside gaps.
    rest : (M, S)
        Whether the sensor lay still at both neighbouring samples.
    gyr : (M, S, 3)
        Angular rate in the sensor frame with the filter's bias taken off, rad/s. NaN inside gaps.
    acc : (M, S, 3)
        Specific force in the sensor frame, m/s^2. NaN inside gaps.
    gyr_bias_sigma : (M, S)
        Standard deviation of the bias that was taken off, rad/s. NaN inside gaps.
    lost_heading : (M, S) or None
        One-sigma heading that a gap before this instant has cost, rad; 0 where there was none. None: no gaps.
    mag : (M, S, 3) or None
        Magnetic field in the sensor frame, in the sensor's own unit. NaN where not known; None: nowhere.
    """

    t: FloatArray
    q: FloatArray
    rest: BoolArray
    gyr: FloatArray
    acc: FloatArray
    gyr_bias_sigma: FloatArray
    lost_heading: FloatArray | None = None
    mag: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of instants."""
        return self.t.shape[0]

    def __getitem__(self, span: slice) -> "Frames":
        """Return the instants of a slice, in time order."""
        lost = None if self.lost_heading is None else self.lost_heading[span]
        mag = None if self.mag is None else self.mag[span]
        return Frames(
            self.t[span],
            self.q[span],
            self.rest[span],
            self.gyr[span],
            self.acc[span],
            self.gyr_bias_sigma[span],
            lost,
            mag,
        )


class Synchroniser:
    """Bring sensors to the instants k / rate: orientations by slerp, rates and forces linearly.

    An instant is given out once every sensor has passed it, from the first instant that all of them
    have. Between samples farther apart than a bridgeable gap everything is NaN. The result depends
    neither on how the streams are cut nor, up to `PATIENCE`, on how they are interleaved.

    Parameters
    ----------
    sensors
        Their ids; the order of the second dimension of `Frames`.
    rate
        Instants per second, Hz.
    sensor_rates
        Nominal sampling rate of each sensor, Hz, where it differs from `rate`.
    together
        Instants are given out once the last of a group of so many is there, k = 0, 1, ... counted from the
        clock's zero, with all that are there by then: later by less than a group, and so much cheaper for
        whoever works on them. The instants are the same.
    """

    def __init__(
        self,
        sensors: Sequence[str],
        rate: float,
        sensor_rates: Mapping[str, float] | None = None,
        *,
        together: int = 1,
    ) -> None:
        if not sensors or len(set(sensors)) != len(sensors):
            raise InputError(f"synchronising needs different sensors, got {list(sensors)}")
        if not (rate > 0.0 and math.isfinite(rate)):
            raise InputError(f"the common rate must be positive, got {rate!r} Hz")
        rates = dict(sensor_rates or {})
        self._rate, self._together = rate, together
        self._order = {sensor: i for i, sensor in enumerate(sensors)}
        self._tracks = [_Track(1.0 / rates.get(sensor, rate)) for sensor in sensors]
        self._next: int | None = None
        size = len(sensors)
        self._nothing = Frames(
            np.zeros(0),
            np.zeros((0, size, 4)),
            np.zeros((0, size), np.bool_),
            np.zeros((0, size, 3)),
            np.zeros((0, size, 3)),
            np.zeros((0, size)),
            np.zeros((0, size)),
            np.zeros((0, size, 3)),
        )

    def feed(self, orientation: Orientation, block: ImuBlock) -> Frames:
        """Take one sensor's next samples and their orientations; return the instants they complete.

        Raises
        ------
        InputError
            If the sensor isn't one of those announced.
        """
        if orientation.sensor not in self._order:
            raise InputError(f"sensor {orientation.sensor} is not one of {list(self._order)}")
        self._tracks[self._order[orientation.sensor]].append(orientation, block)
        newest = max(track.seen for track in self._tracks)
        horizon = max(min(track.horizon for track in self._tracks), newest - PATIENCE)
        return self._until(horizon, self._together)

    def finish(self) -> Frames:
        """Return the instants up to the last that any sensor reached; NaN for those that ended earlier."""
        return self._until(max(track.seen for track in self._tracks), 1)

    def _until(self, horizon: float, together: int) -> Frames:
        if self._next is None:
            begin = max(track.begin for track in self._tracks)
            if begin > horizon:
                for track in self._tracks:
                    track.forget(horizon)
                return self._nothing
            self._next = math.ceil(begin * self._rate)
        stop = math.floor(horizon * self._rate) + 1
        while (stop - 1) / self._rate > horizon:
            stop -= 1
        if stop <= self._next or stop // together == self._next // together:
            return self._nothing
        instants = np.arange(self._next, stop) / self._rate
        frames = self._frames(instants)
        self._next = stop
        for track in self._tracks:
            track.forget((stop - 1) / self._rate)
        return frames

    def _frames(self, t: FloatArray) -> Frames:
        rows = np.empty((len(t), len(self._tracks), _WIDTH))
        for i, track in enumerate(self._tracks):
            track.fill(t, rows[:, i])
        return Frames(
            t,
            rows[..., _Q],
            rows[..., _REST] == 1.0,
            rows[..., _GYR],
            rows[..., _ACC],
            rows[..., _SIGMA],
            rows[..., _LOST],
            rows[..., _MAG],
        )

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN)."""
        return {"next": self._next, "tracks": [track.save() for track in self._tracks]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of a synchroniser of the same sensors and rate."""
        self._next = state["next"]
        for track, saved in zip(self._tracks, state["tracks"], strict=True):
            track.restore(saved)


class _Track:
    """The recent past of one sensor with a sample every `period` s: known samples only."""

    def __init__(self, period: float) -> None:
        self._behind, self._reach = 0.5 * period, BRIDGE + 1.5 * period
        self._t = np.zeros(0)
        self._rows = np.zeros((0, _WIDTH))
        self.seen = -math.inf
        self.begin = math.inf
        self._any_lost = False

    @property
    def horizon(self) -> float:
        """Up to when this sensor's values are settled, s."""
        last = float(self._t[-1]) if len(self._t) else -math.inf
        return self.seen if self.seen - last > self._reach else last

    def append(self, orientation: Orientation, block: ImuBlock) -> None:
        """Keep the samples whose orientation is known."""
        if not len(block):
            return
        self.seen = float(block.t[-1])
        self._t, self._rows, lost = _appended(
            *(self._t, self._rows, block.t, orientation.q, block.gyr, orientation.gyr_bias, block.acc),
            *(orientation.rest.astype(np.float64), orientation.gyr_bias_sigma),
            _NO_FIELD if block.mag is None else block.mag,
            orientation.lost_heading,
            self._behind,
        )
        self._any_lost = self._any_lost or lost
        if len(self._t):
            self.begin = min(self.begin, float(self._t[0]))

    def fill(self, t: FloatArray, out: FloatArray) -> None:
        """Write the values at instants into `out` (M, 16), NaN where not known."""
        _place(t, self._t, self._rows, self._reach, out)
        if self._any_lost:
            self._note_lost(t, out[:, _LOST])

    def _note_lost(self, t: FloatArray, lost: FloatArray) -> None:
        """Write, per instant, the heading lost at samples since the instant before into `lost` (M,)."""
        for i in np.flatnonzero(self._rows[:, _LOST]).tolist():
            k = int(np.searchsorted(t, self._t[i], side="left"))
            if k < len(t):
                lost[k] = max(float(lost[k]), float(self._rows[i, _LOST]))
                self._rows[i, _LOST] = 0.0
        self._any_lost = bool(self._rows[:, _LOST].any())

    def forget(self, t: float) -> None:
        """Drop what no instant from `t` on can need."""
        keep = max(int(self._t.searchsorted(t, side="right")) - 1, 0)
        if keep > 0:
            self._t, self._rows = self._t[keep:], self._rows[keep:]

    def save(self) -> dict[str, Any]:
        return {"t": self._t.tolist(), "rows": self._rows.tolist(), "seen": self.seen, "begin": self.begin}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._t = np.array(state["t"], dtype=np.float64)
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, _WIDTH)
        self.seen, self.begin = float(state["seen"]), float(state["begin"])
        self._any_lost = bool(self._rows[:, _LOST].any())


@compiled
def _put_turned_back(row: FloatArray, q: FloatArray, rate: FloatArray, seconds: float) -> None:
    """Write an orientation (4,) as it was so many seconds before, at a rate (3,), rad/s."""
    size = math.sqrt(rate[0] * rate[0] + rate[1] * rate[1] + rate[2] * rate[2])
    half = 0.5 * seconds * size
    share = -math.sin(half) / size if size > 0.0 else 0.0
    v, a, b, c = math.cos(half), share * rate[0], share * rate[1], share * rate[2]
    w, x, y, z = q
    row[0] = w * v - x * a - y * b - z * c
    row[1] = x * v + w * a + y * c - z * b
    row[2] = y * v + w * b + z * a - x * c
    row[3] = z * v + w * c + x * b - y * a


@sequential("(k),(k,w),(n),(n,q),(n,c),(n,c),(n,c),(n),(n),(n,c),(n),()")
def _appended(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    times: FloatArray,
    rows: FloatArray,
    t: FloatArray,
    q: FloatArray,
    gyr: FloatArray,
    gyr_bias: FloatArray,
    acc: FloatArray,
    rest: FloatArray,
    gyr_bias_sigma: FloatArray,
    mag: FloatArray,
    lost_heading: FloatArray,
    behind: float,
) -> tuple[FloatArray, FloatArray, bool]:
    """Return times and rows with those samples added whose orientation is known, and if any lost heading.

    Without a magnetometer `mag` is empty. Orientations come so many seconds behind the rates.
    """
    kept, lost = len(times), False
    size = kept + len(t)
    all_times, all_rows = np.empty(size), np.empty((size, rows.shape[1]))
    all_times[:kept], all_rows[:kept] = times, rows
    for i in range(len(t)):
        if math.isfinite(q[i, 0]):
            row = all_rows[kept]
            for k in range(3):
                row[4 + k], row[7 + k] = gyr[i, k] - gyr_bias[i, k], acc[i, k]
                row[12 + k] = mag[i, k] if len(mag) else np.nan
            _put_turned_back(row, q[i], row[4:7], behind)
            row[10], row[11], row[15] = rest[i], gyr_bias_sigma[i], lost_heading[i]
            all_times[kept] = t[i]
            kept += 1
            lost = lost or lost_heading[i] > 0.0
    return all_times[:kept], all_rows[:kept], lost


@sequential("(m),(n),(n,w),()->(m,w)")
def _place(t: FloatArray, times: FloatArray, rows: FloatArray, reach: float, out: FloatArray) -> None:
    """Fill `out` with the rows at instants t: linear, orientation by slerp, 0 heading lost, NaN if not known.

    At the very time of a sample its row is taken: what comes later must not count. The angle of the slerp
    comes from the chord, which keeps its digits for the small steps between samples.
    Source: K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    n, lost = len(times), out.shape[1] - 1
    after = 0
    for i in range(len(t)):
        out[i, lost] = 0.0
        while after < n and times[after] <= t[i]:
            after += 1
        before = max(after - 1, 0)
        here = min(after, n - 1)
        if n > 0 and times[before] == t[i]:
            out[i, :lost] = rows[before, :lost]
            continue
        if not (after > 0 and here > before and times[here] - times[before] <= reach):
            out[i, :lost] = np.nan
            continue
        share = (t[i] - times[before]) / (times[here] - times[before])
        dot = 0.0
        for k in range(4):
            dot += rows[before, k] * rows[here, k]
        sign = -1.0 if dot < 0.0 else 1.0
        square = 0.0
        for k in range(4):
            square += (sign * rows[here, k] - rows[before, k]) ** 2
        angle = max(2.0 * math.asin(min(math.sqrt(square) / 2.0, 1.0)), 1e-9)
        first, second = math.sin((1.0 - share) * angle), math.sin(share * angle) * sign
        for k in range(4):
            out[i, k] = (first * rows[before, k] + second * rows[here, k]) / math.sin(angle)
        for k in range(4, lost):
            out[i, k] = rows[before, k] + share * (rows[here, k] - rows[before, k])
