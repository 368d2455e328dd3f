"""Every sign is drawn here: state shapes, start, stop, play, pause. No glyphs, so no font can break one."""

# pyright: basic

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

from tools.app.scene import Shape

SIZE = 64


def draw_shape(painter: QPainter, shape: Shape, box: QRectF, colour: QColor) -> None:
    """Draw a state: a dot, a triangle, a cross or an empty ring."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inner = box.adjusted(box.width() * 0.12, box.height() * 0.12, -box.width() * 0.12, -box.height() * 0.12)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    if shape == "dot":
        painter.drawEllipse(inner)
    elif shape == "triangle":
        tops = [QPointF(inner.center().x(), inner.top()), inner.bottomRight(), inner.bottomLeft()]
        painter.drawPolygon(QPolygonF(tops))
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, max(2.0, box.width() * 0.17)))
        if shape == "ring":
            painter.drawEllipse(inner)
        else:
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())


def sign(name: str, colour: str) -> QIcon:
    """Return a drawn icon: `play`, `pause`, `start`, `stop`, `next`, `previous`."""
    picture = QPixmap(QSize(SIZE, SIZE))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    left, right, top, bottom, middle = 14.0, 50.0, 12.0, 52.0, 32.0
    if name == "play":
        painter.drawPolygon(QPolygonF([QPointF(18, top), QPointF(52, middle), QPointF(18, bottom)]))
    elif name == "pause":
        painter.drawRect(QRectF(16, top, 11, 40))
        painter.drawRect(QRectF(37, top, 11, 40))
    elif name == "start":
        painter.drawEllipse(QRectF(left, left, 36, 36))
    elif name == "stop":
        painter.drawRect(QRectF(left, left, 36, 36))
    elif name == "next":
        painter.drawPolygon(QPolygonF([QPointF(left, top), QPointF(42, middle), QPointF(left, bottom)]))
        painter.drawRect(QRectF(44, top, 7, 40))
    elif name == "previous":
        painter.drawPolygon(QPolygonF([QPointF(right, top), QPointF(22, middle), QPointF(right, bottom)]))
        painter.drawRect(QRectF(13, top, 7, 40))
    else:
        raise ValueError(f"no sign is called {name!r}")
    painter.end()
    return QIcon(picture)
