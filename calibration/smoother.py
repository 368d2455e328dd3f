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
from calibration.heading_series import AxisShift, Heading
from calibration.relative import HEADING, Moment, RelativeState, apart, move
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
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
    own
    answer is returned.
    """
    first = HeadingEstimator(calibration, rate, *pair, params=params)
    first.tape = []
    live = first.feed(frames)
    starts = [k for k, moment in enumerate(first.tape) if moment.fresh]
    if not np.isfinite(live.delta).any() or not starts or live.sigma[-1] > RESTART_SIGMA:
        return live
    second = HeadingEstimator(calibration, rate, *pair, params=params)
    second.start_from(first, _carried_back(first.tape, starts[-1]), RESTART_SIGMA)
    second.tape = []
    again = second.feed(frames)
    if not second.tape:
        return again
    states = _swept(second.tape)
    index = np.rint(frames.t * rate).astype(np.int64)
    borders = np.flatnonzero(index % second.stride == 0)
    if borders.size != len(states):
        return again
    between = _between(borders, states, live)
    shift = AxisShift(calibration)
    return shift.carry(between, shift.moved(between.axes), frames, pair)


def _carried_back(tape: list[Moment], start: int) -> FloatArray:
    """Return the turn at the beginning from the one that the filter started with at a step."""
    later = tape[start + 1 :]
    turn = _swept(later)[0].turn if later else tape[start].after.turn
    for moment in reversed(tape[: start + 1]):
        inner = quaternion.multiply(quaternion.conjugate(moment.begin), turn)
        turn = quaternion.multiply(inner, quaternion.conjugate(moment.end))
    return turn


def _swept(tape: list[Moment]) -> list[RelativeState]:
    """Return the smoothed states at the start of every step and at the end of the last."""
    states = [tape[-1].after]
    for moment in reversed(tape):
        states.append(moment.looked if moment.fresh else _one_back(moment, states[-1]))
    return states[::-1]


def _one_back(moment: Moment, later: RelativeState) -> RelativeState:
    """Return the smoothed state at the start of a step from the one at its end."""
    looked, predicted = moment.looked, moment.predicted
    moved = moment.way @ looked.covariance
    gain = np.asarray(np.linalg.solve(predicted.covariance, moved), np.float64).T
    covariance = looked.covariance + gain @ (later.covariance - predicted.covariance) @ gain.T
    state = replace(looked, covariance=0.5 * (covariance + covariance.T))
    move(state, gain @ apart(later, predicted))
    return state


def _between(borders: NDArray[np.intp], states: list[RelativeState], live: Heading) -> Heading:
    """Return the states at the borders of stretches, carried to every frame on the shorter arc."""
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
    return Heading(delta, sigma, live.observable, turn, covariance, axes)
