"""The bytes of a recording: an MCAP file with fixed-layout CDR messages and their schemas inside.

Samples are stored as float64, exactly the numbers that the engine is fed, so that a replay equals the
live run to the last bit: sensor counts times a scale are rarely float32 numbers, and rounding them on
disk would make the two differ. Compression takes most of the cost back.

Documents (header, calibrations, repairs) are metadata records. The container has no checksum for those,
so each carries its own and is written twice. Channel numbers follow from the header alone, so that a
lost chunk never takes the meaning of the others with it.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imu.block import ImuBlock
from imu.recording_values import Event, RawPacket, RecordingHeader, Status

PROFILE = "romcap"
FORMAT_VERSION = 1
CHUNK_BYTES = 8192
HEADER_DOCUMENT = "romcap.header"
CALIBRATION_DOCUMENT = "romcap.calibration"
REPAIR_DOCUMENT = "romcap.repair"
STREAMS_DOCUMENT = "romcap.streams"
END_DOCUMENT = "romcap.end"
DOCUMENT_PREFIX = "romcap."

EVENT_CHANNEL, STATUS_CHANNEL = 1, 2
MOST_SENSORS = 100

SCHEMAS: Mapping[str, str] = {
    "romcap_msgs/msg/Imu": (
        "# One sample of one inertial sensor, in the sensor frame. NaN where not known.\n"
        "float64 t              # time on the capture clock, s\n"
        "uint32 number          # count of samples of this sensor since the start\n"
        "uint32 flags           # 1: the sensor has a magnetometer\n"
        "float64[3] gyr         # angular rate, rad/s\n"
        "float64[3] acc         # specific force, m/s^2, +9.81 upwards at rest\n"
        "float64[3] mag         # magnetic field, uT\n"
    ),
    "romcap_msgs/msg/RawPacket": (
        "# One notification as it arrived.\n"
        "uint64 arrival_ns      # monotonic clock of the host, ns\n"
        "string characteristic\n"
        "uint8[] payload\n"
    ),
    "romcap_msgs/msg/Event": (
        "# Something that happened; data is JSON.\n"
        "float64 t              # time on the capture clock, s\n"
        "string kind\n"
        "string data\n"
    ),
    "romcap_msgs/msg/Status": (
        "# What a sensor said about itself; data is JSON.\n"
        "float64 t              # time on the capture clock, s\n"
        "string sensor\n"
        "string data\n"
    ),
}

_MESSAGE = 5
_MESSAGE_HEAD = struct.Struct("<BQHIQQ")
_CDR_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
_HAS_MAG = 1

IMU_RECORD = np.dtype(
    [
        ("opcode", "u1"),
        ("length", "<u8"),
        ("channel", "<u2"),
        ("sequence", "<u4"),
        ("log_time", "<u8"),
        ("publish_time", "<u8"),
        ("cdr", "V4"),
        ("t", "<f8"),
        ("number", "<u4"),
        ("flags", "<u4"),
        ("gyr", "<f8", 3),
        ("acc", "<f8", 3),
        ("mag", "<f8", 3),
    ]
)
_SAMPLE = struct.Struct("<4sdII9d")

RECORD_HEAD = struct.Struct("<BQ")
_SAMPLE_START = RECORD_HEAD.pack(_MESSAGE, IMU_RECORD.itemsize - RECORD_HEAD.size)
_SAMPLE_CHANNELS = frozenset(range(1, 256, 2)) - {EVENT_CHANNEL}

RecordArray = NDArray[np.void]


class Message(NamedTuple):
    """One message that is not a sample."""

    channel: int
    log_time: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream inside the file; `sensor` is empty for the streams common to all."""

    number: int
    topic: str
    schema: str
    sensor: str


def channels(header: RecordingHeader) -> list[Channel]:
    """Return the channels of a recording, numbered from 1: two common ones, then two per sensor.

    Samples are on the odd numbers from 3 on; up to `MOST_SENSORS` these fit into one byte.
    """
    segments = [sensor.segment for sensor in header.sensors]
    table = [("/event", "Event", ""), ("/status", "Status", "")]
    for info in header.sensors:
        alone = segments.count(info.segment) == 1
        place = info.segment if alone else f"{info.segment}/{info.sensor}"
        table += [(f"/imu/{place}", "Imu", info.sensor), (f"/raw/{info.sensor}", "RawPacket", info.sensor)]
    return [
        Channel(number, topic, f"romcap_msgs/msg/{schema}", sensor)
        for number, (topic, schema, sensor) in enumerate(table, start=1)
    ]


def encode_samples(block: ImuBlock, first_number: int) -> Iterator[bytes]:
    """Yield the CDR message of each sample of a block."""
    flags = 0 if block.mag is None else _HAS_MAG
    mag = np.full((len(block), 3), np.nan) if block.mag is None else block.mag
    rows = zip(block.t.tolist(), block.gyr.tolist(), block.acc.tolist(), mag.tolist(), strict=True)
    for number, (t, gyr, acc, field) in enumerate(rows, start=first_number):
        yield _SAMPLE.pack(_CDR_LITTLE_ENDIAN, t, number, flags, *gyr, *acc, *field)


