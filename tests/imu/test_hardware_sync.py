"""Clocks held together by radio, over bleak's own Linux back end, against sensors that answer as they do."""

import asyncio
import sys
import time

import numpy as np
import pytest

from imu.acquisition import Acquisition
from imu.ble_link import LinkState, SensorRequest
from imu.block import ImuBlock, join
from imu.errors import InputError, PacketError, RadioError
from imu.hardware_sync import Synchronisation, SyncTiming, synchronise
from imu.health import Notice
from imu.sensors import dot_messages
from imu.sensors.dot_peripheral import DotPeripheral
from imu.sensors.driver import Driver, Notification, Reading
from imu.sensors.movella_dot import CONTROL, MESSAGE_ACK, MESSAGE_CONTROL
from imu.sensors.registry import driver_named
from tools.emulator.device import Device

pytestmark = [pytest.mark.usefixtures("private"), pytest.mark.timeout(60)]

if sys.platform == "linux":
    from tools.emulator.bus_stage import BusStage
    from tools.emulator.stage import Part

DOT, C2G, WIT = (driver_named(name) for name in ("movella-dot", "capture2go", "witmotion"))
QUICK = SyncTiming(find=4.0, connect=4.0, disconnect=1.0, answer=1.0, leave=0.05, alone=0.2)
BEAT_HZ = 0.7


class Beat:
    """All sensors turn together, so that their times can be compared by what they felt."""

    def reading(self, t: float) -> Reading:
        rate = float(np.sin(2.0 * np.pi * BEAT_HZ * t))
        return Reading(None, None, (rate, 0.0, 0.0), (0.0, 0.0, 9.81))


def part(number: int, driver: Driver) -> "Part":
    name = f"IMU_c2g{number:03d}" if driver is C2G else ""
    return Part(driver, address(number), Beat(), name, booted=50.0 * number, rate_error=number * 1e-5)


def address(number: int) -> str:
    return f"D4:22:CD:00:00:{number:02X}"


def requests(*drivers: Driver) -> list[SensorRequest]:
    return [
        SensorRequest(f"s{number}", address(number), driver, driver.settings())
        for number, driver in enumerate(drivers, 1)
    ]


def captured(found: Synchronisation, seconds: float) -> tuple[dict[str, ImuBlock], Acquisition]:
    acquisition = Acquisition(found.requests)
    blocks: dict[str, list[ImuBlock]] = {request.sensor: [] for request in found.requests}
    with acquisition:
        acquisition.wait_for_all(8.0)
        time.sleep(seconds)
        assert all(health.state is LinkState.STREAMING for health in acquisition.health())
    while not acquisition.queue.empty():
        item = acquisition.queue.get()
        if not isinstance(item, Notice):
            blocks[item.sensor].append(item)
    assert acquisition.error is None
    return {sensor: join(got) for sensor, got in blocks.items()}, acquisition


def apart(blocks: dict[str, ImuBlock], skip: float) -> float:
    """Return how far the sensors' times are apart by what they felt: phases of the common beat, s."""
    phases: list[complex] = []
    for block in blocks.values():
        late = block.t > block.t[0] + skip
        t, rate = block.t[late], block.gyr[late, 0]
        waves = np.stack([np.sin(2 * np.pi * BEAT_HZ * t), np.cos(2 * np.pi * BEAT_HZ * t)], axis=1)
        sine, cosine = np.linalg.lstsq(waves, rate, rcond=None)[0]
        phases.append(complex(sine, cosine))
    turned = [np.angle(phase / phases[0]) for phase in phases]
    return float(np.ptp(turned)) / (2.0 * np.pi * BEAT_HZ)


@pytest.mark.parametrize("driver", [DOT, C2G], ids=["movella-dot", "capture2go"])
def test_synchronised_sensors_share_one_time_base(private: str, driver: Driver) -> None:
    """Although one link is slow and in step with the sampling: 50 ms are 3 periods of 60 Hz, 5 of 100 Hz."""
    slow = part(2, driver)
    slow.link.interval = 0.05
    with BusStage(private, [part(1, driver), slow]) as stage:
        found = synchronise(requests(driver, driver), timing=QUICK)
        assert [(result.sensor, result.ok) for result in found.results] == [("s1", True), ("s2", True)]
        assert all("clocks are synchronised" in result.words for result in found.results)
        assert len({request.time_base for request in found.requests} - {""}) == 1
        assert not any(feeder.device.connected for feeder in stage.feeders)
        blocks, acquisition = captured(found, 2.0)
    assert acquisition.learnt() == {}, "the rate of a shared clock is nobody's own"
    assert apart(blocks, 0.5) < 2e-4


def test_sensors_that_were_synchronised_before_are_synchronised_anew(private: str) -> None:
    with BusStage(private, [part(1, DOT), part(2, DOT)]):
        assert all(result.ok for result in synchronise(requests(DOT, DOT), timing=QUICK).results)
        assert all(result.ok for result in synchronise(requests(DOT, DOT), timing=QUICK).results)


