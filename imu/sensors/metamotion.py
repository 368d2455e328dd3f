"""MbientLab MetaMotion R, RL (BMI160) and S (BMI270).

Source: [S] mbientlab/MetaWear-SDK-Cpp, commands and test values (hexadecimal facts only; its licence
allows use with MbientLab products). A message is module, register, data; register | 0x80 reads.
"""

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Unpack

from imu.errors import PacketError
from imu.sensors.checks import battery_percent, expect_length, in_range, settle, unit_quaternion
from imu.sensors.driver import (
    BATTERY_LEVEL,
    Ack,
    Advertisement,
    Capability,
    Decoder,
    DeviceClock,
    G,
    Item,
    Peripheral,
    Polled,
    Reading,
    Settings,
    Vector,
    Wish,
    Write,
)
from imu.sensors.merge import Merger, Timed

SERVICE = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFY = "326a9006-85cb-9195-d9dd-464cfbbae75a"
ACC, GYR, MAG, FUSION = 0x03, 0x13, 0x15, 0x19
INFO = 0x80
PACK = 3
PATIENCE = 2 * PACK

RATE_NIBBLES: Mapping[float, int] = MappingProxyType({50.0: 7, 100.0: 8, 200.0: 9})
GYR_CODES: Mapping[float, int] = MappingProxyType({2000.0: 0, 1000.0: 1, 500.0: 2, 250.0: 3, 125.0: 4})
ACC_CODES: Mapping[str, Mapping[float, int]] = MappingProxyType(
    {
        "bmi160": MappingProxyType({2.0: 3, 4.0: 5, 8.0: 8, 16.0: 0x0C}),
        "bmi270": MappingProxyType({2.0: 0, 4.0: 1, 8.0: 2, 16.0: 3}),
    }
)
ACC_ODR = MappingProxyType({"bmi160": 0x20, "bmi270": 0xA0})
SINGLE = MappingProxyType({"bmi160": {ACC: 4, GYR: 5, MAG: 5}, "bmi270": {ACC: 4, GYR: 4, MAG: 5}})
PACKED = MappingProxyType({"bmi160": {ACC: 0x1C, GYR: 7, MAG: 9}, "bmi270": {ACC: 5, GYR: 5, MAG: 9}})
IMPLEMENTATIONS = MappingProxyType({1: "bmi160", 4: "bmi270"})
STREAMS = MappingProxyType({ACC: "acc", GYR: "gyr"})
MAG_SCALE = 1.0 / 16.0

CAPABILITY = Capability(
    family="metamotion",
    title="MbientLab MetaMotion",
    recognised_by='name "MetaWear", service 326a9000-85cb-...',
    rates_hz=tuple(RATE_NIBBLES),
    default_rate_hz=100.0,
    gyr_ranges_dps=tuple(GYR_CODES),
    acc_ranges_g=(16.0, 8.0, 4.0, 2.0),
    streams="acceleration + angular rate, three samples a message, in two separate streams",
    modes=("bmi270", "bmi160"),
    clock="none in the raw stream: samples are counted",
    sync="none",
    cannot=(
        "Its raw stream has no time and no counter, so a lost sample cannot be seen by itself.",
        "Acceleration and angular rate come apart and are paired by count.",
        "Which chip it has (mode bmi160 or bmi270) must be told; the start says if it is the other one.",
        "The stream does not resume by itself after a reconnect.",
    ),
    to_verify=(
        "Supply is doubtful, the maker's software dates from 2023.",
        "A clock prefix by the accounter processor exists and is not used.",
        "Registers beyond the maker's test values follow its source, not captured bytes.",
    ),
    source="[S] MetaWear-SDK-Cpp commands and test values",
)


class MetaMotion:
    """The MetaMotion family; see the module for sources."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = (BATTERY_LEVEL,)

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of a MetaMotion."""
        return SERVICE in advertisement.services or advertisement.name.startswith(("MetaWear", "MetaMotion"))

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings; the mode is the chip, `bmi270` (MetaMotionS) or `bmi160` (R, RL)."""
        return settle(CAPABILITY, wish)

    def clock(self, settings: Settings) -> DeviceClock:
        """Return a count of samples, 1 % uncertain."""
        return DeviceClock(1.0 / settings.rate_hz, None, rate_sigma=1e-2, counted=True)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return the one characteristic that notifies."""
        return (NOTIFY,)

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return rates and ranges of both sensors."""
        odr = RATE_NIBBLES[settings.rate_hz]
        acc = ACC_CODES[settings.mode][settings.acc_range_g or 16.0]
        gyr = GYR_CODES[settings.gyr_range_dps or 2000.0]
        return (
            _command(ACC, 3, ACC_ODR[settings.mode] | odr, acc),
            _command(GYR, 3, 0x20 | odr, gyr),
        )

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the question which chip it is, subscription of the packed streams, enable, start."""
        packed = PACKED[settings.mode]
        return (
            _command(ACC, INFO),
            _command(ACC, packed[ACC], 1),
            _command(GYR, packed[GYR], 1),
            _command(ACC, 2, 1, 0),
            _command(GYR, 2, 1, 0),
            _command(ACC, 1, 1),
            _command(GYR, 1, 1),
        )

    def stop(self, settings: Settings) -> tuple[Write, ...]:
        """Return stop, disable and the end of the subscriptions."""
        packed = PACKED[settings.mode]
        return (
            _command(ACC, 1, 0),
            _command(GYR, 1, 0),
            _command(ACC, 2, 0, 1),
            _command(GYR, 2, 0, 1),
            _command(ACC, packed[ACC], 0),
            _command(GYR, packed[GYR], 0),
        )

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder for one connection."""
        return MetaMotionDecoder(settings)

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated MetaMotionS."""
        from imu.sensors.metamotion_peripheral import MetaMotionPeripheral

        return MetaMotionPeripheral(name or "MetaWear")


