"""What a watchdog says: what was seen, what it means for the angles, what to do. Made by `rom.watch`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

AlertKind = Literal[
    "slipped", "swapped", "other_side", "remounted", "soft_mount", "magnetic", "saturated", "gap", "stale"
]
Severity = Literal["note", "warning"]
CURED: frozenset[AlertKind] = frozenset({"slipped", "remounted", "swapped", "soft_mount", "stale"})
"""What a new calibration puts right."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One warning.

    Parameters
    ----------
    kind
        What happened.
    severity
        `warning`: angles from `since` on (to `until`) should not be relied on; `note`: good to know.
    t
        When the samples showed it, s on the capture clock.
    since, until
        What it concerns, s: what was measured before `since` stands. `until` is infinite where it lasts.
    sensor, segment
        Which sensor, and where it is said to be strapped; empty if it concerns all.
    seen, meaning, remedy
        Words. `{since}` in `seen` stands for the time of day.
    size
        How much: rad for `slipped` and `remounted`, s for `gap` and `stale`, Hz for `soft_mount`, a share
        for `magnetic`, a count of samples for `saturated`, a ratio for `swapped` and `other_side`.
    """

    kind: AlertKind
    severity: Severity
    t: float
    since: float
    until: float
    sensor: str
    segment: str
    seen: str
    meaning: str
    remedy: str
    size: float

    def sentence(self, begun: datetime | None = None) -> str:
        """Return the warning in words.

        Parameters
        ----------
        begun
            Wall time of the zero of the capture clock (`RecordingHeader.created_at`); times are then times of
            the day where this machine is, else minutes and seconds of the recording.
        """
        seen = self.seen.replace("{since}", clock(self.since, begun))
        return f"{seen}. {self.meaning}. {self.remedy}."

    @property
    def doubt(self) -> str:
        """Return in a few words what it holds against a rep or pass it concerns."""
        where = self.segment.replace("_", " ")
        return {
            "slipped": f"after the {where} sensor slipped",
            "swapped": "sensors look exchanged",
            "other_side": "the other side moved",
            "remounted": "sensors do not sit as calibrated",
            "soft_mount": f"the {where} sensor sits on something soft",
            "magnetic": "the magnetic field is bent",
            "saturated": f"the {where} sensor was at the end of its range",
            "gap": f"no data from the {where} sensor in it",
            "stale": "the calibration is old",
        }[self.kind]

    def concerns(self, start: float, stop: float) -> bool:
        """Return whether it bears on what was measured from `start` to `stop`, s."""
        return self.severity == "warning" and start <= self.until and self.since < stop

    def cured(self, calibrated: Iterable[float]) -> "Alert":
        """Return the warning as it stands in the light of later calibrations, at these moments, s."""
        ends = [t for t in calibrated if t >= self.since] if self.kind in CURED else []
        return replace(self, until=min(self.until, *ends)) if ends else self

    def to_document(self) -> dict[str, Any]:
        """Return the warning for `--json`; what lasts has no `until_s`."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "t_s": self.t,
            "since_s": self.since,
            "until_s": self.until if math.isfinite(self.until) else None,
            "sensor": self.sensor,
            "segment": self.segment,
            "size": self.size,
            "sentence": self.sentence(),
        }


def clock(t: float, begun: datetime | None) -> str:
    """Return a time as hours, minutes and seconds of the day, or as minutes and seconds of the recording."""
    if begun is not None:
        return f"{(begun + timedelta(seconds=t)).astimezone():%H:%M:%S}"
    seconds = int(t)
    return f"{seconds // 60}:{seconds % 60:02d} of the recording"


def place(segment: str) -> str:
    """Return a segment as it begins a sentence: left_shank is Left shank."""
    return segment.replace("_", " ").capitalize()
