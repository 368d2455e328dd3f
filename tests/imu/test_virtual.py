"""Laws of the sensor in memory: its noise is the data sheet's, the seed is the sensor, cuts are invisible."""

from dataclasses import replace

import numpy as np
import pytest

from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock, join
from imu.errors import InputError
from imu.quaternion import from_rotation_vector
from imu.virtual import (
    CONSUMER,
    GRADES,
    PERFECT,
    Motion,
    SensorGrade,
    VirtualSensor,
    draw_errors,
    still,
    stream,
)

RATE = 100.0
REAL = [grade for grade in GRADES.values() if grade is not PERFECT]


def lying(sensor: VirtualSensor, samples: int) -> Motion:
    q = from_rotation_vector(np.array([0.3, -0.7, 1.1]))
    return still(sensor.instants(samples), q, np.array([0.0, 20.0, -44.0]))


def turning(t: FloatArray, rng: np.random.Generator) -> Motion:
    n = len(t)
    q = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
    return Motion(
        t, q, rng.normal(size=(n, 3)), 9.0 * rng.normal(size=(n, 3)), 40.0 * rng.normal(size=(n, 3))
    )


def same(a: ImuBlock, b: ImuBlock) -> bool:
    assert a.mag is not None
    assert b.mag is not None
    pairs = ((a.t, b.t), (a.gyr, b.gyr), (a.acc, b.acc), (a.mag, b.mag))
    return all(np.array_equal(x, y) for x, y in pairs)


def allan(signal: FloatArray, seconds: float) -> FloatArray:
    """Allan deviation of each column at one averaging time, written out from its definition."""
    length = round(seconds * RATE)
    means = signal[: len(signal) // length * length].reshape(-1, length, 3).mean(axis=1)
    return np.sqrt(0.5 * np.mean(np.diff(means, axis=0) ** 2, axis=0))


@pytest.mark.parametrize("grade", REAL, ids=lambda grade: grade.name)
def test_allan_deviation_gives_the_data_sheets_noise_density_back(grade: SensorGrade) -> None:
    sensor = VirtualSensor("a", replace(grade, gyr_range=np.inf, acc_range=np.inf), RATE, 1)
    block = sensor.measure(lying(sensor, 120_000)).block
    # One-sided density N: the Allan variance of white noise is N^2 / (2 tau); at 1 s nothing wanders yet.
    assert allan(block.gyr, 1.0) * np.sqrt(2.0) == pytest.approx(grade.gyr_noise, rel=0.1)
    assert allan(block.acc, 1.0) * np.sqrt(2.0) == pytest.approx(grade.acc_noise, rel=0.1)


def test_bias_wander_spreads_as_a_random_walk_and_a_stationary_part() -> None:
    quiet = replace(PERFECT, gyr_walk=CONSUMER.gyr_walk, gyr_instability=CONSUMER.gyr_instability)
    seconds = 600.0
    ends: list[FloatArray] = []
    for seed in range(150):
        sensor = VirtualSensor("a", quiet, 2.0, seed)
        ends.append(sensor.measure(lying(sensor, round(2.0 * seconds))).gyr_bias[-1])
    spread = np.sqrt(quiet.gyr_walk**2 * seconds + quiet.gyr_instability**2)
    assert np.concatenate(ends).std() == pytest.approx(spread, rel=0.1)


def test_drawn_errors_have_the_data_sheets_spread() -> None:
    drawn = [draw_errors(CONSUMER, np.random.default_rng(seed)) for seed in range(400)]
    assert np.std([e.gyr_bias for e in drawn]) == pytest.approx(CONSUMER.gyr_bias, rel=0.1)
    assert np.std([e.acc_bias for e in drawn]) == pytest.approx(CONSUMER.acc_bias, rel=0.1)
    assert np.std([np.diag(e.gyr_matrix) for e in drawn]) == pytest.approx(CONSUMER.gyr_scale, rel=0.1)
    assert np.mean([np.diag(e.acc_matrix) for e in drawn]) == pytest.approx(1.0, abs=1e-3)
    off_diagonal = [e.acc_matrix[0, 1] for e in drawn] + [e.acc_matrix[2, 0] for e in drawn]
    assert np.std(off_diagonal) == pytest.approx(CONSUMER.misalignment, rel=0.15)


@pytest.mark.parametrize("seed", range(8))
def test_how_the_stream_is_cut_changes_no_sample(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def make() -> VirtualSensor:
        return VirtualSensor("a", CONSUMER, RATE, seed, loss=0.1, packet=3, burst=2.0)

    motion = turning(make().instants(2000), rng)
    whole = make().measure(motion)
    cuts = np.sort(rng.integers(0, 2001, 12))
    sensor = make()
    parts = [sensor.measure(motion[int(a) : int(b)]) for a, b in zip([0, *cuts], [*cuts, 2000], strict=True)]
    assert same(join([part.block for part in parts if len(part.block)]), whole.block)
    assert np.array_equal(np.concatenate([part.arrived for part in parts]), whole.arrived)
    assert np.array_equal(np.concatenate([part.gyr_bias for part in parts]), whole.gyr_bias)
    singles = [part.block for part in stream(make(), motion, 1) if len(part.block)]
    assert same(join(singles), whole.block)


def test_the_seed_is_the_sensor() -> None:
    first, again, other = (VirtualSensor("a", CONSUMER, RATE, seed) for seed in (5, 5, 6))
    motion = lying(first, 500)
    block = first.measure(motion).block
    assert same(block, again.measure(motion).block)
    assert not same(block, other.measure(motion).block)


def test_a_seed_sequence_is_not_used_up() -> None:
    seed = np.random.SeedSequence(9)
    first, again = VirtualSensor("a", CONSUMER, RATE, seed), VirtualSensor("a", CONSUMER, RATE, seed)
    assert same(first.measure(lying(first, 50)).block, again.measure(lying(again, 50)).block)


def test_the_perfect_sensor_tells_the_truth() -> None:
    sensor = VirtualSensor("a", PERFECT, RATE, 3)
    motion = turning(sensor.instants(100), np.random.default_rng(0))
    block = sensor.measure(motion).block
    assert motion.mag is not None
    assert block.mag is not None
    assert np.array_equal(block.t, np.arange(100) / RATE)
    assert np.array_equal(block.gyr, motion.gyr)
    assert np.array_equal(block.acc, motion.acc)
    assert np.array_equal(block.mag, motion.mag)


def test_without_noise_every_error_is_the_one_that_was_drawn() -> None:
    silent = replace(
        CONSUMER,
        gyr_noise=0.0,
        acc_noise=0.0,
        mag_noise=0.0,
        gyr_walk=0.0,
        gyr_instability=0.0,
        gyr_range=np.inf,
        acc_range=np.inf,
    )
    sensor = VirtualSensor("a", silent, RATE, 11)
    motion = turning(sensor.instants(300), np.random.default_rng(1))
    block, errors = sensor.measure(motion).block, sensor.errors
    assert block.mag is not None
    assert motion.mag is not None
    assert block.gyr == pytest.approx(motion.gyr @ errors.gyr_matrix.T + errors.gyr_bias, abs=1e-12)
    assert block.acc == pytest.approx(motion.acc @ errors.acc_matrix.T + errors.acc_bias, abs=1e-12)
    assert block.mag == pytest.approx(motion.mag @ errors.mag_matrix.T + errors.mag_bias, abs=1e-12)
    assert np.array_equal(errors.mag_matrix, errors.mag_matrix.T)


def test_samples_are_16_bit_steps_and_end_at_the_range() -> None:
    sensor = VirtualSensor("a", replace(CONSUMER, gyr_range=5.0, acc_range=20.0), RATE, 2)
    motion = turning(sensor.instants(2000), np.random.default_rng(2))
    fast = Motion(motion.t, motion.q_earth_from_sensor, 4.0 * motion.gyr, 4.0 * motion.acc)
    block = sensor.measure(fast).block
    for signal, limit in ((block.gyr, 5.0), (block.acc, 20.0)):
        counts = signal / (limit / 32768)
        assert counts == pytest.approx(np.round(counts), abs=1e-6)
        assert signal.min() == -limit
        assert signal.max() == limit * 32767 / 32768
        assert np.count_nonzero(signal == signal.max()) > 20


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.0), (0.2, 4.0)])
def test_packets_are_lost_as_often_and_as_long_as_asked(loss: float, burst: float) -> None:
    sensor = VirtualSensor("a", PERFECT, RATE, 4, loss=loss, packet=2, burst=burst)
    motion = lying(sensor, 200_000)
    measured = sensor.measure(motion)
    packets = measured.arrived.reshape(-1, 2)
    assert np.array_equal(packets[:, 0], packets[:, 1])
    lost = ~packets[:, 0]
    bursts = np.count_nonzero(lost[1:] & ~lost[:-1]) + int(lost[0])
    assert lost.mean() == pytest.approx(loss, rel=0.1)
    assert lost.sum() / bursts == pytest.approx(burst, rel=0.1)
    assert np.array_equal(measured.block.t, motion.t[measured.arrived])


