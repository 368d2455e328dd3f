"""The steps of `rom visit` with hands on: findings, treatments, passes, stops, and scores on the way."""

from pathlib import Path
from typing import Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit
from tools.cli.practice import ClientArgument, DespiteOption, practice_of


def add_steps(group: typer.Typer) -> None:
    """Add the steps to the group."""
    for step in (palpate, treat, retarget, halt, score, pressure, adverse):
        group.command()(step)
    group.command("pass")(one_pass)


def palpate(
    context: typer.Context,
    code: ClientArgument,
    structure: Annotated[str, typer.Argument(help="A few letters of its name.")],
    side: Annotated[str, typer.Argument(help="left, right or midline.")],
    *,
    texture: Annotated[str, typer.Option(help="tight, thickened, gritty or none.")] = "none",
    tender: Annotated[int, typer.Option(help="0 to 3.")] = 0,
    familiar: Annotated[
        bool | None, typer.Option("--familiar/--not-familiar", help="Reproduces the familiar symptom?")
    ] = None,
    despite: DespiteOption = "",
) -> None:
    """Write a finding down; the structure is treated next."""
    from rom.clinic.treating import Texture
    from rom.clinic.treating import palpate as write

    practice = practice_of(context)
    if texture not in tuple(Texture):
        raise InputError(f"tissue feels {', '.join(Texture)}; got {texture!r}")
    fitting = practice.catalogue.find_structures(structure)
    exact = [one for one in fitting if one.id == structure]
    if not exact and len(fitting) != 1:
        names = ", ".join(one.id for one in fitting[:6]) or "none"
        raise InputError(f"{structure!r} fits {len(fitting)} structures ({names}); give one of them")
    found = (exact or fitting)[0]
    write(
        practice.desk,
        code,
        found.id,
        side,
        texture=Texture(texture),
        tender=tender,
        familiar=familiar,
        despite=despite,
    )
    print(found.summary)
    if found.contact_caution:
        print(f"Caution: {found.contact_caution}")


def treat(
    context: typer.Context,
    code: ClientArgument,
    technique: Annotated[str, typer.Argument(help="ART, Graston, ASTYM, 'other IASTM', massage, ...")],
    *,
    tool: Annotated[str, typer.Option()] = "",
) -> None:
    """Begin the work on the structure that was palpated last."""
    from rom.clinic.treating import Technique
    from rom.clinic.treating import treat as begin

    named = {str(one).lower(): one for one in Technique}
    if technique.lower() not in named:
        raise InputError(f"techniques are {', '.join(Technique)}; got {technique!r}")
    row = begin(practice_of(context).desk, code, named[technique.lower()], tool)
    print(f"{row.technique} on {row.structure} {row.side}.")


