"""`rom client`: people under pseudonyms, their episodes and logs, complete export and erasure."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit
from tools.cli.practice import ClientArgument, practice_of, with_practice

DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day; today if left out.")]


def client_group() -> typer.Typer:
    """Return the commands about clients."""
    group = typer.Typer(
        help="People under pseudonyms: names lie in one sealed file and nowhere else.", no_args_is_help=True
    )
    group.callback()(with_practice)
    for command in (add, show, export, forget, episode, consent, log, performance, home, receive):
        group.command()(command)
    group.command("list")(list_all)
    return group


def add(
    context: typer.Context,
    code: Annotated[str, typer.Option(help="Pseudonym, such as P0042; drawn if left out.")] = "",
    *,
    name: Annotated[str, typer.Option(help="Name, for the sealed key file only.")] = "",
    birth_year: Annotated[int | None, typer.Option()] = None,
    sex: Annotated[str | None, typer.Option()] = None,
    height_cm: Annotated[float | None, typer.Option()] = None,
    mass_kg: Annotated[float | None, typer.Option()] = None,
    dominant_hand: Annotated[str | None, typer.Option()] = None,
    dominant_leg: Annotated[str | None, typer.Option()] = None,
    as_json: JsonOption = False,
) -> None:
    """Take a client in."""
    from rom.clinic.person import add_client
    from rom.clinic.sealed import KeyFile

    practice = practice_of(context)
    names = KeyFile(practice.root, practice.keys) if name else None
    client = add_client(
        practice.store,
        practice.actor,
        code,
        birth_year=birth_year,
        sex=sex,
        height_cm=height_cm,
        mass_kg=mass_kg,
        dominant_hand=dominant_hand,
        dominant_leg=dominant_leg,
    )
    if names is not None:
        names.put(client.code, name)
    emit({"client": client.code}, f"{client.code} is taken in.", as_json=as_json)


def list_all(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the clients, with open visits first to be seen."""
    from rom.clinic.desk import open_visit, visits_of
    from rom.clinic.store_people import Client

    practice = practice_of(context)
    rows: list[dict[str, Any]] = []
    with practice.store.reading() as ledger:
        for client in ledger.find(Client):
            now = open_visit(ledger, client)
            visits = visits_of(ledger, client)
            last = visits[-1] if visits else None
            rows.append(
                {
                    "client": client.code,
                    "visits": len(visits),
                    "open_in": now.state if now else None,
                    "next_visit": last.next_visit.isoformat() if last and last.next_visit else None,
                }
            )
    rows.sort(key=lambda row: row["client"])
    lines = [
        f"{row['client']}  visits {row['visits']}"
        + (f", open in {row['open_in']}" if row["open_in"] else "")
        + (f", next {row['next_visit']}" if row["next_visit"] else "")
        for row in rows
    ]
    emit({"clients": rows}, "\n".join(lines) or "No clients yet: `rom client add`.", as_json=as_json)


def show(context: typer.Context, code: ClientArgument, *, as_json: JsonOption = False) -> None:
    """Show what is known of a client; the name too if ROM_PASSPHRASE is set."""
    from rom.clinic.store import rows_by_kind

    practice = practice_of(context)
    with practice.store.reading() as ledger:
        client = ledger.client(code)
        rows = rows_by_kind(ledger.owned(client))
    name = practice.name_of(client.code)
    lines = [f"{client.code}{f': {name}' if name else ''}"]
    lines += [
        f"  {key}: {value}" for key, value in client.values().items() if key not in ("id", "at", "code")
    ]
    lines += [
        f"  episode: {row['complaint']} ({row['side']}), {row['status']}"
        for row in (one.values() for one in rows.get("episode", []))
    ]
    lines += [
        f"  visit {row['seq']}: {row['started_at'][:16]} UTC, {row['state']}"
        for row in (one.values() for one in rows.get("visit", []))
    ]
    document = {kind: [row.values() for row in group] for kind, group in rows.items()}
    emit({"client": client.code, "name": name or None, "rows": document}, "\n".join(lines), as_json=as_json)


