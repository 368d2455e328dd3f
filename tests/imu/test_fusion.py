"""Orientation filters: known motion, every face of the cube, gaps, cuts, resume, and what counts as rest."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vqf import VQF

from imu import quaternion
from imu.block import FloatArray, ImuBlock, join
from imu.errors import InputError
from imu.fusion import FILTER_NAMES, NOISE_REACH, Orientation, OrientationFilter, RestNoise, make_filter

RATE = 100.0
UP = np.array([0.0, 0.0, 1.0])
FACES = [sign * axis for axis in np.eye(3) for sign in (1.0, -1.0)]


def motion(up_at_start: FloatArray, seconds: float = 20.0) -> tuple[ImuBlock, FloatArray]:
    """Return perfect samples of a sensor that starts with one face up, and its true orientation."""
    t = np.arange(int(seconds * RATE)) / RATE
    gyr = np.stack([1.2 * np.sin(1.3 * t), 0.8 * np.cos(0.9 * t), 0.7 * np.sin(0.5 * t + 1.0)], axis=-1)
    q = np.empty((len(t), 4))
    q[0] = quaternion.between(up_at_start, UP)
    for i in range(1, len(t)):
        q[i] = quaternion.multiply(q[i - 1], quaternion.from_rotation_vector(gyr[i] / RATE))
    return ImuBlock("S", t, gyr, quaternion.rotate(quaternion.conjugate(q), 9.81 * UP)), q


def tilt_error(q: FloatArray, truth: FloatArray) -> FloatArray:
    """Return the angle between estimated and true vertical, deg."""
    inverse = quaternion.conjugate(q)
    found = quaternion.rotate(inverse, UP)
    true = quaternion.rotate(quaternion.conjugate(truth), UP)
    return np.degrees(np.arccos(np.clip((found * true).sum(axis=-1), -1.0, 1.0)))


def at_rest(seconds: float, noise: RestNoise, seed: int = 0) -> ImuBlock:
    """Return a sensor on a table."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    gyr, acc = rng.normal(0.0, noise.gyr, (n, 3)), rng.normal(0.0, noise.acc, (n, 3))
    return ImuBlock("S", np.arange(n) / RATE, gyr, acc + 9.81 * UP)


def assert_same(found: Orientation, expected: Orientation) -> None:
    for name in ("t", "q", "rest", "gyr_bias", "gyr_bias_sigma", "lost_heading"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def fed(each: OrientationFilter, blocks: list[ImuBlock]) -> Orientation:
    """Return what a filter makes of blocks, as one."""
    parts = [each.feed(block) for block in blocks]
    columns = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("t", "q", "rest", "gyr_bias", "gyr_bias_sigma", "lost_heading")
    )
    return Orientation("S", *columns)


@pytest.mark.parametrize("name", FILTER_NAMES)
@pytest.mark.parametrize("face", range(6))
def test_every_filter_knows_which_way_is_up_on_every_face(name: str, face: int) -> None:
    block, truth = motion(FACES[face])
    found = make_filter(name, RATE).feed(block)
    assert tilt_error(found.q, truth).max() < 1.5
    turn = quaternion.multiply(truth, quaternion.conjugate(found.q))
    heading = 2.0 * np.arctan2(turn[:, 3], turn[:, 0])
    assert np.degrees(np.abs(quaternion.wrap(heading - heading[0]))).max() < 3.0


@pytest.mark.parametrize("name", FILTER_NAMES)
def test_a_still_gyroscope_does_not_stop_a_filter_from_looking_at_gravity(name: str) -> None:
    n = 3000
    acc = np.tile(9.81 * UP, (n, 1))
    acc[500:] = [0.0, 9.81, 0.0]
    found = make_filter(name, RATE).feed(ImuBlock("S", np.arange(n) / RATE, np.zeros((n, 3)), acc))
    up = quaternion.rotate(quaternion.conjugate(found.q[-1]), UP)
    assert float(up[1]) > math.cos(math.radians(15.0))


