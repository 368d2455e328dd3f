"""What is scored of an estimate: the sensors themselves, whatever is learnt of the axes in their segments."""

import numpy as np

from calibration.heading_series import AxisShift, blank
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames
from tools.bench.estimate import METHODS, Estimate, of_sensors
from tools.bench.picture import COLOURS

COUNT = 50


def some(rng: np.random.Generator, *shape: int) -> FloatArray:
    return quaternion.normalise(rng.normal(size=(*shape, 4)))


def test_moved_axes_turn_the_segments_and_not_the_sensors() -> None:
    rng = np.random.default_rng(6001)
    axes = rng.normal(size=(2, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    proximal, distal = (
        SegmentAlignment(name, name, some(rng), np.eye(3), 0.0) for name in ("right_thigh", "right_shank")
    )
    joint = JointCalibration("knee", 1, proximal, distal, axis_proximal=axes[0], axis_distal=axes[1])
    nothing = np.zeros((COUNT, 2, 3))
    frames = Frames(
        np.arange(COUNT) / 50.0, some(rng, COUNT, 2), nothing[..., 0] > 0.0, nothing, nothing, nothing[..., 0]
    )
    learnt = axes + rng.normal(0.0, 0.2, (COUNT, 2, 3))
    learnt /= np.linalg.norm(learnt, axis=2, keepdims=True)
    turn = some(rng, COUNT)
    heading = blank(COUNT)
    heading.q_earth1_from_earth2[:], heading.axes[:] = turn, learnt
    shift = AxisShift(joint)
    carried = shift.carry(heading, shift.moved(learnt), frames, (0, 1))
    shown = Estimate(
        frames.q[:, 0],
        quaternion.multiply(carried.q_earth1_from_earth2, frames.q[:, 1]),
        np.ones(COUNT, np.bool_),
        False,
        carried,
        frames,
    )
    truth = Estimate(
        frames.q[:, 0], quaternion.multiply(turn, frames.q[:, 1]), np.ones(COUNT, np.bool_), False
    )

    def apart(estimate: Estimate) -> FloatArray:
        return quaternion.angle_of(quaternion.multiply(quaternion.conjugate(truth.joint()), estimate.joint()))

    assert apart(of_sensors(shown, joint)).max() < 1e-7
    assert np.median(apart(shown)) > 0.1
    assert of_sensors(truth, joint) is truth


def test_the_picture_has_a_colour_for_every_method() -> None:
    assert set(COLOURS) == set(METHODS)
