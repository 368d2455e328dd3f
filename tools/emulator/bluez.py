"""A stand-in for the Linux Bluetooth service (`bluetoothd`) on a private D-Bus.

It owns the name `org.bluez` and answers what a central asks of an adapter, its devices and their GATT
tables, so that bleak's own Linux back end runs against it unmodified. Interfaces and error names follow
the BlueZ D-Bus API (doc/org.bluez.*.rst of the BlueZ sources); what happens to subscriptions at a link
loss, and one signal per subscribed client, follow what a real BlueZ 5.66 was seen to do [K].
"""

import asyncio
import random
import socket
from collections.abc import Coroutine, Sequence

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from imu.sensors.driver import uuid16
from tools.emulator.device import AttError, Device
from tools.emulator.objects import (
    ADAPTER,
    CHARACTERISTIC,
    DEVICE,
    HCI,
    ObjectTree,
    adapter_values,
    device_values,
    listenable,
)
from tools.emulator.table import Entry, GattTable

GENERIC_ATTRIBUTE = uuid16(0x1801)
UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"


class RefusedError(Exception):
    """The service answers a call with a D-Bus error."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class BluezService:
    """The stand-in service; one instance is one life of the daemon.

    Parameters
    ----------
    address
        Of the bus, as `PrivateBus.address`.
    adapter
        Whether there is a Bluetooth adapter.
    powered
        Whether it is switched on.
    advertising_interval
        Time between two advertisements of a device, s.
    absent_timeout
        How long a connection attempt to a device out of reach takes to fail, s.
    """

    def __init__(
        self,
        address: str,
        *,
        adapter: bool = True,
        powered: bool = True,
        advertising_interval: float = 0.1,
        absent_timeout: float = 5.0,
    ) -> None:
        self._address = address
        self._has_adapter = adapter
        self._powered = powered
        self._advertising_interval = advertising_interval
        self._absent_timeout = absent_timeout
        self._tree = ObjectTree()
        self._devices: dict[str, Device] = {}
        self._table = GattTable()
        self._scanners: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._strength = random.Random(0)

    async def start(self, devices: Sequence[Device] = ()) -> None:
        """Take the service's name on the bus and publish devices."""
        bus = await MessageBus(bus_address=self._address, negotiate_unix_fd=True).connect()
        self._tree.bus = bus
        bus.add_message_handler(self._on_message)
        watch = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
        await bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=[watch],
            )
        )
        if self._has_adapter:
            self._tree.export(HCI, ADAPTER, adapter_values(powered=self._powered))
        await bus.request_name("org.bluez")
        self._spawn(self._advertise())
        for device in devices:
            self.add(device)

    async def kill(self) -> None:
        """End as `kill -9` does: no goodbye to any client; links break, subscriptions are forgotten."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for entry in self._table:
            if entry.listened:
                entry.device.unsubscribe(entry.uuid)
            entry.release()
        for device in self._devices.values():
            device.disconnected()
            device.host = None
        if self._tree.bus is not None:
            self._tree.bus.disconnect()
            await self._tree.bus.wait_for_disconnect()
            self._tree.bus = None

    def add(self, device: Device) -> None:
        """Put a device within reach of the adapter."""
        path = f"{HCI}/dev_{device.address.replace(':', '_')}"
        self._devices[path] = device
        device.host = self
        self._spawn(device.connection_events())

    def forget(self, device: Device) -> None:
        """Remove the device object, as the service does with devices not seen for a while."""
        path = self._path(device)
        for child in [*self._tree.below(path), path]:
            self._tree.remove(child)
        self._table.remove(device)

    def set_powered(self, powered: bool) -> None:
        """Switch the adapter on or off; off breaks every link and ends every scan."""
        if not powered:
            for device in self._devices.values():
                self.drop(device)
            self._scanners.clear()
        self._tree.change(HCI, ADAPTER, {"Powered": Variant("b", powered)})

    def deliver(self, device: Device, characteristic: str, payload: bytes) -> None:
        """Hand one notification to every subscribed client: one signal for each, as BlueZ does [K]."""
        entry = self._table.find(device, characteristic)
        if entry is None:
            return
        if entry.acquired is not None:
            try:
                entry.acquired.send(payload)
            except OSError:
                self._release(entry)
        for _ in entry.clients:
            self._tree.announce(entry.path, CHARACTERISTIC, {"Value": Variant("ay", payload)})

    def drop(self, device: Device) -> None:
        """Break a link. Sockets close, subscriptions stay with their client, as BlueZ does [K]."""
        if not device.connected:
            return
        for entry in self._table.of(device):
            if entry.listened:
                device.unsubscribe(entry.uuid)
            entry.release()
        device.disconnected()
        path = self._path(device)
        self._tree.change(path, DEVICE, {"ServicesResolved": Variant("b", False)})
        self._tree.change(path, DEVICE, {"Connected": Variant("b", False)})

    # ---- what clients call ---------------------------------------------------------------------

    def _on_message(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and not message.body[2]:
                self._client_left(message.body[0])
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.interface == "org.freedesktop.DBus.Peer":
            return None
        try:
            self._call(message)
        except AttError as error:
            text = f"Operation failed with ATT error: 0x{error.code:02x}"
            self._tree.send(Message.new_error(message, "org.bluez.Error.Failed", text))
        except RefusedError as refusal:
            self._tree.send(Message.new_error(message, refusal.name, refusal.text))
        return True

    def _call(self, message: Message) -> None:
        path = message.path or ""
        if message.member == "GetManagedObjects":
            return self._tree.reply_all(message)
        if path not in self._tree:
            raise RefusedError("org.freedesktop.DBus.Error.UnknownObject", path)
        match message.interface:
            case "org.freedesktop.DBus.Properties":
                return self._property(message, path)
            case "org.bluez.Adapter1":
                return self._adapter(message)
            case "org.bluez.Device1":
                return self._device(message, path, self._devices[path])
            case "org.bluez.GattCharacteristic1":
                return self._characteristic(message, self._table[path])
            case _:
                raise RefusedError(UNKNOWN_METHOD, f"{message.interface}.{message.member}")

    def _property(self, message: Message, path: str) -> None:
        interface = self._tree.values(path, message.body[0])
        match message.member:
            case "GetAll":
                self._tree.reply(message, "a{sv}", [interface])
            case "Get" if message.body[1] in interface:
                self._tree.reply(message, "v", [interface[message.body[1]]])
            case "Set":
                self._tree.change(path, message.body[0], {message.body[1]: message.body[2]})
                self._tree.reply(message)
            case _:
                raise RefusedError("org.freedesktop.DBus.Error.InvalidArgs", "no such property")

    def _adapter(self, message: Message) -> None:
        powered = bool(self._tree.values(HCI, ADAPTER)["Powered"].value)
        match message.member:
            case "SetDiscoveryFilter":
                self._tree.reply(message)
            case "StartDiscovery" | "StopDiscovery":
                if not powered:
                    raise RefusedError("org.bluez.Error.NotReady", "Resource Not Ready")
                change = self._scanners.add if message.member == "StartDiscovery" else self._scanners.discard
                change(message.sender or "")
                self._tree.change(HCI, ADAPTER, {"Discovering": Variant("b", bool(self._scanners))})
                self._tree.reply(message)
            case "RemoveDevice" if message.body[0] in self._devices:
                device = self._devices[message.body[0]]
                self.drop(device)
                self.forget(device)
                self._tree.reply(message)
            case _:
                raise RefusedError("org.bluez.Error.DoesNotExist", "Does Not Exist")

    def _device(self, message: Message, path: str, device: Device) -> None:
        match message.member:
            case "Connect":
                if path in self._connecting:
                    raise RefusedError("org.bluez.Error.InProgress", "br-connection-busy")
                self._connecting[path] = self._spawn(self._connect(message, path, device))
            case "Disconnect":
                pending = self._connecting.pop(path, None)
                if pending is not None:
                    pending.cancel()
                self.drop(device)
                self._tree.reply(message)
            case "Pair":
                self._tree.reply(message)
            case _:
                raise RefusedError(UNKNOWN_METHOD, message.member or "")

    def _characteristic(self, message: Message, entry: Entry) -> None:
        device, sender = entry.device, message.sender or ""
        if not device.connected:
            raise RefusedError("org.bluez.Error.Failed", "Not connected")
        match message.member:
            case "ReadValue":
                if "read" not in entry.flags:
                    raise RefusedError("org.bluez.Error.NotPermitted", "Read not permitted")
                self._tree.reply(message, "ay", [device.read(entry.uuid)])
            case "WriteValue":
                device.write(entry.uuid, bytes(message.body[0]))
                self._tree.reply(message)
            case "StartNotify":
                self._may_listen(entry, sender)
                if not entry.clients:
                    device.subscribe(entry.uuid)
                entry.clients.add(sender)
                self._tree.reply(message)
            case "StopNotify":
                self._leave(entry, sender)
                self._tree.reply(message)
            case "AcquireNotify":
                self._may_listen(entry, sender)
                device.subscribe(entry.uuid)
                flags = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
                entry.acquired, theirs = socket.socketpair(socket.AF_UNIX, flags)
                self._tree.reply(message, "hq", [0, device.mtu], [theirs.detach()])
            case _:
                raise RefusedError(UNKNOWN_METHOD, message.member or "")

    def _may_listen(self, entry: Entry, sender: str) -> None:
        if not listenable(entry.flags):
            raise RefusedError("org.bluez.Error.NotSupported", "Operation is not supported")
        if entry.acquired is not None:
            raise RefusedError("org.bluez.Error.NotPermitted", "Notify acquired")
        if sender in entry.clients:
            raise RefusedError("org.bluez.Error.InProgress", "In Progress")

    # ---- what the service does by itself -------------------------------------------------------

    async def _advertise(self) -> None:
        while True:
            await asyncio.sleep(self._advertising_interval)
            if not self._scanners:
                continue
            for path, device in self._devices.items():
                if not device.advertising or device.connected:
                    continue
                rssi = Variant("n", device.rssi + self._strength.randint(-3, 3))
                if path in self._tree:
                    self._tree.change(path, DEVICE, {"RSSI": rssi})
                else:
                    self._tree.export(path, DEVICE, device_values(device, rssi))

    async def _connect(self, message: Message, path: str, device: Device) -> None:
        link = device.link
        try:
            await asyncio.sleep(link.connect_delay if device.advertising else self._absent_timeout)
        except asyncio.CancelledError:
            self._tree.send(Message.new_error(message, "org.bluez.Error.Failed", "le-connection-canceled"))
            raise
        finally:
            self._connecting.pop(path, None)
        if link.connect_errors or not device.advertising:
            text = link.connect_errors.pop(0) if link.connect_errors else "le-connection-abort-by-remote"
            if text == "le-connection-abort-by-local":
                self._tree.change(path, DEVICE, {"Connected": Variant("b", True)})
                self._tree.change(path, DEVICE, {"Connected": Variant("b", False)})
            self._tree.send(Message.new_error(message, "org.bluez.Error.Failed", text))
            return
        device.connected = True
        self._tree.change(path, DEVICE, {"Connected": Variant("b", True)})
        self._tree.reply(message)
        await asyncio.sleep(link.resolve_delay)
        if not device.connected or not link.resolves:
            return
        if not self._tree.below(path):
            self._table.export(self._tree, path, device)
        uuids = [GENERIC_ATTRIBUTE, *(service.uuid for service in device.sensor.services)]
        resolved = {"UUIDs": Variant("as", uuids), "ServicesResolved": Variant("b", True)}
        self._tree.change(path, DEVICE, resolved)
        for entry in self._table.of(device):
            if entry.clients:
                device.resubscribe(entry.uuid)

    def _client_left(self, client: str) -> None:
        """Forget the scans and subscriptions of a D-Bus client that went away; its links stay."""
        self._scanners.discard(client)
        for entry in self._table:
            self._leave(entry, client)

    def _leave(self, entry: Entry, client: str) -> None:
        if client in entry.clients:
            entry.clients.remove(client)
            if not entry.listened and entry.device.connected:
                entry.device.unsubscribe(entry.uuid)

    def _release(self, entry: Entry) -> None:
        entry.release()
        if not entry.listened and entry.device.connected:
            entry.device.unsubscribe(entry.uuid)

    # ---- D-Bus ---------------------------------------------------------------------------------

    def _path(self, device: Device) -> str:
        return next(path for path, item in self._devices.items() if item is device)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
