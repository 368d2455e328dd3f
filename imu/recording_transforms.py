"""An MCAP file that public viewers draw: moving frames and a curve. For looking at, never for measuring.

Frames are `foxglove.FrameTransform` messages in protobuf, which both public viewers show as native 3-D
transforms; a curve is a message of two numbers whose text is in the file, which both plot without a plug-in.
The few protobuf bytes needed are packed here with their description, so that no protobuf library is needed.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

_DOUBLE, _MESSAGE, _STRING, _INT64, _INT32 = 1, 11, 9, 3, 5
_ANGLE_SCHEMA = """# The angle of a joint and its one-sigma uncertainty, degrees
float64 angle_deg
float64 sigma_deg
"""
_CDR_LITTLE_ENDIAN = b"\x00\x01\x00\x00"


@dataclass(frozen=True, slots=True)
class Transform:
    """Where a frame is at one instant.

    Parameters
    ----------
    time_ns
        ns since 1970, or since the start of the recording.
    parent, child
        Names of the frames.
    position
        Of the child's origin in the parent, m.
    q_parent_from_child
        Unit quaternion w, x, y, z.
    """

    time_ns: int
    parent: str
    child: str
    position: tuple[float, float, float]
    q_parent_from_child: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the angle's curve, degrees."""

    time_ns: int
    angle_deg: float
    sigma_deg: float


def write_transforms(path: Path, messages: Iterable[Transform | CurvePoint], facts: dict[str, str]) -> None:
    """Write frames and a curve, in time order.

    Parameters
    ----------
    path
        The file.
    messages
        What to draw.
    facts
        Put into the file's metadata.
    """
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.ZSTD)
        writer.start(profile="", library="romcap")
        schema = writer.register_schema("foxglove.FrameTransform", "protobuf", descriptor())
        frames = writer.register_channel("/tf", "protobuf", schema)
        curve_schema = writer.register_schema("romcap/msg/Angle", "ros2msg", _ANGLE_SCHEMA.encode())
        curve = writer.register_channel("/angle", "cdr", curve_schema)
        writer.add_metadata("romcap.export", facts)
        for message in messages:
            t = message.time_ns
            if isinstance(message, Transform):
                writer.add_message(frames, t, encode_transform(message), t)
            else:
                writer.add_message(curve, t, encode_point(message), t)
        writer.finish()


def encode_point(point: CurvePoint) -> bytes:
    """Return the CDR bytes of a `romcap/msg/Angle`."""
    return _CDR_LITTLE_ENDIAN + struct.pack("<2d", point.angle_deg, point.sigma_deg)


def encode_transform(transform: Transform) -> bytes:
    """Return the protobuf bytes of a `foxglove.FrameTransform`."""
    w, x, y, z = transform.q_parent_from_child
    seconds, nanos = divmod(transform.time_ns, 10**9)
    return b"".join(
        [
            _bytes(1, _int(1, seconds) + _int(2, nanos)),
            _bytes(2, transform.parent.encode()),
            _bytes(3, transform.child.encode()),
            _bytes(4, _doubles(*transform.position)),
            _bytes(5, _doubles(x, y, z, w)),
        ]
    )


def descriptor() -> bytes:
    """Return the description of the messages as a `google.protobuf.FileDescriptorSet`."""
    vector = [(name, number, _DOUBLE, "") for number, name in enumerate("xyz", start=1)]
    transform = [
        ("timestamp", 1, _MESSAGE, ".google.protobuf.Timestamp"),
        ("parent_frame_id", 2, _STRING, ""),
        ("child_frame_id", 3, _STRING, ""),
        ("translation", 4, _MESSAGE, ".foxglove.Vector3"),
        ("rotation", 5, _MESSAGE, ".foxglove.Quaternion"),
    ]
    quaternion = [*vector, ("w", 4, _DOUBLE, "")]
    stamp = [("seconds", 1, _INT64, ""), ("nanos", 2, _INT32, "")]
    files = [
        ("google/protobuf/timestamp.proto", "google.protobuf", [], {"Timestamp": stamp}),
        ("foxglove/Vector3.proto", "foxglove", [], {"Vector3": vector}),
        ("foxglove/Quaternion.proto", "foxglove", [], {"Quaternion": quaternion}),
        (
            "foxglove/FrameTransform.proto",
            "foxglove",
            ["google/protobuf/timestamp.proto", "foxglove/Vector3.proto", "foxglove/Quaternion.proto"],
            {"FrameTransform": transform},
        ),
    ]
    return b"".join(_bytes(1, _file(*parts)) for parts in files)


def _file(
    name: str, package: str, imports: list[str], messages: dict[str, list[tuple[str, int, int, str]]]
) -> bytes:
    parts = [_bytes(1, name.encode()), _bytes(2, package.encode())]
    parts += [_bytes(3, each.encode()) for each in imports]
    for message, fields in messages.items():
        body = _bytes(1, message.encode()) + b"".join(_bytes(2, _field(*each)) for each in fields)
        parts.append(_bytes(4, body))
    return b"".join([*parts, _bytes(12, b"proto3")])


def _field(name: str, number: int, kind: int, type_name: str) -> bytes:
    body = _bytes(1, name.encode()) + _int(3, number) + _int(4, 1) + _int(5, kind)
    return body + (_bytes(6, type_name.encode()) if type_name else b"")


def _varint(value: int) -> bytes:
    def groups(rest: int) -> Iterator[int]:
        while rest > 0x7F:
            yield (rest & 0x7F) | 0x80
            rest >>= 7
        yield rest

    return bytes(groups(value))


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _doubles(*values: float) -> bytes:
    return b"".join(
        _varint(at << 3 | 1) + struct.pack("<d", value) for at, value in enumerate(values, start=1)
    )
