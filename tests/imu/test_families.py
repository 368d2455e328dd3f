"""Every sensor family end to end: its own side emulated, bleak's Linux back end in between, our driver."""

import math
import time

import numpy as np
import pytest

from imu.acquisition import Acquisition
from imu.ble_link import SensorRequest, Timing
from imu.block import ImuBlock, join
from imu.health import Notice
from imu.sensors.registry import DRIVERS
from tools.emulator.device import Link
from tools.emulator.feed import BlockMotion
from tools.emulator.stage import Part

pytestmark = [pytest.mark.usefixtures("private"), pytest.mark.timeout(60)]

ADDRESS = "D4:22:CD:00:00:01"
SPIN = 1.25
FIELD = (12.0, -20.0, 40.0)


def turning() -> BlockMotion:
    """Return a steady turn about z at rest: any sample tells whether axes, signs and units are right."""
    t = np.arange(0.0, 120.0, 0.01)
    rows = (len(t), 1)
    gyr, acc, mag = (np.tile(v, rows) for v in ((0.0, 0.0, SPIN), (0.0, 0.0, 9.80665), FIELD))
    return BlockMotion(ImuBlock("motion", t, gyr, acc, mag))


@pytest.mark.parametrize("family", sorted(DRIVERS))
def test_what_the_sensor_felt_is_what_arrives(private: str, family: str) -> None:
    from tools.emulator.bus_stage import BusStage

    driver = DRIVERS[family]
    request = SensorRequest("s", ADDRESS, driver, driver.settings())
    part = Part(driver, ADDRESS, turning(), battery_percent=73.0)
    blocks: list[ImuBlock] = []
    timing = Timing(connect=5.0, disconnect=2.0)
    with BusStage(private, [part]) as stage, Acquisition([request], timing=timing) as acquisition:
        acquisition.wait_for_all(15.0)
        deadline = time.monotonic() + 10.0
        while sum(map(len, blocks)) < 3 * request.settings.rate_hz / 2 and time.monotonic() < deadline:
            item = acquisition.queue.get(timeout=5.0)
            if not isinstance(item, Notice):
                blocks.append(item)
        (health,) = acquisition.health()
    block = join(blocks)
    assert acquisition.error is None
    assert health.broken == 0
    assert health.clock.lost == 0
    assert len(block) / (block.t[-1] - block.t[0]) == pytest.approx(request.settings.rate_hz, rel=0.1)
    assert np.allclose(block.acc, (0.0, 0.0, 9.80665), atol=0.03)
    if request.settings.gyr_range_dps is not None:
        assert np.allclose(block.gyr, (0.0, 0.0, SPIN), atol=0.01)
    if block.mag is not None:
        assert np.allclose(block.mag[np.isfinite(block.mag).all(axis=1)], FIELD, atol=0.5)
    if not math.isnan(health.battery):
        assert health.battery == pytest.approx(73.0, abs=3.0)
    assert not stage.feeders[0].device.sensor.streaming or family == "witmotion"


@pytest.mark.parametrize(
    ("family", "link", "broken"),
    [
        pytest.param("witmotion", Link(cut_every=33), False, id="merged and truncated frames"),
        pytest.param("capture2go", Link(damage=0.3), True, id="wrong checksums"),
        pytest.param("witmotion", Link(damage=0.3), False, id="damage without checksum"),
        pytest.param("polar-verity", Link(loss=0.1), False, id="lost frames of many samples"),
    ],
)
def test_a_bad_link_never_makes_a_sample_that_was_not_felt(
    private: str, family: str, link: Link, broken: bool
) -> None:
    from tools.emulator.bus_stage import BusStage

    driver = DRIVERS[family]
    request = SensorRequest("s", ADDRESS, driver, driver.settings())
    blocks: list[ImuBlock] = []
    with (
        BusStage(private, [Part(driver, ADDRESS, turning(), link=link)]),
        Acquisition([request]) as acquisition,
    ):
        acquisition.wait_for_all(15.0)
        time.sleep(2.5)
        while not acquisition.queue.empty():
            item = acquisition.queue.get()
            if not isinstance(item, Notice):
                blocks.append(item)
        (health,) = acquisition.health()
    assert acquisition.error is None
    block = join(blocks)
    assert (health.broken > 0) is broken
    assert np.all(np.diff(block.t) > 0.0)
    assert np.nanmax(np.abs(block.acc)) <= 16.1 * 9.80665
    if link.damage == 0.0 or broken:
        assert np.allclose(block.acc, (0.0, 0.0, 9.80665), atol=0.03)
        assert np.allclose(block.gyr, (0.0, 0.0, SPIN), atol=0.01)
