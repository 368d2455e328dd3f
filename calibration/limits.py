"""What is known of healthy joints: ranges that none leaves, and how far from straight it is in the pose."""

import math
from collections.abc import Sequence

import numpy as np

from calibration.evidence import beyond_limits
from calibration.segment import JointCalibration
from imu.block import FloatArray
from imu.compiled import compiled

LIMITS_DEG = {
    "forearm": ((-15.0, 160.0), (-35.0, 35.0), (-110.0, 195.0)),
    "hand": ((-100.0, 95.0), (-45.0, 60.0), (-40.0, 40.0)),
    "shank": ((-15.0, 160.0), (-30.0, 30.0), (-50.0, 50.0)),
    "foot": ((-70.0, 45.0), (-45.0, 60.0), (-45.0, 45.0)),
    "thigh": ((-45.0, 145.0), (-70.0, 50.0), (-70.0, 70.0)),
}
"""Widest healthy ranges of flexion, adduction and inward rotation by distal segment, deg: the norms of the
clinical reference, section 1.4, with 15 to 20 deg to spare. A forearm's zero is half pronated if only the
elbow was calibrated, supinated if the wrist showed its axis: either is within. A shoulder's are too wide to
tell anything."""

ZERO_SIGMA_DEG = {"shank": 3.5, "forearm": 7.0, "hand": 6.0, "thigh": 5.0, "foot": 5.0, "upperarm": 6.0}
"""One sigma of a joint's bend in the standing neutral pose between people, by distal segment, deg: a knee
stands against its ligaments, an elbow hangs bent by 5 to 15 deg (assumed from healthy posture, to verify)."""

LIMIT_SIGMA = math.radians(10.0)
"""How far a healthy joint and the upright of its segments may exceed textbook limits, one sigma, rad."""

MEMORY = 120.0
"""Seconds after which a posture counts a third: the heading drifts on."""

HEADINGS = np.radians(np.arange(0.0, 360.0, 5.0))
"""Relative headings that are tried, rad: the grid of `calibration.acquire`."""

ZERO_SIGMA_ELSEWHERE_DEG = 5.0
"""The same of neck and trunk (assumed, to verify)."""


def zero_sigma(distal_segment: str) -> float:
    """Return one sigma of the true bend in the neutral pose of the joint above a segment, rad."""
    name = distal_segment.rsplit("_", maxsplit=1)[-1]
    return math.radians(ZERO_SIGMA_DEG.get(name, ZERO_SIGMA_ELSEWHERE_DEG))


def widest_ranges(distal_segment: str, side: str, flexion_sign: int) -> FloatArray:
    """Return the ranges of the intrinsic Z-X-Y angles of a joint, rad, (3, 2); NaN where none is useful.

    Parameters
    ----------
    distal_segment
        For example ``"right_forearm"``.
    side
        ``"left"`` mirrors adduction and rotation.
    flexion_sign
        Right-hand sign of flexion about Z.
    """
    name = distal_segment.rsplit("_", maxsplit=1)[-1]
    if name not in LIMITS_DEG:
        return np.full((3, 2), np.nan)
    widest = np.radians(np.array(LIMITS_DEG[name], dtype=np.float64))
    if flexion_sign < 0:
        widest[0] = -widest[0, ::-1]
    if side == "left":
        widest[1:] = -widest[1:, ::-1]
    return widest


class Overreach:
    """How far beyond its limits a joint would have been, for every heading; log-likelihood (G,).

    The alignments err alike in every look, so the worst posture counts, once: a limb that rests beyond a
    textbook limit does not become less likely with every second. How open the calibration left the segments
    about their lengths widens the limits.
    """

    def __init__(self, joint: JointCalibration) -> None:
        self.table = np.zeros(HEADINGS.size)
        self._limits = joint.limits
        self._known = bool(np.isfinite(joint.limits).any())
        self._sigma = math.sqrt(LIMIT_SIGMA**2 + float(joint.proximal.covariance[1, 1]))

    @property
    def known(self) -> bool:
        """Whether the joint has limits that tell anything."""
        return self._known

    def likelihood(self) -> FloatArray:
        """Return the likelihood (G,), 1 for the likeliest."""
        return _likelihood(self.table)

    def take(self, upper: FloatArray, lower: FloatArray, dt: float) -> None:
        """Take the segments (4,), each in its sensor's own earth frame, dt seconds after the last time."""
        _speak(self.table, upper, lower, self._limits, self._sigma, math.exp(-dt / MEMORY))

    def save(self) -> list[float]:
        """Return the memory."""
        return self.table.tolist()

    def restore(self, state: Sequence[float]) -> None:
        """Take up the memory of `save`."""
        self.table = np.array(state, dtype=np.float64)


@compiled
def _likelihood(table: FloatArray) -> FloatArray:
    return np.exp(table - table.max())


@compiled
def _speak(  # noqa: PLR0917 -- a compiled function has no keywords
    table: FloatArray, upper: FloatArray, lower: FloatArray, limits: FloatArray, sigma: float, keep: float
) -> None:
    """Let a table fade, and a posture speak where it is beyond anything seen before."""
    beyond = beyond_limits(upper, lower, HEADINGS, limits)
    for g in range(table.size):
        r = beyond[g] / sigma
        table[g] = min(table[g] * keep, -(0.5 * r * r if r < 2.0 else 2.0 * r - 2.0))
