"""The audit trail: every write is an event, each event carries the hash of the one before it.

An event holds who, when, at which station, what was done to which row, and the digest of the row
afterwards. So three things show: an event that was altered or taken out (its hash no longer fits the
chain), a row that was altered, added or removed behind the program's back (its digest is not the last
one written down), and, against a head that was printed earlier, a chain that was rewritten as a whole.
The last needs that print: a hash without a secret cannot stop somebody who recomputes all of them.
"""

from datetime import datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from imu.errors import RomcapError
from rom.clinic.store_columns import Document, Record, Row, digest

START = "0" * 64
"""What the first event has for the hash before it."""

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far the clocks of the stations of one practice may differ; within it the later time is kept."""


class StoreError(RomcapError):
    """The store cannot be opened, written or trusted."""


class AuditEvent(Row, kw_only=True):
    """One write: `n` counts from 1 without a gap."""

    __tablename__ = "audit_event"
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    station: Mapped[str]
    action: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(32))
    object: Mapped[str] = mapped_column(String(36), index=True)
    row_digest: Mapped[str] = mapped_column(String(64))
    note: Mapped[str]
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    def own_hash(self) -> str:
        """Return the hash that follows from every other field."""
        return digest({name: value for name, value in self.values().items() if name != "hash"})


class AuditHead(Row, kw_only=True):
    """The end of the chain, one row; locking it puts the writers of all stations in line."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    n: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str] = mapped_column(String(64), default=START)
    at: Mapped[datetime | None] = mapped_column(default=None)


class Trail:
    """The chain within one transaction, held against other writers until it ends.

    Parameters
    ----------
    session
        The open transaction.
    now
        The clock of this station.
    actor, station
        Who writes, and where.

    Raises
    ------
    StoreError
        If the clock is behind the last event by more than `CLOCK_TOLERANCE`.
    """

    def __init__(self, session: Session, now: datetime, actor: str, station: str) -> None:
        self._session, self._actor, self._station = session, actor, station
        self._head = session.scalars(select(AuditHead).with_for_update()).one()
        last = self._head.at
        if last is not None and now < last - CLOCK_TOLERANCE:
            raise StoreError(
                f"the clock of this station says {now:%Y-%m-%d %H:%M} UTC, but the store was last written at "
                f"{last:%Y-%m-%d %H:%M} UTC; nothing was written and recordings are safe: set the clock, "
                "then repeat the step"
            )
        self._clock = now

    @property
    def now(self) -> datetime:
        """The time of the next event, UTC: by the clock, and always after the event before it."""
        last = self._head.at
        return self._clock if last is None else max(self._clock, last + timedelta(microseconds=1))

    def note(self, action: str, record: Record, text: str = "") -> None:
        """Append one event about a row as it is now."""
        event = AuditEvent(
            n=self._head.n + 1,
            at=self.now,
            actor=self._actor,
            station=self._station,
            action=action,
            kind=record.__tablename__,
            object=record.id,
            row_digest=record.digest(),
            note=text,
            previous=self._head.hash,
            hash="",
        )
        event.hash = event.own_hash()
        self._session.add(event)
        self._head.n, self._head.hash, self._head.at = event.n, event.hash, event.at


def breaks(session: Session) -> list[str]:
    """Return one sentence for each place where trail and tables do not fit; none means none was found."""
    found: list[str] = []
    last: dict[tuple[str, str], AuditEvent] = {}
    previous, count = START, 0
    for event in session.scalars(select(AuditEvent).order_by(AuditEvent.n)).yield_per(1000):
        count += 1
        if event.n != count:
            found.append(f"audit events {count} to {event.n - 1} are missing: the trail was cut")
            count = event.n
        elif event.previous != previous:
            found.append(f"audit event {event.n} does not follow the one before it: the trail was altered")
        if event.own_hash() != event.hash:
            found.append(f"audit event {event.n} ({event.at:%Y-%m-%d %H:%M} UTC, {event.kind}) was altered")
        previous = event.hash
        last[event.kind, event.object] = event
    head = session.scalars(select(AuditHead)).one()
    if (head.n, head.hash) != (count, previous):
        found.append(f"the trail ends at event {count} but {head.n} were written: its end was cut or altered")
    return found + _rows_that_do_not_fit(session, last)


def _rows_that_do_not_fit(session: Session, last: dict[tuple[str, str], AuditEvent]) -> list[str]:
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    for mapper in Row.registry.mappers:
        if not issubclass(mapper.class_, Record):
            continue
        for record in session.scalars(select(mapper.class_)):
            key = (record.__tablename__, record.id)
            seen.add(key)
            event = last.get(key)
            if event is None or event.action == "remove":
                found.append(f"{key[0]} {record.id} was added without the program")
            elif event.row_digest != record.digest():
                found.append(f"{key[0]} {record.id} was altered without the program after event {event.n}")
    gone = [key for key, event in last.items() if event.action != "remove" and key not in seen]
    return found + [f"{kind} {row} was removed without the program" for kind, row in gone]


def known_head(session: Session, head: str) -> bool:
    """Return whether a head printed earlier (or its first characters) is still part of the chain."""
    return (
        session.scalars(select(AuditEvent.hash).where(AuditEvent.hash.startswith(head))).first() is not None
    )


def events_about(session: Session, objects: set[str]) -> list[Document]:
    """Return the events about some rows, oldest first, as JSON values."""
    events = session.scalars(select(AuditEvent).order_by(AuditEvent.n))
    return [event.values() for event in events if event.object in objects]
