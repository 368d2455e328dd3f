"""What a functional movement shows: a hinge for every heading it leaves possible, and what each means."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from calibration import magnetic
from calibration import pose as still_pose
from calibration.axes import Hinge, candidates, hinge_at, tangent
from calibration.directions import Direction
from calibration.gather import frames_of
from calibration.heading import HeadingEstimator
from calibration.lever import heights
from calibration.neutral import merged
from calibration.plan import JointPlan, Movement
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError
from imu.sync import Frames

AXES = {"flexion": 2, "adduction": 0, "abduction": 0, "rotation": 1}
"""Segment axis (0 X, 1 Y, 2 Z) of each named movement."""

AXIS_SIGMA = math.radians(5.0)
"""Distance of a functional axis from the anatomical one, rad: 3 to 7 deg from one through landmarks."""

LOOSE_SIGMA = math.radians(40.0)
"""The same where the movement's axis is carried by another, free one (forearm during elbow flexion), rad."""

LARGEST_RESIDUAL = math.radians(12.0)
"""An axis seen this differently by two sensors on average is no axis, rad."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one movement showed.

    Parameters
    ----------
    movement, plan
        What was asked for.
    frames, rate
        Of the joint's two sensors, proximal first, Hz.
    readings
        Every signed hinge that it leaves possible, with its cost.
    """

    movement: Movement
    plan: JointPlan
    frames: Frames
    rate: float
    readings: tuple[Hinge, ...]

    @property
    def first(self) -> FloatArray:
        """Both sensors (2, 4) where it began."""
        known = np.isfinite(self.frames.q).all(axis=(1, 2))
        return self.frames.q[int(np.argmax(known))]

    def settled(self, likelihood: FloatArray, given: FloatArray) -> Hinge:
        """Return the hinge where the segments are settled, with what is left open.

        Parameters
        ----------
        likelihood, given : (R,)
            Of the readings, and the same with the segments where they are settled.
        """
        headings = np.array([each.heading for each in self.readings])
        best = self.readings[int(np.argmax(given))]
        same = np.array([float(each.axis_distal @ best.axis_distal) for each in self.readings]) > 0.0
        weight, apart = given * same, quaternion.wrap(headings - best.heading)
        middle = best.heading + float((weight * apart).sum() / weight.sum())
        weight, apart = likelihood * same, quaternion.wrap(headings - middle)
        spread = math.sqrt(float((weight * apart**2).sum() / weight.sum()))
        hinge = best
        if spread > 0.0:
            hinge = hinge_at(self.frames.q, self.frames.gyr, self.rate, best, middle)
        return replace(hinge, heading_sigma=math.hypot(best.heading_sigma, spread))

    def directions(self, hinge: Hinge) -> Iterator[tuple[str, Direction]]:
        """Yield what a signed hinge says about the two segments, by sensor id."""
        plan, axis = self.plan, AXES[self.movement.axis]
        found = (hinge.axis_proximal, hinge.axis_distal)
        for which, (sensor, _) in enumerate((plan.proximal, plan.distal)):
            if axis == 1 and which == 0:
                continue
            loose = plan.freedom > 1 and which == 1 and axis != 1 and _carried(plan)
            base = tangent(found[which])
            block = slice(2 * which, 2 * which + 2)
            covariance = base.T @ hinge.covariance[block, block] @ base
            covariance = covariance + np.eye(3) * (LOOSE_SIGMA if loose else AXIS_SIGMA) ** 2
            weight = np.asarray(np.linalg.inv(covariance), np.float64)
            yield sensor, Direction(found[which], np.eye(3)[axis], weight)


def look(
    movement: Movement,
    plans: Mapping[str, JointPlan],
    offsets: Mapping[str, magnetic.Offset],
    up: Mapping[str, FloatArray],
) -> Seen:
    """Return what a movement of one of the plans shows, or refuse it.

    Parameters
    ----------
    movement, plans
        The movement, and the plans by joint.
    offsets, up
        Of the magnetometers, and the upward vertical (3,) of the pose, by sensor id.

    Raises
    ------
    CalibrationError
        If it is of no joint or axis that is known, lacks a sensor, sensors seem swapped or a segment upside
        down, or it is too small or not about one axis.
    """
    if movement.joint not in plans or movement.axis not in AXES:
        raise CalibrationError(
            f"expected a movement of {sorted(plans)} about {sorted(AXES)}, got {movement.joint!r} about "
            f"{movement.axis!r}; name the step as the calibration asks"
        )
    plan = plans[movement.joint]
    missing = [sensor for sensor, _ in (plan.proximal, plan.distal) if sensor not in movement.blocks]
    if missing:
        raise CalibrationError(
            f"{plan.joint} {movement.axis}: no samples of {missing}; record it with both sensors on"
        )
    label = f"{plan.joint} {movement.axis}"
    frames, rate, prior = watched(plan, movement.blocks, offsets)
    still_pose.refuse_swapped(label, frames, plan.proximal, plan.distal)
    lever = heights(frames, rate, (up[plan.proximal[0]], up[plan.distal[0]]))
    if lever is not None:
        still_pose.refuse_upside_down(label, lever, plan.proximal, plan.distal)
    try:
        hinges = candidates(frames.q, frames.gyr, rate, prior)
    except CalibrationError as error:
        raise CalibrationError(f"{label}: {error}") from error
    if hinges[0].residual > LARGEST_RESIDUAL:
        raise CalibrationError(
            f"{label}: the two sensors see axes {math.degrees(hinges[0].residual):.0f} deg apart, expected "
            f"below {math.degrees(LARGEST_RESIDUAL):.0f}; tighten the straps and move in one plane"
        )
    readings: list[Hinge] = []
    for hinge in hinges:
        signed = hinge if hinge.first_way * _sign(plan, movement.axis) > 0 else hinge.reversed()
        sure = movement.one_way and AXES[movement.axis] != 1
        readings += [signed] if sure else [signed, signed.reversed()]
    return Seen(movement, plan, frames, rate, tuple(readings))


def watched(
    plan: JointPlan, blocks: Mapping[str, ImuBlock], offsets: Mapping[str, magnetic.Offset]
) -> tuple[Frames, float, tuple[float, float] | None]:
    """Return the frames of a joint's sensors, their rate, Hz, and what tells the heading without its axes.

    The heading and its sigma, rad, come from the pair of magnetometers and the force at the joint's centre;
    None where neither speaks.
    """
    sensors = [plan.proximal[0], plan.distal[0]]
    frames, rate = frames_of(sensors, blocks)
    known = np.flatnonzero(np.isfinite(frames.q).all(axis=(1, 2)))
    if not known.size:
        return frames, rate, None
    free = JointCalibration.uncalibrated(plan.joint, 3, plan.proximal, plan.distal)
    free = replace(free, centre_fixed=not travels(plan))
    heading = HeadingEstimator(free, rate).feed(replace(frames, mag=None))
    looks: list[tuple[float, float] | None] = []
    if frames.mag is not None:
        pair = offsets[sensors[0]], offsets[sensors[1]]
        looks.append(magnetic.middle(magnetic.looks(frames.q, frames.mag, pair)))
    last = int(known[-1])
    if math.isfinite(heading.delta[last]):
        looks.append((float(heading.delta[last]), float(heading.sigma[last])))
    return frames, rate, merged([each for each in looks if each is not None])


def travels(plan: JointPlan) -> bool:
    """Return whether the joint's centre travels with a scapula."""
    return plan.proximal[1].endswith("thorax") and plan.distal[1].endswith("upperarm")


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
