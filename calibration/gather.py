"""Recorded blocks of a few sensors to common frames, by the same filter and synchroniser as everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from imu.block import ImuBlock
from imu.errors import CalibrationError
from imu.fusion import RestNoise, make_filter
from imu.sync import Frames, Synchroniser

PIECE = 5.0
"""Sensors are fed in turns of so many seconds, well below the synchroniser's patience."""


def rate_of(block: ImuBlock) -> float:
    """Return the sampling rate of a block, Hz; raise `CalibrationError` if it is too short to tell."""
    if len(block) < 20:
        raise CalibrationError(
            f"sensor {block.sensor}: {len(block)} samples are too few; record at least 2 s"
        )
    return 1.0 / float(np.median(np.diff(block.t)))


def frames_of(
    sensors: Sequence[str], blocks: Mapping[str, ImuBlock], noise: Mapping[str, RestNoise] | None = None
) -> tuple[Frames, float]:
    """Return the frames of sensors, in the order given, and their rate, Hz.

    Parameters
    ----------
    sensors
        Ids; each needs a block.
    blocks
        Samples by sensor id.
    noise
        Measured noise at rest by sensor id, where known.
    """
    rates = {sensor: rate_of(blocks[sensor]) for sensor in sensors}
    rate = max(rates.values())
    known = noise or {}
    filters = {sensor: make_filter("vqf", rates[sensor], known.get(sensor)) for sensor in sensors}
    synchroniser = Synchroniser(list(sensors), rate, rates)
    parts: list[Frames] = []
    begin = min(float(blocks[sensor].t[0]) for sensor in sensors)
    end = max(float(blocks[sensor].t[-1]) for sensor in sensors)
    for start in np.arange(begin, end + PIECE, PIECE).tolist():
        for sensor in sensors:
            first, stop = np.searchsorted(blocks[sensor].t, [start, start + PIECE])
            part = blocks[sensor][int(first) : int(stop)]
            if len(part):
                parts.append(synchroniser.feed(filters[sensor].feed(part), part))
    parts.append(synchroniser.finish())
    return join_frames(parts), rate


def join_frames(parts: Sequence[Frames]) -> Frames:
    """Return consecutive frames as one."""
    columns: dict[str, object] = {}
    for field in fields(Frames):
        values = [getattr(part, field.name) for part in parts]
        columns[field.name] = None if any(value is None for value in values) else np.concatenate(values)
    return Frames(**columns)  # type: ignore[arg-type] - the names are the dataclass's own
