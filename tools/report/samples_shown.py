"""How the reps of a test are shown: a card, the marks of a figure, the same in words."""

import math

import numpy as np

from rom.sample import RepSample
from rom.verdict import Difference
from tools.report.method import mean_of
from tools.report.model import Card, Figure, Phase, RepGroup, RepsData
from tools.report.sentences import judgement_word
from tools.report.words import Words


def value_card(words: Words, key: str, sample: RepSample) -> Card:
    """Return the value of a test with its interval and how many reps count."""
    low, high = mean_of(sample).interval()
    reps = words.say("card.reps", count=sample.used.size)
    basis = reps
    if math.isfinite(low):
        basis = f"{words.say('card.interval', low=words.number(low), high=words.number(high))}; {reps}"
    return Card(words.say(f"card.{key}"), words.degrees(sample.value), basis)


def change_card(words: Words, key: str, change: Difference) -> Card:
    """Return a change with its interval and its verdict."""
    low, high = (words.number(end, signed=True) for end in change.estimate.interval())
    judged = words.say("card.judged", low=low, high=high, judgement=judgement_word(words, change))
    return Card(words.say(f"card.{key}"), words.degrees(change.value, signed=True), judged)


def reps_figure(
    words: Words, samples: list[tuple[RepSample, Phase]], limit: float | None, when: str = ""
) -> Figure:
    """Return every rep of every test.

    Parameters
    ----------
    words, samples
        The language and the tests.
    limit
        The MDC, rad; None if none is known.
    when
        What a single test is called, instead of before or after.
    """
    groups = [rep_group(words, sample, phase, when) for sample, phase in samples]
    caption = [words.say("figure.reps_caption")]
    if any(sample.movement.gain_sign < 0 for sample, _ in samples):
        caption.append(words.say("figure.deficit"))
    if limit is not None:
        caption.append(words.say("figure.reps_band", limit=words.tenths(limit)))
    return Figure(
        words.say("figure.reps"),
        " ".join(caption),
        reps_alt(words, groups, when),
        words.section("figure"),
        RepsData(tuple(groups), None if limit is None else math.degrees(limit)),
    )


def rep_group(words: Words, sample: RepSample, phase: Phase, when: str = "") -> RepGroup:
    """Return the reps of a test for the figure."""
    low, high = mean_of(sample).interval()
    warm = sample.warm_ups if sample.aggregate == "mean_2_to_k" else 0
    label = f"{words.say(f'letter.{sample.side}')} {when or words.say(f'figure.{phase}')}"
    counted = sample.used.size
    return RepGroup(
        sample.side,
        phase,
        label,
        tuple(np.degrees(sample.values).tolist()),
        tuple(warm <= place < warm + counted for place in range(sample.values.size)),
        math.degrees(sample.value),
        math.degrees(low),
        math.degrees(high),
    )


def reps_alt(words: Words, groups: list[RepGroup], when: str = "") -> str:
    """Return the figure of the reps in words."""
    return ". ".join(
        words.say(
            "figure.alt_group",
            side=words.say(f"side.{group.side}"),
            phase=when or words.say(f"figure.{group.phase}"),
            values=", ".join(f"{words.plain(value)}°" for value in group.values_deg),
            mean=f"{words.plain(group.mean_deg)}°",
            low=f"{words.plain(group.low_deg)}°",
            high=f"{words.plain(group.high_deg)}°",
        )
        for group in groups
    )
