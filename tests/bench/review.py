"""What the second look at half an hour of two sensors costs, part by part, beside vqf's own batch filter.

Run: `OPENBLAS_NUM_THREADS=1 python tests/bench/review.py [--minutes 30] [--axis oblique]`. Asserts nothing.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from vqf import VQF

from calibration.expected import heading_params
from calibration.segment import JointCalibration
from calibration.smoother import smooth
from imu.fusion import hindsight
from rom.angles import JointSeries, join_series
from rom.limb import LimbRecording
from rom.reading import TrackerSetup
from rom.replay import STRETCH
from rom.review import AS_LIVE, Review, in_hindsight, look_back
from rom.tracker import JointTracker
from tools.bench.world_scores import setup_of
from tools.bench.worlds import INCLINATIONS, clinic_worlds

Result = TypeVar("Result")

ROUNDS = 5
"""Every part and the peer take turns so often, after one round to warm up: what else the machine does then
meets all of them alike."""


def tracked(setup: TrackerSetup, limb: LimbRecording, best: Review) -> JointSeries:
    """Return the angles, in blocks as long as those of a replay."""
    tracker = JointTracker(setup, best.heading, best.filters)
    parts = [tracker.feed(block) for block in limb.merged(STRETCH)]
    return join_series([part for part in (*parts, tracker.finish()) if len(part)])


def one_round(setup: TrackerSetup, limb: LimbRecording, calibration: JointCalibration) -> dict[str, float]:
    """Return the processor time of each part, s."""
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        begin = time.process_time()
        result = work()
        spent[name] = time.process_time() - begin
        return result

    rate, blocks = setup.output_rate, list(limb.merged(STRETCH))
    timed("vqf batch", lambda: [VQF(1.0 / rate).updateBatch(b.gyr, b.acc) for b in limb.blocks.values()])
    timed(
        "orientation in both directions of time",
        lambda: [hindsight("vqf", limb.blocks[s.sensor], s.rate, s.noise) for s in setup.sensors],
    )
    _, frames = timed("that, what wearing teaches, and frames", lambda: in_hindsight(setup, blocks))
    params = heading_params(setup.expected)
    timed("heading, twice forward and back", lambda: smooth(calibration, frames, rate, params=params))
    best = timed("all before angles", lambda: look_back(setup, blocks))
    timed("angles", lambda: tracked(setup, limb, best))
    spent["second look, whole"] = spent["all before angles"] + spent["angles"]
    timed("as seen live, in the same blocks", lambda: tracked(setup, limb, AS_LIVE))
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--axis", choices=tuple(INCLINATIONS), default="oblique")
    args = parser.parse_args()
    (world,) = clinic_worlds([args.minutes], ["consumer"], [args.axis], ["still"])
    limb = world.limb(301)
    setup = setup_of(limb)
    calibration = setup.calibration
    if calibration is None:
        raise SystemExit("the imagined limb was not calibrated; try another axis")
    rounds = [one_round(setup, limb, calibration) for _ in range(ROUNDS + 1)][1:]
    samples = [len(block) for block in limb.blocks.values()]
    print(f"{samples} samples at {setup.output_rate:g} Hz, medians of {ROUNDS} rounds (goal: 1 s for 30 min)")
    for name in rounds[0]:
        seconds = statistics.median(each[name] for each in rounds)
        ratio = statistics.median(each[name] / each["vqf batch"] for each in rounds)
        print(f"{name:45s} {seconds:5.2f} s, {ratio:5.1f} times vqf batch")


if __name__ == "__main__":
    main()
