"""One emulated sensor with its radio: the sensor's own side from its driver, and a link that can go wrong.

Nothing here knows how the device is published. A host (the stand-in for the Linux Bluetooth service, or
the back end injected into bleak) sets itself as `host` and is handed every notification that arrives.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from imu.errors import PacketError
from imu.sensors.driver import Notification, Peripheral

VALUE_NOT_ALLOWED = 0x13
"""ATT error code, Bluetooth Core Specification v5.2, volume 3, part F, 3.4.1.1."""

IDLE_EVENT = 0.01
"""How often a link without connection interval is looked after, s."""


class AttError(Exception):
    """The sensor answers a request with an error code of the attribute protocol."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error 0x{code:02x}")
        self.code = code


@dataclass
class Link:
    """The radio between a sensor and the host, with its faults.

    Parameters
    ----------
    connect_delay, resolve_delay
        Time until connected, and from there until the services are known, s.
    resolves
        Whether service discovery ever ends.
    connect_errors
        Error texts of the coming connection attempts, used up one by one.
    write_errors, subscribe_errors
        ATT codes with which the coming writes and subscriptions are refused, used up one by one.
    interval
        Connection interval, s: notifications leave in bursts at its multiples. 0 delivers at once.
    per_event
        Most notifications that fit in one connection event.
    loss, damage
        Probability that a notification never arrives, or arrives with one byte changed.
    stalled
        While True nothing arrives and nothing is lost: it waits, as behind a busy radio.
    silent
        While True notifications vanish: the link stands, the data has stopped.
    copies
        How often each notification is delivered.
    cut_every
        Deliver the bytes of each characteristic as one stream, cut anew every so many bytes: frames arrive
        merged and truncated. 0 leaves them whole.
    """

    connect_delay: float = 0.02
    resolve_delay: float = 0.02
    resolves: bool = True
    connect_errors: list[str] = field(default_factory=list[str])
    write_errors: list[int] = field(default_factory=list[int])
    subscribe_errors: list[int] = field(default_factory=list[int])
    interval: float = 0.0
    per_event: int = 6
    loss: float = 0.0
    damage: float = 0.0
    stalled: bool = False
    silent: bool = False
    copies: int = 1
    cut_every: int = 0


class Host(Protocol):
    """Whoever publishes devices."""

    def deliver(self, device: "Device", characteristic: str, payload: bytes) -> None:
        """Hand one notification to every subscribed client."""
        ...

    def drop(self, device: "Device") -> None:
        """Break the link as a supervision timeout does."""
        ...


@runtime_checkable
class RadioSync(Protocol):
    """A sensor that can run its clock with others' by a radio of its own."""

    @property
    def time_base(self) -> str:
        """What it shares with the sensors that run together; "" while it runs alone."""
        ...

    def tick(self, device_time: float, /) -> None:
        """Take note of its own time, s, while it sends no samples."""
        ...

    def disconnected(self) -> None:
        """Take note that no central is connected any more."""
        ...


class Device:
    """An advertising sensor.

    Parameters
    ----------
    address
        Six octets with colons, upper case.
    sensor
        The sensor's own side of its protocol.
    link
        The radio; a perfect one unless given.
    rssi
        Mean signal strength, dBm.
    mtu
        Negotiated attribute MTU, bytes.
    seed
        Of the losses on the link.
    """

    def __init__(
        self,
        address: str,
        sensor: Peripheral,
        *,
        link: Link | None = None,
        rssi: int = -60,
        mtu: int = 247,
        seed: int = 0,
    ) -> None:
        self.address = address
        self.sensor = sensor
        self.link = Link() if link is None else link
        self.rssi = rssi
        self.mtu = mtu
        self.advertising = True
        self.connected = False
        self.host: Host | None = None
        self._chance = random.Random(seed)
        self._waiting: list[Notification] = []
        self._stream: defaultdict[str, bytearray] = defaultdict(bytearray)

    def read(self, characteristic: str) -> bytes:
        """Return the value of a characteristic."""
        return self.sensor.read(characteristic)

    def write(self, characteristic: str, payload: bytes) -> None:
        """Take a write of a client; the answers are sent as notifications. Raises AttError."""
        if self.link.write_errors:
            raise AttError(self.link.write_errors.pop(0))
        try:
            answers = self.sensor.write(characteristic, payload)
        except PacketError as error:
            raise AttError(VALUE_NOT_ALLOWED) from error
        asyncio.get_running_loop().call_soon(self.send, answers)

    def subscribe(self, characteristic: str) -> None:
        """Let notifications of a characteristic out. Raises AttError."""
        if self.link.subscribe_errors:
            raise AttError(self.link.subscribe_errors.pop(0))
        self.resubscribe(characteristic)

    def resubscribe(self, characteristic: str) -> None:
        """Let notifications out again for a client that never left, as the service does by itself."""
        asyncio.get_running_loop().call_soon(self.send, self.sensor.set_subscribed(characteristic, True))

    def unsubscribe(self, characteristic: str) -> None:
        """Hold notifications of a characteristic back."""
        self.send(self.sensor.set_subscribed(characteristic, False))

    def send(self, notifications: Iterable[Notification]) -> None:
        """Send notifications; they arrive as the state of the link allows."""
        link = self.link
        for notification in notifications:
            if not self.connected or link.silent or self._happens(link.loss):
                continue
            for _ in range(link.copies):
                self._waiting.extend(self._reframed(self._damaged(notification)))
        if link.interval <= 0.0:
            self.flush(len(self._waiting))

    def flush(self, most: int) -> None:
        """Deliver up to `most` waiting notifications, unless the link is stalled."""
        if self.host is None or self.link.stalled:
            return
        leaving, self._waiting = self._waiting[:most], self._waiting[most:]
        for characteristic, payload in leaving:
            self.host.deliver(self, characteristic, payload)

    def disconnected(self) -> None:
        """Note that the link is gone: what waits is lost."""
        self.connected = False
        self._waiting.clear()
        self._stream.clear()
        if isinstance(self.sensor, RadioSync):
            self.sensor.disconnected()

    def lose_link(self, *, gone: bool = False) -> None:
        """Break the link; with `gone` the sensor is also out of reach until it advertises again."""
        if gone:
            self.advertising = False
        if self.host is not None:
            self.host.drop(self)

    async def connection_events(self) -> None:
        """Deliver at every connection interval, for as long as the host runs."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            interval = self.link.interval
            due = max(due + (interval or IDLE_EVENT), loop.time())
            await asyncio.sleep(due - loop.time())
            self.flush(self.link.per_event if interval else len(self._waiting))

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._chance.random() < probability

    def _damaged(self, notification: Notification) -> Notification:
        if not notification.payload or not self._happens(self.link.damage):
            return notification
        payload = bytearray(notification.payload)
        payload[self._chance.randrange(len(payload))] ^= 1 << self._chance.randrange(8)
        return Notification(notification.characteristic, bytes(payload))

    def _reframed(self, notification: Notification) -> list[Notification]:
        size = self.link.cut_every
        if size <= 0:
            return [notification]
        stream = self._stream[notification.characteristic]
        stream.extend(notification.payload)
        pieces = [bytes(stream[at : at + size]) for at in range(0, len(stream) - size + 1, size)]
        del stream[: len(pieces) * size]
        return [Notification(notification.characteristic, piece) for piece in pieces]
