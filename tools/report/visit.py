"""A visit as a report: trials and comparisons in, everything one page says out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rom.compare import Comparison
from rom.estimate import Scatter, difference
from rom.sample import AGGREGATES, RepSample
from rom.symmetry import Symmetry
from rom.trial import Trial
from tools.report.model import Card, Curve, PassRow, Phase, RepGroup, ReportModel, Table

LIMITS = (
    "Records and summarises joint angles from user-supplied sensors for education, research and "
    "documentation by qualified people. Not for diagnosis, treatment selection, fitness-to-work or "
    "emergency decisions. Does not recommend or judge a manual-therapy technique.",
    "Intervals hold for this test, this strapping and this movement. They do not say why something changed.",
)


@dataclass(frozen=True)
class Retest:
    """One structure and what the re-test after it showed against the baseline."""

    structure: str
    comparison: Comparison


@dataclass(frozen=True)
class VisitFindings:
    """What a visit adds up to.

    Parameters
    ----------
    client, when
        Pseudonym and wall time of the baseline.
    before, after
        The treated side's baseline and last re-test.
    control_before, control_after
        The same of the untreated side; None if it was not tested.
    treatments
        Trials that hold passes, in order.
    retests
        One a structure; the last one is the visit's result.
    symmetry_before, symmetry_after
        Left against right; None without both sides.
    structure_names
        Readable name of each structure id.
    """

    client: str
    when: datetime
    before: Trial
    after: Trial
    control_before: Trial | None
    control_after: Trial | None
    treatments: tuple[Trial, ...]
    retests: tuple[Retest, ...]
    symmetry_before: Symmetry | None
    symmetry_after: Symmetry | None
    structure_names: dict[str, str]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The sentences of the visit: the change first, then left against right."""
        sentences = [self.retests[-1].comparison.sentence()]
        if self.symmetry_after is not None:
            sentences.append(self.symmetry_after.sentence(self.symmetry_before))
        return tuple(sentences)


def visit_report(visit: VisitFindings) -> ReportModel:
    """Return the page of a visit."""
    final = visit.retests[-1].comparison
    trials = [visit.before, visit.after, *(t for t in (visit.control_before, visit.control_after) if t)]
    tests: list[tuple[RepSample, Trial, Phase]] = [
        (final.pre, visit.before, "before"),
        (final.post, visit.after, "after"),
    ]
    if final.control is not None and visit.control_before is not None and visit.control_after is not None:
        tests.append((final.control.pre, visit.control_before, "before"))
        tests.append((final.control.post, visit.control_after, "after"))
    tests.sort(key=lambda test: ("left", "right", "midline").index(test[1].side))
    limit = final.change.yardstick.mdc95
    return ReportModel(
        title=visit.before.movement.title(visit.before.side),
        who=visit.client,
        when=visit.when.strftime("%Y-%m-%d %H:%M"),
        simulated=any(bool(trial.provenance["simulated"]) for trial in trials),
        cards=_cards(final, visit.symmetry_after),
        verdicts=visit.verdicts,
        groups=tuple(_group(sample, phase, final.change.scatter) for sample, _, phase in tests),
        mdc_deg=None if limit is None else math.degrees(limit),
        curves=tuple(_curve(trial, phase) for _, trial, phase in tests),
        passes=tuple(_passes(visit)),
        tables=(_measurements(visit),),
        method=_method(visit, trials),
        limits=LIMITS,
        warnings=_warnings(trials),
    )


def _cards(final: Comparison, symmetry: Symmetry | None) -> tuple[Card, ...]:
    low, high = (_whole(end, signed=True) for end in final.change.estimate.interval())
    cards = [
        Card("Before", f"{_whole(final.pre.value)}°", f"{final.pre.used.size} reps count"),
        Card("After", f"{_whole(final.post.value)}°", f"{final.post.used.size} reps count"),
        Card(
            "Change in range",
            f"{_whole(final.change.value, signed=True)}°",
            f"95 % {low} to {high}; {final.change.judgement}",
        ),
    ]
    if symmetry is not None:
        other = "right" if symmetry.involved == "left" else "left"
        cards.append(
            Card(
                f"{symmetry.involved.capitalize()} against {other}",
                f"{_whole(symmetry.difference.value, signed=True)}°",
                f"range on the {symmetry.involved}; {symmetry.difference.judgement}",
            )
        )
    return tuple(cards)


