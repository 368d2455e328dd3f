"""Follow the turn between two sensors' earth frames: heading, relative tilt, and what corrupts them.

Error state: small rotation of that turn (3, rad, in the proximal sensor's earth frame), heading rate
(1, rad/s), place of each sensor from the joint centre (3 + 3, m), offset of each accelerometer (3 + 3,
m/s^2), direction of the joint's axis in each segment (3 + 3, rad: with a still proximal segment it is one
freedom with the heading, so both are held together).
Between looks the turn follows both gyroscopes alone, so that no linear acceleration enters it; gravity and
every acceleration of the common joint centre then correct it, because both sensors must feel the same force
there. That relation is the one of F. J. Wenk and U. Frese, IROS 2015, and of I. Weygers and M. Kok, IEEE
Sensors J. 20:10571, 2020; its noise is learnt from its own residuals, so that a rigid rig and a soft thigh
are each believed as deserved.
"""

import math

import numpy as np

from calibration.linear import forward, gram, lose, mirror, product, root
from calibration.relative_state import (
    AXES,
    CENTRE,
    HEADING,
    OFFSET,
    POSTURES,
    RATE,
    SIZE,
    TURN,
    RelativeParams,
    Stretch,
)
from calibration.rotation import (
    Place,
    Vector,
    applied,
    cross,
    cross_matrix,
    dot,
    matrix_at,
    matrix_of,
    minus,
    plus,
    put,
    put_matrix,
    put_quaternion,
    quaternion_at,
    rotate_by,
    scaled,
    stretched,
    times,
    transposed,
    vector_at,
)
from calibration.rotation import product as then
from imu.block import STANDARD_GRAVITY, FloatArray
from imu.compiled import compiled

_CENTRE1, _CENTRE2, _OFFSET1, _OFFSET2, _AXIS1, _AXIS2 = np.arange(RATE + 1, AXES.stop, 3)
"""Where the vectors of the error state begin, proximal and distal; `RelativeState.values` has each one place
later. As numpy's integers they are not built into what is compiled, which is compiled once for all."""

_FORCE_VARIANCE, _FORCE_ECHO, _LAST_ERROR = 25, 26, 27
"""What else `RelativeState.values` has."""


@compiled
def predict(
    values: FloatArray,
    covariance: FloatArray,
    p: RelativeParams,
    stretch: Stretch,
    rate_sigma: float,
) -> None:
    """Let the time of a stretch pass, with what the sensors did in it."""
    dt = stretch.seconds
    fade = math.exp(-dt / p.rate_time)
    turn = rotate_by((0.0, 0.0, values[RATE + 1] * dt), quaternion_at(values))
    values[RATE + 1] *= fade
    put_quaternion(values, then(quaternion_at(stretch.begin), then(turn, quaternion_at(stretch.end))))
    turned = math.hypot(stretch.turned[0], stretch.turned[1])
    noise = np.zeros(SIZE)
    noise[TURN] = p.drift**2 * dt + (p.scale * turned) ** 2 * max(1.0, p.scale_time / dt)
    noise[RATE] = rate_sigma**2 * (1.0 - fade * fade)
    noise[CENTRE] = p.lever_walk**2 * dt
    noise[OFFSET] = p.offset_walk**2 * dt
    noise[AXES] = p.axis_walk**2 * dt
    noise[POSTURES] = p.posture_walk**2 * dt
    carry(covariance, dt, fade, noise)


@compiled
def _held(values: FloatArray, place: Place) -> Vector:
    """Return the vector that is at a place of the error state."""
    return vector_at(values, place + 1)


@compiled
def advance(rows: FloatArray, dt: float, fade: float) -> None:
    """Take rows (SIZE, n) of the error state through a stretch.

    All stays as it was, but that the rate of the heading turns the heading for dt seconds, after which a part
    of it is left.
    """
    for j in range(rows.shape[1]):
        rows[HEADING, j] += dt * rows[RATE, j]
        rows[RATE, j] *= fade


@compiled
def retreat(rows: FloatArray, dt: float, fade: float) -> None:
    """Take rows (SIZE, n) through the transpose of that: what is told of the end, back to the beginning."""
    for j in range(rows.shape[1]):
        rows[RATE, j] = fade * rows[RATE, j] + dt * rows[HEADING, j]


