"""Findings of a visit as the clinic's store keeps it: no recording is opened, no angle computed again."""

from typing import Any, Literal

from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from rom.clinic.desk import visits_of
from rom.clinic.outcomes import FEWEST_REPS, change_between, sample_of, valid_reps
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import Client, Episode, Practitioner, Score
from rom.clinic.store_visits import (
    CalibrationRecord,
    History,
    Outcome,
    PassRecord,
    RecordingFile,
    SensorSetup,
    Treatment,
    TrialRecord,
    Visit,
)
from rom.clinic.visit import VisitError
from rom.symmetry import Symmetry, symmetry
from tools.report.findings import PassFacts, Retest, TestFacts, VisitFindings


def visit_of_store(store: Store, catalogue: Catalogue, code: str, seq: int | None = None) -> VisitFindings:
    """Return the findings of a client's visit: the last one unless a number is given.

    Raises
    ------
    StoreError
        If there is no such client.
    VisitError
        If there is no such visit.
    """
    with store.reading() as ledger:
        client = ledger.client(code)
        visit = visit_numbered(ledger, client, seq)
        episode = ledger.get(Episode, visit.episode_id)
        return _findings(ledger, catalogue, client, episode, visit)


def visit_numbered(ledger: Ledger, client: Client, seq: int | None) -> Visit:
    """Return a visit by its number, the last one for None."""
    visits = visits_of(ledger, client)
    wanted = [visit for visit in visits if seq is None or visit.seq == seq]
    if not wanted:
        have = ", ".join(str(visit.seq) for visit in visits) or "none"
        raise VisitError(f"{client.code} has no visit {'' if seq is None else seq}; visits: {have}")
    return wanted[-1]


def _findings(
    ledger: Ledger, catalogue: Catalogue, client: Client, episode: Episode, visit: Visit
) -> VisitFindings:
    trials = sorted(ledger.find(TrialRecord, visit_id=visit.id), key=lambda trial: trial.n)
    main = _main_trial(trials, episode)
    history = ledger.one(History, visit_id=visit.id)
    after = ledger.one(Score, visit_id=visit.id, instrument="NPRS", moment="after")
    treatments = ledger.find(Treatment, visit_id=visit.id)
    passes = [fact for treatment in treatments for fact in _passes(ledger, treatment)]
    movement = None if main is None else catalogue.movement(main.movement)
    side: Any = episode.side if main is None else main.side
    before, end = (None, None) if main is None else _sides(catalogue, trials, main, episode)
    tests = trials if main is None else sorted(trials, key=lambda t: (t.side != main.side, t.n))
    structures = {treatment.structure for treatment in treatments}
    return VisitFindings(
        client=client.code,
        when=visit.started_at,
        movement=movement,
        side=side,
        baseline=sample_of(main, catalogue) if main is not None and valid_reps(main) >= FEWEST_REPS else None,
        retests=tuple(_retests(ledger, catalogue, visit, treatments)),
        symmetry_before=before,
        symmetry_after=end,
        passes=tuple(passes),
        tests=tuple(
            facts_of_record(ledger, catalogue.movement(trial.movement), trial)
            for trial in tests
            if trial.phase != "home"
        ),
        structures={one: catalogue.structure(one) for one in structures if one in catalogue.structures},
        pain_before=None if history is None else history.nprs_now,
        pain_after=None if after is None else after.value,
        clinician=ledger.get(Practitioner, visit.practitioner_id).name,
        complaint=episode.complaint,
    )


def facts_of_record(ledger: Ledger, movement: Movement, trial: TrialRecord) -> TestFacts:
    """Return how a trial of the store was measured."""
    side: Any = trial.side
    file = ledger.get(RecordingFile, trial.recording_id)
    calibrations = ledger.find(
        CalibrationRecord, visit_id=trial.visit_id, joint=movement.joint, side=trial.side
    )
    known: dict[str, Any] = {
        "recorded": trial.recorded_at,
        "sha256": file.sha256,
        "simulated": file.simulated,
        "elapsed_min": trial.elapsed_min,
        "nprs": trial.nprs,
        "sensors": _sensors(ledger, movement, trial),
    }
    if calibrations:
        known["residual_deg"] = calibrations[-1].residual_deg
    return TestFacts.from_documents(
        movement, side, trial.phase, trial.provenance or {}, trial.quality or {}, **known
    )


