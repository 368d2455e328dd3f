"""Emulated sensors as a cast: their families, their motion, their radios."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from imu.ble import Backend
from imu.sensors.driver import Driver, Peripheral
from tools.emulator import bus
from tools.emulator.device import Device, Link
from tools.emulator.feed import Feeder, Motion, StageClock


@dataclass(frozen=True)
class Part:
    """One sensor of a stage.

    Parameters
    ----------
    driver
        Its family.
    address
        Six octets with colons, upper case.
    motion
        What it feels.
    name
        Advertised name; the family's own unless given.
    booted
        Device time at the start, s since boot.
    rate_error
        Relative error of its clock.
    battery_percent
        Charge left.
    link
        Its radio.
    """

    driver: Driver
    address: str
    motion: Motion
    name: str = ""
    booted: float = 100.0
    rate_error: float = 0.0
    battery_percent: float = 90.0
    link: Link = field(default_factory=Link)

    def feeder(self, clock: StageClock, seed: int) -> Feeder:
        """Return the sensor, ready to be published and played."""

        def make() -> Peripheral:
            return self.driver.peripheral(name=self.name, address=self.address)

        sensor = make()
        sensor.battery_percent = self.battery_percent
        device = Device(self.address, sensor, link=self.link, rssi=-55 - 3 * seed, seed=seed)
        return Feeder(device, self.motion, clock, make, booted=self.booted, rate_error=self.rate_error)


def feeders(parts: Sequence[Part]) -> list[Feeder]:
    """Return the sensors of a stage; they share the time of the motion."""
    clock = StageClock()
    return [part.feeder(clock, seed) for seed, part in enumerate(parts)]


@contextmanager
def on_air(parts: Sequence[Part]) -> Generator[Backend]:
    """Put sensors within reach of this process: behind a stand-in service on Linux, else inside bleak."""
    if sys.platform == "linux" and bus.available():
        from tools.emulator.bus_stage import BusStage

        with bus.PrivateBus() as private, BusStage(private.address, parts):
            yield Backend()
    else:
        from tools.emulator.injected import InjectedRadio, backend

        yield Backend(*backend(InjectedRadio(feeders(parts))))
