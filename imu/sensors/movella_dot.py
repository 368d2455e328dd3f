"""Movella (Xsens) DOT.

Sources: [S] Xsens DOT BLE Services Specification XD0506P Rev F (28 Oct 2021); Movella DOT BLE Service
Specification XD0506P Rev C (July 2023), read from a markdown copy (to verify against the PDF); official
server and open clients named in the project's sensor reference, A.1. Mode 6 is confirmed by captured
packets; the other modes' layouts by three agreeing documents, not by bytes (to verify).
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Unpack

from imu.errors import PacketError
from imu.sensors.checks import battery_percent, expect_length, in_range, settle, unit_quaternion, vector
from imu.sensors.dot_messages import parse_reply, stop_sync
from imu.sensors.driver import (
    UNKNOWN,
    Advertisement,
    Capability,
    Decoder,
    DeviceClock,
    DeviceInfo,
    G,
    Item,
    Peripheral,
    Quaternion,
    Reading,
    Settings,
    Vector,
    Wish,
    Write,
)

COMPANY = 0x0886


def dot_uuid(short: int) -> str:
    """Return the full id of a DOT service or characteristic [S]."""
    return f"1517{short:04x}-4947-11e9-8646-d663bd873d93"


INFO = dot_uuid(0x1001)
CONTROL = dot_uuid(0x1002)
MEASUREMENT = dot_uuid(0x2001)
PAYLOAD_LONG = dot_uuid(0x2002)
PAYLOAD_MEDIUM = dot_uuid(0x2003)
PAYLOAD_SHORT = dot_uuid(0x2004)
BATTERY = dot_uuid(0x3001)
MESSAGE_CONTROL = dot_uuid(0x7001)
MESSAGE_ACK = dot_uuid(0x7002)
MESSAGE_NOTIFY = dot_uuid(0x7003)
PAYLOAD_SIZE: Mapping[str, int] = MappingProxyType({PAYLOAD_LONG: 63, PAYLOAD_MEDIUM: 40, PAYLOAD_SHORT: 20})

GYR_LIMIT_DPS = 2000.0
ACC_LIMIT = 16.0 * G


@dataclass(frozen=True, slots=True)
class Mode:
    """One payload mode: its number, its characteristic, its fields after the u32 us timestamp."""

    number: int
    characteristic: str
    fields: tuple[str, ...]

    @property
    def layout(self) -> struct.Struct:
        """The wire layout, little-endian."""
        return struct.Struct("<I" + "".join(FIELD_FORMATS[name] for name in self.fields))


FIELD_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "quat": "4f",
        "euler": "3f",
        "free_acc": "3f",
        "acc": "3f",
        "gyr": "3f",
        "mag": "3h",
        "dq": "4f",
        "dv": "3f",
        "status": "HBB",
    }
)
MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "extended-quaternion": Mode(2, PAYLOAD_MEDIUM, ("quat", "free_acc", "status")),
        "complete-quaternion": Mode(3, PAYLOAD_MEDIUM, ("quat", "free_acc")),
        "euler": Mode(4, PAYLOAD_SHORT, ("euler",)),
        "quaternion": Mode(5, PAYLOAD_SHORT, ("quat",)),
        "free-acceleration": Mode(6, PAYLOAD_SHORT, ("free_acc",)),
        "extended-euler": Mode(7, PAYLOAD_MEDIUM, ("euler", "free_acc", "status")),
        "complete-euler": Mode(16, PAYLOAD_MEDIUM, ("euler", "free_acc")),
        "delta-mag": Mode(18, PAYLOAD_MEDIUM, ("dq", "dv", "mag")),
        "delta": Mode(19, PAYLOAD_MEDIUM, ("dq", "dv")),
        "rate-mag": Mode(20, PAYLOAD_MEDIUM, ("acc", "gyr", "mag")),
        "rate": Mode(21, PAYLOAD_MEDIUM, ("acc", "gyr")),
        "custom-1": Mode(22, PAYLOAD_MEDIUM, ("euler", "free_acc", "gyr")),
        "custom-2": Mode(23, PAYLOAD_MEDIUM, ("euler", "free_acc", "mag")),
        "custom-3": Mode(24, PAYLOAD_MEDIUM, ("quat", "gyr")),
        "custom-5": Mode(26, PAYLOAD_LONG, ("quat", "acc", "gyr")),
    }
)
DEFAULT_MODE = "custom-5"

CAPABILITY = Capability(
    family="movella-dot",
    title="Movella (Xsens) DOT",
    recognised_by='name "Xsens DOT" or "Movella DOT", company id 0x0886',
    rates_hz=(1, 4, 10, 12, 15, 20, 30, 60),
    default_rate_hz=60.0,
    gyr_ranges_dps=(2000.0,),
    acc_ranges_g=(16.0,),
    streams="quaternion + acceleration + angular rate (mode custom-5); 14 other modes",
    modes=(DEFAULT_MODE, *(mode for mode in MODES if mode != DEFAULT_MODE)),
    clock="1 us ticks in every packet, wraps after 71.6 min",
    sync="by radio: all sensors share one clock after a disconnect and 14 s",
    cannot=(
        "It cannot stream faster than 60 Hz; 120 Hz exists only in its own memory.",
        "Its rate cannot be changed while it measures or is synchronised.",
        "Its high-fidelity modes (1, 17, 25) are decoded only by the maker's closed library.",
        "Its magnetometer gives multiples of the local field, not microtesla.",
        "It switches itself off after 30 min connected without measuring.",
    ),
    to_verify=(
        "Layouts of the modes other than 6 agree in three documents but were not checked on captured bytes.",
        "Revision C of the specification was read from a markdown copy.",
        "Synchronisation by radio was tried on emulated sensors only.",
    ),
    source="[S] XD0506P Rev F (2021) and Rev C (2023)",
)


class MovellaDot:
    """The Movella DOT family; see the module for sources."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = (INFO, BATTERY)

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of a DOT."""
        named = advertisement.name.startswith(("Xsens DOT", "Movella DOT"))
        return named or COMPANY in advertisement.manufacturer

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings; `custom-5` unless another mode is wished for."""
        return settle(CAPABILITY, wish)

    def clock(self, _: Settings) -> DeviceClock:
        """Return 1 us ticks that wrap at 2^32 [S]."""
        return DeviceClock(tick_s=1e-6, wrap=2**32)

    def notify(self, settings: Settings) -> tuple[str, ...]:
        """Return battery, messages and the mode's payload characteristic."""
        return (BATTERY, MESSAGE_NOTIFY, MODES[settings.mode].characteristic)

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return the end of any synchronisation, and the device-control write that sets the rate.

        A DOT that an earlier capture left synchronised would refuse the rate. Visit bit 4, rate at bytes 24
        and 25 [S]; that a DOT which is not synchronised takes the message without harm is to verify.
        """
        control = bytearray(32)
        control[0] = 0x10
        control[24:26] = struct.pack("<H", round(settings.rate_hz))
        return (Write(MESSAGE_CONTROL, stop_sync()), Write(CONTROL, bytes(control)))

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the measurement-control write 01 01 mode."""
        return (Write(MEASUREMENT, bytes((1, 1, MODES[settings.mode].number))),)

    def stop(self, settings: Settings) -> tuple[Write, ...]:
        """Return the measurement-control write 01 00 mode."""
        return (Write(MEASUREMENT, bytes((1, 0, MODES[settings.mode].number))),)

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder for one mode."""
        return DotDecoder(MODES[settings.mode])

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:
        """Return an emulated DOT."""
        from imu.sensors.dot_peripheral import DotPeripheral

        return DotPeripheral(name or "Movella DOT", address or "D4:22:CD:00:00:01")


class DotDecoder:
    """Packets of one DOT to readings, battery levels and acknowledgements; it needs no memory."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._layout = mode.layout

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return what one packet says; raises PacketError."""
        if characteristic == self._mode.characteristic:
            return [self._reading(payload)]
        if characteristic == BATTERY:
            expect_length(payload, 2, "a DOT battery packet")
            return [battery_percent(payload[0], payload, payload[1] == 1)]
        if characteristic == INFO:
            expect_length(payload, 34, "DOT device information")
            serial = f"{int.from_bytes(payload[20:28], 'little'):X}"
            return [DeviceInfo(serial, f"{payload[6]}.{payload[7]}.{payload[8]}")]
        if characteristic in (MESSAGE_ACK, MESSAGE_NOTIFY):
            return [parse_reply(payload)]
        raise PacketError(f"a DOT sends nothing on {characteristic} in this mode", payload)

    def _reading(self, payload: bytes) -> Reading:
        size, most = self._layout.size, PAYLOAD_SIZE[self._mode.characteristic]
        if not size <= len(payload) <= most:
            raise PacketError(f"DOT mode {self._mode.number} must be {size} to {most} bytes long", payload)
        values = self._layout.unpack_from(payload)
        gyr, acc, quat = UNKNOWN, UNKNOWN, None
        more: dict[str, tuple[float, ...]] = {}
        clipped = 0
        at = 1
        for name in self._mode.fields:
            if name == "status":
                clipped = values[at]
                more["status"] = tuple(float(value) for value in values[at : at + 3])
                continue
            width = 4 if name in ("quat", "dq") else 3
            part = values[at : at + width]
            at += width
            if name == "quat":
                quat = unit_quaternion(part, payload)
            elif name == "gyr":
                gyr = _radians(in_range(part, GYR_LIMIT_DPS, "DOT angular rate (deg/s)", payload))
            elif name == "acc":
                acc = vector(in_range(part, ACC_LIMIT, "DOT acceleration (m/s^2)", payload))
            else:
                more[_MORE_NAMES[name]] = _other(name, part, payload)
        if clipped & 0x1FF and "free_acc" in more:
            more["free_acc"] = UNKNOWN
        return Reading(values[0], None, gyr, acc, UNKNOWN, quat, more)


_MORE_NAMES = MappingProxyType(
    {"euler": "euler_deg", "free_acc": "free_acc", "mag": "mag_local_fields", "dq": "dq", "dv": "dv"}
)


def _radians(degrees: tuple[float, ...]) -> Vector:
    x, y, z = degrees
    return (math.radians(x), math.radians(y), math.radians(z))


def _other(name: str, part: tuple[float, ...], payload: bytes) -> tuple[float, ...]:
    if name == "dq":
        quat: Quaternion = unit_quaternion(part, payload)
        return quat
    if name == "mag":
        return tuple(value / 4096.0 for value in part)
    limits = {"euler": 360.0 / 1.25, "free_acc": ACC_LIMIT + G, "dv": ACC_LIMIT}
    return in_range(part, limits[name], f"DOT {name}", payload)
