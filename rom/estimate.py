"""What a handful of reps says about a difference: pooled scatter, posterior, permutation, rep trend. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError

PRIOR_STRENGTH = 4.0
"""Degrees of freedom that the catalogue's SEM counts for: the weak end of 4 to 8 (clinical reference 2.4)."""

MAX_SPLITS = 200_000
"""More ways to deal the reps than this are not enumerated; the t interval serves then."""

VARIANCE_OF_BEST_OF_3 = (4.0 * math.pi - 9.0 + 2.0 * math.sqrt(3.0)) / (4.0 * math.pi)
"""Variance of the largest of three independent standard normal values (order statistics), 0.559."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Rep-to-rep standard deviation, rad, and the degrees of freedom behind it."""

    sd: float
    df: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference as a scaled and shifted Student t distribution.

    Parameters
    ----------
    value
        Its centre, rad.
    scale
        Its scale, rad.
    df
        Degrees of freedom; may be infinite.
    """

    value: float
    scale: float
    df: float

    def half_width(self, confidence: float = 0.95) -> float:
        """Return half the width of the central interval, rad."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df, 0.5 + confidence / 2.0)) * self.scale

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the central interval, rad."""
        half = self.half_width(confidence)
        return self.value - half, self.value + half

    def probability_above(self, limit: float) -> float:
        """Return the probability that the difference is larger than a limit (rad)."""
        from scipy.special import stdtr

        if self.scale == 0.0:
            return float(self.value > limit)
        return float(stdtr(self.df, (self.value - limit) / self.scale))


@dataclass(frozen=True, slots=True)
class Permutation:
    """An exact permutation test: two-sided p, the smallest p it can give, the number of ways to deal."""

    p: float
    floor: float
    splits: int


def pooled_scatter(*groups: FloatArray, prior_sd: float | None = None) -> Scatter:
    """Return the rep-to-rep SD pooled over groups, leaning on a prior where there is one.

    s^2 = (nu0 SEM0^2 + sum (x - mean)^2) / (nu0 + sum (k - 1)), with nu0 = `PRIOR_STRENGTH`, the scaled
    inverse chi-square conjugate of a normal variance (Gelman, Bayesian Data Analysis, 2.6; clinical
    reference 2.4). Without a prior nu0 is 0 and this is the pooled SD of the t interval.

    Parameters
    ----------
    groups : (k,) each
        Values of the reps, rad.
    prior_sd
        SD that the catalogue expects, rad; None if it knows none.

    Raises
    ------
    InputError
        If there is neither a prior nor a second rep.
    """
    nu0 = PRIOR_STRENGTH if prior_sd is not None else 0.0
    df = nu0 + sum(group.size - 1 for group in groups)
    if df <= 0:
        raise InputError("the scatter of the reps needs at least two reps on one side; record five")
    squares = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    return Scatter(math.sqrt(((prior_sd or 0.0) ** 2 * nu0 + squares) / df), df)


def difference(value: float, scatter: Scatter, leverage: float, known_variance: float = 0.0) -> Estimate:
    """Return a difference whose error is rep scatter plus variances known from elsewhere.

    Degrees of freedom by Welch and Satterthwaite (Biometrics Bulletin 2:110, 1946): known variances
    count as infinitely many.

    Parameters
    ----------
    value
        The difference, rad.
    scatter
        Rep-to-rep SD.
    leverage
        Variance of the difference in units of the rep variance, such as 1/k1 + 1/k2.
    known_variance
        Variances that do not shrink with the number of reps, rad^2: sensors, straps, sessions.
    """
    reps = scatter.sd**2 * leverage
    total = reps + known_variance
    df = scatter.df * (total / reps) ** 2 if reps > 0 else math.inf
    return Estimate(value, math.sqrt(total), df)


def combined(value: float, *parts: Estimate) -> Estimate:
    """Return an estimate whose independent parts add up in variance, by Welch and Satterthwaite."""
    variances = [part.scale**2 for part in parts]
    spread = sum(
        variance**2 / part.df for variance, part in zip(variances, parts, strict=True) if variance > 0
    )
    total = sum(variances)
    return Estimate(value, math.sqrt(total), total**2 / spread if spread > 0 else math.inf)


def permutation(pre: FloatArray, post: FloatArray) -> Permutation | None:
    """Return the exact permutation test of a difference of means; None beyond `MAX_SPLITS`.

    Every way to deal the pooled reps into groups of these sizes is equally likely when nothing
    changed. The floor is what the most extreme deal would give: 0.10 for 3 and 3 reps, 0.0286 for 4
    and 4, 0.0079 for 5 and 5, 0.0022 for 6 and 6.

    Parameters
    ----------
    pre, post : (k,)
        Values of the reps, in any unit.
    """
    k1, k2 = pre.size, post.size
    splits = math.comb(k1 + k2, k1)
    if splits > MAX_SPLITS:
        return None
    pooled = np.concatenate((pre, post))
    chosen = np.array(list(combinations(range(k1 + k2), k1)), dtype=np.intp)
    sums = pooled[chosen].sum(axis=1)
    differences = np.abs((pooled.sum() - sums) / k2 - sums / k1)
    observed = abs(float(post.mean() - pre.mean()))
    slack = 1e-9 * max(float(np.ptp(pooled)), np.finfo(np.float64).tiny)
    p = float(np.count_nonzero(differences >= observed - slack)) / splits
    return Permutation(p, (2.0 if k1 == k2 else 1.0) / splits, splits)


def trend_adjusted(
    pre: FloatArray,
    post: FloatArray,
    prior_sd: float | None = None,
    known_variance: float = 0.0,
    *,
    pre_numbers: Sequence[int] = (),
    post_numbers: Sequence[int] = (),
) -> Estimate | None:
    """Return the change beyond what repeating the test explains; None with fewer than 3 reps before.

    A straight line in log(rep number) is fitted to all reps before and extended over those after, which
    go on counting; the change is how far the reps after lie above that line (clinical reference 2.3).
    A gain from repetition decays so (Holzgreve 2020, Sci Rep 10:21722).

    Parameters
    ----------
    pre, post : (k,)
        All reps in order, the first included, rad; positive is the direction of the change.
    prior_sd, known_variance
        As in `pooled_scatter` and `difference`.
    pre_numbers, post_numbers
        Which repetition of its test each rep was, from 1; 1 to k where not given. Reps that do not
        count have warmed up too.
    """
    if pre.size < 3 or post.size < 1:
        return None
    done = np.array(pre_numbers or range(1, pre.size + 1), dtype=np.float64)
    log_pre = np.log(done)
    log_post = np.log(done[-1] + np.array(post_numbers or range(1, post.size + 1), dtype=np.float64))
    centred = log_pre - log_pre.mean()
    spread = float(np.sum(centred**2))
    slope = float(np.sum(centred * pre)) / spread
    line = pre.mean() - slope * log_pre.mean()
    before = pre - (line + slope * log_pre)
    after = post - (line + slope * log_post)
    nu0 = PRIOR_STRENGTH if prior_sd is not None else 0.0
    df = nu0 + pre.size - 2 + post.size - 1
    squares = float(np.sum(before**2)) + float(np.sum((after - after.mean()) ** 2))
    scatter = Scatter(math.sqrt((nu0 * (prior_sd or 0.0) ** 2 + squares) / df), df)
    reach = float(log_post.mean() - log_pre.mean())
    leverage = 1.0 / post.size + 1.0 / pre.size + reach**2 / spread
    return difference(float(after.mean()), scatter, leverage, known_variance)


def reps_until_plateau(values: FloatArray, sem: float) -> int | None:
    """Return how many reps it took until two in a row agreed within the SEM; None if they never did.

    The rule by which a baseline is complete (clinical reference 0.1, 3.2): testing itself raises range.

    Parameters
    ----------
    values : (k,)
        Values of the reps in order, rad.
    sem
        Standard error of measurement, rad.
    """
    steps = np.flatnonzero(np.abs(np.diff(values)) <= sem)
    return int(steps[0]) + 2 if steps.size else None
