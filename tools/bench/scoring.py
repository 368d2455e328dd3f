"""How far an estimated joint is from its reference: constant frames, main angle, half-cycles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray
from rom.angles import JointSeries
from rom.sensor_error import Lasting
from rom.soft_tissue import SoftTissue
from tools.bench.intervals import Reach, bone_sigma, coverage, held_ranges

LEAST_SAMPLES = 100
"""Fewer are not scored."""

Row = dict[str, str | float | None]
"""One trial, joint, method and mode; degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Stated:
    """What a method says of its own errors.

    Parameters
    ----------
    series
        Its main angle first.
    lasting
        What errs alike at both ends of a range.
    tissue
        What it allows for soft tissue; None where the reference sits on the sensors.
    markers : (N, 2, 4)
        Where the reference sits on the sensors, its own orientation of both, to the same instants.
    """

    series: JointSeries
    lasting: Lasting
    tissue: SoftTissue | None = None
    markers: FloatArray | None = None


def judged(
    error: FloatArray,
    angle: FloatArray,
    target: FloatArray,
    *,
    ok: BoolArray,
    sure: BoolArray,
    stated: Stated | None = None,
) -> Row:
    """Return RMSE and ROM error over all that a method shows, and over what it vouches for.

    Parameters
    ----------
    error, angle, target : (M,)
        Of the method's angle or rotation; estimated and true main angle; rad.
    ok, sure : (M,)
        Where the reference counts, and where the method vouches for what it shows.
    stated
        What the method itself says of the errors of the main angle; None if it says nothing.
    """
    shown = ok & np.isfinite(angle)
    row: Row = {"known": float(np.count_nonzero(shown & sure) / max(1, np.count_nonzero(ok)))}
    for use, ending in ((shown, "deg"), (shown & sure, "known_deg")):
        if np.count_nonzero(use) >= LEAST_SAMPLES:
            row[f"rmse_{ending}"] = math.degrees(rms(error[use]))
            row[f"rom_error_{ending}"] = rom_error(np.unwrap(angle[use]), np.unwrap(target[use]))
    if stated is not None:
        off, sigma = quaternion.wrap(angle - target), bone_sigma(stated.series, stated.tissue)
        row["coverage95"] = coverage(off[shown], sigma[shown])
        if np.count_nonzero(shown) >= LEAST_SAMPLES:
            part = JointSeries(*(getattr(stated.series, each.name)[shown] for each in fields(JointSeries)))
            spans = _reaches(np.unwrap(angle[shown]), np.unwrap(target[shown]))
            row["range_coverage95"] = held_ranges(part, spans, stated.tissue, stated.lasting)
            if stated.markers is not None:
                gyroscope = stated.lasting.expected.gyr_scale
                bent = bending(part.segments, stated.markers[shown], spans, gyroscope)
                row["reference_sigma_deg"] = math.degrees(bent)
                row["range_coverage95_of_both"] = held_ranges(part, spans, None, stated.lasting, bent)
    return row


def bending(sensors: FloatArray, markers: FloatArray, spans: Sequence[Reach], gyroscope: float) -> float:
    """Return one sigma of what markers on two sensors tell wrong of a range, rad.

    By how much a sensor turns between two instants, whatever it is strapped to and wherever the vertical and
    the heading lie, its gyroscope tells to a share of some tenths of a percent, which is taken off. Markers
    on it that tell another turn bend or are mistaken. Orientations are (N, 2, 4), as the spans are.
    """
    ends = np.array([(int(np.argmax(each.before)), int(np.argmax(each.at_end))) for each in spans])
    if not len(ends):
        return 0.0
    turns = [
        quaternion.angle_of(quaternion.multiply(quaternion.conjugate(q[ends[:, 0]]), q[ends[:, 1]]))
        for q in (sensors, markers)
    ]
    unexplained = ((turns[1] - turns[0]) ** 2 - (gyroscope * turns[0]) ** 2).mean(axis=0)
    return math.sqrt(float(np.maximum(unexplained, 0.0).sum()))


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
    spans = [(each.found, each.true) for each in _reaches(angle, target)]
    if not spans:
        spans = [(float(np.ptp(angle)), float(np.ptp(target)))]
    return math.degrees(math.sqrt(sum((a - b) ** 2 for a, b in spans) / len(spans)))


def _reaches(angle: FloatArray, target: FloatArray) -> list[Reach]:
    """Return the half-cycles of a target, found within five samples of its turns."""
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
    at = np.arange(len(target))
    return [
        Reach(
            at == a, at == b, float(np.ptp(angle[max(a - 5, 0) : b + 6])), abs(float(target[b] - target[a]))
        )
        for a, b in pairwise(turns)
    ]
