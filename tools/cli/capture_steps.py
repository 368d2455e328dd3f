"""The steps of a guided capture: what the person does, for how long, and which events mark it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from imu.recording import Event
from rom.catalogue.movement import Movement, Side, sided
from rom.worn import JOINTS, JointKind

POSE_SECONDS = 3.0
FUNCTIONAL_SECONDS = 12.0
TIMES = 4
"""How often a functional movement is asked for; its words say so."""
STARTS = frozenset({"calibration_start", "trial_start", "treatment_start"})
STOPS = frozenset({"calibration_stop", "trial_stop", "treatment_stop"})
AXES: Mapping[int, tuple[str, ...]] = {1: ("flexion",), 3: ("flexion", "adduction", "rotation")}
SECOND_AXES: Mapping[str, str] = {"elbow": "rotation"}
ACTIONS: Mapping[str, str] = {
    "flexion": "Bend and straighten the {joint} four times, all the way",
    "adduction": "Move the {joint} sideways and back four times",
    "rotation": "Turn the {joint} about its length and back four times",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Parameters
    ----------
    kind
        Its events are `<kind>_start` and `<kind>_stop`.
    words
        What the person does.
    data
        Of the events.
    begin
        When, s on the capture clock; None: as soon as the person is ready.
    seconds
        How long; None: until a key says so.
    reps
        It ends once so many are done, if not before; None: however many.
    swings
        It ends once a limb went there and back so often, if not before.
    """

    kind: Literal["calibration", "trial", "treatment"]
    words: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    begin: float | None = None
    seconds: float | None = None
    reps: int | None = None
    swings: float = math.inf


def joint_of(movement: Movement) -> JointKind | None:
    """Return the joint between the segments of a movement, None if it has none that can be calibrated."""
    segments = (movement.proximal_segment, movement.distal_segment)
    return next((joint for joint in JOINTS if (joint.proximal, joint.distal) == segments), None)


def useful_segments(movement: Movement, side: Side) -> list[str]:
    """Return the segments whose sensors can tell something of a movement, with their side."""
    named = [rule.segment for rule in (movement.angle, movement.pointer) if rule is not None]
    pointed = [sided(segment, side) for segment in named if segment is not None]
    return list(dict.fromkeys([*movement.segments(side), *pointed]))


def distal_alone(movement: Movement, side: Side, segments: Collection[str]) -> bool:
    """Return whether only the distal sensor is worn: right while the proximal segment keeps still."""
    proximal, distal = movement.segments(side)
    return distal in segments and proximal not in segments


def calibration_steps(movement: Movement, side: Side) -> list[Step]:
    """Return a still pose and the functional movements that the joint needs."""
    joint = joint_of(movement)
    if joint is None:
        return []
    name = joint.name if side == "midline" else f"{side}_{joint.name}"
    axes = AXES.get(joint.freedom, ("flexion", SECOND_AXES.get(joint.name, "adduction")))
    pose = Step(
        "calibration",
        "Stand still, upright, limbs hanging straight",
        {"step": "pose", "joint": name, "axis": ""},
        seconds=POSE_SECONDS,
    )
    return [pose] + [
        Step(
            "calibration",
            ACTIONS[axis].format(joint=name.replace("_", " ")),
            {"step": "functional", "joint": name, "axis": axis},
            seconds=FUNCTIONAL_SECONDS,
            swings=TIMES,
        )
        for axis in axes
    ]


def trial_step(
    movement: Movement, side: Side, phase: str, seconds: float | None, reps: int | None = None
) -> Step:
    """Return the test itself."""
    data = {"movement": movement.id, "side": side, "phase": phase}
    return Step("trial", movement.title(side), data, seconds=seconds, reps=reps)


def treatment_step(structure: str, technique: str, seconds: float | None) -> Step:
    """Return passes over one structure."""
    data = {"structure": structure, "technique": technique}
    return Step("treatment", f"Passes over {structure}", data, seconds=seconds)


def played_steps(steps: Sequence[Step], events: Sequence[Event], zero: float) -> list[Step]:
    """Return the steps at the times at which an emulated limb does them; its last ones, if it does more.

    Parameters
    ----------
    steps
        As for a person.
    events
        What the limb does, s since its motion began.
    zero
        When that was, s on the capture clock.
    """
    starts = [event.t for event in events if event.kind in STARTS]
    stops = [event.t for event in events if event.kind in STOPS]
    played: list[Step] = []
    for step, start, stop in zip(steps, starts[-len(steps) :], stops[-len(steps) :], strict=True):
        length = stop - start
        seconds = length if step.kind == "calibration" else min(step.seconds or length, length)
        played.append(replace(step, begin=zero + start, seconds=seconds, swings=math.inf))
    return played
