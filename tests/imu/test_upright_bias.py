"""A gyroscope's bias about the vertical: taught by rests, kept in between, however the samples are cut."""

import math
from itertools import pairwise

import numpy as np

from imu import quaternion
from imu.block import FloatArray
from imu.gaps import Run
from imu.upright_bias import LEARNT, WALK, UprightBias

RATE = 50.0
TAUGHT = np.array([0.004, -0.002, 0.003])
UP = np.array([0.0, 0.0, 1.0])


def told(seed: int, seconds: float, *, resting: float, sure: float = 0.5 * LEARNT) -> Run:
    """Return a run that rests at first with a bias and then turns, believing in a bias that runs away."""
    rng = np.random.default_rng(seed)
    n, still = int(seconds * RATE), int(resting * RATE)
    way = np.cumsum(rng.normal(0.0, 0.02, (n, 3)), axis=0)
    q = quaternion.multiply(
        quaternion.normalise(rng.normal(size=4)),
        quaternion.from_rotation_vector(way * (np.arange(n) > still)[:, None]),
    )
    rest = np.arange(n) < still
    moving = np.maximum(np.arange(n) - still, 0)[:, None] / RATE
    bias = TAUGHT + moving * np.radians(rng.uniform(0.001, 0.003, 3))
    sigma = np.where(rest, sure, np.sqrt(sure**2 + math.radians(0.01) ** 2 * moving[:, 0]))
    return Run(q, rest, bias, sigma)


def parts_of(run: Run, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the vertical part of a bias (N,), and the level rest (N, 3), in the sensor frame."""
    up = quaternion.rotate(quaternion.conjugate(run.q), UP)
    along = (bias * up).sum(axis=1)
    return along, bias - along[:, None] * up


def test_what_a_rest_taught_is_kept_about_the_vertical_and_nowhere_else() -> None:
    run = told(1, 120.0, resting=5.0)
    kept = UprightBias(1.0 / RATE).keep(run)
    (said, level), (shown, shown_level) = parts_of(run, run.bias), parts_of(run, kept.bias)
    taught, _ = parts_of(run, np.broadcast_to(TAUGHT, run.bias.shape))
    np.testing.assert_allclose(shown_level, level, atol=1e-12)
    late = np.arange(len(said)) > 60 * RATE
    assert np.abs(said - taught)[late].max() > math.radians(0.1)
    assert (np.abs(shown - taught)[late] < 0.15 * np.abs(said - taught)[late] + 1e-9).all()
    np.testing.assert_array_equal(kept.rest, run.rest)
    np.testing.assert_array_equal(kept.q, run.q)


def test_sigma_grows_as_a_bias_wanders_and_stays_below_the_filters() -> None:
    run = told(2, 600.0, resting=5.0)
    kept = UprightBias(1.0 / RATE).keep(run)
    moving = ~run.rest
    assert (np.diff(kept.sigma[moving]) > 0.0).all()
    assert (kept.sigma < run.sigma).all()
    assert 0.8 * WALK * math.sqrt(595.0) < kept.sigma[-1] < 1.2 * WALK * math.sqrt(595.0)


def test_without_a_rest_that_taught_anything_the_filter_is_believed() -> None:
    for run in (told(3, 20.0, resting=0.0), told(3, 20.0, resting=5.0, sure=2.0 * LEARNT)):
        kept = UprightBias(1.0 / RATE).keep(run)
        np.testing.assert_array_equal(kept.bias, run.bias)
        np.testing.assert_array_equal(kept.sigma, run.sigma)


def test_cut_anywhere_stopped_and_resumed_it_is_the_same() -> None:
    run = told(4, 30.0, resting=4.0)
    whole = UprightBias(1.0 / RATE).keep(run)
    rng = np.random.default_rng(5)
    cuts = [0, *sorted(rng.integers(1, len(run.q), 9).tolist()), len(run.q)]
    meter, parts = UprightBias(1.0 / RATE), list[Run]()
    for first, last in pairwise(cuts):
        later = UprightBias(1.0 / RATE)
        later.restore(meter.save())
        meter = later
        part = Run(run.q[first:last], run.rest[first:last], run.bias[first:last], run.sigma[first:last])
        parts.append(meter.keep(part))
    np.testing.assert_array_equal(np.concatenate([part.bias for part in parts]), whole.bias)
    np.testing.assert_array_equal(np.concatenate([part.sigma for part in parts]), whole.sigma)


def test_time_without_samples_makes_a_rest_as_old_as_time_with_them() -> None:
    run = told(6, 60.0, resting=5.0)
    before = int(10.0 * RATE)
    head, tail = (
        Run(run.q[:before], run.rest[:before], run.bias[:before], run.sigma[:before]),
        slice(-1, None),
    )
    meter = UprightBias(1.0 / RATE)
    meter.keep(head)
    meter.coast(len(run.q) - before - 1)
    last = meter.keep(Run(run.q[tail], run.rest[tail], run.bias[tail], run.sigma[tail]))
    np.testing.assert_allclose(last.bias, UprightBias(1.0 / RATE).keep(run).bias[tail], atol=1e-12)
