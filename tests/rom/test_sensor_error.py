"""Intervals hold the truth: errors are drawn, carried through exact rotations, met by the stated sigma."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.expected import USUAL, Expected
from calibration.heading_series import Heading, blank, unmoved
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray
from imu.sync import Frames
from imu.virtual import CONSUMER, MID, RESEARCH, SensorGrade, draw_errors
from rom.angles import JointSeries, angle_errors, joint_angles
from rom.catalogue.movement import AngleRule
from rom.reading import TrackedSensor, TrackerSetup, reader
from rom.sensor_error import DRIFT, HINGE, IN_INTERVAL, Lasting, range_sigma

KNEE = AngleRule("cardan_zxy", 0, -1, -1)
SEEDS = 2000
UPRIGHT = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), math.pi / 2.0)
OFFSET = 0.02 * STANDARD_GRAVITY
BEND = math.radians(3.5)
TURN = np.diag(np.radians([0.6, 0.6, 3.0]) ** 2)
RATE = 100.0


def drawn(rng: np.random.Generator, covariance: FloatArray, shape: tuple[int, ...] = (SEEDS,)) -> FloatArray:
    """Return turns (*shape, 4) whose rotation vectors have a covariance."""
    root = np.linalg.cholesky(covariance + 1e-18 * np.eye(3))
    return quaternion.from_rotation_vector(rng.standard_normal((*shape, 3)) @ root.T)


class People:
    """Two tests of many people: the angles shown, the true ones, and what is said of their errors."""

    def __init__(self, rng: np.random.Generator, *, fast: bool = False) -> None:
        straps = np.diag([BEND**2, math.radians(5.0) ** 2, BEND**2])
        none = np.zeros((3, 3))
        alignment = drawn(rng, straps)
        self.errors, self.off = [], []
        for _ in range(2):
            heading = quaternion.about_vertical(rng.uniform(-3.0, 3.0, SEEDS))
            leant = drawn(rng, 0.3 * np.eye(3))
            earth = quaternion.multiply(heading, quaternion.multiply(UPRIGHT, leant))
            flexion = quaternion.from_axis_angle(np.array([0.0, 0.0, -1.0]), rng.uniform(0.0, 2.2, SEEDS))
            joint = quaternion.multiply(flexion, drawn(rng, 0.01 * np.eye(3)))
            rates = (6.0 if fast else 0.3) * rng.standard_normal((SEEDS, 2, 3))
            late = rng.uniform(-0.5, 0.5, (SEEDS, 2, 1)) / RATE
            upper = quaternion.multiply(earth, quaternion.from_rotation_vector(late[:, 0] * rates[:, 0]))
            lower = quaternion.multiply(
                quaternion.multiply(drawn(rng, TURN), quaternion.multiply(earth, joint)),
                quaternion.multiply(quaternion.from_rotation_vector(late[:, 1] * rates[:, 1]), alignment),
            )
            seen = quaternion.multiply(quaternion.conjugate(upper), lower)
            self.errors.append(
                angle_errors(
                    KNEE,
                    "right",
                    q_earth_from_proximal=upper,
                    q_proximal_from_distal=seen,
                    turn_covariance=np.broadcast_to(TURN, (SEEDS, 3, 3)),
                    proximal_covariance=none,
                    distal_covariance=straps,
                    timing=rates * IN_INTERVAL / RATE,
                )
            )
            true = joint_angles(KNEE, "right", joint)
            self.off.append(quaternion.wrap(self.errors[-1].angle - true)[:, 0])


def share(off: FloatArray, sigma: FloatArray) -> float:
    """Return how many errors their 95 % interval holds."""
    return float(np.mean(np.abs(off) <= 1.96 * sigma))


@pytest.mark.parametrize("fast", [False, True])
def test_the_interval_of_an_angle_holds_the_truth(fast: bool) -> None:
    tests = People(np.random.default_rng(1), fast=fast)
    assert share(tests.off[0], tests.errors[0].sigma[:, 0]) == pytest.approx(0.95, abs=0.02)


def test_the_straps_share_cancels_between_two_tests_while_they_stay_on() -> None:
    people = People(np.random.default_rng(3))
    own = own_sigma(people)
    off = people.off[1] - people.off[0]
    assert share(off, np.hypot(*own)) == pytest.approx(0.95, abs=0.025)
    assert share(people.off[0], own[0]) < 0.7


def test_fast_movement_adds_what_a_sample_interval_may_hide() -> None:
    slow, fast = (People(np.random.default_rng(2), fast=each) for each in (False, True))
    off = fast.off[1] - fast.off[0]
    assert share(off, np.hypot(*own_sigma(fast))) == pytest.approx(0.95, abs=0.025)
    assert share(off, np.hypot(*own_sigma(slow))) < 0.85


def own_sigma(people: People) -> list[FloatArray]:
    """Return what the sensors alone contribute to either test."""
    return [np.sqrt(each.sigma[:, 0] ** 2 - each.strap_sigma**2) for each in people.errors]


RANGES = 400
LEVEL = UPRIGHT
VERTICAL = np.array([1.0, 0.0, 0.0, 0.0])
START, END = np.array([True, False]), np.array([False, True])
EXACT = Expected(0.0, 0.0, 0.0)
ELEVATION = AngleRule("elevation", 0, 1, 1)
NO_STRAPS = np.zeros((0, 2, 3))


def postures(
    segments: FloatArray,
    seconds: float = 0.0,
    *,
    tilt: float = 0.0,
    heading: tuple[float, float] = (0.0, 0.0),
) -> JointSeries:
    """Return two ends of a range with segments (2, 2, 4); sigmas of the angle at them in rad."""
    shares = np.array(heading)
    sigma = np.repeat(shares[:, None], 3, axis=1)
    none, times = np.zeros(2), np.array([0.0, seconds])
    return JointSeries(times, np.zeros((2, 3)), sigma, np.zeros(2, np.uint8), none, none, shares, segments)


def hinge(travel: float, upper: FloatArray) -> FloatArray:
    """Return both ends of a turn about Z above a segment that keeps still, (2, 2, 4)."""
    turned = quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array([0.0, travel]))
    return np.stack([np.tile(upper, (2, 1)), quaternion.multiply(upper, turned)], axis=1)


def busy(rng: np.random.Generator) -> FloatArray:
    """Return both ends of a movement of a whole limb, (2, 2, 4): the joint turns about all axes."""
    upper = drawn(rng, 0.3 * np.eye(3), (2,))
    flexion = quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), rng.uniform(0.2, 1.8, 2))
    joint = quaternion.multiply(flexion, drawn(rng, 0.08 * np.eye(3), (2,)))
    upper = quaternion.multiply(UPRIGHT, upper)
    return np.stack([upper, quaternion.multiply(upper, joint)], axis=1)


def in_plane(rng: np.random.Generator) -> FloatArray:
    """Return both ends of a movement of a whole limb in an upright plane, (2, 2, 4)."""
    upper, joint = quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), rng.uniform(-1.0, 1.0, (2, 2)))
    upper = quaternion.multiply(UPRIGHT, upper)
    return np.stack([upper, quaternion.multiply(upper, joint)], axis=1)


def angles(rule: AngleRule, segments: FloatArray) -> FloatArray:
    """Return the primary angle of segments (..., 2, 4)."""
    joint = quaternion.multiply(quaternion.conjugate(segments[..., 0, :]), segments[..., 1, :])
    return joint_angles(rule, "right", joint)[..., 0]


def ratio(off: FloatArray, sigma: FloatArray) -> float:
    """Return the root mean square of errors in units of what is stated: 1 if that is so."""
    return math.sqrt(float(np.mean((off / sigma) ** 2)))


@pytest.mark.parametrize("rule", [HINGE.rule, ELEVATION], ids=lambda rule: rule.kind)
def test_what_alignments_do_to_a_range_is_what_slopes_change_on_the_way(
    rule: AngleRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rom.sensor_error.LEVER", 0.0)
    rng = np.random.default_rng(6)
    rows = np.radians(0.5) * rng.standard_normal((5, 2, 3))
    lasting = Lasting(rule, "right", rows, EXACT)
    off, sigma = np.empty(RANGES), np.empty(RANGES)
    for k in range(RANGES):
        true = busy(rng)
        wrong = (rng.standard_normal((5, 1, 1)) * rows).sum(axis=0)
        seen = quaternion.multiply(true, quaternion.from_rotation_vector(wrong))
        error = quaternion.wrap(angles(rule, seen) - angles(rule, true))
        off[k] = error[1] - error[0]
        sigma[k] = range_sigma(postures(seen), START, END, lasting)
    assert ratio(off, sigma) == pytest.approx(1.0, abs=0.1)


def test_what_a_limb_does_beside_its_hinge_costs_range() -> None:
    sideways = np.array([[[0.0, 0.0, 0.0], [math.radians(6.0), 0.0, 0.0]]])
    lasting = replace(HINGE, straps=sideways)
    plain = range_sigma(postures(hinge(1.5, LEVEL), 3.0), START, END)
    assert range_sigma(postures(hinge(1.5, LEVEL), 3.0), START, END, lasting) == pytest.approx(
        plain, rel=1e-3
    )
    beside = hinge(1.5, LEVEL)
    turn = math.radians(10.0)
    beside[1, 1] = quaternion.multiply(
        beside[1, 1], quaternion.from_axis_angle(np.array([0.0, 1.0, 0.0]), turn)
    )
    more = range_sigma(postures(beside, 3.0), START, END, lasting)
    assert math.sqrt(more**2 - plain**2) == pytest.approx(math.radians(6.0) * math.sin(turn), rel=0.02)


def test_a_heading_error_is_in_a_range_by_what_its_axis_leant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rom.sensor_error.LEVER", 0.0)
    rng = np.random.default_rng(7)
    off, sigma = np.empty(RANGES), np.empty(RANGES)
    wide = math.radians(0.3)
    for k in range(RANGES):
        true = busy(rng)
        turn = quaternion.about_vertical(wide * rng.standard_normal())
        seen = true.copy()
        seen[:, 1] = quaternion.multiply(turn, true[:, 1])
        error = quaternion.wrap(angles(HINGE.rule, seen) - angles(HINGE.rule, true))
        off[k] = error[1] - error[0]
        small = true.copy()
        small[:, 1] = quaternion.multiply(quaternion.about_vertical(1e-5), true[:, 1])
        upright = np.abs(angles(HINGE.rule, small) - angles(HINGE.rule, true)) / 1e-5
        shares = tuple((wide * upright).tolist())
        sigma[k] = range_sigma(postures(true, heading=shares), START, END, replace(HINGE, expected=EXACT))
    assert ratio(off, sigma) == pytest.approx(1.0, abs=0.1)


def test_a_heading_that_stays_has_no_part_in_a_turn_about_the_vertical_and_one_that_was_learnt_has() -> None:
    segments = hinge(1.0, VERTICAL)
    known = range_sigma(postures(segments, 3.0), START, END)
    assert range_sigma(postures(segments, 3.0, heading=(1.0, 1.0)), START, END) == pytest.approx(known)
    learnt = range_sigma(postures(segments, 3.0, heading=(1.0, 0.1)), START, END)
    assert learnt == pytest.approx(math.hypot(known, 0.9))
    unknown = postures(segments, 3.0)
    unknown.sigma[0] = np.nan
    assert math.isnan(range_sigma(unknown, START, END))
    nowhere = postures(np.full((2, 2, 4), np.nan), 3.0)
    assert math.isnan(range_sigma(nowhere, START, END))


def test_an_end_that_shows_nothing_of_the_heading_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rom.sensor_error.LEVER", 0.0)
    segments = hinge(0.0, LEVEL)
    lean = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), -0.3)
    segments[1] = quaternion.multiply(lean, segments[1])
    share = 0.1 * math.sin(0.3)
    for part in (postures(segments, heading=(0.0, share)), postures(segments[::-1], heading=(share, 0.0))):
        assert range_sigma(part, START, END, replace(HINGE, expected=EXACT)) == pytest.approx(share, rel=1e-3)


def test_a_range_about_a_vertical_axis_is_as_good_as_the_gyroscopes() -> None:
    rng = np.random.default_rng(4)
    travel = rng.uniform(0.2, 2.0, RANGES)
    scale, bias = (sigma * rng.standard_normal(RANGES) for sigma in (USUAL.gyr_scale, DRIFT))
    seconds = rng.uniform(1.0, 8.0, RANGES)
    off = scale * travel + bias * seconds
    sigma = np.array(
        [
            range_sigma(postures(hinge(a, VERTICAL), s, heading=(0.2, 0.2)), START, END)
            for a, s in zip(travel.tolist(), seconds.tolist(), strict=True)
        ]
    )
    assert ratio(off, sigma) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("grade", [CONSUMER, MID, RESEARCH], ids=lambda grade: grade.name)
def test_a_gyroscope_is_expected_to_err_about_any_axis_as_it_is_drawn(grade: SensorGrade) -> None:
    rng = np.random.default_rng(8)
    off = np.empty(RANGES)
    for k in range(RANGES):
        axis = quaternion.rotate(drawn(rng, 4.0 * np.eye(3), (1,))[0], np.array([0.0, 0.0, 1.0]))
        errors = np.asarray(draw_errors(grade, rng).gyr_matrix) - np.eye(3)
        off[k] = axis @ errors @ axis
    assert float(off.std()) == pytest.approx(Expected.of(f"virtual-{grade.name}").gyr_scale, rel=0.08)


def test_a_limb_that_moves_as_a_whole_turns_both_gyroscopes() -> None:
    both = hinge(0.0, VERTICAL)
    turn = quaternion.about_vertical(1.0)
    both[1] = quaternion.multiply(turn, both[1])
    sigma = range_sigma(postures(both, 1e-3), START, END)
    assert sigma == pytest.approx(math.sqrt(2.0) * USUAL.gyr_scale, rel=1e-3)


def test_a_range_that_only_gravity_tells_errs_by_the_offsets_that_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rom.sensor_error.LEVER", 0.0)
    rng = np.random.default_rng(5)
    off, sigma = np.empty(RANGES), np.empty(RANGES)
    for k in range(RANGES):
        true = in_plane(rng)
        wrong = 0.2 * OFFSET * rng.standard_normal((2, 3))
        up = quaternion.rotate(quaternion.conjugate(true), np.array([0.0, 0.0, 1.0]))
        felt = up + wrong / STANDARD_GRAVITY
        felt /= np.sqrt((felt**2).sum(axis=-1, keepdims=True))
        seen = quaternion.multiply(true, quaternion.conjugate(between(up, felt)))
        error = quaternion.wrap(angles(HINGE.rule, seen) - angles(HINGE.rule, true))
        off[k] = error[1] - error[0]
        leans = np.sqrt([lean_variance(each, 0.2 * OFFSET / STANDARD_GRAVITY) for each in true])
        part = postures(true, 1e4)
        part.sigma[:] = leans[:, None]
        sigma[k] = range_sigma(part, START, END, replace(HINGE, expected=EXACT))
    assert ratio(off, sigma) == pytest.approx(1.0, abs=0.1)


def between(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the shortest turns (..., 4) of unit vectors (..., 3) to others nearby."""
    return quaternion.from_rotation_vector(np.cross(first, second))


