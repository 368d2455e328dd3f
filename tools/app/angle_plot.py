"""The scrolling curve of one joint angle with its error band, redrawn at most thirty times a second."""

# pyright: basic

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsPathItem

from imu.block import FloatArray
from tools.app.theme import Theme

INTERVAL = 1.96


class AnglePlot(pg.PlotWidget):
    """One curve that matters, 2 px; its 95 % band, soft; a dashed line for the baseline; passes shaded."""

    def __init__(self, theme: Theme, side: str, *, before: bool = False) -> None:
        super().__init__(None, background=theme.ground)
        self._theme = theme
        colour = QColor(theme.before) if before else theme.side(side)
        dash = pg.QtCore.Qt.PenStyle.DashLine if before else pg.QtCore.Qt.PenStyle.SolidLine
        soft = QColor(colour)
        soft.setAlphaF(0.28)
        self._band = QGraphicsPathItem()
        self._band.setBrush(soft)
        self._band.setPen(pg.mkPen(None))
        self.addItem(self._band)
        self._curve = self.plot(pen=pg.mkPen(colour, width=1 if before else 2, style=dash))
        self._baseline = pg.InfiniteLine(
            angle=0, pen=pg.mkPen(theme.before, width=1, style=pg.QtCore.Qt.PenStyle.DashLine)
        )
        self._baseline.setVisible(False)
        self.addItem(self._baseline)
        self._spans: list[pg.LinearRegionItem] = []
        self._doubts: list[pg.LinearRegionItem] = []
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        for side_name in ("left", "bottom"):
            self.getAxis(side_name).setPen(pg.mkPen(theme.line))
            self.getAxis(side_name).setTextPen(pg.mkPen(theme.soft))
        self.setLabel("left", "angle", units=None)
        self.setLabel("bottom", "seconds")
        self.setAccessibleName("Angle over time")

    def show_scale(self, low_deg: float, high_deg: float, seconds: tuple[float, float]) -> None:
        """Fix both axes; the plot never rescales by itself while a limb moves."""
        view = self.getViewBox()
        view.setYRange(low_deg, high_deg, padding=0.02)
        first, last = seconds
        view.setXRange(first, last, padding=0.0)

    def show_stretch(self, first: float, last: float) -> None:
        """Show another stretch of time, s."""
        self.getViewBox().setXRange(first, last, padding=0.0)

    def show_baseline(self, degrees: float | None) -> None:
        """Draw or hide the value of the baseline."""
        self._baseline.setVisible(degrees is not None)
        if degrees is not None:
            self._baseline.setValue(degrees)

    def show_series(self, seconds: FloatArray, degrees: FloatArray, sigma_deg: FloatArray) -> None:
        """Draw a curve and its band; NaN leaves a gap in the curve."""
        self._curve.setData(seconds, degrees, connect="finite")
        known = np.isfinite(degrees) & np.isfinite(sigma_deg)
        t, middle, half = seconds[known], degrees[known], INTERVAL * sigma_deg[known]
        around = np.concatenate([middle + half, (middle - half)[::-1]])
        self._band.setPath(pg.arrayToQPath(np.concatenate([t, t[::-1]]), around, connect="all"))

    def show_spans(self, spans: tuple[tuple[float, float], ...]) -> None:
        """Shade passes or reps, s."""
        self._shade(self._spans, spans, self._theme.soft)

    def show_doubts(self, spans: tuple[tuple[float, float], ...]) -> None:
        """Mark stretches in which two estimates contradict each other, s."""
        self._shade(self._doubts, spans, self._theme.weak)

    def _shade(
        self, shown: list[pg.LinearRegionItem], spans: tuple[tuple[float, float], ...], colour: str
    ) -> None:
        while len(shown) > len(spans):
            self.removeItem(shown.pop())
        shade = QColor(colour)
        shade.setAlphaF(0.12)
        while len(shown) < len(spans):
            region = pg.LinearRegionItem(movable=False, brush=pg.mkBrush(shade), pen=pg.mkPen(None))
            region.setZValue(-10)
            shown.append(region)
            self.addItem(region)
        for region, span in zip(shown, spans, strict=True):
            region.setRegion(span)
