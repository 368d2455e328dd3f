"""Find the relative heading from nothing: a table of likelihood over the full circle.

It gathers what the joint's laws say and what brisk movement says: both sensors feel the same force at the
common joint centre, F1 - L1 r1 = turn(delta) (F2 - L2 r2), where the centre's place in each sensor, r1 and
r2, is not known. For any delta that is linear in r1 and r2, so six-by-six sums suffice, whatever delta.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calibration.evidence import Circle, beyond_limits
from imu import quaternion
from imu.block import FloatArray

REACH = 0.3
"""One-sigma distance of a joint centre from a sensor, m: half a thigh, and half again."""

MEMORY = 120.0
"""Seconds after which evidence on the circle has faded to a third, so that a slipped strap can be found."""

OFFSET, OFFSET_LASTING = 0.2, 3.0
"""Accelerometer offset not yet known, m/s^2 (20 mg, BMI270 data sheet), and how long a posture keeps its
effect alike, s: what slow movement feels is no larger, and must not add up to a heading."""

LIMIT_SIGMA = math.radians(10.0)
"""How far a healthy joint and its alignment may exceed textbook limits, one sigma, rad."""

_GRID = np.deg2rad(np.arange(0.0, 360.0, 5.0))
_COS, _SIN = np.cos(_GRID), np.sin(_GRID)


class Acquisition:
    """Log-likelihood of delta on a 5-degree grid, and the sums from which the joint centre follows."""

    def __init__(self) -> None:
        self.table = np.zeros(_GRID.size)
        self.count = 0.0
        self._sums = np.zeros((5, 3, 3))
        self._loads = np.zeros((8, 3))
        self._total = np.zeros(3)

    def fade(self, dt: float) -> None:
        """Let the past count less after dt seconds."""
        keep = math.exp(-dt / MEMORY)
        self.table *= keep
        self._sums *= keep
        self._loads *= keep
        self._total *= keep
        self.count *= keep

    def laws(self, rows: Sequence[Circle], inflation: float) -> None:
        """Take the circle rows of one instant, whose errors last `inflation` instants."""
        for a, b, c, sigma in rows:
            r = np.abs(a + b * _COS + c * _SIN) / sigma
            self.table -= np.where(r < 2.0, 0.5 * r * r, 2.0 * r - 2.0) / inflation

    def limits(self, upper: FloatArray, lower: FloatArray, limits: FloatArray, inflation: float) -> None:
        """Take the ranges (3, 2) that a joint's angles stay in; see `evidence.beyond_limits`."""
        r = beyond_limits(upper, lower, _GRID, limits) / LIMIT_SIGMA
        self.table -= np.where(r < 2.0, 0.5 * r * r, 2.0 * r - 2.0) / inflation

    def force(self, force: FloatArray, lever: FloatArray) -> None:
        """Take mean forces (K, 2, 3) and lever maps (K, 2, 3, 3) of stretches.

        Each in its own earth frame.
        """
        f1, f2, l1, l2 = force[:, 0], force[:, 1], lever[:, 0], lever[:, 1]
        self.count += float(len(f1))
        # Stretches and their three components are summed as one; `turn` acts on each vector.
        tall1, tall2 = l1.reshape(-1, 3), l2.reshape(-1, 3)
        self._sums[0] += tall1.T @ tall1
        self._sums[1] += tall2.T @ tall2
        self._loads[0] += tall1.T @ f1.ravel()
        self._loads[4] += tall2.T @ f2.ravel()
        for k, turn in enumerate(_TURNS):
            self._sums[2 + k] += tall1.T @ (turn @ l2).reshape(-1, 3)
            self._loads[1 + k] += tall1.T @ (f2 @ turn.T).ravel()
            self._loads[5 + k] += tall2.T @ (f1 @ turn).ravel()
        flat = f1[:, :2].ravel() @ f2[:, :2].ravel()
        whole = f1.ravel() @ f1.ravel() + f2.ravel() @ f2.ravel() - 2.0 * (f1[:, 2] @ f2[:, 2])
        self._total += [whole, flat, f1[:, 1] @ f2[:, 0] - f1[:, 0] @ f2[:, 1]]

    def solve(self, seconds: float, noise: float, lasting: float) -> tuple[FloatArray, FloatArray]:
        """Return the likelihood (72,), which sums to 1, and the joint centre (72, 6) for each delta.

        Parameters
        ----------
        seconds
            Duration of a stretch.
        noise
            One sigma of the disagreement of the two forces, m/s^2.
        lasting
            How long such a disagreement lasts, s.
        """
        w = np.stack([np.ones_like(_COS), _COS, _SIN], axis=1)
        s, load = self._sums, self._loads
        cross = (w[:, :, None, None] * s[None, 2:5]).sum(axis=1)
        normal = np.empty((_GRID.size, 6, 6))
        normal[:, :3, :3], normal[:, 3:, 3:] = s[0], s[1]
        normal[:, :3, 3:] = -cross
        normal[:, 3:, :3] = -np.swapaxes(cross, 1, 2)
        right = np.empty((_GRID.size, 6))
        right[:, :3] = load[0] - (w[:, :, None] * load[None, 1:4]).sum(axis=1)
        right[:, 3:] = load[4] - (w[:, :, None] * load[None, 5:8]).sum(axis=1)
        variance = noise**2
        normal += np.eye(6) * (variance / REACH**2)
        centre = np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], np.float64)
        misfit = self._total[0] - 2.0 * (_COS * self._total[1] + _SIN * self._total[2])
        misfit = misfit - (centre * right).sum(axis=1)
        least = max(float(misfit.min()), 0.0) / max(3.0 * self.count, 1.0)
        weak = (variance + least) * max(1.0, 2.0 * lasting / seconds)
        weak += OFFSET**2 * max(1.0, 2.0 * OFFSET_LASTING / seconds)
        score = self.table - 0.5 * (misfit - misfit.min()) / weak
        weight = np.exp(score - score.max())
        return weight / weight.sum(), centre

    def save(self) -> dict[str, Any]:
        """Return the memory, JSON-serialisable."""
        parts = {"table": self.table, "sums": self._sums, "loads": self._loads, "total": self._total}
        return {name: part.tolist() for name, part in parts.items()} | {"count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self.table, self._sums = np.array(state["table"]), np.array(state["sums"])
        self._loads, self._total = np.array(state["loads"]), np.array(state["total"])
        self.count = float(state["count"])


def best(weight: FloatArray) -> tuple[int, float, float]:
    """Return the likeliest place on the grid, its delta and the spread about it, rad."""
    at = int(np.argmax(weight))
    apart = quaternion.wrap(_GRID - _GRID[at])
    mean = float((weight * apart).sum())
    return at, float(_GRID[at]) + mean, math.sqrt(max(float((weight * (apart - mean) ** 2).sum()), 1e-8))


def share_near(weight: FloatArray, delta: float, reach: float) -> float:
    """Return the likelihood within `reach` of a delta, rad."""
    return float(weight[np.abs(quaternion.wrap(_GRID - delta)) < reach].sum())


_TURNS = np.array(
    [
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ]
)
