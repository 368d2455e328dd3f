"""The pairing survives the disk, and a sensor is worn in one place at a time."""

from pathlib import Path

import pytest

from imu.errors import InputError
from imu.pairing import (
    PairedSensor,
    load_pairing,
    other_side,
    save_pairing,
    with_pair,
    with_rates,
    with_sides_swapped,
)

LEFT = PairedSensor("left_shank", "D4:22:CD:00:00:01", "movella-dot", "Movella DOT", 1.2e-5)
RIGHT = PairedSensor("right_shank", "D4:22:CD:00:00:02", "witmotion")
BOTH = {"left_shank": LEFT, "right_shank": RIGHT}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "sensors.json"
    assert load_pairing(file) == {}
    save_pairing(file, BOTH)
    assert load_pairing(file) == BOTH
    save_pairing(file, {"left_shank": LEFT})
    assert load_pairing(file) == {"left_shank": LEFT}
    assert [path.name for path in file.parent.iterdir()] == ["sensors.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "romcap.pairing/9", "sensors": []}', '{"format":']
)
def test_a_file_that_is_no_pairing_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sensors.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="pair again"):
        load_pairing(file)


def test_a_sensor_leaves_where_it_was_worn() -> None:
    moved = with_pair(BOTH, PairedSensor("left_thigh", LEFT.address, "movella-dot"))
    assert sorted(moved) == ["left_thigh", "right_shank"]
    taken = with_pair(BOTH, PairedSensor("left_shank", "D4:22:CD:00:00:09", "movella-dot"))
    assert taken["left_shank"].address.endswith("09")


def test_swapping_sides_twice_changes_nothing() -> None:
    swapped = with_sides_swapped(BOTH)
    assert swapped["left_shank"].address == RIGHT.address
    assert with_sides_swapped(swapped) == BOTH
    assert other_side("pelvis") == "pelvis"


def test_learnt_rates_are_kept_by_address() -> None:
    kept = with_rates(BOTH, {RIGHT.address: -0.0069})
    assert (kept["left_shank"].rate_error, kept["right_shank"].rate_error) == (1.2e-5, -0.0069)


def test_a_request_is_complete() -> None:
    request = RIGHT.request()
    assert request.sensor == "right_shank"
    assert request.driver.capability.family == "witmotion"
    assert LEFT.request(30.0).settings.rate_hz == 30.0
