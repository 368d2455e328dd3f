"""Find the relative heading from nothing: a table of likelihood over the full circle.

It gathers what the joint's laws say and what brisk movement says: both sensors feel the same force at the
common joint centre, F1 - L1 r1 - M1 b1 = turn(delta) (F2 - L2 r2 - M2 b2), where the centre's place in each
sensor, r1 and r2, is not known and neither is the offset of either accelerometer, b1 and b2. For any delta
that is linear in these twelve, so twelve-by-twelve sums suffice, whatever delta. Only what changes within a
second counts: slower forces are gravity's, seen through an error of inclination.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calibration.evidence import Circle, beyond_limits
from calibration.linear import backward, forward, root
from calibration.rotation import vector_at, wrapped
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled

REACH = 0.3
"""One-sigma distance of a joint centre from a sensor, m: half a thigh, and half again."""

MEMORY = 120.0
"""Seconds after which evidence on the circle has faded to a third, so that a slipped strap can be found."""

DRIFTED = math.radians(15.0)
"""Evidence fades faster where two gyroscopes' offsets may have turned the heading by this much, rad: half the
spread at which a heading counts as found."""

OFFSET = 0.2
"""One sigma of an accelerometer's offset, m/s^2 (20 mg, BMI270 data sheet)."""

SLOW = 1.0
"""What a first-order filter of this time constant passes of the forces is left out, s: a limb's movement
takes a second, an error of inclination lasts for the 3 s of the orientation filter."""

NOISE_SECONDS = 5.0
"""The noise of the forces as told counts as much as what so many seconds show of it (assumed)."""

LIMIT_SIGMA = math.radians(10.0)
"""How far a healthy joint and its alignment may exceed textbook limits, one sigma, rad."""

_GRID = np.deg2rad(np.arange(0.0, 360.0, 5.0))
_COS, _SIN = np.cos(_GRID), np.sin(_GRID)


class Acquisition:
    """Log-likelihood of delta on a 5-degree grid, and the sums from which the joint centre follows."""

    def __init__(self) -> None:
        self.table = np.zeros(_GRID.size)
        self.count = 0.0
        self._sums = np.zeros((5, 6, 6))
        self._loads = np.zeros((8, 6))
        self._total = np.zeros(3)
        self._slow = np.full((2, 3, 7), np.nan)
        self._heard = np.zeros((5, 6, 6)), np.zeros((8, 6)), np.zeros(3)
        self._waiting = 0

    def take_in(self, seconds: float, drift: float) -> None:
        """Take in the stretches heard since last time, of so many seconds each; the past counts less for it.

        `drift` is one sigma of the heading's rate, rad/s.
        """
        if self._waiting == 0:
            return
        memory = min(MEMORY, DRIFTED / drift) if drift > 0.0 else MEMORY
        keep = math.exp(-self._waiting * seconds / memory)
        self.table *= keep
        for held, heard in zip((self._sums, self._loads, self._total), self._heard, strict=True):
            _renew(held.reshape(-1), heard.reshape(-1), keep)
        self.count = keep * self.count + self._waiting
        self._waiting = 0

    def laws(self, rows: Sequence[Circle], inflation: float) -> None:
        """Take the circle rows of one instant, whose errors last `inflation` instants."""
        for row in rows:
            speak(self.table, row, inflation)

    def limits(self, upper: FloatArray, lower: FloatArray, limits: FloatArray, inflation: float) -> None:
        """Take the ranges (3, 2) that a joint's angles stay in; see `evidence.beyond_limits`."""
        r = beyond_limits(upper, lower, _GRID, limits) / LIMIT_SIGMA
        self.table -= np.where(r < 2.0, 0.5 * r * r, 2.0 * r - 2.0) / inflation

    def forces(
        self, lever: FloatArray, carried: FloatArray, force: FloatArray, known: BoolArray, seconds: float
    ) -> None:
        """Hear K stretches, each so many seconds after the one before, of which some are known, (K,).

        `lever` and `carried` (K, 2, 3, 3) and `force` (K, 2, 3) are those of `relative_state.Stretch`.
        """
        keep = math.exp(-seconds / SLOW)
        self._waiting += _sum_up(*self._heard, lever, carried, force, known, self._slow, keep)

    def solve(self, seconds: float, noise: float, lasting: float) -> FloatArray:
        """Return the likelihood (72,), which sums to 1.

        Parameters
        ----------
        seconds
            Duration of a stretch.
        noise
            One sigma of the disagreement of the two forces, m/s^2, before it is seen.
        lasting
            How long such a disagreement lasts, s.
        """
        lasts, told = _stretches(lasting, seconds), NOISE_SECONDS / seconds
        sums = self._sums, self._loads, self._total
        return _weighed(self.table, *sums, self.count, noise * noise, lasts, told)

    def centre(self, at: int, seconds: float, noise: float, lasting: float) -> FloatArray:
        """Return the joint centre (r1, r2), (6,), m, if delta is at a place of the grid; see `solve`."""
        turn = np.array([1.0, _COS[at], _SIN[at]])
        known = np.diag(_known(noise * noise * _stretches(lasting, seconds)))
        cross = -(turn[:, None, None] * self._sums[2:]).sum(axis=0)
        normal = np.block([[self._sums[0] + known, cross], [cross.T, self._sums[1] + known]])
        loads = [self._loads[k] - (turn[:, None] * self._loads[k + 1 : k + 4]).sum(axis=0) for k in (0, 4)]
        upper = root(normal)
        both = backward(upper, forward(upper, np.concatenate(loads)[:, None]))[:, 0]
        return both[[0, 1, 2, 6, 7, 8]]

    def save(self) -> dict[str, Any]:
        """Return the memory, JSON-serialisable."""
        parts = {"table": self.table, "sums": self._sums, "loads": self._loads, "total": self._total}
        parts |= {"slow": self._slow} | {f"heard {k}": heard for k, heard in enumerate(self._heard)}
        plain = {"count": self.count, "waiting": self._waiting}
        return {name: part.tolist() for name, part in parts.items()} | plain

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self.table, self._sums = np.array(state["table"]), np.array(state["sums"])
        self._loads, self._total = np.array(state["loads"]), np.array(state["total"])
        self._slow, self.count = np.array(state["slow"]), float(state["count"])
        self._heard = np.array(state["heard 0"]), np.array(state["heard 1"]), np.array(state["heard 2"])
        self._waiting = int(state["waiting"])


