"""Tests of a visit: a recording becomes a trial, a re-test is compared with the baseline it belongs to."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imu.whole_file import replacing
from rom.clinic.desk import Desk, Step
from rom.clinic.facts import screening_of
from rom.clinic.intake import calibrate, check_nprs, mount, mounted
from rom.clinic.measured import Measured
from rom.clinic.outcomes import FEWEST_REPS, judge, sample_of, valid_reps
from rom.clinic.store import RECORDINGS, Ledger
from rom.clinic.store_people import Client, Episode
from rom.clinic.store_visits import (
    PassRecord,
    RecordingFile,
    RepRecord,
    Treatment,
    TrialRecord,
    Visit,
)
from rom.clinic.straps import came_off as straps_came_off
from rom.clinic.visit import State, VisitError
from rom.compare import Comparison
from rom.symmetry import Symmetry

LONGEST_ELAPSED_MIN = 12 * 60.0
"""Beyond it, or below zero, the clocks do not fit and the elapsed time is not known."""


@dataclass(frozen=True)
class Attached:
    """A recording that is now part of a visit.

    Parameters
    ----------
    trial
        The trial it became.
    known
        Whether it was part of the visit before; then nothing was added.
    comparison, symmetry
        What a re-test showed, None at baseline.
    """

    trial: TrialRecord
    known: bool
    comparison: Comparison | None = None
    symmetry: Symmetry | None = None


def attach(
    desk: Desk,
    code: str,
    measured: Measured,
    *,
    came_off: bool | None = None,
    nprs: float | None = None,
    variant: str = "",
    despite: str = "",
) -> Attached:
    """Make a recording the next trial of the open visit: baseline before treatment, re-test after it.

    Sensors that nobody wrote down are taken from the recording, and its calibration with them.

    Parameters
    ----------
    desk, code
        Whose visit.
    measured
        The recording, analysed.
    came_off
        For a re-test: whether sensors came off since the baseline. It picks the MDC and is never guessed.
    nprs
        Pain with this movement, 0 to 10.
    variant
        How the start position differed from the catalogue's, in words.
    despite
        Why the affected side is tested first, or another soft guard is passed.

    Raises
    ------
    VisitError
        If the recording is of another person or belongs to another visit, its region is closed, or a
        re-test is not of a movement, side and aggregate that the baseline has.
    """
    if nprs is not None:
        check_nprs(nprs, "pain with the movement")
    with desk.step(code) as step:
        known = _known(step, measured)
        if known is not None:
            return Attached(known, known=True)
        _check_person(step, measured)
        _check_region(step, measured)
        _bring_to_test(step, measured, despite)
        baseline = None
        if step.state is State.RETEST:
            baseline = _baseline_of(step, measured)
            came_off = straps_came_off(step, measured, baseline, came_off)
        elif despite.strip() == "":
            _check_order(step, measured)
        file = keep(desk.store.folder, measured, step.ledger, step.visit.id)
        trial = _write(
            step,
            measured,
            file,
            baseline,
            restrapped_since_baseline=came_off if baseline is not None else None,
            position_variant=variant or None,
            nprs=nprs,
        )
        if baseline is None:
            return Attached(trial, known=False)
        if min(valid_reps(trial), valid_reps(baseline)) < FEWEST_REPS:
            return Attached(trial, known=False)
        return Attached(trial, False, *judge(step, trial, baseline))


def keep(folder: Path, measured: Measured, ledger: Ledger, visit_id: str) -> RecordingFile:
    """Write a recording file down, copied into the practice's folder if it lies elsewhere."""
    path = measured.path.resolve()
    if not path.is_relative_to(folder):
        target = folder / RECORDINGS / f"{measured.sha256[:16]}{path.suffix}"
        if not target.exists():
            with replacing(target) as part:
                shutil.copyfile(path, part)
        path = target
    return ledger.add(
        RecordingFile(
            visit_id=visit_id,
            path=path.relative_to(folder).as_posix(),
            sha256=measured.sha256,
            bytes=path.stat().st_size,
            recording_id=measured.recording_id,
            recorded_at=measured.recorded_at,
            duration_s=measured.duration_s,
            simulated=measured.simulated,
        )
    )


def write_reps(ledger: Ledger, trial: TrialRecord, measured: Measured) -> None:
    """Write the reps of a trial down."""
    for n, rep in enumerate(measured.reps, start=1):
        ledger.add(
            RepRecord(
                trial_id=trial.id,
                n=n,
                t0_s=rep.t0_s,
                t1_s=rep.t1_s,
                value_deg=rep.value_deg,
                valid=rep.valid,
                reject_reason=rep.reject_reason or None,
                **rep.details,
            )
        )


def _known(step: Step, measured: Measured) -> TrialRecord | None:
    """Return the trial that this recording already is, in this visit."""
    file = step.ledger.one(RecordingFile, sha256=measured.sha256)
    if file is None:
        return None
    trial = step.ledger.one(TrialRecord, recording_id=file.id)
    if file.visit_id == step.visit.id and trial is not None:
        return trial
    visit = step.ledger.get(Visit, file.visit_id)
    owner = step.ledger.get(Client, step.ledger.get(Episode, visit.episode_id).client_id)
    what = f"trial {trial.n}" if trial else "a treatment"
    raise VisitError(
        f"{measured.path.name} already is {what} of visit {visit.seq} of {owner.code}, and a recording "
        "belongs to one place only; choose another"
    )


