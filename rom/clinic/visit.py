"""One visit as a state machine: a table that can be read, drawn and checked (clinical.md 3.2).

The table says which step may follow which and what must be true for it; `rom.clinic.desk` does the steps
and keeps them in the store, so every state can be left and resumed, also after a crash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from imu.errors import InputError, RomcapError
from rom.clinic.screening import Screening


class VisitError(RomcapError):
    """A step of the visit is not possible now; the message says what is missing."""


class State(StrEnum):
    """Where a visit stands."""

    NEW = "new"
    SCREEN = "screen"
    HISTORY = "history"
    SETUP = "setup"
    CALIBRATE = "calibrate"
    BASELINE = "baseline"
    PALPATE = "palpate"
    TREAT = "treat"
    PASS = "pass"
    RETEST = "retest"
    RETARGET = "retarget"
    HALT = "halt"
    CLOSE = "close"
    HOME = "home"
    COURSE_REVIEW = "course review"
    DISCHARGE = "discharge"


ENDED = frozenset({State.HOME, State.COURSE_REVIEW, State.DISCHARGE})
"""States in which the client has gone home: nothing of this visit is measured or treated any more."""

RUNNING = tuple(state for state in State if state not in ENDED | {State.CLOSE, State.HALT})
"""States that a halt can interrupt."""

REVIEW_AFTER = (3, 6)
"""Visits after which the course is looked at as a whole (clinical.md 3.2)."""


@dataclass(frozen=True)
class MovementFact:
    """One tested movement and side: valid reps, reps wanted, and whether they levelled off."""

    title: str
    valid: int
    wanted: int
    plateau: bool


@dataclass(frozen=True)
class Facts:
    """What the store knows of a visit, as far as the guards ask.

    Parameters
    ----------
    screening
        What the answers add up to.
    seq
        Number of the visit in its episode.
    complaint, pain_rated
        Whether there is a complaint and a pain score of today.
    sensors, calibrated
        How many sensors are mounted, and whether they are calibrated since.
    baselines, retests
        What was tested before treatment, and after the treatment that is under way.
    structure, closed
        The structure chosen last, and why its region must not be touched; empty if it may.
    technique, passes, passes_max, ended_because
        The treatment under way: its technique, passes so far, their limit, why it ended early.
    pass_open
        Whether a pass is under contact.
    halted, signed
        Whether the reason of a halt, and a signature, are written down.
    """

    screening: Screening = field(default_factory=Screening)
    seq: int = 1
    complaint: bool = False
    pain_rated: bool = False
    sensors: int = 0
    calibrated: bool = False
    baselines: tuple[MovementFact, ...] = ()
    retests: tuple[MovementFact, ...] = ()
    structure: str = ""
    closed: str = ""
    technique: str = ""
    passes: int = 0
    passes_max: int = 5
    ended_because: str = ""
    pass_open: bool = False
    halted: bool = False
    signed: bool = False


Guard = Callable[[Facts], str]
"""Returns what is missing, in words; an empty text lets pass."""

WITHOUT_PASSES = frozenset({"exercise", "none"})
"""Techniques that are not logged pass by pass."""


def screened(facts: Facts) -> str:
    """Demand every question answered and no stop open."""
    if facts.screening.missing:
        return f"{len(facts.screening.missing)} questions are unanswered, {facts.screening.missing[0]} first"
    if facts.screening.open_stops:
        stops = " ".join(finding.sentence() for finding in facts.screening.open_stops)
        return f"{stops} A named clinician may go on with a reason; romcap clears nobody"
    return ""


def told(facts: Facts) -> str:
    """Demand a complaint and today's pain score."""
    if not facts.complaint:
        return "at least one complaint with region and side is needed"
    return "" if facts.pain_rated else "today's pain score (NPRS 0 to 10) is needed"


def mounted(facts: Facts) -> str:
    """Demand at least one sensor with segment and placement."""
    return "" if facts.sensors else "no sensor is mounted"


