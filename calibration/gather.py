"""Recorded blocks of a few sensors to common frames, by the same filter and synchroniser as everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from imu.block import ImuBlock
from imu.errors import CalibrationError
from imu.fusion import OrientationFilter, RestNoise, make_filter
from imu.sync import Frames, Synchroniser

PIECE = 20.0
"""Sensors are fed in turns of so many seconds, a third of the synchroniser's patience."""


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
    return together({sensor: blocks[sensor] for sensor in sensors}, filters, rates, rate), rate


def together(
    blocks: Mapping[str, ImuBlock],
    filters: Mapping[str, OrientationFilter],
    rates: Mapping[str, float],
    rate: float,
) -> Frames:
    """Return the frames of sensors whose samples are all there.

    Parameters
    ----------
    blocks
        All samples by sensor id; their order is that of the frames.
    filters, rates
        Of each sensor, rates in Hz.
    rate
        Frames per second, Hz.
    """
    synchroniser = Synchroniser(list(blocks), rate, rates)
    parts: list[Frames] = []
    times = [block.t for block in blocks.values() if len(block)]
    begin, end = min(float(t[0]) for t in times), max(float(t[-1]) for t in times)
    for start in np.arange(begin, end + PIECE, PIECE).tolist():
        for sensor, block in blocks.items():
            first, stop = np.searchsorted(block.t, [start, start + PIECE])
            part = block[int(first) : int(stop)]
            if len(part):
                parts.append(synchroniser.feed(filters[sensor].feed(part), part))
    parts.append(synchroniser.finish())
    return join_frames(parts)


def join_frames(parts: Sequence[Frames]) -> Frames:
    """Return consecutive frames as one."""
    columns: dict[str, object] = {}
    for field in fields(Frames):
        values = [getattr(part, field.name) for part in parts]
        columns[field.name] = None if any(value is None for value in values) else np.concatenate(values)
    return Frames(**columns)  # type: ignore[arg-type] - the names are the dataclass's own
