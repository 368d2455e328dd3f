"""What the columns of the store have in common: times in UTC, numbers that may be unknown, ids, digests."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, Dialect, Double, MetaData, String, Text, TypeDecorator
from sqlalchemy import types as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from imu.errors import InputError

Document = dict[str, Any]
"""A JSON object."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and given back aware; SQLite would give it back without a zone."""

    impl = sql.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone; convert the rest to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise InputError(f"a moment needs a time zone, got {value.isoformat()}; add +00:00 for UTC")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Return the moment in UTC, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Number(TypeDecorator[float]):
    """A float64 whose NaN ("not known") is stored as NULL, the same in every database."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Return None for NaN."""
        return None if value is None or math.isnan(value) else float(value)


class Json(TypeDecorator[Document]):
    """A JSON value; NaN inside becomes null, which PostgreSQL insists on."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Document | None, dialect: Dialect) -> Any:  # noqa: ARG002 -- SQLAlchemy's signature
        """Return the value without NaN."""
        return plain(value)


class Row(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """One row of any table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads this name from the class
        datetime: UtcTime,
        float: Number,
        str: Text,
        Document: Json,
        list[str]: JSON,
    }

    def values(self) -> Document:
        """Return the columns by name, as JSON values; what is not known is left out."""
        named = {
            column.key: plain(
                float(value) if isinstance(column.type, Number) and value is not None else value
            )
            for column in self.__table__.columns
            for value in [getattr(self, column.key)]
        }
        return {name: value for name, value in named.items() if value is not None}


class Record(Row, kw_only=True):
    """One row of the tables that people fill, with a random id and the moment of writing.

    Parameters
    ----------
    id
        UUID.
    at
        When it was written, UTC.
    """

    __abstract__ = True
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default_factory=lambda: str(uuid4()))
    at: Mapped[datetime] = mapped_column(default_factory=lambda: datetime.now(UTC))

    def digest(self) -> str:
        """Return the sha256 of `values`, in hexadecimal.

        What is None is left out, so that a column added by a later version changes no digest.
        """
        return digest(self.values())


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: times as ISO text in UTC, NaN and infinities as None."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value


def digest(document: object) -> str:
    """Return the sha256 of a JSON document in its canonical form, in hexadecimal."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
