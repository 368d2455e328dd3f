"""How a strap sits: sensor-to-segment alignment and what a joint is known to obey, as values.

A `SegmentAlignment` turns sensor coordinates into the ISB frame of its segment (X anterior, Y up or
proximal, Z right). A `JointCalibration` joins two of them with the joint's own laws (its axes, the
carrying angle between them, its neutral pose), from which the relative heading is later observed.
Both are JSON documents with a format version; `calibration.alignment` computes them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from calibration.document import FORMAT_VERSION, expect, read, written
from calibration.gyroscope import Bias
from calibration.magnetic import OFFSET_SHARE, Offset
from imu import quaternion
from imu.block import FloatArray
from imu.errors import CalibrationError
from imu.fusion import TURN_ON_BIAS

FREEDOMS = (0, 1, 2, 3)
"""Axes of a joint: 0 is inclination of one segment against gravity (no distal sensor)."""


def _unknown(*shape: int) -> FloatArray:
    return np.full(shape, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentAlignment:
    """The pose of one segment in the frame of the sensor strapped to it.

    Parameters
    ----------
    sensor, segment
        Ids, for example ``"3RUA"`` and ``"right_upperarm"``.
    q_sensor_from_segment : (4,)
        Turns segment (ISB) coordinates into sensor coordinates.
    covariance : (3, 3)
        Of its error as a rotation vector in the segment frame, rad^2. It holds how well the pose and the
        movements agree with a person's anatomy, not only sensor noise.
    residual
        Root mean square disagreement of the directions it was fitted to, rad; 0 where exactly determined.
    magnetometer
        What the sensor's magnetometer reads without a field, as the calibration's movements showed it.
    gyroscope
        What its gyroscope read while it did not turn, as rest and pose showed it.
    """

    sensor: str
    segment: str
    q_sensor_from_segment: FloatArray
    covariance: FloatArray
    residual: float = 0.0
    magnetometer: Offset = field(default_factory=Offset.unknown)
    gyroscope: Bias = field(default_factory=Bias.unknown)

    def __post_init__(self) -> None:
        """Refuse what is not a rotation."""
        length = float(np.linalg.norm(self.q_sensor_from_segment))
        if self.q_sensor_from_segment.shape != (4,) or not math.isclose(length, 1.0, abs_tol=1e-6):
            raise CalibrationError(
                f"alignment of {self.segment}: expected a unit quaternion (w, x, y, z), got "
                f"{self.q_sensor_from_segment.tolist()}; calibrate this segment again"
            )
        if self.covariance.shape != (3, 3):
            raise CalibrationError(
                f"alignment of {self.segment}: covariance must be 3 by 3 in rad^2, got shape "
                f"{self.covariance.shape}; calibrate this segment again"
            )

    @classmethod
    def identity(cls, sensor: str, segment: str) -> Self:
        """Return the alignment of a segment whose frame is the sensor's own."""
        return cls(sensor, segment, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros((3, 3)))

    def to_document(self) -> dict[str, Any]:
        """Return a JSON document; units are in the names."""
        return {
            "sensor": self.sensor,
            "segment": self.segment,
            "q_sensor_from_segment": self.q_sensor_from_segment.tolist(),
            "covariance_rad2": self.covariance.tolist(),
            "residual_rad": self.residual,
            "magnetometer_offset": self.magnetometer.value.tolist(),
            "magnetometer_sigma_share": self.magnetometer.sigma,
            "gyroscope_bias_rad_s": self.gyroscope.value.tolist(),
            "gyroscope_sigma_rad_s": self.gyroscope.sigma,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the alignment of a document; raise `CalibrationError` if a field is missing or wrong."""
        try:
            return cls(
                str(document["sensor"]),
                str(document["segment"]),
                np.array(document["q_sensor_from_segment"], dtype=np.float64),
                np.array(document["covariance_rad2"], dtype=np.float64),
                float(document["residual_rad"]),
                Offset(
                    np.array(document.get("magnetometer_offset", [0.0, 0.0, 0.0]), dtype=np.float64),
                    float(document.get("magnetometer_sigma_share", OFFSET_SHARE)),
                ),
                Bias(
                    np.array(document.get("gyroscope_bias_rad_s", [0.0, 0.0, 0.0]), dtype=np.float64),
                    float(document.get("gyroscope_sigma_rad_s", TURN_ON_BIAS)),
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"alignment document: {error} is missing or wrong; calibrate again"
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class JointCalibration:
    """Two aligned segments and the laws of the joint between them.

    Directions are unit vectors in *segment* frames; NaN where not known.

    Parameters
    ----------
    joint
        Name, for example ``"right_elbow"``.
    freedom
        Axes of the joint, 1 to 3; 0 for the inclination of one segment, whose alignment is then in `distal`
        and for which `proximal` repeats it.
    proximal, distal
        Alignments of the two segments.
    axis_proximal : (3,)
        Hinge: the axis in the proximal segment. Two axes: the first, which stays with the proximal segment.
    axis_distal : (3,)
        Hinge: the same axis in the distal segment. Two axes: the second, which stays with the distal one.
    axis_sigma
        One sigma of the direction of those axes, rad.
    azimuth_sigma
        One sigma of the proximal axis about the length of its segment, rad: what a proximal segment that was
        still during the calibration leaves open.
    carrying
        Two axes: the constant angle between them, rad; NaN otherwise.
    carrying_sigma
        Its one sigma, rad.
    q_neutral : (4,)
        `q_proximal_from_distal` of the segments in the calibrated neutral pose.
    up_proximal, up_distal : (3,)
        Upward vertical in each segment frame in that pose.
    zero_sigma
        One sigma of what the calibrated pose calls zero, rad: the joint's true bend in it, and what both
        accelerometers took for the vertical.
    neutral_sigma
        One sigma of the heading between the segments whenever the pose is taken again, rad.
    limits : (3, 2)
        Range of the joint angles, intrinsic Z-X-Y (flexion, abduction, rotation), rad.
    centre_fixed
        Whether the joint's centre stays in place in both segments. A shoulder's travels centimetres with the
        scapula, so that the force felt there says nothing about heading.
    residual
        Root mean square misfit of the axes to the calibration movements, rad.
    made_at
        ISO time; empty if not known.
    """

    joint: str
    freedom: int
    proximal: SegmentAlignment
    distal: SegmentAlignment
    axis_proximal: FloatArray = field(default_factory=lambda: _unknown(3))
    axis_distal: FloatArray = field(default_factory=lambda: _unknown(3))
    axis_sigma: float = math.nan
    azimuth_sigma: float = math.nan
    carrying: float = math.nan
    carrying_sigma: float = math.nan
    q_neutral: FloatArray = field(default_factory=lambda: _unknown(4))
    up_proximal: FloatArray = field(default_factory=lambda: _unknown(3))
    up_distal: FloatArray = field(default_factory=lambda: _unknown(3))
    zero_sigma: float = math.nan
    neutral_sigma: float = math.nan
    limits: FloatArray = field(default_factory=lambda: _unknown(3, 2))
    centre_fixed: bool = True
    residual: float = 0.0
    made_at: str = ""

    def __post_init__(self) -> None:
        """Refuse an impossible number of axes."""
        if self.freedom not in FREEDOMS:
            raise CalibrationError(
                f"joint {self.joint}: expected 1, 2 or 3 axes (0 for inclination), got {self.freedom}"
            )

    @classmethod
    def uncalibrated(
        cls, joint: str, freedom: int, proximal: tuple[str, str], distal: tuple[str, str]
    ) -> Self:
        """Return what is known before any calibration: segment frames are the sensors' own, no axes.

        Parameters
        ----------
        proximal, distal
            (sensor id, segment name).
        """
        return cls(joint, freedom, SegmentAlignment.identity(*proximal), SegmentAlignment.identity(*distal))

    def q_proximal_from_distal(
        self, q_earth_from_proximal_sensor: FloatArray, q_earth_from_distal_sensor: FloatArray
    ) -> FloatArray:
        """Return the distal segment in the proximal one (..., 4), both sensors in one earth frame."""
        upper = quaternion.multiply(q_earth_from_proximal_sensor, self.proximal.q_sensor_from_segment)
        lower = quaternion.multiply(q_earth_from_distal_sensor, self.distal.q_sensor_from_segment)
        return quaternion.multiply(quaternion.conjugate(upper), lower)

    def up_in(self, sensor: str) -> FloatArray:
        """Return where a sensor saw the upward vertical in the neutral pose, (3,); NaN where not known."""
        for end, up in ((self.proximal, self.up_proximal), (self.distal, self.up_distal)):
            if end.sensor == sensor:
                return quaternion.rotate(end.q_sensor_from_segment, up)
        return _unknown(3)

    def joint_covariances(self) -> tuple[FloatArray, FloatArray]:
        """Return the alignments' covariances (3, 3), proximal and distal, as far as a joint angle feels them.

        The pose makes both long axes parallel, so that a person who leans takes both segments along and the
        joint's zero is off by its own bend in the pose alone: `zero_sigma` on the distal side instead of two
        leans. The turn about the long axes is left as it is.
        """
        if math.isnan(self.zero_sigma):
            return self.proximal.covariance, self.distal.covariance
        along = np.diag([0.0, 1.0, 0.0])
        bend = self.zero_sigma**2 * np.diag([1.0, 0.0, 1.0])
        return along * self.proximal.covariance, along * self.distal.covariance + bend

    def alignment_errors(self) -> FloatArray:
        """Return one sigma of each independent error of the alignments: turns (K, 2, 3) of both, rad.

        Each row turns the proximal and the distal segment in its own frame. A person who leans in the pose
        takes both along. A hinge has one axis in both, so that what is open about their lengths turns both
        alike, as far as the surer one leaves it open; without a common axis each has its own. How bent the
        joint was in the pose is on the distal side.
        """
        both = self.proximal.covariance, self.distal.covariance
        nothing = np.zeros((3, 3))
        if math.isnan(self.zero_sigma):
            first, second = (one_sigma(each) for each in both)
            return np.concatenate([np.stack([first, nothing], 1), np.stack([nothing, second], 1)])
        leans, lengths = np.sqrt(np.diag(both[0])), [math.sqrt(each[1, 1]) for each in both]
        hinge = self.freedom == 1 and math.isfinite(self.axis_sigma)
        leans[1] = min(lengths) if hinge else 0.0
        alike = np.diag(leans)
        back = np.array([1.0, 0.0, 0.0, 0.0]) if np.isnan(self.q_neutral).any() else self.q_neutral
        turned = quaternion.rotate(quaternion.conjugate(back), alike)
        own = np.diag([0.0, self.axis_sigma if hinge else lengths[0], 0.0])
        bent = np.diag([self.zero_sigma, 0.0 if hinge else lengths[1], self.zero_sigma])
        rows = (alike, turned), (own, nothing), (nothing, bent)
        return np.concatenate([np.stack(each, axis=1) for each in rows])

    def to_document(self) -> dict[str, Any]:
        """Return a JSON document; what is not known is null; units are in the names."""
        document: dict[str, Any] = {"kind": "joint", "version": FORMAT_VERSION, "joint": self.joint}
        document |= {"freedom": self.freedom, "centre_fixed": self.centre_fixed, "made_at": self.made_at}
        document |= {"proximal": self.proximal.to_document(), "distal": self.distal.to_document()}
        return document | written(self, _FIELDS)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the calibration of a document.

        Raises
        ------
        CalibrationError
            If it is of another kind or version, or a field is missing or wrong.
        """
        expect(document, "joint")
        try:
            return cls(
                str(document["joint"]),
                int(document["freedom"]),
                SegmentAlignment.from_document(document["proximal"]),
                SegmentAlignment.from_document(document["distal"]),
                centre_fixed=bool(document["centre_fixed"]),
                made_at=str(document["made_at"]),
                **read(document, _FIELDS),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(f"joint document: {error} is missing or wrong; calibrate again") from error


def one_sigma(covariance: FloatArray) -> FloatArray:
    """Return one sigma of each of the independent turns, rows (3, 3), that make up a covariance (3, 3)."""
    variances, axes = np.linalg.eigh(covariance)
    return np.sqrt(np.maximum(variances, 0.0))[:, None] * axes.T


_FIELDS = (
    ("axis_proximal", "axis_proximal"),
    ("axis_distal", "axis_distal"),
    ("axis_sigma", "axis_sigma_rad"),
    ("azimuth_sigma", "azimuth_sigma_rad"),
    ("carrying", "carrying_rad"),
    ("carrying_sigma", "carrying_sigma_rad"),
    ("q_neutral", "q_proximal_from_distal_neutral"),
    ("up_proximal", "up_in_proximal_neutral"),
    ("up_distal", "up_in_distal_neutral"),
    ("zero_sigma", "zero_sigma_rad"),
    ("neutral_sigma", "neutral_sigma_rad"),
    ("limits", "limits_rad"),
    ("residual", "residual_rad"),
)
