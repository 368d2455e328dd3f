"""What two sensors did in a short stretch of time: turns, mean forces and lever arms, stretch by stretch.

A stretch lasts a fixed number of frames from one multiple of that number to the next on the capture's
absolute grid, so it is the same however the frames are cut. Within it each sensor is integrated by its
gyroscope alone; nothing here depends on the orientation filter's own correction by gravity.
"""

from dataclasses import dataclass

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """K consecutive stretches of S sensors; vectors are in the sensor frame at the start of the stretch.

    Parameters
    ----------
    turn : (K, S, 4)
        `q_start_from_end` of each sensor over the stretch.
    force : (K, S, 3)
        Mean specific force, m/s^2.
    lever : (K, S, 3, 3)
        Maps the position of a point fixed to the sensor, m, to the mean acceleration that rotation gives it,
        m/s^2.
    known : (K,)
        Whether every sample of the stretch was.
    """

    turn: FloatArray
    force: FloatArray
    lever: FloatArray
    known: BoolArray


def stretches(gyr: FloatArray, acc: FloatArray, frames: int, rate: float) -> Stretches:
    """Return what happened between frames 0, n, 2n, ... Kn.

    Parameters
    ----------
    gyr, acc : (K n + 1, S, 3)
        rad/s and m/s^2 at instants 1 / `rate` apart.
    frames
        n, frames per stretch.
    rate
        Hz.

    Notes
    -----
    The acceleration of a point at r is the derivative of its velocity w x r, so its mean over the stretch
    is the difference of w x r between the ends over the duration: no rate is ever differentiated.
    """
    count = (gyr.shape[0] - 1) // frames
    sensors = gyr.shape[1]
    small = quaternion.from_rotation_vector(0.5 * (gyr[1:] + gyr[:-1]) / rate)
    turned = small.reshape(count, frames, sensors, 4)
    reach = 1
    while reach < frames:
        later = quaternion.multiply(turned[:, :-reach], turned[:, reach:])
        turned = np.concatenate([turned[:, :reach], later], axis=1)
        reach *= 2
    felt = quaternion.rotate(turned, acc[1:].reshape(count, frames, sensors, 3))
    first = acc[:-1:frames]
    total = 0.5 * first - 0.5 * felt[:, -1]
    for k in range(frames):
        total = total + felt[:, k]
    turn = quaternion.normalise(turned[:, -1])
    before, after = _cross_matrix(gyr[:-1:frames]), _cross_matrix(gyr[frames::frames])
    columns = [quaternion.rotate(turn, after[..., k]) for k in range(3)]
    lever = (np.stack(columns, axis=-1) - before) * (rate / frames)
    force = total / frames
    known: BoolArray = np.asarray(np.isfinite(np.concatenate([force, turn], axis=2)).all(axis=(1, 2)))
    return Stretches(turn, force, lever, known)


def _cross_matrix(v: FloatArray) -> FloatArray:
    """Return the matrices (..., 3, 3) that turn r into v x r."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
