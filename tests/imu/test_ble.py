"""The real driver through bleak's own Linux back end, against emulated sensors that misbehave.

Every row of the error table (sensor reference C.5): the others go on, the lost sensor is back soon after it
reappears, the recording holds the gap, nothing received is lost.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypedDict

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner

from imu.acquisition import Acquisition
from imu.ble_link import LinkState, SensorRequest, Timing
from imu.block import FloatArray, ImuBlock, join
from imu.errors import InputError, RadioError, RecordingError
from imu.health import Health, Notice
from imu.recording import RawPacket, Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.driver import Driver
from imu.sensors.registry import driver_named
from imu.sensors.stream import SensorStream
from tools.emulator import bus
from tools.emulator.device import Device, Link
from tools.emulator.feed import BlockMotion, Motion

pytestmark = [pytest.mark.usefixtures("private"), pytest.mark.timeout(60)]

if sys.platform == "linux":
    from tools.emulator.bluez import BluezService
    from tools.emulator.bus_stage import BusStage
    from tools.emulator.stage import Part


class ServiceTiming(TypedDict):
    """Time constants of the stand-in service."""

    advertising_interval: float
    absent_timeout: float


DOT = driver_named("movella-dot")
RATE = 60.0
FAST = Timing(quiet=0.25, stall=0.6, look=0.02, connect=3.0, disconnect=1.0, back_off=(0.05, 0.1, 0.2))
FAST_SERVICE: ServiceTiming = {"advertising_interval": 0.02, "absent_timeout": 0.3}


def rocking(number: int = 0) -> BlockMotion:
    """Return ten minutes of a slow rocking about x, told apart by its speed."""
    t = np.arange(0.0, 600.0, 1.0 / RATE)
    gyr = np.zeros((len(t), 3))
    gyr[:, 0] = (1.0 + number) * np.sin(t)
    acc = np.tile([0.0, 0.0, 9.81], (len(t), 1))
    return BlockMotion(ImuBlock("motion", t, gyr, acc))


def address(number: int) -> str:
    return f"D4:22:CD:00:00:{number:02X}"


def part(
    number: int = 1,
    *,
    driver: Driver = DOT,
    link: Link | None = None,
    motion: Motion | None = None,
    **more: float | str,
) -> "Part":
    return Part(driver, address(number), motion or rocking(number), link=link or Link(), **more)  # pyright: ignore[reportArgumentType]  the rest are plain fields


def request(number: int = 1, driver: Driver = DOT) -> SensorRequest:
    return SensorRequest(f"s{number}", address(number), driver, driver.settings())


class Capture:
    """An acquisition, its stage, and what has come so far."""

    def __init__(self, acquisition: Acquisition, stage: "BusStage") -> None:
        self.acquisition = acquisition
        self.stage = stage
        self.blocks: dict[str, list[ImuBlock]] = {}
        self.notices: list[Notice] = []

    def drain(self) -> None:
        while not self.acquisition.queue.empty():
            item = self.acquisition.queue.get()
            if isinstance(item, Notice):
                self.notices.append(item)
            else:
                self.blocks.setdefault(item.sensor, []).append(item)

    def until(self, condition: Callable[[], bool], within: float = 8.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, (self.notices, self.acquisition.health())
            time.sleep(0.005)
            self.drain()

    def run(self, seconds: float) -> None:
        """Wait until the sensors have sent so much more."""
        sent = [feeder.sent for feeder in self.stage.feeders]
        time.sleep(seconds)
        assert [feeder.sent for feeder in self.stage.feeders] != sent
        self.drain()

    def health(self, number: int) -> Health:
        return next(item for item in self.acquisition.health() if item.sensor == f"s{number}")

    def streaming(self, number: int = 1) -> bool:
        return self.health(number).state is LinkState.STREAMING

    def count(self, number: int) -> int:
        self.drain()
        return sum(len(block) for block in self.blocks.get(f"s{number}", []))

    def grows(self, number: int) -> None:
        """Wait until more samples have come."""
        before = self.count(number)
        self.until(lambda: self.count(number) > before + 5)

    def block(self, number: int) -> ImuBlock:
        self.drain()
        return join(self.blocks[f"s{number}"])

    def told(self, kind: str, number: int = 1) -> list[str]:
        self.drain()
        return [item.words for item in self.notices if (item.sensor, item.kind) == (f"s{number}", kind)]


@contextmanager
def capture(
    bus_address: str,
    parts: Sequence["Part"],
    requests: Sequence[SensorRequest] | None = None,
    *,
    timing: Timing = FAST,
    file: Path | None = None,
    writer: type[RecordingWriter] = RecordingWriter,
    begin: bool = True,
) -> Generator[Capture]:
    wanted = [request(number + 1, item.driver) for number, item in enumerate(parts)]
    with ExitStack() as stack:
        stage = stack.enter_context(BusStage(bus_address, parts, lambda at: BluezService(at, **FAST_SERVICE)))
        journal = None
        acquisition = Acquisition(requests or wanted, timing=timing)
        if file is not None:
            infos = tuple(
                SensorInfo(item.sensor, item.sensor, item.driver.capability.family, item.settings.rate_hz)
                for item in acquisition.requests
            )
            header = RecordingHeader(created_at=acquisition.started_at, sensors=infos, simulated=True)
            journal = stack.enter_context(writer(file, header))
        running = Capture(stack.enter_context(acquisition), stage)
        acquisition.record(journal)
        if begin:
            acquisition.wait_for_all(8.0)
        yield running
    running.drain()
    assert acquisition.error is None


def steps(t: FloatArray) -> FloatArray:
    return np.diff(t) * RATE


def test_two_sensors_stream_in_order_and_stop_cleanly(private: str) -> None:
    with capture(private, [part(1), part(2)]) as running:
        running.run(1.0)
        running.stage.do(
            lambda: [setattr(item.device.link, "silent", True) for item in running.stage.feeders]
        )
        time.sleep(0.1)
        running.drain()
        for number in (1, 2):
            block = running.block(number)
            sent = running.stage.feeders[number - 1].sent
            assert abs(len(block) - sent) <= 12
            assert np.all(np.abs(steps(block.t) - 1.0) < 0.2)
            assert np.abs(block.gyr[:, 0]).max() <= 1.0 + number + 1e-5
            assert running.health(number).clock.lost == 0
    assert not any(item.device.sensor.streaming or item.device.connected for item in running.stage.feeders)


def test_recorded_raw_bytes_give_the_recorded_samples_bit_for_bit(private: str, tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capture(private, [part(1), part(2)], file=file) as running:
        running.run(0.6)
        running.stage.do(running.stage.feeders[0].device.lose_link)
        running.until(lambda: bool(running.told(LinkState.LOST)))
        running.until(running.streaming)
        running.grows(1)
        origin = running.acquisition.origin_ns
    recording = Recording.open(file)
    assert recording.damage == ()
    streams = {f"s{number}": SensorStream(f"s{number}", DOT, DOT.settings()) for number in (1, 2)}
    again: dict[str, list[ImuBlock]] = {"s1": [], "s2": []}
    for packet in recording.raw():
        heard = streams[packet.sensor].feed(
            (packet.arrival_ns - origin) * 1e-9, packet.characteristic, packet.payload
        )
        if heard.block is not None:
            again[packet.sensor].append(heard.block)
    for number in (1, 2):
        live, disk, raw = running.block(number), recording.block(f"s{number}"), join(again[f"s{number}"])
        for one, two in ((live, disk), (live, raw)):
            assert np.array_equal(one.t, two.t)
            assert np.array_equal(one.gyr, two.gyr)
            assert np.array_equal(one.acc, two.acc)


def test_link_loss_leaves_the_other_going_and_the_gap_is_recorded(private: str, tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capture(private, [part(1), part(2)], file=file) as running:
        running.run(0.4)
        device = running.stage.feeders[0].device
        running.stage.do(lambda: device.lose_link(gone=True))
        running.until(lambda: running.health(1).state is LinkState.LOST)
        running.grows(2)
        running.run(0.5)
        assert not running.streaming()
        back_ns = time.monotonic_ns()
        device.advertising = True
        running.until(running.streaming)
        assert (time.monotonic_ns() - back_ns) * 1e-9 < 3.0
        running.grows(1)
    assert np.all(np.abs(steps(running.block(2).t) - 1.0) < 0.3), "the other sensor lost nothing"
    recording = Recording.open(file)
    kinds = [event.kind for event in recording.events if event.data["sensor"] == "s1"]
    assert kinds == ["dropout", "gap"]
    gap = recording.events[-1].data
    t = running.block(1).t
    worst = int(np.argmax(np.diff(t)))
    assert (gap["start"], gap["stop"]) == (t[worst], t[worst + 1])
    assert gap["seconds"] > 0.5
    assert len(recording.block("s1")) == len(t)


def test_no_notification_is_doubled_after_any_number_of_reconnects(private: str) -> None:
    """The doubling of bleak issue #2002 (shown to exist in test_bluez.py) is gone: nothing repeats."""
    with capture(private, [part(1)]) as running:
        for life in range(3):
            running.grows(1)
            running.stage.do(running.stage.feeders[0].device.lose_link)
            running.until(lambda life=life: len(running.told(LinkState.LOST)) == life + 1)
            running.until(running.streaming)
        running.grows(1)
        report = running.health(1).clock
    assert report.duplicates == 0
    assert report.segments == 1, "a sensor that sends time goes on in the same segment"


