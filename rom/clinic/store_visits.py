"""Tables about one visit: answers, sensors, trials, reps, findings, treatments, passes, outcomes."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rom.clinic.store_columns import Document, Record


def visit_key() -> Mapped[str]:
    """Return the column that says to which visit a row belongs."""
    return mapped_column(ForeignKey("visit.id"), index=True)


class Visit(Record, kw_only=True):
    """One dated session; `state` is where the state machine stands."""

    __tablename__ = "visit"
    __table_args__ = (UniqueConstraint("episode_id", "seq"),)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episode.id"), index=True)
    practitioner_id: Mapped[str] = mapped_column(ForeignKey("practitioner.id"))
    seq: Mapped[int]
    started_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    station: Mapped[str]
    software_version: Mapped[str]
    reps_wanted: Mapped[int]
    passes_max: Mapped[int]
    discomfort_max: Mapped[float]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    location: Mapped[str | None] = mapped_column(default=None)
    magnetic_note: Mapped[str | None] = mapped_column(default=None)
    treatment_min: Mapped[float | None] = mapped_column(default=None)
    reaction: Mapped[str | None] = mapped_column(default=None)
    next_visit: Mapped[date | None] = mapped_column(default=None)
    signed_by: Mapped[str | None] = mapped_column(default=None)
    signed_at: Mapped[datetime | None] = mapped_column(default=None)


class StateChange(Record, kw_only=True):
    """One step of the state machine; a reason where a soft guard was passed."""

    __tablename__ = "state_change"
    __table_args__ = (UniqueConstraint("visit_id", "n"),)
    visit_id: Mapped[str] = visit_key()
    n: Mapped[int]
    source: Mapped[str]
    target: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str | None] = mapped_column(default=None)


class ScreeningAnswer(Record, kw_only=True):
    """One answer of the screening; overrides carry a name and a reason."""

    __tablename__ = "screening_answer"
    __table_args__ = (UniqueConstraint("visit_id", "code"),)
    visit_id: Mapped[str] = visit_key()
    code: Mapped[str]
    answer: Mapped[str]
    level: Mapped[str | None] = mapped_column(default=None)
    detail: Mapped[str] = mapped_column(default="")
    regions: Mapped[list[str]] = mapped_column(default_factory=list[str])
    override_by: Mapped[str] = mapped_column(default="")
    override_reason: Mapped[str] = mapped_column(default="")


class History(Record, kw_only=True):
    """What the client tells; in full at the first visit, what is new later."""

    __tablename__ = "history"
    visit_id: Mapped[str] = visit_key()
    nprs_now: Mapped[float]
    nprs_worst: Mapped[float | None] = mapped_column(default=None)
    nprs_day: Mapped[float | None] = mapped_column(default=None)
    medication: Mapped[str | None] = mapped_column(default=None)
    aggravators: Mapped[str | None] = mapped_column(default=None)
    repetitive_tasks: Mapped[str | None] = mapped_column(default=None)
    training_load: Mapped[str | None] = mapped_column(default=None)
    prior_injury: Mapped[str | None] = mapped_column(default=None)
    news: Mapped[str | None] = mapped_column(default=None)


class SensorSetup(Record, kw_only=True):
    """One sensor on one segment, from mounting to removal."""

    __tablename__ = "sensor_setup"
    visit_id: Mapped[str] = visit_key()
    sensor: Mapped[str]
    segment: Mapped[str]
    kind: Mapped[str]
    rate_hz: Mapped[float]
    mounted_at: Mapped[datetime]
    serial: Mapped[str | None] = mapped_column(default=None)
    firmware: Mapped[str | None] = mapped_column(default=None)
    placement: Mapped[str | None] = mapped_column(default=None)
    acc_range_g: Mapped[float | None] = mapped_column(default=None)
    gyro_range_dps: Mapped[float | None] = mapped_column(default=None)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)
    strap_conflict: Mapped[bool] = mapped_column(default=False)


class CalibrationRecord(Record, kw_only=True):
    """One calibration of a joint: how it went and the document that can be loaded again."""

    __tablename__ = "calibration"
    visit_id: Mapped[str] = visit_key()
    kind: Mapped[str]
    joint: Mapped[str]
    side: Mapped[str]
    residual_deg: Mapped[float | None] = mapped_column(default=None)
    document: Mapped[Document | None] = mapped_column(default=None)


class RecordingFile(Record, kw_only=True):
    """A recording on disk; the store holds its hash, never its samples."""

    __tablename__ = "recording"
    visit_id: Mapped[str] = visit_key()
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    bytes: Mapped[int]
    recording_id: Mapped[str]
    recorded_at: Mapped[datetime]
    duration_s: Mapped[float | None] = mapped_column(default=None)
    simulated: Mapped[bool] = mapped_column(default=False)


class TrialRecord(Record, kw_only=True):
    """One test of one movement: its phase, its aggregate and the value that the reps gave.

    `sample` holds the reps that count and their shared errors in rad, exactly: comparisons use it.
    """

    __tablename__ = "trial"
    visit_id: Mapped[str] = visit_key()
    recording_id: Mapped[str] = mapped_column(ForeignKey("recording.id"), index=True)
    n: Mapped[int]
    movement: Mapped[str]
    side: Mapped[str]
    phase: Mapped[str]
    aggregate: Mapped[str]
    recorded_at: Mapped[datetime]
    active_passive: Mapped[str] = mapped_column(default="active")
    value_deg: Mapped[float | None] = mapped_column(default=None)
    sigma_deg: Mapped[float | None] = mapped_column(default=None)
    restrapped_since_baseline: Mapped[bool | None] = mapped_column(default=None)
    elapsed_min: Mapped[float | None] = mapped_column(default=None)
    position_variant: Mapped[str | None] = mapped_column(default=None)
    examiner: Mapped[str | None] = mapped_column(default=None)
    nprs: Mapped[float | None] = mapped_column(default=None)
    sample: Mapped[Document | None] = mapped_column(default=None)
    quality: Mapped[Document | None] = mapped_column(default=None)
    provenance: Mapped[Document | None] = mapped_column(default=None)


class RepRecord(Record, kw_only=True):
    """There and back once."""

    __tablename__ = "rep"
    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    n: Mapped[int]
    t0_s: Mapped[float]
    t1_s: Mapped[float]
    value_deg: Mapped[float | None] = mapped_column(default=None)
    start_deg: Mapped[float | None] = mapped_column(default=None)
    end_peak_deg: Mapped[float | None] = mapped_column(default=None)
    end_plateau_deg: Mapped[float | None] = mapped_column(default=None)
    rom_deg: Mapped[float | None] = mapped_column(default=None)
    sigma_deg: Mapped[float | None] = mapped_column(default=None)
    duration_s: Mapped[float | None] = mapped_column(default=None)
    peak_velocity_dps: Mapped[float | None] = mapped_column(default=None)
    sparc: Mapped[float | None] = mapped_column(default=None)
    ldlj: Mapped[float | None] = mapped_column(default=None)
    hold_s: Mapped[float | None] = mapped_column(default=None)
    compensation_deg: Mapped[Document | None] = mapped_column(default=None)
    warm_up: Mapped[bool] = mapped_column(default=False)
    valid: Mapped[bool] = mapped_column(default=True)
    reject_reason: Mapped[str | None] = mapped_column(default=None)
    nprs: Mapped[float | None] = mapped_column(default=None)


class PalpationFinding(Record, kw_only=True):
    """What the fingers found; the last one of a visit is the structure that is treated next."""

    __tablename__ = "palpation"
    visit_id: Mapped[str] = visit_key()
    structure: Mapped[str]
    side: Mapped[str]
    texture: Mapped[str] = mapped_column(default="none")
    tender: Mapped[int] = mapped_column(default=0)
    reproduces_familiar: Mapped[bool | None] = mapped_column(default=None)
    depth: Mapped[str | None] = mapped_column(default=None)


class Treatment(Record, kw_only=True):
    """Work on one structure with one technique."""

    __tablename__ = "treatment"
    visit_id: Mapped[str] = visit_key()
    structure: Mapped[str]
    side: Mapped[str]
    technique: Mapped[str]
    started_at: Mapped[datetime]
    tool: Mapped[str | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_because: Mapped[str | None] = mapped_column(default=None)


class PassRecord(Record, kw_only=True):
    """One travel from the shortened to the lengthened position under contact: treatment log, not outcome."""

    __tablename__ = "treatment_pass"
    __table_args__ = (UniqueConstraint("treatment_id", "n"),)
    treatment_id: Mapped[str] = mapped_column(ForeignKey("treatment.id"), index=True)
    n: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recording.id"), default=None)
    movement: Mapped[str | None] = mapped_column(default=None)
    t0_s: Mapped[float | None] = mapped_column(default=None)
    t1_s: Mapped[float | None] = mapped_column(default=None)
    start_deg: Mapped[float | None] = mapped_column(default=None)
    end_deg: Mapped[float | None] = mapped_column(default=None)
    mean_speed_dps: Mapped[float | None] = mapped_column(default=None)
    discomfort: Mapped[float | None] = mapped_column(default=None)
    stop_reason: Mapped[str | None] = mapped_column(default=None)
    contact: Mapped[str | None] = mapped_column(default=None)


class PressurePain(Record, kw_only=True):
    """Pressure-pain threshold of one site: three trials, kPa."""

    __tablename__ = "pressure_pain"
    visit_id: Mapped[str] = visit_key()
    site: Mapped[str]
    side: Mapped[str]
    trial1_kpa: Mapped[float]
    trial2_kpa: Mapped[float | None] = mapped_column(default=None)
    trial3_kpa: Mapped[float | None] = mapped_column(default=None)
    probe_cm2: Mapped[float] = mapped_column(default=1.0)


class Outcome(Record, kw_only=True):
    """A comparison of two trials: change (before, after) or symmetry (left, right)."""

    __tablename__ = "outcome"
    visit_id: Mapped[str] = visit_key()
    kind: Mapped[str]
    first_trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    second_trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    difference_deg: Mapped[float]
    sentence: Mapped[str]
    low_deg: Mapped[float | None] = mapped_column(default=None)
    high_deg: Mapped[float | None] = mapped_column(default=None)
    mdc_used_deg: Mapped[float | None] = mapped_column(default=None)
    mdc_basis: Mapped[str | None] = mapped_column(default=None)
    p_gt_zero: Mapped[float | None] = mapped_column(default=None)
    p_gt_mdc: Mapped[float | None] = mapped_column(default=None)
    verdict: Mapped[str | None] = mapped_column(default=None)
    warmup_adjusted_deg: Mapped[float | None] = mapped_column(default=None)
    document: Mapped[Document | None] = mapped_column(default=None)


class AdverseEvent(Record, kw_only=True):
    """Something that should not have happened, and what was done about it."""

    __tablename__ = "adverse_event"
    visit_id: Mapped[str] = visit_key()
    grade: Mapped[str]
    description: Mapped[str]
    action: Mapped[str | None] = mapped_column(default=None)


class Halt(Record, kw_only=True):
    """Why a visit was broken off, what was done, who was told."""

    __tablename__ = "halt"
    visit_id: Mapped[str] = visit_key()
    code: Mapped[str]
    reason: Mapped[str]
    action: Mapped[str]
    told: Mapped[str]
