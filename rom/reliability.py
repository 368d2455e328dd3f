"""How well measurements repeat: SEM, ICC by name with interval, devices against each other. Unit-free.

Every result is in the unit of the scores (or its square); an ICC and a p have none.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError

IccForm = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]
ICC_FORMS: dict[IccForm, str] = {
    "ICC(1,1)": "one-way, single measurement",
    "ICC(2,1)": "absolute agreement of raters or devices, single measurement",
    "ICC(3,1)": "consistency, test against retest, single measurement",
    "ICC(1,k)": "one-way, mean of k",
    "ICC(2,k)": "absolute agreement, mean of k",
    "ICC(3,k)": "consistency, mean of k",
}


@dataclass(frozen=True, slots=True)
class Icc:
    """An intraclass correlation with its form and confidence interval."""

    form: IccForm
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bland and Altman: bias, limits of agreement, exact intervals, and whether the bias grows.

    Parameters
    ----------
    n
        Pairs.
    bias, bias_interval
        Mean of first minus second, with its t interval.
    sd
        SD of the differences.
    lower, upper, lower_interval, upper_interval
        bias -/+ 1.96 SD with exact intervals.
    slope, slope_p
        Regression of the difference on the mean: proportional bias, and its p.
    """

    n: int
    bias: float
    bias_interval: tuple[float, float]
    sd: float
    lower: float
    upper: float
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]
    slope: float
    slope_p: float


@dataclass(frozen=True, slots=True)
class TwoDevices:
    """Reliability within and between raters or devices that each measured everyone several times.

    Mean squares of the two-way analysis of variance, then coefficients and SEM. "Random" takes the
    devices as a sample of many, "fixed" as the only ones of interest. `*_by_device` are in the order
    of the devices.
    """

    ms_subjects: float
    ms_devices: float
    ms_interaction: float
    ms_error: float
    ms_error_by_device: tuple[float, ...]
    inter_random: float
    inter_fixed: float
    intra_random: float
    intra_fixed: float
    intra_by_device: tuple[float, ...]
    sem_intra: float
    sem_intra_by_device: tuple[float, ...]
    sem_inter_random: float
    sem_inter_fixed: float


def sem_within(scores: FloatArray) -> float:
    """Return the SEM from repeated scores, sqrt(mean within-person variance).

    Parameters
    ----------
    scores : (n, k)
        k repetitions of n persons.

    References
    ----------
    Bland & Altman 1996, BMJ 313:41 (to verify).
    """
    _check(scores, 1, 2)
    return math.sqrt(float(np.mean(np.var(scores, axis=1, ddof=1))))


def sem_from_icc(sd: float, icc: float) -> float:
    """Return SD sqrt(1 - ICC), the SEM where only these are printed (Weir 2005 JSCR 19:231, to verify)."""
    return sd * math.sqrt(1.0 - icc)


def icc(scores: FloatArray, form: IccForm, confidence: float = 0.95) -> Icc:
    """Return one form of the intraclass correlation with its interval.

    Parameters
    ----------
    scores : (n, k)
        k measurements (raters, devices, repetitions) of n persons.
    form
        See `ICC_FORMS`.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        If there are fewer than two persons or measurements, or a score is missing.

    References
    ----------
    Shrout & Fleiss 1979, Psychol Bull 86:420; intervals by McGraw & Wong 1996, Psychol Methods 1:30
    (both to verify).
    """
    from scipy.stats import f

    _check(scores, 2, 2)
    n, k = scores.shape
    tail = 0.5 + confidence / 2.0
    between, within, columns, error = _mean_squares(scores)
    if error == 0.0:
        raise InputError("the scores repeat exactly, which measured values never do; check the columns")
    if form in ("ICC(2,1)", "ICC(2,k)"):
        single = (between - error) / (between + (k - 1) * error + k * (columns - error) / n)
        low, high = _agreement_interval(single, n, k, (between, columns, error), tail)
    else:
        noise, df = (within, n * (k - 1)) if form in ("ICC(1,1)", "ICC(1,k)") else (error, (n - 1) * (k - 1))
        ratio = between / noise
        single = (ratio - 1.0) / (ratio + k - 1.0)
        lowest = ratio / float(f.ppf(tail, n - 1, df))
        highest = ratio * float(f.ppf(tail, df, n - 1))
        low, high = (lowest - 1.0) / (lowest + k - 1.0), (highest - 1.0) / (highest + k - 1.0)
    if form.endswith(",k)"):
        return Icc(form, *(_of_mean(value, k) for value in (single, low, high)))
    return Icc(form, single, low, high)


def agreement(first: FloatArray, second: FloatArray, confidence: float = 0.95) -> Agreement:
    """Return the agreement of two methods that measured the same persons once each.

    Parameters
    ----------
    first, second : (n,)
        Paired values; differences are first minus second.
    confidence
        Of the intervals.

    References
    ----------
    Bland & Altman 1986, Lancet 327:307; exact intervals of the limits by the noncentral t
    distribution, Carkeet 2015, Optom Vis Sci 92:e71 (both to verify).
    """
    _check(np.stack((first, second), axis=-1), 3, 2)
    differences = first - second
    return _limits(differences, float(differences.std(ddof=1)), (first + second) / 2.0, confidence)


