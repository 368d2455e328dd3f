"""What a reviewer says about a recording, in a file beside it: the recording itself is never touched.

A rep is discarded, or the boundaries of a rep or pass are moved, each with a reason. Nothing is taken back by
deleting: a `restore` follows. `rom.trial.analyse` honours the file, so every number everywhere does.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imu.block import BoolArray
from imu.errors import InputError
from imu.recording import Recording
from imu.whole_file import write_whole
from rom.angles import JointSeries
from rom.measures import RepMeasures
from rom.passes import Pass, Rep

Kind = Literal["discard", "restore", "edit"]

SCHEMA = "romcap.annotations/1"
SUFFIX = ".notes.json"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark.

    Parameters
    ----------
    kind
        `discard` (a rep no longer counts), `restore` (it counts again, at its own boundaries), or `edit`
        (other boundaries).
    of
        `rep` or `pass`; only reps are discarded.
    number
        Which one, from 1, as found in the recording.
    reason
        Why; never empty.
    start, stop
        Boundaries of an `edit`, s on the capture clock; else NaN.
    at
        When it was said, ISO 8601.
    by
        Who said it; may be empty.

    Raises
    ------
    InputError
        If something is missing or cannot be.
    """

    kind: Kind
    of: Literal["rep", "pass"]
    number: int
    reason: str
    start: float = math.nan
    stop: float = math.nan
    at: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be honoured."""
        if self.kind not in ("discard", "restore", "edit") or self.of not in ("rep", "pass"):
            raise InputError(
                f"expected discard, restore or edit of a rep or pass, got {self.kind} of {self.of}"
            )
        if self.kind == "discard" and self.of == "pass":
            raise InputError("only a rep can be discarded; a pass was done whatever one thinks of it")
        if self.number < 1:
            raise InputError(f"reps and passes are counted from 1, got {self.number}")
        if not self.reason.strip():
            raise InputError(f"say why: the reason for this {self.kind} goes into the report")
        if self.kind == "edit" and not self.start < self.stop:
            raise InputError(
                f"expected the start of a {self.of} before its stop, got {self.start:g} s and {self.stop:g} s"
            )

    def to_document(self) -> dict[str, Any]:
        """Return it for the file and for provenance; boundaries only where there are any."""
        times = () if self.kind == "edit" else ("start", "stop")
        return {name: value for name, value in asdict(self).items() if name not in times}


@dataclass(frozen=True, slots=True)
class Annotations:
    """All remarks about one recording, oldest first."""

    items: tuple[Annotation, ...] = ()

    def standing(self, of: str, number: int) -> tuple[Annotation, ...]:
        """Return what still holds of one rep or pass: all since the last `restore`."""
        mine = [one for one in self.items if (one.of, one.number) == (of, number)]
        restored = [place for place, one in enumerate(mine) if one.kind == "restore"]
        return tuple(mine[restored[-1] + 1 :] if restored else mine)

    def edited_reps(self, reps: Sequence[Rep], series: JointSeries) -> list[Rep]:
        """Return the reps within their moved boundaries, angles read anew from the series."""
        return [
            rep if (edit := self._edit("rep", number)) is None else _moved_rep(rep, edit, series)
            for number, rep in enumerate(reps, start=1)
        ]

    def edited_passes(self, passes: Sequence[Pass], series: JointSeries) -> list[Pass]:
        """Return the passes within their moved boundaries, angles read anew from the series."""
        return [
            one if (edit := self._edit("pass", number)) is None else _moved_pass(one, edit, series)
            for number, one in enumerate(passes, start=1)
        ]

    def judged(self, reps: Iterable[RepMeasures]) -> list[RepMeasures]:
        """Return the reps with what was said: a discarded one doesn't count, an edited one carries why."""
        judged: list[RepMeasures] = []
        for rep in reps:
            said = self.standing("rep", rep.number)
            against = [f"discarded: {one.reason}" for one in said if one.kind == "discard"]
            moved = [f"boundaries moved: {one.reason}" for one in said if one.kind == "edit"]
            judged.append(replace(rep, reasons=(*rep.reasons, *against), warnings=(*rep.warnings, *moved)))
        return judged

    def to_documents(self) -> list[dict[str, Any]]:
        """Return all remarks as plain values."""
        return [one.to_document() for one in self.items]

    def _edit(self, of: str, number: int) -> Annotation | None:
        edits = [one for one in self.standing(of, number) if one.kind == "edit"]
        return edits[-1] if edits else None


