"""The tables of a visit: measurements, sides, passes, and three measurements as the AMA Guides want them."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from imu.errors import InputError
from rom.catalogue.structure import Structure
from rom.sample import RepSample
from rom.verdict import Difference
from tools.report.findings import PassFacts, VisitFindings
from tools.report.model import Table
from tools.report.sentences import judgement_word
from tools.report.words import Words


def measurement_table(words: Words, visit: VisitFindings) -> Table | None:
    """Return a row a re-test and one for the untreated side; None without any re-test."""
    rows: list[tuple[str, ...]] = []
    several = len({retest.comparison.pre.movement.id for retest in visit.retests}) > 1
    for retest in visit.retests:
        pre, post = retest.comparison.pre, retest.comparison.post
        named = names_of(words, visit.structures, retest.structures)
        label = (
            words.say("table.after_structure", structure=named) if named else words.say("trial.phase_retest")
        )
        if several:
            label = f"{words.title(pre.movement, pre.side)}, {label}"
        rows.append(_change_row(words, label, pre, post, retest.comparison.change))
    control = None if visit.final is None else visit.final.control
    if control is not None:
        label = words.say("table.untreated")
        rows.append(_change_row(words, label, control.pre, control.post, control.change))
    if not rows:
        return None
    columns = ("test", "side", "before", "after", "gain", "interval", "against_mdc")
    named_columns = tuple(words.say(f"table.{name}") for name in columns)
    return Table(words.say("table.measurements"), named_columns, tuple(rows), numeric=(2, 3, 4, 5))


def sides_table(words: Words, visit: VisitFindings) -> Table | None:
    """Return left and right before and after; None without both sides."""
    rows: list[tuple[str, ...]] = []
    pair = (("at_start", visit.symmetry_before), ("at_end", visit.symmetry_after))
    for key, sides in pair:
        if sides is not None:
            rows.append(
                (
                    words.say(f"table.{key}"),
                    words.tenths(sides.left.value),
                    words.tenths(sides.right.value),
                    words.tenths(sides.difference.value, signed=True),
                    _span(words, sides.difference),
                    judgement_word(words, sides.difference),
                )
            )
    known = visit.symmetry_after or visit.symmetry_before
    if known is None:
        return None
    other = "right" if known.involved == "left" else "left"
    columns = (
        *(words.say(f"table.{name}") for name in ("when", "left", "right")),
        words.say(
            "table.difference", side=words.say(f"side.{known.involved}"), other=words.say(f"side.{other}")
        ),
        words.say("table.interval"),
        words.say("table.against_mdc"),
    )
    return Table(words.say("table.sides"), columns, tuple(rows), numeric=(1, 2, 3, 4))


def passes_table(
    words: Words, passes: Sequence[PassFacts], structures: Mapping[str, Structure]
) -> Table | None:
    """Return a row a structure; None without passes."""
    if not passes:
        return None
    none = words.say("table.none")
    rows: list[tuple[str, ...]] = []
    for structure, facts in passes_by_structure(passes).items():
        starts = [one.start_deg for one in facts if one.start_deg is not None]
        ends = [one.end_deg for one in facts if one.end_deg is not None]
        times = [one.duration_s for one in facts if one.duration_s is not None]
        felt = [one.discomfort for one in facts if one.discomfort is not None]
        stops = dict.fromkeys(one.stop_reason for one in facts if one.stop_reason not in ("", "end"))
        span = f"{_mean(words, starts)} – {_mean(words, ends)}" if starts and ends else none
        rows.append(
            (
                names_of(words, structures, [structure]),
                words.say(f"side.{facts[0].side}"),
                ", ".join(dict.fromkeys(words.phrase(one.technique) for one in facts if one.technique))
                or none,
                str(len(facts)),
                span,
                _mean(words, times) if times else none,
                words.say("table.up_to", value=words.plain(max(felt), 0)) if felt else none,
                ", ".join(words.phrase(stop) for stop in stops) or none,
            )
        )
    columns = ("structure", "side", "technique", "count", "from_to", "duration", "discomfort", "ended")
    named = tuple(words.say(f"table.{name}") for name in columns)
    return Table(words.say("table.passes"), named, tuple(rows), numeric=(3, 4, 5))


def ama_table(words: Words, samples: Sequence[tuple[str, RepSample]]) -> tuple[Table | None, tuple[str, ...]]:
    """Return three measurements and the greatest of each named test, and a line for each with fewer.

    AMA Guides (clinical reference 2.1, 5.4): three measurements, the greatest range counts.
    """
    rows: list[tuple[str, ...]] = []
    lacking: list[str] = []
    for label, sample in samples:
        side = words.say(f"side.{sample.side}")
        try:
            best = best_of_three(sample)
        except InputError:
            few = words.say("missing.few_ama", test=f"{side}, {label}", count=sample.values.size)
            lacking.append(few)
            continue
        three = [words.tenths(float(value)) for value in best.used]
        rows.append((label, side, *three, words.tenths(best.value)))
    if not rows:
        return None, tuple(lacking)
    columns = ("test", "side", "first", "second", "third", "greatest")
    named = tuple(words.say(f"table.{name}") for name in columns)
    aggregate = words.say(f"method.{samples[0][1].aggregate}")
    note = words.say("table.ama_note", aggregate=aggregate)
    return Table(words.say("table.ama"), named, tuple(rows), note, numeric=(2, 3, 4, 5)), tuple(lacking)


def best_of_three(sample: RepSample) -> RepSample:
    """Return the first three valid reps of a test, summed up by their greatest range."""
    return RepSample(
        sample.values, sample.movement, sample.side, "best_of_3", end=sample.end, numbers=sample.numbers
    )


def passes_by_structure(passes: Iterable[PassFacts]) -> dict[str, list[PassFacts]]:
    """Return the passes of each structure, in the order of treatment."""
    found: dict[str, list[PassFacts]] = {}
    for fact in passes:
        found.setdefault(fact.structure, []).append(fact)
    return found


def names_of(words: Words, structures: Mapping[str, Structure], wanted: Iterable[str]) -> str:
    """Return the names of structures, one after the other."""
    return ", ".join(
        words.structure(structures[one]) if one in structures else one or words.phrase("not named")
        for one in wanted
    )


def _change_row(
    words: Words, label: str, pre: RepSample, post: RepSample, change: Difference
) -> tuple[str, ...]:
    return (
        label,
        words.say(f"side.{pre.side}"),
        words.tenths(pre.value),
        words.tenths(post.value),
        words.tenths(change.value, signed=True),
        _span(words, change),
        judgement_word(words, change),
    )


def _span(words: Words, found: Difference) -> str:
    low, high = found.estimate.interval()
    return f"{words.tenths(low, signed=True)} … {words.tenths(high, signed=True)}"


def _mean(words: Words, values: Sequence[float]) -> str:
    known = [value for value in values if math.isfinite(value)]
    return words.plain(float(np.mean(known)) if known else math.nan)
