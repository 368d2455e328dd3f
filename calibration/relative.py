"""Follow the turn between two sensors' earth frames: heading, relative tilt, and what corrupts them.

Error state: small rotation of that turn (3, rad, in the proximal sensor's earth frame), heading rate
(1, rad/s), place of each sensor from the joint centre (3 + 3, m), error of each gyroscope's scale, axis by
axis (3 + 3), offset of each accelerometer (3 + 3, m/s^2), direction of the joint's axis in each segment
(3 + 3, rad: with a still proximal segment it is one freedom with the heading, so both are held together).
Between looks the turn follows both gyroscopes alone, so that no linear acceleration enters it; gravity and
every acceleration of the common joint centre then correct it, because both sensors must feel the same force
there. That relation is the one of F. J. Wenk and U. Frese, IROS 2015, and of I. Weygers and M. Kok, IEEE
Sensors J. 20:10571, 2020; its noise is learnt from its own residuals, so that a rigid rig and a soft thigh
are each believed as deserved.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from calibration.rotation import cross_matrix, matrix_of, product, rotate_by
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray

HEADING, RATE = 2, 3
TURN, CENTRE, SCALE, OFFSET, AXES = slice(0, 3), slice(4, 10), slice(10, 16), slice(16, 22), slice(22, 28)
SIZE = 28
_EYE, _EYE3 = np.eye(SIZE), np.eye(3)


@dataclass(frozen=True, slots=True)
class RelativeParams:
    """Constants of the filter, each with its reason.

    Parameters
    ----------
    drift
        Random walk of the relative turn from gyroscope noise, rad/sqrt(s): 7 mdps/sqrt(Hz) (BMI270 data
        sheet) on each of two sensors, half again for temperature and vibration.
    scale
        What misalignment and nonlinearity leave of a turn's error, share of the turn, and how long a turn
        goes
        one way, s.
    rate_sigma, rate_time
        One sigma of the relative heading rate left by the orientation filters, rad/s, and how long it stays
        alike, s (bias instability of consumer gyroscopes; algorithms.md section 4).
    force_start, force_floor
        Noise of the force relation before it is learnt, and the least it can be, m/s^2: 30 mg for two
        uncalibrated accelerometers; noise and quantisation of the best.
    force_time
        How long an error of the force relation lasts until that is learnt, s: soft tissue and the wander of
        the
        joint's centre follow the limb's own movement.
    force_echo
        Bounds of the learnt correlation of one stretch's error with the next one's: some is always left by
        the filter itself; above, a tenth of the looks counts.
    force_memory
        Seconds over which its size is learnt.
    lever_walk
        Wander of the joint centre in a sensor, m/sqrt(s): it moves by a centimetre within a pass.
    scale_sigma
        One sigma of a gyroscope's sensitivity before it is learnt (data sheets: 0.4 to 1 %).
    offset_sigma, offset_walk
        One sigma of an accelerometer's offset before it is learnt, m/s^2, and its wander, m/s^2/sqrt(s): 20
        mg
        (BMI270) or less; warming by 10 K over half an hour at 0.25 mg/K.
    axis_walk
        Wander of an axis in its segment, rad/sqrt(s): skin creeps by some degrees in half an hour.
    quiet_rate, quiet_sigma
        Below this rate, rad/s, a segment's vertical force is gravity within this sigma, m/s^2: slow passes
        feel
        0.1 to 0.3 m/s^2, and local gravity differs by 0.03.
    """

    drift: float = math.radians(0.015)
    scale: float = 0.002
    scale_time: float = 2.0
    rate_sigma: float = math.radians(0.05)
    rate_time: float = 300.0
    force_start: float = 0.3
    force_floor: float = 0.03
    force_time: float = 0.5
    force_echo: tuple[float, float] = (0.2, 0.85)
    force_memory: float = 10.0
    lever_walk: float = 0.003
    scale_sigma: float = 0.005
    offset_sigma: float = 0.15
    offset_walk: float = 0.003
    axis_walk: float = math.radians(0.1)
    quiet_rate: float = math.radians(15.0)
    quiet_sigma: float = 0.1


@dataclass(slots=True, eq=False)
class RelativeState:
    """Everything the next step depends on."""

    turn: FloatArray = field(default_factory=lambda: np.array([1.0, 0.0, 0.0, 0.0]))
    rate: float = 0.0
    centre: FloatArray = field(default_factory=lambda: np.zeros(6))
    scale: FloatArray = field(default_factory=lambda: np.zeros(6))
    offset: FloatArray = field(default_factory=lambda: np.zeros(6))
    axes: FloatArray = field(default_factory=lambda: np.full((2, 3), np.nan))
    covariance: FloatArray = field(default_factory=lambda: np.eye(SIZE))
    force_variance: float = 0.09
    force_echo: float = 0.06
    last_error: FloatArray = field(default_factory=lambda: np.zeros(3))

    def to_document(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "turn": self.turn.tolist(),
            "rate": self.rate,
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "offset": self.offset.tolist(),
            "axes": self.axes.tolist(),
            "covariance": self.covariance.tolist(),
            "force_variance": self.force_variance,
            "force_echo": self.force_echo,
            "last_error": self.last_error.tolist(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "RelativeState":
        """Return the state of plain values."""
        return cls(
            turn=np.array(document["turn"]),
            rate=float(document["rate"]),
            centre=np.array(document["centre"]),
            scale=np.array(document["scale"]),
            offset=np.array(document["offset"]),
            axes=np.array(document["axes"]),
            covariance=np.array(document["covariance"]),
            force_variance=float(document["force_variance"]),
            force_echo=float(document["force_echo"]),
            last_error=np.array(document["last_error"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What two sensors felt and did in one stretch of time; everything in their own earth frames.

    Parameters
    ----------
    force : (2, 3)
        Mean specific force, m/s^2.
    lever, carried : (2, 3, 3)
        Maps from a point in the sensor, m, and from an offset in the sensor to mean force, m/s^2.
    swept : (2, 3, 3)
        Maps from the errors of the gyroscope's scale to the rotation they leave at the end, rad.
    begin, end : (4,)
        Turn of the two earth frames: the turn after is `begin * turn * end`.
    turned : (2,)
        Angles by which the sensors turned, rad.
    """

    force: FloatArray
    lever: FloatArray
    carried: FloatArray
    swept: FloatArray
    begin: FloatArray
    end: FloatArray
    turned: FloatArray


