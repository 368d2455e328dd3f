"""Movesense (HR2, HR+, MD, Flash) by its GATT sensor data protocol, firmware 2.x.

Source: [S] protocol notes and real packets with the maker's own decoded values, named in the project's
sensor reference, A.4. A notification is kind (1 answer, 2 data, 3 second part of data), reference number,
payload; a data payload is u32 ms since boot of the first sample, then all accelerations, all angular
rates, all fields as float32.
"""

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Unpack

from imu.errors import InputError, PacketError
from imu.sensors.checks import battery_percent, expect_length, in_range, sendable, settle, vector
from imu.sensors.driver import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    UNKNOWN,
    Ack,
    Advertisement,
    Capability,
    Characteristic,
    Decoder,
    DeviceClock,
    G,
    Item,
    Notification,
    Peripheral,
    Reading,
    Service,
    Settings,
    Vector,
    Wish,
    Write,
)

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
SUBSCRIBE, UNSUBSCRIBE = 1, 2
ANSWER, FIRST_PART, SECOND_PART = 1, 2, 3
REFERENCE = 99
LARGEST_PART = 242
GYR_LIMIT_DPS, ACC_LIMIT, MAG_LIMIT_UT = 2000.0, 16.0 * G, 5000.0
QUANTITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "IMU6": ("acc", "gyr"),
        "IMU9": ("acc", "gyr", "mag"),
        "Acc": ("acc",),
        "Gyro": ("gyr",),
        "Magn": ("mag",),
    }
)

CAPABILITY = Capability(
    family="movesense",
    title="Movesense",
    recognised_by='name begins with "Movesense", service 34802252-7185-...',
    rates_hz=(13, 26, 52, 104, 208),
    default_rate_hz=104.0,
    gyr_ranges_dps=(2000.0,),
    acc_ranges_g=(16.0,),
    streams="acceleration + angular rate (IMU6), + magnetic field (IMU9); float32",
    modes=tuple(QUANTITIES),
    magnetic_modes=("IMU9", "Magn"),
    clock="ms since boot of each notification's first sample",
    sync="none",
    cannot=(
        "Its clock has a resolution of 1 ms and restarts whenever it wakes.",
        "It talks to one computer at a time.",
        "It cannot be synchronised by radio; align by three taps.",
        "Its ranges are left as the firmware has them.",
    ),
    to_verify=(
        "Samples per notification other than 4 at 52 Hz and 8 at 104 Hz are taken as rate / 13.",
        "The status code in answers to commands (200 means agreed).",
        "Where acceleration saturates, if the firmware's range is below 16 g.",
    ),
    source="[S] movesense-py notes and fixtures with the maker's decoded values",
)


def samples_per_packet(rate_hz: float) -> int:
    """Return how many samples share a time stamp: 4 at 52 Hz, 8 at 104 Hz [S], the rest in proportion."""
    return max(1, round(rate_hz / 13.0))


class Movesense:
    """The Movesense family; see the module for sources."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = (BATTERY_LEVEL,)

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of a Movesense sensor."""
        return SERVICE in advertisement.services or advertisement.name.startswith("Movesense")

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings that two parts a packet can carry."""
        settings = settle(CAPABILITY, wish)
        if _size(settings) > 2 * LARGEST_PART:
            raise InputError(
                f"a Movesense sends at most two parts a packet, too little for {settings.mode} at "
                f"{settings.rate_hz:g} Hz; choose a lower rate"
            )
        return settings

    def clock(self, _: Settings) -> DeviceClock:
        """Return microseconds, so that samples between two stamps of 1 ms have their own ticks."""
        return DeviceClock(tick_s=1e-6, wrap=2**32 * 1000)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return the one characteristic that notifies."""
        return (DATA,)

    def configure(self, _: Settings) -> tuple[Write, ...]:
        """Return nothing: rate and content are part of what is subscribed."""
        return ()

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the subscription of `/Meas/<mode>/<rate>`."""
        path = f"/Meas/{settings.mode}/{settings.rate_hz:.0f}".encode()
        return (Write(COMMAND, bytes((SUBSCRIBE, REFERENCE)) + path),)

    def stop(self, _: Settings) -> tuple[Write, ...]:
        """Return the end of the subscription."""
        return (Write(COMMAND, bytes((UNSUBSCRIBE, REFERENCE))),)

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder for one subscription."""
        return MovesenseDecoder(settings)

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated Movesense."""
        return MovesensePeripheral(name or "Movesense 000000000001")


def _size(settings: Settings) -> int:
    return 4 + 12 * len(QUANTITIES[settings.mode]) * samples_per_packet(settings.rate_hz)


class MovesenseDecoder:
    """Notifications to readings; remembers a first part and the last stamp, to space samples by."""

    def __init__(self, settings: Settings) -> None:
        self._quantities = QUANTITIES[settings.mode]
        self._size = _size(settings)
        self._nominal_us = 1e6 / settings.rate_hz
        self._spacing_us = self._nominal_us
        self._last_us: int | None = None
        self._first_part = b""

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return the samples of a whole packet, or what an answer says; raises PacketError."""
        if characteristic == BATTERY_LEVEL:
            expect_length(payload, 1, "a battery level")
            return [battery_percent(payload[0], payload)]
        if characteristic != DATA:
            raise PacketError(f"a Movesense sends nothing on {characteristic}", payload)
        if len(payload) < 2 or payload[1] != REFERENCE:
            raise PacketError(f"a Movesense notification for reference {REFERENCE} was expected", payload)
        if payload[0] == ANSWER:
            status = int.from_bytes(payload[2:4], "little") if len(payload) >= 4 else 200
            return [Ack("subscribe", 200 <= status < 300, f"status {status}")]
        return self._data(payload)

    def _data(self, payload: bytes) -> list[Item]:
        first, self._first_part = self._first_part, b""
        if payload[0] == FIRST_PART and len(payload) - 2 < self._size:
            self._first_part = payload[2:]
            return []
        whole = (first if payload[0] == SECOND_PART else b"") + payload[2:]
        if payload[0] not in (FIRST_PART, SECOND_PART) or len(whole) != self._size:
            raise PacketError(
                f"Movesense data of {self._size} bytes in one or two parts was expected", payload
            )
        return list(self._readings(whole))

    def _readings(self, whole: bytes) -> list[Reading]:
        vectors = decode_payload(whole, self._quantities)
        count = len(vectors[self._quantities[0]])
        first_us = int.from_bytes(whole[:4], "little") * 1000
        if self._last_us is not None:
            spacing = (first_us - self._last_us) / count
            if abs(spacing / self._nominal_us - 1.0) < 0.1:
                self._spacing_us = spacing
        self._last_us = first_us
        unknown = [UNKNOWN] * count
        return [
            Reading(first_us + round(i * self._spacing_us), None, gyr, acc, mag)
            for i, (gyr, acc, mag) in enumerate(
                zip(*(vectors.get(name, unknown) for name in ("gyr", "acc", "mag")), strict=True)
            )
        ]


