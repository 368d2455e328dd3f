"""A recording played through the live chain, block by block and in bounded memory."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from calibration.segment import JointCalibration
from calibration.store import joints_of
from imu.errors import CalibrationError, InputError
from imu.recording import Event, Recording
from rom.alert import Alert, clock
from rom.angles import JointSeries, join_series
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import Movement, Side
from rom.passes import Pass, PassDetector, PassParams, Rep
from rom.phases import calibrating
from rom.quality import QualityCount, SensorQuality
from rom.reading import TrackerSetup
from rom.relay import COUNTS_FROM, Relay, Renewal, between
from rom.review import AS_LIVE, look_back
from rom.sensing import sensors_of, worn_since
from rom.tracker import JointTracker
from rom.watch import Watch
from rom.worn import calibrate_recording, choose_calibration, tracker_setup

STRETCH = 30.0
"""Blocks of a replay are so long, s: bounded memory, less cost than short ones, the same angles."""

RATE_TOLERANCE = 0.1
"""A sampling rate that differs by more from what the timestamps give is wrong, not drift."""

Estimator = Literal["live", "best"]
"""Angles as they were seen live, or the best estimate in the light of the whole recording."""

CalibrationSource = Literal["given", "embedded", "computed", "none"]

_JOINT_KINDS = ("joint", "calibration")
"""Calibration documents that concern joints."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of capture time in which reps or passes, or both, are looked for."""

    start: float
    stop: float
    reps: bool
    passes: bool


