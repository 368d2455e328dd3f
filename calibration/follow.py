"""Walk through stretches between two decisions in one compiled call: feel, let time pass, obey the axes.

What has to be decided in between, a first heading, axes found in the past, the neutral pose, is the business
of `calibration.heading`; a run ends where there may be something to decide.
"""

import math
from typing import NamedTuple, Self

import numpy as np

from calibration.acquire import speak
from calibration.evidence import carrying_row, hinge_rows, seen
from calibration.heading_params import HeadingParams
from calibration.heading_series import SHOWN, row_of
from calibration.relative import axis_rows, feel, look, predict
from calibration.relative_state import (
    AXES,
    HEADING,
    NOTED,
    SIZE,
    TURN,
    VALUES,
    RelativeParams,
    Stretch,
)
from calibration.segment import JointCalibration
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled


class Stretches(NamedTuple):
    """K consecutive stretches of two sensors, as in `intake.Intake`."""

    begin: FloatArray
    end: FloatArray
    force: FloatArray
    lever: FloatArray
    carried: FloatArray
    turned: FloatArray
    known: BoolArray
    upper: FloatArray
    lower: FloatArray
    bias: FloatArray
    seconds: float


class Law(NamedTuple):
    """What holds for a joint throughout.

    Parameters
    ----------
    centre_fixed, brisk
        Whether forces speak of heading, and the horizontal force, m/s^2, from which on they do so clearly.
    hinge, carrying
        Whether it has one axis; else the constant angle between its two, rad.
    axis_variance, carrying_variance
        Of the axes as calibrated and of that angle, rad^2.
    inflation, lasting
        How many stretches an error of the joint's motion lasts, and one of the axes themselves.
    least_level
        Least product of the horizontal parts of the axes at which they speak of heading.
    least_variance, share
        The least that can be learnt of the joint's motion outside its axes, rad^2, and how much of it in one
        stretch.
    recent
        For how long evidence counts as speaking, s.
    """

    centre_fixed: bool
    brisk: float
    hinge: bool
    carrying: float
    axis_variance: float
    carrying_variance: float
    inflation: float
    lasting: float
    least_level: float
    least_variance: float
    share: float
    recent: float

    @classmethod
    def of(cls, joint: JointCalibration, params: HeadingParams, seconds: float) -> Self:
        """Return the law of a joint whose stretches last so long, s."""
        return cls(
            centre_fixed=joint.centre_fixed,
            brisk=params.brisk,
            hinge=joint.freedom == 1,
            carrying=joint.carrying,
            axis_variance=known_variance(joint.axis_sigma),
            carrying_variance=known_variance(joint.carrying_sigma),
            inflation=max(1.0, 2.0 * params.evidence_time / seconds),
            lasting=max(1.0, 2.0 * params.axis_time / seconds),
            least_level=params.horizontal_floor,
            least_variance=params.hinge_floor**2,
            share=seconds / params.hinge_memory,
            recent=params.recent,
        )


def known_variance(sigma: float) -> float:
    """Return the square of a sigma; 0 where there is none."""
    return sigma * sigma if math.isfinite(sigma) else 0.0


class Pages(NamedTuple):
    """What is written down of K stretches.

    Parameters
    ----------
    shown : (K + 1, SHOWN)
        What is known before each stretch and after the last, as of `heading_series.row_of`.
    fresh : (K,)
        Whether a stretch started anew, so that nothing may be carried back across it.
    looked : (K + 1, VALUES), looked_covariance : (K + 1, 9, SIZE)
        The state after the forces at the start of each, with a last row for the end, and how its turn and its
        axes vary with all of it; as what follows without rows if nobody asks.
    notes : (K, LOOKS, NOTED)
        What `relative.look` notes of every look: of the forces (5 rows, before what `looked` holds), then of
        the axes (3), the neutral pose and a posture that comes back. Zero where there was none;
        (K, 0, NOTED) if nobody asks.
    """

    shown: FloatArray
    fresh: BoolArray
    looked: FloatArray
    looked_covariance: FloatArray
    notes: FloatArray


FORCES, FELT, WEIGHED, OBEYED, POSED, RETURNED, LOOKS = (
    *(slice(0, 5), slice(0, 3), slice(3, 5), slice(5, 8), slice(8, 9), slice(9, 10)),
    10,
)
"""Rows of the notes of a stretch."""


