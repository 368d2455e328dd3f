"""The strip of sensors on top of a capture: a state is a colour, a shape and a word."""

# pyright: basic

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.icons import draw_shape
from tools.app.scene import SensorLight
from tools.app.theme import Theme, Themed

TILE, HIGH, SPACE = 264, 58, 8


class SensorStrip(Themed, QWidget):
    """One tile a sensor, redrawn only when something changed."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lights: tuple[SensorLight, ...] = ()
        self.setFixedHeight(HIGH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sensors")

    def show_lights(self, lights: tuple[SensorLight, ...]) -> None:
        """Show the sensors."""
        if lights != self._lights:
            self._lights = lights
            said = "; ".join(f"{one.segment}: {one.word}, {one.facts}" for one in lights)
            self.setAccessibleDescription(said or "no sensor yet")
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for four sensors."""
        return QSize(2 * TILE, HIGH)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the tiles."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._lights:
            painter.setPen(QColor(self._theme.soft))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, "No sensor yet")
        count = max(1, len(self._lights))
        wide = min(TILE, (self.width() + SPACE) // count - SPACE)
        for number, light in enumerate(self._lights):
            self._tile(painter, QRectF(number * (wide + SPACE), 0, wide, HIGH), light)
        painter.end()

    def _tile(self, painter: QPainter, box: QRectF, light: SensorLight) -> None:
        painter.setPen(QColor(self._theme.line))
        painter.setBrush(QColor(self._theme.panel))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        colours = {"live": self._theme.live, "weak": self._theme.weak, "lost": self._theme.lost}
        colour = QColor(colours.get(light.light, self._theme.soft))
        draw_shape(painter, light.shape, QRectF(box.left() + 12, box.top() + 11, 18, 18), colour)
        font = painter.font()
        font.setPixelSize(16)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self._theme.side(light.side))
        name = QRectF(box.left() + 40, box.top() + 6, box.width() * 0.45, 26)
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, light.segment)
        painter.setPen(colour)
        word = QRectF(box.left() + 40, box.top() + 6, box.width() - 52, 26)
        painter.drawText(word, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, light.word)
        font.setPixelSize(12)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.soft))
        facts = QRectF(box.left() + 12, box.top() + 32, box.width() - 24, 20)
        painter.drawText(facts, Qt.AlignmentFlag.AlignVCenter, light.facts)
