"""Device time to capture seconds: the map of one sensor, or of all sensors that share a clock by radio.

The map follows the lower envelope of lateness (`imu/envelope.py`) smoothly and never turns back. Sensors
whose clocks a radio synchronisation holds together use one map, so that what the envelope cannot see (the
project's sensor reference C.3, up to a sample period where sampling and radio lock) is common to all of
them and cancels between them.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled
from imu.envelope import Envelope

SETTLE_S, SETTLE_MOST = 1.0, 0.5
"""Times follow a corrected envelope within about 1 s, never by changing their pace by more than half."""
ROOM = 256
HISTORY_S = 5.0
"""A shared map remembers this much, for the packets of a sensor that lag behind those of another."""


class TimeBase:
    """One monotonic map from device time to capture seconds.

    Parameters
    ----------
    period
        Nominal time between samples, s.
    skew, skew_sigma, limit
        As of `Envelope`.
    history
        How far back, s, times are asked for: 0 for one sensor, whose samples come in order.
    """

    def __init__(
        self, period: float, skew: float, skew_sigma: float, limit: float, history: float = 0.0
    ) -> None:
        self.envelope = Envelope(period, skew, skew_sigma, limit)
        self._history = history
        self._device, self._out = np.empty((2, ROOM))
        self._held = 0
        self._arrival = math.nan

    @property
    def begun(self) -> bool:
        """Whether any sample was mapped."""
        return self._held > 0

    def expected(self, arrival: float) -> float:
        """Return the device time to expect in a packet that arrives now, s; NaN before the first."""
        return float(self._device[self._held - 1]) + arrival - self._arrival if self._held else math.nan

    def excess(self, device_time: float, arrival: float) -> float:
        """Return how much later than the envelope a packet arrived, s; NaN before the first."""
        return arrival - device_time - self.envelope.lateness(device_time)

    def feed(self, device_time: float, arrival: float) -> None:
        """Take one packet: device time of its newest sample and when it arrived, both s."""
        self.envelope.feed(device_time, arrival - device_time)
        self._arrival = arrival

    def times(self, device_times: FloatArray, not_before: float = -math.inf) -> FloatArray:
        """Return the capture times of some device times, s.

        Parameters
        ----------
        device_times : (N,)
            s, N >= 1; each not more than `history` before the newest that was asked for.
        not_before
            Where the map may begin at the earliest, if it begins here.
        """
        envelope = self.envelope
        if not self._held:
            first = float(device_times[0])
            self._device[0], self._out[0] = first, max(first + envelope.lateness(first), not_before)
            self._held = 1
        if self._held + len(device_times) > len(self._device):
            self._make_room(len(device_times))
        times = device_times.copy()
        line = (envelope.height, envelope.slope, envelope.at)
        self._held = _follow(times, self._device, self._out, self._held, line)
        return times

    def _make_room(self, count: int) -> None:
        """Forget what is older than the history, and find room for some more knots."""
        newest = self._device[self._held - 1]
        first = int(np.searchsorted(self._device[: self._held - 1], newest - self._history))
        kept = slice(first, self._held)
        self._held -= first
        room = np.empty((2, max(ROOM, 2 * (self._held + count))))
        room[:, : self._held] = self._device[kept], self._out[kept]
        self._device, self._out = room

    def sigma(self, device_time: float, out: float) -> float:
        """Return one sigma of a mapped time against sensors of the same host on another map, s."""
        return math.hypot(self.envelope.sigma, device_time + self.envelope.lateness(device_time) - out)

    def save(self) -> dict[str, Any]:
        """Return everything the next packet's result depends on, as JSON values."""
        return {
            "envelope": self.envelope.save(),
            "knots": [self._device[: self._held].tolist(), self._out[: self._held].tolist()],
            "arrival": self._arrival,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up where `save` left off."""
        self.envelope = Envelope.restored(saved["envelope"])
        knots = np.array(saved["knots"], np.float64)
        self._held = knots.shape[1]
        self._device, self._out = np.empty((2, ROOM + self._held))
        self._device[: self._held], self._out[: self._held] = knots
        self._arrival = float(saved["arrival"])


@compiled
def _follow(
    times: FloatArray, device: FloatArray, out: FloatArray, held: int, line: tuple[float, float, float]
) -> int:
    """Replace device times by capture times, in place, and return how many knots are held then.

    Parameters
    ----------
    times : (N,)
        Device times, s.
    device, out : (M,)
        Knots of the map so far, of which the first `held` count; new ones are added.
    held
        At least 1; there is room for N more.
    line
        Height, slope and place of the envelope.
    """
    height, slope, fitted_at = line
    for row in range(len(times)):
        now = times[row]
        step = now - device[held - 1]
        if step < 0.0:
            after = np.searchsorted(device[:held], now, side="right")
            span = device[after] - now
            if after == 0:
                times[row] = out[0] - span * (1.0 + slope)
            else:
                share = 1.0 - span / (device[after] - device[after - 1])
                times[row] = out[after - 1] + share * (out[after] - out[after - 1])
            continue
        if step > 0.0:
            straight = out[held - 1] + step * (1.0 + slope)
            wanted = (now + (height + slope * (now - fitted_at)) - straight) * -math.expm1(-step / SETTLE_S)
            device[held] = now
            out[held] = straight + min(max(wanted, -SETTLE_MOST * step), SETTLE_MOST * step)
            held += 1
        times[row] = out[held - 1]
    return held
