"""The watchdogs of a capture: they speak while there is time to act, live and on replay alike.

They look at what both have anyway: the samples, the events, the frames with their relative heading, the
calibration. What each one knows is in `rom.watch_sensor` (one sensor's samples) and `rom.watch_strap` (two
segments of a joint); this room brings them what they need and collects what they say.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from calibration.heading_series import Heading
from calibration.segment import JointCalibration
from imu.block import FloatArray, ImuBlock
from imu.recording import Event, RecordingHeader
from imu.sync import Frames
from rom.alert import Alert, place
from rom.catalogue.movement import Movement, Side
from rom.reading import HeadingSource, TrackerSetup
from rom.sensing import worn_since
from rom.strokes import StrokeFinder
from rom.watch_sensor import REMEMBERED, SPAN, SensorWatch
from rom.watch_strap import StrapWatch

STALE = timedelta(hours=2)
"""A calibration made longer before the recording is not taken for this strapping: longer than any visit, and
nobody has straps on for so long without moving them."""

OTHER_MOVES = math.radians(10.0)
"""Root mean square rate over `TOGETHER` from which a limb is being moved, rad/s: half a slow pass."""
CLEARLY = 3.0
"""The other side must move so many times as much as the side that is measured (`imu.check`)."""
TOGETHER = 6
"""Stretches of `SPAN` that are compared: three seconds."""
LEAST_RATE = math.radians(1.0)
"""A limb at ease does not move less, rad/s; a ratio to it stays finite."""

MEASURED = ("trial", "treatment")


class Watch:
    """Everything that watches one movement. Alerts come out of `news`, each once.

    Parameters
    ----------
    header
        Sensors and their segments, and when the capture began.
    setup
        Sensors that measure the movement.
    movement, side
        What is measured.
    events
        Those known beforehand (replay). Without any, nothing counts until `take` is told of one.
    """

    def __init__(
        self,
        header: RecordingHeader,
        setup: TrackerSetup,
        movement: Movement,
        side: Side,
        events: Sequence[Event] | None = None,
    ) -> None:
        self.begun = header.created_at
        self._movement = movement
        self._side: Side = side
        self._used = {sensor.sensor for sensor in setup.sensors}
        ranges = {info.sensor: info.gyr_range_dps for info in header.sensors}
        self._sensors = {
            info.sensor: SensorWatch(info.sensor, info.segment, math.radians(ranges[info.sensor] or math.inf))
            for info in header.sensors
        }
        self._pair = _pair(header, setup, side)
        self._straps: _Straps | None = None
        self._news: list[Alert] = []
        self._compared = 0
        self._worn_from = math.inf
        self._spans: list[tuple[str, float, float]] = []
        if events is not None:
            self._worn_from = worn_since(events)
            for event in events:
                self.take(event)
            if not self._spans:
                self._spans = [("trial", -math.inf, math.inf)]

    def take(self, event: Event) -> None:
        """Note an event; events come in order of time."""
        since = worn_since([event])
        if self._worn_from == math.inf and math.isfinite(since):
            self._worn_from = since
        for kind in MEASURED:
            if event.kind == f"{kind}_start":
                self._spans.append((kind, event.t, math.inf))
            elif event.kind == f"{kind}_stop":
                self._spans = [
                    (name, start, event.t if name == kind and math.isinf(stop) else stop)
                    for name, start, stop in self._spans
                ]

    def feed(self, block: ImuBlock) -> None:
        """Take samples of any sensor of the capture."""
        watch = self._sensors.get(block.sensor)
        if watch is None or not len(block) or block.t[-1] < self._worn_from:
            return
        if block.t[0] < self._worn_from:
            block = block[int(block.t.searchsorted(self._worn_from)) :]
        found = watch.feed(block)
        if block.sensor in self._used:
            self._news += found
        if self._pair is not None:
            self._compare_sides(*self._pair)

    def over(self, setup: TrackerSetup, heading: HeadingSource | None = None) -> HeadingSource | None:
        """Return the relative heading to track with, watched: that given, else the live estimator.

        None where the setup has no relative heading: without two calibrated sensors nothing tells whether
        a strap slipped.
        """
        calibration = setup.calibration
        if calibration is None:
            return heading
        self._stale(calibration)
        if setup.proximal is None or setup.rule.kind == "inclination":
            return heading
        source = heading or setup.estimator(calibration)
        self._straps = _Straps(self, source, calibration, setup)
        return self._straps

    def news(self) -> tuple[Alert, ...]:
        """Return what was found since the last call, in order of the time it was found."""
        if not self._news:
            return ()
        found, self._news = self._news, []
        return tuple(sorted(found, key=lambda alert: (alert.t, alert.kind, alert.sensor)))

    def measured(self, t: float) -> bool:
        """Return whether a test or a treatment is going on at an instant."""
        return any(start <= t <= stop for _, start, stop in self._spans)

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Add to the news."""
        self._news += alerts

    def _stale(self, calibration: JointCalibration) -> None:
        made = calibration.made_at
        age = self.begun - _time(made) if made else timedelta(0)
        if age <= STALE:
            return
        hours = age.total_seconds() / 3600.0
        old = f"{hours / 24.0:.0f} days" if hours > 48.0 else f"{hours:.0f} hours"
        self._news.append(
            Alert(
                "stale",
                "warning",
                0.0,
                0.0,
                math.inf,
                "",
                "",
                f"The calibration was made {old} before this recording began",
                "It holds for the straps of that time only",
                "Calibrate again (8 s), or be sure the sensors have not been moved since",
                age.total_seconds(),
            )
        )

    def _compare_sides(self, mine: str, other: str) -> None:
        """Go through the stretches that both sides have by now."""
        here, there = self._sensors[mine].levels, self._sensors[other].levels
        last = min(next(reversed(here), 0), next(reversed(there), 0))
        first = max(self._compared + 1, last - REMEMBERED)
        if first > last:
            return
        own, others = (_moving(levels, first, last) for levels in (here, there))
        for k in np.flatnonzero((others > OTHER_MOVES) & (others > CLEARLY * own)).tolist():
            index, ratio = first + k, float(others[k]) / max(float(own[k]), LEAST_RATE)
            if self.measured((index - TOGETHER) * SPAN) and self.measured(index * SPAN):
                self._news.append(self._other_side(other, index * SPAN, ratio))
                self._pair = None
                return
        self._compared = last

    def _other_side(self, sensor: str, t: float, ratio: float) -> Alert:
        segment = self._sensors[sensor].segment
        return Alert(
            "other_side",
            "warning",
            t,
            t - TOGETHER * SPAN,
            math.inf,
            sensor,
            segment,
            f"{place(segment)} sensor moves, but {self._movement.title(self._side)} is measured",
            "Left and right look exchanged, or the other limb is being moved",
            "Lift the limb to be measured and see which sensor answers",
            ratio,
        )

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "sensors": {name: watch.save() for name, watch in self._sensors.items()},
            "straps": None if self._straps is None else self._straps.save(),
            "worn_from": self._worn_from,
            "spans": [list(span) for span in self._spans],
            "compared": self._compared,
            "pair": self._pair,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the saved state of a watch of the same capture, after `over`."""
        for name, watch in self._sensors.items():
            watch.restore(state["sensors"][name])
        if self._straps is not None:
            self._straps.restore(state["straps"])
        self._worn_from = float(state["worn_from"])
        self._spans = [(str(kind), float(start), float(stop)) for kind, start, stop in state["spans"]]
        self._compared = int(state["compared"])
        self._pair = None if state["pair"] is None else (state["pair"][0], state["pair"][1])


class _Straps:
    """A relative heading that is watched: hands its frames on, and their strokes to the judge of straps."""

    def __init__(
        self, watch: Watch, source: HeadingSource, calibration: JointCalibration, setup: TrackerSetup
    ) -> None:
        self._watch, self._source = watch, source
        self._finder = StrokeFinder(calibration, setup.output_rate)
        self._judge = StrapWatch(calibration, setup.rule.component)

    def feed(self, frames: Frames, /) -> Heading:
        heading = self._source.feed(frames)
        for stroke in self._finder.feed(frames, heading):
            middle = 0.5 * (stroke.start + stroke.stop)
            self._watch.tell(self._judge.judge(stroke, measured=self._watch.measured(middle)))
        return heading

    def save(self) -> dict[str, Any]:
        return {"source": self._source.save(), "finder": self._finder.save(), "judge": self._judge.save()}

    def restore(self, state: Mapping[str, Any], /) -> None:
        self._source.restore(state["source"])
        self._finder.restore(state["finder"])
        self._judge.restore(state["judge"])


def _pair(header: RecordingHeader, setup: TrackerSetup, side: Side) -> tuple[str, str] | None:
    """Return the distal sensor and the one at the same place of the other side; None without one."""
    if side == "midline":
        return None
    segments = {info.sensor: info.segment for info in header.sensors}
    other = "right" if side == "left" else "left"
    mirrored = segments[setup.distal.sensor].replace(side, other, 1)
    found = next((sensor for sensor, segment in segments.items() if segment == mirrored), None)
    return None if found is None or found == setup.distal.sensor else (setup.distal.sensor, found)


def _moving(levels: Mapping[int, float], first: int, last: int) -> FloatArray:
    """Return the root mean square rate over `TOGETHER` stretches up to each, rad/s, NaN where one lacks."""
    known = np.array([levels.get(k, math.nan) for k in range(first - TOGETHER + 1, last + 1)])
    total = known[: last - first + 1].copy()
    for later in range(1, TOGETHER):
        total += known[later : later + len(total)]
    return np.sqrt(total / TOGETHER)


def _time(made_at: str) -> datetime:
    made = datetime.fromisoformat(made_at)
    return made if made.tzinfo is not None else made.astimezone()
