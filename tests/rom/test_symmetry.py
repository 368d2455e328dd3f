"""Left against right: closed forms, refusals, degrees before percentages."""

import json
import math

import numpy as np
import pytest

from imu.block import FloatArray
from imu.errors import InputError
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import Movement, Side
from rom.sample import Aggregate, RepSample
from rom.symmetry import (
    bilateral_asymmetry_index,
    limb_symmetry_index,
    normalised_index,
    robinson_index,
    symmetry,
    symmetry_angle,
)

CATALOGUE = load_catalogue()
KNEE = CATALOGUE.movement("kn_flexion")
AKE = CATALOGUE.movement("kn_ake")
UNPUBLISHED = CATALOGUE.movement("an_pf")


def sample(
    degrees: FloatArray | list[float],
    movement: Movement = KNEE,
    side: Side = "left",
    *,
    aggregate: Aggregate = "mean_2_to_k",
    strap_sigma: float = 0.0,
) -> RepSample:
    values = np.radians(np.asarray(degrees, dtype=np.float64))
    return RepSample(values, movement, side, aggregate, strap_sigma=strap_sigma)


def around(level: float) -> list[float]:
    return [level - 3, level - 0.5, level + 0.5, level, level]


# ------------------------------------------------------------------------------------- closed forms


def test_robinson_of_38_and_44() -> None:
    assert robinson_index(44.0, 38.0) == pytest.approx(14.6, abs=0.05)


def test_symmetry_angle_of_38_and_44() -> None:
    assert symmetry_angle(44.0, 38.0) == pytest.approx(4.65, abs=0.005)


def test_limb_symmetry_and_bilateral_asymmetry_of_38_and_44() -> None:
    assert limb_symmetry_index(38.0, 44.0) == pytest.approx(86.3636, abs=1e-4)
    assert bilateral_asymmetry_index(44.0, 38.0) == pytest.approx(100 - 86.3636, abs=1e-4)


def test_normalised_index_divides_by_the_range_from_zero() -> None:
    assert normalised_index(44.0, 38.0, 50.0, 30.0) == pytest.approx(12.0)
    assert normalised_index(44.0, 38.0, 50.0, -10.0) == pytest.approx(10.0)


@pytest.mark.parametrize("seed", range(30))
def test_equal_sides_are_zero_and_swapping_turns_the_sign(seed: int) -> None:
    right, left = np.random.default_rng(seed).uniform(5, 150, 2)
    for index in (robinson_index, symmetry_angle):
        assert index(right, right) == pytest.approx(0.0)
        assert index(left, right) == pytest.approx(-index(right, left))
    assert bilateral_asymmetry_index(left, right) == bilateral_asymmetry_index(right, left)


@pytest.mark.parametrize("seed", range(30))
def test_percentages_do_not_know_the_unit(seed: int) -> None:
    right, left = np.random.default_rng(seed).uniform(5, 150, 2)
    for index in (robinson_index, symmetry_angle, bilateral_asymmetry_index, limb_symmetry_index):
        assert index(math.radians(right), math.radians(left)) == pytest.approx(index(right, left))


@pytest.mark.parametrize("turn", np.linspace(0.0, 2 * math.pi, 25))
def test_the_symmetry_angle_stays_within_a_hundred(turn: float) -> None:
    assert -100.0 <= symmetry_angle(math.cos(turn), math.sin(turn)) <= 100.0


# --------------------------------------------------------------------------------------- the verdict


def test_the_difference_in_degrees_comes_first() -> None:
    result = symmetry(sample(around(110)), sample(around(130), side="right"))
    assert math.degrees(result.right_minus_left) == pytest.approx(20.0)
    text = result.sentence()
    assert text.startswith("Left knee bending against right: 20° short (95 % −")
    assert "Within error of equal? No (MDC" in text
    assert text.index("20°") < text.index("85 %")


def test_it_says_what_the_difference_was() -> None:
    right = sample(around(130), side="right")
    before, after = symmetry(sample(around(110)), right), symmetry(sample(around(126)), right)
    assert "4° short (95 % " in after.sentence(before)
    assert "; was 20° short)" in after.sentence(before)


def test_a_longer_deficit_is_a_shorter_range() -> None:
    result = symmetry(sample(around(42), AKE), sample(around(30), AKE, "right"))
    assert "12° short" in result.sentence()
    assert result.difference.value == pytest.approx(math.radians(-12.0))


def test_the_involved_side_is_the_one_spoken_of() -> None:
    left, right = sample(around(110)), sample(around(130), side="right")
    result = symmetry(left, right, involved="right")
    assert result.sentence().startswith("Right knee bending against left: 20° more")
    assert result.indices is not None
    assert result.indices.lsi == pytest.approx(100 * 130 / 110)


