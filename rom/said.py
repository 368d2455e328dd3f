"""What was said while reps were done and counts against them: taken back, or stopped for pain."""

import math
from collections.abc import Sequence
from dataclasses import replace

from imu.recording import Event
from rom.measures import RepMeasures
from rom.passes import Rep

STOPS = ("sharp", "stop")
"""Marks of a `pain` event that end a movement: set true, or its `reason` (reference: clinical 2.6)."""


def discarded(reps: Sequence[RepMeasures], events: Sequence[Event]) -> tuple[list[RepMeasures], list[str]]:
    """Mark the reps that a `discard` takes back: a number from 1, `trial`, or `rep` for the last one done.

    Returns
    -------
    reps, warnings
        All reps, those taken back with the reason; and one sentence for each discard that names no rep.
    """
    judged, warnings = list(reps), list[str]()
    for event in events:
        if event.kind != "discard" or event.data.get("of") == "calibration":
            continue
        of, why = event.data.get("of"), event.data.get("reason") or "no reason given"
        if of == "trial":
            numbers = [rep.number for rep in judged]
        elif of == "rep":
            last = last_done([rep.rep for rep in judged], event.t)
            numbers = [] if last is None else [judged[last].number]
        else:
            numbers = [rep.number for rep in judged if type(of) is int and rep.number == of]
        if not numbers:
            warnings.append(
                f"the discard at {event.t:.1f} s ({why}) takes nothing back: expected a rep from 1 to "
                f"{len(judged)}, 'rep' after a rep, or 'trial', got {of!r}; discard the rep in the review"
            )
        judged = [_against(rep, f"discarded: {why}") if rep.number in numbers else rep for rep in judged]
    return judged, warnings


def last_done(reps: Sequence[Rep], t: float) -> int | None:
    """Return the place of the last rep that was over at an instant, s; None before there is one.

    It is the one that a person means who says "not that one" then.
    """
    return max((place for place, rep in enumerate(reps) if rep.stop <= t), default=None)


def stop_marks(event: Event) -> list[str]:
    """Return what a `pain` event says that ends a movement, of `STOPS`; nothing for other events."""
    if event.kind != "pain":
        return []
    return [mark for mark in STOPS if event.data.get(mark) is True or event.data.get("reason") == mark]


def stopped(reps: Sequence[RepMeasures], events: Sequence[Event]) -> list[RepMeasures]:
    """Mark the reps that sharp pain stopped, and those of the same trial after it.

    Source: reference, clinical 2.6 (rep validity: not after a "sharp pain" stop) and 3.1.
    """
    judged = list(reps)
    ends = [event.t for event in events if event.kind == "trial_stop"]
    for event in events:
        marks = stop_marks(event)
        if not marks:
            continue
        end = min((t for t in ends if t >= event.t), default=math.inf)
        what = "sharp pain" if "sharp" in marks else "stopped for pain"
        for place, rep in enumerate(judged):
            if event.t <= rep.rep.stop and rep.rep.start <= end:
                when = "during it" if rep.rep.start <= event.t else "before it"
                judged[place] = _against(rep, f"{what} {when}, at {event.t:.1f} s")
    return judged


def _against(rep: RepMeasures, reason: str) -> RepMeasures:
    return replace(rep, reasons=(*rep.reasons, reason))
