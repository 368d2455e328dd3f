"""Device ticks to seconds on the capture clock, from one-way arrivals.

Every sensor counts with its own crystal, and every packet arrives late by an unknown, never negative,
amount. `SensorClock` unwraps the ticks, maps them along the lower envelope of lateness
(`imu/time_base.py`), and returns strictly increasing times whose spread between sensors is a few
milliseconds. What all sensors of one host have in common, the least delay of the link, stays in: it
matters against a camera or a force plate, not between sensors. Sensors that a radio synchronisation holds
together share one time base: the spread is then that of their synchronisation.

Rules and thresholds: the project's sensor reference C.3 and C.4, rules 2, 3 and 5, measured there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled
from imu.envelope import ENOUGH_BINS
from imu.errors import InputError
from imu.lateness import Lateness
from imu.sensors.driver import DeviceClock
from imu.time_base import HISTORY_S, TimeBase

BACK_S = 1.0
"""Device time that falls back further than this means the sensor restarted (rule 3)."""
EARLY_S, EARLY_UNSURE_S = 0.05, 1.0
"""A packet this much earlier than the envelope allows means a new time base; the second while learning."""
RAISED_FOR_S = 5.0
STEP_S, STEP_COUNTED_S = 1.0, 0.25
"""Lateness that stays raised by this much for `RAISED_FOR_S` means the count stood still meanwhile."""
LOSS_PERIODS = 1.5
RATE_LIMIT, RATE_LIMIT_COUNTED = 200e-6, 2e-2
LEARNT_SIGMA, LEARNT_SIGMA_COUNTED = 5e-6, 2e-4
"""How far a learnt rate is trusted next time: three recordings of one WitMotion agree within 1e-4."""


class Stamps(NamedTuple):
    """Times of one packet's samples.

    Parameters
    ----------
    t : (K,)
        Times of the samples kept, s on the capture clock, strictly increasing over all packets.
    kept
        Which of the N samples were kept; the others repeat what came before.
    sigma
        One sigma of these times against the other sensors' of the same host, s: the envelope's own, and
        how far the times still are from a corrected envelope. Sensors on one shared time base are closer
        to each other than that: as close as their radio synchronisation.
    lost
        Samples missing just before or within this packet.
    restarted
        Whether a new clock segment starts here, so that nothing may be integrated across.
    """

    t: FloatArray
    kept: tuple[bool, ...]
    sigma: float
    lost: int
    restarted: bool


@dataclass(frozen=True, slots=True)
class ClockReport:
    """How one sensor's time base did, for the recording and for `rom check` (rule 12).

    Lateness is arrival minus assigned time, s; `rate_error` is how much longer a device second truly
    is than it claims (7e-3 for a sensor that runs 0.7 % slow); NaN where nothing came. `shared`: it runs on
    one time base with other sensors, which are nearer to it than `sigma` says.
    """

    samples: int
    lost: int
    duplicates: int
    segments: int
    rate_error: float
    rate_error_sigma: float
    sigma: float
    late_p50: float
    late_p95: float
    late_most: float
    longest_gap: float
    shared: bool = False


@dataclass(slots=True)
class _Memory:
    """What the next packet's result depends on, besides the time base."""

    skew: float
    skew_sigma: float
    joined: bool = False
    ticks: int | None = None
    device_time: float = 0.0
    arrival: float = -math.inf
    out: float = -math.inf
    raised_since: float | None = None
    raised_least: float = math.inf
    link_was_lost: bool = False
    samples: int = 0
    lost: int = 0
    duplicates: int = 0
    segments: int = 0
    longest_gap: float = 0.0


