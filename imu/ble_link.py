"""One sensor's life on the air: found, connected, set up, streaming, lost, and back again.

Rules and times: the project's sensor reference C.4, rules 6, 7 and 8. Silence is judged by the data, not
by what the system says of the link: a real Bluetooth service that dies says nothing [K].
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from imu.ble import Connection, Radio, Sighting
from imu.errors import PacketError, RadioError
from imu.sensors.driver import Battery, Driver, Settings


@dataclass(frozen=True, slots=True)
class SensorRequest:
    """One sensor that a capture wants.

    Parameters
    ----------
    sensor
        Its id in the capture; messages call it by this name.
    address
        As `Sighting.address`.
    driver
        Its family.
    settings
        What its stream is set to.
    time_base
        Name of the time base that it shares with other sensors by radio; "" if it keeps its own time.
    """

    sensor: str
    address: str
    driver: Driver
    settings: Settings
    time_base: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, s.

    Parameters
    ----------
    quiet
        Without data for this long a sensor is shown as weak.
    stall
        Without data for this long its link is given up and made anew; a real sensor was seen to pause for
        0.95 s and lose nothing [K], so not below 2 s in earnest.
    look
        How often silence is looked for.
    connect
        Longest connection and set-up.
    disconnect
        Longest goodbye.
    back_off
        Pauses after failures that follow each other; the last one repeats without limit.
    together
        How long sensors that are ready wait for the others before they start.
    absent
        A sensor that was not heard for this long and then is has reappeared: pauses start anew.
    """

    quiet: float = 1.0
    stall: float = 3.0
    look: float = 0.1
    connect: float = 15.0
    disconnect: float = 5.0
    back_off: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    together: float = 15.0
    absent: float = 2.0


class LinkState(StrEnum):
    """Where a sensor is in its life."""

    SEARCHING = "searching"
    CONNECTING = "connecting"
    READY = "ready"
    STREAMING = "streaming"
    WEAK = "weak"
    LOST = "lost"
    WRONG = "wrong"
    CLOSED = "closed"


class LinkListener(Protocol):
    """Who is told what happens on a link, in the event loop, between two notifications."""

    def opened(self, sensor: str) -> None:
        """Take note of a new connection, before its first packet."""
        ...

    def arrived(self, sensor: str, arrival_ns: int, characteristic: str, payload: bytes) -> None:
        """Take what the sensor sent and when it arrived (monotonic, ns)."""
        ...

    def changed(self, link: "SensorLink") -> None:
        """Take note of a new state."""
        ...


