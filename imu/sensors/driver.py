"""What every sensor family can be asked: the `Driver` protocol and the values that cross it.

A driver knows bytes. It knows no radio (`imu/ble.py`), no clock (`imu/clock.py`) and no person. One
`Driver` describes a family; `decoder` turns a sensor's bytes into values, and `peripheral` is the other
end of the same wire, the sensor's own side, so that an emulated sensor and the tests speak the bytes
that a real one would.

Life of a connection, in this order::

    driver = driver_for(advertisement)
    settings = driver.settings(rate_hz=60)         # what will really be set; InputError if impossible
    read driver.reads; feed each answer to the decoder
    write driver.configure(settings)
    subscribe driver.notify(settings), in order
    write driver.start(settings)  ...  write driver.stop(settings)

Every notification and every answer to a read goes to `decoder.feed`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypedDict, Unpack

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

G = 9.80665
"""Standard gravity, m/s^2: what a data sheet's "1 g" means unless a family says otherwise."""

UNKNOWN: Vector = (math.nan, math.nan, math.nan)
NOTHING_MORE: Mapping[str, tuple[float, ...]] = MappingProxyType({})


def uuid16(short: int) -> str:
    """Return the full form of a 16-bit id of the Bluetooth SIG."""
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


BATTERY_SERVICE = uuid16(0x180F)
BATTERY_LEVEL = uuid16(0x2A19)


class Reading(NamedTuple):
    """One sample of one sensor, in SI units, in the sensor's own frame.

    Parameters
    ----------
    ticks
        Device time in ticks of the stream's `DeviceClock`, as sent (it wraps); None if the family
        sends none.
    counter
        Number of the sample or packet as sent (it wraps); None if the family sends none.
    gyr, acc, mag
        rad/s, m/s^2 specific force, uT; NaN where not streamed or saturated.
    quat
        q_earth_from_sensor as the sensor computed it (w, x, y, z), unit length within 1 %; None if not
        streamed.
    more
        What else the packet held, by name with its unit: `free_acc` (m/s^2, earth frame), `euler_deg`,
        `dq`, `dv` (m/s), `temperature_c`, `unix_s`...
    """

    ticks: int | None
    counter: int | None = None
    gyr: Vector = UNKNOWN
    acc: Vector = UNKNOWN
    mag: Vector = UNKNOWN
    quat: Quaternion | None = None
    more: Mapping[str, tuple[float, ...]] = NOTHING_MORE


class Battery(NamedTuple):
    """Charge left, percent 0 to 100, and whether it is charging (None: not told)."""

    percent: float
    charging: bool | None = None


class Ack(NamedTuple):
    """The sensor's answer to a command: which command, whether it agreed, and its words for a person."""

    command: str
    ok: bool
    words: str = ""


class DeviceInfo(NamedTuple):
    """Serial number and firmware as the sensor tells them; "" where it does not."""

    serial: str = ""
    firmware: str = ""


class Polled(NamedTuple):
    """A quantity the sensor tells only when asked, by name with its unit."""

    name: str
    values: tuple[float, ...]


Item = Reading | Battery | Ack | DeviceInfo | Polled


class Write(NamedTuple):
    """One write to the sensor; `response` says whether the write is acknowledged by the link."""

    characteristic: str
    payload: bytes
    response: bool = True


