"""What a running capture tells about its sensors."""

from dataclasses import dataclass

from imu.ble_link import LinkState
from imu.clock import ClockReport


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know.

    Parameters
    ----------
    t
        When, s on the capture clock.
    sensor
        Of which sensor; "" if of all.
    kind
        A `LinkState`, `gap`, `recording`, `not-recording` or `failed`.
    words
        What happened.
    """

    t: float
    sensor: str
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """How one sensor does at the moment.

    Parameters
    ----------
    sensor
        Its id.
    state, words
        Where it is in its life, for programs and for a person.
    age
        Time since the last data, s; infinite if there never was any.
    battery
        Percent, NaN if not told.
    rssi
        Signal strength when it was last searched for, dBm; 0 before.
    serial, firmware
        As the sensor tells them.
    broken
        Packets that did not decode.
    clock
        Samples, losses, duplicates, lateness and time spread.
    """

    sensor: str
    state: LinkState
    words: str
    age: float
    battery: float
    rssi: int
    serial: str
    firmware: str
    broken: int
    clock: ClockReport
