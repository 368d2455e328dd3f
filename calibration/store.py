"""Calibrations as versioned JSON files: written whole or not at all, refused when of another kind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calibration.document import FORMAT_VERSION, expect
from calibration.segment import JointCalibration
from imu.errors import CalibrationError
from imu.whole_file import write_whole


def save_joints(path: Path, joints: Sequence[JointCalibration]) -> None:
    """Write calibrations of joints to a file; an old file stays until the new one is complete."""
    document = {
        "kind": "calibration",
        "version": FORMAT_VERSION,
        "joints": [joint.to_document() for joint in joints],
    }
    write_whole(path, json.dumps(document, indent=1, allow_nan=False).encode())


def load_joints(path: Path) -> list[JointCalibration]:
    """Return the calibrations of a file.

    Raises
    ------
    CalibrationError
        If the file cannot be read, is not a calibration or is of another version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CalibrationError(f"{path}: there is no such file; `rom calibrate` makes one") from None
    except OSError as error:
        raise CalibrationError(
            f"{path}: cannot be read ({error.strerror}); check the name and the disk"
        ) from error
    except ValueError as error:
        raise CalibrationError(
            f"{path}: expected a calibration file written by `rom calibrate`, got no JSON; name another file "
            "or calibrate again"
        ) from error
    return joints_of(document, source=str(path))


def joints_of(document: object, source: str = "calibration") -> list[JointCalibration]:
    """Return the calibrations of a document: of one joint, or of a file as recordings carry them."""
    if not isinstance(document, Mapping):
        raise CalibrationError(
            f"{source}: expected a calibration, got {type(document).__name__}; calibrate again"
        )
    fields: Mapping[str, Any] = document
    if fields.get("kind") == "joint":
        return [JointCalibration.from_document(fields)]
    expect(fields, "calibration", source)
    joints = fields.get("joints")
    if not isinstance(joints, list):
        raise CalibrationError(f"{source}: expected a list of joints; calibrate again")
    return [JointCalibration.from_document(joint) for joint in joints]
