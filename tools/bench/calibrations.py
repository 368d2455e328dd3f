"""What a folder of trials calibrates by: its pose and its functional movements, told by their names."""

import re
from collections.abc import Callable, Mapping

from calibration.alignment import calibrate_limb
from calibration.gyroscope import steadied
from calibration.plan import JointPlan, Movement
from calibration.segment import JointCalibration
from imu.block import ImuBlock
from imu.errors import RomcapError
from tools.bench.optical import Trial

_FUNCTIONAL = {
    ("elbow", "flex"): ("flexion", True),
    ("elbow", "pro"): ("rotation", True),
    ("wrist", "flex"): ("flexion", False),
    ("wrist", "dev"): ("adduction", False),
    ("shoulder", "rot"): ("rotation", True),
    ("shoulder", "flex"): ("flexion", True),
    ("shoulder", "abd"): ("abduction", True),
    ("knee", "flex"): ("flexion", True),
    ("hip", "flex"): ("flexion", True),
    ("hip", "abd"): ("abduction", True),
}
"""Joint and movement as a functional trial's name has them (`eFlexCali`, `elbow_flexion_cali`): axis, and
whether the joint goes that way only."""

_POSE = re.compile(r"(^|[^a-z])(n|neutral|npose|static)([^a-z]|$)")

Note = Callable[[str], None]


def is_calibration(trial: Trial) -> bool:
    """Return whether a trial is there to calibrate by, as its name says."""
    return "cali" in trial.name.lower()


def calibrations_of(trials: list[Trial], note: Note) -> dict[str, JointCalibration]:
    """Return the calibrations that a folder's pose and functional movements give; none if it has none."""
    calibrating = [trial for trial in trials if is_calibration(trial)]
    poses = [trial for trial in calibrating if _POSE.search(trial.name.lower())]
    if not poses:
        return {}
    side = "left" if "left" in str(poses[0].meta.get("notes", "")).lower() else "right"
    plans = [
        JointPlan(j.name, j.freedom, side, (j.parent, j.parent), (j.child, j.child)) for j in poses[0].joints
    ]
    movements = [
        Movement(plan.joint, axis, trial.blocks, one_way)
        for plan in plans
        for (joint, word), (axis, one_way) in _FUNCTIONAL.items()
        for trial in calibrating
        if joint == plan.joint and _names(trial.name, joint, word)
    ]
    try:
        return {c.joint: c for c in calibrate_limb(plans, poses[0].blocks, movements)}
    except RomcapError as error:
        note(f"{poses[0].path.parent.name}: calibration refused, so nothing end to end: {error}")
        return {}


def _names(name: str, joint: str, word: str) -> bool:
    """Return whether a trial's name tells a movement of a joint: its name or first letter, then the word."""
    return re.search(rf"(^|[^a-z])({joint}|{joint[0]})[^a-z]*{word}", name.lower()) is not None


def samples_of(trial: Trial, calibration: JointCalibration | None) -> Mapping[str, ImuBlock]:
    """Return the samples without the gyroscope offsets that the folder's pose showed, as romcap has them."""
    if calibration is None:
        return trial.blocks
    ends = calibration.proximal, calibration.distal
    return steadied(trial.blocks, {end.sensor: end.gyroscope for end in ends})
