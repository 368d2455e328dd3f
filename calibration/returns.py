"""Postures in which a joint has been held, and what it says of the heading when it is held in one again.

The neutral pose is not the only one that comes back: a limb that is moved there and back stops near the same
two places again and again. Gravity tells, without a heading, that both segments lie as they lay before; then
the heading between them is about what it was. People find a place again within some degrees only, alike from
one time to the next, and over half an hour the place itself wanders. So each posture's heading is part of the
state, correlated with the heading that it was first seen with, and wanders; one that moves from one time to
the next is a new posture, because no gyroscope drifts by degrees in seconds. Where anything else speaks of
heading this adds next to nothing; about a vertical axis it is all there is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.evidence import like
from calibration.relative import look
from calibration.relative_state import HEADING, POSTURES, RATE, SIZE, RelativeState
from calibration.rotation import heading_of, wrapped
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled

COUNT = POSTURES.stop - POSTURES.start


@dataclass(frozen=True, slots=True)
class ReturnParams:
    """Constants, each with its reason.

    Parameters
    ----------
    rate
        A limb turning slower than this is held, rad/s: a held stretch creeps by 1 deg/s, a held limb sways by
        1 to 2 deg/s, a slow pass turns by 15 to 30 deg/s.
    settled, again
        Held for so long it counts, s, and again each time it has been held so much longer.
    tilt
        Gravity lies as it lay within this angle in both segments, rad, as for the neutral pose.
    reach
        Places farther apart than this are two, rad.
    scatter, least_scatter
        One sigma with which a place is found again before that is learnt, and the least it can be, rad:
        people reproduce a joint's position within 3 to 6 deg (joint position sense; assumed, to verify).
    lasting
        How long an error of that kind lasts, s: some passes.
    visits
        Visits over which the scatter is learnt.
    forgotten
        Seconds without a visit after which a posture makes room for another.
    """

    rate: float = math.radians(5.0)
    settled: float = 0.6
    again: float = 10.0
    tilt: float = math.radians(12.0)
    reach: float = math.radians(25.0)
    scatter: float = math.radians(4.0)
    least_scatter: float = math.radians(2.0)
    lasting: float = 60.0
    visits: float = 10.0
    forgotten: float = 60.0


class Returns:
    """Remembers postures and lets them speak when they come back.

    Parameters
    ----------
    seconds
        How long a stretch lasts, s.
    params
        Constants.
    """

    def __init__(self, seconds: float, params: ReturnParams) -> None:
        self._seconds, self._params = seconds, params
        self._settled = max(1, round(params.settled / seconds))
        self._again = max(1, round(params.again / seconds))
        self._held = 0
        self.forget()

    def forget(self) -> None:
        """Forget every posture: the heading has been found anew."""
        self._poses = np.full((COUNT, 4), np.nan)
        self._ups = np.full((COUNT, 2, 3), np.nan)
        self._visited = np.full(COUNT, -math.inf)
        self._used = np.zeros(COUNT, np.bool_)
        self._variance = np.full(COUNT, self._params.scatter**2)
        self._left = np.zeros(COUNT)

    def due(self, turned: FloatArray, known: BoolArray) -> BoolArray:
        """Return at the end of which of the next K stretches a posture counts; turned (K, 2), rad."""
        held = _held(turned, known, self._params.rate * self._seconds, self._held)
        self._held = int(held[-1])
        return (held >= self._settled) & ((held - self._settled) % self._again == 0)

    def take(
        self, s: RelativeState, upper: FloatArray, lower: FloatArray, now: float, note: FloatArray
    ) -> None:
        """Take a held posture of two segments (4,) at `now` s.

        `note` (1, NOTED) as of `relative.look`.
        """
        p = self._params
        places, seen = s.values[POSTURES.start + 1 : POSTURES.stop + 1], (upper[None], lower[None])
        remembered, limits = (self._poses, self._ups, self._used), (p.reach, math.cos(p.tilt))
        place, error = _recognised(heading_of(s.values), places, *seen, *remembered, *limits)
        if place < 0:
            place = int(np.argmin(self._visited))
            if now - self._visited[place] < p.forgotten:
                return
            self._settle(place, s, upper, lower)
            error, variance = 0.0, p.scatter**2
        else:
            passed = now - self._visited[place]
            changed = error - self._left[place]
            size = changed * changed
            expected = self._variance[place] + s.covariance[RATE, RATE] * passed * passed
            variance = max(self._variance[place], p.scatter**2) * max(1.0, 2.0 * p.lasting / passed)
            if size > 9.0 * expected:
                self._settle(place, s, upper, lower)
                error, variance = 0.0, p.scatter**2
            else:
                learnt = max(size, p.least_scatter**2)
                self._variance[place] += (learnt - self._variance[place]) / p.visits
        self._visited[place] = now
        before = s.values[POSTURES.start + 1 + place] - heading_of(s.values)
        look_at_heading(s, error, variance, note, against=POSTURES.start + place)
        after = s.values[POSTURES.start + 1 + place] - heading_of(s.values)
        self._left[place] = error + wrapped(after - before)

    def _settle(self, place: int, s: RelativeState, upper: FloatArray, lower: FloatArray) -> None:
        """Remember a posture, seen with the present turn less what its place holds by now."""
        if self._used[place]:
            s.covariance[POSTURES.start + place, POSTURES.start + place] += math.pi**2
        self._used[place] = True
        self._variance[place] = self._params.scatter**2
        turn = quaternion.about_vertical(heading_of(s.values) - s.values[POSTURES.start + 1 + place])
        self._poses[place] = quaternion.multiply(
            quaternion.conjugate(upper), quaternion.multiply(turn, lower)
        )
        up = np.array([0.0, 0.0, 1.0])
        for k, segment in enumerate((upper, lower)):
            self._ups[place, k] = quaternion.rotate(quaternion.conjugate(segment), up)

    def save(self) -> dict[str, Any]:
        """Return the memory as plain values (JSON with NaN)."""
        return {
            "held": self._held,
            "poses": self._poses.tolist(),
            "ups": self._ups.tolist(),
            "visited": self._visited.tolist(),
            "used": self._used.tolist(),
            "variance": self._variance.tolist(),
            "left": self._left.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self._held = int(state["held"])
        self._poses, self._ups = np.array(state["poses"]), np.array(state["ups"])
        self._visited, self._used = np.array(state["visited"]), np.array(state["used"])
        self._variance, self._left = np.array(state["variance"]), np.array(state["left"])


def look_at_heading(
    s: RelativeState, error: float, variance: float, note: FloatArray, *, against: int | None = None
) -> None:
    """Take a look that puts the heading `error` rad higher, by itself or `against` another place.

    `note` (1, NOTED) as of `relative.look`.
    """
    slope = np.zeros((1, SIZE))
    slope[0, HEADING] = 1.0
    if against is not None:
        slope[0, against] = -1.0
    look(s.values, s.covariance, slope, np.array([[error]]), variance, note)


@compiled
def _recognised(  # noqa: PLR0917 -- a compiled function has no keywords
    heading: float,
    places: FloatArray,
    upper: FloatArray,
    lower: FloatArray,
    poses: FloatArray,
    ups: FloatArray,
    used: BoolArray,
    reach: float,
    upright: float,
) -> tuple[int, float]:
    """Return which posture two segments (1, 4) are in, or -1, and how far off its heading is, rad."""
    best, error = -1, reach
    for each in range(used.size):
        if used[each]:
            meant, leant = like(upper, lower, poses[each], ups[each])
            off = wrapped(meant[0] + places[each] - heading)
            if min(leant[0, 0], leant[0, 1]) > upright and abs(off) < abs(error):
                best, error = each, off
    return best, error


@compiled
def _held(turned: FloatArray, known: BoolArray, least: float, before: int) -> FloatArray:
    """Return for how many stretches a limb has turned by less, rad, at the end of each of K, (K,)."""
    out = np.empty(known.size)
    count = float(before)
    for k in range(known.size):
        calm = known[k] and turned[k, 0] < least and turned[k, 1] < least
        count = count + 1.0 if calm else 0.0
        out[k] = count
    return out
