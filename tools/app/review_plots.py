"""The curves of a review: the whole recording above, below it the stretch around the clock, two overlaid."""

# pyright: basic

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tools.app.angle_plot import AnglePlot
from tools.app.review_model import ReviewModel
from tools.app.theme import Theme

MARGIN_DEG = 8.0


class ReviewPlots(QWidget):
    """Two plots; before is grey and dashed, after is solid, left and right have their colours."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._whole = pg.PlotWidget(background=theme.ground)
        self._whole.setFixedHeight(90)
        self._whole.setMouseEnabled(x=False, y=False)
        self._whole.setMenuEnabled(False)
        self._whole.hideButtons()
        self._whole.hideAxis("left")
        self._whole.setAccessibleName("The whole recording")
        self._whole_curve = self._whole.plot(pen=pg.mkPen(theme.soft))
        shade = QColor(theme.accent)
        shade.setAlphaF(0.2)
        self._frame = pg.LinearRegionItem(movable=False, brush=pg.mkBrush(shade), pen=pg.mkPen(None))
        self._whole.addItem(self._frame)
        self._plot = AnglePlot(theme, "midline")
        self._second = None
        self._now = None
        self._column.addWidget(self._whole)
        self._column.addWidget(self._plot, 1)

    def begin(self, model: ReviewModel) -> None:
        """Begin with other recordings."""
        self._column.removeWidget(self._plot)
        self._plot.hide()
        self._plot.deleteLater()
        sides = [one.recording.header.side for one in model.opened] or ["midline"]
        two_sides = len(set(sides)) == 2
        self._plot = AnglePlot(self._theme, sides[0], before=len(sides) == 2 and not two_sides)
        self._column.addWidget(self._plot, 1)
        other = self._theme.side(sides[-1]) if len(sides) == 2 else pg.mkColor(self._theme.ink)
        style = Qt.PenStyle.DotLine if two_sides else Qt.PenStyle.SolidLine
        self._second = self._plot.plot(pen=pg.mkPen(other, width=1, style=style), connect="finite")
        self._now = pg.InfiniteLine(angle=90, pen=pg.mkPen(self._theme.accent, width=1))
        self._plot.addItem(self._now)
        self._whole_curve.setData([], [])
        self._whole.getViewBox().setXRange(0.0, max(model.duration, 1.0), padding=0.0)

    def show_overview(self, model: ReviewModel) -> None:
        """Show what is known of the whole recording, and fit the scale to it."""
        if model.first is None:
            return
        curve = model.first.overview()
        self._whole_curve.setData(curve.seconds, curve.degrees, connect="finite")
        known = [one.curve.degrees[np.isfinite(one.curve.degrees)] for one in model.opened]
        known = [degrees for degrees in known if len(degrees)]
        if known:
            low, high = min(map(np.min, known)), max(map(np.max, known))
            self._whole.setYRange(low, high)
            self._plot.show_scale(float(low) - MARGIN_DEG, float(high) + MARGIN_DEG, model.window_ends)

    def show_window(self, model: ReviewModel) -> None:
        """Show the stretch around the clock."""
        if model.first is None or self._second is None or self._now is None:
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
