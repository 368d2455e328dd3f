"""The visit as a path across the top: what is done, where it stands, what lies ahead."""

# pyright: basic

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.theme import Theme, Themed
from tools.app.visit_model import Station

HIGH, DOT = 62, 20


class VisitPath(Themed, QWidget):
    """Stations in a row: done is filled with a tick, now is large and bold, ahead is a ring."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stations: tuple[Station, ...] = ()
        self.setFixedHeight(HIGH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Path of the visit")

    def show_stations(self, stations: tuple[Station, ...]) -> None:
        """Show where the visit stands."""
        if stations != self._stations:
            self._stations = stations
            self.setAccessibleDescription("; ".join(f"{one.name}: {one.progress}" for one in stations))
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(900, HIGH)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the path."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        count = max(1, len(self._stations))
        step, y = self.width() / count, 20.0
        for number, station in enumerate(self._stations):
            x = step * (number + 0.5)
            if number:
                painter.setPen(QPen(QColor(self._theme.line), 3))
                painter.drawLine(QPointF(x - step + DOT, y), QPointF(x - DOT, y))
            self._draw(painter, QPointF(x, y), station, step)
        painter.end()

    def _draw(self, painter: QPainter, at: QPointF, station: Station, step: float) -> None:
        theme = self._theme
        now = station.progress == "now"
        radius = DOT / 2 + (3 if now else 0)
        colour = QColor(theme.soft if station.progress == "ahead" else theme.accent)
        painter.setPen(QPen(colour, 3))
        painter.setBrush(colour if station.progress == "done" else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, radius, radius)
        if station.progress == "done":
            painter.setPen(QPen(QColor(theme.on_accent), 3))
            painter.drawPolyline([at + QPointF(-5, 0), at + QPointF(-1, 4), at + QPointF(5, -4)])
        if now:
            painter.setBrush(colour)
            painter.drawEllipse(at, 5, 5)
        font = painter.font()
        font.setPixelSize(15)
        font.setBold(now)
        painter.setFont(font)
        painter.setPen(QColor(theme.ink if now else theme.soft))
        box = QRectF(at.x() - step / 2, at.y() + 16, step, 24)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, station.name)
