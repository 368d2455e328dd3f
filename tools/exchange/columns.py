"""Read a table of any layout whose columns and units a person has declared in a TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.axes_check import check_orientation
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.orientation_only import KIND, REMARK, from_orientations
from tools.exchange.plausibility import checked
from tools.exchange.table import Table, read_table
from tools.exchange.timeline import increasing

UNITS: Mapping[str, Mapping[str, float]] = {
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "gyr": {"rad/s": 1.0, "deg/s": float(np.pi / 180.0)},
    "acc": {"m/s2": 1.0, "g": STANDARD_GRAVITY},
    "mag": {"uT": 1.0, "G": 100.0},
}
_SENSOR_KEYS = ("sensor", "segment", "gyr", "acc", "mag", "quat", "gyr_range_dps", "acc_range_g")
_ORDERS = {"wxyz": (0, 1, 2, 3), "xyzw": (3, 0, 1, 2)}


@dataclass(frozen=True, slots=True)
class Signal:
    """The columns of one quantity and the factor to the unit used inside."""

    columns: tuple[str, ...]
    factor: float

    def read(self, table: Table) -> FloatArray:
        """Return the columns in the unit used inside, shape (N, columns)."""
        return table.columns(self.columns) * self.factor


@dataclass(frozen=True, slots=True)
class SensorColumns:
    """The columns of one sensor; an empty segment is to be given per file.

    `quat` are w, x, y, z of the turn from the sensor to an earth frame with z up. Without `gyr` and `acc` the
    table holds orientations only; with them the orientations serve to check the two.
    """

    sensor: str
    segment: str
    gyr: Signal | None
    acc: Signal | None
    mag: Signal | None
    quat: Signal | None
    gyr_range_dps: float | None
    acc_range_g: float | None


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What a table's columns mean. Without a time column rows step by 1 / `rate_hz`."""

    path: Path
    time: Signal | None
    rate_hz: float
    sensors: tuple[SensorColumns, ...]


