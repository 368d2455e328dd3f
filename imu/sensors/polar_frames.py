"""Polar's measurement frames: raw and delta-coded samples of one quantity, with the last sample's time.

Source: [S] polarofficial/polar-ble-sdk, `online_measurement.pdf` v1.0 and the maker's own test values;
all are decoded in the tests. A frame is type, u64 ns since 2000-01-01 of its last sample, frame type (bit
7: delta-coded), samples.
"""

import math
import struct
from itertools import pairwise
from typing import NamedTuple

from imu.errors import PacketError
from imu.sensors.checks import in_range
from imu.sensors.driver import UNKNOWN, G, Vector

ACC, GYRO, MAG = 2, 5, 6
NAMES = {ACC: "acc", GYRO: "gyr", MAG: "mag"}
DELTA = 0x80
GAUSS_UT = 100.0
MAG_LIMIT_UT = 5000.0
MOST_SAMPLES = 1000


class Frame(NamedTuple):
    """One decoded frame.

    Parameters
    ----------
    kind
        `ACC`, `GYRO` or `MAG`.
    last_ns
        Device time of the last sample, ns since 2000.
    values
        Samples, oldest first: m/s^2, rad/s or uT.
    """

    kind: int
    last_ns: int
    values: list[Vector]


def decode(payload: bytes, factor: float, limit: float) -> Frame:
    """Return one frame in SI units.

    Parameters
    ----------
    payload
        The notification.
    factor
        Conversion factor from the start command's reply; 1 if it held none, NaN if the reply was missed:
        then counts that need it are samples of unknown value.
    limit
        Full scale in m/s^2, rad/s or uT; saturated samples become NaN.

    Raises
    ------
    PacketError
        If length, type or a value cannot be right.
    """
    if len(payload) < 10:
        raise PacketError("a Polar frame must be at least 10 bytes long", payload)
    kind, last_ns, frame_type = struct.unpack_from("<BQB", payload)
    if kind not in NAMES:
        raise PacketError("a Polar frame of type 2, 5 or 6 was expected", payload)
    if frame_type & DELTA:
        rows, scale = _delta(kind, frame_type & 0x7F, payload, factor)
    else:
        rows, scale = _raw(kind, frame_type, payload)
    if math.isnan(scale):
        return Frame(kind, last_ns, [UNKNOWN] * len(rows))
    what = f"Polar {NAMES[kind]}"
    values: list[Vector] = []
    for row in rows:
        x, y, z = in_range((row[0] * scale, row[1] * scale, row[2] * scale), limit, what, payload)
        values.append((x, y, z))
    return Frame(kind, last_ns, values)


def _raw(kind: int, frame_type: int, payload: bytes) -> tuple[list[list[float]], float]:
    """Return raw rows and their scale: only acceleration comes raw, as i8, i16 or i24 mG."""
    width = frame_type + 1
    content = payload[10:]
    if kind != ACC or width > 3 or not content or len(content) % (3 * width):
        raise PacketError("raw Polar acceleration of 1, 2 or 3 bytes a value was expected", payload)
    numbers = [
        float(int.from_bytes(content[i : i + width], "little", signed=True))
        for i in range(0, len(content), width)
    ]
    return [numbers[i : i + 3] for i in range(0, len(numbers), 3)], G / 1000.0


def _delta(kind: int, frame_type: int, payload: bytes, factor: float) -> tuple[list[list[float]], float]:
    """Return delta-coded rows and their scale to SI [S].

    Acceleration type 0 counts factor g, type 1 mG; angular rate type 0 counts factor deg/s, type 1 holds
    the bit patterns of float32; field type 0 counts factor G, type 1 mG (milligauss) with a fourth channel
    of calibration status.
    """
    if frame_type > 1:
        raise PacketError("a Polar delta frame of type 0 or 1 was expected", payload)
    floats = kind == GYRO and frame_type == 1
    channels = 4 if kind == MAG and frame_type == 1 else 3
    rows = unpack_deltas(payload, 10, channels, 32 if floats else 16)
    values = [_as_floats(row) for row in rows] if floats else [[float(v) for v in row] for row in rows]
    scales = {
        (ACC, 0): factor * G,
        (ACC, 1): G / 1000.0,
        (GYRO, 0): math.radians(factor),
        (GYRO, 1): math.radians(factor),
        (MAG, 0): factor * GAUSS_UT,
        (MAG, 1): factor * GAUSS_UT / 1000.0,
    }
    return values, scales[kind, frame_type]


