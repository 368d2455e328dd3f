"""One person: taken in under a pseudonym, exported complete, erased complete."""

import json
import secrets
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from imu.errors import InputError
from imu.whole_file import replacing
from rom.catalogue.loader import Catalogue
from rom.clinic.course import plan_for
from rom.clinic.store import Store, StoreError, rows_by_kind
from rom.clinic.store_people import Client, Consent, Episode
from rom.clinic.store_visits import RecordingFile
from rom.clinic.verify import is_fresh

SCHEMA = "romcap.client/1"


@dataclass(frozen=True)
class Erased:
    """What an erasure took away, and copies that it cannot reach."""

    rows: int
    recordings: int
    copies: tuple[str, ...]


def add_client(store: Store, actor: str, code: str = "", **columns: Any) -> Client:
    """Take a client in; without a code a random one is drawn.

    Raises
    ------
    InputError
        If the code is taken, or looks like a name rather than a pseudonym.
    """
    year = columns.get("birth_year")
    if year is not None and not 1900 <= year <= date.today().year:
        raise InputError(f"a year of birth has four digits and lies behind us, got {year}; give no full date")
    with store.writing(actor) as ledger:
        taken = {client.code for client in ledger.find(Client)}
        wanted = code.upper() or _draw(taken)
        if not (wanted[1:].isdigit() and wanted[:1].isalpha() and len(wanted) <= 16):
            raise InputError(
                f"a pseudonym is a letter and digits, such as P0042, got {code!r}; names go to --name"
            )
        if wanted in taken:
            raise InputError(f"{wanted} is taken; choose another, or leave it out to have one drawn")
        return ledger.add(Client(code=wanted, **columns))


def add_consent(store: Store, actor: str, code: str, version: str, scope: str) -> Consent:
    """Write a consent down; an earlier one for the same scope is withdrawn."""
    with store.writing(actor) as ledger:
        client = ledger.client(code)
        for earlier in ledger.find(Consent, client_id=client.id, scope=scope):
            if earlier.withdrawn_at is None:
                ledger.change(earlier, withdrawn_at=ledger.now)
        return ledger.add(Consent(client_id=client.id, version=version, scope=scope, given_at=ledger.now))


def open_episode(
    store: Store,
    actor: str,
    catalogue: Catalogue,
    code: str,
    *,
    complaint: str,
    regions: list[str],
    side: str,
    onset: date | None = None,
    goal: str = "",
    goal_movement: str = "",
    goal_deg: float | None = None,
) -> Episode:
    """Open an episode with the plan that its age suggests.

    Raises
    ------
    InputError
        If side or region make no sense, or the onset lies ahead.
    """
    if side not in ("left", "right", "both", "midline"):
        raise InputError(f"the side of a complaint is left, right, both or midline, got {side!r}")
    known = {part for s in catalogue.structures.values() for part in s.region.split("/")}
    known |= {m.region for m in catalogue.movements.values()}
    unknown = [region for region in regions if region not in known]
    if unknown or not regions:
        raise InputError(f"regions are {', '.join(sorted(known))}, got {', '.join(regions) or 'none'}")
    if goal_movement:
        catalogue.movement(goal_movement)
    with store.writing(actor) as ledger:
        client = ledger.client(code)
        today = ledger.now.date()
        if onset is not None and onset > today:
            raise InputError(f"the complaint cannot begin on {onset}, after today ({today})")
        plan = plan_for(onset, today)
        return ledger.add(
            Episode(
                client_id=client.id,
                complaint=complaint,
                regions=regions,
                side=side,
                onset=onset,
                goal_text=goal or None,
                goal_movement=goal_movement or None,
                goal_deg=goal_deg,
                plan_visits_min=plan.visits_min,
                plan_visits_max=plan.visits_max,
                plan_weeks_min=plan.weeks_min,
                plan_weeks_max=plan.weeks_max,
            )
        )


def export_client(store: Store, code: str, target: Path, name: str = "") -> tuple[int, list[str]]:
    """Write everything about a client into one zip file: every row, the audit events, every recording.

    Parameters
    ----------
    store, code
        Whose data.
    target
        The file to make; it must not exist.
    name
        The person's name, if the key file was opened for it.

    Returns
    -------
    tuple
        Number of rows, and one sentence for each recording that is missing or altered.
    """
    if target.exists():
        raise InputError(f"{target} exists already; choose another name")
    with store.reading() as ledger:
        rows = ledger.owned(ledger.client(code))
    files = [row for row in rows if isinstance(row, RecordingFile)]
    problems = [problem for file in files if (problem := is_fresh(store, file))]
    document = {
        "schema": SCHEMA,
        "name": name or None,
        "rows": {kind: [row.values() for row in group] for kind, group in rows_by_kind(rows).items()},
        "audit": store.events_about(rows),
        "problems": problems,
    }
    with replacing(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("client.json", json.dumps(document, indent=1, ensure_ascii=False))
        for file in files:
            if store.path_of(file.path).exists():
                bundle.write(store.path_of(file.path), file.path)
    return len(rows), problems


def forget_client(store: Store, actor: str, code: str) -> Erased:
    """Erase every row about a client and every recording; the audit trail keeps random ids and hashes only.

    Copies made before an upgrade are out of reach and are named, for the person in charge to remove.
    """
    with store.writing(actor) as ledger:
        rows = ledger.owned(ledger.client(code))
        paths = [store.path_of(row.path) for row in rows if isinstance(row, RecordingFile)]
        for row in reversed(rows):
            ledger.remove(row)
    for path in paths:
        path.unlink(missing_ok=True)
    store.compact()
    copies = sorted(path.name for path in store.folder.glob("*.before-*"))
    return Erased(len(rows), len(paths), tuple(copies))


def _draw(taken: set[str]) -> str:
    free = [code for n in range(1, 10000) if (code := f"P{n:04d}") not in taken]
    if not free:
        raise StoreError("all pseudonyms of four digits are taken; give a longer one")
    return secrets.choice(free)
