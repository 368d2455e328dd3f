"""A catalogue file as rows that know their line, and fields that refuse with a remedy."""

import csv
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from imu.errors import CatalogueError


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a catalogue file: texts by column, and where they stand."""

    path: Path
    line: int
    values: Mapping[str, str]

    def refuse(self, column: str, expected: str) -> CatalogueError:
        """Return the error that names file, line and column, what was expected and what came."""
        found = self.values.get(column, "")
        return CatalogueError(
            f"{self.path}, line {self.line}, column {column}: expected {expected}, got {found!r}; "
            "correct that cell and load again"
        )

    def text(self, column: str) -> str:
        """Return a text that may be empty."""
        return self.values[column].strip()

    def required(self, column: str) -> str:
        """Return a text that must not be empty."""
        value = self.text(column)
        if not value:
            raise self.refuse(column, "a text")
        return value

    def words(self, column: str) -> tuple[str, ...]:
        """Return the items of a list separated by semicolons."""
        return tuple(item.strip() for item in self.text(column).split(";") if item.strip())

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """Return a text that must be one of a few."""
        value = self.text(column)
        if value not in allowed:
            raise self.refuse(column, f"one of {', '.join(allowed)}")
        return value

    def radians(self, column: str) -> float | None:
        """Return a number of degrees in rad; None where the cell is empty."""
        if not self.text(column):
            return None
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not -360.0 <= value <= 360.0:
            raise self.refuse(column, "a number of degrees from -360 to 360, or nothing")
        return math.radians(value)

    def positive_radians(self, column: str) -> float | None:
        """Return a positive number of degrees in rad; None where the cell is empty."""
        value = self.radians(column)
        if value is not None and value <= 0.0:
            raise self.refuse(column, "a positive number of degrees, or nothing")
        return value

    def sign(self, column: str) -> int:
        """Return +1 or -1."""
        return int(self.choice(column, ("1", "-1")))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file; lines that start with # are comments.

    Raises
    ------
    CatalogueError
        If the file is missing, is not UTF-8 text, has no header, or a line has too many or too few cells.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise CatalogueError(f"{path}: no such catalogue file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"{path}: a catalogue is a CSV file in UTF-8, but reading it failed: {error}"
        ) from None
    kept = [
        (number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")
    ]
    if not kept:
        raise CatalogueError(f"{path}: expected a header line with column names, found none")
    header, *body = (next(csv.reader([line])) for _, line in kept)
    rows: list[Row] = []
    for (number, _), cells in zip(kept[1:], body, strict=True):
        if len(cells) != len(header):
            raise CatalogueError(
                f"{path}, line {number}: expected {len(header)} cells as in the header, got {len(cells)}; "
                "put quotes around texts with commas"
            )
        rows.append(Row(path, number, dict(zip(header, cells, strict=True))))
    return rows


def merge_rows(shipped: list[Row], own: list[Row], key: str) -> list[Row]:
    """Return the shipped rows with a user's rows laid over them by their key.

    A row with a known key changes only the cells it fills; a row with a new key must bring every column.
    """
    merged = {row.values[key]: row for row in shipped}
    for row in own:
        known = merged.get(row.required(key))
        filled = {column: value for column, value in row.values.items() if value.strip()}
        base = dict(known.values) if known else dict.fromkeys(shipped[0].values, "") if shipped else {}
        if unknown := sorted(set(row.values) - set(base)) if base else []:
            raise CatalogueError(f"{row.path}: unknown column {unknown[0]!r}; columns are {', '.join(base)}")
        merged[row.values[key]] = Row(row.path, row.line, base | filled)
    return list(merged.values())