def decode_payload(whole: bytes, quantities: tuple[str, ...]) -> dict[str, list[Vector]]:
    """Return the vectors of a payload, by quantity, in rad/s, m/s^2 and uT. Raises PacketError."""
    count = (len(whole) - 4) // (12 * len(quantities))
    values = struct.unpack_from(f"<{3 * count * len(quantities)}f", whole, 4)
    vectors: dict[str, list[Vector]] = {}
    for block, name in enumerate(quantities):
        at = 3 * count * block
        limit, scale = {
            "gyr": (GYR_LIMIT_DPS, math.radians(1.0)),
            "acc": (ACC_LIMIT, 1.0),
            "mag": (MAG_LIMIT_UT, 1.0),
        }[name]
        checked = in_range(values[at : at + 3 * count], limit, f"Movesense {name}", whole)
        vectors[name] = [
            vector(value * scale for value in checked[i : i + 3]) for i in range(0, 3 * count, 3)
        ]
    return vectors


class MovesensePeripheral:
    """One emulated Movesense."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name, (SERVICE,))
        self.services: tuple[Service, ...] = (
            Service(SERVICE, (Characteristic(COMMAND, ("write",)), Characteristic(DATA, ("notify",)))),
            Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, ("read", "notify")),)),
        )
        self.battery_percent = 100.0
        self._settings: Settings | None = None
        self._reference = 0
        self._batch: list[tuple[float, Reading]] = []

    @property
    def streaming(self) -> bool:
        """Whether something is subscribed."""
        return self._settings is not None

    @property
    def rate_hz(self) -> float:
        """The subscribed rate."""
        return self._settings.rate_hz if self._settings else CAPABILITY.default_rate_hz

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """End the stream when nobody listens any more."""
        if characteristic == DATA and not subscribed:
            self._settings = None
        return []

    def read(self, characteristic: str) -> bytes:
        """Return the battery level."""
        if characteristic != BATTERY_LEVEL:
            raise PacketError(f"a Movesense has nothing to read at {characteristic}", b"")
        return bytes((round(self.battery_percent),))

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a subscription or its end."""
        if characteristic != COMMAND or len(payload) < 2:
            raise PacketError("a Movesense command must be a number, a reference and a path", payload)
        self._reference, self._batch, self._settings = payload[1], [], None
        status = 200
        if payload[0] == SUBSCRIBE:
            parts = payload[2:].decode("ascii", "replace").split("/")
            try:
                self._settings = Movesense().settings(rate_hz=float(parts[3]), mode=parts[2])
            except (InputError, IndexError, ValueError):
                status = 404
        return [Notification(DATA, bytes((ANSWER, self._reference)) + struct.pack("<H", status))]

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        """Collect samples; send them in one or two parts when there are enough."""
        if self._settings is None:
            return []
        self._batch.append((device_time, reading))
        if len(self._batch) < samples_per_packet(self._settings.rate_hz):
            return []
        batch, self._batch = self._batch, []
        body = struct.pack("<I", round(batch[0][0] * 1000.0) % 2**32)
        for name in QUANTITIES[self._settings.mode]:
            for _, sample in batch:
                body += _floats(name, sample)
        head = bytes((self._reference,))
        parts = [Notification(DATA, bytes((FIRST_PART,)) + head + body[:LARGEST_PART])]
        if len(body) > LARGEST_PART:
            parts.append(Notification(DATA, bytes((SECOND_PART,)) + head + body[LARGEST_PART:]))
        return parts


def _floats(name: str, reading: Reading) -> bytes:
    if name == "gyr":
        return struct.pack("<3f", *sendable((math.degrees(v) for v in reading.gyr), GYR_LIMIT_DPS))
    if name == "acc":
        return struct.pack("<3f", *sendable(reading.acc, ACC_LIMIT))
    return struct.pack("<3f", *sendable(reading.mag, MAG_LIMIT_UT))
