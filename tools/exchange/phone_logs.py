"""Read what phone apps log of Polar and MbientLab sensors: one text file per quantity of a sensor.

Source of the layouts: headers as apps and readers of public repositories write and expect them, several of
each and alike. Polar Sensor Logger: semicolons, `Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]`,
`[dps]` for the gyroscope, `[G]` or `[uT]` for the field. MetaBase: commas, `epoc (ms),timestamp (-0800),
elapsed (s),x-axis (g),y-axis (g),z-axis (g)`, later spelt `epoch (ms),time (-08:00)`, `(deg/s)`, `(T)`.
No file from a sensor of either maker was at hand.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from imu.sensors.driver import G
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.table import Table, read_table
from tools.exchange.timeline import increasing
from tools.exchange.together import NOT_SYNCHRONISED, at_times, began, one_trial, told_segment

_PHONE_TIME = "Phone timestamp"
_WORDS = rf"(?i){_PHONE_TIME}|time(stamp)? \(.*\)"
_DEGREE = float(np.pi / 180.0)


@dataclass(frozen=True, slots=True)
class App:
    """How one app writes: its time column, the columns of each axis, and the factor of each unit to SI."""

    kind: str
    time: re.Pattern[str]
    tick: float
    axes: tuple[str, str, str]
    units: Mapping[str, tuple[str, float]]
    quantity: re.Pattern[str]


POLAR = App(
    "polar",
    re.compile(r"(?i)sensor timestamp \[ns\]"),
    1e-9,
    ("X [{}]", "Y [{}]", "Z [{}]"),
    {"mg": ("acc", G / 1e3), "dps": ("gyr", _DEGREE), "G": ("mag", 100.0), "uT": ("mag", 1.0)},
    re.compile(r"(?i)_?(acc|gyro?|magn?)(?=[_.]|$)"),
)
METABASE = App(
    "metamotion",
    re.compile(r"(?i)epoch? \(ms\)"),
    1e-3,
    ("x-axis ({})", "y-axis ({})", "z-axis ({})"),
    {"g": ("acc", G), "deg/s": ("gyr", _DEGREE), "T": ("mag", 1e6)},
    re.compile(r"(?i)_?(accelerometer|gyroscope|magnetometer)(_[0-9.]+hz.*)?(?=\.csv$|$)"),
)
_WORDED = {"acc": "accelerometer", "gyr": "gyroscope", "mag": "magnetometer"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one file measured, its times from 0, when that was by its clock, and the phone's lead, s."""

    path: Path
    name: str
    t: FloatArray
    values: FloatArray
    remarks: tuple[str, ...]
    zero: float
    ahead: float


def is_polar(path: Path) -> bool:
    """Return whether a text file starts as one of Polar Sensor Logger's does."""
    return POLAR.time.search(_first_line(path)) is not None


def is_metabase(path: Path) -> bool:
    """Return whether a text file starts as one of MetaBase's does."""
    line = _first_line(path)
    return METABASE.time.search(line) is not None and "-axis (" in line


