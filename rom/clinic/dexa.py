"""Lean mass left and right from a DEXA scan's table, and how small a difference the method can see."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from imu.errors import InputError
from rom.clinic.store import Ledger
from rom.clinic.store_people import Client, DexaScan

UNITS = {"kg": 1.0, "g": 1e-3, "lb": 0.45359237}
REGIONS = ("arms", "legs", "trunk")
SIDES = ("left", "right")

CV_PERCENT: dict[str, tuple[float, float]] = {"legs": (2.7, 3.0), "arms": (3.3, 4.6)}
"""Precision of lean mass, RMS-CV in %, short and long term (PMC6127003, people with spinal cord injury)."""

Z_CHANGE = 2.77
"""Least significant change = 2.77 CV (clinical.md 3.7)."""


@dataclass(frozen=True)
class DexaRow:
    """One region and side of one scan; masses in kg, None where the table has none."""

    day: date
    region: str
    side: str
    lean_kg: float
    fat_kg: float | None
    bmc_kg: float | None
    machine: str | None
    software: str | None
    position_note: str | None


@dataclass(frozen=True)
class Imported:
    """What an import brought: new rows, rows that were there already, and what they show."""

    added: int
    known: int
    sentences: tuple[str, ...]


def read_dexa(path: Path) -> list[DexaRow]:
    """Read a table with the columns date, region, side and lean_kg (or lean_g, lean_lb).

    fat_ and bmc_ columns, machine, software and position are taken along. Regions are arms, legs and trunk.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing or a cell makes no sense; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            delimiter = ";" if sample.count(";") > sample.count(",") else ","
            lines = list(csv.DictReader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV table of a DEXA scan, got {error}") from None
    if not lines:
        raise InputError(f"{path}: the table has no rows")
    return [_row(path, number, line) for number, line in enumerate(lines, start=2)]


def import_dexa(ledger: Ledger, client: Client, path: Path) -> Imported:
    """Write a scan's table down; rows that are there already are left alone.

    Raises
    ------
    InputError
        If a row contradicts one that is there: same day, region and side, another mass.
    """
    rows = read_dexa(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    added = known = 0
    for row in rows:
        keys = {"client_id": client.id, "day": row.day, "region": row.region, "side": row.side}
        there = ledger.one(DexaScan, **keys)
        if there is None:
            rest = {
                name: getattr(row, name) for name in ("lean_kg", "fat_kg", "bmc_kg", "machine", "software")
            }
            ledger.add(
                DexaScan(
                    **keys,
                    **rest,
                    position_note=row.position_note,
                    source_file=path.name,
                    source_sha256=sha256,
                )
            )
            added += 1
        elif abs(there.lean_kg - row.lean_kg) > 1e-6:
            raise InputError(
                f"{path}: {row.region} {row.side} of {row.day} is {row.lean_kg:.2f} kg here, but "
                f"{there.lean_kg:.2f} kg was imported from {there.source_file}; nothing was imported: "
                "check which one is right"
            )
        else:
            known += 1
    return Imported(added, known, tuple(lean_sentences(ledger.find(DexaScan, client_id=client.id))))


def asymmetry_percent(left: float, right: float) -> float:
    """Return 200 (R - L) / (R + L), %: positive where the right side has more (clinical.md 3.7)."""
    return 200.0 * (right - left) / (right + left)


def lean_sentences(scans: Sequence[DexaScan]) -> list[str]:
    """Return left against right of the newest scan, and what changed since the first, with the precision."""
    found: list[str] = []
    for region in REGIONS:
        days = sorted({scan.day for scan in scans if scan.region == region})
        by_key = {(scan.day, scan.side): scan for scan in scans if scan.region == region}
        if not days:
            continue
        left, right = (by_key.get((days[-1], side)) for side in SIDES)
        limits = CV_PERCENT.get(region)
        if left and right:
            found.append(_sides(region, left.lean_kg, right.lean_kg, limits))
        if len(days) > 1:
            found += [
                _change(by_key[days[0], side], by_key[days[-1], side], limits)
                for side in SIDES
                if (days[0], side) in by_key and (days[-1], side) in by_key
            ]
    return found


def _sides(region: str, left: float, right: float, limits: tuple[float, float] | None) -> str:
    percent = asymmetry_percent(left, right)
    text = f"Lean mass of the {region}: left {left:.2f} kg, right {right:.2f} kg, difference {percent:+.1f} %"
    if limits is None:
        return f"{text}; no precision is known for the {region}."
    least = Z_CHANGE * limits[0]
    inside = "within" if abs(percent) <= least else "beyond"
    return f"{text}: {inside} what one scan can tell apart ({least:.1f} %)."


def _change(first: DexaScan, last: DexaScan, limits: tuple[float, float] | None) -> str:
    percent = 100.0 * (last.lean_kg - first.lean_kg) / first.lean_kg
    text = f"{first.region.capitalize()} {first.side}, {first.day} to {last.day}: {percent:+.1f} %"
    if (first.machine or "") != (last.machine or ""):
        return f"{text}, on different machines ({first.machine}, {last.machine}): not comparable."
    if limits is None:
        return f"{text}; no precision is known for the {first.region}."
    least = Z_CHANGE * limits[1]
    inside = "within" if abs(percent) <= least else "beyond"
    return f"{text}: {inside} the least significant change ({least:.1f} %)."


def _row(path: Path, number: int, line: dict[str, str | None]) -> DexaRow:
    cells = {(key or "").strip().lower(): (value or "").strip() for key, value in line.items()}
    where = f"{path}, line {number}"
    region, side = cells.get("region", "").lower(), cells.get("side", "").lower()
    region = {"arm": "arms", "leg": "legs"}.get(region, region)
    side = {"l": "left", "r": "right"}.get(side, side)
    if region not in REGIONS or side not in SIDES:
        raise InputError(
            f"{where}: expected region arms, legs or trunk and side left or right, got {region!r} {side!r}"
        )
    try:
        day = date.fromisoformat(cells.get("date", ""))
    except ValueError:
        raise InputError(f"{where}: expected a date like 2026-03-31, got {cells.get('date', '')!r}") from None
    lean = _mass(where, cells, "lean")
    if lean is None:
        raise InputError(f"{where}: expected a column lean_kg, lean_g or lean_lb with a mass")
    texts = [cells.get(name) or None for name in ("machine", "software", "position")]
    return DexaRow(day, region, side, lean, _mass(where, cells, "fat"), _mass(where, cells, "bmc"), *texts)


def _mass(where: str, cells: dict[str, str], name: str) -> float | None:
    for unit, factor in UNITS.items():
        text = cells.get(f"{name}_{unit}", "")
        if not text:
            continue
        try:
            mass = factor * float(text.replace(",", "."))
        except ValueError:
            raise InputError(f"{where}: {name}_{unit} is no number: {text!r}") from None
        if not 0.0 < mass < 200.0:
            raise InputError(f"{where}: {name} of {mass:g} kg cannot be right; check the unit of the column")
        return mass
    return None
