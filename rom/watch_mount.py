"""Whether a sensor sits on something soft: held fast it stops with the limb, on a spring it swings on."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imu.block import FloatArray

JOLT = math.radians(60.0)
"""Rate before a stop that can set a mount ringing, rad/s: well above slow passes, within any quick kick."""

LEAST_JOLT = JOLT / math.sqrt(3.0)
"""What a jolt is at least about one axis, rad/s."""

RINGING = (0.12, 0.7)
"""Rate after a stop as a share of the rate before it. A sensor held fast keeps 3 % (tremor, simulated
clinic); a spring keeps most of it. Above, the movement itself goes on."""

RING_HZ = (4.0, 20.0)
"""Voluntary movement ends at about 5 Hz; a mount that rings above 20 Hz sags less than 2 deg."""

RINGS = 3
"""Stops after which it must ring, at one frequency within `UNEVEN`: a spring knows no other, muscle does."""

UNEVEN = 0.15
"""Spread of the half periods of one ringing, and of the frequencies of several, as a share."""

SAG, SAG_HZ = math.radians(6.0), 10.0
"""A sensor of 11 g, 36 x 30 x 11 mm, its middle 8 mm above a spring, that rings at 10 Hz on it sags by 6 deg
under its own weight: m g h / (I omega^2). Sag goes with the inverse square of the frequency."""

_NOTHING = np.zeros(0), np.zeros((0, 3))


class MountWatch:
    """Whether a sensor rings after brisk stops, as on foam: a spring, which also yields to its weight."""

    def __init__(self) -> None:
        self._before = _NOTHING
        self._brisk = False
        self._rings: list[float] = []
        self._told = False

    def judge(self, t: FloatArray, gyr: FloatArray, largest: float) -> tuple[float, float] | None:
        """Take the next stretch: times (n,), rates (n, 3), and the largest rate about an axis, rad/s.

        Return when it was sure and the frequency, Hz, once.
        """
        (earlier, rates), brisk = self._before, self._brisk
        self._before, self._brisk = (t, gyr), largest >= LEAST_JOLT
        if self._told or not (brisk or self._brisk):
            return None
        ring = _ring(np.concatenate([earlier, t]), np.concatenate([rates, gyr]))
        if math.isnan(ring):
            return None
        self._rings = [*self._rings, ring]
        self.interrupt()
        middle = float(np.median(self._rings))
        alike = sum(abs(each - middle) < UNEVEN * middle for each in self._rings)
        if alike < max(RINGS, 0.75 * len(self._rings)):
            return None
        self._told = True
        return float(t[-1]), middle

    def interrupt(self) -> None:
        """Take note that samples are missing: nothing can be told across."""
        self._before, self._brisk = _NOTHING, False

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "before": [each.tolist() for each in self._before],
            "brisk": self._brisk,
            "rings": list(self._rings),
            "told": self._told,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        t, rates = state["before"]
        self._before = np.array(t, dtype=np.float64), np.array(rates, dtype=np.float64).reshape(-1, 3)
        self._brisk = bool(state["brisk"])
        self._rings = [float(ring) for ring in state["rings"]]
        self._told = bool(state["told"])


def _ring(t: FloatArray, gyr: FloatArray) -> float:
    """Return the frequency of the ringing after the first stop in a second of rates, Hz; NaN without."""
    speed = np.sqrt((gyr**2).sum(axis=1))
    for start in np.arange(t[0] + 0.2, t[-1] - 0.4, 0.05).tolist():
        k, i, j = np.searchsorted(t, [start - 0.2, start, start + 0.4]).tolist()
        if j - i < 8 or i <= k:
            continue
        peak = float(speed[k:i].max())
        if peak < JOLT:
            continue
        frequency = _swinging(t[i:j], gyr[i:j], peak)
        if RING_HZ[0] <= frequency <= RING_HZ[1]:
            return frequency
    return math.nan


def _swinging(t: FloatArray, gyr: FloatArray, peak: float) -> float:
    """Return the frequency of an even, fading swing after a movement of some peak rate, Hz; NaN without."""
    middle = gyr.mean(axis=0)
    swing = gyr - middle
    squares = (swing * swing).sum(axis=1)
    strength = math.sqrt(float(squares.mean()))
    drift = math.sqrt(float((middle * middle).sum()))
    if not RINGING[0] * peak < strength < RINGING[1] * peak or drift > 0.5 * strength:
        return math.nan
    axis = swing[int(np.argmax(squares))]
    along = swing[:, 0] * axis[0] + swing[:, 1] * axis[1] + swing[:, 2] * axis[2]
    turns = np.flatnonzero(np.diff(np.sign(along)) != 0)
    if len(turns) < 4:
        return math.nan
    halves = np.diff(t[turns])
    mean = float(halves.mean())
    first = float(np.abs(along[turns[0] + 1 : turns[1] + 1]).max())
    last = float(np.abs(along[turns[-2] + 1 : turns[-1] + 1]).max())
    even = float(halves.std()) < 1.5 * UNEVEN * mean
    return 0.5 / mean if even and last < 0.7 * first else math.nan
