"""An angle curve looked at on a grid of time, and the points at which it turns back.

The looks go by in one compiled walk that stops only where there is something to decide: `rom.passes` does.
"""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled, sequential

MEMORY = 12000
"""Looks kept, ten minutes of them: the start of a longer travel is forgotten, so memory is bounded."""

_LAST, _DIRECTION, _FIRST, _STOP, _LOW, _HIGH, _PIVOT, _EXTREME = 0, 1, 2, 3, 4, 6, 8, 10
"""Places in the state: last interval looked at, direction, first look kept, look to come, and four points:
the lowest and the highest before anything moved, the turning point, the farthest look since."""


class Stop(IntEnum):
    """Why a walk stopped."""

    END = 0
    TURNED = 1
    STILL = 2


class Rest(NamedTuple):
    """When a return is over: far enough from an angle, rad, and still for so long, s, within so much, rad."""

    away_from: float
    distance: float
    seconds: float
    sway: float


class Curve:
    """The looks at an angle curve since the last turning point, and where it is going.

    Parameters
    ----------
    grid
        The curve is looked at once in each such interval of the clock, s.
    """

    def __init__(self, grid: float) -> None:
        self._grid = grid
        self._table = np.empty((2 * MEMORY, 2))
        self._state = np.array([-math.inf, 0.0, 0.0, 0.0] + 8 * [math.nan])

    @property
    def looks(self) -> FloatArray:
        """Times, s, and angles, rad, (n, 2)."""
        return self._table[int(self._state[_FIRST]) : int(self._state[_STOP])]

    @property
    def direction(self) -> int:
        """+1 while the angle grows, -1 while it falls, 0 before it has moved."""
        return int(self._state[_DIRECTION])

    @property
    def pivot(self) -> tuple[float, float]:
        """Time and angle of the last turning point."""
        return float(self._state[_PIVOT]), float(self._state[_PIVOT + 1])

    @property
    def extreme(self) -> tuple[float, float]:
        """Time and angle of the farthest look since."""
        return float(self._state[_EXTREME]), float(self._state[_EXTREME + 1])

    def walk(self, t: FloatArray, angle: FloatArray, needed: float, rest: Rest) -> tuple[int, Stop]:
        """Look on until something is to be decided; return how many samples that took, and what.

        Parameters
        ----------
        t, angle : (n,)
            See `PassDetector.feed`.
        needed
            How far the angle goes back from a turning point, rad.
        rest
            When a return is over; NaN where nothing returns.
        """
        taken, stop = _walk(t, angle, np.array([self._grid, needed, *rest]), self._state, self._table)
        return taken, Stop(stop)

    def rests(self, rest: Rest) -> bool:
        """Return whether the curve has come far enough back from its last turning point and stands still."""
        return _rests(self._state, self._table, np.array(rest))

    def turn(self) -> None:
        """Take the farthest look as the turning point, and forget what was long before it."""
        state = self._state
        here = self._table[int(state[_STOP]) - 1]
        state[_DIRECTION] = -state[_DIRECTION]
        state[_PIVOT : _PIVOT + 2], state[_EXTREME : _EXTREME + 2] = state[_EXTREME : _EXTREME + 2], here
        state[_FIRST] += self.looks[:-1, 0].searchsorted(state[_PIVOT] - 1.0)

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN and infinities)."""
        return {"looks": self.looks.tolist(), "state": self._state.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        looks = np.array(state["looks"], dtype=np.float64).reshape(-1, 2)
        self._table[: len(looks)] = looks
        self._state = np.array(state["state"], dtype=np.float64)
        self._state[_FIRST], self._state[_STOP] = 0.0, len(looks)


@compiled
def _keep(state: FloatArray, table: FloatArray, t: float, angle: float) -> None:
    """Add a look; the oldest is forgotten where there are too many."""
    first, stop = int(state[_FIRST]), int(state[_STOP])
    if stop - first == MEMORY:
        first += 1
    if stop == len(table):
        table[: stop - first] = table[first:stop].copy()
        first, stop = 0, stop - first
    table[stop, 0], table[stop, 1] = t, angle
    state[_FIRST], state[_STOP] = first, stop + 1


@compiled
def _begin(state: FloatArray, t: float, angle: float, needed: float) -> None:
    """Tell which way the curve goes once it has gone far enough."""
    if not angle >= state[_LOW + 1]:
        state[_LOW], state[_LOW + 1] = t, angle
    if not angle <= state[_HIGH + 1]:
        state[_HIGH], state[_HIGH + 1] = t, angle
    if state[_HIGH + 1] - state[_LOW + 1] >= needed:
        up = state[_LOW] < state[_HIGH]
        state[_DIRECTION] = 1.0 if up else -1.0
        low, high = state[_LOW : _LOW + 2], state[_HIGH : _HIGH + 2]
        state[_PIVOT : _PIVOT + 2] = low if up else high
        state[_EXTREME : _EXTREME + 2] = high if up else low


@compiled
def _rests(state: FloatArray, table: FloatArray, rest: FloatArray) -> bool:
    """Tell whether the last look is far enough from an angle and those before it stand still."""
    away_from, distance, seconds, sway = rest
    last = int(state[_STOP]) - 1
    now, angle = table[last]
    if not (abs(angle - away_from) >= distance and now - state[_PIVOT] >= seconds):
        return False
    low = high = angle
    for k in range(last, int(state[_FIRST]) - 1, -1):
        if table[k, 0] < now - seconds:
            break
        low, high = min(low, table[k, 1]), max(high, table[k, 1])
    return high - low <= sway


@sequential("(n),(n),(r)->(s),(k,p)")
def _walk(
    t: FloatArray, angle: FloatArray, rules: FloatArray, state: FloatArray, table: FloatArray
) -> tuple[int, int]:
    """Do `Curve.walk`; `rules` are the grid, how far the angle goes back, and a `Rest`."""
    grid, needed, rest = rules[0], rules[1], rules[2:]
    for i in range(len(t)):
        interval = math.floor(t[i] / grid)
        if not (math.isfinite(angle[i]) and interval > state[_LAST]):
            continue
        state[_LAST] = interval
        _keep(state, table, t[i], angle[i])
        if state[_DIRECTION] == 0.0:
            _begin(state, t[i], angle[i], needed)
            continue
        beyond = (angle[i] - state[_EXTREME + 1]) * state[_DIRECTION]
        if beyond > 0.0:
            state[_EXTREME], state[_EXTREME + 1] = t[i], angle[i]
        elif -beyond >= needed:
            return i + 1, 1
        if _rests(state, table, rest):
            return i + 1, 2
    return len(t), 0
