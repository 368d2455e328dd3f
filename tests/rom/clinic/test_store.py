"""The store on SQLite and PostgreSQL: what goes in comes out, all or nothing, and tampering shows."""

import math
import re
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from rom.clinic.store import Store, StoreError
from rom.clinic.store_columns import Record, digest, plain
from rom.clinic.store_people import Client, Consent, DexaScan, Episode, Practitioner

NOW = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def tamper(store: Store, url: str | None, statement: str) -> None:
    """Change the database behind the program's back."""
    address = (
        url.replace("postgresql", "postgresql+psycopg") if url else f"sqlite:///{store.folder}/clinic.sqlite"
    )
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def write(store: Store, *records: Record) -> None:
    with store.writing("Ann") as ledger:
        for record in records:
            ledger.add(record)


def filled(store: Store) -> Client:
    with store.writing("Ann") as ledger:
        client = ledger.add(Client(code="P0042", birth_year=1990, height_cm=180.1, mass_kg=math.nan))
        ledger.add(Episode(client_id=client.id, complaint="tight", regions=["knee"], side="left"))
        ledger.add(Practitioner(name="Ann"))
    return client


def test_values_come_back_equal_and_times_aware(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path, url)
    given_at = datetime(2026, 7, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with store.writing("Ann") as ledger:
        client = ledger.add(Client(code="P0042", mass_kg=math.nan, height_cm=0.1 + 0.2))
        ledger.add(Consent(client_id=client.id, version="1", scope="all", given_at=given_at))
    with store.reading() as ledger:
        again = ledger.client("p0042")
        consent = ledger.one(Consent)
        assert consent is not None
    assert again.mass_kg is None
    assert again.height_cm == 0.1 + 0.2
    assert consent.given_at == given_at
    assert consent.given_at.tzinfo is UTC
    assert store.trail_breaks() == []


def test_a_failed_step_leaves_nothing(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path, url)
    filled(store)
    before = store.trail_head()
    with pytest.raises(StoreError, match="another station"):
        write(store, Practitioner(name="Bob"), Client(code="P0042"))
    with store.reading() as ledger:
        assert [p.name for p in ledger.find(Practitioner)] == ["Ann"]
    assert store.trail_head() == before


def test_a_reference_into_nowhere_is_refused(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path, url)
    with pytest.raises(StoreError):
        write(store, Consent(client_id="nobody", version="1", scope="all", given_at=NOW))


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE client SET height_cm = 199", "client .* was altered without the program"),
        ("DELETE FROM episode", "episode .* was removed without the program"),
        (
            "INSERT INTO practitioner (id, at, name) VALUES ('x', '2026-01-01', 'Eve')",
            "practitioner x was added",
        ),
        ("UPDATE audit_event SET actor = 'Eve' WHERE n = 2", "audit event 2 .* was altered"),
        ("DELETE FROM audit_event WHERE n = 2", "audit events 2 to 2 are missing"),
        ("DELETE FROM audit_event WHERE n = 3", "ends at event 2 but 3 were written"),
    ],
)
def test_tampering_shows(tmp_path: Path, url: str | None, statement: str, sentence: str) -> None:
    store = Store(tmp_path, url)
    filled(store)
    assert store.trail_breaks() == []
    tamper(store, url, statement)
    breaks = store.trail_breaks()
    assert any(re.search(sentence, line) for line in breaks), breaks


def test_a_printed_head_stays_in_the_trail_unless_it_was_rewritten(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path, url)
    filled(store)
    printed = store.trail_head()[1][:16]
    with store.writing("Ann") as ledger:
        ledger.add(Practitioner(name="Bob"))
    assert store.trail_knows(printed)
    assert not store.trail_knows("0" * 16)