@dataclass(frozen=True, slots=True)
class MarkedPass:
    """A pass and what was being treated.

    Parameters
    ----------
    found
        The pass.
    structure, technique
        Of the treatment it fell into; empty outside any.
    doubts
        What the watchdogs hold against it, in words.
    travel_sigma
        One-sigma error of its travel, sensors and straps, soft tissue not, rad; NaN where not known.
    """

    found: Pass
    structure: str
    technique: str
    doubts: tuple[str, ...] = ()
    travel_sigma: float = math.nan

    def to_document(self) -> dict[str, Any]:
        """Return the pass for `--json`, degrees and seconds."""
        p = self.found
        return {
            "structure": self.structure,
            "technique": self.technique,
            "t_start_s": p.start,
            "t_stop_s": p.stop,
            "t_leave_s": p.leave,
            "start_deg": math.degrees(p.start_angle),
            "end_deg": math.degrees(p.end_angle),
            "travel_deg": math.degrees(p.travel),
            "travel_sigma_deg": math.degrees(self.travel_sigma),
            "duration_s": p.stop - p.start,
            "hold_s": p.leave - p.stop,
            "peak_speed_deg_s": math.degrees(p.peak_speed),
            "partial": p.partial,
            "gap": p.gap,
            "doubts": list(self.doubts),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ReplayStep:
    """What one block of a recording brought."""

    series: JointSeries
    reps: tuple[Rep, ...]
    passes: tuple[Pass, ...]
    alerts: tuple[Alert, ...] = ()


class Replay:
    """A recording played through the live chain: the same angles, reps and passes, in bounded memory.

    Parameters are those of `analyse`.
    """

    def __init__(
        self,
        recording: Recording,
        movement: Movement | str = "",
        side: Side | Literal[""] = "",
        *,
        phase: str = "",
        calibrations: Sequence[JointCalibration] = (),
        one_sensor: bool = False,
        filter_name: str = "vqf",
        magnetometer: bool = False,
        pass_params: PassParams | None = None,
        estimate: Estimator = "live",
    ) -> None:
        self.recording, self.estimate = recording, estimate
        self.movement = _movement_of(recording, movement)
        self.side: Side = _side_of(recording, self.movement, side)
        self.phase = phase or recording.header.phase
        self._events = sorted(recording.events, key=lambda event: event.t)
        rates = {s.sensor: s.rate_hz for s in recording.header.sensors} | dict(_missing_rates(recording))
        setup = tracker_setup(
            recording.header,
            self.movement,
            self.side,
            one_sensor=one_sensor,
            filter_name=filter_name,
            magnetometer=magnetometer,
            worn_from=worn_since(self._events),
            rates=rates,
            known=sensors_of(recording, rates),
        )
        for sensor in setup.sensors:
            if not recording.samples.get(sensor.sensor, 0):
                raise InputError(f"{recording.path}: sensor {sensor.sensor} has no samples; record again")
        self._trials = self._windows("trial")
        self._treatments = self._windows("treatment")
        self._choose_phase(phase)
        self.refusals: tuple[str, ...] = ()
        calibration, source = self._calibration(setup, calibrations)
        renewals = self._renewed([sensor.sensor for sensor in setup.sensors])
        if calibration is None and renewals:
            calibration, source = renewals.pop(0).calibration, "computed"
        self.calibration_source: CalibrationSource = source
        self.renewals = tuple(renewals)
        self.setup = replace(setup, calibration=calibration)
        self.pass_params = pass_params
        self._counts = {s.sensor: QualityCount(s.sensor, s.rate) for s in self.setup.sensors}

    def _choose_phase(self, wanted: str) -> None:
        """Keep the trials of one phase of the visit; refuse to mix several."""
        phases = list(dict.fromkeys(str(event.data.get("phase", "")) for _, _, event in self._trials))
        if (wanted and phases and wanted not in phases) or (not wanted and len(phases) > 1):
            held = " and ".join(phase or "one without name" for phase in phases)
            raise InputError(
                f"{self.recording.path}: expected {f'the phase {wanted}' if wanted else 'one phase'}, "
                f"but the recording holds {held}; name one with --phase"
            )
        if phases:
            self.phase = wanted or phases[0]
            self._trials = [w for w in self._trials if str(w[2].data.get("phase", "")) == self.phase]

    def steps(self, seconds: float = STRETCH) -> Iterator[ReplayStep]:
        """Yield angles, reps and passes block by block; call once."""
        watch = Watch(self.recording.header, self.setup, self.movement, self.side, self._events)
        tracker = self._relay(watch, seconds)
        detectors = _Detectors(self._spans(), self.movement.gain_sign, self.pass_params)
        for block in self.recording.blocks(seconds):
            watch.feed(block)
            if block.sensor in self._counts:
                self._counts[block.sensor].add(block)
                series = tracker.feed(block)
                alerts = watch.news()
                if len(series) or alerts:
                    yield replace(detectors.take(series), alerts=alerts)
        series = tracker.finish()
        yield replace(detectors.take(series), alerts=watch.news())
        yield detectors.finish()

    @property
    def setups(self) -> list[TrackerSetup]:
        """How it is tracked: from the beginning, and from each calibration on that was done again."""
        again = [
            replace(self.setup, calibration=each.calibration, worn_from=each.since) for each in self.renewals
        ]
        return [self.setup, *again]

    def setup_at(self, t: float) -> TrackerSetup:
        """Return how it is tracked at an instant, s."""
        return self.setups[sum(each.since <= t for each in self.renewals)]

    def _relay(self, watch: Watch, seconds: float) -> Relay:
        """Return the trackers of the recording, each from its calibration on."""
        starts = [-math.inf, *(renewal.since for renewal in self.renewals)]
        stops = [*starts[1:], math.inf]
        trackers: list[JointTracker] = []
        for setup, start, stop in zip(self.setups, starts, stops, strict=True):
            own = between(self.recording.blocks(seconds), start, stop)
            best = look_back(setup, own) if self.estimate == "best" else AS_LIVE
            trackers.append(JointTracker(setup, watch.over(setup, best.heading), best.filters))
        relay = Relay(trackers[0], list(self._counts))
        for renewal, tracker in zip(self.renewals, trackers[1:], strict=True):
            relay.expect(renewal.since, tracker)
        return relay

    def quality(self) -> tuple[SensorQuality, ...]:
        """Return what the sensors delivered; raise `InputError` if a rate contradicts the timestamps."""
        results = tuple(count.result() for count in self._counts.values())
        nominal = {sensor.sensor: sensor.rate for sensor in self.setup.sensors}
        for each in results:
            if abs(each.rate / nominal[each.sensor] - 1.0) > RATE_TOLERANCE:
                raise InputError(
                    f"sensor {each.sensor}: its timestamps give {each.rate:.1f} Hz, but the recording says "
                    f"{nominal[each.sensor]:g} Hz; import it again with the right rate"
                )
        return results

    def mark(self, found: Pass) -> MarkedPass:
        """Return a pass with the treatment it fell into."""
        for start, stop, event in self._treatments:
            if start <= found.stop <= stop:
                data = event.data
                return MarkedPass(found, str(data.get("structure", "")), str(data.get("technique", "")))
        return MarkedPass(found, "", "")

    def _spans(self) -> list[_Span]:
        """Return where reps and passes are looked for."""
        if self._trials or self._treatments:
            spans = [_Span(start, stop, reps=True, passes=False) for start, stop, _ in self._trials]
            spans += [_Span(start, stop, reps=False, passes=True) for start, stop, _ in self._treatments]
            return sorted(spans, key=lambda span: span.start)
        ends = [e.t for e in self._events if e.kind == "calibration_stop"]
        return [_Span(max(ends, default=-math.inf), math.inf, reps=True, passes=True)]

    def _windows(self, kind: str) -> list[tuple[float, float, Event]]:
        """Return start, stop and first event of the trials of this movement, or of the treatments."""
        windows: list[tuple[float, float, Event]] = []
        opened: Event | None = None
        for event in self._events:
            if event.kind == f"{kind}_start":
                opened = event
            elif event.kind == f"{kind}_stop" and opened is not None:
                windows.append((opened.t, event.t, opened))
                opened = None
        if opened is not None:
            windows.append((opened.t, math.inf, opened))
        if kind != "trial":
            return windows
        mine = [w for w in windows if self._is_mine(w[2])]
        if windows and not mine:
            marked = ", ".join(
                sorted({f"{w[2].data.get('movement')} {w[2].data.get('side')}" for w in windows})
            )
            raise InputError(
                f"{self.recording.path}: expected a trial of {self.movement.id} {self.side}, but this "
                f"recording's trials are of {marked}; name one of these"
            )
        return mine

    def _is_mine(self, event: Event) -> bool:
        movement, side = event.data.get("movement"), event.data.get("side")
        return movement in (None, "", self.movement.id) and side in (None, "", self.side)

    def _calibration(
        self, setup: TrackerSetup, given: Sequence[JointCalibration]
    ) -> tuple[JointCalibration | None, CalibrationSource]:
        sensors = [sensor.sensor for sensor in setup.sensors]
        if given:
            chosen = choose_calibration(given, sensors)
            if chosen is None:
                worn = sorted({a.sensor for c in given for a in (c.proximal, c.distal)})
                raise InputError(
                    f"expected a calibration of sensors {' and '.join(sensors)}, but those given are of "
                    f"{', '.join(worn)}; name the calibration of this client's sensors"
                )
            return chosen, "given"
        first = [each for each in self.recording.calibrations if COUNTS_FROM not in each]
        embedded = [joint for document in first for joint in _joints(document)]
        chosen = choose_calibration(embedded, sensors)
        if chosen is not None:
            return chosen, "embedded"
        chosen = choose_calibration(calibrate_recording(self.recording), sensors)
        return (chosen, "computed") if chosen is not None else (None, "none")

    def _renewed(self, sensors: Sequence[str]) -> list[Renewal]:
        """Return the calibrations of these sensors that were done again, in order of time.

        One that says too little is not used, as if it had been refused live; `refusals` says so.
        """
        found: list[Renewal] = []
        for since in [each.since for each in calibrating(self._events) if each.since is not None]:
            own = [each for each in self.recording.calibrations if each.get(COUNTS_FROM) == since]
            try:
                joints = [joint for each in own for joint in _joints(each)]
                chosen = choose_calibration(joints or calibrate_recording(self.recording, since), sensors)
            except CalibrationError as error:
                self.refusals += (f"calibrated again at {clock(since, None)}, but not used: {error}",)
                continue
            if chosen is not None:
                found.append(Renewal(since, chosen))
        return found


class _Detectors:
    """One detector for each span, which sees nothing from outside it."""

    def __init__(self, spans: Sequence[_Span], forward: Literal[-1, 1], params: PassParams | None) -> None:
        self._open = [(span, PassDetector(forward, params)) for span in spans]

    def take(self, series: JointSeries) -> ReplayStep:
        """Return a stretch of angles with the reps and passes that it completes."""
        reps: list[Rep] = []
        passes: list[Pass] = []
        if len(series):
            for span, detector in list(self._open):
                inside = (series.t >= span.start) & (series.t <= span.stop)
                found = [detector.feed(series.t[inside], series.angle[inside, 0])] if inside.any() else []
                if series.t[-1] > span.stop:
                    found.append(detector.finish())
                    self._open.remove((span, detector))
                reps += [rep for each in found for rep in each.reps if span.reps]
                passes += [each for part in found for each in part.passes if span.passes]
        return ReplayStep(series, tuple(reps), tuple(passes))

    def finish(self) -> ReplayStep:
        """Return what the spans still open hold, at the end of the recording."""
        ends = [(span, detector.finish()) for span, detector in self._open]
        self._open = []
        return ReplayStep(
            join_series([]),
            tuple(rep for span, found in ends for rep in found.reps if span.reps),
            tuple(each for span, found in ends for each in found.passes if span.passes),
        )


def _movement_of(recording: Recording, movement: Movement | str) -> Movement:
    """Return the movement asked for, else the recording's own."""
    if isinstance(movement, Movement):
        return movement
    marked = sorted({str(e.data["movement"]) for e in recording.events if e.data.get("movement")})
    name = movement or recording.header.movement or (marked[0] if len(marked) == 1 else "")
    if not name:
        raise InputError(
            f"{recording.path}: expected a movement, but the recording names "
            f"{' and '.join(marked) or 'none'}; say which with --movement (see `rom movements`)"
        )
    return load_catalogue().movement(name)


def _side_of(recording: Recording, movement: Movement, side: Side | Literal[""]) -> Side:
    """Return the side asked for, else the recording's own."""
    if movement.laterality == "midline" and not side:
        return "midline"
    name = side or recording.header.side
    if name not in ("left", "right", "midline"):
        raise InputError(
            f"{recording.path}: expected a side, but the recording names none; say --side left or right"
        )
    movement.check_side(name)
    return name


def _missing_rates(recording: Recording) -> Mapping[str, float]:
    """Return sampling rates, Hz, that the header does not know, from counts and times."""
    unknown = [s.sensor for s in recording.header.sensors if not math.isfinite(s.rate_hz)]
    if not unknown or recording.duration <= 0.0:
        return {}
    return {sensor: round(recording.samples.get(sensor, 0) / recording.duration) for sensor in unknown}


def _joints(document: Mapping[str, Any]) -> list[JointCalibration]:
    """Return the joint calibrations of an embedded document; documents of sensors are not for us."""
    return joints_of(document, "calibration in the recording") if document.get("kind") in _JOINT_KINDS else []
