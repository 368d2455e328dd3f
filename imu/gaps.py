"""What a filter may never see: unknown samples and gaps. Short ones are bridged, longer ones cost heading."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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

    def __getitem__(self, span: slice) -> "Orientation":
        """Return the samples of a slice, in time order."""
        return Orientation(
            self.sensor,
            self.t[span],
            self.q[span],
            self.rest[span],
            self.gyr_bias[span],
            self.gyr_bias_sigma[span],
            self.lost_heading[span],
        )


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


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples in step between gaps too long to be crossed: the known ones of a block, missing ones between.

    Parameters
    ----------
    rows : (K,)
        Which samples of the block are known.
    at : (K,)
        Where those lie among the N samples in step; the others are on the line between their neighbours.
    gyr, acc : (N, 3)
    mag : (N, 3) or None
        None where the field is not known for longer than `COAST`.
    """

    rows: NDArray[np.intp]
    at: NDArray[np.intp]
    gyr: FloatArray
    acc: FloatArray
    mag: FloatArray | None


def stretches(block: ImuBlock, rate: float) -> tuple[list[Stretch], FloatArray]:
    """Return the stretches of a block that is a whole recording, and the heading lost before each sample.

    What is a gap and what it costs is as in `GapFilter`, but up to `COAST` forces are interpolated as well:
    who knows both ends of a gap needn't do without them.

    Parameters
    ----------
    block
        N samples, some of them unknown.
    rate
        Nominal samples per second, Hz.

    Returns
    -------
    list of Stretch, (N,)
        The latter as in `Orientation.lost_heading`.
    """
    lost = np.zeros(len(block))
    known = np.flatnonzero(_known(block.gyr, block.acc))
    steps = np.diff(block.t[known])
    gaps = np.where(steps > 1.5 / rate, np.maximum(np.round(steps * rate) - 1.0, 0.0), 0.0).astype(np.intp)
    for i in np.flatnonzero(gaps).tolist():
        before, after = known[i], known[i + 1]
        lost[after] = _heading_lost(gaps[i] / rate, block.gyr[before], block.gyr[after])
    bounds = [0, *(np.flatnonzero(gaps > COAST * rate + 1e-9) + 1).tolist(), len(known)]
    found: list[Stretch] = []
    for first, last in pairwise(bounds):
        rows = known[first:last]
        if len(rows):
            at = np.concatenate([[0], np.cumsum(1 + gaps[first : last - 1])]).astype(np.intp)
            field = None if block.mag is None else _in_step_field(block.mag[rows], at, rate)
            found.append(Stretch(rows, at, _filled(block.gyr[rows], at), _filled(block.acc[rows], at), field))
    return found, lost


def _filled(signal: FloatArray, at: NDArray[np.intp]) -> FloatArray:
    """Return a signal (K, 3) known at places, on all places (N, 3): linear between."""
    every = np.arange(at[-1] + 1)
    if len(every) == len(at):
        return np.ascontiguousarray(signal)
    return np.stack([np.interp(every, at, signal[:, axis]) for axis in range(3)], axis=1)


def _in_step_field(mag: FloatArray, at: NDArray[np.intp], rate: float) -> FloatArray | None:
    """Return a magnetic field on all places; None if it is missing for too long."""
    good = np.isfinite(mag).all(axis=1)
    known = at[good]
    if not len(known) or max(known[0], at[-1] - known[-1], *np.diff(known)) - 1 > COAST * rate:
        return None
    shifted = _filled(mag[good], known - known[0])
    return np.pad(shifted, ((known[0], at[-1] - known[-1]), (0, 0)), mode="edge")


def _heading_lost(duration: float, before: FloatArray, after: FloatArray) -> float:
    """Return the heading that a gap of some seconds between two rates (3,) may have cost, rad."""
    if duration > COAST + 1e-9:
        return math.pi
    if duration <= BRIDGE + 1e-9:
        return 0.0
    rates = [math.sqrt(float((rate * rate).sum())) for rate in (before, after)]
    return duration * max(*rates, UNSEEN_RATE) / 2.0


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
        known = np.flatnonzero(_known(block.gyr, block.acc))
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
        lost = _heading_lost(duration, self._sample[:3], sample[:3])
        if duration > COAST + 1e-9:
            self._core.restart_tilt()
            return lost
        share = (np.arange(1, missing + 1) / (missing + 1))[:, None]
        between_them = self._sample + share * (sample - self._sample)
        gyr = np.ascontiguousarray(between_them[:, :3])
        if duration <= BRIDGE + 1e-9:
            self._core.run(gyr, np.ascontiguousarray(between_them[:, 3:]), None)
        else:
            self._core.coast(gyr)
        return lost

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


@sequential("(n,m),(n,m)")
def _known(gyr: FloatArray, acc: FloatArray) -> BoolArray:
    """Return which samples have a rate and a force, (N,)."""
    known = np.empty(len(gyr), np.bool_)
    for i in range(len(gyr)):
        known[i] = math.isfinite(gyr[i, 0] + gyr[i, 1] + gyr[i, 2] + acc[i, 0] + acc[i, 1] + acc[i, 2])
    return known


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
