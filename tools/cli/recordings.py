"""`rom import`, `rom info`, `rom repair`: recordings as files."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.counted import counted
from imu.errors import InputError
from tools.cli.measure import side_named
from tools.cli.output import JsonOption, emit, progress

if TYPE_CHECKING:
    from imu.recording_repair import RepairReport


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_files)
    app.command("info")(info)
    app.command("repair")(repair_recording)


def import_files(
    files: Annotated[
        list[Path], typer.Argument(help="The files of one trial; their kind is guessed and said.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The recording to make (.mcap); must not exist.")],
    movement: Annotated[str, typer.Option(help="Id of the movement, as `rom movements` lists it.")] = "",
    side: Annotated[str, typer.Option(help="left, right or midline.")] = "",
    client: Annotated[str, typer.Option(help="Pseudonym of the person, never a name.")] = "",
    phase: Annotated[str, typer.Option(help="Place in the visit: baseline, retest, ...")] = "",
    notes: Annotated[str, typer.Option(help="Free text.")] = "",
    columns: Annotated[
        Path | None, typer.Option(help="TOML file that declares columns and units of text tables.")
    ] = None,
    sensor: Annotated[
        list[str] | None,
        typer.Option(help="FILE=SEGMENT or COLUMN=SEGMENT: where it was worn. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a recording of files from other programs, after checking that they can be true."""
    from imu.recording import RecordingHeader
    from tools.exchange.incoming import write_recording
    from tools.exchange.reading import guess, read_incoming

    asked = side_named(side)
    kind = guess(files, columns)
    incoming = read_incoming(files, side=asked, columns=columns, segments=_segments(sensor or []))
    header = RecordingHeader(
        client=client,
        movement=_known_movement(movement),
        side=asked or incoming.side,
        phase=phase,
        notes=notes,
    )
    with progress("importing") as moved:
        header = write_recording(incoming, out, header, moved)
    document = {
        "schema": "romcap.import/1",
        "recording": str(out),
        "layout": incoming.layout,
        "guessed": kind.name,
        "because_of": kind.sign,
        "sensors": [
            {
                "sensor": s.info.sensor,
                "segment": s.info.segment,
                "rate_hz": s.info.rate_hz,
                "samples": len(s.block),
            }
            for s in incoming.sensors
        ],
        "remarks": list(incoming.all_remarks()),
    }
    lines = [f"{out}: {header.side} {header.movement}".rstrip(": ") + f" ({incoming.layout})"]
    lines.append(f"  taken for {kind.name}, by {kind.sign}")
    lines += [
        f"  {s.info.segment}: {counted(len(s.block), 'sample')} at {s.info.rate_hz:.2f} Hz"
        for s in incoming.sensors
    ]
    lines += [f"  note: {remark}" for remark in incoming.all_remarks()]
    emit(document, "\n".join(lines), as_json=as_json)


def info(
    recording: Annotated[Path, typer.Argument(help="A recording, finished or not.")],
    as_json: JsonOption = False,
) -> None:
    """Say who, what and when a recording is, what each sensor delivered, and what is damaged."""
    from tools.exchange.description import describe, page

    document = describe(recording)
    emit(document, page(document), as_json=as_json)


def repair_recording(
    file: Annotated[Path, typer.Argument(help="An unfinished (.part) or damaged recording.")],
    *,
    from_raw: Annotated[
        bool, typer.Option("--from-raw", help="Make the samples again from the sensors' raw bytes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a finished recording of an unfinished or damaged one; the original is kept."""
    from imu.recording import repair

    if from_raw:
        _rebuild(file, as_json=as_json)
        return
    with progress("repairing"):
        report = repair(file)
    document = {
        "schema": "romcap.repair/1",
        "source": str(report.source),
        "written": None if report.written is None else str(report.written),
        "samples": report.samples,
        "events": report.events,
        "damage": list(report.damage),
    }
    if report.written is None:
        text = f"{file}: is intact, nothing to repair ({_kept(report)})"
    else:
        lines = [f"{report.written}: {_kept(report)} kept of {file.name}"]
        text = "\n".join([*lines, *(f"  was: {sentence}" for sentence in report.damage)])
    emit(document, text, as_json=as_json)


def _kept(report: "RepairReport") -> str:
    return f"{counted(report.samples, 'sample')} and {counted(report.events, 'event')}"


def _rebuild(file: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from imu.rebuild import rebuild

    with progress("making the samples again"):
        report = rebuild(file)
    document = {
        "schema": "romcap.rebuild/1",
        "source": str(report.source),
        "written": str(report.written),
        "same": report.same,
        "sensors": [asdict(each) for each in report.differences],
    }
    lines = [f"{report.written}: samples made again from the raw bytes of {file.name}"]
    for each in report.differences:
        said = "all as recorded, to the last bit"
        if not math.isnan(each.first):
            said = f"other than recorded, or missing, from {each.first:.3f} s on"
        lines.append(f"  {each.sensor}: {each.rebuilt} samples ({each.recorded} recorded), {said}")
    emit(document, "\n".join(lines), as_json=as_json)


def _known_movement(movement: str) -> str:
    from rom.catalogue.loader import load_catalogue

    return load_catalogue().movement(movement).id if movement else ""


def _segments(options: Sequence[str]) -> dict[str, str]:
    segments: dict[str, str] = {}
    for option in options:
        name, equals, segment = option.rpartition("=")
        if not (name and equals and segment):
            raise InputError(f"--sensor expects FILE=SEGMENT, like arm.csv=right_forearm, got {option}")
        segments[Path(name).name] = segment
    return segments