def test_the_crystal_stretches_time_and_the_stamp_shifts_it() -> None:
    sensor = VirtualSensor("a", replace(PERFECT, clock=1e-3, stamp=0.01), RATE, 8)
    t = sensor.instants(1000)
    assert np.diff(t) == pytest.approx((1.0 + sensor.errors.clock) / RATE)
    assert sensor.errors.clock != 0.0
    block = sensor.measure(still(t, np.array([1.0, 0.0, 0.0, 0.0]))).block
    assert block.t - t == pytest.approx(sensor.errors.stamp)
    assert sensor.errors.stamp != 0.0
    assert sensor.instants(1)[0] == pytest.approx(1000 * (1.0 + sensor.errors.clock) / RATE)


def test_at_rest_up_is_positive_on_every_face_of_the_cube() -> None:
    for axis in range(3):
        for sign in (1.0, -1.0):
            up = sign * np.eye(3)[axis]
            turn = np.cross(up, [0.0, 0.0, 1.0])
            half = np.pi if up[2] == -1.0 else np.pi / 2.0
            turn = np.array([1.0, 0.0, 0.0]) if np.linalg.norm(turn) == 0.0 else turn
            q = from_rotation_vector((0.0 if up[2] == 1.0 else half) * turn)
            motion = still(np.arange(3.0), q)
            assert motion.acc == pytest.approx(np.tile(STANDARD_GRAVITY * up, (3, 1)), abs=1e-12)
            assert motion.mag is None


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan])
def test_a_rate_that_is_not_positive_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="rate must be positive"):
        VirtualSensor("a", PERFECT, rate, 0)


@pytest.mark.parametrize(
    ("loss", "packet", "burst"), [(1.0, 1, 1.0), (-0.1, 1, 1.0), (0, 0, 1.0), (0, 1, 0.5)]
)
def test_an_impossible_channel_is_refused(loss: float, packet: int, burst: float) -> None:
    with pytest.raises(InputError, match=r"loss must be in \[0, 1\), packet and burst at least 1"):
        VirtualSensor("a", PERFECT, RATE, 0, loss=loss, packet=packet, burst=burst)
