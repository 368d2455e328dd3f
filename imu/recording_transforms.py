"""An MCAP file that public viewers draw: frames, points in them, a curve. To look at, never to measure.

Frames and points are `foxglove.FrameTransform` and `foxglove.PointCloud` messages in protobuf, which Foxglove
and Rerun draw in 3-D by themselves; a curve is a message of two numbers whose text is in the file, which both
plot without a plug-in.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

from imu.protobuf import (
    BYTES,
    DOUBLE,
    ENUM,
    FIXED32,
    INT32,
    INT64,
    MESSAGE,
    STRING,
    Field,
    File,
    described,
    doubles,
    fixed32,
    integer,
    sized,
)

_ANGLE_SCHEMA = """# The angle of a joint and its one-sigma uncertainty, degrees
float64 angle_deg
float64 sigma_deg
"""
_CDR_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
_NUMERIC = ("UNKNOWN", "UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "FLOAT64")
_FLOAT32 = _NUMERIC.index("FLOAT32")


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
class Points:
    """Points that move with a frame from one instant on, m in that frame."""

    time_ns: int
    frame: str
    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the angle's curve, degrees."""

    time_ns: int
    angle_deg: float
    sigma_deg: float


def write_transforms(
    path: Path, messages: Iterable[Transform | Points | CurvePoint], facts: dict[str, str]
) -> None:
    """Write frames, points and a curve, in time order.

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
        cloud = writer.register_schema("foxglove.PointCloud", "protobuf", descriptor())
        clouds: dict[str, int] = {}
        curve_schema = writer.register_schema("romcap/msg/Angle", "ros2msg", _ANGLE_SCHEMA.encode())
        curve = writer.register_channel("/angle", "cdr", curve_schema)
        writer.add_metadata("romcap.export", facts)
        for message in messages:
            t = message.time_ns
            if isinstance(message, Transform):
                writer.add_message(frames, t, encode_transform(message), t)
            elif isinstance(message, CurvePoint):
                writer.add_message(curve, t, encode_point(message), t)
            else:
                if message.frame not in clouds:
                    topic = f"/{message.frame}"
                    clouds[message.frame] = writer.register_channel(topic, "protobuf", cloud)
                writer.add_message(clouds[message.frame], t, encode_points(message), t)
        writer.finish()


def encode_point(point: CurvePoint) -> bytes:
    """Return the CDR bytes of a `romcap/msg/Angle`."""
    return _CDR_LITTLE_ENDIAN + struct.pack("<2d", point.angle_deg, point.sigma_deg)


def encode_transform(transform: Transform) -> bytes:
    """Return the protobuf bytes of a `foxglove.FrameTransform`."""
    w, x, y, z = transform.q_parent_from_child
    return b"".join(
        [
            _stamp(transform.time_ns),
            sized(2, transform.parent.encode()),
            sized(3, transform.child.encode()),
            sized(4, doubles(*transform.position)),
            sized(5, doubles(x, y, z, w)),
        ]
    )


def encode_points(points: Points) -> bytes:
    """Return the protobuf bytes of a `foxglove.PointCloud` of float32."""
    axes = [
        sized(5, sized(1, axis.encode()) + fixed32(2, 4 * at) + integer(3, _FLOAT32))
        for at, axis in enumerate("xyz")
    ]
    pose = sized(1, doubles(0.0, 0.0, 0.0)) + sized(2, doubles(0.0, 0.0, 0.0, 1.0))
    data = b"".join(struct.pack("<3f", *point) for point in points.points)
    head = [_stamp(points.time_ns), sized(2, points.frame.encode()), sized(3, pose), fixed32(4, 12)]
    return b"".join([*head, *axes, sized(6, data)])


def descriptor() -> bytes:
    """Return the description of the messages as a `google.protobuf.FileDescriptorSet`."""
    stamp = Field("timestamp", 1, MESSAGE, ".google.protobuf.Timestamp")
    vector = [Field(name, number, DOUBLE) for number, name in enumerate("xyz", start=1)]
    transform = [
        stamp,
        Field("parent_frame_id", 2, STRING),
        Field("child_frame_id", 3, STRING),
        Field("translation", 4, MESSAGE, ".foxglove.Vector3"),
        Field("rotation", 5, MESSAGE, ".foxglove.Quaternion"),
    ]
    pose = [
        Field("position", 1, MESSAGE, ".foxglove.Vector3"),
        Field("orientation", 2, MESSAGE, ".foxglove.Quaternion"),
    ]
    packed = [
        Field("name", 1, STRING),
        Field("offset", 2, FIXED32),
        Field("type", 3, ENUM, ".foxglove.PackedElementField.NumericType"),
    ]
    cloud = [
        stamp,
        Field("frame_id", 2, STRING),
        Field("pose", 3, MESSAGE, ".foxglove.Pose"),
        Field("point_stride", 4, FIXED32),
        Field("fields", 5, MESSAGE, ".foxglove.PackedElementField", repeated=True),
        Field("data", 6, BYTES),
    ]
    seconds = [Field("seconds", 1, INT64), Field("nanos", 2, INT32)]
    messages = {
        "Vector3": vector,
        "Quaternion": [*vector, Field("w", 4, DOUBLE)],
        "Pose": pose,
        "PackedElementField": packed,
        "FrameTransform": transform,
        "PointCloud": cloud,
    }
    enums = {"PackedElementField": {"NumericType": _NUMERIC}}
    time = "google/protobuf/timestamp.proto"
    return described(
        [
            File(time, "google.protobuf", [], {"Timestamp": seconds}),
            File("foxglove/romcap.proto", "foxglove", [time], messages, enums),
        ]
    )


def _stamp(time_ns: int) -> bytes:
    seconds, nanos = divmod(time_ns, 10**9)
    return sized(1, integer(1, seconds) + integer(2, nanos))
