"""The clock against simulated radios: what was injected is recovered, and the rules of the reference hold."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from imu.block import FloatArray
from imu.clock import SensorClock
from imu.errors import InputError
from imu.sensors.driver import DeviceClock
from imu.virtual_link import Link, stalls, travel

MICROSECONDS = DeviceClock(tick_s=1e-6, wrap=2**32)
WIT_RATE, WIT_TRUE_RATE = 200.0, 198.61
COUNTED = DeviceClock(1.0 / WIT_RATE, None, rate_sigma=1e-2, counted=True)
FIRST_S, SPREAD_S = 10.0, 0.004


@dataclass
class Run:
    """What one sensor's clock made of its packets: a row for every sample kept."""

    clock: SensorClock
    truth: FloatArray
    device: FloatArray
    arrival: FloatArray
    estimate: FloatArray
    sigma: FloatArray


def run(rate: float, duration: float, link: Link, stalled: FloatArray, rng: np.random.Generator) -> Run:
    """Send one sample a packet from a crystal within ±40 ppm and +-3 ppm of thermal wobble."""
    skew = rng.uniform(-40e-6, 40e-6)
    index = np.arange(int(duration * rate))
    truth = rng.uniform(0.0, 1.0 / rate) + index / rate * (1.0 + skew)
    truth += 3e-6 * 1200.0 / (2 * np.pi) * np.sin(2 * np.pi * truth / 1200.0 + rng.uniform(0, 6))
    ticks = np.round((index / rate + rng.uniform(0.0, 4294.0)) * 1e6).astype(np.int64) % 2**32
    traffic = travel(truth, link, stalled, rng)
    clock = SensorClock(MICROSECONDS, rate)
    got = [
        (truth[i], i / rate, traffic.arrival[i], stamps.t[0], stamps.sigma)
        for i in np.flatnonzero(traffic.arrived)
        if len((stamps := clock.feed(traffic.arrival[i], [int(ticks[i])])).t)
    ]
    columns = np.array(got).T
    return Run(clock, *columns)


def spread(
    rate: float, duration: float, link: Link, seed: int, sensors: int = 7
) -> tuple[FloatArray, FloatArray]:
    """Return the spread of the sensors' errors over time after the first 10 s, and errors over sigmas."""
    rng = np.random.default_rng(seed)
    stalled = stalls(link, duration, rng)
    runs = [run(rate, duration, link, stalled, rng) for _ in range(sensors)]
    assert all(r.clock.report().segments == 1 for r in runs)
    assert all((np.diff(r.estimate) > 0).all() for r in runs)
    grid = np.arange(FIRST_S, duration - 1.0, 0.05)
    errors = np.array([np.interp(grid, r.truth, r.estimate - r.truth) for r in runs])
    sigmas = np.array([np.interp(grid, r.truth, r.sigma) for r in runs])
    return np.ptp(errors, axis=0), (errors - errors.mean(axis=0)) / sigmas


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "link",
    [
        Link(interval=0.015),
        Link(interval=0.030),
        Link(interval=0.04875),
        Link(interval=0.030, failed_events=0.2, stall_every=5.0),
        Link(interval=0.030, lost=0.05),
    ],
)
def test_seven_sensors_agree_within_4_ms(link: Link, seed: int) -> None:
    apart, normalised = spread(60.0, 45.0, link, seed)
    assert apart.max() <= SPREAD_S
    assert 0.1 < math.sqrt(np.mean(normalised**2)) < 2.0


def test_sigma_owns_up_where_sampling_and_radio_lock() -> None:
    """100 Hz over 20 ms cannot be seen better than a period: the sigma must say so."""
    rms = [math.sqrt(np.mean(spread(100.0, 30.0, Link(interval=0.020), seed)[1] ** 2)) for seed in range(3)]
    assert max(rms) < 2.5


def counted_run(
    learnt: float | None, seed: int, duration: float = 60.0, every: float = 3.0
) -> tuple[FloatArray, FloatArray, SensorClock]:
    """Return truth and error of a WitMotion: 198.61 Hz claimed as 200, 8 frames a packet, long stalls."""
    rng = np.random.default_rng(seed)
    link = Link(0.031, 0.05, stall_every=every, stall_least=0.3, stall_most=0.95)
    packets = int(duration * WIT_TRUE_RATE) // 8
    truth = 0.3 + np.arange(packets * 8) / WIT_TRUE_RATE
    arrival = travel(truth[7::8], link, stalls(link, duration, rng), rng).arrival
    clock = SensorClock(COUNTED, WIT_RATE, learnt)
    estimate = np.concatenate([clock.feed(at, [None] * 8).t for at in arrival])
    return truth, estimate - truth, clock


