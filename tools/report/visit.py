"""A visit as a report: findings in, everything one page says out."""

from dataclasses import replace
from typing import Any

import numpy as np

from rom.compare import Comparison
from rom.sample import RepSample
from rom.symmetry import Symmetry
from tools.report.findings import VisitFindings
from tools.report.method import frame, mean_of, method_lines
from tools.report.model import (
    Card,
    CurvesData,
    Figure,
    PassArrow,
    PassesData,
    Phase,
    ReportModel,
)
from tools.report.samples_shown import change_card, reps_figure, value_card
from tools.report.sentences import change_sentence, judgement_word, symmetry_sentence
from tools.report.visit_tables import (
    ama_table,
    measurement_table,
    names_of,
    passes_by_structure,
    passes_table,
    sides_table,
)
from tools.report.words import Words, load_words


def visit_report(visit: VisitFindings, words: Words | None = None, *, ama: bool = False) -> ReportModel:
    """Return the page of a visit.

    Parameters
    ----------
    visit
        What it showed.
    words
        The language; English if None.
    ama
        Whether to add the table of three measurements.
    """
    words = words or load_words()
    final = visit.final
    samples = _samples(visit)
    ama_part, too_few = (
        ama_table(words, [(words.say(f"figure.{phase}"), sample) for sample, phase in samples])
        if ama
        else (None, ())
    )
    tables = [
        measurement_table(words, visit),
        sides_table(words, visit),
        passes_table(words, visit.passes, visit.structures),
        ama_part,
    ]
    own = [test for test in visit.tests if visit.movement is None or test.movement.id == visit.movement.id]
    stick = None if final is None else final.change.yardstick
    lines = list(method_lines(words, own, visit.baseline if final is None else final.pre, stick))
    lines.insert(0, (words.say("method.pain"), _pain(words, visit)))
    if visit.clinician:
        lines.append((words.say("method.clinician"), visit.clinician))
    title = visit.complaint
    if visit.movement is not None:
        title = words.title(visit.movement, visit.side)
    parts: dict[str, Any] = frame(words, "visit", own)
    return ReportModel(
        title=title,
        who=visit.client,
        when=visit.when.strftime(words.say("number.moment")),
        cards=_cards(words, visit),
        verdicts=_verdicts(words, visit),
        missing=(*_missing(words, visit), *too_few),
        figures=tuple(_figures(words, visit, samples)),
        tables=tuple(table for table in tables if table is not None),
        method=tuple(line for line in lines if line[1]),
        data=_data(visit),
        **parts,
    )


def _samples(visit: VisitFindings) -> list[tuple[RepSample, Phase]]:
    """Return the samples of the page's movement, left before right, before before after."""
    final = visit.final
    known: dict[tuple[str, Phase], RepSample] = {}
    if final is not None:
        known |= {(final.pre.side, "before"): final.pre, (final.post.side, "after"): final.post}
        control = final.control
        if control is not None and control.pre.movement.id == final.pre.movement.id:
            known |= {(control.pre.side, "before"): control.pre, (control.post.side, "after"): control.post}
    elif visit.baseline is not None:
        known[visit.baseline.side, "before"] = visit.baseline
    both: tuple[tuple[Phase, Symmetry | None], ...] = (
        ("before", visit.symmetry_before),
        ("after", visit.symmetry_after),
    )
    for phase, sides in both:
        for sample in () if sides is None else (sides.left, sides.right):
            known.setdefault((sample.side, phase), sample)
    found: list[tuple[RepSample, Phase]] = [(sample, phase) for (_, phase), sample in known.items()]
    return sorted(found, key=lambda item: (item[0].side, item[1] == "after"))


def _cards(words: Words, visit: VisitFindings) -> tuple[Card, ...]:
    final = visit.final
    cards: list[Card] = []
    if final is None:
        if visit.baseline is not None:
            cards.append(value_card(words, "before", visit.baseline))
    else:
        cards += [value_card(words, "before", final.pre), value_card(words, "after", final.post)]
        cards.append(change_card(words, "change", final.change))
    sides = visit.symmetry_after or (visit.symmetry_before if final is None else None)
    if sides is not None:
        other = "right" if sides.involved == "left" else "left"
        named = {"side": words.say(f"side.{sides.involved}"), "other": words.say(f"side.{other}")}
        label = words.say("card.sides", **named)
        basis = words.say("card.sided", judgement=judgement_word(words, sides.difference), **named)
        value = words.degrees(sides.difference.value, signed=True)
        cards.append(Card(label[0].upper() + label[1:], value, basis))
    return tuple(cards)


def _verdicts(words: Words, visit: VisitFindings) -> tuple[str, ...]:
    said: list[str] = []
    if visit.final is not None:
        said.append(change_sentence(words, visit.final))
    elif visit.baseline is not None:
        low, high = mean_of(visit.baseline).interval()
        said.append(
            words.say(
                "sentence.baseline",
                title=words.title(visit.baseline.movement, visit.baseline.side),
                value=words.degrees(visit.baseline.value),
                low=words.number(low),
                high=words.number(high),
            )
        )
    if visit.symmetry_after is not None:
        said.append(symmetry_sentence(words, visit.symmetry_after, visit.symmetry_before))
    elif visit.symmetry_before is not None:
        said.append(symmetry_sentence(words, visit.symmetry_before))
    return tuple(said)


