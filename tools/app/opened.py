"""One recording under review, without Qt: what is known of it so far, and its trial once it is measured."""

import math
from dataclasses import dataclass, field

import numpy as np

from imu.check import liveliness
from imu.recording import Recording
from rom.angles import JointSeries
from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from rom.passes import Pass, Rep
from rom.replay import ReplayStep
from rom.trial import Trial
from tools.app.scene import Curve, Span

OVERVIEW_POINTS = 1500
ACTIVITY_S = 2.0
"""How finely the movement of a recording is drawn before its angle is known, s."""
NOTHING = Curve(np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(eq=False)
class Opened:
    """One recording.

    Parameters
    ----------
    recording
        The file.
    catalogue
        Names its movement.
    """

    recording: Recording
    catalogue: Catalogue
    trial: Trial | None = None
    best: Curve | None = None
    apart: tuple[tuple[float, float], ...] = ()
    curve: Curve = NOTHING
    activity: Curve = NOTHING
    reps: list[Rep] = field(default_factory=list[Rep])
    passes: list[Pass] = field(default_factory=list[Pass])
    _spans_of: tuple[Trial | None, int] = (None, 0)
    _spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        """Its file."""
        return self.recording.path.name

    @property
    def movement(self) -> Movement | None:
        """What it measures: as the trial says, before that as its header does; None if neither knows."""
        if self.trial is not None:
            return self.trial.movement
        return self.catalogue.movements.get(self.recording.header.movement)

    @property
    def side(self) -> Side | None:
        """Which side it measures, known as early as the movement."""
        if self.trial is not None:
            return self.trial.side
        side = self.recording.header.side
        return side if side in ("left", "right", "midline") else None

    @property
    def calibrated_again(self) -> tuple[float, ...]:
        """When its joint was calibrated again, s; known once it is measured."""
        return () if self.trial is None else tuple(renewal.since for renewal in self.trial.renewals)

    @property
    def known_until(self) -> float:
        """How far it is measured, s."""
        return float(self.curve.seconds[-1]) if len(self.curve.seconds) else 0.0

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its reps and passes in order of time: as they were found so far, then as the trial judges them."""
        state = (self.trial, len(self.reps) + len(self.passes))
        if state != self._spans_of:
            self._spans_of = state
            self._spans = self._found() if self.trial is None else _judged(self.trial)
        return self._spans

    def begin_anew(self) -> None:
        """Forget what was measured; the movement as such is still known."""
        self.curve, self.reps, self.passes = NOTHING, [], []

    def take(self, steps: list[ReplayStep]) -> None:
        """Take what the replay found next."""
        for step in steps:
            self.reps += step.reps
            self.passes += step.passes
        self.curve = joined([self.curve, *(curve_of(step.series) for step in steps if len(step.series))])

    def look_for_activity(self) -> None:
        """Find out where anything moves: cheap, and known long before the angle is."""
        shown = self.recording.header.sensors[-1].sensor
        blocks = [block for block in self.recording.blocks(ACTIVITY_S) if block.sensor == shown]
        level = np.array([liveliness(block) for block in blocks])
        self.activity = Curve(np.array([block.t[0] for block in blocks]), level, np.zeros(len(level)))

    def overview(self) -> Curve:
        """Return the whole curve thinned for a narrow strip."""
        step = max(1, len(self.curve.seconds) // OVERVIEW_POINTS)
        whole = self.curve
        return Curve(whole.seconds[::step], whole.degrees[::step], whole.sigma_deg[::step])

    def _found(self) -> tuple[Span, ...]:
        reps = [
            Span("rep", number, one.start, one.stop, _degrees(one.end_angle))
            for number, one in enumerate(self.reps, start=1)
        ]
        passes = [
            Span("pass", number, one.start, one.stop, _degrees(one.end_angle))
            for number, one in enumerate(self.passes, start=1)
        ]
        return tuple(sorted(reps + passes, key=lambda span: span.start))


def curve_of(series: JointSeries) -> Curve:
    """Return the primary angle of a series in degrees."""
    return Curve(series.t, np.degrees(series.angle[:, 0]), np.degrees(series.sigma[:, 0]))


def joined(parts: list[Curve]) -> Curve:
    """Return stretches one after the other as one."""
    return Curve(
        np.concatenate([part.seconds for part in parts]),
        np.concatenate([part.degrees for part in parts]),
        np.concatenate([part.sigma_deg for part in parts]),
    )


def _judged(trial: Trial) -> tuple[Span, ...]:
    reps = [
        Span("rep", rep.number, rep.rep.start, rep.rep.stop, _degrees(rep.end), "; ".join(rep.reasons))
        for rep in trial.reps
    ]
    passes = [
        Span("pass", number, one.found.start, one.found.stop, _degrees(one.found.end_angle))
        for number, one in enumerate(trial.passes, start=1)
    ]
    return tuple(sorted(reps + passes, key=lambda span: span.start))


def _degrees(angle: float) -> str:
    return f"{math.degrees(angle):.0f}°"
