"""One sensor that exists only in memory: true motion in, samples with a data sheet's errors out.

The model, sample by sample, for the gyroscope (the accelerometer is the same without the wandering bias):
`measured = clip(round(matrix * true + bias + wander + white noise))`. White noise densities are
one-sided, as data sheets give them, and the sensor's own low-pass ends at half its rate: one sigma of a
sample is density times the square root of half the rate. Errors that hold for a whole run are drawn
once, from the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imu.block import STANDARD_GRAVITY, BoolArray, FloatArray, ImuBlock
from imu.errors import InputError
from imu.quaternion import conjugate, rotate

_COUNTS = 2**15


@dataclass(frozen=True, slots=True)
class SensorGrade:
    """What a data sheet says about one model of sensor. All errors are one sigma per axis; 0 is none.

    Parameters
    ----------
    name
        Name of the grade.
    source
        Where the numbers come from, and which are assumed.
    gyr_noise, acc_noise
        White noise density, rad/s/sqrt(Hz) and m/s^2/sqrt(Hz).
    gyr_bias, acc_bias
        Offset at turn-on, constant for a run, rad/s and m/s^2.
    gyr_instability, gyr_walk
        Bias wander within a run: stationary part with a memory of 100 s, rad/s, and random walk,
        rad/s/sqrt(s).
    gyr_scale, acc_scale
        Relative error of sensitivity.
    misalignment
        Off-diagonal terms of the sensitivity matrices of all three signals, rad.
    gyr_range, acc_range
        Largest value that can be told, rad/s and m/s^2, in 16-bit steps; infinite: no limit, no steps.
    mag_noise, mag_hard, mag_soft
        Noise of a sample and hard-iron offset, uT; soft-iron distortion, relative.
    clock
        Relative error of the sensor's crystal.
    stamp
        What is left of the transmission delay once device ticks are mapped to the capture clock, s.
    """

    name: str
    source: str
    gyr_noise: float = 0.0
    gyr_bias: float = 0.0
    gyr_instability: float = 0.0
    gyr_walk: float = 0.0
    gyr_scale: float = 0.0
    gyr_range: float = np.inf
    acc_noise: float = 0.0
    acc_bias: float = 0.0
    acc_scale: float = 0.0
    acc_range: float = np.inf
    misalignment: float = 0.0
    mag_noise: float = 0.0
    mag_hard: float = 0.0
    mag_soft: float = 0.0
    clock: float = 0.0
    stamp: float = 0.0


_DEG = np.pi / 180.0
_MILLI_G = STANDARD_GRAVITY / 1000.0
# .03 deg/s in 10 minutes (../shared/reference/algorithms.md, error budget: assumed), as a random walk.
_WALK = 0.03 * _DEG / np.sqrt(600.0)

PERFECT = SensorGrade("perfect", "no error at all")
CONSUMER = SensorGrade(
    "consumer",
    "Bosch BMI270 data sheet BST-BMI270-DS000: noise densities, zero-rate +-0.5 deg/s and zero-g +-20 mg, "
    "16 bit; magnetometer, sensitivity left after factory trim, misalignment, bias wander and crystal are "
    "typical of the class (assumed)",
    gyr_noise=0.007 * _DEG,
    gyr_bias=0.5 * _DEG,
    gyr_instability=0.003 * _DEG,
    gyr_walk=_WALK,
    gyr_scale=0.004,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.16 * _MILLI_G,
    acc_bias=20.0 * _MILLI_G,
    acc_scale=0.004,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.003,
    mag_noise=0.6,
    mag_hard=15.0,
    mag_soft=0.05,
    clock=40e-6,
    stamp=2e-3,
)
MID = SensorGrade(
    "mid",
    "ST LSM6DSO data sheet DS12140: 3.8 mdps/rtHz, 70 ug/rtHz; offsets and sensitivity as left by a maker's "
    "single-temperature trim, a third of the consumer grade (assumed); the rest as consumer (assumed)",
    gyr_noise=0.0038 * _DEG,
    gyr_bias=0.3 * _DEG,
    gyr_instability=0.003 * _DEG,
    gyr_walk=_WALK,
    gyr_scale=0.003,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.07 * _MILLI_G,
    acc_bias=7.0 * _MILLI_G,
    acc_scale=0.002,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.002,
    mag_noise=0.4,
    mag_hard=10.0,
    mag_soft=0.04,
    clock=20e-6,
    stamp=1e-3,
)
RESEARCH = SensorGrade(
    "research",
    "Movella DOT user manual XD0502P: 7 mdps/rtHz and 10 deg/h, 120 ug/rtHz and 0.03 mg, factory calibrated "
    "over temperature (to verify); residual scale, misalignment, magnetometer and clock after the maker's "
    "synchronisation are assumed",
    gyr_noise=0.007 * _DEG,
    gyr_bias=0.1 * _DEG,
    gyr_instability=10.0 / 3600.0 * _DEG,
    gyr_walk=_WALK / 3.0,
    gyr_scale=0.001,
    gyr_range=2000.0 * _DEG,
    acc_noise=0.12 * _MILLI_G,
    acc_bias=2.0 * _MILLI_G,
    acc_scale=0.001,
    acc_range=16.0 * STANDARD_GRAVITY,
    misalignment=0.001,
    mag_noise=0.15,
    mag_hard=2.0,
    mag_soft=0.01,
    clock=5e-6,
    stamp=5e-4,
)
GRADES = {grade.name: grade for grade in (PERFECT, CONSUMER, MID, RESEARCH)}

_INSTABILITY_MEMORY = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What a sensor truly undergoes.

    Parameters
    ----------
    t : (N,)
        Instants on the capture clock, s.
    q_earth_from_sensor : (N, 4)
        Orientation; earth z is up.
    gyr : (N, 3)
        Angular rate in the sensor frame, rad/s.
    acc : (N, 3)
        Specific force in the sensor frame, m/s^2.
    mag : (N, 3) or None
        Magnetic field in the sensor frame, uT; None for a sensor without magnetometer.
    """

    t: FloatArray
    q_earth_from_sensor: FloatArray
    gyr: FloatArray
    acc: FloatArray
    mag: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of instants."""
        return self.t.shape[0]

    def __getitem__(self, span: slice) -> "Motion":
        """Return the motion over a slice of the instants."""
        mag = None if self.mag is None else self.mag[span]
        return Motion(self.t[span], self.q_earth_from_sensor[span], self.gyr[span], self.acc[span], mag)


def still(t: FloatArray, q_earth_from_sensor: FloatArray, field: FloatArray | None = None) -> Motion:
    """Return the motion of a sensor that lies still.

    Parameters
    ----------
    t : (N,)
        Instants, s.
    q_earth_from_sensor : (4,)
        Its orientation.
    field : (3,) or None
        Magnetic field in the earth frame, uT.
    """
    q = np.broadcast_to(q_earth_from_sensor, (len(t), 4)).copy()
    up = np.array([0.0, 0.0, STANDARD_GRAVITY])
    inverse = conjugate(q)
    mag = None if field is None else rotate(inverse, field)
    return Motion(t, q, np.zeros((len(t), 3)), rotate(inverse, up), mag)


@dataclass(frozen=True, slots=True, eq=False)
class SensorErrors:
    """The errors of one run, drawn once: what a perfect calibration would find.

    Matrices (3, 3) and biases (3,) make `measured = matrix @ true + bias`, SI units and uT; `clock` is the
    relative error of the crystal, `stamp` is added to every time, s.
    """

    gyr_matrix: FloatArray
    gyr_bias: FloatArray
    acc_matrix: FloatArray
    acc_bias: FloatArray
    mag_matrix: FloatArray
    mag_bias: FloatArray
    clock: float
    stamp: float


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What a sensor made of a motion.

    Parameters
    ----------
    block
        The samples that arrived, at the times they were stamped with.
    arrived : (N,)
        Which instants of the motion made it.
    gyr_bias : (N, 3)
        True gyroscope bias at every instant, wander included, rad/s.
    """

    block: ImuBlock
    arrived: BoolArray
    gyr_bias: FloatArray


