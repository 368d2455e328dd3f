"""`rom export`: recordings to other people's formats."""

from pathlib import Path
from typing import Annotated

import typer

from tools.cli.measure import MovementOption, SideOption, side_named
from tools.cli.output import JsonOption, emit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export_trials)


def export_trials(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings.", metavar="REC...")],
    *,
    name: Annotated[
        str,
        typer.Option("--format", "-f", help="csv-reps, csv-samples, bids, opensim, c3d, fhir or foxglove."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to make; for bids the folder.")],
    movement: MovementOption = "",
    side: SideOption = "",
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="No names, no text, no dates: numbers and day offsets.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Export trials for a spreadsheet, a lab, a clinic's system or a viewer, and say what is left out."""
    from tools.exchange.exporting import export

    done = export(
        recordings, name, out, movement=movement, side=side_named(side), deidentify=deidentify, force=force
    )
    document = {
        "schema": "romcap.export/1",
        "format": name,
        "files": [str(path) for path in done.files],
        "trials": done.trials,
        "deidentified": deidentify,
        "left_out": done.drops,
        "remarks": list(done.remarks),
    }
    shown = [str(path) for path in done.files[:3]]
    more = f" and {len(done.files) - 3} more files" if len(done.files) > 3 else ""
    lines = [
        f"{', '.join(shown)}{more}: {done.trials} {'trial' if done.trials == 1 else 'trials'}",
        f"  left out: {done.drops}",
    ]
    lines += [f"  ! {remark}" for remark in done.remarks]
    emit(document, "\n".join(lines), as_json=as_json)