def test_a_plain_capture_ends_an_older_synchronisation(private: str) -> None:
    with BusStage(private, [part(1, DOT), part(2, DOT)]) as stage:
        synchronise(requests(DOT, DOT), timing=QUICK)
        assert all(feeder.device.sensor.time_base for feeder in stage.feeders)  # pyright: ignore[reportAttributeAccessIssue]
        blocks, _ = captured(Synchronisation(tuple(requests(DOT, DOT)), ()), 0.5)
        assert not any(feeder.device.sensor.time_base for feeder in stage.feeders)  # pyright: ignore[reportAttributeAccessIssue]
    assert all(len(block) > 10 for block in blocks.values())


def test_a_synchronisation_that_failed_is_told_in_words_and_shares_nothing(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BusStage(private, [part(1, DOT), part(2, DOT)]) as stage:
        sensor = stage.feeders[1].device.sensor
        read = sensor.read

        def skewed(characteristic: str) -> bytes:
            return bytes.fromhex("0202 0307 F2") if characteristic == MESSAGE_ACK else read(characteristic)

        monkeypatch.setattr(sensor, "read", skewed)
        found = synchronise(requests(DOT, DOT), timing=QUICK)
    assert [result.ok for result in found.results] == [True, False]
    assert found.results[1].words == "clock skew too large; try again"
    assert [request.time_base for request in found.requests] == ["", ""]
    assert all(request.driver is DOT for request in found.requests)


def test_a_capture2go_that_does_not_follow_is_named(private: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with BusStage(private, [part(1, C2G), part(2, C2G)]) as stage:
        monkeypatch.setattr(type(stage.feeders[1].device.sensor), "time_base", "")
        found = synchronise(requests(C2G, C2G), timing=QUICK)
    assert not any(result.ok for result in found.results)
    assert "does not follow" in found.results[1].words
    assert [request.time_base for request in found.requests] == ["", ""]


def test_capture2go_clocks_that_say_they_agree_but_do_not_are_found_out(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second claims to follow while its clock stays 50 s behind: the round trips tell."""
    with BusStage(private, [part(1, C2G), part(2, C2G)]) as stage:
        monkeypatch.setattr(stage.feeders[1], "_share_clock", lambda: None)
        found = synchronise(requests(C2G, C2G), timing=QUICK)
    assert [result.ok for result in found.results] == [True, False]
    assert "ms from the first" in found.results[1].words


def test_one_that_is_not_there_is_named(private: str) -> None:
    quick = SyncTiming(find=0.5, connect=2.0, disconnect=1.0, answer=0.5, leave=0.0, alone=0.0)
    with BusStage(private, [part(1, DOT)]) as stage:
        with pytest.raises(RadioError, match="s2 is not heard"):
            synchronise(requests(DOT, DOT), timing=quick)
        assert not stage.feeders[0].device.connected


def test_families_that_cannot_and_single_sensors_are_refused() -> None:
    for wanted in (requests(WIT, WIT), requests(DOT), requests(DOT, C2G)):
        with pytest.raises(InputError, match="two or more sensors of one family"):
            synchronise(wanted, timing=QUICK)


def test_an_emulated_dot_keeps_the_rules_of_the_specification() -> None:
    """Not before it was left alone; no second start; no new rate while synchronised; the root's address."""
    start = bytes.fromhex("0207 01 01 00 00 CD 22 D4 32")
    assert dot_messages.start_sync("D4:22:CD:00:00:01") == start

    async def lived() -> None:
        dot = DotPeripheral("Movella DOT", "D4:22:CD:00:00:02")
        device = Device("D4:22:CD:00:00:02", dot)
        assert dot.write(MESSAGE_CONTROL, bytes.fromhex("020108F5")) == [
            Notification(dot.services[3].characteristics[2].uuid, bytes.fromhex("0202 5109 A2"))
        ]
        dot.write(MESSAGE_CONTROL, start)
        assert dot.read(MESSAGE_ACK) == bytes.fromhex("0202 0309 F0")
        device.disconnected()
        assert dot.read(MESSAGE_ACK) == bytes.fromhex("0202 0300 F9")
        assert dot.time_base.endswith("d422cd000001")
        with pytest.raises(PacketError, match="synchronised already"):
            dot.write(MESSAGE_CONTROL, start)
        with pytest.raises(PacketError, match="refuses"):
            dot.write(CONTROL, bytes([0x10]) + bytes(23) + b"\x3c\x00" + bytes(6))
        dot.write(MESSAGE_CONTROL, bytes.fromhex("020102FB"))
        dot.write(CONTROL, bytes([0x10]) + bytes(23) + b"\x3c\x00" + bytes(6))

    asyncio.run(asyncio.wait_for(lived(), 5.0))
