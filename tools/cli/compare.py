"""`rom compare` and `rom symmetry`: recordings in, a verdict in one sentence out."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imu.errors import InputError
from tools.cli.measure import side_named
from tools.cli.output import JsonOption, emit, probability

if TYPE_CHECKING:
    from imu.block import FloatArray
    from rom.catalogue.movement import Movement
    from rom.estimate import Estimate
    from rom.sample import RepSample
    from rom.trial import Trial
    from rom.verdict import Difference

MovementOption = Annotated[
    str, typer.Option(help="Id of the movement, as `rom movements` lists it; else what the recording says.")
]
SideOption = Annotated[str, typer.Option(help="left, right or midline; else what the recording says.")]
AggregateOption = Annotated[
    Literal["mean_2_to_k", "best_of_3"],
    typer.Option(help="Mean of the reps after the first, or the best of the first three."),
]
OwnSemOption = Annotated[
    float | None,
    typer.Option(help="Own SEM between sessions, degrees, for a movement without a published one."),
]
CatalogueOption = Annotated[
    Path | None, typer.Option("--catalogue", help="Your own CSV file or folder, laid over the shipped one.")
]


def compare(
    pre: Annotated[Path, typer.Argument(help="Recording before.", metavar="PRE")],
    post: Annotated[Path, typer.Argument(help="Recording after.", metavar="POST")],
    *,
    movement: MovementOption = "",
    side: SideOption = "",
    restrapped: Annotated[
        bool, typer.Option("--restrapped", help="Sensors came off or moved in between.")
    ] = False,
    control_pre: Annotated[
        Path | None, typer.Option(help="Recording of the untreated side or movement before.")
    ] = None,
    control_post: Annotated[
        Path | None, typer.Option(help="Recording of the untreated side or movement after.")
    ] = None,
    aggregate: AggregateOption = "mean_2_to_k",
    target_deg: Annotated[
        float | None,
        typer.Option(help="Angle to reach, degrees; else that of a control on the other side."),
    ] = None,
    mcid_deg: Annotated[
        float | None, typer.Option(help="Smallest change that matters, degrees; none is shipped.")
    ] = None,
    own_sem_deg: OwnSemOption = None,
    catalogue: CatalogueOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from one recording to the next, how sure that is, and what could explain it."""
    from rom.compare import Target
    from rom.trials import compare_trials

    if (control_pre is None) != (control_post is None):
        raise InputError("a control needs two recordings: give both --control-pre and --control-post")
    known = _movement(movement, catalogue)
    pair = _pair(pre, post, known, side, restrapped)
    trials = {"pre": pair[0], "post": pair[1]}
    control = None
    if control_pre is not None and control_post is not None:
        control = _pair(control_pre, control_post, "", "", restrapped)
        trials |= {"control_pre": control[0], "control_post": control[1]}
    result = compare_trials(
        *pair,
        restrapped=restrapped,
        control=control,
        aggregate=aggregate,
        target=None if target_deg is None else Target("target", math.radians(target_deg)),
        mcid=_radians(mcid_deg),
        own_sem=_radians(own_sem_deg),
    )
    lines = [
        result.sentence(),
        "",
        f"Before  {_reps(result.pre)}",
        f"After   {_reps(result.post)}",
        *_numbers(result.change, "more range"),
    ]
    if result.trend is not None:
        lines.append(f"Beyond the trend over reps: {_estimate(result.trend)}")
    if result.control is not None:
        lines.append(f"Beyond the untreated one: {_estimate(result.control.beyond)}")
    if result.percent_of_deficit is not None and result.target is not None:
        lines.append(f"Of what was missing to the {result.target.name}: {result.percent_of_deficit:.0f} %")
    document = result.to_document() | {"recordings": _provenance(trials)}
    emit(document, "\n".join([*lines, *_warnings(trials)]), as_json=as_json)


