"""Compute how sensors sit on segments from a static neutral pose and functional movements.

The pose shows each segment's upward direction; each movement shows one anatomical axis in both sensors.
All directions that a segment has been given, each with its covariance, are brought into one ISB frame by
least squares (Wahba's problem), so more movements make a better frame and none is indispensable.
Conventions of signs are those of the clinical reference, section 1.1.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from calibration import magnetic
from calibration import pose as still_pose
from calibration.axes import Hinge, candidates, tangent
from calibration.directions import Direction, align, fit_frame
from calibration.gather import frames_of
from calibration.gyroscope import Bias, held, steadied
from calibration.heading import HeadingEstimator
from calibration.lever import heights
from calibration.limits import widest_ranges, zero_sigma
from calibration.neutral import NEUTRAL_SIGMA, Look, merged, neutral, pose_look
from calibration.plan import JointPlan, Movement
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError

AXES = {"flexion": 2, "adduction": 0, "abduction": 0, "rotation": 1}
"""Segment axis (0 X, 1 Y, 2 Z) of each named movement."""

POSE_SIGMA = math.radians(7.0)
"""How upright a segment hangs in the neutral pose, rad: posture of healthy adults, about 5 to 10 deg."""

UP_SIGMA = 0.02
"""One sigma of a sensor's vertical in the pose, rad: an accelerometer offset of 20 mg (BMI270 data sheet)."""

AXIS_SIGMA = math.radians(5.0)
"""Distance of a functional axis from the anatomical one, rad: 3 to 7 deg from one through landmarks."""

AXIAL_SIGMA = math.radians(13.0)
"""The same on upper arm and thigh, whose skin follows the bone's turn about its length only in part, rad: a
third of 40 deg of turning (soft-tissue rows of algorithms.md 3; marker studies of the humerus agree)."""

LOOSE_SIGMA = math.radians(40.0)
"""The same where the movement's axis is carried by another, free one (forearm during elbow flexion), rad."""

PAIR_SIGMA = math.radians(1.0)
"""One sigma of a hinge's axis as a consistent pair, rad: what the fit of a movement leaves (axes.py)."""

