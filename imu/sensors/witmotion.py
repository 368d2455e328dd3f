"""WitMotion's Bluetooth 5 family: WT901BLECL 5.0, BWT901BLE5.0, WT9011DCL-BT50, and WT901SDCL-BT50.

Sources: [S] WitMotion datasheet v20-0707 (register reply, worked example), the maker's sample code, and
the manuals' digests named in the project's sensor reference, A.2; [C] a 28-byte recording and single
frames decoded to their published values. The wire is a byte stream of 20- or 28-byte frames without
checksum, counter or (in 20 bytes) time; a notification may hold several frames, or a part of one.
"""

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Unpack

from imu.errors import PacketError
from imu.sensors.checks import expect_length, settle
from imu.sensors.driver import (
    UNKNOWN,
    Advertisement,
    Battery,
    Capability,
    Decoder,
    DeviceClock,
    G,
    Item,
    Peripheral,
    Polled,
    Reading,
    Settings,
    Wish,
    Write,
)

SERVICE = "0000ffe5-0000-1000-8000-00805f9a34fb"
NOTIFY = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE = "0000ffe9-0000-1000-8000-00805f9a34fb"
"""These end in 9a34fb, not in the Bluetooth SIG's 9b34fb [S]."""

FRAME, REPLY = b"\x55\x61", b"\x55\x71"
ACC_SCALE = 16.0 * G / 32768.0
GYR_SCALE = math.radians(2000.0) / 32768.0
ANGLE_SCALE = 180.0 / 32768.0

REGISTER_RATE, REGISTER_CONTENT = 0x03, 0x96
REGISTER_MAG, REGISTER_QUATERNION = 0x3A, 0x51
REGISTER_TEMPERATURE, REGISTER_BATTERY = 0x40, 0x64
UNLOCK = b"\xff\xaa\x69\x88\xb5"

RATE_CODES: Mapping[float, int] = MappingProxyType({10.0: 6, 20.0: 7, 50.0: 8, 100.0: 9, 200.0: 0x0B})

PLAIN, TIMED = "20-byte frames", "28-byte frames"
SIZES: Mapping[str, int] = MappingProxyType({PLAIN: 20, TIMED: 28})

BATTERY_EMPTY_V, BATTERY_FULL_V = 3.40, 3.96

CAPABILITY = Capability(
    family="witmotion",
    title="WitMotion WT901BLECL / WT9011DCL",
    recognised_by='name begins with "WT", service ffe5 on the base ...9a34fb',
    rates_hz=tuple(RATE_CODES),
    default_rate_hz=100.0,
    gyr_ranges_dps=(2000.0,),
    acc_ranges_g=(16.0,),
    streams="acceleration + angular rate + angles; magnetic field and quaternion only when polled",
    modes=(PLAIN, TIMED),
    clock="none in 20-byte frames: samples are counted; calendar time in ms in 28-byte frames",
    sync="none",
    cannot=(
        "It sends no time and no counter, so a lost sample cannot be seen by itself.",
        "Its rate is up to 1 % off nominal and has to be learnt for each sensor (198.6 Hz instead of 200).",
        "Its frames carry no checksum.",
        "It streams neither magnetic field nor quaternion.",
        "Data stall for up to 1 s and catch up afterwards.",
    ),
    to_verify=(
        "The rate code of 200 Hz: 0x0B by the WT9011 manual, 0x0A by another client; check the true rate.",
        "The scale of the magnetic field: three sources disagree, so raw counts are given.",
        "Battery levels between 3.40 V (5 %) and 3.96 V (100 %) are interpolated on a straight line.",
    ),
    source="[S] datasheet v20-0707 and maker's samples; [C] captured frames",
)


class WitMotion:
    """The WitMotion family; see the module for sources."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = ()

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of a WitMotion sensor."""
        return SERVICE in advertisement.services or advertisement.name.startswith(
            ("WT901", "WT9011", "WTSDCL")
        )

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings; the mode is the frame length, which depends on the model."""
        return settle(CAPABILITY, wish)

    def clock(self, settings: Settings) -> DeviceClock:
        """Return a count of samples, 1 % uncertain, or the calendar time of 28-byte frames."""
        if settings.mode == TIMED:
            return DeviceClock(tick_s=1e-3, wrap=None)
        return DeviceClock(1.0 / settings.rate_hz, None, rate_sigma=1e-2, counted=True)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return the one characteristic that notifies; frames come as soon as it is subscribed."""
        return (NOTIFY,)

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return unlock and rate; not saved, so that the sensor's own settings return at power-off."""
        return (
            _command(UNLOCK),
            _command(bytes((0xFF, 0xAA, REGISTER_RATE, RATE_CODES[settings.rate_hz], 0))),
        )

    def start(self, _: Settings) -> tuple[Write, ...]:
        """Return the question for the battery: the stream starts by itself."""
        return (poll(REGISTER_BATTERY),)

    def stop(self, _: Settings) -> tuple[Write, ...]:
        """Return nothing: the stream ends with the subscription."""
        return ()

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder for one frame length."""
        return WitDecoder(SIZES[settings.mode])

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated WT901BLECL."""
        from imu.sensors.witmotion_peripheral import WitPeripheral

        return WitPeripheral(name or "WT901BLE68")


