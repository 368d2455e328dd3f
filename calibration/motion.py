"""What a sensor did in a short stretch of time: its turn, mean force and lever arm.

A stretch lasts a fixed number of frames from one multiple of that number to the next on the capture's
absolute grid, so it is the same however the frames are cut. Within it each sensor is integrated by its
gyroscope alone; nothing here depends on the orientation filter's own correction by gravity.
"""

from calibration.rotation import (
    Matrix,
    Quaternion,
    Vector,
    cross_matrix,
    matrix_of,
    plus,
    product,
    rotated,
    scaled,
    stretched,
    times,
    total,
    turn_about,
    vector_at,
)
from imu.block import FloatArray
from imu.compiled import compiled

RATE, FORCE, BIAS, LOST, WIDTH = 4, 7, 10, 11, 12
"""Where a kept row of a sensor has its angular rate, rad/s, specific force, m/s^2, one sigma of its bias,
rad/s, and the heading lost before it, rad, after the orientation; and how long the row is."""


@compiled
def motion(
    rows: FloatArray, sensor: int, first: int, frames: int, rate: float
) -> tuple[Quaternion, Vector, Matrix]:
    """Return what a sensor did between the first and the last of n + 1 frames; NaN if a sample was.

    Parameters
    ----------
    rows : (M, S, WIDTH)
        As `intake.gathered` keeps them, at instants 1 / `rate` apart.
    sensor, first, frames
        Which sensor, where the stretch begins, and n.
    rate
        Hz.

    Returns
    -------
    turn, force, lever
        `q_start_from_end` of the sensor; in its frame at the start the mean specific force, m/s^2, and the
        map from the position of a point fixed to the sensor, m, to the mean acceleration that rotation gives
        it, m/s^2.

    Notes
    -----
    The acceleration of a point at r is the derivative of its velocity w x r, so its mean over the stretch
    is the difference of w x r between the ends over the duration: no rate is ever differentiated.
    """
    turn = (1.0, 0.0, 0.0, 0.0)
    force = scaled(vector_at(rows[first, sensor], FORCE), 0.5)
    for k in range(first + 1, first + frames + 1):
        mean = scaled(
            plus(vector_at(rows[k - 1, sensor], RATE), vector_at(rows[k, sensor], RATE)), 0.5 / rate
        )
        turn = product(turn, turn_about(mean))
        share = 1.0 if k < first + frames else 0.5
        force = plus(force, scaled(rotated(turn, vector_at(rows[k, sensor], FORCE)), share))
    before, after = vector_at(rows[first, sensor], RATE), vector_at(rows[first + frames, sensor], RATE)
    gained = total(times(matrix_of(turn), cross_matrix(after)), stretched(cross_matrix(before), -1.0))
    return turn, scaled(force, 1.0 / frames), stretched(gained, rate / frames)