def _missing(words: Words, visit: VisitFindings) -> tuple[str, ...]:
    final = visit.final
    sided = visit.side in ("left", "right")
    bare = [fact.structure for fact in visit.passes if fact.start_deg is None or fact.end_deg is None]
    found = {
        "no_baseline": visit.movement is None,
        "no_reps": visit.movement is not None and visit.baseline is None,
        "no_retest": visit.movement is not None and final is None,
        "no_control": final is not None and final.control is None,
        "no_symmetry": sided and visit.symmetry_after is None and visit.symmetry_before is None,
        "no_mdc": visit.movement is not None and visit.movement.mdc95 is None,
        "no_calibration": any(test.calibration == "none" for test in visit.tests),
        "no_passes": not visit.passes,
        "no_pass_angles": bool(bare),
        "no_pain": visit.pain_before is None,
        "no_pain_after": visit.pain_before is not None and visit.pain_after is None,
        "no_hash": any(not test.sha256 for test in visit.tests),
    }
    structures = names_of(words, visit.structures, dict.fromkeys(bare))
    return tuple(
        words.say(f"missing.{key}", structures=structures) for key, lacking in found.items() if lacking
    )


def _pain(words: Words, visit: VisitFindings) -> str:
    said = [
        words.say(f"method.pain_{when}", value=words.plain(value, 0))
        for when, value in (("before", visit.pain_before), ("after", visit.pain_after))
        if value is not None
    ]
    said += [
        words.say(
            "method.pain_test", value=words.plain(test.nprs, 0), phase=words.say(f"trial.phase_{test.phase}")
        )
        for test in visit.tests
        if test.nprs is not None and test.phase in ("baseline", "retest", "control")
    ]
    return ", ".join(said)


def _figures(words: Words, visit: VisitFindings, samples: list[tuple[RepSample, Phase]]) -> list[Figure]:
    found: list[Figure] = []
    if samples:
        limit = None if visit.final is None else visit.final.change.yardstick.mdc95
        found.append(reps_figure(words, samples, limit))
    if visit.curves:
        found.append(_curves(words, visit))
    arrows = [fact for fact in visit.passes if fact.start_deg is not None and fact.end_deg is not None]
    if arrows:
        found.append(_passes(words, visit))
    return found


def _curves(words: Words, visit: VisitFindings) -> Figure:
    curves = tuple(
        replace(curve, label=f"{words.say(f'letter.{curve.side}')} {words.say(f'figure.{curve.phase}')}")
        for curve in sorted(visit.curves, key=lambda one: one.side)
    )
    alt = ". ".join(
        words.say(
            "figure.alt_curve",
            side=words.say(f"side.{curve.side}"),
            phase=words.say(f"figure.{curve.phase}"),
            low=f"{words.plain(float(np.nanmin(curve.angle_deg)), 0)}°",
            high=f"{words.plain(float(np.nanmax(curve.angle_deg)), 0)}°",
            seconds=words.plain(float(curve.t_s[-1]), 0),
        )
        for curve in curves
    )
    caption = words.say("figure.curves_caption")
    return Figure(words.say("figure.curves"), caption, alt, words.section("figure"), CurvesData(curves))


def _passes(words: Words, visit: VisitFindings) -> Figure:
    arrows: list[PassArrow] = []
    alt: list[str] = []
    for structure, facts in passes_by_structure(visit.passes).items():
        name = names_of(words, visit.structures, [structure])
        own = [
            PassArrow(one.side, name, one.start_deg, one.end_deg)
            for one in facts
            if one.start_deg is not None and one.end_deg is not None
        ]
        if not own:
            continue
        arrows += own
        start = float(np.mean([arrow.start_deg for arrow in own]))
        end = float(np.mean([arrow.end_deg for arrow in own]))
        alt.append(
            words.say(
                "figure.alt_pass",
                structure=name,
                count=len(own),
                start=f"{words.plain(start, 0)}°",
                end=f"{words.plain(end, 0)}°",
            )
        )
    return Figure(
        words.say("figure.passes"),
        words.say("figure.passes_caption"),
        ". ".join(alt),
        words.section("figure"),
        PassesData(tuple(arrows)),
    )


def _data(visit: VisitFindings) -> dict[str, Any]:
    def document(one: Comparison | Symmetry | None) -> dict[str, object] | None:
        return None if one is None else one.to_document()

    return {
        "retests": [
            {"structures": list(retest.structures), "comparison": retest.comparison.to_document()}
            for retest in visit.retests
        ],
        "symmetry_before": document(visit.symmetry_before),
        "symmetry_after": document(visit.symmetry_after),
        "passes": [dict(vars(fact)) for fact in visit.passes],
        "pain_before": visit.pain_before,
        "pain_after": visit.pain_after,
        "recordings": [test.sha256 for test in visit.tests],
    }
