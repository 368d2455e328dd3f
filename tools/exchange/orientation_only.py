"""Files that hold orientations and no samples: what they still allow, and what not.

A recording holds rate and force. From orientations alone the rate follows exactly, the force only as gravity:
so angles, reps and comparisons can be computed, but nothing about the sensors themselves.
"""

import numpy as np

from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.quaternion import conjugate, multiply, normalise, rotate, to_rotation_vector
from imu.recording import SensorInfo
from tools.exchange.axes_check import check_unit
from tools.exchange.incoming import IncomingSensor
from tools.exchange.plausibility import checked
from tools.exchange.timeline import increasing

KIND = "import-orientation"
REMARK = (
    "the file holds orientations, no samples: angular rate and gravity are computed from them (earth frame z "
    "up). Angles, reps and comparisons are possible; sensor errors, taps, and the order of the quaternion's "
    "numbers cannot be checked, and acceleration of the limb is missing"
)


def from_orientations(
    sensor: str, segment: str, t: FloatArray, q_earth_from_sensor: FloatArray, rate: float = float("nan")
) -> IncomingSensor:
    """Return a sensor whose samples would turn as the orientations do.

    Parameters
    ----------
    sensor, segment
        Id, and where it was worn.
    t : (N,)
        s.
    q_earth_from_sensor : (N, 4)
        w x y z, earth z up; NaN where not known.
    rate
        What the file says, Hz; NaN if nothing.

    Returns
    -------
    IncomingSensor
        `gyr` of a sample is the constant rate of the step that leads to it, so that integrating it gives the
        orientations back; `acc` is gravity alone.

    Raises
    ------
    InputError
        If the quaternions have not length 1, or times or rate cannot be.
    """
    check_unit(segment, q_earth_from_sensor)
    keep, remarks = increasing(segment, t)
    t, q = t[keep], normalise(q_earth_from_sensor[keep])
    turn = to_rotation_vector(multiply(conjugate(q[:-1]), q[1:])) / np.diff(t)[:, None]
    gyr = np.concatenate([turn[:1], turn]) if len(turn) else np.zeros((len(t), 3))
    up = np.broadcast_to([0.0, 0.0, STANDARD_GRAVITY], (len(t), 3))
    block = ImuBlock(sensor, t, gyr, rotate(conjugate(q), up))
    return checked(IncomingSensor(SensorInfo(sensor, segment, KIND, rate), block, tuple(remarks)))
