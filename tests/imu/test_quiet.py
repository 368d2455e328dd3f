"""Noise of a sensor at rest: what was put in comes back, and a living limb is never taken for a table."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.block import ImuBlock
from imu.quiet import LEAST_SECONDS, NoiseMeter

RATE = 100.0


def resting(seconds: float, gyr: float, acc: float, seed: int, sway: float = 0.0) -> ImuBlock:
    """Return a sensor on a table, or held in a hand that sways at 1 Hz, rad/s."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    t = 3.3 + np.arange(n) / RATE
    turn = 0.02 + rng.normal(0.0, gyr, (n, 3))
    turn[:, 1] += sway * np.sin(2.0 * np.pi * t)
    return ImuBlock("s", t, turn, np.array([0.0, 0.0, 9.81]) + rng.normal(0.0, acc, (n, 3)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [0.2, 1.0, 20.0])
def test_the_noise_put_in_comes_back(seed: int, scale: float) -> None:
    meter = NoiseMeter(RATE)
    meter.add(resting(8.0, 1e-3 * scale, 0.02 * scale, seed))
    noise = meter.result()
    assert noise is not None
    assert noise.gyr == pytest.approx(1e-3 * scale, rel=0.1)
    assert noise.acc == pytest.approx(0.02 * scale, rel=0.1)


@pytest.mark.parametrize("sway", [5.0, 30.0])
def test_a_hand_is_no_table(sway: float) -> None:
    meter = NoiseMeter(RATE)
    meter.add(resting(20.0, 1e-3, 0.02, 1, sway=sway * 1e-3))
    assert meter.result() is None


def test_too_little_rest_says_nothing() -> None:
    meter = NoiseMeter(RATE)
    meter.add(resting(LEAST_SECONDS - 0.5, 1e-3, 0.02, 1))
    assert meter.result() is None


def test_a_sensor_that_repeats_one_value_has_no_known_noise() -> None:
    still = resting(10.0, 0.0, 0.02, 1)
    meter = NoiseMeter(RATE)
    meter.add(still)
    assert meter.result() is None


def test_unknown_samples_cost_their_second_only() -> None:
    broken = resting(8.0, 1e-3, 0.02, 2)
    broken.gyr[250] = np.nan
    meter = NoiseMeter(RATE)
    meter.add(broken)
    noise = meter.result()
    assert noise is not None
    assert noise.gyr == pytest.approx(1e-3, rel=0.1)


@given(cuts=st.lists(st.integers(0, 700), max_size=12))
@settings(max_examples=40, deadline=None)
def test_cuts_change_no_bit(cuts: list[int]) -> None:
    block = resting(7.0, 1e-3, 0.02, 3)
    whole, pieces = NoiseMeter(RATE), NoiseMeter(RATE)
    whole.add(block)
    bounds = [0, *sorted(cuts), len(block)]
    for first, last in pairwise(bounds):
        pieces.add(block[first:last])
    assert pieces.result() == whole.result()
