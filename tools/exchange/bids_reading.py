"""Read BIDS-Motion tables: `*_motion.tsv` with the channels and the description beside it."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from rom.catalogue.movement import MIDLINE_SEGMENTS, SEGMENTS
from tools.exchange.axes_check import check_orientation
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.orientation_only import REMARK, from_orientations
from tools.exchange.plausibility import checked
from tools.exchange.timeline import increasing

_SUFFIX = "_motion.tsv"
_UNITS: Mapping[str, Mapping[str, float]] = {
    "GYRO": {"rad/s": 1.0, "deg/s": float(np.pi / 180.0)},
    "ACCEL": {"m/s^2": 1.0, "m/s²": 1.0, "g": STANDARD_GRAVITY},
    "MAGN": {"T": 1e6, "mT": 1e3, "uT": 1.0, "µT": 1.0, "μT": 1.0, "nT": 1e-3},
}
_QUATERNION = ("quat_w", "quat_x", "quat_y", "quat_z")


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    component: str
    kind: str
    point: str
    units: str


def is_bids(path: Path) -> bool:
    """Return whether a file is named as a motion table of a BIDS data set."""
    return path.name.startswith("sub-") and path.name.endswith(_SUFFIX)


def read_bids(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the tables of one trial.

    Parameters
    ----------
    paths
        Motion tables of one subject, session, task and run. Tables of joint angles alone are passed over.
    segments
        Body segment of a tracked point, by its name, where that is no segment of ours.

    Raises
    ------
    InputError
        If a table or what belongs beside it is missing or does not fit, a unit or segment is not known, the
        tables are of several trials, or the samples contradict physics.
    """
    trials = sorted({_without_system(path) for path in paths})
    if len(trials) > 1:
        raise InputError(
            f"the tables should be of one trial, got {' and '.join(trials)}; import one at a time"
        )
    given = segments or {}
    sensors: list[IncomingSensor] = []
    remarks: list[str] = []
    for path in paths:
        found = _read_one(path, given)
        sensors += found
        if not found:
            remarks.append(f"{path.name}: holds no gyroscope, accelerometer or orientation and is left out")
    if not sensors:
        raise InputError(f"{paths[0].name}: expected GYRO and ACCEL channels or quaternions, found neither")
    names = [sensor.info.segment for sensor in sensors]
    if len(set(names)) != len(names):
        raise InputError(f"every tracked point must be of another segment, got {', '.join(names)}")
    if any(sensor.info.kind != "bids" for sensor in sensors):
        remarks.append(REMARK)
    return Incoming(tuple(paths), "bids-motion", tuple(sensors), tuple(remarks))


def _read_one(path: Path, given: Mapping[str, str]) -> list[IncomingSensor]:
    channels = _channels(path)
    document = _document(path)
    rate = float(document.get("SamplingFrequency") or "nan")
    values = _values(path, channels)
    latency = [at for at, channel in enumerate(channels) if channel.kind == "LATENCY"]
    if not latency and not np.isfinite(rate):
        raise InputError(
            f"{path.name}: expected SamplingFrequency in its .json, or a LATENCY channel; got neither"
        )
    t = values[:, latency[0]] if latency else np.arange(len(values)) / rate
    points = dict.fromkeys(channel.point for channel in channels if channel.kind in (*_UNITS, "ORNT"))
    found = [
        _sensor(
            path,
            point,
            _segment(path, point, document, given),
            t=t,
            values=values,
            channels=channels,
            rate=rate,
        )
        for point in points
    ]
    return [sensor for sensor in found if sensor is not None]