def annotations_file(recording: Path) -> Path:
    """Return where the remarks about a recording are: beside it, under its name."""
    return recording.with_name(recording.name + SUFFIX)


def load_annotations(recording: Recording) -> Annotations:
    """Return the remarks about a recording; none if nobody made any.

    Raises
    ------
    InputError
        If the file is damaged, or speaks of another recording.
    """
    path = annotations_file(recording.path)
    if not path.exists():
        return Annotations()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema, about, items = document["schema"], document["recording_id"], document["annotations"]
        found = tuple(Annotation(**item) for item in items)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the remarks of a review, but it does not read ({error}); move it away"
        ) from None
    if schema != SCHEMA or about != recording.header.recording_id:
        raise InputError(
            f"{path}: these remarks are about another recording ({about}); move the file to where it belongs"
        )
    return Annotations(found)


def annotate(recording: Recording, annotation: Annotation) -> Annotations:
    """Add a remark to the file beside a recording; return all of them.

    The file is replaced as a whole, so that a crash leaves the old one or the new one.

    Raises
    ------
    InputError
        If the remarks that are there cannot be read, or the folder cannot be written.
    """
    said = replace(annotation, at=annotation.at or datetime.now(UTC).isoformat(timespec="seconds"))
    known = Annotations((*load_annotations(recording).items, said))
    path = annotations_file(recording.path)
    document = {
        "schema": SCHEMA,
        "recording_id": recording.header.recording_id,
        "annotations": known.to_documents(),
    }
    try:
        write_whole(path, json.dumps(document, indent=2, ensure_ascii=False).encode())
    except OSError as error:
        raise InputError(f"{path}: the remark could not be written ({error}); check the folder") from None
    return known


def fingerprint(annotations: Annotations) -> str:
    """Return the sha256 of the remarks, in hexadecimal; empty if there are none."""
    if not annotations.items:
        return ""
    return sha256(json.dumps(annotations.to_documents(), sort_keys=True).encode()).hexdigest()


def _moved_rep(rep: Rep, edit: Annotation, series: JointSeries) -> Rep:
    inside = _inside(series, edit.start, edit.stop, f"rep {edit.number}")
    t, angle = series.t[inside], series.angle[inside, 0]
    way = 1.0 if rep.end_angle >= rep.start_angle else -1.0
    farthest = int(np.argmax(way * angle))
    held = edit.start <= rep.turn and rep.leave <= edit.stop
    return replace(
        rep,
        start=edit.start,
        stop=edit.stop,
        turn=rep.turn if held else float(t[farthest]),
        leave=rep.leave if held else float(t[farthest]),
        start_angle=float(angle[0]),
        end_angle=float(angle[farthest]),
        stop_angle=float(angle[-1]),
    )


def _moved_pass(one: Pass, edit: Annotation, series: JointSeries) -> Pass:
    inside = _inside(series, edit.start, edit.stop, f"pass {edit.number}")
    angle = series.angle[inside, 0]
    way = 1.0 if one.end_angle >= one.start_angle else -1.0
    return replace(
        one,
        start=edit.start,
        stop=edit.stop,
        leave=max(one.leave, edit.stop),
        start_angle=float(angle[0]),
        end_angle=float(way * np.max(way * angle)),
    )


def _inside(series: JointSeries, start: float, stop: float, what: str) -> BoolArray:
    inside = (series.t >= start) & (series.t <= stop) & np.isfinite(series.angle[:, 0])
    if not inside.any():
        raise InputError(f"{what}: no angle is known from {start:g} s to {stop:g} s; move the boundaries")
    return inside
