"""A MetaMotionS's own side of its protocol, for the emulator and for round-trip tests.

Same source as `imu/sensors/metamotion.py`; it has a BMI270.
"""

import math
import struct

from imu.errors import PacketError
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
from imu.sensors.metamotion import (
    ACC,
    ACC_CODES,
    COMMAND,
    GYR,
    GYR_CODES,
    INFO,
    NOTIFY,
    PACK,
    PACKED,
    RATE_NIBBLES,
    SERVICE,
)

CHIP = "bmi270"


class MetaMotionPeripheral:
    """One emulated MetaMotionS."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name, (SERVICE,))
        self.services: tuple[Service, ...] = (
            Service(
                SERVICE,
                (
                    Characteristic(COMMAND, ("write", "write-without-response")),
                    Characteristic(NOTIFY, ("notify",)),
                ),
            ),
            Service(BATTERY_SERVICE, (Characteristic(BATTERY_LEVEL, ("read", "notify")),)),
        )
        self.battery_percent = 100.0
        self._rate = 100.0
        self._acc_range, self._gyr_range = 16.0, 2000.0
        self._started: set[int] = set()
        self._batch: list[Reading] = []

    @property
    def streaming(self) -> bool:
        """Whether acceleration or rate was started."""
        return bool(self._started)

    @property
    def rate_hz(self) -> float:
        """The output rate."""
        return self._rate

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Stop with the subscription."""
        if characteristic == NOTIFY and not subscribed:
            self._started.clear()
        return []

    def read(self, characteristic: str) -> bytes:
        """Return the battery level."""
        if characteristic != BATTERY_LEVEL:
            raise PacketError(f"a MetaMotion has nothing to read at {characteristic}", b"")
        return bytes((round(self.battery_percent),))

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a command; only a read is answered."""
        if characteristic != COMMAND or len(payload) < 2:
            raise PacketError("a MetaMotion command must be module, register and data", payload)
        module, register, data = payload[0], payload[1], payload[2:]
        if module == ACC and register == INFO:
            return [Notification(NOTIFY, bytes((ACC, INFO, 4, 1)))]
        if module in (ACC, GYR) and register == 3 and len(data) == 2:
            self._configure(module, data[0] & 0x0F, data[1])
        elif module in (ACC, GYR) and register == 1 and len(data) == 1:
            self._batch = []
            (self._started.add if data[0] else self._started.discard)(module)
        return []

    def _configure(self, module: int, odr: int, code: int) -> None:
        self._rate = {nibble: rate for rate, nibble in RATE_NIBBLES.items()}.get(odr, self._rate)
        if module == ACC:
            self._acc_range = {c: g for g, c in ACC_CODES[CHIP].items()}.get(code, self._acc_range)
        else:
            self._gyr_range = {c: dps for dps, c in GYR_CODES.items()}.get(code, self._gyr_range)

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:  # noqa: ARG002 - no clock
        """Collect three samples; send them as one message for each sensor."""
        if not self._started:
            return []
        self._batch.append(reading)
        if len(self._batch) < PACK:
            return []
        batch, self._batch = self._batch, []
        gyr_scale = math.radians(self._gyr_range / 2000.0 / 16.4)
        out: list[Notification] = []
        if ACC in self._started:
            out.append(_message(ACC, [reading.acc for reading in batch], self._acc_range * G / 32768.0))
        if GYR in self._started:
            out.append(_message(GYR, [reading.gyr for reading in batch], gyr_scale))
        return out


def _message(module: int, vectors: list[Vector], scale: float) -> Notification:
    counts = [_count(value, scale) for vector in vectors for value in vector]
    head = bytes((module, PACKED[CHIP][module]))
    return Notification(NOTIFY, head + struct.pack(f"<{len(counts)}h", *counts))


def _count(value: float, scale: float) -> int:
    return 0 if math.isnan(value) else min(max(round(value / scale), -32768), 32767)
