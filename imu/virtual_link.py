"""A Bluetooth link that exists only in memory: when samples were taken in, when their packets arrive out.

The model is the one of the project's sensor reference C.3: packets wait for the next connection event,
events fail and repeat, the host stalls and delivers everything at once, packets get lost. It has no
peripheral latency and no adaptive interval.
"""

from dataclasses import dataclass

import numpy as np

from imu.block import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Link:
    """How one sensor's packets travel.

    Parameters
    ----------
    interval
        Connection interval, s.
    failed_events
        Share of connection events that fail and are repeated at the next one.
    lost
        Share of packets that never arrive.
    stall_every, stall_least, stall_most
        The host stalls about this often, s, for a time between these, s; 0 means never.
    jitter
        Mean of the host's exponential delay, s.
    """

    interval: float
    failed_events: float = 0.05
    lost: float = 0.0
    stall_every: float = 0.0
    stall_least: float = 0.3
    stall_most: float = 0.9
    jitter: float = 0.0003


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """When each packet arrives at the host, s, in sending order, and whether it arrives at all."""

    arrival: FloatArray
    arrived: BoolArray


def stalls(link: Link, duration: float, rng: np.random.Generator) -> FloatArray:
    """Return the host's stalls, (K, 2) start and stop, s. They hit all sensors of a host together."""
    if link.stall_every <= 0.0:
        return np.empty((0, 2))
    starts = np.cumsum(rng.exponential(link.stall_every, int(2 * duration / link.stall_every) + 10))
    lengths = rng.uniform(link.stall_least, link.stall_most, starts.shape)
    return np.stack([starts, starts + lengths], axis=-1)[starts < duration]


def travel(sent: FloatArray, link: Link, stalled: FloatArray, rng: np.random.Generator) -> Traffic:
    """Return the arrivals of packets that are ready at the times `sent` (N,), s, increasing.

    Packets arrive in order: a stalled or failed one holds up those behind it.
    """
    anchor = rng.uniform(0.0, link.interval)
    events = np.arange(anchor, float(sent[-1]) + 60.0 * link.interval, link.interval)
    events = events[rng.random(events.shape) >= link.failed_events]
    at = np.minimum(np.searchsorted(events, sent), len(events) - 1)
    place = np.arange(len(sent)) - np.searchsorted(at, at)
    arrival = events[at] + 0.00125 * (1 + place) + rng.exponential(link.jitter, len(sent))
    if len(stalled):
        during = np.searchsorted(stalled[:, 0], arrival) - 1
        stop = np.where(during >= 0, stalled[np.maximum(during, 0), 1], -np.inf)
        arrival = np.maximum(arrival, stop)
    return Traffic(np.maximum.accumulate(arrival), rng.random(len(sent)) >= link.lost)
