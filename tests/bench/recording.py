"""How fast recordings are written and read, as ratios to what the work cannot do without.

Run `python tests/bench/recording.py [--minutes 30]`. A recording of 4 sensors at 120 Hz is written as a
live capture would, one notification at a time with its raw packet, and again as samples only. Reading is
compared with merely decompressing the same chunks and checking their sums, and with the batch filter of
`vqf` on the same samples, in the same process. Memory is the peak of what Python holds while reading.
"""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from vqf import VQF

from imu.block import ImuBlock
from imu.recording import RawPacket, Recording, RecordingHeader, RecordingWriter, SensorInfo

RATE = 120.0
SEGMENTS = ("thorax", "right_upperarm", "right_forearm", "right_hand")
GYR_STEP, ACC_STEP = np.radians(2000.0) / 32768, 16.0 * 9.81 / 32768


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        for raw in (True, False):
            measure(Path(folder) / f"{'live' if raw else 'samples'}.mcap", minutes, raw=raw)


def measure(path: Path, minutes: float, *, raw: bool) -> None:
    """Write one recording, read it, and print what each cost."""
    blocks = motion(minutes)
    samples = sum(len(block) for block in blocks)
    writing = seconds(lambda: write(path, blocks, raw=raw))
    opening = seconds(lambda: Recording.open(path))
    recording = Recording.open(path)
    reading = seconds(lambda: sum(len(block) for block in recording.blocks()))
    filtering = seconds(lambda: [VQF(1.0 / RATE).updateBatch(block.gyr, block.acc) for block in blocks])
    tracemalloc.start()
    for _ in recording.blocks():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{path.stem}: {minutes:g} min, 4 sensors, {samples} samples, {path.stat().st_size / 1e6:.1f} MB")
    share = writing / minutes / 0.6
    print(f"  write        {writing / samples * 1e6:6.1f} us a sample, {share:.2f} % of a core live")
    print(f"  open, verify {opening:6.2f} s = {opening / filtering:.2f} x vqf batch")
    print(f"  read blocks  {reading:6.2f} s = {reading / filtering:.2f} x vqf batch")
    print(f"  vqf batch    {filtering:6.2f} s")
    print(f"  peak memory while reading blocks {peak / 1e6:.2f} MB")


def motion(minutes: float) -> list[ImuBlock]:
    """Return samples quantised as 16-bit sensors quantise them."""
    n = round(minutes * 60.0 * RATE)
    t = np.arange(n) / RATE
    blocks: list[ImuBlock] = []
    for seed, segment in enumerate(SEGMENTS):
        rng = np.random.default_rng(seed)
        swing = np.sin(2.0 * np.pi * 0.2 * t + seed)
        gyr = swing[:, None] * [1.0, 0.3, 0.1] + rng.normal(0.0, 0.005, (n, 3))
        acc = np.array([0.0, 9.81, 0.0]) + swing[:, None] * [3.0, 1.0, 2.0] + rng.normal(0.0, 0.03, (n, 3))
        gyr, acc = np.rint(gyr / GYR_STEP) * GYR_STEP, np.rint(acc / ACC_STEP) * ACC_STEP
        blocks.append(ImuBlock(segment, t, gyr, acc))
    return blocks


def write(path: Path, blocks: list[ImuBlock], *, raw: bool) -> None:
    """Write in the order of arrival: one sample per notification if raw packets go along, else a second."""
    header = RecordingHeader(sensors=tuple(SensorInfo(s, s, "bench", RATE) for s in SEGMENTS), simulated=True)
    step = 1 if raw else round(RATE)
    payloads = np.random.default_rng(0).bytes(64)
    with RecordingWriter(path, header) as writer:
        for start in range(0, len(blocks[0]), step):
            for block in blocks:
                if raw:
                    writer.write_raw(RawPacket(block.sensor, start, "2a37", payloads[:20]))
                writer.write(block[start : start + step])


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, s."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
