"""People, visits, trials and results in a database: the only door to SQLAlchemy.

A practice is a folder: recordings, the sealed key file, and by default one SQLite file beside them. With
a PostgreSQL URL several stations share one database, and the folder is a shared one. Recordings stay
files; the store holds their path within the folder and their sha256.

Every write happens in one transaction that holds the audit trail, so writers of all stations stand in
line, each sees what the one before did, and a killed process leaves all of a step or nothing of it.
"""

import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from rom.clinic import store_people, store_visits
from rom.clinic.store_audit import AuditHead, StoreError, Trail, breaks, events_about, known_head
from rom.clinic.store_columns import Document, Record
from rom.clinic.store_people import Client
from rom.clinic.store_upgrade import upgrade

R = TypeVar("R", bound=Record)

TABLES = (store_people, store_visits)
"""The modules of all tables: erasure, export and verification must know every one."""

DATABASE = "clinic.sqlite"
RECORDINGS = "recordings"
WAIT_S = 30.0
"""How long a writer waits for another one before it gives up."""


class Ledger:
    """One transaction.

    Parameters
    ----------
    session
        The open session.
    trail
        The audit trail, or None for reading only.
    """

    def __init__(self, session: Session, trail: Trail | None) -> None:
        self._session, self._trail = session, trail

    @property
    def now(self) -> datetime:
        """The moment of this transaction, UTC, never before the last write."""
        return self._writable().now

    def add(self, record: R, note: str = "") -> R:
        """Insert a row; return it."""
        trail = self._writable()
        record.at = trail.now
        self._session.add(record)
        self._session.flush()
        trail.note("add", record, note)
        return record

    def change(self, record: R, note: str = "", **fields: Any) -> R:
        """Set columns of a row that this ledger has read; return it."""
        trail = self._writable()
        for name, value in fields.items():
            if name not in type(record).__table__.columns:
                raise StoreError(f"{record.__tablename__} has no column {name}")
            setattr(record, name, value)
        self._session.flush()
        trail.note("change", record, note)
        return record

    def remove(self, record: Record, note: str = "") -> None:
        """Delete a row."""
        trail = self._writable()
        trail.note("remove", record, note)
        self._session.delete(record)
        self._session.flush()

    def find(self, kind: type[R], /, **equals: Any) -> list[R]:
        """Return the rows whose columns equal the values given, oldest first."""
        query = select(kind).filter_by(**equals).order_by(kind.at, kind.id)
        return list(self._session.scalars(query))

    def one(self, kind: type[R], /, **equals: Any) -> R | None:
        """Return the newest row whose columns equal the values given, or None."""
        rows = self.find(kind, **equals)
        return rows[-1] if rows else None

    def get(self, kind: type[R], row: str) -> R:
        """Return the row of an id.

        Raises
        ------
        StoreError
            If there is none.
        """
        record = self._session.get(kind, row)
        if record is None:
            raise StoreError(f"the store has no {kind.__tablename__} {row}; was an older backup restored?")
        return record

    def client(self, code: str) -> Client:
        """Return a client by pseudonym.

        Raises
        ------
        StoreError
            If there is none.
        """
        found = self.one(Client, code=code.upper())
        if found is None:
            raise StoreError(f"no client {code}; `rom client list` shows the pseudonyms that exist")
        return found

    def owned(self, client: Client) -> list[Record]:
        """Return every row about a client, parents before children, the client first."""
        from rom.clinic.store_person import rows_about

        return rows_about(self._session, client)

    def _writable(self) -> Trail:
        if self._trail is None:
            raise StoreError("this ledger was opened for reading")
        return self._trail