def _command(payload: bytes) -> Write:
    return Write(WRITE, payload, response=False)


def poll(register: int) -> Write:
    """Return the question for eight words from a register on."""
    return _command(bytes((0xFF, 0xAA, 0x27, register, 0)))


class WitDecoder:
    """A byte stream to readings; remembers at most one unfinished frame.

    A frame counts once the next header follows it, or nothing does; any other byte is skipped, so that
    the stream finds its way after a truncated frame.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = b""
        self.skipped = 0

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return all frames that are complete.

        Raises
        ------
        PacketError
            If bytes had to be skipped and no frame was found.
        """
        if characteristic != NOTIFY:
            raise PacketError(f"a WitMotion sends nothing on {characteristic}", payload)
        stream = self._rest + payload
        items: list[Item] = []
        at = skipped = 0
        while len(stream) - at >= 2:
            head = stream[at : at + 2]
            size = {FRAME: self._size, REPLY: 20}.get(head, 0)
            if size and len(stream) - at < size:
                break
            item = self._item(stream[at : at + size]) if size and _ends(stream, at + size) else None
            if item is None:
                at, skipped = at + 1, skipped + 1
            else:
                items.append(item)
                at += size
        if len(stream) - at == 1 and stream[at] != FRAME[0]:
            at, skipped = at + 1, skipped + 1
        self._rest = stream[at:]
        self.skipped += skipped
        if skipped and not items:
            raise PacketError("a WitMotion frame beginning with 55 61 or 55 71 was expected", payload)
        return items

    def _item(self, frame: bytes) -> Item | None:
        return decode_reply(frame) if frame[:2] == REPLY else decode_frame(frame)


def _ends(stream: bytes, at: int) -> bool:
    """Tell whether a frame may end at `at`: nothing follows, or a header does."""
    return stream[at : at + 2] in (b"", FRAME[:1], FRAME, REPLY)


def decode_frame(frame: bytes) -> Reading | None:
    """Return the sample of one 20- or 28-byte frame; None if the calendar time in it cannot be.

    The 28-byte frame ends in year since 2000, month, day, hour, minute, second, u16 ms. Its time zone is
    whatever the sensor was set to; ticks are ms since 1970 as if it were UTC.
    """
    values = struct.unpack_from("<9h", frame, 2)
    ax, ay, az, gx, gy, gz, roll, pitch, yaw = values
    ticks = None
    if len(frame) == 28:
        ticks = _calendar_ms(frame[20:])
        if ticks is None:
            return None
    return Reading(
        ticks,
        None,
        (gx * GYR_SCALE, gy * GYR_SCALE, gz * GYR_SCALE),
        (ax * ACC_SCALE, ay * ACC_SCALE, az * ACC_SCALE),
        UNKNOWN,
        None,
        {"euler_deg": (roll * ANGLE_SCALE, pitch * ANGLE_SCALE, yaw * ANGLE_SCALE)},
    )


def _calendar_ms(stamp: bytes) -> int | None:
    year, month, day, hour, minute, second, ms = struct.unpack("<6BH", stamp)
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000 + ms if ms < 1000 else None


def decode_reply(frame: bytes) -> Item | None:
    """Return what a register reply says; None for a quaternion that is none."""
    expect_length(frame, 20, "a WitMotion register reply")
    register = int.from_bytes(frame[2:4], "little")
    words = struct.unpack_from("<8h", frame, 4)
    if register == REGISTER_BATTERY:
        return Battery(battery_level(words[0] / 100.0))
    if register == REGISTER_MAG:
        return Polled("magnetic_field_counts", tuple(float(word) for word in words[:3]))
    if register == REGISTER_QUATERNION:
        quat = tuple(word / 32768.0 for word in words[:4])
        return Polled("quat", quat) if abs(math.hypot(*quat) - 1.0) <= 0.01 else None
    if register == REGISTER_TEMPERATURE:
        return Polled("temperature_c", (words[0] / 100.0,))
    return Polled(f"register {register:#04x}", tuple(float(word) for word in words))


def battery_level(volt: float) -> float:
    """Return percent: 5 at 3.40 V and 100 from 3.96 V on [S]; the line between them is ours (to verify)."""
    share = (volt - BATTERY_EMPTY_V) / (BATTERY_FULL_V - BATTERY_EMPTY_V)
    return min(max(5.0 + 95.0 * share, 0.0), 100.0)
