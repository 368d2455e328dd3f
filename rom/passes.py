"""Angle curve to passes and reps, sample by sample: what is found never depends on what comes later."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from imu.block import FloatArray
from imu.compiled import sequential
from imu.errors import InputError
from rom.turning import Curve, Rest, Stop


@dataclass(frozen=True, slots=True)
class PassParams:
    """What counts as a travel of the limb.

    Parameters
    ----------
    min_travel_deg
        A shorter travel is sway: a held limb wanders by up to 4 deg, while the smallest normal range of the
        catalogue (ankle eversion) is 15 deg.
    travel_share
        A turn back shorter than this share of the last travels is a loosening of the hold, not a return.
    min_peak_deg_s
        A travel whose speed never exceeds this is drift: the sway of a held limb stays below 2.5 deg/s, a
        slow pass of 15 deg in 6 s peaks at 4.7 deg/s.
    speed_share, speed_floor_deg_s
        A travel starts and ends where its speed crosses this share of its peak, at least the floor
        (reference: clinical 2.1, "5 % of peak, floor 2 to 3 deg/s", to verify). Creep in a hold is slower.
    settle_s
        A return is over once the limb has stood still for so long.
    return_share
        A return must cover this share of the way out to close a rep.
    partial_share
        A pass shorter than this share of the last ones was broken off.
    grid_s
        The curve is looked at once in each such interval; 8 to 12 Hz tremor is averaged out over three.
    max_gap_s
        A travel with a longer hole in it is marked.
    """

    min_travel_deg: float = 8.0
    travel_share: float = 0.15
    min_peak_deg_s: float = 4.0
    speed_share: float = 0.05
    speed_floor_deg_s: float = 2.5
    settle_s: float = 0.5
    return_share: float = 0.65
    partial_share: float = 0.75
    grid_s: float = 0.05
    max_gap_s: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be a limit."""
        for name, value in asdict(self).items():
            if not 0.0 < value < math.inf:
                raise InputError(f"{name} must be positive, got {value}")


@dataclass(frozen=True, slots=True)
class Pass:
    """One travel from the shortened to the lengthened position.

    Parameters
    ----------
    start, stop
        When the limb left the one and arrived at the other, s on the capture clock.
    leave
        When it left the lengthened position again, s; until then it was held. The last known instant if
        the recording ends before.
    start_angle, end_angle
        Median angle of the last second at rest before the start, and the farthest angle reached, hold
        included, rad.
    peak_speed
        Greatest speed, rad/s.
    gap
        Whether samples are missing inside.
    partial
        Whether it is clearly shorter than the passes before it.
    """

    start: float
    stop: float
    leave: float
    start_angle: float
    end_angle: float
    peak_speed: float
    gap: bool
    partial: bool

    @property
    def travel(self) -> float:
        """How far it went, rad, never negative."""
        return abs(self.end_angle - self.start_angle)


@dataclass(frozen=True, slots=True)
class Rep:
    """There and back: a pass, the hold, and the return.

    Parameters
    ----------
    start, turn, leave, stop
        Leaves the start, arrives at the far end, leaves it, is back, s on the capture clock.
    start_angle, end_angle, stop_angle
        At the start, the farthest one, and at the end of the return, rad.
    gap
        Whether samples are missing inside.
    """

    start: float
    turn: float
    leave: float
    stop: float
    start_angle: float
    end_angle: float
    stop_angle: float
    gap: bool

    @property
    def travel(self) -> float:
        """How far it went, rad, never negative."""
        return abs(self.end_angle - self.start_angle)


@dataclass(frozen=True, slots=True)
class Detected:
    """Passes and reps that are complete now."""

    passes: tuple[Pass, ...] = ()
    reps: tuple[Rep, ...] = ()


@dataclass(frozen=True, slots=True)
class _Travel:
    """One way, from one turning point to the next, as `Pass` but in either direction."""

    direction: int
    start: float
    stop: float
    start_angle: float
    end_angle: float
    peak_speed: float
    gap: bool


_NEVER = Rest(math.nan, math.nan, math.nan, math.nan)


