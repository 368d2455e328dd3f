"""A client's course as it is in the store: one page in sentences, and the same as a document."""

import math
from dataclasses import dataclass
from typing import Any

from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement
from rom.clinic.closing import INTENDED_USE
from rom.clinic.course import Plan, VisitPoint, kept, prompts, techniques, trend
from rom.clinic.desk import visits_of
from rom.clinic.dexa import lean_sentences
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import Client, DexaScan, Episode, HomeLog, Performance, Score
from rom.clinic.store_visits import History, Outcome, PressurePain, Treatment, TrialRecord, Visit


@dataclass(frozen=True)
class Section:
    """Sentences under a heading."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CoursePage:
    """What the visits of an episode add up to."""

    title: str
    sections: tuple[Section, ...]
    document: dict[str, Any]

    def text(self) -> str:
        """Return the page for reading."""
        parts = [self.title]
        for section in self.sections:
            parts += ["", section.title, *(f"  {line}" for line in section.lines)]
        return "\n".join([*parts, "", INTENDED_USE])


def course_page(store: Store, catalogue: Catalogue, code: str, episode: str = "") -> CoursePage:
    """Return the course of a client's newest episode, or of the one whose complaint holds a text."""
    with store.reading() as ledger:
        client = ledger.client(code)
        episodes = [
            e for e in ledger.find(Episode, client_id=client.id) if episode.lower() in e.complaint.lower()
        ]
        if not episodes:
            return CoursePage(f"{client.code}: no episode yet.", (), {"client": client.code, "visits": []})
        chosen = episodes[-1]
        visits = [v for v in visits_of(ledger, client) if v.episode_id == chosen.id]
        return _page(ledger, catalogue, client, chosen, visits)


def points_of(ledger: Ledger, visits: list[Visit], movement: Movement, side: str) -> list[VisitPoint]:
    """Return what each visit says about one movement and side."""
    found: list[VisitPoint] = []
    for visit in visits:
        trials = ledger.find(TrialRecord, visit_id=visit.id, movement=movement.id, side=side)
        before = [t for t in trials if t.phase == "baseline"]
        after = [t for t in trials if t.phase == "retest"]
        history = ledger.one(History, visit_id=visit.id)
        found.append(
            VisitPoint(
                seq=visit.seq,
                when=visit.started_at,
                pre_deg=before[-1].value_deg if before else None,
                post_deg=after[-1].value_deg if after else None,
                pain=history.nprs_now if history else None,
                techniques=tuple(t.technique for t in ledger.find(Treatment, visit_id=visit.id)),
                change_deg=_change(ledger, visit, after[-1].id) if after else None,
            )
        )
    return found


def _change(ledger: Ledger, visit: Visit, post: str) -> float | None:
    """Return the change of a re-test, less that of the untreated side if it was tested."""
    outcome = ledger.one(Outcome, visit_id=visit.id, kind="change", second_trial_id=post)
    if outcome is None:
        return None
    control = (outcome.document or {}).get("control") or {}
    beyond = control.get("difference_in_differences") or {}
    return beyond.get("value_deg", outcome.difference_deg)


def _page(
    ledger: Ledger, catalogue: Catalogue, client: Client, episode: Episode, visits: list[Visit]
) -> CoursePage:
    plan = Plan(
        episode.plan_visits_min or 3,
        episode.plan_visits_max or 6,
        episode.plan_weeks_min,
        episode.plan_weeks_max,
        "plan of the episode",
    )
    sections = [
        Section("Plan", (f"{plan.sentence()}; visits so far: {len(visits)}.", *_goal(episode))),
    ]
    documents: list[dict[str, Any]] = []
    asked: list[str] = []
    for movement, side in _tested(ledger, catalogue, visits, episode):
        points = points_of(ledger, visits, movement, side)
        section, document = _movement(ledger, visits, movement, side, points)
        sections.append(section)
        documents.append(document)
        log = ledger.find(HomeLog, client_id=client.id)
        for line in prompts(
            points,
            plan,
            None if movement.mdc95 is None else math.degrees(movement.mdc95),
            gain=movement.gain_sign,
            neck="neck" in episode.regions,
            soreness=[(row.day, row.soreness) for row in log if row.soreness is not None],
        ):
            if line not in asked:
                asked.append(line)
    sections += [
        Section(title, tuple(lines))
        for title, lines in (
            ("Pain and scores", _scores(ledger, client, visits)),
            ("What the client can do", _performance(ledger, client)),
            ("Lean mass (never to be tied to a change of range within weeks)", _lean(ledger, client)),
            ("Questions for the clinician", asked),
        )
        if lines
    ]
    title = f"Course of {client.code}: {episode.complaint} ({episode.side}), {episode.status}"
    document: dict[str, Any] = {
        "schema": "romcap.course/1",
        "client": client.code,
        "complaint": episode.complaint,
        "visits": len(visits),
        "plan": plan.sentence(),
        "movements": documents,
        "questions": asked,
        "sections": {section.title: list(section.lines) for section in sections},
    }
    return CoursePage(title, tuple(sections), document)


