"""Scores are known where the error was put in by hand."""

import math

import numpy as np
import pytest

from imu import quaternion
from imu.block import FloatArray
from rom.angles import JointSeries
from rom.catalogue.movement import AngleRule
from rom.reading import TrackedSensor, TrackerSetup
from rom.sensor_error import HINGE
from tools.bench.intervals import Held, coverage, mean_and_error, minutes_inside
from tools.bench.scoring import Row, Stated, fit, judged, rms, rom_error
from tools.bench.table import Line, behind, held_sentences, page, trial_lines
from tools.bench.world_scores import Score, Scorer
from tools.bench.worlds import World, clinic_worlds

T = np.arange(0.0, 40.0, 0.02)
LEVEL = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), math.pi / 2.0)
TARGET = np.radians(45.0) * (1.0 - np.cos(2.0 * np.pi * T / 8.0))


def stated(t: FloatArray, angle: FloatArray, sigma_deg: float) -> JointSeries:
    """Return an angle with one sigma, all of it of the sensors."""
    three, none = np.stack([angle, angle, angle], axis=1), np.zeros(len(t))
    sigma = np.full_like(three, math.radians(sigma_deg))
    segments = np.stack([np.tile(LEVEL, (len(t), 1)), quaternion.multiply(LEVEL, flexed(angle))], axis=1)
    return JointSeries(t, three, sigma, np.zeros(len(t), np.uint8), none, none, none, segments)


def flexed(angle: FloatArray) -> FloatArray:
    """Return turns (N, 4) about Z."""
    return quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), angle)


def test_half_cycles_that_are_too_short_by_a_tenth() -> None:
    assert rom_error(0.9 * TARGET, TARGET) == pytest.approx(9.0, abs=0.05)
    assert rom_error(TARGET + 0.3, TARGET) == pytest.approx(0.0, abs=0.05)


def test_an_interval_covers_what_it_says() -> None:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 2.0, 20_000)
    assert coverage(sigma * rng.standard_normal(20_000), sigma) == pytest.approx(0.95, abs=0.01)
    assert coverage(np.zeros(3), np.full(3, np.nan)) is None


def test_only_what_counts_is_judged() -> None:
    angle = TARGET + math.radians(2.0)
    angle[:500] += 1.0
    ok = T[500] <= T
    row = judged(angle - TARGET, angle, TARGET, ok=ok, sure=ok, stated=Stated(stated(T, angle, 1.5), HINGE))
    assert row["rmse_deg"] == pytest.approx(2.0)
    assert row["known"] == 1.0
    assert row["coverage95"] == row["range_coverage95"] == 1.0
    skewed = 1.2 * angle
    row = judged(
        skewed - TARGET, skewed, TARGET, ok=ok, sure=ok, stated=Stated(stated(T, skewed, 1.5), HINGE)
    )
    assert row["range_coverage95"] == 0.0
    assert judged(skewed - TARGET, skewed, TARGET, ok=ok, sure=ok).get("coverage95") is None


def test_markers_that_bend_are_seen_by_the_turns_of_their_sensors() -> None:
    rng = np.random.default_rng(7)
    constant = quaternion.normalise(rng.standard_normal((4, 4)))
    upper, lower = np.tile(LEVEL, (len(T), 1)), quaternion.multiply(LEVEL, flexed(TARGET))
    sensors = np.stack([upper, lower], axis=1)
    bent = np.stack([upper, quaternion.multiply(LEVEL, flexed(1.05 * TARGET))], axis=1)
    ok = np.ones(len(T), np.bool_)

    def row(markers: FloatArray, angle: FloatArray, target: FloatArray) -> Row:
        elsewhere = [
            quaternion.multiply(quaternion.multiply(constant[2 * k], markers[:, k]), constant[2 * k + 1])
            for k in (0, 1)
        ]
        own = Stated(stated(T, TARGET, 0.1), HINGE, markers=np.stack(elsewhere, axis=1))
        return judged(angle - target, angle, target, ok=ok, sure=ok, stated=own)

    right, wrong = row(sensors, TARGET, TARGET), row(sensors, 1.05 * TARGET, TARGET)
    mistaken = row(bent, TARGET, 1.05 * TARGET)
    little = np.stack([upper, quaternion.multiply(LEVEL, flexed(1.003 * TARGET))], axis=1)
    for each in (right, row(little, TARGET, TARGET)):
        assert each["reference_sigma_deg"] == pytest.approx(0.0, abs=1e-9)
    assert right["range_coverage95_of_both"] == right["range_coverage95"] == 1.0
    assert wrong["range_coverage95_of_both"] == wrong["range_coverage95"] == 0.0
    assert mistaken["reference_sigma_deg"] == pytest.approx(0.05 * 90.0, rel=0.01)
    assert mistaken["range_coverage95"] == 0.0
    assert mistaken["range_coverage95_of_both"] == 1.0


