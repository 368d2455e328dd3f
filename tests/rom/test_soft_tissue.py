"""The allowance for soft tissue: sourced, apart from the sensors, and what of it stays with the straps."""

import math
from dataclasses import replace

import numpy as np
import pytest

from imu.block import FloatArray
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import AngleRule
from rom.compare import compare
from rom.sample import RepSample
from rom.soft_tissue import SoftTissue, soft_tissue
from rom.symmetry import symmetry

CATALOGUE = load_catalogue()
DEG = math.pi / 180.0


def allowance(name: str) -> SoftTissue:
    movement = CATALOGUE.movement(name)
    return soft_tissue(movement.angle, movement.proximal_segment, movement.distal_segment)


def sample(degrees: list[float], name: str, tissue: SoftTissue) -> RepSample:
    values = np.radians(degrees)
    sigma = tissue.of_strapping(float(np.median(values)))
    return RepSample(
        values, CATALOGUE.movement(name), "left", soft_tissue_sigma=sigma, soft_tissue_share=tissue.share
    )


@pytest.mark.parametrize("name", list(CATALOGUE.movements))
def test_every_movement_has_an_allowance_and_a_source(name: str) -> None:
    tissue = allowance(name)
    assert tissue.source
    assert 0.0 <= tissue.spread <= tissue.share
    angles = [tissue.of_angle(math.radians(angle)) for angle in (0.0, 45.0, 90.0, -90.0)]
    assert 0.0 < angles[0] <= angles[1] <= angles[2] == angles[3]
    assert tissue.of_change(0.0) == 0.0
    assert tissue.of_range(0.0) == tissue.range
    movement = CATALOGUE.movement(name)
    assert (
        soft_tissue(
            movement.angle, *movement.segments("midline" if movement.laterality == "midline" else "left")
        )
        == tissue
    )


def test_what_was_measured_comes_back() -> None:
    knee = allowance("kn_flexion")
    assert (knee.of_angle(2.0), knee.of_range(2.0)) == pytest.approx((2.2 * DEG, 2.9 * DEG))
    lost = 1.0 - 1.0 / (1.0 + allowance("sh_er90").share)
    assert 0.26 < lost < 0.36
    assert 0.149 < 1.0 - 1.0 / (1.0 + allowance("fa_pronation").share) < 0.432
    assert 0.053 < allowance("el_flexion").share < 0.091
    top = allowance("sh_abduction")
    assert top.share * 120.0 == pytest.approx(4.0 * math.sqrt(math.pi / 2.0))


def test_a_turn_about_the_length_is_the_least_sure() -> None:
    for turned, bent in (
        ("sh_er90", "sh_abduction"),
        ("fa_pronation", "el_flexion"),
        ("hip_ir", "hip_flexion"),
    ):
        assert allowance(turned).of_range(1.0) > 1.3 * allowance(bent).of_range(1.0)


def test_gravity_on_one_segment_has_nothing_that_grows_with_a_joint() -> None:
    rule = AngleRule("inclination", 0, 1, 1, "upperarm", "vertical")
    assert soft_tissue(rule, "thorax", "upperarm").share == 0.0


def skin(rng: np.random.Generator, tissue: SoftTissue, people: int) -> tuple[FloatArray, FloatArray]:
    """Return what skin does with every person's angles: a share of them, and something of its own."""
    return 1.0 + tissue.share * rng.standard_normal(people), tissue.angle * rng.standard_normal(people)


def test_between_tests_with_the_straps_kept_on_only_the_change_itself_is_stretched() -> None:
    rng = np.random.default_rng(4)
    tissue = allowance("sh_er90")
    before, change = 60.0 * DEG, 12.0 * DEG
    stretched, moved = skin(rng, tissue, 20_000)
    seen = (stretched * (before + change) + moved) - (stretched * before + moved)
    assert np.std(seen) == pytest.approx(tissue.of_change(change), rel=0.03)
    np.testing.assert_allclose((stretched * before + moved) - (stretched * before + moved), 0.0)


def test_a_difference_tells_its_soft_tissue_apart() -> None:
    tissue = allowance("el_flexion")
    before = [118.0, 120.0, 121.0, 120.0, 119.0]
    pre = sample(before, "el_flexion", tissue)
    post = sample([value + 10.0 for value in before], "el_flexion", tissue)
    kept = compare(pre, post).change
    assert kept.parts.soft_tissue == pytest.approx(tissue.of_change(10.0 * DEG))
    assert not kept.parts.in_interval
    bare = [replace(each, soft_tissue_sigma=0.0, soft_tissue_share=0.0) for each in (pre, post)]
    assert kept.estimate == compare(*bare).change.estimate
    again = compare(pre, replace(post, restrapped=True)).change
    assert again.parts.in_interval
    assert again.parts.soft_tissue > 1.4 * tissue.angle
    assert again.session_variance >= pre.soft_tissue_sigma**2 + post.soft_tissue_sigma**2
    sides = symmetry(pre, replace(post, side="right")).difference
    assert sides.parts.in_interval
    assert sides.document()["soft_tissue_sd_deg"] == pytest.approx(math.degrees(again.parts.soft_tissue))
