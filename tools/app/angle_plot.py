"""The scrolling curve of one joint angle with its error band, redrawn at most thirty times a second."""

# pyright: basic

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QWidget

from imu.block import FloatArray
from tools.app.theme import Theme, Themed

INTERVAL = 1.96
SHADE = 0.12


class AnglePlot(Themed, pg.PlotWidget):
    """One curve that matters, 2 px; its 95 % band, soft; a dashed line for the baseline; passes shaded.

    Reps that warm up are hatched instead.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__(None)
        self._theme = theme
        self._side, self._before = "midline", False
        self._band = QGraphicsPathItem()
        self._band.setPen(pg.mkPen(None))
        self.addItem(self._band)
        self._curve = self.plot()
        self._baseline = pg.InfiniteLine(angle=0)
        self._baseline.setVisible(False)
        self.addItem(self._baseline)
        self._spans: list[pg.LinearRegionItem] = []
        self._doubts: list[pg.LinearRegionItem] = []
        self._warming: list[pg.LinearRegionItem] = []
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setLabel("left", "angle", units=None)
        self.setLabel("bottom", "seconds")
        self.setAccessibleName("Angle over time")
        self.wear(theme)

    def begin(self, side: str, *, before: bool = False) -> None:
        """Begin with an empty curve of a side, or of how it was before."""
        self._side, self._before = side, before
        nothing = np.zeros(0)
        self.show_series(nothing, nothing, nothing)
        self.show_spans(())
        self.show_doubts(())
        self.show_warming(())
        self.wear(self._theme)

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        self._theme = theme
        self.setBackground(theme.ground)
        dashed, solid = Qt.PenStyle.DashLine, Qt.PenStyle.SolidLine
        colour = QColor(theme.before) if self._before else theme.side(self._side)
        width, style = (1, dashed) if self._before else (2, solid)
        self._curve.setPen(pen_on(self, colour, width, style))
        self._band.setBrush(_faint(colour, 0.28))
        self._baseline.setPen(pen_on(self, theme.before, 1, dashed))
        for shown, ink in ((self._spans, theme.soft), (self._doubts, theme.weak)):
            for region in shown:
                region.setBrush(pg.mkBrush(_faint(QColor(ink), SHADE)))
        for region in self._warming:
            region.setBrush(_hatched(theme.soft))
        for name in ("left", "bottom"):
            self.getAxis(name).setPen(pg.mkPen(theme.line))
            self.getAxis(name).setTextPen(pg.mkPen(theme.soft))

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
        self._shade(self._spans, spans, pg.mkBrush(_faint(QColor(self._theme.soft), SHADE)))

    def show_warming(self, spans: tuple[tuple[float, float], ...]) -> None:
        """Hatch reps that warm up, s."""
        self._shade(self._warming, spans, _hatched(self._theme.soft))

    def show_doubts(self, spans: tuple[tuple[float, float], ...]) -> None:
        """Mark stretches in which two estimates contradict each other, s."""
        self._shade(self._doubts, spans, pg.mkBrush(_faint(QColor(self._theme.weak), SHADE)))

    def _shade(
        self, shown: list[pg.LinearRegionItem], spans: tuple[tuple[float, float], ...], brush: QBrush
    ) -> None:
        while len(shown) > len(spans):
            self.removeItem(shown.pop())
        while len(shown) < len(spans):
            region = pg.LinearRegionItem(movable=False, brush=brush, pen=pg.mkPen(None))
            region.setZValue(-10)
            shown.append(region)
            self.addItem(region)
        for region, span in zip(shown, spans, strict=True):
            region.setRegion(span)


def pen_on(
    widget: QWidget, colour: QColor | str, width: int, style: Qt.PenStyle = Qt.PenStyle.SolidLine
) -> QPen:
    """Return a pen so many pixels wide on a widget; on a screen of twice as many, twice as many of those.

    Pens of pyqtgraph don't follow the scale of the screen by themselves.
    """
    return pg.mkPen(colour, width=width * widget.devicePixelRatioF(), style=style)


def _hatched(ink: str) -> QBrush:
    return QBrush(_faint(QColor(ink), 2.0 * SHADE), Qt.BrushStyle.BDiagPattern)


def _faint(colour: QColor, alpha: float) -> QColor:
    faint = QColor(colour)
    faint.setAlphaF(alpha)
    return faint
