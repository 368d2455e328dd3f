"""Laws that every sensor family owes: what is encoded is decoded, noise is refused, settings are honest."""

import math
import runpy
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu.block import ImuBlock, join
from imu.errors import InputError, PacketError
from imu.sensors.driver import (
    Ack,
    Advertisement,
    Battery,
    Driver,
    Item,
    Notification,
    Peripheral,
    Reading,
    Settings,
)
from imu.sensors.registry import DRIVERS, driver_for, driver_named
from imu.sensors.stream import SensorStream

FUZZ = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "fuzz_decoders.py"))
FAMILIES = (
    "capture2go",
    "movella-dot",
    "witmotion",
    "movesense",
    "polar-verity",
    "polar-h10",
    "metamotion",
    "open",
)
MODES = [
    ("capture2go", mode) for mode in ("packed", "packed-6d", "fixed", "fixed-6d", "real-time")
] + [
    ("movella-dot", mode) for mode in ("custom-5", "rate", "rate-mag")
] + [
    ("witmotion", "20-byte frames"),
    ("movesense", "IMU6"),
    ("movesense", "IMU9"),
    ("polar-verity", "acc+gyr"),
    ("polar-verity", "acc+gyr+mag"),
    ("polar-h10", "acc"),
    ("metamotion", "bmi270"),
    ("open", "6-axis"),
    ("open", "9-axis"),
]  # fmt: skip


class Wire:
    """An emulated sensor and a stream, joined without a radio."""

    def __init__(self, family: str, settings: Settings | None = None) -> None:
        self.driver: Driver = DRIVERS[family]
        self.settings = settings or self.driver.settings()
        self.peripheral: Peripheral = self.driver.peripheral(address="D4:22:CD:01:02:03")
        self.stream = SensorStream("s1", self.driver, self.settings)
        self.blocks: list[ImuBlock] = []
        self.news: list[Item] = []

    def hear(self, notifications: list[Notification], arrival: float) -> None:
        """Take notifications as they arrive; nothing may be broken."""
        for notification in notifications:
            heard = self.stream.feed(arrival, *notification)
            assert heard.broken is None
            self.news += heard.news
            if heard.block is not None:
                self.blocks.append(heard.block)

    def start(self) -> None:
        """Go through the life of a connection up to the stream."""
        for name in self.driver.reads:
            self.hear([Notification(name, self.peripheral.read(name))], 0.0)
        for write in self.driver.configure(self.settings):
            self.hear(self.peripheral.write(write.characteristic, write.payload), 0.0)
        for name in self.driver.notify(self.settings):
            self.hear(self.peripheral.set_subscribed(name, True), 0.0)
        for write in self.driver.start(self.settings):
            self.hear(self.peripheral.write(write.characteristic, write.payload), 0.0)

    def stop(self) -> None:
        """End the stream."""
        for write in self.driver.stop(self.settings):
            self.hear(self.peripheral.write(write.characteristic, write.payload), 1e3)
        for name in self.driver.notify(self.settings):
            self.peripheral.set_subscribed(name, False)


def motion(count: int, seed: int, settings: Settings) -> list[Reading]:
    """Return random samples that stay within the ranges."""
    rng = np.random.default_rng(seed)
    gyr = math.radians(settings.gyr_range_dps or 0.0) * 0.9
    acc = (settings.acc_range_g or 0.0) * 9.0
    return [
        Reading(None, None, *(tuple(rng.uniform(-limit, limit, 3)) for limit in (gyr, acc, 200.0)))  # pyright: ignore[reportCallIssue, reportArgumentType] - three rows, three fields
        for _ in range(count)
    ]


@pytest.mark.parametrize(("family", "mode"), MODES)
def test_what_a_sensor_sends_is_what_we_hear(family: str, mode: str) -> None:
    wire = Wire(family, DRIVERS[family].settings(mode=mode))
    wire.start()
    assert wire.peripheral.streaming
    assert wire.peripheral.rate_hz == wire.settings.rate_hz
    samples = motion(240, 7, wire.settings)
    for k, sample in enumerate(samples):
        device_time = 300.0 + k / wire.settings.rate_hz
        wire.hear(wire.peripheral.sample(device_time, sample), device_time - 290.0)
    got = join(wire.blocks)
    assert len(got) > 200
    truth = samples[: len(got)]
    if wire.settings.gyr_range_dps:
        count = math.radians(wire.settings.gyr_range_dps) / 32000.0
        assert got.gyr == pytest.approx(np.array([s.gyr for s in truth]), abs=count)
    else:
        assert np.isnan(got.gyr).all()
    count = (wire.settings.acc_range_g or 0.0) * 9.81 / 32000.0 + (0.005 if family == "polar-h10" else 0.0)
    assert got.acc == pytest.approx(np.array([s.acc for s in truth]), abs=count)
    assert (got.mag is not None) == wire.settings.magnetometer
    if got.mag is not None and family != "polar-verity":
        assert got.mag == pytest.approx(np.array([s.mag for s in truth]), abs=0.16)
    assert np.diff(got.t) == pytest.approx(np.full(len(got) - 1, 1 / wire.settings.rate_hz), abs=1.2e-3)
    wire.stop()
    assert not wire.peripheral.streaming


