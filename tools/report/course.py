"""A course of visits as a report: range and pain over time, sides, what was kept, tests at home."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rom.catalogue.movement import Movement, Side
from rom.clinic.course import Kept, Plan, Trend, VisitPoint
from rom.compare import Comparison
from tools.report.findings import TestFacts
from tools.report.method import frame, method_lines
from tools.report.model import CourseData, CoursePoint, Figure, PainData, ReportModel, Table
from tools.report.samples_shown import change_card, value_card
from tools.report.sentences import change_sentence, judgement_word
from tools.report.words import Words, load_words


@dataclass(frozen=True)
class HomePoint:
    """One test at home: its day, value (degrees, None with too few reps), what it showed, what was said."""

    day: date
    value_deg: float | None
    comparison: Comparison | None
    soreness: float | None
    note: str


@dataclass(frozen=True, eq=False)
class CourseMovement:
    """One movement over the visits.

    Parameters
    ----------
    movement, side
        What was tested.
    points
        A visit each, as `rom.clinic.course` takes them.
    change
        First against last value before treatment, straps put on again; None with fewer than two.
    trend, kept
        Over the visits.
    sides_deg
        Involved less other side by visit number, degrees of range; the newest of a visit.
    home
        Tests at home, oldest first.
    """

    movement: Movement
    side: Side
    points: tuple[VisitPoint, ...]
    change: Comparison | None
    trend: Trend | None
    kept: tuple[Kept, ...]
    sides_deg: dict[int, float]
    home: tuple[HomePoint, ...]


@dataclass(frozen=True, eq=False)
class CourseFindings:
    """What the visits of an episode add up to.

    Parameters
    ----------
    client, complaint, side
        Pseudonym, complaint and its side.
    visits
        Number and start of each visit.
    pain_after
        NPRS after treatment by visit number.
    movements
        In the order of their first test.
    plan, goal, goal_movement, goal_deg
        What was planned and what is aimed at.
    questions
        Reasons to look at the course as a whole, in English.
    tests
        How each test was measured.
    """

    client: str
    complaint: str
    side: Side
    visits: tuple[tuple[int, datetime], ...]
    pain_after: dict[int, float]
    movements: tuple[CourseMovement, ...]
    plan: Plan
    goal: str
    goal_movement: Movement | None
    goal_deg: float | None
    questions: tuple[str, ...]
    tests: tuple[TestFacts, ...]


def course_report(found: CourseFindings, words: Words | None = None) -> ReportModel:
    """Return the page of a course."""
    words = words or load_words()
    figures: list[Figure] = []
    tables: list[Table] = []
    for one in found.movements:
        figures.append(_figure(words, found, one))
        tables.append(_table(words, found, one))
        tables += _home_table(words, one)
    if found.movements and any(point.pain is not None for point in found.movements[0].points):
        figures.insert(1, _pain_figure(words, found, found.movements[0]))
    main = found.movements[0].change if found.movements else None
    parts: dict[str, Any] = frame(words, "course", found.tests)
    parts["warnings"] = tuple(words.phrase(question) for question in found.questions)
    days = [words.day(when.date()) for _, when in found.visits]
    lines = _lines(words, found)
    if found.tests:
        stick = None if main is None else main.change.yardstick
        lines += method_lines(words, found.tests, None if main is None else main.pre, stick)
    return ReportModel(
        title=words.say("course.title", complaint=found.complaint, side=words.say(f"side.{found.side}")),
        who=found.client,
        when=" – ".join(dict.fromkeys((days[0], days[-1]))) if days else words.say("table.none"),
        cards=()
        if main is None
        else (
            value_card(words, "first", main.pre),
            value_card(words, "last", main.post),
            change_card(words, "since_first", main.change),
        ),
        verdicts=_verdicts(words, found),
        missing=_missing(words, found),
        figures=tuple(figures),
        tables=tuple(tables),
        method=tuple(lines),
        data=_data(found),
        **parts,
    )


def _verdicts(words: Words, found: CourseFindings) -> tuple[str, ...]:
    said = [change_sentence(words, one.change) for one in found.movements if one.change is not None]
    rated = [(p.seq, p.pain) for one in found.movements[:1] for p in one.points if p.pain is not None]
    if len(rated) > 1:
        said.append(
            words.say(
                "course.pain",
                first=words.plain(rated[0][1], 0),
                from_visit=rated[0][0],
                last=words.plain(rated[-1][1], 0),
                to_visit=rated[-1][0],
            )
        )
    return tuple(said)


def _missing(words: Words, found: CourseFindings) -> tuple[str, ...]:
    several = len(found.visits) > 1
    tested = bool(found.movements)
    lacking = {
        "no_points": not tested,
        "one_visit": not several and bool(found.visits),
        "no_trend": several and tested and all(one.trend is None for one in found.movements),
        "no_symmetry": tested and not any(one.sides_deg for one in found.movements),
        "no_pain": tested and not any(p.pain is not None for p in found.movements[0].points),
        "no_home": not any(one.home for one in found.movements),
    }
    said = [words.say(f"missing.{key}") for key, true in lacking.items() if true]
    said += [
        words.say("missing.home_no_value", day=words.day(point.day))
        for one in found.movements
        for point in one.home
        if point.value_deg is None
    ]
    return tuple(said)


def _points(found: CourseFindings, one: CourseMovement) -> tuple[CoursePoint, ...]:
    start = found.visits[0][1]
    return tuple(
        CoursePoint(
            label=str(point.seq),
            day=(point.when - start).total_seconds() / 86400.0,
            before_deg=_or_nan(point.pre_deg),
            after_deg=_or_nan(point.post_deg),
            pain_before=_or_nan(point.pain),
            pain_after=_or_nan(found.pain_after.get(point.seq)),
        )
        for point in one.points
    )


def _figure(words: Words, found: CourseFindings, one: CourseMovement) -> Figure:
    limit = one.movement.mdc95
    start = found.visits[0][1].date()
    home = tuple(
        (float((point.day - start).days), point.value_deg)
        for point in one.home
        if point.value_deg is not None
    )
    points = _points(found, one)
    alt = ". ".join(
        words.say(
            "figure.alt_point",
            seq=point.label,
            before=f"{words.plain(point.before_deg)}°",
            after=f"{words.plain(point.after_deg)}°",
        )
        for point in points
    )
    band = "" if limit is None else words.say("figure.course_band", limit=words.tenths(limit))
    title = words.say("figure.course")
    if len(found.movements) > 1:
        title = words.title(one.movement, one.side)
    return Figure(
        title,
        f"{words.say('figure.course_caption')} {band}".strip(),
        alt,
        words.section("figure"),
        CourseData(one.side, points, home, None if limit is None else math.degrees(limit)),
    )


def _pain_figure(words: Words, found: CourseFindings, one: CourseMovement) -> Figure:
    points = _points(found, one)
    alt = ". ".join(
        words.say(
            "figure.alt_pain",
            seq=point.label,
            before=words.plain(point.pain_before, 0),
            after=words.plain(point.pain_after, 0),
        )
        for point in points
    )
    title, caption = words.say("figure.pain"), words.say("figure.pain_caption")
    return Figure(title, caption, alt, words.section("figure"), PainData(points))


def _table(words: Words, found: CourseFindings, one: CourseMovement) -> Table:
    none = words.say("table.none")
    kept = {each.seq: each for each in one.kept}
    rows: list[tuple[str, ...]] = []
    for point in one.points:
        after = found.pain_after.get(point.seq)
        carried = kept.get(point.seq)
        share = None if carried is None else carried.percent
        rows.append(
            (
                str(point.seq),
                words.day(point.when.date()),
                _tenths(words, point.pre_deg),
                _tenths(words, point.post_deg),
                _tenths(words, point.change_deg, signed=True),
                _tenths(words, one.sides_deg.get(point.seq), signed=True),
                f"{_whole(words, point.pain)} – {_whole(words, after)}",
                none if carried is None else words.plain(carried.carry_over_deg, signed=True),
                none if share is None else words.say("course.percent", value=words.plain(share, 0)),
                ", ".join(dict.fromkeys(words.phrase(name) for name in point.techniques)) or none,
            )
        )
    involved: Side = "right" if one.side == "right" else "left"
    other: Side = "left" if involved == "right" else "right"
    sides = words.say(
        "table.difference", side=words.say(f"side.{involved}"), other=words.say(f"side.{other}")
    )
    names = (
        "visit",
        "date",
        "before",
        "after",
        "gain",
        "",
        "pain_before_after",
        "kept",
        "retention",
        "technique",
    )
    columns = tuple(words.say(f"table.{name}") if name else sides for name in names)
    title = words.title(one.movement, one.side)
    return Table(title, columns, tuple(rows), _note(words, one), numeric=(2, 3, 4, 5, 6, 7, 8))


def _note(words: Words, one: CourseMovement) -> str:
    """Return why a retention has no percentage, once for each reason."""
    reasons = dict.fromkeys(words.phrase(each.refusal) for each in one.kept if each.refusal)
    return "; ".join(f"{words.say('table.retention')}: {reason}" for reason in reasons)


def _home_table(words: Words, one: CourseMovement) -> list[Table]:
    if not one.home:
        return []
    none = words.say("table.none")
    rows: list[tuple[str, ...]] = []
    for point in one.home:
        change = None if point.comparison is None else point.comparison.change
        rows.append(
            (
                words.day(point.day),
                _tenths(words, point.value_deg),
                none if change is None else words.tenths(change.value, signed=True),
                none if change is None else judgement_word(words, change),
                _whole(words, point.soreness),
                point.note or none,
            )
        )
    columns = ("day", "value", "gain", "against_mdc", "soreness", "note")
    named = tuple(words.say(f"table.{name}") for name in columns)
    return [Table(words.say("table.home"), named, tuple(rows), numeric=(1, 2, 4))]


def _lines(words: Words, found: CourseFindings) -> list[tuple[str, str]]:
    plan, weeks = found.plan, {}
    key = "plan"
    if plan.weeks_min is not None and plan.weeks_max is not None:
        key = "plan_weeks"
        weeks = {"weeks_low": f"{plan.weeks_min:g}", "weeks_high": f"{plan.weeks_max:g}"}
    planned = words.say(f"course.{key}", low=plan.visits_min, high=plan.visits_max, **weeks)
    lines = [(words.say("method.plan"), words.say("course.so_far", plan=planned, count=len(found.visits)))]
    goal = found.goal
    if found.goal_movement is not None and found.goal_deg is not None:
        side: Side = found.side if found.goal_movement.laterality == "L/R" else "midline"
        title = words.title(found.goal_movement, side)
        value = words.plain(found.goal_deg, 0)
        goal = words.say("course.goal_angle", text=goal, title=title, value=value).strip(" ·")
    if goal:
        lines.append((words.say("method.goal"), goal))
    lines += [
        (words.say("method.trend"), _trend(words, one.trend))
        for one in found.movements
        if one.trend is not None
    ]
    return lines


def _trend(words: Words, trend: Trend) -> str:
    return words.say(
        "course.trend" if trend.confidence >= 0.95 else "course.trend_few",
        slope=words.plain(trend.per_week, signed=True),
        confidence=words.plain(100.0 * trend.confidence, 0),
        low=words.plain(trend.low, signed=True),
        high=words.plain(trend.high, signed=True),
        visits=trend.visits,
    )


def _data(found: CourseFindings) -> dict[str, Any]:
    return {
        "movements": [
            {
                "movement": one.movement.id,
                "side": one.side,
                "visits": [dict(vars(p)) | {"when": p.when.isoformat()} for p in one.points],
                "since_first": None if one.change is None else one.change.to_document(),
                "trend": None if one.trend is None else dict(vars(one.trend)),
                "kept": [dict(vars(each)) for each in one.kept],
                "sides_deg": {str(seq): value for seq, value in one.sides_deg.items()},
                "home": [{"day": p.day.isoformat(), "value_deg": p.value_deg} for p in one.home],
            }
            for one in found.movements
        ],
        "pain_after": {str(seq): value for seq, value in found.pain_after.items()},
        "recordings": [test.sha256 for test in found.tests],
    }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _tenths(words: Words, value: float | None, *, signed: bool = False) -> str:
    return words.say("table.none") if value is None else words.plain(value, signed=signed)


def _whole(words: Words, value: float | None) -> str:
    return words.say("table.none") if value is None else words.plain(value, 0)
