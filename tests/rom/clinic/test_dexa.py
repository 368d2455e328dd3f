"""DEXA tables: units, duplicates, contradictions, and the precision printed beside every figure."""

from datetime import date
from pathlib import Path

import pytest

from imu.errors import InputError
from rom.clinic.dexa import asymmetry_percent, import_dexa, read_dexa
from rom.clinic.person import add_client
from rom.clinic.store import Store
from rom.clinic.store_people import DexaScan

TABLE = """date,region,side,lean_kg,fat_kg,machine
2026-01-10,legs,left,9.00,3.1,A1
2026-01-10,legs,right,9.40,3.0,A1
2026-01-10,arms,L,3.00,1.0,A1
2026-01-10,arms,R,3.60,1.0,A1
2026-01-10,trunk,left,12.0,4.0,A1
2026-01-10,trunk,right,12.0,4.0,A1
"""


def written(folder: Path, text: str, name: str = "scan.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_units_and_delimiters_mean_the_same(tmp_path: Path) -> None:
    kg = read_dexa(written(tmp_path, "date,region,side,lean_kg\n2026-01-10,leg,left,9.07184740\n"))
    lb = read_dexa(written(tmp_path, "date,region,side,lean_lb\n2026-01-10,legs,L,20\n"))
    g = read_dexa(written(tmp_path, "\ufeffDate;Region;Side;Lean_g\n2026-01-10;LEGS;left;9071,8474\n"))
    assert kg[0].lean_kg == pytest.approx(lb[0].lean_kg, abs=1e-9)
    assert g[0].lean_kg == pytest.approx(lb[0].lean_kg, abs=1e-9)
    assert kg[0].day == date(2026, 1, 10)


def test_asymmetry_is_the_reference_formula() -> None:
    assert asymmetry_percent(9.0, 11.0) == pytest.approx(20.0)
    assert asymmetry_percent(11.0, 9.0) == pytest.approx(-20.0)


def test_an_import_says_what_one_scan_can_tell_apart_and_counts_once(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path / "practice", url)
    add_client(store, "Ann", "P0042")
    path = written(tmp_path, TABLE)
    with store.writing("Ann") as ledger:
        first = import_dexa(ledger, ledger.client("P0042"), path)
    with store.writing("Ann") as ledger:
        again = import_dexa(ledger, ledger.client("P0042"), path)
    assert (first.added, first.known, again.added, again.known) == (6, 0, 0, 6)
    legs, arms, trunk = sorted(
        first.sentences, key=lambda s: ["legs", "arms", "trunk"].index(s.split()[4].rstrip(":"))
    )
    assert "difference +4.3 %: within what one scan can tell apart (7.5 %)" in legs
    assert "difference +18.2 %: beyond what one scan can tell apart (9.1 %)" in arms
    assert "no precision is known for the trunk" in trunk
    later = "date,region,side,lean_kg,machine\n2026-03-10,legs,left,9.9,A1\n2026-03-10,legs,right,9.5,B7\n"
    with store.writing("Ann") as ledger:
        change = import_dexa(ledger, ledger.client("P0042"), written(tmp_path, later, "later.csv"))
    assert any(
        "Legs left, 2026-01-10 to 2026-03-10: +10.0 %: beyond the least" in s for s in change.sentences
    )
    assert any("different machines (A1, B7): not comparable" in s for s in change.sentences)


def test_a_contradiction_imports_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "practice")
    add_client(store, "Ann", "P0042")
    with store.writing("Ann") as ledger:
        import_dexa(ledger, ledger.client("P0042"), written(tmp_path, TABLE))
    other = "date,region,side,lean_kg\n2026-02-10,legs,left,9.1\n2026-01-10,legs,left,8.0\n"
    with pytest.raises(InputError, match=r"8\.00 kg here, but 9\.00 kg was imported from scan\.csv"):
        _import(store, written(tmp_path, other, "other.csv"))
    with store.reading() as ledger:
        assert len(ledger.find(DexaScan)) == 6


def _import(store: Store, path: Path) -> None:
    with store.writing("Ann") as ledger:
        import_dexa(ledger, ledger.client("P0042"), path)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("10.01.2026,legs,left,9.0", "line 2: expected a date like 2026-03-31"),
        ("2026-01-10,head,left,9.0", "region arms, legs or trunk"),
        ("2026-01-10,legs,both,9.0", "side left or right"),
        ("2026-01-10,legs,left,heavy", "lean_kg is no number: 'heavy'"),
        ("2026-01-10,legs,left,9000", "check the unit"),
        ("2026-01-10,legs,left,", "expected a column lean_kg"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_dexa(written(tmp_path, f"date,region,side,lean_kg\n{line}\n"))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows"):
        read_dexa(written(tmp_path, ""))
    with pytest.raises(InputError, match="expected a CSV table"):
        read_dexa(tmp_path / "none.csv")
