"""`rom client`, `rom visit`, `rom course`, `rom import-dexa`, `rom verify`, sealing, and the self-check."""

from pathlib import Path
from typing import Annotated

import typer

from imu.errors import InputError
from tools.cli.client import client_group
from tools.cli.output import JsonOption, emit
from tools.cli.practice import ClientArgument, ClinicianOption, DatabaseOption, FolderOption, Practice
from tools.cli.visit import visit_group


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    app.add_typer(client_group(), name="client")
    app.add_typer(visit_group(), name="visit")
    app.command()(course)
    app.command("import-dexa")(import_dexa)
    app.command()(verify)
    app.command()(seal)
    app.command()(unseal)
    app.command("self-check")(self_check)


def course(
    code: ClientArgument,
    *,
    episode: Annotated[str, typer.Option(help="Part of its complaint; the newest if left out.")] = "",
    practice: FolderOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the visits of an episode add up to: trend, what is kept, sides, pain, questions."""
    from rom.clinic.course_page import course_page

    place = Practice(practice, database, "")
    page = course_page(place.store, place.catalogue, code, episode)
    emit(page.document, page.text(), as_json=as_json)


def import_dexa(
    code: ClientArgument,
    table: Annotated[Path, typer.Argument(help="CSV: date, region, side, lean_kg (or _g, _lb), ...")],
    *,
    practice: FolderOption = None,
    database: DatabaseOption = None,
    clinician: ClinicianOption = "",
    as_json: JsonOption = False,
) -> None:
    """Import lean mass left and right from a DEXA scan's table; rows that are there are left alone."""
    from rom.clinic.dexa import import_dexa as take_in

    place = Practice(practice, database, clinician)
    with place.store.writing(place.actor) as ledger:
        got = take_in(ledger, ledger.client(code), table)
    text = "\n".join([f"{got.added} rows imported, {got.known} were there already.", *got.sentences])
    document = {"added": got.added, "known": got.known, "sentences": list(got.sentences)}
    emit(document, text, as_json=as_json)


def verify(
    *,
    head: Annotated[str, typer.Option(help="A trail hash printed earlier that must still hold.")] = "",
    practice: FolderOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every recording against its hash and every row against the audit trail; exit 1 if one fails."""
    from rom.clinic.verify import verify as check

    found = check(Practice(practice, database, "").store, head)
    lines = [*found.problems] or ["Everything is as it was left."]
    lines.append(f"{found.recordings} recordings; {found.events} events, trail ends in {found.head[:16]}.")
    document = {
        "recordings": found.recordings,
        "problems": list(found.problems),
        "events": found.events,
        "head": found.head,
    }
    emit(document, "\n".join(lines), as_json=as_json)
    if found.problems:
        raise typer.Exit(1)


def seal(*, practice: FolderOption = None) -> None:
    """Seal the whole folder of the practice under its passphrase: store, recordings, everything."""
    from rom.clinic.sealed import seal_folder

    place = Practice(practice, None, "")
    if not place.root.is_dir():
        raise InputError(f"{place.root}: there is no such folder")
    print(f"{seal_folder(place.root, place.keys)} files are sealed. `rom unseal` opens them.")


def unseal(*, practice: FolderOption = None) -> None:
    """Open a sealed folder again."""
    from rom.clinic.sealed import IDENTITY_FILE, open_folder

    place = Practice(practice, None, "")
    if not (place.root / IDENTITY_FILE).exists():
        raise InputError(f"{place.root} has no {IDENTITY_FILE}: it was never sealed here, or the key is lost")
    print(f"{open_folder(place.root, place.keys)} files are open.")


def self_check(
    *,
    yes: Annotated[list[str] | None, typer.Option(help="Question answered yes; several times.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer six questions for yourself. It ends with talking to a clinician, never with a verdict."""
    from rom.clinic.self_check import QUESTIONS
    from rom.clinic.self_check import self_check as check

    unknown = set(yes or ()) - set(QUESTIONS)
    if unknown:
        raise InputError(f"the questions are {', '.join(QUESTIONS)}, got {', '.join(sorted(unknown))}")
    if yes is None:
        answers = {key: typer.confirm(question, default=False) for key, question in QUESTIONS.items()}
    else:
        answers = {key: key in yes for key in QUESTIONS}
    result = check(answers)
    document = {"apply": result.apply, "asked": result.asked, "sentence": result.sentence()}
    emit(document, result.sentence(), as_json=as_json)
