"""`rom visit`: one session, step by step; every step is kept, so every state can be left and resumed."""

import shlex
import sys
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError, RomcapError
from tools.cli import visit_before, visit_hands
from tools.cli.output import JsonOption, emit
from tools.cli.practice import (
    ClientArgument,
    ClinicianOption,
    DatabaseOption,
    DespiteOption,
    FolderOption,
    Practice,
    practice_of,
    with_practice,
)

if TYPE_CHECKING:
    from rom.clinic.visit import State

StayOption = Annotated[
    bool, typer.Option("--stay", help="Stay, and take the next steps from the keyboard, one a line.")
]


class Form(StrEnum):
    """How the state machine is drawn."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


def visit_group() -> typer.Typer:
    """Return the commands of a visit."""
    group = typer.Typer(
        help="A visit, step by step: start, screen, tell, record, palpate, treat, pass, record, close, sign.",
        invoke_without_command=True,
    )
    group.callback()(visit)
    for step in (start, resume, status, go, close, sign, note, review):
        group.command()(step)
    visit_before.add_steps(group)
    visit_hands.add_steps(group)
    return group


def visit(
    context: typer.Context,
    *,
    practice: FolderOption = None,
    database: DatabaseOption = None,
    clinician: ClinicianOption = "",
    diagram: Annotated[bool, typer.Option("--diagram", help="Draw the states of a visit instead.")] = False,
    form: Annotated[Form, typer.Option("--form", help="Of the diagram.")] = Form.TEXT,
) -> None:
    """Work on a visit."""
    if diagram:
        from rom.clinic.visit import diagram as draw

        print(draw(str(form)))
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit
    with_practice(context, practice, database, clinician)


def start(
    context: typer.Context,
    code: ClientArgument,
    *,
    episode: Annotated[str, typer.Option(help="Part of its complaint, if several are open.")] = "",
    reps: Annotated[int, typer.Option(help="Valid reps wanted in a test.")] = 5,
    passes: Annotated[int, typer.Option(help="Most passes over one structure.")] = 5,
    discomfort: Annotated[float, typer.Option(help="Above this a pass counts as stopped.")] = 7.0,
    location: Annotated[str, typer.Option()] = "",
    stay: StayOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a visit; it begins with the screening."""
    from rom.clinic.desk import Limits

    practice = practice_of(context)
    practice.desk.start(code, Limits(reps, passes, discomfort), episode, location)
    _status(practice, code, as_json=as_json)
    if stay:
        _stay(practice, code)


