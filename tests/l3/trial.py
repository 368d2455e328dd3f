"""Inside the guest: emulated sensors on a virtual controller, the real kernel and service, our driver.

Usage: trial.py SENSORS SECONDS. Prints one line for each thing that was tried; exit status 1 if one failed.
`run.sh` starts it; README.md says what it showed.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import numpy as np

from imu.acquisition import Acquisition
from imu.ble_link import LinkState, SensorRequest, Timing
from imu.block import ImuBlock
from imu.health import Health, Notice
from imu.sensors.registry import driver_named
from tools.emulator.device import AttError, Device
from tools.emulator.feed import BlockMotion, Feeder, StageClock

RATE = 20.0
KIND = "movella-dot"


def bumble(module: str) -> Any:
    """Return a module of bumble, which only the guest has."""
    return import_module(f"bumble.{module}")


class BumbleHost:
    """Publishes one emulated sensor with bumble: a device of its own on the common air."""

    def __init__(self, sensor: Device, air: Any) -> None:
        self._sensor = sensor
        sensor.host = self
        gatt, att, hci = bumble("gatt"), bumble("att"), bumble("hci")
        controller = bumble("controller").Controller(f"sensor {sensor.address}", link=air)
        host = bumble("host").Host()
        host.controller = controller
        self._device = bumble("device").Device(
            name=sensor.sensor.advertisement.name, address=hci.Address(sensor.address), host=host
        )
        self._connection: Any = None
        self._tasks: set[asyncio.Future[Any]] = set()
        self._table: dict[str, Any] = {}
        for service in sensor.sensor.services:
            entries: list[Any] = []
            for uuid, names in service.characteristics:
                flags = gatt.Characteristic.Properties(0)
                for name in names:
                    flags |= gatt.Characteristic.Properties[name.upper().replace("-", "_")]
                value = att.AttributeValue(read=self._reader(uuid), write=self._writer(uuid))
                permissions = att.Attribute.Permissions.READABLE | att.Attribute.Permissions.WRITEABLE
                entry = gatt.Characteristic(uuid, flags, permissions, value)
                entry.on("subscription", self._subscription(uuid))
                self._table[uuid] = entry
                entries.append(entry)
            self._device.add_service(gatt.Service(service.uuid, entries))
        self._device.on("connection", self._connected)

    async def start(self) -> None:
        """Switch on and advertise."""
        core = bumble("core")
        await self._device.power_on()
        told = self._sensor.sensor.advertisement
        data = core.AdvertisingData(
            [
                (core.AdvertisingData.FLAGS, b"\x06"),
                (core.AdvertisingData.COMPLETE_LOCAL_NAME, told.name.encode()),
                *(
                    (core.AdvertisingData.MANUFACTURER_SPECIFIC_DATA, company.to_bytes(2, "little") + body)
                    for company, body in told.manufacturer.items()
                ),
            ]
        )
        await self._device.start_advertising(
            auto_restart=True,
            advertising_data=bytes(data),
            advertising_interval_min=100.0,
            advertising_interval_max=100.0,
        )

    def deliver(self, device: Device, characteristic: str, payload: bytes) -> None:
        """Notify whoever subscribed."""
        del device
        self._do(self._device.notify_subscribers(self._table[characteristic], payload))

    def drop(self, device: Device) -> None:
        """Break the link."""
        del device
        if self._connection is not None:
            self._do(self._connection.disconnect(0x08))

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connected(self, connection: Any) -> None:
        self._connection = connection
        self._sensor.connected = True
        connection.on("disconnection", self._disconnected)

    def _disconnected(self, _: object) -> None:
        self._connection = None
        for uuid in self._table:
            self._sensor.unsubscribe(uuid)
        self._sensor.disconnected()

    def _subscription(self, uuid: str) -> Callable[[object, bool, bool], None]:
        def changed(_: object, notify: bool, __: bool) -> None:
            (self._sensor.resubscribe if notify else self._sensor.unsubscribe)(uuid)

        return changed

    def _reader(self, uuid: str) -> Callable[[object], bytes]:
        return lambda _: self._sensor.read(uuid)

    def _writer(self, uuid: str) -> Callable[[object, bytes], None]:
        def write(_: object, data: bytes) -> None:
            try:
                self._sensor.write(uuid, bytes(data))
            except AttError as error:
                raise bumble("att").ATT_Error(error.code) from error

        return write


class Air:
    """Everything on the sensors' side, in a thread with its own loop."""

    def __init__(self, count: int) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.feeders = self.run(self._begin(count))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the sensors' side and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120.0)

    async def _begin(self, count: int) -> list[Feeder]:
        hci, controller = bumble("hci"), bumble("controller")
        air = bumble("link").LocalLink()

        class BluezController(controller.Controller):  # pyright: ignore[reportUntypedBaseClass]
            """BlueZ connects from its public address, bumble routes by the random one."""

            @property
            def random_address(self) -> Any:
                return self._public_address

            @random_address.setter
            def random_address(self, _: Any) -> None:
                """Keep the public one."""

        mask = hci.LeFeatureMask
        t = np.arange(0.0, 900.0, 0.05)
        gyr = np.zeros((len(t), 3))
        gyr[:, 0] = np.sin(t)
        motion = BlockMotion(ImuBlock("motion", t, gyr, np.tile([0.0, 0.0, 9.81], (len(t), 1))))
        driver = driver_named(KIND)
        clock = StageClock()
        feeders: list[Feeder] = []
        for number in range(count):
            address = f"D4:22:CD:00:00:{number + 1:02X}"

            def make(address: str = address) -> Any:
                return driver.peripheral(address=address)

            sensor = Device(address, make(), seed=number)
            await BumbleHost(sensor, air).start()
            feeders.append(Feeder(sensor, motion, clock, make))
        open_transport = bumble("transport").open_transport
        vhci = await open_transport("vhci:")
        central = BluezController(
            "central", vhci.source, vhci.sink, air, public_address=hci.Address("F0:F0:F0:00:00:01/P")
        )
        central.le_features &= ~(mask.LL_PRIVACY | mask.LE_EXTENDED_ADVERTISING)
        self._tasks = [asyncio.create_task(feeder.run()) for feeder in feeders]
        return feeders