class PassDetector:
    """Find passes and reps in an angle curve as it comes in.

    Turning points are those the limb goes back from by at least the minimal travel; between two of them,
    speed decides where the travel starts and ends. A pass is given out once the limb turns back, a rep
    once it is back and still. How the curve is cut into pieces changes nothing.

    Parameters
    ----------
    forward
        +1 if the angle grows from the shortened to the lengthened position, -1 if it falls.
    params
        What counts as a travel.
    """

    def __init__(self, forward: Literal[-1, 1] = 1, params: PassParams | None = None) -> None:
        if forward not in (-1, 1):
            raise InputError(f"forward must be +1 or -1, got {forward}")
        self.forward = forward
        self.params = params or PassParams()
        self._curve = Curve(self.params.grid_s)
        self._travels: deque[float] = deque(maxlen=5)
        self._out: Pass | None = None
        self._needed = self._threshold()

    def feed(self, t: FloatArray, angle: FloatArray) -> Detected:
        """Take the next stretch of the curve.

        Parameters
        ----------
        t, angle : (N,)
            Times on the capture clock, s, increasing; primary angle, rad, unwrapped, NaN where unknown.
        """
        passes: list[Pass] = []
        reps: list[Rep] = []
        taken = 0
        while taken < len(t):
            count, stop = self._curve.walk(t[taken:], angle[taken:], self._needed, self._return())
            taken += count
            if stop is Stop.TURNED:
                self._turn(float(t[taken - 1]), passes, reps)
            elif stop is Stop.STILL:
                self._close_when_still(float(t[taken - 1]), reps)
        return Detected(tuple(passes), tuple(reps))

    def finish(self) -> Detected:
        """Return what is complete although the limb hasn't turned back since: call once, at the end."""
        passes: list[Pass] = []
        reps: list[Rep] = []
        if self._curve.direction:
            last = float(self._curve.looks[-1, 0])
            travel = self._travel(last)
            if travel is not None:
                self._record(travel, last, passes, reps)
        return Detected(tuple(passes), tuple(reps))

    def _turn(self, t: float, passes: list[Pass], reps: list[Rep]) -> None:
        """Take note that the limb has turned back; it is noticed now."""
        travel = self._travel(t)
        if travel is not None:
            self._record(travel, self._leave(t), passes, reps)
        self._curve.turn()
        if self._curve.rests(self._return()):
            self._close_when_still(t, reps)

    def _return(self) -> Rest:
        """Return where and when the return of the open rep is over."""
        if self._out is None or self._curve.direction != -self.forward:
            return _NEVER
        p, out = self.params, self._out
        sway = math.radians(p.speed_floor_deg_s) * p.settle_s
        return Rest(out.end_angle, p.return_share * out.travel, p.settle_s, sway)

    def _threshold(self) -> float:
        """Return how far the limb must go back for a turning point, rad."""
        usual = sorted(self._travels)[len(self._travels) // 2] if self._travels else 0.0
        return max(math.radians(self.params.min_travel_deg), self.params.travel_share * usual)

    def _travel(self, now: float) -> _Travel | None:
        """Return the travel from the last pivot to the extreme, None if it never was a movement."""
        p, curve = self.params, self._curve
        (since, _), (until, farthest) = curve.pivot, curve.extreme
        floor, least = math.radians(p.speed_floor_deg_s), math.radians(p.min_peak_deg_s)
        rules = np.array([since, min(until, now), floor, p.speed_share, least, self._longest_step])
        out = np.empty(5)
        t, angle, speed = self._speeds()
        if not _measured(t, angle, speed * curve.direction, rules, out):
            return None
        start, stop, start_angle, peak, hole = out.tolist()
        return _Travel(curve.direction, start, stop, start_angle, farthest, peak, hole > 0.0)

    @property
    def _longest_step(self) -> float:
        """From look to look where nothing is missing, s."""
        return self.params.max_gap_s + 2.0 * self.params.grid_s

    def _leave(self, now: float) -> float:
        """Return when the limb left the far end for the turn that is noticed `now`, not for a slip before."""
        t, _, speed = self._speeds()
        since = self._curve.extreme[0]
        resting = -speed * self._curve.direction < math.radians(self.params.speed_floor_deg_s)
        before = np.flatnonzero(resting & (t >= since) & (t <= now))
        return float(t[before[-1]]) if len(before) else since

    def _speeds(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return times, angles and speeds of the looks: three later against three earlier ones."""
        t, angle = self._curve.looks.T.copy()
        n = len(t)
        if n < 7:
            return t, angle, np.gradient(angle, t) if n > 1 else np.zeros(n)
        speed = np.zeros(n)
        mean_t = (t[:-2] + t[1:-1] + t[2:]) / 3.0
        mean_angle = (angle[:-2] + angle[1:-1] + angle[2:]) / 3.0
        speed[3:-3] = (mean_angle[4:] - mean_angle[:-4]) / (mean_t[4:] - mean_t[:-4])
        speed[:3], speed[-3:] = speed[3], speed[-4]
        return t, angle, speed

    def _record(self, travel: _Travel, leave: float, passes: list[Pass], reps: list[Rep]) -> None:
        size = abs(travel.end_angle - travel.start_angle)
        if travel.direction == self.forward:
            usual = sorted(self._travels)[len(self._travels) // 2] if len(self._travels) > 1 else 0.0
            found = Pass(
                travel.start,
                travel.stop,
                max(leave, travel.stop),
                travel.start_angle,
                travel.end_angle,
                travel.peak_speed,
                travel.gap,
                size < self.params.partial_share * usual,
            )
            passes.append(found)
            self._out = found
            if not found.partial:
                self._travels.append(size)
                self._needed = self._threshold()
        elif self._out is not None:
            self._close(travel, reps)

    def _close(self, back: _Travel, reps: list[Rep]) -> None:
        """End the open rep with a return, if it goes far enough."""
        if self._out is None:
            return
        out = self._out
        if abs(back.end_angle - out.end_angle) >= self.params.return_share * out.travel:
            reps.append(
                Rep(
                    out.start,
                    out.stop,
                    out.leave,
                    back.stop,
                    out.start_angle,
                    out.end_angle,
                    back.end_angle,
                    out.gap or back.gap or self._hole(out.start, back.stop),
                )
            )
        self._out = None

    def _hole(self, start: float, stop: float) -> bool:
        t = self._curve.looks[:, 0]
        t = t[(t >= start) & (t <= stop)]
        return bool((np.diff(t) > self._longest_step).any())

    def _close_when_still(self, t: float, reps: list[Rep]) -> None:
        """Close the open rep: the limb is back and has stood still for a while."""
        travel = self._travel(t)
        if travel is not None:
            self._close(travel, reps)

    def save(self) -> dict[str, Any]:
        """Return the state as plain values (JSON with NaN and infinities)."""
        return {
            "curve": self._curve.save(),
            "travels": list(self._travels),
            "out": None if self._out is None else asdict(self._out),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the saved state of a detector with the same parameters."""
        self._curve.restore(state["curve"])
        self._travels = deque(state["travels"], maxlen=5)
        self._needed = self._threshold()
        self._out = None if state["out"] is None else Pass(**state["out"])


@sequential("(n),(n),(n),(r)->(o)")
def _measured(
    t: FloatArray, angle: FloatArray, speed: FloatArray, rules: FloatArray, out: FloatArray
) -> bool:
    """Measure a travel in looks and their speeds along its way; return whether it was a movement at all.

    `rules` are the first and the last instant that may belong to it, s, the least speed and share of the peak
    at which it starts and stops, the peak that makes it a movement, rad/s, and the longest step between two
    looks, s. Filled are start, stop, s, the angle at rest before, rad, the peak, rad/s, and whether a look is
    missing.
    """
    since, until, floor, share, least, longest = rules
    begin, end = np.searchsorted(t, since), np.searchsorted(t, until, side="right")
    if end <= begin:
        return False
    peak = speed[begin:end].max()
    limit = max(floor, share * peak)
    if not peak > max(least, limit):
        return False
    first, last = begin, end - 1
    while not speed[first] > limit:
        first += 1
    while not speed[last] > limit:
        last -= 1
    first, last = max(first - 1, 0), min(last + 1, len(t) - 1)
    resting = np.sort(angle[np.searchsorted(t, max(since, t[first] - 1.0)) : first + 1])
    middle = len(resting) // 2
    start_angle = angle[first]
    if len(resting):
        start_angle = 0.5 * (resting[middle] + resting[(len(resting) - 1) // 2])
    out[0], out[1], out[2], out[3], out[4] = t[first], t[last], start_angle, peak, 0.0
    for k in range(first, last):
        if t[k + 1] - t[k] > longest:
            out[4] = 1.0
    return True
