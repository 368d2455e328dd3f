"""Tables about a person over time: client, consent, episode, home, scans, performance. No names in here."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rom.clinic.store_columns import Document, Record


def client_key() -> Mapped[str]:
    """Return the column that says whose row it is."""
    return mapped_column(ForeignKey("client.id"), index=True)


class Client(Record, kw_only=True):
    """The person measured, under a pseudonym; the name lives in the sealed key file only."""

    __tablename__ = "client"
    code: Mapped[str] = mapped_column(String(16), unique=True)
    birth_year: Mapped[int | None] = mapped_column(default=None)
    sex: Mapped[str | None] = mapped_column(default=None)
    height_cm: Mapped[float | None] = mapped_column(default=None)
    mass_kg: Mapped[float | None] = mapped_column(default=None)
    dominant_hand: Mapped[str | None] = mapped_column(default=None)
    dominant_leg: Mapped[str | None] = mapped_column(default=None)
    notes_sealed: Mapped[str | None] = mapped_column(default=None)


class Practitioner(Record, kw_only=True):
    """Who treats and signs. The claimed certificate is free text and is not verified."""

    __tablename__ = "practitioner"
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str | None] = mapped_column(default=None)
    licence_ref: Mapped[str | None] = mapped_column(default=None)
    cert_claimed: Mapped[str | None] = mapped_column(default=None)


class Consent(Record, kw_only=True):
    """What the client agreed to."""

    __tablename__ = "consent"
    client_id: Mapped[str] = client_key()
    version: Mapped[str]
    scope: Mapped[str]
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None] = mapped_column(default=None)


class Episode(Record, kw_only=True):
    """One complaint and the plan for it."""

    __tablename__ = "episode"
    client_id: Mapped[str] = client_key()
    complaint: Mapped[str]
    regions: Mapped[list[str]]
    side: Mapped[str]
    onset: Mapped[date | None] = mapped_column(default=None)
    goal_text: Mapped[str | None] = mapped_column(default=None)
    goal_movement: Mapped[str | None] = mapped_column(default=None)
    goal_deg: Mapped[float | None] = mapped_column(default=None)
    plan_visits_min: Mapped[int | None] = mapped_column(default=None)
    plan_visits_max: Mapped[int | None] = mapped_column(default=None)
    plan_weeks_min: Mapped[float | None] = mapped_column(default=None)
    plan_weeks_max: Mapped[float | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(default="open")


class Score(Record, kw_only=True):
    """A pain rating or the total of a questionnaire; the text of questionnaires is not shipped."""

    __tablename__ = "score"
    client_id: Mapped[str] = client_key()
    visit_id: Mapped[str | None] = mapped_column(ForeignKey("visit.id"), default=None, index=True)
    instrument: Mapped[str]
    value: Mapped[float]
    unit: Mapped[str]
    version: Mapped[str | None] = mapped_column(default=None)
    moment: Mapped[str | None] = mapped_column(default=None)


class HomeTask(Record, kw_only=True):
    """Something to do between visits, in the client's words."""

    __tablename__ = "home_task"
    client_id: Mapped[str] = client_key()
    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"), index=True)
    kind: Mapped[str]
    text: Mapped[str]
    dose: Mapped[str | None] = mapped_column(default=None)
    trial_id: Mapped[str | None] = mapped_column(ForeignKey("trial.id"), default=None)
    key: Mapped[str | None] = mapped_column(default=None)


class HomeLog(Record, kw_only=True):
    """What the client did and felt between visits."""

    __tablename__ = "home_log"
    client_id: Mapped[str] = client_key()
    task_id: Mapped[str | None] = mapped_column(ForeignKey("home_task.id"), default=None, index=True)
    trial_id: Mapped[str | None] = mapped_column(ForeignKey("trial.id"), default=None)
    day: Mapped[date]
    done: Mapped[bool | None] = mapped_column(default=None)
    soreness: Mapped[float | None] = mapped_column(default=None)
    rom_deg: Mapped[float | None] = mapped_column(default=None)
    note: Mapped[str | None] = mapped_column(default=None)


class Performance(Record, kw_only=True):
    """One entry of running volume, a lift, a jump: what the client can do."""

    __tablename__ = "performance"
    client_id: Mapped[str] = client_key()
    day: Mapped[date]
    kind: Mapped[str]
    value: Mapped[float]
    unit: Mapped[str]
    note: Mapped[str | None] = mapped_column(default=None)


class DexaScan(Record, kw_only=True):
    """Lean, fat and bone mass of one region and side from one scan."""

    __tablename__ = "dexa_scan"
    __table_args__ = (UniqueConstraint("client_id", "day", "region", "side"),)
    client_id: Mapped[str] = client_key()
    day: Mapped[date]
    region: Mapped[str]
    side: Mapped[str]
    lean_kg: Mapped[float]
    fat_kg: Mapped[float | None] = mapped_column(default=None)
    bmc_kg: Mapped[float | None] = mapped_column(default=None)
    machine: Mapped[str | None] = mapped_column(default=None)
    software: Mapped[str | None] = mapped_column(default=None)
    position_note: Mapped[str | None] = mapped_column(default=None)
    source_file: Mapped[str | None] = mapped_column(default=None)
    source_sha256: Mapped[str | None] = mapped_column(default=None)
    details: Mapped[Document | None] = mapped_column(default=None)
