"""Colours that tell sides apart do so with a colour deficiency too, and all stand out from the ground."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("screen")

DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""Linear RGB as it is seen: severity 1 of Machado, Oliveira, Fernandes 2009 (IEEE TVCG 15:1291), compared
digit by digit with the table in colorspacious 1.1.2; rows add up to one, which a test holds."""

CLEARLY_APART = 20.0
"""CIE 1976 colour difference: ten times what is just noticed side by side (about 2.3)."""
THEMES = ("dark", "light", "contrast")
TEXT, LARGE = 4.5, 3.0
"""Least contrast of text, and of large text and of what is drawn (WCAG 2.2, 1.4.3 and 1.4.11)."""


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0.0, 1.0) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16.0 / 116.0)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


def apart(one: str, other: str, deficiency: str) -> float:
    matrix = DEFICIENCIES[deficiency]
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(other))))


def contrast(one: str, other: str) -> float:
    light, dark = sorted(
        (float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def theme_of(name: str) -> Any:
    from tools.app.theme import THEMES as KNOWN

    assert set(KNOWN) == set(THEMES)
    return KNOWN[name]


def test_a_deficiency_leaves_grey_as_it_is() -> None:
    for matrix in DEFICIENCIES.values():
        assert matrix.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert apart("#ff0000", "#00aa00", "deuteranopia") < 0.5 * apart("#ff0000", "#00aa00", "none")


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("name", THEMES)
def test_left_right_and_before_stay_apart(name: str, deficiency: str) -> None:
    theme = theme_of(name)
    for one, other in combinations((theme.left, theme.right, theme.before), 2):
        assert apart(one, other, deficiency) > CLEARLY_APART, (one, other)


@pytest.mark.parametrize("name", THEMES)
def test_words_and_curves_stand_out(name: str) -> None:
    theme = theme_of(name)
    for ground in (theme.ground, theme.panel):
        for ink in (theme.ink, theme.soft, theme.live, theme.weak, theme.lost):
            assert contrast(ink, ground) >= TEXT, (ink, ground)
        for drawn in (theme.left, theme.right, theme.midline, theme.before, theme.accent):
            assert contrast(drawn, ground) >= LARGE, (drawn, ground)
    assert contrast(theme.on_accent, theme.accent) >= TEXT
    if name == "contrast":
        assert contrast(theme.ink, theme.ground) > 15.0
        assert contrast(theme.line, theme.ground) > 15.0