def _as_floats(row: list[int]) -> list[float]:
    return [struct.unpack("<f", struct.pack("<I", value & 0xFFFFFFFF))[0] for value in row]


def unpack_deltas(payload: bytes, at: int, channels: int, bits: int) -> list[list[int]]:
    """Return the rows of a delta-coded frame [S].

    First a reference row of signed values, then blocks of: bits per delta, rows, and the signed deltas
    packed from the lowest bit on, row by row. Rows add up.

    Raises
    ------
    PacketError
        If a block is cut short, or a value leaves the width of its reference.
    """
    width = bits // 8
    if len(payload) < at + channels * width:
        raise PacketError("a Polar delta frame must hold a whole reference sample", payload)
    row = [
        int.from_bytes(payload[i : i + width], "little", signed=True)
        for i in range(at, at + channels * width, width)
    ]
    rows = [row]
    at += channels * width
    while at < len(payload):
        size, count = payload[at], payload[at + 1] if at + 1 < len(payload) else 0
        length = (size * count * channels + 7) // 8
        if count == 0 or size > 32 or len(payload) < at + 2 + length or len(rows) + count > MOST_SAMPLES:
            raise PacketError("a whole block of Polar deltas was expected", payload)
        packed = int.from_bytes(payload[at + 2 : at + 2 + length], "little")
        for i in range(count):
            row = [row[c] + _signed(packed >> (i * channels + c) * size, size) for c in range(channels)]
            if bits < 32 and any(not -(1 << bits - 1) <= value < 1 << bits - 1 for value in row):
                raise PacketError("Polar deltas must not leave the range of their reference", payload)
            rows.append(row)
        at += 2 + length
    return rows


def _signed(value: int, bits: int) -> int:
    if bits == 0:
        return 0
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def sample_times(before_ns: int | None, last_ns: int, count: int, period_ns: float) -> list[int]:
    """Return the device times of a frame's samples, ns, oldest first [S].

    They lie evenly between the last frame's and this frame's last sample. Without a last frame, if more
    than 1.5 frames' time has passed since (a frame is missing), or if this frame is not later (it came
    twice, or the sensor restarted), they lie one period apart.

    Raises
    ------
    ValueError
        If a time would be negative.
    """
    if before_ns is not None and 0 < last_ns - before_ns <= 1.5 * count * period_ns:
        return [before_ns + (i + 1) * (last_ns - before_ns) // count for i in range(count)]
    times = [last_ns - round((count - 1 - i) * period_ns) for i in range(count)]
    if times[0] < 0:
        raise ValueError("a Polar frame's first sample would lie before the sensor's time 0")
    return times


def encode_raw_acc(last_ns: int, values: list[Vector]) -> bytes:
    """Return a raw frame of i16 mG."""
    counts = [_count(value, G / 1000.0) for row in values for value in row]
    return struct.pack("<BQB", ACC, last_ns, 1) + struct.pack(f"<{len(counts)}h", *counts)


def encode_delta(kind: int, last_ns: int, values: list[Vector], scale: float) -> bytes:
    """Return a delta frame of type 0 for counts of `scale` (SI per count), in one block of fitting width."""
    rows = [[_count(value, scale) for value in row] for row in values]
    head = struct.pack("<BQB", kind, last_ns, DELTA) + struct.pack("<3h", *rows[0])
    if len(rows) == 1:
        return head
    deltas = [b[c] - a[c] for a, b in pairwise(rows) for c in range(3)]
    size = max(delta.bit_length() if delta >= 0 else (-delta - 1).bit_length() for delta in deltas) + 1
    packed = 0
    for i, delta in enumerate(deltas):
        packed |= (delta & (1 << size) - 1) << i * size
    return head + bytes((size, len(rows) - 1)) + packed.to_bytes((size * len(deltas) + 7) // 8, "little")


def _count(value: float, scale: float) -> int:
    return 0 if math.isnan(value) else min(max(round(value / scale), -32768), 32767)