@dataclass(slots=True, eq=False)
class Moment:
    """What a smoother needs of one step.

    Parameters
    ----------
    looked, predicted, after
        The state after the looks at its start, as predicted for its end, and after the looks at its end.
    way : (SIZE, SIZE)
        Transition from `looked` to `predicted`.
    fresh
        Whether the step started anew, so that nothing may be carried back across it.
    begin, end : (4,)
        As of the `Stretch`.
    """

    looked: RelativeState
    predicted: RelativeState
    after: RelativeState
    way: FloatArray
    fresh: bool
    begin: FloatArray
    end: FloatArray


def copied(state: RelativeState) -> RelativeState:
    """Return a state that later steps do not change."""
    return replace(state, covariance=state.covariance.copy())


def first_covariance(
    params: RelativeParams, heading_sigma: float, reach: float, axis_variances: FloatArray
) -> FloatArray:
    """Return the covariance to start with.

    Parameters
    ----------
    heading_sigma, reach
        One sigma of heading, rad, and of the place of the joint centre, m.
    axis_variances : (6,)
        Of the two axes about the axes of their segments, rad^2.
    """
    variances = np.empty(SIZE)
    variances[TURN] = math.radians(2.0) ** 2
    variances[HEADING] = heading_sigma**2
    variances[RATE] = params.rate_sigma**2
    variances[CENTRE] = reach**2
    variances[SCALE] = params.scale_sigma**2
    variances[OFFSET] = params.offset_sigma**2
    variances[AXES] = axis_variances
    return np.diag(variances)


