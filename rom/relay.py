"""Trackers that follow one another in one recording: each reads the samples from its own calibration on.

A strap that slipped is calibrated again in the middle of a recording. What came before keeps the calibration
it was measured with, what comes from the new pose on has the new one, live and on replay to the last bit: a
sample belongs to the tracker of its own time, whenever the calibration that decides became known.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from calibration.segment import JointCalibration
from imu.block import ImuBlock
from rom.angles import JointSeries, join_series
from rom.tracker import JointTracker

COUNTS_FROM = "counts_from_s"
"""Key of a calibration document in a recording: from when on it counts, s; without it from the beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class Renewal:
    """A joint that was calibrated again: `calibration` counts from `since` on, when its pose began, s."""

    since: float
    calibration: JointCalibration


class Relay:
    """The trackers of one movement, one at a time.

    Parameters
    ----------
    tracker
        The first.
    sensors
        Those it reads. A tracker is over once all of them have passed the beginning of the next.
    """

    def __init__(self, tracker: JointTracker, sensors: Sequence[str]) -> None:
        self._tracker = tracker
        self._sensors = frozenset(sensors)
        self._passed: set[str] = set()
        self._waiting: list[ImuBlock] = []
        self._next: deque[tuple[float, JointTracker | None]] = deque()

    def expect(self, since: float, tracker: JointTracker | None = None) -> None:
        """Let samples from `since` (s) on wait for another tracker, if need be until `follow` names it."""
        self._next.append((since, tracker))

    def follow(self, tracker: JointTracker) -> JointSeries:
        """Name the tracker that is waited for; return the angles of what waited."""
        since, _ = self._next.pop()
        self._next.append((since, tracker))
        return join_series(self._hand_over())

    def stay(self) -> JointSeries:
        """Give up waiting for the last one expected: the one before goes on with what waited."""
        self._next.pop()
        waiting, self._waiting = self._waiting, []
        self._passed.clear()
        return join_series([self.feed(block) for block in waiting])

    def feed(self, block: ImuBlock) -> JointSeries:
        """Take the next samples of one sensor; return the angles they complete."""
        if block.sensor not in self._sensors or not len(block):
            return join_series([])
        first = int(block.t.searchsorted(self._next[0][0] if self._next else math.inf))
        done = [self._tracker.feed(block[:first])] if first else []
        if first < len(block):
            self._waiting.append(block[first:])
            self._passed.add(block.sensor)
            done += self._hand_over()
        return done[0] if len(done) == 1 else join_series(done)

    def finish(self) -> JointSeries:
        """Return the angles that the last samples complete."""
        done: list[JointSeries] = []
        while self._next:
            self._passed |= self._sensors
            done += [self.stay()] if self._next[0][1] is None else self._hand_over()
        return join_series([*done, self._tracker.finish()])

    def _hand_over(self) -> list[JointSeries]:
        """Let the next tracker begin, if it is there and this one has all its samples."""
        if not self._passed >= self._sensors or self._next[0][1] is None:
            return []
        done = [self._tracker.finish()]
        _, tracker = self._next.popleft()
        assert tracker is not None
        self._tracker = tracker
        waiting, self._waiting = self._waiting, []
        self._passed.clear()
        return [*done, *(self.feed(block) for block in waiting)]


def between(blocks: Iterable[ImuBlock], start: float, stop: float) -> Iterator[ImuBlock]:
    """Yield the samples from `start` up to, but not at, `stop` (s)."""
    for block in blocks:
        first, last = block.t.searchsorted([start, stop]).tolist()
        if last > first:
            yield block[first:last]
