"""A second window for the person who is measured: the number, the arc, the figure, what to do; no names."""

# pyright: basic

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from tools.app.arc import ArcView
from tools.app.capture_model import CaptureModel
from tools.app.limb_figure import LimbFigure
from tools.app.readout import Readout
from tools.app.step_panel import StepPanel
from tools.app.theme import Theme, dress
from tools.app.widgets import words

FRAME_MS = 40
WAITING = "The measurement begins soon"


class PatientWindow(QWidget):
    """Shows the capture that runs in the clinician's window; drag it to a second screen.

    Parameters
    ----------
    theme
        Of the clinician's window.
    model_of
        Returns what is captured now; None before anything is.
    """

    def __init__(self, theme: Theme, model_of: Callable[[], CaptureModel | None]) -> None:
        super().__init__()
        self.setWindowTitle("romcap")
        # the keys and the pedal stay with the clinician's window
        self.setWindowFlag(Qt.WindowType.WindowDoesNotAcceptFocus)
        self.setMinimumSize(800, 500)
        self._model_of = model_of
        self._shown: CaptureModel | None = None
        self._step = StepPanel(theme)
        self._readout = Readout(theme)
        self._counts = QLabel(WAITING)
        self._counts.setStyleSheet("font-size: 30px; font-weight: 700;")
        self._counts.setAccessibleName("Counted")
        self._counted = words(role="noted")
        self._arc = ArcView(theme)
        self._figure = LimbFigure(theme)
        left = QVBoxLayout()
        left.addWidget(self._readout)
        count = QHBoxLayout()
        count.addWidget(self._counts)
        count.addWidget(self._counted, 1)
        left.addLayout(count)
        left.addWidget(self._arc, 1)
        both = QHBoxLayout()
        both.addLayout(left, 3)
        both.addWidget(self._figure, 2)
        column = QVBoxLayout(self)
        column.addWidget(self._step)
        column.addLayout(both, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        dress(self, theme)

    def tick(self) -> None:
        """Draw what the clinician's window has pulled."""
        model = self._model_of()
        if model is None or not self.isVisible():
            return
        if model is not self._shown:
            self._shown = model
            letter = {"left": "L   ", "right": "R   "}.get(model.order.side, "")
            self._readout.set_caption(f"{letter}{model.title.upper()}")
            self._figure.face(model.order.side)
        state = model.readout
        self._readout.show_angle(state.value, state.detail, live=state.live)
        self._arc.show_state(model.arc)
        self._step.show_step(model.step)
        self._figure.show_pose(model.pose)
        self._counts.setText(model.counts)
        self._counted.setText(model.counted)
