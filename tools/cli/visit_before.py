"""The steps of `rom visit` before hands are laid on: screening, history, sensors, and every test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit
from tools.cli.practice import ClientArgument, DespiteOption, practice_of

if TYPE_CHECKING:
    from rom.clinic.screening import Answer
    from rom.clinic.trials import Attached


def add_steps(group: typer.Typer) -> None:
    """Add the steps to the group."""
    for step in (questions, screen, tell, setup, record):
        group.command()(step)


def questions(*, as_json: JsonOption = False) -> None:
    """Print the questions of the screening with what a yes means and where they come from."""
    from rom.clinic.screening import RULES

    lines: list[str] = []
    for rule in RULES:
        lines.append(f"{rule.code} {rule.question} [{rule.level}; {rule.source}]")
        if rule.softer:
            lines.append(
                f"     --detail {rule.code}={rule.softer.key}: {rule.softer.means} [{rule.softer.level}]"
            )
    document = [
        {
            "code": rule.code,
            "question": rule.question,
            "level": str(rule.level),
            "source": rule.source,
            "says": rule.says,
            "softer": None if rule.softer is None else rule.softer.key,
        }
        for rule in RULES
    ]
    emit({"questions": document}, "\n".join(lines), as_json=as_json)


def screen(
    context: typer.Context,
    code: ClientArgument,
    *,
    no_to_all: Annotated[bool, typer.Option("--no-to-all", help="No to every question not named.")] = False,
    as_last_time: Annotated[bool, typer.Option("--as-last-time", help="Nothing new since.")] = False,
    yes: Annotated[list[str] | None, typer.Option(help="RF04, or RF04=knee,hip for regions.")] = None,
    no: Annotated[list[str] | None, typer.Option(help="RF04.")] = None,
    unknown: Annotated[list[str] | None, typer.Option(help="RF05; counts as a warning.")] = None,
    detail: Annotated[
        list[str] | None, typer.Option(help="RF07=evaluated, see `rom visit questions`.")
    ] = None,
    override: Annotated[str, typer.Option(help="Go on past this stop; needs --by and --reason.")] = "",
    by: Annotated[str, typer.Option(help="Clinician who answers for going on.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Answer the screening. A stop holds until a named clinician goes on with a reason."""
    from dataclasses import replace

    from rom.clinic.facts import answers_of
    from rom.clinic.intake import answers_last_time
    from rom.clinic.intake import screen as write
    from rom.clinic.screening import RULES, Answer, Reply, rule

    practice = practice_of(context)
    given: dict[str, Answer] = {}
    if as_last_time:
        given |= {answer.code: answer for answer in answers_last_time(practice.desk, code)}
    if no_to_all:
        given |= {r.code: Answer(r.code, Reply.NO) for r in RULES if r.code not in given}
    for reply, named in ((Reply.NO, no), (Reply.UNKNOWN, unknown), (Reply.YES, yes)):
        for text in named or ():
            question, _, regions = text.partition("=")
            rule(question)
            given[question] = Answer(question, reply, regions=frozenset(r for r in regions.split(",") if r))
    for text in detail or ():
        question, _, words = text.partition("=")
        if question not in given:
            raise InputError(f"--detail {text}: answer {question} in the same call")
        given[question] = replace(given[question], detail=words)
    if override:
        rule(override)
        before = given.get(override) or _answered(practice.desk, code, override, answers_of)
        given[override] = replace(before, override_by=by, override_reason=reason)
    if by and not override:
        raise InputError("--by and --reason belong to --override RFnn")
    result = write(practice.desk, code, given.values())
    lines = [finding.sentence() for finding in result.findings] or ["Nothing said."]
    if result.missing:
        lines.append(f"Unanswered: {', '.join(result.missing)}")
    document = {
        "findings": [
            {"code": f.rule.code, "level": str(f.level), "passed": f.overridden, "sentence": f.sentence()}
            for f in result.findings
        ],
        "open_stops": [f.rule.code for f in result.open_stops],
        "missing": list(result.missing),
    }
    emit(document, "\n".join(lines), as_json=as_json)


def tell(
    context: typer.Context,
    code: ClientArgument,
    *,
    pain: Annotated[float, typer.Option(help="NPRS now, 0 to 10.")],
    worst: Annotated[float | None, typer.Option(help="NPRS at its worst.")] = None,
    day: Annotated[float | None, typer.Option(help="NPRS over the last 24 h.")] = None,
    medication: Annotated[str | None, typer.Option()] = None,
    aggravators: Annotated[str | None, typer.Option()] = None,
    tasks: Annotated[str | None, typer.Option(help="Repeated tasks.")] = None,
    training: Annotated[str | None, typer.Option(help="Training load.")] = None,
    injury: Annotated[str | None, typer.Option(help="Prior injuries.")] = None,
    news: Annotated[str | None, typer.Option(help="What is new since last time.")] = None,
) -> None:
    """Write down what the client tells, pain first."""
    from rom.clinic.intake import tell as write

    practice = practice_of(context)
    write(
        practice.desk,
        code,
        pain,
        nprs_worst=worst,
        nprs_day=day,
        medication=medication,
        aggravators=aggravators,
        repetitive_tasks=tasks,
        training_load=training,
        prior_injury=injury,
        news=news,
    )
    print(f"{code.upper()}: pain {pain:g}.")


