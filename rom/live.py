"""One movement measured while it happens, and watched: the chain of `rom.replay`, fed as the samples come.

It is told the events that go into the recording and the blocks that were recorded, and says what a replay
of that recording will say, to the last bit: the blocks of the calibration wait until the calibration is
known, then run through the same tracker as everything after them. So it is with a calibration that is done
again after something was measured: its blocks wait for the tracker that goes on from its pose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from calibration.segment import JointCalibration
from calibration.sensor import SensorCalibration
from imu.block import ImuBlock
from imu.recording import Event, RecordingHeader
from rom.angles import JointSeries, join_series
from rom.catalogue.movement import Movement, Side
from rom.passes import Pass, PassDetector, PassParams, Rep
from rom.phases import MEASURES, begins_pose
from rom.reading import TrackerSetup
from rom.relay import Relay
from rom.replay import ReplayStep
from rom.sensing import known_sensors, worn_since
from rom.tracker import JointTracker
from rom.watch import Watch
from rom.worn import choose_calibration, tracker_setup


@dataclass(slots=True)
class _Window:
    """A trial or a treatment, running or over."""

    kind: str
    start: float
    detector: PassDetector
    stop: float = math.inf


class LiveTrial:
    """Angles, reps and passes of one movement as they happen.

    Parameters
    ----------
    header
        The capture's sensors and their segments.
    movement, side
        What is measured.
    one_sensor
        See `rom.worn.tracker_setup`.
    pass_params
        What counts as a rep or pass.
    sensor_calibrations
        Those that the recording embeds.

    Raises
    ------
    InputError
        If a sensor is missing.
    """

    def __init__(
        self,
        header: RecordingHeader,
        movement: Movement,
        side: Side,
        *,
        one_sensor: bool = False,
        pass_params: PassParams | None = None,
        sensor_calibrations: Sequence[SensorCalibration] = (),
    ) -> None:
        self.movement = movement
        self.side: Side = side
        self._header = header
        self._one_sensor = one_sensor
        self._params = pass_params
        self._sensor_calibrations = sensor_calibrations
        self._worn_from = -math.inf
        self._held: list[ImuBlock] = []
        self._windows: list[_Window] = []
        self._relay: Relay | None = None
        self._measured = False
        self._renewing: float | None = None
        self._setup_now = self._setup(None)
        self.sensors = [sensor.sensor for sensor in self._setup_now.sensors]
        self._watch = Watch(header, self._setup_now, movement, side)

    @property
    def begun(self) -> bool:
        """Whether angles are computed."""
        return self._relay is not None

    @property
    def renewing(self) -> float | None:
        """When the pose began of the calibration that is being done again, s; None if none is."""
        return self._renewing

    def take(self, event: Event) -> None:
        """Note an event that was put into the recording; events come in order of time."""
        if math.isinf(self._worn_from):
            self._worn_from = worn_since([event])
        self._watch.take(event)
        if self._relay is not None and self._measured and begins_pose(event):
            self._renewing = event.t
            self._relay.expect(event.t)
        self._measured = self._measured or event.kind in MEASURES
        for kind in ("trial", "treatment"):
            if event.kind == f"{kind}_start":
                self._windows.append(
                    _Window(kind, event.t, PassDetector(self.movement.gain_sign, self._params))
                )
            elif event.kind == f"{kind}_stop":
                for window in self._windows:
                    if window.kind == kind and math.isinf(window.stop):
                        window.stop = event.t

    def begin(self, calibrations: Sequence[JointCalibration]) -> ReplayStep:
        """Start to compute angles; return those of everything fed so far.

        Parameters
        ----------
        calibrations
            The newest that fits the sensors is used; none measures from the start pose.
        """
        chosen = choose_calibration(calibrations, self.sensors)
        self._setup_now = self._setup(chosen)
        self._relay = Relay(self._tracker(), self.sensors)
        held, self._held = self._held, []
        return self._step(join_series([self._relay.feed(block) for block in held]))

    def renew(self, calibrations: Sequence[JointCalibration]) -> ReplayStep:
        """Go on from the pose that calibrates again, with its calibration; return the angles since then."""
        assert self._relay is not None
        assert self._renewing is not None
        chosen = choose_calibration(calibrations, self.sensors)
        self._setup_now = replace(self._setup_now, calibration=chosen, worn_from=self._renewing)
        self._renewing = None
        return self._step(self._relay.follow(self._tracker()))

    def keep(self) -> ReplayStep:
        """Go on with the calibration there was: the new one was taken back; return the angles since then."""
        if self._relay is None or self._renewing is None:
            return ReplayStep(join_series([]), (), ())
        self._renewing = None
        return self._step(self._relay.stay())

    def feed(self, block: ImuBlock) -> ReplayStep:
        """Take recorded samples; return what they complete: while a calibration is open alerts, no angles."""
        self._watch.feed(block)
        if self._relay is None:
            self._held.append(block)
            return ReplayStep(join_series([]), (), (), self._watch.news())
        return self._step(self._relay.feed(block))

    def finish(self) -> ReplayStep:
        """Return what the last samples complete."""
        if self._relay is None:
            return ReplayStep(join_series([]), (), ())
        last = self._step(self._relay.finish())
        ends = [(window, window.detector.finish()) for window in self._windows]
        self._windows = []
        reps = tuple(rep for window, found in ends if window.kind == "trial" for rep in found.reps)
        passes = tuple(one for window, found in ends if window.kind == "treatment" for one in found.passes)
        return ReplayStep(last.series, last.reps + reps, last.passes + passes, last.alerts)

    def _tracker(self) -> JointTracker:
        return JointTracker(self._setup_now, self._watch.over(self._setup_now))

    def _step(self, series: JointSeries) -> ReplayStep:
        reps: list[Rep] = []
        passes: list[Pass] = []
        for window in list(self._windows):
            inside = (series.t >= window.start) & (series.t <= window.stop)
            found = []
            if inside.any():
                found.append(window.detector.feed(series.t[inside], series.angle[inside, 0]))
            if len(series) and series.t[-1] > window.stop:
                found.append(window.detector.finish())
                self._windows.remove(window)
            for each in found:
                reps += each.reps if window.kind == "trial" else ()
                passes += each.passes if window.kind == "treatment" else ()
        return ReplayStep(series, tuple(reps), tuple(passes), self._watch.news())

    def _setup(self, calibration: JointCalibration | None) -> TrackerSetup:
        rates = {sensor.sensor: sensor.rate_hz for sensor in self._header.sensors}
        return tracker_setup(
            self._header,
            self.movement,
            self.side,
            calibration,
            one_sensor=self._one_sensor,
            worn_from=self._worn_from,
            known=known_sensors(self._sensor_calibrations, self._held, rates, self._worn_from),
        )