class Store:
    """An open store.

    Parameters
    ----------
    folder
        The practice's folder; made if it is missing.
    url
        URL of a database; None for the SQLite file in the folder.
    station
        Name of this workplace; None for the host name.
    clock
        What tells the time, UTC.

    Raises
    ------
    StoreError
        If the database cannot be reached, is damaged, or is newer than this program.
    """

    def __init__(
        self,
        folder: Path,
        url: str | None = None,
        *,
        station: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = folder.resolve()
        self.station = station or os.environ.get("ROM_STATION") or platform.node() or "station"
        self._clock = clock
        (self.folder / RECORDINGS).mkdir(parents=True, exist_ok=True)
        self._engine = _engine(url, self.folder / DATABASE)
        with _sentences():
            plain = _engine(url, self.folder / DATABASE, foreign_keys=False)
            self.backup = upgrade(plain)
            plain.dispose()

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Generator[Ledger]:
        """Open a ledger that only reads."""
        with _sentences(), Session(self._engine, expire_on_commit=False) as session:
            yield Ledger(session, None)

    @contextmanager
    def writing(self, actor: str) -> Generator[Ledger]:
        """Open a ledger that writes all of its block or, after an error, nothing of it.

        Parameters
        ----------
        actor
            Name of the person who answers for it.
        """
        if not actor.strip():
            raise StoreError("a write needs the name of the person who answers for it")
        with _sentences(), Session(self._engine, expire_on_commit=False) as session:
            session.connection(execution_options={"writes": True})
            trail = Trail(session, self._clock().astimezone(UTC), actor.strip(), self.station)
            yield Ledger(session, trail)
            session.commit()

    def trail_breaks(self) -> list[str]:
        """Return one sentence for each place where audit trail and tables do not fit."""
        with _sentences(), Session(self._engine) as session:
            return breaks(session)

    def trail_head(self) -> tuple[int, str]:
        """Return how many events the trail has and the hash of the last."""
        with _sentences(), Session(self._engine) as session:
            head = session.scalars(select(AuditHead)).one()
            return head.n, head.hash

    def trail_knows(self, head: str) -> bool:
        """Return whether a head printed earlier is still part of the trail."""
        with _sentences(), Session(self._engine) as session:
            return known_head(session, head)

    def compact(self) -> None:
        """Give up the space of deleted rows, so that nothing of them stays in the file."""
        if self._engine.dialect.name != "sqlite":
            return
        connection = self._engine.raw_connection()
        try:
            for command in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.cursor().execute(command)
        finally:
            connection.close()

    def events_about(self, rows: Sequence[Record]) -> list[Document]:
        """Return the audit events about some rows, oldest first, as JSON values."""
        with _sentences(), Session(self._engine) as session:
            return events_about(session, {row.id for row in rows})

    def path_of(self, relative: str) -> Path:
        """Return where a recording of the store lies."""
        return self.folder / relative


def _engine(url: str | None, database: Path, *, foreign_keys: bool = True) -> Engine:
    try:
        address = make_url(url or f"sqlite:///{database}")
    except ArgumentError:
        raise StoreError(
            "the database URL cannot be read; it should look like postgresql://user@host/name"
        ) from None
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": WAIT_S})
        _sqlite_manners(engine, foreign_keys=foreign_keys)
        return engine
    if address.get_backend_name() != "postgresql":
        raise StoreError(f"the store runs on SQLite or PostgreSQL, not on {address.get_backend_name()}")
    try:
        return create_engine(address.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    except ModuleNotFoundError:
        raise StoreError("PostgreSQL needs the extra `clinic`: install romcap[clinic]") from None


def _sqlite_manners(engine: Engine, *, foreign_keys: bool) -> None:
    """Write-ahead log, foreign keys, and transactions that begin when we say so."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction] -- registered
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] -- registered
        writes = connection.get_execution_options().get("writes", not foreign_keys)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _sentences() -> Generator[None]:
    """Turn what a database says into one sentence."""
    try:
        yield
    except IntegrityError:
        raise StoreError(
            "another station wrote the same thing at the same moment; nothing was written twice: "
            "look with `rom visit status` and repeat the step if it is still missing"
        ) from None
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise StoreError(
                f"another program has been writing to the store for {WAIT_S:.0f} s; nothing was written: "
                "repeat the step"
            ) from None
        raise StoreError(f"the database cannot be used: {_first_line(error)}; check it and repeat") from None
    except DatabaseError as error:
        raise StoreError(
            f"the database is damaged or not a store of romcap: {_first_line(error)}; restore a backup"
        ) from None


def _first_line(error: DatabaseError) -> str:
    return str(error.orig).strip().splitlines()[0]


def rows_by_kind(rows: Sequence[Record]) -> dict[str, list[Record]]:
    """Return rows grouped by the name of their table."""
    grouped: dict[str, list[Record]] = {}
    for row in rows:
        grouped.setdefault(row.__tablename__, []).append(row)
    return grouped
