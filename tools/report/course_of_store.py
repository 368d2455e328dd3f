"""Findings of a course, of a test at home and of one test, as the clinic's store keeps them."""

import math
from dataclasses import replace
from typing import Any

from imu.errors import InputError
from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from rom.clinic.course import Plan, kept, trend
from rom.clinic.course_page import course_page, points_of
from rom.clinic.desk import visits_of
from rom.clinic.outcomes import FEWEST_REPS, change_between, sample_of, valid_reps
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import Episode, HomeLog, HomeTask, Score
from rom.clinic.store_visits import Outcome, RepRecord, TrialRecord, Visit
from rom.clinic.visit import VisitError
from rom.compare import Comparison, compare
from tools.report.course import CourseFindings, CourseMovement, HomePoint
from tools.report.findings import TestFacts
from tools.report.from_store import facts_of_record, visit_numbered
from tools.report.retest import RetestFindings
from tools.report.trial import RepRow, TrialFindings


def course_of_store(store: Store, catalogue: Catalogue, code: str, episode: str = "") -> CourseFindings:
    """Return the course of a client's newest episode, or of the one whose complaint holds a text.

    Raises
    ------
    StoreError
        If there is no such client.
    InputError
        If there is no such episode, or it has no visit yet.
    """
    page = course_page(store, catalogue, code, episode).document
    with store.reading() as ledger:
        client = ledger.client(code)
        episodes = ledger.find(Episode, client_id=client.id)
        chosen = [each for each in episodes if episode.lower() in each.complaint.lower()]
        if not chosen:
            raise InputError(
                f"{client.code} has no episode {episode!r}; `rom client show {client.code}` lists them"
            )
        visits = [v for v in visits_of(ledger, client) if v.episode_id == chosen[-1].id]
        if not visits:
            raise InputError(
                f"{client.code}, {chosen[-1].complaint}: no visit yet, so there is no course to report; "
                f"start one with `rom visit start {client.code}`"
            )
        return _course(ledger, catalogue, client.code, chosen[-1], visits, page=page)


def _course(
    ledger: Ledger,
    catalogue: Catalogue,
    code: str,
    episode: Episode,
    visits: list[Visit],
    *,
    page: dict[str, Any],
) -> CourseFindings:
    tested: list[tuple[Movement, Side]] = [
        (catalogue.movement(each["movement"]), each["side"]) for each in page["movements"]
    ]
    side: Any = episode.side if episode.side in ("left", "right") else "midline"
    after = {
        visit.seq: score.value
        for visit in visits
        for score in [ledger.one(Score, visit_id=visit.id, instrument="NPRS", moment="after")]
        if score is not None
    }
    return CourseFindings(
        client=code,
        complaint=episode.complaint,
        side=side,
        visits=tuple((visit.seq, visit.started_at) for visit in visits),
        pain_after=after,
        movements=tuple(_movement(ledger, catalogue, visits, *each) for each in tested),
        plan=Plan(
            episode.plan_visits_min or 3,
            episode.plan_visits_max or 6,
            episode.plan_weeks_min,
            episode.plan_weeks_max,
            "plan of the episode",
        ),
        goal=episode.goal_text or "",
        goal_movement=catalogue.movement(episode.goal_movement) if episode.goal_movement else None,
        goal_deg=episode.goal_deg,
        questions=tuple(page["questions"]),
        tests=tuple(_facts(ledger, visits, tested)),
    )


def _movement(
    ledger: Ledger, catalogue: Catalogue, visits: list[Visit], movement: Movement, side: Side
) -> CourseMovement:
    points = points_of(ledger, visits, movement, side)
    limit = None if movement.mdc95 is None else math.degrees(movement.mdc95)
    tests = [t for visit in visits for t in _trials(ledger, visit, movement, side, "baseline")]
    tests = [t for t in tests if valid_reps(t) >= FEWEST_REPS]
    return CourseMovement(
        movement=movement,
        side=side,
        points=tuple(points),
        change=_since_first(catalogue, tests[0], tests[-1]) if len(tests) > 1 else None,
        trend=trend(points, movement.gain_sign),
        kept=tuple(kept(points, limit, movement.gain_sign)),
        sides_deg=_sides(ledger, visits, movement, side),
        home=tuple(
            _home(ledger, catalogue, visit, trial)
            for visit in visits
            for trial in _trials(ledger, visit, movement, side, "home")
        ),
    )


def _trials(ledger: Ledger, visit: Visit, movement: Movement, side: Side, phase: str) -> list[TrialRecord]:
    return ledger.find(TrialRecord, visit_id=visit.id, movement=movement.id, side=side, phase=phase)


def _since_first(catalogue: Catalogue, first: TrialRecord, last: TrialRecord) -> Comparison:
    """Return the first against the last value before treatment: another day, so other straps."""
    pre, post = sample_of(first, catalogue, last), sample_of(last, catalogue, first)
    return compare(pre, replace(post, restrapped=True))


def _sides(ledger: Ledger, visits: list[Visit], movement: Movement, side: Side) -> dict[int, float]:
    """Return this side less the other one, degrees of range, as last seen in each visit."""
    found: dict[int, float] = {}
    for visit in visits:
        for outcome in ledger.find(Outcome, visit_id=visit.id, kind="symmetry"):
            document = outcome.document or {}
            if document.get("movement") == movement.id:
                sign = 1.0 if document.get("involved") == side else -1.0
                found[visit.seq] = sign * outcome.difference_deg
    return found


