"""The visit: the path on top, one step below it, one primary action, the verdict as soon as there is one."""

# pyright: basic

from collections.abc import Callable
from datetime import date, timedelta

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from rom.clinic.screening import Reply
from rom.clinic.treating import Technique
from rom.clinic.visit import State
from tools.app.chooser_model import ChooserModel
from tools.app.jobs import Job
from tools.app.rep_dots import RepDots
from tools.app.session import Session
from tools.app.setting import Setting
from tools.app.theme import Theme
from tools.app.visit_model import VisitModel
from tools.app.visit_panels import (
    ClientPicker,
    MovementPicker,
    NeighbourList,
    NotePane,
    PainRow,
    QuestionList,
    StructurePicker,
)
from tools.app.visit_path import VisitPath
from tools.app.visit_questions import DESPITE, ask_page, ask_reason, ask_stop, ask_who_goes_on
from tools.app.widgets import button, clear, search_line, words

NEXT_VISIT_DAYS = 4
NOTHING_NEW, NOTHING_NEW_KEY = "Nothing new for all", "N"
Deed = tuple[str, Callable[[], None]]
"""What a button says and does."""
Measuring = Callable[[str, Callable[[float], None]], None]
"""Takes a reason to go on all the same, empty at first, and whom to tell how far it is."""


