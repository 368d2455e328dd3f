"""What a recording holds, sensor by sensor, in numbers that a person can judge."""

from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray
from imu.recording_reader import Recording
from imu.recording_values import SensorInfo

_GAP_IN_STEPS = 1.5


@dataclass(frozen=True, slots=True)
class SensorSummary:
    """The samples of one sensor in numbers.

    Parameters
    ----------
    info
        The sensor, as the header says.
    samples
        How many are there.
    rate_hz
        By the median step between them; NaN for fewer than two.
    start, stop
        Time of the first and the last, s; NaN if there is none.
    unknown
        How many lack a number of gyroscope or accelerometer (NaN: unknown or saturated).
    gaps, missing, longest_gap
        How many steps exceed 1.5 median steps, how many samples are missing in them, and the longest, s.
    """

    info: SensorInfo
    samples: int
    rate_hz: float
    start: float
    stop: float
    unknown: int
    gaps: int
    missing: int
    longest_gap: float

    @property
    def loss(self) -> float:
        """Share of the samples that are missing in gaps, 0 to 1; NaN if there is no sample."""
        return self.missing / (self.samples + self.missing) if self.samples else float("nan")


def sample_rate(t: FloatArray) -> float:
    """Return the samples per second of sample times, s, by the median step; NaN for fewer than two."""
    return float(1.0 / np.median(np.diff(t))) if len(t) > 1 else float("nan")


def gaps(t: FloatArray) -> list[tuple[float, float, int]]:
    """Return start, end, s, and the number of missing samples of each step above 1.5 median steps."""
    if len(t) < 3:
        return []
    steps = np.diff(t)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > _GAP_IN_STEPS * usual).tolist()
    return [(float(t[i]), float(t[i + 1]), round(float(steps[i]) / usual) - 1) for i in wide]


def summarise(recording: Recording) -> tuple[SensorSummary, ...]:
    """Return the numbers of every sensor in the header's order."""
    times: dict[str, list[FloatArray]] = {info.sensor: [] for info in recording.header.sensors}
    unknown = dict.fromkeys(times, 0)
    for block in recording.blocks():
        times[block.sensor].append(block.t)
        known = np.isfinite(block.gyr).all(axis=1) & np.isfinite(block.acc).all(axis=1)
        unknown[block.sensor] += int((~known).sum())
    return tuple(
        _summary(info, np.concatenate([np.empty(0), *times[info.sensor]]), unknown[info.sensor])
        for info in recording.header.sensors
    )


def _summary(info: SensorInfo, t: FloatArray, unknown: int) -> SensorSummary:
    holes = gaps(t)
    return SensorSummary(
        info,
        samples=len(t),
        rate_hz=sample_rate(t),
        start=float(t[0]) if len(t) else float("nan"),
        stop=float(t[-1]) if len(t) else float("nan"),
        unknown=unknown,
        gaps=len(holes),
        missing=sum(count for _, _, count in holes),
        longest_gap=max((stop - start for start, stop, _ in holes), default=0.0),
    )