@compiled
def _renew(held: FloatArray, heard: FloatArray, keep: float) -> None:
    """Let numbers fade, and add and forget what was heard."""
    for e in range(held.size):
        held[e] = keep * held[e] + heard[e]
        heard[e] = 0.0


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
    a, b, c, share = a / sigma, b / sigma, c / sigma, 1.0 / inflation
    for g in range(table.size):
        r = abs(a + b * _COS[g] + c * _SIN[g])
        near = min(r, 2.0)
        table[g] -= share * near * (r - 0.5 * near)


@compiled
def _sum_up(  # noqa: PLR0917 -- a compiled function has no keywords
    sums: FloatArray,
    loads: FloatArray,
    total: FloatArray,
    lever: FloatArray,
    carried: FloatArray,
    force: FloatArray,
    known: BoolArray,
    slow: FloatArray,
    keep: float,
) -> int:
    """Add what is not slow in K stretches to the normal equations of both sensors' unknowns (6 and 6).

    turn(delta) = T0 + cos(delta) T1 + sin(delta) T2. With the maps N and forces F of both, `sums` are N1'N1,
    N2'N2 and N1'Tk N2; `loads` are N1'F1, N1'Tk F2, N2'F2 and N2'Tk'F1; `total` are the parts of
    |F1 - turn(delta) F2|^2. `slow` (2, 3, 7) is what was slow before, NaN at first; it is brought up to date.
    Returns how many of the stretches are known; the others are passed over.
    """
    count, felt = 0, np.empty((2, 3, 7))
    for k in range(known.size):
        if not known[k]:
            continue
        count += 1
        felt[:, :, :3], felt[:, :, 3:6], felt[:, :, 6] = lever[k], carried[k], force[k]
        if math.isnan(slow[0, 0, 0]):
            slow[:] = felt
        slow[:] = keep * slow + (1.0 - keep) * felt
        one, two = felt[0] - slow[0], felt[1] - slow[1]
        x1, y1, z1 = vector_at(one[:, 6])
        x2, y2, z2 = vector_at(two[:, 6])
        for i in range(6):
            for j in range(6):
                sums[0, i, j] += one[0, i] * one[0, j] + one[1, i] * one[1, j] + one[2, i] * one[2, j]
                sums[1, i, j] += two[0, i] * two[0, j] + two[1, i] * two[1, j] + two[2, i] * two[2, j]
                sums[2, i, j] += one[2, i] * two[2, j]
                sums[3, i, j] += one[0, i] * two[0, j] + one[1, i] * two[1, j]
                sums[4, i, j] += one[1, i] * two[0, j] - one[0, i] * two[1, j]
            loads[0, i] += one[0, i] * x1 + one[1, i] * y1 + one[2, i] * z1
            loads[1, i] += one[2, i] * z2
            loads[2, i] += one[0, i] * x2 + one[1, i] * y2
            loads[3, i] += one[1, i] * x2 - one[0, i] * y2
            loads[4, i] += two[0, i] * x2 + two[1, i] * y2 + two[2, i] * z2
            loads[5, i] += two[2, i] * z1
            loads[6, i] += two[0, i] * x1 + two[1, i] * y1
            loads[7, i] += two[0, i] * y1 - two[1, i] * x1
        total[0] += x1 * x1 + y1 * y1 + z1 * z1 + x2 * x2 + y2 * y2 + z2 * z2 - 2.0 * z1 * z2
        total[1] += x1 * x2 + y1 * y2
        total[2] += y1 * x2 - x1 * y2
    return count


