"""Picking what is captured: client and movement by search, with a drawing of where the sensors sit."""

# pyright: basic

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from rom.catalogue.movement import Movement
from tools.app.body import pose_of
from tools.app.chooser_model import Choice, ChooserModel
from tools.app.limb_figure import LimbFigure
from tools.app.theme import Theme
from tools.app.widgets import button, search_line, words

SHOWN = 40


class ChooserPage(QWidget):
    """Client, movement, side, and what is done: a test or passes over a structure."""

    chosen = Signal(object)
    pedal_wanted = Signal()

    def __init__(self, theme: Theme, model: ChooserModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._found: list[Movement] = []
        self._structures = []
        self._client = _search("Client, such as 42", self._show_clients)
        self._clients = _list("Clients", 90)
        self._movement = _search("Movement, such as knee straight", self._show_movements)
        self._movements = _list("Movements")
        self._structure = _search(
            "Passes over a structure, such as biceps f (empty: a test)", self._show_structures
        )
        self._structure_list = _list("Structures", 120)
        self._left, self._right = QRadioButton("L  Left"), QRadioButton("R  Right")
        self._left.setProperty("side", "left")
        self._right.setProperty("side", "right")
        group = QButtonGroup(self)
        for choice in (self._left, self._right):
            group.addButton(choice)
            choice.toggled.connect(self._show_placement)
        self._left.setChecked(True)
        self._figure = LimbFigure(theme)
        self._placement = words()
        self.problem = words()
        self._clients.currentTextChanged.connect(lambda text: text and self._client.setText(text))
        self._movements.currentRowChanged.connect(self._show_placement)
        self._lay_out()
        self._show_clients("")
        self._show_movements("")
        self._show_structures("")

    def choose(self, client: str, movement: str, side: str) -> None:
        """Fill in what is known, such as from the last visit."""
        self._client.setText(client)
        self._movement.setText(movement)
        (self._left if side == "left" else self._right).setChecked(True)

    @property
    def choice(self) -> Choice | None:
        """What is picked; None while no movement fits."""
        row = self._movements.currentRow()
        if not 0 <= row < len(self._found):
            return None
        movement = self._found[row]
        sides = self._model.sides(movement)
        side = sides[0] if len(sides) == 1 or self._left.isChecked() else sides[1]
        picked = self._structure_list.currentRow()
        structure = self._structures[picked] if self._structure.text() and picked >= 0 else None
        return Choice(self._client.text().strip().upper(), movement, side, structure)

    def _go(self) -> None:
        if self.choice is not None:
            self.chosen.emit(self.choice)

    def _show_clients(self, typed: str) -> None:
        found = self._model.clients(typed)
        _fill(self._clients, found)
        self._clients.setVisible(bool(found))

    def _show_movements(self, typed: str) -> None:
        self._found = self._model.movements(typed)[:SHOWN]
        _fill(self._movements, [self._model.title(movement) for movement in self._found])
        self._movements.setCurrentRow(0)

    def _show_structures(self, typed: str) -> None:
        self._structures = self._model.structures(typed)[:SHOWN] if typed else []
        _fill(self._structure_list, [one.summary for one in self._structures])
        self._structure_list.setVisible(bool(typed))
        if typed:
            self._structure_list.setCurrentRow(0)

    def _show_placement(self) -> None:
        choice = self.choice
        if choice is not None:
            sided = choice.movement.laterality != "midline"
            self._left.setEnabled(sided)
            self._right.setEnabled(sided)
            self._figure.face(choice.side)
            self._figure.show_pose(pose_of(choice.movement, choice.side, float("nan")))
            self._placement.setText(self._model.placement(choice.movement, choice.side))

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(words("What is measured", role="title"))
        for widget in (self._client, self._clients, self._movement):
            left.addWidget(widget)
        left.addWidget(self._movements, 1)
        sides = QHBoxLayout()
        sides.addWidget(self._left)
        sides.addWidget(self._right)
        sides.addStretch(1)
        left.addLayout(sides)
        left.addWidget(self._structure)
        left.addWidget(self._structure_list)
        right = QVBoxLayout()
        right.addWidget(words("Where the sensors sit", role="title"))
        right.addWidget(self._figure, 1)
        right.addWidget(self._placement)
        both = QHBoxLayout()
        both.addLayout(left, 1)
        both.addSpacing(16)
        both.addLayout(right, 1)
        below = QHBoxLayout()
        below.addWidget(
            button("Press your pedal ...", self.pedal_wanted.emit, hint="Learn which key a pedal sends")
        )
        below.addWidget(self.problem, 1)
        below.addWidget(
            button("Begin", self._go, primary=True, hint="Ctrl+Enter"), 0, Qt.AlignmentFlag.AlignRight
        )
        whole = QVBoxLayout(self)
        whole.addLayout(both, 1)
        whole.addLayout(below)


def _search(hint: str, changed: Callable[[str], None]) -> QLineEdit:
    line = search_line(hint)
    line.textChanged.connect(changed)
    return line


def _list(name: str, height: int = 0) -> QListWidget:
    made = QListWidget()
    made.setAccessibleName(name)
    if height:
        made.setFixedHeight(height)
    return made


def _fill(widget: QListWidget, rows: list[str]) -> None:
    before = widget.blockSignals(True)
    widget.clear()
    widget.addItems(rows)
    widget.blockSignals(before)
