"""Panels of a visit: who comes, the questions of the screening, pain, what is tested, a structure."""

# pyright: basic

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QListWidget,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rom.catalogue.movement import Movement, Side
from rom.catalogue.structure import Structure
from tools.app.chooser_model import ChooserModel
from tools.app.widgets import KEPT, button, search_line, words

LETTERS = "ABCDEFGHIJKLMOPQRSTUVWXYZ"
"""Keys of the questions; N says that nothing is new."""
SEVEREST = 10
FIRST_MOVEMENT = "kn_ake"


class ClientPicker(QWidget):
    """Clients, found by a few letters or digits."""

    def __init__(self, chooser: ChooserModel) -> None:
        super().__init__()
        self._chooser = chooser
        self.search, self._found = search_line("Client, such as 42"), QListWidget()
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
    """One box a question, changed by its letter; a tick is a yes.

    Parameters
    ----------
    questions
        Codes and words.
    yes
        Codes of those that are ticked: the answers of last time.
    """

    def __init__(self, questions: Sequence[tuple[str, str]], yes: Collection[str] = ()) -> None:
        super().__init__()
        self._boxes: list[tuple[str, QCheckBox]] = []
        inside = QWidget()
        column = QVBoxLayout(inside)
        for letter, (code, question) in zip(LETTERS, questions, strict=False):
            box = QCheckBox(letter)
            box.setShortcut(letter)
            box.setMinimumWidth(64)
            box.setChecked(code in yes)
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


class PainRow(QWidget):
    """A rating from 0 to 10; each digit is a key."""

    def __init__(self, rated: Callable[[float], None]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for pain in range(SEVEREST + 1):
            key = str(pain) if pain < SEVEREST else ""
            row.addWidget(button(str(pain), lambda p=pain: rated(float(p)), key=key))


class MovementPicker(QWidget):
    """What is tested: a movement and a side; it stays as it was picked from one panel to the next."""

    def __init__(self, chooser: ChooserModel) -> None:
        super().__init__()
        self.setObjectName(KEPT)
        self._movements = list(chooser.catalogue.movements.values())
        self._movement, self._side = QComboBox(), QComboBox()
        self._movement.setAccessibleName("Movement")
        self._side.setAccessibleName("Side")
        for movement in self._movements:
            self._movement.addItem(chooser.title(movement), movement.id)
        for side in ("right", "left", "midline"):
            self._side.addItem(side, side)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._movement, 2)
        row.addWidget(self._side, 1)
        self.pick(FIRST_MOVEMENT)

    @property
    def movement(self) -> Movement:
        """The movement."""
        return self._movements[self._movement.currentIndex()]

    @property
    def body_side(self) -> Side:
        """The side that is picked, whatever is tested."""
        return self._side.currentData()

    @property
    def side(self) -> Side:
        """The side of the test; one in the middle of the body has none."""
        return "midline" if self.movement.laterality == "midline" else self.body_side

    def pick(self, movement: str = "", side: str = "") -> None:
        """Pick a movement by its id, a side, or both."""
        for box, wanted in ((self._movement, movement), (self._side, side)):
            if (place := box.findData(wanted)) >= 0:
                box.setCurrentIndex(place)


class StructurePicker(QWidget):
    """A structure, found by a few letters, and how it is treated.

    Parameters
    ----------
    chooser
        Finds structures.
    movement
        Whose re-test structures come first.
    expected
        Structures that are likely; they lead the list until something is typed.
    techniques
        How one may be treated.
    """

    def __init__(
        self, chooser: ChooserModel, movement: Movement, expected: Collection[str], techniques: Sequence[str]
    ) -> None:
        super().__init__()
        self._chooser, self._movement, self._expected = chooser, movement, expected
        self._shown: list[str] = []
        self._search, self._found, self._technique = (
            search_line("Structure, such as biceps f"),
            QListWidget(),
            QComboBox(),
        )
        self._found.setAccessibleName("Structures")
        self._technique.addItems(techniques)
        self._technique.setAccessibleName("Technique")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._search, self._found, self._technique):
            column.addWidget(widget)
        self._search.textChanged.connect(self._fill)
        self._fill("")

    @property
    def structure(self) -> str:
        """The id of the structure that is picked; empty for none."""
        row = self._found.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else ""

    @property
    def technique(self) -> str:
        """How it is treated."""
        return self._technique.currentText()

    def propose(self, technique: str) -> None:
        """Begin with a technique."""
        self._technique.setCurrentText(technique)

    def pick(self, structure: str) -> None:
        """Begin with a structure."""
        if structure in self._shown:
            self._found.setCurrentRow(self._shown.index(structure))

    def _fill(self, typed: str) -> None:
        structures = self._chooser.structures(typed, self._movement)
        if not typed:
            structures.sort(key=lambda one: one.id not in self._expected)
        self._shown = [one.id for one in structures]
        self._found.clear()
        self._found.addItems([one.summary for one in structures])
        self._found.setCurrentRow(0)


class NeighbourList(QListWidget):
    """Structures up and down the chain; a click, or Enter after the arrows, goes to one.

    Parameters
    ----------
    structures
        The neighbours.
    chosen
        Told the id of the one that is gone to.
    """

    def __init__(self, structures: Sequence[Structure], chosen: Callable[[str], None]) -> None:
        super().__init__()
        self._ids = [one.id for one in structures]
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Neighbours")
        self.addItems([one.summary for one in structures])
        self.setCurrentRow(0)
        for gone_to in (self.itemClicked, self.itemActivated):
            gone_to.connect(lambda item: chosen(self._ids[self.row(item)]))


class NotePane(QScrollArea):
    """The note of a visit, however long."""

    def __init__(self, note: str) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setWidget(words(note))
        self.setAccessibleName("Note of the visit")
