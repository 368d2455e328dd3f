"""Known defects in, the verdict that names them out."""

import math

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.check import SensorCheck, check_sensor, lifted_side, liveliness, shaken
from imu.clock import ClockReport, SensorClock
from imu.sensors.driver import DeviceClock, G

RATE = 60.0


def report(rate: float, seconds: float) -> ClockReport:
    """Return the report of a clock that ran so long."""
    clock = SensorClock(DeviceClock(1e-6, 2**32), rate)
    for index in range(round(seconds * rate)):
        clock.feed(index / rate + 0.01, [round(index / rate * 1e6)])
    return clock.report()


def check(
    *,
    gyr_noise: float = 1e-3,
    acc_noise: float = 0.01,
    offset: float = 0.003,
    gravity: float = G,
    field: float | None = 48.0,
    rate: float = RATE,
    lost: int = 0,
    battery: float = 80.0,
) -> SensorCheck:
    rng = np.random.default_rng(5)
    t = np.arange(0.0, 10.0, 1.0 / rate)
    t = np.delete(t, rng.choice(len(t) - 2, lost, replace=False) + 1)
    n = len(t)
    gyr, acc = rng.normal(0.0, gyr_noise, (n, 3)), rng.normal(0.0, acc_noise, (n, 3))
    gyr += (offset, 0.0, 0.0)
    acc += (0.0, 0.6 * gravity, 0.8 * gravity)
    mag = None if field is None else np.tile([0.0, 0.6 * field, -0.8 * field], (n, 1))
    return check_sensor("s", ImuBlock("s", t, gyr, acc, mag), RATE, report(rate, 10.0), battery)


def test_what_was_injected_is_found() -> None:
    found = check(gyr_noise=2e-3, acc_noise=0.02, offset=0.02, gravity=9.7, field=50.0)
    assert found.gyr_noise == pytest.approx(2e-3, rel=0.1)
    assert found.acc_noise == pytest.approx(0.02, rel=0.1)
    assert found.gyr_offset == pytest.approx(0.02, rel=0.1)
    assert found.gravity == pytest.approx(9.7, abs=0.01)
    assert found.field == pytest.approx(50.0)
    assert found.rate_hz == pytest.approx(RATE, rel=1e-3)


def test_losses_are_counted_and_do_not_bend_the_rate() -> None:
    found = check(lost=60)
    assert found.loss == pytest.approx(0.1)
    assert found.rate_hz == pytest.approx(RATE, rel=1e-3)


def test_a_good_sensor_is_good_and_nothing_else() -> None:
    assert check().sentence() == "good"
    assert check(field=None).sentence() == "good"
    assert math.isnan(check(field=None).field)


@pytest.mark.parametrize(
    ("defect", "verdict", "words"),
    [
        ({"gyr_noise": 0.02}, "usable", "noisier"),
        ({"gravity": 9.0}, "usable", "calibrate it"),
        ({"field": 90.0}, "usable", "iron is near"),
        ({"field": 5.0}, "usable", "iron is near"),
        ({"battery": 4.0}, "usable", "charge it"),
        ({"lost": 20}, "usable", "samples are lost"),
        ({"lost": 200}, "not usable", "samples are lost"),
        ({"rate": 50.0}, "not usable", "instead of 60"),
    ],
)
def test_each_defect_is_named(defect: dict[str, float], verdict: str, words: str) -> None:
    found = check(**defect)  # pyright: ignore[reportArgumentType]  one defect at a time
    assert found.verdict == verdict
    assert len(found.findings) == 1
    assert words in found.findings[0]


def test_a_moving_sensor_is_not_called_noisy() -> None:
    t = np.arange(0.0, 10.0, 1.0 / RATE)
    gyr = np.outer(np.sin(3.0 * t), [0.5, 0.2, 0.0])
    block = ImuBlock("s", t, gyr, np.tile([0.0, 0.0, G], (len(t), 1)))
    found = check_sensor("s", block, RATE, report(RATE, 10.0))
    assert found.findings == ("it moved; put it on a table and check again",)


def test_silence_is_judged_too() -> None:
    clock = SensorClock(DeviceClock(1e-6, 2**32), RATE).report()
    assert check_sensor("s", None, RATE, clock).verdict == "not usable"
    assert check_sensor("s", None, RATE, clock).sensor == "s"


def test_the_shaken_one_must_stand_out() -> None:
    assert shaken({"a": 6.0, "b": 0.1, "c": 0.2}) == "a"
    assert shaken({"a": 6.0, "b": 5.0}) is None
    assert shaken({"a": 0.5, "b": 0.1}) is None
    assert shaken({"a": 6.0}) == "a"
    assert shaken({}) is None


def test_a_side_moves_if_any_of_its_sensors_does() -> None:
    assert lifted_side({"left_thigh": 0.1, "left_shank": 2.0, "right_shank": 0.2, "pelvis": 3.0}) == "left"
    assert lifted_side({"left_shank": 2.0, "right_shank": 1.5}) is None
    assert lifted_side({"left_shank": 0.1, "right_shank": 0.02}) is None


def test_liveliness_is_the_rate_of_a_steady_turn_whatever_is_missing() -> None:
    gyr = np.tile([0.0, 3.0, 4.0], (10, 1))
    gyr[3] = np.nan
    block = ImuBlock("s", np.arange(10.0), gyr, np.zeros((10, 3)))
    assert liveliness(block) == pytest.approx(5.0)
    assert liveliness(ImuBlock("s", np.arange(2.0), np.full((2, 3), np.nan), np.zeros((2, 3)))) == 0.0
