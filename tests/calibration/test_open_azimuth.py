"""A calibration that leaves the proximal axis open: limits of angles must speak of the axes found since."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from calibration.heading_series import AxisShift, Heading, blank
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray
from imu.recording import Recording
from imu.sync import Frames
from imu.virtual import CONSUMER
from rom.angles import join_series
from rom.catalogue.loader import load_catalogue
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.reading import TrackedSensor, TrackerSetup, reader
from rom.replay import Replay
from tools.bench.worlds import World

KNEE = load_catalogue().movement("kn_ake").angle


class Given:
    """A heading that is already there."""

    def __init__(self, heading: Heading) -> None:
        self._heading = heading

    def feed(self, frames: Frames) -> Heading:
        del frames
        return self._heading

    def save(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        del state


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
    refined = directions()
    moved = shift.moved(refined)
    heading = blank(1)
    heading.q_earth1_from_earth2[:] = turn
    nothing = np.zeros((1, 2, 3))
    frames = Frames(np.zeros(1), q, np.zeros((1, 2), np.bool_), nothing, nothing, np.zeros((1, 2)))
    found = shift.carry(heading, moved[None], frames, (0, 1))
    carried = found.q_earth1_from_earth2[0]
    upper, lower = quaternion.multiply(q[0], mounted)
    upper_moved, lower_moved = shift.segments(upper, lower, refined)
    one = quaternion.multiply(quaternion.conjugate(upper), quaternion.multiply(carried, lower))
    two = quaternion.multiply(quaternion.conjugate(upper_moved), quaternion.multiply(turn[0], lower_moved))
    assert abs(float((one * two).sum())) > 1.0 - 1e-12
    where = quaternion.multiply(found.q_earth1_from_shown[0], upper)
    assert abs(float((where * upper_moved).sum())) > 1.0 - 1e-12


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


def test_a_heading_that_began_half_a_turn_off_is_found_through_axes_that_are_open_by_thirty_degrees(
    tmp_path: Path,
) -> None:
    """A treatment whose ranges were off by 71 deg while such axes were taken for known."""
    limb = World(5.0, "oblique", CONSUMER, still=True).limb(10001)
    path = tmp_path / "half_a_turn.mcap"
    write_recording(path, [limb], datetime(2026, 1, 1, tzinfo=UTC))
    replay = Replay(Recording.open(path), estimate="live")
    assert replay.setup.calibration is not None
    assert 0.4 < replay.setup.calibration.azimuth_sigma < 0.6
    series = join_series([step.series for step in replay.steps() if len(step.series)])
    later = series.t > 60.0
    truth = np.interp(series.t[later], limb.truth.t, limb.truth.angle_sensor[:, 0])
    error = np.abs(series.angle[later, 0] - truth)
    assert np.nanmax(error) < 0.1
    assert (error[np.isfinite(error)] < 3.0 * series.sigma[later, 0][np.isfinite(error)]).all()


def test_a_heading_error_counts_the_same_however_far_off_the_alignment_was_about_the_vertical() -> None:
    axis = np.array([0.0, 0.0, 1.0])
    lying = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), 0.3)
    shares: list[FloatArray] = []
    for off in (0.0, 1.5):
        # The segment is seen turned by `off` about its length; the axis has been found where it is.
        seen = quaternion.from_axis_angle(np.array([0.0, 1.0, 0.0]), off)
        believed = quaternion.rotate(quaternion.conjugate(seen), axis)
        first = SegmentAlignment("a", "right_thigh", seen, np.zeros((3, 3)))
        second = SegmentAlignment("b", "right_shank", np.array([1.0, 0.0, 0.0, 0.0]), np.zeros((3, 3)))
        joint = JointCalibration("right_knee", 1, first, second, axis, axis, 0.02)
        setup = TrackerSetup(KNEE, "right", TrackedSensor("b", 100.0), TrackedSensor("a", 100.0), joint)
        heading = blank(1)
        heading.delta[:], heading.observable[:] = 0.0, True
        heading.q_earth1_from_earth2[:] = np.array([1.0, 0.0, 0.0, 0.0])
        heading.covariance[:] = np.diag([0.0, 0.0, 0.05**2])
        shift = AxisShift(joint)
        bend = quaternion.from_axis_angle(axis, -0.9)
        q = np.stack([lying, quaternion.multiply(lying, bend)])[None]
        nothing = np.zeros((1, 2, 3))
        frames = Frames(np.zeros(1), q, np.zeros((1, 2), np.bool_), nothing, nothing, np.zeros((1, 2)))
        moved = shift.moved(np.stack([believed, axis]))[None]
        given = Given(shift.carry(heading, moved, frames, (0, 1)))
        errors = reader(setup, given).read(frames).errors
        shares.append(errors.heading_sigma)
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-9)
    assert shares[0][0] > 0.01
