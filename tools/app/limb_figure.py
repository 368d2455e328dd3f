"""A limb figure that moves with the sensors: a numpy camera and QPainter, no OpenGL.

The view model hands over joints as points and the bones between them; this widget only looks at them.
"""

# pyright: basic

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from imu.block import FloatArray
from tools.app.scene import Pose
from tools.app.theme import Theme, Themed

CAMERA_DISTANCE = 4.2
FOCAL = 2.1
ORBIT_PER_PIXEL = 0.01
STEEPEST = 1.5
_TICKS = np.linspace(-1.0, 1.0, 9).tolist()
FLOOR = np.array(
    [end for a in _TICKS for end in ((a, -1.0, 0.0), (a, 1.0, 0.0), (-1.0, a, 0.0), (1.0, a, 0.0))]
)
"""Ends of the lines of the floor, m."""


class LimbFigure(Themed, QWidget):
    """The figure; drag to walk around it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pose: Pose | None = None
        self._azimuth, self._elevation = -0.55, 0.12
        self._drag: QPointF | None = None
        self.setMinimumSize(200, 220)
        self.setAccessibleName("Limb figure")

    def face(self, side: str) -> None:
        """Look from the measured side, a little from the front: a left limb is seen from the left."""
        self.look_from(np.pi + 0.55 if side == "left" else -0.55, 0.12)

    def show_pose(self, pose: Pose) -> None:
        """Show a new pose."""
        self.setAccessibleDescription(pose.caption)
        self._pose = pose
        self.update()

    def look_from(self, azimuth: float, elevation: float) -> None:
        """Place the camera, rad."""
        self._azimuth, self._elevation = azimuth, elevation
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(340, 380)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begin to walk around."""
        self._drag = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Walk around."""
        if self._drag is not None:
            step = event.position() - self._drag
            self._drag = event.position()
            self._azimuth -= step.x() * ORBIT_PER_PIXEL
            self._elevation = min(STEEPEST, max(-STEEPEST, self._elevation + step.y() * ORBIT_PER_PIXEL))
            self.update()

    def _project(self, points: FloatArray) -> FloatArray:
        ca, sa = np.cos(self._azimuth), np.sin(self._azimuth)
        ce, se = np.cos(self._elevation), np.sin(self._elevation)
        x, y, z = points[:, 0], points[:, 1], points[:, 2] - 0.95
        across, depth = ca * x - sa * y, sa * x + ca * y
        away, up = ce * depth - se * z, se * depth + ce * z
        distance = CAMERA_DISTANCE + away
        scale = FOCAL * min(self.width() * 1.25, self.height()) / distance
        return np.stack([self.width() / 2 + scale * across, self.height() / 2 - scale * up, distance], axis=1)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the floor and the bones, far ones first."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.line), 1))
        places = self._project(FLOOR)[:, :2].tolist()
        for (x1, y1), (x2, y2) in zip(places[::2], places[1::2], strict=True):
            painter.drawLine(QPointF(x1, y1), QPointF(x2, y2))
        if self._pose is not None:
            self._draw(painter, self._pose)
        painter.end()

    def _draw(self, painter: QPainter, pose: Pose) -> None:
        starts = self._project(np.array([bone.start for bone in pose.bones]))
        ends = self._project(np.array([bone.end for bone in pose.bones]))
        middles = (starts + ends) / 2.0
        pixels_per_metre = FOCAL * min(self.width() * 1.25, self.height())
        drawn = zip(pose.bones, starts.tolist(), ends.tolist(), middles.tolist(), strict=True)
        for bone, start, end, (x, y, distance) in sorted(drawn, key=lambda each: -each[3][2]):
            colour = self._theme.side(bone.side) if bone.measured else QColor(self._theme.soft)
            width = bone.width * pixels_per_metre / distance
            pen = QPen(colour, max(2.0, width))
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(QPointF(*start[:2]), QPointF(*end[:2]))
            if bone.sensor:
                size = max(6.0, width * 0.55)
                painter.setPen(QPen(QColor(self._theme.ground), 2))
                painter.setBrush(QColor(self._theme.ink))
                painter.drawRoundedRect(QRectF(x - size / 2, y - size * 0.7, size, size * 1.4), 3, 3)
        if pose.head is not None:
            x, y, distance = self._project(pose.head[None])[0]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._theme.soft))
            radius = 0.1 * pixels_per_metre / distance
            painter.drawEllipse(QPointF(x, y), radius, radius * 1.2)
        if pose.caption:
            painter.setPen(QColor(self._theme.accent))
            font = painter.font()
            font.setPixelSize(20)
            font.setBold(True)
            painter.setFont(font)
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignHCenter, pose.caption)
        if pose.joint is not None:
            x, y, _ = self._project(pose.joint[None])[0]
            painter.setPen(QColor(self._theme.ink))
            font = painter.font()
            font.setPixelSize(18)
            font.setBold(True)
            painter.setFont(font)
            outside = (
                x + 18 if x > self.width() / 2 else x - 18 - painter.fontMetrics().horizontalAdvance("-188°")
            )
            painter.drawText(QPointF(max(0.0, outside), y + 6), pose.label)
