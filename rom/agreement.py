"""Where two estimates of one angle contradict each other: as seen live, and in the light of everything."""

import numpy as np

from rom.angles import JointSeries

INTERVAL = 1.959963984540054
"""Half a central 95 % interval of the normal distribution in standard deviations."""


def apart(first: JointSeries, second: JointSeries) -> tuple[tuple[float, float], ...]:
    """Return where the 95 % error bars of two series of one recording do not touch.

    Parameters
    ----------
    first, second
        Angles of the same joint on the same capture clock; only instants that both know count.

    Returns
    -------
    tuple of (start, stop)
        Stretches in order, s, from their first to their last instant.
    """
    _, mine, other = np.intersect1d(first.t, second.t, assume_unique=True, return_indices=True)
    one, two = first.angle[mine, 0], second.angle[other, 0]
    bars = INTERVAL * (first.sigma[mine, 0] + second.sigma[other, 0])
    beyond = np.abs(one - two) > bars  # NaN is never beyond
    edges = np.diff(np.concatenate(([0], beyond.astype(np.int8), [0])))
    t = first.t[mine]
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return tuple((float(t[a]), float(t[b])) for a, b in zip(starts, stops, strict=True))
