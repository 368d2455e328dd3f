"""bleak's own Linux back end, unmodified, against the stand-in service on a private bus."""

# ruff: noqa: ARG002  the smallest sensor and host answer every protocol method, whatever they are asked

import asyncio
import gc
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError, BleakGATTProtocolError

from imu.errors import PacketError
from imu.sensors.driver import Advertisement, Characteristic, Notification, Reading, Service
from tools.emulator import bus
from tools.emulator.device import Device, Link

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="D-Bus exists on Linux only"),
    pytest.mark.skipif(not bus.available(), reason="dbus-daemon is not installed"),
    # bleak keeps one bus per event loop and, for dead clients, one more: that leak is what is tested here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SERVICE = "15172000-4947-11e9-8646-d663bd873d93"
COMMAND = "15172001-4947-11e9-8646-d663bd873d93"
DATA = "15172004-4947-11e9-8646-d663bd873d93"


class Counter:
    """The smallest sensor: it notifies what it is told to and remembers what was written."""

    def __init__(self) -> None:
        self.advertisement = Advertisement("Counter", (SERVICE,), {0x0886: b"\x01\x02"})
        table = (Characteristic(COMMAND, ("read", "write")), Characteristic(DATA, ("notify",)))
        self.services = (Service(SERVICE, table),)
        self.battery_percent = 50.0
        self.streaming = False
        self.rate_hz = 60.0
        self.subscribed: set[str] = set()
        self.command = b"\x07"

    def set_subscribed(self, characteristic: str, subscribed: bool) -> list[Notification]:
        (self.subscribed.add if subscribed else self.subscribed.discard)(characteristic)
        return []

    def read(self, characteristic: str) -> bytes:
        return self.command

    def write(self, characteristic: str, payload: bytes) -> list[Notification]:
        if payload == b"\xff":
            raise PacketError("no", payload)
        self.command = payload
        return [Notification(DATA, b"ack")]

    def sample(self, device_time: float, reading: Reading) -> list[Notification]:
        return []


def counter(number: int = 1, link: Link | None = None) -> Device:
    return Device(f"D4:22:CD:00:00:{number:02X}", Counter(), link=link, seed=number)


def sensor_of(device: Device) -> Counter:
    assert isinstance(device.sensor, Counter)
    return device.sensor


@pytest.fixture(autouse=True)
def _leaks_stay_here() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with bus.PrivateBus() as private:
        yield private.address


def play(
    address: str,
    devices: list[Device],
    act: Callable[["BluezService"], Awaitable[None]],
    *,
    powered: bool = True,
    adapter: bool = True,
) -> None:
    async def run() -> None:
        service = BluezService(
            address, adapter=adapter, powered=powered, advertising_interval=0.02, absent_timeout=0.2
        )
        await service.start(devices)
        try:
            await asyncio.wait_for(act(service), 20.0)
        finally:
            await service.kill()

    asyncio.run(run())


if sys.platform == "linux":
    from tools.emulator.bluez import BluezService


async def find(count: int) -> list[BLEDevice]:
    found: dict[str, BLEDevice] = {}
    complete = asyncio.Event()

    def heard(device: BLEDevice, _: object) -> None:
        found[device.address] = device
        if len(found) >= count:
            complete.set()

    async with BleakScanner(heard):
        await asyncio.wait_for(complete.wait(), 5.0)
    return [found[key] for key in sorted(found)]


def ignore(_: object, __: bytearray) -> None:
    """Hear a notification and do nothing."""


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_a_scan_tells_name_services_and_manufacturer(address: str) -> None:
    async def act(_: BluezService) -> None:
        async with BleakScanner() as scanner:
            await asyncio.sleep(0.2)
        (told,) = [heard for _, heard in scanner.discovered_devices_and_advertisement_data.values()]
        assert (told.local_name, told.service_uuids) == ("Counter", [SERVICE])
        assert told.manufacturer_data == {0x0886: b"\x01\x02"}
        assert -65 < told.rssi < -55

    play(address, [counter()], act)


