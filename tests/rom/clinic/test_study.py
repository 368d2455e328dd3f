"""Group statistics: scipy as oracle, coverage, invariance, formulas by name."""

import math

import numpy as np
import pytest
from scipy import stats

from imu.block import BoolArray, FloatArray
from imu.errors import InputError
from rom.clinic.study import (
    ancova,
    change_difference,
    change_is_consistent,
    holm,
    paired_change,
    summarise,
)


def trial(rng: np.random.Generator, effect: float) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return a clinic of 30 whose value after regresses to the mean, two thirds treated."""
    before = rng.normal(100, 10, 30)
    treated = np.arange(30) % 3 > 0
    return before, 100 + 0.6 * (before - 100) + effect * treated + rng.normal(0, 4, 30), treated


@pytest.mark.parametrize("seed", range(20))
def test_the_paired_test_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.normal(100, 10, 12)
    after = before + rng.normal(3, 5, 12)
    ours, theirs = paired_change(before, after), stats.ttest_rel(after, before)
    limits = theirs.confidence_interval(0.95)
    assert (ours.t, ours.p) == pytest.approx(np.asarray(theirs))
    assert ours.interval == pytest.approx((limits.low, limits.high))


@pytest.mark.parametrize("seed", range(20))
def test_difference_scores_are_scipys_t_test(seed: int) -> None:
    before, after, treated = trial(np.random.default_rng(seed), 3.0)
    theirs = stats.ttest_ind((after - before)[treated], (after - before)[~treated])
    ours = change_difference(before, after, treated)
    assert (ours.t, ours.p) == pytest.approx(np.asarray(theirs))


@pytest.mark.parametrize("seed", range(20))
def test_ancova_is_the_regression_on_what_the_baseline_leaves(seed: int) -> None:
    """Frisch, Waugh and Lovell: regress both sides on the baseline first, then one on the other."""
    before, after, treated = trial(np.random.default_rng(seed), 3.0)
    rest = [
        values - np.polynomial.Polynomial.fit(before, values, 1)(before) for values in (after, 1.0 * treated)
    ]
    slope = float(np.sum(rest[0] * rest[1]) / np.sum(rest[1] ** 2))
    noise = float(np.sum((rest[0] - slope * rest[1]) ** 2)) / 27
    ours = ancova(before, after, treated)
    assert ours.value == pytest.approx(slope)
    assert ours.se == pytest.approx(math.sqrt(noise / float(np.sum(rest[1] ** 2))))
    assert ours.df == 27


def test_ancova_covers_the_injected_effect_and_is_sharper_than_difference_scores() -> None:
    count, hits, sharper = 1500, 0, 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(-8, 8)
        world = trial(rng, truth)
        found = ancova(*world)
        hits += found.interval[0] <= truth <= found.interval[1]
        sharper += found.se < change_difference(*world).se
    assert hits / count == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / count))
    assert sharper / count > 0.8


@pytest.mark.parametrize("seed", range(10))
def test_units_and_group_labels_change_no_t(seed: int) -> None:
    before, after, treated = trial(np.random.default_rng(seed), 3.0)
    one = ancova(before, after, treated)
    assert ancova(np.radians(before), np.radians(after), treated).t == pytest.approx(one.t)
    assert ancova(before, after, ~treated).value == pytest.approx(-one.value)


def test_effect_sizes_follow_their_formulas() -> None:
    before, after = np.array([10.0, 20, 30, 40]), np.array([14.0, 23, 35, 44])
    found = paired_change(before, after).effects
    sd = float(np.std([4, 3, 5, 4], ddof=1))
    assert found["d_z"] == pytest.approx(4.0 / sd)
    spread = (np.std(before, ddof=1) + np.std(after, ddof=1)) / 2
    assert found["d_av"] == pytest.approx(4.0 / spread)
    assert found["g_z"] / found["d_z"] == pytest.approx(1 - 3 / 11)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_holm_keeps_order_and_lies_between_raw_and_bonferroni(seed: int) -> None:
    p = np.random.default_rng(seed).uniform(0, 0.2, 6)
    adjusted = np.array(holm(p.tolist()))
    assert (np.argsort(adjusted, kind="stable") == np.argsort(p)).all() or (
        np.diff(adjusted[np.argsort(p)]) >= 0
    ).all()
    assert (p <= adjusted).all()
    assert (adjusted <= np.minimum(1.0, 6 * p) + 1e-15).all()


def test_a_printed_change_must_be_after_minus_before() -> None:
    assert change_is_consistent(35.5, 43.8, 8.3)
    assert not change_is_consistent(35.5, 48.3, 8.3), "George 2006 as printed"


def test_what_cannot_be_analysed_is_refused() -> None:
    with pytest.raises(InputError, match="before and after, got 3 and 2"):
        paired_change(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match="exactly alike"):
        paired_change(np.arange(4.0), np.arange(4.0) + 1)
    with pytest.raises(InputError, match="at least 2 values"):
        summarise(np.array([1.0]))
    with pytest.raises(InputError, match="missing values"):
        summarise(np.array([1.0, math.nan]))
    with pytest.raises(InputError, match="at least two people"):
        ancova(np.arange(5.0), np.arange(5.0) ** 2, np.array([True, False, False, False, False]))
    with pytest.raises(InputError, match="nothing to adjust for"):
        ancova(np.ones(5), np.arange(5.0), np.array([True, True, False, False, False]))
    with pytest.raises(InputError, match="p values lie within 0 and 1"):
        holm([1.5])
