"""How late the screen is, taken by looking over the shoulders of those who receive, compute and paint."""

import math
from collections import deque
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from imu.block import ImuBlock
from imu.sensors.stream import Heard, SensorStream
from rom.live import LiveTrial
from rom.replay import ReplayStep


class Lateness:
    """Three latenesses of the curve, s, all on the monotonic clock and up to the end of its paint event.

    `newest`
        For every notification that made angles: from its arrival in this process (the stamp that is recorded
        with it) until the newest of these angles is first painted.
    `every`
        For every single angle: from the arrival of the last notification that it needs, of whichever sensor,
        until it is first painted. A wait of samples that are here already is in it.
    `age`
        For every frame with a new angle: how long ago the newest was sampled; what the sensor kept back to
        send several samples at once is in it too.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.newest: list[float] = []
        self.every: list[float] = []
        self.age: list[float] = []
        self._arrivals: dict[tuple[str, float], float] = {}
        self._heard: dict[str, deque[tuple[float, float]]] = {}
        self._made: deque[tuple[float, float]] = deque()
        self._angles: deque[tuple[float, float]] = deque()
        self._fetched = self._painted = -math.inf

    @property
    def sentence(self) -> str:
        """What was counted, in words."""
        return "; ".join(
            f"{name} {np.median(seconds):.0f} ms median, {np.percentile(seconds, 95):.0f} ms 95th percentile"
            for name, seconds in (
                (
                    "arrival of a notification to the newest angle it made painted",
                    1e3 * np.array(self.newest),
                ),
                ("arrival of all that an angle needs to it painted", 1e3 * np.array(self.every)),
                ("age of the newest angle painted", 1e3 * np.array(self.age)),
            )
        )

    def clear(self) -> None:
        """Begin to count anew."""
        self.frames = 0
        for counted in (self.newest, self.every, self.age):
            counted.clear()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Look over the shoulders of all windows and captures that begin inside."""
        from tools.app.angle_plot import AnglePlot
        from tools.app.session import Session

        hear, compute, fetch, paint = SensorStream.feed, LiveTrial.feed, Session.arrived, AnglePlot.paintEvent
        shown: list[Session] = []

        def heard(stream: SensorStream, arrival: float, characteristic: str, payload: bytes) -> Heard:
            found = hear(stream, arrival, characteristic, payload)
            if found.block is not None:
                self._arrivals[found.block.sensor, float(found.block.t[-1])] = arrival
            return found

        def computed(live: LiveTrial, block: ImuBlock) -> ReplayStep:
            end = float(block.t[-1])
            arrival = self._arrivals.pop((block.sensor, end), math.nan)
            if live.begun and block.sensor in live.sensors:
                self._heard.setdefault(block.sensor, deque()).append((end, arrival))
            step = compute(live, block)
            if live.begun and len(step.series) and len(self._heard) == len(live.sensors):
                self._made.append((float(step.series.t[-1]), arrival))
                self._angles += [(t, self._complete(t)) for t in step.series.t.tolist()]
            return step

        def fetched(session: Session) -> list[ReplayStep]:
            steps = fetch(session)
            self._fetched = max([self._fetched, *(float(s.series.t[-1]) for s in steps if len(s.series))])
            shown[:] = [session]
            return steps

        def painted(plot: AnglePlot, event: Any) -> None:
            paint(plot, event)
            if shown:
                self._note(shown[0].now)

        with ExitStack() as hooks:
            for owner, name, hook in (
                (SensorStream, "feed", heard),
                (LiveTrial, "feed", computed),
                (Session, "arrived", fetched),
                (AnglePlot, "paintEvent", painted),
            ):
                hooks.enter_context(patch.object(owner, name, hook))
            yield

    def _note(self, now: float) -> None:
        self.frames += 1
        if self._fetched <= self._painted:
            return
        self._painted = self._fetched
        self.age.append(now - self._painted)
        for waiting, counted in ((self._made, self.newest), (self._angles, self.every)):
            while waiting and waiting[0][0] <= self._painted:
                counted.append(now - waiting.popleft()[1])

    def _complete(self, t: float) -> float:
        """Return when the last notification arrived that the angle at an instant needs, s."""
        last = -math.inf
        for heard in self._heard.values():
            while len(heard) > 1 and heard[0][0] < t:
                heard.popleft()
            last = max(last, heard[0][1])
        return last