def calibrated(facts: Facts) -> str:
    """Demand the sensors on the limb now are calibrated."""
    return "" if facts.calibrated else "the sensors on the limb now are not calibrated"


def levelled(facts: Facts) -> str:
    """Demand enough valid reps of each test, the last ones level: warming up is over."""
    if not facts.baselines:
        return "no movement has been tested yet, the unaffected side first"
    return _complete(facts.baselines)


def chosen(facts: Facts) -> str:
    """Demand a structure, in a region that the screening leaves open."""
    if not facts.structure:
        return "no structure is chosen"
    return f"{facts.structure}: {facts.closed}" if facts.closed else ""


def contact_allowed(facts: Facts) -> str:
    """Demand passes left, and the work on this structure not ended by a stop."""
    if facts.ended_because:
        return f"the work on {facts.structure} has ended: {facts.ended_because}"
    if facts.passes >= facts.passes_max:
        return f"{facts.passes} passes are done and {facts.passes_max} are the limit; re-test now"
    return ""


def treated(facts: Facts) -> str:
    """Demand at least one pass, or a technique without passes; no contact."""
    if facts.technique in WITHOUT_PASSES or facts.passes:
        return ""
    return f"no pass over {facts.structure or 'a structure'} has been done yet"


def retested(facts: Facts) -> str:
    """Demand the baseline's movements again, with as many reps."""
    if not facts.retests:
        return "no re-test since the last treatment"
    return _complete(facts.retests)


def halt_told(facts: Facts) -> str:
    """Demand reason, action and who was told."""
    return "" if facts.halted else "reason, action and who was told are not written down"


def signed(facts: Facts) -> str:
    """Demand a signature."""
    return "" if facts.signed else "the visit is not signed"


def due(facts: Facts) -> str:
    """Demand the visit is one after which the course is reviewed."""
    if facts.seq in REVIEW_AFTER:
        return ""
    return f"a review is due after visits {' and '.join(map(str, REVIEW_AFTER))}; this is visit {facts.seq}"


def _complete(tests: tuple[MovementFact, ...]) -> str:
    for test in tests:
        if test.valid < test.wanted:
            return f"{test.title}: {test.wanted} valid reps are wanted, {test.valid} came; test again"
        if not test.plateau:
            return f"{test.title}: the last two reps still differ by more than the error; test again"
    return ""


@dataclass(frozen=True)
class Transition:
    """One row of the table.

    Parameters
    ----------
    source, target
        From where to where.
    when
        What makes it happen.
    guard
        What must be true; None for nothing.
    soft
        Whether a clinician may pass the guard with a reason, which is written down.
    """

    source: State
    target: State
    when: str
    guard: Guard | None = None
    soft: bool = False

    @property
    def needs(self) -> str:
        """The guard in words, empty without one."""
        return "" if self.guard is None else (self.guard.__doc__ or "").removeprefix("Demand ").rstrip(".")


