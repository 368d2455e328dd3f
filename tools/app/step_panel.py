"""What to do now: words, a ring that closes with the time, bars that fill with the movement, the result."""

# pyright: basic

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.scene import StepState
from tools.app.theme import Theme, Themed

RING = 64
BAR, BAR_HIGH, BAR_SPACE = 18, 52, 7


class StepPanel(Themed, QWidget):
    """One line to read from afar, and a countdown that needs no reading."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._step = StepState("", None, calibrating=False, result="")
        self._whole = 0.0
        self.setFixedHeight(RING + 20)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("What to do now")

    def show_step(self, step: StepState) -> None:
        """Show a step; the ring begins anew with new words."""
        left = step.left or 0.0
        changed = step.words != self._step.words
        seen = f" {step.bars.count(1.0)} of {len(step.bars)} seen." if step.bars else ""
        self._whole = left if changed else max(self._whole, left)
        if self.accessibleDescription() != (said := f"{step.words}.{seen}"):
            self.setAccessibleDescription(said)
        if step != self._step:
            self._step = step
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(500, RING + 20)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw ring, words and result."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(self._theme.line))
        painter.setBrush(QColor(self._theme.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        text_at = 18
        if self._step.left is not None:
            text_at = RING + 34
            self._ring(painter, self._step.left)
        font = painter.font()
        font.setPixelSize(22)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.ink))
        bars = len(self._step.bars) * (BAR + BAR_SPACE) + 10 if self._step.bars else 0
        wide = self.width() - text_at - 16 - bars
        words = QRectF(text_at, 8, wide, self.height() - (34 if self._step.result else 16))
        flags = int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(words, flags, self._step.words or "Getting ready")
        if self._step.result:
            font.setPixelSize(14)
            font.setBold(False)
            painter.setFont(font)
            painter.setPen(QColor(self._theme.soft))
            below = QRectF(text_at, self.height() - 28, wide, 22)
            painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, self._step.result)
        self._bars(painter, self.width() - bars)
        painter.end()

    def _bars(self, painter: QPainter, left: float) -> None:
        """Draw a bar for each time that the movement is asked for; a full one has a tick."""
        top = (self.height() - BAR_HIGH) / 2
        for number, share in enumerate(self._step.bars):
            box = QRectF(left + number * (BAR + BAR_SPACE), top, BAR, BAR_HIGH)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._theme.accent))
            painter.drawRect(box.adjusted(0, BAR_HIGH * (1.0 - share), 0, 0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._theme.soft), 2))
            painter.drawRoundedRect(box, 3, 3)
            if share >= 1.0:
                painter.setPen(QPen(QColor(self._theme.on_accent), 3))
                at = box.center()
                painter.drawPolyline([at + QPointF(-5, 0), at + QPointF(-1, 4), at + QPointF(5, -5)])

    def _ring(self, painter: QPainter, left: float) -> None:
        box = QRectF(16, 10, RING, RING)
        painter.setPen(QPen(QColor(self._theme.line), 7))
        painter.drawEllipse(box)
        done = 1.0 - max(0.0, left) / self._whole if self._whole > 0.0 else 1.0
        painter.setPen(QPen(QColor(self._theme.accent), 7))
        painter.drawArc(box, 90 * 16, -round(360 * 16 * min(1.0, done)))
        font = painter.font()
        font.setPixelSize(24)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.ink))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{max(0.0, left):.0f}")
