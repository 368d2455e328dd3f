"""The axis of a hinge-like movement, seen from both sensors, from their orientations and rates.

Axis and heading are fitted together: with a still proximal segment they are one freedom, and only a
consistent pair, R1 j1 = turn(delta) R2 j2, is of use. The search starts from every heading on a coarse
circle, so no sign pairing and no first guess can be wrong; each start is refined by robust least squares,
the smallest residual wins, and the covariance of the winner says which directions the data leave open.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from calibration.hinge_fit import MISFIT, Movement, moments, refine, tangents
from imu import quaternion
from imu.block import FloatArray
from imu.errors import CalibrationError

STARTS = 24
"""Headings from which the search starts: every 15 deg, a third of the basin seen in simulation."""

_HEADINGS: FloatArray = np.linspace(0.0, 2.0 * np.pi, STARTS, endpoint=False)

MISFIT_TIME = 4.0
"""How long such a misfit lasts, s: it follows the movement and returns with every repetition."""

KNOT_SECONDS = 30.0
"""Distance of the knots of heading over time, s."""

CANDIDATE_SIGMA = math.radians(7.5)
"""Each candidate stands for the headings up to halfway to its neighbours, rad."""

TURN_SHARE = 0.3
"""One sigma of how much smaller the true turn is than the largest candidate's, as a share of it: a joint is
moved for the calibration, so segments that seem to turn together do so because the heading is wrong."""

CANDIDATE_COST = 8.0
"""Candidates less likely than this against the best are dropped: four sigma."""

LEAST_TURN = math.radians(20.0)
"""A movement below this range (5th to 95th percentile) says too little about its axis, rad."""

LEAST_SHARE = 0.6
"""Share of the relative rate that must be about one axis for the movement to count as one-axis."""

PLANE_RATE = math.radians(15.0)
"""A segment that turns slower than this on average only sways, and its own axis says nothing, rad/s."""

PLANE_SHARE = 0.9
"""Share of a segment's own turning that must be about one line for that line to count."""

STEP_HZ = 10.0
"""Grid on which the fit works; a limb's calibration movement is below 2 Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Hinge:
    """An axis seen from two sensors.

    Parameters
    ----------
    axis_proximal, axis_distal : (3,)
        Unit vectors in the sensor frames: the same line, the same sign.
    covariance : (4, 4)
        Of the two directions, rad^2, in the tangent bases `tangent(axis)`, proximal first. Large where the
        data leave a direction open (the azimuth of a still proximal segment).
    heading
        Relative heading at the middle of the movement, rad.
    heading_sigma
        Its one sigma, rad.
    residual
        Root mean square angle between the two views of the axis, rad.
    share
        Share of the relative rate that is about the axis, 0 to 1.
    turn
        Range of the turn about the axis, 5th to 95th percentile, rad.
    first_way
        +1 if the movement first leaves its start by the right-hand rule about the axis, -1 if the other way.
    cost
        How much less likely it is than the best of its search, as a difference of log-likelihood.
    """

    axis_proximal: FloatArray
    axis_distal: FloatArray
    covariance: FloatArray
    heading: float
    heading_sigma: float
    residual: float
    share: float
    turn: float
    first_way: int
    cost: float = 0.0

    def reversed(self) -> "Hinge":
        """Return the same line with the other sign."""
        return replace(
            self,
            axis_proximal=-self.axis_proximal,
            axis_distal=-self.axis_distal,
            first_way=-self.first_way,
        )


def tangent(axis: FloatArray) -> FloatArray:
    """Return two unit vectors (2, 3) that complete a unit vector (3,) to a right-handed basis."""
    return np.array(tangents((float(axis[0]), float(axis[1]), float(axis[2]))))


@dataclass(slots=True, eq=False)
class _Fit:
    """Where a search stands: axes and heading at the knots as a row, cost and normal matrix."""

    row: FloatArray
    cost: float
    normal: FloatArray

    @property
    def axes(self) -> tuple[FloatArray, FloatArray]:
        return self.row[:3], self.row[3:6]

    @property
    def knots(self) -> FloatArray:
        return self.row[6:]


class _Problem:
    """The search in one movement."""

    def __init__(
        self, q: FloatArray, gyr: FloatArray, dt: float, heading: tuple[float, float] | None
    ) -> None:
        self.q1, self.q2, self.dt = q[:, 0], q[:, 1], dt
        self.w1, self.w2 = quaternion.rotate(q[:, 0], gyr[:, 0]), quaternion.rotate(q[:, 1], gyr[:, 1])
        count = max(2, round(len(q) * dt / KNOT_SECONDS) + 1)
        at = np.linspace(0.0, count - 1.0, len(q))
        self.basis = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(count)))
        self.inflation = max(1.0, 2.0 * MISFIT_TIME / dt)
        self._movement = Movement(
            quaternion.to_matrix(q[:, 0]),
            quaternion.to_matrix(q[:, 1]),
            np.stack([self.w1, self.w2]),
            at,
            np.stack([_own_line(gyr[:, 0]), _own_line(gyr[:, 1])]),
            *(heading or (0.0, math.inf)),
            self.inflation,
        )

    def starts(self, headings: FloatArray) -> FloatArray:
        """Return rows with the axis that the relative rate has at each constant heading."""
        seen = moments(self._movement, headings)
        one, two = np.linalg.eigh(seen[:, :2])[1][..., -1].swapaxes(0, 1)
        same = (one[:, :, None] * seen[:, 2] * two[:, None, :]).sum(axis=(1, 2)) >= 0.0
        two = np.where(same[:, None], two, -two)
        knots = np.repeat(headings[:, None], self.basis.shape[1], axis=1)
        return np.concatenate([one, two, knots], axis=1)

    def refine(self, row: FloatArray, rounds: int) -> _Fit:
        """Return the fit that a row comes to after a number of robust Gauss-Newton rounds."""
        row = row.copy()
        return _Fit(row, *refine(self._movement, row, rounds))

    def heading_sigma(self, fit: _Fit) -> float:
        """Return the one sigma of the mean heading of a fit, rad, before any scaling by its residual."""
        covariance = np.linalg.inv(fit.normal + np.eye(len(fit.normal)) / math.pi**2)
        return math.sqrt(float(covariance[4:, 4:].mean()))

    def views(self, fit: _Fit) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the axis seen from each sensor and the relative rate, (N, 3) in the proximal earth frame."""
        turn = quaternion.about_vertical(self.basis @ fit.knots)
        v1 = quaternion.rotate(self.q1, fit.axes[0])
        v2 = quaternion.rotate(quaternion.multiply(turn, self.q2), fit.axes[1])
        return v1, v2, quaternion.rotate(turn, self.w2) - self.w1


