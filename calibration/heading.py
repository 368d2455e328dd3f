"""The relative heading of two segments, without a trusted magnetometer, and how well it is known.

Two 6-axis orientations agree on the vertical and differ by an unknown, slowly drifting turn about it:
delta, such that `about_vertical(delta) * q_earth2_from_distal` lives in the proximal sensor's earth
frame. Whatever the joint obeys observes it: its axes, its neutral pose, the common acceleration of its
centre. `calibration.acquire` finds delta from nothing, `calibration.relative` follows it; this room feeds
both on an absolute grid of stretches and shows, at every frame, what was known before that stretch began.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from calibration.acquire import REACH, Acquisition, best, share_near
from calibration.axes import find_hinge
from calibration.evidence import Laws, heading_rows
from calibration.follow import (
    POSED,
    RETURNED,
    Law,
    Pages,
    Stretches,
    follow,
    known_variance,
    obey,
    pages,
    pass_time,
    write_down,
)
from calibration.guess import Guess, begin_beside
from calibration.heading_params import CONTRADICTED, LARGEST_MISFIT, HeadingParams
from calibration.heading_series import AxisShift, Heading, row_of
from calibration.intake import WIDTH, Intake, Tape, gathered, intake
from calibration.magnetic import Looks
from calibration.relative_state import AXES, HEADING, RelativeState, first_covariance
from calibration.returns import Returns, look_at_heading
from calibration.rotation import heading_of, wrapped
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.errors import CalibrationError
from imu.sync import Frames


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
        *,
        params: HeadingParams | None = None,
    ) -> None:
        self.calibration = calibration
        self.rate = rate
        self.params = params or HeadingParams()
        self.stride = max(1, round(rate / self.params.step_hz))
        self.seconds = self.stride / rate
        self._doubt = max(1, round(self.params.doubt_time / self.seconds))
        self._pair = (proximal, distal)
        self._rows = np.zeros((0, 2, WIDTH))
        self._first = self._age = self._held = 0
        self._bias = self._since = math.inf
        self._acquisition = Acquisition()
        self._relative = RelativeState()
        self._relative.covariance = self._first_covariance(math.pi / math.sqrt(3.0), REACH)
        if calibration.freedom in (1, 2):
            self._relative.axes = np.stack([calibration.axis_proximal, calibration.axis_distal])
        self._believed = self._relative.axes
        self._shift = AxisShift(calibration)
        self._moved = self._shift.moved(self._believed)
        self._latest: FloatArray | None = None
        self._known = self._fresh = False
        self._searched = 0.0
        self._past: list[FloatArray] = []
        self._guess = Guess(calibration, self._pair)
        self._returns = Returns(self.seconds, self.params.returns)
        missing = calibration.freedom == 1 and math.isnan(self._believed[0, 0])
        unsure = known_variance(calibration.azimuth_sigma) > self.params.open_azimuth**2
        self._resolved = not (missing or unsure)
        self._hinge_variance = self.params.hinge_sigma**2
        self._law = Law.of(calibration, self.params, self.seconds)
        self.tape: list[Tape] | None = None

    def feed(self, frames: Frames) -> Heading:
        """Return the heading at each of M consecutive frames."""
        return self._shift.at_frames(frames, self._pair, *self.take(frames))

    def take(self, frames: Frames) -> tuple[FloatArray, FloatArray, tuple[int, int]]:
        """Take consecutive frames; return what `AxisShift.at_frames` spreads over them."""
        self._guess.begin(frames, self.seconds)
        self._hold_guess()
        kept, sigma = len(self._rows), frames.gyr_bias_sigma
        if not kept and len(frames):
            self._first = round(float(frames.t[0]) * self.rate)
        lost = np.zeros_like(sigma) if frames.lost_heading is None else frames.lost_heading
        self._rows = gathered(self._rows, frames.q, frames.gyr, frames.acc, sigma, lost, *self._pair)
        border = -self._first % self.stride
        count = max((len(self._rows) - 1 - border) // self.stride, 0)
        if not self._known or self._latest is None:
            self._latest = self._shown()
        shown, moved = self._latest[None], self._moved[None]
        if count:
            last = border + count * self.stride
            ends = np.arange(border, last, self.stride) + self.stride - kept
            held = (self.params.held_rate, self.params.neutral_tilt)
            inputs = intake(self._rows[border : last + 1], self.calibration, self.stride, self.rate, held)
            shown, moved = self._walk(inputs, self._guess.fields(frames, ends))
            self._rows, self._first = self._rows[last:], self._first + last
        return shown, moved, (border - kept, self.stride)

    def retrace(self, inputs: Intake, fields: Looks | None) -> None:
        """Take the stretches that another estimator of the joint has taken in, from a heading it found."""
        begin_beside(fields, self._relative, self.seconds)
        self._walk(inputs, fields)

    def _walk(self, inputs: Intake, fields: Looks | None) -> tuple[FloatArray, FloatArray]:
        """Take K stretches, with what magnetometers say at their ends.

        Return what is shown (K + 1, SHOWN) and how the axes moved (K + 1, 2, 4) in each and after the last.
        """
        k, count, stretches = 0, len(inputs.known), inputs.stretches()
        settled = self._returns.due(inputs.turned, inputs.known)
        decisive = inputs.decisive | settled
        page = pages(count, taped=self.tape is not None)
        page.shown[0] = self._shown()
        while k < count:
            stop = self._run(decisive, k)
            self._guess.take_field(fields, k, stop, self.seconds)
            self._step(inputs, stretches, k, stop, page)
            if settled[stop - 1] and self._known:
                segments = inputs.upper[stop - 1], inputs.lower[stop - 1]
                note = page.notes[stop - 1, RETURNED]
                self._returns.take(self._relative, *segments, self._age * self.seconds, note)
            page.shown[stop] = self._latest = self._shown()
            k = stop
        axes = page.shown[1:, 16:22].reshape(-1, 2, 3)
        moved = np.concatenate([self._moved[None], self._shift.moved(axes)])
        self._moved = moved[-1]
        if self.tape is not None:
            write_down(self._relative.values, self._relative.covariance, count, page)
            self.tape.append(Tape(page, inputs, fields))
        return page.shown, moved

    def _first_covariance(self, heading_sigma: float, reach: float) -> FloatArray:
        """Return the covariance to start with; the proximal axis is open about the segment's length."""
        joint, p = self.calibration, self.params
        variances = np.full(6, max(min(known_variance(joint.axis_sigma), p.lean_sigma**2), p.pair_sigma**2))
        variances[1] = max(variances[1], p.azimuth_sigma**2, known_variance(joint.azimuth_sigma))
        rate_sigma = min(self._bias, p.relative.rate_sigma)
        return first_covariance(p.relative, heading_sigma, rate_sigma, reach, variances)

    @property
    def state(self) -> RelativeState:
        """What is held of the turn now: a copy."""
        return self._relative.copy()

    def start_from(
        self, other: "HeadingEstimator", turn: FloatArray, heading_sigma: float, bias: float
    ) -> None:
        """Begin with what another estimator has learnt of the same joint, and a first turn (4,).

        The turn's heading is taken with its one sigma, rad, and the joint centre with a third of the prior's,
        so that a second pass over the same samples weighs them once. `bias` is one sigma of the heading's
        rate at first, rad/s.
        """
        s = self._relative = other.state
        self._bias = bias
        s.turn, s.rate = turn, 0.0
        s.covariance = self._first_covariance(heading_sigma, REACH / 3.0)
        self._moved, self._latest = self._shift.moved(s.axes), None
        self._hinge_variance = other._hinge_variance
        self._believed, self._resolved = other._believed, other._resolved
        self._searched = self.params.longest_search
        self._known = True

    def save(self) -> dict[str, Any]:
        """Return the memory of the estimator as plain values (JSON with NaN)."""
        return {
            "first": self._first,
            "rows": self._rows.tolist(),
            "acquisition": self._acquisition.save(),
            "relative": self._relative.to_document(),
            "known": self._known,
            "bias": self._bias,
            "guess": self._guess.save(),
            "returns": self._returns.save(),
            "since": self._since,
            "age": self._age,
            "held": self._held,
            "resolved": self._resolved,
            "believed": self._believed.tolist(),
            "past": [both.tolist() for both in self._past],
            "searched": self._searched,
            "hinge_variance": self._hinge_variance,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self._first = int(state["first"])
        self._rows = np.array(state["rows"], dtype=np.float64).reshape(-1, 2, WIDTH)
        self._acquisition.restore(state["acquisition"])
        self._relative = RelativeState.from_document(state["relative"])
        self._moved, self._latest = self._shift.moved(self._relative.axes), None
        self._known, self._since, self._age = state["known"], float(state["since"]), int(state["age"])
        self._guess.restore(state["guess"])
        self._returns.restore(state["returns"])
        self._past = [np.array(both, dtype=np.float64) for both in state["past"]]
        self._held, self._searched = int(state["held"]), float(state["searched"])
        self._believed, self._resolved = np.array(state["believed"]), bool(state["resolved"])
        self._bias, self._hinge_variance = float(state["bias"]), float(state["hinge_variance"])

    def _shown(self) -> FloatArray:
        """Return what is known now as a row, in the order of `row_of`."""
        s = self._relative
        return row_of(s.values, s.covariance, self._hidden, self._known, self._since < self.params.recent)

    @property
    def _hidden(self) -> float:
        """Heading variance that the state has no part in, rad^2: the axes' own, until they are resolved."""
        return 0.0 if self._resolved else known_variance(self.calibration.azimuth_sigma)

    @property
    def _searching(self) -> bool:
        """Whether a hinge's axes may still be found in the past."""
        young = self._age * self.seconds <= self.params.longest_search
        return self.calibration.freedom == 1 and not self._resolved and (young or bool(self._past))

    def _hold_guess(self) -> None:
        """While no heading is known, hold the likeliest."""
        if not self._known:
            self._relative.turn = self._guess.turn()

    def _run(self, decisive: BoolArray, k: int) -> int:
        """Return where the run of stretches from k on ends that asks for no decision before its end."""
        if not self._known or self._searching or self._age == 0 or decisive[k]:
            return k + 1
        stop = k + self._doubt - self._age % self._doubt
        ahead = decisive[k:stop].tolist()
        return k + (ahead.index(True) if True in ahead else len(ahead))

    def _step(self, i: Intake, stretches: Stretches, k: int, stop: int, page: Pages) -> None:
        """Take the stretches from k to `stop`, and decide what there is to decide at the end."""
        p, s, last = self.params, self._relative, stop - 1
        self._age += stop - k
        was_known = self._known
        if math.isfinite(i.bias[last]):
            self._bias = float(i.bias[last])
        if i.lost[k] > 0.0:
            self._lose(float(i.lost[k]))
        if self.calibration.centre_fixed:
            felt = (i.lever[k:stop], i.carried[k:stop], i.force[k:stop], i.known[k:stop])
            self._acquisition.forces(*felt, self.seconds)
        memory = self._since, self._hinge_variance
        held, before = (s.values, s.covariance), (p.relative, self._law)
        if self._searching:
            self._since = pass_time(*held, self._since, self._known, stretches, k, *before, page)
            self._hold_guess()
            self._search(i, k)
            held, memory = (s.values, s.covariance), (self._since, self._hinge_variance)
            table = self._acquisition.table
            self._since, self._hinge_variance = obey(
                *held, table, memory, self._known, stretches, k, self._law, self._believed, page
            )
        else:
            walked = self._acquisition.table, memory, self._known, stretches, (k, stop)
            self._since, self._hinge_variance = follow(
                *held, *walked, *before, self._believed, self._hidden, page
            )
            self._hold_guess()
        if self._age == 1 and math.isfinite(i.laws.likely[k]) and not self._guess.has_limits:
            self._acquisition.laws(heading_rows(float(i.laws.likely[k]), p.likely_sigma), 1.0)
        pose = self._pose(i.laws, last, page)
        if not self._known or self._age % self._doubt == 0 or pose:
            self._posture(i, last, page.shown[last, 16:22].reshape(2, 3))
            if self._acquire(float(i.bias[last])):
                was_known = False
        page.fresh[last] = self._fresh or not (was_known and self._known)
        self._fresh = False

    def _lose(self, sigma: float) -> None:
        """Take note that a gap cost `sigma` rad of heading."""
        if sigma > 1.0:
            if self._known:
                self._guess.hold(heading_of(self._relative.values))
            self._known = False
            self._acquisition = Acquisition()
        else:
            self._relative.covariance[HEADING, HEADING] += sigma**2

    def _search(self, i: Intake, k: int) -> None:
        """Find a hinge's axes and heading together in the past, where they are open; keep it for that."""
        p, s, joint = self.params, self._relative, self.calibration
        seen = self._age * self.seconds
        if seen > p.longest_search:
            self._past = []
            return
        self._past.append(np.concatenate([np.stack([i.upper[k], i.lower[k]]), i.rate[k]], axis=1))
        due = p.first_search if self._searched == 0.0 else 1.25 * self._searched
        if seen < due:
            return
        self._searched = seen
        past = np.stack(self._past)
        try:
            hinge = find_hinge(past[..., :4], past[..., 4:], 1.0 / self.seconds)
        except CalibrationError:
            return
        if hinge.heading_sigma > p.search_sigma or hinge.residual > LARGEST_MISFIT:
            return
        found = hinge.reversed() if float((hinge.axis_distal * joint.axis_distal).sum()) < 0.0 else hinge
        s.axes = self._believed = np.stack([found.axis_proximal, found.axis_distal])
        s.turn = quaternion.about_vertical(found.heading)
        s.covariance = self._first_covariance(max(found.heading_sigma, math.radians(5.0)), REACH)
        axes = np.maximum(np.diag(found.covariance).max(), p.pair_sigma**2)
        s.covariance[AXES, AXES] = np.eye(6) * axes
        self._returns.forget()
        self._acquisition = Acquisition()
        self._acquisition.laws(heading_rows(found.heading, p.search_sigma), 1.0)
        self._known, self._since = True, 0.0
        self._fresh = self._resolved = True
        self._past = []

    def _pose(self, law: Laws, k: int, page: Pages) -> bool:
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
            s = self._relative
            error = wrapped(heading - heading_of(s.values))
            trust = max(1.0, abs(error) / sigma / 2.0)
            look_at_heading(s, error, trust * sigma**2, page.notes[k, POSED])
        return True

    def _posture(self, i: Intake, k: int, axes: FloatArray) -> None:
        """Let the joint's limits speak of where both segments are, seen with these axes (2, 3)."""
        if i.known[k] and self._guess.has_limits:
            upper, lower = self._shift.segments(i.upper[k], i.lower[k], axes)
            self._guess.take_posture(upper, lower, self.seconds)

    def _acquire(self, drift: float) -> bool:
        """Start, or start again where the circle contradicts what is followed; return whether it did.

        `drift` is one sigma of the rate of the heading, rad/s.
        """
        p, s = self.params, self._relative
        self._acquisition.take_in(self.seconds, drift)
        disagreement = math.sqrt(s.force_variance), p.relative.force_time
        weight = self._guess.weighed(self._acquisition.solve(self.seconds, *disagreement))
        at, delta, spread = best(weight)
        sure = spread < p.acquired
        if self._known and (
            not sure or share_near(weight, heading_of(s.values), math.radians(30.0)) > CONTRADICTED
        ):
            return False
        if sure:
            self._guess.hold(delta)
        else:
            self._guess.settle(weight)
        s.turn = self._guess.turn()
        s.centre = self._acquisition.centre(at, self.seconds, *disagreement) if sure else np.zeros(6)
        s.rate = 0.0
        axes = s.covariance[AXES, AXES].copy()
        wide = max(spread, math.radians(5.0))
        s.covariance = self._first_covariance(wide, REACH / 3.0 if sure else REACH)
        self._returns.forget()
        if self._resolved:
            s.covariance[AXES, AXES] = axes
        self._known = sure
        return True
