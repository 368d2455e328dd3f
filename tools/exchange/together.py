"""Sensors read from files of their own, brought on one capture clock as one trial."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from tools.exchange.incoming import IncomingSensor
from tools.exchange.plausibility import checked

NOT_SYNCHRONISED = "the sensors are not synchronised: align them by three taps"
SENSOR_CLOCK = "clock of the sensor"
_CLOCK_WAS_SET = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
_LONGEST_START_SPREAD = 600.0
_WIDEST_HOLE = 0.2


def told_segment(path: Path, given: Mapping[str, str]) -> str:
    """Return the segment a person named for a file.

    Raises
    ------
    InputError
        If none is named.
    """
    if path.name not in given:
        raise InputError(
            f"{path.name}: which segment is this sensor on? pass --sensor {path.name}=right_forearm or "
            "the like"
        )
    return given[path.name]


def different_segments(segments: Iterable[str]) -> None:
    """Raise unless every sensor is on a segment of its own."""
    names = list(segments)
    if len(set(names)) != len(names):
        raise InputError(
            f"every file must be of another segment, got {', '.join(names)}; name them with --sensor"
        )


def one_trial(read: Sequence[tuple[IncomingSensor, float]]) -> tuple[IncomingSensor, ...]:
    """Return believable sensors on one clock that starts at 0 with the earliest sample.

    Parameters
    ----------
    read
        Each sensor, its times from 0, and when it started by a calendar common to all, s.

    Raises
    ------
    InputError
        If two are of one segment, they do not start together, or samples contradict physics.
    """
    different_segments(sensor.info.segment for sensor, _ in read)
    starts = np.array([start for _, start in read])
    spread = float(np.ptp(starts))
    if spread > _LONGEST_START_SPREAD:
        raise InputError(
            f"the files should be of one trial, but they start {spread:.0f} s apart; "
            "import trials one by one, or set the sensors' clocks"
        )
    return tuple(checked(_later(sensor, float(start - starts.min()))) for sensor, start in read)


def began(starts: Iterable[float]) -> datetime | None:
    """Return the moment of the first start, s since 1970; None if no clock was set by then."""
    first = min(starts)
    return datetime.fromtimestamp(first, UTC) if first > _CLOCK_WAS_SET else None


def at_times(t: FloatArray, own_t: FloatArray, values: FloatArray) -> FloatArray:
    """Return a quantity (M, 3) sampled at its own times at other ones, in straight lines.

    Parameters
    ----------
    t : (N,)
        Where it is wanted, s.
    own_t : (M,)
        Where it was sampled, s, increasing.
    values : (M, 3)
        Samples.

    Returns
    -------
    (N, 3)
        NaN before the first sample, after the last, and across holes wider than 0.2 s.
    """
    after = np.clip(np.searchsorted(own_t, t), 1, len(own_t) - 1)
    hole = own_t[after] - own_t[after - 1] > _WIDEST_HOLE
    known = (t >= own_t[0]) & (t <= own_t[-1]) & ~hole
    found = np.stack([np.interp(t, own_t, values[:, axis]) for axis in range(3)], axis=1)
    return np.where(known[:, None], found, np.nan)


def _later(sensor: IncomingSensor, seconds: float) -> IncomingSensor:
    block = sensor.block
    moved = ImuBlock(block.sensor, block.t + seconds, block.gyr, block.acc, block.mag)
    return IncomingSensor(sensor.info, moved, sensor.remarks)
