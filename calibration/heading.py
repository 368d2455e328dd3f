"""The relative heading of two segments, without a trusted magnetometer, and how well it is known.

Two 6-axis orientations agree on the vertical and differ by an unknown, slowly drifting turn about it:
delta, such that `about_vertical(delta) * q_earth2_from_distal` lives in the proximal sensor's earth
frame. Whatever the joint obeys observes it. Each piece of evidence is a few rows

    residual(delta) = a + b cos(delta) + c sin(delta),   with one sigma,

so one table of log-likelihood over the full circle finds delta from nothing (and finds it again after
a wrong start), and one Kalman filter on [delta, rate] follows it. Errors of evidence last for seconds
(soft tissue, motion outside the joint's axes), so its variance is inflated by how many steps they last.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray

if TYPE_CHECKING:
    from imu.sync import Frames

Row = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class HeadingParams:
    """Constants of the estimator, each with its reason.

    Parameters
    ----------
    step_hz
        Grid of the estimator. Heading changes by < 0.1 deg/s; ten looks a second is plenty.
    drift
        Random walk of relative heading from gyroscope noise, rad/sqrt(s): 7 mdps/sqrt(Hz) (BMI270 data
        sheet) on two sensors, half again for temperature and vibration.
    rate_sigma
        Prior one sigma of the relative heading rate left by the orientation filters, rad/s: what remains
        of turn-on bias after a table rest (algorithms.md 4, error budget).
    rate_time
        Seconds over which that rate stays alike (bias instability of consumer gyroscopes).
    hinge_sigma
        One sigma of a joint's motion outside its axes, rad: 2 to 4 deg (screw-home, soft tissue).
    evidence_time
        Seconds over which such an error lasts: one half of a slow pass.
    horizontal_floor
        Least product of the horizontal parts of the axes at which the hinge speaks: below, an error of 3 deg
        in the axis is more than 15 deg of heading.
    neutral_tilt
        A pose counts as the neutral one if gravity agrees with it within this angle in both segments, rad.
    """

    step_hz: float = 10.0
    drift: float = math.radians(0.015)
    rate_sigma: float = math.radians(0.05)
    rate_time: float = 300.0
    hinge_sigma: float = math.radians(3.0)
    evidence_time: float = 3.0
    horizontal_floor: float = 0.15
    neutral_tilt: float = math.radians(10.0)


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Relative heading at the instants of frames.

    Parameters
    ----------
    delta : (M,)
        rad, continuous (not wrapped); NaN until first known.
    sigma : (M,)
        One sigma of delta, rad; pi while not known.
    observable : (M,)
        Whether evidence spoke within the last seconds.
    q_earth1_from_earth2 : (M, 4)
        The full turn from the distal sensor's earth frame into the proximal one's: delta about the vertical,
        and any small relative tilt found. Use this one to form the joint's orientation.
    covariance : (M, 3, 3)
        Of its error as a rotation vector in the proximal sensor's earth frame, rad^2.
    """

    delta: FloatArray
    sigma: FloatArray
    observable: BoolArray
    q_earth1_from_earth2: FloatArray
    covariance: FloatArray


