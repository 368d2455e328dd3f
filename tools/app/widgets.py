"""The few small parts that every page is made of."""

# pyright: basic

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QPushButton

KEPT = "kept"
"""Name of a widget that `clear` hides, to be used again."""


def panel() -> QFrame:
    """Return an empty frame."""
    frame = QFrame()
    frame.setProperty("panel", "true")
    return frame


def words(text: str = "", *, role: str = "", soft: bool = False) -> QLabel:
    """Return text that wraps and can be selected; `role` is `title` or `verdict`."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if role:
        label.setProperty("role", role)
    if soft:
        label.setProperty("soft", "true")
    return label


def button(text: str, action: Callable[[], None], *, primary: bool = False, hint: str = "") -> QPushButton:
    """Return a button; the one primary action of a screen stands out."""
    made = QPushButton(text)
    made.clicked.connect(lambda _checked=False: action())
    made.setAccessibleName(text)
    made.setAutoDefault(False)
    if hint:
        made.setToolTip(hint)
        made.setAccessibleDescription(hint)
    if primary:
        made.setProperty("primary", "true")
        made.setShortcut("Ctrl+Return")
    return made


def clear(layout: QLayout) -> None:
    """Take everything out; what is used again is only hidden."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            if widget.objectName() != KEPT:
                widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear(inner)
