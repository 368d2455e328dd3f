"""The best estimate of a whole recording: the live estimator, run once more, then looked at backwards.

The first pass finds heading, joint centre and noise. The second starts with them at the first frame, its
covariance wide again so that no sample counts twice; the sweep back is that of H. E. Rauch, F. Tung and
C. T. Striebel, AIAA Journal 3:1445, 1965, on the estimator's own error state.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.heading import HeadingEstimator
from calibration.heading_params import HeadingParams
from calibration.heading_series import AxisShift, Heading, unmoved
from calibration.linear import backward, forward, mirror, product, root
from calibration.relative import Moment, Way, advance, apart, carry, move
from calibration.relative_state import HEADING, SIZE, RelativeState
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.compiled import compiled
from imu.sync import Frames

RESTART_SIGMA = math.radians(60.0)
"""Heading sigma of the second pass at its start, rad: wide against what it will find, narrow enough for the
linear model of the filter."""


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
    likeliest one is held throughout: two plain 6-axis orientations a constant turn apart.
    """
    first = HeadingEstimator(calibration, rate, *pair, params=params)
    first.tape = []
    live = first.feed(frames)
    starts = [k for k, moment in enumerate(first.tape) if moment.fresh]
    shift = AxisShift(calibration)
    if not np.isfinite(live.delta).any():
        held, count = first.state, len(live.delta)
        guess = replace(live, q_earth1_from_earth2=np.tile(held.turn, (count, 1)))
        return shift.carry(guess, np.tile(shift.moved(held.axes), (count, 1, 1)), frames, pair)
    if not starts or live.sigma[-1] > RESTART_SIGMA:
        return live
    second = HeadingEstimator(calibration, rate, *pair, params=params)
    second.start_from(first, _carried_back(first.tape, starts[-1], first.state), RESTART_SIGMA)
    second.tape = []
    again = second.feed(frames)
    if not second.tape:
        return again
    states = _swept(second.tape, second.state)
    index = np.rint(frames.t * rate).astype(np.int64)
    borders = np.flatnonzero(index % second.stride == 0)
    if borders.size != len(states):
        return again
    between, at = _between(borders, states, live)
    moved = shift.moved(np.stack([state.axes for state in states]))
    return shift.carry(between, moved[at], frames, pair)


def _carried_back(tape: list[Moment], start: int, end: RelativeState) -> FloatArray:
    """Return the turn at the beginning from the one that the filter started with at a step."""
    values = end.values
    for moment in reversed(tape[start + 1 :]):
        later, values = values, moment.looked.values.copy()
        if not moment.fresh:
            _values_back(values, moment.looked.covariance, moment.way, moment.predicted, later)
    turn = values[:4]
    for moment in reversed(tape[: start + 1]):
        inner = quaternion.multiply(quaternion.conjugate(moment.begin), turn)
        turn = quaternion.multiply(inner, quaternion.conjugate(moment.end))
    return turn


def _swept(tape: list[Moment], end: RelativeState) -> list[RelativeState]:
    """Return the smoothed states at the start of every step and at the end of the last, which is known."""
    states = [end]
    for moment in reversed(tape):
        later, state = states[-1], moment.looked.copy()
        if not moment.fresh:
            _back(
                *(state.values, state.covariance, moment.way, moment.predicted),
                *(later.values, later.covariance),
            )
        states.append(state)
    return states[::-1]


@compiled
def _values_back(
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
def _back(  # noqa: PLR0917 -- a compiled function has no keywords
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
    for row in range(SIZE):
        for i in range(SIZE):
            for j in range(i, SIZE):
                covariance[i, j] += gain[row, i] * gained[row, j]
    mirror(covariance)


@compiled
def _pull(values: FloatArray, by: FloatArray, ahead: FloatArray) -> None:
    """Move values by the transpose of a matrix (SIZE, SIZE) times an error vector."""
    step = np.zeros(SIZE)
    for row in range(SIZE):
        for e in range(SIZE):
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
    borders: NDArray[np.intp], states: list[RelativeState], live: Heading
) -> tuple[Heading, NDArray[np.intp]]:
    """Return the states at the borders of stretches, carried to every frame on the shorter arc.

    Also the border before each frame, (M,).
    """
    turns = np.stack([state.turn for state in states])
    covariances = np.stack([state.covariance[:3, :3] for state in states])
    count = len(live.delta)
    at = np.clip(np.searchsorted(borders, np.arange(count), side="right") - 1, 0, len(states) - 2)
    share = np.clip((np.arange(count) - borders[at]) / (borders[at + 1] - borders[at]), 0.0, 1.0)
    turn = quaternion.slerp(turns[at], turns[at + 1], share)
    covariance = covariances[at] + share[:, None, None] * (covariances[at + 1] - covariances[at])
    delta = quaternion.wrap(2.0 * np.arctan2(turn[:, 3], turn[:, 0]))
    sigma = np.sqrt(np.maximum(covariance[:, HEADING, HEADING], 0.0))
    axes = np.stack([state.axes for state in states])[at]
    return Heading(delta, sigma, live.observable, turn, covariance, axes, unmoved(count)), at
