"""What a re-test showed against its baseline and the other side, and how that is kept."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from rom.clinic.desk import Step
from rom.clinic.store import Ledger
from rom.clinic.store_visits import Outcome, TrialRecord, Visit
from rom.compare import Comparison, compare
from rom.sample import Aggregate, End, RepSample
from rom.symmetry import Symmetry, symmetry

FEWEST_REPS = 2
"""With fewer valid reps nothing is compared."""


def valid_reps(trial: TrialRecord) -> int:
    """Return how many reps of a trial count."""
    return len((trial.sample or {}).get("peak", []))


def held(trial: TrialRecord) -> bool:
    """Return whether every valid rep of a trial was held at its end."""
    return all(angle is not None for angle in (trial.sample or {}).get("plateau", [None]))


def sample_of(trial: TrialRecord, catalogue: Catalogue, *together: TrialRecord) -> RepSample:
    """Return the reps of a trial as comparisons take them.

    The end of a rep is the held plateau if every valid rep of this trial and of those it is looked at
    `together` with has one, else the peak: the rule of `rom.trials.compare_trials`.

    Raises
    ------
    InputError
        If too few reps are valid.
    """
    side: Any = trial.side
    aggregate: Any = trial.aggregate
    end: End = "plateau" if all(held(one) for one in (trial, *together)) else "peak"
    return sample_from(
        trial.sample or {},
        catalogue.movement(trial.movement),
        side,
        aggregate,
        end=end,
        restrapped=bool(trial.restrapped_since_baseline),
        elapsed=None if trial.elapsed_min is None else 60.0 * trial.elapsed_min,
    )


def sample_from(
    content: Mapping[str, Any],
    movement: Movement,
    side: Side,
    aggregate: Aggregate,
    *,
    end: End,
    **known: Any,
) -> RepSample:
    """Return the sample that a trial's `sample` document holds, with one end of the reps."""
    errors: dict[str, Any] = {
        name: content[name]
        for name in ("sensor_sigma", "strap_sigma", "soft_tissue_sigma", "soft_tissue_share", "alignment")
        if content.get(name) is not None
    }
    values = np.array(content.get(end, []), dtype=np.float64)
    numbers = tuple(content.get("numbers", ()))
    return RepSample(values, movement, side, aggregate, end=end, numbers=numbers, **errors, **known)


def judge(step: Step, trial: TrialRecord, baseline: TrialRecord) -> tuple[Comparison, Symmetry | None]:
    """Compare a re-test with its baseline and with the other side; write both down."""
    others = [
        t
        for t in step.ledger.find(TrialRecord, visit_id=step.visit.id, movement=trial.movement)
        if t.side != trial.side
    ]
    others = [t for t in others if valid_reps(t) >= FEWEST_REPS]
    before = [t for t in others if t.phase == "baseline"]
    after = [t for t in others if t.phase != "baseline"]
    untreated = None
    if trial.phase == "retest" and before and [t for t in after if t.phase == "control"]:
        untreated = (before[-1], after[-1])
    change = change_between(step.catalogue, baseline, trial, untreated)
    write_change(step.ledger, step.visit, baseline, trial, change)
    if trial.phase == "control":
        _judge_again(step, (baseline, trial))
    if not others:
        return change, None
    post = sample_of(trial, step.catalogue, others[-1])
    other = sample_of(others[-1], step.catalogue, trial)
    left, right = (post, other) if trial.side == "left" else (other, post)
    involved: Literal["left", "right"] = "right" if step.episode.side == "right" else "left"
    sides = symmetry(left, right, involved=involved)
    _write_symmetry(step, trial, others[-1], sides)
    return change, sides


def change_between(
    catalogue: Catalogue,
    pre: TrialRecord,
    post: TrialRecord,
    control: tuple[TrialRecord, TrialRecord] | None = None,
) -> Comparison:
    """Return what changed between two trials, beside the untreated side if it was tested twice."""
    every = (pre, post, *(control or ()))
    before, after = sample_of(pre, catalogue, *every), sample_of(post, catalogue, *every)
    untreated = None
    if control is not None:
        untreated = (sample_of(control[0], catalogue, *every), sample_of(control[1], catalogue, *every))
    return compare(before, after, control=untreated)


def _judge_again(step: Step, control: tuple[TrialRecord, TrialRecord]) -> None:
    """Compare the treated side's re-tests again, now that a control is there."""
    for outcome in step.ledger.find(Outcome, visit_id=step.visit.id, kind="change"):
        pre = step.ledger.get(TrialRecord, outcome.first_trial_id)
        post = step.ledger.get(TrialRecord, outcome.second_trial_id)
        if post.phase == "retest" and post.movement == control[0].movement:
            change = change_between(step.catalogue, pre, post, control)
            write_change(step.ledger, step.visit, pre, post, change)


def write_change(
    ledger: Ledger, visit: Visit, pre: TrialRecord, post: TrialRecord, change: Comparison
) -> Outcome:
    """Write a change down, over an earlier judgement of the same two trials."""
    low, high = change.change.estimate.interval()
    limit = change.change.yardstick.mdc95
    columns: dict[str, Any] = {
        "difference_deg": math.degrees(change.change.value),
        "low_deg": math.degrees(low),
        "high_deg": math.degrees(high),
        "mdc_used_deg": None if limit is None else math.degrees(limit),
        "mdc_basis": change.change.yardstick.basis,
        "p_gt_zero": change.change.estimate.probability_above(0.0),
        "p_gt_mdc": None if limit is None else change.change.estimate.probability_above(limit),
        "verdict": change.change.judgement,
        "warmup_adjusted_deg": None if change.trend is None else math.degrees(change.trend.value),
        "sentence": change.sentence(),
        "document": change.to_document(),
    }
    found = ledger.one(Outcome, kind="change", first_trial_id=pre.id, second_trial_id=post.id)
    if found is not None:
        return ledger.change(found, "judged again", **columns)
    keys: dict[str, Any] = {"visit_id": visit.id, "first_trial_id": pre.id, "second_trial_id": post.id}
    return ledger.add(Outcome(kind="change", **keys, **columns))


def _write_symmetry(step: Step, trial: TrialRecord, other: TrialRecord, sides: Symmetry) -> None:
    low, high = sides.difference.estimate.interval()
    limit = sides.difference.yardstick.mdc95
    left, right = (trial, other) if trial.side == "left" else (other, trial)
    step.ledger.add(
        Outcome(
            visit_id=step.visit.id,
            kind="symmetry",
            first_trial_id=left.id,
            second_trial_id=right.id,
            difference_deg=math.degrees(sides.difference.value),
            low_deg=math.degrees(low),
            high_deg=math.degrees(high),
            mdc_used_deg=None if limit is None else math.degrees(limit),
            mdc_basis=sides.difference.yardstick.basis,
            verdict=sides.difference.judgement,
            sentence=sides.sentence(),
            document=sides.to_document(),
        )
    )
