"""Before and after: how much changed, how sure that is, and what else could explain it."""

import math
from dataclasses import dataclass

import numpy as np

from imu.errors import InputError
from rom.estimate import Estimate, combined, reps_until_plateau, trend_adjusted
from rom.sample import RepSample, check_comparable, doubts
from rom.verdict import Between, Difference, weigh
from rom.wording import degrees, difference, span, yardstick

SCHEMA = "romcap.comparison/1"


@dataclass(frozen=True, slots=True)
class Target:
    """An angle to be reached, rad, and its name: the other side, a norm, a goal."""

    name: str
    angle: float


@dataclass(frozen=True, slots=True)
class Control:
    """What was tested twice without treatment, and the change beyond its change."""

    pre: RepSample
    post: RepSample
    change: Difference
    beyond: Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before against after, in rad; a positive change is more range.

    Parameters
    ----------
    pre, post
        What was compared.
    change
        The change and its verdict.
    trend
        The change beyond the trend over repetitions; None with fewer than three reps before.
    control
        The untreated side or movement, if one was tested.
    plateau
        Reps before treatment until two in a row agreed within the SEM; None if never or not known.
    target
        What range is aimed at.
    mcid
        Smallest change that matters to people, rad; None unless the user brings one.
    """

    pre: RepSample
    post: RepSample
    change: Difference
    trend: Estimate | None
    control: Control | None
    plateau: int | None
    target: Target | None
    mcid: float | None

    @property
    def reliable_change_index(self) -> float | None:
        """Change in units of sqrt(2) SEM (Jacobson & Truax 1991, to verify); None without a SEM."""
        return None if self.change.sem is None else self.change.value / (math.sqrt(2.0) * self.change.sem)

    @property
    def percent_of_deficit(self) -> float | None:
        """Change in % of what was missing to the target; None unless more than the MDC was missing."""
        limit = self.change.yardstick.mdc95
        if self.target is None or limit is None:
            return None
        missing = self.pre.movement.gain_sign * (self.target.angle - self.pre.value)
        return 100.0 * self.change.value / missing if missing > limit else None

    def sentence(self) -> str:
        """Return value, interval, judgement with its yardstick, and what else could explain it.

        What cannot be (`rom.sample.doubts`) comes before all of it.
        """
        low, high = self.change.estimate.interval()
        title = self.pre.movement.title(self.pre.side)
        value = f"{title}: {degrees(self.change.value, signed=True)} (95 % {span(low, high)})."
        parts = (*(f"{doubt}." for doubt in self._doubts()), value, self._judgement(), self._explanation())
        return " ".join(part for part in parts if part)

    @property
    def home_change(self) -> float:
        """The change, rad, as both values beside it read in whole degrees."""
        return self.pre.movement.gain_sign * difference(self.pre.value, self.post.value)

    def home_sentence(self, baseline: str) -> str:
        """Return one sentence for the athlete, such as "About the same as Tuesday (...)".

        Parameters
        ----------
        baseline
            Name of the earlier test: "Tuesday", "in the clinic".
        """
        limit = self.change.yardstick.mdc95
        value = degrees(self.home_change, signed=True)
        if limit is None:
            return f"{value} against {baseline}; how much of it is chance is not known yet."
        chance = f"changes under {yardstick(limit)} can be chance"
        if self.change.judgement != "beyond error":
            return f"About the same as {baseline} ({value}; {chance})."
        return f"{'More' if self.change.value > 0 else 'Less'} than {baseline} ({value}; {chance})."

    def to_document(self) -> dict[str, object]:
        """Return the comparison for `--json`: schema `romcap.comparison/1`.

        Angles in degrees, of which positive differences are more range; null is not known. `change` is
        described at `rom.verdict.Difference.document`; `trend_adjusted` and
        `control.difference_in_differences` hold `value_deg`, `interval95_deg`, `p_above_0`;
        `plateau_reps` is how many reps before it took until two in a row agreed within the SEM.
        """
        document: dict[str, object] = {
            "schema": SCHEMA,
            "movement": self.pre.movement.id,
            "title": self.pre.movement.title(self.pre.side),
            "side": self.pre.side,
            "aggregate": self.pre.aggregate,
            "end": self.pre.end,
            "positive_is": "more range",
            "pre_deg": math.degrees(self.pre.value),
            "post_deg": math.degrees(self.post.value),
            "pre_reps_deg": np.degrees(self.pre.values).tolist(),
            "post_reps_deg": np.degrees(self.post.values).tolist(),
            "elapsed_s": self.post.elapsed,
            "restrapped": self.post.restrapped,
            "change": self.change.document(),
            "trend_adjusted": _estimate_document(self.trend),
            "control": self._control_document(),
            "plateau_reps": self.plateau,
            "pre_warm_up_reps": self.pre.warm_ups,
            "post_warm_up_reps": self.post.warm_ups,
            "reliable_change_index": self.reliable_change_index,
            "change_in_sem": None if self.change.sem is None else self.change.value / self.change.sem,
            "target": None if self.target is None else self.target.name,
            "target_deg": None if self.target is None else math.degrees(self.target.angle),
            "percent_of_deficit": self.percent_of_deficit,
            "mcid_deg": None if self.mcid is None else math.degrees(self.mcid),
            "p_above_mcid": None if self.mcid is None else self.change.estimate.probability_above(self.mcid),
            "evidence_grade": self.pre.movement.evidence_grade,
            "published_error": self.pre.movement.error_note,
            "doubts": self._doubts(),
            "sentence": self.sentence(),
        }
        return document

    def _doubts(self) -> list[str]:
        samples = (self.pre, self.post) + ((self.control.pre, self.control.post) if self.control else ())
        return list(doubts(*samples))

    def _control_document(self) -> dict[str, object] | None:
        if self.control is None:
            return None
        return {
            "movement": self.control.pre.movement.id,
            "side": self.control.pre.side,
            "change": self.control.change.document(),
            "difference_in_differences": _estimate_document(self.control.beyond),
        }

    def _judgement(self) -> str:
        stick = self.change.yardstick
        match self.change.judgement:
            case "beyond error":
                return f"Beyond measurement error ({stick.text})."
            case "probably real":
                return f"Probably real, between the 90 % and the 95 % limit ({stick.text})."
            case "within error":
                return f"Within measurement error ({stick.text})."
            case _ if self.change.reps_would_tell is not None:
                return f"Can't tell ({self.change.reps_done} reps; {self.change.reps_would_tell} would)."
            case _:
                return f"Can't tell ({stick.text})."

    def _explanation(self) -> str:
        if self.change.judgement == "within error":
            return ""
        if self.change.value <= 0:
            return "Soreness, guarding or a strap that moved could explain less range."
        return " ".join(part for part in (self._levelling(), self._by_warm_up()) if part)

    def _levelling(self) -> str:
        unsettled = self.change.sem is not None and self.plateau is None
        return "The reps before were still changing by more than the SEM." if unsettled else ""

    def _by_warm_up(self) -> str:
        if self.control is not None:
            return self._by_control(self.control)
        gained = None if self.trend is None else self.change.value - self.trend.value
        if gained is None or round(math.degrees(gained)) < 1:
            return "Warm-up could explain part of it: no untreated side was tested."
        share = "All" if gained >= self.change.value else f"About {degrees(gained)}"
        return (
            f"{share} of it may be warm-up, by the trend over the reps before; no untreated side was tested."
        )

    def _by_control(self, control: Control) -> str:
        same = control.pre.movement.id == self.pre.movement.id
        who = f"untreated {control.pre.side} side" if same else f"untreated {_lower(control.pre)}"
        gained = control.change.value
        if round(math.degrees(gained)) < 1:
            return f"Warm-up does not explain it: the {who} changed by {degrees(gained, signed=True)}."
        share = "All" if gained >= self.change.value else f"About {degrees(gained)}"
        return f"{share} of it is warm-up: the {who} gained {degrees(gained)}."


def compare(
    pre: RepSample,
    post: RepSample,
    *,
    control: tuple[RepSample, RepSample] | None = None,
    target: Target | None = None,
    mcid: float | None = None,
    own_sem: float | None = None,
) -> Comparison:
    """Return what changed from one test to the next.

    Whether the sensors came off in between is `post.restrapped`; it picks the MDC.

    Parameters
    ----------
    pre, post
        The same movement, side and aggregate, before and after.
    control
        The untreated side or another, untreated movement, before and after, for the difference in
        differences. Of the same movement, its value before also serves as target unless one is given.
    target
        What range is aimed at, for the % of the deficit.
    mcid
        Smallest important change, rad. None by default: few exist for range of motion.
    own_sem
        The client's own SEM between sessions, rad, where none is published.

    Raises
    ------
    InputError
        If the two tests, or the control, do not measure the same thing in the same way.
    """
    check_comparable(pre, post, sides="same")
    change = weigh(pre, post, _between(post), own_sem=own_sem)
    gain = pre.movement.gain_sign
    trend = None
    if pre.aggregate == "mean_2_to_k":
        trend = trend_adjusted(
            gain * pre.values,
            gain * post.values,
            change.sem,
            change.session_variance,
            pre_numbers=pre.numbers,
            post_numbers=post.numbers,
        )
    untreated = _control(pre, change, *control, own_sem=own_sem) if control else None
    if target is None and untreated is not None and untreated.pre.movement.id == pre.movement.id:
        target = Target(f"{untreated.pre.side} side before", untreated.pre.value)
    sem = change.sem
    return Comparison(
        pre=pre,
        post=post,
        change=change,
        trend=trend,
        control=untreated,
        plateau=None if sem is None else reps_until_plateau(pre.values, sem),
        target=target,
        mcid=mcid,
    )


def _control(
    treated: RepSample, change: Difference, pre: RepSample, post: RepSample, *, own_sem: float | None
) -> Control:
    check_comparable(pre, post, sides="same")
    if (pre.movement.id, pre.side) == (treated.movement.id, treated.side):
        raise InputError(
            f"the control must be another side or another movement than the treated "
            f"{treated.movement.title(treated.side)}; choose recordings of the untreated one"
        )
    if pre.aggregate != treated.aggregate:
        raise InputError(
            f"treated and control must be summed up in one way, got {treated.aggregate} and {pre.aggregate}"
        )
    own = weigh(pre, post, _between(post), own_sem=own_sem)
    return Control(pre, post, own, combined(change.value - own.value, change.estimate, own.estimate))


def _between(post: RepSample) -> Between:
    return "straps put on again" if post.restrapped else "straps kept on"


def _estimate_document(estimate: Estimate | None) -> dict[str, object] | None:
    if estimate is None:
        return None
    low, high = estimate.interval()
    return {
        "value_deg": math.degrees(estimate.value),
        "interval95_deg": [math.degrees(low), math.degrees(high)],
        "p_above_0": estimate.probability_above(0.0),
    }


def _lower(sample: RepSample) -> str:
    title = sample.movement.title(sample.side)
    return title[0].lower() + title[1:]
