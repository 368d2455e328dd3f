"""Blocks of samples in, joint angles with their uncertainty out; live and replay run this, and only this."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from calibration.sensor import apply
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.fusion import make_filter
from imu.sync import Frames, Synchroniser
from rom.angles import GAP, SATURATED, UNSURE, JointSeries, join_series, period
from rom.reading import HeadingSource, TrackerSetup, reader

UNSURE_SIGMA = math.radians(5.0)
"""Beyond this sigma, straps aside, an angle is flagged, rad: 95 % of it is wider than most MDC95."""

RANGE_END = 0.99
"""A sample beyond this share of the sensor's range counts as saturated."""

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

    Raises
    ------
    InputError
        If rate, filter or sensors cannot be.
    """

    def __init__(self, setup: TrackerSetup, heading: HeadingSource | None = None) -> None:
        self.setup = setup
        self._filters = {
            s.sensor: make_filter(setup.filter_name, s.rate, s.noise, setup.magnetometer)
            for s in setup.sensors
        }
        self._errors = {s.sensor: s.calibration for s in setup.sensors if s.calibration is not None}
        self._ranges = {s.sensor: s.gyr_range or math.inf for s in setup.sensors}
        rates = {s.sensor: s.rate for s in setup.sensors}
        together = max(1, round(LOOK * setup.output_rate))
        self._sync = Synchroniser(list(rates), setup.output_rate, rates, together=together)
        self._saturation_reach = 1.0 / min(setup.output_rate, *rates.values())
        self._saturated: list[float] = []
        self._reader = reader(setup, heading)
        self._nothing = join_series([])
        self._last_near = math.nan
        self._branch = 0
        self._support = 0.0

    def feed(self, block: ImuBlock) -> JointSeries:
        """Take the next samples of one sensor; return the angles they complete.

        Blocks of sensors that are not part of the setup give nothing. Raises `InputError` if a block
        goes back in time.
        """
        if block.sensor not in self._filters:
            return self._nothing
        block = self._mark_saturated(block)
        if block.sensor in self._errors:
            block = apply(self._errors[block.sensor], block)
        frames = self._sync.feed(self._filters[block.sensor].feed(block), block)
        return self._series(frames)

    def finish(self) -> JointSeries:
        """Return the angles that the last samples complete; NaN where a sensor ended early."""
        return self._series(self._sync.finish())

    def _mark_saturated(self, block: ImuBlock) -> ImuBlock:
        """Turn samples at the end of the range into unknown ones, and remember when."""
        limit = RANGE_END * self._ranges[block.sensor]
        if not len(block) or (-limit < float(block.gyr.min()) and float(block.gyr.max()) < limit):
            return block
        at_end = (np.abs(block.gyr) >= limit).any(axis=1)
        lone = np.isnan(block.gyr).any(axis=1) & np.isfinite(block.acc).all(axis=1)
        if not (at_end.any() or lone.any()):
            return block
        self._saturated += block.t[at_end | lone].tolist()
        gyr = block.gyr.copy()
        gyr[at_end] = np.nan
        return replace(block, gyr=gyr)

    def _series(self, frames: Frames) -> JointSeries:
        if not len(frames):
            return self._nothing
        if frames.t[0] < self.setup.worn_from:
            early = int(np.searchsorted(frames.t, self.setup.worn_from))
            return join_series([self._unworn(frames[:early]), self._series(frames[early:])])
        errors, flags = self._reader.read(frames)
        angle, sigma = errors.angle, errors.sigma
        unknown = ~np.isfinite(angle[:, 0])
        flags[~np.isfinite(frames.q[..., 0]).all(axis=1)] |= GAP
        if frames.lost_heading is not None:
            flags[frames.lost_heading.max(axis=1) > 0.0] |= GAP
        if self._saturated:
            flags[self._near_saturation(frames.t)] |= SATURATED
        own = sigma[:, 0] ** 2 - errors.strap_sigma**2
        flags[np.where(unknown, True, own > UNSURE_SIGMA**2)] |= UNSURE
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
