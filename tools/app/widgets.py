"""The few small parts that every page is made of."""

# pyright: basic

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QLineEdit, QPushButton

PRIMARY_KEY = "Ctrl+Return"
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


def button(
    text: str, action: Callable[[], None], *, primary: bool = False, hint: str = "", key: str = ""
) -> QPushButton:
    """Return a button, pressed by its key too; the one primary action of a screen stands out.

    A click doesn't take the focus: the space key goes on doing what it did, and Tab still comes by.
    """
    made = QPushButton(text)
    made.clicked.connect(lambda _checked=False: action())
    made.setAccessibleName(text)
    made.setAutoDefault(False)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    keys = key or (PRIMARY_KEY if primary else "")
    hint = hint or (f"Key {keys}" if keys else "")
    if keys:
        made.setShortcut(keys)
    if hint:
        made.setToolTip(hint)
        made.setAccessibleDescription(hint)
    if primary:
        made.setProperty("primary", "true")
    return made


def search_line(hint: str) -> QLineEdit:
    """Return an empty line to type into; its hint is its name."""
    line = QLineEdit()
    line.setPlaceholderText(hint)
    line.setAccessibleName(hint)
    return line


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
