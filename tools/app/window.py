"""The window: one page at a time, a row of pages on top, and an end that loses nothing."""

# pyright: basic

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from tools.app.capture_page import CapturePage
from tools.app.chooser_model import ChooserModel
from tools.app.key_help import HELP_KEY, KeyHelp
from tools.app.pedal_dialog import PedalDialog
from tools.app.setting import Setting
from tools.app.station import Station
from tools.app.theme import THEMES, after, dress, style_sheet
from tools.app.widgets import button, panel, words

if TYPE_CHECKING:
    from calibration.segment import JointCalibration
    from tools.app.patient_window import PatientWindow
    from tools.app.session import Session
    from tools.cli.capture_order import Order

ENDING_S = 5.0
RESTING_MS = 1000
SMALLEST = (1024, 640)
"""Smallest window in which every page has room for all of its parts, logical pixels."""
NO_PERSON = "virtual sensors: no person is measured"


class Window(QMainWindow):
    """The application."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self.theme = THEMES[setting.theme]
        self.setWindowTitle(f"romcap   {NO_PERSON}" if setting.virtual else "romcap")
        self.setMinimumSize(*SMALLEST)
        self.setAcceptDrops(True)
        self.setStyleSheet(style_sheet(self.theme))
        self.station = Station(setting.source_of)
        self._resting = QTimer(self)
        self._resting.setInterval(RESTING_MS)
        self._resting.timeout.connect(self.station.idle)
        self._resting.start()
        self.patient: PatientWindow | None = None
        self.key_help: KeyHelp | None = None
        self._tabs: dict[str, QPushButton] = {}
        self._pages: dict[str, QWidget] = {}
        self._stack = QStackedWidget()
        self.problem = words()
        self._problem_bar = panel()
        self._lay_out()
        self.show_page("Capture")

    @property
    def capture(self) -> CapturePage:
        """The page of captures."""
        page = self.page("Capture")
        assert isinstance(page, CapturePage)
        return page

    def page(self, name: str) -> QWidget:
        """Return a page, made when it is first needed."""
        if name not in self._pages:
            self._pages[name] = self._makers()[name]()
            self._stack.addWidget(self._pages[name])
        return self._pages[name]

    def show_page(self, name: str) -> None:
        """Show a page."""
        self._stack.setCurrentWidget(self.page(name))
        self.page(name).setFocus()
        for title, tab in self._tabs.items():
            tab.setChecked(title == name)

    def _makers(self) -> dict[str, Callable[[], QWidget]]:
        alone = {"Capture": self._capture_page, "Review": self._review_page}
        if not self.setting.has_practice:
            return alone
        return alone | {"Visit": self._visit_page, "Course": self._course_page}

    def _waiting(self, name: str) -> QWidget:
        """Return what stands in for a page until the practice is there."""
        from tools.app.waiting_page import WaitingPage

        assert self.setting.preparing is not None
        page = WaitingPage(self.setting.preparing)
        page.done.connect(lambda: self._prepared(name))
        return page

    def _prepared(self, name: str) -> None:
        """Put a page of the practice in place of the one that waited for it."""
        job = self.setting.preparing
        if self.setting.desk is None and job is not None:
            self.setting.desk = job.result
        if self.setting.desk is None:
            return
        waited = self._pages.pop(name)
        shown = self._stack.currentWidget() is waited
        self._stack.removeWidget(waited)
        waited.deleteLater()
        if shown:
            self.show_page(name)

    def _visit_page(self) -> QWidget:
        from tools.app.visit_model import VisitModel
        from tools.app.visit_page import VisitPage

        if self.setting.desk is None:
            return self._waiting("Visit")
        page = VisitPage(self.theme, self.setting, VisitModel(self.setting.desk))
        page.capture_wanted.connect(self._capture_for_visit)
        page.course_wanted.connect(self.show_course)
        page.over.connect(self.sensors_off)
        return page

    def _course_page(self) -> QWidget:
        from tools.app.course_model import CourseModel
        from tools.app.course_page import CoursePage

        if self.setting.desk is None:
            return self._waiting("Course")
        return CoursePage(self.theme, CourseModel(self.setting.desk))

    def show_course(self, code: str) -> None:
        """Show the course of a client."""
        from tools.app.course_page import CoursePage

        page = self.page("Course")
        assert isinstance(page, CoursePage)
        page.choose(code)
        self.show_page("Course")

    def _capture_for_visit(
        self, order: "Order", given: "list[JointCalibration]", baseline: float | None
    ) -> None:
        """Capture what the visit asked for; its result goes back there."""
        self.show_page("Capture")
        self.capture.begin(order, given, baseline)
        self.capture.recorded.connect(self._back_to_visit, Qt.ConnectionType.SingleShotConnection)

    def _back_to_visit(self, session: "Session") -> None:
        from tools.app.visit_page import VisitPage

        page = self.page("Visit")
        assert isinstance(page, VisitPage)
        self.capture.choose_again()
        self.show_page("Visit")
        page.take(session)

    def _review_page(self) -> QWidget:
        from tools.app.review_page import ReviewPage

        return ReviewPage(self.theme, self.setting.catalogue)

    def review(self, *paths: Path) -> None:
        """Open recordings for review."""
        from tools.app.review_page import ReviewPage

        self.show_page("Review")
        page = self.page("Review")
        assert isinstance(page, ReviewPage)
        page.open(*paths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Review what was dropped."""
        self.review(*(Path(url.toLocalFile()) for url in event.mimeData().urls()))

    def _capture_page(self) -> QWidget:
        setting = self.setting
        chooser = ChooserModel(setting.catalogue, setting.clients())
        page = CapturePage(self.theme, chooser, setting.bindings, self.station.source, setting.recordings)
        page.pedal_wanted.connect(self._learn_pedal)
        page.review_wanted.connect(self.review)
        return page

    def _learn_pedal(self) -> None:
        PedalDialog(self.setting.bindings, self).exec()
        if self.setting.keys_file is not None:
            try:
                self.setting.bindings.save(self.setting.keys_file)
            except OSError as error:
                self.say_problem(f"The pedal works until the end, but its key could not be kept ({error}).")

    def show_keys(self) -> None:
        """Show which key does what, or take it away; the keys themselves stay with this window."""
        shown, self.key_help = self.key_help, None
        if shown is None or shown.isHidden():
            self.key_help = KeyHelp(self.setting.bindings, self)
            self.key_help.show()
        if shown is not None:
            shown.close()
            shown.deleteLater()

    def next_theme(self) -> None:
        """Wear the next theme: dark, light, high contrast; what runs goes on."""
        self.theme = after(self.theme)
        dress(self, self.theme)
        if self.patient is not None:
            dress(self.patient, self.theme)

    def sensors_off(self) -> Thread:
        """Let the sensors go, beside the window: a disconnection may take seconds."""
        leaving = Thread(target=self.station.close, name="leaving", daemon=True)
        leaving.start()
        return leaving

    def show_patient(self) -> None:
        """Show the window for the person who is measured, or take it away."""
        from tools.app.patient_window import PatientWindow

        if self.patient is None:
            self.patient = PatientWindow(self.theme, lambda: self.capture.live.model)
            self.patient.resize(1000, 640)
        self.patient.setVisible(not self.patient.isVisible())

    def say_problem(self, text: str) -> None:
        """Show what went wrong above the pages until it is read; empty takes it away."""
        self.problem.setText(text)
        self._problem_bar.setVisible(bool(text))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End a capture in good order before the window goes."""
        if "Capture" in self._pages:
            self.capture.end()
        self.sensors_off().join(ENDING_S)
        if self.patient is not None:
            self.patient.close()
        if self.setting.preparing is not None:
            self.setting.preparing.cancel()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for number, name in enumerate(self._makers(), start=1):
            tab = QPushButton(name)
            tab.setCheckable(True)
            tab.setAccessibleName(name)
            tab.setToolTip(f"Ctrl+{number}")
            tab.clicked.connect(lambda _checked=False, n=name: self.show_page(n))
            self._tabs[name] = tab
            row.addWidget(tab)
            self._deed(name, f"Ctrl+{number}", lambda n=name: self.show_page(n))
        row.addStretch(1)
        if self.setting.virtual:
            row.addWidget(QLabel(NO_PERSON))
        row.addWidget(
            button("Patient window", self.show_patient, hint="Ctrl+P: a second window, without names")
        )
        self._deed("Patient window", "Ctrl+P", self.show_patient)
        row.addWidget(button("Keys", self.show_keys, hint=f"{HELP_KEY}: which key does what"))
        self._deed("Keys", HELP_KEY, self.show_keys)
        row.addWidget(button("Theme", self.next_theme, hint="Ctrl+T: dark, light, high contrast"))
        self._deed("Theme", "Ctrl+T", self.next_theme)
        bar = QHBoxLayout(self._problem_bar)
        bar.addWidget(self.problem, 1)
        bar.addWidget(button("Understood", lambda: self.say_problem(""), hint="Take the message away"))
        self.say_problem("")
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.addLayout(row)
        column.addWidget(self._problem_bar)
        column.addWidget(self._stack, 1)
        self.setCentralWidget(whole)

    def _deed(self, name: str, keys: str, deed: Callable[[], None]) -> None:
        """Let keys do something from every page."""
        action = QAction(name, self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _checked=False: deed())
        self.addAction(action)
