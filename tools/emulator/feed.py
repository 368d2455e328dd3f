"""Play motion through emulated sensors in real time, each on its own clock."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from imu.block import ImuBlock
from imu.sensors.driver import UNKNOWN, Peripheral, Reading, Vector
from tools.emulator.device import Device, RadioSync

SHAKEN = 15.0
"""How fast a shaken sensor turns at most, rad/s; three times a second there and back."""
IDLE = 0.005
"""How often a sensor that streams nothing looks whether it should, s."""


class Motion(Protocol):
    """What a sensor feels."""

    def reading(self, t: float) -> Reading:
        """Return the sample at time t of the motion, s; `ticks` does not matter."""
        ...


class BlockMotion:
    """The motion of a block of samples, interpolated; held still before its start and after its end."""

    def __init__(self, block: ImuBlock) -> None:
        self._t = block.t - block.t[0]
        self._signals = [block.gyr, block.acc] + ([] if block.mag is None else [block.mag])

    @property
    def duration(self) -> float:
        """Length of the motion, s."""
        return float(self._t[-1])

    def reading(self, t: float) -> Reading:
        """Return the sample at time t; at rest outside the motion."""
        after = int(np.clip(np.searchsorted(self._t, t), 1, len(self._t) - 1))
        before = after - 1
        part = (t - self._t[before]) / (self._t[after] - self._t[before])
        part = min(max(float(part), 0.0), 1.0)
        values = [_between(signal[before], signal[after], part) for signal in self._signals]
        gyr = values[0] if 0.0 <= t <= self.duration else (0.0, 0.0, 0.0)
        return Reading(None, None, gyr, values[1], values[2] if len(values) > 2 else UNKNOWN)


class AtRest:
    """Lies still in the position in which a motion begins."""

    def __init__(self, motion: Motion) -> None:
        self.instead_of = motion

    def reading(self, t: float) -> Reading:
        """Return the sample at time t: always the same."""
        del t
        return self.instead_of.reading(0.0)._replace(gyr=(0.0, 0.0, 0.0))


class Shaken:
    """Is shaken by a hand, whatever it would feel otherwise."""

    def __init__(self, motion: Motion) -> None:
        self.instead_of = motion

    def reading(self, t: float) -> Reading:
        """Return the sample at time t."""
        return self.instead_of.reading(t)._replace(gyr=(SHAKEN * math.sin(2.0 * math.pi * 3.0 * t), 0.0, 0.0))


class StageClock:
    """The time of the motion, which starts with the first sample that any sensor sends; and shared clocks."""

    def __init__(self) -> None:
        self._started: float | None = None
        self.shared: dict[str, tuple[float, float]] = {}
        """When sensors on one time base were booted (monotonic, s), and how fast their clock runs."""

    def at(self, instant: float) -> float:
        """Return the time of the motion at a monotonic instant, s."""
        if self._started is None:
            self._started = instant
        return instant - self._started


class Feeder:
    """One sensor's inside: it samples the motion whenever it was told to stream.

    Parameters
    ----------
    device
        The sensor.
    motion
        What it feels.
    stage
        Time of the motion, shared by all sensors.
    make
        Return the sensor as it is after switching on, for a reboot.
    booted
        Device time at the start, s since boot.
    rate_error
        Relative error of the device's clock: +20e-6 runs 20 ppm fast.
    """

    def __init__(
        self,
        device: Device,
        motion: Motion,
        stage: StageClock,
        make: Callable[[], Peripheral],
        *,
        booted: float = 100.0,
        rate_error: float = 0.0,
    ) -> None:
        self.device = device
        self.motion = motion
        self._stage = stage
        self._make = make
        self._scale = 1.0 + rate_error
        self._boot = time.monotonic() - booted / self._scale
        self.sent = 0

    def reboot(self) -> None:
        """Switch the sensor off and on: the link breaks and its clock starts anew at zero."""
        battery = self.device.sensor.battery_percent
        self.device.lose_link()
        self.device.sensor = self._make()
        self.device.sensor.battery_percent = battery
        self._boot = time.monotonic()

    async def run(self) -> None:
        """Sample until cancelled."""
        position: tuple[Peripheral, float, int] | None = None
        while True:
            sensor = self.device.sensor
            self._share_clock()
            if not (self.device.connected and sensor.streaming):
                position = None
                await asyncio.sleep(IDLE)
                continue
            rate, now = sensor.rate_hz, self._device_time()
            if position is None or position[:2] != (sensor, rate):
                position = (sensor, rate, math.ceil(now * rate))
            index = position[2]
            while index / rate <= now:
                instant = self._boot + index / rate / self._scale
                notifications = sensor.sample(index / rate, self.motion.reading(self._stage.at(instant)))
                self.device.send(notifications)
                self.sent += 1
                index += 1
            position = (sensor, rate, index)
            await asyncio.sleep(max(0.0, (index / rate - self._device_time()) / self._scale))

    def _share_clock(self) -> None:
        """Run with the others, if the sensor was synchronised by radio: the first of them is the clock."""
        sensor = self.device.sensor
        if isinstance(sensor, RadioSync):
            if sensor.time_base:
                own = (self._boot, self._scale)
                self._boot, self._scale = self._stage.shared.setdefault(sensor.time_base, own)
            sensor.tick(self._device_time())

    def _device_time(self) -> float:
        return (time.monotonic() - self._boot) * self._scale


def _between(first: np.ndarray, second: np.ndarray, part: float) -> Vector:
    x, y, z = ((1.0 - part) * first + part * second).tolist()
    return (x, y, z)
