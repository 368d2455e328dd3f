"""A test at home as a report for the athlete: today, the clinic, what could be chance, one sentence."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rom.compare import Comparison
from tools.report.findings import TestFacts
from tools.report.method import frame, mean_of, method_lines
from tools.report.model import BandData, Card, Figure, ReportModel
from tools.report.samples_shown import value_card
from tools.report.sentences import home_sentence
from tools.report.words import Words, load_words


@dataclass(frozen=True, eq=False)
class RetestFindings:
    """What a test at home showed against the clinic's.

    Parameters
    ----------
    client, when
        Pseudonym and wall time of the test at home.
    clinic_day
        Day of the clinic's test.
    comparison
        Clinic before, home after, straps put on again; None if too few reps were valid.
    facts
        How the test at home was measured.
    soreness, note
        What the client said; None and empty if nothing.
    """

    client: str
    when: datetime
    clinic_day: date
    comparison: Comparison | None
    facts: TestFacts
    soreness: float | None = None
    note: str = ""


def retest_report(found: RetestFindings, words: Words | None = None) -> ReportModel:
    """Return the athlete's page."""
    words = words or load_words()
    change, facts = found.comparison, found.facts
    parts: dict[str, Any] = frame(words, "retest", [facts])
    lines: list[tuple[str, str]] = []
    if found.soreness is not None:
        lines.append((words.say("table.soreness"), words.plain(found.soreness, 0)))
    if found.note:
        lines.append((words.say("table.note"), found.note))
    sample = None if change is None else change.post
    stick = None if change is None else change.change.yardstick
    return ReportModel(
        title=words.title(facts.movement, facts.side),
        who=found.client,
        when=found.when.strftime(words.say("number.moment")),
        cards=() if change is None else _cards(words, found, change),
        verdicts=()
        if change is None
        else (home_sentence(words, change, words.called(found.clinic_day, found.when.date())),),
        missing=_missing(words, found),
        figures=() if change is None else (_figure(words, change),),
        tables=(),
        method=(*lines, *method_lines(words, [facts], sample, stick)),
        data={
            "comparison": None if change is None else change.to_document(),
            "clinic_day": found.clinic_day.isoformat(),
            "soreness": found.soreness,
            "recordings": [facts.sha256],
        },
        **parts,
    )


def _cards(words: Words, found: RetestFindings, change: Comparison) -> tuple[Card, ...]:
    limit = change.change.yardstick.mdc95
    day = words.say("card.on_day", day=words.day(found.clinic_day))
    chance = words.say("table.none") if limit is None else f"±{words.limit(limit)}"
    basis = words.say("card.chance_unknown" if limit is None else "card.chance_basis")
    return (
        value_card(words, "today", change.post),
        Card(words.say("card.clinic"), words.degrees(change.pre.value), day),
        Card(words.say("card.chance"), chance, basis),
    )


def _missing(words: Words, found: RetestFindings) -> tuple[str, ...]:
    said: list[str] = []
    if found.comparison is None:
        said.append(words.say("missing.home_no_value", day=words.day(found.when.date())))
    if found.facts.calibration == "none":
        said.append(words.say("missing.no_calibration"))
    if found.facts.movement.mdc95 is None:
        said.append(words.say("missing.no_mdc"))
    return tuple(said)


def _figure(words: Words, change: Comparison) -> Figure:
    low, high = mean_of(change.post).interval()
    limit = change.change.yardstick.mdc95
    clinic, today = math.degrees(change.pre.value), math.degrees(change.post.value)
    chance = None if limit is None else math.degrees(limit)
    ends = [words.plain(math.nan if chance is None else clinic + sign * chance) for sign in (-1, 1)]
    alt = words.say(
        "figure.alt_band",
        clinic=f"{words.plain(clinic)}°",
        low=f"{ends[0]}°",
        high=f"{ends[1]}°",
        today=f"{words.plain(today)}°",
    )
    data = BandData(change.post.side, clinic, chance, today, math.degrees(low), math.degrees(high))
    title, caption = words.say("figure.band"), words.say("figure.band_caption")
    return Figure(title, caption, alt, words.section("figure"), data)
