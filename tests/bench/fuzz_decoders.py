"""Feed random and mutated packets to every decoder: no exception but PacketError, no value out of range.

Run `python tests/bench/fuzz_decoders.py [PACKETS] [FAMILY ...]`; the default is 1,000,000 per family. The
suite runs a smaller number through the same function.
"""

import math
import sys
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from imu.errors import PacketError
from imu.sensors.checks import unit_quaternion, vector
from imu.sensors.driver import Battery, Driver, Item, Notification, Polled, Reading, Settings
from imu.sensors.registry import DRIVERS

SEEDS = 400
GREETING = 8
"""So many packets are fed as they are first, among them the answers to the start commands."""


class Tally(NamedTuple):
    """How many packets went in, were refused, and how many samples came out."""

    packets: int
    refused: int
    samples: int


def valid_packets(driver: Driver, settings: Settings, rng: np.random.Generator) -> list[Notification]:
    """Return packets as the family's own emulated sensor sends them, answers included."""
    peripheral = driver.peripheral(address="D4:22:CD:01:02:03")
    packets = [Notification(name, peripheral.read(name)) for name in driver.reads]
    for write in driver.configure(settings):
        packets += peripheral.write(write.characteristic, write.payload)
    for name in driver.notify(settings):
        packets += peripheral.set_subscribed(name, True)
    for write in driver.start(settings):
        packets += peripheral.write(write.characteristic, write.payload)
    k = 0
    while len(packets) < SEEDS:
        k += 1
        gyr, acc, mag = (vector(rng.normal(0.0, sigma, 3).tolist()) for sigma in (8.0, 30.0, 50.0))
        direction = rng.normal(size=4)
        quat = unit_quaternion((direction / np.linalg.norm(direction)).tolist(), b"")
        reading = Reading(None, None, gyr, acc, mag, quat)
        packets += peripheral.sample(100.0 + k / peripheral.rate_hz, reading)
    return packets


def mutated(payload: bytes, rng: np.random.Generator) -> bytes:
    """Return a payload with bits flipped, bytes lost, doubled or replaced, or nothing but noise."""
    kind = int(rng.integers(7))
    data = bytearray(payload)
    if kind == 0 or not data:
        return rng.bytes(int(rng.integers(0, 260)))
    if kind == 1:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        data = data[: int(rng.integers(len(data)))]
    elif kind == 3:
        data = data[int(rng.integers(len(data))) :]
    elif kind == 4:
        at = int(rng.integers(len(data)))
        noise = rng.bytes(int(rng.integers(1, 9)))
        data[at : at + len(noise)] = noise
    elif kind == 5:
        data = data + payload[: int(rng.integers(len(data) + 1))]
    if kind == 6 or (kind == 4 and data[0] == 0xFF):
        data = _with_right_checksum(data, rng)
    return bytes(data)


def _with_right_checksum(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Return a capture2go frame of noise whose checksum is right, or the data where there is no frame."""
    if len(data) < 10 or data[0] != 0xFF or data[1] != 2:
        return data
    size = min(int(data[6]), len(data) - 9)
    content = data[7:9] + rng.bytes(size)
    head = bytes((0xFF, 2)) + zlib.crc32(content).to_bytes(4, "little") + bytes((size,))
    return bytearray(head) + content


def fuzz(driver: Driver, count: int, seed: int) -> Tally:
    """Feed `count` packets, a fresh decoder every 500; raise AssertionError on a value out of range."""
    rng = np.random.default_rng(seed)
    settings = driver.settings()
    seeds = valid_packets(driver, settings, rng)
    names = [*driver.notify(settings), *driver.reads, "0000dead-0000-1000-8000-00805f9b34fb"]
    refused = samples = 0
    decoder = driver.decoder(settings)
    for i in range(count):
        if i % 500 == 0:
            decoder = driver.decoder(settings)
            for packet in seeds[:GREETING]:
                decoder.feed(*packet)
        seed_packet = seeds[int(rng.integers(len(seeds)))]
        name = names[int(rng.integers(len(names)))] if rng.random() < 0.1 else seed_packet.characteristic
        payload = seed_packet.payload if rng.random() < 0.2 else mutated(seed_packet.payload, rng)
        try:
            items = decoder.feed(name, payload)
        except PacketError:
            refused += 1
            continue
        for problem in problems(items, settings):
            raise AssertionError(f"{driver.capability.family}, seed {seed}, packet {i}: {problem}")
        samples += sum(isinstance(item, Reading) for item in items)
    return Tally(count, refused, samples)


def problems(items: list[Item], settings: Settings) -> Iterator[str]:
    """Yield what no sensor of these settings can have said."""
    gyr = math.radians(settings.gyr_range_dps or 0.0) * (1.0 + 1e-9)
    acc = (settings.acc_range_g or 0.0) * 9.81 * (1.0 + 1e-9)
    for item in items:
        if isinstance(item, Reading):
            for name, values, limit in (
                ("gyr", item.gyr, gyr),
                ("acc", item.acc, acc),
                ("mag", item.mag, 5e3),
            ):
                if any(abs(value) > limit for value in values):
                    yield f"{name} {values} beyond ±{limit:.2f}"
            if item.quat is not None and abs(math.hypot(*item.quat) - 1.0) > 0.011:
                yield f"quaternion {item.quat} is not of length 1"
            if any(math.isinf(value) for values in item.more.values() for value in values):
                yield f"infinite value in {dict(item.more)}"
        elif isinstance(item, Battery) and not 0.0 <= item.percent <= 100.0:
            yield f"battery {item.percent}"
        elif isinstance(item, Polled) and any(math.isinf(value) for value in item.values):
            yield f"infinite value in {item}"


def main() -> None:
    """Fuzz every family and print what happened."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    families = sys.argv[2:] or list(DRIVERS)
    for family in families:
        started = time.perf_counter()
        tally = fuzz(DRIVERS[family], count, seed=2026)
        seconds = time.perf_counter() - started
        print(
            f"{family:13s} {tally.packets:9,d} packets, {tally.refused / tally.packets:4.0%} refused, "
            f"{tally.samples:9,d} samples, {seconds / tally.packets * 1e6:5.1f} us a packet",
            flush=True,
        )


if __name__ == "__main__":
    main()
