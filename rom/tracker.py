"""Blocks of samples in, joint angles with their uncertainty out; live and replay run this, and only this."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.compiled import sequential
from imu.fusion import OrientationFilter, make_filter
from imu.sync import Frames, Synchroniser
from rom.angles import GAP, SATURATED, UNSURE, JointSeries, join_series, period
from rom.reading import HeadingSource, TrackerSetup, reader
from rom.trusted import TrustedSamples

UNSURE_SIGMA = math.radians(5.0)
"""Beyond this sigma, straps aside, an angle is flagged, rad: 95 % of it is wider than most MDC95."""

LOOK = 1.0 / 30.0
"""Angles are given out in groups of so many seconds: a picture on a screen, two thirds of what the pass
detector looks at once. One at a time would cost four times as much and show nothing earlier."""

_AXES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class JointTracker:
    """Track one joint. How the blocks are cut or interleaved never changes a bit of the result.

    Parameters
    ----------
    setup
        See `TrackerSetup`.
    heading
        Where the relative heading comes from, if not from the live estimator (see `rom.review`).
    filters
        Where the orientation of each sensor comes from, if not from the live filters.

    Raises
    ------
    InputError
        If rate, filter or sensors cannot be.
    """

    def __init__(
        self,
        setup: TrackerSetup,
        heading: HeadingSource | None = None,
        filters: Mapping[str, OrientationFilter] | None = None,
    ) -> None:
        self.setup = setup
        self._filters = filters or {
            s.sensor: make_filter(setup.filter_name, s.rate, s.noise, setup.magnetometer)
            for s in setup.sensors
        }
        self._samples = TrustedSamples(setup.sensors)
        rates = {s.sensor: s.rate for s in setup.sensors}
        together = max(1, round(LOOK * setup.output_rate))
        self._sync = Synchroniser(list(rates), setup.output_rate, rates, together=together)
        self._step = 1.0 / setup.output_rate
        self._saturation_reach = 1.0 / min(setup.output_rate, *rates.values())
        self._reader = reader(setup, heading)
        self._nothing = join_series([])
        full = period(setup.rule) if self._reader.periodic else math.inf
        self._rules = np.array([UNSURE_SIGMA, GAP, UNSURE, full, setup.centre])
        self._axis = _AXES[setup.rule.component]
        if setup.calibration is not None:
            self._axis = quaternion.rotate(setup.calibration.proximal.q_sensor_from_segment, self._axis)
        self._turns = np.array([math.nan, 0.0])
        self._support = 0.0

    def feed(self, block: ImuBlock) -> JointSeries:
        """Take the next samples of one sensor; return the angles they complete.

        Blocks of sensors that are not part of the setup give nothing. Raises `InputError` if a block
        goes back in time.
        """
        if block.sensor not in self._filters:
            return self._nothing
        block = self._samples.feed(block)
        frames = self._sync.feed(self._filters[block.sensor].feed(block), block)
        return self._series(frames)

    def finish(self) -> JointSeries:
        """Return the angles that the last samples complete; NaN where a sensor ended early."""
        return self._series(self._sync.finish())

    def _series(self, frames: Frames) -> JointSeries:
        if not len(frames):
            return self._nothing
        if frames.t[0] < self.setup.worn_from:
            early = int(np.searchsorted(frames.t, self.setup.worn_from))
            return join_series([self._unworn(frames[:early]), self._series(frames[early:])])
        errors, flags, segments = self._reader.read(frames)
        lost = frames.lost_heading
        if lost is None:
            lost = np.zeros(frames.rest.shape)
        marks = np.empty(len(frames))
        parts = (errors.angle, errors.sigma, errors.strap_sigma, errors.heading_sigma)
        _settle(self._rules, frames.q, lost, *parts, marks, self._turns)
        flags |= marks.astype(np.uint8)
        if self._samples.saturated:
            flags[self._near_saturation(frames.t)] |= SATURATED
        return JointSeries(
            frames.t,
            errors.angle,
            errors.sigma,
            flags,
            self._support_turn(frames),
            errors.strap_sigma,
            errors.heading_sigma,
            segments,
        )

    def _unworn(self, frames: Frames) -> JointSeries:
        n = len(frames)
        unknown, none, nowhere = np.full((n, 3), np.nan), np.full(n, np.nan), np.full((n, 2, 4), np.nan)
        unsure = np.full(n, UNSURE, np.uint8)
        return JointSeries(frames.t, unknown, unknown, unsure, none, none, none, nowhere)

    def _near_saturation(self, t: FloatArray) -> BoolArray:
        near = np.zeros(len(t), np.bool_)
        for moment in self._samples.saturated:
            near |= (t >= moment) & (t < moment + self._saturation_reach)
        lasting = [m for m in self._samples.saturated if m + self._saturation_reach > t[-1]]
        self._samples.saturated = lasting
        return near

    def _support_turn(self, frames: Frames) -> FloatArray:
        if self.setup.proximal is None:
            return np.full(len(frames), np.nan)
        turn = np.empty(len(frames))
        _integrate(frames.gyr[:, 0], self._axis, self._step, self._support, turn)
        self._support = float(turn[-1])
        return turn

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN and infinities)."""
        return {
            "filters": {name: each.save() for name, each in self._filters.items()},
            "sync": self._sync.save(),
            "reader": self._reader.save(),
            "saturated": list(self._samples.saturated),
            "turns": self._turns.tolist(),
            "support": self._support,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the saved state of a tracker with the same setup."""
        for name, each in self._filters.items():
            each.restore(state["filters"][name])
        self._sync.restore(state["sync"])
        self._reader.restore(state["reader"])
        self._samples.saturated = [float(moment) for moment in state["saturated"]]
        self._turns = np.array(state["turns"], dtype=np.float64)
        self._support = float(state["support"])


@sequential("(n,c),(c),(),()->(n)")
def _integrate(rates: FloatArray, axis: FloatArray, step: float, start: float, turn: FloatArray) -> None:
    """Fill the turn about an axis; where the rate is not known it stands still."""
    for i in range(len(turn)):
        rate = rates[i, 0] * axis[0] + rates[i, 1] * axis[1] + rates[i, 2] * axis[2]
        start += rate * step if math.isfinite(rate) else 0.0
        turn[i] = start


@sequential("(k),(n,s,q),(n,s)->(n,c),(n,c),(n),(n),(n),(m)")
def _settle(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    rules: FloatArray,
    q: FloatArray,
    lost: FloatArray,
    angle: FloatArray,
    sigma: FloatArray,
    strap_sigma: FloatArray,
    heading_sigma: FloatArray,
    marks: FloatArray,
    turns: FloatArray,
) -> None:
    """Mark gaps and large sigmas, blank what is not known, and put the primary angle on the jumpless branch.

    `rules` are the largest sure sigma, the two marks, after how much the same pose comes again, and the
    middle of the angles to expect; `turns` are the last angle within a turn of there, and the turns counted.
    """
    largest, gap, unsure, full, centre = rules
    low = centre - full / 2.0
    for i in range(len(marks)):
        known = math.isfinite(angle[i, 0])
        marks[i] = 0.0
        for s in range(q.shape[1]):
            if lost[i, s] > 0.0 or not math.isfinite(q[i, s, 0]):
                marks[i] = gap
        own = sigma[i, 0] * sigma[i, 0] - strap_sigma[i] * strap_sigma[i]
        if not known or own > largest * largest:
            marks[i] += unsure
        for k in range(angle.shape[1]):
            if not math.isfinite(angle[i, k]):
                sigma[i, k] = math.nan
        if not known:
            strap_sigma[i] = heading_sigma[i] = math.nan
        elif math.isfinite(full):
            near = low + (angle[i, 0] - low) % full
            if math.isfinite(turns[0]):
                turns[1] -= np.rint((near - turns[0]) / full)
            turns[0] = near
            if abs(near + full * turns[1] - centre) > 0.75 * full:
                turns[1] = 0.0
            angle[i, 0] = near + full * turns[1]
