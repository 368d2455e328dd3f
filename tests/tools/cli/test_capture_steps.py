"""The steps of a guided capture, for people and for emulated limbs."""

import pytest

from imu.recording import Event
from rom.catalogue.loader import load_catalogue
from tools.cli.capture_steps import (
    calibration_steps,
    distal_alone,
    played_steps,
    treatment_step,
    trial_step,
    useful_segments,
)

CATALOGUE = load_catalogue()
EVENTS = [
    Event(1.0, "calibration_start"),
    Event(3.0, "calibration_stop"),
    Event(4.0, "calibration_start"),
    Event(9.0, "calibration_stop"),
    Event(12.0, "trial_start"),
    Event(30.0, "trial_stop"),
]


@pytest.mark.parametrize(
    ("movement", "axes"),
    [
        ("kn_ake", ["", "flexion"]),
        ("el_flexion", ["", "flexion", "rotation"]),
        ("wr_flexion", ["", "flexion", "adduction"]),
        ("sh_flexion", ["", "flexion", "adduction", "rotation"]),
    ],
)
def test_a_joint_is_calibrated_about_each_axis_it_turns_about(movement: str, axes: list[str]) -> None:
    steps = calibration_steps(CATALOGUE.movement(movement), "left")
    assert [step.data["axis"] for step in steps] == axes
    assert [step.data["step"] for step in steps] == ["pose"] + ["functional"] * (len(axes) - 1)
    assert {str(step.data["joint"]).split("_")[0] for step in steps} == {"left"}
    assert all("{" not in step.words for step in steps)


def test_every_movement_of_the_catalogue_has_steps_or_none() -> None:
    for movement in CATALOGUE.movements.values():
        side = "midline" if movement.laterality == "midline" else "right"
        steps = calibration_steps(movement, side)
        assert len(steps) != 1, movement.id
        assert set(movement.segments(side)) <= set(useful_segments(movement, side))


def test_a_limb_is_followed_at_its_own_times() -> None:
    movement = CATALOGUE.movement("kn_ake")
    steps = [*calibration_steps(movement, "left"), trial_step(movement, "left", "", None)]
    played = played_steps(steps, EVENTS, 0.5)
    assert [(step.begin, step.seconds) for step in played] == [(1.5, 2.0), (4.5, 5.0), (12.5, 18.0)]
    assert [step.words for step in played] == [step.words for step in steps]


def test_without_calibration_only_the_end_is_followed_and_may_be_shorter() -> None:
    (trial,) = played_steps([trial_step(CATALOGUE.movement("kn_ake"), "left", "", 6.0)], EVENTS, 0.0)
    assert (trial.begin, trial.seconds) == (12.0, 6.0)
    (treatment,) = played_steps([treatment_step("hamstrings", "ART", None)], EVENTS, 0.0)
    assert (treatment.kind, treatment.begin, treatment.seconds) == ("treatment", 12.0, 18.0)


def test_the_distal_sensor_alone() -> None:
    movement = CATALOGUE.movement("kn_ake")
    assert distal_alone(movement, "left", ["left_shank"])
    assert not distal_alone(movement, "left", ["left_shank", "left_thigh"])
    assert not distal_alone(movement, "left", ["right_shank"])
