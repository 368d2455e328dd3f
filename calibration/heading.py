"""The relative heading of two segments, without a trusted magnetometer, and how well it is known.

Two 6-axis orientations agree on the vertical and differ by an unknown, slowly drifting turn about it:
delta, such that `about_vertical(delta) * q_earth2_from_distal` lives in the proximal sensor's earth
frame. Whatever the joint obeys observes it: its axes, its neutral pose, the common acceleration of its
centre. `calibration.acquire` finds delta from nothing, `calibration.relative` follows it; this room feeds
both on an absolute grid of stretches and shows, at every frame, what was known before that stretch began.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calibration import relative
from calibration.acquire import REACH, Acquisition, best, share_near
from calibration.evidence import Circle, Laws, carrying_row, heading_rows, hinge_rows, laws
from calibration.motion import stretches
from calibration.relative import HEADING, RelativeParams, RelativeState
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.sync import Frames

_WIDTH = 13
"""Orientation 4, rate 3, force 3, rest, bias sigma, lost heading: what is kept of a frame and a sensor."""


@dataclass(frozen=True, slots=True)
class HeadingParams:
    """Constants of the estimator, each with its reason.

    Parameters
    ----------
    step_hz
        Stretches per second. Limb movement is below 3 Hz; heading changes by < 0.1 deg/s.
    hinge_sigma
        One sigma of a joint's motion outside its axes before it is learnt, and the least it can be, rad: 2 to
        4 deg on people (screw-home, soft tissue).
    hinge_floor
        The least that can be learnt, rad.
    hinge_memory
        Seconds over which it is learnt.
    evidence_time
        Seconds over which such an error lasts: one half of a slow pass.
    horizontal_floor
        Least product of the horizontal parts of the axes at which they speak of heading: below, an error of
        3 deg in an axis is more than 15 deg of heading.
    neutral_tilt
        A pose counts as the neutral one if gravity agrees with it within this angle in both segments, rad.
    acquired
        Spread of likelihood below which a first heading is shown, rad.
    recent
        Seconds after which evidence no longer counts as speaking.
    relative
        Constants of the follower.
    """

    step_hz: float = 5.0
    hinge_sigma: float = math.radians(3.0)
    hinge_floor: float = math.radians(0.5)
    hinge_memory: float = 20.0
    evidence_time: float = 3.0
    horizontal_floor: float = 0.15
    neutral_tilt: float = math.radians(10.0)
    acquired: float = math.radians(20.0)
    recent: float = 6.0
    relative: RelativeParams = field(default_factory=RelativeParams)


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Relative heading at the instants of frames.

    Parameters
    ----------
    delta : (M,)
        rad, in (-pi, pi]; NaN until first known.
    sigma : (M,)
        One sigma of delta, rad; pi while not known.
    observable : (M,)
        Whether evidence spoke within the last seconds.
    q_earth1_from_earth2 : (M, 4)
        The full turn from the distal sensor's earth frame into the proximal one's: delta about the vertical,
        and the small relative tilt found. Use this one to form the joint's orientation. NaN until known.
    covariance : (M, 3, 3)
        Of its error as a rotation vector in the proximal sensor's earth frame, rad^2.
    """

    delta: FloatArray
    sigma: FloatArray
    observable: BoolArray
    q_earth1_from_earth2: FloatArray
    covariance: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What the steps of one feed need, stretch by stretch; forces and levers in earth frames."""

    begin: FloatArray
    end: FloatArray
    force: FloatArray
    lever: FloatArray
    turned: FloatArray
    known: BoolArray
    laws: Laws
    bias: FloatArray
    lost: FloatArray


class HeadingEstimator:
    """Follow the relative heading of two sensors across a joint; causal, and blind to how frames are cut.

    Parameters
    ----------
    calibration
        Alignments and laws of the joint.
    rate
        Frames per second, Hz; frames lie at k / rate on the capture clock.
    proximal, distal
        Which sensors of the frames.
    params
        Constants.
    """

    def __init__(
        self,
        calibration: JointCalibration,
        rate: float,
        proximal: int = 0,
        distal: int = 1,
        params: HeadingParams | None = None,
    ) -> None:
        self.calibration = calibration
        self.rate = rate
        self.params = params or HeadingParams()
        self.stride = max(1, round(rate / self.params.step_hz))
        self.seconds = self.stride / rate
        self._pair = [proximal, distal]
        self._rows = np.zeros((0, 2, _WIDTH))
        self._index = np.zeros(0, dtype=np.int64)
        self._acquisition = Acquisition()
        self._relative = RelativeState()
        self._known = False
        self._since = math.inf
        self._age = 0
        self._hinge_variance = self.params.hinge_sigma**2

    def feed(self, frames: Frames) -> Heading:
        """Return the heading at each of M consecutive frames."""
        size = frames.t.shape[0]
        out = _blank(size)
        if size == 0:
            return out
        index = np.rint(frames.t * self.rate).astype(np.int64)
        kept = self._index.shape[0]
        whole = np.concatenate([self._index, index])
        rows = np.concatenate([self._rows, self._pack(frames)])
        borders = np.flatnonzero(whole % self.stride == 0)
        if borders.size == 0:
            self._index, self._rows = whole, rows
            self._show(out, 0, size)
            return out
        inputs = self._inputs(rows[borders[0] : borders[-1] + 1])
        shown = 0
        for k, border in enumerate(borders[1:].tolist()):
            self._show(out, shown, border - kept)
            shown = max(border - kept, 0)
            self._step(inputs, k)
        self._show(out, shown, size)
        self._index, self._rows = whole[borders[-1] :], rows[borders[-1] :]
        return out

    def save(self) -> dict[str, Any]:
        """Return the memory of the estimator as plain values (JSON with NaN)."""
        return {
            "index": self._index.tolist(),
            "rows": self._rows.tolist(),
            "acquisition": self._acquisition.save(),
            "relative": self._relative.to_document(),
            "known": self._known,
            "since": self._since,
            "age": self._age,
            "hinge_variance": self._hinge_variance,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self._index = np.array(state["index"], dtype=np.int64)
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, 2, _WIDTH)
        self._acquisition.restore(state["acquisition"])
        self._relative = RelativeState.from_document(state["relative"])
        self._known, self._since, self._age = state["known"], float(state["since"]), int(state["age"])
        self._hinge_variance = float(state["hinge_variance"])

    def _pack(self, frames: Frames) -> FloatArray:
        pair = self._pair
        lost = np.zeros((len(frames.t), 2)) if frames.lost_heading is None else frames.lost_heading[:, pair]
        packed = np.zeros((len(frames.t), 2, _WIDTH))
        packed[..., :4], packed[..., 4:7], packed[..., 7:10] = (
            frames.q[:, pair],
            frames.gyr[:, pair],
            frames.acc[:, pair],
        )
        packed[..., 10], packed[..., 11], packed[..., 12] = (
            frames.rest[:, pair],
            frames.gyr_bias_sigma[:, pair],
            lost,
        )
        return packed

    def _inputs(self, rows: FloatArray) -> _Inputs:
        """Return the inputs of the stretches between the first and the last row, both on the grid."""
        n = self.stride
        s = stretches(rows[..., 4:7], rows[..., 7:10], n, self.rate)
        q = rows[::n, :, :4]
        start, stop = q[:-1], q[1:]
        force = quaternion.rotate(start, s.force)
        lever = np.stack([quaternion.rotate(start, s.lever[..., k]) for k in range(3)], axis=-1)
        own = quaternion.multiply(start, quaternion.multiply(s.turn, quaternion.conjugate(stop)))
        angle = quaternion.angle_of(s.turn)
        joint = self.calibration
        upper = quaternion.multiply(stop[:, 0], joint.proximal.q_sensor_from_segment)
        lower = quaternion.multiply(stop[:, 1], joint.distal.q_sensor_from_segment)
        rest = (rows[n::n, :, 10] == 1.0).all(axis=1)
        bias = np.hypot(rows[n::n, 0, 11], rows[n::n, 1, 11])
        lost = np.zeros(s.known.size)
        for k in range(1, n + 1):
            lost = np.maximum(lost, np.nan_to_num(rows[k::n, :, 12][: lost.size]).max(axis=1))
        return _Inputs(
            quaternion.conjugate(own[:, 0]),
            own[:, 1],
            force,
            lever,
            np.hypot(angle[:, 0], angle[:, 1]),
            s.known & np.isfinite(own).all(axis=(1, 2)),
            laws(joint, upper, lower, rest, self.params.neutral_tilt),
            bias,
            lost,
        )

    def _show(self, out: Heading, start: int, stop: int) -> None:
        start = max(start, 0)
        if stop <= start or not self._known:
            return
        turn, cov = self._relative.turn, self._relative.covariance[:3, :3]
        out.q_earth1_from_earth2[start:stop] = turn
        out.delta[start:stop] = 2.0 * math.atan2(float(turn[3]), float(turn[0]))
        out.delta[start:stop] = quaternion.wrap(out.delta[start:stop])
        out.covariance[start:stop] = cov
        out.sigma[start:stop] = math.sqrt(float(cov[HEADING, HEADING]))
        out.observable[start:stop] = self._since < self.params.recent

    def _step(self, i: _Inputs, k: int) -> None:
        p, s, dt = self.params, self._relative, self.seconds
        self._since += dt
        self._age += 1
        self._acquisition.fade(dt)
        bias = float(i.bias[k])
        rate_sigma = (
            min(max(bias, 0.0), p.relative.rate_sigma) if math.isfinite(bias) else p.relative.rate_sigma
        )
        known = bool(i.known[k])
        turned = float(i.turned[k]) if known else 0.0
        if i.lost[k] > 0.0:
            self._lose(float(i.lost[k]))
        if self._known:
            relative.predict(s, p.relative, dt, turned, rate_sigma)
        if known:
            self._acquisition.force(i.force[k], i.lever[k])
            if self._known:
                relative.feel(s, p.relative, dt, i.force[k], i.lever[k])
                s.turn = quaternion.multiply(i.begin[k], quaternion.multiply(s.turn, i.end[k]))
                if math.hypot(i.force[k, 0, 0], i.force[k, 0, 1]) > 0.5:
                    self._since = 0.0
        rows = self._rows_of(i.laws, k)
        if rows:
            self._since = 0.0
            self._acquisition.laws(rows, max(1.0, 2.0 * p.evidence_time / dt))
        if self._known and rows:
            self._obey(i.laws, k)
        if self._age % max(1, round(1.0 / dt)) == 0:
            self._acquire()

    def _lose(self, sigma: float) -> None:
        """Take note that a gap cost `sigma` rad of heading."""
        if sigma > 1.0:
            self._known = False
            self._acquisition = Acquisition()
        else:
            self._relative.covariance[HEADING, HEADING] += sigma**2

    def _rows_of(self, law: Laws, k: int) -> list[Circle]:
        joint, p = self.calibration, self.params
        rows: list[Circle] = []
        first, second = law.first[k], law.second[k]
        if math.isfinite(first[0]) and math.isfinite(second[0]):
            horizontal = math.hypot(first[0], first[1]) * math.hypot(second[0], second[1])
            if horizontal > p.horizontal_floor:
                sigma = math.sqrt(self._hinge_variance + _square(joint.axis_sigma))
                if joint.freedom == 1:
                    rows += hinge_rows(first, second, sigma)
                elif joint.freedom == 2:
                    rows.append(carrying_row(first, second, joint.carrying, sigma))
        if math.isfinite(law.neutral[k]):
            rows += heading_rows(float(law.neutral[k]), joint.neutral_sigma)
        return rows

    def _obey(self, law: Laws, k: int) -> None:
        """Let the joint's laws correct the turn that is followed."""
        joint, p, s = self.calibration, self.params, self._relative
        inflation = max(1.0, 2.0 * p.evidence_time / self.seconds)
        first, second = law.first[k], law.second[k]
        if math.isfinite(first[0]) and math.isfinite(second[0]):
            v = quaternion.rotate(s.turn, second)
            x, y, z = v.tolist()
            if joint.freedom == 1:
                error = first - v
                slope = np.array(((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0)))
            else:
                error = np.array([math.cos(joint.carrying) - float((first * v).sum())])
                slope = np.array([_cross(v, first)])
            if math.hypot(first[0], first[1]) * math.hypot(x, y) < p.horizontal_floor:
                slope[:, HEADING] = 0.0
            size = float((error * error).sum()) / (2.0 if joint.freedom == 1 else 1.0)
            variance = self._hinge_variance + _square(joint.axis_sigma)
            trust = max(1.0, math.sqrt(size / variance) / 2.0)
            relative.look(s, slope, error, variance * inflation * trust)
            learnt = min(max(size, p.hinge_floor**2), 9.0 * self._hinge_variance)
            self._hinge_variance += (learnt - self._hinge_variance) * self.seconds / p.hinge_memory
        if math.isfinite(law.neutral[k]):
            delta = 2.0 * math.atan2(float(s.turn[3]), float(s.turn[0]))
            error = quaternion.wrap(np.array([float(law.neutral[k]) - delta]))
            relative.look(s, np.array([[0.0, 0.0, 1.0]]), error, _square(joint.neutral_sigma) * inflation)

    def _acquire(self) -> None:
        """Start, or start again where the circle contradicts what is followed."""
        p, s = self.params, self._relative
        weight, centres = self._acquisition.solve(self.seconds, math.sqrt(s.force_variance))
        at, delta, spread = best(weight)
        if spread > p.acquired:
            return
        if self._known:
            now = 2.0 * math.atan2(float(s.turn[3]), float(s.turn[0]))
            if share_near(weight, now, math.radians(30.0)) > 0.01:
                return
        s.turn = quaternion.about_vertical(delta)
        s.centre = centres[at]
        s.rate = 0.0
        tilt = math.radians(2.0) ** 2
        heading = max(spread, math.radians(5.0)) ** 2
        diagonal = [tilt, tilt, heading, p.relative.rate_sigma**2, *[(REACH / 3.0) ** 2] * 6]
        s.covariance = np.diag(diagonal)
        self._known = True


def _blank(size: int) -> Heading:
    covariance = np.zeros((size, 3, 3))
    covariance[:, HEADING, HEADING] = math.pi**2
    return Heading(
        np.full(size, np.nan),
        np.full(size, math.pi),
        np.zeros(size, dtype=np.bool_),
        np.full((size, 4), np.nan),
        covariance,
    )


def _square(sigma: float) -> float:
    return sigma * sigma if math.isfinite(sigma) else 0.0


def _cross(a: FloatArray, b: FloatArray) -> list[float]:
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