def lean_variance(segments: FloatArray, sigma: float) -> float:
    """Return the variance of the angle of segments (2, 4) whose inclinations err by so much."""
    step, total = 1e-5, 0.0
    for which in (0, 1):
        for axis in np.eye(3)[:2]:
            moved = segments.copy()
            moved[which] = quaternion.multiply(quaternion.from_axis_angle(axis, step), segments[which])
            total += float((angles(HINGE.rule, moved) - angles(HINGE.rule, segments)) / step) ** 2
    return total * sigma**2


def test_a_swing_leans_the_filter_by_how_far_it_goes_however_fast() -> None:
    bare = replace(HINGE, expected=EXACT)
    spans = [range_sigma(postures(hinge(1.5, LEVEL), s), START, END, bare) for s in (0.2, 0.5, 2.0)]
    assert spans[0] == pytest.approx(spans[1], rel=0.2)
    assert spans[2] < 0.5 * spans[0]
    assert math.degrees(spans[0]) == pytest.approx(0.38, abs=0.03)
    assert range_sigma(postures(hinge(1.5, VERTICAL), 0.2), START, END, bare) < 0.1 * spans[0]


class Known:
    """A heading that is known without any error."""

    def feed(self, frames: Frames, /) -> Heading:
        still, covariance = unmoved(len(frames)), np.zeros((len(frames), 3, 3))
        return replace(
            blank(len(frames)), delta=np.zeros(len(frames)), q_earth1_from_earth2=still, covariance=covariance
        )

    def save(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any], /) -> None:
        del state


def test_the_reader_reckons_with_the_instant_of_each_sensors_samples() -> None:
    joint = JointCalibration.uncalibrated("right_knee", 1, ("a", "right_thigh"), ("b", "right_shank"))
    setup = TrackerSetup(KNEE, "right", TrackedSensor("b", 50.0), TrackedSensor("a", 100.0), joint)
    gyr = np.zeros((4, 2, 3))
    gyr[1, 0, 2], gyr[2, 1, 2], gyr[3] = 5.0, 5.0, np.nan
    none = np.zeros((4, 2))
    frames = Frames(np.arange(4.0), np.stack([unmoved(4)] * 2, axis=1), none > 0.0, gyr, gyr, none)
    errors = reader(setup, Known()).read(frames).errors
    np.testing.assert_allclose(
        errors.sigma[:, 0], 5.0 * IN_INTERVAL * np.array([0.0, 0.01, 0.02, 0.0]), atol=1e-12
    )
