"""Our own open profile for do-it-yourself sensors; `docs/diy-sensor.md` is its specification.

One data characteristic (k samples a notification, u32 us clock, u16 counter, 6 or 9 i16), one
configuration characteristic that holds rate, ranges and the scale of a count, and the standard battery
service. All little-endian; made for an MTU of 247.
"""

import math
import struct
from typing import Unpack

from imu.errors import InputError, PacketError
from imu.sensors.checks import battery_percent, expect_length, sendable, settle
from imu.sensors.driver import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    NOTHING_MORE,
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
    Wish,
    Write,
)

SERVICE = "7b1e0001-5f0c-4c8e-9d53-3c6f2a1d8e40"
DATA = "7b1e0002-5f0c-4c8e-9d53-3c6f2a1d8e40"
CONFIGURATION = "7b1e0003-5f0c-4c8e-9d53-3c6f2a1d8e40"
VERSION = 1
HEAD = struct.Struct("<BBHII")
CONFIGURATION_LAYOUT = struct.Struct("<4B3H3f")
FLOAT32_SLACK = 1.0 + 1e-6
LARGEST_NOTIFICATION = 244
MAG_LIMIT_UT = 5000.0
AXES = {"6-axis": 6, "9-axis": 9}
BATCH_S = 0.05
"""How much time an emulated sensor collects for one notification."""

CAPABILITY = Capability(
    family="open",
    title="Do-it-yourself sensor (open profile)",
    recognised_by="service 7b1e0001-5f0c-...",
    rates_hz=(50, 60, 100, 104, 119, 120, 200, 208, 400, 416),
    default_rate_hz=100.0,
    gyr_ranges_dps=(2000.0, 1000.0, 500.0, 250.0),
    acc_ranges_g=(16.0, 8.0, 4.0, 2.0),
    streams="angular rate + acceleration, + magnetic field; i16 counts with scales told by the sensor",
    modes=tuple(AXES),
    magnetic_modes=("9-axis",),
    clock="1 us ticks of the first and last sample, wraps after 71.6 min",
    sync="none",
    cannot=(
        "It is as good as the sketch and the chip in it.",
        "It cannot be synchronised by radio; align by three taps.",
    ),
    to_verify=("The sketch in the docs was neither compiled nor run on a board yet.",),
    source="this project, docs/diy-sensor.md",
)


class OpenProfile:
    """Sensors that speak our own profile."""

    capability: Capability = CAPABILITY
    reads: tuple[str, ...] = (BATTERY_LEVEL,)

    def recognises(self, advertisement: Advertisement) -> bool:
        """Tell whether an advertisement offers the profile."""
        return SERVICE in advertisement.services

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings."""
        return settle(CAPABILITY, wish)

    def clock(self, _: Settings) -> DeviceClock:
        """Return 1 us ticks that wrap at 2^32."""
        return DeviceClock(tick_s=1e-6, wrap=2**32)

    def notify(self, _: Settings) -> tuple[str, ...]:
        """Return configuration, battery and data, in this order."""
        return (CONFIGURATION, BATTERY_LEVEL, DATA)

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return the wish for rate, ranges and axes, not running."""
        return (Write(CONFIGURATION, encode_configuration(settings, running=False)),)

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the same wish, running; the sensor answers with what it took."""
        return (Write(CONFIGURATION, encode_configuration(settings, running=True)),)

    def stop(self, settings: Settings) -> tuple[Write, ...]:
        """Return the wish to rest."""
        return (Write(CONFIGURATION, encode_configuration(settings, running=False)),)

    def decoder(self, settings: Settings) -> Decoder:
        """Return a decoder that begins with the settings' own scales."""
        return OpenDecoder(settings)

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:  # noqa: ARG002 - it tells none
        """Return an emulated do-it-yourself sensor."""
        return OpenPeripheral(name or "ROM-IMU")