@pytest.mark.parametrize("acquire", [False, True])
def test_seven_sensors_stream_in_order_and_nothing_is_lost(address: str, acquire: bool) -> None:
    devices = [counter(number) for number in range(1, 8)]
    got: dict[str, list[int]] = {device.address: [] for device in devices}

    async def act(_: BluezService) -> None:
        clients = [BleakClient(found) for found in await find(7)]
        for client in clients:
            await client.connect()
            await client.start_notify(
                DATA,
                lambda _, payload, to=client.address: got[to].append(struct.unpack("<I", payload)[0]),
                bluez={"use_start_notify": not acquire},
            )
        for number in range(200):
            for device in devices:
                device.send([Notification(DATA, struct.pack("<I", number))])
            await asyncio.sleep(0.002)
        await until(lambda: all(len(values) >= 200 for values in got.values()))
        assert await clients[0].read_gatt_char(COMMAND) == b"\x07"
        await clients[0].write_gatt_char(COMMAND, b"\x01\x02", response=True)
        for client in clients:
            await client.disconnect()

    play(address, devices, act)
    assert all(values[:200] == list(range(200)) for values in got.values())
    assert sensor_of(devices[0]).command == b"\x01\x02"
    assert all(not sensor_of(device).subscribed for device in devices)


@pytest.mark.parametrize(
    ("release", "expected"),
    [(False, [10, 20, 30]), (True, [10, 10, 10])],
    ids=["dead client kept", "released"],
)
def test_doubling_of_bleak_issue_2002_appears_and_goes(
    address: str, release: bool, expected: list[int]
) -> None:
    device = counter()
    counts: list[int] = []

    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        client = BleakClient(found)
        for _life in range(3):
            got: list[bytes] = []
            await client.connect()
            await client.start_notify(DATA, lambda _, payload, to=got: to.append(bytes(payload)))
            for number in range(10):
                device.send([Notification(DATA, bytes([number]))])
            await asyncio.sleep(0.1)
            counts.append(len(got))
            device.lose_link()
            await until(lambda: not client.is_connected)
            if release:
                await client.disconnect()

    play(address, [device], act)
    assert counts == expected


def test_link_loss_tells_the_client_and_the_sensor(address: str) -> None:
    device = counter()

    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        lost = asyncio.Event()
        client = BleakClient(found, disconnected_callback=lambda _client: lost.set())
        await client.connect()
        await client.start_notify(DATA, ignore)
        assert sensor_of(device).subscribed == {DATA}
        device.lose_link(gone=True)
        await asyncio.wait_for(lost.wait(), 1.0)
        assert not sensor_of(device).subscribed
        await client.disconnect()
        with pytest.raises(BleakError, match="abort-by-remote"):
            await BleakClient(found).connect()

    play(address, [device], act)


def test_failed_connects_are_told_and_used_up(address: str) -> None:
    device = counter(link=Link(connect_errors=["le-connection-abort-by-local", "br-connection-canceled"]))

    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        with pytest.raises(BleakDBusError, match="br-connection-canceled"):
            await BleakClient(found).connect()
        async with BleakClient(found) as client:
            assert client.is_connected

    play(address, [device], act)


def test_refused_requests_carry_the_code_of_the_attribute_protocol(address: str) -> None:
    device = counter(link=Link(subscribe_errors=[0x0E]))

    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        async with BleakClient(found) as client:
            with pytest.raises(BleakGATTProtocolError, match="Value Not Allowed"):
                await client.write_gatt_char(COMMAND, b"\xff", response=True)
            with pytest.raises(BleakGATTProtocolError, match="Unlikely Error"):
                await client.start_notify(DATA, ignore)
            with pytest.raises(BleakError, match="not support"):
                await client.start_notify(COMMAND, ignore)

    play(address, [device], act)