def test_a_silent_stall_is_seen_by_the_data_and_ends_in_a_reconnect(private: str) -> None:
    with capture(private, [part(1), part(2)]) as running:
        running.run(0.3)
        device = running.stage.feeders[0].device
        running.stage.do(lambda: setattr(device.link, "silent", True))
        running.until(lambda: running.health(1).state is LinkState.WEAK)
        running.until(lambda: running.health(1).state is LinkState.LOST)
        assert "no data" in running.health(1).words
        running.grows(2)
        running.stage.do(lambda: setattr(device.link, "silent", False))
        running.until(running.streaming)
        running.grows(1)


def test_a_short_pause_that_catches_up_loses_nothing(private: str) -> None:
    with capture(private, [part(1)]) as running:
        running.run(0.4)
        device = running.stage.feeders[0].device
        running.stage.do(lambda: setattr(device.link, "stalled", True))
        time.sleep(0.4)
        running.stage.do(lambda: setattr(device.link, "stalled", False))
        running.grows(1)
        running.run(0.3)
        report = running.health(1).clock
    assert (report.lost, report.duplicates, report.segments) == (0, 0, 1)
    assert not running.told(LinkState.LOST)


def test_a_reboot_starts_a_new_clock_segment(private: str) -> None:
    with capture(private, [part(1, booted=500.0)]) as running:
        running.run(0.5)
        running.stage.do(running.stage.feeders[0].reboot)
        running.until(lambda: bool(running.told(LinkState.LOST)))
        running.until(running.streaming)
        running.grows(1)
        assert running.health(1).clock.segments == 2
    t = running.block(1).t
    assert np.all(np.diff(t) > 0.0)
    assert abs(t[-1] - t[0] - (running.acquisition.now - t[0])) < 2.0, "time goes on across the reboot"


