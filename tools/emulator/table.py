"""The GATT tables that the stand-in service knows, and who listens to which characteristic."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from dbus_fast import Variant

from tools.emulator.device import Device
from tools.emulator.objects import (
    CHARACTERISTIC,
    CLIENT_CONFIGURATION,
    DESCRIPTOR,
    SERVICE,
    ObjectTree,
    characteristic_values,
    listenable,
)

FIRST_HANDLE = 0x0A


@dataclass(eq=False)
class Entry:
    """One characteristic: the D-Bus names that subscribed to it, and the socket that holds it, if any."""

    device: Device
    uuid: str
    flags: tuple[str, ...]
    path: str
    clients: set[str] = field(default_factory=set[str])
    acquired: socket.socket | None = None

    @property
    def listened(self) -> bool:
        """Whether anyone gets its notifications."""
        return bool(self.clients) or self.acquired is not None

    def release(self) -> None:
        """Close the socket."""
        if self.acquired is not None:
            self.acquired.close()
            self.acquired = None


class GattTable:
    """Every characteristic of every device whose services were resolved."""

    def __init__(self) -> None:
        self._by_path: dict[str, Entry] = {}
        self._by_uuid: dict[tuple[Device, str], Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        """Return every entry."""
        return iter(list(self._by_path.values()))

    def __getitem__(self, path: str) -> Entry:
        """Return the entry of an object path."""
        return self._by_path[path]

    def find(self, device: Device, uuid: str) -> Entry | None:
        """Return the entry of a characteristic, None before the services were resolved."""
        return self._by_uuid.get((device, uuid))

    def of(self, device: Device) -> list[Entry]:
        """Return the entries of one device."""
        return [entry for entry in self if entry.device is device]

    def remove(self, device: Device) -> None:
        """Forget the entries of one device."""
        for entry in self.of(device):
            entry.release()
            del self._by_path[entry.path], self._by_uuid[device, entry.uuid]

    def export(self, tree: ObjectTree, path: str, device: Device) -> None:
        """Show the services, characteristics and descriptors of a device."""
        handle = FIRST_HANDLE
        for service in device.sensor.services:
            service_path = f"{path}/service{handle:04x}"
            handle += 1
            service_values = {
                "UUID": Variant("s", service.uuid),
                "Primary": Variant("b", True),
                "Device": Variant("o", path),
                "Includes": Variant("ao", []),
            }
            tree.export(service_path, SERVICE, service_values)
            for uuid, flags in service.characteristics:
                entry = Entry(device, uuid, flags, f"{service_path}/char{handle:04x}")
                self._by_path[entry.path] = self._by_uuid[device, uuid] = entry
                values = characteristic_values(uuid, flags, service_path, device.mtu)
                tree.export(entry.path, CHARACTERISTIC, values)
                handle += 2
                if listenable(flags):
                    configuration = {
                        "UUID": Variant("s", CLIENT_CONFIGURATION),
                        "Characteristic": Variant("o", entry.path),
                        "Value": Variant("ay", b""),
                    }
                    tree.export(f"{entry.path}/desc{handle:04x}", DESCRIPTOR, configuration)
                    handle += 1
