"""What a sensor may still err by: by its family, by its calibration, and never better than is known."""

import math
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibration.expected import FAMILIES, USUAL, WARMING, Expected, heading_params
from calibration.heading_params import HeadingParams
from calibration.sensor import SensorCalibration
from imu.block import STANDARD_GRAVITY
from imu.recording import Recording
from imu.sensor_grade import CONSUMER, MID, RESEARCH, SensorGrade
from imu.sensors.registry import DRIVERS
from imu.virtual import draw_errors
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, TableRest
from rom.limb_world import LimbSpec
from rom.replay import Replay


def six_positions(offset_sigma: float, shape_sigma: float) -> SensorCalibration:
    covariance = np.diag([offset_sigma**2] * 3 + [shape_sigma**2] * 6)
    return SensorCalibration(
        "s", acc_matrix=np.eye(3), acc_bias=np.zeros(3), acc_covariance=covariance, residual=0.01
    )


@pytest.mark.parametrize("kind", ["", "xsens", "witmotion", "open", "virtual-consumer", "virtual-perfect"])
def test_a_sensor_of_which_nothing_is_known_is_a_consumers(kind: str) -> None:
    assert Expected.of(kind) == USUAL
    assert heading_params(USUAL) == HeadingParams()


def test_every_family_named_is_a_family_that_there_is() -> None:
    assert all(kind in DRIVERS or kind.startswith("virtual-") for kind in FAMILIES)


def test_noise_at_rest_makes_no_sensor_better() -> None:
    quiet = SensorCalibration("s", gyr_noise=1e-6, acc_noise=1e-6, gyr_bias=np.zeros(3))
    assert Expected.of("witmotion", quiet) == USUAL


def test_six_positions_take_the_offset_off_and_warming_stays() -> None:
    known = Expected.of("witmotion", six_positions(0.004, 0.0005))
    assert known.acc_offset == pytest.approx(math.hypot(0.004, WARMING))
    assert known.acc_shape == pytest.approx(0.0005)
    assert known.gyr_scale == USUAL.gyr_scale
    assert Expected.of("witmotion", six_positions(2.0, 1.0)) == USUAL
    unknown = replace(six_positions(0.004, 0.0005), acc_covariance=np.full((9, 9), np.nan))
    assert Expected.of("witmotion", unknown) == USUAL


def test_the_worse_of_two_sensors_counts() -> None:
    both = (Expected.of("virtual-research"), Expected.of("witmotion"))
    assert both[0].worst(both[1]) == both[1].worst(both[0]) == USUAL
    better, usual = heading_params(both[0]).relative, heading_params(USUAL).relative
    assert better.offset_sigma == pytest.approx(0.1 * usual.offset_sigma)
    assert better.scale < usual.scale
    assert better._replace(offset_sigma=usual.offset_sigma, scale=usual.scale) == usual


@pytest.mark.parametrize("grade", [CONSUMER, MID, RESEARCH])
def test_what_is_expected_is_what_the_simulator_draws(grade: SensorGrade) -> None:
    expected = Expected.of(f"virtual-{grade.name}")
    drawn = [draw_errors(grade, np.random.default_rng(seed)) for seed in range(400)]
    offsets = np.concatenate([each.acc_bias for each in drawn])
    assert np.std(offsets) == pytest.approx(expected.acc_offset, rel=0.1)


def test_better_sensors_state_less_and_a_file_of_usual_ones_as_before(tmp_path: Path) -> None:
    stated: list[Expected] = []
    zeros: list[float] = []
    for grade in (CONSUMER, MID, RESEARCH):
        spec = LimbSpec((TableRest(), Neutral(), Functional()), grade=grade)
        path = tmp_path / f"{grade.name}.mcap"
        write_recording(path, [simulate_limb(spec, 5)], datetime.now(UTC))
        setup = Replay(Recording.open(path)).setup
        assert setup.calibration is not None
        stated.append(setup.expected)
        zeros.append(setup.calibration.zero_sigma)
    assert [each.acc_offset for each in stated] == sorted((each.acc_offset for each in stated), reverse=True)
    bend = math.radians(3.5)
    assert zeros == pytest.approx([math.hypot(bend, math.sqrt(2.0) * each.tilt) for each in stated])
    assert all(value >= 0.0 for each in stated for value in astuple(each))
    assert stated[2].tilt == pytest.approx(RESEARCH.acc_bias / STANDARD_GRAVITY)
