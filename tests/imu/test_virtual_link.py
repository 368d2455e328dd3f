"""The link in memory behaves as radios do: late, in order, in bursts, and with the losses it was told."""

import numpy as np
import pytest

from imu.virtual_link import Link, stalls, travel

SENT = np.arange(6000) / 60.0
NONE = np.empty((0, 2))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("link", [Link(0.015), Link(0.04875, 0.2, 0.05, 4.0)])
def test_packets_arrive_late_and_in_order(link: Link, seed: int) -> None:
    rng = np.random.default_rng(seed)
    traffic = travel(SENT, link, stalls(link, 100.0, rng), rng)
    assert (traffic.arrival > SENT).all()
    assert (np.diff(traffic.arrival) >= 0).all()
    assert 1.0 - traffic.arrived.mean() == pytest.approx(link.lost, abs=0.012)


def test_without_failures_a_packet_waits_at_most_one_interval() -> None:
    link = Link(0.03, failed_events=0.0, jitter=0.0)
    late = travel(SENT, link, NONE, np.random.default_rng(1)).arrival - SENT
    assert late.max() <= 0.03 + 2 * 0.00125 + 1e-9
    assert late.mean() == pytest.approx(0.015 + 0.002, abs=0.003)


def test_failures_make_packets_wait_longer() -> None:
    means = [
        float(np.mean(travel(SENT, Link(0.03, failed), NONE, np.random.default_rng(1)).arrival - SENT))
        for failed in (0.0, 0.2, 0.5)
    ]
    assert means == sorted(means)
    assert means[2] > means[0] + 0.02


def test_nothing_arrives_during_a_stall_and_all_at_its_end() -> None:
    stalled = np.array([[10.0, 10.8]])
    arrival = travel(SENT, Link(0.015), stalled, np.random.default_rng(2)).arrival
    assert not ((arrival > 10.0) & (arrival < 10.8)).any()
    assert np.count_nonzero(arrival == 10.8) > 40


def test_stalls_come_as_often_and_as_long_as_told() -> None:
    found = stalls(Link(0.03, stall_every=5.0), 5000.0, np.random.default_rng(3))
    lengths = found[:, 1] - found[:, 0]
    assert len(found) == pytest.approx(1000, rel=0.15)
    assert lengths.min() >= 0.3
    assert lengths.max() <= 0.9
    assert len(stalls(Link(0.03), 5000.0, np.random.default_rng(3))) == 0


def test_the_same_seed_is_the_same_traffic() -> None:
    a, b = (travel(SENT, Link(0.03, lost=0.1), NONE, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(a.arrival, b.arrival)
    assert np.array_equal(a.arrived, b.arrived)
