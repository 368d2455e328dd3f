"""Where a study's results are kept: a journal while it runs, one Parquet table at the end.

The journal is one line of JSON per recording content, appended and flushed as soon as it is measured, so a
crash costs what was under way and nothing else. The table is made of the journal, whole or not at all.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imu.errors import InputError
from imu.whole_file import replacing
from rom.clinic.study_rows import COLUMNS, ColumnKind, Outcome, Row, StudyOptions, software

SCHEMA = "romcap.study/1"


def journal_of(out: Path) -> Path:
    """Return the journal beside a table."""
    return out.with_name(f"{out.name}.journal")


class Journal:
    """Outcomes on disk, by content and options.

    Parameters
    ----------
    path
        The file; made if absent. A last line that a crash cut is passed over.
    options
        Those whose results count; results of other options or software stay in the file, unused.

    Raises
    ------
    InputError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path, options: StudyOptions) -> None:
        self._path = path
        self._fingerprint = options.fingerprint()
        self._known: dict[str, Outcome] = {}
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise InputError(f"{path}: expected a journal that can be read, got {error.strerror}") from None
        for line in lines:
            entry = _entry(line)
            if entry is not None and entry["options"] == self._fingerprint:
                self._known[entry["content"]] = Outcome(tuple(entry["rows"]))

    def get(self, content: str) -> Outcome | None:
        """Return the final outcome of a content, by its SHA-256; None if there is none yet."""
        return self._known.get(content)

    def add(self, content: str, outcome: Outcome) -> None:
        """Keep an outcome, on disk if it is final."""
        if not outcome.final:
            return
        entry = {"options": self._fingerprint, "content": content, "rows": list(outcome.rows)}
        try:
            with self._path.open("ab") as file:
                if file.tell() and not _ends_whole(self._path):
                    file.write(b"\n")
                file.write(json.dumps(entry).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                f"{self._path}: results cannot be kept ({error.strerror}); free the disk and run again"
            ) from None
        self._known[content] = outcome


def with_files(found: Iterable[tuple[str, Outcome]]) -> list[Row]:
    """Return all rows, each with the name of its file, in the order of the names."""
    outcomes = sorted(found, key=lambda named: named[0])
    return [{"file": name, **row} for name, outcome in outcomes for row in outcome.rows]


def write_table(out: Path, rows: Sequence[Row], options: StudyOptions) -> None:
    """Write the rows as one Parquet table, replacing it as a whole.

    Parameters
    ----------
    out
        The file.
    rows
        Each with any of the `COLUMNS`; what is absent or not known is null.
    options
        Named in the table's metadata with the software's version.

    Raises
    ------
    InputError
        If the library is not installed or the file cannot be written.
    """
    core, writer = _library()
    types = {
        "text": core.DataType.string(),
        "number": core.DataType.float64(),
        "count": core.DataType.int64(),
        "flag": core.DataType.bool(),
    }
    columns = {
        name: core.Array([_cell(row.get(name), kind) for row in rows], type=types[kind])
        for name, kind in COLUMNS.items()
    }
    table = core.Table.from_pydict(columns)
    metadata = {
        "schema": SCHEMA,
        "romcap": software(),
        "options": json.dumps({name: getattr(options, name) for name in options.__slots__}),
    }
    table = table.with_schema(table.schema.with_metadata(metadata))
    try:
        with replacing(out) as part:
            writer.write_parquet(table, part, compression="zstd(3)")
    except OSError as error:
        raise InputError(f"{out}: expected a file that can be written, got {error}") from None


def read_table(path: Path) -> list[Row]:
    """Return the rows of a table.

    Raises
    ------
    InputError
        If the library is not installed, or the file is no table of a study.
    """
    _, reader = _library()
    try:
        table = reader.read_parquet(path).read_all()
    except Exception as error:  # noqa: BLE001  (the library raises bare exceptions of several kinds)
        raise InputError(f"{path}: expected the table of a study ({error})") from None
    names = [field.name for field in table.schema]
    columns = [table[name].to_pylist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _library() -> tuple[Any, Any]:
    try:
        from arro3 import core
        from arro3 import io as door
    except ImportError:
        raise InputError(
            "a study's table needs a Parquet library; install the extra: pip install 'romcap[study]'"
        ) from None
    return core, door


def _cell(value: Any, kind: ColumnKind) -> Any:
    """Return a value as its column takes it; NaN and nothing are null."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124  (NaN differs from itself)
        return None
    return float(value) if kind == "number" else value


def _entry(line: bytes) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(entry, dict) and {"options", "content", "rows"} <= entry.keys()
    return entry if whole else None


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
