"""Recordings: the raw samples of a capture, its events and calibrations, in one file that survives.

The names that other rooms use are all here: `RecordingWriter` makes a recording, `Recording` reads one,
`repair` rebuilds a damaged one. Angles are never in it: they are computed from it, each time the same.
"""

from imu.recording_reader import Recording
from imu.recording_repair import RepairReport, repair
from imu.recording_values import EVENT_KINDS, Event, RawPacket, RecordingHeader, SensorInfo, Status
from imu.recording_writer import RecordingWriter

__all__ = [
    "EVENT_KINDS",
    "Event",
    "RawPacket",
    "Recording",
    "RecordingHeader",
    "RecordingWriter",
    "RepairReport",
    "SensorInfo",
    "Status",
    "repair",
]
