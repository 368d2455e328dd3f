"""What stays as long as the straps stay: whether they did, and the calibration that serves both tests."""

from collections.abc import Callable
from pathlib import Path

from calibration.segment import JointCalibration
from imu.errors import CalibrationError
from imu.recording import Recording
from rom.clinic.desk import Desk, Step, open_visit
from rom.clinic.measured import Measured
from rom.clinic.measuring import measure
from rom.clinic.store import Ledger
from rom.clinic.store_visits import CalibrationRecord, SensorSetup, Treatment, TrialRecord, Visit
from rom.clinic.visit import VisitError


def measure_in_visit(
    desk: Desk,
    code: str,
    path: Path,
    *,
    movement: str = "",
    side: str = "",
    aggregate: str = "mean_2_to_k",
    came_off: bool | None = None,
    progress: Callable[[float], None] | None = None,
) -> Measured:
    """Analyse a recording for the open visit of a client.

    After treatment, and while the straps stay on, the calibration of the baseline serves the re-test too:
    what it gets wrong cancels. So it does for a recording that brings none.
    """
    kept: list[JointCalibration] = []
    with desk.store.reading() as ledger:
        visit = open_visit(ledger, ledger.client(code))
        if visit is not None and not came_off and (_is_late(ledger, visit) or not _brings_one(path)):
            kept = kept_calibrations(ledger, visit)
    return measure(
        path,
        desk.catalogue,
        movement=movement,
        side=side,
        aggregate=aggregate,
        calibrations=kept,
        progress=progress,
    )


def kept_calibrations(ledger: Ledger, visit: Visit) -> list[JointCalibration]:
    """Return the calibrations of a visit that still hold: no sensor of theirs was put on since.

    One that an older version wrote and this one cannot read is left out; the comparison then counts the
    error of two alignments.
    """
    mounted = {
        row.sensor: row.mounted_at
        for row in ledger.find(SensorSetup, visit_id=visit.id)
        if row.removed_at is None
    }
    found: list[JointCalibration] = []
    for row in ledger.find(CalibrationRecord, visit_id=visit.id):
        document = (row.document or {}).get("joint")
        if not isinstance(document, dict):
            continue
        try:
            joint = JointCalibration.from_document(document)
        except CalibrationError:
            continue
        sensors = {joint.proximal.sensor, joint.distal.sensor}
        if all(sensor in mounted and mounted[sensor] <= row.at for sensor in sensors):
            found.append(joint)
    return found


def came_off(step: Step, measured: Measured, baseline: TrialRecord, said: bool | None) -> bool:
    """Return whether sensors came off since the baseline, from what was said and what was seen.

    Raises
    ------
    VisitError
        If nothing was said, or it contradicts what was seen; it picks the MDC and is never guessed.
    """
    segments = {info.segment for info in measured.sensors}
    rows = step.ledger.find(SensorSetup, visit_id=step.visit.id)
    again = [row for row in rows if row.mounted_at > baseline.at and row.segment in segments]
    if said is False and again:
        raise VisitError(
            f"a sensor was put on {again[0].segment} after the baseline, so sensors did come off: say "
            "--came-off"
        )
    worn = {row.segment: row.sensor for row in rows if row.removed_at is None}
    for info in measured.sensors:
        if said is False and worn.get(info.segment, info.sensor) != info.sensor:
            raise VisitError(
                f"on {info.segment} is {info.sensor} now and was {worn[info.segment]} at the baseline: say "
                "--came-off"
            )
    if said is None and not again:
        raise VisitError(
            "did sensors come off since the baseline? Say --came-off or --stayed-on; it picks the MDC"
        )
    return bool(said or again)


def _is_late(ledger: Ledger, visit: Visit) -> bool:
    return ledger.one(Treatment, visit_id=visit.id) is not None


def _brings_one(path: Path) -> bool:
    if not path.is_file():
        return True
    recording = Recording.open(path)
    return bool(recording.calibrations) or any(e.kind == "calibration_start" for e in recording.events)
