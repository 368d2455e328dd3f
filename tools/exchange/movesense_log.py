"""Read a Movesense sensor's own log as its maker's converter writes it: `sbem2json`'s JSON.

Source of the layout: public readers of such files and the notes of two projects that wrote their own
converters: `{"Samples": [{"MeasIMU6": {"Timestamp": ms, "ArrayAcc": [{"x", "y", "z"}, ...], "ArrayGyro":
[...]}}, {"TimeDetailed": {"relativeTime": ms, "utcTime": us}}, ...]}`; a chunk's time is its first
sample's; m/s^2, degree/s and uT. Some converters write one object with three lists instead of a list of
objects; both are read. No log from a sensor was at hand.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.timeline import increasing
from tools.exchange.together import (
    NOT_SYNCHRONISED,
    SENSOR_CLOCK,
    at_times,
    began,
    one_trial,
    told_segment,
)

_BINARY = b"SBEM"
_CONVERTED = re.compile(rb'"Samples"\s*:\s*\[\s*\{\s*"(Meas\w+|TimeDetailed)"')
_STREAM = re.compile(r"^Meas(IMU6|IMU9|IMU6m|Acc|Gyro|Magn)\d*$")
_ARRAYS = {"acc": "ArrayAcc", "gyr": "ArrayGyro", "mag": "ArrayMagn"}
_FACTORS = {"acc": 1.0, "gyr": float(np.pi / 180.0), "mag": 1.0}
_HOLE = 1.5

Samples = tuple[FloatArray, FloatArray]
"""Times (N,), s since the sensor woke, and values (N, 3), SI."""


def is_movesense(path: Path) -> bool:
    """Return whether a file is a Movesense log, converted or not."""
    try:
        with path.open("rb") as file:
            start = file.read(65536)
    except OSError:
        return False
    if start.startswith(_BINARY):
        return True
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _CONVERTED.search(start) is not None


def read_movesense(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the logs of one trial, one per sensor.

    Parameters
    ----------
    paths
        The files. They start together at 0 with the earliest sample, by the time of day in them.
    segments
        Body segment of each file, by file name.

    Raises
    ------
    InputError
        If a file is not converted, damaged, without angular rate or acceleration, or if it cannot be true.
    """
    read = [_sensor(path, told_segment(path, segments or {})) for path in paths]
    if len(read) > 1 and not all(dated for _, _, dated in read):
        lacking = ", ".join(path.name for path, (_, _, dated) in zip(paths, read, strict=True) if not dated)
        raise InputError(
            f"{lacking}: says no time of day, so it can't be laid beside the others; log /Time/Detailed too"
        )
    remarks = (NOT_SYNCHRONISED,) if len(read) > 1 else ()
    sensors = one_trial([(sensor, start) for sensor, start, _ in read])
    moment = began(start for _, start, _ in read)
    return Incoming(tuple(paths), "movesense", sensors, remarks, created_at=moment, created_from=SENSOR_CLOCK)


def _sensor(path: Path, segment: str) -> tuple[IncomingSensor, float, bool]:
    """Return a sensor, when it started, and whether that is a time of day."""
    entries = _entries(path)
    gyr, acc, mag = (_stream(path, entries, name) for name in ("gyr", "acc", "mag"))
    if gyr is None or acc is None:
        found = sorted({name for entry in entries for name in entry})
        raise InputError(
            f"{path.name}: expected MeasIMU6, MeasIMU9, or MeasAcc and MeasGyro, found "
            f"{', '.join(found) or 'nothing'}; log /Meas/IMU6 on the sensor"
        )
    start = float(gyr[0][0])
    keep, remarks = increasing(path.name, gyr[0] - start)
    t = gyr[0][keep]
    field = None if mag is None else at_times(t, *mag)
    info = SensorInfo(path.stem, segment, "movesense", float("nan"))
    block = ImuBlock(info.sensor, t - start, gyr[1][keep], at_times(t, *acc), field)
    ahead = _ahead(entries)
    return IncomingSensor(info, block, tuple(remarks)), start + (ahead or 0.0), ahead is not None


def _entries(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    if data.startswith(_BINARY):
        raise InputError(
            f"{path.name}: is a Movesense log as the sensor stores it; convert it with the maker's tool, "
            f"`sbem2json --sbem2json {path.name} --output {path.stem}.json`, and import that"
        )
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(
            f"{path.name}: expected the JSON of sbem2json ({error}); the file is cut or damaged"
        ) from None
    samples = document.get("Samples") if isinstance(document, dict) else None
    if not isinstance(samples, list):
        raise InputError(f"{path.name}: expected a list `Samples`, as sbem2json writes it")
    return [entry for entry in samples if isinstance(entry, dict)]


def _stream(path: Path, entries: Sequence[Mapping[str, Any]], name: str) -> Samples | None:
    """Return one quantity of all chunks that hold it, in time order; None if none does."""
    chunks = [
        (float(content["Timestamp"]) / 1e3, _vectors(path, content[_ARRAYS[name]]) * _FACTORS[name])
        for entry in entries
        for kind, content in entry.items()
        if _STREAM.match(kind)
        and isinstance(content, dict)
        and isinstance(content.get("Timestamp"), int | float)
        and _ARRAYS[name] in content
    ]
    chunks = [(stamp, values) for stamp, values in chunks if len(values)]
    if not chunks:
        return None
    stamps = np.array([stamp for stamp, _ in chunks])
    counts = np.array([len(values) for _, values in chunks])
    periods = np.diff(stamps) / counts[:-1]
    usual = float(np.median(periods[periods > 0.0])) if (periods > 0.0).any() else 0.0
    regular = (periods > 0.0) & (periods < _HOLE * usual)
    steps = np.append(np.where(regular, periods, usual), usual)
    times = [
        stamp + step * np.arange(count) for stamp, step, count in zip(stamps, steps, counts, strict=True)
    ]
    return np.concatenate(times), np.concatenate([values for _, values in chunks])


def _vectors(path: Path, array: Any) -> FloatArray:
    """Return a chunk's vectors (n, 3), whichever way they are nested."""
    objects = array if isinstance(array, list) else [array]
    try:
        parts = [np.atleast_2d(np.array([item["x"], item["y"], item["z"]], float).T) for item in objects]
        return np.concatenate(parts) if parts else np.empty((0, 3))
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{path.name}: expected x, y and z in every sample, got {str(array)[:60]}; the file is damaged"
        ) from None


def _ahead(entries: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how far the time of day is ahead of the sensor's clock, s; None if the log does not say."""
    for entry in entries:
        both = entry.get("TimeDetailed")
        if isinstance(both, dict) and {"relativeTime", "utcTime"} <= both.keys():
            return float(both["utcTime"]) / 1e6 - float(both["relativeTime"]) / 1e3
    return None
