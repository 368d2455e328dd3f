"""What the visits of an episode add up to: trend, what is kept from visit to visit, and when to look again.

Pure functions on values in degrees; `rom.clinic.course_page` reads them from the store. A positive change is
always more range. Nothing here says that a client is healed or which treatment to choose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import numpy as np

CHRONIC_WEEKS = 12.0
"""A complaint older than this is chronic (clinical.md 3.2, K, to verify)."""

NECK_MCID, GENERAL_MCID = 1.3, 2.0
"""Smallest important change of the NPRS: neck (Cleland 2008), in general 2 (Farrar 2001, to verify)."""

SORENESS_DAYS = 3
"""From the third day after a visit on, soreness is not the common one to two days (clinical.md 3.2)."""


@dataclass(frozen=True)
class Plan:
    """How many visits in how many weeks, and where that comes from."""

    visits_min: int
    visits_max: int
    weeks_min: float | None
    weeks_max: float | None
    basis: str

    def sentence(self) -> str:
        """Return the plan in words."""
        weeks = "" if self.weeks_max is None else f" in {self.weeks_min:g} to {self.weeks_max:g} weeks"
        return f"{self.visits_min} to {self.visits_max} visits{weeks} ({self.basis})"


def plan_for(onset: date | None, today: date) -> Plan:
    """Return the usual plan for a complaint that began on a day; unknown counts as recent.

    3 to 6 visits in 2 to 4 weeks (background article B); 6 to 10 visits if it is chronic (article A).
    """
    weeks = 0.0 if onset is None else (today - onset).days / 7.0
    if weeks > CHRONIC_WEEKS:
        return Plan(6, 10, None, None, f"A; chronic, {weeks:.0f} weeks")
    return Plan(3, 6, 2.0, 4.0, "B" if onset is not None else "B; onset not known")


@dataclass(frozen=True)
class VisitPoint:
    """One visit as a course sees it.

    Parameters
    ----------
    seq, when
        Its number and start.
    pre_deg, post_deg
        Value of the test before and after treatment, degrees; None if not tested.
    pain
        NPRS before; None if not rated.
    techniques
        What was done.
    change_deg
        Change within the visit, more range positive, less that of the untreated side if it was tested.
    """

    seq: int
    when: datetime
    pre_deg: float | None
    post_deg: float | None = None
    pain: float | None = None
    techniques: tuple[str, ...] = ()
    change_deg: float | None = None


@dataclass(frozen=True)
class Trend:
    """Theil-Sen slope of the values before treatment, degrees a week, more range positive.

    `low` and `high` bound it with `confidence`, which few visits keep below 0.95.
    """

    per_week: float
    low: float
    high: float
    confidence: float
    visits: int

    def sentence(self) -> str:
        """Return value, interval and how sure it is."""
        text = (
            f"{self.per_week:+.1f}° a week before treatment "
            f"({100 * self.confidence:.0f} % {self.low:+.1f} to {self.high:+.1f}, {self.visits} visits)"
        )
        if self.confidence < 0.95:
            return f"{text}; {self.visits} visits cannot give a 95 % interval, 5 can"
        return text


def trend(points: Sequence[VisitPoint], gain: int = 1) -> Trend | None:
    """Return the trend over visits; None with fewer than three visits tested on different days.

    The interval is that of Theil and Sen (`scipy.stats.theilslopes`). Of n visits without a trend, all
    slopes have one sign in 2 of n! orders, so the widest interval there is holds with 1 - 2/n! only:
    67 % for 3 visits, 92 % for 4.

    Parameters
    ----------
    points
        Visits in order.
    gain
        -1 where less angle means more range, else 1.
    """
    tested = [(p.when, p.pre_deg) for p in points if p.pre_deg is not None]
    if len(tested) < 3 or len({when.date() for when, _ in tested}) < len(tested):
        return None
    weeks = np.array([(when - tested[0][0]).total_seconds() for when, _ in tested]) / 604800.0
    from scipy.stats import theilslopes

    values = gain * np.array([value for _, value in tested])
    best = 1.0 - 2.0 / math.factorial(len(tested))
    fit: Any = theilslopes(values, weeks, alpha=0.95)
    low, high = float(fit[2]), float(fit[3])
    if best < 0.95:
        rise, run = np.subtract.outer(values, values), np.subtract.outer(weeks, weeks)
        upper = np.triu_indices(len(tested), 1)
        slopes = rise[upper] / run[upper]
        low, high = float(slopes.min()), float(slopes.max())
    return Trend(float(fit[0]), low, high, min(0.95, best), len(tested))


@dataclass(frozen=True)
class Kept:
    """What one visit's gain was worth at the next.

    Parameters
    ----------
    seq
        The later visit.
    carry_over_deg
        Its value before treatment less the earlier one's after, more range positive.
    percent
        Retention, (pre_v+1 - pre_1) / (post_v - pre_1) in %; None where `refusal` says why.
    refusal
        Why there is no percentage.
    """

    seq: int
    carry_over_deg: float
    percent: float | None
    refusal: str = ""

    def sentence(self) -> str:
        """Return it in words."""
        share = (
            f"{self.percent:.0f} % retained" if self.percent is not None else f"no percentage: {self.refusal}"
        )
        return f"visit {self.seq}: {self.carry_over_deg:+.1f}° since the end of the one before ({share})"


def kept(points: Sequence[VisitPoint], mdc_deg: float | None, gain: int = 1) -> list[Kept]:
    """Return carry-over and retention for each visit whose predecessor was re-tested (clinical.md 2.4)."""
    found: list[Kept] = []
    first = next((p.pre_deg for p in points if p.pre_deg is not None), None)
    for before, after in pairwise(points):
        if first is None or before.post_deg is None or after.pre_deg is None:
            continue
        gained = gain * (before.post_deg - first)
        percent, refusal = None, ""
        if mdc_deg is None:
            refusal = "no published MDC to tell a gain from chance"
        elif gained <= mdc_deg:
            refusal = f"the gain by then, {gained:+.1f}°, was within the MDC of {mdc_deg:.1f}°"
        else:
            percent = 100.0 * gain * (after.pre_deg - first) / gained
        found.append(Kept(after.seq, gain * (after.pre_deg - before.post_deg), percent, refusal))
    return found


def prompts(
    points: Sequence[VisitPoint],
    plan: Plan,
    mdc_deg: float | None,
    *,
    gain: int = 1,
    neck: bool = False,
    soreness: Sequence[tuple[date, float]] = (),
) -> list[str]:
    """Return reasons to stop and look at the course as a whole: questions for the clinician, no verdicts.

    Parameters
    ----------
    points
        Visits in order.
    plan
        What was planned.
    mdc_deg
        MDC95 between visits, degrees; None if none is known.
    gain
        -1 where less angle means more range.
    neck
        Whether the complaint is in the neck: its pain has an MCID of its own.
    soreness
        Days and ratings of the home log.
    """
    found: list[str] = []
    if not points:
        return found
    last = points[-1]
    tested = [p.pre_deg for p in points if p.pre_deg is not None]
    rated = [p.pain for p in points if p.pain is not None]
    mcid = NECK_MCID if neck else GENERAL_MCID
    if last.seq >= 3 and len(tested) >= 2 and len(rated) >= 2 and mdc_deg is not None:
        change, relief = gain * (tested[-1] - tested[0]), rated[0] - rated[-1]
        if change <= mdc_deg and relief < mcid:
            found.append(
                f"After visit {last.seq}: range {change:+.1f}° (MDC {mdc_deg:.1f}°) and pain {-relief:+.1f} "
                f"(smallest important change {mcid:g}): re-evaluate, change or refer?"
            )
    if len(rated) >= 2 and rated[-1] - rated[0] >= mcid:
        found.append(f"Pain has risen from {rated[0]:g} to {rated[-1]:g}: re-evaluate?")
    if last.seq in (3, 6):
        found.append(f"Visit {last.seq} is done: review the course (continue, change or refer).")
    if last.seq >= plan.visits_max:
        found.append(
            f"{last.seq} visits are done and the plan was {plan.sentence()}: continue, change or refer?"
        )
    weeks = (last.when - points[0].when).days / 7.0
    if plan.weeks_max is not None and weeks > plan.weeks_max:
        found.append(f"{weeks:.0f} weeks have passed and the plan was {plan.sentence()}: review?")
    found += [
        f"Soreness {rating:g} on {day}, {(day - last.when.date()).days} days after visit {last.seq}: longer "
        "than the common one to two; log it as an adverse event?"
        for day, rating in soreness
        if rating > 0 and (day - last.when.date()).days >= SORENESS_DAYS
    ]
    return found


CAVEAT = (
    "Seen, not tried out: techniques were not assigned by chance, later visits profit from earlier ones and "
    "from repeated testing. To find out, alternate techniques in a fixed order (single-case design)."
)
"""Printed beside every comparison of techniques (clinical.md 3.4)."""


@dataclass(frozen=True)
class TechniqueLine:
    """What one technique's visits showed: mean change within a visit, degrees, and how many visits."""

    technique: str
    visits: int
    mean_deg: float
    sd_deg: float


