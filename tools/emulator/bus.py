"""A private D-Bus for one process and its children: no root, no systemd, no real Bluetooth service."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from imu.errors import RomcapError

VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow send_type="signal"/>
    <allow receive_sender="*"/>
    {extra}
  </policy>
</busconfig>
"""

_KEEPER = """trap '' INT
"$1" --nofork --nopidfile --config-file="$2/bus.conf" </dev/null >/dev/null 2>&1 &
read -r _
kill -9 $!
wait
rm -rf "$2"
"""
"""Keeps the daemon until its own input ends: when the bus is left, or whoever began it dies."""


def available() -> bool:
    """Return whether this machine can run a private bus."""
    return shutil.which("dbus-daemon") is not None


class PrivateBus:
    """Run a throw-away `dbus-daemon`; inside the `with` block it is this process's system bus.

    It ends with this process, also if that is killed.

    Parameters
    ----------
    denied
        Refuse every call to the Bluetooth service, as the policy of a locked-down machine does.

    Raises
    ------
    RomcapError
        If `dbus-daemon` is missing or does not start.
    """

    def __init__(self, *, denied: bool = False) -> None:
        self._extra = '<deny send_destination="org.bluez"/>' if denied else ""
        self.address = ""

    def __enter__(self) -> Self:
        """Start the daemon and point the environment at it."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise RomcapError(
                "virtual sensors need the program dbus-daemon, which is missing; install the package 'dbus'"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="romcap-bus-"))
        socket = self._folder / "bus"
        configuration = self._folder / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(socket=socket, extra=self._extra), encoding="utf-8")
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "sh", program, str(self._folder)], stdin=subprocess.PIPE
        )
        deadline = time.monotonic() + 5.0
        while not socket.exists():
            if time.monotonic() > deadline:
                self._end_daemon()
                raise RomcapError("dbus-daemon did not start within 5 s; run `rom doctor`")
            time.sleep(0.005)
        self._before = os.environ.get(VARIABLE)
        self.address = os.environ[VARIABLE] = f"unix:path={socket}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the daemon and put the environment back."""
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before
        self._end_daemon()

    def _end_daemon(self) -> None:
        self._keeper.communicate()
