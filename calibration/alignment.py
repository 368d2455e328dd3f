"""Compute how sensors sit on segments from a static neutral pose and functional movements.

The pose shows each segment's upward direction; each movement shows one anatomical axis in both sensors, and
a bent limb its plane. How far each segment is turned about its length is weighed from all that together;
then all directions that a segment has been given, each with its covariance, are brought into one ISB frame
by least squares (Wahba's problem), so more movements make a better frame and none is indispensable.
Conventions of signs are those of the clinical reference, section 1.1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from calibration import magnetic
from calibration import pose as still_pose
from calibration.axes import Hinge
from calibration.azimuth import AZIMUTHS, Length, Readings, settled
from calibration.bent import in_plane, plane, thinned
from calibration.directions import Direction, align
from calibration.expected import USUAL, Expected
from calibration.gyroscope import Bias, held, steadied
from calibration.limits import widest_ranges, zero_sigma
from calibration.neutral import NEUTRAL_SIGMA, Look, neutral, pose_look
from calibration.plan import JointPlan, Movement
from calibration.readings import AXES, AXIS_SIGMA, Seen, look, travels, watched
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError

POSE_SIGMA = math.radians(7.0)
"""How upright a segment hangs in the neutral pose, rad: posture of healthy adults, about 5 to 10 deg."""

AXIAL_SIGMA = math.radians(13.0)
"""Distance of a functional axis from the anatomical one on upper arm and thigh, whose skin follows the bone's
turn about its length only in part, rad: a third of 40 deg of turning (soft-tissue rows of algorithms.md 3;
marker studies of the humerus agree)."""

PAIR_SIGMA = math.radians(1.0)
"""One sigma of a hinge's axis as a consistent pair, rad: what the fit of a movement leaves (axes.py)."""


SKIN_SIGMA = math.sqrt(AXIAL_SIGMA**2 - AXIS_SIGMA**2)
"""The part of it that is the skin's and alike in all movements, rad."""


def calibrate_joint(
    plan: JointPlan, pose: Mapping[str, ImuBlock], movements: Sequence[Movement]
) -> JointCalibration:
    """Return the calibration of one joint; see `calibrate_limb`."""
    return calibrate_limb([plan], pose, movements)[0]


def calibrate_limb(
    plans: Sequence[JointPlan],
    pose: Mapping[str, ImuBlock],
    movements: Sequence[Movement],
    rested: Mapping[str, Bias] | None = None,
    expected: Mapping[str, Expected] | None = None,
) -> list[JointCalibration]:
    """Return the calibrations of joints that share segments and a pose.

    Parameters
    ----------
    plans
        The joints; a movement of one may help a segment of another.
    pose
        Samples of every sensor in the neutral pose, by sensor id, 2 s or more.
    movements
        Functional movements.
    rested
        What is known of the gyroscopes' offsets before the pose, by sensor id.
    expected
        What the samples of each sensor err by, by sensor id; as a consumer's where nothing is said.

    Raises
    ------
    CalibrationError
        If a sensor is missing or moved in the pose, sensors seem swapped or a segment upside down, a movement
        is too small or not about one axis, or what the movements say about a segment does not fit together.
    """
    by_name = {plan.joint: plan for plan in plans}
    up = {sensor: still_pose.up_in(block) for sensor, block in pose.items()}
    for plan in plans:
        for sensor, segment in (plan.proximal, plan.distal):
            if sensor not in up:
                raise CalibrationError(
                    f"{plan.joint}: the pose holds sensors {sorted(up)}, expected {sensor} on {segment} too; "
                    "record the pose with every sensor on"
                )
    before = rested or {}
    biases = {sensor: held(block, before.get(sensor, Bias.unknown())) for sensor, block in pose.items()}
    pose = steadied(pose, biases)
    movements = [replace(movement, blocks=steadied(movement.blocks, biases)) for movement in movements]
    offsets = magnetic.offsets_of([pose, *(movement.blocks for movement in movements)])
    seen = [look(movement, by_name, offsets, up) for movement in movements]
    segments = {s: segment for plan in plans for s, segment in (plan.proximal, plan.distal)}
    lengths = _lengths(up, seen)
    alone = _planes(plans, movements, offsets, lengths)
    readings = [_readings(each, lengths) for each in seen]
    weights, azimuths = settled(readings, {s: alone[s] for s in segments})
    hinges = [each.settled(*weight) for each, weight in zip(seen, weights, strict=True)]
    told = [each for s, hinge in zip(seen, hinges, strict=True) for each in s.directions(hinge)]
    found: dict[str, SegmentAlignment] = {}
    for sensor, segment in segments.items():
        upright = lengths[sensor].turned(np.array(azimuths[sensor][0]))
        skin = SKIN_SIGMA if segment.endswith(("upperarm", "thigh")) else 0.0
        sigma = math.hypot(azimuths[sensor][1], skin)
        hung = Direction(up[sensor], np.array([0.0, 1.0, 0.0]), np.eye(3) / POSE_SIGMA**2)
        own = [direction for which, direction in told if which == sensor]
        found[sensor] = align(sensor, segment, upright, sigma, [hung, *own])
    alignments = {s: replace(each, magnetometer=offsets[s], gyroscope=biases[s]) for s, each in found.items()}
    tilts = {sensor: (expected or {}).get(sensor, USUAL).tilt for sensor in segments}
    return [
        _joint(
            plan,
            alignments,
            up,
            pose_look(plan, pose, offsets),
            [(s, hinge) for s, hinge in zip(seen, hinges, strict=True) if s.plan is plan],
            tilt=math.hypot(tilts[plan.proximal[0]], tilts[plan.distal[0]]),
        )
        for plan in plans
    ]


