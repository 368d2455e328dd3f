"""`rom bench`: romcap and its peers on the same data, in one run, as one table and one picture."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from imu.errors import InputError, RomcapError
from tools.cli.output import JsonOption, emit

SCHEMA = "romcap.bench/2"


def bench(
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of recordings with an optical reference, in the layout of its README."),
    ] = None,
    only: Annotated[str, typer.Option(help="Of these, only trials whose folder/name holds this.")] = "",
    worlds: Annotated[bool, typer.Option(help="Include the imagined treatments.")] = True,
    minutes: Annotated[
        list[float] | None, typer.Option(help="Length of a treatment; repeat for several. Default: 5 and 30.")
    ] = None,
    grade: Annotated[
        list[str] | None, typer.Option(help="Sensor grade: consumer, mid or research. Default: all.")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Axis of the joint: horizontal, oblique, near-vertical, vertical. Default: all."),
    ] = None,
    proximal: Annotated[
        list[str] | None, typer.Option(help="Proximal segment: moving or still. Default: both.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Worlds of each kind.", min=1)] = 1,
    first_seed: Annotated[int, typer.Option(help="Where seeds start; take one nobody has looked at.")] = 1000,
    ahrs: Annotated[bool, typer.Option(help="Include the (slow) filters of ahrs.")] = True,
    qmt: Annotated[bool, typer.Option(help="Include qmt, if it is installed.")] = True,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture to write, .svg or .png; none is drawn without."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score romcap beside VQF, ahrs and (if installed) qmt, on imagined treatments and on recordings.

    Imagined: slow passes with holds, soft tissue, non-hinge motion and a magnetised couch. All of it takes an
    hour; a look of a minute is `rom bench --minutes 5 --grade consumer --axis oblique --no-ahrs --no-qmt`.
    """
    import warnings

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from tools.bench.picture import draw
    from tools.bench.qmt_chain import why_absent
    from tools.bench.scoring import Row
    from tools.bench.table import behind, held_sentences, page, trial_lines, world_lines
    from tools.bench.trials import score_folder, trial_folders
    from tools.bench.world_scores import Score, score_world
    from tools.bench.worlds import GRADES, INCLINATIONS, MINUTES, clinic_worlds

    if out is not None and out.suffix not in (".svg", ".png"):
        raise InputError(f"--out must end in .svg or .png, got {out.name}")
    if data is not None and not data.is_dir():
        raise InputError(f"--data must be a folder of .npz trials, got {data}; name one that exists")
    chosen = clinic_worlds(
        _positive(minutes or MINUTES),
        _among("--grade", grade, tuple(GRADES)),
        _among("--axis", axis, tuple(INCLINATIONS)),
        _among("--proximal", proximal, ("moving", "still")),
    )
    if data is None and not worlds:
        raise InputError("--no-worlds leaves nothing to score; name recordings with --data")
    planned = [(world, first_seed + k) for world in chosen for k in range(seeds)] if worlds else []
    folders = [] if data is None else trial_folders(data, only)
    if data is not None and not folders:
        raise InputError(f"{data} holds no .npz trial{f' named like {only}' if only else ''}; name another")
    notes = [absent] if qmt and (absent := why_absent()) else []
    scores: list[Score] = []
    rows: list[Row] = []
    columns = SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with (
        warnings.catch_warnings(action="ignore"),
        Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress,
    ):
        total = len(planned) + sum(len(wanted) for _, wanted in folders)
        task = progress.add_task("", total=total)
        for folder, wanted in folders:
            progress.update(task, description=folder.name)
            for scored in score_folder(folder, wanted, notes.append, ahrs=ahrs, qmt=qmt):
                rows += scored
                progress.advance(task)
        for world, seed in planned:
            progress.update(task, description=f"{world.name}, seed {seed}")
            try:
                scores += score_world(world, seed, ahrs=ahrs, qmt=qmt)
            except RomcapError as error:
                notes.append(f"{world.name}, seed {seed} is not scored: {error}")
            progress.advance(task)
    scored = len({(score.world, score.seed) for score in scores})
    if scored < len(planned):
        notes.append(f"{len(planned) - scored} of {len(planned)} imagined treatments are not scored.")
    if out is not None:
        draw(scores, rows, out)
    lines = [*trial_lines(rows), *world_lines(scores)]
    lag = behind(rows)
    document = {
        "schema": SCHEMA,
        "summary": [line.to_document() for line in lines],
        "worlds": [score.to_document() for score in scores],
        "trials": rows,
        "behind_best_peer": [asdict(case) for case in lag.cases],
        "notes": notes,
        "picture": None if out is None else str(out),
    }
    emit(
        document, "\n".join([page(lines), *held_sentences(scores), *lag.sentences(), *notes]), as_json=as_json
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def _positive(minutes: Sequence[float]) -> Sequence[float]:
    if any(not 2.0 <= length <= 240.0 for length in minutes):
        raise InputError(f"--minutes must lie between 2 and 240, got {' '.join(f'{m:g}' for m in minutes)}")
    return minutes


def _among(option: str, wanted: Sequence[str] | None, known: tuple[str, ...]) -> Sequence[str]:
    """Return what was asked for, or everything; refuse words nobody knows."""
    strange = [word for word in wanted or () if word not in known]
    if strange:
        raise InputError(f"{option} must be one of {', '.join(known)}, got {' '.join(strange)}")
    return wanted or known
