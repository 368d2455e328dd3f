"""Sensors through bleak's own Linux back end: losses, order, arrival to angle, cost of a notification.

Run `python tests/bench/radio.py [SECONDS]`. The sensors are emulated in another process. The peer is bleak
alone: the same load with a callback that only counts.
"""

import asyncio
import math
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from imu.acquisition import Acquisition
from imu.ble_link import SensorRequest
from imu.clock import SensorClock
from imu.health import Notice
from imu.recording import Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.driver import Decoder, Reading
from imu.sensors.registry import driver_named
from imu.sensors.stream import SensorStream
from rom.catalogue.movement import AngleRule
from rom.reading import TrackedSensor, TrackerSetup
from rom.tracker import JointTracker
from tools.emulator.bus import VARIABLE

ROOT = Path(__file__).parents[2]
CASES = (("open", 4, 120.0), ("movella-dot", 7, 60.0))
SETTLE = 5.0
PEER_SECONDS = 10.0
PASSES = 7


@contextmanager
def emulated(kind: str, count: int, seconds: float) -> Generator[None]:
    """Publish sensors from a process of their own, and connect this one to their bus."""
    command = [sys.executable, "-c", "from tools.cli.main import main; main()", "simulate", "--kind", kind]
    command += ["--sensors", str(count), "--seconds", str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if VARIABLE in line:
            os.environ[VARIABLE] = line.split(f"{VARIABLE}=")[1].strip()
        if line.startswith("Ctrl-C"):
            break
    try:
        yield
    finally:
        process.terminate()
        process.wait(10.0)
        process.stdout.close()


def address(number: int) -> str:
    """Return the address that `rom simulate` gives to a sensor."""
    return f"D4:22:CD:00:00:{number + 1:02X}"


class Timed(Acquisition):
    """An acquisition that remembers when the bytes of each block arrived."""

    def __init__(self, requests: list[SensorRequest]) -> None:
        super().__init__(requests)
        self.stamps: dict[str, deque[int]] = {request.sensor: deque() for request in requests}
        self.enqueue_ns: list[int] = []
        self.streams = {request.driver.notify(request.settings)[-1] for request in requests}

    def arrived(self, sensor: str, arrival_ns: int, characteristic: str, payload: bytes) -> None:
        """Queue as always, and note how long it took."""
        begin = time.thread_time_ns()
        super().arrived(sensor, arrival_ns, characteristic, payload)
        self.enqueue_ns.append(time.thread_time_ns() - begin)
        if characteristic in self.streams:
            self.stamps[sensor].append(arrival_ns)


def trackers(sensors: list[str], rate: float) -> dict[str, JointTracker]:
    """Return one joint for each pair of sensors; a lone last one is measured alone."""
    rule = AngleRule("cardan_zxy", 0, 1, 1)
    found: dict[str, JointTracker] = {}
    for first in range(0, len(sensors), 2):
        pair = sensors[first : first + 2]
        tracked = [TrackedSensor(name, rate) for name in pair]
        setup = TrackerSetup(
            rule=rule, side="right", distal=tracked[-1], proximal=tracked[0] if len(pair) > 1 else None
        )
        tracker = JointTracker(setup)
        found |= dict.fromkeys(pair, tracker)
    return found


def ours(kind: str, count: int, rate: float, seconds: float, file: Path) -> None:
    """Capture, record and track; print what was lost and how late the angles were."""
    driver = driver_named(kind)
    settings = driver.settings(rate_hz=rate)
    requests = [SensorRequest(f"s{i}", address(i), driver, settings) for i in range(count)]
    joints = trackers([request.sensor for request in requests], rate)
    late: list[float] = []
    last: dict[str, float] = {}
    received = dict.fromkeys(joints, 0)
    cpu = 0.0
    with Timed(requests) as acquisition:
        acquisition.wait_for_all(30.0)
        infos = tuple(SensorInfo(r.sensor, r.sensor, kind, rate) for r in requests)
        header = RecordingHeader(created_at=acquisition.started_at, sensors=infos, simulated=True)
        with RecordingWriter(file, header) as writer:
            acquisition.record(writer)
            cpu = -time.process_time()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                item = acquisition.queue.get(timeout=5.0)
                if isinstance(item, Notice):
                    continue
                stamp = acquisition.stamps[item.sensor].popleft()
                joints[item.sensor].feed(item)
                if acquisition.now > SETTLE:
                    late.append((time.monotonic_ns() - stamp) * 1e-6)
                assert item.t[0] > last.get(item.sensor, -math.inf), "order"
                last[item.sensor] = float(item.t[-1])
                received[item.sensor] += len(item)
            cpu += time.process_time()
            health = acquisition.health()
            acquisition.record(None)
    print(
        f"{kind}: {count} sensors x {rate:g} Hz for {seconds:g} s, load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores, {100 * cpu / seconds:.0f} % of a core"
    )
    for item in health:
        c = item.clock
        print(
            f"  {item.sensor}: {c.samples} samples, {c.lost} lost, {c.duplicates} repeated, late p50 "
            f"{c.late_p50 * 1e3:.1f} p95 {c.late_p95 * 1e3:.1f} most {c.late_most * 1e3:.1f} ms"
        )
    p50, p95, p99 = np.percentile(late, [50, 95, 99])
    print(f"  arrival to angle: p50 {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f} ms (wanted: p99 below 10)")
    queueing = float(np.median(acquisition.enqueue_ns)) * 1e-3
    decoding, clock, blocks = costs(file, requests, acquisition.origin_ns)
    decoded = queueing + decoding
    print(
        f"  a notification: queueing {queueing:.1f} (median) + decoding {decoding:.1f} = {decoded:.1f} us "
        f"(wanted: below 20); + clock {clock:.1f} + blocks {blocks:.1f} = {decoded + clock + blocks:.1f} us"
    )


def costs(file: Path, requests: list[SensorRequest], origin_ns: int) -> tuple[float, float, float]:
    """Return the CPU time of decoding, of the clock and of the rest, us a recorded notification.

    The best mean of some passes: other programs cost time, never save any.
    """
    packets = list(Recording.open(file).raw())
    best = [math.inf] * 3

    def passed(part: int, work: Callable[[], None]) -> None:
        begin = time.thread_time()
        work()
        best[part] = min(best[part], (time.thread_time() - begin) / len(packets) * 1e6)

    for _ in range(PASSES):
        decoders = {r.sensor: r.driver.decoder(r.settings) for r in requests}
        ticks: list[tuple[str, float, list[int | None]]] = []

        def decode(decoders: Mapping[str, Decoder] = decoders) -> None:
            for packet in packets:
                decoders[packet.sensor].feed(packet.characteristic, packet.payload)

        for packet in packets:
            items = decoders[packet.sensor].feed(packet.characteristic, packet.payload)
            sent = [item.ticks for item in items if isinstance(item, Reading)]
            if sent:
                ticks.append((packet.sensor, (packet.arrival_ns - origin_ns) * 1e-9, sent))
        clocks = {r.sensor: SensorClock(r.driver.clock(r.settings), r.settings.rate_hz) for r in requests}
        streams = {r.sensor: SensorStream(r.sensor, r.driver, r.settings) for r in requests}

        def stamp(
            clocks: Mapping[str, SensorClock] = clocks,
            ticks: Sequence[tuple[str, float, list[int | None]]] = ticks,
        ) -> None:
            for sensor, arrival, sent in ticks:
                clocks[sensor].feed(arrival, sent)

        def whole(streams: Mapping[str, SensorStream] = streams) -> None:
            for packet in packets:
                arrival = (packet.arrival_ns - origin_ns) * 1e-9
                streams[packet.sensor].feed(arrival, packet.characteristic, packet.payload)

        for part, work in enumerate((decode, stamp, whole)):
            passed(part, work)
    decoding, clock, all_together = best
    return decoding, clock, all_together - decoding - clock


def peer(kind: str, count: int, rate: float) -> float:
    """Return the share of a core that bleak alone takes for the same load."""
    from bleak import BleakClient, BleakScanner

    driver = driver_named(kind)
    settings = driver.settings(rate_hz=rate)
    seen = [0]

    def count_only(_: object, __: bytearray) -> None:
        seen[0] += 1

    async def run() -> float:
        clients: list[BleakClient] = []
        for number in range(count):
            found = await BleakScanner.find_device_by_address(address(number))
            assert found is not None
            client = BleakClient(found)
            await client.connect()
            for write in driver.configure(settings):
                await client.write_gatt_char(write.characteristic, write.payload, response=write.response)
            for uuid in driver.notify(settings):
                await client.start_notify(uuid, count_only)
            clients.append(client)
        for client in clients:
            for write in driver.start(settings):
                await client.write_gatt_char(write.characteristic, write.payload, response=write.response)
        begin = time.process_time()
        await asyncio.sleep(PEER_SECONDS)
        used = time.process_time() - begin
        for client in clients:
            await client.disconnect()
        return used / PEER_SECONDS

    return asyncio.run(run())


def main() -> None:
    """Run every case."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    for kind, count, rate in CASES:
        with TemporaryDirectory() as folder, emulated(kind, count, seconds + 60.0):
            ours(kind, count, rate, seconds, Path(folder) / "bench.mcap")
            print(f"  bleak alone: {100 * peer(kind, count, rate):.0f} % of a core")


if __name__ == "__main__":
    main()
