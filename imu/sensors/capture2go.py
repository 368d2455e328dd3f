"""capture2go IMU by SensorStim.

Source: [S] Capture2Go Communication Protocol and the maker's SDK 1.0.1 (MIT), against which framing,
scales and the packed quaternion are tested. Each notification is one byte 0xFF - n, n complete real-time
frames, and a slice of a byte stream of frames; a frame is 02, CRC-32 of the rest, payload size, header
u16, payload, all little-endian.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Unpack

from imu.errors import PacketError
from imu.sensors.checks import battery_percent, settle
from imu.sensors.driver import (
    UNKNOWN,
    Ack,
    Advertisement,
    Capability,
    Decoder,
    DeviceClock,
    DeviceInfo,
    Item,
    Peripheral,
    Polled,
    Quaternion,
    Reading,
    Settings,
    Vector,
    Wish,
    Write,
)

SERVICE = "80030001-e629-4c98-9324-aa7fc0c66de7"
RX = "80030002-e629-4c98-9324-aa7fc0c66de7"
TX = "80030003-e629-4c98-9324-aa7fc0c66de7"

GYR_SCALE = math.radians(2000.0) / 32768.0
ACC_SCALE = 16.0 * 9.81 / 32768.0
MAG_SCALE = 1.0 / 16.0
DELTA_SCALE = math.pi / 32768.0
LARGEST_PAYLOAD = 236
LARGEST_RT = 3

GET_INFO, INFO = 0x0070, 0x0071
SET_MODE, MODE = 0x0120, 0x0122
START, STOP, STOP_AND_CLEAR = 0x0150, 0x0152, 0x0158
START_RT, RT_MODE, STOP_RT = 0x0160, 0x0162, 0x0163
SET_TIME, TIME, ROUND_TRIP = 0x0170, 0x0171, 0x0172
GET_STATUS, STATUS = 0x0200, 0x0201
ERROR = 0xFFFF
PACKED, PACKED_6D, FIXED, FIXED_6D = 0x0220, 0x0230, 0x0240, 0x0250
FULL_RT, QUAT_RT = 0x0247, 0x0287
RATE_CODES: Mapping[float, int] = MappingProxyType({200.0: 1, 100.0: 2, 50.0: 3, 25.0: 4, 10.0: 5, 1.0: 6})
MODES: Mapping[str, int] = MappingProxyType(
    {"packed": PACKED, "packed-6d": PACKED_6D, "fixed": FIXED, "fixed-6d": FIXED_6D, "real-time": FULL_RT}
)
MODE_LAYOUT = struct.Struct("<q8BHBQ3B")
ACKS: Mapping[int, str] = MappingProxyType(
    {
        START + 1: "start",
        STOP + 1: "stop",
        STOP_AND_CLEAR + 1: "stop",
        MODE: "measurement-mode",
        RT_MODE: "start",
        STOP_RT + 1: "stop",
        TIME: "set-time",
    }
)
NO_SYNC, SYNC_SENDER, SYNC_RECEIVER = 0, 1, 2

CAPABILITY = Capability(
    family="capture2go",
    title="capture2go IMU",
    recognised_by='name "IMU_" and six characters, service 80030001-e629-...',
    rates_hz=tuple(RATE_CODES),
    default_rate_hz=100.0,
    gyr_ranges_dps=(2000.0,),
    acc_ranges_g=(16.0,),
    streams="acceleration + angular rate + magnetic field + quaternion, 8 samples a frame",
    clock="int64 nanoseconds in every frame",
    modes=tuple(MODES),
    magnetic_modes=("packed", "fixed", "real-time"),
    sync="by radio: one sender, the others receive; or by a round trip of four time stamps",
    cannot=(
        "Its angular rate has the sensor's own bias estimate already removed.",
        "Its real-time channel is limited to about 50 Hz by default.",
        "Its ranges cannot be changed.",
    ),
    to_verify=("Nothing was tried with a real radio; bytes are checked against the maker's SDK.",),
    source="[S] Capture2Go protocol document and SDK 1.0.1",
)


class Capture2Go:
    """The capture2go family; see the module for sources."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = ()

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of a capture2go IMU."""
        named = advertisement.name.startswith("IMU_") and len(advertisement.name) == 10
        return SERVICE in advertisement.services or named

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings; its real-time channel does 50 Hz unless another rate is wished for."""
        if wish.get("mode") == "real-time" and wish.get("rate_hz") is None:
            wish["rate_hz"] = 50.0
        return settle(CAPABILITY, wish)

    def clock(self, _: Settings) -> DeviceClock:
        """Return nanoseconds that never wrap."""
        return DeviceClock(tick_s=1e-9, wrap=None)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return the one characteristic that notifies."""
        return (TX,)

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return stop-and-clear and the measurement mode without synchronisation."""
        return (command(STOP_AND_CLEAR), measurement_mode(settings, NO_SYNC, 0))

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the question for identity, and the start of streaming or of the real-time channel."""
        if settings.mode == "real-time":
            begin = command(START_RT, bytes((2, round(settings.rate_hz))))
        else:
            begin = command(START)
        return (command(GET_INFO), begin)

    def stop(self, settings: Settings) -> tuple[Write, ...]:
        """Return the stop of whichever was started."""
        return (command(STOP_RT if settings.mode == "real-time" else STOP),)

    def decoder(self, _: Settings) -> Decoder:
        """Return a decoder; it understands every mode."""
        return Capture2GoDecoder()

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated IMU."""
        from imu.sensors.capture2go_peripheral import Capture2GoPeripheral

        return Capture2GoPeripheral(name or "IMU_c2g001")


