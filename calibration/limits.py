"""What is known of healthy joints: ranges that none leaves, and how far from straight it is in the pose."""

import math

import numpy as np

from imu.block import FloatArray

LIMITS_DEG = {
    "forearm": ((-15.0, 160.0), (-35.0, 35.0), (-110.0, 110.0)),
    "hand": ((-100.0, 95.0), (-45.0, 60.0), (-40.0, 40.0)),
    "shank": ((-15.0, 160.0), (-30.0, 30.0), (-50.0, 50.0)),
    "foot": ((-70.0, 45.0), (-45.0, 60.0), (-45.0, 45.0)),
    "thigh": ((-45.0, 145.0), (-70.0, 50.0), (-70.0, 70.0)),
}
"""Widest healthy ranges of flexion, adduction and inward rotation by distal segment, deg: the norms of the
clinical reference, section 1.4, with 15 to 20 deg to spare. A shoulder's are too wide to tell anything."""

ZERO_SIGMA_DEG = {"shank": 3.5, "forearm": 7.0, "hand": 6.0, "thigh": 5.0, "foot": 5.0, "upperarm": 6.0}
"""One sigma of a joint's bend in the standing neutral pose between people, by distal segment, deg: a knee
stands against its ligaments, an elbow hangs bent by 5 to 15 deg (assumed from healthy posture, to verify)."""

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
