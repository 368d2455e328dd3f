"""The tracker: live is replay to the last bit, truth comes back within sigma, and what is missing is said."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from rom.angles import GAP, HEADING_UNKNOWN, SATURATED, UNCALIBRATED, UNSURE, JointSeries, join_series
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import AngleRule
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.reading import TrackedSensor, TrackerSetup
from rom.tracker import JointTracker

FIELDS = ("t", "angle", "sigma", "flags", "support", "strap_sigma", "heading_sigma")
AXIS = np.array([0.0, 0.0, 1.0])


@cache
def limb(
    seed: int = 1, side: str = "right", heading: float = 0.0, non_hinge: float = math.radians(3.0)
) -> LimbRecording:
    """Return a knee that is calibrated, then bent and straightened three times."""
    programme = (
        TableRest(5.0, 3.0),
        Neutral(2.0),
        Functional(3),
        Reps(3, math.radians(80), math.radians(15)),
    )
    spec = LimbSpec(programme=programme, side=side, heading=heading, non_hinge=non_hinge)
    return simulate_limb(spec, seed)


def known_straps(of: LimbRecording, sigma: float = 0.0) -> JointCalibration:
    """Return the calibration that a limb was really built with, and how sure it is said to be, rad."""
    proximal, distal = [
        SegmentAlignment(sensor, segment, quaternion.conjugate(q), np.eye(3) * sigma**2)
        for sensor, segment, q in zip(
            of.sensors, of.spec.segments, of.truth.q_segment_from_sensor, strict=True
        )
    ]
    return JointCalibration("knee", 1, proximal, distal, AXIS, AXIS, math.radians(1.0))


def setup_of(of: LimbRecording) -> TrackerSetup:
    """Return how a limb is tracked."""
    proximal, distal = (TrackedSensor(sensor, of.spec.rate) for sensor in of.sensors)
    return TrackerSetup(
        load_catalogue().movement("kn_ake").angle,
        "left" if of.spec.side == "left" else "right",
        distal,
        proximal,
        known_straps(of),
        centre=math.radians(70.0),
        worn_from=of.truth.mounted,
    )


def tracked(setup: TrackerSetup, blocks: list[ImuBlock]) -> JointSeries:
    """Return the angles of blocks in order."""
    tracker = JointTracker(setup)
    return join_series([*(tracker.feed(block) for block in blocks), tracker.finish()])


def assert_same(found: JointSeries, expected: JointSeries) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def errors(of: LimbRecording, series: JointSeries) -> FloatArray:
    """Return the error of the primary angle where it is known, rad, from five seconds after mounting."""
    at = np.rint(series.t * of.spec.rate).astype(np.int64)
    use = (at < len(of.truth.t)) & (series.t > of.truth.mounted + 14.0) & np.isfinite(series.angle[:, 0])
    return series.angle[use, 0] - of.truth.angle_sensor[at[use], 0]


@cache
def short() -> tuple[TrackerSetup, tuple[ImuBlock, ...], JointSeries]:
    """Return a stretch with unknown and saturated samples and gaps, and its angles in one piece."""
    of = limb()
    setup = replace(setup_of(of), worn_from=9.0)
    blocks: list[ImuBlock] = []
    for number, sensor in enumerate(of.sensors):
        whole = of.blocks[sensor]
        block = whole[int(np.searchsorted(whole.t, 7.0)) : int(np.searchsorted(whole.t, 14.0))]
        gyr = block.gyr.copy()
        gyr[300 + 50 * number : 304 + 50 * number] = np.nan
        gyr[500:530] = np.nan
        keep = np.ones(len(block), np.bool_)
        keep[650 : 680 + 60 * number] = False
        blocks.append(ImuBlock(sensor, block.t[keep], gyr[keep], block.acc[keep]))
    return setup, tuple(blocks), tracked(setup, blocks)


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.sampled_from([1, 2, 7, 60, 400]), min_size=1))
def test_replay_is_live_to_the_last_bit_however_the_streams_are_cut(seed: int, sizes: list[int]) -> None:
    setup, blocks, expected = short()
    rng = np.random.default_rng(seed)
    tracker, at, parts = JointTracker(setup), [0, 0], list[JointSeries]()
    while at[0] < len(blocks[0]) or at[1] < len(blocks[1]):
        which = int(rng.integers(2))
        which = which if at[which] < len(blocks[which]) else 1 - which
        for size in rng.permutation(sizes).tolist():
            parts.append(tracker.feed(blocks[which][at[which] : at[which] + size]))
            at[which] += size
        if rng.random() < 0.02:
            state = json.loads(json.dumps(tracker.save()))
            tracker = JointTracker(setup)
            tracker.restore(state)
    assert_same(join_series([*parts, tracker.finish()]), expected)


def test_sample_by_sample_is_all_at_once() -> None:
    setup, blocks, expected = short()
    tracker, parts = JointTracker(setup), list[JointSeries]()
    for i in range(max(len(block) for block in blocks)):
        parts += [tracker.feed(block[i : i + 1]) for block in blocks if i < len(block)]
    assert_same(join_series([*parts, tracker.finish()]), expected)


def test_gaps_are_unknown_flagged_and_over_when_they_are_over() -> None:
    _, _, series = short()
    unknown = np.isnan(series.angle[:, 0])
    worn = series.t >= 9.0
    assert (series.flags[unknown & worn] & (GAP | HEADING_UNKNOWN)).all()
    inside = (series.t > 7.0 + 500 / 120 + 0.02) & (series.t < 7.0 + 529 / 120)
    assert unknown[inside].all()
    assert (series.flags[inside] & GAP).all()
    assert (series.flags[inside] & SATURATED).all()
    bridged = (series.t > 7.0 + 302 / 120) & (series.t < 7.0 + 303 / 120)
    assert not (series.flags[bridged] & GAP).any()
    after = (series.t > 13.3) & (series.t < 13.9)
    assert after.any()
    assert not (series.flags[after] & (GAP | SATURATED)).any()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_angle_that_was_moved_comes_back_within_its_sigma(side: str, seed: int) -> None:
    of = limb(seed, side)
    series = tracked(setup_of(of), list(of.merged()))
    error = errors(of, series)
    assert len(error) > 1500
    at = np.rint(series.t * of.spec.rate).astype(np.int64)
    use = (at < len(of.truth.t)) & (series.t > of.truth.mounted + 14.0) & np.isfinite(series.angle[:, 0])
    assert np.mean(np.abs(error) < 2.0 * series.sigma[use, 0]) > 0.9
    assert math.degrees(float(np.std(error))) < 2.0
    assert not (series.flags[use] & (GAP | SATURATED | UNCALIBRATED)).any()


def test_turning_the_whole_person_changes_no_answer() -> None:
    here, there = limb(4), limb(4, heading=2.0)
    a, b = (errors(of, tracked(setup_of(of), list(of.merged()))) for of in (here, there))
    n = min(len(a), len(b))
    assert np.degrees(np.abs(a[:n] - b[:n])).max() < 0.6


def test_sigma_grows_with_what_is_not_known_about_the_straps() -> None:
    of = limb()
    setup = setup_of(of)
    sure = tracked(setup, list(of.merged()))
    unsure = tracked(replace(setup, calibration=known_straps(of, math.radians(6.0))), list(of.merged()))
    use = np.isfinite(sure.sigma[:, 0]) & (sure.t > 20.0)
    expected = np.hypot(sure.sigma[use, 0], math.sqrt(2.0) * math.radians(6.0))
    np.testing.assert_allclose(unsure.sigma[use, 0], expected, rtol=0.05)
    np.testing.assert_allclose(unsure.strap_sigma[use], math.sqrt(2.0) * math.radians(6.0), rtol=0.05)


def test_nothing_is_known_before_the_sensors_are_worn() -> None:
    of = limb()
    series = tracked(setup_of(of), list(of.merged()))
    before = series.t < of.truth.mounted
    assert before.any()
    assert np.isnan(series.angle[before]).all()
    assert (series.flags[before] & UNSURE).all()


def test_a_rate_at_the_end_of_the_range_is_unknown_and_said() -> None:
    setup, blocks, _ = short()
    limited = replace(
        setup,
        distal=replace(setup.distal, gyr_range=math.radians(60.0)),
    )
    series = tracked(limited, list(blocks))
    fast = blocks[1].t[(np.abs(blocks[1].gyr) >= 0.99 * math.radians(60.0)).any(axis=1)]
    assert len(fast)
    at = np.searchsorted(series.t, fast[(fast > 9.0) & (fast < series.t[-1] - 0.1)])
    assert (series.flags[at] & SATURATED).all()


@pytest.mark.parametrize("turns", [1, -1])
def test_an_angle_that_passes_half_a_turn_does_not_flip(turns: int) -> None:
    rate, n = 100.0, 2200
    t = np.arange(n) / rate
    angle = turns * np.radians(np.interp(t, [6.0, 16.0], [100.0, 230.0]))
    angle[t < 6.0] = turns * np.radians(np.interp(t[t < 6.0], [2.0, 6.0], [0.0, 100.0]))
    still = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.full(n, np.pi / 2.0))
    moving = quaternion.multiply(still, quaternion.from_axis_angle(AXIS, angle))
    blocks: list[ImuBlock] = []
    for name, q in (("p", still), ("d", moving)):
        step = quaternion.multiply(quaternion.conjugate(q[:-1]), q[1:])
        gyr = np.concatenate([np.zeros((1, 3)), quaternion.to_rotation_vector(step) * rate])
        up = quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 9.81]))
        blocks.append(ImuBlock(name, t, gyr, up))
    proximal, distal = SegmentAlignment.identity("p", "thigh"), SegmentAlignment.identity("d", "shank")
    setup = TrackerSetup(
        AngleRule("cardan_zxy", 0, 1, 1),
        "right",
        TrackedSensor("d", rate),
        TrackedSensor("p", rate),
        JointCalibration("j", 1, proximal, distal, AXIS, AXIS, 0.01),
        centre=turns * math.radians(90.0),
    )
    series = tracked(setup, blocks)
    known = np.isfinite(series.angle[:, 0]) & (series.t > 4.0)
    assert np.degrees(series.angle[known, 0][-1]) == pytest.approx(turns * 230.0, abs=3.0)
    assert np.degrees(np.abs(np.diff(series.angle[known, 0]))).max() < 5.0


def test_one_sensor_measures_from_the_start_pose() -> None:
    of = limb(2, non_hinge=0.0)
    setup = replace(setup_of(of), proximal=None)
    series = tracked(setup, [of.blocks[of.sensors[1]]])
    late = series.t > of.truth.mounted + 12.0
    moved = np.ptp(np.degrees(series.angle[late, 0]))
    true = np.ptp(np.degrees(of.truth.angle_sensor[of.truth.t > of.truth.mounted + 12.0, 0]))
    assert moved == pytest.approx(true, abs=12.0)
    assert np.isnan(series.support).all()


def test_without_calibration_zero_is_the_start_pose_and_it_says_so() -> None:
    of = limb(3)
    series = tracked(replace(setup_of(of), calibration=None), list(of.merged()))
    worn = series.t >= of.truth.mounted
    assert (series.flags[worn] & UNCALIBRATED).all()
    first = int(np.argmax(np.isfinite(series.angle[:, 0])))
    assert series.angle[first, 0] == pytest.approx(0.0, abs=1e-7)
    at = np.rint(series.t * of.spec.rate).astype(np.int64)
    known = np.isfinite(series.angle[:, 0]) & (at < len(of.truth.t))
    true = np.abs(of.truth.angle_sensor[at[known], 0] - of.truth.angle_sensor[at[first], 0])
    miss = np.abs(series.angle[known, 0] - true)
    assert np.mean(miss < 2.0 * series.sigma[known, 0]) > 0.9


def test_a_block_of_another_sensor_is_none_of_its_business() -> None:
    setup, blocks, _ = short()
    assert len(JointTracker(setup).feed(replace(blocks[0], sensor="stranger"))) == 0
