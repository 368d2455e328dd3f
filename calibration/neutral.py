"""How two segments stand to each other in the neutral pose: gravity tells the tilt, all else the heading."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration import magnetic
from calibration.gather import frames_of
from calibration.plan import JointPlan
from calibration.segment import SegmentAlignment
from imu import quaternion
from imu.block import FloatArray, ImuBlock

NEUTRAL_SIGMA = math.radians(12.0)
"""How well a person takes the same pose again, heading between two segments, rad."""

LOOSE_NEUTRAL_SIGMA = math.radians(25.0)
"""The same where the distal segment turns freely about its length without gravity showing it, rad."""

ASSUMED_NEUTRAL_SIGMA = math.radians(30.0)
"""The same where the heading of the pose is assumed, not measured, rad."""

HANGING_FOREARM, HANGING_SIGMA = math.radians(45.0), math.radians(60.0)
"""How far a forearm is pronated in the pose where nothing shows it, and its sigma, rad: people hang their
arms with the palm forward (0) or towards the thigh (90 deg)."""

START_TILT = math.radians(20.0)
"""A movement began in the neutral pose if both segments' verticals were this near it, rad."""

EARTH_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A look at the pose: `q_earth_from_sensor` (2, 4), proximal first, their heading and its sigma, rad."""

    q: FloatArray
    heading: float
    sigma: float


def pose_look(
    plan: JointPlan, pose: Mapping[str, ImuBlock], offsets: Mapping[str, magnetic.Offset]
) -> Look | None:
    """Return what the pair of magnetometers says of the pose; None without one undisturbed field."""
    sensors = [plan.proximal[0], plan.distal[0]]
    frames, _ = frames_of(sensors, pose)
    known = np.flatnonzero(np.isfinite(frames.q).all(axis=(1, 2)))
    if frames.mag is None or not known.size:
        return None
    found = magnetic.middle(magnetic.looks(frames.q, frames.mag, (offsets[sensors[0]], offsets[sensors[1]])))
    return None if found is None else Look(frames.q[known[known.size // 2]], *found)


def neutral(
    plan: JointPlan,
    alignments: Mapping[str, SegmentAlignment],
    up: Mapping[str, FloatArray],
    seen: Sequence[Look],
) -> tuple[FloatArray, float]:
    """Return `q_proximal_from_distal` of the pose and the sigma of its heading.

    Gravity fixes the tilt; looks at the pose tell the heading, else it is assumed.

    Parameters
    ----------
    plan, alignments
        The joint, and how its sensors sit, by sensor id.
    up
        Upward vertical (3,) of the pose in each sensor, by sensor id.
    seen
        What was seen in the pose, and where movements began: those that began elsewhere do not count.
    """
    proximal, distal = alignments[plan.proximal[0]], alignments[plan.distal[0]]
    q1, q2 = proximal.q_sensor_from_segment, distal.q_sensor_from_segment
    vertical = np.array([0.0, 1.0, 0.0])
    up1 = quaternion.rotate(quaternion.conjugate(q1), up[proximal.sensor])
    up2 = quaternion.rotate(quaternion.conjugate(q2), up[distal.sensor])
    upright1, upright2 = quaternion.between(up1, vertical), quaternion.between(up2, vertical)
    mirrored = -1.0 if plan.side == "left" else 1.0
    hanging = distal.segment.endswith("forearm")
    assumed = (mirrored * HANGING_FOREARM, HANGING_SIGMA) if hanging else (0.0, ASSUMED_NEUTRAL_SIGMA)
    looks = [assumed]
    for look in seen:
        one, two = look.q
        lower = quaternion.multiply(quaternion.about_vertical(look.heading), quaternion.multiply(two, q2))
        start = quaternion.multiply(quaternion.conjugate(quaternion.multiply(one, q1)), lower)
        start = quaternion.multiply(quaternion.multiply(upright1, start), quaternion.conjugate(upright2))
        w, x, y, z = start.tolist()
        up_now = quaternion.rotate(quaternion.conjugate(quaternion.multiply(one, q1)), EARTH_UP)
        leaning = float((up_now * up1).sum()) < math.cos(START_TILT)
        if leaning or 2.0 * math.atan2(math.hypot(x, z), math.hypot(w, y)) > START_TILT:
            continue
        looks.append((2.0 * math.atan2(y, w), look.sigma))
    heading, sigma = merged(looks) or looks[0]
    again = LOOSE_NEUTRAL_SIGMA if plan.freedom == 3 or hanging else NEUTRAL_SIGMA
    middle = quaternion.from_axis_angle(vertical, heading)
    q = quaternion.multiply(quaternion.conjugate(upright1), quaternion.multiply(middle, upright2))
    return q, math.hypot(sigma, again)


def merged(looks: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the weighted circular mean of headings and its sigma, rad; None of none."""
    if not looks:
        return None
    weights = [1.0 / sigma**2 for _, sigma in looks]
    sine = sum(w * math.sin(h) for w, (h, _) in zip(weights, looks, strict=True))
    cosine = sum(w * math.cos(h) for w, (h, _) in zip(weights, looks, strict=True))
    return math.atan2(sine, cosine), 1.0 / math.sqrt(sum(weights))