def encode_configuration(settings: Settings, *, running: bool) -> bytes:
    """Return the configuration characteristic's value for these settings."""
    gyr, acc = settings.gyr_range_dps or 0.0, settings.acc_range_g or 0.0
    return CONFIGURATION_LAYOUT.pack(
        VERSION,
        AXES[settings.mode],
        int(running),
        0,
        round(settings.rate_hz * 10.0),
        round(gyr),
        round(acc),
        math.radians(gyr) / 32768.0,
        acc * G / 32768.0,
        MAG_LIMIT_UT / 32768.0,
    )


class OpenDecoder:
    """Notifications to readings; remembers the scales that the sensor told last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._axes = AXES[settings.mode]
        self._row = struct.Struct(f"<{self._axes}h")
        self._limits = (
            math.radians(settings.gyr_range_dps or 0.0),
            (settings.acc_range_g or 0.0) * G,
            MAG_LIMIT_UT,
        )
        self._scales = tuple(limit / 32768.0 for limit in self._limits)

    def feed(self, characteristic: str, payload: bytes) -> list[Item]:
        """Return samples, battery, or what the sensor took as configuration; raises PacketError."""
        if characteristic == BATTERY_LEVEL:
            expect_length(payload, 1, "a battery level")
            return [battery_percent(payload[0], payload)]
        if characteristic == CONFIGURATION:
            return [self._configuration(payload)]
        if characteristic == DATA:
            return list(self._samples(payload))
        raise PacketError(f"a sensor of the open profile sends nothing on {characteristic}", payload)

    def _configuration(self, payload: bytes) -> Ack:
        expect_length(payload, CONFIGURATION_LAYOUT.size, "the open profile's configuration")
        version, axes, _, _, rate, gyr, acc, *scales = CONFIGURATION_LAYOUT.unpack(payload)
        if version != VERSION or axes not in AXES.values():
            raise PacketError("version 1 of the open profile with 6 or 9 axes was expected", payload)
        taken = (rate / 10.0, gyr, acc, axes)
        wanted = (
            self._settings.rate_hz,
            self._settings.gyr_range_dps,
            self._settings.acc_range_g,
            self._axes,
        )
        if taken != wanted:
            words = f"the sensor took {rate / 10.0:g} Hz, {gyr} deg/s, {acc} g, {axes} axes"
            return Ack("configuration", False, words)
        largest = [limit / 32768.0 for limit in self._limits]
        for scale, most in zip(scales[: axes // 3], largest, strict=False):
            if not 0.0 < scale <= most * FLOAT32_SLACK:
                raise PacketError("scales above 0 that keep counts within the range were expected", payload)
        self._scales = tuple(min(scale, most) for scale, most in zip(scales, largest, strict=True))
        return Ack("configuration", True, "as wished")

    def _samples(self, payload: bytes) -> list[Reading]:
        if len(payload) < HEAD.size:
            raise PacketError(f"open-profile data must be at least {HEAD.size} bytes long", payload)
        kind, count, counter, first, last = HEAD.unpack_from(payload)
        axes = kind & 0x0F
        if kind >> 4 != VERSION or axes != self._axes or count == 0:
            raise PacketError(f"open-profile data of version 1 with {self._axes} axes was expected", payload)
        expect_length(payload, HEAD.size + 2 * axes * count, f"open-profile data of {count} samples")
        span = (last - first) % 2**32
        if span > 10_000_000 or (count == 1) != (span == 0) or span < count - 1:
            raise PacketError("the last sample's time must follow the first one's within 10 s", payload)
        gyr_scale, acc_scale, mag_scale = self._scales
        readings: list[Reading] = []
        steps = max(count - 1, 1)
        for i, row in enumerate(self._row.iter_unpack(payload[HEAD.size :])):
            gx, gy, gz, ax, ay, az = row[:6]
            gyr = (gx * gyr_scale, gy * gyr_scale, gz * gyr_scale)
            acc = (ax * acc_scale, ay * acc_scale, az * acc_scale)
            mag = UNKNOWN if axes == 6 else (row[6] * mag_scale, row[7] * mag_scale, row[8] * mag_scale)
            tick, number = (first + span * i // steps) % 2**32, (counter + i) % 2**16
            # A third of the price of calling `Reading`, which was nearly half of the cost of decoding.
            readings.append(tuple.__new__(Reading, (tick, number, gyr, acc, mag, None, NOTHING_MORE)))
        return readings


class OpenPeripheral:
    """One emulated do-it-yourself sensor; it does what the sketch in `docs/` does."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name, (SERVICE,))
        self.services: tuple[Service, ...] = (
            Service(
                SERVICE,
                (
                    Characteristic(DATA, ("notify",)),
                    Characteristic(CONFIGURATION, ("read", "write", "notify")),
                ),
            ),
            Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, ("read", "notify")),)),
        )
        self.battery_percent = 100.0
        self._settings = OpenProfile().settings()
        self._running = False
        self._counter = 0
        self._batch: list[tuple[float, Reading]] = []

    @property
    def streaming(self) -> bool:
        """Whether it was told to run."""
        return self._running

    @property
    def rate_hz(self) -> float:
        """The rate it took."""
        return self._settings.rate_hz

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Send the battery level to a new listener; rest when nobody listens to the data any more."""
        if characteristic == DATA and not subscribed:
            self._running = False
        if characteristic == BATTERY_LEVEL and subscribed:
            return [Notification(BATTERY_LEVEL, self.read(BATTERY_LEVEL))]
        return []

    def read(self, characteristic: str) -> bytes:
        """Return battery level or configuration."""
        if characteristic == BATTERY_LEVEL:
            return bytes((round(self.battery_percent),))
        if characteristic == CONFIGURATION:
            return encode_configuration(self._settings, running=self._running)
        raise PacketError(f"a sensor of the open profile has nothing to read at {characteristic}", b"")

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a wish; keep what cannot be done as it was; answer with what holds."""
        if characteristic != CONFIGURATION or len(payload) != CONFIGURATION_LAYOUT.size:
            raise PacketError("the open profile takes a whole configuration", payload)
        _, axes, running, _, rate, gyr, acc, *_ = CONFIGURATION_LAYOUT.unpack(payload)
        modes = {number: mode for mode, number in AXES.items()}
        try:
            self._settings = OpenProfile().settings(
                rate_hz=rate / 10.0, gyr_range_dps=gyr, acc_range_g=acc, mode=modes.get(axes)
            )
        except InputError:
            running = 0
        self._running, self._batch = bool(running), []
        return [Notification(CONFIGURATION, self.read(CONFIGURATION))]

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        """Collect samples; send them when there are enough."""
        if not self._running:
            return []
        axes = AXES[self._settings.mode]
        most = (LARGEST_NOTIFICATION - HEAD.size) // (2 * axes)
        self._batch.append((device_time, reading))
        if len(self._batch) < min(most, max(1, round(self.rate_hz * BATCH_S))):
            return []
        batch, self._batch = self._batch, []
        times = [round(time * 1e6) % 2**32 for time, _ in (batch[0], batch[-1])]
        head = HEAD.pack(VERSION << 4 | axes, len(batch), self._counter, *times)
        self._counter = (self._counter + len(batch)) % 2**16
        return [Notification(DATA, head + b"".join(self._counts(sample) for _, sample in batch))]

    def _counts(self, reading: Reading) -> bytes:
        limits = (
            math.radians(self._settings.gyr_range_dps or 0.0),
            (self._settings.acc_range_g or 0.0) * G,
            MAG_LIMIT_UT,
        )
        vectors = (reading.gyr, reading.acc, reading.mag)[: AXES[self._settings.mode] // 3]
        counts = [
            min(round(value / limit * 32768.0), 32767)
            for vector, limit in zip(vectors, limits, strict=False)
            for value in sendable(vector, limit)
        ]
        return struct.pack(f"<{len(counts)}h", *counts)