def one_pass(
    context: typer.Context,
    code: ClientArgument,
    recording: Annotated[Path | None, typer.Argument(help="Take every pass of this recording.")] = None,
    *,
    on: Annotated[bool, typer.Option("--on", help="Contact on.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Contact off.")] = False,
    discomfort: Annotated[float | None, typer.Option(help="0 to 10.")] = None,
    stopped: Annotated[str, typer.Option(help="sharp, radiating, numbness, dizziness or stop.")] = "end",
    start_deg: Annotated[float | None, typer.Option(help="Angle at the shortened end.")] = None,
    end_deg: Annotated[float | None, typer.Option(help="Angle at the lengthened end.")] = None,
    contact: Annotated[str, typer.Option(help="fingers, thumb, elbow or instrument.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Log passes: contact on, contact off, or all of a recording."""
    from rom.clinic.straps import measure_in_visit
    from rom.clinic.treating import contact_off, contact_on, passes_from

    if [on, off, recording is not None].count(True) != 1:
        raise InputError("say one of --on, --off or a recording")
    practice = practice_of(context)
    if recording is not None:
        rows = passes_from(practice.desk, code, measure_in_visit(practice.desk, code, recording))
        lines = [f"pass {r.n}: {r.start_deg or 0:.0f}° to {r.end_deg or 0:.0f}°" for r in rows]
        emit({"passes": [row.values() for row in rows]}, "\n".join(lines), as_json=as_json)
    elif on:
        row = contact_on(practice.desk, code, contact)
        emit(row.values(), f"Pass {row.n}.", as_json=as_json)
    else:
        ended = contact_off(
            practice.desk,
            code,
            discomfort=discomfort,
            stopped=stopped,
            start_deg=start_deg,
            end_deg=end_deg,
        )
        reach = "" if ended.reach is None else f" Stopped: {ended.reach}."
        emit(ended.record.values(), f"Pass {ended.record.n} ended.{reach}", as_json=as_json)


def retarget(context: typer.Context, code: ClientArgument, *, despite: DespiteOption = "") -> None:
    """Move on from a re-test: the anatomical neighbours up and down the chain, as suggestions."""
    from rom.clinic.treating import retarget as move_on

    up, down = move_on(practice_of(context).desk, code, despite)
    for title, found in (("Up the chain", up), ("Down the chain", down)):
        print(f"{title}: {', '.join(one.id for one in found) or 'none'}")


def halt(
    context: typer.Context,
    code: ClientArgument,
    why: Annotated[str, typer.Argument(help="One word: sharp, numbness, dizziness, ...")],
    *,
    reason: Annotated[str, typer.Option(help="What happened.")],
    action: Annotated[str, typer.Option(help="What was done.")],
    told: Annotated[str, typer.Option(help="Who was told.")],
) -> None:
    """Break the visit off for safety."""
    practice_of(context).desk.halt(code, why, reason=reason, action=action, told=told)
    print("The visit is halted. `rom visit close` ends it.")


def score(
    context: typer.Context,
    code: ClientArgument,
    instrument: Annotated[str, typer.Argument(help="NDI, ODI, LEFS, VAS, ...: the total only.")],
    value: Annotated[float, typer.Argument()],
    unit: Annotated[str, typer.Argument(help="Such as points or mm.")],
    *,
    moment: Annotated[str, typer.Option(help="before or after.")] = "",
) -> None:
    """Write the total of a questionnaire or scale down."""
    from rom.clinic.closing import add_score

    with practice_of(context).desk.step(code) as step:
        add_score(step, instrument, value, unit, moment)
    print(f"{instrument} {value:g} {unit}.")


def pressure(
    context: typer.Context,
    code: ClientArgument,
    site: Annotated[str, typer.Argument()],
    side: Annotated[str, typer.Argument()],
    trials: Annotated[list[float], typer.Argument(help="One to three trials, kPa.")],
    *,
    probe_cm2: Annotated[float, typer.Option()] = 1.0,
) -> None:
    """Write a pressure-pain threshold down: up to three trials in kPa."""
    from rom.clinic.store_visits import PressurePain

    if len(trials) > 3 or min(trials) <= 0:
        raise InputError(f"one to three trials above 0 kPa are expected, got {trials}")
    values: list[Any] = [*trials, None, None]
    with practice_of(context).desk.step(code) as step:
        step.ledger.add(
            PressurePain(
                visit_id=step.visit.id,
                site=site,
                side=side,
                trial1_kpa=values[0],
                trial2_kpa=values[1],
                trial3_kpa=values[2],
                probe_cm2=probe_cm2,
            )
        )
    print(f"{site} {side}: {sum(trials) / len(trials):.0f} kPa.")


def adverse(
    context: typer.Context,
    code: ClientArgument,
    grade: Annotated[str, typer.Argument(help="mild, moderate or severe.")],
    description: Annotated[str, typer.Argument()],
    *,
    action: Annotated[str, typer.Option(help="What was done.")] = "",
) -> None:
    """Write an adverse event down, such as a bruise or soreness beyond three days."""
    from rom.clinic.closing import log_adverse

    if grade not in ("mild", "moderate", "severe"):
        raise InputError(f"an adverse event is mild, moderate or severe, got {grade!r}")
    practice = practice_of(context)
    log_adverse(practice.store, practice.actor, code, grade=grade, description=description, action=action)
    print(f"Adverse event of {code.upper()} is written.")
