"""The noise of a sensor from its own rest on a table, told from a limb that only seems to rest."""

import math
from itertools import pairwise

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.fusion import RestNoise

WHITE = 1.0
"""Least ratio of the mean square successive difference to the variance that counts as white noise. It is 2
for white noise, with a standard deviation of 0.26 over a second at 60 Hz; sway of a held limb at 1 Hz gives
(2 pi / 60)^2 = 0.01. Source: J. von Neumann, Ann. Math. Statist. 12:367, 1941."""

LEAST_SECONDS = 3
"""White seconds that make a measurement: one may be a coincidence."""


class NoiseMeter:
    """Measure the noise of one sensor in the whole seconds of the capture clock in which it lay still.

    A second counts if all six axes are white, which needs no threshold in physical units and which no living
    limb is. How the stream is cut changes nothing.

    Parameters
    ----------
    rate
        Nominal samples per second, Hz.
    """

    def __init__(self, rate: float) -> None:
        self._enough = max(20.0, 0.9 * rate)
        self._second = -math.inf
        self._rows: list[FloatArray] = []
        self._quiet: list[tuple[float, float]] = []

    def add(self, block: ImuBlock) -> None:
        """Take the next samples of the sensor."""
        if not len(block):
            return
        seconds = np.floor(block.t)
        rows = np.concatenate([block.gyr, block.acc], axis=1)
        bounds = [*np.flatnonzero(np.diff(seconds, prepend=self._second) > 0.0).tolist(), len(rows)]
        self._rows.append(rows[: bounds[0]])
        for first, last in pairwise(bounds):
            self._close()
            self._rows.append(rows[first:last])
        self._second = float(seconds[-1])

    def result(self) -> RestNoise | None:
        """Return the median noise of the seconds at rest so far; None if there were too few."""
        if len(self._quiet) < LEAST_SECONDS:
            return None
        gyr, acc = np.median(np.array(self._quiet), axis=0).tolist()
        return RestNoise(gyr, acc)

    def _close(self) -> None:
        """Judge the second that is over."""
        rows, self._rows = self._rows, []
        if sum(map(len, rows)) < self._enough:
            return
        table = np.concatenate(rows)
        variance = table.var(axis=0)
        steps = (np.diff(table, axis=0) ** 2).mean(axis=0)
        if (variance > 0.0).all() and (steps >= WHITE * variance).all():
            sigma = np.sqrt(variance)
            self._quiet.append((float(np.median(sigma[:3])), float(np.median(sigma[3:]))))
