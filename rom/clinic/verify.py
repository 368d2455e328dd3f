"""Whether a practice is as it was left: recordings by their hash, rows by the audit trail."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rom.clinic.store import RECORDINGS, Ledger, Store
from rom.clinic.store_people import Client, Episode
from rom.clinic.store_visits import RecordingFile, Visit


@dataclass(frozen=True)
class Verified:
    """What was found.

    Parameters
    ----------
    recordings
        How many the store knows.
    problems
        One sentence for each thing that is missing, altered or unknown; empty if all is well.
    events, head
        Length of the audit trail and its last hash: print it, and a later rewriting shows.
    """

    recordings: int
    problems: tuple[str, ...]
    events: int
    head: str


def verify(store: Store, head: str = "") -> Verified:
    """Check every recording against its hash and every row against the audit trail.

    Parameters
    ----------
    store
        The store.
    head
        A hash, or its first characters, that was printed earlier and must still be in the trail.
    """
    with store.reading() as ledger:
        files = ledger.find(RecordingFile)
        problems = [
            f"{problem} ({_owner(ledger, file)})" for file in files if (problem := is_fresh(store, file))
        ]
    known = {store.path_of(file.path) for file in files}
    for path in sorted((store.folder / RECORDINGS).rglob("*")):
        if path.is_file() and path not in known:
            what = "is unfinished" if path.suffix == ".part" else "belongs to no visit of this store"
            problems.append(
                f"{path.relative_to(store.folder)} {what}: attach it with `rom visit record`, or move it away"
            )
    problems += store.trail_breaks()
    if head and not store.trail_knows(head):
        problems.append(
            f"the audit trail does not hold {head}: it was rewritten, or an older backup was restored"
        )
    events, last = store.trail_head()
    return Verified(len(files), tuple(problems), events, last)


def is_fresh(store: Store, file: RecordingFile) -> str:
    """Return what is wrong with a recording of the store, or an empty text."""
    path = store.path_of(file.path)
    if not path.exists():
        return f"{file.path} is missing: restore it from the backup; its results are kept"
    if fingerprint(path) != file.sha256:
        return f"{file.path} was altered: restore it from the backup; its results are kept"
    return ""


def fingerprint(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _owner(ledger: Ledger, file: RecordingFile) -> str:
    visit = ledger.get(Visit, file.visit_id)
    client = ledger.get(Client, ledger.get(Episode, visit.episode_id).client_id)
    return f"visit {visit.seq} of {client.code}"
