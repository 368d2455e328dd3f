"""What the views show, tested without Qt."""

import math
import subprocess
import sys
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.ble_link import LinkState
from imu.clock import ClockReport
from imu.health import Health
from rom.catalogue.loader import Catalogue
from tools.app.bindings import LONG_PRESS, REPEAT_GUARD, Action, Bindings, load_bindings
from tools.app.body import pose_of
from tools.app.capture_model import light_of
from tools.app.chooser_model import ChooserModel
from tools.app.jobs import Job
from tools.app.ring import Ring
from tools.app.session import Session
from tools.app.tones import NOTES, RATE, Speaker, Tone, wav
from tools.cli.capture_order import Order
from tools.sources import virtual_sensors

VIEW_MODELS = (
    "acting",
    "alert_board",
    "bindings",
    "body",
    "capture_model",
    "chooser_model",
    "connecting",
    "course_model",
    "demo_practice",
    "home_model",
    "jobs",
    "opened",
    "review_model",
    "ring",
    "scene",
    "session",
    "setting",
    "tones",
    "visit_model",
)


def test_view_models_and_the_command_line_load_without_qt() -> None:
    modules = [f"tools.app.{name}" for name in VIEW_MODELS] + ["tools.cli.app", "tools.cli.main"]
    program = (
        f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('PySide6', 'pyqtgraph')]"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr


@given(st.lists(st.integers(0, 25), max_size=12), st.integers(1, 12))
def test_ring_always_holds_the_newest_rows_in_order(pieces: list[int], length: int) -> None:
    ring, everything = Ring(length, 2), np.zeros((0, 2))
    for piece in pieces:
        start = len(everything)
        rows = np.stack([np.arange(start, start + piece), -np.arange(start, start + piece)], axis=1)
        ring.extend(rows.astype(float))
        everything = np.concatenate([everything, rows])
    assert np.array_equal(ring.newest(), everything[-length:].T)
    assert len(ring) == min(length, len(everything))


def pressed(keys: Bindings, key: str, at: float, length: float = 0.05) -> list[str]:
    """Press and let go; return what was done, looked for thirty times a second."""
    done = [keys.down(key, at)]
    now = at
    while (now := now + 1.0 / 30.0) < at + length:
        done += [keys.down(key, now, repeated=True), keys.held(now)]
    done.append(keys.up(key, at + length))
    return [each for each in done if each]


def test_a_bouncing_pedal_counts_once_and_another_key_is_not_held_up() -> None:
    keys = Bindings()
    assert pressed(keys, "Space", 10.0) == [" "]
    assert pressed(keys, "Space", 10.0 + REPEAT_GUARD - 0.06) == []
    assert pressed(keys, "D", 10.2) == ["d"]
    assert pressed(keys, "Space", 11.0) == [" "]
    assert keys.down("D", 30.0, repeated=True) == ""
    assert pressed(keys, "7", 31.0) == ["7"]
    assert pressed(keys, "X", 32.0) == []


def test_the_same_deed_by_pedal_and_by_key_is_one_deed() -> None:
    keys = Bindings()
    assert pressed(keys, "Space", 1.0) == [" "]
    assert pressed(keys, "PgDown", 1.1) == []


def test_a_pedal_held_down_marks_sharp_pain_once_and_does_not_start_anything() -> None:
    keys = Bindings()
    assert pressed(keys, "PgDown", 1.0, LONG_PRESS - 0.05) == [" "]
    assert pressed(keys, "PgDown", 5.0, LONG_PRESS + 2.0) == ["s"]
    assert pressed(keys, "S", 15.0) == ["s"]
    keys.down("PgDown", 20.0)
    keys.let_go()
    assert keys.held(30.0) == ""
    assert keys.up("PgDown", 30.1) == ""


def test_a_learnt_pedal_is_kept_and_goes_before_the_defaults(tmp_path: Path) -> None:
    keys = Bindings()
    keys.learn("B", Action.START_STOP)
    keys.learn("Space", Action.MARK)
    keys.save(tmp_path / "deep" / "keys.json")
    again = load_bindings(tmp_path / "deep" / "keys.json")
    assert again.action("B") is Action.START_STOP
    assert again.down("Space", 0.0) == "m"
    assert "Space" not in again.keys_of(Action.START_STOP)


@pytest.mark.parametrize("content", ["", "[]", '{"B": "fly"}', "\x00"])
def test_keys_that_cannot_be_read_are_the_defaults(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content, encoding="utf-8")
    assert load_bindings(tmp_path / "keys.json").action("Space") is Action.START_STOP


@pytest.mark.parametrize("tone", list(Tone))
def test_a_tone_is_a_wav_file_of_its_notes(tone: Tone) -> None:
    with wave.open(BytesIO(wav(tone))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float)
        assert (file.getnchannels(), file.getframerate()) == (1, RATE)
    hertz, seconds = NOTES[tone][0]
    first = samples[: round(seconds * RATE)]
    spectrum = np.abs(np.fft.rfft(first))
    assert abs(spectrum.argmax() / seconds - hertz) <= 1.0 / seconds
    assert np.abs(samples).max() < 32767.0
    assert samples[0] == 0.0


