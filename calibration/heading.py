"""The relative heading of two segments, without a trusted magnetometer, and how well it is known.

Two 6-axis orientations agree on the vertical and differ by an unknown, slowly drifting turn about it:
delta, such that `about_vertical(delta) * q_earth2_from_distal` lives in the proximal sensor's earth
frame. Whatever the joint obeys observes it: its axes, its neutral pose, the common acceleration of its
centre. `calibration.acquire` finds delta from nothing, `calibration.relative` follows it; this room feeds
both on an absolute grid of stretches and shows, at every frame, what was known before that stretch began.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from calibration import relative
from calibration.acquire import REACH, Acquisition, best, share_near
from calibration.evidence import Laws, carrying_row, heading_rows, hinge_rows
from calibration.intake import WIDTH, Intake, intake, packed
from calibration.relative import (
    HEADING,
    Moment,
    RelativeParams,
    RelativeState,
    copied,
    first_covariance,
)
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.sync import Frames

_STILL = (np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0]))


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
    axis_time
        Seconds over which the error of the axes themselves lasts: skin turns with the posture, a minute or
        so.
    horizontal_floor
        Least product of the horizontal parts of the axes at which they speak of heading: below, an error of
        3 deg in an axis is more than 15 deg of heading.
    neutral_tilt
        A pose counts as the neutral one if gravity agrees with it within this angle in both segments, rad.
    held_rate, held_time
        A pose is held below this rate, rad/s, for so long, s. Each time it is taken it counts once.
    acquired
        Spread of likelihood below which a first heading is shown, rad.
    recent
        Seconds after which evidence no longer counts as speaking.
    likely_sigma
        One sigma of the heading that the neutral pose would mean while nothing is known yet, rad: joints turn by
        some 45 deg either way about a vertical.
    brisk
        Horizontal force, m/s^2, above which the common acceleration speaks of heading.
    relative
        Constants of the follower.
    """

    step_hz: float = 5.0
    hinge_sigma: float = math.radians(3.0)
    hinge_floor: float = math.radians(0.5)
    hinge_memory: float = 20.0
    evidence_time: float = 3.0
    axis_time: float = 30.0
    horizontal_floor: float = 0.15
    neutral_tilt: float = math.radians(12.0)
    held_rate: float = math.radians(20.0)
    held_time: float = 0.6
    acquired: float = math.radians(30.0)
    recent: float = 6.0
    likely_sigma: float = math.radians(50.0)
    brisk: float = 0.5
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
        and the small relative tilt found. Use this one to form the joint's orientation. While delta is not
        known it holds the likeliest one, with a covariance to match.
    covariance : (M, 3, 3)
        Of its error as a rotation vector in the proximal sensor's earth frame, rad^2.
    """

    delta: FloatArray
    sigma: FloatArray
    observable: BoolArray
    q_earth1_from_earth2: FloatArray
    covariance: FloatArray


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
        self._pair = (proximal, distal)
        self._rows = np.zeros((0, 2, WIDTH))
        self._index = np.zeros(0, dtype=np.int64)
        self._acquisition = Acquisition()
        self._relative = RelativeState()
        self._relative.covariance = first_covariance(self.params.relative, math.pi / math.sqrt(3.0), REACH)
        self._known = False
        self._since = math.inf
        self._age = 0
        self._held = 0
        self._felt: list[tuple[FloatArray, FloatArray]] = []
        self._hinge_variance = self.params.hinge_sigma**2
        self.tape: list[Moment] | None = None

    def feed(self, frames: Frames) -> Heading:
        """Return the heading at each of M consecutive frames."""
        size = frames.t.shape[0]
        out = _blank(size)
        if size == 0:
            return out
        index = np.rint(frames.t * self.rate).astype(np.int64)
        kept = self._index.shape[0]
        whole = np.concatenate([self._index, index])
        rows = np.concatenate([self._rows, packed(frames, self._pair)])
        borders = np.flatnonzero(whole % self.stride == 0)
        if borders.size == 0:
            self._index, self._rows = whole, rows
            self._show(out, 0, size)
            return out
        held = (self.params.held_rate, self.params.neutral_tilt)
        span = rows[borders[0] : borders[-1] + 1]
        inputs = intake(span, self.calibration, self.stride, self.rate, held)
        shown = 0
        for k, border in enumerate(borders[1:].tolist()):
            self._show(out, shown, border - kept)
            shown = max(border - kept, 0)
            self._step(inputs, k)
        self._show(out, shown, size)
        self._index, self._rows = whole[borders[-1] :], rows[borders[-1] :]
        return out

    def start_from(self, other: "HeadingEstimator", turn: FloatArray, heading_sigma: float) -> None:
        """Begin with what another estimator has learnt of the same joint, and a first turn (4,).

        The turn's heading is taken with its one sigma, rad, and the joint centre with a third of the prior's,
        so that a second pass over the same samples weighs them once.
        """
        learnt = other._relative
        covariance = first_covariance(self.params.relative, heading_sigma, REACH / 3.0)
        self._relative = replace(learnt, turn=turn, rate=0.0, covariance=covariance)
        self._hinge_variance = other._hinge_variance
        self._known = True

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
            "held": self._held,
            "felt": [[force.tolist(), lever.tolist()] for force, lever in self._felt],
            "hinge_variance": self._hinge_variance,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self._index = np.array(state["index"], dtype=np.int64)
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, 2, WIDTH)
        self._acquisition.restore(state["acquisition"])
        self._relative = RelativeState.from_document(state["relative"])
        self._known, self._since, self._age = state["known"], float(state["since"]), int(state["age"])
        self._held = int(state["held"])
        self._felt = [(np.array(force), np.array(lever)) for force, lever in state["felt"]]
        self._hinge_variance = float(state["hinge_variance"])

    def _show(self, out: Heading, start: int, stop: int) -> None:
        start = max(start, 0)
        if stop <= start:
            return
        turn, cov = self._relative.turn, self._relative.covariance[:3, :3]
        out.q_earth1_from_earth2[start:stop] = turn
        out.covariance[start:stop] = cov
        if self._known:
            out.delta[start:stop] = _heading_of(turn)
            out.sigma[start:stop] = math.sqrt(float(cov[HEADING, HEADING]))
            out.observable[start:stop] = self._since < self.params.recent

    def _step(self, i: Intake, k: int) -> None:
        p, s, dt = self.params, self._relative, self.seconds
        self._since += dt
        self._age += 1
        was_known = self._known
        if i.lost[k] > 0.0:
            self._lose(float(i.lost[k]))
        stretch = i.stretch(k) if i.known[k] else None
        if stretch is not None:
            if self.calibration.centre_fixed:
                self._felt.append((stretch.force, stretch.lever))
            if self._known:
                relative.feel(s, p.relative, dt, stretch, self.calibration.centre_fixed)
                brisk = math.hypot(stretch.force[0, 0], stretch.force[0, 1]) > p.brisk
                if brisk and self.calibration.centre_fixed:
                    self._since = 0.0
        looked = copied(s) if self.tape is not None else s
        way = relative.predict(s, p.relative, dt, stretch, self._rate_sigma(float(i.bias[k])))
        predicted = copied(s) if self.tape is not None else s
        self._obey(i.laws, k)
        if self._age == 1 and math.isfinite(i.laws.likely[k]):
            self._acquisition.laws(heading_rows(float(i.laws.likely[k]), p.likely_sigma), 1.0)
        pose = self._pose(i.laws, k)
        if self._age % max(1, round(1.0 / dt)) == 0 or pose:
            limits = self.calibration.limits
            if i.known[k] and np.isfinite(limits).any():
                self._acquisition.limits(i.upper[k], i.lower[k], limits, 2.0 * p.evidence_time)
            if self._acquire():
                was_known = False
        if self.tape is not None:
            fresh = not (was_known and self._known)
            ends = _STILL if stretch is None else (stretch.begin, stretch.end)
            self.tape.append(Moment(looked, predicted, copied(s), way, fresh, *ends))

    def _rate_sigma(self, bias_sigma: float) -> float:
        limit = self.params.relative.rate_sigma
        return min(bias_sigma, limit) if math.isfinite(bias_sigma) else limit

    def _lose(self, sigma: float) -> None:
        """Take note that a gap cost `sigma` rad of heading."""
        if sigma > 1.0:
            self._known = False
            self._acquisition = Acquisition()
        else:
            self._relative.covariance[HEADING, HEADING] += sigma**2

    def _obey(self, law: Laws, k: int) -> None:
        """Let the joint's axes speak: on the circle, and to the turn that is followed."""
        joint, p, s = self.calibration, self.params, self._relative
        first, second = law.first[k], law.second[k]
        if not (math.isfinite(first[0]) and math.isfinite(second[0])):
            return
        variance = self._hinge_variance + _square(joint.axis_sigma)
        inflation = max(1.0, 2.0 * p.evidence_time / self.seconds)
        lasting = max(1.0, 2.0 * p.axis_time / self.seconds)
        weakened = self._hinge_variance * inflation + _square(joint.axis_sigma) * lasting
        level = math.hypot(first[0], first[1]) * math.hypot(second[0], second[1]) > p.horizontal_floor
        if level:
            sigma = math.sqrt(variance)
            rows = (
                hinge_rows(first, second, sigma)
                if joint.freedom == 1
                else [carrying_row(first, second, joint.carrying, sigma)]
            )
            self._acquisition.laws(rows, weakened / variance)
            self._since = 0.0
        if not self._known:
            return
        v = relative.matrix_of(s.turn) @ second
        x, y, z = v.tolist()
        if joint.freedom == 1:
            error = first - v
            slope = np.array(((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0)))
            size = float((error * error).sum()) / 2.0
        else:
            error = np.array([math.cos(joint.carrying) - float((first * v).sum())])
            slope = np.array([_cross(v, first)])
            size = float(error[0] ** 2)
        if not level:
            slope[:, HEADING] = 0.0
        trust = max(1.0, math.sqrt(size / variance) / 2.0)
        relative.look(s, slope, error, weakened * trust)
        learnt = min(max(size, p.hinge_floor**2), 9.0 * self._hinge_variance)
        self._hinge_variance += (learnt - self._hinge_variance) * self.seconds / p.hinge_memory

    def _pose(self, law: Laws, k: int) -> bool:
        """Let the neutral pose speak, once each time it is taken; return whether it did."""
        if not math.isfinite(law.neutral[k]):
            self._held = 0
            return False
        self._held += 1
        if self._held != max(1, round(self.params.held_time / self.seconds)):
            return False
        heading, sigma = float(law.neutral[k]), self.calibration.neutral_sigma
        self._acquisition.laws(heading_rows(heading, sigma), 1.0)
        self._since = 0.0
        if self._known:
            error = quaternion.wrap(np.array([heading - _heading_of(self._relative.turn)]))
            trust = max(1.0, abs(float(error[0])) / sigma / 2.0)
            relative.look(self._relative, np.array([[0.0, 0.0, 1.0]]), error, trust * sigma**2)
        return True

    def _acquire(self) -> bool:
        """Start, or start again where the circle contradicts what is followed; return whether it did."""
        p, s = self.params, self._relative
        if self._felt:
            forces, levers = zip(*self._felt, strict=True)
            self._acquisition.fade(len(forces) * self.seconds)
            self._acquisition.force(np.stack(forces), np.stack(levers))
            self._felt = []
        weight, centres = self._acquisition.solve(
            self.seconds, math.sqrt(s.force_variance), p.relative.force_time
        )
        at, delta, spread = best(weight)
        sure = spread < p.acquired
        if self._known and (not sure or share_near(weight, _heading_of(s.turn), math.radians(30.0)) > 0.01):
            return False
        s.turn = quaternion.about_vertical(delta)
        s.centre = centres[at] if sure else np.zeros(6)
        s.rate = 0.0
        wide = max(spread, math.radians(5.0))
        s.covariance = first_covariance(p.relative, wide, REACH / 3.0 if sure else REACH)
        self._known = sure
        return True


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


def _heading_of(turn: FloatArray) -> float:
    """Return the turn's part about the vertical, rad in (-pi, pi]."""
    return float(quaternion.wrap(np.array(2.0 * math.atan2(float(turn[3]), float(turn[0])))))


def _cross(a: FloatArray, b: FloatArray) -> list[float]:
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
