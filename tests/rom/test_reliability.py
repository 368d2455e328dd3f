"""Reliability: injected variances come back, published examples come out, intervals cover."""

import math

import numpy as np
import pytest
from scipy import stats

from imu.block import FloatArray
from imu.errors import InputError
from rom.reliability import (
    ICC_FORMS,
    IccForm,
    agreement,
    agreement_of_repeats,
    icc,
    sem_from_icc,
    sem_within,
    two_way,
)
from rom.verdict import mdc

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)


def people(rng: np.random.Generator, n: int, k: int, sd: float, noise: float) -> FloatArray:
    return 60 + rng.normal(0, sd, (n, 1)) + rng.normal(0, noise, (n, k))


@pytest.mark.parametrize(
    ("form", "value", "low", "high"),
    [
        ("ICC(1,1)", 0.17, -0.13, 0.72),
        ("ICC(2,1)", 0.29, 0.02, 0.76),
        ("ICC(3,1)", 0.71, 0.34, 0.95),
        ("ICC(1,k)", 0.44, -0.88, 0.91),
        ("ICC(2,k)", 0.62, 0.07, 0.93),
        ("ICC(3,k)", 0.91, 0.68, 0.99),
    ],
)
def test_the_six_forms_of_shrout_and_fleiss(form: IccForm, value: float, low: float, high: float) -> None:
    """The example of their 1979 paper, with the intervals that statistical packages print for it."""
    found = icc(SHROUT_FLEISS, form)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=0.006)
    assert found.form == form


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"])
def test_icc_intervals_cover_the_truth(form: IccForm) -> None:
    truth, count, hits = 4.0 / 5.0, 1500, 0
    for seed in range(count):
        scores = people(np.random.default_rng(seed), 20, 3, 2.0, 1.0)
        found = icc(scores, form)
        hits += found.low <= truth <= found.high
    assert hits / count == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / count))


@pytest.mark.parametrize("form", ICC_FORMS)
@pytest.mark.parametrize("seed", range(10))
def test_an_icc_has_no_unit_and_no_zero(form: IccForm, seed: int) -> None:
    scores = people(np.random.default_rng(seed), 12, 3, 5.0, 2.0)
    one, other = icc(scores, form), icc(np.radians(scores) - 7.0, form)
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


def test_a_shift_of_one_device_costs_agreement_but_not_consistency() -> None:
    scores = people(np.random.default_rng(1), 20, 2, 5.0, 1.0)
    shifted = scores + np.array([0.0, 6.0])
    assert icc(shifted, "ICC(3,1)").value == pytest.approx(icc(scores, "ICC(3,1)").value)
    assert icc(shifted, "ICC(2,1)").value < icc(scores, "ICC(2,1)").value - 0.1


def test_the_within_person_sem_is_what_was_injected() -> None:
    scores = people(np.random.default_rng(0), 4000, 3, 8.0, 1.7)
    assert sem_within(scores) == pytest.approx(1.7, rel=0.03)
    one = icc(scores, "ICC(1,1)").value
    assert sem_from_icc(float(scores[:, 0].std(ddof=1)), one) == pytest.approx(1.7, rel=0.05)


def test_mdc_multiples() -> None:
    assert mdc(1.0) == pytest.approx(2.772, abs=5e-4)
    assert mdc(1.0, 90) == pytest.approx(2.326, abs=5e-4)


def test_injected_variances_come_back_from_two_devices() -> None:
    rng = np.random.default_rng(5)
    n, t, m = 3000, 2, 3
    scores = (
        60
        + rng.normal(0, 6.0, (n, 1, 1))
        + np.array([0.0, 1.5])[:, None]
        + rng.normal(0, 1.2, (n, t, 1))
        + rng.normal(0, 0.9, (n, t, m))
    )
    found = two_way(scores)
    assert found.sem_intra == pytest.approx(0.9, rel=0.03)
    assert found.sem_inter_fixed == pytest.approx(math.hypot(1.2, 0.9), rel=0.03)
    device = 1.5**2 / 2
    assert found.sem_inter_random == pytest.approx(math.sqrt(device + 1.2**2 + 0.9**2), rel=0.03)
    assert found.inter_fixed == pytest.approx(36 / (36 + 1.44 + 0.81), rel=0.01)


