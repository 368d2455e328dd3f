"""Home: three big steps, nothing else on screen."""

# pyright: basic

from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QKeySequence, QPainter, QPaintEvent, QPen, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from tools.app.body import pose_of
from tools.app.home_model import HomeModel, HomeResult
from tools.app.jobs import Job
from tools.app.limb_figure import LimbFigure
from tools.app.readout import Readout
from tools.app.setting import Setting
from tools.app.station import Station
from tools.app.step_panel import StepPanel
from tools.app.theme import Theme, Themed
from tools.app.tones import Speaker
from tools.app.widgets import button, words
from tools.cli.keys import AGAIN, START_STOP
from tools.voice import Voice

if TYPE_CHECKING:
    from tools.app.capture_model import CaptureModel

STEPS = ("1   Strap", "2   Move", "3   Result")
FRAME_MS = 33
RESTING_MS = 1000
ENDING_S = 5.0


class HomePage(Themed, QWidget):
    """The athlete's window."""

    def __init__(self, theme: Theme, setting: Setting, model: HomeModel) -> None:
        super().__init__()
        self.model = model
        self._theme = theme
        self._station = Station(setting.source_of)
        self._capture: CaptureModel | None = None
        self._job: Job[None] | None = None
        self._speaker = Speaker()
        self._voice = Voice()
        self._said = ""
        self._left = False
        self._steps = [words(text, role="title") for text in STEPS]
        self._say = words(role="title")
        self._figure = LimbFigure(theme)
        self._step = StepPanel(theme)
        self._readout = Readout(theme)
        self._band = ChanceBand(theme)
        self._primary = button("Next", self._go, primary=True, hint="Space or Enter")
        self._back = button("Back", self._go_back, hint="Key Esc", key="Esc")
        for key in ("Space", "Return", "Enter"):
            QShortcut(QKeySequence(key), self, self._primary.click)
        self._primary.setMinimumHeight(64)
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._resting = QTimer(self)
        self._resting.setInterval(RESTING_MS)
        self._resting.timeout.connect(self._station.idle)
        self._resting.start()
        self.show_state()

    def open(self, file: Path) -> None:
        """Read the clinic's file."""
        self.model.open(file)
        self.show_state()

    def stop(self) -> None:
        """End what is under way, in good order."""
        if self._capture is not None:
            self._capture.session.end(ENDING_S)
        if self._job is not None:
            self._job.cancel()
        self._speaker.close()
        self._voice.hush()
        leaving = Thread(target=self._station.close, name="leaving", daemon=True)
        leaving.start()
        leaving.join(ENDING_S)

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        super().wear(theme)
        self.show_state()

    @property
    def place(self) -> int:
        """Which of the three steps it is, from 0."""
        if self.model.result is not None or self._job is not None:
            return 2
        return 0 if self._capture is None else 1

    def _go(self) -> None:
        model = self.model
        if model.test is None:
            name, _ = QFileDialog.getOpenFileName(self, "The clinic's file", "", "Test at home (*.json)")
            if name:
                self.open(Path(name))
        elif self.place == 0:
            self._begin()
        elif self.place == 1 and self._capture is not None:
            self._capture.press(AGAIN if self._capture.refused else START_STOP)
        elif model.recording is not None and model.result is not None and model.sent is None:
            model.send(model.recording.with_name(f"answer_{model.recording.stem}.age"))
            self.show_state()

    def _begin(self) -> None:
        from tools.app.capture_model import CaptureModel
        from tools.app.session import Session

        order = self.model.order()
        self.model.problem = ""
        self._left = False
        test = self.model.test
        session = Session(order, self._station.source(order.movement, order.side))
        self._capture = CaptureModel(session, play=self._speaker.play)
        self._readout.set_caption(self.model.title.upper() if test else "")
        session.start()
        self.show_state()

    def _go_back(self) -> None:
        """Leave what is under way: to the first step, or without measuring."""
        if self._job is not None:
            self._job.cancel()
        elif self._capture is not None and not self._capture.session.over:
            self._left = True
            self._capture.session.end()

    def _tick(self) -> None:
        capture = self._capture
        if capture is not None and self._job is None and self.model.result is None:
            capture.pull()
            if capture.step.words != self._said:
                self._said = capture.step.words
                self._voice.say(self._said)
            if capture.session.over:
                self._ended(capture)
            self.show_state()
        if self._job is not None and self._job.over:
            self.model.problem = self.model.problem or self._job.error
            self._job = None
            if self.model.result is None:
                self._capture = None
            self.show_state()
        elif self._job is not None:
            self._say.setText(self._sentence(self.place))

    def _ended(self, capture: "CaptureModel") -> None:
        session = capture.session
        if session.error or self._left:
            self.model.problem, self._capture = "" if self._left else session.error, None
            return
        file = session.order.file
        self._job = Job("Measuring", lambda report: self.model.measure(file, report))

    def show_state(self) -> None:
        """Show the step that is due."""
        model, place = self.model, self.place
        for number, label in enumerate(self._steps):
            colour = self._theme.accent if number == place else self._theme.soft
            label.setStyleSheet(f"color: {colour}; font-size: {34 if number == place else 24}px;")
        self._figure.setVisible(place < 2)
        self._step.setVisible(place == 1)
        self._readout.setVisible(place == 1)
        self._band.setVisible(place == 2)
        self._band.show_result(model.result)
        if place == 1 and self._capture is not None:
            state = self._capture.readout
            self._step.show_step(self._capture.step)
            self._readout.show_angle(state.value, state.detail, live=state.live)
            self._figure.show_pose(self._capture.pose)
        elif place == 0 and model.test is not None:
            order = model.order()
            self._figure.face(order.side)
            self._figure.show_pose(pose_of(order.movement, order.side, float("nan")))
        self._say.setText(model.problem or self._sentence(place))
        again = self._capture is not None and bool(self._capture.refused)
        names = {0: "Start", 1: "Try again" if again else "Start / stop", 2: "Send to clinic"}
        self._primary.setText("Open the clinic's file" if model.test is None else names[place])
        self._primary.setEnabled(self._job is None and model.sent is None)
        self._back.setVisible(place == 1 or self._job is not None)

    def _sentence(self, place: int) -> str:
        model = self.model
        if model.test is None:
            return model.title
        if place == 0:
            where = " and ".join(name.replace("_", " ") for name in self._segments())
            return f"Put the sensors on: {where}. Then press Start."
        if place == 1:
            return "" if self._capture is None else "   ".join(self._capture.warnings)
        if model.sent is not None:
            return f"{model.result.sentence if model.result else ''}\nSend this file: {model.sent}"
        if model.result is not None:
            return model.result.sentence
        return f"Measuring ... {0.0 if self._job is None else self._job.share:.0%}"

    def _segments(self) -> tuple[str, str]:
        order = self.model.order()
        return order.movement.segments(order.side)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        for label in self._steps:
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            top.addWidget(label)
        middle = QHBoxLayout()
        middle.addWidget(self._readout)
        middle.addWidget(self._figure, 1)
        whole = QVBoxLayout(self)
        whole.addLayout(top)
        whole.addWidget(self._step)
        whole.addLayout(middle, 1)
        whole.addWidget(self._band, 4)
        self._say.setAlignment(Qt.AlignmentFlag.AlignCenter)
        whole.addWidget(self._say)
        whole.addStretch(0)
        below = QHBoxLayout()
        below.addWidget(self._back)
        below.addStretch(1)
        below.addWidget(self._primary)
        whole.addLayout(below)


