"""The best estimate of a whole recording: the live estimator, run once more, then looked at backwards.

The first pass finds heading, joint centre and noise. The second starts with them at the first frame, its
covariance wide again so that no sample counts twice; the sweep back is that of H. E. Rauch, F. Tung and
C. T. Striebel, AIAA Journal 3:1445, 1965, on the estimator's own error state.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.follow import Tape
from calibration.heading import HeadingEstimator
from calibration.heading_params import HeadingParams
from calibration.heading_series import AxisShift, Heading, unmoved
from calibration.linear import backward, forward, mirror, product, root
from calibration.relative import Way, advance, apart, carry, move
from calibration.relative_state import HEADING
from calibration.rotation import (
    Quaternion,
    conjugate,
    heading_of,
    put_quaternion,
    quaternion_at,
    scaled,
    turn_about,
    vector_of,
)
from calibration.rotation import product as turned
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.compiled import compiled, sequential
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
    live = first.feed(frames)
    shift = AxisShift(calibration)
    if not np.isfinite(live.delta).any():
        held, count = first.state, len(live.delta)
        guess = replace(live, q_earth1_from_earth2=np.tile(held.turn, (count, 1)))
        return shift.carry(guess, np.tile(shift.moved(held.axes), (count, 1, 1)), frames, pair)
    starts = [k for tape in first.tape for k in np.flatnonzero(tape.pages.fresh).tolist()]
    if not starts or live.sigma[-1] > RESTART_SIGMA:
        return live
    begun = _carried_back(first.tape[0], starts[-1], first.state.values)
    second = HeadingEstimator(calibration, rate, *pair, params=params)
    sigma = frames.gyr_bias_sigma[:, list(pair)]
    known = np.flatnonzero(np.isfinite(sigma).all(axis=1))
    bias = math.hypot(*sigma[known[0]]) if known.size else math.inf
    second.start_from(first, np.array(begun), RESTART_SIGMA, bias)
    first.tape, second.tape = None, []
    again = second.feed(frames)
    if not second.tape:
        return again
    pages = second.tape[0].pages
    pages.looked[-1], pages.looked_covariance[-1] = second.state.values, second.state.covariance
    turns, sigma = pages.looked[:, :4].copy(), np.sqrt(pages.looked_covariance[:, HEADING, HEADING])
    _sweep(second.tape[0])
    states = pages.looked
    back = quaternion.multiply(states[:, :4], quaternion.conjugate(turns))
    off = np.abs(quaternion.wrap(2.0 * np.arctan2(back[:, 3], back[:, 0])))
    if (off > np.maximum(LINEAR, 3.0 * sigma)).any():
        return live
    index = np.rint(frames.t * rate).astype(np.int64)
    borders = np.flatnonzero(index % second.stride == 0)
    if borders.size != len(states):
        return again
    first_border = int(borders[0])
    between, at = _between(first_border, second.stride, states, pages.looked_covariance[:, :3, :3], live)
    moved = shift.moved(states[:, 23:29].reshape(-1, 2, 3))
    return shift.carry(between, moved[at], frames, pair)


@compiled
def _carried_back(tape: Tape, start: int, end: FloatArray) -> Quaternion:
    """Return the turn at the beginning from the one that the filter started with at a step.

    `end` (VALUES,) is the values at the end of the last.
    """
    t, values = tape.pages, end
    for k in range(t.fresh.size - 1, start, -1):
        later, values = values, t.looked[k].copy()
        if not t.fresh[k]:
            way = Way(tape.dt, tape.fade, t.swept[k], t.noise[k])
            values_back(values, t.looked_covariance[k], way, t.predicted[k], later)
    turn = quaternion_at(values)
    for k in range(start, -1, -1):
        inner = turned(conjugate(quaternion_at(tape.begin[k])), turn)
        turn = turned(inner, conjugate(quaternion_at(tape.end[k])))
    return turn


@compiled
def _sweep(tape: Tape) -> None:
    """Smooth the states at the start of every step; the one at the end of the last is known."""
    t = tape.pages
    for k in range(t.fresh.size - 1, -1, -1):
        if not t.fresh[k]:
            way = Way(tape.dt, tape.fade, t.swept[k], t.noise[k])
            later, later_covariance = t.looked[k + 1], t.looked_covariance[k + 1]
            state_back(t.looked[k], t.looked_covariance[k], way, t.predicted[k], later, later_covariance)


@compiled
def values_back(
    values: FloatArray, covariance: FloatArray, way: Way, predicted: FloatArray, later: FloatArray
) -> None:
    """Move the values at the start of a step by what its end was found to be away from its prediction.

    With the transition F and the predicted covariance M of a covariance P, that is P F' M^-1 times it.
    """
    moved, foreseen = _foreseen(covariance, way)
    upper = root(foreseen)
    pull = backward(upper, forward(upper, apart(later, predicted).reshape(-1, 1)))
    _pull(values, moved, pull[:, 0])


@compiled
def state_back(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    way: Way,
    predicted: FloatArray,
    later: FloatArray,
    later_covariance: FloatArray,
) -> None:
    """Do that, and add G (later - M) G' to the covariance P, where G = P F' M^-1."""
    moved, foreseen = _foreseen(covariance, way)
    upper = root(foreseen)
    gain = backward(upper, forward(upper, moved))
    _pull(values, gain, apart(later, predicted))
    gained = product(later_covariance - foreseen, gain)
    for row in range(gain.shape[0]):
        for i in range(covariance.shape[0]):
            for j in range(i, covariance.shape[0]):
                covariance[i, j] += gain[row, i] * gained[row, j]
    mirror(covariance)


@compiled
def _pull(values: FloatArray, by: FloatArray, ahead: FloatArray) -> None:
    """Move values by the transpose of a matrix times an error vector."""
    step = np.zeros(ahead.size)
    for row in range(ahead.size):
        for e in range(ahead.size):
            step[e] += by[row, e] * ahead[row]
    move(values, step)


@compiled
def _foreseen(covariance: FloatArray, way: Way) -> tuple[FloatArray, FloatArray]:
    """Return F P and the predicted covariance M of a covariance P."""
    dt, fade, swept, noise = way
    moved, foreseen = covariance.copy(), covariance.copy()
    advance(moved, dt, fade, swept)
    carry(foreseen, dt, fade, swept, noise)
    return moved, foreseen


def _between(
    first: int, stride: int, states: FloatArray, covariances: FloatArray, live: Heading
) -> tuple[Heading, NDArray[np.intp]]:
    """Return the states at the borders of stretches, carried to every frame on the shorter arc.

    The first border is at a frame, then each `stride` frames. Also the border before each frame, (M,).
    """
    rows = np.empty((len(live.delta), 16))
    _blend(states, covariances, first, stride, rows)
    at = rows[:, 15].astype(np.intp)
    covariance = rows[:, 6:15].reshape(-1, 3, 3)
    axes = states[at, 23:29].reshape(-1, 2, 3)
    shown = unmoved(len(rows))
    return Heading(rows[:, 0], rows[:, 1], live.observable, rows[:, 2:6], covariance, axes, shown), at


@sequential("(k,v),(k,c,c),(),()->(n,r)")
def _blend(
    states: FloatArray, covariances: FloatArray, first: float, stride: float, rows: FloatArray
) -> None:
    """Fill heading, its sigma, turn 4, covariance 9 and the border before each frame."""
    for i in range(len(rows)):
        row, place = rows[i], (i - first) / stride
        k = min(max(math.floor(place), 0), len(states) - 2)
        share = min(max(place - k, 0.0), 1.0)
        start = quaternion_at(states[k])
        way = vector_of(turned(quaternion_at(states[k + 1]), conjugate(start)))
        put_quaternion(row[2:], turned(turn_about(scaled(way, share)), start))
        for e in range(9):
            before, after = covariances[k, e // 3, e % 3], covariances[k + 1, e // 3, e % 3]
            row[6 + e] = before + share * (after - before)
        row[0], row[1], row[15] = heading_of(row[2:]), math.sqrt(max(row[14], 0.0)), k
