"""A change: injected, recovered, covered at the stated rate, worded with its yardstick."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from imu.block import FloatArray
from imu.errors import InputError
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import Movement, Side
from rom.compare import Target, compare
from rom.estimate import PRIOR_STRENGTH
from rom.sample import Aggregate, RepSample

CATALOGUE = load_catalogue()
AKE = CATALOGUE.movement("kn_ake")
FLEXION = CATALOGUE.movement("kn_flexion")
ROTATION = CATALOGUE.movement("cerv_rotation")
UNPUBLISHED = CATALOGUE.movement("an_pf")

WORLDS = 1000


def sample(
    degrees: FloatArray | list[float],
    movement: Movement = FLEXION,
    side: Side = "left",
    *,
    aggregate: Aggregate = "mean_2_to_k",
    restrapped: bool = False,
    sensor_sigma: float = 0.0,
) -> RepSample:
    values = np.radians(np.asarray(degrees, dtype=np.float64))
    return RepSample(values, movement, side, aggregate, restrapped=restrapped, sensor_sigma=sensor_sigma)


def worlds(count: int = WORLDS) -> Iterator[np.random.Generator]:
    return (np.random.default_rng(seed) for seed in range(count))


def tolerance(rate: float, count: int = WORLDS) -> float:
    """Four standard errors of a rate that was counted in so many worlds."""
    return 4.0 * math.sqrt(rate * (1.0 - rate) / count)


# ------------------------------------------------------------------------------------ known answers


def test_the_injected_change_is_the_change() -> None:
    before = [100.0, 102.0, 103.0, 101.0, 102.0]
    result = compare(sample(before), sample([value + 7.0 for value in before]))
    assert result.change.value == pytest.approx(math.radians(7.0))


def test_less_deficit_is_more_range() -> None:
    result = compare(sample([42.0, 42, 41, 42, 43], AKE), sample([34.0, 34, 33, 34, 35], AKE))
    assert result.change.value == pytest.approx(math.radians(8.0))
    assert result.sentence().startswith("Left knee straightening: +8° (95 % ")


@pytest.mark.parametrize(("reps", "units"), [(3, 2.27), (4, 1.73), (5, 1.46), (6, 1.29)])
def test_half_width_in_units_of_the_rep_sd(reps: int, units: float) -> None:
    spread = np.linspace(-1.0, 1.0, reps)
    spread /= spread.std(ddof=1)
    values = np.concatenate(([0.0], spread)) + 30.0
    plain = compare(sample(values, UNPUBLISHED), sample(values, UNPUBLISHED)).change.plain
    assert plain is not None
    assert math.degrees(plain.half_width()) == pytest.approx(units, abs=0.005)


@pytest.mark.parametrize("seed", range(20))
def test_the_plain_interval_is_the_two_sample_t_interval_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(50, 3, 6), rng.normal(55, 3, 5)
    ours = compare(sample(before, UNPUBLISHED), sample(after, UNPUBLISHED)).change.plain
    theirs = stats.ttest_ind(after[1:], before[1:]).confidence_interval(0.95)
    assert ours is not None
    assert np.degrees(ours.interval()) == pytest.approx([theirs.low, theirs.high])


def test_the_posterior_has_the_prior_in_it() -> None:
    """The formula of the clinical reference 2.4, written out once more."""
    before, after = np.array([60.0, 61, 64, 62, 63]), np.array([67.0, 68, 66, 67, 69])
    change = compare(sample(before), sample(after)).change
    nu0, sem0, k = PRIOR_STRENGTH, 2.7, 4
    squares = sum(float(np.sum((x[1:] - x[1:].mean()) ** 2)) for x in (before, after))
    variance = (nu0 * sem0**2 + squares) / (nu0 + 2 * k - 2)
    frozen = stats.t(nu0 + 2 * k - 2, loc=5.0, scale=math.sqrt(variance * 2 / k))
    assert np.degrees(change.estimate.interval()) == pytest.approx(frozen.interval(0.95))
    limit = change.yardstick.mdc95
    assert limit is not None
    assert change.estimate.probability_above(0.0) == pytest.approx(frozen.sf(0.0))
    assert change.estimate.probability_above(limit) == pytest.approx(frozen.sf(math.degrees(limit)))


def test_reliable_change_and_deficit() -> None:
    before, after = [60.0, 100, 100, 100, 100], [60.0, 112, 112, 112, 112]
    result = compare(sample(before), sample(after), target=Target("38 CFR", math.radians(140.0)))
    assert result.reliable_change_index == pytest.approx(12.0 / (math.sqrt(2.0) * 2.7))
    assert result.percent_of_deficit == pytest.approx(30.0)


def test_no_percentage_of_a_deficit_that_is_within_error() -> None:
    before = [60.0, 139, 139, 140, 139]
    near = compare(sample(before), sample(before), target=Target("38 CFR", math.radians(140.0)))
    assert near.percent_of_deficit is None


def test_best_of_three_takes_the_greatest_range() -> None:
    knee = sample([100.0, 104, 102, 110], aggregate="best_of_3")
    assert knee.value == pytest.approx(math.radians(104.0))
    deficit = sample([30.0, 26, 28, 20], AKE, aggregate="best_of_3")
    assert deficit.value == pytest.approx(math.radians(26.0))


def test_reps_count_from_the_second_of_two_that_agree() -> None:
    climbing = [90.0, 95.0, 97.0, 98.0, 97.0]
    assert sample(climbing).warm_ups == 2
    assert sample(climbing).value == pytest.approx(math.radians(292.0 / 3.0))
    assert sample(climbing, UNPUBLISHED).warm_ups == 1, "no SEM to agree within"
    assert sample([90.0, 95.0, 100.0, 105.0, 106.0]).warm_ups == 2, "three have to be left"
    assert sample([90.0, 95.0, 96.0, 97.0]).warm_ups == 1
    assert sample([100.0, 101.0, 99.0, 100.0]).warm_ups == 1


def test_only_the_first_repetition_warms_up() -> None:
    """When rep 1 does not count, rep 2 does."""
    values = np.radians([102.0, 104.0, 106.0])
    assert RepSample(values, FLEXION, "left", numbers=(2, 3, 5)).value == pytest.approx(math.radians(104.0))
    assert RepSample(values, FLEXION, "left").value == pytest.approx(math.radians(105.0))
    with pytest.raises(InputError, match="a number for each of 3 reps, got 2"):
        RepSample(values, FLEXION, "left", numbers=(1, 2))


# ------------------------------------------------------------------------------- the right yardstick


def test_straps_kept_on_need_no_published_mdc() -> None:
    quiet = [100.0, 100.2, 100.1, 100.3, 100.2]
    result = compare(sample(quiet, AKE), sample([value - 4.0 for value in quiet], AKE))
    assert result.change.judgement == "beyond error"
    assert result.change.yardstick.basis == "straps kept on"


def test_straps_put_on_again_use_at_least_the_published_mdc() -> None:
    quiet = [100.0, 100.2, 100.1, 100.3, 100.2]
    after = sample([value - 4.0 for value in quiet], AKE, restrapped=True)
    result = compare(sample(quiet, AKE), after)
    limit = result.change.yardstick.mdc95
    assert limit is not None
    assert limit >= 1.96 * math.sqrt(2.0) * math.radians(2.9)
    assert result.change.judgement == "within error"
    assert "straps put on again" in result.sentence()


def test_without_a_published_mdc_changed_straps_leave_it_open() -> None:
    before = [40.0, 41, 42, 41, 40]
    after = sample([50.0, 51, 52, 51, 50], UNPUBLISHED, restrapped=True)
    result = compare(sample(before, UNPUBLISHED), after)
    assert result.change.judgement == "can't tell"
    assert "no published MDC" in result.sentence()
    own = compare(sample(before, UNPUBLISHED), after, own_sem=math.radians(2.0))
    assert own.change.judgement == "beyond error"
    assert "own repeatability" in own.sentence()


def test_sensor_error_of_a_session_does_not_shrink_with_more_reps() -> None:
    sigma = math.radians(2.0)
    for reps in (5, 50, 500):
        values = 60.0 + np.tile([0.1, -0.1], reps)[:reps]
        noisy = sample(values, UNPUBLISHED, sensor_sigma=sigma)
        assert compare(noisy, noisy).change.estimate.half_width() > 1.959 * math.sqrt(2.0) * sigma


def test_strap_error_cancels_while_the_straps_stay() -> None:
    values = [60.0, 61, 62, 61, 60]
    bare = sample(values)
    strapped = replace(bare, strap_sigma=0.05, soft_tissue_sigma=0.02)
    assert compare(strapped, strapped).change.estimate == compare(bare, bare).change.estimate
    recalibrated = replace(strapped, alignment="another")
    assert compare(strapped, recalibrated).change.session_variance == pytest.approx(2 * 0.05**2)
    again = replace(strapped, restrapped=True)
    assert compare(strapped, again).change.session_variance == pytest.approx(2 * (0.05**2 + 0.02**2))


def test_the_classes_follow_the_limits() -> None:
    before = np.array([0.0, 59.0, 61.0, 59.0, 61.0])
    found = [compare(sample(before), sample(before + step)).change for step in np.linspace(0, 10, 201)]
    for change in found:
        limits = change.yardstick
        assert limits.mdc90 is not None
        assert limits.mdc95 is not None
        expected = (
            "beyond error"
            if change.value > limits.mdc95
            else "probably real"
            if change.value > limits.mdc90
            else "within error"
        )
        assert change.judgement == expected
        low, _ = change.estimate.interval()
        assert (low > 0) == (change.judgement == "beyond error")
    assert {change.judgement for change in found} == {"beyond error", "probably real", "within error"}


def test_three_reps_say_that_five_would_tell() -> None:
    """SD 2.83 of two used reps: 12.2 degrees of error then, 4.9 with four used reps of five."""
    three = compare(sample([100.0, 102, 98], UNPUBLISHED), sample([100.0, 107.5, 103.5], UNPUBLISHED))
    assert three.change.judgement == "can't tell"
    assert "Can't tell (3 reps; 5 would)." in three.sentence()
    less = compare(sample([100.0, 102, 98], UNPUBLISHED), sample([100.0, 106.0, 102.0], UNPUBLISHED))
    assert less.change.judgement == "within error", "five would not tell either"


def test_exact_permutation_states_its_floor() -> None:
    before, after = [100.0, 101, 102, 103, 104], [100.0, 111, 112, 113, 114]
    exact = compare(sample(before, UNPUBLISHED), sample(after, UNPUBLISHED)).change.exact
    assert exact is not None
    assert (exact.p, exact.floor, exact.splits) == (pytest.approx(2 / 70), pytest.approx(2 / 70), 70)


# ----------------------------------------------------------------------- coverage, at its stated rate


@pytest.mark.parametrize("reps", [3, 5])
def test_the_plain_interval_covers_whatever_the_scatter(reps: int) -> None:
    hits = 0
    for rng in worlds():
        truth, sd = rng.uniform(-10, 10), rng.uniform(0.2, 6.0)
        before = sample(60 + rng.normal(0, sd, reps), UNPUBLISHED)
        after = sample(60 + truth + rng.normal(0, sd, reps), UNPUBLISHED)
        low, high = compare(before, after).change.estimate.interval()
        hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.95, abs=tolerance(0.95))


def test_the_posterior_interval_covers_people_as_the_catalogue_expects_them() -> None:
    hits = 0
    for rng in worlds():
        truth = rng.uniform(-10, 10)
        sd = 2.7 * math.sqrt(PRIOR_STRENGTH / rng.chisquare(PRIOR_STRENGTH))
        before = sample(60 + rng.normal(0, sd, 5))
        after = sample(60 + truth + rng.normal(0, sd, 5))
        low, high = compare(before, after).change.estimate.interval()
        hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.95, abs=tolerance(0.95))


def test_covers_with_straps_put_on_again() -> None:
    """Each strapping brings an error of the published SEM that all its reps share."""
    hits = naive_hits = 0
    for rng in worlds():
        truth = rng.uniform(-10, 10)
        before = 60 + rng.normal(0, 2.7) + rng.normal(0, 2.0, 5)
        after = 60 + truth + rng.normal(0, 2.7) + rng.normal(0, 2.0, 5)
        low, high = compare(sample(before), sample(after, restrapped=True)).change.estimate.interval()
        hits += low <= math.radians(truth) <= high
        low, high = compare(sample(before), sample(after)).change.estimate.interval()
        naive_hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.955, abs=tolerance(0.955))
    assert naive_hits / WORLDS < 0.75, "the world must punish the wrong yardstick"


def test_covers_with_sensor_error_common_to_a_recording() -> None:
    hits = 0
    for rng in worlds():
        truth, sigma = rng.uniform(-10, 10), rng.uniform(0.5, 3.0)
        known = math.radians(sigma)
        before = sample(60 + rng.normal(0, sigma) + rng.normal(0, 1.0, 5), UNPUBLISHED, sensor_sigma=known)
        after = sample(
            60 + truth + rng.normal(0, sigma) + rng.normal(0, 1.0, 5), UNPUBLISHED, sensor_sigma=known
        )
        low, high = compare(before, after).change.estimate.interval()
        hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.95, abs=tolerance(0.95))


def warming(rng: np.random.Generator, level: float, gain: float, first: int, reps: int) -> FloatArray:
    """Reps whose range grows with the logarithm of how often the test was done."""
    return level + gain * np.log(np.arange(first, first + reps)) + rng.normal(0, 1.5, reps)


def test_the_trend_adjusted_change_covers_through_warm_up() -> None:
    hits = naive_hits = 0
    for rng in worlds():
        truth, gain = rng.uniform(-10, 10), rng.uniform(1.0, 4.0)
        before = sample(warming(rng, 60, gain, 1, 5), UNPUBLISHED)
        after = sample(warming(rng, 60 + truth, gain, 6, 5), UNPUBLISHED)
        result = compare(before, after)
        assert result.trend is not None
        low, high = result.trend.interval()
        hits += low <= math.radians(truth) <= high
        low, high = result.change.estimate.interval()
        naive_hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.95, abs=tolerance(0.95))
    assert naive_hits / WORLDS < 0.85, "the world must punish ignoring the warm-up"


def test_the_difference_in_differences_covers_through_warm_up() -> None:
    hits = 0
    for rng in worlds():
        truth, gain = rng.uniform(-10, 10), rng.uniform(1.0, 4.0)
        sides: list[tuple[Side, float]] = [("left", truth), ("right", 0.0)]
        pairs = [
            (
                sample(60 + rng.normal(0, 1.5, 5), UNPUBLISHED, side),
                sample(60 + change + gain + rng.normal(0, 1.5, 5), UNPUBLISHED, side),
            )
            for side, change in sides
        ]
        result = compare(*pairs[0], control=pairs[1])
        assert result.control is not None
        low, high = result.control.beyond.interval()
        hits += low <= math.radians(truth) <= high
    assert hits / WORLDS == pytest.approx(0.95, abs=tolerance(0.95))


def test_no_change_is_called_beyond_error_one_time_in_twenty() -> None:
    calls = 0
    for rng in worlds():
        before, after = (sample(60 + rng.normal(0, 2.0, 5), UNPUBLISHED) for _ in range(2))
        calls += compare(before, after).change.judgement == "beyond error"
    assert calls / WORLDS == pytest.approx(0.05, abs=tolerance(0.05))


# ----------------------------------------------------------------------------------------- invariance


@pytest.mark.parametrize("seed", range(10))
def test_mirroring_the_person_changes_only_the_word_for_the_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(60, 2, 5), rng.normal(64, 2, 5)
    left = compare(sample(before, ROTATION, "left"), sample(after, ROTATION, "left"))
    right = compare(sample(before, ROTATION, "right"), sample(after, ROTATION, "right"))
    assert left.change == right.change
    assert left.sentence().replace("left", "right") == right.sentence()


@pytest.mark.parametrize("seed", range(10))
def test_the_unit_carries_no_meaning(seed: int) -> None:
    """Everything that is not an angle stays when all angles are halved."""
    rng = np.random.default_rng(seed)
    before, after = rng.normal(60, 2, 5), rng.normal(64, 2, 5)
    whole = compare(sample(before, UNPUBLISHED), sample(after, UNPUBLISHED)).change
    half = compare(sample(before / 2, UNPUBLISHED), sample(after / 2, UNPUBLISHED)).change
    assert half.value == pytest.approx(whole.value / 2)
    assert half.estimate.probability_above(0.0) == pytest.approx(whole.estimate.probability_above(0.0))
    assert half.exact == whole.exact
    assert half.judgement == whole.judgement


@pytest.mark.parametrize("seed", range(10))
def test_backwards_in_time_the_change_turns_round(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = sample(rng.normal(60, 2, 5)), sample(rng.normal(64, 2, 5))
    there, back = compare(before, after).change, compare(after, before).change
    assert back.value == -there.value
    assert back.estimate.scale == there.estimate.scale
    assert back.judgement == there.judgement


# -------------------------------------------------------------------------------- words and refusals


def test_the_sentence_of_the_story() -> None:
    left = sample([43.0, 42, 43, 41, 42], AKE), sample([35.0, 34, 35, 33, 34], AKE)
    right = sample([31.0, 30, 31, 29, 30], AKE, "right"), sample([29.0, 28, 29, 27, 28], AKE, "right")
    result = compare(*left, control=right)
    limit = math.degrees(result.change.yardstick.mdc95 or math.nan)
    assert result.sentence() == (
        "Left knee straightening: +8° (95 % +5 to +11). "
        f"Beyond measurement error ({limit:.1f}°, straps kept on). "
        "About 2° of it is warm-up: the untreated right side gained 2°."
    )


def test_a_control_that_did_not_change_clears_the_warm_up() -> None:
    left = sample([43.0, 42, 43, 41, 42], AKE), sample([35.0, 34, 35, 33, 34], AKE)
    still = sample([31.0, 30, 31, 29, 30], AKE, "right")
    assert "Warm-up does not explain it: the untreated right side changed by 0°." in (
        compare(*left, control=(still, still)).sentence()
    )


def test_without_a_control_the_sentence_says_what_is_missing() -> None:
    pre, post = sample([60.0, 64, 65, 66, 67], UNPUBLISHED), sample([78.0, 78, 79, 78, 79], UNPUBLISHED)
    assert "may be warm-up, by the trend over the reps before; no untreated side was tested" in (
        compare(pre, post).sentence()
    )


def test_the_athletes_sentence() -> None:
    before = sample([42.0, 43, 41, 42, 42], AKE)
    after = sample([41.0, 42, 40, 41, 41], AKE, restrapped=True)
    text = compare(before, after).home_sentence("Tuesday")
    assert text.startswith("About the same as Tuesday (+1°; changes under 8.")
    assert text.endswith("° can be chance).")


@pytest.mark.parametrize("seed", range(40))
def test_the_athletes_three_figures_add_up_as_they_are_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = sample(rng.uniform(20.0, 40.0) + rng.normal(0.0, 0.3, 5), AKE)
    after = sample(rng.uniform(20.0, 40.0) + rng.normal(0.0, 0.3, 5), AKE, restrapped=True)
    found = compare(before, after)
    shown = round(math.degrees(before.value)) - round(math.degrees(after.value))
    said = re.search(r"\(([+−]?\d+)°;", found.home_sentence("Tuesday"))
    assert said is not None
    assert int(said[1].replace("−", "-")) == shown
    assert abs(shown - math.degrees(found.change.value)) <= 1.0


@pytest.mark.parametrize("shift", [-12.0, -1.0, 0.0, 2.0, 4.0, 12.0])
@pytest.mark.parametrize("restrapped", [False, True])
@pytest.mark.parametrize("movement", [AKE, UNPUBLISHED, ROTATION])
def test_no_sentence_claims_more_than_a_measurement(
    shift: float, restrapped: bool, movement: Movement
) -> None:
    before = np.array([60.0, 61, 62, 61, 60])
    result = compare(sample(before, movement), sample(before + shift, movement, restrapped=restrapped))
    for text in (result.sentence(), result.home_sentence("Tuesday")):
        for word in ("significant", "normal", "healed", "improved"):
            assert word not in text.lower()


def test_what_a_joint_cannot_do_comes_first() -> None:
    odd = sample([-96.0, -95, -97, -96, -96], AKE)
    result = compare(odd, sample([35.0, 34, 35, 33, 34], AKE))
    assert result.sentence().startswith(
        "Left knee straightening of −96° cannot be (0° to 90°): check side, straps and calibration."
    )
    assert result.to_document()["doubts"] == [result.sentence().split(". ")[0]]


def test_the_document_is_json_in_degrees() -> None:
    document = compare(sample([60.0, 61, 62, 61, 60]), sample([70.0, 71, 72, 71, 70])).to_document()
    assert json.loads(json.dumps(document)) == document
    assert document["pre_deg"] == pytest.approx(61.0)
    change = document["change"]
    assert isinstance(change, dict)
    assert change["value_deg"] == pytest.approx(10.0)


def test_what_does_not_measure_the_same_is_not_compared() -> None:
    values = [60.0, 61, 62, 61, 60]
    with pytest.raises(InputError, match="of one movement, got kn_flexion and kn_ake"):
        compare(sample(values), sample(values, AKE))
    with pytest.raises(InputError, match="of one side, got left and right"):
        compare(sample(values), sample(values, side="right"))
    with pytest.raises(InputError, match="the same end of a rep, got headline and peak"):
        compare(sample(values), replace(sample(values), end="peak"))
    with pytest.raises(InputError, match="summed up in one way"):
        compare(sample(values), sample(values, aggregate="best_of_3"))
    with pytest.raises(InputError, match="control must be another side or another movement"):
        compare(sample(values), sample(values), control=(sample(values), sample(values)))


def test_too_few_or_unknown_reps_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 valid reps, got 1; record five"):
        sample([60.0])
    with pytest.raises(InputError, match="at least 3 valid reps, got 2"):
        sample([60.0, 61.0], aggregate="best_of_3")
    with pytest.raises(InputError, match="finite angle"):
        sample([60.0, math.nan, 61.0])
    with pytest.raises(InputError, match="at least two reps on one side"):
        compare(sample([60.0, 61.0], UNPUBLISHED), sample([60.0, 61.0], UNPUBLISHED))
