"""However a capture ends, what was recorded until then is there."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imu.recording import Recording, repair
from tools.emulator import bus

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="process groups and D-Bus"),
    pytest.mark.skipif(not bus.available(), reason="dbus-daemon is not installed"),
    pytest.mark.timeout(240),
]

MOST_MISSING = 1.0
TRIES = 3


ROM = [sys.executable, "-c", "from tools.cli.main import main; main()"]
ROOM_KB = 64
"""Room for some seconds of a capture."""
UNTIL_FULL = 120.0


@contextmanager
def capturing(file: Path, before: Sequence[str] = ()) -> Generator[subprocess.Popen[str]]:
    """Run `rom capture --virtual` in a process group of its own until it has recorded some seconds."""
    process = subprocess.Popen(
        [*before, *ROM, "capture", "--virtual", "--output", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    part = file.with_name(file.name + ".part")
    try:
        deadline = time.monotonic() + 90.0
        while not part.exists() or Recording.open(part).duration < 3.0:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def killed(file: Path) -> tuple[Recording, float]:
    """Kill a capture; return what it recorded, and how much of its time is missing, s."""
    with capturing(file) as process:
        os.killpg(process.pid, signal.SIGKILL)
        killed_at = datetime.now(UTC)
        process.wait(10.0)
    recording = Recording.open(file.with_name(file.name + ".part"))
    return recording, killed_at.timestamp() - recording.header.created_at.timestamp() - recording.stop


def test_kill_9_loses_the_last_second_at_most(tmp_path: Path) -> None:
    """A computer that stands still for others' work can only add to what is missing: the least counts."""
    missing = math.inf
    for attempt in range(TRIES):
        recording, lost = killed(tmp_path / f"capture{attempt}.mcap")
        assert {event.kind for event in recording.events} >= {"calibration_start"}
        assert len(list(recording.raw())) > 100
        assert recording.damage
        assert lost >= 0.0
        missing = min(missing, lost)
        if missing < MOST_MISSING:
            break
    assert missing < MOST_MISSING


def test_ctrl_c_ends_in_good_order(tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capturing(file) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60.0)
    recording = Recording.open(file)
    assert recording.damage == ()
    kinds = [event.kind for event in recording.events]
    assert kinds.count("calibration_start") == kinds.count("calibration_stop")
    assert "Traceback" not in stdout + stderr
    assert f"Recorded {file}" in stdout


@contextmanager
def small_disk(folder: Path) -> Generator[list[str]]:
    """Mount a file system of `ROOM_KB` on a folder; skip where this machine does not let us."""
    options = ["-t", "tmpfs", "-o", f"size={ROOM_KB}k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield []
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def small_files(_: Path) -> Generator[list[str]]:
    """Let no file of the capture grow beyond `ROOM_KB`, as a quota does; `ulimit` counts half kilobytes."""
    yield ["/bin/sh", "-c", f'ulimit -f {2 * ROOM_KB}; exec "$@"', "sh"]


@pytest.mark.parametrize("limited", [small_disk, small_files])
def test_a_full_disk_loses_the_last_second_at_most(
    tmp_path: Path, limited: Callable[[Path], AbstractContextManager[list[str]]]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with limited(disk) as before:
        file = disk / "capture.mcap"
        part = file.with_name(file.name + ".part")
        with capturing(file, before) as process:
            size, grown_at = 0, datetime.now(UTC)
            deadline = time.monotonic() + UNTIL_FULL
            while process.poll() is None:
                assert time.monotonic() < deadline
                if part.stat().st_size != size:
                    size, grown_at = part.stat().st_size, datetime.now(UTC)
                time.sleep(0.02)
            stdout, stderr = process.communicate(timeout=60.0)
        assert process.returncode == 1
        assert "the disk takes no more" in stderr
        assert "rom repair" in stderr
        assert "Traceback" not in stdout + stderr
        shutil.copy(part, tmp_path / part.name)
    kept = Recording.open(tmp_path / part.name)
    recorded_until = kept.header.created_at.timestamp() + kept.stop
    assert grown_at.timestamp() - recorded_until < MOST_MISSING
    assert any("was not closed, or is cut off" in sentence for sentence in kept.damage)
    report = repair(tmp_path / part.name)
    assert report.written is not None
    repaired = Recording.open(report.written)
    assert repaired.damage == ()
    assert repaired.repairs[-1]["damage"] == list(kept.damage)
    assert repaired.samples == kept.samples
    told = rom("info", str(report.written))
    assert "was: the recording was not closed, or is cut off" in told.stdout
    replayed = rom("replay", str(report.written), "--movement", "kn_ake", "--side", "left")
    assert replayed.returncode == 0, replayed.stderr
    assert "angles" in replayed.stdout


def rom(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ROM, *arguments], capture_output=True, text=True, check=False, timeout=120.0)
