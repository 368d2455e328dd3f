"""Device time to capture seconds: the map of one sensor, or of all sensors that share a clock by radio.

The map follows the lower envelope of lateness (`imu/envelope.py`) smoothly and never turns back. Sensors
whose clocks a radio synchronisation holds together use one map, so that what the envelope cannot see (the
project's sensor reference C.3, up to a sample period where sampling and radio lock) is common to all of
them and cancels between them.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from typing import Any

from imu.envelope import Envelope

SETTLE_S, SETTLE_MOST = 1.0, 0.5
"""Times follow a corrected envelope within about 1 s, never by changing their pace by more than half."""
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
        self._knots: deque[tuple[float, float]] = deque()
        self._arrival = math.nan

    @property
    def begun(self) -> bool:
        """Whether any sample was mapped."""
        return bool(self._knots)

    def expected(self, arrival: float) -> float:
        """Return the device time to expect in a packet that arrives now, s; NaN before the first."""
        return self._knots[-1][0] + arrival - self._arrival if self._knots else math.nan

    def excess(self, device_time: float, arrival: float) -> float:
        """Return how much later than the envelope a packet arrived, s; NaN before the first."""
        return arrival - device_time - self.envelope.lateness(device_time)

    def feed(self, device_time: float, arrival: float) -> None:
        """Take one packet: device time of its newest sample and when it arrived, both s."""
        self.envelope.feed(device_time, arrival - device_time)
        self._arrival = arrival

    def at(self, device_time: float, not_before: float = -math.inf) -> float:
        """Return the capture time of a device time, s.

        Parameters
        ----------
        device_time
            s; not more than `history` before the newest that was asked for.
        not_before
            Where the map may begin at the earliest, if it begins here.
        """
        if not self._knots:
            target = device_time + self.envelope.lateness(device_time)
            self._knots.append((device_time, max(target, not_before)))
        last_device, last_out = self._knots[-1]
        if device_time < last_device:
            return self._remembered(device_time)
        if device_time == last_device:
            return last_out
        step = device_time - last_device
        pace = last_out + step * (1.0 + self.envelope.slope)
        share = -math.expm1(-step / SETTLE_S)
        wanted = (device_time + self.envelope.lateness(device_time) - pace) * share
        out = pace + min(max(wanted, -SETTLE_MOST * step), SETTLE_MOST * step)
        self._knots.append((device_time, out))
        while len(self._knots) > 1 and self._knots[0][0] < device_time - self._history:
            self._knots.popleft()
        return out

    def sigma(self, device_time: float, out: float) -> float:
        """Return one sigma of a mapped time against sensors of the same host on another map, s."""
        return math.hypot(self.envelope.sigma, device_time + self.envelope.lateness(device_time) - out)

    def _remembered(self, device_time: float) -> float:
        after = bisect_right(self._knots, device_time, key=lambda knot: knot[0])
        after_device, after_out = self._knots[after]
        if after == 0:
            return after_out - (after_device - device_time) * (1.0 + self.envelope.slope)
        before_device, before_out = self._knots[after - 1]
        share = (device_time - before_device) / (after_device - before_device)
        return before_out + share * (after_out - before_out)

    def save(self) -> dict[str, Any]:
        """Return everything the next packet's result depends on, as JSON values."""
        return {
            "envelope": self.envelope.save(),
            "knots": [list(knot) for knot in self._knots],
            "arrival": self._arrival,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up where `save` left off."""
        self.envelope = Envelope.restored(saved["envelope"])
        self._knots = deque((float(device), float(out)) for device, out in saved["knots"])
        self._arrival = float(saved["arrival"])
