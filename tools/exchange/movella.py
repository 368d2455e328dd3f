"""Read what Movella's own program exports from DOT sensors: one CSV file per sensor, one device clock.

Source of the layout: exported files of firmware 2 (line `sep=,`, column names, rows); the clock counts
microseconds in 32 bits and wraps every 71.6 minutes, common to all sensors that were synchronised.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.plausibility import checked
from tools.exchange.table import Table, read_table
from tools.exchange.timeline import increasing
from tools.exchange.together import different_segments, told_segment

CLOCK = "SampleTimeFine"
_ACC, _GYR, _MAG = (tuple(f"{name}_{axis}" for axis in "XYZ") for name in ("Acc", "Gyr", "Mag"))
_TICKS_PER_SECOND = 1e6
_WRAP = 2.0**32
_GYR_RANGE_DPS, _ACC_RANGE_G = 2000.0, 16.0
_LONGEST_START_SPREAD = 600.0
_PREFIX_SEGMENTS = {"1TRK": "thorax", "3RUA": "right_upperarm", "4RLA": "right_forearm", "5RHA": "right_hand"}
_DATE_TIME = re.compile(r"_(\d{8}_\d{6})$")
_SERIAL = re.compile(r"_([0-9A-F]{12})_")


def is_movella(path: Path) -> bool:
    """Return whether a text file starts as a DOT export does."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return any(CLOCK in file.readline(4096) for _ in range(2))
    except OSError:
        return False


def read_movella(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial, one per sensor.

    Parameters
    ----------
    paths
        The files. Their times start together at 0 with the earliest sample, on the common device clock.
    segments
        Body segment of each file, by file name; guessed from prefixes like `3RUA` where absent.

    Raises
    ------
    InputError
        If a file is not such an export, its segment is not known, two are of one segment, the clocks do
        not belong together, or the samples contradict physics.
    """
    given = segments or {}
    tables = [read_table(path) for path in paths]
    ticks = [unwrap(table.columns([CLOCK])[:, 0]) for table in tables]
    starts = _on_one_clock(tables, ticks)
    sensors = tuple(
        _sensor(table, (own - own_start) / _TICKS_PER_SECOND + start, _segment(table.path, given))
        for table, own, own_start, start in zip(tables, ticks, _firsts(ticks), starts, strict=True)
    )
    different_segments(sensor.info.segment for sensor in sensors)
    remarks = ("the magnetic field is in units of the local field and kept as it is",)
    return Incoming(tuple(paths), "movella-dot", sensors, remarks, created_at=_named_time(paths[0]))


def unwrap(ticks: FloatArray) -> FloatArray:
    """Return 32-bit counts without their wraps, by the step nearest to zero: a repeat stays a repeat."""
    known = np.isfinite(ticks)
    counts = ticks[known]
    half = _WRAP / 2.0
    steps = (np.diff(counts) + half) % _WRAP - half
    straight = np.full(len(ticks), np.nan)
    straight[known] = np.concatenate([counts[:1], counts[:1] + np.cumsum(steps)])
    return straight


def _firsts(ticks: Sequence[FloatArray]) -> list[float]:
    return [float(own[np.isfinite(own)][0]) if np.isfinite(own).any() else float("nan") for own in ticks]


def _on_one_clock(tables: Sequence[Table], ticks: Sequence[FloatArray]) -> list[float]:
    """Return when each file starts, s after the earliest of all."""
    firsts = np.array(_firsts(ticks))
    half = _WRAP / 2.0
    offsets = ((firsts - firsts[0] + half) % _WRAP - half) / _TICKS_PER_SECOND
    spread = float(np.ptp(offsets))
    if not spread <= _LONGEST_START_SPREAD:
        names = ", ".join(table.path.name for table in tables)
        raise InputError(
            f"the files should be of one synchronised trial, but their clocks start {spread:.0f} s apart: "
            f"{names}; import trials one by one, or synchronise the sensors before recording"
        )
    return (offsets - offsets.min()).tolist()


def _sensor(table: Table, t: FloatArray, segment: str) -> IncomingSensor:
    path = table.path
    keep, remarks = increasing(path.name, t)
    acc, gyr = table.columns(_ACC)[keep], np.radians(table.columns(_GYR)[keep])
    mag = table.columns(_MAG)[keep] if set(_MAG) <= set(table.names) else None
    blank = (acc == 0.0).all(axis=1) & (gyr == 0.0).all(axis=1)
    acc, gyr = np.where(blank[:, None], np.nan, acc), np.where(blank[:, None], np.nan, gyr)
    serial = _SERIAL.search(path.name)
    info = SensorInfo(
        serial[1] if serial else path.stem,
        segment,
        "movella-dot",
        float("nan"),
        serial=serial[1] if serial else "",
        gyr_range_dps=_GYR_RANGE_DPS,
        acc_range_g=_ACC_RANGE_G,
    )
    if blank.any():
        remarks.append(f"{int(blank.sum())} of {len(blank)} rows all zeros, taken as unknown")
    block = ImuBlock(info.sensor, t[keep], gyr, acc, mag)
    return checked(IncomingSensor(info, block, (*table.remarks, *remarks)))


def _named_time(path: Path) -> datetime | None:
    """Return the local time in the name of an export, None if it has none."""
    found = _DATE_TIME.search(path.stem)
    try:
        return datetime.strptime(found[1], "%Y%m%d_%H%M%S").astimezone() if found else None
    except ValueError:
        return None


def _segment(path: Path, given: Mapping[str, str]) -> str:
    known = _PREFIX_SEGMENTS.get(path.name.split("_")[0])
    return known if known and path.name not in given else told_segment(path, given)