def test_without_a_player_nothing_sounds_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "platform", "linux")
    speaker = Speaker()
    assert speaker.silent
    speaker.play(Tone.LOST)
    speaker.close()


def health(state: LinkState = LinkState.STREAMING, **more: object) -> Health:
    clock = ClockReport(1000, 0, 0, 1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    plain: dict[str, object] = {
        "sensor": "left_shank",
        "state": state,
        "words": str(state),
        "age": 0.1,
        "battery": 80.0,
        "rssi": -60,
        "serial": "",
        "firmware": "",
        "broken": 0,
        "clock": clock,
    }
    return Health(**{**plain, **more})  # pyright: ignore[reportArgumentType]  the fields by name


def test_every_light_has_a_colour_a_shape_and_a_word_of_its_own() -> None:
    lossy = ClockReport(900, 100, 0, 1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    lights = {
        "well": light_of(health()),
        "quiet": light_of(health(LinkState.WEAK, age=1.4)),
        "empty": light_of(health(battery=9.0)),
        "lossy": light_of(health(clock=lossy)),
        "gone": light_of(health(LinkState.LOST)),
        "searching": light_of(health(LinkState.SEARCHING, battery=math.nan, rssi=0)),
    }
    assert {name: (light.light, light.shape) for name, light in lights.items()} == {
        "well": ("live", "dot"),
        "quiet": ("weak", "triangle"),
        "empty": ("weak", "triangle"),
        "lossy": ("weak", "triangle"),
        "gone": ("lost", "cross"),
        "searching": ("waiting", "ring"),
    }
    assert len({light.word for light in lights.values()}) == len(lights)
    assert lights["well"].segment == "L shank"
    assert "battery 80 %" in lights["well"].facts
    assert "loss 10.0%" in lights["lossy"].facts


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("movement", "moves", "towards"),
    [
        ("kn_flexion", "shank", (-1.0, 0.0)),
        ("hip_flexion", "thigh", (1.0, 0.0)),
        ("el_flexion", "forearm", (1.0, 0.0)),
        ("sh_abduction", "upperarm", (0.0, 1.0)),
    ],
)
def test_the_figure_moves_as_the_limb_does(
    catalogue: Catalogue, side: str, movement: str, moves: str, towards: tuple[float, float]
) -> None:
    sided = "left" if side == "left" else "right"
    pose = pose_of(catalogue.movement(movement), sided, math.radians(60.0))
    rest = pose_of(catalogue.movement(movement), sided, 0.0)
    changed = [
        bone.end - before.end
        for bone, before in zip(pose.bones, rest.bones, strict=True)
        if bone.measured and np.linalg.norm(bone.end - before.end) > 0.05
    ]
    assert changed, f"{moves} does not move"
    forward, outwards = towards
    left = 1.0 if side == "left" else -1.0
    for step in changed:
        assert step[0] * forward + step[1] * outwards * left > 0.1
    lengths = [np.linalg.norm(bone.end - bone.start) for bone in pose.bones]
    assert np.allclose(lengths, [np.linalg.norm(bone.end - bone.start) for bone in rest.bones])
    assert pose.label == "60°"
    assert {bone.side for bone in pose.bones if bone.sensor} <= {side, "midline"}


def test_every_movement_has_a_figure(catalogue: Catalogue) -> None:
    for movement in catalogue.movements.values():
        side = "midline" if movement.laterality == "midline" else "left"
        pose = pose_of(movement, side, 0.4)
        assert all(np.isfinite(bone.end).all() for bone in pose.bones)
        assert pose_of(movement, side, math.nan).label == ""


def test_a_few_letters_find_client_and_movement(catalogue: Catalogue) -> None:
    chooser = ChooserModel(catalogue, ["P0007", "P0042"])
    assert chooser.clients("42") == ["P0042"]
    assert "kn_ake" in [one.id for one in chooser.movements("knee straight")][:3]
    assert "femoris" in chooser.structures("biceps f")[0].name.lower()
    assert "left thigh" in chooser.placement(catalogue.movement("kn_ake"), "left")


def test_a_job_can_be_cancelled_and_keeps_its_error() -> None:
    from threading import Event

    begun = Event()

    def endless(report: Callable[[float], None]) -> None:
        while True:
            report(0.5)
            begun.set()

    job = Job("working", endless)
    assert begun.wait(5.0)
    job.cancel()
    job.wait(5.0)
    assert job.over
    assert job.error == "working: cancelled"
    broken = Job("breaking", lambda _report: 1 / 0)
    broken.wait(5.0)
    assert "division" in broken.error


def test_a_warning_is_not_what_to_do_now(catalogue: Catalogue, tmp_path: Path) -> None:
    order = Order(catalogue.movement("kn_ake"), "left", "", "", tmp_path / "x.mcap", None, "", "")
    session = Session(order, virtual_sensors(order.movement, "left"))
    panel = session._panel  # pyright: ignore[reportPrivateUsage]  what the flow of a capture speaks to
    panel.prompt("Stand still")
    panel.warn("Left shank sensor moved 6 deg on the limb")
    assert session.view.words == "Stand still"