def test_the_yardstick_between_sides_is_the_published_one_at_least() -> None:
    still = [120.0] * 5
    limit = symmetry(sample(still), sample(still, side="right")).difference.yardstick.mdc95
    assert limit is not None
    assert limit >= 1.96 * math.sqrt(2) * math.radians(2.7)


@pytest.mark.parametrize("seed", range(20))
def test_mirroring_the_person_mirrors_the_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(110, 2, 5), rng.normal(130, 2, 5)
    there = symmetry(sample(one), sample(other, side="right"), involved="left")
    back = symmetry(sample(other), sample(one, side="right"), involved="right")
    assert there.difference == back.difference
    assert there.indices is not None
    assert back.indices is not None
    assert back.indices.lsi == there.indices.lsi
    assert back.indices.robinson == pytest.approx(-there.indices.robinson)
    assert back.indices.angle == pytest.approx(-there.indices.angle)
    assert back.indices.bilateral == there.indices.bilateral


def test_an_injected_asymmetry_is_covered_at_the_stated_rate() -> None:
    """Each side brings a strapping error of the published SEM on top of the scatter of its reps."""
    count, hits = 1500, 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(-15, 15)
        left = 110 + rng.normal(0, 2.7) + rng.normal(0, 2.0, 5)
        right = 110 + truth + rng.normal(0, 2.7) + rng.normal(0, 2.0, 5)
        low, high = symmetry(
            sample(left), sample(right, side="right"), involved="right"
        ).difference.estimate.interval()
        hits += low <= math.radians(truth) <= high
    assert hits / count == pytest.approx(0.955, abs=4 * math.sqrt(0.955 * 0.045 / count))


# ------------------------------------------------------------------------------------------ refusals


def test_no_percentage_of_a_small_range() -> None:
    result = symmetry(sample(around(10)), sample(around(30), side="right"))
    assert result.indices is None
    assert "No percentage: the left side (10°) is less than twice the MDC" in result.sentence()
    assert result.to_document()["indices"] is None


def test_what_a_joint_cannot_do_comes_first() -> None:
    result = symmetry(sample(around(42), AKE), sample(around(120), AKE, "right"))
    assert result.sentence().startswith("Right knee straightening of 120° cannot be (0° to 90°)")
    assert result.to_document()["doubts"]


def test_no_percentage_at_or_below_zero() -> None:
    extension = CATALOGUE.movement("kn_extension")
    result = symmetry(sample(around(-4), extension), sample(around(2), extension, "right"))
    assert "No percentage: the left side is −4°" in result.sentence()


def test_the_refusal_starts_at_twice_the_mdc() -> None:
    levels = np.linspace(8, 40, 65)
    for level in levels:
        left = sample(around(float(level)))
        result = symmetry(left, sample(around(60), side="right"))
        limit = result.difference.yardstick.mdc95
        assert limit is not None
        assert (result.indices is None) == (left.value < 2 * limit)


def test_without_a_published_mdc_sides_stay_open_unless_the_strapping_is_known() -> None:
    left, right = sample(around(40), UNPUBLISHED), sample(around(60), UNPUBLISHED, "right")
    unknown = symmetry(left, right)
    assert unknown.difference.judgement == "can't tell"
    assert unknown.indices is None
    known = math.radians(1.0)
    result = symmetry(
        sample(around(40), UNPUBLISHED, strap_sigma=known),
        sample(around(60), UNPUBLISHED, "right", strap_sigma=known),
    )
    assert result.difference.judgement == "beyond error"
    assert "own repeatability" in result.difference.yardstick.basis


def test_what_does_not_pair_is_refused() -> None:
    left, right = sample(around(60)), sample(around(60), side="right")
    with pytest.raises(InputError, match="needs a left and a right test, got left and left"):
        symmetry(left, left)
    with pytest.raises(InputError, match="left test first"):
        symmetry(right, left)
    with pytest.raises(InputError, match="of one movement"):
        symmetry(left, sample(around(60), AKE, "right"))
    with pytest.raises(InputError, match="summed up in one way"):
        symmetry(left, sample(around(60), side="right", aggregate="best_of_3"))


@pytest.mark.parametrize("gap", [0.0, 3.0, 6.0, 9.0, 30.0])
def test_no_sentence_claims_more_than_a_measurement(gap: float) -> None:
    text = symmetry(sample(around(60)), sample(around(60 + gap), side="right")).sentence().lower()
    for word in ("significant", "normal", "healed", "improved"):
        assert word not in text


def test_the_document_is_json_in_degrees() -> None:
    document = symmetry(sample(around(110)), sample(around(130), side="right")).to_document()
    assert json.loads(json.dumps(document)) == document
    assert document["right_minus_left_deg"] == pytest.approx(20.0)
