"""A study: every recording once, whatever dies; the same table from either kind of workers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

from imu.errors import InputError
from imu.recording import Recording, RecordingWriter
from imu.sensor_grade import RESEARCH
from rom.annotations import Annotation, annotate, annotations_file
from rom.clinic import study_rows
from rom.clinic.study_rows import COLUMNS, Row, StudyOptions, attempt, process
from rom.clinic.study_run import plan, run
from rom.clinic.study_table import Journal, journal_of, read_table
from rom.clinic.study_workers import on_cluster, on_this_machine
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps
from rom.limb_world import LimbSpec
from rom.trial import analyse
from rom.worn import calibrate_recording

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPTIONS = StudyOptions()
PROGRAMME = (Neutral(), Functional(), Reps(2, np.radians(80.0), np.radians(20.0)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder: four good recordings, a copy of one in a folder inside, two bad files."""
    folder = tmp_path_factory.mktemp("study")
    limb = simulate_limb(LimbSpec(programme=PROGRAMME, grade=RESEARCH, rate=60.0), 5)
    write_recording(folder / "a.mcap", [limb], NOW)
    worn = [joint.to_document() for joint in calibrate_recording(Recording.open(folder / "a.mcap"))]
    for name in ("b", "c", "d"):
        write_recording(folder / f"{name}.mcap", [limb], NOW, calibrations=worn)
    (folder / "inside").mkdir()
    copy(folder / "a.mcap", folder / "inside" / "again.mcap")
    (folder / "text.mcap").write_text("no recording at all")
    header = replace(Recording.open(folder / "a.mcap").header, movement="no_such_movement")
    with RecordingWriter(folder / "unknown.mcap", header):
        pass
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> list[Row]:
    """Return the table of the folder, by one process."""
    out = folder / "serial.parquet"
    run(plan(folder, out, OPTIONS), out, OPTIONS, workers=1)
    return read_table(out)


def test_every_recording_is_in_the_table_and_bad_ones_say_why(folder: Path, table: list[Row]) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.mcap"))
    assert sorted({row["file"] for row in table}) == names
    assert [*table[0]] == [*COLUMNS]
    problems = {row["file"]: row["problem"] for row in table if row["problem"]}
    assert set(problems) == {"text.mcap", "unknown.mcap"}
    assert "no_such_movement" in problems["unknown.mcap"]
    assert str(folder) not in json.dumps(table)


