"""What happens in an imagined trial, step by step: the strokes of a limb and the events that mark them."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from imu.errors import InputError
from imu.recording_values import Event
from rom.limb_motion import Profile, stroked


@dataclass(frozen=True, slots=True)
class Stroke:
    """One there and back as it was meant: times in s, angles in rad as a clinician counts them.

    Parameters
    ----------
    kind
        `rep` in a test, `pass` in treatment, `half` for a pass that was broken off.
    component
        Which angle of the joint moves, 0 the primary.
    start, reached, left, stop
        Leaves the start angle, arrives at the far end, leaves it, is back.
    start_angle, end_angle
        Where it started, where it was meant to arrive (before creep and tremor).
    """

    kind: str
    component: int
    start: float
    reached: float
    left: float
    stop: float
    start_angle: float
    end_angle: float


@dataclass(slots=True)
class Script:
    """A trial being written down: strokes of three joint angles, strokes that count, events.

    Parameters
    ----------
    angle
        The three joint angles now, rad, as a clinician counts them.
    movement, side, joint, axes
        What the events call them; `axes` names the three angles.
    """

    angle: list[float]
    movement: str
    side: str
    joint: str
    axes: tuple[str, str, str]
    now: float = 0.0
    mounted: float = 0.0
    positioned: tuple[float, float] | None = None
    stillness: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    strokes: list[Stroke] = field(default_factory=list[Stroke])
    events: list[Event] = field(default_factory=list[Event])
    neutral: list[float] = field(init=False)
    _moves: list[list[tuple[float, float, float]]] = field(init=False)
    _leans: list[list[tuple[float, float, float]]] = field(init=False)

    def __post_init__(self) -> None:
        """Remember where the limb began: its neutral pose."""
        self.neutral = list(self.angle)
        self._moves = [[] for _ in self.angle]
        self._leans = [[] for _ in self.angle]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += float(seconds)

    def move(self, component: int, target: float, seconds: float, *, lean: float | None = None) -> None:
        """Move one angle to a target in one minimum-jerk stroke; the proximal segment leans to `lean`."""
        self._moves[component].append((self.now, self.now + seconds, target))
        if lean is not None:
            self._leans[component].append((self.now, self.now + seconds, lean))
        self.angle[component] = float(target)
        self.now += float(seconds)

    def mark(self, kind: str, **data: object) -> None:
        """Note an event now."""
        self.events.append(Event(float(self.now), kind, data))

    def go_to(self, component: int, target: float) -> None:
        """Bring an angle to where the next phase begins, at about 45 deg/s, and settle."""
        distance = abs(target - self.angle[component])
        if distance > 0.0:
            self.move(component, target, max(1.0, distance / np.radians(45.0)))
        self.wait(0.5)

    def there_and_back(
        self, kind: str, component: int, end: float, *, there: float, hold: float, back: float, creep: float
    ) -> None:
        """Write one stroke: out in `there` s, held for `hold` s while creeping on by `creep` rad, back."""
        start_angle, start = self.angle[component], self.now
        self.move(component, end, there)
        reached = self.now
        if creep != 0.0 and hold > 0.0:
            self.move(component, end + creep, hold)
        else:
            self.wait(hold)
        left = self.now
        self.move(component, start_angle, back)
        self.strokes.append(Stroke(kind, component, start, reached, left, self.now, start_angle, float(end)))

    def profiles(self) -> list[Profile]:
        """Return the three angles over time."""
        return [stroked(first, moves) for first, moves in zip(self.neutral, self._moves, strict=True)]

    def leans(self) -> list[Profile]:
        """Return over time how far the proximal segment leans against each of the three angles."""
        return [stroked(0.0, moves) for moves in self._leans]


SETTLING = 2.0
"""How long a limb takes to come to rest on a couch, or to life again, s."""


class Phase(Protocol):
    """Something that happens in a trial: it writes itself into the script."""

    def write(self, script: Script, rng: np.random.Generator, /) -> None:
        """Add what happens to the script."""
        ...


@dataclass(frozen=True, slots=True)
class TableRest:
    """The sensors lie flat on a table, then are strapped on within `mounting` s. Only as the first phase."""

    seconds: float = 10.0
    mounting: float = 6.0

    def write(self, script: Script, _rng: np.random.Generator) -> None:
        """Rest, then mount."""
        if script.now > 0.0:
            raise InputError(f"the table rest must be the first phase of a trial, got it at {script.now} s")
        script.wait(self.seconds)
        script.stillness.append((0.0, script.now))
        script.wait(self.mounting)
        script.mounted = script.now


@dataclass(frozen=True, slots=True)
class Supported:
    """The limb lies on the couch with its sensors on, as still as the couch."""

    seconds: float = 8.0

    def write(self, script: Script, _rng: np.random.Generator) -> None:
        """Lie still; sway and tremor die down before and come back after."""
        if script.now > 0.0:
            script.wait(SETTLING)
        begun = script.now
        script.wait(self.seconds)
        script.stillness.append((begun, script.now))
        script.wait(SETTLING)


@dataclass(frozen=True, slots=True)
class TakePosition:
    """From upright, where segments are calibrated, into the position of the test or the treatment.

    As the very first phase it takes no time: the limb is in position from the start.
    """

    seconds: float = 6.0

    def write(self, script: Script, _rng: np.random.Generator) -> None:
        """Move the whole limb."""
        if script.positioned is not None:
            raise InputError("a limb takes its position once in a trial; the programme has it twice")
        if script.now == 0.0:
            script.positioned = (-self.seconds, 0.0)
            return
        begun = script.now
        script.wait(self.seconds)
        script.positioned = (begun, script.now)
        script.wait(1.0)


@dataclass(frozen=True, slots=True)
class Rest:
    """The joint rests where it is."""

    seconds: float

    def write(self, script: Script, _rng: np.random.Generator) -> None:
        """Let time pass."""
        script.wait(self.seconds)


@dataclass(frozen=True, slots=True)
class Neutral:
    """The static pose of the calibration: the limb goes to its neutral angles and holds them."""

    seconds: float = 3.0

    def write(self, script: Script, _rng: np.random.Generator) -> None:
        """Go to zero, settle, hold."""
        for component, angle in enumerate(script.angle):
            if angle != script.neutral[component]:
                script.move(component, script.neutral[component], 2.0)
        script.wait(1.0)
        script.mark("calibration_start", step="pose", joint=script.joint, axis="")
        script.wait(self.seconds)
        script.mark("calibration_stop", step="pose", joint=script.joint, axis="")
        script.wait(0.5)


@dataclass(frozen=True, slots=True)
class Functional:
    """The functional movement of the calibration: there and back a few times about one axis.

    Parameters
    ----------
    times
        How often.
    reach
        How far, rad.
    seconds
        Duration of each way, s.
    component
        Which angle moves.
    proximal_share
        Share of the angle by which the proximal segment leans the other way: 0 keeps it still, 0.5 is a
        half squat, which shows the axis to both sensors.
    """

    times: int = 4
    reach: float = np.radians(80.0)
    seconds: float = 1.5
    component: int = 0
    proximal_share: float = 0.0

    def write(self, script: Script, rng: np.random.Generator) -> None:
        """Bend and straighten."""
        axis, home = script.axes[self.component], script.angle[self.component]
        script.mark("calibration_start", step="functional", joint=script.joint, axis=axis)
        for _ in range(self.times):
            for target in (home + self.reach, home):
                lean = self.proximal_share * (target - home)
                script.move(self.component, target, self.seconds * rng.uniform(0.9, 1.1), lean=lean)
                script.wait(0.2)
        script.mark("calibration_stop", step="functional", joint=script.joint, axis=axis)
        script.wait(0.5)


@dataclass(frozen=True, slots=True)
class Reps:
    """The reps of a test: there, hold, back, rest.

    Parameters
    ----------
    count
        Number of reps.
    start, end
        Angle they leave from and, once warm, arrive at, rad.
    phase
        Of the trial: `baseline`, `retest`, ...
    seconds, hold, rest
        Duration of each way, of the hold at the end and of the rest between reps, s.
    cold, decay
        The first rep falls short of `end` by `cold` rad, the n-th by `cold * exp(-(n - 1) / decay)`: testing
        itself raises the range (`../shared/reference/clinical.md` 0.1).
    spread
        Standard deviation of the end from rep to rep, rad.
    creep
        How far the limb creeps on during the hold, rad.
    component
        Which angle moves.
    """

    count: int
    start: float
    end: float
    phase: str = "baseline"
    seconds: float = 2.5
    hold: float = 2.0
    rest: float = 1.5
    cold: float = 0.0
    decay: float = 1.5
    spread: float = 0.0
    creep: float = 0.0
    component: int = 0

    def write(self, script: Script, rng: np.random.Generator) -> None:
        """Go to the start and do the reps."""
        script.go_to(self.component, self.start)
        script.mark("trial_start", movement=script.movement, side=script.side, phase=self.phase)
        script.wait(1.0)
        forward = np.sign(self.end - self.start)
        for rep in range(self.count):
            short = self.cold * np.exp(-rep / self.decay) + self.spread * rng.standard_normal()
            script.there_and_back(
                "rep",
                self.component,
                self.end - forward * short,
                there=self.seconds * rng.uniform(0.85, 1.15),
                hold=self.hold,
                back=self.seconds * rng.uniform(0.85, 1.15),
                creep=forward * self.creep,
            )
            script.wait(self.rest * rng.uniform(0.8, 1.2))
        script.mark("trial_stop", movement=script.movement, side=script.side, phase=self.phase)


@dataclass(frozen=True, slots=True)
class Passes:
    """Slow passes over one structure, from the shortened to the lengthened position.

    Parameters
    ----------
    count
        Number of passes.
    start, end
        Shortened and lengthened angle, rad.
    structure, technique
        What is treated, and how: both go into the events.
    fastest, slowest
        Duration of a pass, s, drawn evenly between the two.
    hold, creep
        The limb is held at the end for up to `hold` s and creeps on by up to `creep` rad.
    rest
        Longest rest between passes, s.
    halves
        Share of passes broken off on the way.
    component
        Which angle moves.
    """

    count: int
    start: float
    end: float
    structure: str = ""
    technique: str = "ART"
    fastest: float = 3.0
    slowest: float = 6.0
    hold: float = 3.0
    creep: float = np.radians(2.0)
    rest: float = 3.0
    halves: float = 0.0
    component: int = 0

    def write(self, script: Script, rng: np.random.Generator) -> None:
        """Go to the shortened position and do the passes."""
        script.go_to(self.component, self.start)
        named: dict[str, object] = {"structure": self.structure, "technique": self.technique}
        script.mark("treatment_start", **named)
        script.wait(1.0)
        for _ in range(self.count):
            broken_off = rng.random() < self.halves
            share = rng.uniform(0.4, 0.7) if broken_off else rng.uniform(0.97, 1.0)
            script.mark("pass_start", structure=self.structure)
            script.there_and_back(
                "half" if broken_off else "pass",
                self.component,
                self.start + share * (self.end - self.start),
                there=rng.uniform(self.fastest, self.slowest),
                hold=0.0 if broken_off else self.hold * rng.uniform(0.3, 1.0),
                back=rng.uniform(2.0, 4.0),
                creep=0.0 if broken_off else np.sign(self.end - self.start) * self.creep * rng.random(),
            )
            script.events.append(
                Event(float(script.strokes[-1].left), "pass_stop", {"structure": self.structure})
            )
            script.wait(self.rest * rng.uniform(0.2, 1.0))
        script.mark("treatment_stop", **named)
