"""The axis of a hinge-like movement, seen from both sensors, from their orientations and rates.

Axis and heading are fitted together: with a still proximal segment they are one freedom, and only a
consistent pair, R1 j1 = turn(delta) R2 j2, is of use. The search starts from every heading on a coarse
circle, so no sign pairing and no first guess can be wrong; each start is refined by robust least squares,
the smallest residual wins, and the covariance of the winner says which directions the data leave open.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from imu import quaternion
from imu.block import FloatArray
from imu.errors import CalibrationError

STARTS = 24
"""Headings from which the search starts: every 15 deg, a third of the basin seen in simulation."""

MISFIT = math.radians(3.0)
"""One sigma of a joint's motion outside its axis, rad: screw-home and soft tissue, 2 to 4 deg on people."""

MISFIT_TIME = 4.0
"""How long such a misfit lasts, s: it follows the movement and returns with every repetition."""

HEADING_WANDER = math.radians(1.0)
"""One sigma by which relative heading may change between knots, rad: .02 to .05 deg/s over half a minute."""

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

PLANE_SIGMA = math.radians(10.0)
"""How far a segment's own turn, asked for in one plane, is from the axis of the joint, rad (assumed)."""

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
    x, y, z = axis.tolist()
    first = np.array([0.0, z, -y] if abs(x) < 0.8 else [-z, 0.0, x])
    first /= np.linalg.norm(first)
    u, v, w = first.tolist()
    return np.array([[u, v, w], [y * w - z * v, z * u - x * w, x * v - y * u]])


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return a x b of vectors (..., 3): `np.cross` to the last bit, at a third of its cost for few rows."""
    a0, a1, a2, b0, b1, b2 = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)


@dataclass(slots=True, eq=False)
class _Fit:
    """Where a search stands: axes, heading at the knots, cost and normal matrix."""

    j1: FloatArray
    j2: FloatArray
    knots: FloatArray
    cost: float = math.inf
    normal: FloatArray | None = None


class _Problem:
    """The residuals of one movement and their slopes."""

    def __init__(
        self, q: FloatArray, gyr: FloatArray, dt: float, heading: tuple[float, float] | None
    ) -> None:
        self.q1, self.q2, self.dt, self.prior = q[:, 0], q[:, 1], dt, heading
        self.w1, self.w2 = quaternion.rotate(q[:, 0], gyr[:, 0]), quaternion.rotate(q[:, 1], gyr[:, 1])
        count = max(2, round(len(q) * dt / KNOT_SECONDS) + 1)
        at = np.linspace(0.0, count - 1.0, len(q))
        self.basis = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(count)))
        self.inflation = max(1.0, 2.0 * MISFIT_TIME / dt)
        self.planes = [(k, line) for k in (0, 1) if (line := _own_line(gyr[:, k])) is not None]

    def start(self, heading: float) -> _Fit:
        """Return the axis that the relative rate has at a constant heading."""
        turn = quaternion.about_vertical(heading)
        relative = quaternion.rotate(turn, self.w2) - self.w1
        seen1 = quaternion.rotate(quaternion.conjugate(self.q1), relative)
        seen2 = quaternion.rotate(quaternion.conjugate(quaternion.multiply(turn, self.q2)), relative)
        j1 = np.linalg.eigh(seen1.T @ seen1)[1][:, -1]
        j2 = np.linalg.eigh(seen2.T @ seen2)[1][:, -1]
        if float(((seen1 @ j1) * (seen2 @ j2)).sum()) < 0.0:
            j2 = -j2
        return _Fit(j1, j2, np.full(self.basis.shape[1], heading))

    def refine(self, fit: _Fit, rounds: int) -> _Fit:
        """Return the fit after a number of robust Gauss-Newton rounds."""
        for _ in range(rounds):
            normal, right, cost = self._linear(fit)
            fit.cost, fit.normal = cost, normal
            step = np.asarray(np.linalg.solve(normal + 1e-9 * np.eye(len(normal)), right), np.float64)
            step *= min(1.0, 0.5 / max(float(np.abs(step).max()), 1e-12))
            fit = _Fit(
                _moved(fit.j1, step[:2]), _moved(fit.j2, step[2:4]), fit.knots + step[4:], cost, normal
            )
            if float(np.abs(step).max()) < 1e-6:
                break
        normal, _, cost = self._linear(fit)
        fit.cost, fit.normal = cost, normal
        return fit

    def cost_of(self, fit: _Fit) -> float:
        """Return the cost of a fit, in looks of one step."""
        return self._linear(fit)[2]

    def heading_sigma(self, fit: _Fit) -> float:
        """Return the one sigma of the mean heading of a fit, rad, before any scaling by its residual."""
        assert fit.normal is not None
        covariance = np.linalg.inv(fit.normal + np.eye(len(fit.normal)) / math.pi**2)
        return math.sqrt(float(covariance[4:, 4:].mean()))

    def views(self, fit: _Fit) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the axis seen from each sensor and the relative rate, (N.

        3) in the earth frame of the first.
        """
        turn = quaternion.about_vertical(self.basis @ fit.knots)
        v1 = quaternion.rotate(self.q1, fit.j1)
        v2 = quaternion.rotate(quaternion.multiply(turn, self.q2), fit.j2)
        return v1, v2, quaternion.rotate(turn, self.w2) - self.w1

    def _linear(self, fit: _Fit) -> tuple[FloatArray, FloatArray, float]:
        turn = quaternion.about_vertical(self.basis @ fit.knots)
        lower = quaternion.multiply(turn, self.q2)
        v1, v2 = quaternion.rotate(self.q1, fit.j1), quaternion.rotate(lower, fit.j2)
        w2 = quaternion.rotate(turn, self.w2)
        rate = w2 - self.w1
        columns1 = [quaternion.rotate(self.q1, t) for t in tangent(fit.j1)]
        columns2 = [quaternion.rotate(lower, t) for t in tangent(fit.j2)]
        down = [-v2[:, 1], v2[:, 0], np.zeros(len(v2))]
        spin = [-w2[:, 1], w2[:, 0], np.zeros(len(w2))]
        error = v1 - v2
        knots = -np.stack(down, axis=1)[:, :, None] * self.basis[:, None, :]
        jacobian = np.concatenate([np.stack([*columns1, -columns2[0], -columns2[1]], axis=2), knots], axis=2)
        # The relative rate is along the axis: its part across the proximal view vanishes.
        speed = np.sqrt((rate * rate).sum(axis=1)) + 1e-3
        across = _cross(rate, v1) / speed[:, None]
        side = [_cross(rate, c) / speed[:, None] for c in columns1]
        turned = _cross(np.stack(spin, axis=1), v1)[:, :, None] / speed[:, None, None]
        turned = turned * self.basis[:, None, :]
        zero = np.zeros_like(side[0])
        jacobian_rate = np.concatenate([np.stack([*side, zero, zero], axis=2), turned], axis=2)
        weight_rate = np.minimum(speed / math.radians(30.0), 1.0)
        normal = np.zeros((4 + knots.shape[2],) * 2)
        right, cost = np.zeros(len(normal)), 0.0
        for e, j, w in ((error, jacobian, np.ones(len(error))), (across, jacobian_rate, weight_rate)):
            size = np.sqrt((e * e).sum(axis=1)) / (MISFIT * math.sqrt(2.0))
            robust = w / np.maximum(1.0, size / 2.0) / (MISFIT**2 * self.inflation)
            weighted = j * robust[:, None, None]
            normal += np.einsum("nki,nkj->ij", weighted, j)
            right -= np.einsum("nki,nk->i", weighted, e)
            cost += float((w * np.where(size < 2.0, 0.5 * size * size, 2.0 * size - 2.0)).sum())
        return self._priors(normal, right, fit, cost)

    def _priors(
        self, normal: FloatArray, right: FloatArray, fit: _Fit, cost: float
    ) -> tuple[FloatArray, FloatArray, float]:
        knots = fit.knots
        for which, line in self.planes:
            axis = (fit.j1, fit.j2)[which]
            cosine = float(line @ axis)
            off = math.acos(min(1.0, abs(cosine))) / PLANE_SIGMA
            towards = tangent(axis) @ (line if cosine > 0.0 else -line)
            weight = 1.0 / (PLANE_SIGMA**2 * max(1.0, off / 2.0))
            rows = slice(2 * which, 2 * which + 2)
            normal[rows, rows] += weight * np.eye(2)
            right[rows] += weight * towards
            cost += (0.5 * off * off if off < 2.0 else 2.0 * off - 2.0) * self.inflation
        difference = np.diff(np.eye(len(knots)), axis=0) / HEADING_WANDER
        normal[4:, 4:] += difference.T @ difference
        right[4:] -= difference.T @ (difference @ knots)
        if self.prior is not None:
            middle, sigma = self.prior
            row = np.full(len(knots), 1.0 / len(knots))
            off = float(quaternion.wrap(np.array(knots.mean() - middle)))
            normal[4:, 4:] += np.outer(row, row) / sigma**2
            right[4:] -= row * off / sigma**2
            cost += 0.5 * (off / sigma) ** 2 * self.inflation
        return normal, right, cost


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
    starts = np.arange(STARTS) * (2.0 * np.pi / STARTS)
    fits = sorted((problem.refine(problem.start(h), 4) for h in starts), key=lambda fit: fit.cost)
    fit = min((problem.refine(each, 20) for each in fits[:3]), key=lambda each: each.cost)
    return _summary(problem, fit)


