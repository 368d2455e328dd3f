"""Stops during a pass: what the client feels, and how far the stop reaches (clinical.md 3.1, last row)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from imu.errors import InputError


class Reach(StrEnum):
    """How far a stop reaches."""

    PASS = "the pass ends"
    STRUCTURE = "the work on this structure ends"
    SESSION = "the session ends"


@dataclass(frozen=True)
class Stop:
    """One reason to stop.

    Parameters
    ----------
    code
        Word that is typed or bound to a key.
    says
        What the client feels or says.
    neurological
        Whether it is a sign from nerve or vessel: then the session ends.
    source
        Where it comes from.
    """

    code: str
    says: str
    neurological: bool
    source: str


STOPS: tuple[Stop, ...] = (
    Stop("sharp", "sharp or alarming pain", False, "A: never sharp"),
    Stop("radiating", "pain that travels or radiates", False, "A: tell where pain travels"),
    Stop("numbness", "new numbness or tingling that lasts more than 30 s", True, "A; 30 s K, to verify"),
    Stop("dizziness", "dizziness or nausea", True, "K, to verify"),
    Stop("stop", "the client says stop", False, "A"),
)
"""The in-session stops. Numbness and dizziness count as neurological signs here."""

STOPS_PER_STRUCTURE = 2
"""Two stops on one structure end the work on it (clinical.md 3.1)."""

NO_STOP = "end"
"""The reason of a pass that reached its end."""


def stop(code: str) -> Stop:
    """Return a stop by its code.

    Raises
    ------
    InputError
        If there is no such stop.
    """
    for candidate in STOPS:
        if candidate.code == code:
            return candidate
    raise InputError(f"no reason to stop called {code!r}; choose one of {', '.join(s.code for s in STOPS)}")


def reach(earlier: Sequence[str], code: str) -> Reach:
    """Return how far a stop reaches.

    Parameters
    ----------
    earlier
        Codes of the stops that this structure has already had in this visit.
    code
        The new one.

    Raises
    ------
    InputError
        If the code is unknown.
    """
    if stop(code).neurological:
        return Reach.SESSION
    if len([e for e in earlier if e != NO_STOP]) + 1 >= STOPS_PER_STRUCTURE:
        return Reach.STRUCTURE
    return Reach.PASS
