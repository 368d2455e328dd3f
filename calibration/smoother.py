"""The best estimate of a whole recording: the live estimator, run once more, then looked at backwards.

The first pass finds heading, joint centre and noise. The second starts with them at the first frame, its
covariance wide again so that no sample counts twice. The sweep back gives what that of H. E. Rauch, F. Tung
and C. T. Striebel, AIAA Journal 3:1445, 1965, gives on the estimator's own error state; the covariance,
which takes most of the time there, comes from the weight of all later looks instead (A. E. Bryson and M.
Frazier, 1963; G. J. Bierman, "Factorization Methods for Discrete Sequential Estimation", 1977, chapter X).
"""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from calibration.follow import FELT, OBEYED, POSED, RETURNED, WEIGHED, Pages
from calibration.heading import HeadingEstimator
from calibration.heading_params import HeadingParams
from calibration.heading_series import AxisShift, Heading
from calibration.linear import backward, forward, gram, mirror, product, root
from calibration.relative import Way, apart, carry, move, retreat
from calibration.relative_state import HEADING
from calibration.rotation import (
    Quaternion,
    conjugate,
    quaternion_at,
)
from calibration.rotation import product as turned
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.compiled import compiled
from imu.sync import Frames

RESTART_SIGMA = math.radians(60.0)
"""Heading sigma of the second pass at its start, rad: wide against what it will find, narrow enough for the
linear model of the filter."""

LINEAR = math.radians(20.0)
"""How far hindsight may turn the heading, rad. Beyond that, and beyond three sigma, the linear model fails
(1 - cos is 6 %): what it errs in offsets it pays back in heading, and more with every step back."""


def smooth(
    calibration: JointCalibration,
    frames: Frames,
    rate: float,
    pair: tuple[int, int] = (0, 1),
    *,
    params: HeadingParams | None = None,
) -> Heading:
    """Return the relative heading at every frame of a recording, each in the light of all others.

    Parameters are those of `HeadingEstimator`, `pair` its two sensors; where it never finds a heading, its
    likeliest one is held throughout: two plain 6-axis orientations a constant turn apart. Where hindsight
    would turn the heading by more than it can (`LINEAR`), every instant knows those before it only.
    """
    first = HeadingEstimator(calibration, rate, *pair, params=params)
    first.tape = []
    shown, moved, span = first.take(frames)
    shift = AxisShift(calibration)
    live = partial(shift.at_frames, frames, pair, shown, moved, span)
    if not np.isfinite(shown[:, 0]).any():
        held, count = first.state, len(frames)
        guess = replace(live(), q_earth1_from_earth2=np.tile(held.turn, (count, 1)))
        return shift.carry(guess, np.tile(shift.moved(held.axes), (count, 1, 1)), frames, pair)
    if not first.tape or shown[-1, 1] > RESTART_SIGMA:
        return live()
    pages, inputs, fields = first.tape.pop()
    fade = math.exp(-first.seconds / first.params.relative.rate_time)
    begun = _carried_back(pages, inputs.begin, inputs.end, first.seconds, fade)
    del pages
    second = HeadingEstimator(calibration, rate, *pair, params=params)
    sigma = frames.gyr_bias_sigma[:, list(pair)]
    known = np.flatnonzero(np.isfinite(sigma).all(axis=1))
    bias = math.hypot(*sigma[known[0]]) if known.size else math.inf
    second.start_from(first, np.array(begun), RESTART_SIGMA, bias)
    second.tape = []
    second.retrace(inputs, fields)
    pages = second.tape.pop().pages
    states, turns = pages.looked, pages.looked[:, :4].copy()
    sigma = np.sqrt(pages.looked_covariance[:, HEADING, HEADING])
    covariances = _sweep(pages, second.seconds, fade)
    back = quaternion.multiply(states[:, :4], quaternion.conjugate(turns))
    off = np.abs(quaternion.wrap(2.0 * np.arctan2(back[:, 3], back[:, 0])))
    if (off > np.maximum(LINEAR, 3.0 * sigma)).any():
        return live()
    return shift.between(frames, pair, states, covariances, shown[:, 2] > 0.0, span)


@compiled
def _carried_back(out: Pages, begin: FloatArray, end: FloatArray, dt: float, fade: float) -> Quaternion:
    """Return the turn at the beginning, from where the filter started last and all that it saw since.

    `begin`, `end` (K, 4) turn the two earth frames in each stretch.
    """
    k, values = out.fresh.size - 1, out.looked[-1]
    while not out.fresh[k]:
        later, values = values, out.looked[k].copy()
        way = Way(dt, fade, out.swept[k], out.noise[k])
        values_back(values, out.looked_covariance[k], way, out.predicted[k], later)
        k -= 1
    turn = quaternion_at(values)
    for each in range(k, -1, -1):
        inner = turned(conjugate(quaternion_at(begin[each])), turn)
        turn = turned(inner, conjugate(quaternion_at(end[each])))
    return turn


@compiled
def _sweep(out: Pages, dt: float, fade: float) -> FloatArray:
    """Smooth the values at the borders of K stretches; return the covariance of their turn, (K + 1, 3, 3)."""
    weight = np.zeros_like(out.looked_covariance[0])
    covariances = out.looked_covariance[:, :3, :3].copy()
    for k in range(out.fresh.size - 1, -1, -1):
        if out.fresh[k]:
            weight[:] = 0.0
            continue
        if k + 1 < out.fresh.size:
            for rows in (WEIGHED, FELT):
                weigh_before(weight, out.notes[k + 1, rows])
        for rows in (RETURNED, POSED, OBEYED):
            weigh_before(weight, out.notes[k, rows])
        retreat(weight, dt, fade, out.swept[k])
        retreat(weight.T, dt, fade, out.swept[k])
        mirror(weight)
        turn, way = out.looked_covariance[k, :3], Way(dt, fade, out.swept[k], out.noise[k])
        covariances[k] -= gram(product(turn, weight), turn)
        values_back(out.looked[k], out.looked_covariance[k], way, out.predicted[k], out.looked[k + 1])
    return covariances


@compiled
def values_back(
    values: FloatArray, covariance: FloatArray, way: Way, predicted: FloatArray, later: FloatArray
) -> None:
    """Move the values at the start of a step by what its end was found to be away from its prediction.

    With the transition F and the predicted covariance M of a covariance P, that is P F' M^-1 times it.
    """
    foreseen = covariance.copy()
    carry(foreseen, way.dt, way.fade, way.swept, way.noise)
    upper = root(foreseen)
    pull = backward(upper, forward(upper, apart(later, predicted).reshape(-1, 1)))
    retreat(pull, way.dt, way.fade, way.swept)
    move(values, product(covariance, pull)[:, 0])


@compiled
def weigh_before(weight: FloatArray, note: FloatArray) -> None:
    """Take the weight of all that is seen after a look to before it.

    A covariance P of the error state becomes P - P weight P in the light of what the weight stands for.
    With the look's covariance with the error state W and slope H, both white, that before it is
    H'H + (1 - H'W) weight (1 - W'H).
    """
    size = weight.shape[0]
    white, slope = note[:, :size], note[:, size:]
    if not slope[0].any():
        return
    across = product(white, weight)
    both = gram(across, white)
    for row in range(note.shape[0]):
        both[row, row] += 1.0
        for other in range(note.shape[0]):
            half = 0.5 * both[row, other]
            for e in range(size):
                across[row, e] -= half * slope[other, e]
    for row in range(note.shape[0]):
        for i in range(size):
            by, of = slope[row, i], across[row, i]
            for e in range(size):
                weight[i, e] -= by * across[row, e] + of * slope[row, e]