def candidates(
    q: FloatArray, gyr: FloatArray, rate: float, heading: tuple[float, float] | None = None
) -> list[Hinge]:
    """Return one axis for every heading on the circle that the movement leaves possible, likeliest first.

    With a still proximal segment all of them are: other knowledge of the segments must choose. Parameters and
    errors are those of `find_hinge`.
    """
    data = _thinned(q, gyr, rate)
    free = _Problem(*data, heading)
    found: list[tuple[float, _Problem, _Fit]] = []
    for start in (np.arange(STARTS) * (2.0 * np.pi / STARTS)).tolist():
        bound = _Problem(*data, (start, CANDIDATE_SIGMA))
        fit = bound.refine(bound.start(start), 8)
        found.append((free.cost_of(fit) / free.inflation, bound, fit))
        fit = free.refine(fit, 12)
        if free.heading_sigma(fit) < CANDIDATE_SIGMA:
            found[-1] = (fit.cost / free.inflation, free, fit)
    hinges: list[Hinge] = []
    refusals: list[CalibrationError] = []
    for cost, problem, fit in sorted(found, key=lambda each: each[0]):
        if hinges and cost >= hinges[0].cost + CANDIDATE_COST:
            break
        try:
            hinge = replace(_summary(problem, fit), cost=cost)
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
    normal = np.zeros((len(fit.knots) + 4,) * 2) if fit.normal is None else fit.normal
    covariance: FloatArray = np.asarray(np.linalg.inv(normal + np.eye(len(normal)) / math.pi**2), np.float64)
    residual = math.sqrt(float(((v1 - v2) ** 2).sum(axis=1).mean()))
    scale = max(1.0, (residual / (MISFIT * math.sqrt(2.0))) ** 2)
    middle = np.zeros(len(normal))
    middle[4:] = 1.0 / len(fit.knots)
    spread = math.sqrt(float(middle @ covariance @ middle) * scale)
    heading = float(quaternion.wrap(np.array(fit.knots.mean())))
    way = 1 if left > 0.0 else -1
    return Hinge(fit.j1, fit.j2, covariance[:4, :4] * scale, heading, spread, residual, share, turn, way)


def _own_line(gyr: FloatArray) -> FloatArray | None:
    """Return the line (3,) about which a segment turned, sensor frame; None if it swayed or tumbled."""
    values, vectors = np.linalg.eigh(gyr.T @ gyr)
    power = float(values.sum())
    if power < len(gyr) * PLANE_RATE**2 or float(values[-1]) < PLANE_SHARE * power:
        return None
    return vectors[:, -1]


def _moved(axis: FloatArray, step: FloatArray) -> FloatArray:
    moved = axis + step @ tangent(axis)
    return moved / np.linalg.norm(moved)
