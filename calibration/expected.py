"""What a sensor's samples may still err by: its family's data sheet, and what a calibration of it took off.

Noise at rest is measured and used elsewhere (`imu.fusion.RestNoise`); it tells nothing of offsets and
sensitivity, which no rest shows. Those are known only from a data sheet, or from turning the sensor through
known positions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from calibration.heading_params import HeadingParams
from calibration.relative_state import RelativeParams
from calibration.sensor import SensorCalibration
from imu.block import STANDARD_GRAVITY
from imu.sensor_grade import CONSUMER, MID, RESEARCH, SensorGrade

_MILLI_G = STANDARD_GRAVITY / 1000.0

WARMING = 2.5 * _MILLI_G
"""What a calibrated accelerometer's offset wanders by, one sigma, m/s^2: 10 K at 0.25 mg/K (BMI270 data
sheet, to verify)."""

FAMILIES: Mapping[str, SensorGrade] = {
    # Sensing element of the MTi-1, calibrated by its maker; the data sheet was not read, so no better than
    # the middle grade (to verify).
    "movella-dot": MID,
    **{f"virtual-{grade.name}": grade for grade in (CONSUMER, MID, RESEARCH)},
}
"""Grade of each family (`SensorInfo.kind`) of which more is known than that it is a consumer's."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One sigma of what is left of a sensor's systematic errors.

    Parameters
    ----------
    acc_offset
        Accelerometer offset, m/s^2.
    acc_shape
        Its sensitivity and the cross-talk of its axes, share.
    gyr_scale
        What a gyroscope reads wrong about an axis of which nobody knows how it lies in the sensor, share: of
        the squares of a direction's components, the sum of squares is 3/5 on average.
    """

    acc_offset: float
    acc_shape: float
    gyr_scale: float

    @classmethod
    def of(cls, kind: str, calibration: SensorCalibration | None = None) -> Self:
        """Return what is expected of a family's sensor; one of an unknown family is a consumer's.

        Parameters
        ----------
        kind
            As `SensorInfo.kind` has it.
        calibration
            What is taken off its samples.
        """
        grade = FAMILIES.get(kind, CONSUMER)
        sheet = cls(
            grade.acc_bias,
            max(grade.acc_scale, grade.misalignment),
            math.sqrt(0.6 * grade.gyr_scale**2 + 0.4 * grade.misalignment**2),
        )
        if calibration is None or not math.isfinite(calibration.residual):
            return sheet
        variances = np.maximum(np.diag(calibration.acc_covariance), 0.0)
        known = np.where(np.isfinite(variances), variances, math.inf)
        offset = math.hypot(math.sqrt(float(known[:3].max())), WARMING)
        shape = math.sqrt(float(known[3:].max()))
        return replace(sheet, acc_offset=min(offset, sheet.acc_offset), acc_shape=min(shape, sheet.acc_shape))

    @property
    def tilt(self) -> float:
        """What the offset does to the inclination of a sensor at rest, rad."""
        return self.acc_offset / STANDARD_GRAVITY

    def worst(self, other: Self) -> Self:
        """Return the larger error of each kind."""
        return type(self)(
            max(self.acc_offset, other.acc_offset),
            max(self.acc_shape, other.acc_shape),
            max(self.gyr_scale, other.gyr_scale),
        )


USUAL = Expected.of("")
"""Of a consumer's sensor, as everything is that nothing better is known of."""


def heading_params(expected: Expected) -> HeadingParams:
    """Return the heading's constants for two sensors that err so much, as the consumer's are for theirs."""
    usual = RelativeParams()
    relative = usual._replace(
        offset_sigma=usual.offset_sigma * (expected.acc_offset / USUAL.acc_offset),
        scale=usual.scale * (expected.gyr_scale / USUAL.gyr_scale),
    )
    return HeadingParams(relative=relative)