@dataclass(slots=True)
class _State:
    step: int = -1
    known: bool = False
    delta: float = 0.0
    rate: float = 0.0
    variance: tuple[float, float, float] = (math.pi**2, 0.0, 0.0)
    since: float = math.inf


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
        self.proximal, self.distal = proximal, distal
        self.params = params or HeadingParams()
        self.stride = max(1, round(rate / self.params.step_hz))
        self._grid = np.deg2rad(np.arange(0.0, 360.0, 5.0))
        self._cos, self._sin = np.cos(self._grid), np.sin(self._grid)
        self._table = np.zeros(self._grid.size)
        self._state = _State(variance=(math.pi**2, 0.0, self.params.rate_sigma**2))

    def feed(self, frames: "Frames") -> Heading:
        """Return the heading at each of M consecutive frames."""
        size = frames.t.shape[0]
        index = np.rint(frames.t * self.rate).astype(np.int64)
        upper = quaternion.multiply(
            frames.q[:, self.proximal], self.calibration.proximal.q_sensor_from_segment
        )
        lower = quaternion.multiply(frames.q[:, self.distal], self.calibration.distal.q_sensor_from_segment)
        rest = frames.rest[:, self.proximal] & frames.rest[:, self.distal]
        bias = np.hypot(frames.gyr_bias_sigma[:, self.proximal], frames.gyr_bias_sigma[:, self.distal])
        delta, sigma = np.full(size, np.nan), np.full(size, np.pi)
        observable = np.zeros(size, dtype=np.bool_)
        start = 0
        for at in np.flatnonzero(index % self.stride == 0).tolist():
            self._show(delta, sigma, observable, start, at)
            self._step(int(index[at]), upper[at], lower[at], bool(rest[at]), float(bias[at]))
            start = at
        self._show(delta, sigma, observable, start, size)
        covariance = np.zeros((size, 3, 3))
        covariance[:, 2, 2] = sigma**2
        return Heading(delta, sigma, observable, quaternion.about_vertical(delta), covariance)

    def save(self) -> dict[str, Any]:
        """Return the memory of the estimator, JSON-serialisable."""
        s = self._state
        return {
            "step": s.step,
            "known": s.known,
            "delta": s.delta,
            "rate": s.rate,
            "variance": list(s.variance),
            "since": None if math.isinf(s.since) else s.since,
            "table": self._table.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        a, b, c = state["variance"]
        since = math.inf if state["since"] is None else float(state["since"])
        self._state = _State(state["step"], state["known"], state["delta"], state["rate"], (a, b, c), since)
        self._table = np.array(state["table"], dtype=np.float64)

    def _show(
        self, delta: FloatArray, sigma: FloatArray, observable: BoolArray, start: int, stop: int
    ) -> None:
        if self._state.known:
            delta[start:stop] = self._state.delta
            sigma[start:stop] = math.sqrt(self._state.variance[0])
        observable[start:stop] = self._state.since < 2.0 * self.params.evidence_time

    def _step(self, index: int, upper: FloatArray, lower: FloatArray, rest: bool, bias_sigma: float) -> None:
        p, s = self.params, self._state
        dt = (index - s.step) / self.rate if s.step >= 0 else 0.0
        s.step = index
        s.since += dt
        fade = math.exp(-dt / p.rate_time)
        rate_sigma = max(bias_sigma, p.rate_sigma / 10.0) if math.isfinite(bias_sigma) else p.rate_sigma
        v00, v01, v11 = s.variance
        s.delta += s.rate * dt
        s.rate *= fade
        v00 += 2.0 * dt * v01 + dt * dt * v11 + p.drift**2 * dt
        v01 = (v01 + dt * v11) * fade
        v11 = v11 * fade**2 + rate_sigma**2 * (1.0 - fade**2)
        s.variance = (v00, v01, v11)
        if not (math.isfinite(upper[0]) and math.isfinite(lower[0])):
            return
        inflation = math.sqrt(max(1.0, 2.0 * p.evidence_time * self.rate / self.stride))
        rows = self._evidence(upper, lower, rest)
        if not rows:
            return
        s.since = 0.0
        self._table *= math.exp(-dt / 120.0)
        for a, b, c, sigma in rows:
            r = np.abs(a + b * self._cos + c * self._sin) / sigma
            self._table -= np.where(r < 2.0, 0.5 * r * r, 2.0 * r - 2.0) / inflation**2
        if not self._acquire():
            return
        for row in rows:
            self._update(row, inflation)

    def _acquire(self) -> bool:
        weight = np.exp(self._table - self._table.max())
        weight /= weight.sum()
        best = float(self._grid[int(np.argmax(weight))])
        near = np.abs(quaternion.wrap(self._grid - best))
        spread = math.sqrt(float((weight * near**2).sum()))
        s = self._state
        away = abs(float(quaternion.wrap(np.array(s.delta - best))))
        here = float(weight[np.abs(quaternion.wrap(self._grid - s.delta)) < math.radians(30.0)].sum())
        if spread < math.radians(25.0) and (not s.known or (away > math.radians(30.0) and here < 0.01)):
            s.delta += float(quaternion.wrap(np.array(best - s.delta)))
            s.variance = (max(spread, math.radians(10.0)) ** 2, 0.0, self.params.rate_sigma**2)
            s.known = True
        return s.known

    def _update(self, row: Row, inflation: float) -> None:
        a, b, c, sigma = row
        s = self._state
        cos, sin = math.cos(s.delta), math.sin(s.delta)
        innovation = -(a + b * cos + c * sin)
        slope = c * cos - b * sin
        v00, v01, v11 = s.variance
        spread = slope * slope * v00
        surprise = abs(innovation) / math.sqrt(spread + sigma * sigma)
        trust = 1.0 if surprise < 2.0 else 2.0 / surprise
        total = spread + (sigma * inflation) ** 2 / trust
        k0, k1 = v00 * slope / total, v01 * slope / total
        s.delta += k0 * innovation
        s.rate += k1 * innovation
        s.variance = (v00 - k0 * slope * v00, v01 - k0 * slope * v01, v11 - k1 * slope * v01)

    def _evidence(self, upper: FloatArray, lower: FloatArray, rest: bool) -> list[Row]:
        c, p = self.calibration, self.params
        rows: list[Row] = []
        axis_sigma = c.axis_sigma if math.isfinite(c.axis_sigma) else 0.0
        if c.freedom in (1, 2) and math.isfinite(c.axis_proximal[0]) and math.isfinite(c.axis_distal[0]):
            ux, uy, uz = quaternion.rotate(upper, c.axis_proximal).tolist()
            vx, vy, vz = quaternion.rotate(lower, c.axis_distal).tolist()
            horizontal = math.hypot(ux, uy) * math.hypot(vx, vy)
            if horizontal > p.horizontal_floor:
                if c.freedom == 1:
                    sigma = math.sqrt(p.hinge_sigma**2 + axis_sigma**2 + (uz - vz) ** 2)
                    rows += [(ux, -vx, vy, sigma), (uy, -vy, -vx, sigma)]
                else:
                    sigma = math.sqrt(p.hinge_sigma**2 + axis_sigma**2)
                    b, d = ux * vx + uy * vy, uy * vx - ux * vy
                    rows.append((uz * vz - math.cos(c.carrying), b, d, sigma))
        if rest and math.isfinite(c.neutral_sigma):
            rows += self._neutral(upper, lower)
        return rows

    def _neutral(self, upper: FloatArray, lower: FloatArray) -> list[Row]:
        c, p = self.calibration, self.params
        up = np.array([0.0, 0.0, 1.0])
        near = math.cos(p.neutral_tilt)
        for q, expected in ((upper, c.up_proximal), (lower, c.up_distal)):
            found = quaternion.rotate(quaternion.conjugate(q), up)
            if float((found * expected).sum()) < near:
                return []
        turn = quaternion.multiply(quaternion.multiply(upper, c.q_neutral), quaternion.conjugate(lower))
        delta = 2.0 * math.atan2(float(turn[3]), float(turn[0]))
        return [(math.cos(delta), -1.0, 0.0, c.neutral_sigma), (math.sin(delta), 0.0, -1.0, c.neutral_sigma)]
