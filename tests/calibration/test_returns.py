"""Postures that come back: they find a drift about a vertical axis, and don't hide that a posture changed."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from calibration.heading import HeadingEstimator
from calibration.heading_params import HeadingParams
from calibration.heading_series import Heading
from calibration.relative_state import NOTED, RelativeState
from calibration.returns import ReturnParams, Returns
from calibration.segment import JointCalibration, SegmentAlignment
from calibration.smoother import smooth
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray
from imu.sync import Frames

RATE = 20.0
X, Y, Z = np.eye(3)
KNEE = JointCalibration(
    "right_knee",
    1,
    SegmentAlignment.identity("a", "right_thigh"),
    SegmentAlignment.identity("b", "right_shank"),
    axis_proximal=Z,
    axis_distal=Z,
    axis_sigma=math.radians(1.0),
)
PASS = 12.0
UNASKED = np.zeros((0, NOTED))
BIAS_SIGMA = math.radians(0.03)
DEAF = HeadingParams(returns=ReturnParams(rate=0.0))
"""As if no limb were ever held."""


def about(axis: FloatArray, angle: FloatArray) -> FloatArray:
    return quaternion.from_axis_angle(np.broadcast_to(axis, (len(angle), 3)), angle)


def stroke(t: FloatArray, begin: float, seconds: float) -> FloatArray:
    """Return a minimum-jerk stroke from 0 to 1 that begins at some time."""
    s = np.clip((t - begin) / seconds, 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s * s)


def passes(
    minutes: float, drift: FloatArray | float = 0.0, *, shift: FloatArray | float = 0.0, seed: int = 1
) -> tuple[Frames, FloatArray, FloatArray]:
    """Return frames of a leg that stands, lies down and is bent in passes about a vertical axis; the truth.

    Parameters
    ----------
    drift
        What is left of the bias of the distal gyroscope about the vertical, rad/s.
    shift
        By how much the starts of the passes have moved since the first, rad, of 0 to 1 through all passes.

    Returns
    -------
    frames, delta, angle
        The relative heading that should be found, and the joint's angle, rad, (M,).
    """
    rng = np.random.default_rng(seed)
    t = np.arange(int((16.0 + minutes * 60.0) * RATE)) / RATE
    count = int(minutes * 60.0 / PASS)
    shifts = np.broadcast_to(shift, count + 1)
    starts = 1.6 + np.radians(rng.normal(0.0, 1.0, count + 1)) + shifts
    ends = 0.1 + np.radians(rng.normal(0.0, 1.0, count))
    angle = starts[0] * stroke(t, 10.0, 3.0)
    for k in range(count):
        begin = 16.0 + PASS * k
        angle += (ends[k] - starts[k]) * stroke(t, begin, 4.0)
        angle += (starts[k + 1] - ends[k]) * stroke(t, begin + 6.5, 3.0)
    upright = about(X, np.full(t.size, math.pi / 2.0))
    q1 = quaternion.multiply(upright, about(X, -math.pi / 2.0 * stroke(t, 5.0, 4.0)))
    q2 = quaternion.multiply(q1, about(Z, angle))
    gone = np.concatenate([[0.0], np.cumsum(np.broadcast_to(drift, t.shape)[:-1]) / RATE])
    seen = quaternion.multiply(quaternion.about_vertical(gone), q2)
    gyr, acc = np.zeros((t.size, 2, 3)), np.zeros((t.size, 2, 3))
    up = np.array([0.0, 0.0, STANDARD_GRAVITY])
    for k, q in enumerate((q1, seen)):
        step = quaternion.to_rotation_vector(quaternion.multiply(quaternion.conjugate(q[:-1]), q[1:])) * RATE
        gyr[1:-1, k], gyr[0, k], gyr[-1, k] = 0.5 * (step[1:] + step[:-1]), step[0], step[-1]
        acc[:, k] = quaternion.rotate(quaternion.conjugate(q), up)
    gyr += rng.normal(0.0, 5e-4, gyr.shape)
    acc += rng.normal(0.0, 0.02, acc.shape)
    still = np.zeros((t.size, 2), dtype=np.bool_)
    sigma = np.full((t.size, 2), BIAS_SIGMA)
    return Frames(t, np.stack([q1, seen], axis=1), still, gyr, acc, sigma), -gone, angle


def off(heading: Heading, delta: FloatArray) -> FloatArray:
    """Return by how many degrees a heading is off."""
    return np.degrees(quaternion.wrap(heading.delta - delta))


@pytest.mark.parametrize("speed", [0.03, -0.03])
def test_a_drift_about_a_vertical_axis_is_found_where_passes_return(speed: float) -> None:
    frames, delta, _ = passes(8.0, math.radians(speed))
    deaf = off(HeadingEstimator(KNEE, RATE, params=DEAF).feed(frames), delta)
    assert abs(deaf[-1]) > 8.0
    live, best = HeadingEstimator(KNEE, RATE).feed(frames), smooth(KNEE, frames, RATE)
    scored = frames.t > 60.0
    for found, worst in ((live, 6.0), (best, 4.0)):
        error = off(found, delta)
        assert np.abs(error[scored]).max() < worst
        assert abs(np.polyfit(frames.t[scored] / 60.0, error[scored], 1)[0]) < 0.3
        assert (np.abs(error) <= 1.96 * np.degrees(found.sigma))[scored].all()
        assert np.degrees(found.sigma[-1]) < 7.0


@pytest.mark.parametrize("moved", [8.0, -8.0])
def test_a_start_that_moves_at_once_is_not_taken_for_a_drift(moved: float) -> None:
    count = int(10.0 * 60.0 / PASS)
    frames, delta, _ = passes(10.0, shift=np.radians(moved) * (np.arange(count + 1) > count // 2), seed=2)
    live, best = HeadingEstimator(KNEE, RATE).feed(frames), smooth(KNEE, frames, RATE)
    half = 16.0 + PASS * (count // 2)
    before, after = frames.t < half, frames.t > half + 2.0 * PASS
    for found in (live, best):
        error = off(found, delta)
        swallowed = error[after].mean() - error[before & (frames.t > 60.0)].mean()
        assert abs(swallowed) < 4.0
        assert (np.abs(error) <= 1.96 * np.degrees(found.sigma))[frames.t > 60.0].all()


@pytest.mark.parametrize("moved", [8.0, -8.0])
def test_a_start_that_moves_slowly_stays_within_what_is_stated(moved: float) -> None:
    """No gyroscope tells it from a drift: what is shown may follow it, sigma has to admit so."""
    count = int(15.0 * 60.0 / PASS)
    frames, delta, _ = passes(15.0, shift=np.radians(moved) * np.linspace(0.0, 1.0, count + 1), seed=3)
    for found in (HeadingEstimator(KNEE, RATE).feed(frames), smooth(KNEE, frames, RATE)):
        inside = np.abs(off(found, delta)) <= 1.96 * np.degrees(found.sigma)
        assert inside[frames.t > 60.0].mean() > 0.95


def test_a_single_pass_keeps_its_range() -> None:
    frames, delta, _ = passes(8.0, math.radians(0.02), seed=4)
    error = off(HeadingEstimator(KNEE, RATE).feed(frames), delta)
    for k in range(6, int(8.0 * 60.0 / PASS)):
        first, last = (int((16.0 + PASS * k + s) * RATE) for s in (0.0, 6.0))
        assert abs(error[last] - error[first]) < 1.0


@pytest.mark.parametrize(("lean", "recognised"), [(0.0, True), (6.0, True), (20.0, False)])
def test_only_a_limb_that_lies_as_it_lay_is_in_the_posture_it_was_in(lean: float, recognised: bool) -> None:
    returns, state = Returns(0.2, ReturnParams()), RelativeState()
    state.covariance *= 0.01
    lying = quaternion.normalise(np.array([1.0, 0.2, -0.3, 0.1]))
    returns.take(state, lying, lying, 0.0, UNASKED)
    before, tipped = state.values.copy(), about(X, np.radians([lean]))[0]
    upper = quaternion.multiply(tipped, lying)
    lower = quaternion.multiply(quaternion.about_vertical(math.radians(5.0)), upper)
    returns.take(state, upper, lower, 10.0, UNASKED)
    assert (abs(state.values[3] - before[3]) > 1e-4) == recognised


def test_cut_anywhere_stopped_and_resumed_postures_are_the_same() -> None:
    frames, _, _ = passes(2.0, math.radians(0.02), seed=6)
    whole = HeadingEstimator(KNEE, RATE).feed(frames)
    cuts = [0, *sorted(np.random.default_rng(7).integers(1, len(frames.t), 12).tolist()), len(frames.t)]
    estimator, delta, sigma = HeadingEstimator(KNEE, RATE), list[FloatArray](), list[FloatArray]()
    for first, last in pairwise(cuts):
        later = HeadingEstimator(KNEE, RATE)
        later.restore(json.loads(json.dumps(estimator.save())))
        estimator = later
        part = estimator.feed(frames[first:last])
        delta.append(part.delta)
        sigma.append(part.sigma)
    np.testing.assert_array_equal(np.concatenate(delta), whole.delta)
    np.testing.assert_array_equal(np.concatenate(sigma), whole.sigma)


def test_a_limb_held_for_long_does_not_become_surer_and_surer() -> None:
    """Held for long it counts again only every ten seconds, and every time weighs little."""
    frames, _, _ = passes(1.0, seed=8)
    estimator = HeadingEstimator(KNEE, RATE)
    estimator.feed(frames)
    before = estimator.state.covariance[2, 2]
    still = replace(
        frames[-1200:],
        t=frames.t[-1] + np.arange(1, 1201) / RATE,
        q=np.repeat(frames.q[-1:], 1200, axis=0),
        gyr=np.zeros((1200, 2, 3)),
        acc=np.repeat(frames.acc[-1:], 1200, axis=0),
    )
    estimator.feed(still)
    assert estimator.state.covariance[2, 2] > 0.7 * before
