"""`rom study`: measure a folder of recordings into one table, here or on a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.cli.measure import FilterOption, MovementOption, OneSensorOption, SideOption, side_named
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from rom.clinic.study_rows import Row, StudyOptions
    from rom.clinic.study_run import Plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(study)


def study(
    folder: Annotated[Path, typer.Argument(help="Folder with recordings, folders inside included.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The table to make; default: study.parquet in DIR.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes on this machine.")] = 1,
    scheduler: Annotated[
        str, typer.Option(help="Address of a Dask scheduler, tcp://host:8786, instead of this machine.")
    ] = "",
    movement: MovementOption = "",
    side: SideOption = "",
    filter_name: FilterOption = "vqf",
    one_sensor: OneSensorOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a table that is no study's.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure every recording of a folder: one Parquet table, one row a rep, one line per bad file.

    A study that was stopped goes on where it was: start it again with the same folder and table.
    """
    from rom.clinic.study_rows import StudyOptions
    from rom.clinic.study_run import plan

    table = out or folder / "study.parquet"
    options = StudyOptions(movement, side_named(side), filter_name, one_sensor)
    planned = plan(folder, table, options, force=force)
    if dry_run:
        _say_plan(planned, table, as_json=as_json)
        return
    rows = _run(planned, table, options, workers, scheduler, quiet=as_json)
    problems = [{"file": row["file"], "problem": row["problem"]} for row in rows if row.get("problem")]
    document: dict[str, Any] = {
        "schema": "romcap.study/1",
        "table": str(table),
        "recordings": len(planned.files),
        "measured_now": len(planned.todo),
        "rows": len(rows),
        "reps": sum(1 for row in rows if row.get("rep")),
        "problems": problems,
    }
    lines = [
        f"{table}: {document['reps']} reps of {len(planned.files)} recordings, {len(planned.todo)} measured "
        f"now, {planned.done} known before"
    ]
    lines += [f"  ! {problem['file']}: {problem['problem']}" for problem in problems]
    emit(document, "\n".join(lines), as_json=as_json)


def _say_plan(planned: "Plan", table: Path, *, as_json: bool) -> None:
    names = [file.name for file in planned.todo]
    document = {"schema": "romcap.study-plan/1", "table": str(table), "done": planned.done, "todo": names}
    lines = [f"{table}: {len(names)} of {len(planned.files)} recordings are to be measured"]
    emit(document, "\n".join([*lines, *(f"  {name}" for name in names)]), as_json=as_json)


def _run(
    planned: "Plan", table: Path, options: "StudyOptions", workers: int, scheduler: str, *, quiet: bool
) -> "list[Row]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rom.clinic.study_run import run

    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("measuring", total=len(planned.todo))

        return run(
            planned,
            table,
            options,
            workers=workers,
            scheduler=scheduler,
            progress=lambda _: bar.advance(task),
        )
