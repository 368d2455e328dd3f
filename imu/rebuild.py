"""A recording made again from its own raw bytes: what a better decoder or clock makes of an old capture."""

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from imu.errors import RecordingError
from imu.recording import Recording, RecordingWriter
from imu.recording_repair import take_over
from imu.streams import rebuilt


@dataclass(frozen=True, slots=True)
class Difference:
    """How the samples of one sensor, made again, compare with those recorded.

    Parameters
    ----------
    sensor
        Its id.
    recorded, rebuilt
        Number of samples.
    first
        Time of the first recorded sample that is not the same to the last bit, or is missing, s; NaN if
        there is none. A surplus at the end is no difference: raw bytes may outlast the samples in a crash.
    """

    sensor: str
    recorded: int
    rebuilt: int
    first: float


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What was made again, and where."""

    source: Path
    written: Path
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether every recorded sample came out the same, to the last bit."""
        return all(np.isnan(each.first) for each in self.differences)


def rebuild(path: Path) -> RebuildReport:
    """Write a recording whose samples are made again from the raw bytes of another; that one is kept.

    `trial.mcap` gives `trial.rebuilt.mcap`. Events, calibrations, status and raw packets are taken over.

    Raises
    ------
    RecordingError
        If the file is no recording, holds no raw bytes with their settings, or the new name exists.
    """
    source = Recording.open(path)
    target = path.with_name(f"{path.name.removesuffix('.part').removesuffix('.mcap')}.rebuilt.mcap")
    blocks = rebuilt(source)
    first = next(blocks, None)
    if first is None:
        raise RecordingError(path, "holds no raw bytes that give samples; there is nothing to make again")
    provenance = {**source.header.provenance, "rebuilt_from": {"file": path.name, "sha256": source.sha256}}
    with RecordingWriter(target, replace(source.header, provenance=provenance)) as writer:
        take_over(source, writer)
        for packet in source.raw():
            writer.write_raw(packet)
        for block in chain([first], blocks):
            writer.write(block)
    made = Recording.open(target)
    return RebuildReport(path, target, tuple(_difference(source, made, name) for name in source.samples))


def _difference(source: Recording, made: Recording, sensor: str) -> Difference:
    one, two = source.block(sensor), made.block(sensor)
    common = min(len(one), len(two))
    same = one.t[:common] == two.t[:common]
    for a, b in ((one.gyr, two.gyr), (one.acc, two.acc), (one.mag, two.mag)):
        if a is not None and b is not None:
            same &= ((a[:common] == b[:common]) | (np.isnan(a[:common]) & np.isnan(b[:common]))).all(axis=1)
        elif a is not b:
            same &= False
    wrong = np.append(np.flatnonzero(~same), common)[0]
    return Difference(sensor, len(one), len(two), float(one.t[wrong]) if wrong < len(one) else np.nan)
