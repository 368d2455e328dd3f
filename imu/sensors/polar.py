"""Polar Verity Sense (acceleration, angular rate, field) and H10 (acceleration only).

Source: [S] polarofficial/polar-ble-sdk, `online_measurement.pdf` v1.0; frames in
`imu/sensors/polar_frames.py`. Commands go to the control point, which answers by indication:
F0, command, type, status, more, settings; settings are type, count, values.
"""

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Unpack

from imu.errors import InputError, PacketError
from imu.sensors import polar_frames as pmd
from imu.sensors.checks import battery_percent, expect_length, settle
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
    Settings,
    Wish,
    Write,
)
from imu.sensors.merge import Merger, Timed

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
START, STOP, ANSWER = 2, 3, 0xF0
SDK_MODE = 9
RATE, RESOLUTION, RANGE, CHANNELS, FACTOR = 0, 1, 2, 4, 5
WIDTHS: Mapping[int, int] = MappingProxyType({RATE: 2, RESOLUTION: 2, RANGE: 2, 3: 2, CHANNELS: 1, FACTOR: 4})
STATUS_WORDS: Mapping[int, str] = MappingProxyType(
    {0: "agreed", 6: "already in that state", 13: "refused while in the charger"}
)
MODES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "acc+gyr": (pmd.GYRO, pmd.ACC),
        "acc+gyr+mag": (pmd.GYRO, pmd.ACC, pmd.MAG),
        "sdk": (pmd.GYRO, pmd.ACC),
        "acc": (pmd.ACC,),
    }
)
MAG_RATE_HZ, MAG_RANGE_G = 50, 50
PATIENCE_NS = 500_000_000

VERITY = Capability(
    family="polar-verity",
    title="Polar Verity Sense",
    recognised_by='name begins with "Polar Sense" or "Polar OH1"',
    rates_hz=(52, 26, 104, 208, 416),
    default_rate_hz=52.0,
    gyr_ranges_dps=(2000.0, 1000.0, 500.0, 250.0),
    acc_ranges_g=(8.0, 2.0, 4.0, 16.0),
    modes=("acc+gyr", "acc+gyr+mag", "sdk"),
    magnetic_modes=("acc+gyr+mag",),
    streams="acceleration + angular rate, each in its own frames; magnetic field up to 100 Hz",
    clock="u64 ns of each frame's last sample",
    sync="none; about 20 ppm drift",
    cannot=(
        "It is an arm band, not a mount for a limb segment.",
        "Rates other than 52 Hz need its SDK mode, which switches heart rate off.",
        "It cannot be synchronised by radio; align by three taps.",
        "A newly set time takes effect only after a power cycle.",
    ),
    to_verify=("Which ranges and rates SDK mode offers depends on the firmware.",),
    source="[S] polar-ble-sdk online_measurement.pdf v1.0 and the maker's tests",
)
H10 = Capability(
    family="polar-h10",
    title="Polar H10",
    recognised_by='name begins with "Polar H10"',
    rates_hz=(200, 25, 50, 100),
    default_rate_hz=200.0,
    gyr_ranges_dps=(),
    acc_ranges_g=(8.0, 2.0, 4.0),
    modes=("acc",),
    streams="acceleration only",
    clock="u64 ns of each frame's last sample; goes back to 2019 off the strap",
    sync="none",
    cannot=(
        "It has no gyroscope, so it gives no joint angle: trunk inclination at rest only.",
        "Off the strap it leaves after about 45 s and its clock restarts.",
        "It cannot be synchronised by radio.",
    ),
    to_verify=(),
    source="[S] polar-ble-sdk online_measurement.pdf v1.0 and the maker's tests",
)


class Polar:
    """A Polar family; see the module for sources."""

    reads: tuple[str, ...] = (BATTERY_LEVEL,)

    def __init__(self, capability: Capability, *names: str) -> None:
        self.capability: Capability = capability
        self._names = names

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement is of this family."""
        return advertisement.name.startswith(self._names)

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings; `sdk` is taken where a rate needs it."""
        rate, mode = wish.get("rate_hz"), wish.get("mode")
        if "sdk" in self.capability.modes and rate not in (None, VERITY.default_rate_hz):
            if mode not in (None, "sdk"):
                raise InputError(
                    f"a {self.capability.title} does {rate:g} Hz only in mode sdk; leave out one of them"
                )
            wish["mode"] = "sdk"
        return settle(self.capability, wish)

    def clock(self, _: Settings) -> DeviceClock:
        """Return nanoseconds that never wrap."""
        return DeviceClock(tick_s=1e-9, wrap=None)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return battery, control point (indications) and data."""
        return (BATTERY_LEVEL, CONTROL, DATA)

    def configure(self, _: Settings) -> tuple[Write, ...]:
        """Return nothing: settings are part of the start commands."""
        return ()

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return SDK mode where needed, and a start command for each quantity."""
        writes = [Write(CONTROL, bytes((START, SDK_MODE)))] if settings.mode == "sdk" else []
        writes += [Write(CONTROL, start_command(kind, settings)) for kind in MODES[settings.mode]]
        return tuple(writes)

    def stop(self, settings: Settings) -> tuple[Write, ...]:
        """Return a stop command for each quantity; they must go out before the link is closed."""
        kinds = [*MODES[settings.mode], *([SDK_MODE] if settings.mode == "sdk" else [])]
        return tuple(Write(CONTROL, bytes((STOP, kind))) for kind in kinds)

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder for one connection."""
        return PolarDecoder(settings)

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated sensor."""
        from imu.sensors.polar_peripheral import PolarPeripheral

        return PolarPeripheral(name or f"{self._names[0]} 00000001")