def find_hinge(
    q: FloatArray, gyr: FloatArray, rate: float, heading: tuple[float, float] | None = None
) -> Hinge:
    """Return the axis about which two sensors moved against each other.

    Parameters
    ----------
    q : (M, 2, 4)
        `q_earth_from_sensor`, proximal first, each in its own earth frame. Rows with NaN do not count.
    gyr : (M, 2, 3)
        Rates in the sensor frames, bias taken off, rad/s.
    rate
        Instants per second, Hz.
    heading
        Relative heading and its one sigma, rad, where known beforehand.

    Raises
    ------
    CalibrationError
        If the movement is too short or too small, or not about one axis.
    """
    problem = _Problem(*_thinned(q, gyr, rate), heading)
    fits = sorted((problem.refine(row, 4) for row in problem.starts(_HEADINGS)), key=lambda fit: fit.cost)
    fit = min((problem.refine(each.row, 20) for each in fits[:3]), key=lambda each: each.cost)
    return _summary(problem, fit)


def candidates(
    q: FloatArray, gyr: FloatArray, rate: float, heading: tuple[float, float] | None = None
) -> list[Hinge]:
    """Return one axis for every heading on the circle that the movement leaves possible, likeliest first.

    With a still proximal segment all of them are: other knowledge of the segments must choose. The covariance
    of each is that of its axes if the heading is its own. Parameters and errors are those of `find_hinge`.
    """
    data = _thinned(q, gyr, rate)
    free = _Problem(*data, heading)
    found: list[_Fit] = []
    for start, row in zip(_HEADINGS.tolist(), free.starts(_HEADINGS), strict=True):
        bound = _Problem(*data, (start, CANDIDATE_SIGMA)).refine(row, 8)
        fit = free.refine(bound.row, 12)
        if free.heading_sigma(fit) > CANDIDATE_SIGMA:
            fit = _Fit(bound.row, free.refine(bound.row, 0).cost, bound.normal)
        found.append(fit)
    hinges: list[Hinge] = []
    refusals: list[CalibrationError] = []
    for fit in sorted(found, key=lambda each: each.cost):
        cost = fit.cost / free.inflation
        if hinges and cost >= hinges[0].cost + CANDIDATE_COST:
            break
        try:
            hinge = replace(_summary(free, fit), cost=cost)
        except CalibrationError as refusal:
            refusals.append(refusal)
            continue
        if not any(_same(hinge, other) for other in hinges):
            hinges.append(hinge)
    if not hinges:
        raise refusals[0]
    widest = max(hinge.turn for hinge in hinges)
    costs = [hinge.cost + 0.5 * ((widest - hinge.turn) / (widest * TURN_SHARE)) ** 2 for hinge in hinges]
    pairs = [(cost - min(costs), hinge) for cost, hinge in zip(costs, hinges, strict=True)]
    return sorted((replace(hinge, cost=cost) for cost, hinge in pairs), key=lambda hinge: hinge.cost)


