"""Orientation in the light of a whole recording: nearer to the truth, alike in both directions of time."""

import math
from dataclasses import replace

import numpy as np
import pytest
from vqf import offlineVQF

from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.fusion import NOISE_REACH, RestNoise, hindsight, make_filter

RATE = 100.0
UP = np.array([0.0, 0.0, 1.0])
NOISE = RestNoise.typical(RATE)
BIAS = np.radians([0.4, -0.3, 0.5])


def turning(
    seconds: float, seed: int, still: float = 0.0, *, level: bool = False
) -> tuple[ImuBlock, FloatArray]:
    """Return noisy samples of a sensor that lies still, then turns and shakes, and its true orientation.

    If level it only turns about the vertical, where gravity shows no bias.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    moves = np.clip(t - still, 0.0, 1.0)[:, None]
    gyr = moves * np.stack([1.2 * np.sin(1.3 * t), 0.8 * np.cos(0.9 * t), 0.7 * np.sin(0.5 * t)], axis=1)
    gyr *= np.array([0.0, 0.0, 1.0]) if level else 1.0
    q = np.empty((len(t), 4))
    q[0] = quaternion.from_rotation_vector(rng.normal(0.0, 0.5, 3) * (0.0 if level else 1.0))
    for i in range(1, len(t)):
        q[i] = quaternion.multiply(q[i - 1], quaternion.from_rotation_vector(gyr[i] / RATE))
    shaken = 1.5 * moves * np.sin(rng.uniform(1.5, 4.0, 3) * t[:, None] + rng.uniform(0.0, 6.0, 3))
    acc = quaternion.rotate(quaternion.conjugate(q), 9.81 * UP + shaken)
    gyr = gyr + rng.normal(0.0, NOISE.gyr, gyr.shape)
    return ImuBlock("S", t, gyr, acc + rng.normal(0.0, NOISE.acc, acc.shape)), q


def tilt_error(q: FloatArray, truth: FloatArray) -> FloatArray:
    """Return the angle between estimated and true vertical, deg."""
    found, true = (quaternion.rotate(quaternion.conjugate(each), UP) for each in (q, truth))
    return np.degrees(np.arccos(np.clip((found * true).sum(axis=-1), -1.0, 1.0)))


def heading_error(q: FloatArray, truth: FloatArray) -> FloatArray:
    """Return the estimated minus the true heading, deg, from that of the first sample on."""
    turn = quaternion.multiply(q, quaternion.conjugate(truth))
    heading = 2.0 * np.arctan2(turn[:, 3], turn[:, 0])
    return np.degrees(quaternion.wrap(heading - heading[0]))


def biased(block: ImuBlock, bias: FloatArray = BIAS) -> ImuBlock:
    return replace(block, gyr=block.gyr + bias)


def rms(values: FloatArray) -> float:
    return math.sqrt(float(np.mean(values**2)))


def test_without_gaps_and_bias_it_is_the_library_s_own() -> None:
    block, _ = turning(30.0, 1)
    thresholds = {"restThGyr": math.degrees(NOISE_REACH * NOISE.gyr), "restThAcc": NOISE_REACH * NOISE.acc}
    peer = offlineVQF(block.gyr, block.acc, None, 1.0 / RATE, thresholds)  # type: ignore[arg-type]
    found = hindsight("vqf", block, RATE)
    assert tilt_error(found.q, peer["quat6D"]).max() < 0.05
    np.testing.assert_array_equal(found.rest, peer["restDetected"])


def test_it_is_nearer_to_the_truth_than_what_was_seen_live() -> None:
    for seed in (1, 2, 3):
        block, truth = turning(40.0, seed)
        block = biased(block)
        errors = [
            rms(tilt_error(each.q, truth))
            for each in (hindsight("vqf", block, RATE), make_filter("vqf", RATE).feed(block))
        ]
        assert errors[0] < 0.7 * errors[1]


def test_a_still_sensor_tells_its_bias_to_the_first_and_the_last_sample() -> None:
    rng = np.random.default_rng(7)
    n = 2000
    gyr, acc = rng.normal(0.0, NOISE.gyr, (n, 3)), rng.normal(0.0, NOISE.acc, (n, 3)) + 9.81 * UP
    found = hindsight("vqf", ImuBlock("S", np.arange(n) / RATE, gyr + BIAS, acc), RATE)
    assert np.degrees(np.abs(found.gyr_bias - BIAS)).max() < 0.01
    assert found.rest.all()
    assert (found.gyr_bias_sigma > 0.0).all()
    assert np.degrees(found.gyr_bias_sigma).max() < 0.05
    assert np.abs(heading_error(found.q, np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)))).max() < 0.1


def test_bias_learnt_on_the_table_is_not_lost_in_the_movement_behind_it() -> None:
    block, truth = turning(120.0, 4, still=8.0, level=True)
    block = biased(block)
    peer = offlineVQF(block.gyr, block.acc, None, 1.0 / RATE)
    found = hindsight("vqf", block, RATE)
    drift = [float(np.abs(heading_error(q, truth)[-200:]).mean()) for q in (found.q, peer["quat6D"])]
    assert drift[0] < 0.5 * drift[1]
    about_vertical = np.abs(quaternion.rotate(found.q, found.gyr_bias - BIAS)[:, 2])
    assert float(np.mean(about_vertical <= 2.0 * found.gyr_bias_sigma)) > 0.95


def test_it_is_the_same_in_both_directions_of_time() -> None:
    block, _ = turning(60.0, 5)
    forth = hindsight("vqf", biased(block), RATE)
    rates = np.roll(-(block.gyr + BIAS)[::-1], 1, axis=0)  # each leads to its sample, in either direction
    mirrored = ImuBlock("S", block.t, rates, block.acc[::-1].copy())
    back = hindsight("vqf", mirrored, RATE)
    middle = slice(1500, -1500)
    assert tilt_error(back.q[::-1], forth.q)[middle].max() < 0.5
    assert np.degrees(np.abs(back.gyr_bias[::-1] + forth.gyr_bias)[middle]).max() < 0.1
    np.testing.assert_array_equal(back.rest[::-1], forth.rest)


def test_a_gap_stays_unknown_and_costs_what_it_costs_live() -> None:
    block, truth = turning(40.0, 6)
    gyr, keep = block.gyr + BIAS, np.ones(len(block), np.bool_)
    gyr[700:703] = np.nan
    keep[1500:1530] = False
    gyr[2500:2600] = np.nan
    broken = ImuBlock("S", block.t[keep], gyr[keep], block.acc[keep])
    found, live = hindsight("vqf", broken, RATE), make_filter("vqf", RATE).feed(broken)
    unknown = np.isnan(broken.gyr[:, 0])
    for column in (found.q, found.gyr_bias, found.gyr_bias_sigma[:, None]):
        np.testing.assert_array_equal(np.isnan(column), np.tile(unknown[:, None], (1, column.shape[1])))
    assert not found.rest[unknown].any()
    np.testing.assert_array_equal(found.lost_heading, live.lost_heading)
    whole = hindsight("vqf", replace(block, gyr=block.gyr + BIAS), RATE)
    known = ~unknown
    assert rms(tilt_error(found.q, truth[keep])[known]) < 1.3 * rms(tilt_error(whole.q, truth))


def test_behind_a_long_gap_heading_goes_on_and_bias_is_still_known() -> None:
    block, truth = turning(60.0, 8, still=6.0, level=True)
    keep = (block.t < 30.0) | (block.t > 32.0)
    broken = replace(biased(block), t=block.t[keep], gyr=(block.gyr + BIAS)[keep], acc=block.acc[keep])
    found = hindsight("vqf", broken, RATE)
    after = int(np.searchsorted(broken.t, 32.0))
    step = quaternion.multiply(found.q[after], quaternion.conjugate(found.q[after - 1]))
    assert abs(math.degrees(2.0 * math.atan2(float(step[3]), float(step[0])))) < 1e-6
    assert np.degrees(np.abs(found.gyr_bias[after:] - BIAS)).max() < 0.2
    assert tilt_error(found.q[after:], truth[keep][after:]).max() < 3.0


def test_a_field_fixes_the_heading_unless_it_pauses() -> None:
    block, truth = turning(60.0, 9)
    field = quaternion.rotate(quaternion.conjugate(truth), np.array([0.0, 20.0, -40.0]))
    slow = field.copy()
    slow[np.arange(len(slow)) % 5 != 0] = np.nan
    for mag in (field, slow):
        found = hindsight("vqf", replace(biased(block), mag=mag), RATE, magnetometer=True)
        turn = quaternion.multiply(found.q, quaternion.conjugate(truth))
        assert np.degrees(np.abs(quaternion.wrap(2.0 * np.arctan2(turn[:, 3], turn[:, 0])))).max() < 3.0
    pausing = field.copy()
    pausing[3000:3200] = np.nan
    paused = replace(biased(block), mag=pausing)
    found = hindsight("vqf", paused, RATE, magnetometer=True)
    live = make_filter("vqf", RATE, magnetometer=True).feed(paused)
    np.testing.assert_array_equal(found.q, live.q)


@pytest.mark.parametrize("name", ["madgwick", "aqua"])
def test_filters_without_an_offline_form_stay_as_they_were_live(name: str) -> None:
    block = turning(3.0, 1)[0]
    np.testing.assert_array_equal(hindsight(name, block, RATE).q, make_filter(name, RATE).feed(block).q)


def test_what_make_filter_refuses_is_refused() -> None:
    block = turning(1.0, 1)[0]
    with pytest.raises(InputError, match="unknown orientation filter"):
        hindsight("magic", block, RATE)
    with pytest.raises(InputError, match="without magnetometer"):
        hindsight("ekf", block, RATE, magnetometer=True)


@pytest.mark.parametrize("known", [0, 1, 2, 5])
def test_few_samples_are_no_trouble(known: int) -> None:
    block = turning(1.0, 1)[0][:20]
    gyr = np.full_like(block.gyr, np.nan)
    gyr[:known] = block.gyr[:known]
    found = hindsight("vqf", replace(block, gyr=gyr), RATE)
    assert np.isfinite(found.q[:known]).all()
    assert np.isnan(found.q[known:]).all()