def imu_block(sensor: str, records: RecordArray) -> ImuBlock:
    """Return the samples of one sensor's records, bit for bit as they were written."""
    has_mag = len(records) > 0 and bool((records["flags"] & _HAS_MAG).all())
    return ImuBlock(
        sensor,
        np.array(records["t"]),
        np.array(records["gyr"]),
        np.array(records["acc"]),
        np.array(records["mag"]) if has_mag else None,
    )


def encode_event(event: Event) -> bytes:
    """Return the CDR message of an event."""
    return _text_message(event.t, event.kind, event.data)


def encode_status(status: Status) -> bytes:
    """Return the CDR message of a status."""
    return _text_message(status.t, status.sensor, status.data)


def encode_raw(packet: RawPacket) -> bytes:
    """Return the CDR message of a raw packet."""
    message = bytearray(_CDR_LITTLE_ENDIAN)
    message += struct.pack("<Q", packet.arrival_ns)
    _put_bytes(message, packet.characteristic.encode() + b"\0")
    _put_bytes(message, packet.payload)
    return bytes(message)


def decode_event(body: bytes) -> Event:
    """Return the event of a CDR message."""
    return Event(*_read_text_message(body))


def decode_status(body: bytes) -> Status:
    """Return the status of a CDR message."""
    t, sensor, data = _read_text_message(body)
    return Status(sensor, t, data)


def decode_raw(sensor: str, body: bytes) -> RawPacket:
    """Return the raw packet of a CDR message."""
    (arrival_ns,) = struct.unpack_from("<Q", body, 4)
    characteristic, at = _get_bytes(body, 12)
    payload, _ = _get_bytes(body, at)
    return RawPacket(sensor, arrival_ns, characteristic[:-1].decode(), payload)


def seal(name: str, number: int, document: Mapping[str, Any]) -> dict[str, str]:
    """Return a document as the entries of a metadata record with a checksum of its own."""
    text = json.dumps(document)
    return {
        "format": str(FORMAT_VERSION),
        "number": str(number),
        "document": text,
        "crc32": _checksum(name, str(number), text),
    }


def unseal(name: str, entries: Mapping[str, str]) -> tuple[int, dict[str, Any]] | None:
    """Return number and content of a sealed document, None if one of its bytes has changed."""
    number, text = entries.get("number", ""), entries.get("document", "")
    if entries.get("crc32") != _checksum(name, number, text):
        return None
    return int(number), json.loads(text)


def log_time(t: float, created_ns: int) -> int:
    """Return a capture time, s, as the container's log time: ns since 1970, within 0 and 2**63 - 1."""
    return min(max(round(t * 1e9) + created_ns, 0), 2**63 - 1)


def split_chunk(chunk: bytes) -> tuple[bytes, list[Message]]:
    """Return the content of a verified chunk: its samples, one `IMU_RECORD` each, and the other messages.

    Both are in the order of the file. Schemas and channels are passed over: they follow from the header.
    """
    if _holds_samples_only(chunk):
        return chunk, []
    samples: list[bytes] = []
    others: list[Message] = []
    start = at = 0
    while at < len(chunk):
        if chunk.startswith(_SAMPLE_START, at) and chunk[at + RECORD_HEAD.size] in _SAMPLE_CHANNELS:
            at += IMU_RECORD.itemsize
            continue
        samples.append(chunk[start:at])
        opcode, length = RECORD_HEAD.unpack_from(chunk, at)
        start = at + RECORD_HEAD.size + length
        if opcode == _MESSAGE:
            _, _, channel, sequence, log_time, _ = _MESSAGE_HEAD.unpack_from(chunk, at)
            others.append(Message(channel, log_time, sequence, chunk[at + _MESSAGE_HEAD.size : start]))
        at = start
    samples.append(chunk[start:at])
    return b"".join(samples), others


def _holds_samples_only(chunk: bytes) -> bool:
    size = IMU_RECORD.itemsize
    count, rest = divmod(len(chunk), size)
    if rest or not count:
        return False
    heads = (chunk[i::size] == _SAMPLE_START[i : i + 1] * count for i in range(len(_SAMPLE_START)))
    return all(heads) and _SAMPLE_CHANNELS.issuperset(chunk[len(_SAMPLE_START) :: size])


def _text_message(t: float, text: str, data: Mapping[str, Any]) -> bytes:
    message = bytearray(_CDR_LITTLE_ENDIAN)
    message += struct.pack("<d", t)
    _put_bytes(message, text.encode() + b"\0")
    _put_bytes(message, json.dumps(data).encode() + b"\0")
    return bytes(message)


def _read_text_message(body: bytes) -> tuple[float, str, dict[str, Any]]:
    (t,) = struct.unpack_from("<d", body, 4)
    text, at = _get_bytes(body, 12)
    data, _ = _get_bytes(body, at)
    return t, text[:-1].decode(), json.loads(data[:-1])


def _put_bytes(message: bytearray, content: bytes) -> None:
    message += bytes(-len(message) % 4)
    message += struct.pack("<I", len(content)) + content


def _get_bytes(body: bytes, at: int) -> tuple[bytes, int]:
    at += -at % 4
    (length,) = struct.unpack_from("<I", body, at)
    return body[at + 4 : at + 4 + length], at + 4 + length


def _checksum(*texts: str) -> str:
    return f"{zlib.crc32(chr(0).join(texts).encode()):08x}"
