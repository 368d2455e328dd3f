"""Emulated sensors inside bleak itself, for systems without D-Bus: a back end to inject into bleak.

It is simpler than the stand-in service (`bluez.py`): one process, one event loop, no service that could
die. The sensors, their links and their faults are the same.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from tools.emulator.device import AttError, Device
from tools.emulator.feed import Feeder

ADVERTISING_INTERVAL = 0.1


class InjectedRadio:
    """The air between injected clients and emulated sensors, in whatever event loop first uses it."""

    def __init__(self, feeders: Sequence[Feeder]) -> None:
        self.devices = {feeder.device.address: feeder.device for feeder in feeders}
        self._feeders = feeders
        self._tasks: list[asyncio.Task[None]] = []
        self._clients: dict[Device, InjectedClient] = {}
        self._strength = random.Random(0)

    def enter_loop(self) -> None:
        """Begin to play the sensors in the running loop, once."""
        if not self._tasks or self._tasks[0].get_loop() is not asyncio.get_running_loop():
            self._tasks = [asyncio.create_task(feeder.run()) for feeder in self._feeders]
            self._tasks += [
                asyncio.create_task(device.connection_events()) for device in self.devices.values()
            ]
            for device in self.devices.values():
                device.host = self

    def rssi(self, device: Device) -> int:
        """Return the strength of one advertisement, dBm."""
        return device.rssi + self._strength.randint(-3, 3)

    def attach(self, device: Device, client: "InjectedClient") -> None:
        """Give the link of a device to a client."""
        device.connected = True
        self._clients[device] = client

    def deliver(self, device: Device, characteristic: str, payload: bytes) -> None:
        """Hand one notification to the client that holds the link."""
        client = self._clients.get(device)
        if client is not None:
            client.notified(characteristic, payload)

    def drop(self, device: Device) -> None:
        """Break the link."""
        client = self._clients.pop(device, None)
        if client is not None:
            client.link_lost()
        device.disconnected()


class InjectedScanner(BaseBleakScanner):
    """A scanner that hears the emulated sensors of one radio."""

    radio: InjectedRadio

    def __init__(
        self,
        detection_callback: Callable[[BLEDevice, AdvertisementData], None] | None,
        service_uuids: list[str] | None,
        *_: Any,
        **__: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self.radio.enter_loop()
        self.seen_devices = {}
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(ADVERTISING_INTERVAL)
            for device in self.radio.devices.values():
                told = device.sensor.advertisement
                if not device.advertising or device.connected or not self.is_allowed_uuid([*told.services]):
                    continue
                heard = AdvertisementData(
                    local_name=told.name,
                    manufacturer_data=dict(told.manufacturer),
                    service_data={},
                    service_uuids=list(told.services),
                    tx_power=None,
                    rssi=self.radio.rssi(device),
                    platform_data=(device,),
                )
                found = self.create_or_update_device(device.address, device.address, told.name, device, heard)
                self.call_detection_callbacks(found, heard)


class InjectedClient(BaseBleakClient):
    """A client of one emulated sensor."""

    radio: InjectedRadio

    def __init__(self, address_or_ble_device: BLEDevice | str, *_: Any, **options: Any) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=options["disconnected_callback"],
            timeout=options["timeout"],
        )
        self._device = self.radio.devices.get(self.address)
        self._connected = False
        self._callbacks: dict[str, NotifyCallback] = {}

    @property
    def name(self) -> str:
        """The advertised name."""
        return self._there().sensor.advertisement.name

    @property
    def mtu_size(self) -> int:
        """The attribute MTU, bytes."""
        return self._there().mtu

    @property
    def is_connected(self) -> bool:
        """Whether this client holds the link."""
        return self._connected

    async def connect(self, pair: bool, **_: Any) -> None:
        """Take the link and learn the services; emulated sensors need no pairing."""
        del pair
        self.radio.enter_loop()
        device = self._there()
        async with asyncio.timeout(self._timeout):
            while not device.advertising or device.connected:
                await asyncio.sleep(ADVERTISING_INTERVAL)
            await asyncio.sleep(device.link.connect_delay)
            if device.link.connect_errors:
                raise BleakError(device.link.connect_errors.pop(0))
            await asyncio.sleep(device.link.resolve_delay)
            while not device.link.resolves:
                await asyncio.sleep(ADVERTISING_INTERVAL)
        self.radio.attach(device, self)
        self._connected = True
        self.services = _services(device)

    async def disconnect(self) -> None:
        """Give the link up."""
        if self._connected:
            self.radio.drop(self._there())

    async def pair(self, *_: Any, **__: Any) -> None:
        """Do nothing: emulated sensors need no pairing."""

    async def unpair(self) -> None:
        """Do nothing: emulated sensors need no pairing."""

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Return the value of a characteristic, always a fresh one."""
        del use_cached
        return bytearray(self._held().read(characteristic.uuid))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Return an empty value: emulated descriptors hold nothing."""
        del descriptor, use_cached
        return bytearray()

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        """Write to a characteristic; commands are taken like requests."""
        del response
        try:
            self._held().write(characteristic.uuid, bytes(data))
        except AttError as error:
            raise BleakGATTProtocolError(error.code) from error

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Do nothing: emulated descriptors take nothing."""

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_: Any
    ) -> None:
        """Subscribe to a characteristic."""
        self._callbacks[characteristic.uuid] = callback
        try:
            self._held().subscribe(characteristic.uuid)
        except AttError as error:
            raise BleakGATTProtocolError(error.code) from error

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe from a characteristic."""
        self._callbacks.pop(characteristic.uuid, None)
        self._held().unsubscribe(characteristic.uuid)

    def notified(self, characteristic: str, payload: bytes) -> None:
        """Pass one notification on."""
        callback = self._callbacks.get(characteristic)
        if callback is not None:
            callback(bytearray(payload))

    def link_lost(self) -> None:
        """Note that the link is gone."""
        self._connected = False
        device = self._there()
        for characteristic in self._callbacks:
            device.unsubscribe(characteristic)
        self._callbacks.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    def _there(self) -> Device:
        if self._device is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        return self._device

    def _held(self) -> Device:
        if not self._connected:
            raise BleakError("Not connected")
        return self._there()


def backend(radio: InjectedRadio) -> tuple[type[BaseBleakClient], type[BaseBleakScanner]]:
    """Return the client and scanner classes to inject into bleak for one radio."""
    client = type("EmulatedClient", (InjectedClient,), {"radio": radio})
    scanner = type("EmulatedScanner", (InjectedScanner,), {"radio": radio})
    return client, scanner


def _services(device: Device) -> BleakGATTServiceCollection:
    collection = BleakGATTServiceCollection()
    handle = 10
    for service in device.sensor.services:
        shown = BleakGATTService(service, handle, service.uuid)
        collection.add_service(shown)
        for uuid, properties in service.characteristics:
            handle += 2
            names: Any = list(properties)
            collection.add_characteristic(
                BleakGATTCharacteristic(device, handle, uuid, names, lambda: device.mtu - 3, shown)
            )
        handle += 2
    return collection