def _sensors(
    ledger: Ledger, movement: Movement, trial: TrialRecord
) -> tuple[tuple[str, str, float | None], ...]:
    side: Any = trial.side
    segments = movement.segments(side)
    worn = [s for s in ledger.find(SensorSetup, visit_id=trial.visit_id) if s.segment in segments]
    return tuple((s.segment, f"{s.kind} {s.serial or s.sensor}", s.rate_hz) for s in worn)


def _main_trial(trials: list[TrialRecord], episode: Episode) -> TrialRecord | None:
    """Return the baseline that the page is about: of the last re-test, else on the complaint's side."""
    baselines = [trial for trial in trials if trial.phase == "baseline"]
    for trial in reversed(trials):
        same = [b for b in baselines if (b.movement, b.side) == (trial.movement, trial.side)]
        if trial.phase == "retest" and same:
            return same[-1]
    own = [b for b in baselines if b.side in (episode.side, "midline")]
    return (own or baselines or [None])[-1]


def _sides(
    catalogue: Catalogue, trials: list[TrialRecord], main: TrialRecord, episode: Episode
) -> tuple[Symmetry | None, Symmetry | None]:
    """Return left against right before and after treatment, as far as both sides were tested."""
    involved: Literal["left", "right"] = "right" if episode.side == "right" else "left"
    own = [t for t in trials if t.movement == main.movement and valid_reps(t) >= FEWEST_REPS]
    found: list[Symmetry | None] = []
    for phases in (("baseline",), ("retest", "control")):
        newest: dict[str, TrialRecord] = {t.side: t for t in own if t.phase in phases}
        if phases[0] == "retest" and main.side in newest:
            newest = {t.side: t for t in own if t.phase != "home"}
        if not {"left", "right"} <= set(newest):
            found.append(None)
            continue
        left, right = newest["left"], newest["right"]
        found.append(
            symmetry(sample_of(left, catalogue, right), sample_of(right, catalogue, left), involved=involved)
        )
    return found[0], found[1]


def _retests(ledger: Ledger, catalogue: Catalogue, visit: Visit, treatments: list[Treatment]) -> list[Retest]:
    """Return what each re-test showed, judged again from the store's samples, and what came before it."""
    found: list[tuple[TrialRecord, Retest]] = []
    for outcome in ledger.find(Outcome, visit_id=visit.id, kind="change"):
        post = ledger.get(TrialRecord, outcome.second_trial_id)
        if post.phase != "retest":
            continue
        pre = ledger.get(TrialRecord, outcome.first_trial_id)
        control = _control(ledger, visit, post, outcome)
        found.append((post, Retest((), change_between(catalogue, pre, post, control))))
    found.sort(key=lambda item: item[0].n)
    retests: list[Retest] = []
    since = visit.started_at
    for post, retest in found:
        done = [t.structure for t in treatments if since <= t.started_at <= post.at]
        retests.append(Retest(tuple(dict.fromkeys(done)), retest.comparison))
        since = post.at if done else since
    return retests


def _control(
    ledger: Ledger, visit: Visit, post: TrialRecord, outcome: Outcome
) -> tuple[TrialRecord, TrialRecord] | None:
    """Return the untreated side's two tests, where the judgement in the store used them."""
    if not (outcome.document or {}).get("control"):
        return None
    others = [
        t
        for t in ledger.find(TrialRecord, visit_id=visit.id, movement=post.movement)
        if t.side != post.side and valid_reps(t) >= FEWEST_REPS
    ]
    before = [t for t in others if t.phase == "baseline"]
    after = [t for t in others if t.phase == "control"]
    return (before[-1], after[-1]) if before and after else None


def _passes(ledger: Ledger, treatment: Treatment) -> list[PassFacts]:
    side: Side = "left" if treatment.side == "left" else "right" if treatment.side == "right" else "midline"
    return [
        PassFacts(
            treatment.structure,
            side,
            treatment.technique,
            one.start_deg,
            one.end_deg,
            _seconds(one),
            one.discomfort,
            one.stop_reason or "",
        )
        for one in sorted(ledger.find(PassRecord, treatment_id=treatment.id), key=lambda one: one.n)
    ]


def _seconds(one: PassRecord) -> float | None:
    if one.t0_s is not None and one.t1_s is not None:
        return one.t1_s - one.t0_s
    return None if one.ended_at is None else (one.ended_at - one.started_at).total_seconds()