def start_command(kind: int, settings: Settings) -> bytes:
    """Return the start command of one quantity: rate, resolution, range, and channels but for an H10 [S]."""
    rate, full_scale = {
        pmd.ACC: (settings.rate_hz, settings.acc_range_g),
        pmd.GYRO: (settings.rate_hz, settings.gyr_range_dps),
        pmd.MAG: (MAG_RATE_HZ, MAG_RANGE_G),
    }[kind]
    fields = b""
    for name, value in ((RATE, rate), (RESOLUTION, 16), (RANGE, full_scale or 0)):
        fields += struct.pack("<BBH", name, 1, round(value))
    channels = b"" if settings.mode == "acc" else bytes((CHANNELS, 1, 3))
    return bytes((START, kind)) + fields + channels


def parse_settings(fields: bytes, payload: bytes) -> dict[int, list[bytes]]:
    """Return the values of a settings list by type. Raises PacketError if it is cut short."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(fields):
        width = WIDTHS.get(fields[at])
        end = at + 2 + (width or 0) * (fields[at + 1] if at + 1 < len(fields) else 256)
        if width is None or end > len(fields):
            raise PacketError("a whole list of Polar settings was expected", payload)
        found[fields[at]] = [fields[i : i + width] for i in range(at + 2, end, width)]
        at = end
    return found


class PolarDecoder:
    """Frames and answers of one connection; remembers factors, frame times and what waits to be merged."""

    def __init__(self, settings: Settings) -> None:
        kinds = MODES[settings.mode]
        self._period_ns = {
            kind: 1e9 / (MAG_RATE_HZ if kind == pmd.MAG else settings.rate_hz) for kind in kinds
        }
        self._limits = {
            pmd.ACC: (settings.acc_range_g or 0.0) * G,
            pmd.GYRO: math.radians(settings.gyr_range_dps or 0.0),
            pmd.MAG: pmd.MAG_LIMIT_UT,
        }
        self._factors: dict[int, float] = {}
        self._last_ns: dict[int, int] = {}
        self._merger = Merger(tuple(pmd.NAMES[kind] for kind in kinds), PATIENCE_NS)

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return samples that are complete, or what an answer says; raises PacketError."""
        if characteristic == BATTERY_LEVEL:
            expect_length(payload, 1, "a battery level")
            return [battery_percent(payload[0], payload)]
        if characteristic == CONTROL:
            return self._answer(payload)
        if characteristic == DATA:
            return list(self._frame(payload))
        raise PacketError(f"a Polar sensor sends nothing on {characteristic}", payload)

    def _answer(self, payload: bytes) -> list[Item]:
        if payload[:1] == b"\x0f":
            return []
        if len(payload) < 4 or payload[0] != ANSWER:
            raise PacketError("a Polar answer must begin with F0, command, type and status", payload)
        operation, kind, status = payload[1:4]
        if operation == START and status == 0 and kind in pmd.NAMES:
            factor = parse_settings(payload[5:], payload).get(FACTOR, [])
            value = struct.unpack("<f", factor[0])[0] if factor else 1.0
            if not 0.0 < value < 1e3:
                raise PacketError(f"a Polar conversion factor above 0 was expected, got {value:g}", payload)
            self._factors[kind] = value
        words = STATUS_WORDS.get(status, f"status {status}")
        verb = {START: "start", STOP: "stop"}.get(operation, f"command {operation}")
        what = pmd.NAMES.get(kind, "sdk-mode" if kind == SDK_MODE else f"type {kind}")
        return [Ack(f"{verb} {what}", status in (0, 6), words)]

    def _frame(self, payload: bytes) -> list[Item]:
        kind = payload[0] if payload else 0
        if kind not in self._period_ns:
            raise PacketError("a Polar frame of a quantity that was started was expected", payload)
        frame = pmd.decode(payload, self._factors.get(kind, math.nan), self._limits[kind])
        before = self._last_ns.get(kind)
        try:
            times = pmd.sample_times(before, frame.last_ns, len(frame.values), self._period_ns[kind])
        except ValueError as error:
            raise PacketError(str(error), payload) from error
        self._last_ns[kind] = frame.last_ns
        timed = [Timed(ticks, value) for ticks, value in zip(times, frame.values, strict=True)]
        return list(self._merger.feed(pmd.NAMES[kind], timed))
