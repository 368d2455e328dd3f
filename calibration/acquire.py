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
from calibration.linear import backward, forward, root
from calibration.rotation import (
    Matrix,
    Vector,
    applied,
    dot,
    matrix_at,
    times,
    transposed,
    vector_at,
    wrapped,
)
from imu.block import FloatArray
from imu.compiled import compiled

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
_TURNS = np.array(
    [
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ]
)


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
        for row in rows:
            speak(self.table, row, inflation)

    def limits(self, upper: FloatArray, lower: FloatArray, limits: FloatArray, inflation: float) -> None:
        """Take the ranges (3, 2) that a joint's angles stay in; see `evidence.beyond_limits`."""
        r = beyond_limits(upper, lower, _GRID, limits) / LIMIT_SIGMA
        self.table -= np.where(r < 2.0, 0.5 * r * r, 2.0 * r - 2.0) / inflation

    def force(self, force: FloatArray, lever: FloatArray) -> None:
        """Take mean forces (2, 3) and lever maps (2, 3, 3) of a stretch, each in its own earth frame."""
        self.count += 1.0
        _sum_up(self._sums, self._loads, self._total, force, lever)

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
        lasts = max(1.0, 2.0 * lasting / seconds)
        offset = OFFSET**2 * max(1.0, 2.0 * OFFSET_LASTING / seconds)
        return _weighed(
            self.table, self._sums, self._loads, self._total, self.count, noise * noise, lasts, offset
        )

    def save(self) -> dict[str, Any]:
        """Return the memory, JSON-serialisable."""
        parts = {"table": self.table, "sums": self._sums, "loads": self._loads, "total": self._total}
        return {name: part.tolist() for name, part in parts.items()} | {"count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self.table, self._sums = np.array(state["table"]), np.array(state["sums"])
        self._loads, self._total = np.array(state["loads"]), np.array(state["total"])
        self.count = float(state["count"])


@compiled
def best(weight: FloatArray) -> tuple[int, float, float]:
    """Return the likeliest place on the grid, its delta and the spread about it, rad."""
    at = int(np.argmax(weight))
    mean, square = 0.0, 0.0
    for g in range(weight.size):
        apart = wrapped(_GRID[g] - _GRID[at])
        mean += weight[g] * apart
        square += weight[g] * apart * apart
    return at, _GRID[at] + mean, math.sqrt(max(square - mean * mean, 1e-8))


@compiled
def share_near(weight: FloatArray, delta: float, reach: float) -> float:
    """Return the likelihood within `reach` of a delta, rad."""
    share = 0.0
    for g in range(weight.size):
        if abs(wrapped(_GRID[g] - delta)) < reach:
            share += weight[g]
    return share


@compiled
def speak(table: FloatArray, row: Circle, inflation: float) -> None:
    """Take the residual a + b cos(delta) + c sin(delta): beyond two sigma it counts in proportion only."""
    a, b, c, sigma = row
    for g in range(table.size):
        r = abs(a + b * _COS[g] + c * _SIN[g]) / sigma
        table[g] -= (0.5 * r * r if r < 2.0 else 2.0 * r - 2.0) / inflation


@compiled
def _sum_up(
    sums: FloatArray, loads: FloatArray, total: FloatArray, force: FloatArray, lever: FloatArray
) -> None:
    """Add a stretch to the normal equations of (r1, r2): what is free of delta, with cos(delta), with sin.

    turn(delta) = T0 + cos(delta) T1 + sin(delta) T2. `sums` are L1'L1, L2'L2 and L1'Tk L2; `loads` are L1'F1,
    L1'Tk F2, L2'F2 and L2'Tk'F1; `total` are the parts of |F1 - turn(delta) F2|^2.
    """
    f1, f2 = vector_at(force[0]), vector_at(force[1])
    l1, l2 = matrix_at(lever[0]), matrix_at(lever[1])
    back1, back2 = transposed(l1), transposed(l2)
    _add(sums[0], times(back1, l1))
    _add(sums[1], times(back2, l2))
    _add_vector(loads[0], applied(back1, f1))
    _add_vector(loads[4], applied(back2, f2))
    for k in range(3):
        turn = matrix_at(_TURNS[k])
        _add(sums[2 + k], times(back1, times(turn, l2)))
        _add_vector(loads[1 + k], applied(back1, applied(turn, f2)))
        _add_vector(loads[5 + k], applied(back2, applied(transposed(turn), f1)))
    total[0] += dot(f1, f1) + dot(f2, f2) - 2.0 * f1[2] * f2[2]
    total[1] += f1[0] * f2[0] + f1[1] * f2[1]
    total[2] += f1[1] * f2[0] - f1[0] * f2[1]


@compiled
def _add(total: FloatArray, m: Matrix) -> None:
    for i in range(3):
        _add_vector(total[i], m[i])


@compiled
def _add_vector(total: FloatArray, v: Vector) -> None:
    for i in range(3):
        total[i] += v[i]


@compiled
def _weighed(  # noqa: PLR0917 -- a compiled function has no keywords
    table: FloatArray,
    sums: FloatArray,
    loads: FloatArray,
    total: FloatArray,
    count: float,
    variance: float,
    lasting: float,
    offset: float,
) -> tuple[FloatArray, FloatArray]:
    """Return the likelihood (72,), which sums to 1, and the joint centre (72, 6).

    `variance` of the forces lasts so many stretches; that of an offset is added, both in m^2/s^4.
    """
    misfit, centre = _solve(sums, loads, total, variance / REACH**2)
    lowest = misfit.min()
    weak = (variance + max(lowest, 0.0) / max(3.0 * count, 1.0)) * lasting + offset
    weight = table - 0.5 * (misfit - lowest) / weak
    weight = np.exp(weight - weight.max())
    return weight / weight.sum(), centre


@compiled
def _solve(
    sums: FloatArray, loads: FloatArray, total: FloatArray, prior: float
) -> tuple[FloatArray, FloatArray]:
    """Return the least sum of squares (72,), m^2/s^4, and its (r1, r2), (72, 6), m, for each delta.

    `prior` is the variance of the forces over that of the joint centre's place, 1/s^4. The root of the six by
    six sums goes by blocks: that of r1 is the same for every delta, and what it does to the rest is the sum
    of a part that is free of delta, one with cos(delta) and one with sin(delta).
    """
    misfit, centre = np.empty(_COS.size), np.empty((_COS.size, 6))
    first, rest = sums[0].copy(), np.empty((3, 12))
    for k in range(3):
        first[k, k] += prior
        rest[:, 4 * k : 4 * k + 3] = -sums[2 + k]
        rest[:, 4 * k + 3] = -loads[1 + k]
    rest[:, 3] += loads[0]
    upper = root(first)
    white = forward(upper, rest)
    second, place = np.empty((3, 3)), np.empty((3, 1))
    both = np.empty((3, 4))
    for g in range(_COS.size):
        cos, sin = _COS[g], _SIN[g]
        misfit[g] = total[0] - 2.0 * (cos * total[1] + sin * total[2])
        for i in range(3):
            for j in range(4):
                both[i, j] = white[i, j] + cos * white[i, 4 + j] + sin * white[i, 8 + j]
            misfit[g] -= both[i, 3] * both[i, 3]
        for i in range(3):
            for j in range(3):
                second[i, j] = sums[1, i, j]
                for k in range(3):
                    second[i, j] -= both[k, i] * both[k, j]
            second[i, i] += prior
            place[i, 0] = loads[4, i] - (loads[5, i] + cos * loads[6, i] + sin * loads[7, i])
            for k in range(3):
                place[i, 0] -= both[k, i] * both[k, 3]
        last = root(second)
        seen = forward(last, place)
        distal = backward(last, seen)
        for i in range(3):
            misfit[g] -= seen[i, 0] * seen[i, 0]
            centre[g, 3 + i] = distal[i, 0]
            place[i, 0] = both[i, 3]
            for j in range(3):
                place[i, 0] -= both[i, j] * distal[j, 0]
        proximal = backward(upper, place)
        for i in range(3):
            centre[g, i] = proximal[i, 0]
    return misfit, centre