class ChanceBand(Themed, QWidget):
    """Today's value and the clinic's on one line, with the band of what could be chance."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._result: HomeResult | None = None
        self.setMinimumHeight(220)
        self.setAccessibleName("Today against the clinic")

    def show_result(self, result: HomeResult | None) -> None:
        """Show a result."""
        self._result = result
        if result is not None:
            self.setAccessibleDescription(result.sentence)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the line."""
        result = self._result
        if result is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chance = result.chance_deg or 0.0
        low = min(result.today_deg, result.clinic_deg - chance) - 5.0
        high = max(result.today_deg, result.clinic_deg + chance) + 5.0

        def x(value: float) -> float:
            return 80 + (value - low) / (high - low) * (self.width() - 160)

        y = self.height() / 2
        shade = QColor(self._theme.soft)
        shade.setAlphaF(0.25)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        left, right = x(result.clinic_deg - chance), x(result.clinic_deg + chance)
        painter.drawRect(QRectF(left, y - 34, right - left, 68))
        painter.setPen(QPen(QColor(self._theme.line), 3))
        painter.drawLine(60, round(y), self.width() - 60, round(y))
        font = QFont()
        font.setPixelSize(24)
        font.setBold(True)
        painter.setFont(font)
        pen = QPen(QColor(self._theme.before), 4, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        clinic = x(result.clinic_deg)
        painter.drawLine(QPointF(clinic, y - 40), QPointF(clinic, y + 40))
        at = QRectF(x(result.clinic_deg) - 150, y + 44, 300, 30)
        painter.drawText(at, Qt.AlignmentFlag.AlignCenter, f"clinic {result.clinic_deg:.0f}°")
        colour = self._theme.side(result.side)
        painter.setPen(colour)
        painter.setBrush(colour)
        painter.drawEllipse(QRectF(x(result.today_deg) - 12, y - 12, 24, 24))
        above = QRectF(x(result.today_deg) - 150, y - 80, 300, 34)
        painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"today {result.today_deg:.0f}°")
        font.setPixelSize(15)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.soft))
        said = QRectF(left - 100, y + 76, right - left + 200, 22)
        painter.drawText(said, Qt.AlignmentFlag.AlignCenter, "inside the grey band it can be chance")
        painter.end()
