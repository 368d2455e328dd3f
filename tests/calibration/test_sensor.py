"""A known defect goes in and comes back, within what the calibration says it knows; bad data is refused."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from calibration.ellipsoid import exponential, logarithm
from calibration.sensor import SensorCalibration, apply, combine
from calibration.sensor_fit import (
    accelerometer_in_positions,
    gyroscope_at_rest,
    magnetometer_turned,
    still_positions,
)
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock, join
from imu.errors import CalibrationError
from imu.quaternion import (
    about_vertical,
    between,
    conjugate,
    from_rotation_vector,
    multiply,
    rotate,
    to_rotation_vector,
)
from imu.sensor_grade import CONSUMER, GRADES, MID, PERFECT, SensorGrade
from imu.virtual import Motion, VirtualSensor, still

RATE = 100.0
FIELD = np.array([0.0, 20.0, -44.0])
FACES = np.concatenate([np.eye(3), -np.eye(3)])
EDGES = np.array([[1, 1, 0], [0, 1, -1], [-1, 0, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 1.0
UP = np.array([0.0, 0.0, 1.0])


def at_rest(sensor: VirtualSensor, seconds: float = 8.0) -> ImuBlock:
    t = sensor.instants(round(seconds * RATE))
    return sensor.measure(still(t, from_rotation_vector(np.array([0.4, 1.0, -0.2])), FIELD)).block


def put_down(sensor: VirtualSensor, directions: FloatArray, rng: np.random.Generator) -> ImuBlock:
    """Lay the sensor down with each direction up, 3 s each, and turn it for 1 s in between."""
    poses = [
        multiply(about_vertical(rng.uniform(-3.0, 3.0)), between(direction / np.linalg.norm(direction), UP))
        for direction in directions
    ]
    blocks: list[ImuBlock] = []
    for k, q in enumerate(poses):
        if k:
            blocks.append(sensor.measure(swung(sensor.instants(100), poses[k - 1], q)).block)
        blocks.append(sensor.measure(still(sensor.instants(300), q, FIELD)).block)
    return join(blocks)


def swung(t: FloatArray, start: FloatArray, stop: FloatArray) -> Motion:
    """Return a turn at constant rate from one orientation to another."""
    way = to_rotation_vector(multiply(conjugate(start), stop))
    share = (np.arange(len(t)) + 0.5) / len(t)
    q = multiply(start, from_rotation_vector(way * share[:, None]))
    rate = np.tile(way * RATE / len(t), (len(t), 1))
    gravity = rotate(conjugate(q), STANDARD_GRAVITY * UP)
    return Motion(t, q, rate, gravity, rotate(conjugate(q), FIELD))


def turned(sensor: VirtualSensor, seconds: float = 40.0, tilt: float = np.pi) -> ImuBlock:
    """Turn the sensor about all axes (or only about the vertical, with no tilt), like a figure of eight."""
    t = sensor.instants(round(seconds * RATE))
    q = multiply(
        about_vertical(1.1 * t),
        from_rotation_vector(tilt * np.sin(0.37 * t)[:, None] * np.array([1.0, 0, 0])),
    )
    q = multiply(q, from_rotation_vector(tilt * np.sin(0.23 * t)[:, None] * np.array([0.0, 1.0, 0.0])))
    gravity = rotate(conjugate(q), STANDARD_GRAVITY * UP)
    return sensor.measure(Motion(t, q, np.zeros_like(gravity), gravity, rotate(conjugate(q), FIELD))).block


def inverse(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def covers(error: FloatArray, covariance: FloatArray) -> bool:
    """Whether an error lies within the 95 % ellipsoid of its covariance."""
    from scipy.stats import chi2

    distance = float(error @ np.linalg.solve(covariance, error))
    return distance < float(chi2.ppf(0.95, len(error)))


@pytest.mark.parametrize("grade", [grade for grade in GRADES.values() if grade is not PERFECT])
def test_gyroscope_bias_comes_back_within_its_standard_error(grade: SensorGrade) -> None:
    inside: list[bool] = []
    for seed in range(200):
        sensor = VirtualSensor("a", grade, RATE, seed)
        measured = sensor.measure(still(sensor.instants(1000), np.array([1.0, 0, 0, 0])))
        found = gyroscope_at_rest(measured.block)
        error = found.gyr_bias - measured.gyr_bias.mean(axis=0)
        inside.extend(np.abs(error) < 1.96 * found.gyr_bias_sigma)
    # Two standard errors of a share of 600 trials are 1.8 %; the larger of two estimates is the safe side.
    assert 0.93 < np.mean(inside) <= 0.995


def test_noise_at_rest_is_the_sensors_and_feeds_the_filter() -> None:
    found = gyroscope_at_rest(at_rest(VirtualSensor("a", CONSUMER, RATE, 1), 20.0))
    assert found.gyr_noise == pytest.approx(CONSUMER.gyr_noise * np.sqrt(RATE / 2.0), rel=0.15)
    assert found.acc_noise == pytest.approx(CONSUMER.acc_noise * np.sqrt(RATE / 2.0), rel=0.1)
    assert found.rest_noise is not None
    assert (found.rest_noise.gyr, found.rest_noise.acc) == (found.gyr_noise, found.acc_noise)


def test_what_is_not_known_gives_no_rest_noise() -> None:
    assert SensorCalibration("a").rest_noise is None
    assert gyroscope_at_rest(at_rest(VirtualSensor("a", PERFECT, RATE, 1))).rest_noise is None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("directions", [FACES, np.concatenate([FACES, EDGES])], ids=["faces", "edges too"])
def test_after_calibration_every_face_of_the_cube_reads_gravity(seed: int, directions: FloatArray) -> None:
    rng = np.random.default_rng(seed)
    sensor = VirtualSensor("a", CONSUMER, RATE, seed)
    session = put_down(sensor, rng.permutation(directions), rng)
    found = accelerometer_in_positions(session)
    for face in FACES:
        lying = sensor.measure(still(sensor.instants(200), between(face, UP))).block
        before = lying.acc.mean(axis=0) - STANDARD_GRAVITY * face
        after = apply(found, lying).acc.mean(axis=0)
        assert np.linalg.norm(after) == pytest.approx(STANDARD_GRAVITY, abs=0.04)
        assert np.linalg.norm(after - STANDARD_GRAVITY * face) < max(0.3 * np.linalg.norm(before), 0.15)


def test_accelerometer_defects_come_back_within_their_covariance() -> None:
    inside: list[bool] = []
    rng = np.random.default_rng(7)
    for seed in range(150):
        sensor = VirtualSensor("a", MID, RATE, seed)
        found = accelerometer_in_positions(put_down(sensor, np.concatenate([FACES, EDGES]), rng))
        errors = sensor.errors
        truth = np.concatenate([errors.acc_bias, logarithm(inverse(errors.acc_matrix))])
        guess = np.concatenate([found.acc_bias, logarithm(found.acc_matrix)])
        inside.append(covers(guess - truth, found.acc_covariance))
    # The assumed hysteresis of 0.01 m/s^2 is not in the simulation, so the covariance may be too wide here.
    assert np.mean(inside) > 0.9


def test_covariance_is_not_idle_when_positions_do_scatter() -> None:
    """The same with hysteresis put in: now the stated covariance has to hold at its rate."""
    inside: list[bool] = []
    rng = np.random.default_rng(8)
    for seed in range(150):
        sensor = VirtualSensor("a", MID, RATE, seed)
        session = put_down(sensor, np.concatenate([FACES, EDGES]), rng)
        # One position lasts 3 s and the swing after it 1 s: 400 samples with one offset of their own.
        jumps = np.repeat(rng.normal(0.0, 0.01, (len(session) // 400 + 1, 3)), 400, axis=0)[: len(session)]
        session = ImuBlock("a", session.t, session.gyr, session.acc + jumps, session.mag)
        found, errors = accelerometer_in_positions(session), sensor.errors
        truth = np.concatenate([errors.acc_bias, logarithm(inverse(errors.acc_matrix))])
        guess = np.concatenate([found.acc_bias, logarithm(found.acc_matrix)])
        inside.append(covers(guess - truth, found.acc_covariance))
    assert 0.85 < np.mean(inside) <= 0.995


def test_magnetometer_defects_come_back_within_their_covariance() -> None:
    inside: list[bool] = []
    for seed in range(100):
        sensor = VirtualSensor("a", CONSUMER, RATE, seed)
        found = magnetometer_turned(turned(sensor, 20.0))
        shape = logarithm(inverse(sensor.errors.mag_matrix))
        shape[:3] -= shape[:3].mean()
        error = np.concatenate([found.mag_bias - sensor.errors.mag_bias, logarithm(found.mag_matrix) - shape])
        free = [0, 1, 2, 3, 4, 6, 7, 8]  # the fifth diagonal number follows from the other two
        inside.append(covers(error[free], found.mag_covariance[np.ix_(free, free)]))
    assert 0.88 < np.mean(inside) <= 0.995


def test_corrected_field_has_one_length_in_all_directions() -> None:
    sensor = VirtualSensor("a", CONSUMER, RATE, 3)
    found = magnetometer_turned(turned(sensor))
    other = turned(sensor, 30.0)
    raw, corrected = other.mag, apply(found, other).mag
    assert raw is not None
    assert corrected is not None
    assert np.linalg.norm(raw, axis=1).std() > 3.0
    assert np.linalg.norm(corrected, axis=1).std() < 1.2 * CONSUMER.mag_noise
    assert np.linalg.norm(corrected, axis=1).mean() == pytest.approx(found.mag_field, rel=0.01)
    assert np.linalg.det(found.mag_matrix) == pytest.approx(1.0, abs=1e-9)
    trace = np.array([0.0, 0, 0, 1, 1, 1, 0, 0, 0])  # known to be 0, so its variance is too
    assert trace @ found.mag_covariance @ trace == pytest.approx(0.0, abs=1e-15)
    assert found.mag_covariance[5, 5] > 0.0


def test_still_positions_are_found_in_any_order_and_counted_once() -> None:
    rng = np.random.default_rng(4)
    twice = np.concatenate([FACES, FACES[::-1]])
    forces, sigma = still_positions(put_down(VirtualSensor("a", PERFECT, RATE, 0), twice, rng))
    assert len(forces) == len(sigma) == 6
    best = np.max(FACES @ forces.T, axis=1)
    assert best == pytest.approx(np.full(6, STANDARD_GRAVITY), abs=1e-6)


def test_parts_combine_and_the_later_one_counts() -> None:
    sensor = VirtualSensor("a", CONSUMER, RATE, 5)
    rest = gyroscope_at_rest(at_rest(sensor), "2026-01-01T10:00:00+00:00")
    positions = accelerometer_in_positions(put_down(sensor, FACES, np.random.default_rng(1)))
    later = replace(rest, gyr_bias=rest.gyr_bias + 1.0, made_at="2026-01-02T10:00:00+00:00")
    both = combine(rest, positions, later)
    assert np.array_equal(both.gyr_bias, later.gyr_bias)
    assert np.array_equal(both.acc_matrix, positions.acc_matrix)
    assert both.made_at == later.made_at
    assert np.isnan(both.mag_bias).all()
    with pytest.raises(CalibrationError, match="exactly one sensor"):
        combine(rest, replace(positions, sensor="b"))


def test_what_is_unknown_corrects_nothing_and_cuts_do_not_matter() -> None:
    sensor = VirtualSensor("a", CONSUMER, RATE, 6)
    block = at_rest(sensor)
    assert np.array_equal(apply(SensorCalibration("a"), block).gyr, block.gyr)
    full = combine(
        gyroscope_at_rest(block),
        accelerometer_in_positions(put_down(sensor, FACES, np.random.default_rng(2))),
        magnetometer_turned(turned(sensor)),
    )
    whole = apply(full, block)
    parts = join([apply(full, block[k : k + 7]) for k in range(0, len(block), 7)])
    assert whole.mag is not None
    assert parts.mag is not None
    assert np.array_equal(whole.gyr, parts.gyr)
    assert np.array_equal(whole.acc, parts.acc)
    assert np.array_equal(whole.mag, parts.mag)
    assert np.abs(whole.gyr.mean(axis=0)).max() < 1e-12
    with pytest.raises(CalibrationError, match="is of sensor a, the samples are of b"):
        apply(full, replace(block, sensor="b"))


def test_documents_go_round_and_other_versions_are_refused() -> None:
    sensor = VirtualSensor("a", CONSUMER, RATE, 6)
    found = combine(
        gyroscope_at_rest(at_rest(sensor), "2026-01-01T10:00:00Z"), magnetometer_turned(turned(sensor))
    )
    document = json.loads(json.dumps(found.to_document(), allow_nan=False))
    back = SensorCalibration.from_document(document)
    assert back.to_document() == found.to_document()
    assert np.array_equal(back.mag_matrix, found.mag_matrix)
    assert np.isnan(back.acc_bias).all()
    with pytest.raises(CalibrationError, match=r"expected a sensor document of version 1, got .* version 2"):
        SensorCalibration.from_document(document | {"version": 2})
    with pytest.raises(CalibrationError, match="got kind 'joint'"):
        SensorCalibration.from_document(document | {"kind": "joint"})
    with pytest.raises(CalibrationError, match="missing or wrong; calibrate"):
        SensorCalibration.from_document({k: v for k, v in document.items() if k != "mag_bias_uT"})
    with pytest.raises(CalibrationError, match=r"mag_bias_uT must have shape \(3,\)"):
        SensorCalibration.from_document(document | {"mag_bias_uT": [1.0, 2.0]})


def nudged(block: ImuBlock) -> ImuBlock:
    gyr = block.gyr.copy()
    gyr[400:460, 1] += np.radians(1.0)
    return replace(block, gyr=gyr)


def knocked(block: ImuBlock) -> ImuBlock:
    acc = block.acc.copy()
    acc[500] += 3.0
    return replace(block, acc=acc)


def swaying(block: ImuBlock) -> ImuBlock:
    """Return the rest of a held limb: 0.7 deg in 3 s."""
    rate = np.radians(0.7) * 2.0 * np.pi / 3.0 * np.cos(2.0 * np.pi * block.t / 3.0)
    return replace(block, gyr=block.gyr + rate[:, None] * np.array([0.0, 0.0, 1.0]))


def short(block: ImuBlock) -> ImuBlock:
    return block[:200]


def turntable(block: ImuBlock) -> ImuBlock:
    return replace(block, gyr=block.gyr + 0.5)


def shaken(block: ImuBlock) -> ImuBlock:
    return replace(block, gyr=100.0 * block.gyr)


def unknown(block: ImuBlock) -> ImuBlock:
    return replace(block, gyr=block.gyr * np.nan)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (nudged, r"movement [34]\.\d s after the start \(seen in rad/s\); put it down"),
        (knocked, r"movement [45]\.\d s after the start \(seen in m/s\^2\); put it down"),
        (swaying, "movement .* take the hand away"),
        (short, r"2\.0 s of rest; leave it still for at least 3 s"),
        (turntable, "a steady rate of .* deg/s; put it on something"),
        (shaken, r"movement 0\.0 s after the start"),
        (unknown, r"0\.0 s of rest"),
    ],
    ids=["nudged", "knocked", "swaying", "short", "turntable", "shaken", "nothing known"],
)
def test_a_bad_rest_is_refused(spoil: Callable[[ImuBlock], ImuBlock], cause: str) -> None:
    block = at_rest(VirtualSensor("a", CONSUMER, RATE, 2))
    gyroscope_at_rest(block)
    with pytest.raises(CalibrationError, match="sensor a: calibration refused, " + cause):
        gyroscope_at_rest(spoil(block))


def test_bad_positions_are_refused() -> None:
    rng = np.random.default_rng(3)

    def session(directions: FloatArray) -> ImuBlock:
        return put_down(VirtualSensor("a", CONSUMER, RATE, 2), directions, rng)

    with pytest.raises(CalibrationError, match=r"5 different positions .* each of its six faces"):
        accelerometer_in_positions(session(FACES[:5]))
    one_side = (
        np.array([[1, 0, 3], [0, 1, 3], [-1, 0, 3], [0, -1, 3], [1, 1, 1.5], [-1, -1, 1.5], [0, 0, 1]]) / 1.0
    )
    with pytest.raises(CalibrationError, match=r"known to .* opposite faces"):
        accelerometer_in_positions(session(one_side))
    good = session(FACES)
    many = session(np.concatenate([FACES, EDGES]))
    clipped = replace(many, acc=np.clip(many.acc, -9.0, 9.0))
    with pytest.raises(CalibrationError, match=r"differs by .* from position to position"):
        accelerometer_in_positions(clipped)
    held = replace(good, gyr=good.gyr + rng.normal(0.0, 0.05, good.gyr.shape).cumsum(axis=0))
    with pytest.raises(CalibrationError, match="0 different positions"):
        accelerometer_in_positions(held)


def test_bad_turns_are_refused() -> None:
    def sensor() -> VirtualSensor:
        return VirtualSensor("a", CONSUMER, RATE, 2)

    with pytest.raises(CalibrationError, match="too little rotation"):
        magnetometer_turned(turned(sensor(), tilt=0.1))
    block = turned(sensor())
    with pytest.raises(CalibrationError, match="no magnetometer"):
        magnetometer_turned(replace(block, mag=None))
    with pytest.raises(CalibrationError, match="50 magnetometer samples"):
        magnetometer_turned(block[:50])
    assert block.mag is not None
    near_steel = block.mag + 20.0 * np.sin(0.8 * block.t)[:, None] * np.array([1.0, 0.5, 0.0])
    with pytest.raises(CalibrationError, match=r"strength varies by .* away from steel"):
        magnetometer_turned(replace(block, mag=near_steel))


@pytest.mark.parametrize("seed", range(10))
def test_logarithm_undoes_exponential_and_ignores_rotations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = 0.3 * rng.normal(size=6)
    matrix = exponential(numbers)
    turn = rotate(from_rotation_vector(rng.normal(size=3)), np.eye(3)).T
    assert matrix == pytest.approx(matrix.T)
    assert logarithm(matrix) == pytest.approx(numbers, abs=1e-12)
    assert logarithm(turn @ matrix) == pytest.approx(numbers, abs=1e-12)
