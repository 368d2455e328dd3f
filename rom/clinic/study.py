"""Groups of people: how they changed, against a control, with the formula of every effect size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imu.block import BoolArray, FloatArray
from imu.errors import InputError

EFFECT_FORMULAS = {
    "d_z": "mean change / SD of the changes (also called SRM)",
    "d_av": "mean change / mean of the SDs before and after",
    "g_z": "d_z x Hedges' J = 1 - 3 / (4 df - 1)",
    "g_av": "d_av x Hedges' J = 1 - 3 / (4 df - 1)",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """Number, mean and SD of values."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class PairedChange:
    """Change of one group, after minus before, in the unit of the values.

    `effects` are named as in `EFFECT_FORMULAS`. People must be independent: average the two sides of a
    person first.
    """

    before: Summary
    after: Summary
    change: Summary
    interval: tuple[float, float]
    t: float
    df: int
    p: float
    effects: dict[str, float]


@dataclass(frozen=True, slots=True)
class Effect:
    """Difference between two groups: estimate, standard error, interval, t, df and p."""

    value: float
    se: float
    interval: tuple[float, float]
    t: float
    df: float
    p: float


def summarise(values: FloatArray) -> Summary:
    """Return number, mean and SD (n - 1) of values, (n,)."""
    _check(values, 2)
    return Summary(values.size, float(values.mean()), float(values.std(ddof=1)))


def paired_change(before: FloatArray, after: FloatArray, confidence: float = 0.95) -> PairedChange:
    """Return how one group changed, by the paired t test.

    Parameters
    ----------
    before, after : (n,)
        One value a person.
    confidence
        Of the interval.

    References
    ----------
    Effect sizes: Lakens 2013, Front Psychol 4:863; Hedges 1981 for J (both to verify).
    """
    if before.shape != after.shape:
        raise InputError(f"every person needs a value before and after, got {before.size} and {after.size}")
    change, first, second = summarise(after - before), summarise(before), summarise(after)
    df = change.n - 1
    effect = _effect(change.mean, change.sd / math.sqrt(change.n), df, confidence)
    correction = 1.0 - 3.0 / (4.0 * df - 1.0)
    d_z, d_av = change.mean / change.sd, change.mean / (0.5 * (first.sd + second.sd))
    return PairedChange(
        before=first,
        after=second,
        change=change,
        interval=effect.interval,
        t=effect.t,
        df=df,
        p=effect.p,
        effects={"d_z": d_z, "d_av": d_av, "g_z": correction * d_z, "g_av": correction * d_av},
    )


def change_difference(
    before: FloatArray, after: FloatArray, treated: BoolArray, confidence: float = 0.95
) -> Effect:
    """Return treated minus control change by the t test of difference scores (equal variances).

    Given for comparison only: it ignores where people started. Prefer `ancova`.

    Parameters
    ----------
    before, after : (n,)
        One value a person.
    treated : (n,)
        Group.
    confidence
        Of the interval.
    """
    _check_groups(before, after, treated)
    change = after - before
    one, other = change[treated], change[~treated]
    df = one.size + other.size - 2
    pooled = ((one.size - 1) * one.var(ddof=1) + (other.size - 1) * other.var(ddof=1)) / df
    se = math.sqrt(float(pooled) * (1.0 / one.size + 1.0 / other.size))
    return _effect(float(one.mean() - other.mean()), se, df, confidence)


def ancova(before: FloatArray, after: FloatArray, treated: BoolArray, confidence: float = 0.95) -> Effect:
    """Return treated minus control after treatment, at the same value before.

    Least squares of after on before and group, the analysis of choice for a baseline and one
    follow-up (Vickers & Altman 2001, BMJ 323:1123, to verify).

    Parameters
    ----------
    before, after : (n,)
        One value a person.
    treated : (n,)
        Group.
    confidence
        Of the interval.
    """
    _check_groups(before, after, treated)
    design = np.column_stack((np.ones_like(before), before - before.mean(), treated.astype(np.float64)))
    if np.linalg.matrix_rank(design) < 3:
        raise InputError(
            "all values before are alike; without a spread before there is nothing to adjust for"
        )
    coefficients = np.linalg.lstsq(design, after, rcond=None)[0]
    residual = after - design @ coefficients
    df = after.size - 3
    covariance = np.linalg.inv(design.T @ design) * float(np.sum(residual**2)) / df
    return _effect(float(coefficients[2]), math.sqrt(float(covariance[2, 2])), df, confidence)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for looking at several outcomes (Holm 1979, Scand J Stat 6:65).

    Parameters
    ----------
    p_values
        Of one family, each within [0, 1].

    Returns
    -------
    list of float
        Adjusted, in the order given; never smaller than before and at most 1.
    """
    if not all(0.0 <= p <= 1.0 for p in p_values):
        raise InputError(f"p values lie within 0 and 1, got {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def change_is_consistent(before: float, after: float, change: float, *, decimals: int = 1) -> bool:
    """Return whether a printed change can be the printed after minus before, each rounded.

    A check on tables from print: George 2006 prints 35.5 -> 48.3 and +8.3.
    """
    return abs((after - before) - change) <= 1.5 * 10.0**-decimals + 1e-9


def _effect(value: float, se: float, df: float, confidence: float) -> Effect:
    from scipy.stats import t

    if se == 0.0:
        raise InputError("all changes are exactly alike, which measured values never are; check the columns")
    half = float(t.ppf(0.5 + confidence / 2.0, df)) * se
    return Effect(
        value, se, (value - half, value + half), value / se, df, 2.0 * float(t.sf(abs(value / se), df))
    )


def _check(values: FloatArray, least: int) -> None:
    if values.ndim != 1 or values.size < least:
        raise InputError(f"expected at least {least} values, one a person, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("every person needs a value; leave persons with missing values out")


def _check_groups(before: FloatArray, after: FloatArray, treated: BoolArray) -> None:
    if not before.shape == after.shape == treated.shape:
        raise InputError(
            "every person needs a value before, one after and a group, "
            f"got {before.size}, {after.size} and {treated.size}"
        )
    for values in (before, after):
        _check(values, 4)
    if min(int(treated.sum()), int((~treated).sum())) < 2:
        raise InputError("both groups need at least two people")
