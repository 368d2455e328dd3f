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
from imu.sensor_grade import CONSUMER, GRADES, MID, PERFECT, RESEARCH, SensorGrade
from imu.triad import through

__all__ = [
    "CONSUMER",
    "GRADES",
    "MID",
    "PERFECT",
    "RESEARCH",
    "Measurement",
    "Motion",
    "SensorErrors",
    "SensorGrade",
    "VirtualSensor",
    "draw_errors",
    "still",
    "stream",
]

_COUNTS = 2**15


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
        stamp=float(grade.stamp * abs(rng.standard_normal())),
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
        gyr = through(errors.gyr_matrix, motion.gyr) + bias
        gyr += grade.gyr_noise * band * self._gyr_noise.standard_normal((n, 3))
        acc = through(errors.acc_matrix, motion.acc) + errors.acc_bias
        acc += grade.acc_noise * band * self._acc_noise.standard_normal((n, 3))
        mag = None
        if motion.mag is not None:
            mag = through(errors.mag_matrix, motion.mag) + errors.mag_bias
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


def _digitise(signal: FloatArray, limit: float) -> FloatArray:
    """Return the signal in 16-bit steps; what is beyond the range reads as the range's end."""
    if not np.isfinite(limit):
        return signal
    step = limit / _COUNTS
    counts: FloatArray = np.clip(np.round(signal / step), -_COUNTS, _COUNTS - 1)
    return counts * step
