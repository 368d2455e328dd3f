"""What wearing teaches of a sensor's triads: what was injected, as sure as stated, and no more."""

import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.wearing import Spread, Triads, learn
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.sensor_grade import CONSUMER, PERFECT, SensorGrade
from imu.virtual import SensorErrors
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, Passes, TableRest, TakePosition
from rom.limb_world import LimbSpec

RATE = 60.0
Z = np.array([0.0, 0.0, 1.0])


def treatment(seed: int, *, inclination: float = 90.0, grade: SensorGrade = CONSUMER) -> LimbRecording:
    """Return a limb that squats, takes its position, and is passed through 95 degrees ten times."""
    passes = Passes(10, start=math.radians(100.0), end=math.radians(5.0))
    programme = (TableRest(), Neutral(), Functional(proximal_share=0.5), TakePosition(), passes)
    spec = LimbSpec(programme, inclination=math.radians(inclination), rate=RATE, grade=grade)
    return simulate_limb(spec, seed)


def in_frame_of_forces(errors: SensorErrors) -> FloatArray:
    """Return the errors that can be told, (18,): what turns both triads alike is no error."""
    turn, shape = errors.gyr_matrix - np.eye(3), errors.acc_matrix - np.eye(3)
    even = (shape + shape.T) / 2.0
    row, column = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
    return np.concatenate([(turn - (shape - even)).ravel(), even[row, column], errors.acc_bias])


def told(found: Triads) -> FloatArray:
    """Return the same of what was found."""
    shape = found.acc_matrix - np.eye(3)
    row, column = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
    return np.concatenate([(found.gyr_matrix - np.eye(3)).ravel(), shape[row, column], found.acc_bias])


def about(axis: FloatArray) -> FloatArray:
    """Return the weights of the errors (18,) in a turn about an axis of the sensor."""
    return np.concatenate([np.outer(axis, axis).ravel(), np.zeros(9)])


def test_errors_are_found_as_well_as_stated() -> None:
    squares, before, after = list[float](), list[float](), list[float]()
    for seed in range(300, 308):
        limb = treatment(seed)
        sensor, mounting = limb.sensors[1], limb.truth.q_segment_from_sensor[1]
        block, true = limb.blocks[sensor], in_frame_of_forces(limb.errors[sensor])
        found = learn([(block.gyr, block.acc)], RATE)
        off = told(found) - true
        squares.append(float(off @ np.linalg.solve(found.covariance, off)) / 18.0)
        turning = about(quaternion.rotate(quaternion.conjugate(mounting), Z))
        before.append(float(turning @ true))
        after.append(float(turning @ off))
    assert 0.3 < float(np.mean(squares)) < 1.6
    assert float(np.mean(np.square(after))) < 0.15 * float(np.mean(np.square(before)))


def test_what_skin_does_in_every_pass_is_not_taken_for_the_sensor_however_often_it_is_seen() -> None:
    """Sensors without error on skin, half an hour of the same passes: off by no more than is stated."""
    squares = list[float]()
    for seed in range(300, 304):
        limb = treatment(seed, inclination=15.0, grade=PERFECT)
        sensor, mounting = limb.sensors[1], limb.truth.q_segment_from_sensor[1]
        block = limb.blocks[sensor]
        found = learn([(block.gyr, block.acc)] * 12, RATE)
        turning = about(quaternion.rotate(quaternion.conjugate(mounting), Z))
        squares.append(float(turning @ told(found)) ** 2 / float(turning @ found.covariance @ turning))
    assert float(np.mean(squares)) < 1.0


