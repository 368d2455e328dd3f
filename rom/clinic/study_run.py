"""Measure a folder of recordings: what is to do, doing it, and one table of it all."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imu.errors import InputError
from rom.annotations import annotations_file
from rom.clinic.study_rows import Outcome, Row, StudyOptions
from rom.clinic.study_table import Journal, journal_of, with_files, write_table
from rom.clinic.study_workers import Finished, on_cluster, on_this_machine


@dataclass(frozen=True, slots=True)
class StudyFile:
    """One recording of a study: its name within the folder, its place, and a SHA-256 of all that counts."""

    name: str
    path: Path
    content: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study has to do.

    Parameters
    ----------
    files
        All recordings, by name.
    todo
        Those whose content is not measured yet; of equal contents only the first.
    """

    files: tuple[StudyFile, ...]
    todo: tuple[StudyFile, ...]

    @property
    def done(self) -> int:
        """How many files need no work: measured by an earlier run, or equal to another file."""
        return len(self.files) - len(self.todo)


def plan(folder: Path, out: Path, options: StudyOptions, *, force: bool = False) -> Plan:
    """Return what a study has to do; change nothing.

    Parameters
    ----------
    folder
        Searched for `*.mcap`, folders inside included.
    out
        The table to make. A run that stopped goes on from the journal beside it.
    options
        How to measure.
    force
        Whether a table that no journal belongs to may be replaced.

    Raises
    ------
    InputError
        If there is no recording, or `out` exists without a journal.
    """
    paths = sorted(folder.rglob("*.mcap"), key=lambda path: path.relative_to(folder).as_posix())
    if not paths:
        raise InputError(f"{folder}: expected a folder with recordings (*.mcap), found none")
    if out.exists() and not journal_of(out).exists() and not force:
        raise InputError(f"{out}: exists and is not from an unfinished study; name another, or pass --force")
    if not out.parent.is_dir():
        raise InputError(f"{out}: the folder {out.parent} does not exist; make it first")
    journal = Journal(journal_of(out), options)
    files = tuple(StudyFile(path.relative_to(folder).as_posix(), path, _content(path)) for path in paths)
    first = {file.content: file for file in reversed(files)}
    todo = tuple(f for f in files if first[f.content] is f and journal.get(f.content) is None)
    return Plan(files, todo)


def run(
    planned: Plan,
    out: Path,
    options: StudyOptions,
    *,
    workers: int = 1,
    scheduler: str = "",
    progress: Callable[[StudyFile], None] | None = None,
) -> list[Row]:
    """Measure what is to do, and write the table of all files.

    Parameters
    ----------
    planned
        From `plan`, with the same `out` and `options`.
    out
        The table.
    options
        How to measure.
    workers
        Processes on this machine, unless there is a scheduler.
    scheduler
        Address of a Dask scheduler; empty for this machine.
    progress
        Called after each recording.

    Returns
    -------
    list of dict
        The rows of the table: the same for any number of workers and either way to run.

    Raises
    ------
    InputError
        If the workers cannot be had or the results cannot be kept.
    """
    journal = Journal(journal_of(out), options)
    outcomes: dict[str, Outcome] = {}
    file_at = {file.path: file for file in planned.todo}
    for path, outcome in _finished([*file_at], options, workers, scheduler):
        file = file_at[path]
        journal.add(file.content, outcome)
        outcomes[file.content] = outcome
        if progress is not None:
            progress(file)
    found = [(file.name, outcomes.get(file.content) or journal.get(file.content)) for file in planned.files]
    rows = with_files((name, outcome) for name, outcome in found if outcome is not None)
    write_table(out, rows, options)
    return rows


def _finished(paths: list[Path], options: StudyOptions, workers: int, scheduler: str) -> Iterator[Finished]:
    return on_cluster(paths, options, scheduler) if scheduler else on_this_machine(paths, options, workers)


def _content(path: Path) -> str:
    """Return the SHA-256 of a recording and, if there are any, the reviewer's annotations beside it."""
    notes = annotations_file(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if notes.exists():
        digest.update(notes.read_bytes())
    return digest.hexdigest()