def symmetry(
    left: Annotated[Path, typer.Argument(help="Recording of the left side.", metavar="LEFT")],
    right: Annotated[Path, typer.Argument(help="Recording of the right side.", metavar="RIGHT")],
    *,
    movement: MovementOption = "",
    involved: Annotated[Literal["left", "right"], typer.Option(help="The side of the complaint.")] = "left",
    aggregate: AggregateOption = "mean_2_to_k",
    own_sem_deg: OwnSemOption = None,
    catalogue: CatalogueOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how one side compares with the other: degrees first, percentages where they mean something."""
    from rom.trials import symmetry_of_trials

    known = _movement(movement, catalogue)
    trials = {"left": _trial(left, known), "right": _trial(right, known)}
    result = symmetry_of_trials(
        trials["left"],
        trials["right"],
        involved=involved,
        aggregate=aggregate,
        own_sem=_radians(own_sem_deg),
    )
    lines = [
        result.sentence(),
        "",
        f"Left    {_reps(result.left)}",
        f"Right   {_reps(result.right)}",
        *_numbers(result.difference, f"more range on the {involved} side"),
    ]
    if result.indices is not None:
        lines.append(
            f"LSI {result.indices.lsi:.1f} %, Robinson {result.indices.robinson:+.1f} %, symmetry angle "
            f"{result.indices.angle:+.2f} %, normalised {result.indices.normalised:+.1f} %, "
            f"bilateral asymmetry {result.indices.bilateral:.1f} %"
        )
    document = result.to_document() | {"recordings": _provenance(trials)}
    emit(document, "\n".join([*lines, *_warnings(trials)]), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("compare")(compare)
    app.command("symmetry")(symmetry)


def _movement(movement: str, catalogue: Path | None) -> "Movement | str":
    if not movement:
        if catalogue is not None:
            raise InputError("--catalogue needs --movement, to know which entry is meant")
        return ""
    from rom.catalogue.loader import load_catalogue

    return load_catalogue(catalogue).movement(movement)


def _pair(
    pre: Path, post: Path, movement: "Movement | str", side: str, restrapped: bool
) -> "tuple[Trial, Trial]":
    from imu.recording import Recording
    from rom.trials import analyse_pair

    return analyse_pair(
        Recording.open(pre), Recording.open(post), movement, side_named(side), restrapped=restrapped
    )


def _trial(path: Path, movement: "Movement | str") -> "Trial":
    from imu.recording import Recording
    from rom.trial import analyse

    return analyse(Recording.open(path), movement)


def _reps(sample: "RepSample") -> str:
    def listed(values: "FloatArray") -> str:
        return ", ".join(f"{math.degrees(value):.1f}" for value in values)

    value = f"{math.degrees(sample.value):.1f}°"
    if sample.aggregate == "best_of_3":
        return f"{value}, best of {listed(sample.used)}"
    warming = f" (warming up: {listed(sample.values[: sample.warm_ups])})" if sample.warm_ups else ""
    return f"{value}, mean of {listed(sample.used)}{warming}"


def _numbers(found: "Difference", positive: str) -> list[str]:
    limit = found.yardstick.mdc95
    above = (
        "" if limit is None else f", P(beyond the MDC) {probability(found.estimate.probability_above(limit))}"
    )
    lines = [
        f"Difference {_estimate(found.estimate)}, "
        f"P({positive}) {probability(found.estimate.probability_above(0.0))}{above}"
    ]
    lines += _parts(found)
    if found.plain is not None:
        lines.append(f"From these reps alone (t interval): {_estimate(found.plain)}")
    if found.exact is not None:
        lines.append(
            f"Exact permutation p = {found.exact.p:.4f}; so few reps could not give less than "
            f"{found.exact.floor:.4f}"
        )
    return lines


def _parts(found: "Difference") -> list[str]:
    parts = found.parts
    sensors, straps, tissue = (math.degrees(p) for p in (parts.sensors, parts.straps, parts.soft_tissue))
    where = "in the interval with what straps do" if parts.in_interval else "beside the interval"
    return [
        f"One sigma of it: sensors {sensors:.1f}°, straps {straps:.1f}°; skin against bone {tissue:.1f}° "
        f"({where})"
    ]


def _estimate(found: "Estimate") -> str:
    low, high = (math.degrees(end) for end in found.interval())
    return f"{math.degrees(found.value):+.1f}° (95 % {low:+.1f} to {high:+.1f})"


def _provenance(trials: "dict[str, Trial]") -> dict[str, object]:
    return {
        name: {"provenance": trial.provenance, "warnings": list(trial.warnings)}
        for name, trial in trials.items()
    }


def _warnings(trials: "dict[str, Trial]") -> list[str]:
    found = [f"{name.replace('_', ' ')}: {text}" for name, trial in trials.items() for text in trial.warnings]
    return ["", *found] if found else []


def _radians(angle_deg: float | None) -> float | None:
    return None if angle_deg is None else math.radians(angle_deg)
