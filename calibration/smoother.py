"""The best estimate of a whole recording: the live estimator, run once more, then looked at backwards.

The first pass finds heading, joint centre and noise. The second starts with them at the first frame, its
covariance wide again so that no sample counts twice. The sweep back gives what that of H. E. Rauch, F. Tung
and C. T. Striebel, AIAA Journal 3:1445, 1965, gives on the estimator's own error state, but from the weight
and the pull of all later looks (A. E. Bryson and M. Frazier, 1963; G. J. Bierman, "Factorization Methods for
Discrete Sequential Estimation", 1977, chapter X): no matrix is inverted, and where a look has moved the state
too far for what is linear, the excess is not handed on to everything before.
"""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from calibration.follow import FELT, OBEYED, POSED, RETURNED, WEIGHED, Pages
from calibration.heading import HeadingEstimator
from calibration.heading_params import HeadingParams
from calibration.heading_series import AxisShift, Heading
from calibration.linear import gram, mirror, product
from calibration.relative import give_way, retreat
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
    k, pull = out.fresh.size - 1, np.zeros(out.looked_covariance.shape[2])
    while not out.fresh[k]:
        _pull_earlier(pull, out, k, dt, fade)
        k -= 1
    values = out.looked[k + 1].copy()
    give_way(values, out.looked_covariance[k + 1], pull)
    turn = quaternion_at(values)
    for each in range(k, -1, -1):
        inner = turned(conjugate(quaternion_at(begin[each])), turn)
        turn = turned(inner, conjugate(quaternion_at(end[each])))
    return turn


@compiled
def _sweep(out: Pages, dt: float, fade: float) -> FloatArray:
    """Smooth turn and axes at the borders of K stretches; return the turn's covariance, (K + 1, 3, 3)."""
    size = out.looked_covariance.shape[2]
    weight, pull = np.zeros((size, size)), np.zeros(size)
    covariances = out.looked_covariance[:, :3, :3].copy()
    for k in range(out.fresh.size - 1, -1, -1):
        if out.fresh[k]:
            weight[:], pull[:] = 0.0, 0.0
            continue
        _weigh_earlier(weight, out, k, dt, fade)
        _pull_earlier(pull, out, k, dt, fade)
        turn = out.looked_covariance[k, :3]
        covariances[k] -= gram(product(turn, weight), turn)
        give_way(out.looked[k], out.looked_covariance[k], pull)
    return covariances


@compiled
def _weigh_earlier(weight: FloatArray, out: Pages, k: int, dt: float, fade: float) -> None:
    """Take the weight of all that is seen after a stretch to before it."""
    if k + 1 < out.fresh.size:
        for rows in (WEIGHED, FELT):
            weigh_before(weight, out.notes[k + 1, rows])
    for rows in (RETURNED, POSED, OBEYED):
        weigh_before(weight, out.notes[k, rows])
    retreat(weight, dt, fade)
    retreat(weight.T, dt, fade)
    mirror(weight)


@compiled
def _pull_earlier(pull: FloatArray, out: Pages, k: int, dt: float, fade: float) -> None:
    """Take the pull of all that is seen after a stretch to before it."""
    if k + 1 < out.fresh.size:
        for rows in (WEIGHED, FELT):
            pull_before(pull, out.notes[k + 1, rows])
    for rows in (RETURNED, POSED, OBEYED):
        pull_before(pull, out.notes[k, rows])
    retreat(pull.reshape(-1, 1), dt, fade)


@compiled
def pull_before(pull: FloatArray, note: FloatArray) -> None:
    """Take the pull (SIZE,) of all that is seen after a look to before it.

    Values err by a covariance times the pull, in the light of what it stands for. With W and H as of
    `weigh_before`, and what the look was off, white, before the look it is the pull + H'(off - W pull).
    """
    size = pull.size
    if not note[0, size : 2 * size].any():
        return
    news = note[:, 2 * size].copy()
    for row in range(news.size):
        for e in range(size):
            news[row] -= note[row, e] * pull[e]
    for row in range(news.size):
        for e in range(size):
            pull[e] += news[row] * note[row, size + e]


@compiled
def weigh_before(weight: FloatArray, note: FloatArray) -> None:
    """Take the weight of all that is seen after a look to before it.

    A covariance P of the error state becomes P - P weight P in the light of what the weight stands for.
    With the look's covariance with the error state W and slope H, both white, that before it is
    H'H + (1 - H'W) weight (1 - W'H).
    """
    size = weight.shape[0]
    white, slope = note[:, :size], note[:, size : 2 * size]
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
