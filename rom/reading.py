"""Synchronised sensors to joint angles: with two calibrated sensors, with one, or without calibration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.expected import USUAL, Expected, heading_params
from calibration.heading import HeadingEstimator
from calibration.heading_series import Heading
from calibration.segment import JointCalibration, SegmentAlignment, one_sigma
from calibration.sensor import SensorCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.errors import InputError
from imu.fusion import RestNoise
from imu.sync import Frames
from rom.angle_rows import joint_row
from rom.angles import HEADING_UNKNOWN, UNCALIBRATED, AngleErrors, angle_errors, inclination_errors
from rom.catalogue.movement import AngleRule, Side
from rom.sensor_error import DRIFT, IN_INTERVAL, TILT_SIGMA, Lasting

HEADING_SHARE = math.radians(1.0)
"""Unobserved heading is flagged once its share of the primary angle's sigma exceeds this, rad."""

Flags = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrackedSensor:
    """What the tracker must know of a sensor.

    Parameters
    ----------
    sensor
        Id in the blocks.
    rate
        Nominal samples per second, Hz.
    noise
        Measured noise at rest; typical data-sheet noise if None.
    gyr_range
        End of the gyroscope's range, rad/s; None if not known.
    calibration
        Its errors, taken off every sample; None if not known.
    expected
        What its samples err by after that.
    """

    sensor: str
    rate: float
    noise: RestNoise | None = None
    gyr_range: float | None = None
    calibration: SensorCalibration | None = None
    expected: Expected = USUAL


@dataclass(frozen=True, slots=True)
class TrackerSetup:
    """What is tracked, with which sensors, and how.

    Parameters
    ----------
    rule, side
        How the clinical angle is read.
    distal
        Sensor on the distal segment, or on the inclined one if the rule is an inclination.
    proximal
        Sensor on the proximal segment; None for the inclination of a single segment.
    calibration
        Alignments and laws of the joint. Without one, zero is the start pose and every angle is flagged.
    centre
        Middle of the angles to expect, rad: of the angles that differ by whole turns, those within
        three quarters of a turn from here are shown, without a jump.
    worn_from
        Instant from which the sensors sit on the limb, s: before it (table, strapping on) the joint's laws
        do not hold and angles are NaN. The first known pose from then on is the start pose.
    filter_name
        One of `imu.fusion.FILTER_NAMES`.
    magnetometer
        Whether the orientation filters use magnetometers.
    rate
        Angles per second, Hz; the rate of the fastest sensor if None.
    """

    rule: AngleRule
    side: Side
    distal: TrackedSensor
    proximal: TrackedSensor | None = None
    calibration: JointCalibration | None = None
    centre: float = 0.0
    worn_from: float = -math.inf
    filter_name: str = "vqf"
    magnetometer: bool = False
    rate: float | None = None

    @property
    def sensors(self) -> tuple[TrackedSensor, ...]:
        """The sensors, proximal first, without the gyroscope offsets that the joint's calibration knows."""
        sensors = (self.distal,) if self.proximal is None else (self.proximal, self.distal)
        return tuple(_steadied(sensor, self.calibration) for sensor in sensors)

    @property
    def expected(self) -> Expected:
        """What the worse of the sensors errs by."""
        own = self.distal.expected
        return own if self.proximal is None else own.worst(self.proximal.expected)

    @property
    def lasting(self) -> Lasting:
        """What errs alike at both ends of a range."""
        straps = np.zeros((0, 2, 3))
        if self.calibration is not None and self.alone:
            own = one_sigma(_alignment_of(self, self.calibration).covariance)
            straps = np.stack([np.zeros_like(own), own], axis=1)
        elif self.calibration is not None:
            straps = self.calibration.alignment_errors()
        return Lasting(self.read, self.side, straps, self.expected)

    @property
    def alone(self) -> bool:
        """Whether one segment is read against gravity."""
        return self.rule.kind == "inclination" or self.proximal is None

    @property
    def read(self) -> AngleRule:
        """How the angle is read with the sensors that there are."""
        rule = self.rule
        if not self.alone or rule.kind == "inclination":
            return rule
        return AngleRule("inclination", rule.component, rule.sign_right, rule.sign_left, None, "vertical")

    def estimator(self, calibration: JointCalibration) -> HeadingEstimator:
        """Return the live estimator of the relative heading for these sensors."""
        return HeadingEstimator(calibration, self.output_rate, params=heading_params(self.expected))

    @property
    def output_rate(self) -> float:
        """Angles per second, Hz."""
        fastest = self.distal.rate if self.proximal is None else max(self.proximal.rate, self.distal.rate)
        return self.rate or fastest


