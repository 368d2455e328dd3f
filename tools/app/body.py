"""A whole body in the pose that a joint angle means: what the limb figure draws. No Qt.

Segment frames are ISB (X forward, Y up, Z right); a joint turns about the axis and with the sign that the
catalogue's own angle rule names, so the figure moves as the measured limb does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray
from rom.catalogue.movement import Movement, Side, sided
from tools.app.scene import Bone, Pose

_TURNED = ((0, 1), (1, 2), (2, 0))
"""By component: the two axes that turn about Z, X, Y, as `AngleRule` counts them; the first to the second."""


_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From the ISB frame to one with z up and y to the left."""


@dataclass(frozen=True)
class _Part:
    """A segment: the one it hangs on, where it begins there, where it ends, and its width, m."""

    parent: str
    origin: tuple[float, float, float]
    tip: tuple[float, float, float]
    width: float
    side: Side = "midline"

    def of(self, side: Side) -> "_Part":
        """Return a right part, or its mirror image on the left."""
        (x, y, z), (tip_x, tip_y, tip_z) = self.origin, self.tip
        mirror = -1.0 if side == "left" else 1.0
        parent = self.parent if self.parent in _MIDLINE else sided(self.parent, side)
        return _Part(parent, (x, y, mirror * z), (tip_x, tip_y, mirror * tip_z), self.width, side)


_MIDLINE = {
    "pelvis": _Part("", (0.0, 0.95, 0.0), (0.0, 0.12, 0.0), 0.13),
    "thorax": _Part("pelvis", (0.0, 0.12, 0.0), (0.0, 0.42, 0.0), 0.14),
    "head": _Part("thorax", (0.0, 0.46, 0.0), (0.0, 0.12, 0.0), 0.07),
    "nose": _Part("head", (0.07, 0.2, 0.0), (0.06, -0.01, 0.0), 0.03),
}
_SIDED = {
    "thigh": _Part("pelvis", (0.0, -0.03, 0.1), (0.0, -0.42, 0.0), 0.09),
    "shank": _Part("thigh", (0.0, -0.42, 0.0), (0.0, -0.42, 0.0), 0.07),
    "foot": _Part("shank", (0.0, -0.42, 0.0), (0.17, -0.03, 0.0), 0.05),
    "toes": _Part("foot", (0.14, -0.03, -0.03), (0.02, 0.0, 0.075), 0.035),
    "upperarm": _Part("thorax", (0.0, 0.38, 0.19), (0.0, -0.28, 0.0), 0.065),
    "forearm": _Part("upperarm", (0.0, -0.28, 0.0), (0.0, -0.25, 0.0), 0.05),
    "hand": _Part("forearm", (0.0, -0.25, 0.0), (0.0, -0.15, 0.0), 0.04),
    "thumb": _Part("hand", (0.0, -0.04, 0.0), (0.06, -0.05, 0.0), 0.022),
}
_SIDES: tuple[Side, Side] = ("left", "right")
_PARTS = _MIDLINE | {sided(name, side): part.of(side) for side in _SIDES for name, part in _SIDED.items()}
"""Every part by its name, parents first."""
_SPINE = {"upper_thorax": "thorax", "lower_thorax": "thorax"}
_CROWN = np.array([0.0, 0.21, 0.0])
"""Middle of the head, in its frame, m."""


def pose_of(movement: Movement, side: Side, angle: float, *, sensors: bool = True) -> Pose:
    """Return the body with one joint at an angle, everything else upright and straight.

    Parameters
    ----------
    movement, side
        What is measured.
    angle
        Clinical angle, rad; NaN draws the neutral pose without a label.
    sensors
        Whether the sensors are drawn on the segments.

    Returns
    -------
    Pose
        Points in m, x forward, y left, z up, the floor at z = 0.
    """
    moving = _moving(movement, side)
    turns = {moving: _turn(movement, side, 0.0 if math.isnan(angle) else angle)}
    if "hip held at 90" in movement.start_position and not math.isnan(angle):
        turns[sided("thigh", side)] = _about(0, math.pi / 2.0)
    label = "" if math.isnan(angle) else f"{math.degrees(angle):.0f}°"
    return _figure(turns, movement.segments(side), moving, label, sensors=sensors)


def pose_turned(movement: Movement, side: Side, component: int, angle: float) -> Pose:
    """Return the body with the joint of a movement turned as in a calibration: bent, sideways, or turned.

    Parameters
    ----------
    movement, side
        Names the joint.
    component
        0 bends, 1 moves it outwards, 2 turns it about its length.
    angle
        How far, rad, positive the way a limb goes.
    """
    segments = movement.segments(side)
    moving = _SPINE.get(segments[1], segments[1])
    bends_backwards = moving.endswith("shank") or side == "midline"
    backwards = bends_backwards if component == 0 else component == 1 and side != "left"
    return _figure({moving: _about(component, -angle if backwards else angle)}, segments, moving, "")


def pose_lifted(movement: Movement, side: Side, angle: float) -> Pose:
    """Return the body with the whole leg or arm of a movement lifted forwards by an angle, rad."""
    segments = movement.segments(side)
    leg = segments[1].rpartition("_")[2] in ("thigh", "shank", "foot")
    root = sided("thigh" if leg else "upperarm", side)
    return _figure({root: _about(0, angle)}, segments, root, "")


def _figure(
    turns: Mapping[str, FloatArray],
    segments: tuple[str, str],
    joint: str,
    label: str,
    *,
    sensors: bool = True,
) -> Pose:
    """Return the body with some parts turned against the part that they hang on."""
    measured = {_SPINE.get(name, name) for name in segments}
    bones: list[Bone] = []
    frames: dict[str, tuple[FloatArray, FloatArray]] = {"": (np.zeros(3), _UPRIGHT)}
    for name, part in _PARTS.items():
        at, turn = frames[part.parent]
        start = at + turn @ part.origin
        turn = turn @ turns[name] if name in turns else turn
        frames[name] = (start, turn)
        on = name in measured
        bones.append(Bone(start, start + turn @ part.tip, part.side, part.width, on, on and sensors))
    at, turn = frames["head"]
    return Pose(tuple(bones), at + turn @ _CROWN, frames[joint][0], label)


def _moving(movement: Movement, side: Side) -> str:
    """Return the part of the figure that the movement turns."""
    segment = movement.angle.segment or movement.distal_segment
    name = sided(segment, side)
    return _SPINE.get(name, name)


def _turn(movement: Movement, side: Side, angle: float) -> FloatArray:
    """Return the rotation of the distal segment, from the clinical angle back to the raw one."""
    rule = movement.angle
    if rule.kind in ("elevation", "plane_of_elevation"):
        outwards = rule.component == 1 and side != "left"
        return _about(rule.component, -angle if outwards else angle)
    return _about(rule.component, rule.sign(side) * angle)


def _about(component: int, angle: float) -> FloatArray:
    """Return the rotation matrix about the axis of a component."""
    first, second = _TURNED[component]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = math.cos(angle)
    turn[second, first] = math.sin(angle)
    turn[first, second] = -math.sin(angle)
    return turn
