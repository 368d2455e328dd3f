"""One sensor's notifications to blocks on the capture clock: one path for live capture and raw replay.

Live, `imu/ble.py` feeds what the radio brings; afterwards the same bytes and arrival times out of a
recording give the same blocks, to the last bit.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.clock import SensorClock, Stamps
from imu.compiled import compiled
from imu.errors import PacketError
from imu.sensors.driver import Ack, Battery, DeviceInfo, Driver, G, Polled, Reading, Settings
from imu.time_base import TimeBase

FULL_SCALE = 0.998
"""From this share of full scale on a value is saturated and becomes NaN; a MetaMotion ends at 0.9990."""


class Heard(NamedTuple):
    """What one notification said.

    Parameters
    ----------
    block
        New samples, or None if there is none.
    readings
        The same samples as the sensor sent them, with what a block has no place for: its own orientation.
    stamps
        How the clock took them; None if there was none.
    news
        Battery levels, acknowledgements, identity, polled quantities.
    broken
        The error if the bytes did not decode; nothing else is in that case.
    """

    block: ImuBlock | None = None
    readings: Sequence[Reading] = ()
    stamps: Stamps | None = None
    news: tuple[Battery | Ack | DeviceInfo | Polled, ...] = ()
    broken: PacketError | None = None


class SensorStream:
    """Decoder and clock of one sensor for one capture.

    Parameters
    ----------
    sensor
        Id of the sensor in the capture.
    driver, settings
        Its family and what it was set to.
    learnt
        Rate error learnt in an earlier capture with this very sensor, or None.
    shared
        Time base that it shares by radio while it says that it is synchronised; None if it keeps its own.
    """

    def __init__(
        self,
        sensor: str,
        driver: Driver,
        settings: Settings,
        learnt: float | None = None,
        shared: TimeBase | None = None,
    ) -> None:
        self.sensor = sensor
        self.clock = SensorClock(driver.clock(settings), settings.rate_hz, learnt, shared)
        self.shift = 0.0
        """Seconds added to the times of the clock: what an alignment by motion found."""
        self.broken = 0
        self._driver = driver
        self._settings = settings
        self._decoder = driver.decoder(settings)
        self._gyr_limit = math.radians(settings.gyr_range_dps or math.inf) * FULL_SCALE
        self._acc_limit = (settings.acc_range_g or math.inf) * G * FULL_SCALE

    def link_restored(self) -> None:
        """Start decoding anew after a link loss; what was half received is gone."""
        self._decoder = self._driver.decoder(self._settings)
        self.clock.link_restored()

    def feed(self, arrival: float, characteristic: str, payload: bytes) -> Heard:
        """Return what one notification said.

        Parameters
        ----------
        arrival
            When the host got it, s on the capture clock.
        characteristic
            Full id of the characteristic, lower case.
        payload
            The bytes.
        """
        try:
            items = self._decoder.feed(characteristic, payload)
        except PacketError as error:
            self.broken += 1
            return Heard(broken=error)
        readings: list[Reading] = []
        news: list[Battery | Ack | DeviceInfo | Polled] = []
        for item in items:
            if isinstance(item, Reading):
                readings.append(item)
            else:
                news.append(item)
                if isinstance(item, Ack) and item.command == "sync-status":
                    self.clock.synchronised(item.ok)
        if not readings:
            return Heard(news=tuple(news))
        stamps = self.clock.feed(arrival, [reading.ticks for reading in readings])
        if not all(stamps.kept):
            readings = [reading for reading, kept in zip(readings, stamps.kept, strict=True) if kept]
        block = self._block(stamps.t, readings) if readings else None
        return Heard(block, readings, stamps, tuple(news))

    def _block(self, t: FloatArray, readings: list[Reading]) -> ImuBlock:
        """Return samples of the clock's times; components at full scale are NaN: the truth may be beyond."""
        numbers: list[float] = []
        for reading in readings:
            numbers += reading.gyr
        for reading in readings:
            numbers += reading.acc
        if self._settings.magnetometer:
            for reading in readings:
                numbers += reading.mag
        signals = np.array(numbers).reshape(-1, len(readings), 3)
        _forget_saturated(signals, self._gyr_limit, self._acc_limit)
        mag = signals[2] if self._settings.magnetometer else None
        return ImuBlock(self.sensor, t + self.shift if self.shift else t, signals[0], signals[1], mag)


@compiled
def _forget_saturated(signals: FloatArray, gyr_limit: float, acc_limit: float) -> None:
    """Put NaN for components at full scale, in place; `signals` (2 or 3, N, 3) are gyr, acc and mag."""
    for row in range(signals.shape[1]):
        for axis in range(3):
            if abs(signals[0, row, axis]) >= gyr_limit:
                signals[0, row, axis] = np.nan
            if abs(signals[1, row, axis]) >= acc_limit:
                signals[1, row, axis] = np.nan
