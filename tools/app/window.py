"""The window: one page at a time, a row of pages on top, and an end that loses nothing."""

# pyright: basic

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
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

from calibration.segment import JointCalibration
from tools.app.capture_page import CapturePage
from tools.app.chooser_model import ChooserModel
from tools.app.pedal_dialog import PedalDialog
from tools.app.session import Session
from tools.app.setting import Setting
from tools.app.theme import THEMES, style_sheet
from tools.cli.capture_record import Order

NO_PERSON = "virtual sensors: no person is measured"


class Window(QMainWindow):
    """The application."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self.theme = THEMES[setting.theme]
        self.setWindowTitle(f"romcap   {NO_PERSON}" if setting.virtual else "romcap")
        self.setMinimumSize(1280, 720)
        self.setAcceptDrops(True)
        self.setStyleSheet(style_sheet(self.theme))
        self._tabs: dict[str, QPushButton] = {}
        self._pages: dict[str, QWidget] = {}
        self._stack = QStackedWidget()
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
        if self.setting.desk is None:
            return alone
        return alone | {"Visit": self._visit_page, "Course": self._course_page}

    def _visit_page(self) -> QWidget:
        from tools.app.visit_model import VisitModel
        from tools.app.visit_page import VisitPage

        assert self.setting.desk is not None
        page = VisitPage(self.theme, self.setting, VisitModel(self.setting.desk))
        page.capture_wanted.connect(self._capture_for_visit)
        page.course_wanted.connect(self.show_course)
        return page

    def _course_page(self) -> QWidget:
        from tools.app.course_model import CourseModel
        from tools.app.course_page import CoursePage

        assert self.setting.desk is not None
        return CoursePage(self.theme, CourseModel(self.setting.desk))

    def show_course(self, code: str) -> None:
        """Show the course of a client."""
        from tools.app.course_page import CoursePage

        page = self.page("Course")
        assert isinstance(page, CoursePage)
        page.choose(code)
        self.show_page("Course")

    def _capture_for_visit(self, order: Order, given: list[JointCalibration], baseline: float | None) -> None:
        """Capture what the visit asked for; its result goes back there."""
        self.show_page("Capture")
        self.capture.begin(order, given, baseline)
        self.capture.recorded.connect(self._back_to_visit, Qt.ConnectionType.SingleShotConnection)

    def _back_to_visit(self, session: Session) -> None:
        from tools.app.visit_page import VisitPage

        page = self.page("Visit")
        assert isinstance(page, VisitPage)
        self.capture.choose_again()
        self.show_page("Visit")
        page.take(session)

    def _review_page(self) -> QWidget:
        from tools.app.review_page import ReviewPage

        return ReviewPage(self.theme)

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
        page = CapturePage(self.theme, chooser, setting.bindings, setting.source_of, setting.recordings)
        page.pedal_wanted.connect(self._learn_pedal)
        page.review_wanted.connect(self.review)
        return page

    def _learn_pedal(self) -> None:
        PedalDialog(self.setting.bindings, self).exec()
        if self.setting.keys_file is not None:
            self.setting.bindings.save(self.setting.keys_file)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End a capture in good order before the window goes."""
        if "Capture" in self._pages:
            self.capture.end()
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
            action = QAction(name, self)
            action.setShortcut(QKeySequence(f"Ctrl+{number}"))
            action.triggered.connect(lambda _checked=False, n=name: self.show_page(n))
            self.addAction(action)
        row.addStretch(1)
        if self.setting.virtual:
            row.addWidget(QLabel(NO_PERSON))
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        self.setCentralWidget(whole)
