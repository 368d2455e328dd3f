"""Three-axis signals as rows (N, 3)."""

import numpy as np

from imu.block import FloatArray


def through(matrix: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return `matrix` (3, 3) times each row of `vectors` (N, 3).

    Component by component, so that a row never depends on how many rows come with it.
    """
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.stack([row[0] * x + row[1] * y + row[2] * z for row in matrix], axis=-1)
