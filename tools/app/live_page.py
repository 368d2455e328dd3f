"""The live page: one huge angle, the arc, the curve, the figure, the sensors, what to do, and the keys."""

# pyright: basic

import time

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from tools.app.angle_plot import AnglePlot
from tools.app.arc import ArcView
from tools.app.bindings import FLOW_KEYS, Action, Bindings
from tools.app.capture_model import SHOWN_SECONDS, CaptureModel
from tools.app.limb_figure import LimbFigure
from tools.app.readout import Readout
from tools.app.sensor_strip import SensorStrip
from tools.app.step_panel import StepPanel
from tools.app.theme import Theme, Themed
from tools.app.widgets import button, words

LOOK_MS = 7
"""How often it is looked whether angles came."""
SOONEST_S, LATEST_S = 0.026, 0.034
"""A frame is drawn when angles come, but not sooner after the last one, and without any not later, s: 30
frames a second and a little, whatever the rate of the samples."""
UNDERSTOOD = "Esc"
KEYS = (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)


class LivePage(Themed, QWidget):
    """Shows one capture from its begin to its end."""

    ended = Signal()

    def __init__(self, theme: Theme, bindings: Bindings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bindings = bindings
        self._model: CaptureModel | None = None
        self._drawn = 0.0
        self._strip = SensorStrip(theme)
        self._recording = words(soft=True)
        self._recording.setFixedWidth(230)
        self._recording.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._step = StepPanel(theme)
        self._readout = Readout(theme)
        self._counts = QLabel("0 reps")
        self._counts.setStyleSheet("font-size: 30px; font-weight: 700;")
        self._counts.setAccessibleName("Counted")
        self._counted = words(role="noted")
        self._arc = ArcView(theme)
        self._figure = LimbFigure(theme)
        self._plot = AnglePlot(theme)
        self._again = button("Calibrate again", lambda: self.press(Action.AGAIN), hint="Key C")
        self._warnings = words(role="warning")
        self._warnings.setToolTip("Esc takes away what was read")
        self._warnings.setAccessibleName("Warnings")
        self._warnings.setMinimumHeight(24)
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def model(self) -> CaptureModel | None:
        """What is shown."""
        return self._model

    def show_model(self, model: CaptureModel) -> None:
        """Begin to show a capture."""
        self._model = model
        order = model.order
        letter = {"left": "L   ", "right": "R   "}.get(order.side, "")
        self._readout.set_caption(f"{letter}{model.title.upper()}")
        self._plot.begin(order.side)
        self._figure.face(order.side)
        arc = model.arc
        low, high = sorted((arc.low, arc.high))
        self._plot.show_scale(low - 10.0, high + 10.0, (-SHOWN_SECONDS, 0.0))
        self._plot.show_baseline(model.baseline_deg)
        self._timer.start()
        self._draw()

    def stop(self) -> None:
        """Show nothing any more; the capture goes on or is ended elsewhere."""
        self._timer.stop()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Listen to keys wherever the focus is."""
        if (app := QApplication.instance()) is not None:
            app.installEventFilter(self)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        """Leave the keys to others."""
        if (app := QApplication.instance()) is not None:
            app.removeEventFilter(self)
        self._bindings.let_go()
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take the keys of the capture before any button does."""
        if event.type() in KEYS and self._model is not None and self._mine(watched):
            assert isinstance(event, QKeyEvent)
            name = QKeySequence(event.key()).toString()
            if name == UNDERSTOOD and event.type() == QEvent.Type.KeyPress:
                self._model.understood()
                return True
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if plain and self._bindings.means(name):
                turn = self._bindings.down if event.type() == QEvent.Type.KeyPress else self._bindings.up
                self._hand_over(turn(name, time.monotonic(), repeated=event.isAutoRepeat()))
                return True
        return super().eventFilter(watched, event)

    def press(self, action: Action) -> None:
        """Do what a button says."""
        if self._model is not None:
            self._model.press(FLOW_KEYS[action])

    def _hand_over(self, key: str) -> None:
        if key and self._model is not None:
            self._model.press(key)

    def _mine(self, watched: QObject) -> bool:
        return isinstance(watched, QWidget) and watched.window() is self.window()

    def _tick(self) -> None:
        model = self._model
        if model is None:
            return
        now = time.monotonic()
        self._hand_over(self._bindings.held(now))
        waited = now - self._drawn
        if waited < SOONEST_S or (waited < LATEST_S and not model.session.fresh):
            return
        self._drawn = now
        # looked at first: what the capture says with its last breath is taken before the page stops looking
        over = model.session.over
        model.pull()
        self._draw()
        if over:
            self._timer.stop()
            self.ended.emit()

    def _draw(self) -> None:
        model = self._model
        if model is None:
            return
        state = model.readout
        self._readout.show_angle(state.value, state.detail, live=state.live)
        self._arc.show_state(model.arc)
        curve = model.curve
        if len(curve.seconds):
            self._plot.show_series(curve.seconds, curve.degrees, curve.sigma_deg)
            self._plot.show_spans(model.marks())
            self._plot.show_warming(model.marks("warms up"))
        self._figure.show_pose(model.pose)
        self._strip.show_lights(model.lights)
        self._step.show_step(model.step)
        _say(self._counts, model.counts)
        _say(self._counted, model.counted)
        self._again.setVisible(model.may_calibrate)
        _say(self._warnings, "   ".join(model.warnings))
        _say(self._recording, model.recorded)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self._strip, 1)
        top.addWidget(self._recording)
        left = QVBoxLayout()
        left.addWidget(self._readout)
        count = QHBoxLayout()
        count.addWidget(self._counts)
        count.addWidget(self._counted, 1)
        left.addLayout(count)
        left.addWidget(self._arc, 1)
        right = QHBoxLayout()
        right.addWidget(self._plot, 3)
        right.addWidget(self._figure, 2)
        column = QVBoxLayout()
        column.addWidget(self._step)
        column.addLayout(right, 1)
        middle = QHBoxLayout()
        middle.addLayout(left, 2)
        middle.addLayout(column, 3)
        keys = QHBoxLayout()
        for text, action, hint in (
            ("End", Action.END, "Key Q"),
            ("Discard last", Action.DISCARD, "Key D"),
            ("Mark", Action.MARK, "Key M"),
        ):
            keys.addWidget(button(text, lambda a=action: self.press(a), hint=hint))
        keys.addWidget(words("pain: keys 0 to 9   sharp: S, or hold the pedal", soft=True), 1)
        start = button(
            "Start / stop", lambda: self.press(Action.START_STOP), primary=True, hint="Space, pedal"
        )
        keys.addWidget(start)
        keys.insertWidget(keys.indexOf(start), self._again)
        whole = QVBoxLayout(self)
        whole.addLayout(top)
        whole.addLayout(middle, 1)
        whole.addWidget(self._warnings)
        whole.addLayout(keys)


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
