"""A capture: sensors in, blocks out, everything on disk before anything is computed from it.

One thread with one asyncio loop of its own keeps the sensors streaming (`imu/ble_link.py`), records what
comes, and turns it into blocks. Blocks and notices leave through one queue. A lost sensor leaves the
others going. What ends the thread is kept in `error` for others to see.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from imu.ble import Backend, Radio
from imu.ble_link import LinkState, SensorLink, SensorRequest, Timing, missing
from imu.block import ImuBlock
from imu.errors import InputError, RadioError, RomcapError
from imu.health import Health, Notice
from imu.recording import Event, RawPacket, RecordingWriter, Status
from imu.sensors.driver import Battery, DeviceInfo
from imu.sensors.stream import SensorStream
from imu.streams import StreamLog, open_streams, plans_for

HOPELESS = frozenset({"permission", "no-service", "no-adapter", "off", "wrong-sensor", "held"})
"""Why a capture cannot begin; once it runs, all but the wrong sensor are waited out."""
STATUS_EVERY = 1.0
GAP_S = 0.1
"""Missing samples of at least this length are an event of the recording (sensor reference C.4, rule 12)."""
GAP_PERIODS = 1.5
"""At slow rates a step of so many sample periods is needed for a gap (rule 4)."""


@dataclass(slots=True)
class _Sensor:
    """What the worker keeps of one sensor."""

    stream: SensorStream
    gap: float
    connections: int = 0
    battery: float = math.nan
    about: DeviceInfo = field(default_factory=DeviceInfo)
    last_t: float = math.nan


class Acquisition:
    """Sensors streaming into one queue; as a context it starts and, whatever happens, ends cleanly.

    Parameters
    ----------
    requests
        The sensors wanted.
    backend
        Passed through to bleak.
    timing
        How long to wait for what.
    learnt
        Rate errors from earlier captures, by sensor address; see `SensorClock.learnt`.
    """

    def __init__(
        self,
        requests: Sequence[SensorRequest],
        *,
        backend: Backend | None = None,
        timing: Timing | None = None,
        learnt: Mapping[str, float] | None = None,
    ) -> None:
        self.requests = tuple(requests)
        self.queue: SimpleQueue[ImuBlock | Notice] = SimpleQueue()
        self.error: BaseException | None = None
        self.recording_error: RomcapError | None = None
        self.origin_ns = time.monotonic_ns()
        self.started_at = datetime.now(UTC)
        self._backend = backend
        self._timing = Timing() if timing is None else timing
        plans = plans_for(requests, learnt or {})
        self._sensors = {
            sensor: _Sensor(stream, gap=max(GAP_S, GAP_PERIODS / plans[sensor].settings.rate_hz))
            for sensor, stream in open_streams(plans).items()
        }
        self._log = StreamLog(plans, self.origin_ns)
        self._links: dict[str, SensorLink] = {}
        self._writer: RecordingWriter | None = None
        self._incoming: deque[RawPacket | Callable[[], None]] = deque()
        self._work_there = asyncio.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="acquisition", daemon=True)

    # ---- called from other threads ----------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start to look for the sensors."""
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the sensors, release the links, and wait until that is done."""
        self._call(self._stop.set)
        self._thread.join()

    @property
    def now(self) -> float:
        """Time on the capture clock, s; `started_at` is the wall time of its zero."""
        return (time.monotonic_ns() - self.origin_ns) * 1e-9

    def wait_for_all(self, timeout: float) -> None:
        """Wait until every sensor streams.

        Raises
        ------
        RadioError
            If the system or a sensor makes it hopeless, or the time is up; the sentence names the sensor.
        """
        deadline = time.monotonic() + timeout
        while True:
            links = list(self._links.values())
            if links and all(link.state is LinkState.STREAMING for link in links):
                return
            for link in links:
                if link.problem is not None and link.problem.kind in HOPELESS:
                    raise link.problem
            if self.error is not None:
                raise RadioError("link", f"the capture ended by itself ({self.error}); start it again")
            if time.monotonic() > deadline:
                raise missing(links, timeout)
            time.sleep(0.01)

    def record(self, writer: RecordingWriter | None) -> None:
        """Write everything from now on into a recording, or into none; the old one is not closed.

        A notice of kind `recording` or `not-recording` stands in the queue before the first block that is,
        or is not, in a recording. If the disk fails, recording ends, the error is kept in
        `recording_error`, and the sensors go on.
        """

        def change() -> None:
            self._writer = writer
            shifts = {sensor: item.stream.shift for sensor, item in self._sensors.items()}
            self._write(lambda writer: self._log.begin(writer, shifts))
            kind = "not-recording" if self._writer is None else "recording"
            self.queue.put(Notice(self.now, "", kind, kind.replace("-", " ")))

        self._later(change)
        self.catch_up()

    def begin_anew(self) -> None:
        """Begin another capture over the links as they are, clock and streams as if just connected.

        Raises
        ------
        InputError
            If a recording runs, or sensors share a time base: that they do is said only once, at the start.
        """
        if self._writer is not None or any(request.time_base for request in self.requests):
            raise InputError("begin anew after a recording has ended, and without radio synchronisation")
        origin_ns, started_at = time.monotonic_ns(), datetime.now(UTC)

        def change() -> None:
            self.origin_ns, self.started_at = origin_ns, started_at
            plans = plans_for(self.requests, self.learnt())
            self._log = StreamLog(plans, origin_ns)
            for sensor, stream in open_streams(plans).items():
                self._sensors[sensor].stream, self._sensors[sensor].last_t = stream, math.nan
                self._log.opened(sensor, None)
            self.queue.put(Notice(0.0, "", "anew", "another capture"))

        self._later(change)
        while getattr(self.queue.get(timeout=self._timing.disconnect), "kind", "") != "anew":
            pass

    def catch_up(self) -> None:
        """Wait until all that has arrived is recorded and in the queue."""
        done = threading.Event()
        self._later(done.set)
        done.wait(self._timing.disconnect)

    def event(self, kind: str, data: Mapping[str, Any] | None = None, t: float | None = None) -> Event:
        """Put an event into the recording, now unless `t` says when, and return it."""
        event = Event(self.now if t is None else t, kind, dict(data or {}))
        self._later(lambda: self._write(lambda writer: writer.write_event(event)))
        return event

    def calibration(self, document: Mapping[str, Any]) -> None:
        """Put a calibration into the recording."""
        self._later(lambda: self._write(lambda writer: writer.write_calibration(document)))

    def shift(self, offsets: Mapping[str, float]) -> None:
        """Add seconds to the times of sensors from now on, so that they agree with the others'.

        Parameters
        ----------
        offsets
            s, by sensor; see `imu/taps.py`.

        Raises
        ------
        InputError
            If a recording runs: time must not jump in it.
        """
        if self._writer is not None:
            raise InputError("times can be aligned only before the recording begins; end it and begin anew")

        def change() -> None:
            for sensor, seconds in offsets.items():
                self._sensors[sensor].stream.shift += seconds

        self._later(change)
        self.catch_up()

    def health(self) -> tuple[Health, ...]:
        """Return how each sensor does."""
        return tuple(self._health(link) for link in self._links.values())

    def learnt(self) -> dict[str, float]:
        """Return the rate errors worth keeping for the next capture, by sensor address."""
        rates = ((r.address, self._sensors[r.sensor].stream.clock.learnt) for r in self.requests)
        return {address: rate for address, rate in rates if rate is not None}

    # ---- links, in the event loop -----------------------------------------------------------------

    def opened(self, sensor: str) -> None:
        """Take note of a new connection, before its first packet."""
        self._put(lambda: self._reopened(sensor))

    def arrived(self, sensor: str, arrival_ns: int, characteristic: str, payload: bytes) -> None:
        """Queue what a sensor sent."""
        self._put(RawPacket(sensor, arrival_ns, characteristic, payload))

    def changed(self, link: SensorLink) -> None:
        """Tell a person, and the recording if the sensor was lost."""
        sensor, state, words = link.request.sensor, link.state, link.words
        t = self.now
        self.queue.put(Notice(t, sensor, state, words))
        if state is LinkState.LOST and self._sensors[sensor].stream.clock.report().samples:
            event = Event(t, "dropout", {"sensor": sensor, "reason": words})
            self._put(lambda: self._write(lambda writer: writer.write_event(event)))

    # ---- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001  kept for other threads, which decide
            self.error = error
            self.queue.put(Notice(self.now, "", "failed", str(error) or type(error).__name__))
        finally:
            self._running.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        radio = Radio(self._backend)
        self._links = {
            request.sensor: SensorLink(request, radio, self._timing, self) for request in self.requests
        }
        self._running.set()
        go = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            lives = [group.create_task(link.run(go)) for link in self._links.values()]
            others = [group.create_task(work) for work in (self._start_together(go), self._report())]
            worker = group.create_task(self._work())
            await self._stop.wait()
            for task in (*lives, *others):
                task.cancel()
            await asyncio.wait(lives)
            self._write_statuses()
            while self._incoming:
                self._handle(self._incoming.popleft())
            worker.cancel()

    async def _start_together(self, go: asyncio.Event) -> None:
        """Let all sensors start once all are ready, or once those that are have waited long enough."""
        waiting = {LinkState.SEARCHING, LinkState.CONNECTING, LinkState.LOST}
        ready_since = math.inf
        while any(link.state in waiting for link in self._links.values()):
            if any(link.state is LinkState.READY for link in self._links.values()):
                ready_since = min(ready_since, time.monotonic())
            if time.monotonic() - ready_since > self._timing.together:
                break
            await asyncio.sleep(self._timing.look)
        go.set()

    async def _work(self) -> None:
        while True:
            await self._work_there.wait()
            while self._incoming:
                self._handle(self._incoming.popleft())
                await asyncio.sleep(0)
            self._work_there.clear()

    def _put(self, item: RawPacket | Callable[[], None]) -> None:
        self._incoming.append(item)
        self._work_there.set()

    def _handle(self, item: RawPacket | Callable[[], None]) -> None:
        """Record one packet, decode it, record its samples, and only then pass them on."""
        if not isinstance(item, RawPacket):
            item()
            return
        self._guard(lambda: self._log.take(item, self._writer))
        sensor = self._sensors[item.sensor]
        arrival = (item.arrival_ns - self.origin_ns) * 1e-9
        heard = sensor.stream.feed(arrival, item.characteristic, item.payload)
        for news in heard.news:
            if isinstance(news, Battery):
                sensor.battery = news.percent
            elif isinstance(news, DeviceInfo):
                sensor.about = news
        block = heard.block
        if block is None:
            return
        self._write(lambda writer: writer.write(block))
        self._note_gaps(sensor, block)
        self.queue.put(block)

    def _note_gaps(self, sensor: _Sensor, block: ImuBlock) -> None:
        start = sensor.last_t
        for stop in block.t.tolist():
            if stop - start > sensor.gap:
                data = {"sensor": block.sensor, "start": start, "stop": stop, "seconds": stop - start}
                event = Event(stop, "gap", data)
                self._write(lambda writer, event=event: writer.write_event(event))
                words = f"{stop - start:.1f} s of data are missing"
                self.queue.put(Notice(stop, block.sensor, "gap", words))
            start = stop
        sensor.last_t = start

    def _reopened(self, sensor: str) -> None:
        self._guard(lambda: self._log.opened(sensor, self._writer))
        self._sensors[sensor].connections += 1
        if self._sensors[sensor].connections > 1:
            self._sensors[sensor].stream.link_restored()

    def _write(self, put: Callable[[RecordingWriter], None]) -> None:
        """Put something into the recording, if there is one."""
        writer = self._writer
        if writer is not None:
            self._guard(lambda: put(writer))

    def _guard(self, put: Callable[[], None]) -> None:
        """Record something; a disk that fails ends the recording only."""
        try:
            put()
        except RomcapError as error:
            self.recording_error = error
            self._writer = None
            self.queue.put(Notice(self.now, "", "not-recording", str(error)))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY)
            self._write_statuses()

    def _write_statuses(self) -> None:
        for health in self.health():
            numbers: dict[str, Any] = asdict(health)
            numbers.update(numbers.pop("clock"))
            kept = {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in numbers.items()
                if name not in ("sensor", "words")
            }
            status = Status(health.sensor, self.now, kept)
            self._write(lambda writer, status=status: writer.write_status(status))

    def _health(self, link: SensorLink) -> Health:
        sensor = self._sensors[link.request.sensor]
        return Health(
            sensor=link.request.sensor,
            state=link.state,
            words=link.words,
            age=link.age,
            battery=sensor.battery,
            rssi=link.rssi,
            serial=sensor.about.serial,
            firmware=sensor.about.firmware,
            broken=sensor.stream.broken,
            clock=sensor.stream.clock.report(),
        )

    def _later(self, action: Callable[[], None]) -> None:
        """Do something in its turn, after all that has arrived."""
        self._call(lambda: self._put(action))

    def _call(self, action: Callable[[], None]) -> None:
        """Do something in the acquisition thread at once; nothing if that thread has ended."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(action)
