"""Which key does what: one list for every page, shown by F1."""

# pyright: basic

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from tools.app.bindings import Action, Bindings
from tools.app.widgets import button, words

HELP_KEY = "F1"
Keys = tuple[tuple[str, str], ...]
"""Keys and what they do."""

EVERYWHERE: Keys = (
    ("Ctrl+1 to Ctrl+4", "go to a page"),
    ("Tab, Shift+Tab", "go to the next or the last part; Space presses it, arrows pick in a list"),
    ("Ctrl+Enter", "the one filled button, bottom right"),
    ("Ctrl+P", "the window for the patient"),
    ("Ctrl+T", "dark, light, high contrast"),
    (HELP_KEY, "these keys"),
)
REVIEW: Keys = (
    ("Space", "play or pause"),
    ("Left, Right", "a tenth of a second back or on; on the strip of reps: from one to the next"),
    ("N, P", "next or previous rep or pass"),
    ("+, -", "faster or slower"),
    ("Ctrl+O", "open"),
    ("Ctrl+E", "export what is seen"),
)
VISIT: Keys = (
    ("A to R", "change the answer in that line of the screening"),
    ("N", "nothing new for all"),
    ("0 to 9", "rate the pain that is asked for"),
)
ONLY = {Action.AGAIN: ": during a movement, or once one was refused"}
"""When an action does something, where that is not always."""


def capture_keys(bindings: Bindings) -> Keys:
    """Return the keys of a capture, those of learnt pedals among them."""
    return (
        *((", ".join(bindings.keys_of(action)), f"{action}{ONLY.get(action, '')}") for action in Action),
        ("hold what starts and stops", str(Action.SHARP)),
        ("0 to 9", "pain"),
        ("Esc", "take away a warning that was read"),
    )


class KeyHelp(QDialog):
    """Every key, page by page."""

    def __init__(self, bindings: Bindings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        # a capture under it goes on hearing its keys
        self.setWindowFlag(Qt.WindowType.WindowDoesNotAcceptFocus)
        grid = QGridLayout()
        parts = (
            ("Everywhere", EVERYWHERE),
            ("Capture", capture_keys(bindings)),
            ("Review", REVIEW),
            ("Visit", VISIT),
        )
        for place, (title, keys) in enumerate(parts):
            part = QGridLayout()
            part.setHorizontalSpacing(18)
            part.setVerticalSpacing(6)
            part.addWidget(words(title, role="title"), 0, 0, 1, 2)
            for row, (key, deed) in enumerate(keys, start=1):
                name = QLabel(key)
                name.setStyleSheet("font-weight: 700;")
                part.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
                part.addWidget(words(deed), row, 1)
            part.setColumnStretch(1, 1)
            part.setRowStretch(len(keys) + 1, 1)
            grid.addLayout(part, place // 2, place % 2)
        grid.setHorizontalSpacing(32)
        grid.setVerticalSpacing(18)
        column = QVBoxLayout(self)
        column.addLayout(grid, 1)
        column.addWidget(button("Close", self.accept, hint=HELP_KEY), 0, Qt.AlignmentFlag.AlignRight)
        self.resize(1080, 560)
