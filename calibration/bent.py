"""A bent limb shows to which side its upper part flexes, whatever moves: elbow and knee stay in a plane.

The long axis of a forearm or shank lies in the plane in which the joint above flexes, on the side to which
it flexes. So every movement in which the joint is bent and something tells the heading between its sensors
says how far the upper segment is turned about its length, even if that segment is still.
"""

import math

import numpy as np

from calibration.azimuth import AZIMUTHS, Length
from calibration.magnetic import UNSEEN
from calibration.plan import JointPlan
from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames

LEAST_BEND = math.radians(30.0)
"""A joint bent by less has no plane: an error of the long axis turns it by more than twice its size, rad."""

LEAST_SECONDS = 1.0
"""So long must it be bent, s."""

STEP_HZ = 10.0
"""Grid on which it is looked at; a limb's movement is below 2 Hz."""


def in_plane(plan: JointPlan) -> bool:
    """Whether the distal segment's length stays in one plane of the proximal segment."""
    carried = not plan.distal[1].endswith(("hand", "foot"))
    return plan.freedom == 1 or (plan.freedom == 2 and carried)


def thinned(frames: Frames, rate: float) -> FloatArray:
    """Return both sensors (N, 2, 4) at the known instants of a coarse grid."""
    return frames.q[np.isfinite(frames.q).all(axis=(1, 2))][:: max(1, round(rate / STEP_HZ))]


def plane(
    q: FloatArray, heading: tuple[float, float], lengths: tuple[Length, Length], flexion_sign: int
) -> FloatArray:
    """Return what the bent limb says of the proximal azimuth: log-likelihood (AZIMUTHS.size,).

    All of a movement counts as one look, since what a limb is off its plane lasts.

    Parameters
    ----------
    q : (N, 2, 4)
        `q_earth_from_sensor` on the grid of `STEP_HZ`, proximal first, each in its own earth frame.
    heading
        Relative heading and its one sigma, rad.
    lengths
        Of the two segments.
    flexion_sign
        As of `JointPlan`.
    """
    lower = quaternion.rotate(q[:, 1], -flexion_sign * lengths[1].up)
    lower = quaternion.rotate(quaternion.about_vertical(AZIMUTHS)[:, None], lower)
    upper = quaternion.multiply(q[:, 0], lengths[0].turned(np.zeros(1)))
    reach = quaternion.rotate(quaternion.conjugate(upper), lower)[..., [0, 2]]
    bent = np.hypot(reach[..., 0], reach[..., 1]) > math.sin(LEAST_BEND)
    count = np.count_nonzero(bent, axis=1)
    if count.max() < LEAST_SECONDS * STEP_HZ:
        return np.zeros(AZIMUTHS.size)
    forward, right = (reach * bent[..., None]).sum(axis=1).T / np.maximum(count, 1)
    sigma = math.hypot(lengths[0].sigma, lengths[1].sigma)
    spread = np.minimum(sigma / np.maximum(np.hypot(forward, right), 1e-9), math.pi)
    off = quaternion.wrap(AZIMUTHS - heading[0]) / heading[1]
    likely = (1.0 - UNSEEN) * np.exp(-0.5 * off * off) / heading[1] + UNSEEN / (2.0 * math.pi)
    apart = quaternion.wrap(np.arctan2(-right, forward)[:, None] - AZIMUTHS) / spread[:, None]
    said = np.exp(-0.5 * apart * apart) / spread[:, None]
    return np.log((likely[:, None] * said).sum(axis=0))
