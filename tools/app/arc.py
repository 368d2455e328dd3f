"""The arc from shortened to lengthened: where the limb is, this pass, the passes before it, the baseline."""

# pyright: basic

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from tools.app.scene import ArcState
from tools.app.theme import Theme, Themed

FIRST_SCREEN_DEG = 200.0
SWEEP_DEG = 220.0
BELOW_CENTRE = 0.35
"""How far the scale reaches below its centre, in radii."""
ABOVE, BELOW, BESIDE = 56.0, 20.0, 124.0
"""Room for the words around the scale, px."""


class ArcView(Themed, QWidget):
    """A half dial: the newest pass is bold, older ones fade inwards; what warms up is grey and dotted."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._state: ArcState | None = None
        self.setMinimumSize(220, 100)
        self.setAccessibleName("Arc from shortened to lengthened")

    def show_state(self, state: ArcState) -> None:
        """Show a new state."""
        if state != self._state:
            self._state = state
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(420, 300)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the dial."""
        state = self._state
        if state is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = min(self.width() / 2 - BESIDE, (self.height() - ABOVE - BELOW) / (1.0 + BELOW_CENTRE))
        centre = QPointF(self.width() / 2, ABOVE + radius)
        colour = self._theme.side(state.side)
        self._sweep(painter, centre, radius, (state.low, state.high), QPen(QColor(self._theme.line), 10))
        for age, span in enumerate(reversed(state.spans[-6:])):
            faded = QColor(self._theme.soft if span.warming else colour)
            faded.setAlphaF(max(0.18, 1.0 - 0.22 * age))
            pen = QPen(faded, 10 if age == 0 else 4)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if span.warming:
                pen.setStyle(Qt.PenStyle.DotLine)
            self._sweep(
                painter, centre, radius - (0 if age == 0 else 6 + 8 * age), (span.start, span.end), pen
            )
        if state.baseline is not None:
            self._tick(
                painter,
                centre,
                radius,
                state.baseline,
                QPen(QColor(self._theme.before), 3, Qt.PenStyle.DashLine),
            )
            self._label(painter, centre, radius + 46, state.baseline, f"before {state.baseline:.0f}°")
        ends = ((state.low, f"shortened {state.low:.0f}°"), (state.high, f"{state.high:.0f}° lengthened"))
        for (end, text), way in zip(ends, (-1, 1), strict=True):
            at = self._point(centre, radius + 14, end)
            self._write(
                painter, at + QPointF(way * painter.fontMetrics().horizontalAdvance(text) / 2, 0), text
            )
        if state.now is not None:
            band = QColor(self._theme.ink)
            band.setAlphaF(0.25)
            half = 1.96 * state.sigma
            self._sweep(painter, centre, radius + 12, (state.now - half, state.now + half), QPen(band, 6))
            self._tick(painter, centre, radius, state.now, QPen(QColor(self._theme.ink), 4))
        painter.end()

    def _screen_angle(self, value: float) -> float:
        assert self._state is not None
        share = (value - self._state.low) / (self._state.high - self._state.low)
        return FIRST_SCREEN_DEG - SWEEP_DEG * min(1.03, max(-0.03, share))

    def _sweep(
        self, painter: QPainter, centre: QPointF, radius: float, span: tuple[float, float], pen: QPen
    ) -> None:
        painter.setPen(pen)
        first, last = (self._screen_angle(value) for value in span)
        box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        painter.drawArc(box, round(first * 16), round((last - first) * 16))

    def _point(self, centre: QPointF, radius: float, value: float) -> QPointF:
        angle = math.radians(self._screen_angle(value))
        return QPointF(centre.x() + radius * math.cos(angle), centre.y() - radius * math.sin(angle))

    def _tick(self, painter: QPainter, centre: QPointF, radius: float, value: float, pen: QPen) -> None:
        painter.setPen(pen)
        painter.drawLine(self._point(centre, radius - 46, value), self._point(centre, radius + 14, value))

    def _label(self, painter: QPainter, centre: QPointF, radius: float, value: float, text: str) -> None:
        self._write(painter, self._point(centre, radius, value), text)

    def _write(self, painter: QPainter, at: QPointF, text: str) -> None:
        painter.setPen(QColor(self._theme.soft))
        painter.drawText(QRectF(at.x() - 90, at.y() - 12, 180, 24), Qt.AlignmentFlag.AlignCenter, text)