class SensorClock:
    """Time base of one sensor within one capture.

    Parameters
    ----------
    device
        Tick length, wrap and quality of the sensor's own clock.
    rate_hz
        Nominal samples per second, to see losses by.
    learnt
        `learnt` of an earlier capture with this very sensor, or None.
    shared
        The time base of sensors that are synchronised by radio, from `shared_base`; the clock joins it when
        `synchronised` says so. None if the sensor keeps its own time.

    Raises
    ------
    InputError
        If the rate is not positive, or the learnt rate error is beyond what such a clock can do.
    """

    def __init__(
        self,
        device: DeviceClock,
        rate_hz: float,
        learnt: float | None = None,
        shared: TimeBase | None = None,
    ) -> None:
        if not (rate_hz > 0.0 and math.isfinite(rate_hz)):
            raise InputError(f"a sample rate above 0 Hz was expected, got {rate_hz:g}; check the settings")
        self._limit = RATE_LIMIT_COUNTED if device.counted else RATE_LIMIT
        if learnt is not None and not abs(learnt) <= self._limit:
            raise InputError(
                f"a learnt rate error within ±{self._limit:g} was expected, got {learnt:g}; "
                f"forget it and learn anew"
            )
        self._device = device
        self._period = 1.0 / rate_hz
        if learnt is None:
            self._memory = _Memory(0.0, device.rate_sigma)
        else:
            self._memory = _Memory(learnt, LEARNT_SIGMA_COUNTED if device.counted else LEARNT_SIGMA)
        self._shared = shared
        self._base = self._own_base()
        self._late = Lateness()

    def _own_base(self) -> TimeBase:
        return TimeBase(self._period, self._memory.skew, self._memory.skew_sigma, self._limit)

    def synchronised(self, yes: bool) -> None:
        """Note that the sensor's clock now runs, or no longer runs, with those of the shared time base.

        A new segment starts with the next packet, on the shared base or on the sensor's own; nothing
        happens if that is so already, or there is no shared base.
        """
        if self._shared is not None and yes != self._memory.joined:
            self._end_segment()
            self._memory.joined = yes

    def link_restored(self) -> None:
        """Note that the link was lost and is back: a sensor that sends no time starts a new segment.

        A sensor that sends time goes on in the same segment unless its count went back.
        """
        self._memory.link_was_lost = True

    def feed(self, arrival: float, ticks: Sequence[int | None]) -> Stamps:
        """Return the times of one packet's samples.

        Parameters
        ----------
        arrival
            When the host got the packet, s on the capture clock; packets come in order of arrival.
        ticks : (N,)
            Device time of each sample as sent, oldest first; ignored if samples are counted.

        Raises
        ------
        InputError
            If a sensor that sends time comes without.
        """
        memory = self._memory
        lost_before = memory.lost
        counts = self._counts(arrival, ticks)
        restarted = bool(counts) and self._is_new_segment(arrival, counts)
        if restarted:
            self._begin_segment(arrival, counts)
            counts = self._counts(arrival, ticks)
        newest = memory.ticks
        kept: list[bool] = []
        fresh: list[int] = []
        for count in counts:
            new = newest is None or count > newest
            kept.append(new)
            if new:
                fresh.append(count)
                newest = count
        memory.duplicates += len(counts) - len(fresh)
        times = self._stamp(fresh, arrival) if fresh else np.empty(0)
        memory.arrival = arrival
        sigma = self._base.sigma(memory.device_time, memory.out) if memory.samples else math.inf
        return Stamps(times, tuple(kept), sigma, memory.lost - lost_before, restarted)

    def _counts(self, arrival: float, ticks: Sequence[int | None]) -> list[int]:
        """Return unwrapped ticks: the continuation nearest to what the host's clock predicts (rule 2)."""
        last = self._memory.ticks
        if self._device.counted:
            first = 0 if last is None else last + 1
            return list(range(first, first + len(ticks)))
        counts: list[int] = []
        expected = None
        if last is not None:
            expected = last + round((arrival - self._memory.arrival) / self._device.tick_s)
        elif self._shared is not None and self._memory.joined and self._shared.begun:
            expected = round(self._shared.expected(arrival) / self._device.tick_s)
        for tick in ticks:
            if tick is None:
                raise InputError(
                    "a sensor that sends time sent a sample without; use the clock of its settings"
                )
            count = tick
            if expected is not None and self._device.wrap is not None:
                half = self._device.wrap // 2
                count = expected + (tick - expected + half) % self._device.wrap - half
            counts.append(count)
            expected = count
        return counts

    def _is_new_segment(self, arrival: float, counts: list[int]) -> bool:
        """Tell whether this packet cannot belong to the running time base (rule 3)."""
        memory, tick_s = self._memory, self._device.tick_s
        if memory.ticks is None:
            return True
        if memory.link_was_lost:
            memory.link_was_lost = False
            if self._device.counted:
                return True
        if (memory.ticks - counts[0]) * tick_s > BACK_S:
            return True
        newest = counts[-1] * tick_s
        excess = self._base.excess(newest, arrival)
        if excess < -(EARLY_S if self._base.envelope.bins >= ENOUGH_BINS else EARLY_UNSURE_S):
            return True
        return self._stood_still(newest, excess)

    def _stood_still(self, newest: float, excess: float) -> bool:
        """Tell whether lateness has stayed raised so long that the sensor's count must have paused."""
        memory = self._memory
        if excess < (STEP_COUNTED_S if self._device.counted else STEP_S):
            memory.raised_since, memory.raised_least = None, math.inf
            return False
        if memory.raised_since is None:
            memory.raised_since = newest
        memory.raised_least = min(memory.raised_least, excess)
        if newest - memory.raised_since < RAISED_FOR_S:
            return False
        if self._device.counted:
            memory.lost += round(memory.raised_least / self._period)
        return True

    def _end_segment(self) -> None:
        """Leave the running time base; what was learnt about the sensor's own rate stays."""
        memory = self._memory
        if memory.ticks is not None and not memory.joined:
            memory.skew, memory.skew_sigma = self._base.envelope.slope, self._base.envelope.slope_sigma
        memory.ticks = None

    def _begin_segment(self, arrival: float, counts: list[int]) -> None:
        """Start on a new time base: the shared one, unless this sensor broke with it or does not fit it."""
        memory = self._memory
        broke = memory.ticks is not None
        self._end_segment()
        newest = counts[-1] * self._device.tick_s
        fits = self._shared is not None and not abs(self._shared.excess(newest, arrival)) > EARLY_UNSURE_S
        memory.joined = memory.joined and not broke and fits
        self._base = self._shared if self._shared is not None and memory.joined else self._own_base()
        memory.raised_since, memory.raised_least = None, math.inf
        memory.segments += 1

    def _stamp(self, counts: list[int], arrival: float) -> FloatArray:
        """Return the times of one packet's fresh samples, of one or more rising counts."""
        memory, tick_s = self._memory, self._device.tick_s
        device_times = np.array([count * tick_s for count in counts])
        newest = counts[-1] * tick_s
        self._base.feed(newest, arrival)
        times = self._base.times(device_times, memory.out + self._period / 2.0)
        before = math.inf if memory.ticks is None else memory.device_time
        lost, gap = _go_on(times, device_times, memory.out, before, self._period)
        memory.lost += lost
        memory.longest_gap = max(memory.longest_gap, gap)
        memory.ticks, memory.device_time, memory.out = counts[-1], newest, float(times[-1])
        memory.samples += len(counts)
        self._late.add(arrival, times)
        return times

    @property
    def learnt(self) -> float | None:
        """Rate error worth keeping for this sensor's next capture.

        None while it is hardly better known, and on a shared time base, whose rate is not the sensor's own.
        """
        known = self._base.envelope.slope_sigma <= 0.5 * self._device.rate_sigma
        return self._base.envelope.slope if known and not self._memory.joined else None

    def report(self) -> ClockReport:
        """Return how the time base did so far."""
        memory = self._memory
        return ClockReport(
            samples=memory.samples,
            lost=memory.lost,
            duplicates=memory.duplicates,
            segments=memory.segments,
            rate_error=self._base.envelope.slope,
            rate_error_sigma=self._base.envelope.slope_sigma,
            sigma=self._base.envelope.sigma,
            late_p50=self._late.quantile(0.50),
            late_p95=self._late.quantile(0.95),
            late_most=self._late.quantile(1.0),
            longest_gap=memory.longest_gap if memory.samples > 1 else math.nan,
            shared=self._base is self._shared,
        )

    def save(self) -> dict[str, Any]:
        """Return everything the next packet's result depends on, as JSON values."""
        return {
            "memory": asdict(self._memory),
            "on_shared_base": self._base is self._shared,
            "base": self._base.save(),
            "late_ms": self._late.save(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up where `save` left off; the clock must have been made with the same arguments.

        Clocks on a shared time base must be saved, and restored, together.
        """
        self._memory = _Memory(**saved["memory"])
        self._base = self._shared if self._shared and saved["on_shared_base"] else self._own_base()
        self._base.restore(saved["base"])
        self._late = Lateness(saved["late_ms"])


def shared_base(device: DeviceClock, rate_hz: float) -> TimeBase:
    """Return the time base of sensors whose clocks run together by radio; for `SensorClock`.

    Parameters
    ----------
    device
        Of every one of them.
    rate_hz
        Nominal samples per second of one of them.
    """
    limit = RATE_LIMIT_COUNTED if device.counted else RATE_LIMIT
    return TimeBase(1.0 / rate_hz, 0.0, device.rate_sigma, limit, HISTORY_S)


@compiled
def _go_on(
    times: FloatArray, device_times: FloatArray, out: float, before: float, period: float
) -> tuple[int, float]:
    """Let times (N,) rise from `out`, in place; return samples lost, and the longest gap, s.

    `device_times` (N,) follow `before`, which is infinite if a segment begins.
    """
    lost, gap = 0, 0.0
    for row in range(len(times)):
        if times[row] <= out:
            times[row] = out + period / 2.0
        if out > -math.inf:
            gap = max(gap, times[row] - out)
        if device_times[row] - before > LOSS_PERIODS * period:
            lost += round((device_times[row] - before) / period) - 1
        out, before = times[row], device_times[row]
    return lost, gap