def test_writers_of_two_stations_stand_in_line(tmp_path: Path, url: str | None) -> None:
    stations = [Store(tmp_path, url, station=name) for name in ("one", "two")]
    errors: list[BaseException] = []

    def write(store: Store) -> None:
        try:
            for n in range(20):
                with store.writing(store.station) as ledger:
                    ledger.add(Practitioner(name=f"{store.station} {n}"))
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    with stations[0].reading() as ledger:
        assert len(ledger.find(Practitioner)) == 40
    assert stations[1].trail_breaks() == []


def test_a_clock_that_jumps_back_is_refused_and_a_small_step_is_merged(
    tmp_path: Path, url: str | None
) -> None:
    clock = Clock()
    store = Store(tmp_path, url, clock=clock)
    filled(store)
    clock.now = NOW - timedelta(seconds=90)
    with store.writing("Ann") as ledger:
        assert NOW < ledger.add(Practitioner(name="Bob")).at < NOW + timedelta(milliseconds=1)
    clock.now = NOW - timedelta(hours=1)
    with pytest.raises(StoreError, match="09:00 UTC, but the store was last written at 2026-03-03 10:00"):
        write(store, Practitioner(name="Cid"))
    with store.reading() as ledger:
        assert [p.name for p in ledger.find(Practitioner)] == ["Ann", "Bob"]
    assert store.trail_breaks() == []


def test_everything_about_a_person_and_nothing_about_another(tmp_path: Path, url: str | None) -> None:
    store = Store(tmp_path, url)
    client = filled(store)
    with store.writing("Ann") as ledger:
        other = ledger.add(Client(code="P0007"))
        for owner in (client, other):
            ledger.add(DexaScan(client_id=owner.id, day=NOW.date(), region="leg", side="left", lean_kg=9.0))
    with store.reading() as ledger:
        kinds = sorted(row.__tablename__ for row in ledger.owned(ledger.client("P0042")))
    assert kinds == ["client", "dexa_scan", "episode"]


KILLED = """
import sys
from pathlib import Path
from rom.clinic.store import Store
from rom.clinic.store_people import Practitioner
store = Store(Path(sys.argv[1]), sys.argv[2] or None)
for n in range(100_000):
    with store.writing("Ann") as ledger:
        ledger.add(Practitioner(name=f"first {n}"))
        ledger.add(Practitioner(name=f"second {n}"))
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_whole_steps_only(tmp_path: Path, url: str | None) -> None:
    script = [sys.executable, "-c", KILLED, str(tmp_path), url or ""]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(15)]
        process.kill()
        lines += process.stdout.read().splitlines()
    confirmed = len([line for line in lines if line.strip()])
    store = Store(tmp_path, url)
    with store.reading() as ledger:
        names = {p.name for p in ledger.find(Practitioner)}
    assert confirmed <= len(names) / 2 <= confirmed + 1
    assert {n.replace("first", "second") for n in names if n.startswith("first")} == {
        n for n in names if n.startswith("second")
    }
    assert store.trail_breaks() == []


def test_what_is_not_a_store_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "clinic.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="damaged or not a store"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="SQLite or PostgreSQL, not on mysql"):
        Store(tmp_path, "mysql://somewhere/x")
    with pytest.raises(StoreError, match="cannot be read"):
        Store(tmp_path, "::::")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path, f"postgresql://rom@/none?host={tmp_path}")


def test_foreign_keys_and_write_ahead_log_are_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    filled(store)
    with sqlite3.connect(tmp_path / "clinic.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@given(
    st.dictionaries(st.text(), st.floats() | st.integers() | st.none() | st.text() | st.lists(st.booleans()))
)
def test_a_digest_follows_the_content_not_the_order(document: dict[str, object]) -> None:
    backwards = dict(reversed(list(document.items())))
    assert digest(plain(document)) == digest(plain(backwards))
    assert digest(plain(document)) != digest(plain({**document, "one more": 1}))


def test_reading_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.reading() as ledger, pytest.raises(StoreError, match="for reading"):
        ledger.add(Client(code="P1"))
    with pytest.raises(StoreError, match="name of the person"), store.writing(" "):
        pass
