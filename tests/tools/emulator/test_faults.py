"""Faults in words are the faults that happen."""

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.errors import InputError
from imu.sensors.registry import driver_named
from rom.catalogue.loader import load_catalogue
from tools.emulator.faults import NAMES, Fault, cast, parse
from tools.emulator.feed import AtRest, BlockMotion, Shaken
from tools.emulator.limbs import Pace, world_of, worn_parts
from tools.emulator.stage import Part


def part(number: int) -> Part:
    block = ImuBlock("s", np.arange(2.0), np.zeros((2, 3)), np.zeros((2, 3)))
    return Part(driver_named("movella-dot"), f"D4:22:CD:00:00:{number:02X}", BlockMotion(block), name="DOT")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("loss", Fault("loss")),
        ("loss:0.1", Fault("loss", 0.1)),
        ("link-loss@10+5#2", Fault("link-loss", None, 10.0, 5.0, 2)),
        ("reboot@3", Fault("reboot", None, 3.0)),
        ("battery:3#1", Fault("battery", 3.0, sensor=1)),
    ],
)
def test_the_grammar(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize("text", ["", "gremlins", "loss:", "loss@", "loss+3", "LOSS", "loss:0.1:0.2"])
def test_anything_else_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(InputError, match="NAME one of loss"):
        parse(text)


def test_sensors_are_born_with_their_faults_and_the_others_without() -> None:
    faults = [parse(text) for text in ("battery:3#2", "wrap:5#2", "connect-fails:2#2", "same-name#2")]
    healthy, ill = cast([part(1), part(2)], faults)
    assert (healthy.battery_percent, healthy.name, healthy.link.connect_errors) == (90.0, "DOT", [])
    assert (ill.battery_percent, ill.name, len(ill.link.connect_errors)) == (3.0, "", 2)
    assert ill.booted == pytest.approx(2**32 * 1e-6 - 5.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_something(name: str) -> None:
    """A fault changes the sensor from the start, or has a moment when it begins: none is an empty word."""
    from tools.emulator.bus_stage import BusStage
    from tools.emulator.faults import timeline

    before = part(1)
    stage = BusStage.__new__(BusStage)
    stage.feeders = []
    changed = cast([before], [Fault(name)])[0] != before
    assert changed or timeline(stage, [Fault(name)])


def test_a_played_limb_marks_what_it_does() -> None:
    quick = Pace(still=1.0, functional=0.6, functional_times=2, rep=0.6, hold=0.2, rest=0.3, reps=2)
    movement = load_catalogue().movement("wr_flexion")
    limbs = worn_parts(driver_named("movella-dot"), world_of(movement, "left", quick), 2, 1)
    assert [item.segment for item in limbs.sensors] == ["left_forearm", "left_hand"]
    kinds = [event.kind for event in limbs.events]
    assert kinds == ["calibration_start", "calibration_stop"] * 3 + ["trial_start", "trial_stop"]
    assert limbs.events[-1].data["movement"] == "wr_flexion"


def test_a_movement_that_no_limb_plays_is_refused() -> None:
    with pytest.raises(InputError, match="knee, elbow, wrist and shoulder"):
        world_of(load_catalogue().movement("hip_slr"), "left")


def test_a_sensor_can_be_laid_down_and_shaken_by_words() -> None:
    t = np.arange(0.0, 20.0, 0.01)
    swinging = BlockMotion(
        ImuBlock("s", t, np.tile(np.sin(t)[:, None], 3), np.tile([0.0, 0.0, 9.81], (2000, 1)))
    )
    laid = AtRest(swinging)
    assert {laid.reading(at).gyr for at in (0.0, 3.0, 7.7)} == {(0.0, 0.0, 0.0)}
    shaken = [Shaken(laid).reading(at).gyr[0] for at in np.arange(0.0, 1.0, 0.01).tolist()]
    assert np.sqrt(np.mean(np.square(shaken))) == pytest.approx(15.0 / np.sqrt(2.0), rel=0.02)
    assert Shaken(laid).instead_of is laid
