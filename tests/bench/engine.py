"""What the engine costs, as ratios against vqf's own batch filter on the same samples in the same run.

Run: `OPENBLAS_NUM_THREADS=1 python tests/bench/engine.py [--minutes 30] [--sensors 4]`. Nothing is asserted.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from vqf import VQF

from calibration.segment import JointCalibration, SegmentAlignment
from imu.block import FloatArray, ImuBlock
from imu.recording import Recording, RecordingHeader, RecordingWriter, SensorInfo
from rom.catalogue.loader import load_catalogue
from rom.passes import PassDetector
from rom.replay import Replay
from rom.tracker import JointTracker
from rom.worn import tracker_setup

RATE = 120.0
ROUNDS = 7
"""Replay, reading and the peer take turns so often, after one round to warm up: what else the machine does,
and how fast it happens to run, then meets all three alike."""
SEGMENTS = ("left_thigh", "left_shank", "right_thigh", "right_shank")


def limb_like(sensor: str, minutes: float, seed: int, angle_scale: float) -> ImuBlock:
    """Return samples of a segment that swings slowly about its Z axis, with noise and bias."""
    rng = np.random.default_rng(seed)
    n = int(minutes * 60.0 * RATE)
    t = np.arange(n) / RATE
    angle = angle_scale * (1.0 - np.cos(2.0 * np.pi * t / 8.0)) / 2.0
    gyr = np.zeros((n, 3))
    gyr[:, 2] = np.gradient(angle, t)
    acc = 9.81 * np.stack([np.sin(angle), np.cos(angle), np.zeros(n)], axis=-1)
    gyr += rng.normal(0.0, 1e-3, (n, 3)) + rng.normal(0.0, 3e-3, 3)
    return ImuBlock(sensor, t, gyr, acc + rng.normal(0.0, 0.01, (n, 3)))


def once(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work, s."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def cpu(work: Callable[[], object], repeats: int = 3) -> float:
    """Return its median over some repeats, s."""
    return statistics.median(once(work) for _ in range(repeats))


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, MB (Linux).

    `getrusage` would not do: a process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024.0


def write(path: Path, header: RecordingHeader, calibration: JointCalibration, blocks: list[ImuBlock]) -> None:
    """Write a recording second by second."""
    with RecordingWriter(path, header) as writer:
        writer.write_calibration(calibration.to_document())
        step = int(RATE)
        for first in range(0, len(blocks[0]), step):
            for block in blocks:
                writer.write(block[first : first + step])


def replay(path: Path) -> None:
    """Play a recording and drop what it gives."""
    for _ in Replay(Recording.open(path)).steps():
        pass


def memory_of_replay(path: Path) -> str:
    """Return the peak memory of a process that only replays, as it prints it."""
    command = [sys.executable, __file__, "--replay", str(path)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--sensors", type=int, choices=(2, 4), default=4)
    parser.add_argument("--replay", type=Path, help="only replay this recording and print the peak memory")
    args = parser.parse_args()
    if args.replay is not None:
        replay(args.replay)
        print(f"{peak_memory():.0f} MB")
        return
    segments = SEGMENTS[: args.sensors]
    movement = load_catalogue().movement("kn_flexion")
    infos = tuple(SensorInfo(f"S{i}", segment, "bench", RATE) for i, segment in enumerate(segments))
    header = RecordingHeader(movement=movement.id, side="left", sensors=infos, simulated=True)
    axis = np.array([0.0, 0.0, 1.0])
    proximal, distal = (SegmentAlignment.identity(f"S{i}", segments[i]) for i in (0, 1))
    calibration = JointCalibration("left_knee", 1, proximal, distal, axis, axis, 0.02)
    setup = tracker_setup(header, movement, "left", calibration)
    scales = (0.2, 1.4, 0.2, 1.2)
    blocks = [limb_like(info.sensor, args.minutes, i, scales[i]) for i, info in enumerate(infos)]
    frames = len(blocks[0])

    def vqf_batch() -> list[FloatArray]:
        return [VQF(1.0 / RATE).updateBatch(b.gyr, b.acc)["quat6D"] for b in blocks]

    print(f"vqf batch, {len(blocks)} sensors x {frames} samples: {cpu(vqf_batch):.2f} s")

    def in_blocks() -> None:
        tracker, detector = JointTracker(setup), PassDetector()
        step = int(RATE)
        for first in range(0, frames, step):
            for block in blocks[:2]:
                series = tracker.feed(block[first : first + step])
                detector.feed(series.t, series.angle[:, 0])

    each = cpu(in_blocks) / frames * 1e6
    print(f"two sensors and a joint, blocks of 1 s: {each:.1f} us per frame (goal <= 20)")
    live = min(frames, 20000)

    def notifications(length: int) -> Callable[[], None]:
        def run() -> None:
            tracker, detector = JointTracker(setup), PassDetector()
            for first in range(0, live, length):
                for block in blocks[:2]:
                    series = tracker.feed(block[first : first + length])
                    detector.feed(series.t, series.angle[:, 0])

        return run

    for length in (1, 4):
        cost = cpu(notifications(length)) / (2 * live / length) * 1e6
        print(f"live, {length} sample(s) a notification: {cost:.0f} us per notification (goal <= 100)")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.mcap"
        header = RecordingHeader(
            created_at=datetime.now(UTC), movement=movement.id, side="left", sensors=infos, simulated=True
        )
        write(path, header, calibration, blocks)
        rounds: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS + 1):
            batch = once(vqf_batch)
            reading = once(lambda: [len(block) for block in Recording.open(path).blocks()])
            rounds.append((batch, reading, once(lambda: replay(path))))
        batch, reading, whole = (statistics.median(each) for each in zip(*rounds[1:], strict=True))
        ratios = sorted(each[2] / (3.0 * each[0] + each[1]) for each in rounds[1:])
        print(
            f"medians of {ROUNDS} rounds: vqf batch {batch:.2f} s, reading {reading:.2f}, replay {whole:.2f}"
        )
        print(
            f"replay / (3 x vqf batch + reading): {statistics.median(ratios):.2f} as the median of rounds "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}; goal <= 1)"
        )
        blocks.clear()
        for minutes in (5.0, 15.0):
            longer = Path(folder) / f"{minutes:g}.mcap"
            parts = [limb_like(info.sensor, minutes, i, scales[i]) for i, info in enumerate(infos)]
            write(longer, header, calibration, parts)
            print(f"peak memory of a replay of {minutes:g} min: {memory_of_replay(longer)}")


if __name__ == "__main__":
    main()
