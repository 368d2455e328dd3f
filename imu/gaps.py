"""What a filter may never see: unknown samples and gaps. Short ones are bridged, longer ones cost heading."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from imu.block import BoolArray, FloatArray, ImuBlock
from imu.compiled import sequential
from imu.errors import InputError

BRIDGE = 0.05
"""Missing samples up to this long are interpolated, s: three samples at 60 Hz."""

COAST = 0.5
"""Up to this long the rate is carried across the gap and the heading marked; beyond, tilt starts anew, s."""

UNSEEN_RATE = math.radians(20.0)
"""Rate at which a limb may turn unseen inside a gap, rad/s: the middle of slow passes, 90 deg in 3 to 6 s."""


@dataclass(frozen=True, slots=True, eq=False)
class Orientation:
    """How one sensor lies in space, sample by sample.

    Parameters
    ----------
    sensor
        Id of the sensor.
    t : (N,)
        Time on the capture clock, s.
    q : (N, 4)
        `q_earth_from_sensor`, z up, heading arbitrary unless a magnetometer is used. NaN where the sample
        was.
    rest : (N,)
        Whether the sensor lies still, judged against its own noise. False where unknown.
    gyr_bias : (N, 3)
        Gyroscope offset that the filter takes off, rad/s, sensor frame.
    gyr_bias_sigma : (N,)
        Its standard deviation, rad/s.
    lost_heading : (N,)
        One-sigma heading that was lost in a gap just before this sample, rad; 0 where there was none, pi
        where nothing of the old heading is known to hold.
    """

    sensor: str
    t: FloatArray
    q: FloatArray
    rest: BoolArray
    gyr_bias: FloatArray
    gyr_bias_sigma: FloatArray
    lost_heading: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a core makes of consecutive samples: (N, 4), (N,), (N, 3), (N,)."""

    q: FloatArray
    rest: BoolArray
    bias: FloatArray
    sigma: FloatArray


class Core(Protocol):
    """A filter that knows nothing of time: every sample is known and one period after the last."""

    def run(self, gyr: FloatArray, acc: FloatArray, mag: FloatArray | None) -> Run:
        """Take samples (N, 3) each; return what they give."""
        ...

    def coast(self, gyr: FloatArray) -> None:
        """Turn on with rates (N, 3) where forces are not known."""
        ...

    def restart_tilt(self) -> None:
        """Take the inclination anew from the next forces."""
        ...

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...


class GapFilter:
    """Keeps NaN and gaps away from a core: bridges the short, coasts through longer ones, then restarts.

    Parameters
    ----------
    rate
        Nominal samples per second, Hz.
    core
        The filter that sees only known samples in step.
    """

    def __init__(self, rate: float, core: Core) -> None:
        self._rate, self._core = rate, core
        self._seen = -math.inf
        self._t = -math.inf
        self._sample = np.zeros(6)

    def feed(self, block: ImuBlock) -> Orientation:
        """Take the next samples; raise `InputError` if they go back in time."""
        n = len(block)
        if n and block.t[0] <= self._seen:
            raise InputError(
                f"sensor {block.sensor}: blocks must follow each other in time, but one begins at "
                f"{block.t[0]:.6f} s after a sample at {self._seen:.6f} s"
            )
        if n and _in_step(block.t, block.gyr, block.acc, self._t, 1.5 / self._rate):
            gyr, acc = np.ascontiguousarray(block.gyr), np.ascontiguousarray(block.acc)
            mag = None if block.mag is None else np.ascontiguousarray(block.mag)
            run = self._core.run(gyr, acc, mag)
            self._seen = self._t = float(block.t[-1])
            self._sample[:3], self._sample[3:] = gyr[-1], acc[-1]
            return Orientation(block.sensor, block.t, run.q, run.rest, run.bias, run.sigma, np.zeros(n))
        return self._feed_broken(block)

    def _feed_broken(self, block: ImuBlock) -> Orientation:
        """Take a block with unknown samples or gaps, stretch by stretch."""
        n = len(block)
        whole = np.concatenate([block.gyr, block.acc], axis=1)
        good = np.isfinite(whole).all(axis=1)
        known = np.flatnonzero(good)
        t = block.t[known]
        steps = np.diff(t, prepend=self._t)
        starts = np.flatnonzero(steps > 1.5 / self._rate)
        out = Run(np.full((n, 4), np.nan), np.zeros(n, np.bool_), np.full((n, 3), np.nan), np.full(n, np.nan))
        lost = np.zeros(n)
        whole = np.ascontiguousarray(whole[known])
        mag = None if block.mag is None else block.mag[known]
        bounds = [0, *starts[starts > 0].tolist(), len(known)]
        for first, last in pairwise(bounds):
            if first == last:
                continue
            rows = known[first:last]
            if steps[first] > 1.5 / self._rate and math.isfinite(self._t):
                lost[rows[0]] = self._cross(t[first] - self._t, whole[first])
            run = self._core.run(
                np.ascontiguousarray(whole[first:last, :3]),
                np.ascontiguousarray(whole[first:last, 3:]),
                None if mag is None else np.ascontiguousarray(mag[first:last]),
            )
            out.q[rows], out.rest[rows], out.bias[rows], out.sigma[rows] = (
                run.q,
                run.rest,
                run.bias,
                run.sigma,
            )
            self._t, self._sample[:] = float(t[last - 1]), whole[last - 1]
        if n:
            self._seen = float(block.t[-1])
        return Orientation(block.sensor, block.t, out.q, out.rest, out.bias, out.sigma, lost)

    def _cross(self, step: float, sample: FloatArray) -> float:
        """Bring the core across missing samples; return the heading that may have been lost, rad."""
        missing = max(round(step * self._rate) - 1, 0)
        duration = missing / self._rate
        if duration > COAST + 1e-9:
            self._core.restart_tilt()
            return math.pi
        share = (np.arange(1, missing + 1) / (missing + 1))[:, None]
        between_them = self._sample + share * (sample - self._sample)
        gyr = np.ascontiguousarray(between_them[:, :3])
        if duration <= BRIDGE + 1e-9:
            self._core.run(gyr, np.ascontiguousarray(between_them[:, 3:]), None)
            return 0.0
        self._core.coast(gyr)
        rates = [math.sqrt(float((rate * rate).sum())) for rate in (self._sample[:3], sample[:3])]
        return duration * max(*rates, UNSEEN_RATE) / 2.0

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "seen": self._seen,
            "t": self._t,
            "sample": self._sample.tolist(),
            "core": self._core.save(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._seen, self._t = float(state["seen"]), float(state["t"])
        self._sample = np.array(state["sample"])
        self._core.restore(state["core"])


@sequential("(n),(n,m),(n,m),(),()")
def _in_step(t: FloatArray, gyr: FloatArray, acc: FloatArray, last: float, step: float) -> bool:
    """Return whether every sample is known and follows its predecessor, at first `last`, within a step."""
    previous = last if math.isfinite(last) else t[0]
    for i in range(len(t)):
        if not t[i] - previous <= step:
            return False
        previous = t[i]
        for k in range(3):
            if not math.isfinite(gyr[i, k] + acc[i, k]):
                return False
    return True
