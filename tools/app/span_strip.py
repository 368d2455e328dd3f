"""Reps and passes as a strip over the whole recording: a click jumps, arrow keys step through them."""

# pyright: basic

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.scene import Span
from tools.app.theme import Theme, Themed

HIGH = 46
NARROWEST = 3.0
NUMBERED = 18.0
"""From this width on a box holds its number, px."""


class SpanStrip(Themed, QWidget):
    """Boxes in their places; discarded ones are hollow and struck through."""

    jumped = Signal(int)
    sought = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._spans: tuple[Span, ...] = ()
        self._chosen: int | None = None
        self._duration = 1.0
        self._at = 0.0
        self._boxes: QPixmap | None = None
        self._side = "midline"
        self.setFixedHeight(HIGH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Reps and passes")

    def show_spans(self, spans: tuple[Span, ...], chosen: int | None, duration: float, side: str) -> None:
        """Show the reps and passes of a recording."""
        state = (spans, chosen, duration, side)
        if state == (self._spans, self._chosen, self._duration, self._side):
            return
        self._spans, self._chosen, self._duration, self._side = state
        self._boxes = None
        said = "; ".join(f"{one.kind} {one.number} {one.value} {one.doubt}".strip() for one in spans)
        self.setAccessibleDescription(said)
        self.update()

    def wear(self, theme: Theme) -> None:
        """Draw with another theme from now on."""
        self._boxes = None
        super().wear(theme)

    def show_time(self, at: float) -> None:
        """Show where the clock is, s."""
        if at != self._at:
            self._at = at
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the preferred size."""
        return QSize(600, HIGH)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Step from one to the next."""
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}
        if event.key() in steps and self._spans:
            here = -1 if self._chosen is None else self._chosen
            self.jumped.emit(min(max(here + steps[Qt.Key(event.key())], 0), len(self._spans) - 1))
            return
        super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Jump to a span, or seek beside them."""
        x = event.position().x()
        for number in reversed(range(len(self._spans))):
            if self._box(number).left() <= x <= self._box(number).right():
                self.jumped.emit(number)
                return
        self.sought.emit(x / max(1, self.width()) * self._duration)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Scrub."""
        self.sought.emit(event.position().x() / max(1, self.width()) * self._duration)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the boxes anew."""
        self._boxes = None
        super().resizeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the boxes, which rarely change, and the clock."""
        if self._boxes is None:
            self._boxes = self._drawn_boxes()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._boxes)
        x = self._at / max(1e-9, self._duration) * self.width()
        painter.setPen(QPen(QColor(self._theme.accent), 2))
        painter.drawLine(round(x), 0, round(x), self.height())
        painter.end()

    def _drawn_boxes(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        boxes = QPixmap(self.size() * ratio)
        boxes.setDevicePixelRatio(ratio)
        boxes.fill(QColor(self._theme.ground))
        painter = QPainter(boxes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.panel))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        font = painter.font()
        font.setPixelSize(12)
        painter.setFont(font)
        for number, span in enumerate(self._spans):
            self._draw(painter, number, span)
        painter.end()
        return boxes

    def _draw(self, painter: QPainter, number: int, span: Span) -> None:
        box = self._box(number)
        colour = self._theme.side(self._side) if span.kind == "rep" else QColor(self._theme.accent)
        fill = QColor(colour)
        fill.setAlphaF(0.0 if span.doubt else 0.35)
        painter.setBrush(fill)
        style = Qt.PenStyle.DashLine if span.doubt else Qt.PenStyle.SolidLine
        painter.setPen(QPen(colour, 3 if number == self._chosen else 1, style))
        painter.drawRoundedRect(box, 4, 4)
        if span.doubt:
            painter.drawLine(box.bottomLeft(), box.topRight())
        if box.width() < NUMBERED:
            return
        painter.setPen(QColor(self._theme.ink))
        text = f"{span.number}\n{span.value}" if box.width() > 24 else f"{span.number}"
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _box(self, number: int) -> QRectF:
        span = self._spans[number]
        scale = self.width() / max(1e-9, self._duration)
        wide = max(NARROWEST, (span.stop - span.start) * scale)
        return QRectF(span.start * scale, 3, wide, HIGH - 6)