def _command(*values: int) -> Write:
    return Write(COMMAND, bytes(values), response=False)


class MetaMotionDecoder:
    """Messages of one connection to readings; remembers how many samples each stream has brought."""

    def __init__(self, settings: Settings) -> None:
        self._mode = settings.mode
        self._gyr_scale = math.radians((settings.gyr_range_dps or 2000.0) / 2000.0 / 16.4)
        self._acc_scale = (settings.acc_range_g or 16.0) * G / 32768.0
        self._gyr_limit = math.radians(settings.gyr_range_dps or 2000.0)
        self._merger = Merger(("gyr", "acc"), PATIENCE)
        self._counts = {"gyr": 0, "acc": 0}

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return what one message says; raises PacketError."""
        if characteristic == BATTERY_LEVEL:
            expect_length(payload, 1, "a battery level")
            return [battery_percent(payload[0], payload)]
        if characteristic != NOTIFY or len(payload) < 3:
            raise PacketError("a MetaMotion message of module, register and data was expected", payload)
        module, register = payload[0], payload[1]
        if module == FUSION:
            return [decode_fusion(payload)]
        if register == INFO and module == ACC:
            chip = IMPLEMENTATIONS.get(payload[2], f"unknown chip {payload[2]}")
            return [Ack("chip", chip == self._mode, f"this sensor has a {chip}; choose mode {chip}")]
        if module == MAG:
            vectors = self._vectors(payload, MAG_SCALE)
            return [Polled("magnetic_field_ut", value) for value in vectors]
        if module not in STREAMS:
            raise PacketError("a MetaMotion message of a sensor that was started was expected", payload)
        return list(self._samples(STREAMS[module], payload))

    def _vectors(self, payload: bytes, scale: float) -> list[Vector]:
        module, register = payload[0], payload[1]
        wide = register == PACKED[self._mode][module] and len(payload) == 2 + 6 * PACK
        if not wide:
            if register != SINGLE[self._mode][module]:
                raise PacketError("a MetaMotion data register was expected", payload)
            expect_length(payload, 8, "a MetaMotion sample")
        counts = struct.unpack_from(f"<{(len(payload) - 2) // 2}h", payload, 2)
        return [
            (counts[i] * scale, counts[i + 1] * scale, counts[i + 2] * scale)
            for i in range(0, len(counts), 3)
        ]

    def _samples(self, stream: str, payload: bytes) -> list[Reading]:
        """Pair the streams by count; one that falls two messages behind has lost them."""
        if stream == "gyr":
            vectors = [self._within(value) for value in self._vectors(payload, self._gyr_scale)]
        else:
            vectors = self._vectors(payload, self._acc_scale)
        other = "acc" if stream == "gyr" else "gyr"
        if self._counts[other] - self._counts[stream] > PATIENCE and self._counts[stream]:
            self._counts[stream] = self._counts[other] - len(vectors)
        first = self._counts[stream]
        self._counts[stream] = first + len(vectors)
        timed = [Timed(first + i, value) for i, value in enumerate(vectors)]
        return [reading._replace(ticks=None) for reading in self._merger.feed(stream, timed)]

    def _within(self, value: Vector) -> Vector:
        """Return a rate whose components stay within the range: 32767 / 16.4 is 1998, -32768 is -1998."""
        limit = self._gyr_limit
        x, y, z = (min(max(component, -limit), limit) for component in value)
        return (x, y, z)


def decode_fusion(payload: bytes) -> Polled:
    """Return one output of the sensor's own fusion [S]; it is decoded but never started here.

    04 acceleration in mg and accuracy, 05 rate in deg/s, 06 field in uT, 07 quaternion w x y z, 08 Euler
    angles in deg in the order heading, pitch, roll, yaw, 09 gravity and 0A linear acceleration in m/s^2.
    Names carry the unit given here.
    """
    register = payload[1]
    shapes = {4: (4, 15), 5: (4, 15), 6: (4, 15), 7: (4, 18), 8: (4, 18), 9: (3, 14), 0x0A: (3, 14)}
    if register not in shapes:
        raise PacketError("a MetaMotion fusion register 04 to 0A was expected", payload)
    expect_length(payload, shapes[register][1], "this MetaMotion fusion output")
    count = 3 if len(payload) < 18 else 4
    values = struct.unpack_from(f"<{count}f", payload, 2)
    if register == 7:
        return Polled("fusion_quat", unit_quaternion(values, payload))
    name, scale, limit = {
        4: ("fusion_acc", G / 1000.0, 16000.0),
        5: ("fusion_gyr", math.radians(1.0), 2000.0),
        6: ("fusion_mag_ut", 1.0, 2500.0),
        8: ("fusion_euler_deg", 1.0, 360.0),
        9: ("fusion_gravity", 1.0, 2.0 * G),
        0x0A: ("fusion_linear_acc", 1.0, 17.0 * G),
    }[register]
    return Polled(name, tuple(v * scale for v in in_range(values, limit, f"MetaMotion {name}", payload)))
