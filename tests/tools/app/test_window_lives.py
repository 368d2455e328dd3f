"""Errors end nothing: a full disk, a lost sensor, a folder that cannot be written, a slot that raises."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imu.errors import RecordingError
from imu.recording import Recording, RecordingWriter
from rom.catalogue.loader import Catalogue
from rom.clinic.desk import Desk
from rom.clinic.person import add_client
from rom.clinic.store import Store
from tools.app.jobs import Job
from tools.app.setting import Setting

if TYPE_CHECKING:
    from tools.app.window import Window

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
LONGEST_MS = 90_000
"""No test waits for time to pass: this is only how long a busy computer may take."""


def begin(window: "Window") -> Any:
    window.capture.chooser.choose("P0042", "el_flexion", "left")
    choice = window.capture.chooser.choice
    assert choice is not None
    window.capture.begin_choice(choice)
    return window.capture.live.model


def test_a_disk_that_fills_up_ends_the_recording_with_a_sentence_and_keeps_what_it_took(
    screen: Any, window: "Window", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write, written = RecordingWriter.write, [0]

    def full(self: RecordingWriter, block: Any) -> None:
        written[0] += 1
        if written[0] > 200:
            raise RecordingError(self.part, "no space left on the disk; free some, what was written is kept")
        write(self, block)

    monkeypatch.setattr(RecordingWriter, "write", full)
    with screen.waitSignal(window.capture.recorded, timeout=LONGEST_MS) as ended:
        begin(window)
    assert "no space left" in ended.args[0].error
    assert not window.capture.running
    kept = [path for path in tmp_path.iterdir() if ".mcap" in path.name]
    assert kept
    assert sum(Recording.open(kept[0]).samples.values()) > 100
    window.show_page("Review")
    assert window.isVisible()


def test_a_sensor_that_goes_away_greys_the_number_and_the_capture_goes_on(
    screen: Any, window: "Window", monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from imu.ble_link import LinkState
    from tools.app.session import Session

    model = begin(window)
    screen.waitUntil(lambda: model.session.recording and len(model.lights) == 2, timeout=LONGEST_MS)
    well = Session.health

    def gone(self: Session) -> Any:
        first, *rest = well(self)
        return (replace(first, state=LinkState.LOST, words="lost", age=2.1), *rest)

    monkeypatch.setattr(Session, "health", gone)
    screen.waitUntil(lambda: "no data 2.1 s" in model.readout.detail, timeout=LONGEST_MS)
    assert not model.readout.live
    assert (model.lights[0].shape, model.lights[1].shape) == ("cross", "dot")
    assert model.session.recording
    monkeypatch.undo()
    window.capture.end()


def test_a_folder_that_cannot_be_written_is_said(screen: Any, window: "Window", tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    window.capture.folder = blocked / "below"
    begin(window)
    screen.wait(50)
    assert "a file" in window.capture.chooser.problem.text()
    assert not window.capture.running


def test_an_error_nobody_expected_is_shown_and_the_window_goes_on(
    window: "Window", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.app.start import survive

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    survive(window.say_problem)
    try:
        raise KeyError("lost")
    except KeyError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    shown = window.problem.text()
    assert "test_window_lives.py" in shown
    assert "What is recorded is safe" in shown
    assert capsys.readouterr().err == ""
    window.say_problem("")
    assert not window.problem.isVisible()


def test_a_theme_is_changed_by_a_key_on_every_page_while_it_runs(
    screen: Any, window: "Window", visit_files: dict[str, Path]
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QColor

    from tools.app.theme import THEMES

    window.review(visit_files["baseline_left"])
    for name in ("light", "contrast", "dark"):
        with screen.waitActive(window):
            window.activateWindow()
        screen.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
        assert window.theme is THEMES[name]
        for page in ("Capture", "Review"):
            window.show_page(page)
            screen.wait(20)
            seen = window.grab().toImage()
            ground = QColor(THEMES[name].ground).rgb()
            points = [(x, y) for x in range(5, seen.width(), 9) for y in range(5, seen.height(), 9)]
            share = sum(seen.pixel(x, y) == ground for x, y in points) / len(points)
            assert share > 0.4, f"{page} in {name}"
            others = {QColor(theme.ground).rgb() for theme in THEMES.values() if theme.name != name}
            others -= {QColor(THEMES[name].panel).rgb()}
            assert sum(seen.pixel(x, y) in others for x, y in points) < 0.02 * len(points), (
                f"{page} in {name}"
            )


def test_the_pages_of_a_practice_come_when_it_is_ready(
    screen: Any, setting: Setting, catalogue: Catalogue, tmp_path: Path
) -> None:
    from threading import Event

    from tools.app.course_page import CoursePage
    from tools.app.waiting_page import WaitingPage
    from tools.app.window import Window

    go = Event()

    def make(report: Any) -> Desk:
        report(0.5)
        go.wait(20.0)
        store = Store(tmp_path / "practice")
        add_client(store, "tester", "P0042")
        return Desk(store, catalogue, "tester")

    setting.preparing = Job("Simulating", make)
    window = Window(setting)
    screen.addWidget(window)
    window.show()
    window.show_page("Course")
    assert isinstance(window.page("Course"), WaitingPage)
    go.set()
    screen.waitUntil(lambda: isinstance(window.page("Course"), CoursePage), timeout=LONGEST_MS)
    page = window.page("Course")
    assert isinstance(page, CoursePage)
    assert page.isVisible()
    assert page.model.clients() == ["P0042"]
    window.close()