@pytest.mark.parametrize("lost_meanwhile", [False, True], ids=["streaming", "link lost"])
def test_the_counter_may_wrap(private: str, lost_meanwhile: bool) -> None:
    wrap = 2**32 / 1e6
    with capture(private, [part(1, booted=wrap - 1.5)]) as running:
        running.run(0.3)
        if lost_meanwhile:
            device = running.stage.feeders[0].device
            running.stage.do(lambda: device.lose_link(gone=True))
            time.sleep(1.6)
            device.advertising = True
        running.until(lambda: running.acquisition.now > 2.5)
        running.until(running.streaming)
        running.grows(1)
        assert running.health(1).clock.segments == 1
    t = running.block(1).t
    assert t[-1] - t[0] == pytest.approx(running.acquisition.now, abs=1.0)


def test_losses_are_counted_from_the_ticks(private: str) -> None:
    with capture(private, [part(1, link=Link(loss=0.05)), part(2)]) as running:
        running.run(2.0)
        report = running.health(1).clock
        assert running.health(2).clock.lost == 0
    assert report.lost == pytest.approx(0.05 * (report.lost + report.samples), abs=9)
    assert report.lost > 0


def test_bursts_do_not_bend_time(private: str) -> None:
    link = Link(interval=0.05, per_event=8)
    with capture(private, [part(1, link=link)]) as running:
        running.run(1.2)
    t = running.block(1).t
    assert np.all(np.abs(steps(t[30:]) - 1.0) < 0.2)


def test_doubled_notifications_are_dropped_and_counted(private: str) -> None:
    with capture(private, [part(1, link=Link(copies=2))]) as running:
        running.run(0.6)
        report = running.health(1).clock
    assert report.duplicates == pytest.approx(report.samples, abs=2)
    assert np.all(np.abs(steps(running.block(1).t) - 1.0) < 0.3)