def agreement_of_repeats(first: FloatArray, second: FloatArray, confidence: float = 0.95) -> Agreement:
    """Return the agreement of two methods for single measurements, from repeated ones of each person.

    The SD of the differences of means is too small for single measurements; the within-person
    variance that averaging took away is put back: s^2 + (1 - 1/m1) s1^2 + (1 - 1/m2) s2^2. The
    intervals keep the degrees of freedom of the persons, which is approximate here.

    Parameters
    ----------
    first, second : (n, m1), (n, m2)
        Repetitions of n persons by either method, the true value constant.
    confidence
        Of the intervals.

    References
    ----------
    Bland & Altman 2007, J Biopharm Stat 17:571 (to verify).
    """
    _check(first, 3, 2)
    _check(second, 3, 2)
    means = first.mean(axis=1), second.mean(axis=1)
    differences = means[0] - means[1]
    variance = float(differences.var(ddof=1)) + sum(
        (1.0 - 1.0 / scores.shape[1]) * sem_within(scores) ** 2 for scores in (first, second)
    )
    return _limits(differences, math.sqrt(variance), (means[0] + means[1]) / 2.0, confidence)


def two_way(scores: FloatArray) -> TwoDevices:
    """Return intra- and inter-device reliability of one set of repeated measurements.

    Parameters
    ----------
    scores : (n, t, m)
        m repetitions by t devices (or raters) on n persons.

    References
    ----------
    Eliasziw, Young, Woodbury & Fryday-Field 1994, Phys Ther 74:777.
    """
    if scores.ndim != 3 or min(scores.shape) < 2 or not np.isfinite(scores).all():
        raise InputError(
            "reliability needs scores of at least 2 persons x 2 devices x 2 repetitions without gaps, "
            f"got shape {scores.shape}"
        )
    n, t, m = scores.shape
    cells = scores.mean(axis=2)
    between, _, devices, interaction = (m * square for square in _mean_squares(cells))
    by_device = np.var(scores, axis=2, ddof=1).mean(axis=0)
    error = float(by_device.mean())
    subject = (between - interaction) / (m * t)
    device = (devices - interaction) / (n * m)
    mixed = (interaction - error) / m
    total_random, total_fixed = subject + device + mixed, subject + mixed
    return TwoDevices(
        ms_subjects=between,
        ms_devices=devices,
        ms_interaction=interaction,
        ms_error=error,
        ms_error_by_device=tuple(by_device.tolist()),
        inter_random=subject / (total_random + error),
        inter_fixed=subject / (total_fixed + error),
        intra_random=total_random / (total_random + error),
        intra_fixed=total_fixed / (total_fixed + error),
        intra_by_device=tuple((total_random / (total_random + by_device)).tolist()),
        sem_intra=math.sqrt(error),
        sem_intra_by_device=tuple(np.sqrt(by_device).tolist()),
        sem_inter_random=math.sqrt(device + mixed + error),
        sem_inter_fixed=math.sqrt(mixed + error),
    )


def _mean_squares(scores: FloatArray) -> tuple[float, float, float, float]:
    """Return the mean squares between rows, within rows, between columns, and of the residual."""
    n, k = scores.shape
    rows, columns, grand = scores.mean(axis=1), scores.mean(axis=0), float(scores.mean())
    between = k * float(np.sum((rows - grand) ** 2)) / (n - 1)
    within = float(np.sum((scores - rows[:, None]) ** 2)) / (n * (k - 1))
    across = n * float(np.sum((columns - grand) ** 2)) / (k - 1)
    residual = scores - rows[:, None] - columns + grand
    return between, within, across, float(np.sum(residual**2)) / ((n - 1) * (k - 1))


def _agreement_interval(
    rho: float, n: int, k: int, squares: tuple[float, float, float], tail: float
) -> tuple[float, float]:
    from scipy.stats import f

    between, columns, error = squares
    a = k * rho / (n * (1.0 - rho))
    b = 1.0 + k * rho * (n - 1) / (n * (1.0 - rho))
    df = (a * columns + b * error) ** 2 / (
        (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    noise = k * columns + (k * n - k - n) * error
    above, below = float(f.ppf(tail, n - 1, df)), float(f.ppf(tail, df, n - 1))
    low = n * (between - above * error) / (above * noise + n * between)
    high = n * (below * between - error) / (noise + n * below * between)
    return low, high


def _of_mean(single: float, k: int) -> float:
    return k * single / (1.0 + (k - 1) * single)


def _limits(differences: FloatArray, sd: float, means: FloatArray, confidence: float) -> Agreement:
    from scipy.stats import nct, norm, t

    n = differences.size
    bias = float(differences.mean())
    half = float(t.ppf(0.5 + confidence / 2.0, n - 1)) * sd / math.sqrt(n)
    z = float(norm.ppf(0.975))
    shift = z * math.sqrt(n)
    near, far = (
        float(nct.ppf(p, n - 1, shift)) / math.sqrt(n) * sd
        for p in (0.5 - confidence / 2.0, 0.5 + confidence / 2.0)
    )
    centred = means - means.mean()
    spread = float(np.sum(centred**2))
    slope = float(np.sum(centred * differences)) / spread
    residual = differences - bias - slope * centred
    slope_se = math.sqrt(float(np.sum(residual**2)) / (n - 2) / spread)
    return Agreement(
        n=n,
        bias=bias,
        bias_interval=(bias - half, bias + half),
        sd=sd,
        lower=bias - z * sd,
        upper=bias + z * sd,
        lower_interval=(bias - far, bias - near),
        upper_interval=(bias + near, bias + far),
        slope=slope,
        slope_p=2.0 * float(t.sf(abs(slope) / slope_se, n - 2)),
    )


def _check(scores: FloatArray, persons: int, columns: int) -> None:
    if scores.ndim != 2 or scores.shape[0] < persons or scores.shape[1] < columns:
        raise InputError(
            f"expected scores of {persons} persons x {columns} measurements at least, got {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise InputError("every person needs every score; leave persons with missing scores out")
