"""Read what Xsens' MT Manager exports: one text file per sensor, `//` lines on top.

Source of the layout: exported files of MT Manager 4 to 2022 as quoted in public repositories: comment lines
with the update rate and device, tab-separated columns, a 16-bit packet counter common to the sensors of one
master, `Acc` in m/s^2, `Gyr` in rad/s, `Mag` in units of the local field, orientation as `Quat_q0..3`
(w x y z) or `Mat[row][column]`, sensor to earth with z up. The clock columns are often empty, so time is
counted.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.quaternion import from_matrix
from imu.recording import SensorInfo
from tools.exchange.axes_check import check_orientation
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.orientation_only import REMARK, from_orientations
from tools.exchange.plausibility import checked
from tools.exchange.table import Table, read_table
from tools.exchange.timeline import increasing
from tools.exchange.together import different_segments, told_segment

COUNTER = "PacketCounter"
_WRAP = 65536.0
_LONGEST_START_SPREAD = 600.0
_ACC, _GYR, _MAG = (tuple(f"{name}_{axis}" for axis in "XYZ") for name in ("Acc", "Gyr", "Mag"))
_QUAT = tuple(f"Quat_q{at}" for at in range(4))
_MAT = tuple(f"Mat[{row}][{column}]" for row in (1, 2, 3) for column in (1, 2, 3))
_RATE = re.compile(r"(?i)//\s*(?:update|sample)\s*rate:\s*([0-9.]+)")
_DEVICE = re.compile(r"(?i)//\s*device\s*id:\s*([0-9A-F]{8})|_([0-9A-F]{8})\.\w+$")


def is_xsens(path: Path) -> bool:
    """Return whether a text file starts as an export of MT Manager does."""
    head = _head(path)
    return head.startswith("//") and COUNTER in head


def read_xsens(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial, one per sensor.

    Parameters
    ----------
    paths
        The files; their packets are counted by one master, so times start at 0 with the earliest.
    segments
        Body segment of each file, by file name.

    Raises
    ------
    InputError
        If a file says no rate, lacks columns, its segment is not known, the files do not belong together, or
        the samples contradict physics.
    """
    given = segments or {}
    tables = [read_table(path) for path in paths]
    rates = [_rate(path) for path in paths]
    counts = [_unwrap(table.columns([COUNTER])[:, 0]) for table in tables]
    firsts = np.array(
        [float(own[np.isfinite(own)][0]) if np.isfinite(own).any() else np.nan for own in counts]
    )
    offsets = (firsts - firsts[0] + _WRAP / 2.0) % _WRAP - _WRAP / 2.0
    if float(np.ptp(offsets)) / min(rates) > _LONGEST_START_SPREAD or len(set(rates)) > 1:
        raise InputError(
            f"the files should be of one trial with one rate, but their packets start {np.ptp(offsets):.0f} "
            f"apart, at {', '.join(f'{rate:g}' for rate in rates)} Hz; import trials one by one"
        )
    sensors = tuple(
        _sensor(table, (own - first + offset - offsets.min()) / rate, rate, given)
        for table, own, first, offset, rate in zip(tables, counts, firsts, offsets, rates, strict=True)
    )
    different_segments(sensor.info.segment for sensor in sensors)
    bare = any(sensor.info.kind != "xsens" for sensor in sensors)
    remark = REMARK if bare else "the magnetic field is in units of the local field and kept as it is"
    return Incoming(tuple(paths), "xsens", sensors, (remark,))


def _sensor(table: Table, t: FloatArray, rate: float, given: Mapping[str, str]) -> IncomingSensor:
    path = table.path
    segment, serial = told_segment(path, given), _device(path)
    q = _orientation(table)
    if not {*_ACC, *_GYR} <= set(table.names):
        if q is None:
            table.columns((*_ACC, *_GYR))
        return from_orientations(serial or path.stem, segment, t, np.asarray(q), rate)
    keep, remarks = increasing(path.name, t)
    mag = table.columns(_MAG)[keep] if set(_MAG) <= set(table.names) else None
    info = SensorInfo(serial or path.stem, segment, "xsens", rate, serial=serial)
    block = ImuBlock(info.sensor, t[keep], table.columns(_GYR)[keep], table.columns(_ACC)[keep], mag)
    sensor = checked(IncomingSensor(info, block, (*table.remarks, *remarks)))
    if q is not None:
        check_orientation(segment, q[keep], block)
    return sensor


def _orientation(table: Table) -> FloatArray | None:
    if set(_QUAT) <= set(table.names):
        return table.columns(_QUAT)
    if set(_MAT) <= set(table.names):
        return from_matrix(table.columns(_MAT).reshape(-1, 3, 3))
    return None


def _unwrap(counts: FloatArray) -> FloatArray:
    """Return 16-bit counts without their wraps."""
    known = np.isfinite(counts)
    straight = np.full(len(counts), np.nan)
    straight[known] = np.unwrap(counts[known], period=_WRAP)
    return straight


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(8192).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _rate(path: Path) -> float:
    found = _RATE.search(_head(path))
    if found is None or float(found[1]) <= 0.0:
        raise InputError(
            f"{path.name}: expected the rate in a line like `// Update Rate: 100.0Hz`, found none; add the "
            "line, or declare columns and rate with --columns FILE.toml"
        )
    return float(found[1])


def _device(path: Path) -> str:
    found = _DEVICE.search(_head(path)) or _DEVICE.search(path.name)
    return "" if found is None else found[1] or found[2]
