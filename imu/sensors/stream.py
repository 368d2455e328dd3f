"""One sensor's notifications to blocks on the capture clock: one path for live capture and raw replay.

Live, `imu/ble.py` feeds what the radio brings; afterwards the same bytes and arrival times out of a
recording give the same blocks, to the last bit.
"""

import math
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.clock import SensorClock, Stamps
from imu.errors import PacketError
from imu.sensors.driver import Ack, Battery, DeviceInfo, Driver, G, Polled, Reading, Settings
from imu.time_base import TimeBase

FULL_SCALE = 0.998
"""From this share of full scale on a value is saturated and becomes NaN; a MetaMotion ends at 0.9990."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What one notification said.

    Parameters
    ----------
    block
        New samples, or None if there is none.
    quat : (N, 4) or None
        The sensor's own orientation q_earth_from_sensor of these samples; NaN rows where it sent none.
    stamps
        How the clock took them; None if there is no block.
    news
        Battery levels, acknowledgements, identity, polled quantities.
    broken
        The error if the bytes did not decode; nothing else is in that case.
    """

    block: ImuBlock | None = None
    quat: FloatArray | None = None
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
        readings = [item for item in items if isinstance(item, Reading)]
        news = tuple(item for item in items if not isinstance(item, Reading))
        for item in news:
            if isinstance(item, Ack) and item.command == "sync-status":
                self.clock.synchronised(item.ok)
        if not readings:
            return Heard(news=news)
        stamps = self.clock.feed(arrival, [reading.ticks for reading in readings])
        fresh = [reading for reading, kept in zip(readings, stamps.kept, strict=True) if kept]
        if not fresh:
            return Heard(stamps=stamps, news=news)
        block = ImuBlock(
            self.sensor,
            stamps.t + self.shift,
            _unsaturated(np.array([reading.gyr for reading in fresh]), self._gyr_limit),
            _unsaturated(np.array([reading.acc for reading in fresh]), self._acc_limit),
            np.array([reading.mag for reading in fresh]) if self._settings.magnetometer else None,
        )
        quat = None
        if any(reading.quat for reading in fresh):
            quat = np.array([reading.quat or (math.nan,) * 4 for reading in fresh])
        return Heard(block, quat, stamps, news)


def _unsaturated(values: FloatArray, limit: float) -> FloatArray:
    """Return rows (N, 3) with components at full scale as NaN: the truth may be anything beyond."""
    return np.where(np.abs(values) >= limit, np.nan, values)
