"""A stage of emulated sensors: published on a bus or injected into bleak, played in real time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from imu.sensors.driver import Driver, Peripheral
from tools.emulator.bluez import BluezService
from tools.emulator.device import Device, Link
from tools.emulator.feed import Feeder, Motion, StageClock

Result = TypeVar("Result")

START_TIMEOUT = 10.0


@dataclass(frozen=True)
class Part:
    """One sensor of a stage.

    Parameters
    ----------
    driver
        Its family.
    address
        Six octets with colons, upper case.
    motion
        What it feels.
    name
        Advertised name; the family's own unless given.
    booted
        Device time at the start, s since boot.
    rate_error
        Relative error of its clock.
    battery_percent
        Charge left.
    link
        Its radio.
    """

    driver: Driver
    address: str
    motion: Motion
    name: str = ""
    booted: float = 100.0
    rate_error: float = 0.0
    battery_percent: float = 90.0
    link: Link = field(default_factory=Link)

    def feeder(self, clock: StageClock, seed: int) -> Feeder:
        """Return the sensor, ready to be published and played."""

        def make() -> Peripheral:
            return self.driver.peripheral(name=self.name, address=self.address)

        sensor = make()
        sensor.battery_percent = self.battery_percent
        device = Device(self.address, sensor, link=self.link, rssi=-55 - 3 * seed, seed=seed)
        return Feeder(device, self.motion, clock, make, booted=self.booted, rate_error=self.rate_error)


def feeders(parts: Sequence[Part]) -> list[Feeder]:
    """Return the sensors of a stage; they share the time of the motion."""
    clock = StageClock()
    return [part.feeder(clock, seed) for seed, part in enumerate(parts)]


class BusStage:
    """Emulated sensors behind the stand-in service on a bus, in a thread of their own.

    Parameters
    ----------
    address
        Of the bus, as `PrivateBus.address`.
    parts
        The sensors.
    service
        Makes the service; by default one with a powered adapter.
    """

    def __init__(
        self,
        address: str,
        parts: Sequence[Part],
        service: Callable[[str], BluezService] = BluezService,
    ) -> None:
        self._address = address
        self._make_service = service
        self.feeders = feeders(parts)
        self.service = service(address)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="emulated sensors", daemon=True)
        self._playing: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        """Publish the sensors and begin to play them."""
        self._thread.start()
        self._wait(self._begin())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take everything off the bus."""
        self._wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT)
        self._loop.close()

    def do(self, action: Callable[[], Result]) -> Result:
        """Run an action between two samples, in the stage's own thread, and return its result."""
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(action())
            except Exception as error:  # noqa: BLE001  handed to the caller by the future
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(START_TIMEOUT)

    def kill_service(self) -> None:
        """Kill the service as `kill -9` does; the sensors play on, unheard."""
        self._wait(self.service.kill())

    def restart_service(self) -> None:
        """Start the service again after it was killed."""
        self.service = self._make_service(self._address)
        self._wait(self.service.start([feeder.device for feeder in self.feeders]))

    def _wait(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT)

    async def _begin(self) -> None:
        await self.service.start([feeder.device for feeder in self.feeders])
        self._playing = [asyncio.create_task(feeder.run()) for feeder in self.feeders]

    async def _end(self) -> None:
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        await self.service.kill()
