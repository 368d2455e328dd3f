"""One test as a report: every rep, whether it counts, and why not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from imu.errors import InputError
from rom.catalogue.structure import Structure
from rom.sample import RepSample
from rom.trial import Trial
from tools.report.findings import PassFacts, TestFacts
from tools.report.from_trials import curve_of_trial, facts_of_trial, passes_of_trial
from tools.report.method import frame, mean_of, method_lines
from tools.report.model import Card, Curve, CurvesData, Figure, ReportModel, Table
from tools.report.samples_shown import reps_figure, value_card
from tools.report.visit_tables import ama_table, passes_table
from tools.report.words import Words, load_words


@dataclass(frozen=True)
class RepRow:
    """One rep in degrees and seconds; NaN where not known. `reasons` says why it does not count."""

    number: int
    start_deg: float
    end_deg: float
    held: bool
    range_deg: float
    sigma_deg: float
    duration_s: float
    valid: bool
    reasons: str


@dataclass(frozen=True, eq=False)
class TrialFindings:
    """What one test showed.

    Parameters
    ----------
    client, when, facts
        Pseudonym, wall time, how it was measured.
    reps
        All of them, in order.
    sample
        Those that count; None with fewer than two.
    curve
        The angle; None where the recording is not at hand.
    passes, structures
        Of the treatments in the recording, and the structures they name, by id.
    """

    client: str
    when: datetime
    facts: TestFacts
    reps: tuple[RepRow, ...]
    sample: RepSample | None
    curve: Curve | None
    passes: tuple[PassFacts, ...] = ()
    structures: Mapping[str, Structure] = field(default_factory=dict[str, Structure])


def findings_of_trial(
    client: str, when: datetime, trial: Trial, structures: Mapping[str, Structure]
) -> TrialFindings:
    """Return what a recording that has just been analysed says."""
    rows = [
        RepRow(
            rep.number,
            math.degrees(rep.start),
            math.degrees(rep.end),
            rep.end_kind == "plateau",
            math.degrees(rep.range),
            math.degrees(rep.end_sigma),
            rep.duration,
            rep.valid,
            "; ".join((*rep.reasons, *rep.warnings)),
        )
        for rep in trial.reps
    ]
    try:
        sample = trial.sample()
    except InputError:
        sample = None
    facts = facts_of_trial(trial)
    facts = replace(facts, warnings=tuple(w for w in facts.warnings if not w.startswith("rep ")))
    curve = curve_of_trial(trial, "after") if trial.reps else None
    passes = tuple(passes_of_trial(trial))
    return TrialFindings(client, when, facts, tuple(rows), sample, curve, passes, structures)


def trial_report(found: TrialFindings, words: Words | None = None, *, ama: bool = False) -> ReportModel:
    """Return the page of one test."""
    words = words or load_words()
    sample, facts = found.sample, found.facts
    phase = facts.phase if facts.phase in ("baseline", "retest", "treatment", "control", "home") else "none"
    label = words.say(f"trial.phase_{phase}")
    ama_part, too_few = ama_table(words, [(label, sample)]) if ama and sample is not None else (None, ())
    passes = passes_table(words, found.passes, found.structures)
    tables = [_rep_table(words, found) if found.reps else None, passes, ama_part]
    missing = {
        "no_reps": sample is None and not found.passes,
        "no_calibration": facts.calibration == "none",
        "no_mdc": facts.movement.mdc95 is None,
        "no_hash": not facts.sha256,
    }
    parts: dict[str, Any] = frame(words, "trial", [facts])
    title = words.title(facts.movement, facts.side)
    return ReportModel(
        title=f"{title}, {label}",
        who=found.client,
        when=found.when.strftime(words.say("number.moment")),
        cards=_cards(words, found),
        verdicts=_verdict(words, found, title),
        missing=(*(words.say(f"missing.{key}") for key, lacking in missing.items() if lacking), *too_few),
        figures=tuple(_figures(words, found, label)),
        tables=tuple(table for table in tables if table is not None),
        method=method_lines(words, [facts], sample, None),
        data={
            "movement": facts.movement.id,
            "side": facts.side,
            "phase": facts.phase,
            "value_deg": None if sample is None else math.degrees(sample.value),
            "reps": [dict(vars(rep)) for rep in found.reps],
            "passes": [dict(vars(fact)) for fact in found.passes],
            "recordings": [facts.sha256],
        },
        **parts,
    )


def _cards(words: Words, found: TrialFindings) -> tuple[Card, ...]:
    valid = sum(1 for rep in found.reps if rep.valid)
    cards: list[Card] = [] if found.sample is None else [value_card(words, "value", found.sample)]
    if found.reps:
        basis = words.say("card.of_found", found=len(found.reps))
        cards.append(Card(words.say("card.counting"), str(valid), basis))
    return tuple(cards)


def _verdict(words: Words, found: TrialFindings, title: str) -> tuple[str, ...]:
    sample = found.sample
    if sample is None:
        if not found.reps:
            return ()
        valid = sum(1 for rep in found.reps if rep.valid)
        return (words.say("trial.few", title=title, count=valid, found=len(found.reps)),)
    low, high = mean_of(sample).interval()
    return (
        words.say(
            "trial.value",
            title=title,
            value=words.degrees(sample.value),
            low=words.number(low),
            high=words.number(high),
            aggregate=words.say(f"method.{sample.aggregate}"),
        ),
    )


def _figures(words: Words, found: TrialFindings, label: str) -> list[Figure]:
    figures: list[Figure] = []
    if found.sample is not None and found.curve is None:
        figures.append(reps_figure(words, [(found.sample, "after")], None, label))
    if found.curve is not None:
        curve = found.curve
        alt = words.say(
            "figure.alt_curve",
            side=words.say(f"side.{curve.side}"),
            phase=label,
            low=f"{words.plain(float(np.nanmin(curve.angle_deg)), 0)}°",
            high=f"{words.plain(float(np.nanmax(curve.angle_deg)), 0)}°",
            seconds=words.plain(float(curve.t_s[-1]), 0),
        )
        data = CurvesData((curve,), numbered=True)
        title, caption = words.say("heading.report_trial"), words.say("figure.curve_caption")
        figures.append(Figure(title, caption, alt, words.section("figure"), data))
    return figures


def _rep_table(words: Words, found: TrialFindings) -> Table:
    warm = 0 if found.sample is None else found.sample.warm_ups
    rows: list[tuple[str, ...]] = []
    valid = 0
    for rep in found.reps:
        valid += rep.valid
        counts = "no" if not rep.valid else "warm_up" if valid <= warm else "yes"
        rows.append(
            (
                str(rep.number),
                words.plain(rep.start_deg),
                words.plain(rep.end_deg),
                words.say("table.plateau" if rep.held else "table.peak"),
                words.plain(rep.range_deg),
                words.plain(rep.sigma_deg),
                words.plain(rep.duration_s),
                words.say(f"table.{counts}"),
                _reasons(words, rep) or words.say("table.none"),
            )
        )
    columns = ("rep", "start", "end", "end_kind", "range", "sigma", "time", "counts", "reason")
    named = tuple(words.say(f"table.{name}") for name in columns)
    return Table(words.say("table.reps"), named, tuple(rows), numeric=(1, 2, 4, 5, 6))


def _reasons(words: Words, rep: RepRow) -> str:
    return "; ".join(words.phrase(reason) for reason in rep.reasons.split("; ") if reason)
