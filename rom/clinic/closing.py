"""The end of a visit: summary, aftercare, signature, next visit, and the note that goes into the chart."""

from dataclasses import dataclass
from datetime import date
from secrets import token_hex

from imu.errors import InputError
from rom.clinic.desk import Desk, Step, visits_of
from rom.clinic.facts import latest, screening_of
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import Client, Episode, HomeTask, Practitioner, Score
from rom.clinic.store_visits import (
    AdverseEvent,
    Halt,
    History,
    Outcome,
    PalpationFinding,
    PassRecord,
    StateChange,
    Treatment,
    TrialRecord,
    Visit,
)
from rom.clinic.visit import ENDED, State, VisitError

INTENDED_USE = (
    "romcap measures and documents; it does not diagnose, select treatment or clear anyone. Evidence for "
    "Active Release is limited and short-term (9 small studies)."
)
"""Printed under every note (clinical.md 3.4 and 6)."""

AFTERCARE: tuple[tuple[str, str, str], ...] = (
    ("range", "Use the new range: light, controlled movements as far as they now go.", "several times a day"),
    ("mobility", "Mobility work for the area.", "5 minutes a day"),
    ("strength", "Strengthen it step by step, as agreed.", "2 to 3 times a week"),
    ("load", "Change what brought it on: training load, desk, repeated tasks.", "from today"),
    (
        "soreness",
        "Write down soreness after 24 and 48 hours. A day or two is common; longer, or a bruise: call.",
        "",
    ),
)
"""Kind, text and dose, after background article B; soreness limits of clinical.md 3.2."""


@dataclass(frozen=True)
class Summary:
    """A visit at a glance, in sentences and rows that are already in words."""

    title: str
    treatments: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    screening: tuple[str, ...]
    pain: str
    minutes: float | None


def close(
    desk: Desk, code: str, *, reaction: str = "", nprs: float | None = None, despite: str = ""
) -> Summary:
    """Move to the closing; work out the minutes of treatment and write down how the client reacted.

    Raises
    ------
    VisitError
        If the re-test is not complete and no reason is given to close all the same.
    """
    with desk.step(code, State.CLOSE, despite=despite) as step:
        ledger, visit = step.ledger, step.visit
        for treatment in ledger.find(Treatment, visit_id=visit.id):
            for one in ledger.find(PassRecord, treatment_id=treatment.id):
                if one.ended_at is None:
                    ledger.change(one, "broken off", ended_at=ledger.now, stop_reason="stop")
            if treatment.ended_at is None:
                ledger.change(
                    treatment, ended_at=ledger.now, ended_because=treatment.ended_because or "closed"
                )
        ledger.change(
            visit, reaction=reaction or visit.reaction, treatment_min=treatment_minutes(ledger, visit)
        )
        if nprs is not None:
            add_score(step, "NPRS", nprs, "0-10", "after")
        return summary_of(ledger, visit)


def sign(
    desk: Desk, code: str, next_visit: date | None = None, tasks: tuple[tuple[str, str, str], ...] = AFTERCARE
) -> Visit:
    """Sign the closed visit: the client goes home with the aftercare plan.

    Parameters
    ----------
    desk, code
        Whose visit.
    next_visit
        When the client comes again.
    tasks
        Kind, text and dose of each home task.
    """
    with desk.step(code, State.CLOSE) as step:
        ledger, visit = step.ledger, step.visit
        if next_visit is not None and next_visit < ledger.now.date():
            raise InputError(
                f"the next visit must lie ahead, got {next_visit}; today is {ledger.now:%Y-%m-%d}"
            )
        ledger.change(
            visit,
            signed_by=desk.actor,
            signed_at=ledger.now,
            ended_at=ledger.now,
            next_visit=next_visit,
        )
        for kind, text, dose in tasks:
            ledger.add(
                HomeTask(client_id=step.client.id, visit_id=visit.id, kind=kind, text=text, dose=dose or None)
            )
        tests = [
            t for t in ledger.find(TrialRecord, visit_id=visit.id) if t.side in (step.episode.side, "midline")
        ]
        for trial in latest(tests):
            ledger.add(
                HomeTask(
                    client_id=step.client.id,
                    visit_id=visit.id,
                    kind="retest",
                    text="Two-minute test at home.",
                    trial_id=trial.id,
                    key=token_hex(16),
                )
            )
        step.move(State.HOME)
        return visit


def end_course(desk: Desk, code: str, target: State, decision: str) -> None:
    """Review the course after its third or sixth visit, or discharge the client; write the decision down.

    Raises
    ------
    VisitError
        If a visit is open, or the step does not follow.
    """
    if target not in (State.COURSE_REVIEW, State.DISCHARGE):
        raise InputError(f"a course is reviewed or ended, not moved to {target}")
    with desk.store.writing(desk.actor) as ledger:
        client = ledger.client(code)
        visits = visits_of(ledger, client)
        if not visits or State(visits[-1].state) not in ENDED:
            raise VisitError(f"close the open visit of {client.code} first")
        episode = ledger.get(Episode, visits[-1].episode_id)
        step = Step(ledger, client, episode, visits[-1], desk.actor, desk.catalogue)
        step.move(target)
        change = ledger.one(StateChange, visit_id=visits[-1].id)
        if change is not None:
            ledger.change(change, reason=decision)
        if target is State.DISCHARGE:
            ledger.change(episode, status="closed")


def log_adverse(
    store: Store, actor: str, code: str, *, grade: str, description: str, action: str = ""
) -> AdverseEvent:
    """Write an adverse event of the client's last visit down, open or not."""
    with store.writing(actor) as ledger:
        visits = visits_of(ledger, ledger.client(code))
        if not visits:
            raise VisitError(f"{code} has no visit that it could belong to")
        return ledger.add(
            AdverseEvent(visit_id=visits[-1].id, grade=grade, description=description, action=action or None)
        )