def predict(
    state: RelativeState, params: RelativeParams, dt: float, stretch: Stretch | None, rate_sigma: float
) -> FloatArray:
    """Let dt seconds pass, with what the sensors did in them if that is known; return the transition."""
    fade = math.exp(-dt / params.rate_time)
    way = _EYE.copy()
    way[HEADING, RATE] = dt
    way[RATE, RATE] = fade
    turned = 0.0
    state.turn = rotate_by(np.array([0.0, 0.0, state.rate * dt]), state.turn)
    state.rate *= fade
    if stretch is not None:
        turn = product(state.turn.tolist(), stretch.end.tolist())
        state.turn = product(stretch.begin.tolist(), turn.tolist())
        way[TURN, SCALE.start : SCALE.start + 3] = stretch.swept[0]
        way[TURN, SCALE.start + 3 : SCALE.stop] = -matrix_of(state.turn) @ stretch.swept[1]
        state.turn = rotate_by(way[TURN, SCALE] @ state.scale, state.turn)
        turned = math.hypot(*stretch.turned.tolist())
    cov = way @ state.covariance @ way.T
    diagonal = cov.ravel()[:: SIZE + 1]
    diagonal[TURN] += params.drift**2 * dt + (params.scale * turned) ** 2 * max(1.0, params.scale_time / dt)
    diagonal[RATE] += rate_sigma**2 * (1.0 - fade * fade)
    diagonal[CENTRE] += params.lever_walk**2 * dt
    diagonal[OFFSET] += params.offset_walk**2 * dt
    diagonal[AXES] += params.axis_walk**2 * dt
    state.covariance = cov
    return way


def feel(
    state: RelativeState, params: RelativeParams, dt: float, stretch: Stretch, centre_fixed: bool
) -> None:
    """Take the forces of a stretch; where the joint's centre travels they say nothing about heading."""
    c = matrix_of(state.turn)
    (f1, f2), (l1, l2), (m1, m2) = stretch.force, stretch.lever, stretch.carried
    lever2, carried2 = c @ l2, c @ m2
    felt = c @ f2 - lever2 @ state.centre[3:] - carried2 @ state.offset[3:]
    error = f1 - l1 @ state.centre[:3] - m1 @ state.offset[:3] - felt
    slope = np.zeros((3, SIZE))
    x, y, z = felt.tolist()
    slope[:, TURN] = ((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0))
    if not centre_fixed:
        slope[:, HEADING] = 0.0
    slope[:, 4:7], slope[:, 7:10] = l1, -lever2
    slope[:, 16:19], slope[:, 19:22] = m1, -carried2
    across = state.covariance @ slope.T
    known = slope @ across
    size = float((error * error).sum()) / 3.0
    spread = (known[0, 0] + known[1, 1] + known[2, 2]) / 3.0
    low, high = params.force_echo
    echo = min(max(state.force_echo / state.force_variance, low), high)
    noise = state.force_variance * (1.0 + echo) / (1.0 - echo)
    surprise = size / (noise + spread)
    if surprise > 4.0:
        noise *= math.sqrt(surprise) / 2.0
    learnt = min(max(size - spread, params.force_floor**2), 9.0 * state.force_variance)
    share = min(1.0, dt / params.force_memory)
    state.force_variance += (learnt - state.force_variance) * share
    product = float((error * state.last_error).sum()) / 3.0
    state.force_echo += (max(-learnt, min(product, learnt)) - state.force_echo) * share
    state.last_error = error
    correct(state, across, known + noise * _EYE3, error)
    if float(stretch.turned.max()) < params.quiet_rate * dt:
        _weigh(state, params, dt, stretch)


