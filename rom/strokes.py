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
from imu.sync import Frames

GRID_HZ = 10.0
"""Orientations are looked at so often, Hz: voluntary movement ends at about 5 Hz."""

MOVING = math.radians(8.0)
"""Rate of the faster sensor from which a limb moves, rad/s: above sway (4 deg in 30 s and 0.7 in 3 s are
1.7 deg/s) and tremor, below the middle of the slowest pass (90 deg in 6 s)."""

LEAST_TURN = math.radians(25.0)
"""Shorter strokes tell an axis too poorly, rad: 1 deg beside the axis turns it by 2.3 deg at 25 deg."""

_Pose = tuple[float, FloatArray]
"""Instant, s, and the orientation (2, 4) of both sensors."""


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
        self._still: _Pose | None = None
        self._begin: _Pose | None = None
        self._way = [0.0] * 6

    def feed(self, frames: Frames, heading: Heading) -> list[Stroke]:
        """Take the next frames and their relative heading; return the strokes they end."""
        if not len(frames):
            return []
        first = int(frames.t[0] * self._rate + 0.5)
        rows = slice(-first % self._stride, None, self._stride)
        found: list[Stroke] = []
        poses = zip(frames.t[rows].tolist(), frames.q[rows], strict=True)
        for k, (here, rates) in enumerate(zip(poses, frames.gyr[rows].reshape(-1, 6).tolist(), strict=True)):
            ended = self._step(here, rates)
            if ended is not None:
                stroke = self._between(ended, here, heading, rows.start + k * self._stride)
                found += [] if stroke is None else [stroke]
        return found

    def _step(self, here: _Pose, rates: list[float]) -> _Pose | None:
        """Take the next pose and both sensors' rates; return where the stroke began that it ends."""
        upper, lower = (math.hypot(*rates[:3]), math.hypot(*rates[3:]))
        if math.isnan(upper + lower):
            self._still = self._begin = None
            return None
        along = sum(a * b for a, b in zip(rates, self._way, strict=True))
        moving = max(upper, lower) > MOVING and along >= 0.0
        ended = None
        if self._begin is not None and not moving:
            ended, self._begin, self._way = self._begin, None, [0.0] * 6
        elif moving and self._begin is None:
            self._begin = self._still or here
        if self._begin is not None:
            self._way = [a + b for a, b in zip(self._way, rates, strict=True)]
        self._still = here
        return ended

    def _between(
        self,
        begin: _Pose,
        end: _Pose,
        heading: Heading,
        row: int,
    ) -> Stroke | None:
        """Return the stroke from one pose to another; None if it was short."""
        before, after = begin[1], end[1]
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
        return Stroke(begin[0], end[0], turn, (own[0], own[1]), axes, up, delta, sigma)

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "still": _plain(self._still),
            "begin": _plain(self._begin),
            "way": list(self._way),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._still, self._begin = _pose(state["still"]), _pose(state["begin"])
        self._way = [float(value) for value in state["way"]]


def _plain(pose: _Pose | None) -> list[Any] | None:
    return None if pose is None else [pose[0], pose[1].tolist()]


def _pose(plain: list[Any] | None) -> _Pose | None:
    return None if plain is None else (float(plain[0]), np.array(plain[1], dtype=np.float64))
