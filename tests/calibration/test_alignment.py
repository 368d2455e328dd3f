"""Calibration of a limb: the straps that were put on come back, and what cannot be right is refused."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.alignment import calibrate_joint
from calibration.axes import find_hinge
from calibration.plan import JointPlan, Movement
from calibration.segment import JointCalibration, SegmentAlignment
from calibration.store import joints_of, load_joints, save_joints
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, TableRest
from rom.limb_world import LimbSpec, Sway

SPEC = LimbSpec((TableRest(4.0), Neutral(), Functional()), sway=Sway(slow=0.15, slow_period=10.0))
KNEE = JointPlan(
    "knee", 1, "right", ("sim-right_thigh", "right_thigh"), ("sim-right_shank", "right_shank"), -1
)

Blocks = Mapping[str, ImuBlock]


def cut(recording: LimbRecording, step: str) -> dict[str, ImuBlock]:
    marks = [event for event in recording.events if event.data.get("step") == step]
    first, last = marks[0].t, marks[-1].t
    out: dict[str, ImuBlock] = {}
    for sensor, block in recording.blocks.items():
        a, b = np.searchsorted(block.t, [first, last])
        out[sensor] = block[int(a) : int(b)]
    return out


@pytest.fixture(scope="module", name="visit")
def _visit() -> tuple[LimbRecording, dict[str, ImuBlock], dict[str, ImuBlock]]:
    recording = simulate_limb(SPEC, 5)
    return recording, cut(recording, "pose"), cut(recording, "functional")


Visit = tuple[LimbRecording, dict[str, ImuBlock], dict[str, ImuBlock]]


@pytest.mark.parametrize("seed", range(4))
def test_the_mounting_comes_back_within_its_covariance(seed: int) -> None:
    recording = simulate_limb(SPEC, 20 + seed)
    joint = calibrate_joint(
        KNEE, cut(recording, "pose"), [Movement("knee", "flexion", cut(recording, "functional"))]
    )
    for alignment, mounting in zip(
        (joint.proximal, joint.distal), recording.truth.q_segment_from_sensor, strict=True
    ):
        error = quaternion.to_rotation_vector(quaternion.multiply(mounting, alignment.q_sensor_from_segment))
        assert (
            float(error @ np.linalg.inv(alignment.covariance) @ error) < 16.3
        )  # chi-square, 3 freedoms, 0.1 %
    distal = quaternion.multiply(recording.truth.q_segment_from_sensor[1], joint.distal.q_sensor_from_segment)
    assert math.degrees(float(quaternion.angle_of(distal))) < 12.0


def test_a_left_limb_mirrors(visit: Visit) -> None:
    recording = simulate_limb(replace(SPEC, side="left"), 5)
    plan = JointPlan(
        "knee", 1, "left", ("sim-left_thigh", "left_thigh"), ("sim-left_shank", "left_shank"), -1
    )
    joint = calibrate_joint(
        plan, cut(recording, "pose"), [Movement("knee", "flexion", cut(recording, "functional"))]
    )
    assert joint.axis_distal[2] > 0.9
    assert visit[0].spec.side == "right"


def test_exchanged_sensors_are_refused(visit: Visit) -> None:
    _, pose, movement = visit
    thigh, shank = KNEE.proximal[0], KNEE.distal[0]
    swapped = replace(KNEE, proximal=(shank, "right_thigh"), distal=(thigh, "right_shank"))
    with pytest.raises(CalibrationError, match="swapped"):
        calibrate_joint(swapped, pose, [Movement("knee", "flexion", movement)])


def test_moving_in_the_pose_is_refused(visit: Visit) -> None:
    _, _, movement = visit
    with pytest.raises(CalibrationError, match="moved during the pose"):
        calibrate_joint(KNEE, movement, [Movement("knee", "flexion", movement)])


def test_no_movement_is_refused(visit: Visit) -> None:
    _, pose, _ = visit
    with pytest.raises(CalibrationError, match=r"moved|covers|one axis|apart"):
        calibrate_joint(KNEE, pose, [Movement("knee", "flexion", pose)])


def test_a_missing_sensor_is_named(visit: Visit) -> None:
    _, pose, movement = visit
    with pytest.raises(CalibrationError, match="sim-right_shank"):
        calibrate_joint(
            KNEE, {"sim-right_thigh": pose["sim-right_thigh"]}, [Movement("knee", "flexion", movement)]
        )


def test_an_unknown_movement_is_refused(visit: Visit) -> None:
    _, pose, movement = visit
    with pytest.raises(CalibrationError, match="expected a movement"):
        calibrate_joint(KNEE, pose, [Movement("knee", "wiggle", movement)])


def hinge_frames(seed: int, *, noise: float = 0.0) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, 20.0, 0.02)
    axes = rng.normal(size=(2, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    lean = np.stack(
        [0.4 * np.sin(w * t + p) for w, p in zip((0.7, 1.1, 0.5), rng.uniform(0, 6, 3), strict=True)], 1
    )
    q1 = quaternion.multiply(quaternion.normalise(rng.normal(size=4)), quaternion.from_rotation_vector(lean))
    bend = quaternion.from_axis_angle(np.broadcast_to(axes[0], (t.size, 3)), 0.8 * np.sin(2.0 * t))
    strap = quaternion.between(axes[1], axes[0])
    q2 = quaternion.multiply(quaternion.multiply(q1, bend), strap)
    q2 = quaternion.multiply(quaternion.about_vertical(rng.uniform(-3, 3)), q2)
    wobble = quaternion.from_rotation_vector(noise * rng.normal(size=(t.size, 3)))
    q = np.stack([q1, quaternion.multiply(q2, wobble)], axis=1)
    true = np.stack([q1, q2], axis=1)
    turn = quaternion.to_rotation_vector(quaternion.multiply(quaternion.conjugate(true[:-1]), true[1:]))
    gyr = np.concatenate([turn, turn[-1:]]) * 50.0
    return q, gyr, axes[0], axes[1]


@pytest.mark.parametrize("seed", range(8))
def test_an_axis_is_found_from_any_start(seed: int) -> None:
    q, gyr, one, two = hinge_frames(seed, noise=0.01)
    hinge = find_hinge(q, gyr, 50.0)
    sign = 1.0 if float(hinge.axis_proximal @ one) > 0.0 else -1.0
    limit = 2.6 * np.sqrt(np.diag(hinge.covariance)).max() + math.radians(0.5)
    assert math.acos(min(1.0, sign * float(hinge.axis_proximal @ one))) < limit
    assert math.acos(min(1.0, sign * float(hinge.axis_distal @ two))) < limit


def test_a_still_proximal_segment_leaves_its_azimuth_open() -> None:
    q, gyr, _, _ = hinge_frames(1)
    moving = find_hinge(q, gyr, 50.0)
    relative = quaternion.multiply(quaternion.conjugate(q[:, :1]), q)
    lowest = q[0, 0]
    still = quaternion.multiply(lowest, relative)
    rates = gyr - np.stack(
        [gyr[:, 0], quaternion.rotate(quaternion.conjugate(relative[:, 1]), gyr[:, 0])], axis=1
    )
    fixed = find_hinge(still, rates, 50.0)
    assert fixed.heading_sigma > 3.0 * moving.heading_sigma


def test_documents_round_trip(visit: Visit, tmp_path: Path) -> None:
    _, pose, movement = visit
    joint = calibrate_joint(KNEE, pose, [Movement("knee", "flexion", movement)])
    path = tmp_path / "knee.json"
    save_joints(path, [joint])
    (again,) = load_joints(path)
    assert again.to_document() == joint.to_document()
    assert not path.with_name("knee.json.part").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "written by"),
        ("[]", "expected a calibration"),
        ('{"kind": "joint", "version": 99}', "version"),
        ("{}", "version"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CalibrationError, match=words):
        load_joints(path)


def test_a_document_with_a_hole_is_refused() -> None:
    joint = JointCalibration.uncalibrated("knee", 1, ("a", "right_thigh"), ("b", "right_shank"))
    document = joint.to_document()
    assert joints_of(document)[0].to_document() == document
    del document["distal"]
    with pytest.raises(CalibrationError, match="distal"):
        joints_of(document)


def test_what_is_not_a_rotation_is_refused() -> None:
    with pytest.raises(CalibrationError, match="unit quaternion"):
        SegmentAlignment("a", "right_thigh", np.array([2.0, 0.0, 0.0, 0.0]), np.eye(3))
    with pytest.raises(CalibrationError, match="axes"):
        JointCalibration.uncalibrated("knee", 5, ("a", "x"), ("b", "y"))
