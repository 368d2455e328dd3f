"""A Polar sensor's own side of its protocol, for the emulator and for round-trip tests.

Same source as `imu/sensors/polar.py`. An H10 sends raw acceleration, a Verity Sense delta frames with a
conversion factor from its start reply.
"""

import math
import struct
from collections.abc import Mapping
from types import MappingProxyType

from imu.errors import PacketError
from imu.sensors import polar_frames as pmd
from imu.sensors.checks import sendable, vector
from imu.sensors.driver import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    Advertisement,
    Characteristic,
    G,
    Notification,
    Reading,
    Service,
    Vector,
)
from imu.sensors.polar import ANSWER, CONTROL, DATA, FACTOR, RANGE, RATE, SDK_MODE, SERVICE, START, STOP
from imu.sensors.polar import parse_settings as parse

UNITS: Mapping[int, float] = MappingProxyType(
    {pmd.ACC: G, pmd.GYRO: math.radians(1.0), pmd.MAG: pmd.GAUSS_UT}
)
BATCH_S = 0.2
"""About how much time a frame covers."""


class PolarPeripheral:
    """One emulated Verity Sense or H10, by its name."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name)
        self.services: tuple[Service, ...] = (
            Service(
                SERVICE,
                (Characteristic(CONTROL, ("read", "write", "indicate")), Characteristic(DATA, ("notify",))),
            ),
            Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, ("read", "notify")),)),
        )
        self.battery_percent = 100.0
        self._kinds = (pmd.ACC,) if "H10" in name else (pmd.ACC, pmd.GYRO, pmd.MAG)
        self._rates: dict[int, int] = {}
        self._factors: dict[int, float] = {}
        self._batches: dict[int, list[Vector]] = {}
        self._samples = 0

    @property
    def streaming(self) -> bool:
        """Whether any quantity was started."""
        return bool(self._rates)

    @property
    def rate_hz(self) -> float:
        """The rate of the fastest quantity that was started."""
        return float(max(self._rates.values(), default=52))

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Send the battery level to a new listener; end all streams with the data subscription."""
        if characteristic == DATA and not subscribed:
            self._rates.clear()
        if characteristic == BATTERY_LEVEL and subscribed:
            return [Notification(BATTERY_LEVEL, self.read(BATTERY_LEVEL))]
        return []

    def read(self, characteristic: str) -> bytes:
        """Return the battery level, or 0F and the bit mask of what can be measured."""
        if characteristic == BATTERY_LEVEL:
            return bytes((round(self.battery_percent),))
        if characteristic == CONTROL:
            mask = sum(1 << kind for kind in self._kinds)
            return b"\x0f" + struct.pack("<H", mask) + bytes(14)
        raise PacketError(f"a Polar sensor has nothing to read at {characteristic}", b"")

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a start or stop command; answer as the sensor does."""
        if characteristic != CONTROL or len(payload) < 2:
            raise PacketError("a Polar command must be a command, a type and settings", payload)
        operation, kind = payload[0], payload[1]
        status, extra = 1, b""
        if operation == START and kind == SDK_MODE:
            status = 0
        elif operation == START and kind in self._kinds:
            status, extra = self._start(kind, payload)
        elif operation == STOP and (kind in self._rates or kind == SDK_MODE):
            self._rates.pop(kind, None)
            status = 0
        elif operation == STOP:
            status = 6
        return [Notification(CONTROL, bytes((ANSWER, operation, kind, status, 0)) + extra)]

    def _start(self, kind: int, payload: bytes) -> tuple[int, bytes]:
        if kind in self._rates:
            return 6, b""
        wanted = parse(payload[2:], payload)
        if RATE not in wanted or RANGE not in wanted:
            return 5, b""
        self._rates[kind] = int.from_bytes(wanted[RATE][0], "little")
        self._factors[kind] = int.from_bytes(wanted[RANGE][0], "little") / 32768.0
        self._batches[kind] = []
        if len(self._kinds) == 1:
            return 0, b""
        return 0, bytes((FACTOR, 1)) + struct.pack("<f", self._factors[kind])

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        """Collect each quantity; send its frame when there is enough."""
        fastest = self.rate_hz
        self._samples += 1
        out: list[Notification] = []
        for kind, rate in list(self._rates.items()):
            step = rate / fastest
            if math.floor(self._samples * step) == math.floor((self._samples - 1) * step):
                continue
            batch = self._batches[kind]
            value = {pmd.ACC: reading.acc, pmd.GYRO: reading.gyr, pmd.MAG: reading.mag}[kind]
            batch.append(vector(sendable(value, self._factors[kind] * 32768.0 * UNITS[kind])))
            if len(batch) >= max(1, round(rate * BATCH_S)):
                out.append(Notification(DATA, self._encode(kind, round(device_time * 1e9), batch)))
                self._batches[kind] = []
        return out

    def _encode(self, kind: int, last_ns: int, batch: list[Vector]) -> bytes:
        if len(self._kinds) == 1:
            return pmd.encode_raw_acc(last_ns, batch)
        factor = struct.unpack("<f", struct.pack("<f", self._factors[kind]))[0]
        return pmd.encode_delta(kind, last_ns, batch, factor * UNITS[kind])
