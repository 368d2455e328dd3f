"""Hold the clocks of several sensors together by their own radio, before a capture begins.

Two families can. A Movella DOT is told by a message, left alone for 14 s without a connection, and then
says how it went [S: XD0506P, MID 02]. Of capture2go IMUs one sends and the others follow for as long as
they are told to [S: Capture2Go protocol]. Both are in the project's sensor reference, A.1 and A.3.

Nothing was tried on real sensors of either family: the exchange follows the makers' documents.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from secrets import randbits

from imu.ble import SENTENCES, Backend, Connection, Radio
from imu.ble_link import SensorRequest
from imu.errors import InputError, PacketError, RadioError
from imu.sensors import capture2go as c2g
from imu.sensors import dot_messages
from imu.sensors.driver import Ack, Item, Polled, Write
from imu.sensors.movella_dot import MESSAGE_ACK, MESSAGE_CONTROL, MESSAGE_NOTIFY
from imu.sensors.synchronised import SynchronisedCapture2Go, SynchronisedDot

DOT, CAPTURE2GO = "movella-dot", "capture2go"
ROUND_TRIPS = 8
APART = 0.05
"""Clocks that are farther apart than this, and than a round trip can tell, s, are not synchronised: the
same as the step from which a packet is too early for its envelope (`imu/clock.py`)."""


@dataclass(frozen=True, slots=True)
class SyncTiming:
    """How long to wait for what, s.

    Parameters
    ----------
    find, connect, disconnect
        Longest search, connection and goodbye of one sensor.
    answer
        Longest wait for an answer, or until a sensor follows.
    leave
        DOT: from the start message to the disconnection, 0.8 s in the maker's own server.
    alone
        DOT: how long it is left alone; the maker asks for at least 14 s.
    """

    find: float = 30.0
    connect: float = 15.0
    disconnect: float = 5.0
    answer: float = 5.0
    leave: float = 0.8
    alone: float = dot_messages.SYNC_SECONDS + 0.5


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How it went for one sensor: whether its clock runs with the others', and its words for a person."""

    sensor: str
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Synchronisation:
    """What `synchronise` arranged.

    Parameters
    ----------
    requests
        What to ask of the sensors in the capture, in the order given: those that were synchronised share a
        time base.
    results
        One for each sensor that was to be synchronised.
    """

    requests: tuple[SensorRequest, ...]
    results: tuple[SyncResult, ...]


def synchronise(
    requests: Sequence[SensorRequest], *, backend: Backend | None = None, timing: SyncTiming | None = None
) -> Synchronisation:
    """Synchronise every family of which there are two or more sensors, and that can; connects by itself.

    Sensors that were synchronised before are told to stop that first. If one sensor of a family fails, none
    of that family shares a time base: the results say which failed and what to do.

    Parameters
    ----------
    requests
        The sensors of the coming capture, none of them connected.
    backend
        Passed through to bleak.
    timing
        How long to wait for what.

    Raises
    ------
    InputError
        If there are not two sensors of one family that can, or the system hides the addresses it takes.
    RadioError
        If a sensor is not heard, does not answer or refuses.
    """
    groups = {
        family: [request for request in requests if request.driver.capability.family == family]
        for family in (DOT, CAPTURE2GO)
    }
    groups = {family: group for family, group in groups.items() if len(group) > 1}
    if not groups:
        kinds = ", ".join(request.driver.capability.family for request in requests) or "none"
        raise InputError(
            f"two or more sensors of one family that can synchronise by radio ({DOT} or {CAPTURE2GO}) were "
            f"expected, got {kinds}; align other sensors by taps"
        )
    return asyncio.run(_synchronise(requests, groups, backend, SyncTiming() if timing is None else timing))


async def _synchronise(
    requests: Sequence[SensorRequest],
    groups: dict[str, list[SensorRequest]],
    backend: Backend | None,
    timing: SyncTiming,
) -> Synchronisation:
    radio = Radio(backend)
    changed: dict[str, SensorRequest] = {}
    results: list[SyncResult] = []
    for family, group in groups.items():
        arrange = _dots if family == DOT else _capture2go
        new, told = await arrange(radio, group, timing)
        results += told
        if all(result.ok for result in told):
            changed.update({request.sensor: request for request in new})
    return Synchronisation(
        tuple(changed.get(request.sensor, request) for request in requests), tuple(results)
    )


async def _dots(
    radio: Radio, group: Sequence[SensorRequest], timing: SyncTiming
) -> tuple[list[SensorRequest], list[SyncResult]]:
    start = Write(MESSAGE_CONTROL, dot_messages.start_sync(group[0].address))
    async with AsyncExitStack() as stack:
        talks = [await _Talk.begin(radio, request, timing, stack) for request in group]
        for talk in talks:
            await talk.listen(MESSAGE_NOTIFY)
            for write in talk.request.driver.stop(talk.request.settings):
                await talk.connection.write(write)
            status = await talk.ask(Write(MESSAGE_CONTROL, dot_messages.ask_sync_status()), "sync-status")
            if status.ok:
                stopped = await talk.ask(Write(MESSAGE_CONTROL, dot_messages.stop_sync()), "sync-stop")
                if not stopped.ok:
                    raise RadioError(
                        "refused",
                        f"{talk.request.sensor} is synchronised already and does not stop being so "
                        f"({stopped.words}); switch it off and on, then try again",
                    )
            for write in talk.request.driver.configure(talk.request.settings):
                await talk.connection.write(write)
        await asyncio.gather(*(talk.connection.write(start) for talk in talks))
        await asyncio.sleep(timing.leave)
    await asyncio.sleep(timing.alone)
    results: list[SyncResult] = []
    for request in group:
        async with AsyncExitStack() as stack:
            talk = await _Talk.begin(radio, request, timing, stack)
            results.append(_told(request.sensor, await talk.connection.read(MESSAGE_ACK)))
    base = f"{DOT} {group[0].address}"
    driver = SynchronisedDot()
    return [replace(request, driver=driver, time_base=base) for request in group], results


