"""Alignment by taps: an injected offset comes back, and what is no tap is refused."""

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.errors import InputError
from imu.taps import RESIDUAL_MOST, align_all, align_by_taps

TAPS = (2.0, 2.8, 3.5)


def tapped(
    name: str, rate: float, *, shift: float = 0.0, taps: tuple[float, ...] = TAPS, seed: int = 1
) -> ImuBlock:
    """Return a still sensor that feels taps; its clock reads `shift` too little."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, 6.0, 1.0 / rate) + rng.uniform(0.0, 1.0 / rate)
    acc = rng.normal(0.0, 0.1, (len(t), 3)) + np.array([0.0, 0.0, 9.81])
    for tap in taps:
        acc[:, 2] += 25.0 * np.exp(-0.5 * ((t - tap) / 0.015) ** 2)
    return ImuBlock(name, t - shift, np.zeros_like(acc), acc)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rates", [(60.0, 60.0), (100.0, 60.0), (200.0, 104.0)])
def test_an_injected_offset_is_found(seed: int, rates: tuple[float, float]) -> None:
    shift = float(np.random.default_rng(seed).uniform(-0.15, 0.15))
    found = align_by_taps(
        tapped("a", rates[0], seed=seed), tapped("b", rates[1], shift=shift, seed=seed + 100)
    )
    assert found.offset == pytest.approx(shift, abs=0.003)
    assert found.residual < 0.006
    assert found.taps == pytest.approx(TAPS, abs=0.01)


def test_two_taps_are_not_enough() -> None:
    with pytest.raises(InputError, match="three clear taps were expected, found 2"):
        align_by_taps(tapped("a", 100.0, taps=TAPS[:2]), tapped("b", 100.0))


def test_a_fourth_tap_is_one_too_many() -> None:
    with pytest.raises(InputError, match="three clear taps"):
        align_by_taps(tapped("a", 100.0, taps=(*TAPS, 5.0)), tapped("b", 100.0))


def test_a_sensor_that_felt_nothing_is_named() -> None:
    with pytest.raises(InputError, match="sensor b did not feel the tap"):
        align_by_taps(tapped("a", 100.0), tapped("b", 100.0, taps=()))


def test_an_offset_beyond_the_search_is_refused() -> None:
    with pytest.raises(InputError, match="sensor b"):
        align_by_taps(tapped("a", 100.0), tapped("b", 100.0, shift=0.4))


def test_missing_samples_do_not_hide_the_taps() -> None:
    block = tapped("a", 100.0)
    acc = block.acc.copy()
    acc[50:60] = np.nan
    found = align_by_taps(ImuBlock("a", block.t, block.gyr, acc), tapped("b", 100.0, shift=0.02, seed=5))
    assert found.offset == pytest.approx(0.02, abs=0.003)


def test_every_other_sensor_is_aligned_with_the_first() -> None:
    blocks = {
        name: tapped(name, 100.0, shift=shift, seed=seed)
        for seed, (name, shift) in enumerate({"a": 0.0, "b": 0.03, "c": -0.08}.items())
    }
    found = align_all(blocks)
    assert list(found) == ["b", "c"]
    assert found["b"].offset == pytest.approx(0.03, abs=0.003)
    assert found["c"].offset == pytest.approx(-0.08, abs=0.003)


def test_taps_that_disagree_are_refused_with_by_how_much() -> None:
    """The second tap reached the other sensor 30 ms later: the offsets are 0, 30 and 0 ms, their mean 10."""
    torn = tapped("b", 100.0, taps=(TAPS[0], TAPS[1] + 0.03, TAPS[2]), seed=9)
    disagree = align_by_taps(tapped("a", 100.0), torn)
    assert disagree.residual == pytest.approx(0.02, abs=0.004)
    assert disagree.residual > RESIDUAL_MOST
    with pytest.raises(InputError, match=r"taps of b and a disagree by (1[6-9]|2[0-4]) ms, at most 10 ms"):
        align_all({"a": tapped("a", 100.0), "b": torn})
