"""Read what Xsens MVN exports: one `.mvnx` file of XML, all sensors of the suit.

Source of the layout: MVN User Manual MV0319P.N, pages 80 to 83: `subject` with its frame rate, `sensors` with
labels, frames of type `normal` with `time` in ms; `sensorOrientation` holds q0..q3 per sensor, sensor to a
global frame with z up, `sensorAcceleration` (m/s^2) and `sensorAngularVelocity` (rad/s) three numbers each in
the sensor. Newer versions write free acceleration instead, from which samples cannot be had back. Files
without sensors hold the `orientation` of body segments, as MVN's own model sees them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.axes_check import check_orientation
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.orientation_only import REMARK, from_orientations
from tools.exchange.plausibility import checked
from tools.exchange.timeline import increasing

_SEGMENTS = {
    "Pelvis": "pelvis",
    "T8": "thorax",
    "Head": "head",
    "Shoulder": "scapula",
    "UpperArm": "upperarm",
    "ForeArm": "forearm",
    "Hand": "hand",
    "UpperLeg": "thigh",
    "LowerLeg": "shank",
    "Foot": "foot",
    "Toe": "toes",
}
_SIDED = re.compile(r"^(Left|Right)(\w+)$")
_SAMPLES = ("sensorAcceleration", "sensorAngularVelocity")
_WANTED = ("sensorOrientation", "orientation", *_SAMPLES)
_AS_MODEL = "the orientations are those of MVN's body model, not of sensors; alignment is MVN's"


@dataclass(slots=True)
class _Export:
    """What was found in a file so far."""

    rate: float = float("nan")
    labels: dict[str, list[str]] = field(default_factory=lambda: {"sensor": [], "segment": []})
    times: list[float] = field(default_factory=list[float])
    rows: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in _WANTED})


def is_mvn(path: Path) -> bool:
    """Return whether a file is an export of MVN."""
    try:
        with path.open("rb") as file:
            return b"<mvnx" in file.read(2048)
    except OSError:
        return False


def read_mvn(path: Path, segments: Mapping[str, str] | None = None) -> Incoming:
    """Read an export.

    Parameters
    ----------
    path
        The `.mvnx` file.
    segments
        Body segment by the label of a sensor (`RightUpperLeg`); those MVN knows need none. With it only the
        sensors named are read.

    Raises
    ------
    InputError
        If the file is cut or damaged, or what it holds contradicts physics or itself.
    """
    export = _parse(path)
    samples = all(len(export.rows[name]) == len(export.times) for name in _SAMPLES)
    what = "sensor" if export.rows["sensorOrientation"] else "segment"
    labels = export.labels[what]
    q = _table(path, export, "sensorOrientation" if what == "sensor" else "orientation", labels, 4)
    t = np.array(export.times) / 1e3
    chosen = _chosen(path, labels, segments or {})
    if samples and what == "sensor":
        acc, gyr = (_table(path, export, name, labels, 3) for name in _SAMPLES)
        sensors = [
            _sampled(on, ImuBlock(label, t, gyr[:, at], acc[:, at]), q[:, at]) for at, label, on in chosen
        ]
        return Incoming((path,), "mvn", tuple(sensors), _left(labels, chosen))
    sensors = [from_orientations(label, on, t, q[:, at], export.rate) for at, label, on in chosen]
    remarks = [REMARK, *([_AS_MODEL] if what == "segment" else []), *_left(labels, chosen)]
    return Incoming((path,), "mvn", tuple(sensors), tuple(remarks))


def _parse(path: Path) -> _Export:
    export = _Export()
    try:
        for element in _closed(path):
            tag = _tag(element)
            if tag == "frame":
                _take_frame(export, element)
                element.clear()
            elif tag in export.labels:
                export.labels[tag].append(element.get("label", ""))
            elif tag == "subject":
                export.rate = float(element.get("frameRate") or "nan")
    except (ParseError, ValueError) as error:
        raise InputError(
            f"{path.name}: expected an .mvnx file of MVN, but {error}; export it again"
        ) from None
    if len(export.times) < 2:
        raise InputError(f"{path.name}: expected frames of motion, found {len(export.times)}")
    return export


def _closed(path: Path) -> Iterator[Element]:
    for _, element in iterparse(path, events=("end",)):
        yield element


def _tag(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _take_frame(export: _Export, frame: Element) -> None:
    if frame.get("type", "normal") != "normal":
        return
    export.times.append(float(frame.get("time") or "nan"))
    for part in frame:
        if (name := _tag(part)) in export.rows:
            export.rows[name].append([float(number) for number in (part.text or "").split()])


def _table(path: Path, export: _Export, name: str, labels: list[str], width: int) -> FloatArray:
    """Return a quantity of all sensors, shape (N, len(labels), width)."""
    rows = export.rows[name]
    lengths = {len(row) for row in rows}
    if len(rows) != len(export.times) or lengths != {width * len(labels)}:
        raise InputError(
            f"{path.name}: expected {width} numbers of {name} for each of {len(labels)} labels in each of "
            f"{len(export.times)} frames, got {sorted(lengths) or 'none'} in {len(rows)}; export it again "
            "with sensor data"
        )
    return np.array(rows).reshape(len(rows), len(labels), width)


def _chosen(path: Path, labels: list[str], given: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """Return place, label and segment of the sensors to read."""
    strangers = sorted(set(given) - set(labels))
    if strangers:
        raise InputError(f"--sensor names {', '.join(strangers)}, but {path.name} has {', '.join(labels)}")
    named = given or {label: segment for label in labels if (segment := _segment(label))}
    if not named:
        raise InputError(
            f"{path.name}: no body segment of MVN's among its labels ({', '.join(labels) or 'none'}); name "
            "them with --sensor LABEL=right_forearm"
        )
    return [(at, label, named[label]) for at, label in enumerate(labels) if label in named]


def _segment(label: str) -> str:
    sided = _SIDED.match(label)
    known = _SEGMENTS.get(sided[2] if sided else label, "")
    return f"{sided[1].lower()}_{known}" if sided and known else known


def _left(labels: list[str], chosen: list[tuple[int, str, str]]) -> tuple[str, ...]:
    left = [label for label in labels if label not in {name for _, name, _ in chosen}]
    return (f"{', '.join(left)} are left out",) if left else ()


def _sampled(segment: str, block: ImuBlock, q_earth_from_sensor: FloatArray) -> IncomingSensor:
    keep, remarks = increasing(segment, block.t)
    kept = ImuBlock(block.sensor, block.t[keep], block.gyr[keep], block.acc[keep])
    info = SensorInfo(block.sensor, segment, "xsens", float("nan"))
    sensor = checked(IncomingSensor(info, kept, tuple(remarks)))
    check_orientation(segment, q_earth_from_sensor[keep], kept)
    return sensor
