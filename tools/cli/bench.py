"""`rom bench`: romcap and its peers on the same data, in one run, as one table and one picture."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit

SCHEMA = "romcap.bench/1"


def bench(
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture to write, .svg or .png; none is drawn without."),
    ] = None,
    minutes: Annotated[
        list[float] | None, typer.Option(help="Length of the treatment; repeat for several. Default: 5.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Worlds of each kind.", min=1)] = 3,
    first_seed: Annotated[int, typer.Option(help="Where seeds start; take one nobody has looked at.")] = 1000,
    all_grades: Annotated[
        bool, typer.Option("--all-grades", help="All sensor grades, not only consumer.")
    ] = False,
    ahrs: Annotated[bool, typer.Option(help="Include the (slow) filters of ahrs.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Score romcap beside VQF, ahrs and (if installed) qmt on imagined treatments with a known truth.

    Slow passes with holds, soft tissue, non-hinge motion and a magnetised couch; the axis of the joint at
    four inclinations, the proximal segment moving or perfectly still. Medians over seeds, degrees.
    """
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from tools.bench.table import draw, summary
    from tools.bench.worlds import Score, clinic_worlds, score_world

    if out is not None and out.suffix not in (".svg", ".png"):
        raise InputError(f"--out must end in .svg or .png, got {out.name}")
    worlds = clinic_worlds(tuple(minutes or (5.0,)), all_grades=all_grades)
    scores: list[Score] = []
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        task = progress.add_task("imagining and measuring", total=len(worlds) * seeds)
        for world in worlds:
            for seed in range(first_seed, first_seed + seeds):
                scores += score_world(world, seed, ahrs=ahrs)
                progress.advance(task)
    rows = summary(scores)
    if out is not None:
        draw(scores, out)
    table = Table("World", "Method", "Range RMS", "worst", "Angle RMSE", "Drift/min", "95 % covers")
    for row in rows:
        numbers = [
            f"{row[key]:.2f}"
            for key in ("rom_rms_deg", "worst_rom_rms_deg", "angle_rmse_deg", "drift_deg_per_min")
        ]
        covered = row["coverage95"]
        share = f"{100.0 * covered:.0f} %" if isinstance(covered, float) and isfinite(covered) else ""
        table.add_row(str(row["world"]), str(row["method"]), *numbers, share)
    console = Console(width=130)
    with console.capture() as page:
        console.print(table)
    document = {
        "schema": SCHEMA,
        "summary": rows,
        "scores": [score.to_document() for score in scores],
        "picture": None if out is None else str(out),
    }
    emit(document, page.get().rstrip(), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)
