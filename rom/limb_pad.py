"""Foam under a sensor that exists only in memory: it sags with gravity and rings after a stop."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray
from imu.quaternion import conjugate, rotate
from rom.limb_motion import Curve, Turning
from rom.limb_world import Pad

_STEP = 5e-4
"""Grid on which the spring is solved, s: sixty points to a period at 33 Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Nod:
    """How far the sensor nods on its pad: angle, rate and push on an even grid of `_STEP`.

    `push` is what the spring answers to, rad/s^2: angle'' = push - 2 damping omega angle' - omega^2 angle.
    """

    which: int
    omega: float
    damping: float
    angle: FloatArray
    rate: FloatArray
    push: FloatArray

    def at(self, t: FloatArray) -> Curve:
        """Return the nod at instants (N,): cubic Hermite between grid points, exact to their fourth power."""
        k = np.clip((t / _STEP).astype(np.int64), 0, len(self.angle) - 2)
        u = t / _STEP - k
        a, b = self.angle[k], self.angle[k + 1]
        da, db = self.rate[k] * _STEP, self.rate[k + 1] * _STEP
        value = (
            a * (1.0 + 2.0 * u) * (1.0 - u) ** 2
            + da * u * (1.0 - u) ** 2
            + b * u**2 * (3.0 - 2.0 * u)
            - db * u**2 * (1.0 - u)
        )
        slope = 6.0 * u * (1.0 - u) * (b - a) + da * (1.0 - u) * (1.0 - 3.0 * u) - db * u * (2.0 - 3.0 * u)
        rate = slope / _STEP
        push = self.push[k] + u * (self.push[k + 1] - self.push[k])
        return Curve(value, rate, push - 2.0 * self.damping * self.omega * rate - self.omega**2 * value)


def nodding(pad: Pad, axis: int, duration: float, segment: Callable[[int, FloatArray], Turning]) -> Nod:
    """Return how a sensor nods on its pad while its segment moves.

    Parameters
    ----------
    pad
        The foam.
    axis
        Axis of the segment about which it nods, 0 X, 1 Y, 2 Z.
    duration
        s, from the zero of the clock.
    segment
        Motion of segment 0 or 1 at instants.

    Notes
    -----
    The push is the segment's angular acceleration, turned round, and gravity's pull along the segment: the
    sensor stands out from the limb, so its weight nods it most where the segment is upright. Solved exactly
    for a push that changes linearly from grid point to grid point; the pad is at rest in the first pose.
    """
    from scipy.signal import cont2discrete, dlsim

    which = 0 if pad.segment == "proximal" else 1
    t: FloatArray = np.arange(int(duration / _STEP) + 3, dtype=np.float64) * _STEP
    omega = 2.0 * np.pi * pad.frequency
    push = np.empty(len(t))
    for first in range(0, len(t), 16384):
        part = slice(first, first + 16384)
        motion = segment(which, t[part])
        up = rotate(conjugate(motion.q), np.array([0.0, 0.0, 1.0]))
        push[part] = -motion.acceleration[:, axis] - omega**2 * pad.sag * up[:, 1]
    matrices = (
        np.array([[0.0, 1.0], [-(omega**2), -2.0 * pad.damping * omega]]),
        np.array([[0.0], [1.0]]),
        np.eye(2),
        np.zeros((2, 1)),
    )
    system = cont2discrete(matrices, _STEP, method="foh")
    still = push[0] / omega**2
    state = np.asarray(dlsim(system, push - push[0])[1], np.float64)
    return Nod(which, omega, pad.damping, still + state[:, 0], state[:, 1].copy(), push)