@compiled
def _weighed(  # noqa: PLR0917 -- a compiled function has no keywords
    table: FloatArray,
    sums: FloatArray,
    loads: FloatArray,
    total: FloatArray,
    count: float,
    variance: float,
    lasting: float,
    told: float,
) -> FloatArray:
    """Return the likelihood (72,), which sums to 1.

    `variance` of the forces, m^2/s^4, lasts so many stretches and counts as much as `told` of them.
    """
    misfit = _misfits(sums, loads, total, variance * lasting)
    lowest = misfit.min()
    weak = lasting * (told * variance + max(lowest, 0.0) / 3.0) / (told + count)
    weight = table - 0.5 * (misfit - lowest) / weak
    weight = np.exp(weight - weight.max())
    return weight / weight.sum()


@compiled
def _misfits(sums: FloatArray, loads: FloatArray, total: FloatArray, variance: float) -> FloatArray:
    """Return the least sum of squares for each delta (72,), m^2/s^4.

    `variance` of the forces against what is known of the unknowns. The root of the twelve by twelve sums goes
    by blocks: that of the first sensor's is the same for every delta, and what it does to the rest is the sum
    of a part that is free of delta, one with cos(delta) and one with sin(delta). The loads stand beside the
    second's sums, all deltas at once: what is left of their squares below the root is the misfit.
    """
    known, rest, size = _known(variance), np.empty((6, 21)), _COS.size
    for k in range(3):
        rest[:, 7 * k : 7 * k + 6] = -sums[2 + k]
        rest[:, 7 * k + 6] = -loads[1 + k]
    rest[:, 6] += loads[0]
    white = forward(root(sums[0] + np.diag(known)), rest)
    both, second = np.empty((6, 7, size)), np.empty((7, 7, size))
    for i in range(6):
        for j in range(7):
            for g in range(size):
                both[i, j, g] = white[i, j] + _COS[g] * white[i, 7 + j] + _SIN[g] * white[i, 14 + j]
    for i in range(6):
        for j in range(i, 6):
            second[i, j] = sums[1, i, j] + (known[i] if i == j else 0.0)
        for g in range(size):
            second[i, 6, g] = loads[4, i] - (loads[5, i] + _COS[g] * loads[6, i] + _SIN[g] * loads[7, i])
    for g in range(size):
        second[6, 6, g] = total[0] - 2.0 * (_COS[g] * total[1] + _SIN[g] * total[2])
    for k in range(6):
        _take_off(second, both[k], 0)
    for k in range(6):
        scale = 1.0 / np.sqrt(second[k, k])
        for j in range(k + 1, 7):
            for g in range(size):
                second[k, j, g] *= scale[g]
        _take_off(second, second[k], k + 1)
    return second[6, 6]


@compiled
def _take_off(m: FloatArray, row: FloatArray, start: int) -> None:
    """Take the products of a row (7, G) with itself off the upper triangles of G matrices (7, 7, G)."""
    for i in range(start, 7):
        for j in range(i, 7):
            for g in range(m.shape[2]):
                m[i, j, g] -= row[i, g] * row[j, g]


@compiled
def _known(variance: float) -> FloatArray:
    """Return what is known of a sensor's unknowns (6,) against a variance of the forces, m^2/s^4."""
    return np.array([variance / REACH**2] * 3 + [variance / OFFSET**2] * 3)


def _stretches(lasting: float, seconds: float) -> float:
    """Return how many stretches of so many seconds say as much as one, if their errors last for so long."""
    return max(1.0, 2.0 * lasting / seconds)