def _group(sample: RepSample, phase: Phase, scatter: Scatter) -> RepGroup:
    mean = difference(sample.value, scatter, sample.leverage, sample.sensor_sigma**2)
    low, high = mean.interval()
    return RepGroup(
        sample.side,
        phase,
        f"{sample.side}\n{phase}",
        tuple(np.degrees(sample.values).tolist()),
        tuple(bool(np.isin(value, sample.used)) for value in sample.values),
        math.degrees(sample.value),
        math.degrees(low),
        math.degrees(high),
    )


def _curve(trial: Trial, phase: Phase) -> Curve:
    series = trial.series
    reps = [rep.rep for rep in trial.reps]
    first = reps[0].start - 1.0 if reps else float(series.t[0])
    last = reps[-1].stop + 1.0 if reps else float(series.t[-1])
    inside = (series.t >= first) & (series.t <= last)
    return Curve(
        trial.side,
        phase,
        f"{trial.side} {phase}",
        series.t[inside] - first,
        np.degrees(series.angle[inside, 0]),
        np.degrees(series.sigma[inside, 0]),
        tuple((rep.start - first, rep.stop - first) for rep in reps),
    )


def _passes(visit: VisitFindings) -> list[PassRow]:
    return [
        PassRow(
            trial.side,
            visit.structure_names.get(marked.structure, marked.structure or "not named"),
            number,
            math.degrees(marked.found.start_angle),
            math.degrees(marked.found.end_angle),
            marked.found.stop - marked.found.start,
        )
        for trial in visit.treatments
        for number, marked in enumerate(trial.passes, start=1)
    ]


def _measurements(visit: VisitFindings) -> Table:
    rows: list[tuple[str, ...]] = []
    for retest in visit.retests:
        change = retest.comparison.change
        low, high = (f"{math.degrees(end):+.1f}" for end in change.estimate.interval())
        rows.append(
            (
                f"after {visit.structure_names.get(retest.structure, retest.structure)}",
                retest.comparison.pre.side,
                f"{math.degrees(retest.comparison.pre.value):.1f}",
                f"{math.degrees(retest.comparison.post.value):.1f}",
                f"{math.degrees(change.value):+.1f}",
                f"{low} to {high}",
                change.judgement,
            )
        )
    control = visit.retests[-1].comparison.control
    if control is not None:
        low, high = (f"{math.degrees(end):+.1f}" for end in control.change.estimate.interval())
        rows.append(
            (
                "untreated side",
                control.pre.side,
                f"{math.degrees(control.pre.value):.1f}",
                f"{math.degrees(control.post.value):.1f}",
                f"{math.degrees(control.change.value):+.1f}",
                f"{low} to {high}",
                control.change.judgement,
            )
        )
    columns = ("Test", "Side", "Before (°)", "After (°)", "Gain (°)", "95 % (°)", "Against the MDC")
    return Table("Measurements", columns, tuple(rows))


def _method(visit: VisitFindings, trials: Sequence[Trial]) -> tuple[tuple[str, str], ...]:
    final = visit.retests[-1].comparison
    provenance = visit.before.provenance
    return (
        ("Movement", f"{visit.before.movement.id}: {visit.before.movement.start_position}"),
        ("Sensors", ", ".join(sensor.sensor for sensor in visit.before.setup.sensors)),
        ("Calibration", f"{visit.before.calibration_source}; straps kept on between the tests"),
        ("Filter", f"{provenance['filter']}, without magnetometer, {provenance['rate_hz']:g} Hz"),
        ("Aggregate", AGGREGATES[final.pre.aggregate]),
        ("Yardstick", final.change.yardstick.text),
        ("Published error", visit.before.movement.error_note),
        ("Software", f"romcap {provenance['software']['romcap']}"),
        ("Recordings", ", ".join(str(trial.provenance["recording_sha256"])[:12] for trial in trials)),
    )


def _warnings(trials: Sequence[Trial]) -> tuple[str, ...]:
    shown = [
        f"{trial.side.capitalize()}, {trial.phase}: {warning}."
        for trial in trials
        for warning in trial.warnings
        if not warning.startswith("simulated")
    ]
    return tuple(dict.fromkeys(shown))


def _whole(angle: float, *, signed: bool = False) -> str:
    text = f"{round(math.degrees(angle)):+d}" if signed else f"{round(math.degrees(angle)):d}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")