def _check_person(step: Step, measured: Measured) -> None:
    if measured.client and not measured.simulated and measured.client.upper() != step.client.code:
        raise VisitError(
            f"{measured.path.name} was recorded for {measured.client} and this visit is of "
            f"{step.client.code}; choose the right recording or the right client"
        )


def _check_region(step: Step, measured: Measured) -> None:
    movement = step.catalogue.movement(measured.movement)
    closed = screening_of(step.ledger, step.visit).closed_for([movement.region])
    if closed:
        raise VisitError(f"{movement.id}: {' '.join(finding.sentence() for finding in closed)}")


def _bring_to_test(step: Step, measured: Measured, despite: str) -> None:
    """Move to the baseline or the re-test, on the way through set-up and calibration if they are due."""
    if step.state in (State.SETUP, State.HISTORY):
        if step.state is State.HISTORY:
            step.move(State.SETUP)
        worn = {row.segment for row in mounted(step)}
        mount(step, [info for info in measured.sensors if info.segment not in worn])
        step.move(State.CALIBRATE)
    if step.state is State.CALIBRATE:
        _calibrate(step, measured)
        step.move(State.BASELINE, despite)
    elif step.state is State.BASELINE:
        worn = {row.segment for row in mounted(step)}
        mount(step, [info for info in measured.sensors if info.segment not in worn])
        _calibrate(step, measured)
    else:
        if step.state is not State.RETEST:
            step.move(State.RETEST, despite)
        take_over_calibration(step, measured)


def take_over_calibration(step: Step, measured: Measured) -> None:
    """Let a calibration that was done again in a recording serve the recordings after it."""
    if measured.calibration is not None and measured.calibration.get("again"):
        _calibrate(step, measured)


def _calibrate(step: Step, measured: Measured) -> None:
    if measured.calibration is not None:
        joint = step.catalogue.movement(measured.movement).joint
        calibrate(step, joint, measured.side, measured.residual_deg, measured.calibration)


def _check_order(step: Step, measured: Measured) -> None:
    """Hold up the affected side until the other one has been tested (best practice, clinical.md 3.2)."""
    if measured.side != step.episode.side or measured.side not in ("left", "right"):
        return
    other = "right" if measured.side == "left" else "left"
    tested = step.ledger.find(
        TrialRecord, visit_id=step.visit.id, movement=measured.movement, side=other, phase="baseline"
    )
    if not tested:
        raise VisitError(
            f"the {other} side is unaffected and is tested first: record {measured.movement} {other}, or go "
            "on with a reason (--despite)"
        )


def _baseline_of(step: Step, measured: Measured) -> TrialRecord:
    """Return the baseline that a re-test repeats; refuse anything else: unlike things are not compared."""
    baselines = step.ledger.find(TrialRecord, visit_id=step.visit.id, phase="baseline")
    same = [t for t in baselines if (t.movement, t.side) == (measured.movement, measured.side)]
    if not same:
        tested = ", ".join(sorted({f"{t.movement} {t.side}" for t in baselines})) or "none"
        raise VisitError(
            f"this re-test is {measured.movement} {measured.side}, but the baseline of this visit has "
            f"{tested}; nothing was compared: repeat one of those"
        )
    if same[-1].aggregate != measured.aggregate:
        raise VisitError(
            f"the baseline was summed up as {same[-1].aggregate} and this re-test as {measured.aggregate}; "
            f"nothing was compared: use --aggregate {same[-1].aggregate}"
        )
    return same[-1]


def _write(
    step: Step, measured: Measured, file: RecordingFile, baseline: TrialRecord | None, **columns: Any
) -> TrialRecord:
    phase = "baseline"
    treatment = step.ledger.one(Treatment, visit_id=step.visit.id)
    if baseline is not None:
        phase = "retest" if treatment is None or treatment.side in (measured.side, "midline") else "control"
    trial = step.ledger.add(
        TrialRecord(
            visit_id=step.visit.id,
            recording_id=file.id,
            n=len(step.ledger.find(TrialRecord, visit_id=step.visit.id)) + 1,
            movement=measured.movement,
            side=measured.side,
            phase=phase,
            aggregate=measured.aggregate,
            recorded_at=measured.recorded_at,
            elapsed_min=_elapsed_min(step, measured) if baseline is not None else None,
            examiner=step.actor,
            sample=dict(measured.sample),
            quality=dict(measured.quality),
            provenance=dict(measured.provenance),
            **columns,
        )
    )
    if valid_reps(trial) >= FEWEST_REPS:
        sample = sample_of(trial, step.catalogue)
        step.ledger.change(trial, value_deg=math.degrees(sample.value))
    write_reps(step.ledger, trial, measured)
    return trial


def _elapsed_min(step: Step, measured: Measured) -> float | None:
    """Return the minutes from the last contact to the recording; None where the clocks do not fit."""
    treatments = step.ledger.find(Treatment, visit_id=step.visit.id)
    ends = [t.ended_at for t in treatments if t.ended_at] + [
        p.ended_at for t in treatments for p in step.ledger.find(PassRecord, treatment_id=t.id) if p.ended_at
    ]
    if not ends:
        return None
    elapsed = (measured.recorded_at - max(ends)).total_seconds() / 60.0
    return elapsed if 0.0 <= elapsed <= LONGEST_ELAPSED_MIN else None
