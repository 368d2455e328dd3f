"""A capture2go IMU's own side of its protocol, for the emulator and for round-trip tests.

Same source as `imu/sensors/capture2go.py`. Frames go out through the byte stream in notifications of at
most 244 bytes, real-time frames in front.
"""

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType

from imu.errors import PacketError
from imu.sensors import capture2go as c2g
from imu.sensors.checks import sendable
from imu.sensors.driver import Advertisement, Characteristic, Notification, Quaternion, Reading, Service

LARGEST_NOTIFICATION = 244
BATCH = 8
ARGUMENTS: Mapping[int, int] = MappingProxyType(
    {c2g.SET_MODE: 30, c2g.START_RT: 2, c2g.SET_TIME: 8, c2g.ROUND_TRIP: 32}
)


class Capture2GoPeripheral:
    """One emulated capture2go IMU."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name, (c2g.SERVICE,))
        self.services: tuple[Service, ...] = (
            Service(
                c2g.SERVICE,
                (
                    Characteristic(c2g.RX, ("write", "write-without-response")),
                    Characteristic(c2g.TX, ("notify",)),
                ),
            ),
        )
        self.battery_percent = 100.0
        self._mode = bytes(30)
        self._streaming = False
        self._rt_rate = 0
        self._batch: list[tuple[float, Reading]] = []
        self._now = 0.0

    @property
    def streaming(self) -> bool:
        """Whether streaming or the real-time channel was started."""
        return self._streaming or self._rt_rate > 0

    @property
    def rate_hz(self) -> float:
        """The rate of the mode that was set, or of the real-time channel."""
        code = self._mode[9] or self._mode[10]
        return float(self._rt_rate) if self._rt_rate else c2g.RATES.get(code, 50.0)

    @property
    def time_base(self) -> str:
        """The group whose clock it sends or follows; "" if none."""
        part, group = self._mode[18], self._mode[19:27]
        return f"capture2go {group.hex()}" if part in (c2g.SYNC_SENDER, c2g.SYNC_RECEIVER) else ""

    def tick(self, device_time: float) -> None:
        """Take note of the time, to answer round trips by."""
        self._now = device_time

    def disconnected(self) -> None:
        """Keep its part in the group: a real one goes on, too."""

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Send the status to a new listener, as the sensor does after connecting."""
        if characteristic == c2g.TX and subscribed:
            return _in_notifications(self._status())
        return []

    def read(self, characteristic: str) -> bytes:
        """Refuse: there is nothing to read."""
        raise PacketError(f"a capture2go IMU has nothing to read at {characteristic}", b"")

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a framed command; answer as the sensor does."""
        if characteristic != c2g.RX or len(payload) < 8 or len(payload) != 8 + payload[5]:
            raise PacketError("a capture2go command must be one whole frame", payload)
        header, content = struct.unpack_from("<H", payload, 6)[0], payload[8:]
        if c2g.frame(header, content) != payload:
            raise PacketError("the checksum of a capture2go command is wrong", payload)
        return _in_notifications(self._answer(header, content))

    def _answer(self, header: int, content: bytes) -> bytes:
        answers = {
            c2g.GET_INFO: self._info,
            c2g.GET_STATUS: self._status,
            c2g.START: lambda: self._stream(header, on=True),
            c2g.STOP: lambda: self._stream(header, on=False),
            c2g.STOP_AND_CLEAR: lambda: self._stream(header, on=False),
            c2g.SET_MODE: lambda: self._set_mode(content),
            c2g.START_RT: lambda: self._real_time(content),
            c2g.STOP_RT: lambda: self._real_time(b""),
            c2g.SET_TIME: lambda: c2g.frame(c2g.TIME, content),
            c2g.ROUND_TRIP: lambda: self._round_trip(content),
        }
        if header not in answers or len(content) != ARGUMENTS.get(header, 0):
            return c2g.frame(c2g.ERROR, struct.pack("<BH", 0xFD, header))
        return answers[header]()

    def _info(self) -> bytes:
        serial = self.advertisement.name[-6:].encode("ascii", "replace")
        return c2g.frame(c2g.INFO, struct.pack("<H6s8s8s12s11s", 1, serial, b"1", b"1", b"1.0", b"2026"))

    def _stream(self, header: int, *, on: bool) -> bytes:
        self._streaming, self._batch = on, []
        return c2g.frame(header + 1)

    def _set_mode(self, content: bytes) -> bytes:
        self._mode, self._batch = content, []
        return c2g.frame(c2g.MODE, content)

    def _real_time(self, content: bytes) -> bytes:
        self._rt_rate = (content[1] or 50) if content else 0
        return c2g.frame(c2g.RT_MODE, content) if content else c2g.frame(c2g.STOP_RT + 1)

    def _round_trip(self, content: bytes) -> bytes:
        now = struct.pack("<2q", round(self._now * 1e9), round(self._now * 1e9))
        return c2g.frame(c2g.ROUND_TRIP, content[:8] + now + bytes(8))

    def _status(self) -> bytes:
        synchronised = bool(self.time_base)
        state = 2 if self.streaming else 1
        level = round(self.battery_percent)
        values = (round(self._now * 1e9), state, 2, 0, 0, 0, synchronised, level, 100)
        return c2g.frame(c2g.STATUS, struct.pack("<q2B3h3B", *values))

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        """Send one frame, or collect eight samples for one."""
        self._now = device_time
        if self._rt_rate:
            one = encode_single(c2g.FULL_RT, device_time, reading, with_mag=True)
            return [Notification(c2g.TX, b"\xfe" + one)]
        if not self._streaming:
            return []
        with_mag = not self._mode[29]
        if self._mode[9]:
            header = (c2g.FIXED if with_mag else c2g.FIXED_6D) + self._mode[9]
            return _in_notifications(encode_single(header, device_time, reading, with_mag=with_mag))
        self._batch.append((device_time, reading))
        if len(self._batch) < BATCH:
            return []
        batch, self._batch = self._batch, []
        header = (c2g.PACKED if with_mag else c2g.PACKED_6D) + self._mode[10]
        return _in_notifications(encode_packed(header, batch, with_mag=with_mag))


def _in_notifications(stream: bytes) -> list[Notification]:
    step = LARGEST_NOTIFICATION - 1
    return [Notification(c2g.TX, b"\xff" + stream[i : i + step]) for i in range(0, len(stream), step)]


def _counts(values: tuple[float, ...], scale: float) -> list[int]:
    return [min(round(value / scale), 32767) for value in sendable(values, 32768.0 * scale)]


def _orientation(reading: Reading) -> bytes:
    delta = reading.more.get("heading_delta", (0.0,))[0]
    flags = int(reading.more.get("error_flags", (0.0,))[0])
    packed = pack_quaternion(reading.quat or (1.0, 0.0, 0.0, 0.0))
    return struct.pack("<QhB", packed, min(round(delta / c2g.DELTA_SCALE), 32767), flags)


def encode_single(header: int, device_time: float, reading: Reading, *, with_mag: bool) -> bytes:
    """Return the frame of one sample at `device_time`, s."""
    counts = _counts(reading.gyr, c2g.GYR_SCALE) + _counts(reading.acc, c2g.ACC_SCALE)
    if with_mag:
        counts += _counts(reading.mag, c2g.MAG_SCALE)
    body = struct.pack(f"<q{len(counts)}h", round(device_time * 1e9), *counts)
    return c2g.frame(header, body + _orientation(reading))


def encode_packed(header: int, batch: list[tuple[float, Reading]], *, with_mag: bool) -> bytes:
    """Return the frame of eight samples; the time and orientation are the first one's."""
    counts: list[int] = []
    for _, reading in batch:
        counts += _counts(reading.gyr, c2g.GYR_SCALE)
    for _, reading in batch:
        counts += _counts(reading.acc, c2g.ACC_SCALE)
    for _, reading in batch:
        counts += _counts(reading.mag, c2g.MAG_SCALE) if with_mag else []
    first, reading = batch[0]
    body = struct.pack(f"<q{len(counts)}h", round(first * 1e9), *counts)
    return c2g.frame(header, body + _orientation(reading))


def pack_quaternion(quat: Quaternion) -> int:
    """Return a unit quaternion as u64: the inverse of `unpack_quaternion`."""
    omitted = max(range(4), key=lambda i: abs(quat[i]))
    sign = math.copysign(1.0, quat[omitted])
    packed = 0
    for place in (1, 2, 3):
        share = (sign * quat[(omitted + place) % 4] + math.sqrt(0.5)) / math.sqrt(2.0)
        packed = packed << 20 | min(max(round(share * 0xFFFFF), 0), 0xFFFFF)
    return packed | omitted << 60
