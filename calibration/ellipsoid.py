"""Fit the ellipsoid on which a three-axis sensor sees a constant field, and say how well it is known.

The model is `|W (measured - bias)| = radius` with W symmetric and positive: a rotation of the sensor's axes
cannot be seen from lengths alone, so none is made up. W is written as the exponential of a symmetric matrix,
W = exp(S), whose six numbers (xx, yy, zz, xy, xz, yz) are near 0 and free of constraints.
"""

from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray
from imu.triad import through

_PLACES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Ellipsoid:
    """A fitted ellipsoid.

    Parameters
    ----------
    matrix : (3, 3)
        W above.
    bias : (3,)
        Its centre, in the unit of the data.
    radius
        Length of the field, in the unit of the data.
    covariance : (9, 9)
        Of the centre (first three) and of S, in the order of the module's text.
    residual
        Root mean square of `|W (measured - bias)| - radius`, in the unit of the data.
    """

    matrix: FloatArray
    bias: FloatArray
    radius: float
    covariance: FloatArray
    residual: float


def logarithm(matrix: FloatArray) -> FloatArray:
    """Return S (6,) of the symmetric part exp(S) of any invertible matrix (3, 3) in polar form.

    The symmetric factor of `matrix = rotation @ W` is the root of `matrix.T @ matrix`.
    """
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    full = (vectors * (0.5 * np.log(squares))) @ vectors.T
    return np.array([full[place] for place in _PLACES])


def exponential(numbers: FloatArray) -> FloatArray:
    """Return exp(S), (3, 3), of the six numbers of S."""
    full = np.zeros((3, 3))
    for (row, column), number in zip(_PLACES, numbers, strict=True):
        full[row, column] = full[column, row] = number
    values, vectors = np.linalg.eigh(full)
    return (vectors * np.exp(values)) @ vectors.T


def fit(
    points: FloatArray, sigma: FloatArray, radius: float | None, bias_sigma: float, shape_sigma: float
) -> Ellipsoid:
    """Return the most probable ellipsoid through points.

    Parameters
    ----------
    points : (N, 3)
        Measured fields, N >= 4.
    sigma : (N,)
        One sigma of each, per axis, in their unit. If the points scatter more than that, the covariance grows
        accordingly; it never shrinks.
    radius
        Known length of the field; None: it is fitted, and W keeps volumes (trace of S is 0).
    bias_sigma, shape_sigma
        What is known beforehand, one sigma, about the centre (around 0 if the radius is known, else around
        the middle of the points) and about each number of S (around 0).
    """
    from scipy.optimize import least_squares

    middle = np.zeros(3) if radius is not None else (points.max(axis=0) + points.min(axis=0)) / 2.0
    reach = float(np.median(np.linalg.norm(points - middle, axis=1))) if radius is None else radius
    weight = 1.0 / sigma

    def unpack(numbers: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        shape = numbers[3:9].copy()
        size = reach
        if radius is None:
            size = reach * float(np.exp(shape[2]))
            shape[2] = -shape[0] - shape[1]
        return numbers[:3], shape, size

    def lengths(numbers: FloatArray) -> FloatArray:
        centre, shape, size = unpack(numbers)
        return np.linalg.norm(through(exponential(shape), points - centre), axis=1) - size

    def misfit(numbers: FloatArray) -> FloatArray:
        beliefs = np.concatenate([(numbers[:3] - middle) / bias_sigma, numbers[3:] / shape_sigma])
        return np.concatenate([lengths(numbers) * weight, beliefs])

    start = np.concatenate([middle, np.zeros(6)])
    scale = np.concatenate([np.full(3, reach), np.ones(6)])
    found = least_squares(misfit, start, x_scale=scale, method="lm")
    numbers = np.asarray(found.x, dtype=np.float64)
    off = lengths(numbers)
    spare = max(1, len(points) - 9)
    excess = max(1.0, float(((off * weight) ** 2).sum()) / spare)
    jacobian = np.asarray(found.jac, dtype=np.float64)
    jacobian[: len(points)] /= np.sqrt(excess)
    covariance = np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64)
    centre, shape, size = unpack(numbers)
    if radius is None:
        # The third number was the size; the third of S follows from the first two.
        change = np.eye(9)
        change[5] = 0.0
        change[5, 3] = change[5, 4] = -1.0
        covariance = np.asarray(change @ covariance @ change.T, dtype=np.float64)
    residual = float(np.sqrt(np.mean(off**2)))
    return Ellipsoid(exponential(shape), centre, size, covariance, residual)
