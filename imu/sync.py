"""Many sensors, each with its own rate and offset, to common instants on one absolute grid."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imu.block import BoolArray, FloatArray, ImuBlock
from imu.errors import InputError
from imu.fusion import BRIDGE, Orientation

PATIENCE = 60.0
"""A sensor this far behind the newest one, s, no longer holds the others back: its instants become NaN.
Bounds the memory; far beyond any burst or reconnection in order of arrival that a capture lives with."""

_Q, _GYR, _ACC, _REST, _SIGMA, _LOST = slice(0, 4), slice(4, 7), slice(7, 10), 10, 11, 12
_WIDTH = 13


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """All sensors at common instants. S counts the sensors in the order given to the `Synchroniser`.

    Parameters
    ----------
    t : (M,)
        Instants k / rate on the capture clock, s.
    q : (M, S, 4)
        `q_earth_from_sensor`, each sensor's own earth frame (z up). NaN inside gaps.
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
    """

    t: FloatArray
    q: FloatArray
    rest: BoolArray
    gyr: FloatArray
    acc: FloatArray
    gyr_bias_sigma: FloatArray
    lost_heading: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of instants."""
        return self.t.shape[0]

    def __getitem__(self, span: slice) -> "Frames":
        """Return the instants of a slice, in time order."""
        lost = None if self.lost_heading is None else self.lost_heading[span]
        return Frames(
            self.t[span],
            self.q[span],
            self.rest[span],
            self.gyr[span],
            self.acc[span],
            self.gyr_bias_sigma[span],
            lost,
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
    """

    def __init__(
        self, sensors: Sequence[str], rate: float, sensor_rates: Mapping[str, float] | None = None
    ) -> None:
        if not sensors or len(set(sensors)) != len(sensors):
            raise InputError(f"synchronising needs different sensors, got {list(sensors)}")
        if not (rate > 0.0 and math.isfinite(rate)):
            raise InputError(f"the common rate must be positive, got {rate!r} Hz")
        rates = dict(sensor_rates or {})
        self._rate = rate
        self._order = {sensor: i for i, sensor in enumerate(sensors)}
        self._tracks = [_Track(BRIDGE + 1.5 / rates.get(sensor, rate)) for sensor in sensors]
        self._next: int | None = None

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
        return self._until(max(min(track.horizon for track in self._tracks), newest - PATIENCE))

    def finish(self) -> Frames:
        """Return the instants up to the last that any sensor reached; NaN for those that ended earlier."""
        return self._until(max(track.seen for track in self._tracks))

    def _until(self, horizon: float) -> Frames:
        if self._next is None:
            begin = max(track.begin for track in self._tracks)
            if begin > horizon:
                for track in self._tracks:
                    track.forget(horizon)
                return self._frames(np.zeros(0))
            self._next = math.ceil(begin * self._rate)
        stop = math.floor(horizon * self._rate) + 1
        while (stop - 1) / self._rate > horizon:
            stop -= 1
        if stop <= self._next:
            return self._frames(np.zeros(0))
        instants = np.arange(self._next, stop) / self._rate
        frames = self._frames(instants)
        self._next = stop
        for track in self._tracks:
            track.forget((stop - 1) / self._rate)
        return frames

    def _frames(self, t: FloatArray) -> Frames:
        rows = np.stack([track.at(t) for track in self._tracks], axis=1)
        return Frames(
            t,
            rows[..., _Q],
            rows[..., _REST] == 1.0,
            rows[..., _GYR],
            rows[..., _ACC],
            rows[..., _SIGMA],
            rows[..., _LOST],
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
    """The recent past of one sensor: known samples only."""

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._t = np.zeros(0)
        self._rows = np.zeros((0, _WIDTH))
        self.seen = -math.inf
        self.begin = math.inf

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
        rows = np.empty((len(block), _WIDTH))
        rows[:, _Q] = orientation.q
        rows[:, _GYR] = block.gyr - orientation.gyr_bias
        rows[:, _ACC] = block.acc
        rows[:, _REST] = orientation.rest
        rows[:, _SIGMA] = orientation.gyr_bias_sigma
        rows[:, _LOST] = orientation.lost_heading
        known = np.isfinite(rows[:, 0])
        if known.all():
            t = block.t
        else:
            t, rows = block.t[known], rows[known]
        if len(t):
            self.begin = min(self.begin, float(t[0]))
            self._t = np.concatenate([self._t, t])
            self._rows = np.concatenate([self._rows, rows])

    def at(self, t: FloatArray) -> FloatArray:
        """Return the values at instants, shape (M, 13)."""
        if not len(t):
            return np.zeros((0, _WIDTH))
        after = np.searchsorted(self._t, t, side="right")
        inside = (after > 0) & (after < len(self._t))
        exact = np.zeros(len(t), np.bool_)
        before = np.maximum(after - 1, 0)
        if len(self._t):
            exact = self._t[before] == t
            after = np.where(exact, before, np.minimum(after, len(self._t) - 1))
        else:
            return self._unknown(len(t))
        t0, t1 = self._t[before], self._t[after]
        known = exact | (inside & (t1 - t0 <= self._reach))
        share = np.where(t1 > t0, (t - t0) / np.where(t1 > t0, t1 - t0, 1.0), 0.0)[:, None]
        a, b = self._rows[before], self._rows[after]
        rows = a + share * (b - a)
        rows[:, _Q] = _slerp(a[:, _Q], b[:, _Q], share)
        rows[~known] = np.nan
        rows[:, _LOST] = self._lost(t)
        return rows

    def _lost(self, t: FloatArray) -> FloatArray:
        """Return, per instant, the heading lost at samples since the instant before."""
        lost = np.zeros(len(t))
        for i in np.flatnonzero(self._rows[:, _LOST]).tolist():
            k = int(np.searchsorted(t, self._t[i], side="left"))
            if k < len(t):
                lost[k] = max(float(lost[k]), float(self._rows[i, _LOST]))
                self._rows[i, _LOST] = 0.0
        return lost

    @staticmethod
    def _unknown(count: int) -> FloatArray:
        rows = np.full((count, _WIDTH), np.nan)
        rows[:, _LOST] = 0.0
        return rows

    def forget(self, t: float) -> None:
        """Drop what no instant from `t` on can need."""
        keep = max(int(np.searchsorted(self._t, t, side="right")) - 1, 0)
        if keep > 0:
            self._t, self._rows = self._t[keep:], self._rows[keep:]

    def save(self) -> dict[str, Any]:
        return {"t": self._t.tolist(), "rows": self._rows.tolist(), "seen": self.seen, "begin": self.begin}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._t = np.array(state["t"], dtype=np.float64)
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, _WIDTH)
        self.seen, self.begin = float(state["seen"]), float(state["begin"])


def _slerp(q0: FloatArray, q1: FloatArray, share: FloatArray) -> FloatArray:
    """Return the rotation a share (M, 1) of the way on the shorter arc, both ends (M, 4).

    The angle comes from the chord, which keeps its digits for the small steps between samples. Source:
    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    dot = q0[:, 0] * q1[:, 0] + q0[:, 1] * q1[:, 1] + q0[:, 2] * q1[:, 2] + q0[:, 3] * q1[:, 3]
    near = np.where(dot[:, None] < 0.0, -q1, q1)
    d = near - q0
    chord = np.sqrt(d[:, :1] ** 2 + d[:, 1:2] ** 2 + d[:, 2:3] ** 2 + d[:, 3:] ** 2)
    angle = 2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0))
    small = angle < 1e-9
    scale = 1.0 / np.where(small, 1.0, np.sin(angle))
    first = np.where(small, 1.0 - share, np.sin((1.0 - share) * angle) * scale)
    second = np.where(small, share, np.sin(share * angle) * scale)
    return first * q0 + second * near
