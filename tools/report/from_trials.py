"""Findings of a visit whose recordings have just been analysed."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from rom.catalogue.structure import Structure
from rom.compare import Comparison
from rom.symmetry import Symmetry
from rom.trial import Trial
from tools.report.findings import PassFacts, Retest, TestFacts, VisitFindings
from tools.report.model import Curve, Phase


def visit_of_trials(
    client: str,
    when: datetime,
    *,
    before: Trial,
    after: Trial | None,
    control: tuple[Trial, Trial] | None = None,
    treatments: Sequence[Trial] = (),
    retests: Sequence[tuple[tuple[str, ...], Comparison]] = (),
    symmetry_before: Symmetry | None = None,
    symmetry_after: Symmetry | None = None,
    structures: dict[str, Structure] | None = None,
) -> VisitFindings:
    """Return the findings of a visit.

    Parameters
    ----------
    client, when
        Pseudonym and wall time.
    before, after
        The treated side's baseline and last re-test.
    control
        The untreated side, before and after.
    treatments
        Trials that hold passes, in order.
    retests
        The structures treated before each re-test, as far as known, and what it showed.
    symmetry_before, symmetry_after
        Left against right.
    structures
        The catalogue's structures by id.
    """
    tests: list[tuple[Trial, Phase, str]] = [(before, "before", "baseline")]
    if after is not None:
        tests.append((after, "after", "retest"))
    if control is not None:
        tests.extend(((control[0], "before", "baseline"), (control[1], "after", "control")))
    known = structures or {}
    enough = len(before.valid_reps) >= 2
    return VisitFindings(
        client=client,
        when=when,
        movement=before.movement,
        side=before.side,
        baseline=before.sample() if enough else None,
        retests=tuple(Retest(names, comparison) for names, comparison in retests),
        symmetry_before=symmetry_before,
        symmetry_after=symmetry_after,
        passes=tuple(fact for trial in treatments for fact in passes_of_trial(trial)),
        tests=tuple(facts_of_trial(trial, phase) for trial, _, phase in tests),
        structures=known,
        curves=tuple(curve_of_trial(trial, phase) for trial, phase, _ in tests),
    )


def facts_of_trial(trial: Trial, phase: str = "") -> TestFacts:
    """Return how a trial was measured."""
    calibration = trial.setup.calibration
    quality: dict[str, Any] = {
        "sensors": [each.to_document() for each in trial.quality],
        "warnings": list(trial.warnings),
    }
    segments = [""] * len(trial.setup.sensors)
    if calibration is not None:
        worn = {end.sensor: end.segment for end in (calibration.proximal, calibration.distal)}
        segments = [worn.get(sensor.sensor, "") for sensor in trial.setup.sensors]
    return TestFacts.from_documents(
        trial.movement,
        trial.side,
        phase or trial.phase,
        trial.provenance,
        quality,
        calibration=trial.calibration_source,
        residual_deg=None if calibration is None else math.degrees(calibration.residual),
        sensors=tuple(
            (segment, sensor.sensor, sensor.rate)
            for segment, sensor in zip(segments, trial.setup.sensors, strict=True)
        ),
    )


def passes_of_trial(trial: Trial) -> list[PassFacts]:
    """Return the passes of a trial."""
    return [
        PassFacts(
            marked.structure,
            trial.side,
            marked.technique,
            math.degrees(marked.found.start_angle),
            math.degrees(marked.found.end_angle),
            marked.found.stop - marked.found.start,
        )
        for marked in trial.passes
    ]


def curve_of_trial(trial: Trial, phase: Phase) -> Curve:
    """Return the angle around the reps of a trial."""
    series = trial.series
    reps = [rep.rep for rep in trial.reps]
    first = reps[0].start - 1.0 if reps else float(series.t[0])
    last = reps[-1].stop + 1.0 if reps else float(series.t[-1])
    inside = (series.t >= first) & (series.t <= last)
    return Curve(
        trial.side,
        phase,
        "",
        series.t[inside] - first,
        np.degrees(series.angle[inside, 0]),
        np.degrees(series.sigma[inside, 0]),
        tuple((rep.start - first, rep.stop - first) for rep in reps),
        tuple(rep.valid for rep in trial.reps),
    )