def test_failed_connects_are_tried_again(private: str) -> None:
    link = Link(connect_errors=["le-connection-abort-by-local", "br-connection-canceled", "le-link-timeout"])
    with capture(private, [part(1, link=link)]) as running:
        running.grows(1)
    assert not link.connect_errors
    assert len(running.told(LinkState.LOST)) == 1


@pytest.mark.parametrize("fault", ["write", "subscribe"])
def test_refused_commands_are_tried_again(private: str, fault: str) -> None:
    link = Link(write_errors=[0x0E] * 2) if fault == "write" else Link(subscribe_errors=[0xFD])
    with capture(private, [part(1, link=link)], begin=False) as running:
        running.until(lambda: bool(running.told(LinkState.LOST)))
        running.until(running.streaming)
    assert "refuses a command" in running.told(LinkState.LOST)[0]


def test_damaged_packets_are_counted_and_never_become_samples(private: str) -> None:
    with capture(private, [part(1, link=Link(damage=0.2))]) as running:
        running.run(1.0)
        assert running.health(1).clock.samples > 30
    assert np.nanmax(np.abs(running.block(1).acc)) < 16.0 * 9.81


def test_a_slow_sensor_has_no_gaps_between_its_samples(private: str) -> None:
    slow = SensorRequest("s1", address(1), DOT, DOT.settings(rate_hz=4.0))
    with capture(private, [part(1)], [slow]) as running:
        running.until(lambda: running.count(1) > 5)
    assert not running.told("gap")


class FullOfSurprises(RecordingWriter):
    """A recording that refuses samples, as one made for other sensors does."""

    def write(self, block: ImuBlock) -> None:
        raise InputError(f"the recording has no sensor {block.sensor}")


def test_a_recording_that_refuses_ends_without_the_sensors(private: str, tmp_path: Path) -> None:
    with capture(private, [part(1)], file=tmp_path / "x.mcap", writer=FullOfSurprises) as running:
        running.grows(1)
        assert "has no sensor s1" in str(running.acquisition.recording_error)


def test_low_battery_is_told(private: str) -> None:
    with capture(private, [part(1, battery_percent=3.0)]) as running:
        running.until(lambda: running.health(1).battery == 3.0)


def test_two_sensors_of_one_name_are_told_apart_by_address(private: str) -> None:
    parts = [part(1, name="Movella DOT"), part(2, name="Movella DOT")]
    with capture(private, parts, [request(2), request(1)]) as running:
        running.run(0.5)
    assert np.abs(running.block(1).gyr[:, 0]).max() < np.abs(running.block(2).gyr[:, 0]).max()


def test_adapter_off_and_on(private: str) -> None:
    with capture(private, [part(1), part(2)]) as running:
        running.run(0.3)
        running.stage.do(lambda: running.stage.service.set_powered(False))
        running.until(lambda: "switched off" in running.health(1).words)
        running.stage.do(lambda: running.stage.service.set_powered(True))
        running.until(lambda: running.streaming(1) and running.streaming(2))
        running.grows(1)
        running.grows(2)


def test_the_service_dies_and_comes_back(private: str) -> None:
    with capture(private, [part(1), part(2)]) as running:
        running.run(0.3)
        running.stage.kill_service()
        running.until(lambda: "not running" in running.health(1).words)
        running.stage.restart_service()
        running.until(lambda: running.streaming(1) and running.streaming(2))
        running.grows(1)
        running.grows(2)
    assert running.health(1).clock.duplicates == 0


