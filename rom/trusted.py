"""Samples as far as they can be trusted: known errors are taken off, the end of the range is unknown."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calibration.sensor import apply
from imu.block import FloatArray, ImuBlock
from imu.compiled import sequential
from rom.reading import TrackedSensor

RANGE_END = 0.99
"""A sample beyond this share of the sensor's range counts as saturated."""


class TrustedSamples:
    """Takes the blocks of tracked sensors, one after the other.

    `saturated` are the instants, s, of samples at the end of a gyroscope's range or without a rate; whoever
    has dealt with them may drop them.
    """

    def __init__(self, sensors: Sequence[TrackedSensor]) -> None:
        self._errors = {s.sensor: s.calibration for s in sensors if s.calibration is not None}
        self._limits = {s.sensor: RANGE_END * (s.gyr_range or math.inf) for s in sensors}
        self.saturated: list[float] = []

    def feed(self, block: ImuBlock) -> ImuBlock:
        """Return the samples of one of the sensors with unknown rates where they were saturated."""
        block = self._mark_saturated(block)
        return apply(self._errors[block.sensor], block) if block.sensor in self._errors else block

    def _mark_saturated(self, block: ImuBlock) -> ImuBlock:
        limit = self._limits[block.sensor]
        if _within(block.gyr, limit):
            return block
        at_end = (np.abs(block.gyr) >= limit).any(axis=1)
        lone = np.isnan(block.gyr).any(axis=1) & np.isfinite(block.acc).all(axis=1)
        if not (at_end.any() or lone.any()):
            return block
        self.saturated += block.t[at_end | lone].tolist()
        gyr = block.gyr.copy()
        gyr[at_end] = np.nan
        return replace(block, gyr=gyr)


@sequential("(n,c),()")
def _within(rates: FloatArray, limit: float) -> bool:
    """Return whether every number is known and smaller than a limit."""
    for i in range(rates.shape[0]):
        for k in range(rates.shape[1]):
            if not abs(rates[i, k]) < limit:
                return False
    return True
