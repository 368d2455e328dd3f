"""Make a finished recording of an unfinished or damaged one. The original is never touched."""

from dataclasses import dataclass
from pathlib import Path

from imu.errors import RecordingError
from imu.recording_format import REPAIR_DOCUMENT
from imu.recording_reader import Recording
from imu.recording_writer import RecordingWriter


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Parameters
    ----------
    source, written
        The file as it was found, and the new one; `written` is None if the source needed no repair.
    samples, events
        How many of each the new file holds.
    damage
        What was wrong with the source and is missing from the new file, one sentence each.
    """

    source: Path
    written: Path | None
    samples: int
    events: int
    damage: tuple[str, ...]


def repair(path: Path) -> RepairReport:
    """Write everything intact in a recording to a finished file beside it.

    `trial.mcap.part` becomes `trial.mcap`; a damaged `trial.mcap` becomes `trial.repaired.mcap`. Samples,
    raw packets, events, status, header and calibrations are kept as they are; what was lost is noted in
    the new file.

    Raises
    ------
    RecordingError
        If the file is no recording, its header is lost, or a file of the new name exists.
    """
    source = Recording.open(path)
    held = sum(source.samples.values())
    if not source.damage:
        return RepairReport(path, None, held, len(source.events), ())
    if not source.header.sensors:
        raise RecordingError(path, "is damaged before its first sample; nothing in it can be repaired")
    finished = (
        path.with_suffix("") if path.suffix == ".part" else path.with_name(f"{path.stem}.repaired.mcap")
    )
    # An unfinished original keeps the name `.part`, so the new file grows under a name of its own.
    growing = path.with_name(f"{path.stem}.repairing")
    if finished.exists():
        raise RecordingError(finished, "exists already, and is not overwritten; move it away first")
    growing.with_name(f"{growing.name}.part").unlink(missing_ok=True)
    with RecordingWriter(growing, source.header) as writer:
        take_over(source, writer)
        for blocks, packets in source.pieces():
            for packet in packets:
                writer.write_raw(packet)
            for block in blocks:
                writer.write(block)
        for earlier in source.repairs:
            writer.put_document(REPAIR_DOCUMENT, earlier)
        note = {"source": path.name, "sha256": source.sha256, "damage": list(source.damage)}
        writer.put_document(REPAIR_DOCUMENT, note)
    growing.rename(finished)
    return RepairReport(path, finished, held, len(source.events), source.damage)


def take_over(source: Recording, writer: RecordingWriter) -> None:
    """Write what a recording tells beside its samples and raw bytes."""
    for document in source.calibrations:
        writer.write_calibration(document)
    for told in source.streams:
        writer.put_streams(told)
    for event in source.events:
        writer.write_event(event)
    for status in source.statuses:
        writer.write_status(status)
