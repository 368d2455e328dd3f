"""The Movella DOT's own side of its protocol, for the emulator and for round-trip tests.

Same sources as `imu/sensors/movella_dot.py`. Only what a central of ours uses is played: information,
control, measurement, battery, synchronisation.
"""

import math
import struct

from imu.errors import PacketError
from imu.sensors.checks import sendable
from imu.sensors.dot_messages import SYNC, message, parse
from imu.sensors.driver import (
    UNKNOWN,
    Advertisement,
    Characteristic,
    Notification,
    Reading,
    Service,
)
from imu.sensors.movella_dot import (
    ACC_LIMIT,
    BATTERY,
    COMPANY,
    CONTROL,
    FIELD_FORMATS,
    GYR_LIMIT_DPS,
    INFO,
    MEASUREMENT,
    MESSAGE_ACK,
    MESSAGE_CONTROL,
    MESSAGE_NOTIFY,
    MODES,
    PAYLOAD_LONG,
    PAYLOAD_MEDIUM,
    PAYLOAD_SHORT,
    PAYLOAD_SIZE,
    Mode,
    dot_uuid,
)

RATES = (1, 4, 10, 12, 15, 20, 30, 60)


class DotPeripheral:
    """One emulated DOT."""

    def __init__(self, name: str, address: str) -> None:
        self.advertisement = Advertisement(name, (), {COMPANY: bytes(6)})
        self.services: tuple[Service, ...] = (
            Service(
                dot_uuid(0x1000),
                (Characteristic(INFO, ("read",)), Characteristic(CONTROL, ("read", "write"))),
            ),
            Service(
                dot_uuid(0x2000),
                (
                    Characteristic(MEASUREMENT, ("read", "write")),
                    Characteristic(PAYLOAD_LONG, ("notify",)),
                    Characteristic(PAYLOAD_MEDIUM, ("notify",)),
                    Characteristic(PAYLOAD_SHORT, ("notify",)),
                ),
            ),
            Service(dot_uuid(0x3000), (Characteristic(BATTERY, ("read", "notify")),)),
            Service(
                dot_uuid(0x7000),
                (
                    Characteristic(MESSAGE_CONTROL, ("write",)),
                    Characteristic(MESSAGE_ACK, ("read",)),
                    Characteristic(MESSAGE_NOTIFY, ("notify",)),
                ),
            ),
        )
        self.battery_percent = 100.0
        self.time_base = ""
        self._root = ""
        self._address = bytes.fromhex(address.replace(":", ""))
        self._rate = 60
        self._mode: Mode | None = None
        self._ack = message(SYNC, b"\x03\x09")

    @property
    def synchronised(self) -> bool:
        """Whether its clock runs with that of a root."""
        return bool(self.time_base)

    def tick(self, device_time: float) -> None:
        """Take no note of the time: it is told with each sample."""

    def disconnected(self) -> None:
        """Synchronise, if that was asked for; a real DOT takes up to 14 s alone for it."""
        if self._root:
            self.time_base, self._root = self._root, ""
            self._ack = message(SYNC, b"\x03\x00")

    @property
    def streaming(self) -> bool:
        """Whether a measurement was started."""
        return self._mode is not None

    @property
    def rate_hz(self) -> float:
        """The output rate."""
        return float(self._rate)

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Send the battery level to a new listener."""
        if characteristic == BATTERY and subscribed:
            return [Notification(BATTERY, self.read(BATTERY))]
        return []

    def read(self, characteristic: str) -> bytes:
        """Return the value of a readable characteristic."""
        if characteristic == INFO:
            made = struct.pack("<3BH5BIQ", 2, 4, 0, 2023, 1, 1, 0, 0, 0, 0, 0xD422CD000001)
            return self._address[::-1] + made + b"XS-T02"
        if characteristic == CONTROL:
            return bytes(24) + struct.pack("<H", self._rate) + bytes(6)
        if characteristic == MEASUREMENT:
            return bytes((1, int(self.streaming), self._mode.number if self._mode else 0))
        if characteristic == BATTERY:
            return bytes((round(self.battery_percent), 0))
        if characteristic == MESSAGE_ACK:
            return self._ack
        raise PacketError(f"a DOT has nothing to read at {characteristic}", b"")

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a command; refuses what the specification refuses."""
        if characteristic == CONTROL:
            self._control(payload)
            return []
        if characteristic == MEASUREMENT:
            self._measure(payload)
            return []
        if characteristic == MESSAGE_CONTROL:
            return self._message(payload)
        raise PacketError(f"a DOT takes no command at {characteristic}", payload)

    def _control(self, payload: bytes) -> None:
        if len(payload) != 32:
            raise PacketError("DOT device control must be 32 bytes long", payload)
        if payload[0] & 0x10:
            rate = int.from_bytes(payload[24:26], "little")
            if self.streaming or self.synchronised or rate not in RATES:
                raise PacketError(
                    f"a DOT that is measuring, is synchronised or is asked for {rate} Hz, refuses", payload
                )
            self._rate = rate

    def _measure(self, payload: bytes) -> None:
        numbers = {mode.number: mode for mode in MODES.values()}
        if len(payload) != 3 or payload[0] != 1 or payload[1] > 1 or payload[2] not in numbers:
            raise PacketError("DOT measurement control must be 01, 00 or 01, and a mode", payload)
        self._mode = numbers[payload[2]] if payload[1] else None

    def _message(self, payload: bytes) -> list[Notification]:
        mid, data = parse(payload)
        if mid != SYNC or not data:
            return []
        if data[0] == 0x01 and len(data) == 7:
            if self.synchronised:
                raise PacketError("a DOT that is synchronised already refuses to be so again", payload)
            self._root = f"movella-dot {data[:0:-1].hex()}"
            self._ack = message(SYNC, b"\x03\x09")
            return []
        if data[0] == 0x02:
            self.time_base = self._root = ""
            return [Notification(MESSAGE_NOTIFY, message(SYNC, b"\x50\x00"))]
        if data[0] == 0x08:
            return [
                Notification(MESSAGE_NOTIFY, message(SYNC, b"\x51\x04" if self.synchronised else b"\x51\x09"))
            ]
        return []

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        """Return one payload notification in the mode that was started."""
        if self._mode is None:
            return []
        return [
            Notification(self._mode.characteristic, encode(self._mode, round(device_time * 1e6), reading))
        ]