class VisitPage(QWidget):
    """One client's visit, step by step."""

    capture_wanted = Signal(object, object, object)
    course_wanted = Signal(str)
    over = Signal()

    def __init__(self, theme: Theme, setting: Setting, model: VisitModel) -> None:
        super().__init__()
        self.model = model
        self._setting = setting
        self._chooser = ChooserModel(setting.catalogue, model.clients())
        self._job: Job[None] | None = None
        self._came_off: bool | None = None
        self._measured: Measuring = lambda _despite, _report: None
        self._path = VisitPath(theme)
        self._title = words(role="title")
        self._problem = words(role="verdict")
        self._dots = RepDots(theme)
        self._change = words(role="verdict")
        self._symmetry = words(role="verdict")
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress")
        self._body = QVBoxLayout()
        self._row = QHBoxLayout()
        self._tested = MovementPicker(self._chooser)
        column = QVBoxLayout(self)
        for widget in (self._path, self._title, self._problem, self._dots, self._change, self._symmetry):
            column.addWidget(widget)
        column.addLayout(self._body, 1)
        column.addWidget(self._progress)
        column.addLayout(self._row)
        self._timer = QTimer(self)
        self._timer.setInterval(50)
        self._timer.timeout.connect(self._look_at_job)
        self.show_state()

    def choose(self, code: str) -> None:
        """Look at a client."""
        self.model.choose(code)
        if self.model.last_tested is not None:
            self._tested.pick(*self.model.last_tested)
        self.show_state()

    def take(self, session: Session) -> None:
        """Make what was captured a part of the visit; measuring goes on beside the window."""
        file = session.order.file
        if session.error or not file.exists():
            self.model.problem = session.error or "nothing was recorded; record again"
            self.show_state()
            return
        came_off, model = self._came_off, self.model

        def take(despite: str, report: Callable[[float], None]) -> None:
            if session.order.structure:
                model.take_passes(file, progress=report)
            else:
                model.take_test(file, came_off=came_off, despite=despite, progress=report)

        self._measure(take, "")

    def _measure(self, deed: Measuring, despite: str) -> None:
        self._measured = deed
        self._job = Job("measuring what was recorded", lambda report: deed(despite, report))
        self._timer.start()
        self.show_state()

    def show_state(self) -> None:
        """Show where the visit stands and what may follow."""
        model = self.model
        self._path.show_stations(model.stations)
        verdict = model.verdict
        self._dots.show_verdict(verdict)
        self._change.setText("" if verdict is None else verdict.change)
        self._symmetry.setText("" if verdict is None else verdict.symmetry)
        for label in (self._change, self._symmetry):
            label.setVisible(bool(label.text()))
        said = model.problem.replace(DESPITE, "") or model.stopped_at
        self._problem.setText(said)
        self._problem.setVisible(bool(said))
        self._progress.setVisible(self._job is not None)
        self._turn_to(self._panel())

    def _turn_to(self, panel: Callable[[], None]) -> None:
        clear(self._body)
        clear(self._row)
        panel()
        self._body.addStretch(1)

    def _panel(self) -> Callable[[], None]:
        model = self.model
        if self._job is not None:
            return self._show_job
        if not model.code:
            return self._show_clients
        if not model.running:
            return self._show_start
        panels = {
            State.SCREEN: self._show_screening,
            State.HISTORY: self._show_history,
            State.PALPATE: self._show_structures,
            State.TREAT: self._show_passes,
            State.PASS: self._show_passes,
            State.RETEST: self._show_retest,
            State.RETARGET: self._show_neighbours,
            State.HALT: self._show_close,
            State.CLOSE: self._show_sign,
        }
        return panels.get(model.state or State.NEW, self._show_tests)

    # ---- panels -----------------------------------------------------------------------------------

    def _show_job(self) -> None:
        assert self._job is not None
        self._title.setText(f"{self.model.code}   {self._job.words}")
        self._actions(("Cancel", self._cancel))

    def _cancel(self) -> None:
        """Ask the work to stop; it does at its next step, and leaves nothing half done."""
        if self._job is not None:
            self._job.cancel()
            self._title.setText(f"{self.model.code}   {self._job.words}: stopping ...")

    def _show_clients(self) -> None:
        self._title.setText("Who comes?")
        picker = ClientPicker(self._chooser)

        def go() -> None:
            if picker.code:
                self.choose(picker.code)

        picker.search.returnPressed.connect(go)
        for code, sentence in self.model.left_open():
            self._body.addWidget(button(sentence, lambda c=code: self.choose(c)))
        self._body.addWidget(picker, 5)
        self._actions(("Open", go))

    def _show_start(self) -> None:
        self._title.setText(f"{self.model.code}   no visit is open")
        if self.model.last_visit:
            self._body.addWidget(words(self.model.last_visit))
        if self.model.note:
            self._body.addWidget(NotePane(self.model.note), 20)
        self._actions(
            ("Start a visit", self._then(self.model.start)),
            ("Another client", lambda: self.choose("")),
            ("Page for the chart ...", self._write_page),
            ("Course", lambda: self.course_wanted.emit(self.model.code)),
        )

    def _show_screening(self) -> None:
        model = self.model
        answers = model.answered()
        stopped = model.facts.screening.open_stops
        asked_for = "a yes stops the visit" if stopped else "as last time" if answers else "what is a yes?"
        self._title.setText(f"{model.code}   Screening: {asked_for}   (a letter changes an answer)")
        yes = [code for code, answer in answers.items() if answer.reply is not Reply.NO]
        asked = QuestionList(model.questions, yes)
        self._body.addWidget(asked, 20)
        others: list[Deed] = []
        if stopped:
            others = [("Go on past the stop ...", self._go_on_past), ("Stop for safety ...", self._halt)]
        elif answers:
            others = [(NOTHING_NEW, self._then(model.screen_as_last_time))]
        self._actions(("Answers given", self._then(lambda: model.screen(asked.yes))), *others)

    def _go_on_past(self) -> None:
        said = ask_who_goes_on(self, self.model.desk.actor)
        if said is not None:
            self.model.go_on_past(*said)
        self.show_state()

    def _mind(self) -> None:
        for sentence in self.model.cautions:
            self._body.addWidget(words(f"Mind {sentence}", role="warning"))

    def _show_history(self) -> None:
        self._title.setText(f"{self.model.code}   Pain now, 0 to 10")
        self._mind()
        self._body.addWidget(PainRow(lambda pain: self._then(lambda: self.model.tell(pain))()))

    def _show_tests(self) -> None:
        facts = self.model.facts
        self._title.setText(f"{self.model.code}   Baseline: the unaffected side first")
        self._pick_movement()
        for fact in facts.baselines:
            level = "level" if fact.plateau else "still changing"
            text = f"{fact.title}: {fact.valid} of {fact.wanted} valid reps, {level}"
            self._body.addWidget(words(text))
        self._actions(
            ("Record test", lambda: self._capture(None)),
            ("On to the structure", lambda: self._turn_to(self._show_structures)),
            ("Close the visit", lambda: self._turn_to(self._ask_after)),
        )

    def _ask_after(self) -> None:
        """Ask how it went before the visit is closed."""
        self._title.setText(f"{self.model.code}   Pain now, after the treatment, 0 to 10")
        reaction = search_line("How did the client react? (may stay empty)")

        def close(pain: float | None) -> None:
            said = reaction.text().strip()
            self._soft(lambda despite: self.model.close(pain, said, despite))()

        self._body.addWidget(PainRow(close))
        self._body.addWidget(reaction)
        self._actions(("Close without a rating", lambda: close(None)), ("Back", self.show_state))

    def _show_structures(self, first: str = "") -> None:
        self._title.setText(f"{self.model.code}   Which structure, and how?")
        self._mind()
        movement = self._tested.movement
        techniques = [str(one) for one in Technique]
        picker = StructurePicker(self._chooser, movement, self.model.expected, techniques)
        last = self.model.last_treatment
        if last is not None:
            self._tested.pick(side=last.side)
            picker.propose(last.technique)
        picker.pick(first)

        def go() -> None:
            picked, side = picker.structure, self._tested.body_side
            if picked:
                chosen = Technique(picker.technique)
                self._soft(lambda despite: self.model.treat(picked, side, chosen, despite))()

        self._body.addWidget(picker, 5)
        self._pick_movement()
        self._actions(("Treat", go))

    def _show_passes(self) -> None:
        treatment, facts = self.model.treatment, self.model.facts
        name = "" if treatment is None else f"{treatment.structure} {treatment.side}, {treatment.technique}"
        self._title.setText(f"{self.model.code}   Passes: {name}")
        self._body.addWidget(words(f"{facts.passes} of at most {facts.passes_max} passes"))
        if treatment is not None:
            self._tested.pick(side=treatment.side)
        self._pick_movement()
        self._straps(("Record passes", lambda: self._capture(None)))

    def _show_retest(self) -> None:
        self._title.setText(f"{self.model.code}   Re-test")
        self._pick_movement()
        self._straps(
            ("Next structure", self._soft(self.model.retarget)),
            ("Close the visit", lambda: self._turn_to(self._ask_after)),
        )

    def _show_neighbours(self) -> None:
        self._title.setText(f"{self.model.code}   Symptom still there? Neighbours up and down the chain")
        near = NeighbourList(
            self.model.suggested, lambda one: self._turn_to(lambda: self._show_structures(one))
        )
        self._body.addWidget(near, 5)
        near.setFocus()
        self._actions(
            ("Choose a structure", lambda: self._turn_to(self._show_structures)),
            ("Close the visit", lambda: self._turn_to(self._ask_after)),
        )

    def _show_close(self) -> None:
        self._title.setText(f"{self.model.code}   The visit is halted")
        self._actions(
            ("Close the visit", self._soft(lambda despite: self.model.close(None, despite=despite)))
        )

    def _show_sign(self) -> None:
        self._title.setText(f"{self.model.code}   Close")
        self._body.addWidget(NotePane(self.model.note), 20)
        again = date.today() + timedelta(days=NEXT_VISIT_DAYS)
        sign = (f"Sign, next visit {again}", self._then(lambda: self._sign(again)))
        self._actions(sign, ("Page for the chart ...", self._write_page))

    def _write_page(self) -> None:
        """Write the page of the visit beside the window; drawing it takes a second or two."""
        path = ask_page(self)
        if path is not None:
            self._job = Job("writing the page", lambda report: self.model.write_page(path, report))
            self._timer.start()
            self.show_state()

    def _sign(self, again: date) -> None:
        self.model.sign(again)
        if not self.model.running:
            self.over.emit()

    # ---- parts ------------------------------------------------------------------------------------

    def _pick_movement(self) -> None:
        self._body.addWidget(self._tested)
        self._tested.show()

    def _straps(self, *others: Deed) -> None:
        """Offer the re-test twice: whether sensors came off picks the error, and is never guessed."""
        first, *rest = others
        stayed = ("Record re-test: straps stayed on", lambda: self._capture(came_off=False))
        off = ("Record re-test: straps came off", lambda: self._capture(came_off=True))
        halt = ("Stop for safety ...", self._halt)
        self._actions(first, *rest, stayed, off, halt)

    def _capture(self, came_off: bool | None) -> None:
        self._came_off = came_off
        movement, side = self._tested.movement, self._tested.side
        file = self._setting.new_file(f"{self.model.code}_{movement.id}_{side}")
        order = self.model.order(movement, side, file)
        if came_off is not None:
            order = self.model.retest_order(movement, side, file)
        given = [] if came_off else self.model.calibrations(movement, side)
        self.capture_wanted.emit(order, given, self.model.baseline(movement, side))

    def _soft(self, deed: Callable[[str], None]) -> Callable[[], None]:
        """Return a deed that may be done with a reason where a guard holds it up."""

        def act() -> None:
            deed("")
            reason = ask_reason(self, self.model.problem)
            if reason:
                deed(reason)
            self.show_state()

        return act

    def _halt(self) -> None:
        """Break the visit off: what happened, what was done, who was told."""
        said = ask_stop(self)
        if not said:
            return
        self.model.halt("stop", *said)
        self.show_state()

    def _then(self, deed: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            deed()
            self.show_state()

        return act

    def _actions(self, primary: Deed, *others: Deed) -> None:
        for text, deed in others:
            self._row.addWidget(button(text, deed, key=NOTHING_NEW_KEY if text == NOTHING_NEW else ""))
        self._row.addStretch(1)
        self._row.addWidget(button(*primary, primary=True))

    def _look_at_job(self) -> None:
        if self._job is not None:
            self._progress.setValue(round(100 * self._job.share))
        if self._job is not None and self._job.over:
            self.model.problem = self.model.problem or self._job.error
            self._job = None
            self._timer.stop()
            reason = ask_reason(self, self.model.problem)
            if reason:
                self._measure(self._measured, reason)
            self.show_state()