def _steadied(sensor: TrackedSensor, joint: JointCalibration | None) -> TrackedSensor:
    """Return a sensor with its gyroscope's offset from the pose, where no calibration of its own has one."""
    own = sensor.calibration or SensorCalibration(sensor.sensor)
    ends = () if joint is None else (joint.proximal, joint.distal)
    bias = next((end.gyroscope for end in ends if end.sensor == sensor.sensor), None)
    if bias is None or not bias.known or np.isfinite(own.gyr_bias).all():
        return sensor
    return replace(
        sensor, calibration=replace(own, gyr_bias=bias.value, gyr_bias_sigma=np.full(3, bias.sigma))
    )


class Read(NamedTuple):
    """What is read off M frames: angles with their errors, flags (M,), and the segments of `JointSeries`."""

    errors: AngleErrors
    flags: Flags
    segments: FloatArray


class Reader(Protocol):
    """Reads off frames; `periodic` if the primary angle may wrap."""

    periodic: bool

    def read(self, frames: Frames) -> Read:
        """Take the next frames; return what is read off each."""
        ...

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...


class HeadingSource(Protocol):
    """Tells the relative heading of consecutive frames: the live estimator, or a finished estimate."""

    def feed(self, frames: Frames, /) -> Heading:
        """Return the heading at the next frames."""
        ...

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        ...

    def restore(self, state: Mapping[str, Any], /) -> None:
        """Go on from a saved state."""
        ...


def reader(setup: TrackerSetup, heading: HeadingSource | None = None) -> Reader:
    """Return what reads the angles of a setup; with two calibrated sensors by a heading, live if None."""
    if setup.calibration is None:
        return _StartPose(setup)
    if setup.alone:
        return _Inclination(setup, setup.calibration)
    return _Joint(setup, setup.calibration, heading or setup.estimator(setup.calibration))


class _Joint:
    """Two calibrated sensors: relative heading, then joint angles."""

    periodic = True

    def __init__(self, setup: TrackerSetup, calibration: JointCalibration, heading: HeadingSource) -> None:
        self._setup, self._heading = setup, heading
        self._covariances = calibration.joint_covariances()
        alignments = (calibration.proximal, calibration.distal)
        self._mounting = np.stack([each.q_sensor_from_segment for each in alignments])
        self._timing = np.array([_timing(sensor) for sensor in setup.sensors])

    def read(self, frames: Frames) -> Read:
        heading = self._heading.feed(frames)
        segments, joint, timing = joint_row(
            frames.q,
            self._mounting,
            heading.q_earth1_from_earth2,
            heading.q_earth1_from_shown,
            frames.gyr,
            self._timing,
        )
        errors = angle_errors(
            self._setup.rule,
            self._setup.side,
            q_earth_from_proximal=segments[:, 0],
            q_proximal_from_distal=joint,
            turn_covariance=heading.covariance,
            proximal_covariance=self._covariances[0],
            distal_covariance=self._covariances[1],
            timing=timing,
        )
        unknown = np.isnan(heading.delta) | (errors.heading_sigma > HEADING_SHARE) & ~heading.observable
        return Read(errors, unknown * np.uint8(HEADING_UNKNOWN), segments)

    def save(self) -> dict[str, Any]:
        return self._heading.save()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._heading.restore(state)


