"""The one huge number, readable at two metres, and the words around it."""

# pyright: basic

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from tools.app.theme import Theme, Themed, digits_font

DIGIT_MM = 35.0
WIDEST = "-188°"


class Readout(Themed, QWidget):
    """Whole degrees in digits at least 35 mm tall (ISO 9241 asks for 13 mm at two metres; hands are busy).

    The width is fixed to the widest value, so that the page never jumps. Without data the number greys
    and the reason stands under it; a frozen number is never shown as live.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._value: int | None = None
        self._live = False
        self._caption = ""
        self._detail = ""
        self.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Joint angle")

    def set_caption(self, caption: str) -> None:
        """Set what is measured, e.g. LEFT KNEE · STRAIGHTENING."""
        self._caption = caption
        self.update()

    def show_angle(self, degrees: int | None, detail: str, *, live: bool) -> None:
        """Show whole degrees; None or `live=False` greys, and `detail` says why."""
        if (degrees, detail, live) == (self._value, self._detail, self._live):
            return
        self._value, self._detail, self._live = degrees, detail, live
        spoken = "no value" if degrees is None else f"{degrees} degrees"
        self.setAccessibleDescription(f"{self._caption}: {spoken}. {detail}")
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return room for the widest number, its caption and its detail."""
        metrics = QFontMetrics(digits_font(DIGIT_MM))
        return QSize(metrics.horizontalAdvance(WIDEST), round(metrics.capHeight() * 1.3) + 70)

    minimumSizeHint = sizeHint  # noqa: N815 - Qt's name

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw caption, digits and detail."""
        painter = QPainter(self)
        painter.setPen(QColor(self._theme.soft))
        font = painter.font()
        font.setPixelSize(20)
        painter.setFont(font)
        painter.drawText(QRect(0, 0, self.width(), 28), Qt.AlignmentFlag.AlignLeft, self._caption)
        small = painter.font()
        painter.setFont(digits_font(DIGIT_MM))
        painter.setPen(QColor(self._theme.ink if self._live else self._theme.line))
        text = "--" if self._value is None else f"{self._value}°"
        body = QRect(0, 28, self.sizeHint().width(), self.height() - 66)
        painter.drawText(body, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.setFont(small)
        painter.setPen(QColor(self._theme.ink if self._live else self._theme.weak))
        painter.drawText(
            QRect(0, self.height() - 36, self.width(), 34), Qt.AlignmentFlag.AlignLeft, self._detail
        )
        painter.end()