def test_limits_of_agreement_and_their_interval_cover() -> None:
    """The exact interval of the upper limit holds the true mean + 1.96 SD at its stated rate."""
    count, hits = 1500, 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = rng.normal(60, 10, 12)
        found = agreement(truth + rng.normal(1.0, 2.0, 12), truth)
        low, high = found.upper_interval
        hits += low <= 1.0 + stats.norm.ppf(0.975) * 2.0 <= high
    assert hits / count == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / count))


def test_limits_of_agreement_are_exact_for_four_pairs() -> None:
    """The factors found on one sample hold on two hundred thousand others, where an approximation fails."""
    rng = np.random.default_rng(8)
    truth = rng.normal(60, 10, 4)
    found = agreement(truth + rng.normal(0, 1, 4), truth)
    low, high = ((end - found.bias) / found.sd for end in found.upper_interval)
    draws = rng.standard_normal((200_000, 4))
    bias, sd = draws.mean(axis=1), draws.std(axis=1, ddof=1)
    limit = stats.norm.ppf(0.975)
    assert np.mean(bias + low * sd > limit) == pytest.approx(0.025, abs=0.0015)
    assert np.mean(bias + high * sd < limit) == pytest.approx(0.025, abs=0.0015)


def test_swapping_the_methods_mirrors_the_agreement() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(60, 10, 15), rng.normal(61, 10, 15)
    there, back = agreement(one, other), agreement(other, one)
    assert back.bias == pytest.approx(-there.bias)
    assert (back.lower, back.upper) == pytest.approx((-there.upper, -there.lower))
    assert back.lower_interval == pytest.approx((-there.upper_interval[1], -there.upper_interval[0]))
    assert back.slope == pytest.approx(-there.slope)


def test_a_bias_that_grows_is_found() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(20, 120, 200)
    found = agreement(1.1 * truth + rng.normal(0, 1, 200), truth + rng.normal(0, 1, 200))
    assert found.slope == pytest.approx(0.1 / 1.05, abs=0.01)
    assert found.slope_p < 1e-6


def test_proportional_bias_is_the_regression_and_the_test_of_its_correlation() -> None:
    rng = np.random.default_rng(6)
    one = rng.normal(60, 10, 15)
    other = one + rng.normal(1, 3, 15)
    found = agreement(one, other)
    means, differences = (one + other) / 2, one - other
    r = float(np.corrcoef(means, differences)[0, 1])
    assert found.slope_p == pytest.approx(2 * stats.t.sf(abs(r) * math.sqrt(13 / (1 - r**2)), 13))
    line = np.polynomial.Polynomial.fit(means, differences, 1).convert()
    assert found.slope == pytest.approx(line.coef[1])


def test_averages_of_repeats_give_the_sd_of_single_measurements_back() -> None:
    rng = np.random.default_rng(7)
    truth = rng.normal(60, 8, (5000, 1))
    first, second = truth + rng.normal(0, 2.0, (5000, 3)), truth + rng.normal(0, 1.0, (5000, 2))
    found = agreement_of_repeats(first, second)
    assert found.sd == pytest.approx(math.hypot(2.0, 1.0), rel=0.03)
    assert agreement(first.mean(axis=1), second.mean(axis=1)).sd < 0.75 * found.sd


def test_what_cannot_be_analysed_is_refused() -> None:
    with pytest.raises(InputError, match="2 persons x 2 measurements"):
        icc(np.zeros((1, 3)), "ICC(1,1)")
    with pytest.raises(InputError, match="every person needs every score"):
        icc(np.array([[1.0, math.nan], [2.0, 3.0]]), "ICC(1,1)")
    with pytest.raises(InputError, match="repeat exactly"):
        icc(np.array([[1.0, 1.0], [2.0, 2.0]]), "ICC(3,1)")
    with pytest.raises(InputError, match="2 persons x 2 devices x 2 repetitions"):
        two_way(np.zeros((3, 1, 2)))