def pages(count: int, *, taped: bool) -> Pages:
    """Return empty pages for so many stretches, with what hindsight needs if it was asked for."""
    kept = count if taped else 0
    return Pages(
        np.empty((count + 1, SHOWN)),
        np.zeros(count, dtype=np.bool_),
        np.empty((kept + taped, VALUES)),
        np.empty((kept + taped, 9, SIZE)),
        np.zeros((count, LOOKS if taped else 0, NOTED)),
    )


@compiled
def follow(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    table: FloatArray,
    memory: tuple[float, float],
    known: bool,
    s: Stretches,
    run: tuple[int, int],
    params: RelativeParams,
    law: Law,
    believed: FloatArray,
    hidden: float,
    out: Pages,
) -> tuple[float, float]:
    """Take a run of stretches: `pass_time` and then `obey` for each.

    `hidden` is heading variance that the state has no part in, rad^2.
    """
    since, variance = memory
    for k in range(run[0], run[1]):
        since = pass_time(values, covariance, since, known, s, k, params, law, out)
        since, variance = obey(values, covariance, table, (since, variance), known, s, k, law, believed, out)
        out.shown[k + 1] = row_of(values, covariance, hidden, known, since < law.recent)
    return since, variance


@compiled
def pass_time(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    since: float,
    known: bool,
    s: Stretches,
    k: int,
    params: RelativeParams,
    law: Law,
    out: Pages,
) -> float:
    """Feel the forces of a stretch and let its time pass; return for how long no evidence has spoken, s."""
    since += s.seconds
    stretch = Stretch(s.force[k], s.lever[k], s.carried[k], s.begin[k], s.end[k], s.turned[k], s.seconds)
    if known and s.known[k]:
        feel(values, covariance, params, stretch, law.centre_fixed, out.notes[k, FORCES])
        if law.centre_fixed and math.hypot(s.force[k, 0, 0], s.force[k, 0, 1]) > law.brisk:
            since = 0.0
    taped = out.looked.shape[0] > 0
    if taped:
        write_down(values, covariance, k, out)
    rate_sigma = min(s.bias[k], params.rate_sigma) if math.isfinite(s.bias[k]) else params.rate_sigma
    predict(values, covariance, params, stretch, rate_sigma)
    return since


@compiled
def write_down(values: FloatArray, covariance: FloatArray, k: int, out: Pages) -> None:
    """Write down what `looked` holds of a state."""
    out.looked[k] = values
    out.looked_covariance[k, :3], out.looked_covariance[k, 3:] = covariance[TURN], covariance[AXES]


@compiled
def obey(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    table: FloatArray,
    memory: tuple[float, float],
    known: bool,
    s: Stretches,
    k: int,
    law: Law,
    believed: FloatArray,
    out: Pages,
) -> tuple[float, float]:
    """Let the joint's axes speak at the end of a stretch: on the circle, and to the turn that is followed.

    `memory` is for how long no evidence has spoken, s, and the learnt variance of the joint's motion outside
    its axes, rad^2; both are returned as they are afterwards.
    """
    since, variance = memory
    upper, lower = s.upper[k], s.lower[k]
    if math.isnan(believed[0, 0] + upper[0, 0] + lower[0, 0]):
        return since, variance
    weakened = variance * law.inflation + law.carrying_variance * law.lasting
    first, second = seen(upper, believed[0]), seen(lower, believed[1])
    level = math.hypot(first[0], first[1]) * math.hypot(second[0], second[1]) > law.least_level
    if level:
        sigma = math.sqrt(variance + law.axis_variance)
        if law.hinge:
            for each in hinge_rows(first, second, sigma):
                speak(table, each, law.inflation)
        else:
            speak(table, carrying_row(first, second, law.carrying, sigma), law.lasting)
        since = 0.0
    if not known:
        return since, variance
    error, slope = axis_rows(values, upper, lower, law.carrying)
    size = 0.0
    for row in range(error.size):
        size += error[row] * error[row] / (2.0 if law.hinge else 1.0)
        if not level:
            slope[row, HEADING] = 0.0
    trust = max(1.0, math.sqrt(size / (weakened / law.inflation)) / 2.0)
    note = out.notes[k, OBEYED]
    look(values, covariance, slope, error.reshape(-1, 1), weakened * trust, note)
    learnt = min(max(size, law.least_variance), 9.0 * variance)
    return since, variance + (learnt - variance) * law.share