def load_mapping(path: Path) -> ColumnMapping:
    """Read a declaration of columns and units.

    The file says, for example::

        time = { column = "t", unit = "ms" }     # or none, with rate_hz
        rate_hz = 100                            # checked against the times if both are given
        [[sensors]]
        segment = "right_forearm"                # or --sensor FILE=SEGMENT for one file per sensor
        gyr = { columns = ["gx", "gy", "gz"], unit = "deg/s" }
        acc = { columns = ["ax", "ay", "az"], unit = "g" }
        mag = { columns = ["mx", "my", "mz"], unit = "uT" }    # may be left out
        quat = { columns = ["qw", "qx", "qy", "qz"], order = "wxyz" }   # or xyzw; may be left out
        gyr_range_dps = 2000                     # may be left out
        acc_range_g = 16                         # may be left out

    Raises
    ------
    InputError
        If it is missing, is no TOML, or lacks something; the sentence names it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path.name}: expected a TOML file of columns and units ({error})") from None
    _only(path, document, ("time", "rate_hz", "sensors"))
    sensors = document.get("sensors")
    if not isinstance(sensors, list) or not sensors:
        raise InputError(f"{path.name}: expected at least one [[sensors]] with gyr and acc, got none")
    time = document.get("time")
    rate = document.get("rate_hz")
    if time is None and rate is None:
        raise InputError(f"{path.name}: expected `time` with column and unit, or `rate_hz`; got neither")
    return ColumnMapping(
        path,
        None if time is None else _signal(path, "time", time),
        _positive(path, "rate_hz", rate) or float("nan"),
        tuple(_sensor_columns(path, sensor, number) for number, sensor in enumerate(sensors, start=1)),
    )


def read_columns(
    paths: Sequence[Path], mapping: ColumnMapping, segments: Mapping[str, str] | None = None
) -> Incoming:
    """Read tables by declared columns and units.

    Parameters
    ----------
    paths
        The tables, on one clock; time starts at 0 with the earliest row.
    mapping
        What their columns mean.
    segments
        Body segment of each file, by file name, where the mapping leaves it open.

    Raises
    ------
    InputError
        If a column is missing, a segment is open, or the samples contradict what was declared.
    """
    tables = [read_table(path) for path in paths]
    times = [_times(table, mapping) for table in tables]
    starts = [float(np.nanmin(t)) for t in times if np.isfinite(t).any()]
    start = min(starts, default=0.0)
    sensors = tuple(
        _read_sensor(table, t - start, columns, mapping, segments or {})
        for table, t in zip(tables, times, strict=True)
        for columns in mapping.sensors
    )
    names = [sensor.info.sensor for sensor in sensors]
    if len(set(names)) != len(names):
        raise InputError(
            f"every sensor needs a segment or name of its own, got {', '.join(names)}; "
            "pass --sensor FILE=SEGMENT for each file"
        )
    bare = any(sensor.info.kind == KIND for sensor in sensors)
    source = {"columns_from": mapping.path.name}
    return Incoming(tuple(paths), "columns", sensors, (REMARK,) if bare else (), source)


def _times(table: Table, mapping: ColumnMapping) -> FloatArray:
    if mapping.time is None:
        return np.arange(len(table.values)) / mapping.rate_hz
    return mapping.time.read(table)[:, 0]


def _read_sensor(
    table: Table, t: FloatArray, columns: SensorColumns, mapping: ColumnMapping, segments: Mapping[str, str]
) -> IncomingSensor:
    segment = columns.segment or segments.get(table.path.name, "")
    if not segment:
        raise InputError(
            f"{table.path.name}: which segment is this sensor on? say so in {mapping.path.name} or pass "
            f"--sensor {table.path.name}=right_forearm or the like"
        )
    q = None if columns.quat is None else columns.quat.read(table)
    if columns.gyr is None or columns.acc is None:
        return from_orientations(columns.sensor or segment, segment, t, np.asarray(q), mapping.rate_hz)
    keep, remarks = increasing(table.path.name, t)
    info = SensorInfo(
        columns.sensor or segment,
        segment,
        "import-csv",
        mapping.rate_hz,
        gyr_range_dps=columns.gyr_range_dps,
        acc_range_g=columns.acc_range_g,
    )
    mag = None if columns.mag is None else columns.mag.read(table)[keep]
    block = ImuBlock(info.sensor, t[keep], columns.gyr.read(table)[keep], columns.acc.read(table)[keep], mag)
    sensor = checked(IncomingSensor(info, block, (*table.remarks, *remarks)))
    if q is not None:
        check_orientation(segment, q[keep], block)
    return sensor


def _sensor_columns(path: Path, sensor: Any, number: int) -> SensorColumns:
    orientation_only = isinstance(sensor, dict) and "quat" in sensor and not {"gyr", "acc"} & sensor.keys()
    if not isinstance(sensor, dict) or not (orientation_only or {"gyr", "acc"} <= sensor.keys()):
        raise InputError(
            f"{path.name}: sensor {number} needs gyr and acc, each with columns and unit, or quat alone"
        )
    _only(path, sensor, _SENSOR_KEYS)
    gyr, acc, mag = (
        _signal(path, name, sensor[name]) if name in sensor else None for name in ("gyr", "acc", "mag")
    )
    return SensorColumns(
        str(sensor.get("sensor", "")),
        str(sensor.get("segment", "")),
        gyr,
        acc,
        mag,
        _quaternion(path, sensor["quat"]) if "quat" in sensor else None,
        _positive(path, "gyr_range_dps", sensor.get("gyr_range_dps")),
        _positive(path, "acc_range_g", sensor.get("acc_range_g")),
    )


def _signal(path: Path, quantity: str, entry: Any) -> Signal:
    count = 1 if quantity == "time" else 3
    entry = entry if isinstance(entry, dict) else {}
    names = [entry["column"]] if "column" in entry else entry.get("columns", [])
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
        wanted = "column" if count == 1 else "three columns"
        raise InputError(f"{path.name}: {quantity} needs {wanted} and unit, got {entry or 'something else'}")
    unit = entry.get("unit")
    if unit not in UNITS[quantity]:
        raise InputError(
            f"{path.name}: the unit of {quantity} must be {' or '.join(UNITS[quantity])}, got {unit}"
        )
    return Signal(tuple(names), UNITS[quantity][unit])


def _quaternion(path: Path, entry: Any) -> Signal:
    names = entry.get("columns") if isinstance(entry, dict) else None
    if not isinstance(names, list) or len(names) != 4 or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path.name}: quat needs four columns and their order, got {entry}")
    order = entry.get("order")
    if order not in _ORDERS:
        raise InputError(f"{path.name}: the order of quat must be {' or '.join(_ORDERS)}, got {order}")
    return Signal(tuple(names[at] for at in _ORDERS[order]), 1.0)


def _positive(path: Path, name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{path.name}: {name} must be a number above 0, got {value!r}")
    return float(value)


def _only(path: Path, entry: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise InputError(f"{path.name}: knows {', '.join(known)}, got {', '.join(unknown)}")
