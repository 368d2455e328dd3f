"""Everything by key: Tab comes by every part of every page, every action has a key that is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rom.catalogue.loader import Catalogue
from rom.clinic.desk import Desk
from rom.clinic.person import add_client, open_episode
from rom.clinic.store import Store
from tools.app.bindings import DEFAULTS, Action, Bindings
from tools.app.setting import Setting
from tools.sources import virtual_sensors

if TYPE_CHECKING:
    from tools.app.window import Window

pytestmark = pytest.mark.timeout(120)
CODE = "P0042"


@pytest.fixture
def window(screen: Any, catalogue: Catalogue, tmp_path: Path) -> "Iterator[Window]":
    from PySide6.QtWidgets import QApplication

    from tools.app.window import Window

    store = Store(tmp_path / "practice")
    add_client(store, "tester", CODE)
    open_episode(store, "tester", catalogue, CODE, complaint="tight", regions=["knee"], side="left")
    desk = Desk(store, catalogue, "tester")
    made = Window(Setting(catalogue, "dark", tmp_path, virtual_sensors, virtual=True, desk=desk))
    screen.addWidget(made)
    with screen.waitExposed(made):
        made.show()
    made.activateWindow()
    screen.waitUntil(lambda: QApplication.activeWindow() is made, timeout=10_000)
    yield made
    made.close()


def parts(window: "Window") -> set[Any]:
    """Return what a person could want to reach, of what is shown."""
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget, QSlider

    kinds = (QAbstractButton, QComboBox, QLineEdit, QListWidget, QSlider)
    found = {each for kind in kinds for each in window.findChildren(kind)}
    return {each for each in found if each.isVisible() and each.isEnabled() and not _inner(each)}


def _inner(widget: Any) -> bool:
    return widget.objectName().startswith("qt_") or not (widget.accessibleName() or widget.text())


def tabbed(screen: Any, window: "Window", most: int = 120) -> set[Any]:
    """Return what Tab comes by, going round once."""
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    reached: set[Any] = set()
    for _ in range(most):
        screen.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    return reached


def unreached(screen: Any, window: "Window") -> list[str]:
    from PySide6.QtWidgets import QRadioButton

    left = parts(window) - tabbed(screen, window)
    # of a group of radio buttons Tab reaches the picked one, arrows the others
    left = {each for each in left if not (isinstance(each, QRadioButton) and not each.isChecked())}
    return [each.accessibleName() or each.text() for each in left]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_tab_comes_by_everything_on_every_page(screen: Any, window: "Window", number: int) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QPushButton

    key = Qt.Key(Qt.Key.Key_0 + number)
    screen.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    screen.wait(100)
    tabs = [each for each in window.findChildren(QPushButton) if each.isCheckable()]
    assert [tab.isChecked() for tab in tabs] == [place == number for place in (1, 2, 3, 4)]
    assert unreached(screen, window) == []


def test_tab_comes_by_everything_of_a_visit(screen: Any, window: "Window") -> None:
    from tools.app.visit_page import VisitPage

    window.show_page("Visit")
    page = window.page("Visit")
    assert isinstance(page, VisitPage)
    for step in (lambda: page.choose(CODE), page.model.start, lambda: page.model.screen([])):
        step()
        page.show_state()
        screen.wait(100)
        assert unreached(screen, window) == []


def test_a_click_does_not_take_the_space_key_away_from_the_page(screen: Any, window: "Window") -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication, QPushButton

    window.show_page("Review")
    screen.wait(50)
    (slower,) = [b for b in window.page("Review").findChildren(QPushButton) if b.text() == "Slower"]
    screen.mouseClick(slower, Qt.MouseButton.LeftButton)
    assert QApplication.focusWidget() is not slower


def test_f1_shows_the_keys_and_takes_them_away(screen: Any, window: "Window") -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QLabel

    screen.keyClick(window, Qt.Key.Key_F1)
    assert window.key_help is not None
    assert window.key_help.isVisible()
    said = " ".join(label.text() for label in window.key_help.findChildren(QLabel))
    for action in Action:
        assert str(action) in said
    screen.keyClick(window, Qt.Key.Key_F1)
    assert window.key_help is None
    screen.keyClick(window, Qt.Key.Key_F1)
    assert window.key_help is not None
    window.key_help.close()
    screen.keyClick(window, Qt.Key.Key_F1)
    assert window.key_help is not None
    assert window.key_help.isVisible()


def test_every_action_has_a_key_and_a_learnt_pedal_is_listed() -> None:
    from tools.app.key_help import capture_keys

    assert set(DEFAULTS.values()) == set(Action)
    keys = Bindings()
    keys.learn("F19", Action.MARK)
    assert {deed: key for key, deed in capture_keys(keys)}["mark"].startswith("F19")


def test_every_shortcut_of_the_window_is_its_own(screen: Any, window: "Window") -> None:
    from PySide6.QtGui import QAction

    for name in ("Capture", "Review", "Visit", "Course"):
        window.page(name)
    screen.wait(50)
    keys = [
        action.shortcut().toString()
        for action in window.findChildren(QAction)
        if not action.shortcut().isEmpty()
    ]
    assert len(keys) == len(set(keys))