def encode(mode: Mode, ticks: int, reading: Reading) -> bytes:
    """Return the bytes a DOT sends for one sample.

    Parameters
    ----------
    mode
        What to send.
    ticks
        Device time, us; it wraps at 2^32.
    reading
        The sample, SI. What is NaN or missing goes out as 0: a sensor has no word for "not known".
    """
    more = reading.more
    values: list[float] = []
    for name in mode.fields:
        if name == "quat":
            values += reading.quat or (1.0, 0.0, 0.0, 0.0)
        elif name == "gyr":
            values += sendable((math.degrees(value) for value in reading.gyr), GYR_LIMIT_DPS)
        elif name == "acc":
            values += sendable(reading.acc, ACC_LIMIT)
        elif name == "mag":
            fields = sendable(more.get("mag_local_fields", UNKNOWN), 7.99)
            values += [round(value * 4096.0) for value in fields]
        elif name == "status":
            values += [int(value) for value in more.get("status", (0.0, 0.0, 0.0))]
        elif name == "dq":
            values += more.get("dq", (1.0, 0.0, 0.0, 0.0))
        else:
            values += sendable(more.get("euler_deg" if name == "euler" else name, UNKNOWN), ACC_LIMIT * 3)
    layout = "<" + "".join(FIELD_FORMATS[name] for name in mode.fields)
    body = struct.pack("<I", ticks % 2**32) + struct.pack(layout, *values)
    return body.ljust(PAYLOAD_SIZE[mode.characteristic], b"\0")