def test_a_service_restarted_during_the_search_is_asked_again(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new service does not know that we scan: without asking again the sensor would never be found."""
    monkeypatch.setattr("imu.ble.UNHEARD", 0.2)
    monkeypatch.setattr("imu.ble.SILENT", 0.5)
    with capture(private, [part(1)]) as running:
        device = running.stage.feeders[0].device
        running.stage.do(lambda: device.lose_link(gone=True))
        running.until(lambda: running.health(1).state is LinkState.LOST)
        time.sleep(0.4)
        running.stage.kill_service()
        running.stage.restart_service()
        time.sleep(0.2)
        device.advertising = True
        running.until(running.streaming)
        running.grows(1)


class FullDisk(RecordingWriter):
    """A recording whose disk takes 40 packets and no more."""

    room = 40

    def write_raw(self, packet: RawPacket) -> None:
        self.room -= 1
        if self.room < 0:
            raise RecordingError(self.part, "the disk takes no more (No space left on device)")
        super().write_raw(packet)


def test_a_full_disk_ends_the_recording_only(private: str, tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capture(private, [part(1)], file=file, writer=FullDisk) as running:
        running.until(lambda: running.acquisition.recording_error is not None)
        running.grows(1)
        assert any("takes no more" in notice.words for notice in running.notices)
    recorded = Recording.open(file).block("s1")
    assert 30 < len(recorded) < running.count(1)
    assert np.array_equal(recorded.gyr, running.block(1)[: len(recorded)].gyr)


class TestWhatCannotBegin:
    """One clear sentence each."""

    def refused(self, acquisition: Acquisition, within: float = 6.0) -> str:
        with pytest.raises(RadioError) as caught:
            acquisition.wait_for_all(within)
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert "Error" not in sentence
        return sentence

    def test_a_sensor_that_never_advertises(self, private: str) -> None:
        with capture(private, [part(1)], [request(1), request(2)], begin=False) as running:
            sentence = self.refused(running.acquisition, 1.0)
        assert "s2 (D4:22:CD:00:00:02) not found within 1 s" in sentence

    def test_services_that_never_resolve(self, private: str) -> None:
        timing = Timing(connect=0.4, disconnect=0.5, back_off=(0.1,))
        with capture(private, [part(1, link=Link(resolves=False))], timing=timing, begin=False) as running:
            assert "does not answer" in self.refused(running.acquisition, 1.5)

    def test_another_kind_of_sensor(self, private: str) -> None:
        wit = driver_named("witmotion")
        with capture(private, [part(1, driver=wit)], [request(1)], begin=False) as running:
            assert "not the kind of sensor" in self.refused(running.acquisition)

    def test_no_adapter(self, private: str) -> None:
        self.nothing(private, lambda at: BluezService(at, adapter=False), "no Bluetooth Low Energy adapter")

    def test_adapter_off(self, private: str) -> None:
        self.nothing(private, lambda at: BluezService(at, powered=False), "switched off")

    def nothing(self, bus_address: str, service: "Callable[[str], BluezService]", words: str) -> None:
        with (
            BusStage(bus_address, [part(1)], service),
            Acquisition([request(1)], timing=FAST) as acquisition,
        ):
            assert words in self.refused(acquisition)

    def test_no_service(self, private: str) -> None:
        assert private
        with (
            Acquisition([request(1)], timing=FAST) as acquisition,
            pytest.raises(RadioError, match="service"),
        ):
            acquisition.wait_for_all(6.0)

    def test_no_bus(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv(bus.VARIABLE, f"unix:path={tmp_path / 'nobody'}")
        with (
            Acquisition([request(1)], timing=FAST) as acquisition,
            pytest.raises(RadioError, match="service"),
        ):
            acquisition.wait_for_all(6.0)

    def test_permission_denied(self) -> None:
        with (
            bus.PrivateBus(denied=True) as denied,
            BusStage(denied.address, [part(1)]),
            Acquisition([request(1)], timing=FAST) as acquisition,
        ):
            assert "may not use Bluetooth" in self.refused(acquisition)

    @pytest.mark.parametrize("how", ["held", "left behind"])
    def test_a_link_of_another_program(self, private: str, how: str) -> None:
        """One that holds the sensor is named; the link of one that was killed is taken over."""
        with (
            BusStage(private, [part(1)], lambda at: BluezService(at, **FAST_SERVICE)) as stage,
            other_program(stage.feeders[0].device, killed=how == "left behind"),
            Acquisition([request(1)], timing=FAST) as acquisition,
        ):
            if how == "held":
                assert "in use by another program" in self.refused(acquisition)
            else:
                acquisition.wait_for_all(8.0)


@contextmanager
def other_program(device: Device, *, killed: bool) -> Generator[None]:
    """Connect to a sensor as another program does; one that is killed leaves its link behind."""
    ready, end = threading.Event(), threading.Event()

    def ignore(_: object, __: bytearray) -> None:
        """Hear a notification and do nothing."""

    async def hold() -> None:
        found = await BleakScanner.find_device_by_address(device.address, timeout=5.0)
        assert found is not None
        async with BleakClient(found) as other:
            if not killed:
                for uuid in DOT.notify(DOT.settings()):
                    await other.start_notify(uuid, ignore, bluez={"use_start_notify": False})
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert ready.wait(8.0)
    try:
        yield
    finally:
        end.set()
        thread.join(8.0)
