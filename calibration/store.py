"""Calibrations as versioned JSON files: written whole or not at all, refused when of another kind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calibration.segment import FORMAT_VERSION, JointCalibration
from imu.errors import CalibrationError


def save_joints(path: Path, joints: Sequence[JointCalibration]) -> None:
    """Write calibrations of joints to a file; an old file stays until the new one is complete."""
    document = {
        "kind": "calibration",
        "version": FORMAT_VERSION,
        "joints": [joint.to_document() for joint in joints],
    }
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def load_joints(path: Path) -> list[JointCalibration]:
    """Return the calibrations of a file.

    Raises
    ------
    CalibrationError
        If the file cannot be read, is not a calibration or is of another version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CalibrationError(
            f"{path}: expected a calibration file written by `rom calibrate`, got {error}; "
            "name another file or calibrate again"
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
    joints = fields.get("joints")
    if (
        fields.get("kind") != "calibration"
        or fields.get("version") != FORMAT_VERSION
        or not isinstance(joints, list)
    ):
        raise CalibrationError(
            f"{source}: expected a calibration of version {FORMAT_VERSION}, got kind {fields.get('kind')!r} "
            f"version {fields.get('version')!r}; calibrate again with this version of rom"
        )
    return [JointCalibration.from_document(joint) for joint in joints]