def _sensor(
    path: Path,
    point: str,
    segment: str,
    *,
    t: FloatArray,
    values: FloatArray,
    channels: Sequence[_Channel],
    rate: float,
) -> IncomingSensor | None:
    gyr, acc, mag = (_signal(path, kind, point, values, channels) for kind in ("GYRO", "ACCEL", "MAGN"))
    q = _quaternion(point, values, channels)
    if gyr is None or acc is None:
        return None if q is None else from_orientations(point, segment, t, q, rate)
    keep, remarks = increasing(path.name, t)
    block = ImuBlock(point, t[keep], gyr[keep], acc[keep], None if mag is None else mag[keep])
    sensor = checked(IncomingSensor(SensorInfo(point, segment, "bids", rate), block, tuple(remarks)))
    if q is not None:
        check_orientation(segment, q[keep], block)
    return sensor


def _signal(
    path: Path, kind: str, point: str, values: FloatArray, channels: Sequence[_Channel]
) -> FloatArray | None:
    columns: list[FloatArray] = []
    for axis in "xyz":
        for at, channel in enumerate(channels):
            if (channel.kind, channel.component, channel.point) == (kind, axis, point):
                if channel.units not in _UNITS[kind]:
                    raise InputError(
                        f"{path.name}: the unit of {channel.name} must be {' or '.join(_UNITS[kind])}, "
                        f"got {channel.units}"
                    )
                columns.append(values[:, at] * _UNITS[kind][channel.units])
    return np.stack(columns, axis=1) if len(columns) == 3 else None


def _quaternion(point: str, values: FloatArray, channels: Sequence[_Channel]) -> FloatArray | None:
    place = {c.component: at for at, c in enumerate(channels) if c.kind == "ORNT" and c.point == point}
    return values[:, [place[name] for name in _QUATERNION]] if set(_QUATERNION) <= set(place) else None


def _segment(path: Path, point: str, document: Mapping[str, Any], given: Mapping[str, str]) -> str:
    if point in given:
        return given[point]
    plain = point.lower().replace("_", "").replace("-", "").replace(" ", "")
    known = {f"{side}_{s}" for s in SEGMENTS if s not in MIDLINE_SEGMENTS for side in ("left", "right")}
    for segment in (*known, *MIDLINE_SEGMENTS):
        if segment.replace("_", "") in (plain, str(document.get("Segment", "")).replace("_", "")):
            return segment
    raise InputError(
        f"{path.name}: on which segment is {point}? pass --sensor {point}=right_forearm or the like"
    )


def _channels(path: Path) -> list[_Channel]:
    beside = _beside(path, "_channels.tsv")
    with beside.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wanted = ("name", "component", "type", "tracked_point", "units")
    if not rows or not set(wanted) <= rows[0].keys():
        raise InputError(f"{beside.name}: expected the columns {', '.join(wanted)}, got something else")
    return [_Channel(*(str(row[name] or "") for name in wanted)) for row in rows]


def _document(path: Path) -> Mapping[str, Any]:
    beside = _beside(path, "_motion.json")
    try:
        document = json.loads(beside.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{beside.name}: expected JSON ({error})") from None
    if not isinstance(document, dict):
        raise InputError(f"{beside.name}: expected a JSON object")
    return document


def _values(path: Path, channels: Sequence[_Channel]) -> FloatArray:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row]
    if rows and any(len(row) != len(channels) for row in rows):
        got = sorted({len(row) for row in rows})
        raise InputError(
            f"{path.name}: its channels file names {len(channels)} columns, but rows have {got}; the file is "
            "cut, or the two do not belong together"
        )
    if rows and not any(np.isfinite(_number(cell)) for cell in rows[0]):
        raise InputError(f"{path.name}: a motion table has no line of names; remove it")
    if len(rows) < 2:
        raise InputError(f"{path.name}: expected lines of numbers; the file is empty")
    return np.array([[_number(cell) for cell in row] for row in rows])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _beside(path: Path, ending: str) -> Path:
    beside = path.with_name(path.name.removesuffix(_SUFFIX) + ending)
    if not beside.is_file():
        raise InputError(f"{path.name}: expected {beside.name} beside it; copy the whole folder")
    return beside


def _without_system(path: Path) -> str:
    parts = path.name.removesuffix(_SUFFIX).split("_")
    return "_".join(part for part in parts if not part.startswith("tracksys-"))