def test_a_turn_about_the_vertical_teaches_nothing_about_itself() -> None:
    rng = np.random.default_rng(1)
    angle = 0.8 * np.sin(2.0 * np.pi * np.arange(60 * 120) / 60.0 / 9.0)
    stand = quaternion.normalise(rng.normal(size=4))
    q = quaternion.multiply(quaternion.about_vertical(angle), stand)
    up = quaternion.rotate(quaternion.conjugate(q), Z)
    gyr = np.gradient(angle, 1.0 / RATE)[:, None] * up
    found = learn([(gyr, STANDARD_GRAVITY * up)], RATE)
    axis = about(up[0])
    spread = np.where(np.eye(3, dtype=np.bool_), Spread().scale, Spread().cross).ravel()
    assert axis @ found.covariance @ axis > 0.99 * ((axis[:9] * spread) ** 2).sum()
    assert abs(axis @ told(found)) < 1e-5


def test_nothing_is_learnt_of_who_is_too_short_or_still() -> None:
    still = np.tile(STANDARD_GRAVITY * Z, (6000, 1))
    for parts in ([], [(still[:100] * 0.0, still[:100])], [(still * 0.0, still)]):
        found = learn(parts, RATE)
        np.testing.assert_allclose(found.gyr_matrix, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(found.acc_matrix, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(found.acc_bias, 0.0, atol=1e-9)


def test_a_fitted_accelerometer_is_left_nearly_alone() -> None:
    limb = treatment(310)
    block = limb.blocks[limb.sensors[1]]
    loose, firm = (learn([(block.gyr, block.acc)], RATE, fitted=fitted) for fitted in (False, True))
    assert np.abs(firm.acc_bias).max() < 0.5 * np.abs(loose.acc_bias).max()
    assert np.sqrt(np.diag(firm.covariance))[15:].max() <= 0.1 * Spread().offset


def test_unknown_windows_and_gaps_spoil_nothing() -> None:
    limb = treatment(311)
    block = limb.blocks[limb.sensors[1]]
    gyr, acc = block.gyr.copy(), block.acc.copy()
    acc[3000:3010] = np.nan
    cut = len(gyr) // 2
    whole = learn([(gyr[:cut], block.acc[:cut]), (gyr[cut:], block.acc[cut:])], RATE)
    holed = learn([(gyr[:cut], acc[:cut]), (gyr[cut:], acc[cut:])], RATE)
    off = told(whole) - told(holed)
    assert np.isfinite(off).all()
    assert np.abs(off / np.sqrt(np.diag(whole.covariance))).max() < 1.0


@pytest.mark.parametrize("magnetometer", [True, False])
def test_taking_errors_off_gives_the_truth_back_and_keeps_the_pose(magnetometer: bool) -> None:
    rng = np.random.default_rng(5)
    shape = 0.01 * rng.normal(size=(3, 3))
    found = Triads(
        np.eye(3) + 0.01 * rng.normal(size=(3, 3)),
        np.eye(3) + shape + shape.T,
        0.3 * rng.normal(size=3),
        np.eye(18),
    )
    gyr, acc, mag = (rng.normal(size=(50, 3)) * size for size in (1.0, STANDARD_GRAVITY, 40.0))
    seen = ImuBlock(
        "a",
        np.arange(50.0),
        gyr @ found.gyr_matrix.T,
        acc @ found.acc_matrix.T + found.acc_bias,
        mag if magnetometer else None,
    )
    plain = found.apply(seen)
    np.testing.assert_allclose(plain.gyr, gyr, atol=1e-12)
    np.testing.assert_allclose(plain.acc, acc, atol=1e-12)
    true_up = quaternion.normalise(np.append(0.0, rng.normal(size=3)))[1:]
    posed = replace(
        seen, acc=np.tile(STANDARD_GRAVITY * found.acc_matrix @ true_up + found.acc_bias, (50, 1))
    )
    up = posed.acc[0] / np.linalg.norm(posed.acc[0])
    turned = found.apply(posed, up)
    np.testing.assert_allclose(np.cross(turned.acc[0], up), 0.0, atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(turned.gyr, axis=1), np.linalg.norm(gyr, axis=1), atol=1e-12)
    if turned.mag is not None and plain.mag is not None:
        across = (turned.mag * turned.acc).sum(axis=1) - (plain.mag * found.apply(posed).acc).sum(axis=1)
        np.testing.assert_allclose(across, 0.0, atol=1e-9)
