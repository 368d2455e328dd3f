"""`rom statistics`: the two tables that papers print, from raw numbers in a CSV file."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from rom.clinic.published import ChangeReport, ReliabilityReport

FileArgument = Annotated[Path, typer.Argument(help="CSV file of raw scores.", metavar="FILE.csv")]


def reliability(
    file: FileArgument,
    *,
    person: Annotated[str | None, typer.Option(help="Column of the person.")] = None,
    device: Annotated[str | None, typer.Option(help="Column of the device or rater.")] = None,
    rep: Annotated[str | None, typer.Option(help="Column of the repetition.")] = None,
    value: Annotated[str | None, typer.Option(help="Column of the value.")] = None,
    as_json: JsonOption = False,
) -> None:
    """SEM, MDC95, ICCs and limits of agreement of devices that measured everyone repeatedly."""
    from rom.clinic.published import reliability_report
    from rom.clinic.tables import read_repeats

    report = reliability_report(read_repeats(file, person=person, device=device, rep=rep, value=value))
    emit({"schema": "romcap.reliability/1", **asdict(report)}, _reliability_text(report), as_json=as_json)


def change(
    file: FileArgument,
    *,
    treated: Annotated[str | None, typer.Option(help="Name of the treated group.")] = None,
    person: Annotated[str | None, typer.Option(help="Column of the person.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of the group.")] = None,
    side: Annotated[str | None, typer.Option(help="Column of the side.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change of a treated and a control group: means, paired estimates, ANCOVA, effect sizes."""
    from rom.clinic.published import change_reports
    from rom.clinic.study import EFFECT_FORMULAS
    from rom.clinic.tables import read_changes

    reports = change_reports(read_changes(file, person=person, group=group, side=side), treated)
    document = {
        "schema": "romcap.group_change/1",
        "effect_formulas": EFFECT_FORMULAS,
        "measures": [asdict(report) for report in reports],
    }
    formulas = "\n".join(f"{name} = {formula}" for name, formula in EFFECT_FORMULAS.items())
    text = "\n\n".join(_change_text(report) for report in reports)
    emit(document, f"{text}\n\n{formulas}", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(help="Reproduce published tables from raw numbers.", no_args_is_help=True)
    family.command("reliability")(reliability)
    family.command("change")(change)
    app.add_typer(family, name="statistics")


def _reliability_text(report: "ReliabilityReport") -> str:
    result, pairs = report.analysis, list(enumerate(report.devices))
    by_device = ", ".join(
        f"{name} {result.sem_intra_by_device[place]:.3f} (MDC95 {report.mdc95_intra_by_device[place]:.2f})"
        for place, name in pairs
    )
    intra = ", ".join(f"{name} {result.intra_by_device[place]:.4f}" for place, name in pairs)
    lines = [
        f"{report.people} people, devices {' and '.join(report.devices)}, "
        f"{report.repetitions} repetitions each",
        f"Mean squares: people {result.ms_subjects:.3f}, devices {result.ms_devices:.3f}, "
        f"interaction {result.ms_interaction:.4f}, error {result.ms_error:.4f}",
        f"Between devices: {result.inter_random:.4f} (random), {result.inter_fixed:.4f} (fixed)",
        f"Within a device: {result.intra_random:.4f} (random), {result.intra_fixed:.4f} (fixed); {intra}",
        f"SEM within a device: {result.sem_intra:.3f} (MDC95 {report.mdc95_intra:.2f}); {by_device}",
        f"SEM between devices: {result.sem_inter_random:.3f} random (MDC95 {report.mdc95_inter_random:.2f}), "
        f"{result.sem_inter_fixed:.3f} fixed (MDC95 {report.mdc95_inter_fixed:.2f})",
    ]
    for name, forms in report.icc.items():
        values = ", ".join(f"{one.form} {one.value:.4f} ({one.low:.4f} to {one.high:.4f})" for one in forms)
        lines.append(f"{name}: {values}")
    pair = report.agreement
    lines.append(
        f"{report.devices[0]} minus {report.devices[1]}, means: bias {pair.bias:.3f}, SD {pair.sd:.3f}, "
        f"limits of agreement {pair.lower:.3f} ({_span(pair.lower_interval)}) "
        f"and {pair.upper:.3f} ({_span(pair.upper_interval)}); "
        f"slope on the mean {pair.slope:.4f} ({_p(pair.slope_p)})"
    )
    return "\n".join(lines)


def _change_text(report: "ChangeReport") -> str:
    lines = [f"{report.measure}"]
    for row in report.groups:
        change = row.people
        effects = ", ".join(f"{name} {value:.3f}" for name, value in change.effects.items())
        lines += [
            f"  {row.name}: {row.before.mean:.2f} ± {row.before.sd:.2f} -> {row.after.mean:.2f} ± "
            f"{row.after.sd:.2f} ({row.mean_change:+.2f}), {row.before.n} joints",
            f"    {change.change.n} people, sides averaged: {change.change.mean:+.2f} "
            f"(95 % {_span(change.interval, 2)}), t({change.df}) = {change.t:.3f}, {_p(change.p)}; {effects}",
        ]
    effect, scores = report.ancova, report.difference_scores
    lines += [
        f"  ANCOVA, {report.treated} against the other group at the same value before: {effect.value:.3f} "
        f"(SE {effect.se:.3f}, 95 % {_span(effect.interval, 2)}), {_p(effect.p)}, "
        f"with Holm over the measures {_p(report.ancova_p_holm)}",
        f"  t test of difference scores, for comparison: "
        f"{scores.value:.3f} (SE {scores.se:.3f}), {_p(scores.p)}",
    ]
    if report.sides is not None:
        lines.append(
            f"  Left against right before: {report.sides.form} {report.sides.value:.3f} "
            f"({report.sides.low:.3f} to {report.sides.high:.3f})"
        )
    return "\n".join(lines)


def _p(value: float) -> str:
    return f"p = {value:.5f}" if value >= 0.00001 else "p < 0.00001"


def _span(interval: tuple[float, float], decimals: int = 3) -> str:
    return f"{interval[0]:.{decimals}f} to {interval[1]:.{decimals}f}"