@compiled
def carry(covariance: FloatArray, dt: float, fade: float, noise: FloatArray) -> None:
    """Take a covariance (SIZE, SIZE) through a stretch: its rows, then its columns, then variances added."""
    advance(covariance, dt, fade)
    for j in range(SIZE):
        covariance[j, HEADING] += dt * covariance[j, RATE]
        covariance[j, RATE] *= fade
    mirror(covariance)
    for e in range(SIZE):
        covariance[e, e] += noise[e]


@compiled
def feel(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    p: RelativeParams,
    stretch: Stretch,
    centre_fixed: bool,
    note: FloatArray,
) -> None:
    """Take the forces of a stretch; `note` (5, NOTED) as of `look`.

    Where the joint's centre travels, or the level force is no larger than what two accelerometers may make
    up, they say nothing about heading: such errors turn with their segments and would add up to one.
    """
    c = matrix_of(quaternion_at(values))
    f1, l1, m1 = vector_at(stretch.force[0]), matrix_at(stretch.lever[0]), matrix_at(stretch.carried[0])
    f2 = applied(c, vector_at(stretch.force[1]))
    l2, m2 = times(c, matrix_at(stretch.lever[1])), times(c, matrix_at(stretch.carried[1]))
    own = plus(applied(l1, _held(values, _CENTRE1)), applied(m1, _held(values, _OFFSET1)))
    other = plus(applied(l2, _held(values, _CENTRE2)), applied(m2, _held(values, _OFFSET2)))
    felt = minus(f2, other)
    error = minus(minus(f1, own), felt)
    slope = np.zeros((3, SIZE))
    put_matrix(slope, 0, cross_matrix(scaled(felt, -1.0)))
    if not centre_fixed or math.hypot(f1[0], f1[1]) < p.force_start:
        for i in range(3):
            slope[i, HEADING] = 0.0
    put_matrix(slope, _CENTRE1, l1)
    put_matrix(slope, _CENTRE2, stretched(l2, -1.0))
    put_matrix(slope, _OFFSET1, m1)
    put_matrix(slope, _OFFSET2, stretched(m2, -1.0))
    across = product(slope, covariance)
    total = gram(across, slope)
    size = dot(error, error) / 3.0
    spread = (total[0, 0] + total[1, 1] + total[2, 2]) / 3.0
    low, high = p.force_echo
    echo = min(max(values[_FORCE_ECHO] / values[_FORCE_VARIANCE], low), high)
    noise = values[_FORCE_VARIANCE] * (1.0 + echo) / (1.0 - echo)
    surprise = size / (noise + spread)
    if surprise > 4.0:
        noise *= math.sqrt(surprise) / 2.0
    learnt = min(max(size - spread, p.force_floor**2), 9.0 * values[_FORCE_VARIANCE])
    share = min(1.0, stretch.seconds / p.force_memory)
    values[_FORCE_VARIANCE] += (learnt - values[_FORCE_VARIANCE]) * share
    alike = dot(error, vector_at(values, _LAST_ERROR)) / 3.0
    values[_FORCE_ECHO] += (max(-learnt, min(alike, learnt)) - values[_FORCE_ECHO]) * share
    put(values, _LAST_ERROR, error)
    column = np.empty((3, 1))
    for i in range(3):
        column[i, 0] = error[i]
        total[i, i] += noise
    _correct(values, covariance, slope, across, total, column, note[:3])
    if max(stretch.turned[0], stretch.turned[1]) < p.quiet_rate * stretch.seconds:
        _weigh(values, covariance, p, stretch, note[3:])


@compiled
def _weigh(
    values: FloatArray, covariance: FloatArray, p: RelativeParams, stretch: Stretch, note: FloatArray
) -> None:
    """Take the vertical force of both quiet segments: it is gravity, and the offsets'."""
    slope, error = np.zeros((2, SIZE)), np.empty((2, 1))
    for k in range(2):
        up = vector_at(stretch.carried[k, 2])
        put(slope[k], _OFFSET1 + 3 * k, up)
        offset = dot(up, _held(values, _OFFSET1 + 3 * k))
        error[k, 0] = stretch.force[k, 2] - STANDARD_GRAVITY - offset
    lasting = max(1.0, 2.0 * p.force_time / stretch.seconds)
    look(values, covariance, slope, error, p.quiet_sigma**2 * lasting, note)