def read_polar(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial; see `read_metabase`.

    The sensors' own clocks may be years off; the phone's times say how they lie to each other.
    """
    return _read(paths, segments or {}, POLAR)


def read_metabase(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial, two or three per sensor.

    Parameters
    ----------
    paths
        Accelerometer and gyroscope of each sensor, and its magnetometer if there is one.
    segments
        Body segment by file name; naming one file of a sensor is enough where the names differ only in the
        quantity.

    Raises
    ------
    InputError
        If a file or a quantity is missing, a segment is not known, or the samples contradict physics.
    """
    return _read(paths, segments or {}, METABASE)


def _read(paths: Sequence[Path], given: Mapping[str, str], app: App) -> Incoming:
    family = {_family(path, app): given[path.name] for path in paths if path.name in given}
    named = {path.name: family[_family(path, app)] for path in paths if _family(path, app) in family}
    sensors: dict[str, list[Quantity]] = {}
    for path in paths:
        sensors.setdefault(told_segment(path, named), []).append(_quantity(path, app))
    read = [_sensor(segment, quantities, app) for segment, quantities in sensors.items()]
    remarks = (NOT_SYNCHRONISED,) if len(read) > 1 else ()
    moment = began(start for _, start in read)
    if moment is not None and app is POLAR:
        moment = moment.replace(tzinfo=None).astimezone()
    return Incoming(
        tuple(paths), app.kind, one_trial(read), remarks, created_at=moment, created_from="clock of the phone"
    )


def _family(path: Path, app: App) -> str:
    return app.quantity.sub("", path.name)


def _quantity(path: Path, app: App) -> Quantity:
    table = read_table(path, _WORDS)
    columns = {unit: [axis.format(unit) for axis in app.axes] for unit in app.units}
    unit = next((unit for unit, three in columns.items() if set(three) <= set(table.names)), None)
    if unit is None:
        raise InputError(
            f"{path.name}: expected three axes in {' or '.join(app.units)}, the file has "
            f"{', '.join(table.names)}; only accelerometer, gyroscope and magnetometer can be imported"
        )
    time = next(column for column in table.names if app.time.fullmatch(column))
    own = table.columns([time])[:, 0] * app.tick
    t = own - own[np.isfinite(own)][0] if np.isfinite(own).any() else own
    keep, remarks = increasing(path.name, t)
    zero = float((own - t)[keep][0]) if keep.any() else 0.0
    name, factor = app.units[unit]
    values = table.columns(columns[unit])[keep] * factor
    if keep.sum() < 2:
        raise InputError(f"{path.name}: expected at least 2 samples, got {int(keep.sum())}; is it cut?")
    return Quantity(path, name, t[keep], values, (*table.remarks, *remarks), zero, _ahead(table, own))


def _ahead(table: Table, own: FloatArray) -> float:
    """Return how far the phone's clock is ahead of the sensor's, s; the least of all, for samples come late.

    0 where the file has one clock only.
    """
    stamps = table.words.get(_PHONE_TIME)
    if stamps is None:
        return 0.0
    ahead = np.array([_moment(stamp) for stamp in stamps]) - own
    return float(np.nanmin(ahead)) if np.isfinite(ahead).any() else 0.0


def _moment(stamp: str) -> float:
    """Return the phone's local time in s since 1970, as if it were UTC; NaN if it is none."""
    try:
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return float("nan")


def _sensor(segment: str, quantities: Sequence[Quantity], app: App) -> tuple[IncomingSensor, float]:
    """Return a sensor at the instants of its gyroscope, and when it started."""
    by_name = {quantity.name: quantity for quantity in quantities}
    files = ", ".join(quantity.path.name for quantity in quantities)
    if len(by_name) < len(quantities):
        raise InputError(
            f"{segment}: {files} are not different quantities of one sensor; name another segment for each "
            "sensor with --sensor FILE=SEGMENT"
        )
    missing = [words for name, words in _WORDED.items() if name not in by_name and name != "mag"]
    if missing:
        raise InputError(
            f"{segment}: expected accelerometer and gyroscope, got {files}; add the file of its "
            f"{' and '.join(missing)}"
        )
    gyr = by_name["gyr"]
    found = {
        name: at_times(gyr.t, quantity.t + (quantity.zero - gyr.zero), quantity.values)
        for name, quantity in by_name.items()
        if name != "gyr"
    }
    name = _family(gyr.path, app).rsplit(".", 1)[0] or segment
    info = SensorInfo(name, segment, app.kind, float("nan"))
    block = ImuBlock(info.sensor, gyr.t, gyr.values, found["acc"], found.get("mag"))
    remarks = [f"{_WORDED[q.name]}: {remark}" for q in quantities for remark in q.remarks]
    remarks.append("acceleration is interpolated to the gyroscope's instants")
    return IncomingSensor(info, block, tuple(remarks)), gyr.zero + min(
        quantity.ahead for quantity in quantities
    )


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1024).decode("utf-8-sig", errors="replace").split("\n")[0]
    except OSError:
        return ""
