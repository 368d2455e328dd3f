"""`rom demo`: a simulated visit through the whole chain, from samples to verdict and report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit, probability

if TYPE_CHECKING:
    from tools.report.findings import VisitFindings

SCHEMA = "romcap.demo/1"
CLIENT = "P0042"


def demo(
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the recordings and the report; made if absent.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed is another person with other sensors.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what an earlier demo left in the folder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a visit, measure it, say what changed, and write a report. No sensor is needed.

    Both knees are tested, three structures of the left thigh and calf are treated in passes, each
    followed by a re-test, and the untreated right knee is tested again. All data are simulated.
    """
    from tools.report.html import render_html
    from tools.report.visit import visit_report

    report = out / "report.html"
    if (report.exists() or (out / "recordings").exists()) and not force:
        raise InputError(
            f"{out} already holds a demo; choose another folder with --out or replace it with --force"
        )
    visit, recordings, injected = _visit(out / "recordings", seed, quiet=as_json)
    report.write_text(render_html(visit_report(visit)), encoding="utf-8")
    final = visit.retests[-1].comparison
    names = {one: found.name for one, found in visit.structures.items()}
    document = {
        "schema": SCHEMA,
        "simulated": True,
        "seed": seed,
        "verdicts": list(visit.verdicts),
        "injected_gain_deg": injected,
        "retests": [
            {"structure": retest.structures[0]} | retest.comparison.to_document() for retest in visit.retests
        ],
        "symmetry": None if visit.symmetry_after is None else visit.symmetry_after.to_document(),
        "report": str(report),
        "recordings": [str(path) for path in recordings],
    }
    lines = ["Simulated data: no person was measured.", ""]
    for retest in visit.retests[:-1]:
        low, high = (round(_deg(end)) for end in retest.comparison.change.estimate.interval())
        name = names[retest.structures[0]]
        value = round(_deg(retest.comparison.change.value))
        lines.append(f"After {name}: {value:+d}° since the baseline (95 % {low:+d} to {high:+d}).")
    lines += [
        f"After {names[visit.retests[-1].structures[0]]}, the end of the visit:",
        "",
        *visit.verdicts,
        "",
        f"Put in by the simulator: {injected['treated']:+.1f}° on the treated side, of which "
        f"{injected['warm_up']:+.1f}° warm-up.",
        f"P(more range) {probability(final.change.estimate.probability_above(0.0))}.",
        "",
        f"Report      {report}",
        f"Recordings  {out / 'recordings'} ({len(recordings)} files; try `rom replay` or `rom info` on one)",
    ]
    emit(document, "\n".join(lines), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def _visit(folder: Path, seed: int, *, quiet: bool) -> "tuple[VisitFindings, list[Path], dict[str, float]]":
    """Simulate, record and analyse a visit; return it, its files and the gains that were put in, degrees."""
    from rich.console import Console
    from rich.progress import Progress

    from imu.recording import Recording
    from rom.catalogue.loader import load_catalogue
    from rom.limb_recording import write_recording
    from rom.limb_visit import VisitSpec, simulate_visit
    from rom.trial import Trial, analyse
    from rom.trials import compare_trials, symmetry_of_trials
    from tools.report.from_trials import visit_of_trials

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.mcap"):
        old.unlink()
    spec = VisitSpec()
    started = datetime.now(UTC).astimezone()
    paths: list[Path] = []
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("simulating", total=None)
        simulated = simulate_visit(spec, seed)
        progress.update(task, description="measuring", total=len(simulated), completed=0)
        trials: list[Trial] = []
        for number, part in enumerate(simulated, start=1):
            path = folder / "_".join(filter(None, (f"{number:02d}", part.phase, part.side, part.structure)))
            paths.append(path.with_suffix(".mcap"))
            write_recording(paths[-1], [part.recording], started, client=CLIENT, phase=part.phase)
            baseline = next((t for t in trials if t.side == part.side and t.setup.calibration), None)
            kept = (
                ()
                if baseline is None or baseline.setup.calibration is None
                else (baseline.setup.calibration,)
            )
            trials.append(analyse(Recording.open(paths[-1]), calibrations=kept))
            progress.advance(task)
    treated = [trial for trial in trials if trial.side == spec.treated]
    control = [trial for trial in trials if trial.side != spec.treated]
    before, after = treated[0], treated[-1]
    retested = [
        (part, trial) for part, trial in zip(simulated, trials, strict=True) if part.phase == "retest"
    ]
    retests = [
        ((part.structure,), compare_trials(before, trial, control=(control[0], control[-1])))
        for part, trial in retested
        if trial.side == spec.treated
    ]
    pairs = [
        (t, c) if spec.treated == "left" else (c, t) for t, c in ((before, control[0]), (after, control[-1]))
    ]
    involved = "left" if spec.treated == "left" else "right"
    symmetries = [symmetry_of_trials(left, right, involved=involved) for left, right in pairs]
    catalogue = load_catalogue()
    visit = visit_of_trials(
        CLIENT,
        started,
        before=before,
        after=after,
        control=(control[0], control[-1]),
        treatments=[trial for trial in treated if trial.passes],
        retests=retests,
        symmetry_before=symmetries[0],
        symmetry_after=symmetries[1],
        structures={name: catalogue.structure(name) for name, _ in spec.effects},
    )
    gain = sum(effect for _, effect in spec.effects) + spec.warm_up
    return visit, paths, {"treated": _deg(gain), "warm_up": _deg(spec.warm_up)}


def _deg(angle: float) -> float:
    from math import degrees

    return degrees(angle)
