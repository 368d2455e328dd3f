"""Small-sample estimates against closed forms and scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from imu.block import FloatArray
from imu.errors import InputError
from rom.estimate import (
    VARIANCE_OF_BEST_OF_3,
    Scatter,
    combined,
    difference,
    permutation,
    pooled_scatter,
    reps_until_plateau,
    trend_adjusted,
)


@pytest.mark.parametrize(("reps", "floor"), [(3, 0.10), (4, 0.0286), (5, 0.0079), (6, 0.0022)])
def test_permutation_floors(reps: int, floor: float) -> None:
    apart = permutation(np.arange(reps, dtype=float), np.arange(100.0, 100.0 + reps))
    assert apart is not None
    assert apart.p == apart.floor == 2 / math.comb(2 * reps, reps)
    assert apart.floor == pytest.approx(floor, abs=5e-5)


def _distance(one: FloatArray, other: FloatArray) -> float:
    return abs(float(np.mean(one)) - float(np.mean(other)))


@pytest.mark.parametrize("seed", range(30))
def test_permutation_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(0, 1, rng.integers(2, 6)), rng.normal(0.7, 1, rng.integers(2, 6))
    ours = permutation(one, other)
    theirs = stats.permutation_test((one, other), _distance, alternative="greater", n_resamples=10**6)
    assert ours is not None
    assert ours.p == pytest.approx(theirs.pvalue)
    assert ours.p >= ours.floor


def test_permutation_of_ties_counts_every_deal() -> None:
    same = permutation(np.zeros(4), np.zeros(4))
    assert same is not None
    assert same.p == 1.0


def test_too_many_reps_are_not_dealt_out() -> None:
    assert permutation(np.zeros(12), np.ones(12)) is None


def test_the_variance_of_the_best_of_three() -> None:
    best = np.random.default_rng(0).standard_normal((400_000, 3)).max(axis=1)
    assert best.var() == pytest.approx(VARIANCE_OF_BEST_OF_3, rel=0.01)


def test_satterthwaite_of_two_scatters_is_welchs_test() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(0, 1, 5), rng.normal(1, 4, 8)
    parts = [difference(0.0, pooled_scatter(group), 1 / group.size) for group in (one, other)]
    ours = combined(other.mean() - one.mean(), *parts)
    theirs = stats.ttest_ind(other, one, equal_var=False).confidence_interval()
    assert ours.interval() == pytest.approx((theirs.low, theirs.high))


def test_known_variance_alone_is_the_normal_interval() -> None:
    assert difference(1.0, Scatter(0.0, 4.0), 1.0, 4.0).interval() == pytest.approx(
        (1 - 1.959964 * 2, 1 + 1.959964 * 2)
    )


def test_no_scatter_at_all_is_certain() -> None:
    exact = difference(1.0, Scatter(0.0, 4.0), 1.0)
    assert (exact.probability_above(0.9), exact.probability_above(1.1)) == (1.0, 0.0)
    assert exact.interval() == (1.0, 1.0)


def test_scatter_needs_two_reps_or_a_prior() -> None:
    with pytest.raises(InputError, match="at least two reps"):
        pooled_scatter(np.array([1.0]), np.array([2.0]))
    assert pooled_scatter(np.array([1.0]), prior_sd=0.3).sd == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(20))
def test_the_trend_is_the_least_squares_prediction(seed: int) -> None:
    """Against the polynomial fit of numpy, extended over the reps after."""
    rng = np.random.default_rng(seed)
    pre, post = 50 + rng.normal(0, 2, 5), 60 + rng.normal(0, 2, 4)
    ours = trend_adjusted(pre, post, None, 0.0)
    line = np.polynomial.Polynomial.fit(np.log(np.arange(1, 6)), pre, 1)
    expected = float(np.mean(post - line(np.log(np.arange(6, 10)))))
    assert ours is not None
    assert ours.value == pytest.approx(expected)
    assert ours.df == pytest.approx(5 - 2 + 4 - 1)


def test_a_pure_trend_is_no_change() -> None:
    reps = 40 + 3 * np.log(np.arange(1, 11))
    ours = trend_adjusted(reps[:5], reps[5:], None, 0.0)
    assert ours is not None
    assert ours.value == pytest.approx(0.0, abs=1e-12)


def test_a_rep_that_does_not_count_still_warms_up() -> None:
    reps = 40 + 3 * np.log(np.arange(1, 11))
    ours = trend_adjusted(reps[[0, 2, 3, 4]], reps[5:], pre_numbers=(1, 3, 4, 5))
    assert ours is not None
    assert ours.value == pytest.approx(0.0, abs=1e-12)


def test_two_reps_show_no_trend() -> None:
    assert trend_adjusted(np.array([1.0, 2.0]), np.array([3.0]), None, 0.0) is None


def test_the_plateau_is_where_two_reps_agree() -> None:
    assert reps_until_plateau(np.array([40.0, 44, 46, 47, 47]), 1.5) == 4
    assert reps_until_plateau(np.array([40.0, 44, 48]), 1.5) is None
    assert reps_until_plateau(np.array([40.0]), 1.5) is None
