"""Read what WitMotion sensors and WitMotion's own program keep: card files and text tables.

Sources: a WT901SDCL-BT50's card holds the frames of its radio, 28 bytes with calendar time (a 2197-frame
file, see the project's sensor reference A.2); the maker's program writes tab-separated text whose time is
when the computer got the row, several rows in a burst (three recordings, same place). Exports of Movella
DOT sensors are read by `tools/exchange/movella.py`.
"""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.clock import SensorClock
from imu.errors import InputError, PacketError
from imu.recording import SensorInfo
from imu.sensors.driver import DeviceClock, G, Reading
from imu.sensors.witmotion import FRAME, NOTIFY, RATE_CODES, WitDecoder
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.timeline import increasing
from tools.exchange.together import NOT_SYNCHRONISED, one_trial, told_segment

_ACC = tuple(f"Acc{axis}(g)" for axis in "XYZ")
_GYR = tuple(f"As{axis}(°/s)" for axis in "XYZ")
_MAG = tuple(f"H{axis}(uT)" for axis in "XYZ")
_TIME, _DEVICE = "time", "DeviceName"
_GYR_RANGE_DPS, _ACC_RANGE_G = 2000.0, 16.0
_BURST_S = 0.005
_RATE_SLACK = 0.05


def is_witmotion(path: Path) -> bool:
    """Return whether a file is a WitMotion card file or a table of WitMotion's program."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return False
    return _is_table(start) or start.count(FRAME) >= max(1, len(start) // 56)


def _is_table(start: bytes) -> bool:
    names = start.decode("utf-8-sig", errors="replace").split("\n")[0].split("\t")
    return {_TIME, _DEVICE, _ACC[0]} <= set(names)


def read_witmotion(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial, one per sensor.

    Parameters
    ----------
    paths
        The files. Their times start together at 0 with the earliest sample, by the calendar in them.
    segments
        Body segment of each file, by file name.

    Raises
    ------
    InputError
        If a file holds no or several sensors, its segment is not known, two are of one segment, the files
        do not overlap in time, or the samples contradict physics.
    """
    sensors = one_trial([_read_one(path, segments or {}) for path in paths])
    return Incoming(tuple(paths), "witmotion", sensors, (NOT_SYNCHRONISED,) if len(sensors) > 1 else ())


def _read_one(path: Path, given: Mapping[str, str]) -> tuple[IncomingSensor, float]:
    """Return one sensor, its times from 0, and when it started by its calendar, s since 1970."""
    segment = told_segment(path, given)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read ({error.strerror})") from None
    if _is_table(data[:4096]):
        return _read_table(path, data.decode("utf-8-sig", errors="replace"), segment)
    return _read_card(path, data, segment)


def _read_card(path: Path, data: bytes, segment: str) -> tuple[IncomingSensor, float]:
    decoder = WitDecoder(28)
    try:
        items = decoder.feed(NOTIFY, data)
    except PacketError:
        items = []
    readings = [item for item in items if isinstance(item, Reading)]
    if len(readings) < 2:
        raise InputError(
            f"{path.name}: WitMotion frames of 28 bytes with a time in them were expected, found "
            f"{len(readings)}; frames of 20 bytes hold no time and cannot be imported"
        )
    ticks = [reading.ticks or 0 for reading in readings]
    keep, remarks = increasing(path.name, np.array([(tick - ticks[0]) / 1e3 for tick in ticks]))
    if decoder.skipped:
        remarks.append(f"{decoder.skipped} bytes belong to no frame and are left out")
    t = np.array([(tick - ticks[0]) / 1e3 for tick in ticks])[keep]
    gyr = np.array([reading.gyr for reading in readings])[keep]
    acc = np.array([reading.acc for reading in readings])[keep]
    info = _info(path.stem, segment)
    return IncomingSensor(info, ImuBlock(info.sensor, t, gyr, acc), tuple(remarks)), ticks[0] / 1e3


def _info(sensor: str, segment: str) -> SensorInfo:
    return SensorInfo(
        sensor,
        segment,
        "witmotion",
        float("nan"),
        gyr_range_dps=_GYR_RANGE_DPS,
        acc_range_g=_ACC_RANGE_G,
    )


def _read_table(path: Path, text: str, segment: str) -> tuple[IncomingSensor, float]:
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    devices = sorted({row.get(_DEVICE) or "" for row in rows})
    if len(devices) != 1:
        raise InputError(f"{path.name}: one sensor was expected, found {len(devices)}; export one file each")
    numbers = np.array([[_number(row.get(name)) for name in (*_ACC, *_GYR, *_MAG)] for row in rows])
    arrivals = np.array([_moment(path, row.get(_TIME) or "") for row in rows])
    t, remark = _evenly(path, arrivals)
    mag = numbers[:, 6:] if np.isfinite(numbers[:, 6:]).any() else None
    info = _info(devices[0] or path.stem, segment)
    block = ImuBlock(info.sensor, t - t[0], np.radians(numbers[:, 3:6]), numbers[:, :3] * G, mag)
    remarks = [remark]
    if mag is not None:
        remarks.append(
            "the magnetic field was polled, so it changes only now and then; its scale is the maker's"
        )
    return IncomingSensor(info, block, tuple(remarks)), float(t[0])


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")


def _moment(path: Path, text: str) -> float:
    """Return the time of a row, s since 1970 as if the computer's local time were UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise InputError(
            f"{path.name}: a time like 2025-6-28 11:15:23.317 was expected, got {text!r}; the file is damaged"
        ) from None


def _evenly(path: Path, arrivals: FloatArray) -> tuple[FloatArray, str]:
    """Return sample times from the times at which bursts of rows arrived, and what was done in words.

    The rows carry no time of their own: they are counted, and the rate is learnt from the lower envelope
    of the bursts, as live (`imu/clock.py`).
    """
    duration = float(arrivals[-1] - arrivals[0])
    if len(arrivals) < 2 or duration <= 0.0:
        raise InputError(f"{path.name}: at least two moments were expected; the file is empty or cut")
    measured = (len(arrivals) - 1) / duration
    nominal = min(RATE_CODES, key=lambda rate: abs(rate / measured - 1.0))
    if abs(nominal / measured - 1.0) > _RATE_SLACK:
        nominal = measured
    clock = SensorClock(DeviceClock(1.0 / nominal, None, rate_sigma=1e-2, counted=True), nominal)
    bursts = [0, *(np.flatnonzero(np.diff(arrivals) > _BURST_S) + 1).tolist(), len(arrivals)]
    times = [
        clock.feed(float(arrivals[stop - 1]), [None] * (stop - start)).t for start, stop in pairwise(bursts)
    ]
    learnt, segments = clock.learnt, clock.report().segments
    if segments > 1 or learnt is None:
        words = "lost samples" if segments > 1 else "too short to learn the rate"
        return np.concatenate(times), f"sample times follow the arrivals ({words}) and are rough"
    period = (1.0 + learnt) / nominal
    t = arrivals[0] + np.arange(len(arrivals)) * period
    return t, f"sample times are counted at {1.0 / period:.2f} Hz, learnt from the bursts they arrived in"
