"""The relative heading: found from nothing, followed, and never believed beyond what the joint shows."""

import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.heading import HeadingEstimator
from calibration.heading_series import Heading
from calibration.limits import Overreach
from calibration.segment import JointCalibration, SegmentAlignment
from calibration.smoother import smooth
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray
from imu.sync import Frames

RATE = 100.0
X, Y, Z = np.eye(3)
UP = np.array([0.0, 0.0, STANDARD_GRAVITY])
HINGE = JointCalibration(
    "right_knee",
    1,
    SegmentAlignment.identity("a", "right_thigh"),
    SegmentAlignment.identity("b", "right_shank"),
    axis_proximal=Z,
    axis_distal=Z,
    axis_sigma=math.radians(1.0),
)
BALL = JointCalibration.uncalibrated("hip", 3, ("a", "pelvis"), ("b", "right_thigh"))


def made(
    q1: FloatArray,
    bend: FloatArray,
    delta: float,
    *,
    centre: FloatArray | None = None,
    rng: np.random.Generator | None = None,
) -> Frames:
    """Return the frames of two sensors on a joint: orientation of the first, joint, its centre's path (M, 3).

    The joint centre lies at (0, -0.2, 0) in the first sensor and (0, 0.15, 0) in the second; the second
    sensor's earth frame is turned by -delta.
    """
    count = len(q1)
    q2 = quaternion.multiply(q1, bend)
    path = np.zeros((count, 3)) if centre is None else centre
    arms = np.array([0.0, -0.2, 0.0]), np.array([0.0, 0.15, 0.0])
    gyr, acc = np.zeros((count, 2, 3)), np.zeros((count, 2, 3))
    for k, (q, arm) in enumerate(zip((q1, q2), arms, strict=True)):
        step = quaternion.to_rotation_vector(quaternion.multiply(quaternion.conjugate(q[:-1]), q[1:])) * RATE
        gyr[1:-1, k], gyr[0, k], gyr[-1, k] = 0.5 * (step[1:] + step[:-1]), step[0], step[-1]
        place = path - quaternion.rotate(q, np.broadcast_to(arm, (count, 3)))
        pull = np.gradient(np.gradient(place, 1.0 / RATE, axis=0), 1.0 / RATE, axis=0)
        acc[:, k] = quaternion.rotate(quaternion.conjugate(q), pull + UP)
    if rng is not None:
        gyr += rng.normal(0.0, 0.001, gyr.shape)
        acc += rng.normal(0.0, 0.02, acc.shape)
    seen = quaternion.multiply(quaternion.about_vertical(-delta), q2)
    both = np.stack([q1, seen], axis=1)
    still = np.zeros((count, 2), dtype=np.bool_)
    return Frames(np.arange(count) / RATE, both, still, gyr, acc, np.full((count, 2), 2e-4))


def about(axis: FloatArray, angle: FloatArray) -> FloatArray:
    return quaternion.from_axis_angle(np.broadcast_to(axis, (len(angle), 3)), angle)


def hinge_world(
    rng: np.random.Generator, delta: float, *, axis_up: float = 0.0, seconds: float = 40.0
) -> Frames:
    """Return a bending hinge whose axis rises `axis_up` rad above the horizontal, its thigh swaying."""
    t = np.arange(int(seconds * RATE)) / RATE
    lay = about(X, np.full(t.size, math.pi / 2.0 - axis_up - math.pi / 2.0))
    sway = about(X, 0.05 * np.sin(1.3 * t + rng.uniform(0, 6)))
    turn = about(UP / STANDARD_GRAVITY, np.full(t.size, rng.uniform(0, 6)) + 0.05 * np.sin(0.7 * t))
    stand = quaternion.multiply(turn, quaternion.multiply(about(X, np.full(t.size, math.pi / 2.0)), lay))
    q1 = quaternion.multiply(stand, sway)
    return made(q1, about(Z, 0.8 + 0.7 * np.sin(1.2 * t)), delta, rng=rng)