def test_a_sensor_held_by_another_program_refuses_a_second_listener(address: str) -> None:
    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        async with BleakClient(found) as first:
            await first.start_notify(DATA, ignore, bluez={"use_start_notify": False})
            second = BleakClient(found)
            await second.connect()
            with pytest.raises(BleakDBusError, match="Notify acquired"):
                await second.start_notify(DATA, ignore)

    play(address, [counter()], act)


def test_services_that_never_resolve_run_into_the_timeout(address: str) -> None:
    async def act(_: BluezService) -> None:
        (found,) = await find(1)
        with pytest.raises(TimeoutError):
            await BleakClient(found, timeout=0.3).connect()

    play(address, [counter(link=Link(resolves=False))], act)


def test_switching_the_adapter_off_breaks_every_link(address: str) -> None:
    device = counter()

    async def act(service: BluezService) -> None:
        (found,) = await find(1)
        lost = asyncio.Event()
        await BleakClient(found, disconnected_callback=lambda _client: lost.set()).connect()
        service.set_powered(False)
        await asyncio.wait_for(lost.wait(), 1.0)
        with pytest.raises(BleakBluetoothNotAvailableError, match="powered"):
            await find(1)

    play(address, [device], act)


def test_no_adapter_and_no_service_are_told(address: str) -> None:
    async def act(_: BluezService) -> None:
        with pytest.raises(BleakBluetoothNotAvailableError, match="No Bluetooth adapters"):
            await find(1)

    play(address, [], act, adapter=False)

    async def nobody() -> None:
        with pytest.raises(BleakDBusError, match="ServiceUnknown"):
            await asyncio.wait_for(find(1), 5.0)

    asyncio.run(nobody())


def test_a_killed_service_says_nothing(address: str) -> None:
    """As seen on a real BlueZ 5.66: no callback, `is_connected` stays True. Hence the data-stall watchdog."""
    device = counter()

    async def act(service: BluezService) -> None:
        (found,) = await find(1)
        lost = asyncio.Event()
        client = BleakClient(found, disconnected_callback=lambda _client: lost.set())
        await client.connect()
        await service.kill()
        await asyncio.sleep(0.2)
        assert client.is_connected
        assert not lost.is_set()

    play(address, [device], act)


def test_a_policy_that_denies_is_told() -> None:
    with bus.PrivateBus(denied=True) as private:

        async def run() -> None:
            service = BluezService(private.address)
            await service.start([])
            try:
                with pytest.raises(BleakDBusError, match="AccessDenied"):
                    await asyncio.wait_for(find(1), 5.0)
            finally:
                await service.kill()

        asyncio.run(run())


def test_bursts_losses_and_cuts_of_a_link() -> None:
    """Without a bus: what a link does to what is sent, against counts worked out by hand."""
    arrived: list[bytes] = []

    class Host:
        def deliver(self, device: Device, characteristic: str, payload: bytes) -> None:
            arrived.append(payload)

        def drop(self, device: Device) -> None:
            device.disconnected()

    device = counter()
    device.host, device.connected = Host(), True

    def send(count: int) -> list[bytes]:
        arrived.clear()
        device.send([Notification(DATA, bytes([number])) for number in range(count)])
        return list(arrived)

    assert len(send(10)) == 10
    device.link = Link(copies=2)
    assert send(2) == [b"\x00", b"\x00", b"\x01", b"\x01"]
    device.link = Link(cut_every=3)
    assert send(7) == [b"\x00\x01\x02", b"\x03\x04\x05"]
    device.link = Link(loss=0.3)
    assert 620 < len(send(250)) + len(send(250)) + len(send(250)) + len(send(250)) < 780
    device.link = Link(silent=True)
    assert send(5) == []
    device.link = Link(interval=0.05, per_event=4)
    assert send(6) == []
    device.flush(4)
    assert len(arrived) == 4
    device.link.stalled = True
    device.flush(4)
    assert len(arrived) == 4
    device.link.stalled = False
    device.flush(4)
    assert len(arrived) == 6
    device.link = Link(damage=1.0)
    assert all(piece != bytes([number]) for number, piece in enumerate(send(20)))