def resume(
    context: typer.Context,
    code: ClientArgument,
    *,
    take_over: Annotated[bool, typer.Option("--take-over", help="From another station.")] = False,
    stay: StayOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say where the open visit stands and what comes next, also after a crash or at another station."""
    practice = practice_of(context)
    if take_over:
        practice.desk.take_over(code)
    _status(practice, code, as_json=as_json)
    if stay:
        _stay(practice, code)


def status(context: typer.Context, code: ClientArgument, *, as_json: JsonOption = False) -> None:
    """Say where the last visit stands, what is missing and what may follow."""
    _status(practice_of(context), code, as_json=as_json)


def go(
    context: typer.Context,
    code: ClientArgument,
    state: Annotated[str, typer.Argument(help="Where to, such as setup; see --diagram.")],
    *,
    despite: DespiteOption = "",
) -> None:
    """Take one row of the table; most steps do it by themselves."""
    practice = practice_of(context)
    practice.desk.go(code, _state(state), despite)
    _status(practice, code, as_json=False)


def close(
    context: typer.Context,
    code: ClientArgument,
    *,
    reaction: Annotated[str, typer.Option(help="How the client reacted.")] = "",
    pain: Annotated[float | None, typer.Option(help="NPRS after, 0 to 10.")] = None,
    despite: DespiteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close the visit: treatment minutes and the summary; then `rom visit sign`."""
    from rom.clinic.closing import close as end

    summary = end(practice_of(context).desk, code, reaction=reaction, nprs=pain, despite=despite)
    lines = [summary.title, f"Pain (NPRS): {summary.pain}", *summary.treatments]
    lines += [outcome.sentence for outcome in summary.outcomes]
    if summary.minutes is not None:
        lines.append(f"Treatment time: {summary.minutes:.0f} min")
    document = {
        "title": summary.title,
        "pain": summary.pain,
        "treatments": list(summary.treatments),
        "outcomes": [outcome.values() for outcome in summary.outcomes],
        "minutes": summary.minutes,
    }
    emit(document, "\n".join(lines), as_json=as_json)


def sign(
    context: typer.Context,
    code: ClientArgument,
    *,
    next_visit: Annotated[
        datetime | None, typer.Option("--next", formats=["%Y-%m-%d"], help="When the client comes again.")
    ] = None,
    credential: Annotated[
        str, typer.Option(help="What you say you are certified in; free text, not verified.")
    ] = "",
) -> None:
    """Sign the closed visit; the client goes home with the aftercare plan."""
    from rom.clinic.closing import sign as put_name
    from rom.clinic.closing import visit_note
    from rom.clinic.desk import practitioner

    practice = practice_of(context)
    if credential:
        with practice.store.writing(practice.actor) as ledger:
            practitioner(ledger, practice.actor, cert_claimed=credential)
    put_name(practice.desk, code, next_visit.date() if next_visit else None)
    print(visit_note(practice.store, code))


def note(
    context: typer.Context,
    code: ClientArgument,
    *,
    number: Annotated[int | None, typer.Option("--visit", help="The last one if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the note of a visit for the chart, with treatment minutes."""
    from rom.clinic.closing import visit_note

    text = visit_note(practice_of(context).store, code, number)
    emit({"client": code.upper(), "note": text.splitlines()}, text, as_json=as_json)


def review(
    context: typer.Context,
    code: ClientArgument,
    decision: Annotated[str, typer.Argument(help="Continue, change or refer, and why.")],
    *,
    discharge: Annotated[bool, typer.Option("--discharge", help="End the course with it.")] = False,
) -> None:
    """Review the course after visit 3 or 6, or end it."""
    from rom.clinic.closing import end_course
    from rom.clinic.visit import State

    practice = practice_of(context)
    end_course(practice.desk, code, State.DISCHARGE if discharge else State.COURSE_REVIEW, decision)
    _status(practice, code, as_json=False)


def _state(text: str) -> "State":
    from rom.clinic.visit import State

    try:
        return State(text.replace("_", " ").lower())
    except ValueError:
        raise InputError(f"no state {text!r}; they are {', '.join(State)}") from None


def _status(practice: Practice, code: str, *, as_json: bool) -> None:
    from rom.clinic.desk import visits_of
    from rom.clinic.facts import facts_of
    from rom.clinic.store_visits import PassRecord, Treatment, TrialRecord
    from rom.clinic.visit import ENDED, State, following

    with practice.store.reading() as ledger:
        client = ledger.client(code)
        known = visits_of(ledger, client)
        if not known:
            emit({"client": client.code, "state": None}, f"{client.code} has no visit yet.", as_json=as_json)
            return
        last = known[-1]
        state = State(last.state)
        facts = facts_of(ledger, last, practice.catalogue)
        treatments = ledger.find(Treatment, visit_id=last.id)
        counts = {
            "trials": len(ledger.find(TrialRecord, visit_id=last.id)),
            "treatments": len(treatments),
            "passes": sum(len(ledger.find(PassRecord, treatment_id=t.id)) for t in treatments),
        }
    steps: list[dict[str, Any]] = [
        {"to": str(row.target), "when": row.when, "missing": row.guard(facts) if row.guard else ""}
        for row in following(state)
        if str(row.target) != "halt"
    ]
    verb = "ended" if state in ENDED else "stands"
    lines = [
        f"Visit {last.seq} of {client.code} ({last.started_at:%Y-%m-%d %H:%M} UTC, station {last.station}) "
        f"{verb} in {state}."
    ]
    lines += [f"  {finding.sentence()}" for finding in facts.screening.findings]
    if facts.pass_open:
        lines.append("  A pass is under contact: `rom visit pass CLIENT --off`.")
    lines += [
        f"  next: {step['to']}" + (f" ({step['missing']})" if step["missing"] else "") for step in steps
    ]
    document = {
        "client": client.code,
        "visit": last.seq,
        "state": str(state),
        "station": last.station,
        "started_at": last.started_at.isoformat(),
        "structure": facts.structure or None,
        "pass_open": facts.pass_open,
        "counts": counts,
        "next": steps,
    }
    emit(document, "\n".join(lines), as_json=as_json)


def _stay(practice: Practice, code: str) -> None:
    """Take steps from the keyboard until the end of input or `leave`."""
    group = typer.main.get_command(visit_group())
    while True:
        print(f"{code.upper()}> ", end="", flush=True)
        line = sys.stdin.readline()
        words = shlex.split(line)
        if not line or words[:1] == ["leave"]:
            return
        if not words:
            continue
        try:
            group.main([words[0], code, *words[1:]], prog_name="", obj=practice)
        except SystemExit:
            continue
        except RomcapError as error:
            print(f"rom: {error}", flush=True)
