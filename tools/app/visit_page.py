"""The visit: the path on top, one step below it, one primary action, the verdict as soon as there is one."""

# pyright: basic

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rom.catalogue.movement import Side
from rom.clinic.treating import Technique
from rom.clinic.visit import State
from tools.app.chooser_model import ChooserModel
from tools.app.jobs import Job
from tools.app.rep_dots import RepDots
from tools.app.session import Session
from tools.app.setting import Setting
from tools.app.theme import Theme
from tools.app.visit_model import VisitModel
from tools.app.visit_panels import ClientPicker, QuestionList
from tools.app.visit_path import VisitPath
from tools.app.visit_questions import DESPITE, ask_reason, ask_stop
from tools.app.widgets import KEPT, button, clear, words

NEXT_VISIT_DAYS = 4
PAGES = "Page (*.pdf);;Page for a browser (*.html)"
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
        self._progress.setFormat("%p%")
        self._progress.setAccessibleName("Progress")
        self._body = QVBoxLayout()
        self._row = QHBoxLayout()
        self._movement = QComboBox()
        self._movement.setAccessibleName("Movement")
        for movement in setting.catalogue.movements.values():
            self._movement.addItem(self._chooser.title(movement), movement.id)
        self._movement.setCurrentIndex(max(0, self._movement.findData("kn_ake")))
        self._side = QComboBox()
        self._movement.setObjectName(KEPT)
        self._side.setObjectName(KEPT)
        self._side.setAccessibleName("Side")
        for side in ("right", "left", "midline"):
            self._side.addItem(side, side)
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
        clear(self._body)
        clear(self._row)
        if self._job is not None:
            self._title.setText(f"{model.code}   {self._job.words}")
            self._body.addStretch(1)
            self._actions(("Cancel", self._job.cancel))
            return
        self._panel()()
        self._body.addStretch(1)

    def _panel(self) -> Callable[[], None]:
        model = self.model
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
        if self.model.note:
            self._note()
        self._actions(
            ("Start a visit", self._then(self.model.start)),
            ("Another client", lambda: self.choose("")),
            ("Page for the chart ...", self._write_page),
            ("Course", lambda: self.course_wanted.emit(self.model.code)),
        )

    def _show_screening(self) -> None:
        self._title.setText(f"{self.model.code}   Screening: tick what is a yes")
        asked = QuestionList(self.model.questions)
        self._body.addWidget(asked, 20)
        self._actions(
            ("Answers given", self._then(lambda: self.model.screen(asked.yes))),
            ("Nothing new for all", self._then(self.model.screen_as_last_time)),
        )

    def _show_history(self) -> None:
        self._title.setText(f"{self.model.code}   Pain now, 0 to 10")
        row = QHBoxLayout()
        for pain in range(11):
            row.addWidget(button(str(pain), self._then(lambda p=pain: self.model.tell(float(p)))))
        self._body.addLayout(row)

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
            ("On to the structure", self._show_structures_now),
            ("Close the visit", self._soft(self._close)),
        )

    def _show_structures_now(self) -> None:
        clear(self._body)
        clear(self._row)
        self._show_structures()
        self._body.addStretch(1)

    def _show_structures(self) -> None:
        self._title.setText(f"{self.model.code}   Which structure, and how?")
        search, found, technique = QLineEdit(), QListWidget(), QComboBox()
        search.setPlaceholderText("Structure, such as biceps f")
        search.setAccessibleName("Structure")
        found.setAccessibleName("Structures")
        technique.addItems([str(one) for one in Technique])
        technique.setAccessibleName("Technique")
        movement = self._setting.catalogue.movement(self._movement.currentData())
        shown: list[str] = []
        last, expected = self.model.last_treatment, self.model.expected

        def fill(typed: str) -> None:
            structures = self._chooser.structures(typed, movement)
            if not typed:
                structures.sort(key=lambda one: one.id not in expected)
            shown[:] = [one.id for one in structures]
            found.clear()
            found.addItems([one.summary for one in structures])
            found.setCurrentRow(0)

        def go() -> None:
            if found.currentRow() >= 0:
                chosen, picked = Technique(technique.currentText()), shown[found.currentRow()]
                side: Side = self._side.currentData()
                self._soft(lambda despite: self.model.treat(picked, side, chosen, despite))()

        search.textChanged.connect(fill)
        fill("")
        self._body.addWidget(search)
        self._body.addWidget(found, 5)
        if last is not None:
            self._side.setCurrentIndex(max(0, self._side.findData(last.side)))
            technique.setCurrentText(last.technique)
        self._body.addWidget(self._side)
        self._side.show()
        self._body.addWidget(technique)
        self._actions(("Treat", go))

    def _show_passes(self) -> None:
        treatment, facts = self.model.treatment, self.model.facts
        name = "" if treatment is None else f"{treatment.structure} {treatment.side}, {treatment.technique}"
        self._title.setText(f"{self.model.code}   Passes: {name}")
        self._body.addWidget(words(f"{facts.passes} of at most {facts.passes_max} passes"))
        if treatment is not None:
            self._side.setCurrentIndex(max(0, self._side.findData(treatment.side)))
        self._pick_movement()
        self._straps(("Record passes", lambda: self._capture(None)))

    def _show_retest(self) -> None:
        self._title.setText(f"{self.model.code}   Re-test")
        self._pick_movement()
        self._straps(
            ("Next structure", self._soft(self.model.retarget)),
            ("Close the visit", self._soft(self._close)),
        )

    def _show_neighbours(self) -> None:
        self._title.setText(f"{self.model.code}   Symptom still there? Neighbours up and down the chain")
        for one in self.model.suggested:
            self._body.addWidget(words(one.summary))
        self._actions(
            ("Choose a structure", self._show_structures_now),
            ("Close the visit", self._soft(self._close)),
        )

    def _show_close(self) -> None:
        self._title.setText(f"{self.model.code}   The visit is halted")
        self._actions(("Close the visit", self._soft(self._close)))

    def _show_sign(self) -> None:
        self._title.setText(f"{self.model.code}   Close")
        self._note()
        again = date.today() + timedelta(days=NEXT_VISIT_DAYS)
        sign = (f"Sign, next visit {again}", self._then(lambda: self._sign(again)))
        self._actions(sign, ("Page for the chart ...", self._write_page))

    def _write_page(self) -> None:
        """Write the page of the visit beside the window; drawing it takes a second or two."""
        name, _ = QFileDialog.getSaveFileName(self, "Page for the chart", "", PAGES)
        if name:
            path = Path(name)
            self._job = Job("writing the page", lambda _report: self.model.write_page(path))
            self._timer.start()
            self.show_state()

    def _sign(self, again: date) -> None:
        self.model.sign(again)
        if not self.model.running:
            self.over.emit()

    # ---- parts ------------------------------------------------------------------------------------

    def _pick_movement(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._movement, 2)
        row.addWidget(self._side, 1)
        self._body.addLayout(row)
        self._movement.show()
        self._side.show()

    def _straps(self, *others: Deed) -> None:
        """Offer the re-test twice: whether sensors came off picks the error, and is never guessed."""
        first, *rest = others
        stayed = ("Record re-test: straps stayed on", lambda: self._capture(came_off=False))
        off = ("Record re-test: straps came off", lambda: self._capture(came_off=True))
        halt = ("Stop for safety ...", self._halt)
        self._actions(first, *rest, stayed, off, halt)

    def _capture(self, came_off: bool | None) -> None:
        self._came_off = came_off
        movement = self._setting.catalogue.movement(self._movement.currentData())
        side: Side = "midline" if movement.laterality == "midline" else self._side.currentData()
        file = self._setting.new_file(f"{self.model.code}_{movement.id}_{side}")
        order = self.model.order(movement, side, file)
        if came_off is not None:
            order = self.model.retest_order(movement, side, file)
        given = [] if came_off else self.model.calibrations(movement, side)
        self.capture_wanted.emit(order, given, self.model.baseline(movement, side))

    def _note(self) -> None:
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(words(self.model.note))
        area.setAccessibleName("Note of the visit")
        self._body.addWidget(area, 20)

    def _close(self, despite: str) -> None:
        self.model.close(None, despite=despite)

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

    def _actions(self, primary: tuple[str, Callable[[], None]], *others: Deed) -> None:
        for text, deed in others:
            self._row.addWidget(button(text, deed))
        self._row.addStretch(1)
        self._row.addWidget(button(primary[0], primary[1], primary=True))

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
