"""The arithmetic of the axis search: residuals of one movement, their slopes, and the refinement of a fit.

Two things vanish where axes and heading are right: the difference of the two views of the axis, and the part
of the relative rate that is not along it. A fit is a row (6 + K,): the axis in both sensors, then the heading
at K instants, rad, linear between them.
"""

import math
from typing import NamedTuple

import numpy as np

from calibration.linear import backward, forward, mirror, root
from calibration.rotation import (
    Vector,
    applied,
    cross,
    dot,
    matrix_at,
    minus,
    plus,
    put,
    scaled,
    transposed,
    vector_at,
    wrapped,
)
from imu.block import FloatArray
from imu.compiled import compiled

MISFIT = math.radians(3.0)
"""One sigma of a joint's motion outside its axis, rad: screw-home and soft tissue, 2 to 4 deg on people."""

HEADING_WANDER = math.radians(1.0)
"""One sigma by which relative heading may change between knots, rad: .02 to .05 deg/s over half a minute."""

PLANE_SIGMA = math.radians(10.0)
"""How far a segment's own turn, asked for in one plane, is from the axis of the joint, rad (assumed)."""

_BRISK = math.radians(30.0)
"""Relative rate, rad/s, from which on its direction counts in full."""


class Movement(NamedTuple):
    """What two sensors did at N instants; each in its own earth frame.

    Parameters
    ----------
    proximal, distal : (N, 3, 3)
        Earth from sensor.
    rates : (2, N, 3)
        Angular rates in the earth frames, rad/s.
    place : (N,)
        Where each instant lies among the K knots of heading, 0 to K - 1.
    lines : (2, 3)
        Lines about which the segments themselves turned, sensor frames; NaN where one did not.
    middle, sigma
        What is known beforehand of the mean heading, rad; infinite sigma for nothing.
    inflation
        How many instants an error lasts.
    """

    proximal: FloatArray
    distal: FloatArray
    rates: FloatArray
    place: FloatArray
    lines: FloatArray
    middle: float
    sigma: float
    inflation: float


@compiled
def tangents(axis: Vector) -> tuple[Vector, Vector]:
    """Return two unit vectors that complete a unit vector to a right-handed basis."""
    first = cross(axis, (1.0, 0.0, 0.0) if abs(axis[0]) < 0.8 else (0.0, 1.0, 0.0))
    first = scaled(first, 1.0 / math.sqrt(dot(first, first)))
    return first, cross(axis, first)


@compiled
def moments(m: Movement, headings: FloatArray) -> FloatArray:
    """Return the sums of outer products of the relative rate with itself, for constant headings (G,).

    (G, 3, 3, 3): seen from the proximal sensor, from the distal one, and the one with the other.
    """
    out = np.zeros((headings.size, 3, 3, 3))
    for g in range(headings.size):
        cos, sin = math.cos(headings[g]), math.sin(headings[g])
        for n in range(m.place.size):
            second = _about(vector_at(m.rates[1, n]), cos, sin)
            rate = minus(second, vector_at(m.rates[0, n]))
            one = applied(transposed(matrix_at(m.proximal[n])), rate)
            two = applied(transposed(matrix_at(m.distal[n])), _about(rate, cos, -sin))
            for i in range(3):
                for j in range(3):
                    out[g, 0, i, j] += one[i] * one[j]
                    out[g, 1, i, j] += two[i] * two[j]
                    out[g, 2, i, j] += one[i] * two[j]
    return out


@compiled
def refine(m: Movement, fit: FloatArray, rounds: int) -> tuple[float, FloatArray]:
    """Move a fit by robust Gauss-Newton rounds; return its cost, in looks of one instant, and normal matrix.

    With no round at all it is only judged.
    """
    count = fit.size - 2
    normal, right = np.empty((count, count)), np.empty((count, 1))
    for _ in range(rounds):
        _linear(m, fit, normal, right)
        for i in range(count):
            normal[i, i] += 1e-9
        upper = root(normal)
        step = backward(upper, forward(upper, right))
        largest = 0.0
        for i in range(count):
            largest = max(largest, abs(step[i, 0]))
        share = min(1.0, 0.5 / max(largest, 1e-12))
        for k in range(2):
            axis = vector_at(fit, 3 * k)
            first, second = tangents(axis)
            first, second = scaled(first, share * step[2 * k, 0]), scaled(second, share * step[2 * k + 1, 0])
            axis = plus(axis, plus(first, second))
            put(fit, 3 * k, scaled(axis, 1.0 / math.sqrt(dot(axis, axis))))
        for knot in range(6, fit.size):
            fit[knot] += share * step[knot - 2, 0]
        if share * largest < 1e-6:
            break
    return _linear(m, fit, normal, right), normal


@compiled
def _about(v: Vector, cos: float, sin: float) -> Vector:
    """Return a vector turned about the vertical."""
    return cos * v[0] - sin * v[1], sin * v[0] + cos * v[1], v[2]