def ball_world(rng: np.random.Generator, delta: float, seconds: float = 30.0) -> Frames:
    """Return a ball joint in brisk movement with a centre that is carried about."""
    t = np.arange(int(seconds * RATE)) / RATE
    p = rng.uniform(0.0, 6.0, 9)
    rate = rng.uniform(3.0, 6.0, 9)

    def wave(k: int, size: float) -> FloatArray:
        return size * np.sin(rate[k] * t + p[k])

    q1 = quaternion.multiply(about(X, wave(0, 0.5)), about(Y, wave(1, 0.5)))
    bend = quaternion.multiply(about(Z, wave(2, 0.8)), about(X, wave(3, 0.4)))
    centre = np.stack([wave(4, 0.1), wave(5, 0.1), wave(6, 0.05)], axis=1)
    return made(q1, bend, delta, centre=centre, rng=rng)


def off(heading: Heading, delta: float) -> FloatArray:
    return np.abs(quaternion.wrap(heading.delta - delta))


def part(frames: Frames, first: int, last: int) -> Frames:
    return Frames(
        *(getattr(frames, name)[first:last] for name in ("t", "q", "rest", "gyr", "acc", "gyr_bias_sigma"))
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_hinge_shows_its_heading_whatever_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    delta = rng.uniform(-math.pi, math.pi)
    heading = HeadingEstimator(HINGE, RATE).feed(hinge_world(rng, delta))
    assert off(heading, delta)[-1] < math.radians(3.0)
    assert heading.observable[-1]


def test_truth_lies_within_sigma_at_its_stated_rate() -> None:
    inside: list[bool] = []
    for seed in range(24):
        rng = np.random.default_rng(1000 + seed)
        delta = rng.uniform(-math.pi, math.pi)
        frames = ball_world(rng, delta, 12.0) if seed % 2 else hinge_world(rng, delta, seconds=15.0)
        heading = HeadingEstimator(BALL if seed % 2 else HINGE, RATE).feed(frames)
        inside += (off(heading, delta)[-400::200] < 1.96 * heading.sigma[-400::200]).tolist()
    assert np.mean(inside) >= 0.9


@pytest.mark.parametrize("seed", range(4))
def test_brisk_movement_alone_shows_heading_and_joint_centre(seed: int) -> None:
    rng = np.random.default_rng(50 + seed)
    delta = rng.uniform(-math.pi, math.pi)
    estimator = HeadingEstimator(BALL, RATE)
    heading = estimator.feed(ball_world(rng, delta))
    assert off(heading, delta)[-1] < math.radians(2.0)
    centre = np.array(estimator.save()["relative"]["centre"])
    from_centre = [0.0, 0.2, 0.0, 0.0, -0.15, 0.0]
    assert centre == pytest.approx(from_centre, abs=0.02)


def test_slow_passes_do_not_make_errors_of_true_sensors() -> None:
    """At both its ends a pass accelerates towards its middle: that is no offset."""
    t = np.arange(int(180.0 * RATE)) / RATE
    u = np.clip(6.5 - np.abs(t % 13.0 - 6.5), 0.0, 4.5) / 4.5
    bend = math.radians(100.0) - math.radians(95.0) * u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
    stand = quaternion.multiply(about(X, np.full(t.size, math.pi / 2.0)), about(X, 0.02 * np.sin(0.7 * t)))
    estimator = HeadingEstimator(HINGE, RATE)
    estimator.feed(made(stand, about(Z, bend), 0.3))
    found = estimator.save()["relative"]
    assert np.abs(found["offset"]).max() < 0.006


def test_a_vertical_axis_is_not_observable_and_sigma_grows() -> None:
    rng = np.random.default_rng(3)
    frames = hinge_world(rng, 1.0, axis_up=math.pi / 2.0, seconds=60.0)
    heading = HeadingEstimator(HINGE, RATE).feed(frames)
    assert not heading.observable[-1] or heading.sigma[-1] > math.radians(5.0)
    assert not np.isfinite(heading.delta).any() or heading.sigma[-1] >= heading.sigma[3000]


def test_a_wrong_first_guess_is_found_out() -> None:
    rng = np.random.default_rng(4)
    first, then = hinge_world(rng, 2.5, seconds=10.0), hinge_world(rng, -0.5, seconds=200.0)
    estimator = HeadingEstimator(HINGE, RATE)
    estimator.feed(first)
    moved = Frames(then.t + len(first) / RATE, then.q, then.rest, then.gyr, then.acc, then.gyr_bias_sigma)
    heading = estimator.feed(moved)
    assert off(heading, -0.5)[-1] < math.radians(20.0)


def test_outliers_do_not_carry_it_away() -> None:
    rng = np.random.default_rng(5)
    frames = ball_world(rng, 0.7)
    acc = frames.acc.copy()
    hits = rng.integers(0, len(frames.t), 40)
    acc[hits] += rng.normal(0.0, 40.0, (40, 2, 3))
    spoilt = Frames(frames.t, frames.q, frames.rest, frames.gyr, acc, frames.gyr_bias_sigma)
    heading = HeadingEstimator(BALL, RATE).feed(spoilt)
    assert off(heading, 0.7)[-1] < math.radians(6.0)


def test_cuts_change_nothing_and_a_saved_state_goes_on() -> None:
    rng = np.random.default_rng(6)
    frames = hinge_world(rng, -1.1, seconds=20.0)
    whole = HeadingEstimator(HINGE, RATE).feed(frames)
    cuts = np.unique(np.concatenate([[0, len(frames.t)], rng.integers(0, len(frames.t), 60)]))
    estimator = HeadingEstimator(HINGE, RATE)
    pieces: list[Heading] = []
    for k, (a, b) in enumerate(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)):
        if k == 30:
            state = estimator.save()
            estimator = HeadingEstimator(HINGE, RATE)
            estimator.restore(state)
        pieces.append(estimator.feed(part(frames, a, b)))
    for name in ("delta", "sigma", "q_earth1_from_earth2", "covariance"):
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_it_never_looks_ahead() -> None:
    rng = np.random.default_rng(7)
    frames = ball_world(rng, 0.3, 15.0)
    whole = HeadingEstimator(BALL, RATE).feed(frames)
    early = HeadingEstimator(BALL, RATE).feed(part(frames, 0, 900))
    np.testing.assert_array_equal(early.q_earth1_from_earth2, whole.q_earth1_from_earth2[:900])


