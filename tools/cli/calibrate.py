"""`rom calibrate`: how the straps sit, from the pose and movements of recordings, as a file to reuse."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import CalibrationError, InputError
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from calibration.segment import JointCalibration

RecordingsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Recordings that hold a marked pose and functional movements.",
        metavar="[REC]...",
        show_default=False,
    ),
]
PoseOption = Annotated[
    Path | None, typer.Option(help="A recording that is the neutral pose, for --move.", show_default=False)
]
MoveOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A recording that is one functional movement, as FILE=JOINT:AXIS, such as "
        "flex.mcap=elbow:flexion (or adduction, abduction, rotation). Repeat for each.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", "-o", help="Calibration file to write.", show_default=False)
]


def calibrate(
    *,
    recordings: RecordingsArgument = None,
    pose: PoseOption = None,
    move: MoveOption = None,
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Calibrate joints from recordings; the later one wins where two show the same joint."""
    from calibration.store import save_joints
    from imu.recording import Recording
    from rom.worn import calibrate_recording, calibrate_recordings

    joints: dict[str, JointCalibration] = {}
    for path in recordings or []:
        joints |= {joint.joint: joint for joint in calibrate_recording(Recording.open(path))}
    if (pose is None) != (not move):
        raise InputError("a pose and its movements belong together: give --pose and at least one --move")
    if pose is not None:
        moves = [_move(text) for text in move or []]
        opened = [(Recording.open(path), joint, axis) for path, joint, axis in moves]
        joints |= {joint.joint: joint for joint in calibrate_recordings(Recording.open(pose), opened)}
    if not joints:
        raise CalibrationError(
            "expected a static pose and a functional movement marked in the recordings, found none; record "
            "them with `rom capture`"
        )
    save_joints(out, list(joints.values()))
    lines = [f"{joint.joint}: {_words(joint)}" for joint in joints.values()]
    document = {
        "schema": "romcap.calibration/1",
        "file": str(out),
        "joints": [joint.to_document() for joint in joints.values()],
    }
    emit(document, "\n".join([*lines, f"written to {out}"]), as_json=as_json)


def _move(text: str) -> tuple[Path, str, str]:
    """Return file, joint and axis of FILE=JOINT:AXIS."""
    file, _, named = text.rpartition("=")
    joint, _, axis = named.partition(":")
    if not (file and joint and axis):
        raise InputError(f"expected --move FILE=JOINT:AXIS, such as flex.mcap=elbow:flexion, got {text!r}")
    return Path(file), joint, axis


def _words(joint: "JointCalibration") -> str:
    spreads = [
        math.degrees(max(float(each.covariance[k, k]) for k in range(3)) ** 0.5)
        for each in (joint.proximal, joint.distal)
    ]
    return (
        f"{joint.proximal.segment} within {spreads[0]:.0f} deg, {joint.distal.segment} within "
        f"{spreads[1]:.0f} deg, "
        f"axes fit to {math.degrees(joint.residual):.1f} deg"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(calibrate)
