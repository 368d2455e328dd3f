"""Common instants: known turns recovered, gaps unknown, and no memory of how the streams were cut."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.fusion import Orientation, make_filter
from imu.sync import PATIENCE, Frames, Synchroniser

NAMES = [field.name for field in fields(Frames)]


def turning(sensor: str, t: FloatArray, seed: int) -> tuple[Orientation, ImuBlock]:
    """Return a sensor that turns at random, about a degree or two between samples."""
    rng = np.random.default_rng(seed)
    n = len(t)
    q = np.empty((n, 4))
    q[0] = quaternion.normalise(rng.normal(size=4))
    for i in range(1, n):
        q[i] = quaternion.multiply(q[i - 1], quaternion.from_rotation_vector(rng.normal(0.0, 0.03, 3)))
    q[rng.random(n) < 0.5] *= -1.0
    block = ImuBlock(sensor, t, rng.normal(size=(n, 3)), rng.normal(size=(n, 3)))
    bias = np.full((n, 3), 0.01)
    return Orientation(sensor, t, q, rng.random(n) < 0.5, bias, rng.random(n), np.zeros(n)), block


def part(orientation: Orientation, block: ImuBlock, span: slice) -> tuple[Orientation, ImuBlock]:
    """Return a stretch of a sensor."""
    o = orientation
    cut = Orientation(
        o.sensor,
        o.t[span],
        o.q[span],
        o.rest[span],
        o.gyr_bias[span],
        o.gyr_bias_sigma[span],
        o.lost_heading[span],
    )
    return cut, block[span]


def joined(parts: list[Frames]) -> dict[str, FloatArray]:
    """Return consecutive frames as one."""
    return {name: np.concatenate([getattr(each, name) for each in parts]) for name in NAMES}


def whole(sensors: list[tuple[Orientation, ImuBlock]], rate: float = 100.0) -> dict[str, FloatArray]:
    """Return the frames of sensors fed one after the other in one piece each."""
    rates = {block.sensor: float(np.rint(1.0 / np.median(np.diff(block.t)))) for _, block in sensors}
    sync = Synchroniser(list(rates), rate, rates)
    return joined([sync.feed(*each) for each in sensors] + [sync.finish()])


def test_orientation_is_scipys_slerp_and_rates_are_linear() -> None:
    a = turning("a", 0.0031 + np.arange(500) / 100.0, 1)
    b = turning("b", 0.21 + np.arange(300) / 60.0, 2)
    frames = whole([a, b])
    inside = (frames["t"] >= b[1].t[0]) & (frames["t"] <= min(a[1].t[-1], b[1].t[-1]))
    np.testing.assert_allclose(frames["t"] * 100.0, np.rint(frames["t"] * 100.0), atol=1e-9)
    assert frames["t"][0] == pytest.approx(0.21)
    for i, (orientation, block) in enumerate((a, b)):
        felt = Rotation.from_rotvec((0.01 - block.gyr) * (0.5 / (100.0, 60.0)[i]))
        at_samples = Rotation.from_quat(orientation.q, scalar_first=True) * felt
        truth = Slerp(block.t, at_samples)(frames["t"][inside])
        found = Rotation.from_quat(frames["q"][inside, i], scalar_first=True)
        assert np.abs((truth.inv() * found).magnitude()).max() < 1e-7
        for axis in range(3):
            expected = np.interp(frames["t"][inside], block.t, block.gyr[:, axis] - 0.01)
            np.testing.assert_allclose(frames["gyr"][inside, i, axis], expected, atol=1e-9)


def test_sensors_of_one_body_do_not_turn_against_each_other_whatever_their_rates() -> None:
    rates = {"slow": 50.0, "fast": 200.0}
    sync = Synchroniser(list(rates), 100.0, rates)
    parts: list[Frames] = []
    for sensor, rate in rates.items():
        t = np.arange(0.0, 20.0, 1.0 / rate)
        turn = 1.2 * (1.0 - np.cos(5.0 * t))
        gyr = np.outer(6.0 * np.sin(5.0 * t), [1.0, 0.0, 0.0])
        acc = 9.81 * np.stack([np.zeros_like(t), np.sin(turn), np.cos(turn)], axis=1)
        block = ImuBlock(sensor, t, gyr, acc)
        parts.append(sync.feed(make_filter("vqf", rate).feed(block), block))
    frames = parts[-1][1500:]
    turned = quaternion.multiply(quaternion.conjugate(frames.q[:, 0]), frames.q[:, 1])
    assert np.degrees(quaternion.angle_of(turned)).max() < 0.3
    truth = 1.2 * (1.0 - np.cos(5.0 * frames.t))
    for i in range(2):
        found = quaternion.twist(frames.q[:, i], np.array([1.0, 0.0, 0.0]))
        assert np.degrees(np.abs(quaternion.wrap(found - truth))).max() < 0.5


def test_a_gap_stays_unknown_and_a_bridged_one_does_not() -> None:
    t = np.arange(400) / 100.0
    a, (o, block) = turning("a", t, 1), turning("b", t + 0.002, 2)
    o.q[100:104] = np.nan
    o.q[200:210] = np.nan
    o.lost_heading[210] = 0.25
    frames = whole([a, (o, block)])
    known = np.isfinite(frames["q"][:, 1, 0])
    gone = frames["t"][~known & (frames["t"] < 3.9)]
    assert gone.min() == pytest.approx(2.0, abs=0.011)
    assert gone.max() == pytest.approx(2.1, abs=0.011)
    assert np.isfinite(frames["q"][:399, 0]).all()
    assert np.count_nonzero(frames["lost_heading"]) == 1
    assert frames["lost_heading"][:, 1].max() == 0.25
    assert frames["t"][np.argmax(frames["lost_heading"][:, 1])] == pytest.approx(2.11)


@settings(max_examples=25)
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_cuts_interleaving_and_resuming_change_no_bit(data: st.DataObject, seed: int) -> None:
    a = turning("a", 0.0 + np.arange(200) / 100.0, seed)
    b = turning("b", 0.05 + np.arange(120) / 60.0, seed + 1)
    b[0].q[40:48] = np.nan
    a[0].lost_heading[90] = 0.1
    expected = whole([a, b])
    rates = {"a": 100.0, "b": 60.0}
    sync = Synchroniser(["a", "b"], 100.0, rates)
    streams, at, parts = [a, b], [0, 0], list[Frames]()
    while at[0] < 200 or at[1] < 120:
        which = data.draw(st.integers(0, 1))
        which = which if at[which] < len(streams[which][1]) else 1 - which
        size = data.draw(st.sampled_from([1, 2, 5, 37, 200]))
        parts.append(sync.feed(*part(*streams[which], slice(at[which], at[which] + size))))
        at[which] += size
        if data.draw(st.integers(0, 4)) == 0:
            state = json.loads(json.dumps(sync.save()))
            sync = Synchroniser(["a", "b"], 100.0, rates)
            sync.restore(state)
    found = joined([*parts, sync.finish()])
    for name in NAMES:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_a_dead_sensor_holds_the_others_back_only_so_long() -> None:
    t = np.arange(0.0, PATIENCE + 5.0, 0.1)
    a, b = turning("a", t, 1), turning("b", t[:20], 2)
    sync = Synchroniser(["a", "b"], 10.0)
    sync.feed(*b)
    frames = sync.feed(*a)
    assert frames.t[-1] == pytest.approx(5.0, abs=0.11)
    assert np.isnan(frames.q[-1, 1]).all()
    assert np.isfinite(frames.q[-1, 0]).all()


def test_strangers_and_nonsense_are_refused() -> None:
    sync = Synchroniser(["a"], 10.0)
    with pytest.raises(InputError, match="sensor b is not one of"):
        sync.feed(*turning("b", np.arange(3) / 10.0, 0))
    with pytest.raises(InputError, match="different sensors"):
        Synchroniser(["a", "a"], 10.0)
    with pytest.raises(InputError, match="must be positive"):
        Synchroniser(["a"], math.nan)


@pytest.mark.parametrize(("batch", "given"), [(1, 4), (6, 6), (40, 40)])
def test_instants_wait_for_a_group_but_then_none_that_is_there_waits(batch: int, given: int) -> None:
    a = turning("a", np.arange(481) / 120.0, 3)
    alone, grouped = Synchroniser(["a"], 120.0), Synchroniser(["a"], 120.0, together=4)
    steps = [part(*a, slice(k, k + batch)) for k in range(0, 480, batch)]
    single, together = ([sync.feed(*step) for step in steps] for sync in (alone, grouped))
    assert {len(each) for each in together if len(each)} <= {given, given - 1, given + 1}
    ends = np.cumsum([[len(one), len(many)] for one, many in zip(single, together, strict=True)], axis=0)
    late = ends[:, 0] - ends[:, 1]
    assert late.max() < 4
    assert batch == 1 or not late.any()
    whole_single, whole_together = joined([*single, alone.finish()]), joined([*together, grouped.finish()])
    for name in NAMES:
        np.testing.assert_array_equal(whole_single[name], whole_together[name])