def draw_errors(grade: SensorGrade, rng: np.random.Generator) -> SensorErrors:
    """Return the errors of one run of one sensor of a grade."""

    def matrix(scale: float, off_diagonal: float) -> FloatArray:
        random = rng.standard_normal((3, 3))
        return np.eye(3) + np.where(np.eye(3, dtype=bool), scale * random, off_diagonal * random)

    soft = grade.mag_soft * rng.standard_normal((3, 3))
    return SensorErrors(
        gyr_matrix=matrix(grade.gyr_scale, grade.misalignment),
        gyr_bias=grade.gyr_bias * rng.standard_normal(3),
        acc_matrix=matrix(grade.acc_scale, grade.misalignment),
        acc_bias=grade.acc_bias * rng.standard_normal(3),
        mag_matrix=np.eye(3) + (soft + soft.T) / 2.0,
        mag_bias=grade.mag_hard * rng.standard_normal(3),
        clock=float(grade.clock * rng.standard_normal()),
        stamp=float(grade.stamp * rng.standard_normal()),
    )


class VirtualSensor:
    """A sensor in memory, sampled in blocks of any length: how it is cut changes no sample.

    Parameters
    ----------
    sensor
        Id of the sensor.
    grade
        Its data sheet.
    rate
        Nominal samples per second, Hz.
    seed
        Same seed, same sensor, same samples.
    loss
        Share of packets that never arrive, 0 to 1; their samples are simply missing.
    packet
        Samples in a packet.
    burst
        Mean number of packets lost in a row, >= 1.
    errors
        What holds for the whole run; None: drawn from the seed.

    Raises
    ------
    InputError
        If the rate is not positive, or loss, packet or burst are impossible.
    """

    def __init__(
        self,
        sensor: str,
        grade: SensorGrade,
        rate: float,
        seed: np.random.SeedSequence | int,
        *,
        loss: float = 0.0,
        packet: int = 1,
        burst: float = 1.0,
        errors: SensorErrors | None = None,
    ) -> None:
        if not rate > 0.0:
            raise InputError(f"sensor {sensor}: the rate must be positive, got {rate} Hz")
        if not 0.0 <= loss < 1.0 or packet < 1 or burst < 1.0:
            raise InputError(
                f"sensor {sensor}: loss must be in [0, 1), packet and burst at least 1; "
                f"got loss {loss}, packet {packet}, burst {burst}"
            )
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        # Children by number, not by `spawn`, which would give another sensor on the second call.
        children = [np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, i)) for i in range(7)]
        streams = [np.random.default_rng(child) for child in children]
        self.sensor, self.grade, self.rate = sensor, grade, rate
        self.errors = errors or draw_errors(grade, streams[0])
        self._gyr_noise, self._acc_noise, self._mag_noise = streams[1:4]
        self._instability, self._walk, self._fate = streams[4:7]
        self._count = 0
        self._wander = grade.gyr_instability * self._instability.standard_normal(3)
        self._walked = np.zeros(3)
        self._loss, self._packet, self._burst = loss, packet, burst
        self._packets = 0
        self._lost = False

    def instants(self, samples: int) -> FloatArray:
        """Return when, on the true clock, the next `samples` samples are taken, s, shape (samples,)."""
        k = np.arange(self._count, self._count + samples, dtype=np.float64)
        return k * (1.0 + self.errors.clock) / self.rate

    def measure(self, motion: Motion) -> Measurement:
        """Return what the sensor makes of its next samples, the motion being given at `instants`."""
        n, grade, errors = len(motion), self.grade, self.errors
        band = np.sqrt(self.rate / 2.0)
        bias = errors.gyr_bias + self._next_wander(n)
        gyr = _apply(errors.gyr_matrix, motion.gyr) + bias
        gyr += grade.gyr_noise * band * self._gyr_noise.standard_normal((n, 3))
        acc = _apply(errors.acc_matrix, motion.acc) + errors.acc_bias
        acc += grade.acc_noise * band * self._acc_noise.standard_normal((n, 3))
        mag = None
        if motion.mag is not None:
            mag = _apply(errors.mag_matrix, motion.mag) + errors.mag_bias
            mag += grade.mag_noise * self._mag_noise.standard_normal((n, 3))
        arrived = self._next_fate(n)
        self._count += n
        block = ImuBlock(
            self.sensor,
            motion.t[arrived] + errors.stamp,
            _digitise(gyr, grade.gyr_range)[arrived],
            _digitise(acc, grade.acc_range)[arrived],
            None if mag is None else mag[arrived],
        )
        return Measurement(block, arrived, bias)

    def _next_wander(self, n: int) -> FloatArray:
        """Return the bias wander of the next n samples, (n, 3): a Gauss-Markov part and a random walk."""
        from scipy.signal import lfilter

        keep = float(np.exp(-1.0 / (self.rate * _INSTABILITY_MEMORY)))
        kick = self.grade.gyr_instability * np.sqrt(1.0 - keep**2) * self._instability.standard_normal((n, 3))
        step = self.grade.gyr_walk / np.sqrt(self.rate) * self._walk.standard_normal((n, 3))
        if n == 0:
            return np.zeros((0, 3))
        wander, _ = lfilter([1.0], [1.0, -keep], kick, axis=0, zi=keep * self._wander[None, :])
        walked, _ = lfilter([1.0], [1.0, -1.0], step, axis=0, zi=self._walked[None, :])
        self._wander, self._walked = wander[-1], walked[-1]
        return wander + walked

    def _next_fate(self, n: int) -> BoolArray:
        """Return which of the next n samples arrive, (n,): packets are lost in bursts (Gilbert's channel)."""
        if self._loss == 0.0:
            return np.ones(n, dtype=np.bool_)
        recover = 1.0 / self._burst
        fail = min(1.0, self._loss / (1.0 - self._loss) * recover)
        begun, fates = not self._lost, list[bool]()
        packet_of_sample = np.arange(self._count, self._count + n) // self._packet
        for _ in range(self._packets, int(packet_of_sample[-1]) + 1 if n else self._packets):
            chance = self._fate.random()
            self._lost = chance >= recover if self._lost else chance < fail
            fates.append(not self._lost)
        # A block may begin inside the packet whose fate the block before it has settled.
        table = np.array([begun, *fates], dtype=np.bool_)
        arrived = table[packet_of_sample - self._packets + 1]
        self._packets += len(fates)
        return arrived


def stream(sensor: VirtualSensor, motion: Motion, samples: int) -> Iterator[Measurement]:
    """Yield what a sensor makes of a motion, `samples` at a time, as a radio would deliver it."""
    for start in range(0, len(motion), samples):
        yield sensor.measure(motion[start : start + samples])


def _apply(matrix: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return matrix @ each row (n, 3), component by component: a row never depends on its neighbours."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.stack([row[0] * x + row[1] * y + row[2] * z for row in matrix], axis=-1)


def _digitise(signal: FloatArray, limit: float) -> FloatArray:
    """Return the signal in 16-bit steps; what is beyond the range reads as the range's end."""
    if not np.isfinite(limit):
        return signal
    step = limit / _COUNTS
    counts: FloatArray = np.clip(np.round(signal / step), -_COUNTS, _COUNTS - 1)
    return counts * step
