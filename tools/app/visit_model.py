"""A visit as it is seen, without Qt: where it stands, what may follow, what the last test showed.

Every step is one call of `rom.clinic`, the same as `rom visit` makes; nothing is decided here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from calibration.segment import JointCalibration
from imu.errors import InputError
from rom.catalogue.movement import Movement, Side
from rom.catalogue.structure import Structure
from rom.clinic import closing, intake, treating
from rom.clinic.desk import Desk, Limits, open_visit, visits_of
from rom.clinic.facts import answers_of, facts_of, reps_of_retest
from rom.clinic.screening import RULES, Answer, Reply
from rom.clinic.store import Ledger
from rom.clinic.store_people import Client
from rom.clinic.store_visits import SensorSetup, StateChange, Treatment, TrialRecord, Visit
from rom.clinic.straps import kept_calibrations, measure_in_visit
from rom.clinic.treating import Technique
from rom.clinic.trials import attach
from rom.clinic.visit import Facts, State, VisitError
from tools.app.jobs import CancelledError
from tools.app.verdict import Verdict, verdict_of
from tools.cli.capture_order import Order

NOT_MEASURED = "Measuring was cancelled. The recording is kept, but the visit has no numbers of it."
Progress = Literal["done", "now", "ahead"]

PATH: tuple[tuple[str, frozenset[State]], ...] = (
    ("Screening", frozenset({State.NEW, State.SCREEN, State.HISTORY})),
    ("Baseline", frozenset({State.SETUP, State.CALIBRATE, State.BASELINE})),
    ("Structure", frozenset({State.PALPATE})),
    ("Passes", frozenset({State.TREAT, State.PASS})),
    ("Re-test", frozenset({State.RETEST})),
    ("Next structure", frozenset({State.RETARGET})),
    ("Close", frozenset({State.CLOSE, State.HOME, State.COURSE_REVIEW, State.DISCHARGE})),
)


@dataclass(frozen=True)
class Station:
    """One station of the path on top."""

    name: str
    progress: Progress


class VisitModel:
    """The visit of one client.

    Parameters
    ----------
    desk
        Where the clinician works.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.code = ""
        self.state: State | None = None
        self.facts = Facts()
        self.verdict: Verdict | None = None
        self.problem = ""
        self.note = ""
        self.suggested: tuple[Structure, ...] = ()
        self.treatment: Treatment | None = None
        self.trials: tuple[TrialRecord, ...] = ()
        self.stopped_at = ""
        self.last_change: datetime | None = None
        self.last_treatment: Treatment | None = None
        self.last_tested: tuple[str, str] | None = None
        self.last_visit = ""

    # ---- people -----------------------------------------------------------------------------------

    def clients(self) -> list[str]:
        """Return the pseudonyms of the practice."""
        with self.desk.store.reading() as ledger:
            return sorted(client.code for client in ledger.find(Client))

    def choose(self, code: str) -> None:
        """Look at a client; an open visit is found where it stopped."""
        self.code, self.verdict, self.note, self.suggested = code, None, "", ()
        self.look()
        self.stopped_at = ""
        if self.state is not None and self.running:
            self.stopped_at = _stopped(code, self.state, self.last_change)

    def left_open(self) -> list[tuple[str, str]]:
        """Return the clients whose visit was left open, each with the sentence that offers to go on."""
        found: list[tuple[str, str]] = []
        with self.desk.store.reading() as ledger:
            for client in ledger.find(Client):
                visit = open_visit(ledger, client)
                if visit is not None:
                    sentence = _stopped(client.code, State(visit.state), _changed(ledger, visit))
                    found.append((client.code, sentence))
        return sorted(found)

    @property
    def running(self) -> bool:
        """Whether a visit is open."""
        return self.state is not None and self.state not in (
            State.HOME,
            State.COURSE_REVIEW,
            State.DISCHARGE,
        )

    def look(self) -> None:
        """Read from the store where the visit stands."""
        if not self.code:
            return
        with self.desk.store.reading() as ledger:
            client = ledger.client(self.code)
            known = visits_of(ledger, client)
            visit = open_visit(ledger, client) or (known[-1] if known else None)
            if visit is None:
                self.state, self.facts, self.trials, self.treatment = None, Facts(), (), None
                return
            self.state = State(visit.state)
            self.last_change = _changed(ledger, visit)
            self.facts = facts_of(ledger, visit, self.desk.catalogue)
            self.trials = tuple(ledger.find(TrialRecord, visit_id=visit.id))
            self.treatment = ledger.one(Treatment, visit_id=visit.id)
            earlier = [one for each in known for one in ledger.find(Treatment, visit_id=each.id)]
            self.last_treatment = earlier[-1] if earlier else None
            tested = [one for each in known for one in ledger.find(TrialRecord, visit_id=each.id)]
            self.last_tested = (tested[-1].movement, tested[-1].side) if tested else None
            self.last_visit = _at_a_glance(ledger, known, self.last_treatment)

    @property
    def stations(self) -> tuple[Station, ...]:
        """The path on top of the window."""
        here = next((n for n, (_, states) in enumerate(PATH) if self.state in states), -1)
        finished = not self.running and self.state is not None
        return tuple(
            Station(name, "done" if number < here or finished else "now" if number == here else "ahead")
            for number, (name, _) in enumerate(PATH)
        )

    # ---- steps before hands-on work ---------------------------------------------------------------

    def start(self) -> None:
        """Start a visit."""
        self.verdict, self.note = None, ""
        self._do(lambda: self.desk.start(self.code, Limits()))

    @property
    def questions(self) -> tuple[tuple[str, str], ...]:
        """The questions of the screening: code and words."""
        return tuple((rule.code, rule.question) for rule in RULES)

    def answered(self) -> dict[str, Answer]:
        """Return the answers by code: those of this visit, before there are any those of last time."""
        with self.desk.store.reading() as ledger:
            visit = open_visit(ledger, ledger.client(self.code))
            given = [] if visit is None else answers_of(ledger, visit)
        try:
            given = given or intake.answers_last_time(self.desk, self.code)
        except VisitError:
            return {}
        return {answer.code: answer for answer in given}

    def screen(self, yes: Sequence[str]) -> None:
        """Answer the screening: yes to these, no to all others; what stays as it was keeps its detail."""
        before = self.answered()

        def answer(code: str) -> Answer:
            known, ticked = before.get(code), code in yes
            if known is not None and (known.reply is not Reply.NO) == ticked:
                return known
            return Answer(code, Reply.YES if ticked else Reply.NO)

        self._do(lambda: self._screened([answer(rule.code) for rule in RULES]))

    def go_on_past(self, by: str, reason: str) -> None:
        """Go on past the stops of the screening: a named clinician answers for it."""
        stops = [finding.answer for finding in self.facts.screening.open_stops]
        answers = [replace(stop, override_by=by, override_reason=reason) for stop in stops]
        self._do(lambda: self._screened(answers))

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the answers ask to mind, in words."""
        screening = self.facts.screening
        return tuple(f.sentence() for f in screening.findings if f not in screening.open_stops)

    def screen_as_last_time(self) -> None:
        """Answer as last time: nothing new for all."""
        self._do(lambda: self._screened(intake.answers_last_time(self.desk, self.code)))

    def tell(self, pain: float) -> None:
        """Write today's pain down, and go on to the sensors."""

        def step() -> None:
            intake.tell(self.desk, self.code, pain)
            self.desk.go(self.code, State.SETUP)

        self._do(step)

    # ---- measuring --------------------------------------------------------------------------------

    def order(self, movement: Movement, side: Side, file: Path) -> Order:
        """Return the capture of passes while treating, else of the baseline."""
        treatment = self.treatment if self.state in (State.TREAT, State.PASS) else None
        if treatment is None:
            return Order(movement, side, "baseline", self.code, file, None, "", "")
        return Order(movement, side, "", self.code, file, None, treatment.structure, treatment.technique)

    def retest_order(self, movement: Movement, side: Side, file: Path) -> Order:
        """Return the capture of a re-test: it ends with as many reps as its baseline had."""
        with self.desk.store.reading() as ledger:
            visit = open_visit(ledger, ledger.client(self.code))
            reps = 0 if visit is None else reps_of_retest(ledger, visit, movement.id, side)
        return Order(movement, side, "retest", self.code, file, None, "", "", reps=reps or None)

    def calibrations(self, movement: Movement, side: Side) -> list[JointCalibration]:
        """Return the calibrations that still hold for the sensors of a movement: the straps stayed on."""
        worn = set(movement.segments(side))
        with self.desk.store.reading() as ledger:
            visit = open_visit(ledger, ledger.client(self.code))
            kept = [] if visit is None else kept_calibrations(ledger, visit)
        return [one for one in kept if {one.proximal.segment, one.distal.segment} <= worn]

    def baseline(self, movement: Movement, side: Side) -> float | None:
        """Return the value of the visit's baseline, rad; None before there is one."""
        values = [
            trial.value_deg
            for trial in self.trials
            if (trial.movement, trial.side, trial.phase) == (movement.id, side, "baseline")
        ]
        return None if not values or values[-1] is None else math.radians(values[-1])

    def take_test(
        self,
        file: Path,
        *,
        came_off: bool | None = None,
        despite: str = "",
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Make a recording a test of the visit; after a re-test the verdict is there."""

        def step() -> None:
            measured = measure_in_visit(self.desk, self.code, file, came_off=came_off, progress=progress)
            done = attach(self.desk, self.code, measured, came_off=came_off, despite=despite)
            self.verdict = verdict_of(done)

        self._do(step)

    def take_passes(self, file: Path, *, progress: Callable[[float], None] | None = None) -> None:
        """Write the passes of a recording down."""

        def step() -> None:
            measured = measure_in_visit(self.desk, self.code, file, progress=progress)
            rows = treating.passes_from(self.desk, self.code, measured)
            self.note = f"{len(rows)} passes are written down."

        self._do(step)

    # ---- hands on ---------------------------------------------------------------------------------

    def treat(self, structure: str, side: Side, technique: Technique, despite: str = "") -> None:
        """Choose structure and technique."""

        def step() -> None:
            treating.palpate(self.desk, self.code, structure, side, despite=despite)
            treating.treat(self.desk, self.code, technique)
            self.suggested = ()

        self._do(step)

    def retarget(self, despite: str = "") -> None:
        """Move on from a re-test: the neighbours of the structure, up and down the chain."""

        def step() -> None:
            up, down = treating.retarget(self.desk, self.code, despite)
            self.suggested = (*up, *down)

        self._do(step)

    def halt(self, why: str, reason: str, action: str, told: str) -> None:
        """Break the visit off for safety."""
        self._do(lambda: self.desk.halt(self.code, why, reason=reason, action=action, told=told))

    def close(self, pain: float | None, reaction: str = "", despite: str = "") -> None:
        """Close the visit."""

        def step() -> None:
            closing.close(self.desk, self.code, reaction=reaction, nprs=pain, despite=despite)
            self.note = closing.visit_note(self.desk.store, self.code)

        self._do(step)

    def sign(self, next_visit: date | None) -> None:
        """Sign the visit: the client goes home."""

        def step() -> None:
            closing.sign(self.desk, self.code, next_visit)
            self.note = closing.visit_note(self.desk.store, self.code)

        self._do(step)

    @property
    def expected(self) -> tuple[str, ...]:
        """The structures that are likely next: neighbours of the last one, before that the last visit's."""
        if self.suggested:
            return tuple(one.id for one in self.suggested)
        return () if self.last_treatment is None else (self.last_treatment.structure,)

    def write_page(self, path: Path, progress: Callable[[float], None] | None = None) -> None:
        """Write the page of the client's last visit, as PDF or for a browser; may take seconds.

        What `progress` raises stops it before there is a file.
        """
        from imu.whole_file import write_whole
        from tools.report.from_store import visit_of_store
        from tools.report.html import render_html
        from tools.report.model import untold
        from tools.report.pdf import render_pdf
        from tools.report.visit import visit_report
        from tools.report.words import load_words

        tell = progress or untold

        def step() -> None:
            found = visit_of_store(self.desk.store, self.desk.catalogue, self.code)
            tell(0.0)
            page = visit_report(found, load_words("en"))
            pdf = path.suffix.lower() == ".pdf"
            content = render_pdf(page, tell) if pdf else render_html(page, tell).encode()
            tell(1.0)
            write_whole(path, content)
            self.note = f"Written: {path}\n\n{closing.visit_note(self.desk.store, self.code)}"

        self._do(step, f"Cancelled: {path.name} was not written.")

    def _screened(self, answers: Sequence[Answer]) -> None:
        result = intake.screen(self.desk, self.code, answers)
        if not result.open_stops:
            self.desk.go(self.code, State.HISTORY)
            return
        raise VisitError(
            " ".join(finding.sentence() for finding in result.open_stops)
            + " Only a named clinician may go on, with a reason."
        )

    def _do(self, step: Callable[[], object], cancelled: str = NOT_MEASURED) -> None:
        self.problem = ""
        try:
            step()
        except CancelledError:
            self.problem = cancelled
        except (VisitError, InputError) as error:
            self.problem = str(error)
        except Exception as error:  # noqa: BLE001  disk, database or file: the window says it and goes on
            self.problem = f"{error}"
        self.stopped_at = ""
        self.look()


def _stopped(code: str, state: State, at: datetime | None) -> str:
    when = "" if at is None else f" at {at.astimezone():%H:%M}"
    return f"Visit of {code} stopped{when} in {state}. Continue?"


def _at_a_glance(ledger: Ledger, visits: Sequence[Visit], treated: Treatment | None) -> str:
    """Return what was treated last and where the sensors sat, in words; empty before a first time."""
    worn = [(visit, ledger.find(SensorSetup, visit_id=visit.id)) for visit in visits]
    worn = [(visit, rows) for visit, rows in worn if rows]
    if not worn:
        return ""
    visit, rows = worn[-1]
    places = {row.segment.replace("_", " "): row.placement or "" for row in rows}
    sensors = ", ".join(f"{where}{f' ({how})' if how else ''}" for where, how in places.items())
    done = "" if treated is None else f" {treated.structure} {treated.side}, {treated.technique}."
    return f"Last time ({visit.started_at:%Y-%m-%d}):{done} Sensors on {sensors}."


def _changed(ledger: Ledger, visit: Visit) -> datetime:
    """Return when a visit last moved on."""
    changes = ledger.find(StateChange, visit_id=visit.id)
    return max((change.at for change in changes), default=visit.started_at)
