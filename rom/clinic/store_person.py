"""Everything about one person, found along the foreign keys, so that a new table is never forgotten."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from rom.clinic.store_columns import Record, Row
from rom.clinic.store_people import Client


def rows_about(session: Session, client: Client) -> list[Record]:
    """Return every row about a client, parents before children, the client first.

    A row belongs to a client if one of its foreign keys points to the client or to a row that does.
    Practitioners belong to nobody.
    """
    classes = {
        str(mapper.class_.__tablename__): mapper.class_
        for mapper in Row.registry.mappers
        if issubclass(mapper.class_, Record)
    }
    ids: dict[str, set[str]] = {"client": {client.id}}
    found: list[Record] = [client]
    for table in Row.metadata.sorted_tables:
        kind = classes.get(table.name)
        if kind is None or kind is Client:
            continue
        owners = [
            column.in_(ids[key.column.table.name])
            for column in table.columns
            for key in column.foreign_keys
            if ids.get(key.column.table.name)
        ]
        rows: dict[str, Record] = {}
        for owner in owners:
            rows |= {row.id: row for row in session.scalars(select(kind).where(owner).order_by(kind.at))}
        ids[table.name] = set(rows)
        found += rows.values()
    return found
