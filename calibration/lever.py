"""Where the joint lies from each sensor, told by a movement from the vertical force alone.

Both sensors feel the force at the one point that they share, the joint's centre: what a sensor feels is the
centre's force, what its own turning about the centre adds, and its accelerometer's offset. The vertical part
of it does not depend on heading, so that no calibration is needed to compare the two:

    z1 . (F1 - L1 r1 - b1) = z2 . (F2 - L2 r2 - b2),    L r = alpha x r + omega x (omega x r)

with z the vertical in the sensor, r the way from the centre to the sensor and b the offset (after T. Seel,
J. Raisch, T. Schauer, "IMU-based joint angle measurement for gait analysis", Sensors 14:6891, 2014, who
compare the sizes of the two forces). Least squares over the movement.
"""

import math
from dataclasses import dataclass

import numpy as np

from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames

WINDOW = 0.05
"""What the samples are averaged over, s: shorter than anything a limb does, long enough for its turning to
be differentiated."""

REACH = 0.3
"""One sigma of the distance of a joint from a sensor before the movement, m: half a thigh, and half again."""

OFFSET = 0.2
"""One sigma of an accelerometer's offset, m/s^2: 20 mg (BMI270 data sheet)."""


@dataclass(frozen=True, slots=True)
class Heights:
    """How far each sensor is above the joint's centre in the pose, m, and the covariance of the two, m^2.

    Parameters
    ----------
    proximal, distal
        Negative is below.
    covariance : (2, 2)
        Of proximal, distal; what the movement did not tell stays as wide as `REACH`.
    """

    proximal: float
    distal: float
    covariance: FloatArray

    @property
    def distal_sigma(self) -> float:
        """One sigma of `distal`, m."""
        return math.sqrt(float(self.covariance[1, 1]))

    @property
    def apart(self) -> tuple[float, float]:
        """How far the proximal sensor is above the distal one, m, and one sigma of it."""
        variance = float(self.covariance[0, 0] + self.covariance[1, 1] - 2.0 * self.covariance[0, 1])
        return self.proximal - self.distal, math.sqrt(max(0.0, variance))


def heights(frames: Frames, rate: float, up: tuple[FloatArray, FloatArray]) -> Heights | None:
    """Return the heights of two sensors above their joint in the pose, told by a movement.

    Parameters
    ----------
    frames
        The movement: two sensors, proximal first.
    rate
        Frames per second, Hz.
    up : two of (3,)
        Upward vertical of the pose in each sensor.

    Returns
    -------
    Heights or None
        None if the movement is shorter than two seconds.
    """
    size = max(1, round(rate * WINDOW))
    sides: list[FloatArray] = []
    force: FloatArray = np.zeros(len(frames.t) // size)
    for k, sign in ((0, 1.0), (1, -1.0)):
        vertical = quaternion.rotate(quaternion.conjugate(frames.q[:, k]), np.array([0.0, 0.0, 1.0]))
        z, omega = _averaged(vertical, size), _averaged(frames.gyr[:, k], size)
        if len(omega) < 2.0 / WINDOW:
            return None
        alpha = np.gradient(omega, size / rate, axis=0)
        along, speed = (z * omega).sum(axis=1)[:, None], (omega * omega).sum(axis=1)[:, None]
        sides += [sign * (np.cross(z, alpha) + along * omega - speed * z), sign * z]
        force = force + sign * (z * _averaged(frames.acc[:, k], size)).sum(axis=1)
    rows = np.concatenate(sides, axis=1)
    known = np.isfinite(rows).all(axis=1) & np.isfinite(force)
    if np.count_nonzero(known) < 2.0 / WINDOW:
        return None
    places, covariance = _solved(rows[known], force[known])
    pick = np.zeros((2, 12))
    pick[0, 0:3], pick[1, 6:9] = up
    found = pick @ places
    return Heights(float(found[0]), float(found[1]), pick @ covariance @ pick.T)


def _averaged(samples: FloatArray, size: int) -> FloatArray:
    count = len(samples) // size
    return samples[: count * size].reshape(count, size, -1).mean(axis=1)


def _solved(rows: FloatArray, force: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (r1, b1, r2, b2), (12,), and its covariance; the noise is what is left over, with its echo."""
    prior = np.diag(np.repeat([REACH, OFFSET, REACH, OFFSET], 3) ** -2.0)
    variance, found, covariance = OFFSET**2, np.zeros(12), np.eye(12)
    for _ in range(3):
        covariance = np.linalg.inv(rows.T @ rows / variance + prior)
        found = covariance @ rows.T @ force / variance
        left = force - rows @ found
        size = float(left @ left)
        echo = min(0.95, max(0.0, float(left[1:] @ left[:-1]) / max(size, 1e-12)))
        variance = max(size / len(left) * (1.0 + echo) / (1.0 - echo), 1e-6)
    return found, np.asarray(covariance, np.float64)