class SensorLink:
    """Keeps one sensor streaming.

    Parameters
    ----------
    request
        The sensor.
    radio
        The host's Bluetooth.
    timing
        How long to wait for what.
    listener
        Who is told.
    """

    def __init__(self, request: SensorRequest, radio: Radio, timing: Timing, listener: LinkListener) -> None:
        self.request = request
        self.state = LinkState.SEARCHING
        self.words = "searching"
        self.problem: RadioError | None = None
        self.rssi = 0
        self.heard_ns = 0
        self._radio = radio
        self._timing = timing
        self._listener = listener
        self._failures = 0
        self._jitter = random.Random(request.address)

    @property
    def age(self) -> float:
        """Time since the last data, s; infinite if there never was any."""
        return (time.monotonic_ns() - self.heard_ns) * 1e-9 if self.heard_ns else float("inf")

    async def run(self, go: asyncio.Event) -> None:
        """Connect, stream after `go`, and come back after every loss, until cancelled or a wrong sensor."""
        while True:
            try:
                connection = await self._open()
                try:
                    await self._stream(connection, go)
                finally:
                    await connection.close(self._timing.disconnect)
            except RadioError as error:
                self.problem = error
                if error.kind == "wrong-sensor":
                    self._become(LinkState.WRONG, str(error))
                    return
                self._become(LinkState.LOST, str(error))
            await self._pause()

    async def _open(self) -> Connection:
        """Find the sensor, connect to it and set it up."""
        request, timing = self.request, self._timing
        if self.state is not LinkState.LOST:
            self._become(LinkState.SEARCHING, "searching")
        began = time.monotonic()
        sighting = await self._radio.find(request.address)
        self.rssi = sighting.rssi
        if time.monotonic() - began > timing.absent:
            self._failures = 0
        async with self._radio.connect(sighting, request.sensor, timing.connect) as connection:
            self._become(LinkState.CONNECTING, "connecting")
            await self._set_up(connection)
        self._become(LinkState.READY, "ready")
        return connection

    async def _set_up(self, connection: Connection) -> None:
        """Read who it is, configure it and subscribe."""
        driver, settings, sensor = self.request.driver, self.request.settings, self.request.sensor
        notify = driver.notify(settings)
        connection.expect(notify)
        self._listener.opened(sensor)
        for characteristic in filter(connection.has, driver.reads):
            value = await connection.read(characteristic)
            self._listener.arrived(sensor, time.monotonic_ns(), characteristic, value)
        await self._stop(connection)
        for write in driver.configure(settings):
            await connection.write(write)
        for characteristic in notify:
            await connection.subscribe(characteristic, self._heard(characteristic))

    async def _stream(self, connection: Connection, go: asyncio.Event) -> None:
        """Start, then watch over the data until the link is lost."""
        await _first(connection.lost, go)
        try:
            if connection.lost.is_set():
                raise RadioError("link", f"the link to {self.request.sensor} broke before the start")
            for write in self.request.driver.start(self.request.settings):
                await connection.write(write)
            self.heard_ns = time.monotonic_ns()
            await self._watch(connection)
        except asyncio.CancelledError:
            await self._stop(connection)
            self._become(LinkState.CLOSED, "closed")
            raise

    async def _watch(self, connection: Connection) -> None:
        timing = self._timing
        started_ns = self.heard_ns
        while not connection.lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.lost.wait(), timing.look)
            if self.heard_ns > started_ns:
                self._failures = 0
            if self.age > timing.stall:
                raise RadioError("link", f"no data for {self.age:.1f} s; connecting anew")
            if self.age > timing.quiet:
                self._become(LinkState.WEAK, f"no data for {self.age:.1f} s")
            elif self.heard_ns > started_ns:
                self._become(LinkState.STREAMING, "streaming")
        raise RadioError("link", "link lost; connecting anew")

    async def _stop(self, connection: Connection) -> None:
        """Ask the sensor to stop; one that does not stream may refuse, one that is gone cannot hear."""
        with suppress(TimeoutError, RadioError):
            async with asyncio.timeout(self._timing.disconnect):
                for write in self.request.driver.stop(self.request.settings):
                    await connection.write(write)

    async def _pause(self) -> None:
        """Wait before the next try, a little longer after each failure, never in step with other sensors."""
        pauses = self._timing.back_off
        pause = pauses[min(self._failures, len(pauses) - 1)]
        self._failures += 1
        await asyncio.sleep(pause * self._jitter.uniform(0.8, 1.2))

    def _heard(self, characteristic: str) -> Callable[[int, bytes], None]:
        sensor, listener = self.request.sensor, self._listener

        def heard(arrival_ns: int, payload: bytes) -> None:
            self.heard_ns = arrival_ns
            listener.arrived(sensor, arrival_ns, characteristic, payload)

        return heard

    def _become(self, state: LinkState, words: str) -> None:
        changed = state is not self.state
        self.state, self.words = state, words
        if changed:
            self._listener.changed(self)


async def read_battery(radio: Radio, sighting: Sighting, timing: Timing) -> float:
    """Return a sensor's charge, percent, or NaN if it does not tell; connects for a moment.

    Raises
    ------
    RadioError
        If the sensor does not answer.
    """
    if sighting.driver is None:
        return math.nan
    name = sighting.name or sighting.address
    decoder = sighting.driver.decoder(sighting.driver.settings())
    level = math.nan
    async with radio.connect(sighting, name, timing.connect) as connection:
        for characteristic in filter(connection.has, sighting.driver.reads):
            value = await connection.read(characteristic)
            with suppress(PacketError):
                for item in decoder.feed(characteristic, value):
                    level = item.percent if isinstance(item, Battery) else level
    await connection.close(timing.disconnect)
    return level


async def _first(*events: asyncio.Event) -> None:
    """Wait until any of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def missing(links: Sequence[SensorLink], timeout: float) -> RadioError:
    """Return why sensors did not all stream within some seconds, and what to do."""
    absent = [link for link in links if link.state is not LinkState.STREAMING]
    if not absent:
        return RadioError("link", f"the capture did not begin within {timeout:.0f} s; start it again")
    for link in absent:
        if link.problem is not None:
            return link.problem
    names = " and ".join(f"{link.request.sensor} ({link.request.address})" for link in absent)
    return RadioError(
        "not-found",
        f"{names} not found within {timeout:.0f} s; switch on, bring near, and disconnect from any phone "
        f"or other program",
    )