class Notification(NamedTuple):
    """Bytes that a sensor sends by itself."""

    characteristic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a scan tells about a sensor; service ids in full, lower case."""

    name: str
    services: tuple[str, ...] = ()
    manufacturer: Mapping[int, bytes] = field(default_factory=dict[int, bytes])


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """The time base of a stream.

    Parameters
    ----------
    tick_s
        Nominal length of a tick, s. Where the sensor sends no time, the nominal sample period.
    wrap
        The counter restarts after this many ticks; None if it never does.
    rate_sigma
        One sigma of the true tick's relative error: 20e-6 for a crystal, 1e-2 for counted samples.
    counted
        True if the sensor sends no time, so that samples are counted instead.
    """

    tick_s: float
    wrap: int | None
    rate_sigma: float = 20e-6
    counted: bool = False


class Wish(TypedDict, total=False):
    """What is wanted of a stream, in the units of `Settings`; left out or None is the family's default."""

    rate_hz: float | None
    gyr_range_dps: float | None
    acc_range_g: float | None
    mode: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a stream is set to; made by `Driver.settings`, so that every field is what the family can do.

    Parameters
    ----------
    rate_hz
        Samples per second that the sensor claims.
    gyr_range_dps, acc_range_g
        Full scale; None if the family has no such sensor.
    mode
        Name of the content in the family's own words.
    magnetometer
        Whether readings carry a magnetic field in uT.
    """

    rate_hz: float
    gyr_range_dps: float | None
    acc_range_g: float | None
    mode: str = ""
    magnetometer: bool = False


@dataclass(frozen=True, slots=True)
class Capability:
    """What a family can and cannot do, in words for a person, with where the facts come from.

    Parameters
    ----------
    family
        Short id, as on the command line: `movella-dot`.
    title
        Name for a person.
    recognised_by, streams, clock, sync
        One phrase each.
    rates_hz, gyr_ranges_dps, acc_ranges_g
        What can be set; the first range is the default.
    default_rate_hz
        What is set if nothing is asked for.
    modes, magnetic_modes
        What a stream may hold, in the family's own words, and in which of these a magnetic field in uT
        comes along; the first is the default.
    cannot
        What the family cannot do, each one sentence.
    to_verify
        Facts that no captured bytes have confirmed yet, each one sentence.
    source
        Tag and place of the facts.
    """

    family: str
    title: str
    recognised_by: str
    rates_hz: tuple[float, ...]
    default_rate_hz: float
    gyr_ranges_dps: tuple[float, ...]
    acc_ranges_g: tuple[float, ...]
    streams: str
    clock: str
    sync: str
    cannot: tuple[str, ...]
    to_verify: tuple[str, ...]
    source: str
    modes: tuple[str, ...]
    magnetic_modes: tuple[str, ...] = ()


class Decoder(Protocol):
    """Bytes of one connection, in order, to values. All its memory is on the instance; it is never shared."""

    def feed(self, characteristic: str, payload: bytes, /) -> list[Item]:
        """Return what the bytes say, oldest first; an empty list if nothing is complete yet.

        Raises
        ------
        PacketError
            If length, checksum or a value cannot be right. The decoder goes on with the next packet.
        """
        ...


class Characteristic(NamedTuple):
    """One characteristic and its properties: read, write, write-without-response, notify, indicate."""

    uuid: str
    properties: tuple[str, ...]


class Service(NamedTuple):
    """One service of a sensor."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


class Peripheral(Protocol):
    """A sensor's own side of the protocol, without a radio: commands in, notifications out.

    `streaming` and `rate_hz` follow the commands that came. The owner calls `sample` at device times
    k / rate_hz while `streaming`, and hands every notification to the link; `set_subscribed` tells it which
    characteristics a central listens to (notifications on others must not be sent).
    """

    advertisement: Advertisement
    services: tuple[Service, ...]
    battery_percent: float

    @property
    def streaming(self) -> bool:
        """Whether samples are wanted."""
        ...

    @property
    def rate_hz(self) -> float:
        """The rate that was commanded."""
        ...

    def set_subscribed(self, characteristic: str, subscribed: bool, /) -> list[Notification]:
        """Note that a central listens or stopped listening; return what the sensor sends at that."""
        ...

    def read(self, characteristic: str, /) -> bytes:
        """Return the value of a readable characteristic."""
        ...

    def write(self, characteristic: str, payload: bytes, /) -> list[Notification]:
        """Take a command; return the answers. Raises PacketError if the sensor would refuse the bytes."""
        ...

    def sample(self, device_time: float, reading: Reading, /) -> list[Notification]:
        """Take one sample at `device_time` (s since boot, by the sensor's own clock); return what is due.

        `reading.ticks` is ignored: the sensor stamps by its own clock. A batch is sent when it is full.
        """
        ...


class Driver(Protocol):
    """One sensor family."""

    capability: Capability
    reads: tuple[str, ...]
    """Characteristics to read once after connecting (battery, identity); the sensor may lack them."""

    def recognises(self, advertisement: Advertisement, /) -> bool:
        """Tell whether an advertisement is of this family."""
        ...

    def settings(self, **wish: Unpack[Wish]) -> Settings:
        """Return complete settings. Raises InputError if the family cannot do what is wished for."""
        ...

    def clock(self, settings: Settings, /) -> DeviceClock:
        """Return the time base of the stream."""
        ...

    def notify(self, settings: Settings, /) -> tuple[str, ...]:
        """Return the characteristics to subscribe, in order."""
        ...

    def configure(self, settings: Settings, /) -> tuple[Write, ...]:
        """Return the writes before subscribing: rate, ranges, filters."""
        ...

    def start(self, settings: Settings, /) -> tuple[Write, ...]:
        """Return the writes that start the stream, after subscribing."""
        ...

    def stop(self, settings: Settings, /) -> tuple[Write, ...]:
        """Return the writes that stop the stream, before unsubscribing."""
        ...

    def decoder(self, settings: Settings, /) -> Decoder:
        """Return a fresh decoder for one connection."""
        ...

    def peripheral(self, *, name: str = "", address: str = "") -> Peripheral:
        """Return a fresh emulated sensor of this family; `address` as AA:BB:CC:DD:EE:FF where it matters."""
        ...