def test_a_cut_recording_says_that_it_is_cut(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.mcap").write_bytes((folder / "a.mcap").read_bytes()[:20_000])
    (problem,) = attempt(tmp_path / "cut.mcap", OPTIONS).problems
    assert "was not closed, or is cut off" in problem


def test_rows_are_what_the_analysis_says(folder: Path, table: list[Row]) -> None:
    trial = analyse(Recording.open(folder / "b.mcap"))
    rows = [row for row in table if row["file"] == "b.mcap"]
    assert [row["rep"] for row in rows] == [rep.number for rep in trial.reps] == [1, 2]
    assert [row["end_deg"] for row in rows] == [float(np.degrees(rep.end)) for rep in trial.reps]
    assert rows[0]["recording_sha256"] == Recording.open(folder / "b.mcap").sha256
    assert json.loads(rows[0]["provenance"])["filter"] == "vqf"


def test_another_reader_sees_the_same_table(folder: Path, table: list[Row]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow judges the table where it is installed")
    read = parquet.read_table(folder / "serial.parquet")
    assert read.to_pylist() == table
    assert json.loads(read.schema.metadata[b"options"])["filter_name"] == "vqf"


def test_two_workers_give_the_table_of_one(folder: Path, table: list[Row]) -> None:
    out = folder / "two.parquet"
    run(plan(folder, out, OPTIONS), out, OPTIONS, workers=2)
    assert read_table(out) == table


def test_equal_contents_are_measured_once_and_listed_twice(folder: Path, table: list[Row]) -> None:
    todo = [file.name for file in plan(folder, folder / "new.parquet", OPTIONS).todo]
    assert "a.mcap" in todo
    assert "inside/again.mcap" not in todo
    first, again = ([row for row in table if row["file"] == name] for name in ("a.mcap", "inside/again.mcap"))
    assert [row | {"file": ""} for row in first] == [row | {"file": ""} for row in again]


@pytest.mark.parametrize("cut", [0, 1, 17])
def test_a_crash_costs_only_what_was_under_way(
    folder: Path, table: list[Row], tmp_path: Path, cut: int
) -> None:
    out = tmp_path / "crash.parquet"
    kept = journal_of(folder / "serial.parquet").read_bytes().splitlines(keepends=True)[:4]
    kept[-1] = kept[-1][: len(kept[-1]) - cut]
    journal_of(out).write_bytes(b"".join(kept))
    planned = plan(folder, out, OPTIONS)
    whole = 3 + (cut <= 1)
    assert len(planned.todo) == 6 - whole
    run(planned, out, OPTIONS)
    assert read_table(out) == table
    assert plan(folder, out, OPTIONS).todo == ()


def test_other_options_and_other_software_are_measured_again(
    folder: Path, table: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "serial.parquet"
    assert plan(folder, out, OPTIONS).todo == ()
    assert len(plan(folder, out, replace(OPTIONS, filter_name="madgwick")).todo) == 6
    monkeypatch.setattr(study_rows, "software", lambda: "another")
    assert len(plan(folder, out, OPTIONS).todo) == 6


def test_what_a_reviewer_adds_is_measured_again(folder: Path, table: list[Row]) -> None:
    annotate(Recording.open(folder / "c.mcap"), Annotation("discard", "rep", 1, "a sneeze"))
    try:
        planned = plan(folder, folder / "serial.parquet", OPTIONS)
        assert [file.name for file in planned.todo] == ["c.mcap"]
    finally:
        annotations_file(folder / "c.mcap").unlink()


KILLER = """
import os, signal
from rom.clinic.study_rows import failed

def attempt(path, options):
    if path.name == "b.mcap":
        os.kill(os.getpid(), signal.SIGKILL)
    return failed(f"seen {path.name}", final=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")
def test_a_file_that_kills_its_process_takes_no_other_with_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "romcap_test_killer.py").write_text(KILLER)
    monkeypatch.syspath_prepend(tmp_path)
    killer = import_module("romcap_test_killer")
    monkeypatch.setattr("rom.clinic.study_workers.attempt", killer.attempt)
    paths = [folder / f"{name}.mcap" for name in "abcd"]
    outcomes = dict(on_this_machine(paths, OPTIONS, 2))
    assert set(outcomes) == set(paths)
    for path in paths:
        expected = "died" if path.name == "b.mcap" else f"seen {path.name}"
        assert expected in outcomes[path].problems[0]
        assert outcomes[path].final is (path.name != "b.mcap")


def test_what_nobody_foresaw_is_a_row_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> study_rows.Outcome:
        raise ZeroDivisionError(f"in {folder / 'a.mcap'}")

    monkeypatch.setattr(study_rows, "process", broken)
    outcome = attempt(folder / "a.mcap", OPTIONS)
    assert "ZeroDivisionError: in the recording" in outcome.problems[0]
    assert not outcome.final


def test_a_recording_of_two_phases_gives_the_reps_of_both(tmp_path: Path) -> None:
    spec = LimbSpec(programme=PROGRAMME, grade=RESEARCH, rate=60.0)
    limb = simulate_limb(spec, 5)
    path = tmp_path / "visit.mcap"
    start = next(event for event in limb.events if event.kind == "trial_start")
    stop = next(event for event in limb.events if event.kind == "trial_stop")
    middle = limb.truth.strokes[0].stop + 0.2
    with RecordingWriter(path, write_recording(tmp_path / "x.mcap", [limb], NOW)) as writer:
        for event in limb.events:
            if event.kind not in ("trial_start", "trial_stop"):
                writer.write_event(event)
        for t, kind, phase in (
            (start.t, "trial_start", "baseline"),
            (middle, "trial_stop", "baseline"),
            (middle, "trial_start", "retest"),
            (stop.t, "trial_stop", "retest"),
        ):
            writer.write_event(replace(start, t=t, kind=kind, data={**start.data, "phase": phase}))
        for block in limb.merged():
            writer.write(block)
    rows = process(path, OPTIONS).rows
    assert [row["phase"] for row in rows] == ["baseline", "retest"]
    assert [row["rep"] for row in rows] == [1, 1]


def test_no_table_of_somebody_else_is_overwritten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.parquet"
    out.write_bytes(b"mine")
    with pytest.raises(InputError, match="--force"):
        plan(folder, out, OPTIONS)
    assert out.read_bytes() == b"mine"
    assert plan(folder, out, OPTIONS, force=True).todo
    with pytest.raises(InputError, match="found none"):
        plan(tmp_path, tmp_path / "x.parquet", OPTIONS)
    with pytest.raises(InputError, match="make it first"):
        plan(folder, tmp_path / "no" / "x.parquet", OPTIONS)


def test_results_that_may_change_are_not_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", OPTIONS)
    journal.add("0" * 64, study_rows.failed("died", final=False))
    assert Journal(tmp_path / "j", OPTIONS).get("0" * 64) is None


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a Dask scheduler on this machine and its two worker processes."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    place = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}

    def start(command: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command}", "--scheduler-file", str(place), *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard")
    here = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    running = [start("dask_scheduler", *here), *(start("dask_worker", *options) for _ in range(2))]
    deadline = time.monotonic() + 60.0
    while not place.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    address = json.loads(place.read_text())["address"]
    _await_workers(address, 2, deadline)
    yield address, running[1:]
    for each in reversed(running):
        each.kill()
        each.wait()


def _await_workers(address: str, count: int, deadline: float) -> None:
    from distributed import Client

    client: Any = Client(address, timeout=30, set_as_default=False)
    with client:
        while len(client.nthreads()) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(client.nthreads()) == count


@pytest.mark.timeout(180)
def test_a_cluster_gives_the_same_table_though_a_worker_dies(
    folder: Path, table: list[Row], cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    out = folder / "cluster.parquet"
    killed: list[int] = []

    def kill_one(_: object) -> None:
        if not killed:
            workers[0].kill()
            killed.append(workers[0].wait())

    run(plan(folder, out, OPTIONS), out, OPTIONS, scheduler=address, progress=kill_one)
    assert killed
    assert read_table(out) == table


@pytest.mark.timeout(120)
def test_no_scheduler_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr("rom.clinic.study_workers._PATIENCE_S", 1)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        list(on_cluster([folder / "a.mcap"], OPTIONS, "tcp://127.0.0.1:9"))
    with pytest.raises(InputError, match="at least 1 worker"):
        list(on_this_machine([folder / "a.mcap"], OPTIONS, 0))
