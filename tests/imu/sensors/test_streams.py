"""Byte streams that merge and truncate, streams that come apart, and the one path from bytes to blocks."""

import math
import struct

import numpy as np
import pytest

from imu.block import join
from imu.errors import PacketError
from imu.sensors.driver import Battery, Polled, Reading
from imu.sensors.merge import Merger, Timed
from imu.sensors.registry import DRIVERS
from imu.sensors.stream import SensorStream
from imu.sensors.witmotion import battery_level, decode_frame
from imu.sensors.witmotion_peripheral import encode_frame

WIT = DRIVERS["witmotion"]
NOTIFY = "0000ffe4-0000-1000-8000-00805f9a34fb"


def frames(count: int, seed: int, *, timed: bool = False) -> list[bytes]:
    """Return WitMotion frames of random samples, none of which holds a header by chance."""
    rng = np.random.default_rng(seed)
    out: list[bytes] = []
    while len(out) < count:
        gyr, acc = (tuple(rng.uniform(-limit, limit, 3).tolist()) for limit in (30.0, 150.0))
        ticks = 1_800_000_000_000 + 50 * len(out) if timed else None
        frame = encode_frame(Reading(ticks, None, gyr, acc))
        if frame.count(b"U") == 1:
            out.append(frame)
    return out


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_frames_merged_and_cut_anywhere_are_the_same_frames(seed: int, timed: bool) -> None:
    rng = np.random.default_rng(seed)
    sent = frames(60, seed, timed=timed)
    stream = b"".join(sent)
    cuts = sorted(rng.integers(0, len(stream), 25).tolist())
    decoder = WIT.decoder(WIT.settings(mode="28-byte frames" if timed else None))
    heard = [
        item
        for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for item in decoder.feed(NOTIFY, stream[a:b])
    ]
    assert heard == [decode_frame(frame) for frame in sent]


@pytest.mark.parametrize("lost", range(1, 19))
def test_a_truncated_frame_costs_itself_and_no_neighbour(lost: int) -> None:
    sent = frames(9, 5)
    decoder = WIT.decoder(WIT.settings())
    stream = b"".join(sent[:4]) + sent[4][:-lost] + b"".join(sent[5:])
    heard = decoder.feed(NOTIFY, stream)
    assert heard == [decode_frame(frame) for frame in (*sent[:4], *sent[5:])]


def test_noise_alone_is_refused_and_the_next_frame_is_heard() -> None:
    decoder = WIT.decoder(WIT.settings())
    with pytest.raises(PacketError, match="55 61"):
        decoder.feed(NOTIFY, bytes(30))
    (frame,) = frames(1, 1)
    assert decoder.feed(NOTIFY, frame) == [decode_frame(frame)]


def test_a_frame_with_an_impossible_calendar_is_skipped() -> None:
    good = frames(2, 3, timed=True)
    bad = bytearray(good[0])
    bad[21] = 13
    decoder = WIT.decoder(WIT.settings(mode="28-byte frames"))
    assert decoder.feed(NOTIFY, bytes(bad) + good[1]) == [decode_frame(good[1])]


def test_witmotion_answers_between_frames_are_no_samples() -> None:
    sent = frames(2, 4)
    battery = b"\x55\x71" + struct.pack("<H8h", 0x64, 340, *[0] * 7)
    quat = b"\x55\x71" + struct.pack("<H8h", 0x51, 32767, 0, 0, 0, *[0] * 4)
    warm = b"\x55\x71" + struct.pack("<H8h", 0x40, 2512, *[0] * 7)
    heard = WIT.decoder(WIT.settings()).feed(NOTIFY, sent[0] + battery + quat + warm + sent[1])
    assert heard[1] == Battery(5.0)
    assert heard[2] == Polled("quat", (32767 / 32768, 0.0, 0.0, 0.0))
    assert heard[3] == Polled("temperature_c", (25.12,))
    assert sum(isinstance(item, Reading) for item in heard) == 2


def test_witmotion_battery_ends() -> None:
    assert battery_level(3.40) == pytest.approx(5.0)
    assert battery_level(3.97) == 100.0
    assert battery_level(2.0) == 0.0


def line(name: str, ticks: list[int]) -> list[Timed]:
    """Return samples of a straight line in time, a different one for each stream."""
    slope = {"gyr": 1.0, "acc": 2.0, "mag": -3.0}[name]
    return [Timed(tick, (slope * tick, 5.0, -slope * tick)) for tick in ticks]


@pytest.mark.parametrize("seed", range(20))
def test_merged_streams_lie_on_their_lines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    merger = Merger(("gyr", "acc", "mag"), patience=500)
    ticks = {name: np.cumsum(rng.integers(5, 40, 300)).tolist() for name in ("gyr", "acc", "mag")}
    at = dict.fromkeys(ticks, 0)
    got: list[Reading] = []
    while all(at[name] < 300 for name in ticks):
        name = min(ticks, key=lambda n: ticks[n][at[n]])
        step = int(rng.integers(1, 6))
        got += merger.feed(name, line(name, ticks[name][at[name] : at[name] + step]))
        at[name] += step
    assert [r.ticks for r in got] == ticks["gyr"][: len(got)]
    assert len(got) > 150
    for reading in got:
        assert reading.ticks is not None
        for values, slope in ((reading.gyr, 1.0), (reading.acc, 2.0), (reading.mag, -3.0)):
            if not math.isnan(values[0]):
                assert values == pytest.approx((slope * reading.ticks, 5.0, -slope * reading.ticks))
    assert sum(math.isnan(r.acc[0]) for r in got) <= 10