def frame(header: int, payload: bytes = b"") -> bytes:
    """Return a framed package."""
    data = struct.pack("<H", header) + payload
    return struct.pack("<BIB", 2, zlib.crc32(data), len(payload)) + data


def command(header: int, payload: bytes = b"") -> Write:
    """Return the write of one framed command."""
    return Write(RX, frame(header, payload), response=False)


def measurement_mode(settings: Settings, sync: int, sync_id: int) -> Write:
    """Return the write of the measurement mode.

    Parameters
    ----------
    settings
        Rate and mode.
    sync
        `NO_SYNC`, `SYNC_SENDER` (one sensor) or `SYNC_RECEIVER` (all others).
    sync_id
        Random 64-bit number common to all; a new one whenever the set of sensors changes. Set the time
        (`set_time`) of the sender only.
    """
    rate = RATE_CODES[settings.rate_hz]
    fixed = rate if settings.mode.startswith("fixed") else 0
    packed = rate if settings.mode.startswith("packed") else 0
    without_mag = 0 if settings.magnetometer else 1
    payload = MODE_LAYOUT.pack(0, 0, fixed, packed, 0, 0, 0, 1, 0, 0, sync, sync_id, 0, 0, without_mag)
    return command(SET_MODE, payload)


def set_time(unix_ns: int) -> Write:
    """Return the write that sets a sensor's clock to nanoseconds since 1970."""
    return command(SET_TIME, struct.pack("<q", unix_ns))


def ask_round_trip(host_ns: int) -> Write:
    """Return the write that asks for the sensor's clock; the answer holds four times, ns."""
    return command(ROUND_TRIP, struct.pack("<4q", host_ns, 0, 0, 0))