def test_polar_merges_a_slower_field_onto_the_gyroscopes_instants() -> None:
    wire = Wire("polar-verity", DRIVERS["polar-verity"].settings(mode="acc+gyr+mag"))
    wire.start()
    for k in range(300):
        t = k / 52.0
        reading = Reading(None, None, (t, 0.0, 0.0), (2 * t, 0.0, 0.0), (10 * t, 0.0, 0.0))
        wire.hear(wire.peripheral.sample(50.0 + t, reading), t)
    got = join(wire.blocks)
    assert got.mag is not None
    seen = np.isfinite(got.mag[:, 0])
    assert seen.mean() > 0.9
    assert got.mag[seen, 0] == pytest.approx(10 * got.gyr[seen, 0], abs=0.8)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_knows_its_own_advertisement_and_no_other(family: str) -> None:
    assert set(DRIVERS) == set(FAMILIES)
    advertisement = DRIVERS[family].peripheral().advertisement
    assert [name for name, driver in DRIVERS.items() if driver.recognises(advertisement)] == [family]
    assert driver_for(advertisement) is driver_named(family)


@pytest.mark.parametrize(
    "advertisement",
    [
        Advertisement(""),
        Advertisement("Headphones", ("0000180f-0000-1000-8000-00805f9b34fb",), {0x004C: b"x"}),
    ],
)
def test_a_stranger_is_nobodys(advertisement: Advertisement) -> None:
    assert driver_for(advertisement) is None


def test_an_unknown_family_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'shimmer'; choose one of capture2go, movella-dot"):
        driver_named("shimmer")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"rate_hz": 61.7}, "choose one of these"),
        ({"gyr_range_dps": 123.0}, "choose one of these|no such sensor"),
        ({"acc_range_g": 5.0}, "choose one of these"),
        ({"mode": "telepathy"}, "telepathy"),
    ],
)
def test_what_a_family_cannot_do_is_refused_with_what_it_can(
    family: str, wish: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        DRIVERS[family].settings(**wish)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_capability_says_what_the_driver_does(family: str) -> None:
    driver = DRIVERS[family]
    capability, settings = driver.capability, driver.settings()
    assert settings.rate_hz == capability.default_rate_hz
    assert capability.default_rate_hz in capability.rates_hz
    assert settings.gyr_range_dps == (capability.gyr_ranges_dps or (None,))[0]
    assert settings.acc_range_g == capability.acc_ranges_g[0]
    assert capability.cannot
    assert all(sentence.endswith(".") for sentence in (*capability.cannot, *capability.to_verify))
    assert ("counted" in capability.clock) == driver.clock(settings).counted


@pytest.mark.parametrize("family", FAMILIES)
def test_every_rate_reaches_the_sensor(family: str) -> None:
    driver = DRIVERS[family]
    for rate in driver.capability.rates_hz:
        wire = Wire(family, driver.settings(rate_hz=rate))
        wire.start()
        assert wire.peripheral.rate_hz == rate


@pytest.mark.parametrize("family", FAMILIES)
def test_the_battery_is_told(family: str) -> None:
    wire = Wire(family)
    wire.peripheral.battery_percent = 42.0
    wire.start()
    levels = [item.percent for item in wire.news if isinstance(item, Battery)]
    assert levels
    assert levels == pytest.approx([42.0] * len(levels), abs=1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_command_is_refused(family: str) -> None:
    wire = Wire(family)
    wire.start()
    refused = [a for a in wire.news if isinstance(a, Ack) and not a.ok and a.command != "sync-status"]
    assert refused == []


@pytest.mark.parametrize("family", FAMILIES)
def test_two_decoders_share_nothing(family: str) -> None:
    """Half a packet to one decoder must not end up in the other's stream."""
    driver = DRIVERS[family]
    settings = driver.settings()
    packets = FUZZ["valid_packets"](driver, settings, np.random.default_rng(3))
    alone, disturbed, other = (driver.decoder(settings) for _ in range(3))
    for name, payload in packets:
        expected = alone.feed(name, payload)
        with suppress(PacketError):
            other.feed(name, payload[: len(payload) // 2])
        assert str(disturbed.feed(name, payload)) == str(expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_but_packet_error_comes_out_of_noise(family: str) -> None:
    tally = FUZZ["fuzz"](DRIVERS[family], 6000, seed=11)
    assert tally.samples > 300
    assert 0.02 < tally.refused / tally.packets < 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unknown_characteristic_is_refused(family: str) -> None:
    driver = DRIVERS[family]
    with pytest.raises(PacketError):
        driver.decoder(driver.settings()).feed("0000dead-0000-1000-8000-00805f9b34fb", b"\x01\x02\x03")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saturated_sample_is_not_known(family: str) -> None:
    wire = Wire(family)
    wire.start()
    g = (wire.settings.acc_range_g or 0.0) * 9.80665
    sample = Reading(None, None, (1.0, 2.0, 3.0), (1.0, 2 * g, 3.0))
    for k in range(200):
        t = 60.0 + k / wire.settings.rate_hz
        wire.hear(wire.peripheral.sample(t, sample), t)
    got = join(wire.blocks)
    assert np.isnan(got.acc[:, 1]).all()
    assert np.isfinite(got.acc[:, [0, 2]]).all()