def _lengths(up: Mapping[str, FloatArray], seen: Sequence[Seen]) -> dict[str, Length]:
    """Return the length of each segment, by sensor id: as it hung, and as it was turned about it."""
    along = {sensor: vertical / POSE_SIGMA**2 for sensor, vertical in up.items()}
    for each in seen:
        if AXES[each.movement.axis] == 1:
            sensor, axis = each.plan.distal[0], each.readings[0].axis_distal
            upwards = axis if float(axis @ up[sensor]) > 0.0 else -axis
            along[sensor] = along[sensor] + upwards / AXIS_SIGMA**2
    sizes = {sensor: float(np.linalg.norm(each)) for sensor, each in along.items()}
    return {s: Length(along[s] / size, 1.0 / math.sqrt(size)) for s, size in sizes.items()}


def _readings(seen: Seen, lengths: Mapping[str, Length]) -> Readings:
    """Return what the readings of a movement say of the azimuths of its two segments."""
    ends = seen.plan.proximal[0], seen.plan.distal[0]
    said = np.zeros((2, len(seen.readings), AZIMUTHS.size))
    for r, hinge in enumerate(seen.readings):
        for sensor, direction in seen.directions(hinge):
            said[ends.index(sensor), r] += lengths[sensor].spoken(direction)
    return Readings(*ends, np.array([hinge.cost for hinge in seen.readings]), *said)


def _planes(
    plans: Sequence[JointPlan],
    movements: Sequence[Movement],
    offsets: Mapping[str, magnetic.Offset],
    lengths: Mapping[str, Length],
) -> dict[str, FloatArray]:
    """Return what bent limbs say of the azimuth of each segment, by sensor id: log-likelihood (A,).

    The movement that flexes the joint itself says it by its axis.
    """
    said = {sensor: np.zeros(AZIMUTHS.size) for sensor in lengths}
    for plan in plans:
        ends = plan.proximal[0], plan.distal[0]
        for movement in movements if in_plane(plan) else []:
            own = movement.joint == plan.joint and AXES[movement.axis] == 2
            if own or not all(sensor in movement.blocks for sensor in ends):
                continue
            frames, rate, heading = watched(plan, movement.blocks, offsets)
            if heading is not None:
                pair = lengths[ends[0]], lengths[ends[1]]
                said[ends[0]] += plane(thinned(frames, rate), heading, pair, plan.flexion_sign)
    return said


def _joint(
    plan: JointPlan,
    alignments: Mapping[str, SegmentAlignment],
    up: Mapping[str, FloatArray],
    held: Look | None,
    own: Sequence[tuple[Seen, Hinge]],
    *,
    tilt: float,
) -> JointCalibration:
    """Return the laws of one joint in the frames of its aligned segments; `tilt` is that of both sensors."""
    proximal, distal = alignments[plan.proximal[0]], alignments[plan.distal[0]]
    back1 = quaternion.conjugate(proximal.q_sensor_from_segment)
    back2 = quaternion.conjugate(distal.q_sensor_from_segment)
    looks = [Look(s.first, h.heading, math.hypot(h.heading_sigma, NEUTRAL_SIGMA)) for s, h in own]
    looks += [] if held is None else [held]
    q_neutral, neutral_sigma = neutral(plan, alignments, up, looks)
    axis1, axis2 = np.full(3, np.nan), np.full(3, np.nan)
    carrying, spread, azimuth, residual = math.nan, math.nan, math.nan, 0.0
    by_axis = {seen.movement.axis.replace("abduction", "adduction"): hinge for seen, hinge in own}
    first = by_axis.get("flexion")
    second = by_axis.get("rotation") or by_axis.get("adduction")
    if plan.freedom == 1 and own:
        hinge = first or own[0][1]
        axis1 = quaternion.rotate(back1, hinge.axis_proximal)
        axis2 = quaternion.rotate(back2, hinge.axis_distal)
        spread, residual, azimuth = PAIR_SIGMA, hinge.residual, hinge.heading_sigma
    elif plan.freedom == 2 and first is not None and second is not None:
        axis1 = quaternion.rotate(back1, first.axis_proximal)
        axis2 = quaternion.rotate(back2, second.axis_distal)
        carrying = math.acos(max(-1.0, min(1.0, float(first.axis_distal @ second.axis_distal))))
        fleshy = proximal.segment.endswith(("upperarm", "thigh"))
        spread, residual = AXIAL_SIGMA if fleshy else AXIS_SIGMA, max(first.residual, second.residual)
        azimuth = first.heading_sigma
    return JointCalibration(
        plan.joint,
        plan.freedom,
        proximal,
        distal,
        axis_proximal=axis1,
        axis_distal=axis2,
        axis_sigma=spread,
        azimuth_sigma=azimuth,
        carrying=carrying,
        carrying_sigma=AXIS_SIGMA if math.isfinite(carrying) else math.nan,
        q_neutral=q_neutral,
        up_proximal=quaternion.rotate(back1, up[proximal.sensor]),
        up_distal=quaternion.rotate(back2, up[distal.sensor]),
        zero_sigma=math.hypot(zero_sigma(plan.distal[1]), tilt),
        neutral_sigma=neutral_sigma,
        limits=widest_ranges(plan.distal[1], plan.side, plan.flexion_sign),
        centre_fixed=not travels(plan),
        residual=residual,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
