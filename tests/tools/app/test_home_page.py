"""At home: every step by key, a way back from each, and sensors that stay connected between two tries."""

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imu.acquisition import Acquisition
from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from tools.app.setting import Setting
from tools.emulator.limbs import Pace
from tools.sources import Opened, Source, virtual_sensors

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PACE = Pace(still=1.0, functional=0.6, functional_times=1, reps=30)


@pytest.fixture
def opened() -> Iterator[list[Acquisition]]:
    """Return the links that were made."""
    yield []
    gc.collect()


@pytest.fixture
def window(screen: Any, catalogue: Catalogue, tmp_path: Path, opened: list[Acquisition]) -> Iterator[Any]:
    from tools.app.home_window import HomeWindow

    def source_of(movement: Movement, side: Side) -> Source:
        @contextmanager
        def begin() -> Generator[Opened]:
            with virtual_sensors(movement, side, pace=PACE)() as worn:
                opened.append(worn.acquisition)
                # they move on their own: taken for a person's
                yield Opened(worn.acquisition, None)

        return begin

    made = HomeWindow(Setting(catalogue, "light", tmp_path, source_of))
    model: Any = made.page.model
    model.test = SimpleNamespace(movement="el_flexion", side="left", client="P0042", aggregate="mean_2_to_k")
    model.test_file = tmp_path / "test.json"
    screen.addWidget(made)
    with screen.waitExposed(made):
        made.show()
    made.page.show_state()
    yield made
    made.close()


def visible(window: Any) -> list[str]:
    from PySide6.QtWidgets import QPushButton

    return [each.text() for each in window.findChildren(QPushButton) if each.isVisible()]


def test_keys_begin_and_leave_and_the_links_are_kept_between_two_tries(
    screen: Any, window: Any, opened: list[Acquisition]
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    page = window.page
    window.activateWindow()
    screen.waitUntil(lambda: QApplication.activeWindow() is window, timeout=10_000)
    assert visible(window) == ["Start"]
    for begin in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        screen.wait(150)
        screen.keyClick(window, begin)
        assert page.place == 1
        assert "Back" in visible(window)
        screen.waitUntil(lambda: bool(page._capture.step.words), timeout=60_000)
        screen.waitUntil(lambda: len(page._capture.lights) == 2, timeout=60_000)
        screen.waitUntil(lambda: "Lift" in page._capture.step.words, timeout=60_000)
        screen.keyClick(window, Qt.Key.Key_Escape)
        screen.waitUntil(lambda: page.place == 0, timeout=30_000)
        assert page.model.problem == ""
        assert visible(window) == ["Start"]
    assert len(opened) == 1
    window.close()
    assert page._station.connected is False


def test_measuring_shows_how_far_it_is_and_can_be_left(
    screen: Any, window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    from PySide6.QtWidgets import QLabel

    page, go = window.page, Event()

    def slow(_file: Path, report: Any) -> None:
        report(0.4)
        go.wait(20.0)
        report(0.5)

    monkeypatch.setattr(page.model, "measure", slow)
    over = SimpleNamespace(error="", order=SimpleNamespace(file=Path("x.mcap")))
    page._ended(SimpleNamespace(session=over))
    page.show_state()
    said = lambda: [label.text() for label in window.findChildren(QLabel)]  # noqa: E731
    screen.waitUntil(lambda: "Measuring ... 40%" in said(), timeout=10_000)
    page._go_back()
    go.set()
    screen.waitUntil(lambda: page.place == 0, timeout=10_000)
    assert page.model.problem == "Measuring: cancelled"
