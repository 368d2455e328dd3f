"""A calibration that leaves the proximal axis open: limits of angles must speak of the axes found since."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.heading_series import AxisShift, blank
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.recording import Recording
from imu.sync import Frames
from imu.virtual import CONSUMER
from rom.angles import join_series
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.replay import Replay
from tools.bench.worlds import World


def test_moved_segments_and_the_carried_turn_mean_the_same_joint() -> None:
    rng = np.random.default_rng(4)

    def turns(*shape: int) -> np.ndarray:
        return quaternion.normalise(rng.normal(size=(*shape, 4)))

    def directions() -> np.ndarray:
        v = rng.normal(size=(2, 3))
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    q, turn, mounted, axes = turns(1, 2), turns(1), turns(2), directions()
    ends = [SegmentAlignment(f"S{k}", f"segment {k}", mounted[k], np.eye(3) * 0.01) for k in (0, 1)]
    shift = AxisShift(JointCalibration("left_knee", 1, ends[0], ends[1], axes[0], axes[1], 0.02))
    moved = shift.moved(directions())
    heading = blank(1)
    heading.q_earth1_from_earth2[:] = turn
    nothing = np.zeros((1, 2, 3))
    frames = Frames(np.zeros(1), q, np.zeros((1, 2), np.bool_), nothing, nothing, np.zeros((1, 2)))
    carried = shift.carry(heading, moved[None], frames, (0, 1)).q_earth1_from_earth2[0]
    upper, lower = quaternion.multiply(q[0], mounted)
    upper_moved, lower_moved = shift.segments(upper, lower, moved)
    one = quaternion.multiply(quaternion.conjugate(upper), quaternion.multiply(carried, lower))
    two = quaternion.multiply(quaternion.conjugate(upper_moved), quaternion.multiply(turn[0], lower_moved))
    assert abs(float((one * two).sum())) > 1.0 - 1e-12


def test_limits_do_not_contradict_axes_that_a_still_thigh_hid(tmp_path: Path) -> None:
    limb = simulate_limb(World(1.5, "near-vertical", CONSUMER, still=True).spec, 100)
    path = tmp_path / "still.mcap"
    write_recording(path, [limb], datetime(2026, 1, 1, tzinfo=UTC))
    steps = Replay(Recording.open(path), estimate="live").steps()
    series = join_series([step.series for step in steps if len(step.series)])
    later = series.t > series.t[-1] - 15.0
    truth = np.interp(series.t[later], limb.truth.t, limb.truth.angle_sensor[:, 0])
    error = np.abs(series.angle[later, 0] - truth)
    assert (error < 3.0 * series.sigma[later, 0]).all()
