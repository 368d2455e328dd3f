"""What a person is told before and while measuring: the acted picture, the lifted limb, the alerts."""

import math
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imu.block import ImuBlock
from rom.alert import Alert, AlertKind, Severity
from rom.angles import join_series
from rom.catalogue.loader import Catalogue
from rom.replay import ReplayStep
from tools.app import connecting
from tools.app.acting import CAPTION, HOLD_CAPTION, PERIOD_S, acted
from tools.app.alert_board import NOTE_SECONDS, AlertBoard
from tools.app.capture_model import CaptureModel
from tools.app.connecting import LeftError, check_side, lift_words
from tools.app.session import Session
from tools.app.tones import Tone
from tools.cli.capture_order import Order
from tools.cli.capture_screen import Screen
from tools.cli.capture_steps import calibration_steps
from tools.cli.keys import Keys
from tools.sources import virtual_sensors

pytestmark = pytest.mark.timeout(30)


class Said(Screen):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def prompt(self, words: str) -> None:
        """Keep it."""
        self.words.append(words)


class Typed(Keys):
    """Keys in order, then none."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)

    def pressed(self) -> str:
        """Return the next one."""
        return self._keys.pop(0) if self._keys else ""


def reach(catalogue: Catalogue, movement: str, words: str, seconds: float) -> Any:
    pose = acted(catalogue.movement(movement), "left", words, seconds)
    assert pose is not None, words
    return pose


def test_every_step_of_every_calibration_is_acted(catalogue: Catalogue) -> None:
    for movement in catalogue.movements.values():
        side = "midline" if movement.laterality == "midline" else "right"
        for step in calibration_steps(movement, side):
            begin, half = (acted(movement, side, f"Next: {step.words}", t) for t in (0.0, PERIOD_S / 2.0))
            assert begin is not None
            assert half is not None
            moved = max(
                float(np.linalg.norm(a.end - b.end)) for a, b in zip(begin.bones, half.bones, strict=True)
            )
            if step.data["axis"]:
                assert moved > 0.03, f"{movement.id}: {step.words} is not seen"
                assert half.caption == CAPTION
            else:
                assert moved == 0.0
                assert half.caption == HOLD_CAPTION


@pytest.mark.parametrize(
    ("movement", "axis", "forward"),
    [("kn_flexion", 0, -1.0), ("el_flexion", 0, 1.0), ("hip_flexion", 0, 1.0)],
)
def test_a_joint_bends_the_way_it_can(catalogue: Catalogue, movement: str, axis: int, forward: float) -> None:
    chosen = catalogue.movement(movement)
    words = calibration_steps(chosen, "left")[1 + axis].words
    straight, bent = (reach(catalogue, movement, words, t) for t in (0.0, PERIOD_S / 2.0))
    tips = [(a.end - b.end)[0] for a, b in zip(bent.bones, straight.bones, strict=True) if a.measured]
    assert max(tips, key=abs) * forward > 0.1


def test_the_test_itself_is_acted_before_it_and_not_while_it_runs(catalogue: Catalogue) -> None:
    movement = catalogue.movement("kn_ake")
    title = movement.title("left")
    assert acted(movement, "left", f"Get ready: {title}", 1.0) is not None
    assert acted(movement, "left", f"{title}: press space to start", 1.0) is not None
    assert acted(movement, "left", title, 1.0) is None
    assert acted(movement, "left", "Connecting", 1.0) is None


def moving(rate: float) -> list[ImuBlock]:
    gyr = np.full((10, 3), rate / math.sqrt(3.0))
    return [ImuBlock("x", np.arange(10) / 60.0, gyr, np.ones((10, 3)), None)]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[dict[str, list[ImuBlock]]]:
    """Return a queue of what the sensors will show, look by look; time runs a second a look."""
    looks: SimpleQueue[dict[str, list[ImuBlock]]] = SimpleQueue()
    clock = iter(range(10_000))

    def look(_acquisition: object, _seconds: float) -> dict[str, list[ImuBlock]]:
        return looks.get(timeout=1.0)

    monkeypatch.setattr(connecting, "watch", look)
    monkeypatch.setattr(connecting, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    return looks


def test_the_right_limb_lifted_goes_on(catalogue: Catalogue, seen: SimpleQueue[Any]) -> None:
    screen = Said()
    seen.put({"left_thigh": moving(0.01), "left_shank": moving(0.02)})
    seen.put({"left_thigh": moving(1.0), "left_shank": moving(1.5)})
    nothing: Any = None
    check_side(nothing, catalogue.movement("kn_ake"), "left", screen, Typed())
    assert screen.words == ["Lift the LEFT leg, then hold it still"]
    assert seen.empty()


def test_swapped_sides_are_said(catalogue: Catalogue, seen: SimpleQueue[Any]) -> None:
    screen = Said()
    swapped = {"left_shank": moving(0.02), "right_shank": moving(1.5)}
    for _ in range(2):
        seen.put(swapped)
    nothing: Any = None
    with pytest.raises(LeftError):
        check_side(nothing, catalogue.movement("kn_ake"), "left", screen, Typed("", "", "q"))
    assert "RIGHT leg moved: they are swapped" in screen.words[-1]


def test_sensors_that_stay_still_may_sit_on_the_other_side(
    catalogue: Catalogue, seen: SimpleQueue[Any]
) -> None:
    screen = Said()
    for _ in range(12):
        seen.put({"left_upperarm": moving(0.01), "left_forearm": moving(0.02)})
    nothing: Any = None
    keys = Typed(*[""] * 12, " ")
    check_side(nothing, catalogue.movement("el_flexion"), "left", screen, keys)
    assert "No sensor of the LEFT arm moved: do they sit on the RIGHT one?" in screen.words[-1]
    assert lift_words(catalogue.movement("el_flexion"), "midline") == ""


def alert(kind: AlertKind, severity: Severity = "warning", sensor: str = "left_shank") -> Alert:
    return Alert(kind, severity, 1.0, 0.5, math.inf, sensor, sensor, "Seen", "Meaning", "Remedy", 0.1)


def test_the_newest_warning_stays_until_it_is_cured_or_read() -> None:
    board = AlertBoard()
    board.take([alert("slipped")], 10.0)
    board.take([alert("magnetic", "note")], 20.0)
    assert [one.kind for one in board.shown(1000.0)] == ["slipped"]
    board.take([alert("gap")], 30.0)
    assert [one.kind for one in board.shown(31.0)] == ["gap"]
    board.calibrating()
    assert [one.kind for one in board.shown(31.0)] == ["gap"]
    board.clear()
    assert board.shown(31.0) == []


def test_notes_fade() -> None:
    board = AlertBoard()
    board.take([alert("magnetic", "note")], 10.0)
    assert len(board.shown(10.0 + NOTE_SECONDS - 0.1)) == 1
    assert board.shown(10.0 + NOTE_SECONDS) == []


def test_an_alert_of_the_live_chain_is_said_with_the_time_of_day_until_it_is_read(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    order = Order(catalogue.movement("kn_ake"), "left", "", "P0042", tmp_path / "x.mcap", None, "", "")
    session = Session(order, virtual_sensors(order.movement, "left"))
    heard: list[Tone] = []
    model = CaptureModel(session, play=heard.append)
    step = ReplayStep(join_series([]), (), (), (alert("slipped"),))
    session.live_step(step)
    assert session.fresh
    model.pull()
    assert model.warnings == ("Seen. Meaning. Remedy.",)
    assert heard == [Tone.LOST]
    session.live_step(ReplayStep(join_series([]), (), (), (alert("magnetic", "note"),)))
    model.pull()
    assert heard == [Tone.LOST]
    assert len(model.warnings) == 1
    model.understood()
    assert model.warnings == ()
