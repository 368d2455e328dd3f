"""Ranges that no healthy joint leaves: what tells a possible heading from an impossible one."""

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