def test_gaps_poison_nothing() -> None:
    rng = np.random.default_rng(8)
    frames = ball_world(rng, 0.9)
    q, gyr, acc = frames.q.copy(), frames.gyr.copy(), frames.acc.copy()
    for hole in (slice(500, 530), slice(1200, 1210), slice(2000, 2001)):
        q[hole], gyr[hole], acc[hole] = np.nan, np.nan, np.nan
    holed = Frames(frames.t, q, frames.rest, gyr, acc, frames.gyr_bias_sigma)
    heading = HeadingEstimator(BALL, RATE).feed(holed)
    assert off(heading, 0.9)[-1] < math.radians(3.0)


def test_the_review_is_nearer_the_truth_than_what_was_seen_live() -> None:
    live, review = [], []
    for seed in range(4):
        rng = np.random.default_rng(70 + seed)
        frames = ball_world(rng, 0.4, 15.0)
        seen = HeadingEstimator(BALL, RATE).feed(frames)
        known = np.isfinite(seen.delta)
        live.append(off(seen, 0.4)[known].mean())
        best = smooth(BALL, frames, RATE)
        assert np.isfinite(best.delta).all()
        review.append(off(best, 0.4)[known].mean())
    assert np.mean(review) < np.mean(live)


def test_the_neutral_pose_tells_the_heading_when_it_is_held() -> None:
    pose = JointCalibration(
        "right_elbow",
        3,
        SegmentAlignment.identity("a", "right_upperarm"),
        SegmentAlignment.identity("b", "right_forearm"),
        q_neutral=np.array([1.0, 0.0, 0.0, 0.0]),
        up_proximal=Y,
        up_distal=Y,
        neutral_sigma=math.radians(12.0),
    )
    t = np.arange(300) / RATE
    stand = about(X, np.full(t.size, math.pi / 2.0))
    frames = made(stand, about(Z, np.zeros(t.size)), 1.2, rng=np.random.default_rng(9))
    heading = HeadingEstimator(pose, RATE).feed(frames)
    assert off(heading, 1.2)[-1] < math.radians(12.0)
    assert heading.sigma[-1] < math.radians(25.0)


