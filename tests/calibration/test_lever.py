"""A movement shows where the joint lies; a limb that was upside down in its pose is refused."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from calibration.alignment import calibrate_joint
from calibration.gather import frames_of
from calibration.lever import Heights, heights
from calibration.plan import JointPlan, Movement
from calibration.pose import refuse_upside_down, up_in
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError
from imu.virtual import RESEARCH
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral
from rom.limb_world import LimbSpec

KNEE = JointPlan(
    "knee", 1, "right", ("sim-right_thigh", "right_thigh"), ("sim-right_shank", "right_shank"), -1
)
THIGH, SHANK = KNEE.proximal[0], KNEE.distal[0]
SENSORS = [THIGH, SHANK]
DISTAL = -0.18
"""The simulated shank's sensor is so far above the knee, m."""
APART = 0.40 - 0.28 + 0.18
"""From the hip the knee is at 0.40 m and the thigh's sensor at 0.28 m."""

Blocks = Mapping[str, ImuBlock]


def cut(recording: LimbRecording, step: str) -> dict[str, ImuBlock]:
    times = [event.t for event in recording.events if event.data.get("step") == step]
    spans = {s: np.searchsorted(b.t, [times[0], times[-1]]).tolist() for s, b in recording.blocks.items()}
    return {sensor: recording.blocks[sensor][first:last] for sensor, (first, last) in spans.items()}


def turned_over(block: ImuBlock, up: FloatArray) -> ImuBlock:
    """Return what the sensor would have said, strapped on upside down: half a turn about a level axis."""
    level = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    level = level / np.linalg.norm(level)
    half_turn = 2.0 * np.outer(level, level) - np.eye(3)
    return replace(block, gyr=block.gyr @ half_turn, acc=block.acc @ half_turn)


def raised(block: ImuBlock, up: FloatArray) -> ImuBlock:
    """Return a pose held with the limb raised: up in the sensor is the other way."""
    return replace(block, acc=block.acc - 2.0 * (block.acc @ up)[:, None] * up)


def steps(share: float, seed: int, **spec: object) -> tuple[dict[str, ImuBlock], dict[str, ImuBlock]]:
    world = LimbSpec((Neutral(), Functional(proximal_share=share)))
    recording = simulate_limb(replace(world, **spec), seed)
    return cut(recording, "pose"), cut(recording, "functional")


def calibrated(pose: Blocks, movement: Blocks, plan: JointPlan = KNEE) -> None:
    calibrate_joint(plan, pose, [Movement("knee", "flexion", movement)])


@pytest.mark.parametrize("seed", range(3))
def test_the_joint_is_found_where_it_was_put(seed: int) -> None:
    pose, movement = steps(0.0, seed, grade=RESEARCH)
    frames, rate = frames_of(SENSORS, movement)
    found = heights(frames, rate, (up_in(pose[THIGH]), up_in(pose[SHANK])))
    assert found is not None
    assert found.distal == pytest.approx(DISTAL, abs=0.03)
    assert found.distal_sigma < 0.02
    assert found.apart[1] > 0.2, "a still thigh does not tell where its sensor sits"


@pytest.mark.parametrize("seed", range(3))
def test_half_squats_tell_how_far_the_sensors_are_apart(seed: int) -> None:
    pose, movement = steps(0.5, seed)
    frames, rate = frames_of(SENSORS, movement)
    found = heights(frames, rate, (up_in(pose[THIGH]), up_in(pose[SHANK])))
    assert found is not None
    assert found.apart[0] == pytest.approx(APART, abs=0.06)
    assert found.apart[0] > 4.0 * found.apart[1]


def test_a_moment_tells_nothing() -> None:
    pose, movement = steps(0.0, 0)
    frames, rate = frames_of(SENSORS, {sensor: block[:120] for sensor, block in movement.items()})
    assert heights(frames, rate, (up_in(pose[THIGH]), up_in(pose[SHANK]))) is None


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_hanging_limb_is_taken_however_the_sensors_sit(share: float, seed: int) -> None:
    pose, movement = steps(share, seed)
    calibrated(pose, movement)
    up = {sensor: up_in(block) for sensor, block in pose.items()}
    over, moved = ({s: turned_over(block, up[s]) for s, block in step.items()} for step in (pose, movement))
    calibrated(over, moved)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_raised_limb_is_refused(share: float, seed: int) -> None:
    pose, movement = steps(share, seed)
    upside_down = {sensor: raised(block, up_in(block)) for sensor, block in pose.items()}
    with pytest.raises(CalibrationError, match=r"to hang below the joint .* upside down or lying"):
        calibrated(upside_down, movement)


@pytest.mark.parametrize("seed", range(3))
def test_a_sensor_turned_over_after_the_pose_is_refused(seed: int) -> None:
    pose, movement = steps(0.0, seed)
    since = turned_over(movement[SHANK], up_in(pose[SHANK]))
    with pytest.raises(CalibrationError, match="turned over after the pose"):
        calibrated(pose, movement | {SHANK: since})


@pytest.mark.parametrize("seed", range(3))
def test_exchanged_sensors_are_refused_although_both_segments_move(seed: int) -> None:
    pose, movement = steps(0.5, seed)
    exchanged = replace(KNEE, proximal=(SHANK, "right_thigh"), distal=(THIGH, "right_shank"))
    with pytest.raises(CalibrationError, match="exchanged with sim-right_shank"):
        calibrated(pose, movement, exchanged)


FLAT = np.diag([0.01, 0.01]) ** 2
UNSURE = np.diag([0.3, 0.06]) ** 2
STILL = np.diag([0.3, 0.01]) ** 2


@pytest.mark.parametrize(
    ("segments", "seen"),
    [
        (("right_shank", "right_foot"), Heights(0.0, 0.2, STILL)),
        (("thorax", "head"), Heights(0.0, 0.2, STILL)),
        (("right_thigh", "right_shank"), Heights(0.0, 0.2, UNSURE)),
        (("right_forearm", "right_hand"), Heights(0.0, 0.02, STILL)),
        (("right_thigh", "right_shank"), Heights(0.4, 0.1, FLAT)),
        (("thorax", "right_upperarm"), Heights(-0.2, -0.1, FLAT)),
    ],
)
def test_doubt_is_no_reason(segments: tuple[str, str], seen: Heights) -> None:
    """Segments that do not hang, a movement that tells too little, skin, a clear order: all let pass."""
    refuse_upside_down("x", seen, ("a", segments[0]), ("b", segments[1]))


@pytest.mark.parametrize("seen", [Heights(0.0, 0.2, STILL), Heights(-0.2, -0.1, FLAT)])
def test_certainty_is(seen: Heights) -> None:
    with pytest.raises(CalibrationError, match="shows it above"):
        refuse_upside_down("x", seen, ("a", "right_thigh"), ("b", "right_shank"))
