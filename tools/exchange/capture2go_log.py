"""Read what a capture2go IMU records: the file is the byte stream of its protocol, without the radio.

Source: [S] Capture2Go Communication Protocol, "the stored binary measurement files are sequences of
packages", and the maker's SDK, whose converter also takes them packed with gzip. Times are nanoseconds since
1970, common to sensors that were synchronised. Tested against files of frames that the maker's SDK reads; no
file from a sensor was at hand.
"""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imu.block import ImuBlock
from imu.errors import InputError, PacketError
from imu.recording import SensorInfo
from imu.sensors.capture2go import CAPABILITY, TX, Capture2GoDecoder
from imu.sensors.driver import Ack, DeviceInfo, Item, Reading
from tools.exchange.axes_check import check_orientation
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.timeline import increasing
from tools.exchange.together import NOT_SYNCHRONISED, SENSOR_CLOCK, began, one_trial, told_segment

_GZIP = b"\x1f\x8b"
_NO_REAL_TIME = b"\xff"
_PIECE = 1 << 16
_FEWEST_TO_CHECK = 20


def is_capture2go(path: Path) -> bool:
    """Return whether a file begins with a whole frame of the protocol, packed or not."""
    try:
        start = _open(path, 512)
    except (OSError, EOFError, zlib.error):
        return False
    if start[:1] != b"\x02" or len(start) < 8:
        return False
    end = 8 + start[5]
    return end <= len(start) and zlib.crc32(start[6:end]) == int.from_bytes(start[1:5], "little")


def read_capture2go(paths: Sequence[Path], segments: Mapping[str, str] | None = None) -> Incoming:
    """Read the files of one trial, one per sensor.

    Parameters
    ----------
    paths
        The files, as downloaded or packed with gzip.
    segments
        Body segment of each file, by file name.

    Raises
    ------
    InputError
        If a file is damaged, holds orientations only, or if samples contradict physics or each other.
    """
    found = [_items(path) for path in paths]
    read = [
        _sensor(path, items, told_segment(path, segments or {}))
        for path, items in zip(paths, found, strict=True)
    ]
    alone = [
        not any(isinstance(item, Ack) and item.command == "sync-status" and item.ok for item in items)
        for items in found
    ]
    remarks = (NOT_SYNCHRONISED,) if len(read) > 1 and any(alone) else ()
    return Incoming(
        tuple(paths),
        "capture2go",
        one_trial(read),
        remarks,
        created_at=began(start for _, start in read),
        created_from=SENSOR_CLOCK,
    )


def _open(path: Path, size: int = -1) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        return file.read(size)


def _items(path: Path) -> list[Item]:
    try:
        data = _open(path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: cannot be unpacked ({error}); download it again") from None
    decoder = Capture2GoDecoder()
    items: list[Item] = []
    for at in range(0, len(data), _PIECE):
        try:
            items += decoder.feed(TX, _NO_REAL_TIME + data[at : at + _PIECE])
        except PacketError:
            continue
    return items


def _sensor(path: Path, items: Sequence[Item], segment: str) -> tuple[IncomingSensor, float]:
    readings = [item for item in items if isinstance(item, Reading)]
    measured = [reading for reading in readings if np.isfinite(reading.gyr).all()]
    if len(measured) < 2:
        raise InputError(
            f"{path.name}: expected angular rate and acceleration, found {len(readings)} orientations and "
            f"{len(measured)} samples; record full data (FullPacked or FullFixed) on the sensor"
        )
    ticks = [reading.ticks or 0 for reading in measured]
    keep, remarks = increasing(path.name, np.array([(tick - ticks[0]) * 1e-9 for tick in ticks]))
    t = np.array([(tick - ticks[0]) * 1e-9 for tick in ticks])[keep]
    gyr, acc, mag = (
        np.array([getattr(reading, name) for reading in measured])[keep] for name in ("gyr", "acc", "mag")
    )
    told = next((item for item in items if isinstance(item, DeviceInfo)), DeviceInfo("", ""))
    info = SensorInfo(
        told.serial or path.name.split(".")[0],
        segment,
        "capture2go",
        float("nan"),
        serial=told.serial,
        firmware=told.firmware,
        gyr_range_dps=CAPABILITY.gyr_ranges_dps[0],
        acc_range_g=CAPABILITY.acc_ranges_g[0],
    )
    field = mag if np.isfinite(mag).any() else None
    block = ImuBlock(info.sensor, t, gyr, acc, field)
    q = np.array([reading.quat or (np.nan,) * 4 for reading in measured])[keep]
    oriented = np.isfinite(q).all(axis=1)
    if oriented.sum() >= _FEWEST_TO_CHECK:
        check_orientation(
            segment, q[oriented], ImuBlock(info.sensor, t[oriented], gyr[oriented], acc[oriented])
        )
    remarks.append("the sensor's own estimate of its gyroscope's bias is already taken off")
    return IncomingSensor(info, block, tuple(remarks)), ticks[0] * 1e-9
