"""The best estimate of a whole recording: the live estimator, run once more, then looked at backwards.

The first pass finds heading, joint centre and noise. The second starts with them at the first frame, its
covariance wide again so that no sample counts twice; the sweep back is that of H. E. Rauch, F. Tung and
C. T. Striebel, AIAA Journal 3:1445, 1965, on the estimator's own error state.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.heading import Heading, HeadingEstimator, HeadingParams
from calibration.relative import HEADING, RATE, Moment, RelativeState, rotate_by
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames

RESTART_SIGMA = math.radians(30.0)
"""Heading sigma of the second pass at its start, rad: wide against what it will find, narrow enough for the
linear model of the filter."""


def smooth(
    calibration: JointCalibration,
    frames: Frames,
    rate: float,
    proximal: int = 0,
    distal: int = 1,
    params: HeadingParams | None = None,
) -> Heading:
    """Return the relative heading at every frame of a recording, each in the light of all others.

    Parameters are those of `HeadingEstimator`; where it never finds a heading, its own answer is returned.
    """
    first = HeadingEstimator(calibration, rate, proximal, distal, params)
    first.tape = []
    live = first.feed(frames)
    starts = [k for k, moment in enumerate(first.tape) if moment.fresh]
    if not np.isfinite(live.delta).any() or not starts:
        return live
    second = HeadingEstimator(calibration, rate, proximal, distal, params)
    second.start_from(first, _carried_back(first.tape, starts[-1]), RESTART_SIGMA)
    second.tape = []
    again = second.feed(frames)
    states = _swept(second.tape)
    index = np.rint(frames.t * rate).astype(np.int64)
    borders = np.flatnonzero(index % second.stride == 0)
    if len(states) < 2 or borders.size != len(states):
        return again
    return _between(borders, states, live)


def _carried_back(tape: list[Moment], start: int) -> FloatArray:
    """Return the turn at the beginning from the one that the filter started with at a step."""
    smoothed = _swept(tape[start + 1 :])
    turn = smoothed[0].turn if smoothed else tape[start].after.turn
    for moment in reversed(tape[: start + 1]):
        turn = _back(moment, turn)
    return turn


def _back(moment: Moment, turn: FloatArray) -> FloatArray:
    inner = quaternion.multiply(quaternion.conjugate(moment.begin), turn)
    return quaternion.multiply(inner, quaternion.conjugate(moment.end))


def _swept(tape: list[Moment]) -> list[RelativeState]:
    """Return the smoothed states before the first step and after each one."""
    if not tape:
        return []
    states = [tape[-1].after]
    for k in range(len(tape) - 1, -1, -1):
        moment, later = tape[k], states[-1]
        looked = replace(later, turn=_back(moment, later.turn))
        if k == 0:
            states.append(looked)
        elif moment.fresh:
            states.append(tape[k - 1].after)
        else:
            states.append(_one_back(tape[k - 1].after, moment, looked))
    return states[::-1]


def _one_back(earlier: RelativeState, moment: Moment, later: RelativeState) -> RelativeState:
    """Return the smoothed state before a step from the one after it, both in the same earth frames."""
    before = moment.before
    moved = earlier.covariance.copy()
    moved[:, HEADING] += moment.dt * moved[:, RATE]
    moved[:, RATE] *= moment.fade
    gain = np.linalg.solve(before.covariance, moved.T).T
    off = np.empty(10)
    off[:3] = quaternion.to_rotation_vector(
        quaternion.multiply(later.turn, quaternion.conjugate(before.turn))
    )
    off[RATE] = later.rate - before.rate
    off[4:] = later.centre - before.centre
    step = gain @ off
    covariance = earlier.covariance + gain @ (later.covariance - before.covariance) @ gain.T
    return replace(
        earlier,
        turn=rotate_by(step[:3], earlier.turn),
        rate=earlier.rate + float(step[RATE]),
        centre=earlier.centre + step[4:],
        covariance=0.5 * (covariance + covariance.T),
    )


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
    return Heading(delta, sigma, live.observable, turn, covariance)