def add_score(step: Step, instrument: str, value: float, unit: str, moment: str = "") -> Score:
    """Write a total down; the text of the questionnaire stays with its owner."""
    return step.ledger.add(
        Score(
            client_id=step.client.id,
            visit_id=step.visit.id,
            instrument=instrument,
            value=value,
            unit=unit,
            moment=moment or None,
        )
    )


def treatment_minutes(ledger: Ledger, visit: Visit) -> float | None:
    """Return the minutes from the start to the end of each treatment, added up; None without treatment."""
    spans = [
        (t.ended_at - t.started_at).total_seconds() / 60.0
        for t in ledger.find(Treatment, visit_id=visit.id)
        if t.ended_at is not None
    ]
    return sum(spans) if spans else None


def summary_of(ledger: Ledger, visit: Visit) -> Summary:
    """Return a visit at a glance."""
    episode = ledger.get(Episode, visit.episode_id)
    client = ledger.get(Client, episode.client_id)
    treatments: list[str] = []
    for treatment in ledger.find(Treatment, visit_id=visit.id):
        passes = ledger.find(PassRecord, treatment_id=treatment.id)
        worst = max((p.discomfort for p in passes if p.discomfort is not None), default=None)
        felt = "" if worst is None else f", discomfort up to {worst:g}"
        ended = (
            "" if treatment.ended_because in (None, "re-tested", "closed") else f", {treatment.ended_because}"
        )
        treatments.append(
            f"{treatment.structure} {treatment.side}: {treatment.technique}, "
            f"{len(passes)} pass{'' if len(passes) == 1 else 'es'}{felt}{ended}"
        )
    history = ledger.one(History, visit_id=visit.id)
    after = ledger.find(Score, visit_id=visit.id, instrument="NPRS", moment="after")
    pain = "not rated" if history is None else f"{history.nprs_now:g} before"
    if after:
        pain += f", {after[-1].value:g} after"
    return Summary(
        title=f"Visit {visit.seq} of {client.code}, {visit.started_at:%Y-%m-%d}: {episode.complaint}",
        treatments=tuple(treatments),
        outcomes=tuple(ledger.find(Outcome, visit_id=visit.id)),
        screening=tuple(finding.sentence() for finding in screening_of(ledger, visit).findings),
        pain=pain,
        minutes=visit.treatment_min,
    )


def visit_note(store: Store, code: str, seq: int | None = None) -> str:
    """Return the note of a visit for the chart, as plain text: the last one unless a number is given."""
    with store.reading() as ledger:
        client = ledger.client(code)
        visits = visits_of(ledger, client)
        wanted = [visit for visit in visits if seq is None or visit.seq == seq]
        if not wanted:
            have = ", ".join(str(visit.seq) for visit in visits) or "none"
            raise VisitError(f"{client.code} has no visit {'' if seq is None else seq}; visits: {have}")
        return _note(ledger, wanted[-1])


def _note(ledger: Ledger, visit: Visit) -> str:
    summary = summary_of(ledger, visit)
    who = ledger.get(Practitioner, visit.practitioner_id)
    claims = "".join(f", {word}" for word in (who.role, who.licence_ref) if word)
    cert = f" Says to hold: {who.cert_claimed} (not verified)." if who.cert_claimed else ""
    lines = [summary.title, f"Clinician: {who.name}{claims}.{cert}"]
    lines += [f"Screening: {line}" for line in summary.screening] or ["Screening: nothing said."]
    lines.append(f"Pain (NPRS 0 to 10): {summary.pain}.")
    for finding in ledger.find(PalpationFinding, visit_id=visit.id):
        familiar = {True: ", reproduces the familiar symptom", False: "", None: ""}[
            finding.reproduces_familiar
        ]
        lines.append(
            f"Found: {finding.structure} {finding.side}, {finding.texture}, "
            f"tender {finding.tender} of 3{familiar}."
        )
    lines += [f"Treated: {line}." for line in summary.treatments]
    if summary.minutes is not None:
        lines.append(f"Treatment time: {summary.minutes:.0f} min.")
    lines += [f"Measured: {outcome.sentence}" for outcome in summary.outcomes]
    lines += [
        f"Went on with a reason ({row.source} to {row.target}): {row.reason}"
        for row in _reasons(ledger, visit)
    ]
    for halt in ledger.find(Halt, visit_id=visit.id):
        lines.append(f"Halted: {halt.reason}; {halt.action}; told: {halt.told or 'not yet'}.")
    for event in ledger.find(AdverseEvent, visit_id=visit.id):
        lines.append(f"Adverse event ({event.grade}): {event.description}; {event.action or 'no action'}.")
    if visit.reaction:
        lines.append(f"Reaction: {visit.reaction}")
    for task in ledger.find(HomeTask, visit_id=visit.id):
        lines.append(f"At home: {task.text}{f' ({task.dose})' if task.dose else ''}")
    lines.append(f"Next visit: {visit.next_visit or 'not agreed'}.")
    signed = f"{visit.signed_by}, {visit.signed_at:%Y-%m-%d %H:%M} UTC" if visit.signed_at else "not yet"
    lines.append(f"Signed: {signed}. romcap {visit.software_version}.")
    return "\n".join([*lines, INTENDED_USE])


def _reasons(ledger: Ledger, visit: Visit) -> list[StateChange]:
    rows = sorted(ledger.find(StateChange, visit_id=visit.id), key=lambda row: row.n)
    return [row for row in rows if row.reason]
