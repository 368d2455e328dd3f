"""Streams that a family sends apart (angular rate, acceleration, field) brought together on one of them."""

from collections import deque
from typing import NamedTuple

from imu.sensors.driver import UNKNOWN, Reading, Vector


class Timed(NamedTuple):
    """One vector and its device time in ticks."""

    ticks: int
    value: Vector


class Merger:
    """Readings at the instants of the first stream, the others interpolated in straight lines.

    A reading comes out once every other stream has reached its instant, or has stayed behind by more than
    `patience`; then that quantity is NaN, as it is across a hole wider than `patience`.

    Parameters
    ----------
    streams
        Any of `gyr`, `acc`, `mag`; the first one gives the instants.
    patience
        In ticks.
    """

    def __init__(self, streams: tuple[str, ...], patience: int) -> None:
        self._master, *self._others = streams
        self._patience = patience
        self._waiting: dict[str, deque[Timed]] = {stream: deque() for stream in streams}
        self._newest: dict[str, int] = {}

    def feed(self, stream: str, samples: list[Timed]) -> list[Reading]:
        """Take samples of one stream, oldest first; return the readings that are complete.

        Samples not later than those before are dropped; if they lie back by more than `patience`, the
        sensor has restarted and everything waiting is dropped instead.
        """
        for sample in samples:
            newest = self._newest.get(stream)
            if newest is not None and sample.ticks <= newest:
                if newest - sample.ticks <= self._patience:
                    continue
                for waiting in self._waiting.values():
                    waiting.clear()
                self._newest.clear()
            self._waiting[stream].append(sample)
            self._newest[stream] = sample.ticks
        return self._complete()

    def _complete(self) -> list[Reading]:
        ready: list[Reading] = []
        masters = self._waiting[self._master]
        while masters:
            at = masters[0].ticks
            late = self._newest[self._master] - at > self._patience
            if not late and any(self._newest.get(other, at - 1) < at for other in self._others):
                break
            values = {other: self._at(other, at) for other in self._others}
            values[self._master] = masters.popleft().value
            ready.append(
                Reading(
                    at,
                    None,
                    values.get("gyr", UNKNOWN),
                    values.get("acc", UNKNOWN),
                    values.get("mag", UNKNOWN),
                )
            )
        return ready

    def _at(self, stream: str, at: int) -> Vector:
        """Return a stream's value at an instant; samples that no later instant needs are let go."""
        waiting = self._waiting[stream]
        while len(waiting) >= 2 and waiting[1].ticks <= at:
            waiting.popleft()
        if not waiting or waiting[0].ticks > at:
            return UNKNOWN
        before = waiting[0]
        if before.ticks == at:
            return before.value
        if len(waiting) < 2 or waiting[1].ticks - before.ticks > self._patience:
            return UNKNOWN
        after = waiting[1]
        share = (at - before.ticks) / (after.ticks - before.ticks)
        x, y, z = (a + share * (b - a) for a, b in zip(before.value, after.value, strict=True))
        return (x, y, z)