class Trial:
    """Waits, tells, and remembers whether anything failed."""

    def __init__(self, acquisition: Acquisition) -> None:
        self.acquisition = acquisition
        self.samples: dict[str, int] = {}
        self.failed = False

    def health(self) -> dict[str, Health]:
        """Return how each sensor does; the queue is emptied on the way."""
        while not self.acquisition.queue.empty():
            item = self.acquisition.queue.get()
            if not isinstance(item, Notice):
                self.samples[item.sensor] = self.samples.get(item.sensor, 0) + len(item)
        return {item.sensor: item for item in self.acquisition.health()}

    def until(self, what: str, condition: Callable[[], bool], within: float = 60.0) -> None:
        """Wait for something and tell how long it took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within:
                self.failed = True
                tell(f"FAILED {what}: {[item.words for item in self.health().values()]}")
                return
            time.sleep(0.02)
        tell(f"{what}: {time.monotonic() - began:.2f} s")


def switch_on() -> None:
    """Switch the adapter on, as a desktop does at its start."""
    command = ["dbus-send", "--system", "--print-reply", "--dest=org.bluez", "/org/bluez/hci0"]
    command += ["org.freedesktop.DBus.Properties.Set", "string:org.bluez.Adapter1", "string:Powered"]
    command += ["variant:boolean:true"]
    answer = ""
    for _ in range(60):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            tell("adapter on")
            return
        answer = run.stderr.strip()
        time.sleep(1.0)
    tell(f"FAILED to switch the adapter on: {answer}")


def tell(words: str) -> None:
    """Print a line that stands out in the guest's console."""
    sys.stdout.write(f"L3 {words}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the trial; return the exit status."""
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    air = Air(count)
    switch_on()
    driver = driver_named(KIND)
    requests = [
        SensorRequest(f"s{n}", f"D4:22:CD:00:00:{n + 1:02X}", driver, driver.settings(rate_hz=RATE))
        for n in range(count)
    ]
    with Acquisition(requests, timing=Timing(connect=40.0, together=60.0)) as acquisition:
        trial = Trial(acquisition)
        streaming: Callable[[], bool] = lambda: all(  # noqa: E731  one condition, used four times
            item.state is LinkState.STREAMING for item in trial.health().values()
        )
        trial.until(f"{count} sensors stream", streaming, 150.0)
        sent = [feeder.sent for feeder in air.feeders]
        time.sleep(seconds)
        sent = [feeder.sent - before for feeder, before in zip(air.feeders, sent, strict=True)]
        report(trial)
        tell(f"{sum(sent) / seconds:.0f} samples/s from all sensors")
        air.loop.call_soon_threadsafe(air.feeders[0].device.lose_link)
        trial.until("link loss noticed", lambda: trial.health()["s0"].state is LinkState.LOST)
        trial.until("back after link loss", streaming)
        time.sleep(3.0)
        doubled = trial.health()["s0"].clock.duplicates
        trial.failed |= doubled > 0
        tell(f"repeated notifications after the reconnect: {doubled}")
        found = subprocess.run(["pidof", "bluetoothd"], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        trial.until("dead service noticed", lambda: "not running" in trial.health()["s0"].words)
        service = subprocess.Popen([sys.argv[3], "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        trial.until("back after the service restarted", streaming, 90.0)
        report(trial)
    service.terminate()
    tell("FAILED" if trial.failed else "PASSED")
    return int(trial.failed)


def report(trial: Trial) -> None:
    """Tell what arrived."""
    for item in trial.health().values():
        c = item.clock
        tell(
            f"{item.sensor}: {c.samples} samples, {c.lost} lost, {c.duplicates} repeated, late p50 "
            f"{c.late_p50 * 1e3:.0f} p95 {c.late_p95 * 1e3:.0f} ms"
        )


if __name__ == "__main__":
    sys.exit(main())
