"""Families whose sensors can hold their clocks together by radio, as they are once that is arranged.

They differ from the plain drivers only in what may be written to a synchronised sensor, and in asking it
whether it still is. `imu/hardware_sync.py` arranges it.
"""

from imu.sensors import capture2go as c2g
from imu.sensors import dot_messages
from imu.sensors.capture2go import Capture2Go
from imu.sensors.driver import Settings, Write
from imu.sensors.movella_dot import MESSAGE_CONTROL, MovellaDot


class SynchronisedDot(MovellaDot):
    """A DOT that must not be configured, because it refuses a rate while it is synchronised [S]."""

    def configure(self, settings: Settings) -> tuple[Write, ...]:  # noqa: ARG002 - the family's signature
        """Return nothing: the rate was set before."""
        return ()

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the question whether it is synchronised, and the start of the measurement."""
        return (Write(MESSAGE_CONTROL, dot_messages.ask_sync_status()), *super().start(settings))


class SynchronisedCapture2Go(Capture2Go):
    """A capture2go IMU with a part in a group; it tells in its status, once a second, whether it follows.

    Parameters
    ----------
    part
        `SYNC_SENDER` or `SYNC_RECEIVER`.
    group
        Number common to all sensors of the group.
    """

    def __init__(self, part: int, group: int) -> None:
        self._part = part
        self._group = group

    def configure(self, settings: Settings) -> tuple[Write, ...]:
        """Return stop-and-clear and the measurement mode with its part in the group."""
        return (c2g.command(c2g.STOP_AND_CLEAR), c2g.measurement_mode(settings, self._part, self._group))

    def start(self, settings: Settings) -> tuple[Write, ...]:
        """Return the question for the status, and what starts the stream."""
        return (c2g.command(c2g.GET_STATUS), *super().start(settings))
