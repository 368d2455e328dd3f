"""Small dense linear algebra as explicit compiled loops: no call costs, and the same bits with any BLAS."""

import math

import numpy as np

from imu.block import FloatArray
from imu.compiled import compiled


@compiled
def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the matrix product of (n, k) and (k, m), shape (n, m); what `a` has no part in costs nothing."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            if factor != 0.0:
                for j in range(b.shape[1]):
                    out[i, j] += factor * b[k, j]
    return out


@compiled
def gram(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return `a` times `b` transposed, of (n, k) and (m, k), shape (n, m)."""
    out = np.zeros((a.shape[0], b.shape[0]))
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[j, k]
    return out


@compiled
def lose(m: FloatArray, rows: FloatArray) -> None:
    """Take the transpose of rows (n, k) times them off a matrix (k, k), three rows at a time."""
    alone = rows.shape[0] - rows.shape[0] % 3
    for r in range(0, alone, 3):
        for i in range(m.shape[0]):
            one, two, three = rows[r, i], rows[r + 1, i], rows[r + 2, i]
            for j in range(m.shape[0]):
                m[i, j] -= one * rows[r, j] + two * rows[r + 1, j] + three * rows[r + 2, j]
    for r in range(alone, rows.shape[0]):
        for i in range(m.shape[0]):
            for j in range(m.shape[0]):
                m[i, j] -= rows[r, i] * rows[r, j]


@compiled
def root(m: FloatArray) -> FloatArray:
    """Return the upper triangle U, (n, n), whose transpose times U is a symmetric positive matrix (n, n).

    Its diagonal is kept inverted, which is what `forward` and `backward` need. NaN where the matrix is not
    positive. Source: A.-L. Cholesky; G. H. Golub and C. F. Van Loan, "Matrix Computations", section 4.2.
    """
    upper = m.copy()
    for k in range(m.shape[0]):
        inverse = 1.0 / math.sqrt(upper[k, k])
        for j in range(k + 1, m.shape[0]):
            upper[k, j] *= inverse
        for i in range(k + 1, m.shape[0]):
            factor = upper[k, i]
            for j in range(i, m.shape[0]):
                upper[i, j] -= factor * upper[k, j]
        upper[k, k] = inverse
    return upper


@compiled
def forward(upper: FloatArray, b: FloatArray) -> FloatArray:
    """Return what U transposed times gives `b`, shape (n, m), for the U of `root`."""
    out = b.copy()
    for i in range(out.shape[0]):
        for k in range(i):
            factor = upper[k, i]
            for j in range(out.shape[1]):
                out[i, j] -= factor * out[k, j]
        for j in range(out.shape[1]):
            out[i, j] *= upper[i, i]
    return out


@compiled
def backward(upper: FloatArray, b: FloatArray) -> FloatArray:
    """Return what U times gives `b`, shape (n, m), for the U of `root`."""
    out = b.copy()
    for i in range(out.shape[0] - 1, -1, -1):
        for k in range(i + 1, out.shape[0]):
            factor = upper[i, k]
            for j in range(out.shape[1]):
                out[i, j] -= factor * out[k, j]
        for j in range(out.shape[1]):
            out[i, j] *= upper[i, i]
    return out


@compiled
def mirror(m: FloatArray) -> None:
    """Make a matrix (n, n) symmetric to the last bit: below its diagonal what lies above."""
    for i in range(1, m.shape[0]):
        for j in range(i):
            m[i, j] = m[j, i]
