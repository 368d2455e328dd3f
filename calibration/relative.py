"""Follow the turn between two sensors' earth frames: heading, relative tilt, joint centre, covariance.

Error state: small rotation of that turn (3, rad, in the proximal sensor's earth frame), heading rate
(1, rad/s), place of the joint centre in each sensor (3 + 3, m). Between looks the turn follows both
gyroscopes alone, so that no linear acceleration enters it; gravity and every acceleration of the common
joint centre then correct it, because both sensors must feel the same force there. That relation is the
one of F. J. Wenk and U. Frese, IROS 2015, and of I. Weygers and M. Kok, IEEE Sensors J. 20:10571, 2020; its
noise is learnt from its own residuals, so that a rigid rig and a soft thigh are each believed as deserved.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from imu import quaternion
from imu.block import FloatArray

HEADING, RATE = 2, 3
_EYE3 = np.eye(3)


@dataclass(frozen=True, slots=True)
class RelativeParams:
    """Constants of the filter, each with its reason.

    Parameters
    ----------
    drift
        Random walk of the relative turn from gyroscope noise, rad/sqrt(s): 7 mdps/sqrt(Hz) (BMI270 data
        sheet) on each of two sensors, half again for temperature and vibration.
    scale
        Error of a turn by sensitivity and misalignment, share of the turn (0.4 % left after factory trim),
        and how long a turn goes one way, s.
    rate_sigma, rate_time
        One sigma of the relative heading rate left by the orientation filters, rad/s, and how long it stays
        alike, s (bias instability of consumer gyroscopes; algorithms.md section 4).
    force_start, force_floor
        Noise of the force relation before it is learnt, and the least it can be, m/s^2: 30 mg for two
        uncalibrated accelerometers; noise and quantisation of the best.
    force_time
        How long an error of the force relation lasts until that is learnt, s: soft tissue and the wander of the
        joint's centre follow the limb's own movement.
    force_echo
        Bounds of the learnt correlation of one stretch's error with the next one's: some is always left by
        the filter itself; above, a tenth of the looks counts.
    force_memory
        Seconds over which its size is learnt.
    lever_walk
        Wander of the joint centre in a sensor, m/sqrt(s): it moves by a centimetre within a pass.
    """

    drift: float = math.radians(0.015)
    scale: float = 0.004
    scale_time: float = 2.0
    rate_sigma: float = math.radians(0.05)
    rate_time: float = 300.0
    force_start: float = 0.3
    force_floor: float = 0.03
    force_time: float = 0.5
    force_echo: tuple[float, float] = (0.2, 0.85)
    force_memory: float = 10.0
    lever_walk: float = 0.003


@dataclass(slots=True, eq=False)
class RelativeState:
    """Everything the next step depends on."""

    turn: FloatArray = field(default_factory=lambda: np.array([1.0, 0.0, 0.0, 0.0]))
    rate: float = 0.0
    centre: FloatArray = field(default_factory=lambda: np.zeros(6))
    covariance: FloatArray = field(default_factory=lambda: np.eye(10))
    force_variance: float = 0.09
    force_echo: float = 0.06
    last_error: FloatArray = field(default_factory=lambda: np.zeros(3))

    def to_document(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "turn": self.turn.tolist(),
            "rate": self.rate,
            "centre": self.centre.tolist(),
            "covariance": self.covariance.tolist(),
            "force_variance": self.force_variance,
            "force_echo": self.force_echo,
            "last_error": self.last_error.tolist(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "RelativeState":
        """Return the state of plain values."""
        arrays = {name: np.array(document[name]) for name in ("turn", "centre", "covariance", "last_error")}
        numbers = {name: float(document[name]) for name in ("rate", "force_variance", "force_echo")}
        return cls(**numbers, **arrays)


@dataclass(slots=True, eq=False)
class Moment:
    """What a smoother needs of one step: the state before any look, the one after all, and the way between.

    Parameters
    ----------
    before, after
        The state as predicted for, and as left at the end of, the step.
    fade
        Share of the heading rate that was kept by the prediction.
    dt
        s.
    begin, end : (4,)
        Turns of the two earth frames during the step: `after.turn = begin * looked-at turn * end`.
    fresh
        Whether the step started anew, so that nothing may be carried back across it.
    """

    before: RelativeState
    after: RelativeState
    fade: float
    dt: float
    begin: FloatArray
    end: FloatArray
    fresh: bool


def copied(state: RelativeState) -> RelativeState:
    """Return a state that later steps do not change."""
    return replace(state, covariance=state.covariance.copy())


def predict(
    state: RelativeState, params: RelativeParams, dt: float, turned: float, rate_sigma: float
) -> None:
    """Let dt seconds pass, in which the two sensors turned by `turned` rad (root sum of squares)."""
    fade = math.exp(-dt / params.rate_time)
    cov = state.covariance
    cov[HEADING, :] += dt * cov[RATE, :]
    cov[:, HEADING] += dt * cov[:, RATE]
    cov[RATE, :] *= fade
    cov[:, RATE] *= fade
    wander = params.drift**2 * dt + (params.scale * turned) ** 2 * max(1.0, params.scale_time / dt)
    diagonal = cov.ravel()[:: cov.shape[0] + 1]
    diagonal[:3] += wander
    diagonal[RATE] += rate_sigma**2 * (1.0 - fade * fade)
    diagonal[4:] += params.lever_walk**2 * dt
    if state.rate != 0.0:
        state.turn = rotate_by(np.array([0.0, 0.0, state.rate * dt]), state.turn)
        state.rate *= fade


def feel(
    state: RelativeState, params: RelativeParams, dt: float, forces: FloatArray, levers: FloatArray
) -> None:
    """Take the mean forces (2, 3) and lever maps (2, 3, 3) of a stretch, each in its own earth frame."""
    (f1, f2), (l1, l2) = forces, levers
    c = quaternion.to_matrix(state.turn)
    lever2 = c @ l2
    felt = c @ f2 - lever2 @ state.centre[3:]
    error = f1 - l1 @ state.centre[:3] - felt
    slope = np.zeros((3, 10))
    x, y, z = felt.tolist()
    slope[:, :3] = ((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0))
    slope[:, 4:7] = l1
    slope[:, 7:] = -lever2
    across = state.covariance @ slope.T
    known = slope @ across
    size = float((error * error).sum()) / 3.0
    excess = size - (known[0, 0] + known[1, 1] + known[2, 2]) / 3.0
    low, high = params.force_echo
    echo = min(max(state.force_echo / state.force_variance, low), high)
    noise = state.force_variance * (1.0 + echo) / (1.0 - echo)
    surprise = size / (noise + (known[0, 0] + known[1, 1] + known[2, 2]) / 3.0)
    if surprise > 4.0:
        noise *= math.sqrt(surprise) / 2.0
    learnt = min(max(excess, params.force_floor**2), 9.0 * state.force_variance)
    share = min(1.0, dt / params.force_memory)
    state.force_variance += (learnt - state.force_variance) * share
    product = float((error * state.last_error).sum()) / 3.0
    bounded = max(-learnt, min(product, learnt))
    state.force_echo += (bounded - state.force_echo) * share
    state.last_error = error
    correct(state, across, known + noise * _EYE3, error)


def look(state: RelativeState, slope: FloatArray, error: FloatArray, variance: float) -> None:
    """Take rows (n,) whose slope (n, 3) is that of the small rotation, with a variance of each."""
    across = state.covariance[:, :3] @ slope.T
    known = slope @ across[:3]
    correct(state, across, known + variance * np.eye(error.size), error)


def correct(state: RelativeState, across: FloatArray, total: FloatArray, error: FloatArray) -> None:
    """Apply one linear correction: covariance with the rows (10, n), covariance of the rows (n, n)."""
    gain = np.linalg.solve(total, across.T).T
    step = gain @ error
    cov = state.covariance - gain @ across.T
    state.covariance = 0.5 * (cov + cov.T)
    state.turn = rotate_by(step[:3], state.turn)
    state.rate += float(step[RATE])
    state.centre = state.centre + step[4:]


def rotate_by(vector: FloatArray, q: FloatArray) -> FloatArray:
    """Return q turned further by a small rotation vector (3,), unit length."""
    x, y, z = (0.5 * vector).tolist()
    w = math.sqrt(max(1.0 - x * x - y * y - z * z, 0.0))
    a, b, c, d = q.tolist()
    return quaternion.normalise(
        np.array(
            [
                w * a - x * b - y * c - z * d,
                w * b + x * a + y * d - z * c,
                w * c - x * d + y * a + z * b,
                w * d + x * c - y * b + z * a,
            ]
        )
    )
