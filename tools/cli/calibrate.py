"""`rom calibrate`: how the straps sit, from the pose and movements of recordings, as a file to reuse."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import CalibrationError
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from calibration.segment import JointCalibration

RecordingsArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Recordings that hold a pose and functional movements.", metavar="REC...", show_default=False
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", "-o", help="Calibration file to write.", show_default=False)
]


def calibrate(recordings: RecordingsArgument, out: OutOption, as_json: JsonOption = False) -> None:
    """Calibrate joints from recordings; the later one wins where two show the same joint."""
    from calibration.store import save_joints
    from imu.recording import Recording
    from rom.worn import calibrate_recording

    joints: dict[str, JointCalibration] = {}
    for path in recordings:
        joints |= {joint.joint: joint for joint in calibrate_recording(Recording.open(path))}
    if not joints:
        raise CalibrationError(
            "expected a static pose and a functional movement marked in the recordings, found none; record "
            "them with `rom capture`"
        )
    save_joints(out, list(joints.values()))
    lines = [f"{joint.joint}: {_words(joint)}" for joint in joints.values()]
    document = {"file": str(out), "joints": [joint.to_document() for joint in joints.values()]}
    emit(document, "\n".join([*lines, f"written to {out}"]), as_json=as_json)


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
