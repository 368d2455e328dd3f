"""Review: open or drop recordings, scrub and play them, compare two, discard a rep or move its boundaries."""

# pyright: basic

import math
import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QProgressBar,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from imu.errors import RomcapError
from rom.catalogue.loader import Catalogue
from tools.app.icons import sign
from tools.app.limb_figure import LimbFigure
from tools.app.review_model import ReviewModel
from tools.app.review_plots import ReviewPlots
from tools.app.span_strip import SpanStrip
from tools.app.theme import Theme, Themed
from tools.app.widgets import button, words

FRAME_MS = 30
MEASURING_S = 0.2
"""What is measured beside is drawn no more often, or drawing would hold it up; the clock and keys are."""
SLIDER_PER_SECOND = 100
STEP_S = 0.1
HERE = "To where the clock is"
RECORDINGS = "Recordings (*.mcap *.mcap.part)"


class ReviewPage(Themed, QWidget):
    """One or two recordings."""

    def __init__(self, theme: Theme, catalogue: Catalogue) -> None:
        super().__init__()
        self.model = ReviewModel(catalogue)
        self._theme = theme
        self._last = time.monotonic()
        self._drawn = 0.0
        self._shown: tuple = ()
        self._title = words(role="title")
        self._legend = QLabel()
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress")
        self._progress.setMinimumWidth(220)
        self._cancel = button("Cancel", self._stop_work)
        self._plots = ReviewPlots(theme)
        self._figure = LimbFigure(theme)
        self._strip = SpanStrip(theme)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Time")
        self._sentence = words(role="verdict")
        self._problem = words()
        self._notes = words(soft=True)
        self._measured = words(soft=True)
        self._clock = words()
        self._clock.setFixedWidth(190)
        self._play = button("", self.toggle, hint="Space")
        self._play.setAccessibleName("Play or pause")
        self._speed = button("1x", lambda: self._faster(1), hint="+ and - keys")
        self._speed.setAccessibleName("Speed")
        self._slower = button("Slower", lambda: self._faster(-1))
        self._discard = button("Discard rep ...", self._ask_discard, hint="With a reason; the raw data stay")
        self._move = button(
            "Move start ...", lambda: self._ask_move(start=True), hint="To where the clock is"
        )
        self._move_stop = button(
            "Move stop ...", lambda: self._ask_move(start=False), hint="To where the clock is"
        )
        self._restore = button("Restore ...", self._ask_restore)
        self._best = button("Best estimate", self._show_best, hint="Beside what was seen live")
        self._lay_out()
        self._strip.jumped.connect(self._jump)
        self._strip.sought.connect(self._seek)
        self._slider.sliderMoved.connect(lambda value: self._seek(value / SLIDER_PER_SECOND))
        self._slider.actionTriggered.connect(
            lambda _action: self._seek(self._slider.sliderPosition() / SLIDER_PER_SECOND)
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    def open(self, *paths: Path) -> None:
        """Open one recording, or two to compare."""
        self.model.open(*paths)
        self._shown, self._drawn = (), 0.0
        if self.model.first is not None:
            self._figure.face(self.model.first.recording.header.side)
        self._plots.begin(self.model)
        self._slider.setRange(0, round(self.model.duration * SLIDER_PER_SECOND))
        self.tick()

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        super().wear(theme)
        self._draw(fresh=False)

    def toggle(self) -> None:
        """Play or pause."""
        model = self.model
        if not model.playing and model.at >= model.duration:
            model.seek(0.0)
        model.playing = not model.playing
        self.tick()

    def tick(self) -> None:
        """Take what is new, let the clock run, draw."""
        now = time.monotonic()
        model = self.model
        model.advance(now - self._last)
        self._last = now
        state = (model.at, model.playing, model.speed, model.chosen, model.problem, model.sentence)
        moved = state != self._shown
        if not moved and now - self._drawn < MEASURING_S:
            return
        fresh = model.pull()
        if fresh:
            self._plots.show_overview(model)
        if moved or fresh or model.job is not None:
            self._shown, self._drawn = state, now
            self._draw(fresh=fresh)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Space plays, arrows step, N and P jump, plus and minus change the speed."""
        model = self.model
        deeds = {
            Qt.Key.Key_Space: self.toggle,
            Qt.Key.Key_Right: lambda: self._seek(model.at + STEP_S),
            Qt.Key.Key_Left: lambda: self._seek(model.at - STEP_S),
            Qt.Key.Key_N: lambda: self._jump(-1 if model.chosen is None else model.chosen + 1, next_one=True),
            Qt.Key.Key_P: lambda: self._jump((model.chosen or 0) - 1),
            Qt.Key.Key_Plus: lambda: self._faster(1),
            Qt.Key.Key_Minus: lambda: self._faster(-1),
        }
        deed = deeds.get(Qt.Key(event.key()))
        if deed is None:
            super().keyPressEvent(event)
        else:
            deed()

    def _draw(self, *, fresh: bool) -> None:
        model = self.model
        self._title.setText(model.title)
        self._legend.setText(model.legend)
        busy = model.job
        self._progress.setVisible(busy is not None)
        self._cancel.setVisible(busy is not None)
        if busy is not None:
            self._progress.setFormat(f"{busy.words}  %p%")
            self._progress.setValue(round(100 * busy.share))
        first = model.first
        side = first.recording.header.side if first else "midline"
        self._strip.show_spans(first.spans if first else (), model.chosen, model.duration, side)
        self._strip.show_time(model.at)
        if not self._slider.isSliderDown():
            self._slider.setValue(round(model.at * SLIDER_PER_SECOND))
        self._plots.show_window(model)
        pose = model.pose
        if pose is not None:
            self._figure.show_pose(pose)
        angle = model.angle_at(model.at)
        known = "" if math.isnan(angle) else f"   {angle:.0f}°"
        self._clock.setText(f"{_minutes(model.at)} of {_minutes(model.duration)}{known}")
        self._measured.setText(model.measured)
        self._play.setIcon(sign("pause" if model.playing else "play", self._theme.ink))
        self._speed.setText(f"{model.speed:g}x")
        self._sentence.setText(model.sentence)
        self._problem.setText(model.problem)
        self._problem.setVisible(bool(model.problem))
        measured = first is not None and first.trial is not None and model.job is None
        self._best.setEnabled(measured and len(model.opened) == 1)
        span = model.span
        for each in (self._discard, self._move, self._move_stop, self._restore):
            each.setEnabled(span is not None and model.job is None)
        if span is not None and span.kind == "pass":
            self._discard.setEnabled(False)
        if fresh:
            self._notes.setText("   ".join(model.warnings[:4]))

    def _jump(self, place: int, *, next_one: bool = False) -> None:
        self.model.jump(0 if next_one and place < 0 else place)
        self.tick()

    def _seek(self, t: float) -> None:
        self.model.seek(t)
        self.tick()

    def _faster(self, steps: int) -> None:
        self.model.faster(steps)
        self.tick()

    def _stop_work(self) -> None:
        if self.model.job is not None:
            self.model.job.cancel()

    def _show_best(self) -> None:
        self.model.estimate_best()
        self.tick()

    def _ask(self, what: str) -> str:
        text, said = QInputDialog.getText(self, what, f"{what}: why? It goes into the report.")
        return text if said else ""

    def _remark(self, deed, what: str) -> None:
        reason = self._ask(what)
        if not reason:
            return
        try:
            deed(reason)
        except RomcapError as error:
            self.model.problem = str(error)
        self.tick()

    def _ask_discard(self) -> None:
        self._remark(self.model.discard, "Discard this rep")

    def _ask_restore(self) -> None:
        self._remark(self.model.restore, "Restore it as found")

    def _ask_move(self, *, start: bool) -> None:
        span, at = self.model.span, self.model.at
        if span is not None:
            ends = (at, span.stop) if start else (span.start, at)
            self._remark(lambda reason: self.model.move(*ends, reason), "Move the boundary here")

    def _ask_open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Open one recording, or two to compare", "", RECORDINGS)
        if names:
            self.open(*(Path(name) for name in names))

    def _ask_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Export what is seen", "", "Table (*.csv);;Picture (*.png)"
        )
        if not name:
            return
        try:
            if name.endswith(".png"):
                if not self.grab().save(name):
                    self.model.problem = f"{name} could not be written; choose another folder"
            else:
                self.model.export_csv(Path(name))
        except RomcapError as error:
            self.model.problem = str(error)
        self.tick()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._legend)
        top.addWidget(self._progress)
        top.addWidget(self._cancel)
        middle = QHBoxLayout()
        middle.addWidget(self._plots, 3)
        middle.addWidget(self._figure, 1)
        clock = QHBoxLayout()
        for widget in (self._play, self._slower, self._speed, self._clock):
            clock.addWidget(widget)
        clock.addWidget(self._slider, 1)
        clock.addWidget(self._measured)
        below = QHBoxLayout()
        for widget in (self._discard, self._move, self._move_stop, self._restore):
            below.addWidget(widget)
        below.addWidget(self._best)
        below.addStretch(1)
        below.addWidget(
            button("Export ...", self._ask_export, hint="Ctrl+E: what is seen, as CSV or PNG", key="Ctrl+E")
        )
        below.addWidget(button("Open ...", self._ask_open, primary=True, hint="Ctrl+Enter or Ctrl+O"))
        QShortcut(QKeySequence("Ctrl+O"), self, self._ask_open)
        whole = QVBoxLayout(self)
        whole.addLayout(top)
        whole.addWidget(self._sentence)
        whole.addLayout(middle, 1)
        whole.addWidget(self._strip)
        whole.addLayout(clock)
        whole.addWidget(self._problem)
        whole.addWidget(self._notes)
        whole.addLayout(below)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:d}:{seconds % 60:04.1f}"