def _weigh(state: RelativeState, params: RelativeParams, dt: float, stretch: Stretch) -> None:
    """Take the vertical force of both quiet segments: it is gravity, and the offsets'."""
    slope = np.zeros((2, SIZE))
    slope[0, 16:19], slope[1, 19:22] = stretch.carried[0, 2], stretch.carried[1, 2]
    error = stretch.force[:, 2] - STANDARD_GRAVITY - slope[:, OFFSET] @ state.offset
    across = state.covariance @ slope.T
    noise = params.quiet_sigma**2 * max(1.0, 2.0 * params.force_time / dt)
    correct(state, across, slope @ across + noise * np.eye(2), error)


def look(state: RelativeState, slope: FloatArray, error: FloatArray, variance: float) -> None:
    """Take rows (n,) whose slope is (n, SIZE), with a variance of each."""
    across = state.covariance @ slope.T
    correct(state, across, slope @ across + variance * np.eye(error.size), error)


def axis_rows(
    state: RelativeState, upper: FloatArray, lower: FloatArray, carrying: float
) -> tuple[FloatArray, FloatArray]:
    """Return what the joint's axes demand: error (n,), slope (n, SIZE).

    Parameters
    ----------
    upper, lower : (3, 3)
        Segment to earth, each in its sensor's own earth frame.
    carrying
        Constant angle between two axes, rad; NaN for a hinge, whose axis is one seen from both segments.
    """
    one, two = state.axes
    turned = matrix_of(state.turn) @ lower
    u, v = upper @ one, turned @ two
    if math.isnan(carrying):
        slope = np.zeros((3, SIZE))
        slope[:, TURN] = -cross_matrix(v)
        slope[:, 22:25] = upper @ cross_matrix(one)
        slope[:, 25:28] = -turned @ cross_matrix(two)
        return u - v, slope
    slope = np.zeros((1, SIZE))
    slope[0, TURN] = cross_matrix(v) @ u
    slope[0, 22:25] = cross_matrix(one) @ (upper.T @ v)
    slope[0, 25:28] = cross_matrix(two) @ (turned.T @ u)
    return np.array([math.cos(carrying) - float((u * v).sum())]), slope


def correct(state: RelativeState, across: FloatArray, total: FloatArray, error: FloatArray) -> None:
    """Apply one linear correction: covariance with the rows (SIZE, n), covariance of the rows (n, n)."""
    gain = np.asarray(np.linalg.solve(total, across.T), np.float64).T
    cov = state.covariance - gain @ across.T
    state.covariance = 0.5 * (cov + cov.T)
    move(state, gain @ error)


def move(state: RelativeState, step: FloatArray) -> None:
    """Move a state by an error vector (SIZE,)."""
    state.turn = rotate_by(step[TURN], state.turn)
    state.rate += float(step[RATE])
    state.centre = state.centre + step[CENTRE]
    state.scale = state.scale + step[SCALE]
    state.offset = state.offset + step[OFFSET]
    if not math.isnan(state.axes[0, 0]):
        axes = [
            axis + cross_matrix(step[22 + 3 * k : 25 + 3 * k]) @ axis for k, axis in enumerate(state.axes)
        ]
        state.axes = np.stack([axis / math.sqrt(float((axis * axis).sum())) for axis in axes])


def apart(state: RelativeState, other: RelativeState) -> FloatArray:
    """Return the error vector (SIZE,) that moves another state to this one."""
    off = np.empty(SIZE)
    turn = quaternion.multiply(state.turn, quaternion.conjugate(other.turn))
    off[TURN] = quaternion.to_rotation_vector(turn)
    off[RATE] = state.rate - other.rate
    off[CENTRE], off[SCALE] = state.centre - other.centre, state.scale - other.scale
    off[OFFSET] = state.offset - other.offset
    off[AXES] = 0.0
    if not math.isnan(state.axes[0, 0]):
        off[22:25], off[25:28] = (cross_matrix(b) @ a for a, b in zip(state.axes, other.axes, strict=True))
    return off