@compiled
def _linear(m: Movement, fit: FloatArray, normal: FloatArray, right: FloatArray) -> float:
    """Fill the normal matrix and the right side of a round; return the cost of the fit."""
    normal[:], right[:] = 0.0, 0.0
    axis1, axis2 = vector_at(fit), vector_at(fit, 3)
    (a1, b1), (a2, b2) = tangents(axis1), tangents(axis2)
    views, rates = np.zeros((5, 3)), np.zeros((5, 3))
    cost = 0.0
    for n in range(m.place.size):
        knot = min(int(m.place[n]), fit.size - 8)
        after = m.place[n] - knot
        heading = (1.0 - after) * fit[6 + knot] + after * fit[7 + knot]
        cos, sin = math.cos(heading), math.sin(heading)
        proximal, distal = matrix_at(m.proximal[n]), matrix_at(m.distal[n])
        v1, v2 = applied(proximal, axis1), _about(applied(distal, axis2), cos, sin)
        first, second = applied(proximal, a1), applied(proximal, b1)
        put(views[0], 0, first)
        put(views[1], 0, second)
        put(views[2], 0, scaled(_about(applied(distal, a2), cos, sin), -1.0))
        put(views[3], 0, scaled(_about(applied(distal, b2), cos, sin), -1.0))
        put(views[4], 0, (v2[1], -v2[0], 0.0))
        cost += _take(normal, right, views, minus(v1, v2), 1.0, m.inflation, knot, after)
        # The relative rate is along the axis: its part across the proximal view vanishes.
        w2 = _about(vector_at(m.rates[1, n]), cos, sin)
        rate = minus(w2, vector_at(m.rates[0, n]))
        speed = math.sqrt(dot(rate, rate)) + 1e-3
        rate = scaled(rate, 1.0 / speed)
        put(rates[0], 0, cross(rate, first))
        put(rates[1], 0, cross(rate, second))
        put(rates[4], 0, scaled(cross((-w2[1], w2[0], 0.0), v1), 1.0 / speed))
        weight = min(speed / _BRISK, 1.0)
        cost += _take(normal, right, rates, cross(rate, v1), weight, m.inflation, knot, after)
    cost += _priors(m, fit, normal, right)
    mirror(normal)
    return cost


@compiled
def _take(  # noqa: PLR0917 -- a compiled function has no keywords
    normal: FloatArray,
    right: FloatArray,
    slope: FloatArray,
    error: Vector,
    weight: float,
    inflation: float,
    knot: int,
    after: float,
) -> float:
    """Add a residual to the upper normal matrix; return its cost.

    `slope` (5, 3) is by the directions of both axes and by the heading, which is `after` the knot.
    """
    size = math.sqrt(dot(error, error)) / (MISFIT * math.sqrt(2.0))
    robust = weight / max(1.0, size / 2.0) / (MISFIT * MISFIT * inflation)
    before, place = 1.0 - after, 4 + knot
    heading = vector_at(slope[4])
    for i in range(4):
        own = scaled(vector_at(slope[i]), robust)
        for j in range(i, 4):
            normal[i, j] += dot(own, vector_at(slope[j]))
        shared = dot(own, heading)
        normal[i, place] += before * shared
        normal[i, place + 1] += after * shared
        right[i, 0] -= dot(own, error)
    own = scaled(heading, robust)
    square, pull = dot(own, heading), dot(own, error)
    normal[place, place] += before * before * square
    normal[place, place + 1] += before * after * square
    normal[place + 1, place + 1] += after * after * square
    right[place, 0] -= before * pull
    right[place + 1, 0] -= after * pull
    return weight * (0.5 * size * size if size < 2.0 else 2.0 * size - 2.0)


@compiled
def _priors(m: Movement, fit: FloatArray, normal: FloatArray, right: FloatArray) -> float:
    """Add what is known besides the movement to the upper normal matrix; return its cost."""
    cost = 0.0
    for k in range(2):
        axis, line = vector_at(fit, 3 * k), vector_at(m.lines[k])
        if math.isnan(line[0]):
            continue
        cosine = dot(line, axis)
        off = math.acos(min(1.0, abs(cosine))) / PLANE_SIGMA
        weight = 1.0 / (PLANE_SIGMA * PLANE_SIGMA * max(1.0, off / 2.0))
        basis = tangents(axis)
        for i in range(2):
            towards = dot(basis[i], line)
            normal[2 * k + i, 2 * k + i] += weight
            right[2 * k + i, 0] += weight * (towards if cosine > 0.0 else -towards)
        cost += (0.5 * off * off if off < 2.0 else 2.0 * off - 2.0) * m.inflation
    count = fit.size - 6
    stiff = 1.0 / (HEADING_WANDER * HEADING_WANDER)
    mean = 0.0
    for knot in range(count):
        mean += fit[6 + knot] / count
    for knot in range(count - 1):
        pull = stiff * (fit[7 + knot] - fit[6 + knot])
        normal[4 + knot, 4 + knot] += stiff
        normal[5 + knot, 5 + knot] += stiff
        normal[4 + knot, 5 + knot] -= stiff
        right[4 + knot, 0] += pull
        right[5 + knot, 0] -= pull
    off = wrapped(mean - m.middle) / m.sigma
    for i in range(4, 4 + count):
        for j in range(i, 4 + count):
            normal[i, j] += 1.0 / (count * m.sigma) ** 2
        right[i, 0] -= off / (count * m.sigma)
    return cost + 0.5 * off * off * m.inflation
