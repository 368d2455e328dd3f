"""A lost sensor never leaves a frozen number; the panel says who is missing, in shape, colour and word."""

import math

import pytest
from rich.console import Console

from imu.ble_link import LinkState
from imu.clock import SensorClock
from imu.health import Health
from imu.sensors.driver import DeviceClock
from tools.cli.capture_screen import View, panel

CLOCK = SensorClock(DeviceClock(1e-6, 2**32), 60.0).report()


def health(sensor: str, state: LinkState = LinkState.STREAMING, age: float = 0.01) -> Health:
    return Health(sensor, state, state.value, age, 81.0, -60, "", "", 0, CLOCK)


def test_the_angle_is_whole_degrees_with_its_error() -> None:
    view = View(angle=math.radians(86.4), sigma=math.radians(2.2), health=(health("left_shank"),))
    assert view.number == "86° ± 2°"
    view.angle = math.nan
    assert view.number == "–"


@pytest.mark.parametrize("state", [LinkState.WEAK, LinkState.LOST, LinkState.SEARCHING, LinkState.WRONG])
def test_a_sensor_without_data_hides_the_angle(state: LinkState) -> None:
    view = View(angle=1.0, sigma=0.1, health=(health("left_thigh"), health("left_shank", state, 2.13)))
    assert view.number == "– left_shank: no data 2.1 s"


def test_the_panel_shows_what_to_do_the_number_the_sensors_and_the_keys() -> None:
    view = View(
        words="Stand still",
        notice="s: link lost",
        warning="Strap slipped",
        angle=1.0,
        sigma=0.05,
        reps=3,
        passes=2,
        left=1.6,
        health=(health("a"), health("b", LinkState.LOST, 4.0)),
    )
    console = Console(width=90, record=True, force_terminal=False)
    console.print(panel(view))
    text = console.export_text()
    for part in (
        "Stand still   2 s",
        "no data 4.0 s",
        "Strap slipped",
        "3 reps   2 passes",
        "● a",
        "✕ b",
        "81 %",
        "space start/stop",
    ):
        assert part in text


@pytest.mark.parametrize(("shown", "bars"), [(0.4, "□ □ □ □"), (2.9, "■ ■ □ □"), (7.0, "■ ■ ■ ■")])
def test_boxes_fill_with_the_calibration_movement(shown: float, bars: str) -> None:
    console = Console(width=90, record=True, force_terminal=False)
    console.print(panel(View(words="Bend", shown=shown)))
    assert bars in console.export_text()
