"""Intervals hold the truth: errors are drawn, carried through exact rotations, met by the stated sigma."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.expected import USUAL
from calibration.heading_series import Heading, blank, unmoved
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray
from imu.sync import Frames
from rom.angles import JointSeries, angle_errors, joint_angles
from rom.catalogue.movement import AngleRule
from rom.reading import TrackedSensor, TrackerSetup, reader
from rom.sensor_error import DRIFT, IN_INTERVAL, LEAN, range_sigma

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


def ends(
    travel: float, seconds: float, *, tilt: float = 0.0, heading: float = 0.0, upright: float = 0.0
) -> JointSeries:
    """Return a start and an end so many seconds apart; sigmas in rad."""
    sigma = np.full((2, 3), math.hypot(tilt, heading * upright))
    one, none = np.ones(2), np.zeros(2)
    angle = np.array([[0.0] * 3, [travel] * 3])
    flags = np.zeros(2, np.uint8)
    return JointSeries(
        np.array([0.0, seconds]), angle, sigma, flags, none, none, heading * upright * one, upright * one
    )


START, END = np.array([True, False]), np.array([False, True])


def test_a_range_about_a_vertical_axis_is_as_good_as_the_gyroscopes() -> None:
    rng = np.random.default_rng(4)
    travel = rng.uniform(0.2, 2.0, SEEDS)
    scale, bias, leaning = (sigma * rng.standard_normal(SEEDS) for sigma in (USUAL.gyr_scale, DRIFT, LEAN))
    seconds = rng.uniform(1.0, 8.0, SEEDS)
    off = scale * travel + bias * seconds + leaning * travel / seconds
    sigma = np.array(
        [
            range_sigma(ends(a, s, heading=0.2, upright=1.0), START, END, a)
            for a, s in zip(travel.tolist(), seconds.tolist(), strict=True)
        ]
    )
    assert share(off, sigma) == pytest.approx(0.95, abs=0.02)


def test_a_range_that_only_gravity_tells_errs_by_the_offsets_that_turned() -> None:
    rng = np.random.default_rng(5)
    off, sigma = np.empty(SEEDS), np.empty(SEEDS)
    for k in range(SEEDS):
        travel = rng.uniform(0.2, 2.6)
        wrong = OFFSET * rng.standard_normal((2, 2))
        turned = np.array([0.0, travel])
        felt = STANDARD_GRAVITY * np.stack([np.sin(turned), np.cos(turned)], axis=1)
        leans = [np.arctan2(*(felt + wrong[1]).T), np.arctan2(*(felt[[0, 0]] + wrong[0]).T)]
        angle = leans[0] - leans[1]
        off[k] = angle[1] - angle[0] - travel
        both = math.sqrt(2.0) * OFFSET / STANDARD_GRAVITY
        sigma[k] = range_sigma(ends(travel, 300.0, tilt=both), START, END, travel)
    assert share(off, sigma) == pytest.approx(0.95, abs=0.025)


def test_a_heading_error_that_stays_has_no_part_in_a_range_and_another_one_has() -> None:
    known = range_sigma(ends(1.0, 3.0, upright=1.0), START, END, 1.0)
    lost = ends(1.0, 3.0, heading=1.0, upright=1.0)
    assert range_sigma(lost, START, END, 1.0) == pytest.approx(known)
    lost.upright[1] = -1.0
    assert range_sigma(lost, START, END, 1.0) == pytest.approx(math.hypot(known, 2.0))
    lost.upright[1], lost.heading_sigma[1] = 1.0, 0.1
    lost.sigma[1] = 0.1
    assert range_sigma(lost, START, END, 1.0) == pytest.approx(math.hypot(known, 0.9))
    lost.sigma[0] = np.nan
    assert math.isnan(range_sigma(lost, START, END, 1.0))


ELEVATION = AngleRule("elevation", 0, 1, 1)


def test_what_straps_add_to_an_elevation_turns_with_its_plane() -> None:
    rng = np.random.default_rng(6)
    straps = np.diag(np.radians([4.0, 1.0, 4.0]) ** 2)
    alignment = drawn(rng, straps)
    shown: list[FloatArray] = []
    stated = []
    true = []
    down = rng.uniform(0.3, 0.8, SEEDS), rng.uniform(0.9, 2.0, SEEDS)
    for lift, plane in zip(down, rng.uniform(-math.pi, math.pi, (2, SEEDS)), strict=True):
        axis = np.stack([np.cos(plane), np.zeros(SEEDS), np.sin(plane)], axis=1)
        joint = quaternion.from_axis_angle(axis, lift)
        seen = quaternion.multiply(joint, alignment)
        nothing = np.zeros((SEEDS, 3, 3))
        stated.append(
            angle_errors(
                ELEVATION,
                "right",
                q_earth_from_proximal=np.tile(UPRIGHT, (SEEDS, 1)),
                q_proximal_from_distal=seen,
                turn_covariance=nothing,
                proximal_covariance=nothing[0],
                distal_covariance=straps,
            )
        )
        shown.append(stated[-1].angle)
        true.append(joint_angles(ELEVATION, "right", joint)[:, 0])
    off = (shown[1] - shown[0])[:, 0] - (true[1] - true[0])
    travel = np.abs((shown[1] - shown[0])[:, 0])
    none = np.zeros(2)
    sigmas = {rule: np.empty(SEEDS) for rule in (None, ELEVATION)}
    for k in range(SEEDS):
        both = [np.stack([getattr(each, name)[k] for each in stated]) for name in ("sigma", "strap_sigma")]
        angle = np.stack([each[k] for each in shown])
        part = JointSeries(
            np.array([0.0, 30.0]), angle, both[0], np.zeros(2, np.uint8), none, both[1], none, none
        )
        for rule, sigma in sigmas.items():
            sigma[k] = range_sigma(part, START, END, float(travel[k]), rule=rule)
    assert share(off, sigmas[ELEVATION]) == pytest.approx(0.95, abs=0.03)
    assert share(off, sigmas[None]) < 0.7


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
    errors, _ = reader(setup, Known()).read(frames)
    np.testing.assert_allclose(
        errors.sigma[:, 0], 5.0 * IN_INTERVAL * np.array([0.0, 0.01, 0.02, 0.0]), atol=1e-12
    )
