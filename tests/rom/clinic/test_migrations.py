"""Stores of every release are brought to today's schema with all they hold, after a copy was made."""

import json
import shutil
from collections.abc import Mapping
from datetime import date, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from rom.clinic import store
from rom.clinic.store import Store, StoreError
from rom.clinic.store_columns import Row
from rom.clinic.store_upgrade import MIGRATIONS, SCHEMA, upgrade

RELEASED: Mapping[str, str] = json.loads(files("rom.clinic.migrations").joinpath("released.json").read_text())
DUMPS = Path(__file__).parent / "released"


def engine_of(folder: Path, url: str | None) -> Engine:
    address = url.replace("postgresql", "postgresql+psycopg") if url else f"sqlite:///{folder}/clinic.sqlite"
    return create_engine(address, poolclass=NullPool)


def fill(connection: Connection, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    known = MetaData()
    known.reflect(connection)
    for name, entries in rows.items():
        table = known.tables[name]
        if name == "audit_head":
            connection.execute(table.delete())
        for entry in entries:
            connection.execute(insert(table), [{key: typed(table, key, v) for key, v in entry.items()}])


def typed(table: Table, column: str, value: Any) -> Any:
    kind = table.columns[column].type.__class__.__name__
    if kind in ("DATETIME", "TIMESTAMP"):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=None) if kind == "DATETIME" else moment
    return date.fromisoformat(value) if kind == "DATE" else value


def test_every_release_is_listed_and_has_its_dump() -> None:
    assert ".".join(version("romcap").split(".")[:2]) in RELEASED
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA
    assert {dump.stem for dump in DUMPS.glob("*.json")} == set(RELEASED)


@pytest.mark.parametrize("release", RELEASED)
def test_a_released_store_is_upgraded_with_all_it_holds(
    tmp_path: Path, url: str | None, release: str
) -> None:
    rows = json.loads((DUMPS / f"{release}.json").read_text(encoding="utf-8"))
    engine = engine_of(tmp_path, url)
    with engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", MIGRATIONS)
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, RELEASED[release])
        fill(connection, rows)
    opened = Store(tmp_path, url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []
        for table in Row.metadata.sorted_tables:
            count = len(list(connection.execute(select(table))))
            assert count == len(rows.get(table.name, [])), table.name
    assert opened.trail_breaks() == []
    with opened.writing("Ann") as ledger:
        ledger.change(ledger.client("P0042"), height_cm=181.0)
    assert opened.trail_breaks() == []


ADD_COLUMN = '''"""Add a column."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it."""
    with op.batch_alter_table("client") as batch:
        batch.add_column(sa.Column("extra", sa.Text(), nullable=True))
{more}
'''


def scripts_with_one_more(folder: Path, more: str = "") -> str:
    package = Path(str(files("rom.clinic").joinpath("migrations")))
    shutil.copytree(package, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    script = ADD_COLUMN.replace("{more}", more)
    (folder / "migrations" / "versions" / "v0002_more.py").write_text(script)
    return str(folder / "migrations")


def test_a_copy_is_made_before_an_upgrade(tmp_path: Path, url: str | None) -> None:
    practice = tmp_path / "practice"
    opened = Store(practice, url)
    with opened.writing("Ann") as ledger:
        ledger.add(store.Client(code="P0042"))
    engine = engine_of(practice, url)
    copy = upgrade(engine, scripts_with_one_more(tmp_path))
    assert copy is not None
    assert "0001" in copy
    with engine.connect() as connection:
        assert "extra" in {column["name"] for column in inspect(connection).get_columns("client")}
        assert connection.execute(text("SELECT code, extra FROM client")).one() == ("P0042", None)
    if url is None:
        engine = create_engine(f"sqlite:///{practice / copy}", poolclass=NullPool)
    with engine.connect() as connection:
        table = "client" if url is None else f"{copy.removeprefix('schema ')}.client"
        assert connection.execute(text(f"SELECT code FROM {table}")).one() == ("P0042",)
    with pytest.raises(StoreError, match="schema 0002, which a newer romcap wrote"):
        Store(practice, url)


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path: Path, url: str | None) -> None:
    practice = tmp_path / "practice"
    with Store(practice, url).writing("Ann") as ledger:
        ledger.add(store.Client(code="P0042"))
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(
            engine_of(practice, url),
            scripts_with_one_more(tmp_path, '    raise RuntimeError("in the middle")'),
        )
    opened = Store(practice, url)
    with opened.reading() as ledger:
        assert ledger.client("P0042").height_cm is None
    assert opened.trail_breaks() == []