def test_a_stream_that_stopped_does_not_hold_up_the_others() -> None:
    merger = Merger(("gyr", "acc"), patience=100)
    merger.feed("acc", line("acc", [0, 10, 20]))
    got = merger.feed("gyr", line("gyr", list(range(0, 400, 10))))
    assert len(got) >= 29
    assert all(math.isnan(reading.acc[0]) for reading in got[3:])
    assert all(not math.isnan(reading.acc[0]) for reading in got[:3])


def test_a_hole_wider_than_patience_is_not_bridged() -> None:
    merger = Merger(("gyr", "acc"), patience=50)
    merger.feed("acc", line("acc", [0, 10, 200, 210]))
    got = merger.feed("gyr", line("gyr", [5, 100, 205]))
    known = [not math.isnan(reading.acc[0]) for reading in got]
    assert known == [True, False, True]


def test_after_a_restart_of_the_sensor_merging_goes_on() -> None:
    merger = Merger(("gyr", "acc"), patience=50)
    merger.feed("acc", line("acc", list(range(5000, 5200, 10))))
    merger.feed("gyr", line("gyr", list(range(5000, 5200, 10))))
    merger.feed("acc", line("acc", list(range(0, 200, 10))))
    got = merger.feed("gyr", line("gyr", list(range(0, 190, 10))))
    assert [reading.ticks for reading in got][-10:] == list(range(90, 190, 10))


def test_metamotion_pairs_again_after_one_stream_lost_messages() -> None:
    driver = DRIVERS["metamotion"]
    settings = driver.settings()
    decoder, notify = driver.decoder(settings), driver.notify(settings)[0]
    pairs: list[tuple[float, float]] = []
    for k in range(60):
        counts = [3 * k + i for i in range(3) for _ in range(3)]
        messages = [(0x13, 5), (0x03, 5)] if not 20 <= k < 24 else [(0x13, 5)]
        for module, register in messages:
            payload = bytes((module, register)) + struct.pack("<9h", *counts)
            for item in decoder.feed(notify, payload):
                assert isinstance(item, Reading)
                pairs.append((item.gyr[0], item.acc[0]))
    gyr = np.round(np.degrees([pair[0] for pair in pairs]) * 16.4)
    acc = np.round(np.array([pair[1] for pair in pairs]) / (16 * 9.80665) * 32768)
    assert np.isfinite(acc[-60:]).all()
    assert np.abs(gyr - acc)[-60:].max() <= 6


def dot_packets(count: int) -> list[bytes]:
    """Return DOT packets at 60 Hz that turn about z."""
    quat = (1.0, 0.0, 0.0, 0.0)
    return [
        struct.pack("<I10f", 1000 + round(k * 1e6 / 60), *quat, 0.0, 0.0, 9.81, 0.0, 0.0, float(k))
        for k in range(count)
    ]


def test_doubled_notifications_are_heard_once() -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings()
    name = driver.notify(settings)[-1]
    once, twice = (SensorStream("s", driver, settings) for _ in range(2))
    a, b = [], []
    for k, payload in enumerate(dot_packets(120)):
        a.append(once.feed(k / 60 + 0.02, name, payload).block)
        b += [twice.feed(k / 60 + 0.02, name, payload).block for _ in range(2)]
    single, doubled = (join([block for block in blocks if block is not None]) for blocks in (a, b))
    assert np.array_equal(single.t, doubled.t)
    assert np.array_equal(single.gyr, doubled.gyr)
    assert twice.clock.report().duplicates == 120


def test_a_broken_packet_is_told_and_the_stream_goes_on() -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings()
    name = driver.notify(settings)[-1]
    stream = SensorStream("s", driver, settings)
    first, second, third = dot_packets(3)
    assert stream.feed(0.02, name, first).block is not None
    heard = stream.feed(0.04, name, second[:30])
    assert isinstance(heard.broken, PacketError)
    assert heard.block is None
    after = stream.feed(0.06, name, third)
    assert after.block is not None
    assert after.stamps is not None
    assert after.stamps.lost == 1
    assert stream.broken == 1


def test_the_same_bytes_and_arrivals_give_the_same_bits() -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings()
    name = driver.notify(settings)[-1]
    rng = np.random.default_rng(8)
    raw = [(k / 60 + 0.02 + rng.exponential(0.01), payload) for k, payload in enumerate(dot_packets(600))]
    runs = []
    for _ in range(2):
        stream = SensorStream("s", driver, settings)
        runs.append(join([block for at, payload in raw if (block := stream.feed(at, name, payload).block)]))
    assert np.array_equal(runs[0].t, runs[1].t)
    assert np.array_equal(runs[0].acc, runs[1].acc)


def test_after_a_link_loss_what_was_half_received_is_forgotten() -> None:
    driver = DRIVERS["movesense"]
    settings = driver.settings(mode="IMU9", rate_hz=104)
    stream, name = SensorStream("s", driver, settings), driver.notify(settings)[0]
    whole = struct.pack("<I72f", 5000, *(0.0,) * 72)
    assert stream.feed(0.1, name, b"\x02\x63" + whole[:200]).broken is None
    stream.link_restored()
    assert stream.feed(5.0, name, b"\x03\x63" + whole[200:]).broken is not None


def test_the_sensors_own_orientation_comes_with_the_block() -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings()
    heard = SensorStream("s", driver, settings).feed(0.0, driver.notify(settings)[-1], dot_packets(1)[0])
    assert heard.block is not None
    assert [reading.quat for reading in heard.readings] == [(1.0, 0.0, 0.0, 0.0)]