class Capture2GoDecoder:
    """Notifications to readings and news; remembers at most one unfinished frame of the byte stream."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipped = 0

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return all frames that are complete; those whose checksum fails are skipped.

        Raises
        ------
        PacketError
            If the notification's first byte or a real-time frame is wrong, or if bytes had to be skipped
            and nothing else was found.
        """
        if characteristic != TX:
            raise PacketError(f"a capture2go IMU sends nothing on {characteristic}", payload)
        if not payload or 0xFF - payload[0] > LARGEST_RT:
            raise PacketError("a capture2go notification must begin with FC to FF", payload)
        items: list[Item] = []
        at = 1
        for _ in range(0xFF - payload[0]):
            found = _frame_at(payload, at)
            if found is None:
                self._rest = b""
                raise PacketError("a complete real-time frame with a right checksum was expected", payload)
            items += self._items(*found)
            at += 8 + len(found[1])
        wrong: PacketError | None = None
        for header, content in self._frames(payload[at:]):
            try:
                items += self._items(header, content)
            except PacketError as error:
                wrong = error
        if not items and (wrong or self._skipped):
            raise wrong or PacketError("a frame with a right checksum was expected", payload)
        return items

    def _frames(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        stream = self._rest + piece
        at = self._skipped = 0
        while len(stream) - at >= 8:
            size = stream[at + 5]
            if stream[at] != 2 or size > LARGEST_PAYLOAD:
                at, self._skipped = at + 1, self._skipped + 1
                continue
            if len(stream) - at < 8 + size:
                break
            found = _frame_at(stream, at)
            if found is None:
                at, self._skipped = at + 1, self._skipped + 1
                continue
            at += 8 + size
            yield found
        self._rest = stream[at:]

    def _items(self, header: int, content: bytes) -> list[Item]:
        group, rate = header & 0xFFF0, RATES.get(header & 0xF)
        if header in (FULL_RT, QUAT_RT):
            return [_single(content, 3 if header == FULL_RT else 0)]
        if rate is not None and group in (PACKED, PACKED_6D):
            return _packed(content, group == PACKED, rate)
        if rate is not None and group in (FIXED, FIXED_6D):
            return [_single(content, 3 if group == FIXED else 2)]
        return _news(header, content)


def _news(header: int, content: bytes) -> list[Item]:
    """Return what a frame without samples says; nothing if its header is of no use here."""
    if header == STATUS:
        return _status(content)
    if header == INFO:
        _expect(content, 47)
        words = [content[a:b].split(b"\0")[0].decode("ascii", "replace") for a, b in ((2, 8), (24, 36))]
        return [DeviceInfo(words[0].strip(), words[1].strip())]
    if header == ERROR:
        _expect(content, 3)
        return [Ack(f"{content[2] << 8 | content[1]:#06x}", False, f"error code {content[0]:#04x}")]
    if header == ROUND_TRIP:
        _expect(content, 32)
        return [Polled("round_trip_ns", tuple(float(time) for time in struct.unpack("<4q", content)))]
    return [Ack(ACKS[header], True)] if header in ACKS else []


RATES: Mapping[int, float] = MappingProxyType({code: rate for rate, code in RATE_CODES.items()})


def _frame_at(stream: bytes, at: int) -> tuple[int, bytes] | None:
    """Return header and payload of the frame at `at`, or None if there is no whole, right one."""
    if len(stream) - at < 8:
        return None
    start, crc, size, header = struct.unpack_from("<BIBH", stream, at)
    end = at + 8 + size
    if start != 2 or size > LARGEST_PAYLOAD or end > len(stream) or zlib.crc32(stream[at + 6 : end]) != crc:
        return None
    return header, stream[at + 8 : end]


def _expect(content: bytes, size: int) -> None:
    if len(content) != size:
        raise PacketError(f"this capture2go frame must hold {size} bytes", content)


def _scaled(counts: tuple[int, ...], scale: float) -> list[Vector]:
    return [
        (counts[i] * scale, counts[i + 1] * scale, counts[i + 2] * scale) for i in range(0, len(counts), 3)
    ]


def _orientation(content: bytes, at: int) -> tuple[Quaternion, dict[str, tuple[float, ...]]]:
    packed, delta, flags = struct.unpack_from("<QhB", content, at)
    more = {
        "heading_delta": (delta * DELTA_SCALE,),
        "rest": (float(packed >> 62 & 1),),
        "magnetic_disturbance": (float(packed >> 63),),
        "error_flags": (float(flags),),
    }
    return unpack_quaternion(packed, content), more


def _single(content: bytes, vectors: int) -> Reading:
    _expect(content, 19 + 6 * vectors)
    (ticks,) = struct.unpack_from("<q", content)
    counts = struct.unpack_from(f"<{3 * vectors}h", content, 8)
    quat, more = _orientation(content, 8 + 6 * vectors)
    gyr = _scaled(counts[:3], GYR_SCALE)[0] if vectors else UNKNOWN
    acc = _scaled(counts[3:6], ACC_SCALE)[0] if vectors else UNKNOWN
    mag = _scaled(counts[6:], MAG_SCALE)[0] if vectors == 3 else UNKNOWN
    return Reading(ticks, None, gyr, acc, mag, quat, more)


def _packed(content: bytes, with_mag: bool, rate: float) -> list[Item]:
    vectors = 3 if with_mag else 2
    _expect(content, 19 + 48 * vectors)
    (first,) = struct.unpack_from("<q", content)
    counts = struct.unpack_from(f"<{24 * vectors}h", content, 8)
    gyr, acc = _scaled(counts[:24], GYR_SCALE), _scaled(counts[24:48], ACC_SCALE)
    mag = _scaled(counts[48:], MAG_SCALE) if with_mag else [UNKNOWN] * 8
    quat, more = _orientation(content, 8 + 48 * vectors)
    readings: list[Item] = [
        Reading(first + round(i * 1e9 / rate), None, gyr[i], acc[i], mag[i]) for i in range(1, 8)
    ]
    return [Reading(first, None, gyr[0], acc[0], mag[0], quat, more), *readings]


def _status(content: bytes) -> list[Item]:
    _expect(content, 19)
    level = content[17]
    battery = battery_percent(level & 0x7F, content, charging=bool(level & 0x80))
    synchronised = content[16] != 0
    words = "synchronised" if synchronised else "not synchronised"
    return [battery, Ack("sync-status", synchronised, words)]


def unpack_quaternion(packed: int, payload: bytes) -> Quaternion:
    """Return the quaternion of a packed u64 [S].

    Bits 60 and 61 name the component left out, the largest, which is not negative. The 20-bit fields from
    the lowest up are the components 3, 2 and 1 places after it, each raw sqrt(2) / 0xFFFFF - 1 / sqrt(2).

    Raises
    ------
    PacketError
        If the three components are longer than 1.
    """
    omitted = packed >> 60 & 3
    values = [0.0] * 4
    for place in (3, 2, 1):
        values[(omitted + place) % 4] = (packed & 0xFFFFF) * math.sqrt(2.0) / 0xFFFFF - math.sqrt(0.5)
        packed >>= 20
    rest = 1.0 - sum(value * value for value in values)
    if rest < 0.0:
        raise PacketError("a packed quaternion's three components must not be longer than 1", payload)
    values[omitted] = math.sqrt(rest)
    w, x, y, z = values
    return (w, x, y, z)