def _tested(
    ledger: Ledger, catalogue: Catalogue, visits: list[Visit], episode: Episode
) -> list[tuple[Movement, str]]:
    """Return the movements tested on the side of the complaint, in the order of their first test."""
    keys = [
        (trial.movement, trial.side)
        for visit in visits
        for trial in ledger.find(TrialRecord, visit_id=visit.id, phase="baseline")
        if episode.side in ("both", trial.side) or trial.side == "midline"
    ]
    return [(catalogue.movement(movement), side) for movement, side in dict.fromkeys(keys)]


def _movement(
    ledger: Ledger, visits: list[Visit], movement: Movement, side: str, points: list[VisitPoint]
) -> tuple[Section, dict[str, Any]]:
    named: Any = side
    mdc_deg = None if movement.mdc95 is None else math.degrees(movement.mdc95)
    lines = [_symmetry_line(ledger, visits, movement)] if side != "midline" else []
    lines = [line for line in lines if line]
    lines += [
        f"visit {p.seq} ({p.when:%Y-%m-%d}): before {_deg(p.pre_deg)}, after {_deg(p.post_deg)}, "
        f"pain {'not rated' if p.pain is None else f'{p.pain:g}'}"
        for p in points
    ]
    slope = trend(points, movement.gain_sign)
    if slope is not None:
        lines.append(f"Trend: {slope.sentence()}.")
    elif len(points) > 1:
        lines.append("Trend: three visits on different days are needed.")
    carried = kept(points, mdc_deg, movement.gain_sign)
    lines += [f"Kept, {each.sentence()}." for each in carried]
    side_by_side = techniques(points)
    if len({name for p in points for name in p.techniques}) > 1:
        lines += side_by_side.sentences()
    lines.append(
        f"MDC between visits: {mdc_deg:.1f}° ({movement.error_note})."
        if mdc_deg is not None
        else f"MDC between visits: {movement.error_note}."
    )
    document: dict[str, Any] = {
        "movement": movement.id,
        "side": side,
        "pre_deg": [p.pre_deg for p in points],
        "post_deg": [p.post_deg for p in points],
        "pain": [p.pain for p in points],
        "mdc95_deg": mdc_deg,
        "trend_deg_per_week": None if slope is None else slope.per_week,
        "trend_interval_deg_per_week": None if slope is None else [slope.low, slope.high],
        "trend_confidence": None if slope is None else slope.confidence,
        "carry_over_deg": {str(each.seq): each.carry_over_deg for each in carried},
        "retention_percent": {str(each.seq): each.percent for each in carried},
    }
    return Section(movement.title(named), tuple(lines)), document


def _symmetry_line(ledger: Ledger, visits: list[Visit], movement: Movement) -> str:
    """Return the newest comparison of the sides, in degrees first."""
    for visit in reversed(visits):
        trials = {t.id for t in ledger.find(TrialRecord, visit_id=visit.id, movement=movement.id)}
        found = [
            o for o in ledger.find(Outcome, visit_id=visit.id, kind="symmetry") if o.first_trial_id in trials
        ]
        if found:
            return f"Sides, visit {visit.seq}: {found[-1].sentence}"
    return ""


def _scores(ledger: Ledger, client: Client, visits: list[Visit]) -> list[str]:
    seq = {visit.id: visit.seq for visit in visits}
    lines = [
        f"visit {seq[s.visit_id]}: {s.instrument}{f' {s.moment}' if s.moment else ''} {s.value:g} {s.unit}"
        for s in ledger.find(Score, client_id=client.id)
        if s.visit_id in seq
    ]
    for visit in visits:
        for site in ledger.find(PressurePain, visit_id=visit.id):
            trials = [t for t in (site.trial1_kpa, site.trial2_kpa, site.trial3_kpa) if t is not None]
            mean = sum(trials) / len(trials)
            lines.append(
                f"visit {visit.seq}: pressure pain {site.site} {site.side} {mean:.0f} kPa "
                f"({len(trials)} trials)"
            )
    return lines


def _performance(ledger: Ledger, client: Client) -> list[str]:
    rows = sorted(ledger.find(Performance, client_id=client.id), key=lambda row: row.day)
    return [
        f"{row.day}: {row.kind} {row.value:g} {row.unit}{f' ({row.note})' if row.note else ''}"
        for row in rows
    ]


def _lean(ledger: Ledger, client: Client) -> list[str]:
    return lean_sentences(ledger.find(DexaScan, client_id=client.id))


def _goal(episode: Episode) -> tuple[str, ...]:
    if not episode.goal_text and episode.goal_deg is None:
        return ()
    angle = "" if episode.goal_deg is None else f" {episode.goal_movement} {episode.goal_deg:.0f}°"
    return (f"Goal: {episode.goal_text or ''}{angle}".strip(),)


def _deg(value: float | None) -> str:
    return "not tested" if value is None else f"{value:.1f}°"
