"""The object tree that a D-Bus service shows: what exists, its properties, and the signals of each change."""

from collections.abc import Sequence

from dbus_fast import Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus

from tools.emulator.device import Device

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
HCI = "/org/bluez/hci0"
CLIENT_CONFIGURATION = "00002902-0000-1000-8000-00805f9b34fb"

Values = dict[str, Variant]


class ObjectTree:
    """Objects by path, each with one interface, on one connection to the bus."""

    def __init__(self) -> None:
        self.bus: MessageBus | None = None
        self._objects: dict[str, dict[str, Values]] = {}

    def __contains__(self, path: str) -> bool:
        """Return whether an object exists."""
        return path in self._objects

    def values(self, path: str, interface: str) -> Values:
        """Return the properties of an object, empty if it lacks the interface."""
        return self._objects[path].get(interface, {})

    def below(self, path: str) -> list[str]:
        """Return the paths under an object."""
        return [item for item in self._objects if item.startswith(path + "/")]

    def export(self, path: str, interface: str, values: Values) -> None:
        """Add an object and tell every client."""
        self._objects[path] = {interface: values}
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])

    def change(self, path: str, interface: str, values: Values) -> None:
        """Change properties of an object, if it exists, and tell every client."""
        if path in self._objects:
            self._objects[path][interface].update(values)
            self.announce(path, interface, values)

    def announce(self, path: str, interface: str, values: Values) -> None:
        """Tell every client of new property values without keeping them."""
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def remove(self, path: str) -> None:
        """Remove an object, if it exists, and tell every client."""
        interfaces = self._objects.pop(path, None)
        if interfaces is not None:
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, list(interfaces)])

    def reply_all(self, message: Message) -> None:
        """Answer with the whole tree."""
        self.reply(message, "a{oa{sa{sv}}}", [self._objects])

    def reply(
        self, message: Message, signature: str = "", body: Sequence[object] = (), sockets: Sequence[int] = ()
    ) -> None:
        """Answer a call."""
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            self.send(Message.new_method_return(message, signature, list(body), list(sockets)))

    def send(self, message: Message) -> None:
        """Send a message, unless the connection is gone."""
        if self.bus is not None and self.bus.connected:
            self.bus.send(message)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: Sequence[object]) -> None:
        self.send(
            Message(
                message_type=MessageType.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )


def adapter_values(*, powered: bool) -> Values:
    """Return the properties of an adapter."""
    return {
        "Address": Variant("s", "02:00:00:00:00:01"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "emulated"),
        "Alias": Variant("s", "emulated"),
        "Class": Variant("u", 0),
        "Powered": Variant("b", powered),
        "Discoverable": Variant("b", False),
        "Pairable": Variant("b", True),
        "PairableTimeout": Variant("u", 0),
        "DiscoverableTimeout": Variant("u", 0),
        "Discovering": Variant("b", False),
        "UUIDs": Variant("as", []),
        "Modalias": Variant("s", ""),
        "Roles": Variant("as", ["central", "peripheral"]),
    }


def device_values(device: Device, rssi: Variant) -> Values:
    """Return the properties of a device that was just seen for the first time."""
    told = device.sensor.advertisement
    manufacturer = {company: Variant("ay", data) for company, data in told.manufacturer.items()}
    return {
        "Address": Variant("s", device.address),
        "AddressType": Variant("s", "random"),
        "Name": Variant("s", told.name),
        "Alias": Variant("s", told.name),
        "Paired": Variant("b", False),
        "Bonded": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "LegacyPairing": Variant("b", False),
        "Connected": Variant("b", False),
        "ServicesResolved": Variant("b", False),
        "UUIDs": Variant("as", list(told.services)),
        "Adapter": Variant("o", HCI),
        "RSSI": rssi,
        "ManufacturerData": Variant("a{qv}", manufacturer),
    }


def characteristic_values(uuid: str, flags: Sequence[str], service_path: str, mtu: int) -> Values:
    """Return the properties of a characteristic."""
    values = {
        "UUID": Variant("s", uuid),
        "Service": Variant("o", service_path),
        "Value": Variant("ay", b""),
        "Flags": Variant("as", list(flags)),
        "MTU": Variant("q", mtu),
    }
    if listenable(flags):
        values["Notifying"] = Variant("b", False)
        values["NotifyAcquired"] = Variant("b", False)
    if "write-without-response" in flags:
        values["WriteAcquired"] = Variant("b", False)
    return values


def listenable(flags: Sequence[str]) -> bool:
    """Return whether a characteristic with these flags notifies or indicates."""
    return "notify" in flags or "indicate" in flags
