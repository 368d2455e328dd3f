"""What a study costs: recordings per second with one and two workers, and per hour of recording.

    python tests/bench/study.py [--recordings 200] [--distinct 10] [--scheduler tcp://...]

Recordings of five minutes are simulated once into a temporary folder: `--distinct` different limbs, the
others copies of their files, each read, checked and measured as a recording of its own. One and two workers
alternate on parts of the folder, so that a machine that gets busier does not decide; the load is printed
beside each.
"""

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import numpy as np

from imu.recording import Recording, RecordingWriter
from imu.sensor_grade import RESEARCH
from rom.clinic.study_rows import Row, StudyOptions
from rom.clinic.study_run import Plan, plan, run
from rom.clinic.study_table import read_table
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps, TableRest
from rom.limb_world import LimbSpec

SECONDS = 300.0
FAR, NEAR = np.radians(85.0), np.radians(20.0)
OPTIONS = StudyOptions()


def limb(seed: int) -> LimbRecording:
    """Return a test of five reps and passes until five minutes are over."""
    programme = (TableRest(), Neutral(), Functional(), Reps(5, FAR, NEAR), Passes(25, FAR, NEAR))
    return simulate_limb(LimbSpec(programme=programme, grade=RESEARCH), seed)


def fill(folder: Path, recordings: int, distinct: int) -> float:
    """Write the recordings; return how many hours they hold."""
    for number in range(min(distinct, recordings)):
        whole = folder / f"whole{number}.tmp"
        header = write_recording(whole, [limb(number)], datetime(2026, 1, 2, tzinfo=UTC))
        recording = Recording.open(whole)
        first = folder / f"{number:04d}.mcap"
        with RecordingWriter(first, header) as out:
            for event in recording.events:
                if event.t < SECONDS:
                    out.write_event(event)
            for block in recording.blocks():
                if block.t[0] < SECONDS:
                    out.write(block)
        whole.unlink()
        for copy in range(number + distinct, recordings, distinct):
            copyfile(first, folder / f"{copy:04d}.mcap")
    return recordings * SECONDS / 3600.0


def every_file(planned: Plan) -> Plan:
    """Return a plan that measures copies too, which a study would measure once."""
    files = tuple(replace(file, content=f"{file.content} {file.name}") for file in planned.files)
    return Plan(files, files)


def timed(part: Plan, folder: Path, name: str, workers: int, scheduler: str = "") -> tuple[float, list[Row]]:
    """Return seconds and rows of a part of the study."""
    out = folder / f"{name}.parquet"
    start = time.perf_counter()
    run(part, out, OPTIONS, workers=workers, scheduler=scheduler)
    return time.perf_counter() - start, read_table(out)


def children() -> float:
    """Return the CPU time of all worker processes that have ended, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--distinct", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5, help="parts on which one and two workers alternate")
    parser.add_argument("--scheduler", default="", help="also run all on this Dask cluster")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        hours = fill(folder, arguments.recordings, arguments.distinct)
        size = sum(path.stat().st_size for path in folder.glob("*.mcap")) / 1e6
        print(
            f"{arguments.recordings} recordings of {SECONDS:.0f} s ({hours:.1f} h, {size:.0f} MB, "
            f"{arguments.distinct} distinct limbs) made in {time.perf_counter() - start:.0f} s"
        )
        start = time.perf_counter()
        planned = every_file(plan(folder, folder / "x.parquet", OPTIONS))
        print(f"planned (hashed) in {time.perf_counter() - start:.1f} s")
        seconds, busy = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}
        rows: dict[int, list[Row]] = {1: [], 2: []}
        for turn in range(arguments.rounds):
            files = planned.todo[turn :: arguments.rounds]
            took: dict[int, float] = {}
            for workers in (1, 2) if turn % 2 == 0 else (2, 1):
                before = children()
                took[workers], found = timed(Plan(files, files), folder, f"{turn}-{workers}", workers)
                seconds[workers] += took[workers]
                busy[workers] += children() - before
                rows[workers] += found
            print(
                f"  {len(files)} recordings: 1 worker {took[1]:.1f} s, 2 workers {took[2]:.1f} s, "
                f"{took[1] / took[2]:.2f} times faster; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        for workers, total in seconds.items():
            print(
                f"{workers} workers: {total:.1f} s, {total / hours:.1f} s per recording-hour, "
                f"{3600.0 * hours / total:.0f} times real time"
            )
        print(f"scaling from 1 to 2 workers: {seconds[1] / seconds[2]:.2f} (target 1.8)")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024.0
        print(
            f"CPU of the workers: {busy[1] / hours:.1f} s per recording-hour with one, "
            f"{busy[2] / hours:.1f} with two; at most {peak:.0f} MB a process"
        )
        print(
            f"rows {len(rows[1])}, the same with both: {rows[1] == rows[2]}; "
            f"problems {sum(1 for row in rows[1] if row.get('problem'))}"
        )
        if arguments.scheduler:
            total, found = timed(planned, folder, "cluster", 1, arguments.scheduler)
            same = sorted(map(str, found)) == sorted(map(str, rows[1]))
            print(f"cluster: {total:.1f} s, {total / hours:.1f} s per recording-hour; the same rows: {same}")


if __name__ == "__main__":
    main()
