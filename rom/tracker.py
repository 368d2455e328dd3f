"""Blocks of samples in, joint angles with their uncertainty out; live and replay run this, and only this."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.heading import HeadingEstimator
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.errors import InputError
from imu.fusion import RestNoise, make_filter
from imu.sync import Frames, Synchroniser
from rom.angles import (
    GAP,
    HEADING_UNKNOWN,
    SATURATED,
    UNCALIBRATED,
    UNSURE,
    AngleErrors,
    JointSeries,
    angle_errors,
    inclination_errors,
    join_series,
    period,
)
from rom.catalogue.movement import AngleRule, Side

TILT_SIGMA = math.radians(0.8)
"""One-sigma inclination error of one sensor, rad: an accelerometer offset of 10 mg (half the 20 mg of the
BMI270 data sheet) is 0.57 deg, limb acceleration and gyroscope scale about as much again (error budget in
the algorithm reference, "removable" columns; VQF on BROAD: 0.72 deg root mean square)."""

UNSURE_SIGMA = math.radians(5.0)
"""Beyond this sigma an angle is flagged, rad: its 95 % interval is wider than any MDC95 of the catalogue."""

HEADING_SHARE = math.radians(1.0)
"""Unobserved heading is flagged once its share of the primary angle's sigma exceeds this, rad."""

DRIFT = math.radians(0.02)
"""Relative heading lost per second without any evidence, rad/s: a residual gyroscope bias of 0.02 deg/s."""

RANGE_END = 0.99
"""A sample beyond this share of the sensor's range counts as saturated."""

Flags = NDArray[np.uint8]

