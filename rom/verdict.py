"""The yardstick a difference is held against, and the word for what it shows."""

import math
from dataclasses import dataclass
from typing import Literal

from rom.estimate import (
    PRIOR_STRENGTH,
    Estimate,
    Permutation,
    Scatter,
    difference,
    permutation,
    pooled_scatter,
)
from rom.sample import RepSample
from rom.wording import yardstick

Judgement = Literal["beyond error", "probably real", "within error", "can't tell"]
Between = Literal["straps kept on", "straps put on again", "another limb"]
ENOUGH_REPS = 5
"""Reps of a side that the protocol asks for; fewer may leave the question open (clinical reference 0.2)."""

_Z90, _Z95 = 1.6448536269514722, 1.959963984540054


def mdc(sem: float, confidence: Literal[90, 95] = 95) -> float:
    """Return the minimal detectable change of two measurements, z sqrt(2) SEM, in the unit of the SEM."""
    return (_Z95 if confidence == 95 else _Z90) * math.sqrt(2.0) * sem


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The limits a difference has to pass, rad, and where they come from.

    `mdc95` and `mdc90` are None where nothing tells how large the error between strappings is.
    """

    mdc95: float | None
    mdc90: float | None
    basis: str

    def judge(self, value: float) -> Judgement:
        """Return the class of a difference (clinical reference 2.3)."""
        if self.mdc95 is None or self.mdc90 is None:
            return "can't tell"
        if abs(value) > self.mdc95:
            return "beyond error"
        return "probably real" if abs(value) > self.mdc90 else "within error"

    @property
    def text(self) -> str:
        """The limit and its basis, such as "3.5°, straps kept on"."""
        return self.basis if self.mdc95 is None else f"{yardstick(self.mdc95)}, {self.basis}"


@dataclass(frozen=True, slots=True)
class ErrorParts:
    """One sigma of what can make a difference look otherwise, rad, each apart from the others.

    Parameters
    ----------
    sensors
        What each recording has for itself: heading, drift, inclination.
    straps
        Alignments, as far as they were not the same.
    soft_tissue
        Skin against bone. With the straps kept on it can make no difference out of nothing, only stretch or
        shrink one, and stands beside the interval; otherwise the interval has what another strapping brings.
    in_interval
        Whether the interval has soft tissue in it.
    """

    sensors: float
    straps: float
    soft_tissue: float
    in_interval: bool

    def document(self) -> dict[str, object]:
        """Return the parts in degrees."""
        return {
            "sensor_sd_deg": math.degrees(self.sensors),
            "strap_sd_deg": math.degrees(self.straps),
            "soft_tissue_sd_deg": math.degrees(self.soft_tissue),
            "soft_tissue_in_interval": self.in_interval,
        }


def error_parts(first: RepSample, second: RepSample, between: Between) -> ErrorParts:
    """Return what sensors, straps and soft tissue can each do to the difference of two samples."""
    kept = between == "straps kept on"
    stretched = max(first.soft_tissue_share, second.soft_tissue_share) * abs(second.value - first.value)
    same = kept and first.alignment == second.alignment
    strapped = 0.0 if kept else math.hypot(first.soft_tissue_sigma, second.soft_tissue_sigma)
    return ErrorParts(
        sensors=math.hypot(first.sensor_sigma, second.sensor_sigma),
        straps=0.0 if same else math.hypot(first.strap_sigma, second.strap_sigma),
        soft_tissue=math.hypot(strapped, stretched),
        in_interval=not kept,
    )


def session_variance(first: RepSample, second: RepSample, sem: float | None, between: Between) -> float:
    """Return the variance of a difference that the number of reps does not shrink, rad^2.

    What each recording has for itself counts always, the error of the alignments where they were not
    the same. What comes with the strapping counts when the straps changed: the published error between
    sessions or the straps' own, whichever is larger; not both, as the published figure contains the
    other.
    """
    parts = error_parts(first, second, between)
    if between == "straps kept on":
        return parts.sensors**2 + parts.straps**2
    return parts.sensors**2 + max(first.strap_variance + second.strap_variance, 2.0 * (sem or 0.0) ** 2)


def measure_against(
    estimate: Estimate, sem: float | None, between: Between, *, published: bool, strap_known: bool
) -> Yardstick:
    """Return the yardstick of a difference.

    It is what the difference can be by chance: half the width of its interval. With the straps kept on
    that is the repeatability of these reps. With straps put on again, or another limb, the interval has
    the published error between sessions in it, so that the limit is never below the published MDC
    (clinical reference 2.2). Where none is published, own repeatability serves as long as the error of
    the strapping is known.
    """
    half95, half90 = estimate.half_width(0.95), estimate.half_width(0.90)
    if sem is None and between != "straps kept on" and not strap_known:
        return Yardstick(None, None, f"{between}, and no published MDC or own repeatability for that")
    basis = between if published else f"{between}; no published MDC, own repeatability"
    return Yardstick(half95, half90, basis)


def reps_that_would_tell(
    value: float, scatter: Scatter, known_variance: float, prior_df: float, done: int
) -> int | None:
    """Return how many reps a side, `ENOUGH_REPS` at most, would put a difference beyond error, or None."""
    for reps in range(done + 1, ENOUGH_REPS + 1):
        ideal = Scatter(scatter.sd, prior_df + 2 * (reps - 2))
        if (
            ideal.df > 0
            and abs(value) > difference(value, ideal, 2.0 / (reps - 1), known_variance).half_width()
        ):
            return reps
    return None


@dataclass(frozen=True, slots=True)
class Difference:
    """The second sample minus the first, counted so that more range is positive, with its verdict.

    Parameters
    ----------
    estimate
        The headline: rep scatter leaning on the catalogue's SEM (Bayesian, clinical reference 2.4) plus
        what the sensors and straps add; its interval is a credible interval.
    plain
        The same from these reps alone (t interval); None with one used rep a side.
    exact
        Exact permutation of the used reps; None for best-of-three and for too many reps.
    yardstick, judgement
        What it is held against and the outcome.
    reps_done, reps_would_tell
        Reps of the smaller side, and how many would settle an open question; None if that is not it.
    sem
        SEM used as prior and between sessions, rad; None if neither published nor own.
    scatter
        Posterior SD of a rep.
    session_variance
        Part of the variance that reps do not shrink, rad^2.
    parts
        What the two recordings themselves, their straps and soft tissue can each do to it.
    """

    estimate: Estimate
    plain: Estimate | None
    exact: Permutation | None
    yardstick: Yardstick
    judgement: Judgement
    reps_done: int
    reps_would_tell: int | None
    sem: float | None
    scatter: Scatter
    session_variance: float
    parts: ErrorParts

    @property
    def value(self) -> float:
        """The difference, rad."""
        return self.estimate.value

    def document(self) -> dict[str, object]:
        """Return the numbers for `--json`; null is not known.

        ``value_deg``, ``interval95_deg``, ``df``
            The estimate, its 95 % credible interval and degrees of freedom.
        ``t_interval95_deg``
            The same without the prior.
        ``permutation_p``, ``permutation_floor``
            Exact two-sided p, and the least that so few reps could give.
        ``p_above_0``, ``p_above_mdc``
            Probability of more range, and of more by at least the MDC95.
        ``mdc95_deg``, ``mdc90_deg``, ``mdc_basis``, ``class``
            The yardstick and the outcome.
        ``reps_would_tell``
            How many reps a side would settle an open question.
        ``rep_sd_deg``, ``session_sd_deg``, ``sem_deg``
            SD of a rep; SD of the difference that reps do not shrink; SEM used.
        ``sensor_sd_deg``, ``strap_sd_deg``, ``soft_tissue_sd_deg``, ``soft_tissue_in_interval``
            What each can do to the difference, one sigma, as `rom.verdict.ErrorParts` says.
        """
        low, high = self.estimate.interval()
        plain = self.plain.interval() if self.plain else None
        limit = self.yardstick.mdc95
        return {
            "value_deg": math.degrees(self.value),
            "interval95_deg": [math.degrees(low), math.degrees(high)],
            "df": self.estimate.df,
            "t_interval95_deg": [math.degrees(end) for end in plain] if plain else None,
            "permutation_p": self.exact.p if self.exact else None,
            "permutation_floor": self.exact.floor if self.exact else None,
            "p_above_0": self.estimate.probability_above(0.0),
            "p_above_mdc": self.estimate.probability_above(limit) if limit is not None else None,
            "mdc95_deg": _degrees(limit),
            "mdc90_deg": _degrees(self.yardstick.mdc90),
            "mdc_basis": self.yardstick.basis,
            "class": self.judgement,
            "reps_would_tell": self.reps_would_tell,
            "rep_sd_deg": math.degrees(self.scatter.sd),
            **self.parts.document(),
            "session_sd_deg": math.degrees(math.sqrt(self.session_variance)),
            "sem_deg": _degrees(self.sem),
        }


def weigh(first: RepSample, second: RepSample, between: Between, *, own_sem: float | None) -> Difference:
    """Return the second sample minus the first with everything that judges it.

    Parameters
    ----------
    first, second
        Comparable samples (`rom.sample.check_comparable`).
    between
        What happened to the straps.
    own_sem
        The client's own SEM between sessions, rad, for movements without a published one.
    """
    published = first.movement.published_sem
    sem = published if published is not None else own_sem
    gain = first.movement.gain_sign
    value = gain * (second.value - first.value)
    leverage = first.leverage + second.leverage
    known = session_variance(first, second, sem, between)
    scatter = pooled_scatter(first.used, second.used, prior_sd=sem)
    estimate = difference(value, scatter, leverage, known)
    plain = None
    if first.used.size + second.used.size > 2:
        plain = difference(value, pooled_scatter(first.used, second.used), leverage, known)
    exact = None
    if first.aggregate == "mean_2_to_k":
        exact = permutation(first.used, second.used)
    strap_known = first.strap_variance > 0.0 and second.strap_variance > 0.0
    stick = measure_against(estimate, sem, between, published=published is not None, strap_known=strap_known)
    judgement = stick.judge(value)
    done = min(first.values.size, second.values.size)
    would = None
    if judgement == "within error" and done < ENOUGH_REPS and first.aggregate == "mean_2_to_k":
        prior_df = PRIOR_STRENGTH if sem is not None else 0.0
        would = reps_that_would_tell(value, scatter, known, prior_df, done)
    return Difference(
        estimate=estimate,
        plain=plain,
        exact=exact,
        yardstick=stick,
        judgement="can't tell" if would is not None else judgement,
        reps_done=done,
        reps_would_tell=would,
        sem=sem,
        scatter=scatter,
        session_variance=known,
        parts=error_parts(first, second, between),
    )


def _degrees(angle: float | None) -> float | None:
    return None if angle is None else math.degrees(angle)