def _home(ledger: Ledger, catalogue: Catalogue, visit: Visit, trial: TrialRecord) -> HomePoint:
    log = ledger.one(HomeLog, trial_id=trial.id)
    return HomePoint(
        day=trial.recorded_at.date() if log is None else log.day,
        value_deg=trial.value_deg,
        comparison=_against_clinic(ledger, catalogue, visit, trial),
        soreness=None if log is None else log.soreness,
        note="" if log is None else log.note or "",
    )


def _clinic_test(ledger: Ledger, visit: Visit, trial: TrialRecord) -> TrialRecord | None:
    """Return the clinic's test that a test at home repeats."""
    log = ledger.one(HomeLog, trial_id=trial.id)
    task = None if log is None or log.task_id is None else ledger.get(HomeTask, log.task_id)
    if task is not None and task.trial_id is not None:
        return ledger.get(TrialRecord, task.trial_id)
    outcome = ledger.one(Outcome, visit_id=visit.id, kind="change", second_trial_id=trial.id)
    return None if outcome is None else ledger.get(TrialRecord, outcome.first_trial_id)


def _against_clinic(
    ledger: Ledger, catalogue: Catalogue, visit: Visit, trial: TrialRecord
) -> Comparison | None:
    clinic = _clinic_test(ledger, visit, trial)
    if clinic is None or min(valid_reps(clinic), valid_reps(trial)) < FEWEST_REPS:
        return None
    return change_between(catalogue, clinic, trial)


def _facts(ledger: Ledger, visits: list[Visit], tested: list[tuple[Movement, Side]]) -> list[TestFacts]:
    """Return how the tests of a course were measured, without their warnings: those stand with each visit."""
    return [
        replace(facts_of_record(ledger, movement, trial), warnings=(), elapsed_min=None)
        for movement, side in tested
        for visit in visits
        for trial in ledger.find(TrialRecord, visit_id=visit.id, movement=movement.id, side=side)
    ]


def retest_of_store(store: Store, catalogue: Catalogue, code: str) -> RetestFindings:
    """Return what the newest test at home of a client showed.

    Raises
    ------
    StoreError
        If there is no such client.
    InputError
        If no test at home has come back.
    """
    with store.reading() as ledger:
        client = ledger.client(code)
        home = [
            (visit, trial)
            for visit in visits_of(ledger, client)
            for trial in ledger.find(TrialRecord, visit_id=visit.id, phase="home")
        ]
        if not home:
            raise InputError(
                f"{client.code}: no test at home has come back; take one in with `rom client receive`"
            )
        visit, trial = max(home, key=lambda item: item[1].recorded_at)
        log = ledger.one(HomeLog, trial_id=trial.id)
        clinic = _clinic_test(ledger, visit, trial)
        return RetestFindings(
            client=client.code,
            when=trial.recorded_at,
            clinic_day=(visit.started_at if clinic is None else clinic.recorded_at).date(),
            comparison=_against_clinic(ledger, catalogue, visit, trial),
            facts=replace(facts_of_record(ledger, catalogue.movement(trial.movement), trial), sensors=()),
            soreness=None if log is None else log.soreness,
            note="" if log is None else log.note or "",
        )


def trial_of_store(
    store: Store, catalogue: Catalogue, code: str, seq: int | None = None, number: int | None = None
) -> TrialFindings:
    """Return one test of a visit: the last one unless numbers are given.

    Raises
    ------
    StoreError
        If there is no such client.
    VisitError
        If there is no such visit or test.
    """
    with store.reading() as ledger:
        client = ledger.client(code)
        visit = visit_numbered(ledger, client, seq)
        trials = sorted(ledger.find(TrialRecord, visit_id=visit.id), key=lambda trial: trial.n)
        wanted = [trial for trial in trials if number is None or trial.n == number]
        if not wanted:
            have = ", ".join(f"{t.n} ({t.movement} {t.side} {t.phase})" for t in trials) or "none"
            raise VisitError(f"visit {visit.seq} of {client.code} has no test {number or ''}; tests: {have}")
        trial = wanted[-1]
        facts = facts_of_record(ledger, catalogue.movement(trial.movement), trial)
        facts = replace(facts, warnings=tuple(w for w in facts.warnings if not w.startswith("rep ")))
        enough = valid_reps(trial) >= FEWEST_REPS
        return TrialFindings(
            client=client.code,
            when=trial.recorded_at,
            facts=facts,
            reps=tuple(_row(rep) for rep in _reps(ledger, trial)),
            sample=sample_of(trial, catalogue) if enough else None,
            curve=None,
        )


def _reps(ledger: Ledger, trial: TrialRecord) -> list[RepRecord]:
    return sorted(ledger.find(RepRecord, trial_id=trial.id), key=lambda rep: rep.n)


def _row(rep: RepRecord) -> RepRow:
    def known(value: float | None) -> float:
        return math.nan if value is None else value

    return RepRow(
        number=rep.n,
        start_deg=known(rep.start_deg),
        end_deg=known(rep.value_deg),
        held=rep.end_plateau_deg is not None and math.isfinite(rep.end_plateau_deg),
        range_deg=known(rep.rom_deg),
        sigma_deg=known(rep.sigma_deg),
        duration_s=known(rep.duration_s),
        valid=rep.valid,
        reasons=rep.reject_reason or "",
    )