TRANSITIONS: tuple[Transition, ...] = (
    Transition(State.NEW, State.SCREEN, "every visit"),
    Transition(State.SCREEN, State.HISTORY, "answers given", screened),
    Transition(State.HISTORY, State.SETUP, "complaint told", told),
    Transition(State.SETUP, State.CALIBRATE, "straps on", mounted),
    Transition(State.CALIBRATE, State.BASELINE, "pose and movement done", calibrated),
    Transition(State.BASELINE, State.PALPATE, "tests done", levelled, soft=True),
    Transition(State.PALPATE, State.TREAT, "structure and technique chosen", chosen),
    Transition(State.TREAT, State.PASS, "contact on", contact_allowed),
    Transition(State.PASS, State.TREAT, "contact off"),
    Transition(State.TREAT, State.RETEST, "a few passes done", treated),
    Transition(State.RETEST, State.TREAT, "more passes", contact_allowed),
    Transition(State.RETEST, State.RETARGET, "not enough, or symptom still there", retested, soft=True),
    Transition(State.RETARGET, State.PALPATE, "clinician picks a neighbour"),
    Transition(State.BASELINE, State.CLOSE, "no time to treat", levelled, soft=True),
    Transition(State.PALPATE, State.CLOSE, "nothing to treat"),
    Transition(State.TREAT, State.CLOSE, "no time to re-test", treated, soft=True),
    Transition(State.RETEST, State.CLOSE, "goal reached or time over", retested, soft=True),
    Transition(State.RETARGET, State.CLOSE, "goal reached or time over"),
    *(Transition(state, State.HALT, "stop") for state in RUNNING),
    Transition(State.HALT, State.CLOSE, "client is safe", halt_told),
    Transition(State.CLOSE, State.HOME, "summary, aftercare, next visit", signed),
    Transition(State.HOME, State.SCREEN, "next visit"),
    Transition(State.HOME, State.COURSE_REVIEW, "after visit 3 or 6", due),
    Transition(State.COURSE_REVIEW, State.SCREEN, "next visit"),
    Transition(State.COURSE_REVIEW, State.DISCHARGE, "clinician ends the course"),
    Transition(State.HOME, State.DISCHARGE, "clinician ends the course"),
)
"""The whole visit. `next visit` opens a new visit of the episode; every other row stays in this one."""


def following(state: State) -> tuple[Transition, ...]:
    """Return the rows that lead out of a state."""
    return tuple(row for row in TRANSITIONS if row.source is state)


def check(source: State, target: State, facts: Facts, reason: str = "") -> Transition:
    """Return the row from one state to another if its guard lets pass.

    Parameters
    ----------
    source, target
        The step.
    facts
        What the store knows.
    reason
        Why a soft guard is passed; empty for not at all.

    Raises
    ------
    VisitError
        If there is no such row, or its guard holds.
    """
    for row in following(source):
        if row.target is target:
            missing = row.guard(facts) if row.guard else ""
            if missing and row.soft and not reason.strip():
                raise VisitError(f"{missing}; or go on with a reason (--despite)")
            if missing and not row.soft:
                raise VisitError(f"{missing}.")
            return row
    ways = ", ".join(row.target for row in following(source)) or "nowhere"
    raise VisitError(
        f"the visit stands at {source} and {target} does not follow it; from here it goes to {ways}"
    )


def diagram(form: str = "text") -> str:
    """Return the table drawn as ``text``, ``mermaid`` or ``dot``.

    Raises
    ------
    InputError
        If the form is another.
    """
    halts = [row for row in TRANSITIONS if row.target is State.HALT]
    rows = [row for row in TRANSITIONS if row.target is not State.HALT]
    if form == "text":
        return "\n".join([*map(_line, rows), f"any of {', '.join(RUNNING)} -> halt: stop"])
    if form == "mermaid":
        lines = [f"    {_name(row.source)} --> {_name(row.target)}: {_label(row)}" for row in rows]
        stops = [f"    {_name(row.source)} --> {_name(State.HALT)}: stop" for row in halts]
        return "\n".join(["stateDiagram-v2", f"    [*] --> {_name(State.NEW)}", *lines, *stops])
    if form == "dot":
        lines = [f'  "{row.source}" -> "{row.target}" [label="{_label(row)}"];' for row in rows]
        stops = [f'  "{row.source}" -> "{State.HALT}" [style=dashed];' for row in halts]
        return "\n".join(["digraph visit {", *lines, *stops, "}"])
    raise InputError(f"a diagram is drawn as text, mermaid or dot, not as {form!r}")


def _line(row: Transition) -> str:
    needs = f"  [{row.needs}{'; or a reason' if row.soft else ''}]" if row.needs else ""
    return f"{row.source} -> {row.target}: {row.when}{needs}"


def _label(row: Transition) -> str:
    return f"{row.when} [{row.needs}]" if row.needs else row.when


def _name(state: State) -> str:
    return state.value.replace(" ", "_")
