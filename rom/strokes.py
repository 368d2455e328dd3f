"""Strokes of a joint: stretches in which two segments turn one way, and the axis that each sensor sees.

A sensor that stays where it was strapped sees the axis of the same movement in the same direction every
time. This room finds the strokes, on an absolute grid of a tenth of a second; `rom.watch_strap` judges them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.heading_series import Heading
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.compiled import sequential
from imu.sync import Frames

GRID_HZ = 10.0
"""Orientations are looked at so often, Hz: voluntary movement ends at about 5 Hz."""

MOVING = math.radians(8.0)
"""Rate of the faster sensor from which a limb moves, rad/s: above sway (4 deg in 30 s and 0.7 in 3 s are
1.7 deg/s) and tremor, below the middle of the slowest pass (90 deg in 6 s)."""

LEAST_TURN = math.radians(25.0)
"""Shorter strokes tell an axis too poorly, rad: 1 deg beside the axis turns it by 2.3 deg at 25 deg."""

_POSE = 9
"""Instant, s, NaN for none, and the orientations of both sensors, one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """One way of a movement.

    Parameters
    ----------
    start, stop
        s on the capture clock.
    turn
        Net turn of the joint, rad.
    own_turns
        Net turn of the proximal and of the distal sensor against the earth, rad.
    axes : (2, 3)
        Unit axis of the joint's turn in the proximal and in the distal segment frame. The way there and the
        way back have opposite signs.
    up : (3,)
        Upward vertical in the proximal segment frame, midway.
    heading, heading_sigma
        Relative heading with which the proximal axis was seen, and its one sigma, rad; pi if not known.
    """

    start: float
    stop: float
    turn: float
    own_turns: tuple[float, float]
    axes: FloatArray
    up: FloatArray
    heading: float
    heading_sigma: float

    def seen_with(self, heading: float) -> FloatArray:
        """Return the axes (2, 3) as they are with another relative heading, rad."""
        turn = quaternion.from_axis_angle(self.up, heading - self.heading)
        return np.stack([quaternion.rotate(turn, self.axes[0]), self.axes[1]])


class StrokeFinder:
    """Find the strokes of a joint in its frames; causal, and blind to how frames are cut.

    Parameters
    ----------
    calibration
        Alignments of the joint.
    rate
        Frames per second, Hz; frames lie at k / rate on the capture clock.
    """

    def __init__(self, calibration: JointCalibration, rate: float) -> None:
        self._rate = rate
        self._stride = max(1, round(rate / GRID_HZ))
        self._mounting = np.stack(
            [calibration.proximal.q_sensor_from_segment, calibration.distal.q_sensor_from_segment]
        )
        self._still, self._begin = np.full(_POSE, np.nan), np.full(_POSE, np.nan)
        self._way = np.zeros(6)

    def feed(self, frames: Frames, heading: Heading) -> list[Stroke]:
        """Take the next frames and their relative heading; return the strokes they end."""
        if not len(frames):
            return []
        first = -int(frames.t[0] * self._rate + 0.5) % self._stride
        ended = np.empty((len(frames) // self._stride + 1, 1 + _POSE))
        samples = frames.t, frames.q, frames.gyr
        count = _walk(*samples, first, self._stride, self._still, self._begin, self._way, ended)
        strokes = [self._between(row[1:], frames, heading, int(row[0])) for row in ended[:count]]
        return [stroke for stroke in strokes if stroke is not None]

    def _between(self, begin: FloatArray, frames: Frames, heading: Heading, row: int) -> Stroke | None:
        """Return the stroke from one pose to that of a frame; None if it was short."""
        before, after = begin[1:].reshape(2, 4), frames.q[row]
        own = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(before), after)).tolist()
        delta = float(heading.delta[row])
        if math.isnan(delta):
            likeliest = heading.q_earth1_from_earth2[row].tolist()
            delta = 2.0 * math.atan2(likeliest[3], likeliest[0])
        if max(own) < LEAST_TURN or math.isnan(delta):
            return None
        ends = np.stack([before, after])
        upper = quaternion.multiply(ends[:, 0], self._mounting[0])
        lower = quaternion.multiply(ends[:, 1], self._mounting[1])
        lower = quaternion.multiply(quaternion.about_vertical(delta), lower)
        joint = quaternion.multiply(quaternion.conjugate(upper), lower)
        outer = quaternion.multiply(joint[1], quaternion.conjugate(joint[0]))
        inner = quaternion.multiply(quaternion.conjugate(joint[0]), joint[1])
        vectors = quaternion.to_rotation_vector(np.stack([outer, inner]))
        turn = math.hypot(*vectors[1].tolist())
        axes = vectors / max(turn, 1e-9)
        ups = quaternion.rotate(quaternion.conjugate(upper), np.array([0.0, 0.0, 1.0])).sum(axis=0)
        up = ups / max(math.hypot(*ups.tolist()), 1e-9)
        sigma = float(heading.sigma[row])
        start, stop = float(begin[0]), float(frames.t[row])
        return Stroke(start, stop, turn, (own[0], own[1]), axes, up, delta, sigma)

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"still": self._still.tolist(), "begin": self._begin.tolist(), "way": self._way.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._still, self._begin = np.array(state["still"]), np.array(state["begin"])
        self._way = np.array(state["way"], dtype=np.float64)


@sequential("(n),(n,s,q),(n,s,c),(),()->(p),(p),(r),(k,w)")
def _walk(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    t: FloatArray,
    q: FloatArray,
    gyr: FloatArray,
    first: float,
    stride: float,
    still: FloatArray,
    begin: FloatArray,
    way: FloatArray,
    ended: FloatArray,
) -> int:
    """Look at every `stride`-th frame; fill at which a stroke ends, and the pose it began with.

    Return how many end. A stroke begins with the last pose before a sensor moves, and
    ends when none does or they turn back: against the sum of their rates since then, the `way`.
    """
    count = 0
    for i in range(int(first), len(t), int(stride)):
        fastest, along = 0.0, 0.0
        for sensor in range(2):
            x, y, z = gyr[i, sensor, 0], gyr[i, sensor, 1], gyr[i, sensor, 2]
            fastest = max(fastest, math.sqrt(x * x + y * y + z * z))
            along += x * way[3 * sensor] + y * way[3 * sensor + 1] + z * way[3 * sensor + 2]
        if math.isnan(along):
            still[0] = begin[0] = math.nan
            continue
        goes_on = fastest > MOVING and along >= 0.0
        under_way = not math.isnan(begin[0])
        if under_way and not goes_on:
            ended[count, 0], ended[count, 1:] = i, begin
            count += 1
            begin[0], way[:] = math.nan, 0.0
        here = np.empty(len(still))
        here[0], here[1:5], here[5:] = t[i], q[i, 0], q[i, 1]
        if goes_on and not under_way:
            begin[:] = here if math.isnan(still[0]) else still
        if not math.isnan(begin[0]):
            for k in range(3):
                way[k] += gyr[i, 0, k]
                way[3 + k] += gyr[i, 1, k]
        still[:] = here
    return count
