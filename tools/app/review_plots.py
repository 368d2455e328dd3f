"""The curves of a review: the whole recording above, below it the stretch around the clock, two overlaid."""

# pyright: basic

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tools.app.angle_plot import AnglePlot, pen_on
from tools.app.opened import Opened
from tools.app.review_model import ReviewModel
from tools.app.theme import Theme, Themed

MARGIN_DEG = 8.0
AGAIN = "calibrated again"


class ReviewPlots(Themed, QWidget):
    """Two plots; before is grey and dashed, after is solid, left and right have their colours."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._whole = pg.PlotWidget()
        self._whole.setFixedHeight(90)
        self._whole.setMouseEnabled(x=False, y=False)
        self._whole.setMenuEnabled(False)
        self._whole.hideButtons()
        self._whole.hideAxis("left")
        self._whole.setAccessibleName("The whole recording")
        self._activity = self._whole.plot()
        self._whole_curve = self._whole.plot()
        self._frame = pg.LinearRegionItem(movable=False, pen=pg.mkPen(None))
        self._whole.addItem(self._frame)
        self._plot = AnglePlot(theme)
        self._second = self._plot.plot(connect="finite")
        self._now = pg.InfiniteLine(angle=90)
        self._plot.addItem(self._now)
        self._again: list[tuple[pg.InfiniteLine, pg.InfiniteLine]] = []
        self._sides = ["midline"]
        self._column.addWidget(self._whole)
        self._column.addWidget(self._plot, 1)
        self.wear(theme)

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        self._theme = theme
        self._plot.wear(theme)
        self._whole.setBackground(theme.ground)
        self._whole_curve.setPen(pen_on(self, theme.soft, 1))
        self._activity.setPen(pen_on(self, theme.line, 1))
        shade = QColor(theme.accent)
        shade.setAlphaF(0.2)
        self._frame.setBrush(pg.mkBrush(shade))
        two_sides = len(set(self._sides)) == 2
        other = theme.side(self._sides[-1]) if len(self._sides) == 2 else QColor(theme.ink)
        style = Qt.PenStyle.DotLine if two_sides else Qt.PenStyle.SolidLine
        self._second.setPen(pen_on(self, other, 1, style))
        self._now.setPen(pen_on(self, theme.accent, 1))
        for small, large in self._again:
            for line in (small, large):
                line.setPen(pen_on(self, theme.ink, 1, Qt.PenStyle.DashDotLine))
            large.label.setColor(theme.ink)

    def begin(self, model: ReviewModel) -> None:
        """Begin with other recordings."""
        self._sides = [one.recording.header.side for one in model.opened] or ["midline"]
        self._plot.begin(self._sides[0], before=len(self._sides) == 2 and len(set(self._sides)) == 1)
        self._second.setData([], [])
        self._whole_curve.setData([], [])
        self._activity.setData([], [])
        self._whole.getViewBox().setXRange(0.0, max(model.duration, 1.0), padding=0.0)
        self.wear(self._theme)

    def show_overview(self, model: ReviewModel) -> None:
        """Show what is known of the whole recording, and fit the scale to it."""
        if model.first is None:
            return
        curve = model.first.overview()
        self._whole_curve.setData(curve.seconds, curve.degrees, connect="finite")
        known = [one.curve.degrees[np.isfinite(one.curve.degrees)] for one in model.opened]
        known = [degrees for degrees in known if len(degrees)]
        low, high = (min(map(np.min, known)), max(map(np.max, known))) if known else (0.0, 1.0)
        self._whole.setYRange(low, high)
        self._show_activity(model.first, float(low), float(high))
        self._show_calibrated(model.first.calibrated_again)
        if known:
            self._plot.show_scale(float(low) - MARGIN_DEG, float(high) + MARGIN_DEG, model.window_ends)

    def _show_calibrated(self, moments: tuple[float, ...]) -> None:
        """Mark from when on another calibration counts."""
        if [small.value() for small, _ in self._again] == list(moments):
            return
        for small, large in self._again:
            self._whole.removeItem(small)
            self._plot.removeItem(large)
        self._again = [
            (pg.InfiniteLine(t, 90), pg.InfiniteLine(t, 90, label=AGAIN, labelOpts={"position": 0.95}))
            for t in moments
        ]
        for small, large in self._again:
            self._whole.addItem(small)
            self._plot.addItem(large)
        self.wear(self._theme)

    def _show_activity(self, opened: Opened, low: float, high: float) -> None:
        """Show where anything moves in what is not measured yet, on a scale of its own."""
        ahead = opened.activity.seconds > opened.known_until
        level = opened.activity.degrees
        most = float(level.max(initial=0.0)) or 1.0
        shown = ahead & (opened.trial is None)
        self._activity.setData(opened.activity.seconds[shown], low + (high - low) * level[shown] / most)

    def show_window(self, model: ReviewModel) -> None:
        """Show the stretch around the clock."""
        if model.first is None:
            return
        curve, other = model.window(), model.window(1)
        self._plot.show_series(curve.seconds, curve.degrees, curve.sigma_deg)
        self._second.setData(other.seconds, other.degrees)
        low, high = model.window_ends
        self._plot.show_stretch(low, high)
        self._now.setValue(model.at)
        self._frame.setRegion((max(0.0, low), min(model.duration, high)))
        spans = tuple((s.start, s.stop) for s in model.first.spans if s.stop > low and s.start < high)
        self._plot.show_spans(spans)
        self._plot.show_doubts(tuple(span for span in model.first.apart if span[1] > low and span[0] < high))
