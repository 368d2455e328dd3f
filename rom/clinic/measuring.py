"""From a recording file to what a visit keeps of it, by the one analysis that everything else uses."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calibration.segment import JointCalibration
from imu.errors import InputError, RecordingError
from imu.recording import Recording
from rom.catalogue.loader import Catalogue
from rom.clinic.measured import Measured, MeasuredPass, MeasuredRep
from rom.measures import RepMeasures
from rom.said import stop_marks
from rom.sample import AGGREGATES
from rom.trial import MarkedPass, Trial, analyse

SAID_WITHIN_S = 5.0
"""What is marked within so many seconds after the end of a pass belongs to it."""


def measure(
    path: Path,
    catalogue: Catalogue,
    *,
    movement: str = "",
    side: str = "",
    aggregate: str = "mean_2_to_k",
    calibrations: Sequence[JointCalibration] = (),
    progress: Callable[[float], None] | None = None,
) -> Measured:
    """Analyse a recording for a visit.

    Parameters
    ----------
    path
        The file.
    catalogue
        The movements.
    movement, side
        What to measure; as the recording says where empty.
    aggregate
        How its reps are summed up.
    calibrations
        Calibrations of the same strapping, used instead of the recording's own where the sensors are the
        same: what they get wrong is then the same before and after, and cancels.
    progress
        Told which share is analysed, from 0 to 1.

    Raises
    ------
    RomcapError
        If the file is no recording, is damaged beyond use, or holds nothing of the movement.
    """
    if aggregate not in AGGREGATES:
        raise InputError(f"reps are summed up by {' or '.join(AGGREGATES)}, not by {aggregate!r}")
    if not path.is_file():
        raise RecordingError(path, "there is no such file; give the path of a recording")
    recording = Recording.open(path)
    asked: Any = side
    worn = {info.sensor for info in recording.header.sensors}
    fitting = [c for c in calibrations if {c.proximal.sensor, c.distal.sensor} <= worn]
    whole = max(recording.duration, 1e-9)
    trial = analyse(
        recording,
        catalogue.movement(movement) if movement else "",
        asked,
        calibrations=fitting[-1:],
        progress=None if progress is None else lambda t: progress(min(1.0, t / whole)),
    )
    kind: Any = aggregate
    header = recording.header
    calibration = trial.setup.calibration
    return Measured(
        path=path,
        sha256=recording.sha256,
        recording_id=header.recording_id,
        recorded_at=header.created_at,
        duration_s=recording.duration,
        simulated=header.simulated,
        client=header.client,
        sensors=header.sensors,
        movement=trial.movement.id,
        side=trial.side,
        aggregate=aggregate,
        reps=tuple(_rep(rep) for rep in trial.reps),
        passes=tuple(_pass(recording, one) for one in trial.passes),
        residual_deg=math.nan if calibration is None else math.degrees(calibration.residual),
        calibration=None
        if calibration is None
        else {
            "source": trial.calibration_source,
            "again": bool(trial.renewals),
            "joint": calibration.to_document(),
        },
        sample=_sample(trial, kind),
        quality={
            "sensors": [each.to_document() for each in trial.quality],
            "warnings": list(trial.warnings),
            "damage": list(recording.damage),
        },
        provenance=trial.provenance,
    )


def _rep(rep: RepMeasures) -> MeasuredRep:
    return MeasuredRep(
        t0_s=rep.rep.start,
        t1_s=rep.rep.stop,
        value_deg=math.degrees(rep.end),
        valid=rep.valid,
        reject_reason="; ".join(rep.reasons),
        details={
            "start_deg": math.degrees(rep.start),
            "end_peak_deg": math.degrees(rep.end_peak),
            "end_plateau_deg": math.degrees(rep.end_plateau),
            "rom_deg": math.degrees(rep.range),
            "sigma_deg": math.degrees(rep.end_sigma),
            "duration_s": rep.duration,
            "peak_velocity_dps": math.degrees(rep.peak_speed),
            "sparc": rep.sparc,
            "ldlj": rep.ldlj,
            "hold_s": rep.hold,
            "compensation_deg": {
                "off_axis": [math.degrees(angle) for angle in rep.off_axis],
                "support": math.degrees(rep.support),
            },
        },
    )


def _pass(recording: Recording, marked: MarkedPass) -> MeasuredPass:
    found = marked.found
    until = found.leave + SAID_WITHIN_S
    said = [event for event in recording.events if found.start <= event.t <= until]
    pain = next((event.data["nprs"] for event in said if event.kind == "pain" and "nprs" in event.data), None)
    reasons = [event.data.get("reason", "") for event in said if event.kind == "pass_stop"]
    reason = next(iter([*(mark for event in said for mark in stop_marks(event)), *reasons]), "")
    return MeasuredPass(
        t0_s=found.start,
        t1_s=found.stop,
        start_deg=math.degrees(found.start_angle),
        end_deg=math.degrees(found.end_angle),
        mean_speed_dps=math.degrees(abs(found.travel)) / max(found.stop - found.start, 1e-9),
        discomfort=None if pain is None else float(pain),
        stop_reason=str(reason),
    )


def _sample(trial: Trial, aggregate: Any) -> dict[str, Any]:
    reps = trial.valid_reps
    content: dict[str, Any] = {
        "peak": [rep.end_peak for rep in reps],
        "plateau": [None if math.isnan(rep.end_plateau) else rep.end_plateau for rep in reps],
        "numbers": [rep.number for rep in reps],
    }
    try:
        sample = trial.sample(aggregate)
    except InputError:
        return content
    return content | {
        "sensor_sigma": sample.sensor_sigma,
        "strap_sigma": sample.strap_sigma,
        "soft_tissue_sigma": sample.soft_tissue_sigma,
        "soft_tissue_share": sample.soft_tissue_share,
        "alignment": sample.alignment,
    }
