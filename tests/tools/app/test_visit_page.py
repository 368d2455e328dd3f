"""The pages of a visit, its course and the window at home, worked without a screen."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rom.catalogue.loader import Catalogue
from rom.clinic.desk import Desk
from rom.clinic.person import add_client, open_episode
from rom.clinic.store import Store
from rom.clinic.visit import State
from tools.app.setting import Setting
from tools.sources import virtual_sensors

if TYPE_CHECKING:
    from tools.app.visit_page import VisitPage
    from tools.app.window import Window

pytestmark = pytest.mark.timeout(300)
CODE = "P0042"
LONGEST_MS = 90_000
"""No test waits for time to pass: this is only how long a busy computer may take."""


@pytest.fixture
def window(screen: Any, catalogue: Catalogue, tmp_path: Path) -> "Iterator[Window]":
    from tools.app.window import Window

    store = Store(tmp_path / "practice")
    add_client(store, "tester", CODE)
    open_episode(
        store, "tester", catalogue, CODE, complaint="tight hamstrings", regions=["knee"], side="left"
    )
    desk = Desk(store, catalogue, "tester")
    made = Window(Setting(catalogue, "light", tmp_path, virtual_sensors, virtual=True, desk=desk))
    screen.addWidget(made)
    with screen.waitExposed(made):
        made.show()
    yield made
    made.close()


@pytest.fixture
def page(window: "Window") -> "VisitPage":
    from tools.app.visit_page import VisitPage

    window.show_page("Visit")
    found = window.page("Visit")
    assert isinstance(found, VisitPage)
    return found


def press(screen: Any, page: "VisitPage", text: str) -> None:
    """Press the visible button that says so."""
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QPushButton

    screen.wait(20)
    fitting = [b for b in page.findChildren(QPushButton) if b.text().startswith(text) and b.isVisible()]
    assert len(fitting) == 1, [b.text() for b in page.findChildren(QPushButton) if b.isVisible()]
    screen.mouseClick(fitting[0], Qt.MouseButton.LeftButton)


def test_from_the_client_to_the_first_test_with_the_buttons(
    screen: Any, window: "Window", page: "VisitPage"
) -> None:
    press(screen, page, "Open")
    assert page.model.code == CODE
    press(screen, page, "Start a visit")
    assert page.model.state is State.SCREEN
    press(screen, page, "Answers given")
    assert page.model.state is State.HISTORY
    press(screen, page, "4")
    assert page.model.state is State.SETUP
    with screen.waitSignal(page.capture_wanted, timeout=LONGEST_MS) as wanted:
        press(screen, page, "Record test")
    order, given, baseline = wanted.args
    assert (order.movement.id, order.side, order.phase, order.client) == ("kn_ake", "right", "baseline", CODE)
    assert given == []
    assert baseline is None
    assert window.capture.running
    window.capture.end()
    screen.waitUntil(lambda: not window.capture.running, timeout=LONGEST_MS)


def test_a_visit_left_open_is_offered_again(screen: Any, page: "VisitPage") -> None:
    page.choose(CODE)
    page.model.start()
    page.choose(CODE)
    from PySide6.QtWidgets import QLabel

    assert any(f"{CODE} stopped at" in label.text() for label in page.findChildren(QLabel))
    page.choose("")
    press(screen, page, f"Visit of {CODE} stopped at")
    assert page.model.state is State.SCREEN


def test_a_guard_is_passed_with_a_reason_only(
    screen: Any, page: "VisitPage", monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtWidgets import QInputDialog

    page.choose(CODE)
    page.model.start()
    page.model.screen([])
    page.model.tell(3.0)
    page.model.desk.go(CODE, State.HALT)
    page.model.look()
    page.show_state()
    asked: list[str] = []

    def answer(_parent: object, _title: str, question: str) -> tuple[str, bool]:
        asked.append(question)
        return "", False

    monkeypatch.setattr(QInputDialog, "getText", answer)
    press(screen, page, "Close the visit")
    assert page.model.problem
    assert asked == []


def test_every_page_fits_1280_by_720_and_is_reached_by_tab(
    screen: Any, window: "Window", page: "VisitPage"
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget

    def check(what: str) -> None:
        window.resize(1280, 720)
        screen.wait(20)
        assert (window.width(), window.height()) == (1280, 720), what
        for kind in (QAbstractButton, QComboBox, QLineEdit, QListWidget):
            for widget in window.findChildren(kind):
                if not widget.isVisible() or widget.objectName().startswith("qt_"):
                    continue
                name = widget.accessibleName() or (
                    widget.text() if isinstance(widget, QAbstractButton) else ""
                )
                assert name, f"{what}: {widget} has no name"
                assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{what}: {name} is not reached by Tab"

    check("who comes")
    page.choose(CODE)
    page.model.start()
    page.show_state()
    check("screening")
    page.model.screen([])
    page.show_state()
    check("history")
    page.model.tell(3.0)
    page.show_state()
    check("tests")
    for name in ("Course", "Review", "Capture"):
        with screen.waitActive(window):
            window.activateWindow()
        number = ("Capture", "Review", "Visit", "Course").index(name) + 1
        screen.keyClick(window, str(number), Qt.KeyboardModifier.ControlModifier)
        assert window.page(name).isVisible(), name
        check(name)


def test_a_course_without_visits_and_with_one_is_drawn(screen: Any, window: "Window") -> None:
    from tools.app.course_page import CoursePage

    window.show_course(CODE)
    found = window.page("Course")
    assert isinstance(found, CoursePage)
    assert CODE in found.model.title
    assert found.model.lines == ()
    del screen


def test_the_window_at_home_shows_three_steps_and_nothing_else(
    screen: Any, catalogue: Catalogue, tmp_path: Path
) -> None:
    from PySide6.QtWidgets import QPushButton

    from tools.app.home_window import HomeWindow

    made = HomeWindow(Setting(catalogue, "contrast", tmp_path, virtual_sensors))
    screen.addWidget(made)
    made.show()
    assert [b.text() for b in made.findChildren(QPushButton) if b.isVisible()] == ["Open the clinic's file"]
    (tmp_path / "wrong.json").write_text("[]", encoding="utf-8")
    made.page.open(tmp_path / "wrong.json")
    assert "ask for it again" in made.page.model.problem
    made.close()


def key(screen: Any, window: "Window", *keys: Any) -> None:
    """Press keys wherever the focus is."""
    from PySide6.QtWidgets import QApplication

    window.activateWindow()
    screen.waitUntil(lambda: QApplication.activeWindow() is window, timeout=5_000)
    screen.wait(150)
    for each in keys:
        screen.keyClick(QApplication.focusWidget() or window, each)
        screen.wait(150)


def ticked(page: "VisitPage") -> list[str]:
    from PySide6.QtWidgets import QCheckBox

    return [box.accessibleName()[:5] for box in page.findChildren(QCheckBox) if box.isChecked()]


def test_the_screening_is_answered_with_one_key_a_line_and_begins_as_last_time(
    screen: Any, window: "Window", page: "VisitPage"
) -> None:
    from PySide6.QtCore import Qt

    page.choose(CODE)
    page.model.start()
    page.show_state()
    assert ticked(page) == []
    key(screen, window, Qt.Key.Key_L, Qt.Key.Key_A, Qt.Key.Key_A)
    assert ticked(page) == ["Blood"]
    screen.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    screen.waitUntil(lambda: page.model.state is State.HISTORY, timeout=5_000)
    assert len(page.model.cautions) == 1
    assert "Light pressure" in page.model.cautions[0]
    key(screen, window, Qt.Key.Key_4)
    screen.waitUntil(lambda: page.model.state is State.SETUP, timeout=5_000)
    page.model.desk.halt(CODE, "stop", reason="a test", action="none", told="nobody")
    page.model.close(None)
    page.model.sign(None)
    page.model.start()
    page.show_state()
    assert ticked(page) == ["Blood"]
    key(screen, window, Qt.Key.Key_N)
    screen.waitUntil(lambda: page.model.state is State.HISTORY, timeout=5_000)
    assert "Light pressure" in page.model.cautions[0]


def test_a_new_yes_stops_until_a_named_clinician_answers_for_going_on(
    screen: Any, page: "VisitPage", monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtWidgets import QInputDialog

    page.choose(CODE)
    page.model.start()
    page.model.screen(["RF03", "RF12"])
    page.show_state()
    assert page.model.state is State.SCREEN
    assert "Only a named clinician may go on" in page.model.problem
    assert "rom visit" not in page.model.problem
    given = iter([("Dr Lee", True), ("treated, afebrile", True)])

    def answer(*_: object) -> tuple[str, bool]:
        return next(given)

    monkeypatch.setattr(QInputDialog, "getText", answer)
    press(screen, page, "Go on past the stop")
    assert page.model.state is State.HISTORY
    assert any("Passed by Dr Lee: treated, afebrile" in one for one in page.model.cautions)


def test_pain_after_treatment_is_asked_before_the_visit_closes(
    screen: Any, page: "VisitPage", monkeypatch: pytest.MonkeyPatch
) -> None:
    page.choose(CODE)
    page.model.start()
    page.model.screen([])
    page.model.tell(6.0)
    page.show_state()
    press(screen, page, "Close the visit")
    press(screen, page, "Back")
    press(screen, page, "Close the visit")
    asked: list[tuple[float | None, str]] = []

    def close(pain: float | None, reaction: str, despite: str) -> None:
        assert despite == ""
        asked.append((pain, reaction))

    monkeypatch.setattr(page.model, "close", close)
    press(screen, page, "2")
    assert asked == [(2.0, "")]


@pytest.mark.parametrize("suffix", [".pdf", ".html"])
def test_a_page_that_is_cancelled_is_not_written_and_one_that_is_not_is(
    screen: Any, page: "VisitPage", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    from threading import Event

    from PySide6.QtWidgets import QFileDialog

    import tools.report.visit as drawing

    file = tmp_path / f"page{suffix}"
    reached, go, draw = Event(), Event(), drawing.visit_report

    def slow(*args: Any) -> Any:
        reached.set()
        go.wait(20.0)
        return draw(*args)

    def named(*_: object) -> tuple[str, str]:
        return str(file), ""

    monkeypatch.setattr(drawing, "visit_report", slow)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", named)
    page.choose(CODE)
    page.model.start()
    page.model.screen([])
    page.model.tell(3.0)
    page.model.desk.halt(CODE, "stop", reason="a test", action="none", told="nobody")
    page.model.close(None)
    page.show_state()
    press(screen, page, "Page for the chart")
    screen.waitUntil(reached.is_set, timeout=20_000)
    press(screen, page, "Cancel")
    go.set()
    screen.waitUntil(lambda: "was not written" in page.model.problem, timeout=30_000)
    assert list(tmp_path.glob("page*")) == []
    screen.wait(100)
    press(screen, page, "Page for the chart")
    screen.waitUntil(file.exists, timeout=60_000)
    assert file.stat().st_size > 1000
    screen.waitUntil(lambda: "Written" in page.model.note, timeout=10_000)


@pytest.mark.parametrize("by", ["click", "key"])
def test_a_neighbour_is_gone_to_by_a_click_or_by_enter(screen: Any, page: "VisitPage", by: str) -> None:
    from PySide6.QtCore import Qt

    from tools.app.visit_panels import NeighbourList, StructurePicker

    page.choose(CODE)
    near = [page.model.desk.catalogue.structure(name) for name in ("scm", "scalenes", "rhomboids")]
    page.model.suggested = tuple(near)
    page._turn_to(page._show_neighbours)  # pyright: ignore[reportPrivateUsage]  a visit takes minutes
    screen.wait(20)
    (shown,) = [each for each in page.findChildren(NeighbourList) if each.isVisible()]
    if by == "click":
        place = shown.visualItemRect(shown.item(1)).center()
        screen.mouseClick(shown.viewport(), Qt.MouseButton.LeftButton, pos=place)
    else:
        screen.keyClick(shown, Qt.Key.Key_Down)
        screen.keyClick(shown, Qt.Key.Key_Return)
    screen.wait(20)
    (picker,) = [each for each in page.findChildren(StructurePicker) if each.isVisible()]
    assert picker.structure == near[1].id
