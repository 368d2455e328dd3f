"""What is known about the errors of one sensor, as a value, and how it is taken off its samples.

Corrected signals are `true = matrix @ (measured - bias)`. Whatever is not known is NaN and corrects
nothing. `calibration.sensor_fit` computes calibrations from samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite, nan
from typing import Any, Self

import numpy as np

from calibration.document import FORMAT_VERSION, expect, read, written
from imu.block import FloatArray, ImuBlock
from imu.errors import CalibrationError
from imu.fusion import RestNoise
from imu.triad import through


def _unknown(*shape: int) -> FloatArray:
    return np.full(shape, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class SensorCalibration:
    """The errors of one sensor. NaN: not known.

    Parameters
    ----------
    sensor
        Its id.
    made_at
        ISO time; empty if not known.
    gyr_bias, gyr_bias_sigma : (3,)
        Gyroscope offset at rest and its standard error, rad/s.
    gyr_noise, acc_noise
        One sigma per axis of a sample at rest, rad/s and m/s^2.
    acc_matrix, acc_bias, acc_covariance : (3, 3), (3,), (9, 9)
        Accelerometer, bias in m/s^2; covariance of bias and log matrix as in `calibration.ellipsoid`.
    residual
        Root mean square of what the accelerometer's fit leaves of the length of gravity, m/s^2.
    mag_matrix, mag_bias, mag_covariance : (3, 3), (3,), (9, 9)
        Magnetometer: soft and hard iron, bias in uT. The matrix keeps volumes (determinant 1).
    mag_field, mag_residual
        Length of the corrected field and root mean square of what the fit leaves of it, uT.
    """

    sensor: str
    made_at: str = ""
    gyr_bias: FloatArray = field(default_factory=lambda: _unknown(3))
    gyr_bias_sigma: FloatArray = field(default_factory=lambda: _unknown(3))
    gyr_noise: float = nan
    acc_noise: float = nan
    acc_matrix: FloatArray = field(default_factory=lambda: _unknown(3, 3))
    acc_bias: FloatArray = field(default_factory=lambda: _unknown(3))
    acc_covariance: FloatArray = field(default_factory=lambda: _unknown(9, 9))
    residual: float = nan
    mag_matrix: FloatArray = field(default_factory=lambda: _unknown(3, 3))
    mag_bias: FloatArray = field(default_factory=lambda: _unknown(3))
    mag_covariance: FloatArray = field(default_factory=lambda: _unknown(9, 9))
    mag_field: float = nan
    mag_residual: float = nan

    def __post_init__(self) -> None:
        """Refuse arrays of another shape."""
        for name, key in _KEYS.items():
            value, shape = np.asarray(getattr(self, name)), _SHAPES[name]
            if value.shape != shape:
                raise CalibrationError(
                    f"sensor {self.sensor}: {key} must have shape {shape}, got {value.shape}; calibrate again"
                )

    @property
    def rest_noise(self) -> RestNoise | None:
        """Return the noise for the orientation filter; None if it is not known or was too small to see."""
        if self.gyr_noise > 0.0 and self.acc_noise > 0.0:
            return RestNoise(self.gyr_noise, self.acc_noise)
        return None

    @property
    def corrects(self) -> bool:
        """Whether it changes a sample, or only knows the noise."""
        fitted = isfinite(self.residual) or isfinite(self.mag_residual)
        return fitted or bool(np.isfinite(self.gyr_bias).all())

    def to_document(self) -> dict[str, Any]:
        """Return a JSON document; what is not known is null; units are in the names."""
        document: dict[str, Any] = {
            "kind": "sensor",
            "version": FORMAT_VERSION,
            "sensor": self.sensor,
            "made_at": self.made_at,
        }
        return document | written(self, tuple(_KEYS.items()))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the calibration of a document.

        Raises
        ------
        CalibrationError
            If it is of another kind or version, or a field is missing or wrong.
        """
        expect(document, "sensor")
        try:
            known = read(document, tuple(_KEYS.items()))
            return cls(str(document["sensor"]), str(document["made_at"]), **known)
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"sensor calibration: {error} is missing or wrong; calibrate the sensor again"
            ) from error


_KEYS = {
    "gyr_bias": "gyr_bias_rad_s",
    "gyr_bias_sigma": "gyr_bias_sigma_rad_s",
    "gyr_noise": "gyr_noise_rad_s",
    "acc_noise": "acc_noise_m_s2",
    "acc_matrix": "acc_matrix",
    "acc_bias": "acc_bias_m_s2",
    "acc_covariance": "acc_covariance",
    "residual": "acc_residual_m_s2",
    "mag_matrix": "mag_matrix",
    "mag_bias": "mag_bias_uT",
    "mag_covariance": "mag_covariance",
    "mag_field": "mag_field_uT",
    "mag_residual": "mag_residual_uT",
}
_SHAPES: dict[str, tuple[int, ...]] = {
    "gyr_bias": (3,),
    "gyr_bias_sigma": (3,),
    "gyr_noise": (),
    "acc_noise": (),
    "acc_matrix": (3, 3),
    "acc_bias": (3,),
    "acc_covariance": (9, 9),
    "residual": (),
    "mag_matrix": (3, 3),
    "mag_bias": (3,),
    "mag_covariance": (9, 9),
    "mag_field": (),
    "mag_residual": (),
}


def combine(*calibrations: SensorCalibration) -> SensorCalibration:
    """Return everything that several calibrations of one sensor know; the later one counts.

    Raises
    ------
    CalibrationError
        If there is none, or they are of several sensors.
    """
    sensors = sorted({calibration.sensor for calibration in calibrations})
    if len(sensors) != 1:
        raise CalibrationError(f"calibrations of exactly one sensor can be combined, got {sensors}")
    known: dict[str, Any] = {}
    for calibration in calibrations:
        for name in (spec.name for spec in fields(SensorCalibration)):
            value = getattr(calibration, name)
            if name in _KEYS:
                if np.isfinite(value).all():
                    known[name] = value
            elif value:
                known[name] = value
    return SensorCalibration(**known)


def apply(calibration: SensorCalibration, block: ImuBlock) -> ImuBlock:
    """Return a block of the same sensor with everything that is known corrected.

    Raises
    ------
    CalibrationError
        If the block is of another sensor.
    """
    if block.sensor != calibration.sensor:
        raise CalibrationError(
            f"the calibration is of sensor {calibration.sensor}, the samples are of {block.sensor}; "
            "load the calibration of this sensor or calibrate it"
        )
    known = calibration
    gyr = block.gyr - known.gyr_bias if np.isfinite(known.gyr_bias).all() else block.gyr
    acc, mag = block.acc, block.mag
    if isfinite(known.residual):
        acc = through(known.acc_matrix, acc - known.acc_bias)
    if mag is not None and isfinite(known.mag_residual):
        mag = through(known.mag_matrix, mag - known.mag_bias)
    return ImuBlock(block.sensor, block.t, gyr, acc, mag)