def test_vqf_in_batch_is_vqf_sample_by_sample() -> None:
    rng = np.random.default_rng(3)
    block, _ = motion(UP, 5.0)
    gyr, acc = block.gyr + rng.normal(0.0, 0.01, block.gyr.shape), block.acc
    noise = RestNoise.typical(RATE)
    peer = VQF(1.0 / RATE, restThGyr=math.degrees(NOISE_REACH * noise.gyr), restThAcc=NOISE_REACH * noise.acc)
    single = np.empty((len(gyr), 4))
    for i in range(len(gyr)):
        peer.update(np.ascontiguousarray(gyr[i]), np.ascontiguousarray(acc[i]))
        single[i] = peer.getQuat6D()
    found = make_filter("vqf", RATE).feed(ImuBlock("S", block.t, gyr, acc))
    np.testing.assert_array_equal(found.q, single)


def damaged(seed: int) -> ImuBlock:
    """Return noisy samples with unknown ones and gaps of every kind."""
    rng = np.random.default_rng(seed)
    block, _ = motion(FACES[seed % 6], 12.0)
    gyr, acc = block.gyr + rng.normal(0.0, 0.01, block.gyr.shape), block.acc.copy()
    keep = np.ones(len(block), np.bool_)
    for length in (1, 3, 8, 40, 90):
        start = int(rng.integers(1, len(block) - 100))
        if rng.random() < 0.5:
            gyr[start : start + length] = np.nan
        else:
            keep[start : start + length] = False
    acc[int(rng.integers(1, 1000))] = np.nan
    return ImuBlock("S", block.t[keep], gyr[keep], acc[keep])


@pytest.mark.parametrize("name", ["vqf", "mahony", "ekf"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 1199), max_size=30))
def test_cuts_change_nothing_and_a_saved_filter_goes_on(name: str, seed: int, cuts: list[int]) -> None:
    block = damaged(seed)[:250] if name != "vqf" else damaged(seed)
    bounds = [0, *sorted({cut for cut in cuts if cut < len(block)}), len(block)]
    pieces = [block[a:b] for a, b in pairwise(bounds)]
    whole = make_filter(name, RATE).feed(block)
    assert_same(fed(make_filter(name, RATE), pieces), whole)
    half = len(pieces) // 2
    first = make_filter(name, RATE)
    begun = [first.feed(piece) for piece in pieces[:half]]
    second = make_filter(name, RATE)
    second.restore(json.loads(json.dumps(first.save())))
    parts = begun + [second.feed(piece) for piece in pieces[half:]]
    np.testing.assert_array_equal(np.concatenate([part.q for part in parts]), whole.q)


@pytest.mark.parametrize("name", FILTER_NAMES)
def test_unknown_samples_stay_unknown_and_poison_nothing(name: str) -> None:
    block, truth = motion(UP)
    gyr = block.gyr.copy()
    gyr[700:703] = np.nan
    found = make_filter(name, RATE).feed(replace(block, gyr=gyr))
    assert np.isnan(found.q[700:703]).all()
    known = np.isfinite(found.q[:, 0])
    assert np.count_nonzero(~known) == 3
    assert tilt_error(found.q[known], truth[known]).max() < 2.0
    assert not found.lost_heading.any()


def test_a_gap_is_bridged_then_coasted_then_begun_anew() -> None:
    block, truth = motion(UP)
    for length, lost in ((4, 0.0), (40, 0.3), (80, math.pi)):
        parts = [block[:700], block[700 + length :]]
        found = make_filter("vqf", RATE).feed(join(parts))
        after = found.lost_heading[700]
        assert np.count_nonzero(found.lost_heading) == (lost > 0.0)
        assert (after == 0.0) if lost == 0.0 else (0.5 * lost <= after <= math.pi)
        kept = np.concatenate([truth[:700], truth[700 + length :]])
        assert tilt_error(found.q[705:], kept[705:]).max() < (1.0 if length == 4 else 8.0)
        heading = np.degrees(quaternion.angle_of(quaternion.multiply(quaternion.conjugate(found.q), kept)))
        if length < 80:
            assert abs(heading[710] - heading[690]) < math.degrees(max(2.0 * after, 0.02))


