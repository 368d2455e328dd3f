"""What comes before a movement is worth to its first seconds: imagined treatments, live, followed twice.

    python tests/bench/first_seconds.py [--first-seed 510 --seeds 2]

One recording of the product holds pose, functional movement and treatment, and angles are followed from the
pose on. The recordings with an optical reference hold one movement each, so that nothing but the calibration
is known of what came before. Here the same treatments are followed both ways: from the pose, and begun with
the treatment. RMSE of the angle in its first seconds against what the sensors saw, each way's own median
error later on taken off, deg, and the share of these seconds that is flagged.
"""

import argparse
import math
import os
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from imu.errors import RomcapError
from imu.recording import Recording
from rom.angles import join_series
from rom.limb import LimbRecording
from rom.limb_recording import write_recording
from rom.reading import TrackerSetup
from rom.replay import Replay
from rom.tracker import JointTracker
from tools.bench.scoring import rms
from tools.bench.worlds import clinic_worlds

FIRST, LATER, MINUTES = 3.0, 10.0, 0.7
"""Seconds of the start, seconds after which its zero is taken, length of a treatment, min."""


def main() -> None:
    """Print a line a treatment, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=510)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    rows: list[tuple[float, ...]] = []
    for world in clinic_worlds((MINUTES,), ("consumer",)):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            limb = world.limb(seed)
            try:
                setup = _setup(limb)
            except RomcapError as error:
                print(f"{world.name}, seed {seed}: {error}")
                continue
            start = next(event.t for event in limb.events if event.kind == "treatment_start")
            row = (*_first(setup, limb, start), *_first(replace(setup, worn_from=start), limb, start))
            rows.append(row)
            print(f"{world.name}, seed {seed}: {_told(row)}", flush=True)
    print(f"medians of {len(rows)}: {_told(tuple(np.median(rows, axis=0).tolist()))}")


def _setup(limb: LimbRecording) -> TrackerSetup:
    """Return how the product would track the limb once its recording is opened, calibration included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.mcap"
        write_recording(path, [limb], datetime.now(UTC))
        return Replay(Recording.open(path)).setup


def _first(setup: TrackerSetup, limb: LimbRecording, start: float) -> tuple[float, float]:
    """Return the RMSE of the angle in the first seconds, deg, and the share of them that is flagged."""
    tracker = JointTracker(setup)
    series = join_series([*(tracker.feed(block) for block in limb.merged()), tracker.finish()])
    error = series.angle[:, 0] - np.interp(series.t, limb.truth.t, limb.truth.angle_sensor[:, 0])
    error -= np.nanmedian(error[series.t > start + LATER])
    first = (series.t >= start) & (series.t < start + FIRST)
    return math.degrees(rms(error[first])), float((series.flags[first] != 0).mean())


def _told(row: tuple[float, ...]) -> str:
    return "from the pose on {:.2f}, {:.0%} flagged; begun with the treatment {:.2f}, {:.0%} flagged".format(
        *row
    )


if __name__ == "__main__":
    main()
