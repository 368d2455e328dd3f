"""Before the first test: answers, history, sensors, calibration."""

from collections.abc import Iterable, Mapping
from typing import Any

from imu.errors import InputError
from imu.recording_values import SensorInfo
from rom.clinic.desk import Desk, Step, visits_of
from rom.clinic.facts import answers_of, screening_of
from rom.clinic.screening import Answer, Screening, assess
from rom.clinic.store_people import Score
from rom.clinic.store_visits import CalibrationRecord, History, ScreeningAnswer, SensorSetup
from rom.clinic.visit import ENDED, State, VisitError

WITH_SENSORS = (
    State.SETUP,
    State.CALIBRATE,
    State.BASELINE,
    State.PALPATE,
    State.TREAT,
    State.RETEST,
    State.RETARGET,
)
"""States in which sensors may be put on or taken off; the first is where that is the step itself."""


def screen(desk: Desk, code: str, answers: Iterable[Answer]) -> Screening:
    """Write answers down, those given before are replaced; return what they add up to."""
    with desk.step(code, State.SCREEN) as step:
        rows = {row.code: row for row in step.ledger.find(ScreeningAnswer, visit_id=step.visit.id)}
        for answer in answers:
            finding = next(iter(assess([answer]).findings), None)
            columns: dict[str, Any] = {
                "answer": str(answer.reply),
                "level": str(finding.level) if finding else None,
                "detail": answer.detail,
                "regions": sorted(answer.regions),
                "override_by": answer.override_by,
                "override_reason": answer.override_reason,
            }
            note = f"{answer.code} passed by {answer.override_by}" if answer.override_by else ""
            if answer.code in rows:
                step.ledger.change(rows[answer.code], note, **columns)
            else:
                step.ledger.add(ScreeningAnswer(visit_id=step.visit.id, code=answer.code, **columns), note)
        return screening_of(step.ledger, step.visit)


def answers_last_time(desk: Desk, code: str) -> list[Answer]:
    """Return the answers of the client's visit before the open one, without their overrides."""
    with desk.store.reading() as ledger:
        client = ledger.client(code)
        visits = [v for v in visits_of(ledger, client) if State(v.state) in ENDED]
        given = answers_of(ledger, visits[-1]) if visits else []
    if not given:
        raise VisitError(f"{code} has no earlier screening: answer every question once")
    return [Answer(a.code, a.reply, a.detail, a.regions) for a in given]


def tell(desk: Desk, code: str, nprs_now: float, **columns: Any) -> History:
    """Write down what the client tells, pain first (NPRS, 0 to 10)."""
    for name, value in (
        ("now", nprs_now),
        ("worst", columns.get("nprs_worst")),
        ("24 h", columns.get("nprs_day")),
    ):
        if value is not None:
            check_nprs(value, f"pain {name}")
    with desk.step(code, State.HISTORY) as step:
        told = step.ledger.add(History(visit_id=step.visit.id, nprs_now=nprs_now, **columns))
        step.ledger.add(
            Score(
                client_id=step.client.id,
                visit_id=step.visit.id,
                instrument="NPRS",
                value=nprs_now,
                unit="0-10",
                moment="before",
            )
        )
    return told


def put_on(desk: Desk, code: str, sensors: Iterable[SensorInfo], *, strap_conflict: bool = False) -> int:
    """Put sensors on; one that sat on the same segment came off. Return how many are on now.

    In set-up it completes that step; later it is a re-strapping, which a re-test will take into account.
    """
    with desk.step(code, *WITH_SENSORS) as step:
        mount(step, sensors, strap_conflict=strap_conflict)
        return len(mounted(step))


def take_off(desk: Desk, code: str, segment: str) -> int:
    """Take the sensor of a segment off; return how many are left."""
    with desk.step(code, *WITH_SENSORS) as step:
        rows = [row for row in mounted(step) if row.segment == segment]
        if not rows:
            worn = ", ".join(row.segment for row in mounted(step)) or "none"
            raise VisitError(f"no sensor sits on {segment}; sensors are on: {worn}")
        for row in rows:
            step.ledger.change(row, removed_at=step.ledger.now)
        return len(mounted(step))


def mounted(step: Step) -> list[SensorSetup]:
    """Return the sensors that are on."""
    rows = step.ledger.find(SensorSetup, visit_id=step.visit.id)
    return [row for row in rows if row.removed_at is None]


def mount(step: Step, sensors: Iterable[SensorInfo], *, strap_conflict: bool = False) -> None:
    """Put sensors on within a step."""
    now = step.ledger.now
    for info in sensors:
        for row in mounted(step):
            if row.segment == info.segment:
                step.ledger.change(row, "replaced", removed_at=now)
        step.ledger.add(
            SensorSetup(
                visit_id=step.visit.id,
                sensor=info.sensor,
                segment=info.segment,
                kind=info.kind,
                rate_hz=info.rate_hz,
                mounted_at=now,
                serial=info.serial or None,
                firmware=info.firmware or None,
                placement=info.placement or None,
                acc_range_g=info.acc_range_g,
                gyro_range_dps=info.gyr_range_dps,
                strap_conflict=strap_conflict,
            )
        )


def calibrate(
    step: Step, joint: str, side: str, residual_deg: float, document: Mapping[str, Any] | None
) -> CalibrationRecord:
    """Write a calibration down within a step."""
    return step.ledger.add(
        CalibrationRecord(
            visit_id=step.visit.id,
            kind="functional" if document else "none",
            joint=joint,
            side=side,
            residual_deg=residual_deg,
            document=dict(document) if document else None,
        )
    )


def check_nprs(value: float, what: str) -> None:
    """Raise `InputError` unless a rating is from 0 to 10."""
    if not 0 <= value <= 10:
        raise InputError(f"{what} is rated from 0 to 10, got {value:g}")