@compiled
def look(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    slope: FloatArray,
    error: FloatArray,
    variance: float,
    note: FloatArray,
) -> None:
    """Take rows with their errors (n, 1), whose slope is (n, SIZE), with a variance of each.

    `note` (n or more, NOTED) is filled for hindsight; it is without rows if nobody asks.
    """
    across = product(slope, covariance)
    total = gram(across, slope)
    for row in range(error.shape[0]):
        total[row, row] += variance
    _correct(values, covariance, slope, across, total, error, note)


@compiled
def axis_rows(
    values: FloatArray, upper: FloatArray, lower: FloatArray, carrying: float
) -> tuple[FloatArray, FloatArray]:
    """Return what the joint's axes demand: error (n,), slope (n, SIZE).

    Parameters
    ----------
    upper, lower : (3, 3)
        Segment to earth, each in its sensor's own earth frame.
    carrying
        Constant angle between two axes, rad; NaN for a hinge, whose axis is one seen from both segments.
    """
    one, two = _held(values, _AXIS1), _held(values, _AXIS2)
    to_earth = matrix_at(upper)
    turned = times(matrix_of(quaternion_at(values)), matrix_at(lower))
    u, v = applied(to_earth, one), applied(turned, two)
    if math.isnan(carrying):
        error, slope = np.empty(3), np.zeros((3, SIZE))
        put(error, 0, minus(u, v))
        put_matrix(slope, 0, cross_matrix(scaled(v, -1.0)))
        put_matrix(slope, _AXIS1, times(to_earth, cross_matrix(one)))
        put_matrix(slope, _AXIS2, times(turned, cross_matrix(scaled(two, -1.0))))
    else:
        error, slope = np.empty(1), np.zeros((1, SIZE))
        error[0] = math.cos(carrying) - dot(u, v)
        put(slope[0], 0, cross(v, u))
        put(slope[0], _AXIS1, cross(one, applied(transposed(to_earth), v)))
        put(slope[0], _AXIS2, cross(two, applied(transposed(turned), u)))
    return error, slope


@compiled
def _correct(  # noqa: PLR0917 -- a compiled function has no keywords
    values: FloatArray,
    covariance: FloatArray,
    slope: FloatArray,
    across: FloatArray,
    total: FloatArray,
    error: FloatArray,
    note: FloatArray,
) -> None:
    """Apply one linear correction.

    Parameters
    ----------
    slope, across, total
        Slope of the rows (n, SIZE), their covariance with the error state (n, SIZE) and each other (n, n).
    error : (n, 1)
        Theirs.
    note
        As of `look`.

    Notes
    -----
    With `total` = U'U and W = U'^-1 across, gain times error is W'(U'^-1 error), and the
    covariance loses W'W, which is symmetric to the last bit.
    """
    upper = root(total)
    white, news = forward(upper, across), forward(upper, error)
    step = np.zeros(SIZE)
    for row in range(error.shape[0]):
        for e in range(SIZE):
            step[e] += white[row, e] * news[row, 0]
    lose(covariance, white)
    if note.shape[0]:
        part = note[: error.shape[0]]
        part[:, :SIZE], part[:, SIZE : 2 * SIZE] = white, forward(upper, slope)
        part[:, 2 * SIZE] = news[:, 0]
    move(values, step)


@compiled
def move(values: FloatArray, step: FloatArray) -> None:
    """Move the values of a state by an error vector (SIZE,)."""
    put_quaternion(values, rotate_by(vector_at(step), quaternion_at(values)))
    for e in range(RATE, SIZE):
        if e < _AXIS1 or e >= _AXIS2 + 3:
            values[e + 1] += step[e]
    if math.isnan(values[_AXIS1 + 1]):
        return
    for e in (_AXIS1, _AXIS2):
        axis = _held(values, e)
        axis = plus(axis, cross(vector_at(step, e), axis))
        put(values, e + 1, scaled(axis, 1.0 / math.sqrt(dot(axis, axis))))


@compiled
def give_way(values: FloatArray, covariance: FloatArray, pull: FloatArray) -> None:
    """Move turn and axes by their covariance with the error state, (9, SIZE), times a pull (SIZE,)."""
    moved, step = product(covariance, pull.reshape(-1, 1)), np.zeros(pull.size)
    step[TURN], step[AXES] = moved[:3, 0], moved[3:, 0]
    move(values, step)


@compiled
def put_axes(row: FloatArray, values: FloatArray) -> None:
    """Put the joint's axes of a state, (6,), at the beginning of a row."""
    for e in range(6):
        row[e] = values[_AXIS1 + 1 + e]