class _Inclination:
    """One calibrated sensor: a segment against gravity; from the start pose unless the rule names a line."""

    periodic = True

    def __init__(self, setup: TrackerSetup, calibration: JointCalibration) -> None:
        self._setup = setup
        self._alignment = _alignment_of(setup, calibration)
        self._relative = setup.rule.kind != "inclination"
        if self._relative and setup.rule.component == 2:
            raise InputError(
                "one sensor cannot measure a turn about the segment's own length; strap a second sensor "
                "to the proximal segment"
            )
        self._rule = setup.read
        self._zero = [math.nan, math.nan]

    def read(self, frames: Frames) -> Read:
        q = quaternion.multiply(frames.q[:, -1], self._alignment.q_sensor_from_segment)
        timing = _turned(
            self._alignment.q_sensor_from_segment, frames.gyr[:, -1], _timing(self._setup.distal)
        )
        errors = inclination_errors(
            self._rule,
            self._setup.side,
            q,
            tilt_sigma=TILT_SIGMA,
            covariance=self._alignment.covariance,
            timing=timing,
        )
        angle = errors.angle
        if self._relative:
            begin = np.flatnonzero(np.isfinite(angle[:, 0]))
            if math.isnan(self._zero[0]) and len(begin):
                self._zero = angle[begin[0], :2].tolist()
            angle[:, 0] -= self._zero[0]
            angle[:, 1] -= self._zero[1]
        return Read(errors, np.zeros(len(frames), np.uint8), np.stack([q, q], axis=1))

    def save(self) -> dict[str, Any]:
        return {"zero": list(self._zero)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._zero = [float(value) for value in state["zero"]]


def _timing(sensor: TrackedSensor) -> float:
    """Return one sigma of the instant of a sensor's samples, s."""
    return IN_INTERVAL / sensor.rate


def _turned(q_sensor_from_segment: FloatArray, gyr: FloatArray, seconds: float) -> FloatArray:
    """Return how far a segment turns in so many seconds, in its own frame, rad; nothing where not known."""
    turn = quaternion.rotate(quaternion.conjugate(q_sensor_from_segment), gyr) * seconds
    return np.where(np.isfinite(turn), turn, 0.0)


def _alignment_of(setup: TrackerSetup, calibration: JointCalibration) -> SegmentAlignment:
    for alignment in (calibration.distal, calibration.proximal):
        if alignment.sensor == setup.distal.sensor:
            return alignment
    raise InputError(
        f"the calibration of {calibration.joint} has no alignment for sensor {setup.distal.sensor}; "
        "calibrate with the sensor that is worn"
    )


class _StartPose:
    """No calibration: how far the joint, or a lone segment's vertical, has turned since the start pose.

    The turn has no sign and no anatomical axis. Of two sensors the heading between them is unknown, which
    leaves the turn alone only while the proximal segment keeps its inclination; sigma says how far it did.
    """

    periodic = False

    def __init__(self, setup: TrackerSetup) -> None:
        self._setup = setup
        self._start = np.full((0, 4), np.nan)
        self._since = math.nan

    def read(self, frames: Frames) -> Read:
        n = len(frames)
        flags = np.full(n, UNCALIBRATED, np.uint8)
        angle, sigma = np.full((n, 3), np.nan), np.full((n, 3), np.nan)
        errors = AngleErrors(angle, sigma, np.zeros(n), np.full(n, np.nan))
        read = Read(errors, flags, np.full((n, 2, 4), np.nan))
        known = np.isfinite(frames.q[..., 0]).all(axis=1)
        if not len(self._start):
            if not known.any():
                return read
            first = int(np.argmax(known))
            self._start, self._since = frames.q[first].copy(), float(frames.t[first])
        known &= frames.t >= self._since
        lean = _lean(self._start[0], frames.q[:, 0])
        if self._setup.proximal is None:
            angle[known, 0] = lean[known]
            sigma[known, 0] = math.sqrt(2.0) * TILT_SIGMA
            return read
        start = quaternion.multiply(quaternion.conjugate(self._start[0]), self._start[1])
        now = quaternion.multiply(quaternion.conjugate(frames.q[:, 0]), frames.q[:, 1])
        turn = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(start), now))
        angle[known, 0] = turn[known]
        drift = DRIFT * (frames.t - self._since)
        sigma[known, 0] = np.sqrt(4.0 * TILT_SIGMA**2 + drift * drift + lean * lean)[known]
        flags |= HEADING_UNKNOWN
        return read

    def save(self) -> dict[str, Any]:
        return {"start": self._start.tolist(), "since": self._since}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._start = np.array(state["start"], dtype=np.float64).reshape(-1, 4)
        self._since = float(state["since"])


def _lean(q_start: FloatArray, q: FloatArray) -> FloatArray:
    """Return how far the vertical has moved in the sensor since the start, rad, (N,)."""
    up = np.array([0.0, 0.0, 1.0])
    before = quaternion.rotate(quaternion.conjugate(q_start), up)
    after = quaternion.rotate(quaternion.conjugate(q), up)
    d = after - before
    chord = np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2])
    return 2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0))
