"""A private bus lives exactly as long as whoever began it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.emulator import bus

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="D-Bus exists on Linux only"),
    pytest.mark.skipif(not bus.available(), reason="dbus-daemon is not installed"),
    pytest.mark.timeout(30),
]
HOLDER = """
import time
from tools.emulator.bus import PrivateBus
with PrivateBus() as private:
    print(private.address, flush=True)
    time.sleep(60.0)
"""


def users_of(folder: str) -> list[str]:
    """Return the command lines of running processes that name a folder."""
    found: list[str] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if folder in command:
                found.append(command)
    return found


def test_leaving_it_ends_the_daemon_and_takes_its_folder_away() -> None:
    with bus.PrivateBus() as private:
        folder = private.address.removeprefix("unix:path=").removesuffix("/bus")
        assert users_of(folder)
        assert os.environ[bus.VARIABLE] == private.address
    assert not users_of(folder)
    assert not Path(folder).exists()


def test_killing_its_owner_ends_it_too() -> None:
    """`kill -9` of a virtual capture must leave nothing behind."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = owner.stdout.readline().strip().removeprefix("unix:path=").removesuffix("/bus")
        assert users_of(folder)
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10.0
    while users_of(folder) or Path(folder).exists():
        assert time.monotonic() < deadline, users_of(folder)
        time.sleep(0.05)
