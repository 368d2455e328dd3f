"""Tables of raw scores from studies: a CSV file in, arrays by person out."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError

PERSON_COLUMNS = ("person", "subject", "client", "id")
SIDE_COLUMNS = ("side",)
GROUP_COLUMNS = ("group", "grp", "arm")
REP_COLUMNS = ("rep", "repetition", "trial")
VALUE_COLUMNS = ("deg", "value", "angle_deg", "value_deg")
PAIR_ENDINGS = (("bef", "aft"), ("_before", "_after"), ("_pre", "_post"))


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file with a header: texts by column, with the line of each row."""

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]

    def find(self, wanted: str | None, usual: Sequence[str], what: str) -> str:
        """Return the column for something: the one a person named, else the first usual name."""
        names = (wanted,) if wanted else usual
        for name in names:
            if name in self.columns:
                return name
        raise InputError(
            f"{self.path}: expected a column for the {what} ({' or '.join(names)}), "
            f"got {', '.join(self.columns)}; name it with an option"
        )

    def numbers(self, column: str) -> FloatArray:
        """Return a column as numbers, (rows,); raise `InputError` with the line of what is none."""
        values = np.empty(len(self.lines))
        for row, (text, line) in enumerate(zip(self.columns[column], self.lines, strict=True)):
            try:
                values[row] = float(text)
            except ValueError:
                values[row] = math.nan
            if not math.isfinite(values[row]):
                raise InputError(f"{self.path}, line {line}: expected a number in {column}, got {text!r}")
        return values


@dataclass(frozen=True, slots=True)
class Repeats:
    """Scores of n persons by t devices, m times each, (n, t, m), and the names of the devices."""

    scores: FloatArray
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """One measure before and after, a row a joint; who, which group, which side (or empty)."""

    measure: str
    before: FloatArray
    after: FloatArray
    person: tuple[str, ...]
    group: tuple[str, ...]
    side: tuple[str, ...]

    def by_person(self) -> "Changes":
        """Return one row a person: the sides of one person are not independent and are averaged."""
        people = tuple(dict.fromkeys(self.person))
        rows = [[row for row, name in enumerate(self.person) if name == one] for one in people]
        for one, own in zip(people, rows, strict=True):
            if len({self.group[row] for row in own}) > 1:
                raise InputError(f"person {one} is in more than one group; every person belongs to one")
        return Changes(
            self.measure,
            np.array([self.before[own].mean() for own in rows]),
            np.array([self.after[own].mean() for own in rows]),
            people,
            tuple(self.group[own[0]] for own in rows),
            tuple("" for _ in rows),
        )

    def sides(self) -> FloatArray | None:
        """Return the values before of everyone's left and right, (n, 2); None unless each has both."""
        keys = zip(self.person, self.side, strict=True)
        found = dict(zip(keys, self.before.tolist(), strict=True))
        people = tuple(dict.fromkeys(self.person))
        if len(found) != 2 * len(people) or {side for _, side in found} != {"left", "right"}:
            return None
        return np.array([[found[name, side] for side in ("left", "right")] for name in people])


def read_table(path: Path) -> Table:
    """Return a CSV file by columns.

    Raises
    ------
    InputError
        If it cannot be read, has no rows, or a row has another number of cells than the header.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a CSV file in UTF-8, reading it failed: {error}") from None
    numbered = [(line, row) for line, row in enumerate(rows, 1) if row and not row[0].startswith("#")]
    if len(numbered) < 2:
        raise InputError(f"{path}: expected a header and rows below it, got {len(numbered)} lines")
    header = numbered[0][1]
    for line, row in numbered[1:]:
        if len(row) != len(header):
            raise InputError(f"{path}, line {line}: expected {len(header)} cells, got {len(row)}")
    columns = {
        name.strip(): [row[place].strip() for _, row in numbered[1:]] for place, name in enumerate(header)
    }
    return Table(path, columns, [line for line, _ in numbered[1:]])


def read_repeats(
    path: Path,
    *,
    person: str | None = None,
    device: str | None = None,
    rep: str | None = None,
    value: str | None = None,
) -> Repeats:
    """Return a long table of repeated scores as an array.

    Parameters
    ----------
    path
        CSV with one score a line.
    person, device, rep, value
        Names of columns; usual names are found by themselves, and the device is the column left over.

    Raises
    ------
    InputError
        If a column is missing or not every person has the same repetitions by every device.
    """
    table = read_table(path)
    who = table.find(person, PERSON_COLUMNS, "person")
    again = table.find(rep, REP_COLUMNS, "repetition")
    what = table.find(value, VALUE_COLUMNS, "value")
    left = [name for name in table.columns if name not in (who, again, what)]
    by = table.find(device, left[:1], "device or rater")
    values = table.numbers(what)
    names = [tuple(dict.fromkeys(table.columns[column])) for column in (who, by, again)]
    scores = np.full([len(axis) for axis in names], np.nan)
    keys = zip(table.columns[who], table.columns[by], table.columns[again], strict=True)
    for key, score, line in zip(keys, values, table.lines, strict=True):
        place = tuple(axis.index(name) for axis, name in zip(names, key, strict=True))
        if not math.isnan(scores[place]):
            raise InputError(f"{path}, line {line}: person, device and repetition {key} came before")
        scores[place] = score
    if np.isnan(scores).any():
        n, t, m = scores.shape
        raise InputError(
            f"{path}: expected {m} repetitions by {t} devices for each of {n} persons, "
            f"{int(np.isnan(scores).sum())} are missing; leave incomplete persons out"
        )
    return Repeats(scores, names[1])


def read_changes(
    path: Path, *, person: str | None = None, group: str | None = None, side: str | None = None
) -> list[Changes]:
    """Return every measure of a table that has a column before and one after.

    Parameters
    ----------
    path
        CSV with one joint (or person) a line. A measure is a pair of columns that ends in
        bef/aft, _before/_after or _pre/_post.
    person, group, side
        Names of columns; usual names are found by themselves, the side may be missing.
    """
    table = read_table(path)
    who = table.find(person, PERSON_COLUMNS, "person")
    which = table.find(group, GROUP_COLUMNS, "group")
    where = table.find(side, SIDE_COLUMNS, "side") if side or "side" in table.columns else None
    sides = tuple(table.columns[where]) if where else ("",) * len(table.lines)
    pairs = [
        (name.removesuffix(first), name, name.removesuffix(first) + second)
        for name in table.columns
        for first, second in PAIR_ENDINGS
        if name.endswith(first) and name.removesuffix(first) + second in table.columns
    ]
    if not pairs:
        raise InputError(
            f"{path}: expected a pair of columns such as knee_pre and knee_post, "
            f"got {', '.join(table.columns)}"
        )
    return [
        Changes(
            measure,
            table.numbers(before),
            table.numbers(after),
            tuple(table.columns[who]),
            tuple(table.columns[which]),
            sides,
        )
        for measure, before, after in pairs
    ]
