"""What every importer hands over, and how it becomes a recording."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import ImuBlock
from imu.errors import InputError
from imu.recording import Event, RecordingHeader, RecordingWriter, SensorInfo
from imu.recording_summary import gaps

SIDED_SEGMENTS = frozenset(
    {
        "thigh",
        "shank",
        "foot",
        "toes",
        "scapula",
        "clavicle",
        "upperarm",
        "forearm",
        "hand",
        "thumb",
        "finger",
    }
)
_STEP = 1.0


@dataclass(frozen=True, slots=True)
class IncomingSensor:
    """The samples of one sensor from somebody else's file, in SI units, and what was noticed about them."""

    info: SensorInfo
    block: ImuBlock
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incoming:
    """What an importer read: sensors on one capture clock, with remarks and the origin.

    `source` says where the numbers come from; `side` and `created_at` are what the files themselves say,
    empty or None if nothing, and `created_from` where in them the moment was found.
    """

    files: tuple[Path, ...]
    layout: str
    sensors: tuple[IncomingSensor, ...]
    remarks: tuple[str, ...] = ()
    source: Mapping[str, Any] | None = None
    side: str = ""
    created_at: datetime | None = None
    created_from: str = "name of the file"

    def all_remarks(self) -> tuple[str, ...]:
        """Return every remark, those of a sensor with its segment in front."""
        own = [f"{s.info.segment}: {remark}" for s in self.sensors for remark in s.remarks]
        return (*self.remarks, *own)


def with_side(segment: str, side: str) -> str:
    """Return the segment's name with its side in front, if it is one that has a side.

    Raises
    ------
    InputError
        If it needs a side and none is given.
    """
    if segment not in SIDED_SEGMENTS:
        return segment
    if side not in {"left", "right"}:
        raise InputError(f"segment {segment} needs a side: pass --side left or --side right")
    return f"{side}_{segment}"


def write_recording(
    incoming: Incoming,
    path: Path,
    header: RecordingHeader,
    progress: Callable[[float], None] | None = None,
) -> RecordingHeader:
    """Write imported samples as a recording.

    Parameters
    ----------
    incoming
        What was read.
    path
        The recording to make; it must not exist.
    header
        Who and what; sensors, time of day and origin are filled in.
    progress
        Called with the share done, 0 to 1.

    Raises
    ------
    RecordingError
        If the recording exists or cannot be written.
    """
    file_date = datetime.fromtimestamp(min(file.stat().st_mtime for file in incoming.files), UTC)
    provenance = {
        "imported_from": [_origin(file) for file in incoming.files],
        "layout": incoming.layout,
        "created_at_from": "date of the file" if incoming.created_at is None else incoming.created_from,
        "remarks": list(incoming.all_remarks()),
        **(incoming.source or {}),
    }
    header = replace(
        header,
        created_at=incoming.created_at or file_date,
        sensors=tuple(sensor.info for sensor in incoming.sensors),
        provenance=provenance,
    )
    blocks = [sensor.block for sensor in incoming.sensors if len(sensor.block)]
    start = min((float(block.t[0]) for block in blocks), default=0.0)
    stop = max((float(block.t[-1]) for block in blocks), default=0.0)
    trial = {"movement": header.movement, "side": header.side, "phase": header.phase}
    events = [
        Event(gap_start, "gap", {"sensor": block.sensor, "until": gap_stop, "missing": missing})
        for block in blocks
        for gap_start, gap_stop, missing in gaps(block.t)
    ]
    if header.movement:
        events += [Event(start, "trial_start", trial), Event(stop, "trial_stop", trial)]
    with RecordingWriter(path, header) as writer:
        for event in sorted(events, key=lambda event: event.t):
            writer.write_event(event)
        for edge in np.arange(start, stop + _STEP, _STEP).tolist():
            for block in blocks:
                first, last = np.searchsorted(block.t, [edge, edge + _STEP]).tolist()
                writer.write(block[first:last])
            if progress is not None:
                progress(min(1.0, (edge + _STEP - start) / (stop - start + _STEP)))
    return header


def _origin(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        return {"file": file.name, "sha256": file_digest(stream, "sha256").hexdigest()}