LARGEST_RESIDUAL = math.radians(12.0)
"""An axis seen this differently by two sensors on average is no axis, rad."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One way to read a movement: its signed hinge and the directions it gives to sensors."""

    hinge: Hinge
    directions: tuple[tuple[str, Direction], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What one movement showed: every reading it leaves possible, and where it started."""

    movement: Movement
    plan: JointPlan
    readings: tuple[_Reading, ...]
    first: FloatArray


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
    seen = [_look(movement, by_name, offsets, up) for movement in movements]
    chosen = _choose(seen, up)
    segments = {s: segment for plan in plans for s, segment in (plan.proximal, plan.distal)}
    known = _known(up, chosen)
    alignments = {
        sensor: replace(
            align(sensor, segment, known[sensor]), magnetometer=offsets[sensor], gyroscope=biases[sensor]
        )
        for sensor, segment in segments.items()
    }
    return [
        _joint(
            plan,
            alignments,
            up,
            pose_look(plan, pose, offsets),
            [(s, r.hinge) for s, r in zip(seen, chosen, strict=True) if s.plan is plan],
        )
        for plan in plans
    ]


def _look(
    movement: Movement,
    plans: Mapping[str, JointPlan],
    offsets: Mapping[str, magnetic.Offset],
    up: Mapping[str, FloatArray],
) -> _Seen:
    """Return the readings of one movement, or refuse it."""
    if movement.joint not in plans or movement.axis not in AXES:
        raise CalibrationError(
            f"expected a movement of {sorted(plans)} about {sorted(AXES)}, got {movement.joint!r} about "
            f"{movement.axis!r}; name the step as the calibration asks"
        )
    plan = plans[movement.joint]
    sensors = [plan.proximal[0], plan.distal[0]]
    missing = [sensor for sensor in sensors if sensor not in movement.blocks]
    if missing:
        raise CalibrationError(
            f"{plan.joint} {movement.axis}: no samples of {missing}; record it with both sensors on"
        )
    frames, rate = frames_of(sensors, movement.blocks)
    label = f"{plan.joint} {movement.axis}"
    still_pose.refuse_swapped(label, frames, plan.proximal, plan.distal)
    lever = heights(frames, rate, (up[sensors[0]], up[sensors[1]]))
    if lever is not None:
        still_pose.refuse_upside_down(label, lever, plan.proximal, plan.distal)
    free = JointCalibration.uncalibrated(plan.joint, 3, plan.proximal, plan.distal)
    free = replace(free, centre_fixed=not _shoulder(plan))
    heading = HeadingEstimator(free, rate).feed(replace(frames, mag=None))
    known = np.flatnonzero(np.isfinite(frames.q).all(axis=(1, 2)))
    first, last = int(known[0]), int(known[-1])
    looks: list[tuple[float, float] | None] = []
    if frames.mag is not None:
        pair = offsets[sensors[0]], offsets[sensors[1]]
        looks.append(magnetic.middle(magnetic.looks(frames.q, frames.mag, pair)))
    if math.isfinite(heading.delta[last]):
        looks.append((float(heading.delta[last]), float(heading.sigma[last])))
    prior = merged([look for look in looks if look is not None])
    try:
        hinges = candidates(frames.q, frames.gyr, rate, prior)
    except CalibrationError as error:
        raise CalibrationError(f"{label}: {error}") from error
    if hinges[0].residual > LARGEST_RESIDUAL:
        raise CalibrationError(
            f"{label}: the two sensors see axes {math.degrees(hinges[0].residual):.0f} deg apart, expected "
            f"below {math.degrees(LARGEST_RESIDUAL):.0f}; tighten the straps and move in one plane"
        )
    readings: list[_Reading] = []
    for hinge in hinges:
        signed = hinge if hinge.first_way * _sign(plan, movement.axis) > 0 else hinge.reversed()
        sure = movement.one_way and AXES[movement.axis] != 1
        for each in (signed,) if sure else (signed, signed.reversed()):
            readings.append(_Reading(each, tuple(_directions(plan, movement, each))))
    return _Seen(movement, plan, tuple(readings), frames.q[first])


def _directions(plan: JointPlan, movement: Movement, hinge: Hinge) -> Iterator[tuple[str, Direction]]:
    """Yield what a signed hinge says about the two segments."""
    axis = AXES[movement.axis]
    found = (hinge.axis_proximal, hinge.axis_distal)
    for which, (sensor, _) in enumerate((plan.proximal, plan.distal)):
        if axis == 1 and which == 0:
            continue
        loose = plan.freedom > 1 and which == 1 and axis != 1 and _carried(plan)
        base = tangent(found[which])
        block = slice(2 * which, 2 * which + 2)
        covariance = base.T @ hinge.covariance[block, block] @ base
        covariance = covariance + np.eye(3) * (LOOSE_SIGMA if loose else AXIS_SIGMA) ** 2
        yield (
            sensor,
            Direction(found[which], np.eye(3)[axis], np.asarray(np.linalg.inv(covariance), np.float64)),
        )


def _known(up: Mapping[str, FloatArray], chosen: Sequence[_Reading | None]) -> dict[str, list[Direction]]:
    """Return the directions of every sensor: the vertical of the pose and those of the readings."""
    upright = np.eye(3) / POSE_SIGMA**2
    known = {sensor: [Direction(v, np.array([0.0, 1.0, 0.0]), upright)] for sensor, v in up.items()}
    for reading in chosen:
        for sensor, direction in () if reading is None else reading.directions:
            known.setdefault(sensor, []).append(direction)
    return known


def _choose(seen: Sequence[_Seen], up: Mapping[str, FloatArray]) -> list[_Reading]:
    """Return the reading of every movement such that all directions fit together best.

    The surest movement comes first, each next one is read in the light of those before, and then every
    one again in the light of all others.
    """
    chosen: list[_Reading | None] = [None] * len(seen)
    spreads = [0.0] * len(seen)
    order = sorted(range(len(seen)), key=lambda k: len(seen[k].readings))
    for k in order * 3:
        costs: list[float] = []
        for reading in seen[k].readings:
            trial = [*chosen[:k], reading, *chosen[k + 1 :]]
            known = _known(up, trial)
            touched = {sensor for sensor, _ in reading.directions}
            costs.append(reading.hinge.cost + sum(0.5 * fit_frame(known[sensor])[2] for sensor in touched))
        best = seen[k].readings[int(np.argmin(costs))]
        weight = np.exp(min(costs) - np.array(costs))
        apart = quaternion.wrap(np.array([r.hinge.heading for r in seen[k].readings]) - best.hinge.heading)
        spreads[k] = math.sqrt(float((weight * apart**2).sum() / weight.sum()))
        chosen[k] = best
    final = zip(chosen, seen, spreads, strict=True)
    return [_widened(r, s.plan.proximal[0], up, spread) for r, s, spread in final if r is not None]


def _widened(reading: _Reading, proximal: str, up: Mapping[str, FloatArray], spread: float) -> _Reading:
    """Return a reading whose heading is open by `spread` rad: so is the proximal axis about the vertical."""
    widened: list[tuple[str, Direction]] = []
    for sensor, direction in reading.directions:
        each = direction
        if sensor == proximal:
            sideways = spread * np.cross(up[sensor], each.sensor)
            covariance = np.linalg.inv(each.weight) + np.outer(sideways, sideways)
            each = replace(each, weight=np.asarray(np.linalg.inv(covariance), np.float64))
        widened.append((sensor, each))
    sigma = math.hypot(reading.hinge.heading_sigma, spread)
    return _Reading(replace(reading.hinge, heading_sigma=sigma), tuple(widened))


def _carried(plan: JointPlan) -> bool:
    """Whether the distal segment can turn about its own length, so that flexion says little about its Z."""
    return "hand" not in plan.distal[1] and "foot" not in plan.distal[1]


def _sign(plan: JointPlan, movement: str) -> int:
    """Return the right-hand sign of a named movement about its segment axis."""
    mirrored = -1 if plan.side == "left" else 1
    return {
        "flexion": plan.flexion_sign,
        "adduction": mirrored,
        "abduction": -mirrored,
        "rotation": mirrored,
    }[movement]


def _joint(
    plan: JointPlan,
    alignments: Mapping[str, SegmentAlignment],
    up: Mapping[str, FloatArray],
    held: Look | None,
    own: Sequence[tuple[_Seen, Hinge]],
) -> JointCalibration:
    """Return the laws of one joint in the frames of its aligned segments."""
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
        zero_sigma=math.hypot(zero_sigma(plan.distal[1]), math.sqrt(2.0) * UP_SIGMA),
        neutral_sigma=neutral_sigma,
        limits=widest_ranges(plan.distal[1], plan.side, plan.flexion_sign),
        centre_fixed=not _shoulder(plan),
        residual=residual,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _shoulder(plan: JointPlan) -> bool:
    """Return whether the joint's centre travels with a scapula."""
    return plan.proximal[1].endswith("thorax") and plan.distal[1].endswith("upperarm")
