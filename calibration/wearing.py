"""What wearing a sensor teaches about it: how its two triads scale and mix their axes, and one's offset.

While a limb moves, the gyroscope carries gravity through the sensor and the accelerometer sees where it went.
What the two disagree about, over many turns, is what data sheets leave open: the matrix of each triad, but
for what turns both alike, and the offset of the accelerometer. About a turn that leaves gravity where it is
nothing is learnt. The recording is cut into short windows; in each one the inclination at its start and the
wander of the gyroscope's offset are free, so that drift has no time to matter. All of it is linear in errors
that are small; each begins with the spread that data sheets give. Windows count by how well they fit, and all
of them together for no more than what comes back in each.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from calibration.linear import mirror
from calibration.motion import BIAS, FORCE, RATE, WIDTH, motion
from calibration.rotation import (
    Matrix,
    Vector,
    conjugate,
    dot,
    matrix_at,
    matrix_of,
    plus,
    product,
    put,
    put_matrix,
    put_quaternion,
    quaternion_at,
    rotated,
    scaled,
    shortest,
    times,
    turn_about,
    vector_at,
    vector_of,
)
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.compiled import compiled
from imu.fusion import TURN_ON_BIAS
from imu.triad import through

STRETCH, WINDOW = 0.2, 40
"""Seconds in which a sensor is taken to turn evenly, and stretches of a window: 8 s hold one slow pass there
and part of the way back, and gyroscope noise of 7 mdps/sqrt(Hz) turns by 0.02 deg in them."""

_TURN, _SHAPE, _OFFSET, _LEVER, _DRIFT, _FREE = 0, 9, 15, 18, 21, 24
_COLUMNS = 30
"""Where the errors begin: the gyroscope's matrix (9), the symmetric one of the accelerometer (xx, yy, zz, xy,
xz, yz), its offset, m/s^2, place of the sensor from where its segment turns, m, the gyroscope's offset,
rad/s; then what each window has of its own: lean at its start (2), rad, and wander of that offset (3). Last
what is seen, m/s^2."""


class Spread(NamedTuple):
    """One sigma of what is learnt before anything is, each with its reason.

    Parameters
    ----------
    scale, cross
        Sensitivity of an axis and what it sees of another one, share: consumer sensors after the maker's
        trim (assumed, as in `imu.sensor_grade`; data sheets allow 0.4 to 1 %).
    gravity
        Local gravity against the standard one, share: 0.3 % between equator and poles.
    offset
        Of the accelerometer, m/s^2: 20 mg (BMI270 data sheet).
    lever
        m: a sensor on a shank or forearm.
    wander
        Of the gyroscope's offset from window to window, rad/s: twice what `imu.sensor_grade` lets it wobble
        and walk within a minute.
    floor
        Least error of a window's forces, m/s^2: 5 mg for nonlinearity, warming, and soft tissue that carries
        the sensor along.
    skin
        Force error that comes back with every pass, so that more of them tell no less wrong, m/s^2: soft
        tissue that turns a sensor about it by 2 deg a radian does not carry it along, at 0.3 m from a joint
        that accelerates by 1 rad/s^2 (the most of a slow pass).
    lasting
        How many stretches such errors last: twice 0.5 s (`RelativeParams.force_time`).
    """

    scale: float = 0.004
    cross: float = 0.003
    gravity: float = 0.003
    offset: float = 0.02 * STANDARD_GRAVITY
    lever: float = 0.3
    wander: float = math.radians(0.01)
    floor: float = 0.05
    skin: float = 0.01
    lasting: float = 5.0


FITTED = 0.1
"""What is left of the spread of an accelerometer fitted in still positions: 2 mg, as warming by 10 K does."""

_LOUD = 0.3
"""One sigma of a window's forces before it is known, m/s^2: as of the relative force (`RelativeParams`)."""

_ROUNDS = 4
"""How often windows are weighed anew: by then their weights change by less than a hundredth."""


