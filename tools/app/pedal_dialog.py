"""Press your pedal now: learn which key a foot pedal or presenter sends."""

# pyright: basic

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QComboBox, QDialog, QVBoxLayout, QWidget

from tools.app.bindings import Action, Bindings
from tools.app.widgets import button, words

ONLY_MODIFIERS = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta)


class PedalDialog(QDialog):
    """Waits for one key and binds it."""

    def __init__(self, bindings: Bindings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bindings = bindings
        self.setWindowTitle("Press your pedal")
        self._action = QComboBox()
        self._action.addItems([str(action) for action in Action])
        self._action.setAccessibleName("What the pedal does")
        self._action.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._said = words("Press your pedal now.", role="title")
        column = QVBoxLayout(self)
        column.addWidget(words("What the pedal does"))
        column.addWidget(self._action)
        column.addWidget(self._said)
        column.addWidget(words("A pedal is a keyboard to the computer: the key it sends is kept.", soft=True))
        done = button("Done", self.accept, primary=True)
        done.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        column.addWidget(done, 0, Qt.AlignmentFlag.AlignRight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()
        self.resize(460, 220)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Learn the key; Escape leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.reject()
            return
        if event.key() in ONLY_MODIFIERS or event.isAutoRepeat():
            return
        name = QKeySequence(event.key()).toString()
        action = Action(self._action.currentText())
        self._bindings.learn(name, action)
        self._said.setText(f"{name}: {action}")
