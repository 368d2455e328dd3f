"""Whether a magnetometer sees the earth's field, or one that steel or a magnet bends."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imu.block import FloatArray

BENT = 0.15
"""Change of the field's strength from place to place that is told: 8.5 deg of direction at most, as much as
the steel of a treatment room turns it (algorithm reference 5a), and three times a sensor's soft iron."""

SOFT_IRON = 0.05
"""One sigma of what a sensor's own soft iron does to the strength, as a share (`imu.sensor_grade`)."""
BENT_FOR = 4
"""Stretches in a row: two seconds."""

EARTH = 48.0
"""Strength of the field to begin with, uT (central Europe)."""
LIKELY = (5.0, 150.0)
"""Lengths of a first field that can be uT, hard iron included; any other unit is scaled to `EARTH`."""
HARD_IRON = 20.0
"""One sigma of the hard iron per axis, uT: uncalibrated sensors have 15 (`imu.sensor_grade`), a case more."""
NEW = 8.0
"""A field counts for the sphere if it differs by so much from the last that did, uT: 10 deg of turn. A
sensor's soft iron errs the same way as long as it lies the same way."""


class FieldWatch:
    """Whether the magnetic field is one and the same: its end stays on a sphere about the hard iron.

    The square of a field's length is linear in hard iron and radius, which recursive least squares follow;
    a field counts as bent as far as it leaves the sphere by more than the sphere is known to 3 sigma.
    """

    def __init__(self) -> None:
        self._scale = math.nan
        self._state = np.array([0.0, 0.0, 0.0, EARTH**2])
        self._covariance = np.diag([HARD_IRON**2] * 3 + [(2.0 * EARTH * HARD_IRON) ** 2])
        self._last = np.full(3, np.inf)
        self._bent: list[float] = []
        self._told = False

    def judge(self, field: FloatArray) -> float | None:
        """Take a field (3,); return how far it is bent, as a share of its strength, once it is sure."""
        if math.isnan(self._scale):
            length = math.sqrt(float((field * field).sum()))
            likely = LIKELY[0] <= length <= LIKELY[1]
            self._scale = 1.0 if likely else EARTH / length if length > 0.0 else math.nan
        m = field * self._scale
        if not np.isfinite(m).all():
            return None
        row = np.array([2.0 * m[0], 2.0 * m[1], 2.0 * m[2], 1.0])
        seen = self._covariance @ row
        noise = (2.0 * EARTH * SOFT_IRON * EARTH) ** 2
        unsure = math.sqrt(float(row @ seen))
        error = float((m * m).sum()) - float(row @ self._state)
        off = (abs(error) - 3.0 * unsure) / (2.0 * EARTH**2)
        if float(((m - self._last) ** 2).sum()) > NEW * NEW:
            self._last = m
            gain = seen / (unsure * unsure + noise)
            self._state = self._state + gain * error
            self._covariance = self._covariance - np.outer(gain, seen)
        self._bent = [*self._bent[-BENT_FOR + 1 :], off]
        if self._told or len(self._bent) < BENT_FOR or min(self._bent) < BENT:
            return None
        self._told = True
        return sorted(self._bent)[BENT_FOR // 2]

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "scale": self._scale,
            "state": self._state.tolist(),
            "covariance": self._covariance.tolist(),
            "last": self._last.tolist(),
            "bent": list(self._bent),
            "told": self._told,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._scale = float(state["scale"])
        self._state = np.array(state["state"], dtype=np.float64)
        self._covariance = np.array(state["covariance"], dtype=np.float64)
        self._last = np.array(state["last"], dtype=np.float64)
        self._bent = [float(value) for value in state["bent"]]
        self._told = bool(state["told"])