@dataclass(frozen=True, slots=True, eq=False)
class Triads:
    """How a sensor's triads were found to err: `measured = matrix @ true + bias`.

    Parameters
    ----------
    gyr_matrix, acc_matrix : (3, 3)
        The latter symmetric: both share the frame of the accelerometer.
    acc_bias : (3,)
        m/s^2.
    covariance : (18, 18)
        Of the gyroscope's matrix, row by row, the accelerometer's (xx, yy, zz, xy, xz, yz) and its offset.
    """

    gyr_matrix: FloatArray
    acc_matrix: FloatArray
    acc_bias: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, errors: FloatArray, covariance: FloatArray) -> Self:
        """Return the triads of a vector of errors (18,) and its covariance."""
        xx, yy, zz, xy, xz, yz = errors[_SHAPE:_OFFSET]
        shape = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        turn = errors[_TURN:_SHAPE].reshape(3, 3)
        return cls(np.eye(3) + turn, np.eye(3) + shape, errors[_OFFSET:_LEVER], covariance)

    def true_acc(self, acc: FloatArray) -> FloatArray:
        """Return what the accelerometer should have read, (N, 3), m/s^2."""
        return through(_inverse(self.acc_matrix), acc - self.acc_bias)

    def apply(self, block: ImuBlock, up: FloatArray | None = None) -> ImuBlock:
        """Return a block of the sensor without these errors.

        Parameters
        ----------
        block
            Its samples.
        up : (3,)
            Where its accelerometer saw the vertical in the pose from which it is known how the sensor sits;
            all signals are turned so that it still does. None: they are not turned.
        """
        gyr, acc = through(_inverse(self.gyr_matrix), block.gyr), self.true_acc(block.acc)
        mag = block.mag
        if up is not None and np.isfinite(up).all():
            true = quaternion.normalise(np.append(0.0, self.true_acc(STANDARD_GRAVITY * up[None])[0]))[1:]
            turn = quaternion.to_matrix(quaternion.between(true, up))
            gyr, acc = through(turn, gyr), through(turn, acc)
            mag = None if mag is None else through(turn, mag)
        return ImuBlock(block.sensor, block.t, gyr, acc, mag)


def learn(parts: Iterable[tuple[FloatArray, FloatArray]], rate: float, *, fitted: bool = False) -> Triads:
    """Return what the samples of one sensor tell of its triads; nothing is learnt of who never moves.

    Parameters
    ----------
    parts
        Angular rate, rad/s, and specific force, m/s^2, (N, 3), of stretches without a gap.
    rate
        Samples per second, Hz.
    fitted
        Whether its accelerometer's errors were fitted in still positions and taken off.
    """
    spread = Spread()
    stride = max(1, round(STRETCH * rate))
    grams = np.concatenate([np.zeros((0, _COLUMNS, _COLUMNS)), *(_windows(*p, stride, rate) for p in parts)])
    grams = grams[np.isfinite(grams).all(axis=(1, 2))]
    prior = _inverse(_prior(spread, FITTED if fitted else 1.0))
    own = np.diag([0.0, 0.0] + [spread.wander**-2] * 3)
    errors, covariance = np.zeros(_FREE), _inverse(prior)
    variance = np.full(len(grams), _LOUD**2)
    free, rest = slice(_FREE, _COLUMNS - 1), np.append(np.arange(_FREE), _COLUMNS - 1)
    for _ in range(_ROUNDS):
        weight = 1.0 / (variance * spread.lasting)
        weighed = grams * weight[:, None, None]
        across = weighed[:, free][:, :, rest]
        told = np.swapaxes(across, 1, 2) @ np.linalg.solve(weighed[:, free, free] + own, across)
        known = weighed[:, rest][:, :, rest] - told
        seen = known.sum(axis=0) / (1.0 + spread.skin**2 * (1.0 / variance).sum())
        covariance = _inverse(prior + seen[:-1, :-1])
        errors = covariance @ seen[:-1, -1]
        left = np.append(-errors, 1.0)
        squares = ((known @ left) @ left) / weight
        variance = np.maximum(squares / (3.0 * WINDOW), spread.floor**2)
    return Triads.of(errors[:_LEVER], covariance[:_LEVER, :_LEVER])


def _inverse(m: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(m), np.float64)


def _prior(spread: Spread, accelerometer: float) -> FloatArray:
    """Return the covariance of the errors to begin with; that of the accelerometer's by a share of sigma."""
    sigma = np.empty(_FREE)
    sigma[_TURN:_SHAPE] = np.where(np.eye(3, dtype=np.bool_), spread.scale, spread.cross).ravel()
    sigma[_SHAPE:_OFFSET] = [spread.scale] * 3 + [spread.cross / math.sqrt(2.0)] * 3
    sigma[_OFFSET:_LEVER] = spread.offset
    sigma[_SHAPE:_LEVER] *= accelerometer
    sigma[_LEVER:_DRIFT], sigma[_DRIFT:_FREE] = spread.lever, TURN_ON_BIAS
    variances = np.diag(sigma**2)
    variances[_SHAPE : _SHAPE + 3, _SHAPE : _SHAPE + 3] += spread.gravity**2
    return variances