def _told(sensor: str, payload: bytes) -> SyncResult:
    try:
        ack = dot_messages.parse_reply(payload)
    except PacketError as error:
        return SyncResult(sensor, False, f"its answer cannot be read ({error}); try again")
    if ack.command != "sync":
        return SyncResult(sensor, False, "it says nothing of a synchronisation; try again")
    return SyncResult(sensor, ack.ok, ack.words)


async def _capture2go(
    radio: Radio, group: Sequence[SensorRequest], timing: SyncTiming
) -> tuple[list[SensorRequest], list[SyncResult]]:
    number = randbits(64)
    new = [
        replace(
            request,
            driver=SynchronisedCapture2Go(c2g.SYNC_RECEIVER if place else c2g.SYNC_SENDER, number),
            time_base=f"{CAPTURE2GO} {number:016x}",
        )
        for place, request in enumerate(group)
    ]
    async with AsyncExitStack() as stack:
        talks = [await _Talk.begin(radio, request, timing, stack) for request in new]
        for place, talk in enumerate(talks):
            await talk.listen(c2g.TX)
            *before, mode = talk.request.driver.configure(talk.request.settings)
            for write in before:
                await talk.connection.write(write)
            await talk.ask(mode, "measurement-mode")
            if place == 0:
                await talk.ask(c2g.set_time(time.time_ns()), "set-time")
        follows = [await talk.until_synchronised() for talk in talks]
        clocks = [await talk.clock_offset() for talk in talks]
    sent, uncertain = clocks[0]
    results: list[SyncResult] = []
    for talk, ok, (offset, half) in zip(talks, follows, clocks, strict=True):
        apart, sure = abs(offset - sent), half + uncertain
        words = f"{apart * 1e3:.1f} ms from the first, seen to {sure * 1e3:.1f} ms"
        if not ok or math.isnan(apart):
            result = SyncResult(talk.request.sensor, False, "it does not follow; bring the sensors together")
        elif apart > max(APART, sure):
            result = SyncResult(talk.request.sensor, False, f"its clock is {words}; try again")
        else:
            result = SyncResult(talk.request.sensor, True, f"clocks are synchronised: {words}")
        results.append(result)
    return new, results


class _Talk:
    """Questions and answers with one connected sensor."""

    def __init__(self, request: SensorRequest, connection: Connection, timing: SyncTiming) -> None:
        self.request = request
        self.connection = connection
        self._timing = timing
        self._decoder = request.driver.decoder(request.settings)
        self._items: asyncio.Queue[tuple[int, Item]] = asyncio.Queue()

    @classmethod
    async def begin(
        cls, radio: Radio, request: SensorRequest, timing: SyncTiming, stack: AsyncExitStack
    ) -> "_Talk":
        """Find and connect to a sensor; the stack says goodbye."""
        try:
            sighting = await asyncio.wait_for(radio.find(request.address), timing.find)
        except TimeoutError:
            raise RadioError("not-found", SENTENCES["not-found"].format(name=request.sensor)) from None
        async with radio.connect(sighting, request.sensor, timing.connect) as connection:
            connection.expect(request.driver.notify(request.settings))
        stack.push_async_callback(connection.close, timing.disconnect)
        return cls(request, connection, timing)

    async def listen(self, characteristic: str) -> None:
        """Take what the sensor answers on a characteristic."""

        def heard(arrival_ns: int, payload: bytes) -> None:
            try:
                items = self._decoder.feed(characteristic, payload)
            except PacketError:
                return
            for item in items:
                self._items.put_nowait((arrival_ns, item))

        await self.connection.subscribe(characteristic, heard)

    async def ask(self, write: Write, command: str) -> Ack:
        """Write, and return the sensor's answer to a command. Raises RadioError if none comes."""
        await self.connection.write(write)
        try:
            async with asyncio.timeout(self._timing.answer):
                while True:
                    _, item = await self._items.get()
                    if isinstance(item, Ack) and item.command == command:
                        return item
        except TimeoutError:
            name = self.request.sensor
            raise RadioError("no-answer", SENTENCES["no-answer"].format(name=name)) from None

    async def until_synchronised(self) -> bool:
        """Ask again and again until the sensor says that it follows; return whether it does."""
        until = time.monotonic() + self._timing.answer
        while time.monotonic() < until:
            if (await self.ask(c2g.command(c2g.GET_STATUS), "sync-status")).ok:
                return True
            await asyncio.sleep(self._timing.answer / 50.0)
        return False

    async def round_trip(self) -> tuple[float, tuple[float, ...]]:
        """Return when the answer arrived, and its four times, ns."""
        while True:
            arrival, item = await self._items.get()
            if isinstance(item, Polled) and item.name == "round_trip_ns":
                return arrival, item.values

    async def clock_offset(self) -> tuple[float, float]:
        """Return how far the sensor's clock is ahead of the host's, and half the best round trip, s."""
        best, offset = math.inf, math.nan
        for _ in range(ROUND_TRIPS):
            asked = time.monotonic_ns()
            await self.connection.write(c2g.ask_round_trip(asked))
            try:
                arrival, times = await asyncio.wait_for(self.round_trip(), self._timing.answer)
            except TimeoutError:
                continue
            if arrival - asked < best:
                best = arrival - asked
                offset = (times[1] + times[2] - asked - arrival) / 2.0
        return offset * 1e-9, best * 0.5e-9