@pytest.mark.parametrize("seed", range(4))
def test_a_slow_witmotion_stays_within_8_ms_once_its_rate_is_known(seed: int) -> None:
    truth, error, first = counted_run(None, seed)
    assert error[(truth > 1) & (truth < 8)].min() < -0.02
    rate = first.learnt
    assert rate == pytest.approx(WIT_RATE / WIT_TRUE_RATE - 1.0, abs=1e-4)
    truth, error, _ = counted_run(rate, seed + 50)
    later = error[truth > FIRST_S]
    assert np.abs(later - np.median(later)).max() < 0.008


def test_an_unlearnt_rate_is_within_the_sigma() -> None:
    rng = np.random.default_rng(3)
    link = Link(0.031)
    truth = np.arange(3200) / WIT_TRUE_RATE
    arrival = travel(truth[7::8], link, stalls(link, 20.0, rng), rng).arrival
    clock = SensorClock(COUNTED, WIT_RATE)
    for k, at in enumerate(arrival):
        stamps = clock.feed(at, [None] * 8)
        assert abs(stamps.t[-1] - truth[8 * k + 7]) < 3 * stamps.sigma


def steady(
    clock: SensorClock,
    count: int,
    *,
    start: int = 0,
    at: float = 0.0,
    rate: float = 100.0,
    late: float = 0.02,
) -> FloatArray:
    """Feed samples with slightly uneven lateness; return their times."""
    times: list[FloatArray] = []
    for k in range(count):
        uneven = late + 0.003 * ((k * 7) % 11) / 11
        times.append(clock.feed(at + k / rate + uneven, [(start + round(k * 1e6 / rate)) % 2**32]).t)
    return np.concatenate(times)


def test_a_wrap_passes_unseen() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    t = steady(clock, 2000, start=2**32 - 10_000_000)
    assert np.diff(t) == pytest.approx(np.full(1999, 0.01), abs=2e-4)
    assert clock.report().segments == 1
    assert clock.report().lost == 0


@pytest.mark.parametrize("wraps", [0, 1, 2, 3])
def test_wraps_during_a_long_silence_are_counted_by_the_host(wraps: int) -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    steady(clock, 1000, start=1000)
    silence = 1000.0 + wraps * 2**32 / 1e6
    t = steady(clock, 100, start=(1000 + round(silence * 1e6)) % 2**32, at=silence)
    assert clock.report().segments == 1
    assert t[0] == pytest.approx(silence + 0.02, abs=0.004 + 20e-6 * silence)


@pytest.mark.parametrize("start", [1_000_000, 3_000_000_000])
def test_a_reboot_starts_a_new_segment_and_time_goes_on(start: int) -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    before = steady(clock, 1500, start=start)
    stamps = clock.feed(20.02, [500_000])
    assert stamps.restarted
    after = steady(clock, 500, start=510_000, at=20.01)
    assert before[-1] < stamps.t[0] < after[0]
    assert after[-1] == pytest.approx(20.01 + 4.99 + 0.02, abs=0.004)
    assert clock.report().segments == 2


def test_a_count_that_leaps_ahead_of_the_host_is_a_new_segment() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    steady(clock, 1500)
    assert clock.feed(15.02, [15_000_000 + 200_000]).restarted
    assert clock.report().lost == 0


def test_repeated_packets_are_dropped_and_counted() -> None:
    once, twice = SensorClock(MICROSECONDS, 100.0), SensorClock(MICROSECONDS, 100.0)
    a, b = [], []
    for k in range(500):
        a.append(once.feed(k / 100 + 0.02, [k * 10_000]).t)
        b.append(twice.feed(k / 100 + 0.02, [k * 10_000]).t)
        again = twice.feed(k / 100 + 0.02, [k * 10_000])
        assert again.kept == (False,)
        assert len(again.t) == 0
    assert np.array_equal(np.concatenate(a), np.concatenate(b))
    assert twice.report().duplicates == 500
    assert once.report().duplicates == 0


def test_a_late_repetition_disturbs_nothing() -> None:
    plain, disturbed = SensorClock(MICROSECONDS, 100.0), SensorClock(MICROSECONDS, 100.0)
    for k in range(1000):
        expected = plain.feed(k / 100 + 0.02, [k * 10_000])
        got = disturbed.feed(k / 100 + 0.02, [k * 10_000])
        assert np.array_equal(expected.t, got.t)
        assert expected.sigma == got.sigma
        if k % 100 == 99 and k > 300:
            assert not any(disturbed.feed(k / 100 + 0.02, [(k - 90) * 10_000]).kept)
            assert not any(disturbed.feed(k / 100 + 0.02, [(k - 99) * 10_000 - 1]).kept)


def test_a_first_packet_that_was_late_is_made_up_for_without_going_back() -> None:
    clock = SensorClock(MICROSECONDS, 200.0)
    arrival = [max(k / 200 + 0.01, 0.4) for k in range(4000)]
    t = np.concatenate([clock.feed(at, [k * 5000]).t for k, at in enumerate(arrival)])
    assert np.diff(t).min() >= 0.5 * 0.005 * (1 - 1e-9)
    assert t[-1] - 3999 / 200 == pytest.approx(0.01, abs=1e-3)