def elbow_world(rng: np.random.Generator, azimuth: float) -> Frames:
    """Return a joint of two axes in movement, its first one turned about the segment's length."""
    t = np.arange(int(30.0 * RATE)) / RATE
    p, rate = rng.uniform(0.0, 6.0, 7), rng.uniform(1.5, 3.0, 7)

    def wave(k: int, size: float) -> FloatArray:
        return size * np.sin(rate[k] * t + p[k])

    q1 = quaternion.multiply(about(X, math.pi / 2.0 + wave(0, 0.5)), about(Y, wave(1, 0.5)))
    first = quaternion.rotate(quaternion.from_axis_angle(Y, np.array(azimuth)), Z)
    bend = quaternion.multiply(about(first, 0.9 + wave(2, 0.7)), about(Y, wave(3, 0.6)))
    centre = np.stack([wave(4, 0.05), wave(5, 0.05), wave(6, 0.03)], axis=1)
    return made(q1, bend, 0.7, centre=centre, rng=rng)


def test_what_skin_hides_about_a_segments_length_does_not_tilt_the_other_segment() -> None:
    elbow = JointCalibration(
        "right_elbow",
        2,
        SegmentAlignment.identity("a", "right_upperarm"),
        SegmentAlignment.identity("b", "right_forearm"),
        axis_proximal=Z,
        axis_distal=Y,
        axis_sigma=math.radians(13.0),
        azimuth_sigma=math.radians(10.0),
        carrying=math.pi / 2.0,
        carrying_sigma=math.radians(5.0),
    )
    turned, tilted = [], []
    for seed in range(41, 45):
        frames = elbow_world(np.random.default_rng(seed), math.radians(15.0))
        axes = HeadingEstimator(elbow, RATE).feed(frames).axes[-1]
        turned.append(math.degrees(math.atan2(axes[0, 0], axes[0, 2])))
        tilted.append(math.degrees(math.acos(axes[1, 1])))
    assert max(tilted) < 1.5
    assert min(turned) > 9.0


def test_a_posture_beyond_a_limit_counts_once_however_long_it_lasts() -> None:
    joint = replace(BALL, limits=np.radians([[-10.0, 120.0], [-20.0, 20.0], [-40.0, 40.0]]))
    upper = np.array([1.0, 0.0, 0.0, 0.0])
    lower = quaternion.about_vertical(1.3)
    once, long, other = Overreach(joint), Overreach(joint), Overreach(joint)
    once.take(upper, lower, 0.2)
    for _ in range(500):
        long.take(upper, lower, 0.2)
    np.testing.assert_array_equal(once.table, long.table)
    other.take(quaternion.about_vertical(0.4), lower, 0.2)
    long.take(quaternion.about_vertical(0.4), lower, 0.2)
    assert (long.table <= other.table).all()
    assert once.table.min() < 0.0
    assert once.likelihood().max() == 1.0
    assert not Overreach(BALL).known


def test_a_guess_stays_where_it_is_until_the_evidence_moves_it() -> None:
    rng = np.random.default_rng(8)
    still = hinge_world(rng, 1.0, axis_up=math.pi / 2.0, seconds=20.0)
    shown = HeadingEstimator(replace(BALL, centre_fixed=False), RATE).feed(still).q_earth1_from_earth2
    np.testing.assert_array_equal(shown, np.tile(shown[:1], (len(shown), 1)))