def test_a_table_is_rest_and_a_held_swaying_limb_is_not() -> None:
    noise = RestNoise.typical(RATE)
    table = make_filter("vqf", RATE, noise).feed(at_rest(60.0, noise))
    assert table.rest[300:].mean() > 0.9
    held = at_rest(60.0, noise)
    t = held.t
    angle = np.radians(0.7 * np.sin(2 * np.pi * t / 3.0) + 4.0 * np.sin(2 * np.pi * t / 30.0))
    gyr, acc = held.gyr.copy(), held.acc.copy()
    gyr[:, 0] += np.gradient(angle, t)
    acc += 9.81 * (np.stack([np.zeros_like(t), np.sin(angle), np.cos(angle)], axis=-1) - UP)
    limb = make_filter("vqf", RATE, noise).feed(ImuBlock("S", t, gyr, acc))
    assert limb.rest.mean() < 0.02
    loose = VQF(1.0 / RATE).updateBatch(gyr, acc)["restDetected"]
    assert loose.mean() > 0.5, "the library's own default takes this limb for resting"


def test_a_louder_sensor_rests_once_its_noise_is_measured() -> None:
    loud = RestNoise(math.radians(0.3), 0.05)
    block = at_rest(30.0, loud)
    assert make_filter("vqf", RATE).feed(block).rest.mean() < 0.1
    measured = RestNoise.measured(at_rest(10.0, loud, seed=1))
    assert measured.gyr == pytest.approx(loud.gyr, rel=0.1)
    assert measured.acc == pytest.approx(loud.acc, rel=0.1)
    found = make_filter("vqf", RATE, measured).feed(block)
    assert found.rest[300:].mean() > 0.9


def test_bias_is_found_at_rest_and_lies_within_its_sigma() -> None:
    bias = np.radians([0.4, -0.3, 0.2])
    inside: list[bool] = []
    for seed in range(20):
        block = at_rest(15.0, RestNoise.typical(RATE), seed)
        found = make_filter("vqf", RATE).feed(replace(block, gyr=block.gyr + bias))
        inside += (np.abs(found.gyr_bias[-1] - bias) < 3.0 * found.gyr_bias_sigma[-1]).tolist()
        assert np.degrees(np.abs(found.gyr_bias[-1] - bias)).max() < 0.02
    assert np.mean(inside) > 0.95


def test_a_magnetometer_fixes_heading() -> None:
    block, truth = motion(UP)
    field = quaternion.rotate(quaternion.conjugate(truth), np.array([0.0, 20.0, -45.0]))
    drifting = replace(block, gyr=block.gyr + np.radians([0.0, 0.0, 1.0]), mag=field)
    found = make_filter("vqf", RATE, magnetometer=True).feed(drifting)
    error = np.degrees(quaternion.angle_of(quaternion.multiply(quaternion.conjugate(found.q), truth)))
    assert error[-200:].max() < 5.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_filter("kalman", RATE), "unknown orientation filter 'kalman'; choose one of vqf"),
        (lambda: make_filter("vqf", 0.0), "between 5 and 2000 Hz, got 0"),
        (lambda: make_filter("mahony", RATE, magnetometer=True), "mahony is offered without magnetometer"),
        (lambda: RestNoise(0.0, 1.0), "rest noise must be positive"),
        (lambda: RestNoise.measured(at_rest(0.1, RestNoise.typical(RATE))), "needs 50 known samples"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_time_never_goes_back() -> None:
    block, _ = motion(UP, 2.0)
    each = make_filter("vqf", RATE)
    each.feed(block[50:])
    with pytest.raises(InputError, match="blocks must follow each other"):
        each.feed(block[:50])
