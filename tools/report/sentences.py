"""The sentences of a verdict in the language of the page.

In English they are those of `Comparison.sentence`, `Comparison.home_sentence` and `Symmetry.sentence`, word
for word; a test holds the catalogue to that. Nothing is judged here: the verdict is the one that the
comparison carries, and only its words are chosen.
"""

import math

from rom.compare import Comparison, Control
from rom.sample import RepSample, doubts
from rom.symmetry import Symmetry
from rom.verdict import Difference, Yardstick
from tools.report.words import Words


def change_sentence(words: Words, change: Comparison) -> str:
    """Return value, interval, judgement with its yardstick, and what else could explain it."""
    samples = [change.pre, change.post]
    if change.control is not None:
        samples += [change.control.pre, change.control.post]
    low, high = change.change.estimate.interval()
    value = words.say(
        "sentence.change",
        title=words.title(change.pre.movement, change.pre.side),
        value=words.degrees(change.change.value, signed=True),
        low=words.number(low, signed=True),
        high=words.number(high, signed=True),
    )
    return _joined(*_doubts(words, *samples), value, _judgement(words, change.change), _why(words, change))


def symmetry_sentence(words: Words, sides: Symmetry, before: Symmetry | None = None) -> str:
    """Return the difference between the sides, its yardstick, then the percentage or why there is none."""
    other = "right" if sides.involved == "left" else "left"
    low, high = sides.difference.estimate.interval()
    was = "" if before is None else words.say("sentence.was", gap=gap(words, before.difference.value))
    first = words.say(
        "sentence.symmetry",
        title=words.title(sides.left.movement, sides.involved),
        other=words.say(f"side.{other}"),
        gap=gap(words, sides.difference.value),
        low=words.number(low, signed=True),
        high=words.number(high, signed=True),
        was=was,
    )
    if sides.indices is None:
        last = words.say("sentence.no_percentage", why=_refusal(words, sides))
    else:
        key = "sentence.lsi_deficit" if sides.left.movement.gain_sign < 0 else "sentence.lsi"
        share = words.plain(sides.indices.lsi, 0)
        last = words.say(key, share=share, other=words.say(f"side_of.{other}"))
    return _joined(*_doubts(words, sides.left, sides.right), first, _equality(words, sides.difference), last)


def home_sentence(words: Words, change: Comparison, baseline: str) -> str:
    """Return one sentence for the athlete; `baseline` is what the earlier test is called."""
    limit = change.change.yardstick.mdc95
    value = words.degrees(change.home_change, signed=True)
    if limit is None:
        return words.say("sentence.home_unknown", value=value, baseline=baseline)
    key = "home_same"
    if change.change.judgement == "beyond error":
        key = "home_more" if change.change.value > 0 else "home_less"
    return words.say(f"sentence.{key}", value=value, baseline=baseline, limit=words.limit(limit))


def yardstick_text(words: Words, stick: Yardstick) -> str:
    """Return the limit and its basis, such as "3.5°, straps kept on"."""
    basis = words.phrase(stick.basis)
    return basis if stick.mdc95 is None else f"{words.limit(stick.mdc95)}, {basis}"


def judgement_word(words: Words, found: Difference) -> str:
    """Return the class of a difference, such as "beyond error"."""
    return words.phrase(found.judgement)


def gap(words: Words, value: float) -> str:
    """Return a difference between the sides (rad) in words: "4° short", "equal"."""
    if round(math.degrees(value)) == 0:
        return words.say("sentence.equal")
    return words.say("sentence.more" if value > 0 else "sentence.short", value=words.number(abs(value)))


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _doubts(words: Words, *samples: RepSample) -> list[str]:
    return [
        words.say(
            "sentence.doubt",
            title=words.title(sample.movement, sample.side),
            value=words.degrees(sample.value),
            low=words.degrees(sample.movement.plausible_min),
            high=words.degrees(sample.movement.plausible_max),
        )
        for sample in samples
        if doubts(sample)
    ]


def _judgement(words: Words, found: Difference) -> str:
    stick = yardstick_text(words, found.yardstick)
    if found.judgement == "can't tell" and found.reps_would_tell is not None:
        return words.say("sentence.cannot_tell_yet", done=found.reps_done, would=found.reps_would_tell)
    key = {
        "beyond error": "beyond",
        "probably real": "probable",
        "within error": "within",
        "can't tell": "cannot_tell",
    }
    return words.say(f"sentence.{key[found.judgement]}", stick=stick)


def _equality(words: Words, found: Difference) -> str:
    stick = found.yardstick
    limit = "" if stick.mdc95 is None else words.say("sentence.mdc", limit=words.limit(stick.mdc95))
    if found.judgement == "can't tell":
        if found.reps_would_tell is not None:
            return words.say("sentence.equal_yet", done=found.reps_done, would=found.reps_would_tell)
        return words.say("sentence.equal_cannot", basis=words.phrase(stick.basis))
    key = {"beyond error": "equal_no", "probably real": "equal_hardly", "within error": "equal_yes"}
    return words.say(f"sentence.{key[found.judgement]}", limit=limit)


def _refusal(words: Words, sides: Symmetry) -> str:
    limit = sides.difference.yardstick.mdc95
    smaller = sides.left if sides.left.value <= sides.right.value else sides.right
    fields = {"side": words.say(f"side_the.{smaller.side}"), "value": words.degrees(smaller.value)}
    if smaller.value <= 0.0:
        return words.say("sentence.refused_below", **fields)
    if limit is None:
        return words.say("sentence.refused_unknown")
    return words.say("sentence.refused_small", limit=words.limit(limit), **fields)


def _why(words: Words, change: Comparison) -> str:
    found = change.change
    if found.judgement == "within error":
        return ""
    if found.value <= 0:
        return words.say("sentence.less")
    unsettled = found.sem is not None and change.plateau is None
    return _joined(words.say("sentence.unsettled") if unsettled else "", _warm_up(words, change))


def _warm_up(words: Words, change: Comparison) -> str:
    if change.control is not None:
        return _by_control(words, change, change.control)
    gained = None if change.trend is None else change.change.value - change.trend.value
    if gained is None or round(math.degrees(gained)) < 1:
        return words.say("sentence.warm_up_open")
    return words.say("sentence.warm_up_trend", share=_share(words, gained, change.change.value))


def _by_control(words: Words, change: Comparison, control: Control) -> str:
    if control.pre.movement.id == change.pre.movement.id:
        who = words.say("sentence.untreated_side", side=words.say(f"side_the.{control.pre.side}"))
    else:
        title = words.title(control.pre.movement, control.pre.side)
        lower = title[0].lower() + title[1:]
        who = words.say("sentence.untreated_movement", title=title, lower=lower)
    gained = control.change.value
    if round(math.degrees(gained)) < 1:
        return words.say("sentence.warm_up_none", who=who, value=words.degrees(gained, signed=True))
    return words.say(
        "sentence.warm_up_control",
        who=who,
        value=words.degrees(gained),
        share=_share(words, gained, change.change.value),
    )


def _share(words: Words, gained: float, change: float) -> str:
    return words.say("sentence.all" if gained >= change else "sentence.about", value=words.degrees(gained))
