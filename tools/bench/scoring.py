"""How far an estimated joint is from its reference: constant frames, main angle, half-cycles."""

import math
from itertools import pairwise

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray

LEAST_SAMPLES = 100
"""Fewer are not scored."""

NORMAL_95 = 1.96
"""Half the 95 % interval in standard deviations."""

Row = dict[str, str | float | None]
"""One trial, joint, method and mode; degrees."""


def judged(
    error: FloatArray,
    angle: FloatArray,
    target: FloatArray,
    *,
    ok: BoolArray,
    sure: BoolArray,
    sigma: FloatArray | None = None,
) -> Row:
    """Return RMSE and ROM error over all that a method shows, and over what it vouches for.

    Parameters
    ----------
    error, angle, target : (M,)
        Of the method's angle or rotation; estimated and true main angle; rad.
    ok, sure : (M,)
        Where the reference counts, and where the method vouches for what it shows.
    sigma : (M,) or None
        The method's own standard deviation of the main angle, rad, if it states one.
    """
    shown = ok & np.isfinite(angle)
    row: Row = {"known": float(np.count_nonzero(shown & sure) / max(1, np.count_nonzero(ok)))}
    for use, ending in ((shown, "deg"), (shown & sure, "known_deg")):
        if np.count_nonzero(use) >= LEAST_SAMPLES:
            row[f"rmse_{ending}"] = math.degrees(rms(error[use]))
            row[f"rom_error_{ending}"] = rom_error(np.unwrap(angle[use]), np.unwrap(target[use]))
    if sigma is not None:
        row["coverage95"] = coverage(quaternion.wrap(angle - target)[shown], sigma[shown])
    return row


def coverage(error: FloatArray, sigma: FloatArray) -> float | None:
    """Return the share of errors within the 95 % interval of their sigma; None if sigma is never known."""
    stated = np.isfinite(error) & np.isfinite(sigma)
    return float(np.mean(np.abs(error[stated]) <= NORMAL_95 * sigma[stated])) if stated.any() else None


def rms(values: FloatArray) -> float:
    """Return the root mean square of the finite values; NaN of none."""
    known = values[np.isfinite(values)]
    return math.sqrt(float((known**2).mean())) if known.size else math.nan


def fit(q: FloatArray, reference: FloatArray, rounds: int = 12) -> tuple[FloatArray, FloatArray, float]:
    """Return the constant rotations before and after q that bring it nearest to the reference; the misfit.

    By turns, each in closed form, from four starts; errors count up to half a radian.
    """
    best = (np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0]), math.inf)
    matrices_q, matrices_r = quaternion.to_matrix(q), quaternion.to_matrix(reference)
    for start in CUBE:
        after = start
        before = start
        for _ in range(rounds):
            turned = matrices_q @ quaternion.to_matrix(after)
            before = nearest((matrices_r @ np.swapaxes(turned, 1, 2)).sum(axis=0))
            turned = quaternion.to_matrix(before) @ matrices_q
            after = nearest((np.swapaxes(turned, 1, 2) @ matrices_r).sum(axis=0))
        whole = quaternion.multiply(quaternion.multiply(before, q), after)
        error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(whole), reference))
        misfit = float((np.minimum(error, 0.5) ** 2).mean())
        if misfit < best[2]:
            best = (before, after, misfit)
    return best


def nearest(matrix: FloatArray) -> FloatArray:
    """Return the rotation nearest to a (3, 3) matrix, (4,)."""
    u, _, vt = np.linalg.svd(matrix)
    return quaternion.from_matrix(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)


CUBE = [
    np.array([1.0, 0.0, 0.0, 0.0]),
    np.array([0.0, 1.0, 0.0, 0.0]),
    np.array([0.0, 0.0, 1.0, 0.0]),
    np.array([0.0, 0.0, 0.0, 1.0]),
]


def main_axis(q: FloatArray, t: FloatArray) -> FloatArray:
    """Return the axis (3,), in the proximal frame, about which the reference turns most."""
    step = quaternion.to_rotation_vector(quaternion.multiply(q[1:], quaternion.conjugate(q[:-1])))
    step = step[np.diff(t) < 1.5 * float(np.median(np.diff(t)))]
    step = step[np.sqrt((step**2).sum(axis=1)) < 0.5]
    return np.linalg.eigh(step.T @ step)[1][:, -1]


def rom_error(angle: FloatArray, target: FloatArray) -> float | None:
    """Return the RMS error of the ranges of single half-cycles, deg.

    Of the whole range if there is no cycle.
    """
    least = max(math.radians(15.0), 0.3 * float(np.percentile(target, 98) - np.percentile(target, 2)))
    turns: list[int] = []
    low = high = 0
    way = 0
    for k in range(len(target)):
        if target[k] > target[high]:
            high = k
        if target[k] < target[low]:
            low = k
        if way >= 0 and target[high] - target[k] > least:
            turns.append(high)
            way, low, high = -1, k, k
        elif way <= 0 and target[k] - target[low] > least:
            turns.append(low)
            way, low, high = 1, k, k
    if len(turns) < 2:
        spans = [(float(np.ptp(angle)), float(np.ptp(target)))]
    else:
        spans = []
        for a, b in pairwise(turns):
            found = angle[max(a - 5, 0) : b + 6]
            spans.append((float(np.ptp(found)), abs(float(target[b] - target[a]))))
    return math.degrees(math.sqrt(sum((a - b) ** 2 for a, b in spans) / len(spans)))
