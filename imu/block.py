"""`ImuBlock`, the record that everything speaks. Units and frames are decided here, once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from imu.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FEW = 16
"""Up to so many samples, one notification, plain numbers are looked at faster than arrays."""
STANDARD_GRAVITY = 9.80665
"""Standard acceleration of free fall, m/s^2 (3rd CGPM, 1901)."""


@dataclass(frozen=True, slots=True, eq=False)
class ImuBlock:
    """Consecutive samples of one sensor.

    How a stream is cut into blocks carries no meaning: one block of thousands and thousands of
    blocks of one give the same results everywhere.

    Parameters
    ----------
    sensor
        Id of the sensor, unique within a capture.
    t : (N,)
        Time of each sample on the capture clock, s, finite and strictly increasing.
    gyr : (N, 3)
        Angular rate in the sensor frame, rad/s. NaN where unknown or saturated.
    acc : (N, 3)
        Specific force in the sensor frame, m/s^2: +9.81 upwards at rest. NaN where unknown.
    mag : (N, 3) or None
        Magnetic field in the sensor frame, uT; None if the sensor has no magnetometer.

    Raises
    ------
    InputError
        If a shape is wrong, or time does not strictly increase.
    """

    sensor: str
    t: FloatArray
    gyr: FloatArray
    acc: FloatArray
    mag: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be right."""
        n = self.t.shape[0] if self.t.ndim == 1 else -1
        if n < 0:
            raise InputError(f"sensor {self.sensor}: time must have shape (N,), got {self.t.shape}")
        for name, signal in (("gyr", self.gyr), ("acc", self.acc), ("mag", self.mag)):
            if signal is not None and signal.shape != (n, 3):
                raise InputError(f"sensor {self.sensor}: {name} must have shape ({n}, 3), got {signal.shape}")
        if n <= FEW and _rising(self.t.tolist()):
            return
        if not np.isfinite(self.t).all():
            raise InputError(f"sensor {self.sensor}: every sample needs a finite time; remove those without")
        if n > 1 and not (np.diff(self.t) > 0).all():
            at = int(np.argmin(np.diff(self.t) > 0)) + 1
            raise InputError(
                f"sensor {self.sensor}: time must increase from sample to sample, but sample {at} is at "
                f"{self.t[at]:.6f} s after {self.t[at - 1]:.6f} s; sort the file or remove repeated samples"
            )

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.t.shape[0]

    def __getitem__(self, span: slice) -> Self:
        """Return the samples of a slice, in time order."""
        mag = None if self.mag is None else self.mag[span]
        return type(self)(self.sensor, self.t[span], self.gyr[span], self.acc[span], mag)


def _rising(times: list[float]) -> bool:
    """Tell whether times are finite and each is later than the one before."""
    last = -math.inf
    for t in times:
        if not last < t < math.inf:
            return False
        last = t
    return True


def join(blocks: Sequence[ImuBlock]) -> ImuBlock:
    """Return consecutive blocks of one sensor as one.

    Raises
    ------
    InputError
        If there is no block, they are of several sensors, or time does not increase across them.
    """
    sensors = sorted({block.sensor for block in blocks})
    if len(sensors) != 1:
        raise InputError(f"blocks of exactly one sensor can be joined, got {sensors}")
    if len(blocks) == 1:
        return blocks[0]
    mags = [block.mag for block in blocks if block.mag is not None]
    return ImuBlock(
        sensors[0],
        np.concatenate([block.t for block in blocks]),
        np.concatenate([block.gyr for block in blocks]),
        np.concatenate([block.acc for block in blocks]),
        np.concatenate(mags) if len(mags) == len(blocks) else None,
    )
