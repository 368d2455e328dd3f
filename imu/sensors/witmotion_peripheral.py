"""A WitMotion sensor's own side of its protocol, for the emulator and for round-trip tests.

Same sources as `imu/sensors/witmotion.py`. Several frames share a notification at 50 Hz and above, eight
at 200 Hz [S].
"""

import struct
from datetime import UTC, datetime

from imu.errors import PacketError
from imu.sensors.checks import sendable
from imu.sensors.driver import UNKNOWN, Advertisement, Characteristic, Notification, Reading, Service
from imu.sensors.witmotion import (
    ACC_SCALE,
    ANGLE_SCALE,
    BATTERY_EMPTY_V,
    BATTERY_FULL_V,
    FRAME,
    GYR_SCALE,
    NOTIFY,
    RATE_CODES,
    REGISTER_BATTERY,
    REGISTER_RATE,
    REPLY,
    SERVICE,
    UNLOCK,
    WRITE,
)

EVERY = 0.04
"""About how long frames are collected for one notification, s: 8 frames at 200 Hz [S]."""


class WitPeripheral:
    """One emulated WitMotion sensor that sends 20-byte frames."""

    def __init__(self, name: str) -> None:
        self.advertisement = Advertisement(name, (SERVICE,))
        self.services: tuple[Service, ...] = (
            Service(
                SERVICE,
                (
                    Characteristic(NOTIFY, ("notify",)),
                    Characteristic(WRITE, ("write", "write-without-response")),
                ),
            ),
        )
        self.battery_percent = 100.0
        self._rate = 10.0
        self._subscribed = False
        self._unlocked = False
        self._frames: list[bytes] = []

    @property
    def streaming(self) -> bool:
        """Whether somebody listens."""
        return self._subscribed

    @property
    def rate_hz(self) -> float:
        """The output rate."""
        return self._rate

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        """Start or stop the stream with the subscription."""
        if characteristic == NOTIFY:
            self._subscribed = subscribed
            self._frames = []
        return []

    def read(self, characteristic: str) -> bytes:
        """Refuse: there is nothing to read."""
        raise PacketError(f"a WitMotion has nothing to read at {characteristic}", b"")

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        """Take a register write or question; what is unknown is ignored, as the sensor does."""
        if characteristic != WRITE or len(payload) != 5 or payload[:2] != b"\xff\xaa":
            raise PacketError("a WitMotion command must be FF AA and three bytes", payload)
        register, low = payload[2], payload[3]
        if payload == UNLOCK:
            self._unlocked = True
        elif register == 0x27:
            return [Notification(NOTIFY, self._reply(low))]
        elif register == REGISTER_RATE and self._unlocked:
            rates = {code: rate for rate, code in RATE_CODES.items()}
            self._rate = rates.get(low, self._rate)
        return []

    def _reply(self, register: int) -> bytes:
        words = [0] * 8
        if register == REGISTER_BATTERY:
            share = (self.battery_percent - 5.0) / 95.0
            words[0] = round(100.0 * (BATTERY_EMPTY_V + share * (BATTERY_FULL_V - BATTERY_EMPTY_V)))
        return REPLY + struct.pack("<H8h", register, *words)

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:  # noqa: ARG002 - no clock
        """Collect frames and send them together when there are enough for one notification."""
        if not self._subscribed:
            return []
        self._frames.append(encode_frame(reading))
        if len(self._frames) < max(1, round(self._rate * EVERY)):
            return []
        together, self._frames = b"".join(self._frames), []
        return [Notification(NOTIFY, together)]


def encode_frame(reading: Reading) -> bytes:
    """Return the frame of one sample: 28 bytes if the reading has ticks (ms since 1970), else 20."""
    counts = [
        *_counts(reading.acc, ACC_SCALE),
        *_counts(reading.gyr, GYR_SCALE),
        *_counts(reading.more.get("euler_deg", UNKNOWN), ANGLE_SCALE),
    ]
    frame = FRAME + struct.pack("<9h", *counts)
    if reading.ticks is None:
        return frame
    seconds, ms = divmod(reading.ticks, 1000)
    at = datetime.fromtimestamp(seconds, UTC)
    return frame + struct.pack("<6BH", at.year - 2000, at.month, at.day, at.hour, at.minute, at.second, ms)


def _counts(values: tuple[float, ...], scale: float) -> list[int]:
    return [min(round(value / scale), 32767) for value in sendable(values, 32768.0 * scale)]
