"""The window worked like a person does, without a screen, with virtual sensors through the real driver."""

import gc
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imu.recording import Recording
from rom.annotations import annotations_file
from rom.trial import analyse
from tools.app.setting import Setting

if TYPE_CHECKING:
    from tools.app.window import Window

pytestmark = [
    pytest.mark.timeout(300),
    # bleak keeps one bus for each event loop that ever was; it goes when the next loop begins.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
LONGEST_MS = 90_000
"""No test waits for time to pass: this is only how long a busy computer may take."""


@pytest.fixture(autouse=True)
def _leaks_stay_here() -> Iterator[None]:
    yield
    gc.collect()


def test_a_capture_from_choice_to_result_and_its_replay_says_the_same(
    screen: Any, window: "Window", tmp_path: Path
) -> None:
    from PySide6.QtCore import Qt

    capture = window.capture
    capture.chooser.choose("P0042", "el_flexion", "left")
    choice = capture.chooser.choice
    assert choice is not None
    assert (choice.movement.id, choice.side, choice.client) == ("el_flexion", "left", "P0042")
    capture.begin_choice(choice)
    model = capture.live.model
    assert model is not None
    window.show_patient()
    screen.waitUntil(lambda: model.session.recording and bool(model.lights), timeout=LONGEST_MS)
    screen.waitUntil(lambda: model.pose.caption != "", timeout=LONGEST_MS)
    screen.keyClick(window, Qt.Key.Key_M)
    screen.keyClick(window, Qt.Key.Key_M)
    screen.keyClick(window, Qt.Key.Key_7)
    screen.waitUntil(lambda: model.calibration.startswith("Alignment"), timeout=LONGEST_MS)
    screen.waitUntil(lambda: model.session.over, timeout=LONGEST_MS)
    assert model.session.error == ""
    screen.waitUntil(lambda: capture.live.model is not None and not capture.running, timeout=LONGEST_MS)
    (file,) = tmp_path.glob("*.mcap")
    recording = Recording.open(file)
    kinds = [event.kind for event in recording.events]
    assert kinds.count("mark") == 1
    assert [event.data["nprs"] for event in recording.events if event.kind == "pain"] == [7]
    trial = analyse(recording)
    found = model.session.found
    assert found is not None
    assert [rep.rep for rep in trial.reps] == found.reps
    counted = f"{len(found.reps)} rep{'' if len(found.reps) == 1 else 's'}"
    screen.waitUntil(lambda: model.counts == counted, timeout=LONGEST_MS)
    assert window.patient is not None
    from PySide6.QtWidgets import QLabel

    window.patient.tick()
    assert shown(window.patient, "Joint angle").startswith("L   LEFT")
    texts = [label.text() for label in window.patient.findChildren(QLabel)]
    assert model.counts in texts
    assert not any("P0042" in text for text in texts)


def shown(window: Any, name: str) -> str:
    """Return what a part of a window tells a screen reader."""
    from PySide6.QtWidgets import QWidget

    (part,) = [one for one in window.findChildren(QWidget) if one.accessibleName() == name]
    return str(part.accessibleDescription())


def test_a_pedal_held_down_ends_the_movement_and_marks_sharp_pain(
    screen: Any, window: "Window", tmp_path: Path
) -> None:
    from PySide6.QtCore import Qt

    window.capture.chooser.choose("P0042", "kn_ake", "left")
    choice = window.capture.chooser.choice
    assert choice is not None
    window.capture.begin_choice(choice)
    model = window.capture.live.model
    assert model is not None
    screen.waitUntil(lambda: model.counts == "1 rep", timeout=LONGEST_MS)
    screen.keyPress(window, Qt.Key.Key_PageDown)
    screen.waitUntil(lambda: model.session.over, timeout=LONGEST_MS)
    screen.keyRelease(window, Qt.Key.Key_PageDown)
    (file,) = tmp_path.glob("*.mcap")
    events = Recording.open(file).events
    (pain,) = [event for event in events if event.kind == "pain"]
    (stop,) = [event for event in events if event.kind == "trial_stop"]
    assert pain.data["sharp"] is True
    assert stop.t - pain.t < 1.0
    trial = analyse(Recording.open(file))
    assert all(rep.rep.stop < pain.t for rep in trial.valid_reps)


def test_curve_figure_and_reps_are_there_before_all_is_measured(
    screen: Any, window: "Window", visit_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    import tools.app.review_model as room
    from tools.app.review_page import ReviewPage

    reached, go = Event(), Event()

    def slow(recording: Recording, *, seen: Any) -> Any:
        def watched(step: Any) -> None:
            seen(step)
            if step.reps:
                reached.set()
                go.wait(20.0)

        return analyse(recording, seen=watched)

    monkeypatch.setattr(room, "analyse", slow)
    window.review(visit_files["baseline_left"])
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    model = page.model
    assert model.pose is not None
    screen.waitUntil(reached.is_set, timeout=LONGEST_MS)
    screen.waitUntil(lambda: bool(model.opened[0].spans), timeout=LONGEST_MS)
    assert model.opened[0].trial is None
    assert len(model.opened[0].activity.seconds) > 5
    model.seek(model.opened[0].known_until - 1.0)
    page.tick()
    assert len(model.window().seconds)
    assert model.measured.startswith("measured to")
    model.seek(model.duration)
    page.tick()
    assert model.measured == "not measured here yet"
    early = model.opened[0].spans
    go.set()
    screen.waitUntil(lambda: model.job is None, timeout=LONGEST_MS)
    assert model.measured == ""
    assert [(s.kind, s.number, s.start) for s in model.opened[0].spans][: len(early)] == [
        (s.kind, s.number, s.start) for s in early
    ]


def test_the_best_estimate_is_shown_beside_what_was_seen_live(
    screen: Any, window: "Window", visit_files: dict[str, Path]
) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QPushButton

    from tools.app.review_page import ReviewPage

    file = visit_files["baseline_left"]
    window.review(file)
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    model = page.model
    (best,) = [b for b in page.findChildren(QPushButton) if b.text() == "Best estimate"]
    assert not best.isEnabled()
    screen.waitUntil(lambda: model.job is None and best.isEnabled(), timeout=LONGEST_MS)
    screen.mouseClick(best, Qt.MouseButton.LeftButton)
    assert model.job is not None
    screen.waitUntil(lambda: model.job is None, timeout=LONGEST_MS)
    assert model.problem == ""
    expected = analyse(Recording.open(file), estimate="best").series
    found = model.opened[0].best
    assert found is not None
    assert found.degrees == pytest.approx(expected.angle[:, 0] * 180.0 / math.pi, nan_ok=True)
    assert "best estimate differ" in model.sentence
    assert "thin: best estimate" in model.legend
    model.seek(model.duration / 2.0)
    page.tick()
    assert len(model.window(1).seconds)
    assert len(model.window(0).seconds)


def test_a_capture_without_sensors_ends_in_a_sentence_and_the_window_lives(
    screen: Any, setting: Setting, tmp_path: Path
) -> None:
    from tools.app.window import Window
    from tools.sources import worn_sensors

    setting.source_of = lambda movement, side: worn_sensors(movement, side, tmp_path / "no-pairing.json")
    window = Window(setting)
    screen.addWidget(window)
    window.show()
    window.capture.chooser.choose("P0042", "kn_ake", "right")
    choice = window.capture.chooser.choice
    assert choice is not None
    with screen.waitSignal(window.capture.recorded, timeout=LONGEST_MS) as ended:
        window.capture.begin_choice(choice)
    assert "rom pair right_thigh right_shank" in ended.args[0].error
    assert not window.capture.running
    window.close()


def test_two_recordings_are_reviewed_with_the_numbers_of_the_command_line(
    screen: Any, window: "Window", visit_files: dict[str, Path]
) -> None:
    from rom.trials import analyse_pair, compare_trials
    from tools.app.review_page import ReviewPage

    pre, post = visit_files["baseline_left"], visit_files["retest_left"]
    window.review(pre, post)
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    model = page.model
    screen.waitUntil(lambda: model.job is None, timeout=LONGEST_MS)
    assert model.problem == ""
    expected = compare_trials(*analyse_pair(Recording.open(pre), Recording.open(post))).sentence()
    assert model.sentence == expected
    model.jump(1)
    span = model.span
    assert span is not None
    assert model.at == span.start
    assert not math.isnan(model.angle_at(model.at))
    moved = model.window(1)
    assert len(moved.seconds)
    assert len(moved.seconds) == len(moved.degrees)
    page.toggle()
    screen.waitUntil(lambda: model.at > span.start + 0.2, timeout=LONGEST_MS)
    page.toggle()
    assert not model.playing
    model.discard("a sneeze")
    screen.waitUntil(lambda: page.model.job is None, timeout=LONGEST_MS)
    assert model.opened[0].trial is not None
    number = span.number
    assert not next(rep for rep in model.opened[0].trial.reps if rep.number == number).valid
    assert (
        model.sentence == compare_trials(*analyse_pair(Recording.open(pre), Recording.open(post))).sentence()
    )
    assert model.sentence != expected
    annotations_file(pre).unlink()


def test_what_is_seen_is_exported(
    screen: Any, window: "Window", visit_files: dict[str, Path], tmp_path: Path
) -> None:
    from tools.app.review_page import ReviewPage

    window.review(visit_files["baseline_right"])
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    screen.waitUntil(lambda: page.model.job is None, timeout=LONGEST_MS)
    page.model.seek(page.model.duration / 2.0)
    page.model.export_csv(tmp_path / "seen.csv")
    lines = (tmp_path / "seen.csv").read_text(encoding="utf-8").splitlines()
    seen = page.model.window()
    assert len(lines) == 1 + len(seen.seconds)
    assert float(lines[1].split(",")[2]) == pytest.approx(seen.degrees[0], abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"not a recording", bytes(range(256)) * 40])
def test_any_file_may_be_dropped(screen: Any, window: "Window", tmp_path: Path, content: bytes) -> None:
    from tools.app.review_page import ReviewPage

    file = tmp_path / "dropped.mcap"
    file.write_bytes(content)
    window.review(file)
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    screen.waitUntil(lambda: page.model.job is None, timeout=LONGEST_MS)
    assert page.model.problem != ""


def test_everything_can_be_reached_and_has_a_name(screen: Any, window: "Window") -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget, QSlider

    window.show_page("Review")
    window.show_page("Capture")
    for kind in (QAbstractButton, QComboBox, QLineEdit, QListWidget, QSlider):
        for widget in window.findChildren(kind):
            if widget.objectName().startswith("qt_") or widget.parent() is None:
                continue
            name = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
            assert name, f"{widget} has no name"
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{name} is not reached by Tab"
    assert window.minimumWidth() <= 1280
    assert window.minimumHeight() <= 720


def test_digits_are_thirty_five_millimetres_and_the_page_never_jumps(screen: Any) -> None:
    from PySide6.QtGui import QFontMetricsF

    from tools.app.readout import DIGIT_MM, Readout
    from tools.app.theme import DARK, digits_font, pixels_for

    readout = Readout(DARK)
    screen.addWidget(readout)
    tall = QFontMetricsF(digits_font(DIGIT_MM)).tightBoundingRect("8").height()
    assert tall == pytest.approx(pixels_for(35.0, readout.screen()), rel=0.05)
    before = readout.sizeHint()
    readout.show_angle(-188, "", live=True)
    assert readout.sizeHint() == before
    readout.show_angle(7, "no data 2.1 s", live=False)
    assert "7 degrees" in readout.accessibleDescription()
    assert "no data 2.1 s" in readout.accessibleDescription()


def test_a_pedal_is_learnt_by_pressing_it(screen: Any) -> None:
    from PySide6.QtCore import Qt

    from tools.app.bindings import Action, Bindings
    from tools.app.pedal_dialog import PedalDialog

    bindings = Bindings()
    dialog = PedalDialog(bindings)
    screen.addWidget(dialog)
    dialog.show()
    screen.keyClick(dialog, Qt.Key.Key_B)
    assert bindings.action("B") is Action.START_STOP


def test_a_review_marks_from_when_on_another_calibration_counts(screen: Any) -> None:
    import pyqtgraph as pg

    from tools.app.review_plots import AGAIN, ReviewPlots
    from tools.app.theme import THEMES

    plots = ReviewPlots(THEMES["dark"])
    screen.addWidget(plots)

    def marks() -> Any:
        lines: list[Any] = [
            item
            for plot in plots.findChildren(pg.PlotWidget)
            for item in plot.getViewBox().addedItems
            if isinstance(item, pg.InfiniteLine) and item.value()
        ]
        return sorted((line.value(), line.label.format if hasattr(line, "label") else "") for line in lines)

    plots._show_calibrated((44.8,))  # pyright: ignore[reportPrivateUsage]  a recording with one takes minutes
    plots.wear(THEMES["contrast"])
    assert marks() == [(44.8, ""), (44.8, AGAIN)]
    plots._show_calibrated(())  # pyright: ignore[reportPrivateUsage]
    assert marks() == []
