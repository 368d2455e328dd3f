"""Orientation filters behind one interface: rate and specific force in, `q_earth_from_sensor` out.

The earth frame has z up; without a magnetometer its heading is arbitrary and drifts slowly. This is the
only importer of `vqf` and `ahrs`: their conventions end here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.gaps import GapFilter, Orientation, Run, Stretch, stretches
from imu.quaternion import about_vertical, between, conjugate, multiply
from imu.upright_bias import UprightBias

if TYPE_CHECKING:
    from vqf import VQFState

FILTER_NAMES = ("vqf", "madgwick", "mahony", "ekf", "aqua")

TURN_ON_BIAS = math.radians(0.5)
"""One-sigma gyroscope bias at switch-on, rad/s; data sheets give 0.2 to 1 deg/s (LSM6DSO, BMI270)."""

NOISE_REACH = 5.0
"""Rest thresholds in one-sigma noise per axis. VQF compares the length of every sample's deviation with the
threshold for 1.5 s; three axes of white noise exceed 5 sigma with probability 1.5e-5 per sample, so of 100
windows of true rest at 120 Hz about 99.7 pass, and nothing livelier than the noise does."""


@dataclass(frozen=True, slots=True)
class RestNoise:
    """One-sigma white noise per axis of a sensor lying still, SI units.

    Parameters
    ----------
    gyr, acc
        rad/s and m/s^2.
    """

    gyr: float
    acc: float

    def __post_init__(self) -> None:
        """Refuse what cannot be a noise."""
        if not (0.0 < self.gyr < math.inf and 0.0 < self.acc < math.inf):
            raise InputError(
                f"rest noise must be positive, got gyr {self.gyr} rad/s and acc {self.acc} m/s^2"
            )

    @classmethod
    def typical(cls, rate: float) -> "RestNoise":
        """Return the noise to expect where none was measured, at a sampling rate in Hz.

        The data sheets of the BMI270 give 7 mdps and 160 ug per root hertz, white up to half the rate; the
        MTi-DOT states the same rate noise and the LSM6DSO about half. A louder default would let a held,
        swaying limb pass for rest, which costs more (a wrong bias, tens of degrees of heading) than a
        noisy sensor whose rests go unseen: measure such a sensor on the table.
        """
        band = math.sqrt(rate / 2.0)
        return cls(math.radians(0.007) * band, 160e-6 * 9.81 * band)

    @classmethod
    def measured(cls, block: ImuBlock) -> "RestNoise":
        """Return the noise of a block recorded on a table: the median over axes of the standard deviation.

        Raises
        ------
        InputError
            If fewer than 50 samples are known.
        """
        good = np.isfinite(block.gyr).all(axis=1) & np.isfinite(block.acc).all(axis=1)
        if np.count_nonzero(good) < 50:
            raise InputError(
                f"sensor {block.sensor}: measuring noise needs 50 known samples at rest, "
                f"got {np.count_nonzero(good)}"
            )
        gyr, acc = block.gyr[good].std(axis=0), block.acc[good].std(axis=0)
        return cls(float(np.median(gyr)), float(np.median(acc)))


class OrientationFilter(Protocol):
    """A filter of one sensor: blocks in, orientation out, however the stream is cut."""

    def feed(self, block: ImuBlock) -> Orientation:
        """Take the next samples; return as many orientations."""
        ...

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN)."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...


def make_filter(
    name: str, rate: float, noise: RestNoise | None = None, magnetometer: bool = False
) -> OrientationFilter:
    """Return an orientation filter for one sensor.

    Parameters
    ----------
    name
        One of `FILTER_NAMES`. `vqf` estimates gyroscope bias and rest; the filters of `ahrs` (their
        libraries' default gains) don't correct bias and are there as a second opinion.
    rate
        Nominal sampling rate, Hz; timestamps only tell gaps.
    noise
        Measured noise of the sensor at rest; `RestNoise.typical` if None.
    magnetometer
        Whether heading follows the magnetic field (`vqf` only).

    Raises
    ------
    InputError
        If the name is unknown, the rate isn't between 5 and 2000 Hz, or the filter takes no magnetometer.
    """
    if name not in FILTER_NAMES:
        raise InputError(f"unknown orientation filter {name!r}; choose one of {', '.join(FILTER_NAMES)}")
    if not 5.0 <= rate <= 2000.0:
        raise InputError(f"the sampling rate must lie between 5 and 2000 Hz, got {rate:g} Hz")
    if magnetometer and name != "vqf":
        raise InputError(f"the filter {name} is offered without magnetometer only; use vqf")
    vqf = _VqfCore(rate, noise or RestNoise.typical(rate), magnetometer)
    return GapFilter(rate, vqf if name == "vqf" else _AhrsCore(name, rate, vqf))


def hindsight(
    name: str, block: ImuBlock, rate: float, noise: RestNoise | None = None, magnetometer: bool = False
) -> Orientation:
    """Return the orientation of one sensor over a whole recording, every sample in the light of all others.

    For `vqf` that is its authors' offline form with the thresholds of `make_filter`: bias from both
    directions of time, gravity by a filter without delay. Each direction begins with a bias of zero, towards
    which it draws the other one wherever the sensor does not rest; so what the causal filter made of the
    bias, weighted by how sure it was, is taken off beforehand, and sigma counts that beginning once. Behind
    a gap that the causal filter does not cross everything but the heading begins anew. The filters of `ahrs`
    have no offline form: theirs, and that of a magnetometer which pauses, is the causal orientation.

    Parameters are those of `make_filter`, and the samples of the whole recording. Raises `InputError` as it
    does.
    """
    parts, lost = stretches(block if magnetometer else replace(block, mag=None), rate)
    if name != "vqf" or (magnetometer and any(part.mag is None for part in parts)):
        return make_filter(name, rate, noise, magnetometer).feed(block)
    causal = make_filter(name, rate, noise).feed(block)
    n = len(block)
    q, bias, sigma = np.full((n, 4), np.nan), np.full((n, 3), np.nan), np.full(n, np.nan)
    rest = np.zeros(n, np.bool_)
    thresholds = _thresholds(noise or RestNoise.typical(rate))
    upright = UprightBias(1.0 / rate)
    for i, part in enumerate(parts):
        weight = 1.0 / causal.gyr_bias_sigma[part.rows, None] ** 2
        about = (weight * causal.gyr_bias[part.rows]).sum(axis=0) / weight.sum()
        run = upright.keep(_in_both_directions(part, about, rate, thresholds, magnetometer))
        q[part.rows], rest[part.rows] = run.q[part.at], run.rest[part.at]
        bias[part.rows], sigma[part.rows] = run.bias[part.at], run.sigma[part.at]
        if i > 0 and not magnetometer:
            turn = multiply(q[parts[i - 1].rows[-1]], conjugate(q[part.rows[0]]))
            heading = 2.0 * math.atan2(float(turn[3]), float(turn[0]))
            q[part.rows] = multiply(about_vertical(heading), q[part.rows])
    return Orientation(block.sensor, block.t, q, rest, bias, sigma, lost)


def _in_both_directions(
    part: Stretch, about: FloatArray, rate: float, thresholds: Any, magnetometer: bool
) -> Run:
    """Return what VQF makes of a stretch whose bias is about that much, rad/s."""
    from vqf import offlineVQF

    mag = part.mag if magnetometer else None
    out: Any = offlineVQF(part.gyr - about, part.acc, mag, 1.0 / rate, thresholds)
    begun = 1.0 / TURN_ON_BIAS**2
    once = 1.0 / np.sqrt(np.maximum(1.0 / out["biasSigma"] ** 2 - begun, begun))
    q = out["quat9D" if magnetometer else "quat6D"]
    return Run(q, out["restDetected"].astype(np.bool_), out["bias"] + about, once)


def _thresholds(noise: RestNoise) -> dict[str, Any]:
    """Return VQF's thresholds of rest, deg/s and m/s^2."""
    return {"restThGyr": math.degrees(NOISE_REACH * noise.gyr), "restThAcc": NOISE_REACH * noise.acc}


class _VqfCore:
    """VQF (D. Laidig, T. Seel, Inf. Fusion 91:187, 2023), rest thresholds from the sensor's noise."""

    def __init__(self, rate: float, noise: RestNoise, magnetometer: bool) -> None:
        from vqf import VQF

        self._vqf = VQF(1.0 / rate, **_thresholds(noise))
        self._magnetometer = magnetometer
        self._upright = UprightBias(1.0 / rate)

    def run(self, gyr: FloatArray, acc: FloatArray, mag: FloatArray | None) -> Run:
        if not self._magnetometer:
            out = self._vqf.updateBatch(gyr, acc)
            found = Run(out["quat6D"], out["restDetected"], out["bias"], out["biasSigma"])
            return self._upright.keep(found)
        n = len(gyr)
        q, rest, bias, sigma = np.empty((n, 4)), np.zeros(n, np.bool_), np.empty((n, 3)), np.empty(n)
        for i in range(n):
            field = None if mag is None or not np.isfinite(mag[i]).all() else mag[i]
            self._vqf.update(gyr[i], acc[i], field) if field is not None else self._vqf.update(gyr[i], acc[i])
            q[i] = self._vqf.getQuat9D()
            rest[i] = self._vqf.getRestDetected()
            bias[i], sigma[i] = self._vqf.getBiasEstimate()
        return self._upright.keep(Run(q, rest, bias, sigma))

    def coast(self, gyr: FloatArray) -> None:
        for rate in gyr:
            self._vqf.updateGyr(rate)
        self._upright.coast(len(gyr))

    def restart_tilt(self) -> None:
        """Keep heading and bias; let the next accelerations set the inclination at once, as at the start."""
        state = self._vqf.state
        state["gyrQuat"] = self._vqf.getQuat6D().tolist()
        state["accQuat"] = [1.0, 0.0, 0.0, 0.0]
        for memory in ("accLpState", "motionBiasEstRLpState", "motionBiasEstBiasLpState"):
            state[memory] = [math.nan] * len(state[memory])
        for memory in ("restGyrLpState", "restAccLpState"):
            state[memory] = [math.nan] * len(state[memory])
        state["restT"], state["restDetected"] = 0.0, False
        self._vqf.state = state

    def save(self) -> dict[str, Any]:
        return {"vqf": dict(self._vqf.state), "upright": self._upright.save()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._vqf.state = cast("VQFState", dict(state["vqf"]))
        self._upright.restore(state["upright"])


class _AhrsCore:
    """One of the filters of `ahrs`, sample by sample, with our frames at its border.

    "NED" makes the EKF expect the specific force along +z of its earth frame at rest, which is our z up;
    AQUA's quaternion points the other way. All return the old attitude for a rate of exactly zero,
    without a look at the accelerometer, so such a rate is replaced by one too small to matter. Rest comes
    from VQF's detector; bias isn't corrected.
    """

    def __init__(self, name: str, rate: float, detector: _VqfCore) -> None:
        from ahrs import filters

        self._detector = detector
        self._q: FloatArray | None = None
        self._filter: Any
        self._inverted = name == "aqua"
        match name:
            case "madgwick":
                self._filter = filters.Madgwick(frequency=rate)
                self._memory: tuple[str, ...] = ()
            case "mahony":
                self._filter = filters.Mahony(frequency=rate)
                self._memory = ("b",)
            case "ekf":
                self._filter = filters.EKF(frequency=rate, frame="NED", magnetic_ref=60.0)
                self._memory = ("P",)
            case _:
                self._filter = filters.AQUA(frequency=rate)
                self._memory = ()
        step = self._filter.update if name == "ekf" else self._filter.updateIMU
        self._step = cast("Callable[[FloatArray, FloatArray, FloatArray], FloatArray]", step)

    def run(self, gyr: FloatArray, acc: FloatArray, mag: FloatArray | None) -> Run:
        del mag  # make_filter refuses these filters a magnetometer
        n = len(gyr)
        q = np.empty((n, 4))
        for i in range(n):
            rate = gyr[i] if gyr[i].any() else np.array([1e-12, 0.0, 0.0])
            if self._q is None:
                up = acc[i] / np.sqrt((acc[i] * acc[i]).sum())
                self._q = self._turned(between(up, np.array([0.0, 0.0, 1.0])))
            else:
                self._q = np.asarray(self._step(self._q, rate, acc[i]), dtype=np.float64)
            q[i] = self._turned(self._q)
        rest = self._detector.run(gyr, acc, None).rest
        return Run(q, rest, np.zeros((n, 3)), np.full(n, TURN_ON_BIAS))

    def _turned(self, q: FloatArray) -> FloatArray:
        """Change between our direction and the library's; its own inverse."""
        return conjugate(q) if self._inverted else q

    def coast(self, gyr: FloatArray) -> None:
        """Not offered by these filters: the attitude is held, and the heading is marked as lost."""
        self._detector.coast(gyr)

    def restart_tilt(self) -> None:
        self._q = None
        self._detector.restart_tilt()

    def save(self) -> dict[str, Any]:
        return {
            "q": None if self._q is None else self._q.tolist(),
            "memory": {name: np.asarray(getattr(self._filter, name)).tolist() for name in self._memory},
            "detector": self._detector.save(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._q = None if state["q"] is None else np.array(state["q"])
        for name, value in state["memory"].items():
            setattr(self._filter, name, np.array(value))
        self._detector.restore(state["detector"])