_AXES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


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
    """

    sensor: str
    rate: float
    noise: RestNoise | None = None
    gyr_range: float | None = None


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
        """The sensors, proximal first."""
        return (self.distal,) if self.proximal is None else (self.proximal, self.distal)

    @property
    def output_rate(self) -> float:
        """Angles per second, Hz."""
        return self.rate or max(sensor.rate for sensor in self.sensors)


class JointTracker:
    """Track one joint. How the blocks are cut or interleaved never changes a bit of the result.

    Parameters
    ----------
    setup
        See `TrackerSetup`.

    Raises
    ------
    InputError
        If rate, filter or sensors cannot be.
    """

    def __init__(self, setup: TrackerSetup) -> None:
        self.setup = setup
        self._filters = {
            s.sensor: make_filter(setup.filter_name, s.rate, s.noise, setup.magnetometer)
            for s in setup.sensors
        }
        self._ranges = {s.sensor: s.gyr_range or math.inf for s in setup.sensors}
        rates = {s.sensor: s.rate for s in setup.sensors}
        self._sync = Synchroniser(list(rates), setup.output_rate, rates)
        self._saturation_reach = 1.0 / min(setup.output_rate, *rates.values())
        self._saturated: list[float] = []
        self._reader = _reader(setup)
        self._last_near = math.nan
        self._branch = 0
        self._support = 0.0

    def feed(self, block: ImuBlock) -> JointSeries:
        """Take the next samples of one sensor; return the angles they complete.

        Blocks of sensors that are not part of the setup give nothing. Raises `InputError` if a block
        goes back in time.
        """
        if block.sensor not in self._filters:
            return join_series([])
        block = self._mark_saturated(block)
        frames = self._sync.feed(self._filters[block.sensor].feed(block), block)
        return self._series(frames)

    def finish(self) -> JointSeries:
        """Return the angles that the last samples complete; NaN where a sensor ended early."""
        return self._series(self._sync.finish())

    def _mark_saturated(self, block: ImuBlock) -> ImuBlock:
        """Turn samples at the end of the range into unknown ones, and remember when."""
        at_end = (np.abs(block.gyr) >= RANGE_END * self._ranges[block.sensor]).any(axis=1)
        lone = np.isnan(block.gyr).any(axis=1) & np.isfinite(block.acc).all(axis=1)
        if not (at_end.any() or lone.any()):
            return block
        self._saturated += block.t[at_end | lone].tolist()
        gyr = block.gyr.copy()
        gyr[at_end] = np.nan
        return replace(block, gyr=gyr)

    def _series(self, frames: Frames) -> JointSeries:
        if not len(frames):
            return join_series([])
        if frames.t[0] < self.setup.worn_from:
            early = int(np.searchsorted(frames.t, self.setup.worn_from))
            return join_series([self._unworn(frames[:early]), self._series(frames[early:])])
        errors, flags = self._reader.read(frames)
        angle, sigma = errors.angle, errors.sigma
        unknown = ~np.isfinite(angle[:, 0])
        flags[~np.isfinite(frames.q[..., 0]).all(axis=1)] |= GAP
        if frames.lost_heading is not None:
            flags[frames.lost_heading.max(axis=1) > 0.0] |= GAP
        flags[self._near_saturation(frames.t)] |= SATURATED
        flags[np.where(unknown, True, sigma[:, 0] > UNSURE_SIGMA)] |= UNSURE
        sigma[~np.isfinite(angle)] = np.nan
        parts = [np.where(unknown, np.nan, part) for part in (errors.strap_sigma, errors.heading_sigma)]
        angle[:, 0] = self._unwrap(angle[:, 0])
        return JointSeries(frames.t, angle, sigma, flags, self._support_turn(frames), *parts)

    def _unworn(self, frames: Frames) -> JointSeries:
        n = len(frames)
        unknown, none = np.full((n, 3), np.nan), np.full(n, np.nan)
        return JointSeries(frames.t, unknown, unknown, np.full(n, UNSURE, np.uint8), none, none, none)

    def _near_saturation(self, t: FloatArray) -> BoolArray:
        near = np.zeros(len(t), np.bool_)
        for moment in self._saturated:
            near |= (t >= moment) & (t < moment + self._saturation_reach)
        self._saturated = [m for m in self._saturated if m + self._saturation_reach > t[-1]]
        return near

    def _unwrap(self, raw: FloatArray) -> FloatArray:
        """Return the primary angle on the branch that has no jumps; turns are counted in whole numbers."""
        if not self._reader.periodic or math.isinf(full := period(self.setup.rule)):
            return raw
        centre = self.setup.centre
        low = centre - full / 2.0
        near = low + (raw - low) % full
        known = np.flatnonzero(np.isfinite(near))
        if not len(known):
            return near
        values = near[known]
        first = values[0] if math.isnan(self._last_near) else self._last_near
        steps = np.rint(np.diff(values, prepend=first) / full)
        self._last_near = float(values[-1])
        if self._branch == 0 and not steps.any():
            return near
        for i, step in enumerate(steps.tolist()):
            self._branch -= int(step)
            if abs(values[i] + full * self._branch - centre) > 0.75 * full:
                self._branch = 0
            values[i] += full * self._branch
        near[known] = values
        return near

    def _support_turn(self, frames: Frames) -> FloatArray:
        if self.setup.proximal is None:
            return np.full(len(frames), np.nan)
        calibration = self.setup.calibration
        axis = _AXES[self.setup.rule.component]
        if calibration is not None:
            axis = quaternion.rotate(calibration.proximal.q_sensor_from_segment, axis)
        gyr = frames.gyr[:, 0]
        rate = gyr[:, 0] * axis[0] + gyr[:, 1] * axis[1] + gyr[:, 2] * axis[2]
        steps = np.where(np.isfinite(rate), rate, 0.0) / self.setup.output_rate
        steps[0] += self._support
        turn = np.cumsum(steps)
        self._support = float(turn[-1])
        return turn

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN and infinities)."""
        return {
            "filters": {name: each.save() for name, each in self._filters.items()},
            "sync": self._sync.save(),
            "reader": self._reader.save(),
            "saturated": list(self._saturated),
            "last_near": self._last_near,
            "branch": self._branch,
            "support": self._support,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the saved state of a tracker with the same setup."""
        for name, each in self._filters.items():
            each.restore(state["filters"][name])
        self._sync.restore(state["sync"])
        self._reader.restore(state["reader"])
        self._saturated = [float(moment) for moment in state["saturated"]]
        self._last_near, self._branch = float(state["last_near"]), int(state["branch"])
        self._support = float(state["support"])


class _Reader(Protocol):
    """Reads angles and flags (M,) off frames."""

    periodic: bool

    def read(self, frames: Frames) -> tuple[AngleErrors, Flags]: ...
    def save(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...


def _reader(setup: TrackerSetup) -> _Reader:
    if setup.calibration is None:
        return _StartPose(setup)
    if setup.rule.kind == "inclination" or setup.proximal is None:
        return _Inclination(setup, setup.calibration)
    return _Joint(setup, setup.calibration)


class _Joint:
    """Two calibrated sensors: relative heading, then joint angles."""

    periodic = True

    def __init__(self, setup: TrackerSetup, calibration: JointCalibration) -> None:
        self._setup, self._calibration = setup, calibration
        self._heading = HeadingEstimator(calibration, setup.output_rate)

    def read(self, frames: Frames) -> tuple[AngleErrors, Flags]:
        heading = self._heading.feed(frames)
        alignments = self._calibration.proximal, self._calibration.distal
        upper = quaternion.multiply(frames.q[:, 0], alignments[0].q_sensor_from_segment)
        lower = quaternion.multiply(frames.q[:, 1], alignments[1].q_sensor_from_segment)
        lower = quaternion.multiply(heading.q_earth1_from_earth2, lower)
        covariance = heading.covariance.copy()
        covariance[:, 0, 0] += 2.0 * TILT_SIGMA**2
        covariance[:, 1, 1] += 2.0 * TILT_SIGMA**2
        errors = angle_errors(
            self._setup.rule,
            self._setup.side,
            q_earth_from_proximal=upper,
            q_proximal_from_distal=quaternion.multiply(quaternion.conjugate(upper), lower),
            turn_covariance=covariance,
            proximal_covariance=alignments[0].covariance,
            distal_covariance=alignments[1].covariance,
        )
        flags = np.zeros(len(frames), np.uint8)
        flags[
            ~np.isfinite(heading.delta) | (~heading.observable & (errors.heading_sigma > HEADING_SHARE))
        ] |= HEADING_UNKNOWN
        return errors, flags

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
        rule = setup.rule
        if self._relative:
            if rule.component == 2:
                raise InputError(
                    "one sensor cannot measure a turn about the segment's own length; strap a second sensor "
                    "to the proximal segment"
                )
            rule = AngleRule("inclination", rule.component, rule.sign_right, rule.sign_left, None, "vertical")
        self._rule = rule
        self._zero = [math.nan, math.nan]

    def read(self, frames: Frames) -> tuple[AngleErrors, Flags]:
        q = quaternion.multiply(frames.q[:, -1], self._alignment.q_sensor_from_segment)
        errors = inclination_errors(self._rule, self._setup.side, q, TILT_SIGMA, self._alignment.covariance)
        angle = errors.angle
        if self._relative:
            begin = np.flatnonzero(np.isfinite(angle[:, 0]))
            if math.isnan(self._zero[0]) and len(begin):
                self._zero = angle[begin[0], :2].tolist()
            angle[:, 0] -= self._zero[0]
            angle[:, 1] -= self._zero[1]
        return errors, np.zeros(len(frames), np.uint8)

    def save(self) -> dict[str, Any]:
        return {"zero": list(self._zero)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._zero = [float(value) for value in state["zero"]]


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

    def read(self, frames: Frames) -> tuple[AngleErrors, Flags]:
        n = len(frames)
        flags = np.full(n, UNCALIBRATED, np.uint8)
        angle, sigma = np.full((n, 3), np.nan), np.full((n, 3), np.nan)
        errors = AngleErrors(angle, sigma, np.zeros(n), np.full(n, np.nan))
        known = np.isfinite(frames.q[..., 0]).all(axis=1)
        if not len(self._start):
            if not known.any():
                return errors, flags
            first = int(np.argmax(known))
            self._start, self._since = frames.q[first].copy(), float(frames.t[first])
        known &= frames.t >= self._since
        lean = _lean(self._start[0], frames.q[:, 0])
        if self._setup.proximal is None:
            angle[known, 0] = lean[known]
            sigma[known, 0] = math.sqrt(2.0) * TILT_SIGMA
            return errors, flags
        start = quaternion.multiply(quaternion.conjugate(self._start[0]), self._start[1])
        now = quaternion.multiply(quaternion.conjugate(frames.q[:, 0]), frames.q[:, 1])
        turn = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(start), now))
        angle[known, 0] = turn[known]
        drift = DRIFT * (frames.t - self._since)
        sigma[known, 0] = np.sqrt(4.0 * TILT_SIGMA**2 + drift * drift + lean * lean)[known]
        flags |= HEADING_UNKNOWN
        return errors, flags

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
