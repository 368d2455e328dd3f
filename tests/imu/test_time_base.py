"""Sensors that share a clock by radio share one time base: what no envelope can see cancels between them."""

import json
from itertools import pairwise

import numpy as np
import pytest

from imu.block import FloatArray
from imu.clock import SensorClock, shared_base
from imu.sensors.driver import DeviceClock
from imu.time_base import TimeBase
from imu.virtual_link import Link, stalls, travel

MICROSECONDS = DeviceClock(tick_s=1e-6, wrap=2**32)
LOCKED = (100.0, Link(interval=0.020))
"""Sampling and radio in step: alone, seven such sensors are up to 10 ms apart (sensor reference C.3)."""
Packet = tuple[float, int, int, float]


def packets(
    rate: float, link: Link, seed: int, *, sensors: int = 7, seconds: float = 20.0, start: float = 4290.0
) -> list[Packet]:
    """Return (arrival, sensor, tick, true time) in order of arrival, of sensors on one crystal by radio.

    The common clock starts just below its wrap, so that some sensors are first heard after it.
    """
    rng = np.random.default_rng(seed)
    skew = rng.uniform(-40e-6, 40e-6)
    stalled = stalls(link, seconds, rng)
    sent: list[Packet] = []
    for sensor in range(sensors):
        device = start + 0.7 * sensor + rng.uniform(0.0, 1.0 / rate) + np.arange(int(seconds * rate)) / rate
        truth = (device - start) * (1.0 + skew)
        traffic = travel(truth, link, stalled, rng)
        for i in np.flatnonzero(traffic.arrived):
            tick = round(float(device[i]) * 1e6) % 2**32
            sent.append((float(traffic.arrival[i]), sensor, tick, float(truth[i])))
    return sorted(sent)


def errors(sent: list[Packet], clocks: list[SensorClock]) -> list[tuple[FloatArray, FloatArray]]:
    """Return true times and errors of each sensor."""
    got: list[list[tuple[float, float]]] = [[] for _ in clocks]
    for arrival, sensor, tick, truth in sent:
        for t in clocks[sensor].feed(arrival, [tick]).t:
            got[sensor].append((truth, float(t) - truth))
    return [(np.array(rows)[:, 0], np.array(rows)[:, 1]) for rows in got]


def spread(runs: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    grid = np.arange(max(t[0] for t, _ in runs) + 0.1, min(t[-1] for t, _ in runs), 0.013)
    return np.ptp([np.interp(grid, t, error) for t, error in runs], axis=0)


def together(rate: float, sensors: int = 7) -> list[SensorClock]:
    base = shared_base(MICROSECONDS, rate)
    clocks = [SensorClock(MICROSECONDS, rate, shared=base) for _ in range(sensors)]
    for clock in clocks:
        clock.synchronised(True)
    return clocks


@pytest.mark.parametrize("seed", range(3))
def test_locked_sensors_agree_within_a_hundredth_of_what_they_do_alone(seed: int) -> None:
    rate, link = LOCKED
    sent = packets(rate, link, seed)
    alone = spread(errors(sent, [SensorClock(MICROSECONDS, rate) for _ in range(7)]))
    shared = spread(errors(sent, together(rate)))
    assert alone.max() > 0.004, "the case must be one that arrivals cannot see"
    assert shared.max() < 1e-4


@pytest.mark.parametrize("link", [Link(0.030, 0.2, stall_every=5.0), Link(0.04875, lost=0.05)])
def test_stalls_and_losses_do_not_tear_them_apart(link: Link) -> None:
    clocks = together(60.0)
    runs = errors(packets(60.0, link, 5), clocks)
    assert spread(runs).max() < 1e-4
    for (truth, error), clock in zip(runs, clocks, strict=True):
        assert np.all(np.diff(truth + error) > 0.0)
        assert clock.report().segments == 1
        assert clock.learnt is None


def test_a_sensor_that_lies_about_its_clock_is_not_taken_along() -> None:
    """It says it is synchronised, but counts from elsewhere: its own envelope maps it."""
    rate, link = LOCKED
    sent = [
        (arrival, sensor, (tick + (90_000_000 if sensor == 2 else 0)) % 2**32, truth)
        for arrival, sensor, tick, truth in packets(rate, link, 1, sensors=3)
    ]
    runs = errors(sent, together(rate, 3))
    assert spread(runs[:2]).max() < 1e-4
    assert np.abs(runs[2][1]).max() < 0.1


def test_one_that_restarts_leaves_and_comes_back_when_it_says_so() -> None:
    rate, link = LOCKED
    clocks = together(rate, 2)
    sent = packets(rate, link, 2, sensors=2, seconds=12.0, start=1000.0)
    first = [packet for packet in sent if packet[3] < 5.0]
    rebooted = [
        (arrival, sensor, tick if sensor == 0 else round((truth - 5.0) * 1e6), truth)
        for arrival, sensor, tick, truth in sent
        if 5.0 <= truth < 8.0
    ]
    rejoined = [packet for packet in sent if packet[3] >= 8.0]
    assert spread(errors(first, clocks)).max() < 1e-4
    errors(rebooted, clocks)
    assert clocks[1].report().segments == 2
    assert clocks[0].report().segments == 1
    clocks[1].synchronised(True)
    runs = errors(rejoined, clocks)
    assert clocks[1].report().segments == 3
    assert spread([(t[200:], error[200:]) for t, error in runs]).max() < 1e-4


def test_times_of_one_sensor_increase_when_it_joins_and_leaves() -> None:
    rate, link = LOCKED
    base = shared_base(MICROSECONDS, rate)
    clocks = [SensorClock(MICROSECONDS, rate, shared=base) for _ in range(2)]
    clocks[0].synchronised(True)
    times: list[float] = []
    for i, (arrival, sensor, tick, _) in enumerate(packets(rate, link, 3, sensors=2)):
        if i % 400 == 7:
            clocks[1].synchronised(i % 800 == 7)
        stamped = clocks[sensor].feed(arrival, [tick]).t.tolist()
        times += stamped if sensor == 1 else []
    assert clocks[1].report().segments > 2
    assert all(b > a for a, b in pairwise(times))


def test_a_group_stops_and_resumes_to_the_last_bit() -> None:
    rate, link = 60.0, Link(0.030, 0.1)
    sent = packets(rate, link, 4, sensors=3, seconds=8.0)
    whole, cut = together(rate, 3), together(rate, 3)
    for i, (arrival, sensor, tick, _) in enumerate(sent):
        if i in (1, 50, 700):
            saved = json.loads(json.dumps([clock.save() for clock in cut]))
            cut = together(rate, 3)
            for clock, document in zip(cut, saved, strict=True):
                clock.restore(document)
        assert np.array_equal(whole[sensor].feed(arrival, [tick]).t, cut[sensor].feed(arrival, [tick]).t)


def test_a_map_never_turns_back_and_gives_the_same_time_to_the_same_instant() -> None:
    base = TimeBase(0.01, 0.0, 20e-6, 200e-6, history=1.0)
    rng = np.random.default_rng(1)
    asked: dict[float, float] = {}
    for k in range(500):
        now = k * 0.01
        base.feed(now, now + 0.02 + float(rng.exponential(0.01)))
        asked[now] = float(base.times(np.array([now]))[0])
        if k > 50:
            assert base.times(np.array([now - 0.4]))[0] == pytest.approx(asked[(k - 40) * 0.01], abs=1e-9)
    assert all(b > a for a, b in pairwise(asked.values()))
