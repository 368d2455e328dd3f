"""Offsets of gyroscopes from a pose: as good as the pose was held, never worse than what was known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.alignment import calibrate_joint
from calibration.gyroscope import SWAY, Bias, held, steadied
from calibration.plan import JointPlan, Movement
from calibration.segment import JointCalibration, SegmentAlignment
from calibration.sensor import SensorCalibration, apply
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.fusion import TURN_ON_BIAS
from rom.catalogue.movement import AngleRule
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral
from rom.limb_world import LimbSpec
from rom.reading import TrackedSensor, TrackerSetup

RATE = 100.0
UP = np.array([0.0, 0.0, STANDARD_GRAVITY])
THIGH, SHANK = ("sim-right_thigh", "right_thigh"), ("sim-right_shank", "right_shank")


def pose(rng: np.random.Generator, bias: FloatArray, *, lean: float = 0.0) -> ImuBlock:
    """Return five seconds of a pose that ends where it began but for sway, and for a lean, rad."""
    t = np.arange(int(5.0 * RATE)) / RATE
    end = rng.normal(0.0, math.sqrt(2.0) * SWAY, 3) + np.array([lean, 0.0, 0.0])
    angles = np.linspace(0.0, 1.0, t.size)[:, None] * end
    stand = quaternion.normalise(rng.normal(size=4))
    q = quaternion.multiply(stand, quaternion.from_rotation_vector(angles))
    acc = quaternion.rotate(quaternion.conjugate(q), np.broadcast_to(UP, (t.size, 3)))
    gyr = np.gradient(angles, 1.0 / RATE, axis=0) + bias + rng.normal(0.0, 0.001, acc.shape)
    return ImuBlock("a", t, gyr, acc + rng.normal(0.0, 0.02, acc.shape))


def test_the_offset_lies_within_sigma_at_its_stated_rate() -> None:
    rng = np.random.default_rng(1)
    squares: list[float] = []
    for _ in range(200):
        bias = rng.normal(0.0, TURN_ON_BIAS, 3)
        found = held(pose(rng, bias, lean=rng.choice([0.0, 0.05])), Bias.unknown())
        squares.append(float(((found.value - bias) ** 2).mean()) / found.sigma**2)
        assert found.known
    assert 0.4 < float(np.mean(squares)) < 1.2


def test_who_leans_tells_less() -> None:
    still, leaning = (
        held(pose(np.random.default_rng(2), np.zeros(3), lean=lean), Bias.unknown()) for lean in (0.0, 0.2)
    )
    assert still.sigma < 0.4 * TURN_ON_BIAS < 0.8 * TURN_ON_BIAS < leaning.sigma


def test_a_rest_on_the_table_is_not_given_up_for_a_pose() -> None:
    rested = Bias(np.radians([0.3, -0.2, 0.1]), math.radians(0.01))
    found = held(pose(np.random.default_rng(3), rested.value), rested)
    assert np.abs(found.value - rested.value).max() < rested.sigma
    assert found.sigma <= rested.sigma


def test_steadied_blocks_lose_the_offset_and_nothing_else() -> None:
    block = pose(np.random.default_rng(4), np.zeros(3))
    bias = Bias(np.array([0.1, 0.2, 0.3]), 0.01)
    out = steadied({"a": block, "b": block}, {"a": bias})
    np.testing.assert_array_equal(out["a"].gyr, block.gyr - bias.value)
    np.testing.assert_array_equal(out["a"].acc, block.acc)
    assert out["b"] is block


@pytest.fixture(scope="module", name="visit")
def _visit() -> tuple[LimbRecording, JointCalibration]:
    """Return a limb that never saw a table, and the calibration that its pose and half squats give."""
    limb = simulate_limb(LimbSpec((Neutral(5.0), Functional(proximal_share=0.5)), sway=None), 41)
    blocks: dict[str, dict[str, ImuBlock]] = {}
    for step in ("pose", "functional"):
        first = next(e.t for e in limb.events if e.data.get("step") == step)
        last = [e.t for e in limb.events if e.data.get("step") == step][-1]
        blocks[step] = {
            name: block[slice(*np.searchsorted(block.t, [first, last]).tolist())]
            for name, block in limb.blocks.items()
        }
    plan = JointPlan("knee", 1, "right", THIGH, SHANK, -1)
    return limb, calibrate_joint(plan, blocks["pose"], [Movement("knee", "flexion", blocks["functional"])])


def test_a_calibration_knows_the_offsets_of_sensors_that_never_rested(
    visit: tuple[LimbRecording, JointCalibration],
) -> None:
    limb, joint = visit
    for end in (joint.proximal, joint.distal):
        true = limb.gyr_bias[end.sensor].mean(axis=0)
        assert float(np.linalg.norm(true)) > 2.0 * end.gyroscope.sigma
        assert np.abs(end.gyroscope.value - true).max() < 3.0 * end.gyroscope.sigma
    again = JointCalibration.from_document(joint.to_document())
    np.testing.assert_array_equal(again.distal.gyroscope.value, joint.distal.gyroscope.value)
    assert again.distal.gyroscope.sigma == joint.distal.gyroscope.sigma


def test_the_tracker_takes_them_off_unless_the_sensor_itself_was_calibrated(
    visit: tuple[LimbRecording, JointCalibration],
) -> None:
    limb, joint = visit
    rule = AngleRule("cardan_zxy", 0, -1, -1)
    setup = TrackerSetup(
        rule, "right", TrackedSensor(SHANK[0], RATE), TrackedSensor(THIGH[0], RATE), calibration=joint
    )
    for sensor, end in zip(setup.sensors, (joint.proximal, joint.distal), strict=True):
        assert sensor.calibration is not None
        block = limb.blocks[sensor.sensor]
        true = apply(sensor.calibration, block)
        np.testing.assert_array_equal(true.gyr, block.gyr - end.gyroscope.value)
    own = SensorCalibration(SHANK[0], gyr_bias=np.full(3, 0.01), gyr_bias_sigma=np.full(3, 1e-4))
    calibrated = replace(setup, distal=replace(setup.distal, calibration=own))
    assert calibrated.sensors[1].calibration is own


def test_nothing_is_taken_off_where_nothing_is_known() -> None:
    ends = (SegmentAlignment.identity(*THIGH), SegmentAlignment.identity(*SHANK))
    joint = JointCalibration("knee", 1, *ends)
    sensors = TrackedSensor(SHANK[0], RATE), TrackedSensor(THIGH[0], RATE)
    setup = TrackerSetup(AngleRule("cardan_zxy", 0, -1, -1), "right", *sensors, calibration=joint)
    assert [sensor.calibration for sensor in setup.sensors] == [None, None]