def setup(
    context: typer.Context,
    code: ClientArgument,
    recording: Annotated[Path | None, typer.Argument(help="Take the sensors of this recording.")] = None,
    *,
    sensor: Annotated[list[str] | None, typer.Option(help="SEGMENT=ID, such as left_shank=DOT-3.")] = None,
    kind: Annotated[str, typer.Option(help="Sensor family.")] = "unknown",
    rate: Annotated[float, typer.Option(help="Samples per second.")] = float("nan"),
    off: Annotated[list[str] | None, typer.Option(help="Segment whose sensor came off.")] = None,
    conflict: Annotated[bool, typer.Option("--strap-conflict", help="A strap is in the way.")] = False,
) -> None:
    """Put sensors on or take them off. `rom visit record` takes them from the recording if you don't."""
    from imu.recording_values import SensorInfo
    from rom.clinic.intake import put_on, take_off

    desk = practice_of(context).desk
    for segment in off or ():
        take_off(desk, code, segment)
    infos: list[SensorInfo] = []
    for text in sensor or ():
        segment, _, name = text.partition("=")
        if not name:
            raise InputError(f"--sensor {text}: expected SEGMENT=ID, such as left_shank=DOT-3")
        infos.append(SensorInfo(name, segment, kind, rate))
    if recording is not None:
        from imu.recording import Recording

        infos += Recording.open(recording).header.sensors
    if infos or not off:
        print(f"{put_on(desk, code, infos, strap_conflict=conflict)} sensors are on.")


def record(
    context: typer.Context,
    code: ClientArgument,
    recording: Annotated[Path, typer.Argument(help="Recording, from `rom capture` or simulated.")],
    *,
    movement: Annotated[str, typer.Option(help="As the recording says if left out.")] = "",
    side: Annotated[str, typer.Option(help="As the recording says if left out.")] = "",
    aggregate: Annotated[str, typer.Option(help="mean_2_to_k or best_of_3.")] = "mean_2_to_k",
    came_off: Annotated[
        bool | None, typer.Option("--came-off/--stayed-on", help="Did sensors come off since the baseline?")
    ] = None,
    pain: Annotated[float | None, typer.Option(help="NPRS with this movement.")] = None,
    variant: Annotated[str, typer.Option(help="How the start position differed.")] = "",
    despite: DespiteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a recording a test of the visit: baseline before treatment, re-test after it."""
    from rom.clinic.straps import measure_in_visit
    from rom.clinic.trials import attach

    practice = practice_of(context)
    desk = practice.desk
    measured = measure_in_visit(
        desk, code, recording, movement=movement, side=side, aggregate=aggregate, came_off=came_off
    )
    done = attach(desk, code, measured, came_off=came_off, nprs=pain, variant=variant, despite=despite)
    emit(_document(done), _text(done, practice.catalogue.movement(done.trial.movement)), as_json=as_json)


def _answered(desk: Any, code: str, question: str, answers_of: Any) -> "Answer":
    with desk.step(code) as step:
        found = [answer for answer in answers_of(step.ledger, step.visit) if answer.code == question]
    if not found:
        raise InputError(f"{question} is not answered yet; there is nothing to go on past")
    return found[0]


def _document(done: "Attached") -> dict[str, Any]:
    return {
        "trial": done.trial.n,
        "phase": done.trial.phase,
        "movement": done.trial.movement,
        "side": done.trial.side,
        "value_deg": done.trial.value_deg,
        "known": done.known,
        "quality": done.trial.quality,
        "comparison": None if done.comparison is None else done.comparison.to_document(),
        "symmetry": None if done.symmetry is None else done.symmetry.to_document(),
    }


def _text(done: "Attached", movement: Any) -> str:
    trial = done.trial
    value = "too few reps" if trial.value_deg is None else f"{trial.value_deg:.1f}°"
    lines = [f"Trial {trial.n}, {trial.phase}: {movement.title(trial.side)} {value}."]
    if done.known:
        lines.append("This recording was part of the visit already; nothing was added.")
    lines += [result.sentence() for result in (done.comparison, done.symmetry) if result is not None]
    quality = trial.quality or {}
    lines += [f"Note: {words}." for words in (*quality.get("warnings", ()), *quality.get("damage", ()))]
    return "\n".join(lines)
