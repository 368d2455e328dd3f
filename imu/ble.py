"""The host's Bluetooth: scan, find, connect, subscribe. The only importer of bleak.

It knows links and bytes. What the bytes mean is in `imu/sensors/`, one sensor's life with its watchdog
and its reconnects in `imu/ble_link.py`, a whole capture in `imu/acquisition.py`. bleak is used as it is;
a back end of one's own goes in through `Backend`. Every failure leaves here as a `RadioError`: one
sentence that says what happened and what to do.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from imu.errors import RadioError
from imu.sensors.driver import Advertisement, Driver, Write
from imu.sensors.registry import driver_for

FAILURES = (BleakError, TimeoutError, OSError, EOFError)
"""Everything that bleak 3.1 was seen to raise; a lost bus shows as OSError or EOFError."""
UNHEARD = 2.0
"""A device not heard for this long may be connected already, s."""
SILENT = 5.0
"""A scan that hears nobody at all for this long is begun anew, s."""

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "permission": "this program may not use Bluetooth; allow it in the system's settings "
        "(on Linux: join the group 'bluetooth'), or run `rom doctor`",
        "no-service": "the Bluetooth service of this computer is not running; start it "
        "(on Linux: sudo systemctl start bluetooth), then try again, or run `rom doctor`",
        "no-adapter": "this computer has no Bluetooth Low Energy adapter that works; plug one in, "
        "or run `rom doctor`",
        "off": "Bluetooth is switched off; switch it on, then try again",
        "not-found": "{name} is not heard; switch it on, bring it near, and disconnect it from any phone "
        "or other program",
        "no-answer": "{name} was heard but does not answer; bring it within a metre, switch it off and on",
        "held": "{name} is in use by another program on this computer; close that program, then try again",
        "wrong-sensor": "{name} answers, but is not the kind of sensor it was paired as ({words}); "
        "pair it again with `rom pair`",
        "refused": "{name} refuses a command ({words}); switch it off and on, then try again",
        "link": "the link to {name} broke ({words}); bring it near, then try again",
    }
)
DBUS_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "org.freedesktop.DBus.Error.ServiceUnknown": "no-service",
        "org.freedesktop.DBus.Error.NameHasNoOwner": "no-service",
        "org.freedesktop.DBus.Error.AccessDenied": "permission",
        "org.freedesktop.DBus.Error.UnknownObject": "not-found",
        "org.bluez.Error.NotAuthorized": "permission",
        "org.bluez.Error.NotReady": "off",
        "org.bluez.Error.NotPermitted": "held",
        "org.bluez.Error.InProgress": "held",
    }
)
REASON_KINDS: Mapping[BleakBluetoothNotAvailableReason, str] = MappingProxyType(
    {
        BleakBluetoothNotAvailableReason.POWERED_OFF: "off",
        BleakBluetoothNotAvailableReason.DENIED_BY_USER: "permission",
        BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: "permission",
        BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: "permission",
    }
)
TYPE_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (BleakDeviceNotFoundError, "not-found"),
    (BleakCharacteristicNotFoundError, "wrong-sensor"),
    (BleakGATTProtocolError, "refused"),
    (TimeoutError, "no-answer"),
    (FileNotFoundError, "no-service"),
    (ConnectionRefusedError, "no-service"),
    (PermissionError, "permission"),
)


@dataclass(frozen=True)
class Backend:
    """What is passed through to bleak.

    Parameters
    ----------
    client, scanner
        Back-end classes in place of the system's own; None for the system's.
    adapter
        Name of the adapter, such as `hci1`; "" for the first one that is on. Linux only.
    """

    client: type[BaseBleakClient] | None = None
    scanner: type[BaseBleakScanner] | None = None
    adapter: str = ""


@dataclass(frozen=True)
class Sighting:
    """One advertisement as it was heard.

    Parameters
    ----------
    address
        What the system calls the device: six octets, or a UUID on macOS.
    name
        Advertised name, "" if none.
    rssi
        Signal strength, dBm.
    advertisement
        What drivers recognise it by.
    driver
        The family, None if it is no sensor of ours.
    device
        bleak's handle, for `Radio.connect`.
    """

    address: str
    name: str
    rssi: int
    advertisement: Advertisement
    driver: Driver | None
    device: BLEDevice


class Connection:
    """One link to one sensor, from connect to close."""

    def __init__(self, client: BleakClient, name: str, lost: asyncio.Event) -> None:
        self._client = client
        self._name = name
        self.lost = lost

    def has(self, characteristic: str) -> bool:
        """Return whether the sensor has a characteristic."""
        return self._client.services.get_characteristic(characteristic) is not None

    def expect(self, characteristics: Iterable[str]) -> None:
        """Raise RadioError unless the sensor has them all: it is another kind of device."""
        missing = [item for item in characteristics if not self.has(item)]
        if missing:
            raise explained(BleakCharacteristicNotFoundError(missing[0]), self._name)

    async def read(self, characteristic: str) -> bytes:
        """Return the value of a characteristic. Raises RadioError."""
        try:
            return bytes(await self._client.read_gatt_char(characteristic))
        except FAILURES as error:
            raise explained(error, self._name) from error

    async def write(self, write: Write) -> None:
        """Write to a characteristic. Raises RadioError."""
        try:
            await self._client.write_gatt_char(write.characteristic, write.payload, response=write.response)
        except FAILURES as error:
            raise explained(error, self._name) from error

    async def subscribe(self, characteristic: str, heard: Callable[[int, bytes], None]) -> None:
        """Call `heard` with arrival time (monotonic, ns) and bytes of each notification. Raises RadioError.

        `heard` runs in the event loop, between two notifications: it must do next to nothing.
        """

        def notified(_: BleakGATTCharacteristic, payload: bytearray) -> None:
            heard(time.monotonic_ns(), bytes(payload))

        try:
            await self._client.start_notify(characteristic, notified)
        except FAILURES as error:
            raise explained(error, self._name) from error

    async def close(self, within: float) -> None:
        """Release the link and everything bleak holds for it, dead or alive.

        On a dead link too: a client that is dropped without `disconnect()` keeps its subscription, and after
        the reconnect every notification comes twice, then three times (bleak issue #2002). What the service
        says to that does not matter any more.

        Parameters
        ----------
        within
            Longest wait, s.
        """
        try:
            await asyncio.wait_for(self._client.disconnect(), within)
        except FAILURES:
            self.lost.set()


class Radio:
    """The host's Bluetooth within one event loop.

    Parameters
    ----------
    backend
        What is passed through to bleak.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self._backend = Backend() if backend is None else backend
        self._bluez: Any = {"adapter": self._backend.adapter} if self._backend.adapter else {}
        self._listeners: dict[object, Callable[[Sighting], None]] = {}
        self._failures: dict[object, Callable[[RadioError], None]] = {}
        self._scanner: BleakScanner | None = None
        self._turn = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._paused = False
        self._last_heard = time.monotonic()

    async def scan(self, seconds: float, heard: Callable[[Sighting], None]) -> None:
        """Call `heard` with every advertisement for some seconds. Raises RadioError."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with self._listening(heard, _give_up(failed)):
            try:
                await asyncio.wait_for(asyncio.shield(failed), seconds)
            except TimeoutError:
                failed.cancel()

    async def find(self, address: str) -> Sighting:
        """Wait until a device advertises, for as long as it takes, and return how it was heard.

        A device that this computer is connected to already does not advertise: another program holds it, or
        held it when it was killed. It is returned too, after a while.

        Raises
        ------
        RadioError
            If the system cannot scan.
        """
        found: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()

        def heard(sighting: Sighting) -> None:
            if sighting.address.upper() == address.upper() and not found.done():
                found.set_result(sighting)

        async with self._listening(heard, _give_up(found)):
            while True:
                with suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(found), UNHEARD)
                held = await self._connected_here(address)
                if held is not None:
                    return held
                if time.monotonic() - self._last_heard > SILENT:
                    await self._scan_anew()

    @asynccontextmanager
    async def connect(self, sighting: Sighting, name: str, timeout: float) -> AsyncGenerator[Connection]:
        """Connect, one device at a time; the block is the time to set it up, undisturbed by a scan.

        If the block or the connection fails, everything is released again; otherwise the link stays when
        the block ends, until `Connection.close`.

        Parameters
        ----------
        sighting
            A recent one; the system forgets devices that were not heard for about 30 s.
        name
            The sensor's name in messages.
        timeout
            Of connection and set-up together, s.

        Raises
        ------
        RadioError
            If it fails or takes too long.
        """
        async with self._connecting:
            lost = asyncio.Event()
            client = BleakClient(
                sighting.device,
                disconnected_callback=lambda _: lost.set(),
                timeout=timeout,
                bluez=self._bluez,
                backend=self._backend.client,
            )
            connection = Connection(client, name, lost)
            self._paused = True
            try:
                await self._settle()
                async with asyncio.timeout(timeout):
                    await client.connect()
                    yield connection
            except BaseException as error:
                await connection.close(timeout)
                if isinstance(error, FAILURES):
                    raise explained(error, name) from error
                raise
            finally:
                self._paused = False
                await self._settle()

    @asynccontextmanager
    async def _listening(
        self, heard: Callable[[Sighting], None], failed: Callable[[RadioError], None]
    ) -> AsyncGenerator[None]:
        """Keep the one scanner running for as long as anyone listens."""
        token = object()
        self._listeners[token], self._failures[token] = heard, failed
        try:
            await self._settle()
            yield
        finally:
            del self._listeners[token], self._failures[token]
            await self._settle()

    async def _connected_here(self, address: str) -> Sighting | None:
        """Return a device that this computer is connected to already."""
        if self._backend.scanner is not None:
            return None
        with suppress(NotImplementedError, *FAILURES):
            adapter = await BleakAdapter.get(bluez=self._bluez)
            for device in await adapter.get_connected_devices():
                if device.address.upper() == address.upper():
                    told = Advertisement(device.name or "")
                    return Sighting(device.address, told.name, 0, told, driver_for(told), device)
        return None

    async def _scan_anew(self) -> None:
        """Scan again from the start: a service that was restarted has forgotten that we do."""
        async with self._turn:
            scanner, self._scanner = self._scanner, None
            if scanner is not None:
                with suppress(*FAILURES):
                    await scanner.stop()
        self._last_heard = time.monotonic()
        await self._settle()

    async def _settle(self) -> None:
        """Start or stop the scanner as is wanted now; tell every listener if it cannot."""
        async with self._turn:
            wanted = bool(self._listeners) and not self._paused
            try:
                if wanted and self._scanner is None:
                    scanner = BleakScanner(self._heard, bluez=self._bluez, backend=self._backend.scanner)
                    await scanner.start()
                    self._scanner = scanner
                elif not wanted and self._scanner is not None:
                    scanner, self._scanner = self._scanner, None
                    await scanner.stop()
            except FAILURES as error:
                for failed in list(self._failures.values()):
                    failed(explained(error, "Bluetooth"))

    def _heard(self, device: BLEDevice, heard: AdvertisementData) -> None:
        told = Advertisement(
            heard.local_name or device.name or "",
            tuple(uuid.lower() for uuid in heard.service_uuids),
            heard.manufacturer_data,
        )
        sighting = Sighting(device.address, told.name, heard.rssi, told, driver_for(told), device)
        self._last_heard = time.monotonic()
        for listener in list(self._listeners.values()):
            listener(sighting)


def explained(error: Exception, name: str) -> RadioError:
    """Return what went wrong as a sentence for a person.

    Parameters
    ----------
    error
        As bleak raised it.
    name
        The sensor's name in the sentence.
    """
    kind = _kind(error)
    return RadioError(kind, SENTENCES[kind].format(name=name, words=str(error) or type(error).__name__))


def _kind(error: Exception) -> str:
    if isinstance(error, BleakDBusError):
        return DBUS_KINDS.get(error.dbus_error, "link")
    if isinstance(error, BleakBluetoothNotAvailableError):
        return REASON_KINDS.get(error.reason, "no-adapter")
    return next((kind for kinds, kind in TYPE_KINDS if isinstance(error, kinds)), "link")


def _give_up(future: "asyncio.Future[Any]") -> Callable[[RadioError], None]:
    def failed(error: RadioError) -> None:
        if not future.done():
            future.set_exception(error)

    return failed
