"""The calibration phases of a recording: which belong together, and from when each calibration counts.

A pose that comes after something was measured begins a calibration of its own, with the movements after it:
a strap slipped, or a sensor was put on anew. Everything before the first such pose is one calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imu.recording import Event

MEASURES = ("trial_start", "treatment_start")


class Phase(NamedTuple):
    """A completed step of a calibration: when, s, and the event that began it."""

    start: float
    stop: float
    event: Event


@dataclass(slots=True)
class Calibrating:
    """The steps of one calibration; `since` is when its pose began, s, None for the first one."""

    since: float | None = None
    phases: list[Phase] = field(default_factory=list[Phase])


def calibrating(events: Sequence[Event]) -> list[Calibrating]:
    """Return the calibrations that a recording holds steps of, the first one always; in order of time.

    Those that were taken back (`discard` of a calibration) are not among them.

    Parameters
    ----------
    events
        In order of time.
    """
    found = [Calibrating()]
    opened: Event | None = None
    measured = False
    for event in events:
        measured = measured or event.kind in MEASURES
        if event.kind == "calibration_start":
            opened = event
            if measured and begins_pose(event):
                found.append(Calibrating(event.t))
        elif event.kind == "calibration_stop" and opened is not None:
            found[-1].phases.append(Phase(opened.t, event.t, opened))
            opened = None
        elif event.kind == "discard" and event.data.get("of") == "calibration":
            taken_back = found.pop()
            if taken_back.since is None:
                found.append(Calibrating())
    return found


def begins_pose(event: Event) -> bool:
    """Return whether the pose of a calibration begins with an event."""
    return event.kind == "calibration_start" and event.data.get("step") == "pose"