def hinge_at(q: FloatArray, gyr: FloatArray, rate: float, like: Hinge, heading: float) -> Hinge:
    """Return the hinge of a movement at a heading, rad, of the sign of one of its candidates.

    Other parameters and errors are those of `find_hinge`.
    """
    problem = _Problem(*_thinned(q, gyr, rate), (heading, CANDIDATE_SIGMA / 10.0))
    start = np.concatenate([like.axis_proximal, like.axis_distal, np.full(problem.basis.shape[1], heading)])
    found = _summary(problem, problem.refine(start, 12))
    return found.reversed() if float(found.axis_distal @ like.axis_distal) < 0.0 else found


def _same(one: Hinge, other: Hinge) -> bool:
    """Whether two searches ended at the same heading."""
    return abs(float(quaternion.wrap(np.array(one.heading - other.heading)))) < CANDIDATE_SIGMA / 4.0


def _thinned(q: FloatArray, gyr: FloatArray, rate: float) -> tuple[FloatArray, FloatArray, float]:
    """Return the known rows on the grid of the fit and its step, s."""
    stride = max(1, round(rate / STEP_HZ))
    good = np.isfinite(q).all(axis=(1, 2)) & np.isfinite(gyr).all(axis=(1, 2))
    q, gyr = q[good][::stride], gyr[good][::stride]
    if len(q) < 20:
        raise CalibrationError(
            f"the movement lasts {len(q) * stride / rate:.1f} s, expected at least 2 s; move there and back "
            "three times"
        )
    return q, gyr, stride / rate


def _summary(problem: _Problem, fit: _Fit) -> Hinge:
    v1, v2, relative = problem.views(fit)
    axis = v1 + v2
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    along = (relative * axis).sum(axis=1)
    power = float((relative * relative).sum())
    share = float((along * along).sum()) / power if power > 0.0 else 0.0
    angle = np.cumsum(along) * problem.dt
    low, high = np.percentile(angle, [5.0, 95.0])
    turn = float(high - low)
    if turn < LEAST_TURN:
        raise CalibrationError(
            f"the movement covers {math.degrees(turn):.0f} deg, expected at least "
            f"{math.degrees(LEAST_TURN):.0f}; move farther, there and back three times"
        )
    if share < LEAST_SHARE:
        raise CalibrationError(
            f"only {100 * share:.0f} % of the movement is about one axis, expected {100 * LEAST_SHARE:.0f} "
            "or more; move in one plane, slowly, and keep the rest of the limb still"
        )
    angle -= angle[0]
    left = angle[np.argmax(np.abs(angle) > 0.3 * turn)]
    identity = np.eye(len(fit.normal))
    covariance: FloatArray = np.asarray(np.linalg.inv(fit.normal + identity / math.pi**2), np.float64)
    residual = math.sqrt(float(((v1 - v2) ** 2).sum(axis=1).mean()))
    scale = max(1.0, (residual / (MISFIT * math.sqrt(2.0))) ** 2)
    middle = np.zeros(len(identity))
    middle[4:] = 1.0 / len(fit.knots)
    spread = math.sqrt(float(middle @ covariance @ middle) * scale)
    heading = float(quaternion.wrap(np.array(fit.knots.mean())))
    way = 1 if left > 0.0 else -1
    return Hinge(*fit.axes, covariance[:4, :4] * scale, heading, spread, residual, share, turn, way)


def _own_line(gyr: FloatArray) -> FloatArray:
    """Return the line (3,) about which a segment turned, sensor frame; NaN if it swayed or tumbled."""
    values, vectors = np.linalg.eigh(gyr.T @ gyr)
    power = float(values.sum())
    if power < len(gyr) * PLANE_RATE**2 or float(values[-1]) < PLANE_SHARE * power:
        return np.full(3, np.nan)
    return vectors[:, -1]