def _windows(gyr: FloatArray, acc: FloatArray, stride: int, rate: float) -> FloatArray:
    """Return the products of all columns, summed over each whole window, (W, COLUMNS, COLUMNS)."""
    rows = np.zeros((len(gyr), 1, WIDTH))
    rows[:, 0, RATE:FORCE], rows[:, 0, FORCE:BIAS] = gyr, acc
    return _grams(rows, stride, rate, STANDARD_GRAVITY, WINDOW)


@compiled
def _grams(rows: FloatArray, stride: int, rate: float, gravity: float, count: int) -> FloatArray:
    windows = max(rows.shape[0] - 1, 0) // (stride * count)
    out = np.zeros((windows, _COLUMNS, _COLUMNS))
    turns, forces, levers = np.empty((count, 4)), np.empty((count, 3)), np.empty((count, 3, 3))
    columns, swept, drifted = np.empty((3, _COLUMNS)), np.empty((3, 9)), np.empty((3, 3))
    for w in range(windows):
        total, q = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)
        for k in range(count):
            turn, force, lever = motion(rows, 0, (w * count + k) * stride, stride, rate)
            put_quaternion(turns[k], turn)
            put(forces[k], 0, force)
            put_matrix(levers[k], 0, lever)
            total = plus(total, rotated(q, force))
            q = product(q, turn)
        q = shortest(scaled(total, 1.0 / math.sqrt(dot(total, total))), (0.0, 0.0, 1.0))
        swept[:], drifted[:] = 0.0, 0.0
        for k in range(count):
            turn = quaternion_at(turns[k])
            along = vector_of(turn)
            half = turn_about(scaled(along, 0.5))
            middle = matrix_of(product(q, half))
            force = vector_at(forces[k])
            lever = times(matrix_of(q), matrix_at(levers[k]))
            _sweep(swept, drifted, middle, along, 0.5 * stride / rate)
            _fill(columns, (swept, drifted), middle, rotated(conjugate(half), force), lever, gravity)
            seen = rotated(q, force)
            put(columns[:, _COLUMNS - 1], 0, (seen[0], seen[1], seen[2] - gravity))
            _sweep(swept, drifted, middle, along, 0.5 * stride / rate)
            for i in range(_COLUMNS):
                x, y, z = columns[0, i], columns[1, i], columns[2, i]
                for j in range(i, _COLUMNS):
                    out[w, i, j] += x * columns[0, j] + y * columns[1, j] + z * columns[2, j]
            q = product(q, turn)
        mirror(out[w])
    return out


@compiled
def _sweep(swept: FloatArray, drifted: FloatArray, middle: Matrix, along: Vector, seconds: float) -> None:
    """Add half a stretch: the turn that errors of the gyroscope's matrix and of its offset leave, rad."""
    for a in range(3):
        for i in range(3):
            for j in range(3):
                swept[a, 3 * i + j] += 0.5 * middle[a][i] * along[j]
            drifted[a, i] += middle[a][i] * seconds


@compiled
def _fill(  # noqa: PLR0917 -- a compiled function has no keywords
    columns: FloatArray,
    turned: tuple[FloatArray, FloatArray],
    middle: Matrix,
    felt: Vector,
    lever: Matrix,
    gravity: float,
) -> None:
    """Fill what each error adds to the mean force of a stretch in the earth frame, m/s^2.

    A small turn v of what is seen adds v x g, g along z.
    """
    swept, drifted = turned
    columns[:] = 0.0
    for c in range(9):
        columns[0, c], columns[1, c] = gravity * swept[1, c], -gravity * swept[0, c]
    for c in range(3):
        columns[0, _DRIFT + c], columns[1, _DRIFT + c] = gravity * drifted[1, c], -gravity * drifted[0, c]
    columns[0, _FREE + 1], columns[1, _FREE] = gravity, -gravity
    for a in range(3):
        m = middle[a]
        for c in range(3):
            columns[a, _SHAPE + c] = m[c] * felt[c]
            columns[a, _OFFSET + c] = m[c]
            columns[a, _LEVER + c] = lever[a][c]
            columns[a, _FREE + 2 + c] = columns[a, _DRIFT + c]
        columns[a, _SHAPE + 3] = m[0] * felt[1] + m[1] * felt[0]
        columns[a, _SHAPE + 4] = m[0] * felt[2] + m[2] * felt[0]
        columns[a, _SHAPE + 5] = m[1] * felt[2] + m[2] * felt[1]