def export(
    context: typer.Context,
    code: ClientArgument,
    target: Annotated[Path, typer.Argument(help="Zip file to make.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Write everything about a client into one zip file: rows, audit events, recordings."""
    from rom.clinic.person import export_client

    practice = practice_of(context)
    count, problems = export_client(practice.store, code, target, practice.name_of(code.upper()))
    text = "\n".join([f"{target}: {count} rows and every recording there is.", *problems])
    emit({"file": str(target), "rows": count, "problems": problems}, text, as_json=as_json)


def forget(
    context: typer.Context,
    code: ClientArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; there is no way back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a client: every row, every recording, the name. Export first if in doubt."""
    from rom.clinic.person import forget_client
    from rom.clinic.sealed import KEY_FILE, KeyFile

    if not yes:
        raise InputError(f"this erases everything about {code} for good; repeat with --yes")
    practice = practice_of(context)
    names = KeyFile(practice.root, practice.keys) if (practice.root / KEY_FILE).exists() else None
    erased = forget_client(practice.store, practice.actor, code)
    if names is not None:
        names.forget(code.upper())
    lines = [f"{code.upper()} is erased: {erased.rows} rows, {erased.recordings} recordings."]
    lines += [
        f"{copy} is an older copy of the store and still holds the data: remove it." for copy in erased.copies
    ]
    emit(
        {"rows": erased.rows, "recordings": erased.recordings, "copies": list(erased.copies)},
        "\n".join(lines),
        as_json=as_json,
    )


def episode(
    context: typer.Context,
    code: ClientArgument,
    complaint: Annotated[str, typer.Argument(help="In the client's words.")],
    *,
    region: Annotated[list[str], typer.Option(help="knee, hip, neck, ...; may be given several times.")],
    side: Annotated[str, typer.Option(help="left, right, both or midline: the affected side.")],
    onset: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="When it began.")] = None,
    goal: Annotated[str, typer.Option(help="What the client wants to do again.")] = "",
    goal_movement: Annotated[str, typer.Option(help="Movement of the goal.")] = "",
    goal_deg: Annotated[float | None, typer.Option(help="Angle of the goal.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Open an episode: one complaint and the plan that its age suggests."""
    from rom.clinic.person import open_episode

    practice = practice_of(context)
    row = open_episode(
        practice.store,
        practice.actor,
        practice.catalogue,
        code,
        complaint=complaint,
        regions=region,
        side=side,
        onset=onset.date() if onset else None,
        goal=goal,
        goal_movement=goal_movement,
        goal_deg=goal_deg,
    )
    weeks = f" in {row.plan_weeks_min:g} to {row.plan_weeks_max:g} weeks" if row.plan_weeks_max else ""
    plan = f"{row.plan_visits_min} to {row.plan_visits_max} visits{weeks}"
    emit(
        row.values(),
        f"Episode of {code.upper()} is open: {complaint} ({side}). Usual plan: {plan}.",
        as_json=as_json,
    )


def consent(
    context: typer.Context,
    code: ClientArgument,
    version: Annotated[str, typer.Argument(help="Version of the text that was agreed to.")],
    scope: Annotated[str, typer.Argument(help="What it covers, such as treatment or research.")],
) -> None:
    """Write a consent down; an earlier one of the same scope is withdrawn."""
    from rom.clinic.person import add_consent

    practice = practice_of(context)
    add_consent(practice.store, practice.actor, code, version, scope)
    print(f"Consent of {code.upper()}: {scope}, version {version}.")


def log(
    context: typer.Context,
    code: ClientArgument,
    *,
    day: DayOption = None,
    soreness: Annotated[float | None, typer.Option(help="0 to 10.")] = None,
    done: Annotated[bool | None, typer.Option("--done/--not-done", help="Home tasks done?")] = None,
    note: Annotated[str, typer.Option()] = "",
) -> None:
    """Write down what the client did and felt between visits."""
    from rom.clinic.diary import log_home

    practice = practice_of(context)
    log_home(
        practice.store,
        practice.actor,
        code,
        day=day.date() if day else None,
        soreness=soreness,
        done=done,
        note=note,
    )
    print(f"Home log of {code.upper()} is written.")


def performance(
    context: typer.Context,
    code: ClientArgument,
    kind: Annotated[str, typer.Argument(help="Such as run, squat, jump.")],
    value: Annotated[float, typer.Argument()],
    unit: Annotated[str, typer.Argument(help="Such as km, kg, cm.")],
    *,
    day: DayOption = None,
    note: Annotated[str, typer.Option()] = "",
) -> None:
    """Write down what the client can do: running volume, a lift, a jump."""
    from rom.clinic.diary import log_performance

    practice = practice_of(context)
    log_performance(
        practice.store,
        practice.actor,
        code,
        day=day.date() if day else None,
        kind=kind,
        value=value,
        unit=unit,
        note=note,
    )
    print(f"{code.upper()}: {kind} {value:g} {unit}.")


def home(
    context: typer.Context,
    code: ClientArgument,
    target: Annotated[Path, typer.Argument(help="File to make for the client.")],
) -> None:
    """Make the file for the client's two-minute test at home (`rom retest FILE`)."""
    import json

    from imu.whole_file import write_whole
    from rom.clinic.home_desk import give_out

    practice = practice_of(context)
    test = give_out(practice.store, practice.keys, code)
    write_whole(target, json.dumps(test.to_document(), indent=1).encode())
    print(f"{target}: the test of {test.movement} {test.side} for {test.client}. It holds no name.")


def receive(
    context: typer.Context,
    answer: Annotated[Path, typer.Argument(help="The sealed file that `rom retest` made.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Take a client's test at home in."""
    from rom.clinic.home_desk import receive as take_in

    practice = practice_of(context)
    if not answer.is_file():
        raise InputError(f"{answer}: there is no such file")
    got = take_in(practice.store, practice.catalogue, practice.actor, practice.keys, answer.read_bytes())
    document = {"client": got.code, "known": got.known, "sentence": got.sentence}
    emit(document, f"{got.code}: {got.sentence}", as_json=as_json)
