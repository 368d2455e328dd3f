"""Bring a database to the schema of this program: a backup copy first, then the shipped migrations."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.schema import CreateSchema

from rom.clinic.store_audit import StoreError

SCHEMA = "0001"
"""The newest migration; a store that has it needs no Alembic, which takes its time to load."""

MIGRATIONS = "rom.clinic:migrations"
"""Where the migrations lie: inside the package, so that every installation has them."""


def upgrade(engine: Engine, scripts: str = MIGRATIONS) -> str | None:
    """Bring the database to the newest schema.

    A database that holds something is copied first: an SQLite file beside itself, a PostgreSQL schema
    into a schema of its own, in the same transaction as the upgrade.

    Parameters
    ----------
    engine
        The database; on SQLite its connections must not enforce foreign keys.
    scripts
        Location of the migrations.

    Returns
    -------
    str or None
        Where the copy is, or None if there was nothing to do or nothing to lose.

    Raises
    ------
    StoreError
        If the database was written by a newer program.
    """
    if scripts == MIGRATIONS and _revision(engine) == SCHEMA:
        return None
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    directory = ScriptDirectory.from_config(config)
    newest = directory.get_current_head()
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7263)"))
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision == newest:
            return None
        if revision is not None and revision not in {
            script.revision for script in directory.walk_revisions()
        }:
            raise StoreError(
                f"this store has the schema {revision}, which a newer romcap wrote, and this one knows "
                f"schemas up to {newest}; install the newer version"
            )
        copy = _copy(connection, revision) if revision is not None else None
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return copy


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _copy(connection: Connection, revision: str) -> str:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if connection.dialect.name == "sqlite":
        source = Path(str(connection.engine.url.database))
        target = source.with_name(f"{source.name}.before-{revision}-{stamp}")
        with sqlite3.connect(source) as original, sqlite3.connect(target) as backup:
            original.backup(backup)
        original.close()
        backup.close()
        return target.name
    schema = f"before_{revision}_{stamp}".lower()
    tables = inspect(connection).get_table_names()
    connection.execute(CreateSchema(schema))
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        connection.execute(text(f"CREATE TABLE {quote(schema)}.{quote(table)} AS TABLE {quote(table)}"))
    return f"schema {schema}"
