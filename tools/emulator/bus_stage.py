"""Emulated sensors behind the stand-in service on a bus, in a thread of their own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from tools.emulator.bluez import BluezService
from tools.emulator.stage import Part, feeders

Result = TypeVar("Result")

START_TIMEOUT = 10.0


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
