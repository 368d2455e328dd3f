"""Reps before and after as dots on one scale, with what could be chance: the picture of a verdict."""

# pyright: basic

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.theme import Theme, Themed
from tools.app.verdict import Verdict

HIGH, MARGIN, ROOM = 150, 90, 4.0


class RepDots(Themed, QWidget):
    """Before: grey hollow dots; after: filled ones in the colour of the side; warm-up small; MDC a band."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._verdict: Verdict | None = None
        self.setFixedHeight(HIGH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Reps before and after")

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict, or nothing."""
        self._verdict = verdict
        self.setVisible(verdict is not None)
        if verdict is not None:
            self.setAccessibleDescription(verdict.change)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(600, HIGH)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the dots."""
        verdict = self._verdict
        if verdict is None or not (verdict.before_deg and verdict.after_deg):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        band = verdict.mdc_deg or 0.0
        counted = verdict.before_deg[verdict.before_warming :] or verdict.before_deg
        before = sum(counted) / len(counted)
        every = (*verdict.before_deg, *verdict.after_deg, before - band, before + band)
        low, high = min(every) - ROOM, max(every) + ROOM

        def x(value: float) -> float:
            return MARGIN + (value - low) / (high - low) * (self.width() - 2 * MARGIN)

        painter.setPen(Qt.PenStyle.NoPen)
        shade = QColor(self._theme.soft)
        shade.setAlphaF(0.18)
        painter.setBrush(shade)
        painter.drawRect(QRectF(x(before - band), 12, x(before + band) - x(before - band), 92))
        painter.setPen(QColor(self._theme.soft))
        chance = QRectF(x(before - band) - 60, 106, x(before + band) - x(before - band) + 120, 18)
        painter.drawText(chance, Qt.AlignmentFlag.AlignCenter, f"could be chance (MDC {band:.1f}°)")
        side = self._theme.side(verdict.side)
        grey = QColor(self._theme.before)
        rows = ((verdict.before_deg, verdict.before_warming), (verdict.after_deg, verdict.after_warming))
        places = [([x(v) for v in reps[:warming]], [x(v) for v in reps[warming:]]) for reps, warming in rows]
        self._row(painter, 36, "before", places[0], grey, filled=False)
        self._row(painter, 80, "after", places[1], side, filled=True)
        if verdict.before_warming or verdict.after_warming:
            painter.setPen(QColor(self._theme.soft))
            painter.drawText(
                QRectF(0, 126, 2 * MARGIN, 18), Qt.AlignmentFlag.AlignVCenter, "small: warming up"
            )
        painter.setPen(QColor(self._theme.soft))
        for value in (low + ROOM, high - ROOM):
            at = QRectF(x(value) - 40, 126, 80, 18)
            painter.drawText(at, Qt.AlignmentFlag.AlignCenter, f"{value:.0f}°")
        painter.end()

    def _row(
        self,
        painter: QPainter,
        y: float,
        name: str,
        places: tuple[list[float], list[float]],
        colour: QColor,
        *,
        filled: bool,
    ) -> None:
        painter.setPen(QColor(self._theme.ink))
        painter.drawText(QRectF(0, y - 12, MARGIN - 14, 24), Qt.AlignmentFlag.AlignVCenter, name)
        style = Qt.PenStyle.SolidLine if filled else Qt.PenStyle.DashLine
        painter.setPen(QPen(colour, 1, style))
        painter.drawLine(QPointF(MARGIN, y), QPointF(self.width() - MARGIN, y))
        painter.setPen(QPen(colour, 2))
        painter.setBrush(colour if filled else QColor(self._theme.ground))
        warming, counted = places
        for place in counted:
            painter.drawEllipse(QPointF(place, y), 7, 7)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._theme.soft), 1))
        for place in warming:
            painter.drawEllipse(QPointF(place, y), 4, 4)
