"""How often a limb went there and back: what a person who calibrates has shown so far."""

import math

import numpy as np

from calibration.axes import LEAST_TURN
from imu.block import ImuBlock

LEAST_BACK = math.radians(10.0)
BACK_SHARE = 0.3
"""A way ends once the sensor has turned back by so much, rad, and by this share of the way: tremor and a
corrected hold stay below."""
USUAL_WAY = math.radians(60.0)
"""How far a first way is taken to go, rad, until there is one to go by."""
FULL_SHARE = 0.8
"""A way counts as full from this share of the one before it: nobody comes back to the degree."""
LONGEST_STEP = 0.1
"""Longer holes in the samples are not bridged, s."""


class Swings:
    """Ways there and back of whichever sensor makes the most of them, from its turning rate alone.

    It needs no calibration and judges nothing: `calibration.axes` does, once the movement is over.
    """

    def __init__(self) -> None:
        self._sensors: dict[str, _Ways] = {}

    def feed(self, block: ImuBlock) -> None:
        """Take samples; the gyroscope in rad/s, blocks of one sensor in order of time."""
        ways = self._sensors.setdefault(block.sensor, _Ways())
        for t, gyr in zip(block.t.tolist(), block.gyr.tolist(), strict=True):
            ways.take(t, gyr)

    @property
    def times(self) -> float:
        """How often it went there and back, the way under way by its share; it never falls."""
        return max((ways.times for ways in self._sensors.values()), default=0.0)


class _Ways:
    """The ways of one sensor, in the plane in which it turns.

    A turn about one axis fixed in the sensor makes the integral of the rate move along one line, so that a
    turning point is where that integral stops going away from the last one.
    """

    def __init__(self) -> None:
        self.times = 0.0
        self._ways = 0
        self._usual = USUAL_WAY
        self._last = math.nan
        self._at = self._turned = self._farthest = np.zeros(3)
        self._reach = 0.0

    def take(self, t: float, gyr: list[float]) -> None:
        """Take one sample."""
        step = t - self._last
        self._last = t
        if not 0.0 < step < LONGEST_STEP or not all(map(math.isfinite, gyr)):
            return
        self._at = self._at + step * np.array(gyr)
        reach = math.dist(self._at, self._turned)
        if reach > self._reach:
            self._reach, self._farthest = reach, self._at
        back = math.dist(self._at, self._farthest)
        if back > max(LEAST_BACK, BACK_SHARE * self._reach):
            if self._reach >= LEAST_TURN:
                self._ways += 1
                self._usual = self._reach
            self._turned, self._farthest, self._reach = self._farthest, self._at, back
        share = min(1.0, self._reach / (FULL_SHARE * self._usual))
        self.times = max(self.times, (self._ways + share) / 2.0)