def test_loss_is_counted_from_ticks_and_never_from_arrivals() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    lost = 0
    for k in range(3000):
        if k % 50 in (10, 11, 12):
            lost += 1
            continue
        stall = 0.4 if k % 300 < 40 else 0.0
        clock.feed(max(k / 100 + 0.02, (k - k % 300) / 100 + stall), [k * 10_000])
    assert clock.report().lost == lost == 180
    assert clock.report().longest_gap == pytest.approx(0.04, abs=1e-3)


def test_a_batch_is_a_packet_of_single_samples() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    t = np.concatenate(
        [clock.feed(k / 100 + 0.09, [(k + i) * 10_000 for i in range(8)]).t for k in range(0, 4000, 8)]
    )
    assert np.diff(t[800:]) == pytest.approx(np.full(3199, 0.01), abs=1e-5)
    assert t[-1] - 39.99 == pytest.approx(0.02, abs=1e-4)


def test_counted_samples_that_went_missing_are_found_by_the_lasting_delay() -> None:
    clock = SensorClock(COUNTED, WIT_RATE, learnt=0.0)
    for k in range(0, 4000, 8):
        clock.feed(k / 200 + 0.05, [None] * 8)
    for k in range(4400, 8000, 8):
        clock.feed(k / 200 + 0.05, [None] * 8)
    report = clock.report()
    assert report.segments == 2
    assert report.lost == pytest.approx(400, abs=3)


def test_after_a_link_loss_counted_samples_start_anew_and_timed_ones_go_on() -> None:
    counted, timed = SensorClock(COUNTED, WIT_RATE, learnt=0.0), SensorClock(MICROSECONDS, WIT_RATE)
    for k in range(2000):
        counted.feed(k / 200 + 0.02, [None])
        timed.feed(k / 200 + 0.02, [k * 5000])
    counted.link_restored()
    timed.link_restored()
    restarted = counted.feed(15.02, [None])
    assert restarted.restarted
    assert restarted.t[0] == pytest.approx(15.02, abs=1e-6)
    assert not timed.feed(15.02, [15_000_000]).restarted
    assert timed.report().lost == 1000


@pytest.mark.parametrize("device", [MICROSECONDS, COUNTED])
def test_stop_and_resume_gives_the_same_bits(device: DeviceClock) -> None:
    rng = np.random.default_rng(5)
    truth = np.arange(6000) / 200.0
    arrival = travel(truth, Link(0.03, 0.1, stall_every=4.0), np.array([[3.0, 3.6], [9.0, 9.8]]), rng).arrival
    whole = SensorClock(device, 200.0)
    cut = SensorClock(device, 200.0)
    for k, at in enumerate(arrival):
        ticks = [k * 5000]
        if k % 700 == 699:
            saved = json.loads(json.dumps(cut.save()))
            cut = SensorClock(device, 200.0)
            cut.restore(saved)
        expected, got = whole.feed(at, ticks), cut.feed(at, ticks)
        assert np.array_equal(expected.t, got.t)
        assert expected.sigma == got.sigma
    assert whole.report() == cut.report()


def test_lateness_is_reported() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    for k in range(3000):
        late = 0.02 + (0.1 if k % 10 == 0 else 0.0)
        clock.feed(k / 100 + late, [k * 10_000])
    report = clock.report()
    assert report.late_p50 == pytest.approx(0.0, abs=2e-3)
    assert report.late_p95 == pytest.approx(0.1, abs=2e-3)
    assert report.late_most >= report.late_p95
    assert report.samples == 3000


def test_before_the_first_packet_nothing_is_known() -> None:
    report = SensorClock(MICROSECONDS, 100.0).report()
    assert report.samples == 0
    assert math.isnan(report.late_p50)
    assert math.isnan(report.longest_gap)
    assert SensorClock(MICROSECONDS, 100.0).learnt is None


def test_an_empty_packet_changes_nothing() -> None:
    clock = SensorClock(MICROSECONDS, 100.0)
    steady(clock, 100)
    before = clock.report()
    stamps = clock.feed(1.5, [])
    assert len(stamps.t) == 0
    assert clock.report() == before


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="above 0 Hz"):
        SensorClock(MICROSECONDS, rate)


@pytest.mark.parametrize(("device", "learnt"), [(MICROSECONDS, 3e-4), (COUNTED, 0.03), (COUNTED, math.nan)])
def test_a_learnt_rate_beyond_reason_is_refused(device: DeviceClock, learnt: float) -> None:
    with pytest.raises(InputError, match="forget it"):
        SensorClock(device, 100.0, learnt)


def test_a_timed_sensor_must_send_time() -> None:
    with pytest.raises(InputError, match="without"):
        SensorClock(MICROSECONDS, 100.0).feed(0.0, [None])