def test_constant_rotations_are_found_again() -> None:
    rng = np.random.default_rng(5)
    turns = rng.standard_normal((3, 4))
    before, after, start = turns / np.linalg.norm(turns, axis=1, keepdims=True)
    axes = rng.standard_normal((60, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    q = quaternion.multiply(start, quaternion.from_axis_angle(axes, rng.uniform(0.0, 2.0, 60)))
    reference = quaternion.multiply(quaternion.multiply(before, q), after)
    _, _, misfit = fit(q, reference, 60)
    assert math.sqrt(misfit) < math.radians(0.5)


KNEE = TrackerSetup(AngleRule("cardan_zxy", 0, -1, -1), "left", TrackedSensor("a", 50.0))


def test_drift_and_interval_of_an_injected_error() -> None:
    world = World(3.0, "oblique", clinic_worlds((3.0,), ("mid",))[0].grade, still=True)
    limb = world.limb(3)
    scorer = Scorer(world, 3, limb, KNEE)
    t = limb.truth.t
    truth = limb.truth.angle_sensor[:, 0]
    drifting = truth + np.radians(0.5) * t / 60.0 + np.radians(9.0)
    narrow, wide = (scorer.own("x", stated(t, drifting, sigma), 1.0) for sigma in (0.1, 20.0))
    assert narrow.drift_deg_min == pytest.approx(0.5, abs=1e-6)
    assert narrow.held == Held(narrow.held.angle, 0.0, 1.0)
    assert narrow.held.angle < 0.5
    assert narrow.minutes_inside == 0.0
    assert wide.held == Held(1.0, 1.0, 1.0)
    assert wide.minutes_inside == 1.0
    assert scorer.score("x", t, truth, 1.0).rom_deg == pytest.approx(0.0, abs=1e-9)
    assert scorer.own("x", stated(t, 1.1 * truth, 1.0), 1.0).held.ranges == 0.0
    assert scorer.score("x", t, 1.1 * truth, 1.0).rom_deg == pytest.approx(9.4, abs=0.4)


def test_every_treatment_is_of_a_person_of_its_own() -> None:
    worlds = clinic_worlds((2.0,), ("mid",), ("oblique", "vertical"))
    poses = [world.limb(seed).truth.angle[0, 0] for world in worlds for seed in (1, 2)]
    assert len(set(poses)) == len(poses)
    assert worlds[0].limb(1).truth.angle[0, 0] == poses[0]


def test_shares_are_averaged_over_treatments_not_over_their_median() -> None:
    assert mean_and_error([1.0, 0.0, 1.0, 1.0, math.nan]) == (0.75, 0.25)
    assert all(math.isnan(value) for value in mean_and_error([]))
    world = clinic_worlds((2.0,), ("mid",))[0]
    scores = [
        Score(world, k, "romcap-live", 0.1, 0.1, 0.0, 1.0, Held(angle, 1.0, 0.5))
        for k, angle in enumerate((1.0, 0.0, 1.0, 1.0))
    ]
    (said,) = held_sentences(scores)
    assert "over 4 treatments: angle 75.0 % (standard error 25.0)" in said
    assert "range of a pass 50.0 % (standard error 0.0)" in said


def test_a_minute_is_inside_by_its_mean() -> None:
    t = np.arange(0.0, 120.0, 0.1)
    error = np.where(t < 60.0, 0.5, 5.0) + np.sin(t)
    assert minutes_inside(t, error, np.ones_like(t)) == 0.5


def test_trials_behind_the_best_peer_are_named() -> None:
    def row(method: str, rmse: float) -> dict[str, str | float | None]:
        names: dict[str, str | float | None] = {"trial": "s/t", "joint": "j", "mode": "m", "method": method}
        return names | {"rmse_deg": rmse, "rom_error_deg": None, "coverage95": None}

    rows = [row("romcap-live", 1.05), row("romcap-review", 1.05), row("vqf-6d", 1.0), row("vqf-9d", 3.0)]
    found = behind(rows)
    assert found.compared == {"romcap-live": 1, "romcap-review": 1}
    assert [(case.method, case.best) for case in found.cases] == [("romcap-review", "vqf-6d")]
    assert rms(np.array([3.0, np.nan, 4.0])) == pytest.approx(math.sqrt(12.5))
    assert "| s, j, m | 1 | 1.05" in page(trial_lines(rows))


def test_what_is_not_known_is_left_blank() -> None:
    line = Line("somewhere", "vqf-6d", 1, 2.0, math.nan, math.nan)
    assert "nan" not in page([line])


def test_worlds_are_the_product_of_what_is_named() -> None:
    assert len(clinic_worlds()) == 2 * 3 * 2 * 4
    assert len({world.name for world in clinic_worlds()}) == 48
    assert len(clinic_worlds((5.0,), ("mid",), ("vertical",), ("still",))) == 1
