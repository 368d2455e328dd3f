"""What the store knows of a visit, gathered for the guards of the state machine."""

import math
from typing import Any

from rom.catalogue.loader import Catalogue
from rom.clinic.screening import STRUCTURE_REGIONS, Answer, Reply, Screening, assess
from rom.clinic.store import Ledger
from rom.clinic.store_people import Episode
from rom.clinic.store_visits import (
    CalibrationRecord,
    Halt,
    History,
    PalpationFinding,
    PassRecord,
    RepRecord,
    ScreeningAnswer,
    SensorSetup,
    Treatment,
    TrialRecord,
    Visit,
)
from rom.clinic.visit import Facts, MovementFact

OWN_VARIATION = 0.1
"""Without a published SEM, reps are level once two in a row differ by less than a tenth (our choice)."""


def facts_of(ledger: Ledger, visit: Visit, catalogue: Catalogue) -> Facts:
    """Return the facts of a visit as they are in the store now."""
    episode = ledger.get(Episode, visit.episode_id)
    screening = screening_of(ledger, visit)
    finding = ledger.one(PalpationFinding, visit_id=visit.id)
    treatment = ledger.one(Treatment, visit_id=visit.id)
    passes = ledger.find(PassRecord, treatment_id=treatment.id) if treatment else []
    trials = ledger.find(TrialRecord, visit_id=visit.id)
    sensors = [s for s in ledger.find(SensorSetup, visit_id=visit.id) if s.removed_at is None]
    calibrations = ledger.find(CalibrationRecord, visit_id=visit.id)
    mounted_last = max((s.mounted_at for s in sensors), default=None)
    since = treatment.at if treatment else visit.started_at
    return Facts(
        screening=screening,
        seq=visit.seq,
        complaint=bool(episode.complaint and episode.regions),
        pain_rated=ledger.one(History, visit_id=visit.id) is not None,
        sensors=len(sensors),
        calibrated=mounted_last is not None and any(c.at >= mounted_last for c in calibrations),
        baselines=tuple(
            _fact(ledger, trial, visit.reps_wanted, catalogue)
            for trial in latest([t for t in trials if t.phase == "baseline"])
        ),
        retests=tuple(
            _fact(ledger, trial, reps_of_retest(ledger, visit, trial.movement, trial.side), catalogue)
            for trial in latest([t for t in trials if t.phase == "retest" and t.at > since])
        ),
        structure=finding.structure if finding else "",
        closed=region_closed(screening, catalogue, finding.structure) if finding else "",
        technique=treatment.technique if treatment else "",
        passes=len(passes),
        passes_max=visit.passes_max,
        ended_because=(treatment.ended_because or "") if treatment else "",
        pass_open=any(p.ended_at is None for p in passes),
        halted=any(halt.told for halt in ledger.find(Halt, visit_id=visit.id)),
        signed=visit.signed_at is not None,
    )


def screening_of(ledger: Ledger, visit: Visit) -> Screening:
    """Return what the answers of a visit add up to."""
    return assess(answers_of(ledger, visit))


def answers_of(ledger: Ledger, visit: Visit) -> list[Answer]:
    """Return the answers of a visit as values."""
    return [
        Answer(
            row.code,
            Reply(row.answer),
            row.detail,
            frozenset(row.regions),
            row.override_by,
            row.override_reason,
        )
        for row in ledger.find(ScreeningAnswer, visit_id=visit.id)
    ]


def region_closed(screening: Screening, catalogue: Catalogue, structure: str) -> str:
    """Return why a structure must not be touched, or an empty text."""
    regions = {catalogue.structure(structure).region} | STRUCTURE_REGIONS.get(structure, frozenset())
    return " ".join(finding.sentence() for finding in screening.closed_for(regions))


def latest(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Return the last trial of each movement and side."""
    return list({(trial.movement, trial.side): trial for trial in trials}.values())


def valid_values(ledger: Ledger, trial: TrialRecord) -> list[float]:
    """Return the values of the reps that count, degrees, in order."""
    reps = sorted(ledger.find(RepRecord, trial_id=trial.id), key=lambda rep: rep.n)
    return [rep.value_deg for rep in reps if rep.valid and rep.value_deg is not None]


def reps_of_retest(ledger: Ledger, visit: Visit, movement: str, side: str) -> int:
    """Return how many valid reps a re-test needs: as many as its baseline had, or the visit wants if less."""
    trials = ledger.find(TrialRecord, visit_id=visit.id)
    same = [t for t in trials if (t.phase, t.movement, t.side) == ("baseline", movement, side)]
    return min(visit.reps_wanted, len(valid_values(ledger, same[-1])) if same else 0)


def is_level(values: list[float], sem_deg: float | None) -> bool:
    """Return whether the last two reps agree within the error: warming up is over (clinical.md 3.2).

    Parameters
    ----------
    values
        Values of the reps in order, degrees.
    sem_deg
        Published standard error of measurement, degrees; None if there is none.
    """
    if len(values) < 2:
        return False
    limit = sem_deg if sem_deg is not None else OWN_VARIATION * max(abs(values[-1]), abs(values[-2]))
    return abs(values[-1] - values[-2]) <= limit


def _fact(ledger: Ledger, trial: TrialRecord, wanted: int, catalogue: Catalogue) -> MovementFact:
    movement = catalogue.movement(trial.movement)
    side: Any = trial.side
    values = valid_values(ledger, trial)
    sem_deg = None if movement.sem is None else math.degrees(movement.sem)
    return MovementFact(movement.title(side), len(values), wanted, is_level(values, sem_deg))
