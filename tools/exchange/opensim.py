"""Files for OpenSim: sensor orientations (`.sto`) for its inertial tools, joint angles (`.mot`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imu.block import FloatArray
from rom.angles import JointSeries
from rom.catalogue.movement import Movement
from tools.exchange.orientations import Orientations, orientations
from tools.exchange.outgoing import Outgoing

DROPS = "sigma, flags, reps, passes, samples, events, and instants with a gap"

BODIES = {
    "thigh": "femur",
    "shank": "tibia",
    "foot": "calcn",
    "upperarm": "humerus",
    "forearm": "radius",
    "hand": "hand",
    "pelvis": "pelvis",
    "thorax": "torso",
    "upper_thorax": "torso",
    "lower_thorax": "torso",
    "head": "head",
}
"""Body of OpenSim's full-body models (Rajagopal 2016; to verify) by segment; sides are a suffix there."""

COORDINATES: dict[tuple[str, str, int], tuple[str, int]] = {
    ("thigh", "shank", 0): ("knee_angle", -1),
    ("pelvis", "thigh", 0): ("hip_flexion", 1),
    ("pelvis", "thigh", 1): ("hip_adduction", 1),
    ("pelvis", "thigh", 2): ("hip_rotation", 1),
    ("shank", "foot", 0): ("ankle_angle", 1),
    ("upperarm", "forearm", 0): ("elbow_flex", 1),
}
"""Coordinate of those models (to verify) for segments and axis of a joint, and its sign as a right-hand
turn of a right limb. Movements without one keep their own id as the column's name."""


def write_opensim(trials: Sequence[Outgoing], out: Path) -> list[str]:
    """Write `OUT.sto` and `OUT.mot` of one trial; return what the user must know.

    The orientations are in an earth frame with z up; OpenSim's has y up, so its set-up files need
    `sensor_to_opensim_rotations` of -1.5707963 0 0.
    """
    (trial,) = trials
    sto, mot = targets(out)
    found = orientations(trial)
    sto.write_text(orientation_table(found), encoding="utf-8")
    mot.write_text(motion_table(trial.measured().series, *coordinate(trial)), encoding="utf-8")
    remarks = ["the earth frame has z up: set sensor_to_opensim_rotations to -1.5707963 0 0"]
    if not found.one_heading:
        remarks.append("without a calibration each sensor has a heading of its own, which drifts apart")
    return remarks


def targets(out: Path) -> tuple[Path, Path]:
    """Return the two files that an export makes."""
    return out.with_suffix(".sto"), out.with_suffix(".mot")


def orientation_table(found: Orientations) -> str:
    """Return orientations as OpenSim's table of quaternions: w, x, y, z, one column a sensor."""
    known = np.isfinite(found.q_earth_from_sensor).all(axis=(1, 2))
    names = [f"{body(segment)}_imu" for segment in found.segments]
    lines = [
        f"DataRate={found.rate:.6f}",
        "DataType=Quaternion",
        "version=3",
        "OpenSimVersion=4.5",
        "endheader",
    ]
    lines.append("\t".join(["time", *names]))
    for t, row in zip(found.t[known].tolist(), found.q_earth_from_sensor[known].tolist(), strict=True):
        lines.append("\t".join([f"{t:.9g}", *(",".join(f"{value:.12g}" for value in q) for q in row)]))
    return "\n".join(lines) + "\n"


def motion_table(series: JointSeries, name: str, sign: int) -> str:
    """Return the primary angle as OpenSim's motion file, degrees; instants without an angle are left out."""
    known = np.isfinite(series.angle[:, 0])
    angle: FloatArray = sign * np.degrees(series.angle[known, 0])
    rows = list(zip(series.t[known].tolist(), angle.tolist(), strict=True))
    lines = ["Coordinates", "version=1", f"nRows={len(rows)}", "nColumns=2", "inDegrees=yes", "endheader"]
    lines += [f"time\t{name}", *(f"{t:.9g}\t{value:.9g}" for t, value in rows)]
    return "\n".join(lines) + "\n"


def body(segment: str) -> str:
    """Return the model's body for a segment with its side: `tibia_l` for `left_shank`."""
    side, _, rest = segment.partition("_")
    if side in ("left", "right"):
        return f"{BODIES.get(rest, rest)}_{side[0]}"
    return BODIES.get(segment, segment)


def coordinate(trial: Outgoing) -> tuple[str, int]:
    """Return the model's coordinate for the movement of a trial, and the factor from our angle to it."""
    movement, side = trial.measured().movement, trial.measured().side
    suffix = "" if side == "midline" else f"_{side[0]}"
    found = _coordinate_of(movement)
    if found is None:
        return f"{movement.id}{suffix}", 1
    name, sign = found
    return f"{name}{suffix}", movement.angle.sign_right * sign


def _coordinate_of(movement: Movement) -> tuple[str, int] | None:
    if not movement.angle.kind.startswith("cardan"):
        return None
    return COORDINATES.get((movement.proximal_segment, movement.distal_segment, movement.angle.component))
