"""How often a limb went there and back, told while it does."""

import math

import numpy as np
import pytest

from calibration.swings import Swings
from imu.block import ImuBlock
from rom.limb import simulate_limb
from rom.limb_script import Functional, Neutral
from rom.limb_world import LimbSpec

RATE = 60.0


def block(gyr: np.ndarray, rate: float = RATE) -> ImuBlock:
    n = len(gyr)
    return ImuBlock("left_shank", np.arange(n) / rate, gyr, np.tile([0.0, 0.0, 9.81], (n, 1)))


def swinging(times: float, reach_deg: float, period: float, axis: np.ndarray) -> np.ndarray:
    t = np.arange(round(times * period * RATE) + 1) / RATE
    rate = math.radians(reach_deg) / 2.0 * np.sin(2.0 * np.pi * t / period) * 2.0 * np.pi / period
    return rate[:, None] * axis


@pytest.mark.parametrize("times", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(("reach", "period"), [(30.0, 1.0), (60.0, 3.0), (130.0, 3.0)])
def test_it_counts_what_was_done_about_any_axis_amid_noise(times: int, reach: float, period: float) -> None:
    rng = np.random.default_rng(times)
    axis = rng.standard_normal(3)
    gyr = swinging(times, reach, period, axis / np.linalg.norm(axis))
    gyr += 0.01 * rng.standard_normal(gyr.shape) + math.radians(0.5)
    seen = Swings()
    seen.feed(block(gyr))
    assert seen.times == pytest.approx(times, abs=0.25)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_calibration_fills_its_four_bars(seed: int) -> None:
    limb = simulate_limb(LimbSpec((Neutral(3.0), Functional(4)), side="left"), seed)
    seen = Swings()
    for each in limb.blocks.values():
        seen.feed(each)
    assert seen.times == pytest.approx(4.0, abs=0.3)


def test_standing_still_fills_nothing() -> None:
    rng = np.random.default_rng(3)
    sway = swinging(20, 4.0, 2.0, np.array([0.0, 0.0, 1.0]))
    seen = Swings()
    seen.feed(block(sway + 0.01 * rng.standard_normal(sway.shape)))
    assert seen.times < 0.1


def test_it_never_falls_and_is_blind_to_how_samples_are_cut() -> None:
    gyr = swinging(3, 90.0, 2.0, np.array([0.6, 0.0, 0.8]))
    gyr[100:103] = np.nan
    whole, cut, shown = Swings(), Swings(), [0.0]
    one = block(gyr)
    whole.feed(one)
    for start in range(0, len(one), 7):
        cut.feed(one[start : start + 7])
        shown.append(cut.times)
    assert cut.times == whole.times
    assert shown == sorted(shown)
    assert shown[len(shown) // 2] == pytest.approx(1.5, abs=0.4)