@dataclass(frozen=True)
class Techniques:
    """Techniques side by side as far as the data allow; `refusal` says why not."""

    lines: tuple[TechniqueLine, ...]
    washout_days: float | None
    refusal: str

    def sentences(self) -> list[str]:
        """Return the lines and the caveat, or the reason why there are none."""
        if self.refusal:
            return [f"Techniques are not compared: {self.refusal}."]
        rows = [
            f"{row.technique}: {row.mean_deg:+.1f}° a visit (SD {row.sd_deg:.1f}°, {row.visits} visits)"
            for row in self.lines
        ]
        return [*rows, f"Shortest time between different techniques: {self.washout_days:.0f} days.", CAVEAT]


def techniques(points: Sequence[VisitPoint]) -> Techniques:
    """Return techniques side by side: at least two of them with two visits each of one technique alone."""
    alone = [p for p in points if len(set(p.techniques)) == 1 and p.change_deg is not None]
    groups: dict[str, list[float]] = {}
    for point in alone:
        groups.setdefault(point.techniques[0], []).append(point.change_deg or 0.0)
    enough = {name: values for name, values in groups.items() if len(values) >= 2}
    if len(enough) < 2:
        have = ", ".join(f"{name} {len(values)}" for name, values in groups.items()) or "none"
        return Techniques(
            (), None, f"two techniques with two visits each are needed, visits of one technique alone: {have}"
        )
    rows = tuple(
        TechniqueLine(name, len(values), float(np.mean(values)), float(np.std(values, ddof=1)))
        for name, values in enough.items()
    )
    kept_in = [p for p in alone if p.techniques[0] in enough]
    gaps = [
        (b.when - a.when).total_seconds() / 86400.0
        for a, b in pairwise(kept_in)
        if a.techniques[0] != b.techniques[0]
    ]
    return Techniques(rows, min(gaps), "")
