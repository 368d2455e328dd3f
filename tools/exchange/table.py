"""Read a table of numbers from a text file as other programs and people write them."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path

import numpy as np

from imu.block import FloatArray
from imu.counted import counted
from imu.errors import InputError

_MOST_BAD_CELLS = 0.05


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of numbers with their names; what is empty or unreadable is NaN, and counted in `remarks`.

    `words` holds the columns that were asked for as text.
    """

    path: Path
    names: tuple[str, ...]
    values: FloatArray
    remarks: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def columns(self, names: Sequence[str]) -> FloatArray:
        """Return columns by name, shape (N, len(names)).

        Raises
        ------
        InputError
            If one is not in the file; the sentence says which were expected and which came.
        """
        absent = [name for name in names if name not in self.names]
        if absent:
            raise InputError(
                f"{self.path.name}: expected the columns {', '.join(names)}, but {', '.join(absent)} "
                f"{'is' if len(absent) == 1 else 'are'} not there; the file has {', '.join(self.names)}"
            )
        return self.values[:, [self.names.index(name) for name in names]]


def read_table(path: Path, words: str = "") -> Table:
    """Read a text table: comma, semicolon or tab between cells, names in the first line.

    Lines above that begin with `//` are comments; a first line `sep=,` names the separator. With semicolons
    or tabs a comma in a number is its decimal point. A last line without its end is left out, because its
    last number may be cut.

    Parameters
    ----------
    path
        The file.
    words
        Regular expression: columns whose whole name matches are text, such as times of day.

    Raises
    ------
    InputError
        If the file is missing, empty, has no lines below the names, or more than one cell in twenty is
        no number.
    """
    lines, remarks = _lines(path)
    separator = lines[0][4:5] if lines and lines[0].lower().startswith("sep=") else ""
    if separator:
        lines = lines[1:]
    if not lines:
        raise InputError(f"{path.name}: is empty; expected a line of column names and lines of numbers")
    separator = separator or max(",;\t", key=lines[0].count)
    decimal_comma = separator != "," and not any("." in cell for cell in lines[-1].split(separator))
    try:
        rows = [
            row for row in csv.reader(lines, delimiter=separator, strict=False) if any(c.strip() for c in row)
        ]
    except csv.Error as error:
        raise InputError(f"{path.name}: expected a text table, but {error}") from None
    names = tuple(name.strip() for name in rows[0]) if rows else ()
    named = [at for at, name in enumerate(names) if name]
    if len(set(names)) < len(names) - names.count("") + (1 if "" in names else 0):
        twice = sorted({name for name in names if name and names.count(name) > 1})
        raise InputError(
            f"{path.name}: column names must differ, but {', '.join(twice)} comes more than once"
        )
    width = max(named, default=-1) + 1
    full = [row for row in rows[1:] if len(row) >= width]
    if not full or width == 0:
        raise InputError(
            f"{path.name}: expected lines of numbers below the names, got none; the file is empty or cut"
        )
    if len(full) < len(rows) - 1:
        remarks.append(f"{counted(len(rows) - 1 - len(full), 'line')} with too few cells left out")
    texts = {names[at]: at for at in named if re.fullmatch(words, names[at])} if words else {}
    named = [at for at in named if names[at] not in texts]
    values = np.array([[_number(row[at], decimal_comma) for at in named] for row in full])
    bad = sum(1 for row in full for at in named if row[at].strip()) - int(np.isfinite(values).sum())
    if bad > _MOST_BAD_CELLS * values.size:
        _refuse_texts(path, [names[at] for at in named], [[row[at] for at in named] for row in full], values)
    kept = {name: tuple(row[at].strip() for row in full) for name, at in texts.items()}
    return Table(path, tuple(names[at] for at in named), values, tuple(remarks), kept)


def _lines(path: Path) -> tuple[list[str], list[str]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read ({error.strerror})") from None
    if b"\0" in data[:4096]:
        raise InputError(f"{path.name}: expected a text table, but it holds binary data")
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    lines = list(dropwhile(lambda line: line.startswith("//"), lines))
    if len(lines) > 1 and not data.endswith((b"\n", b"\r")):
        return lines[:-1], ["the last line has no end and may be cut, so it is left out"]
    return lines, []


def _number(cell: str, decimal_comma: bool) -> float:
    try:
        value = float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _refuse_texts(
    path: Path, names: Sequence[str], cells: Sequence[Sequence[str]], values: FloatArray
) -> None:
    for row, column in np.argwhere(~np.isfinite(values)).tolist():
        text = cells[row][column].strip()
        if text and text.lower() not in {"nan", "inf", "-inf"}:
            raise InputError(
                f"{path.name}: expected numbers, but line {row + 2} has {text!r} in column {names[column]}, "
                "and others like it; check separator and decimal sign"
            )
