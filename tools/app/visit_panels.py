"""Two panels of a visit: who comes, and the questions of the screening."""

# pyright: basic

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from tools.app.chooser_model import ChooserModel
from tools.app.widgets import words


class ClientPicker(QWidget):
    """Clients, found by a few letters or digits."""

    def __init__(self, chooser: ChooserModel) -> None:
        super().__init__()
        self._chooser = chooser
        self.search, self._found = QLineEdit(), QListWidget()
        self.search.setPlaceholderText("Client, such as 42")
        self.search.setAccessibleName("Client")
        self._found.setAccessibleName("Clients")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.search)
        column.addWidget(self._found)
        self.search.textChanged.connect(self._fill)
        self._fill("")

    @property
    def code(self) -> str:
        """The client that is picked; empty for none."""
        item = self._found.currentItem()
        return "" if item is None else item.text()

    def _fill(self, typed: str) -> None:
        self._found.clear()
        self._found.addItems(self._chooser.clients(typed))
        self._found.setCurrentRow(0)


class QuestionList(QScrollArea):
    """One box a question; a tick is a yes."""

    def __init__(self, questions: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._boxes: list[tuple[str, QCheckBox]] = []
        inside = QWidget()
        column = QVBoxLayout(inside)
        for code, question in questions:
            box = QCheckBox()
            box.setAccessibleName(question)
            self._boxes.append((code, box))
            row = QHBoxLayout()
            row.addWidget(box)
            row.addWidget(words(question), 1)
            column.addLayout(row)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inside)
        self.setAccessibleName("Questions")

    @property
    def yes(self) -> list[str]:
        """Codes of the questions that were answered with yes."""
        return [code for code, box in self._boxes if box.isChecked()]
