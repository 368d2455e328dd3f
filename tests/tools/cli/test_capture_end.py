"""However a capture ends, what was recorded until then is there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imu.recording import Recording
from tools.emulator import bus

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="process groups and D-Bus"),
    pytest.mark.skipif(not bus.available(), reason="dbus-daemon is not installed"),
    pytest.mark.timeout(90),
]

MOST_MISSING = 1.0


@contextmanager
def capturing(file: Path) -> Generator[subprocess.Popen[str]]:
    """Run `rom capture --virtual` in a process group of its own until it has recorded some seconds."""
    command = [sys.executable, "-c", "from tools.cli.main import main; main()"]
    command += ["capture", "--virtual", "--output", str(file)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    part = file.with_name(file.name + ".part")
    try:
        deadline = time.monotonic() + 40.0
        while not part.exists() or Recording.open(part).duration < 3.0:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_kill_9_loses_the_last_second_at_most(tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capturing(file) as process:
        os.killpg(process.pid, signal.SIGKILL)
        killed_at = datetime.now(UTC)
        process.wait(10.0)
    recording = Recording.open(file.with_name(file.name + ".part"))
    recorded_until = recording.header.created_at.timestamp() + recording.stop
    assert 0.0 <= killed_at.timestamp() - recorded_until < MOST_MISSING
    assert {event.kind for event in recording.events} >= {"calibration_start"}
    assert len(list(recording.raw())) > 100
    assert recording.damage


def test_ctrl_c_ends_in_good_order(tmp_path: Path) -> None:
    file = tmp_path / "capture.mcap"
    with capturing(file) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30.0)
    recording = Recording.open(file)
    assert recording.damage == ()
    kinds = [event.kind for event in recording.events]
    assert kinds.count("calibration_start") == kinds.count("calibration_stop")
    assert "Traceback" not in stdout + stderr
    assert f"Recorded {file}" in stdout
