"""What is held of the turn between two sensors' earth frames, and what a stretch of time says of it.

The arithmetic is in `calibration.relative`; here are its numbers, in the order in which it works on them.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from imu.block import FloatArray

HEADING, RATE = 2, 3
TURN, CENTRE, OFFSET, AXES = slice(0, 3), slice(4, 10), slice(10, 16), slice(16, 22)
POSTURES, SIZE = slice(22, 24), 24
"""Places in the error state; see `calibration.relative`."""

VALUES = 30
"""Length of `RelativeState.values`."""

NOTED = 2 * SIZE + 1
"""What hindsight needs of one row of a look, white: its covariance with the error state, its slope, and how
far off it was."""

_TURN, _RATE, _CENTRE, _OFFSET = slice(0, 4), 4, slice(5, 11), slice(11, 17)
_AXES, _POSTURES, _FORCE_VARIANCE, _FORCE_ECHO, _LAST_ERROR = (
    slice(17, 23),
    slice(23, 25),
    25,
    26,
    slice(27, 30),
)
_NAMES = {
    "turn": _TURN,
    "rate": _RATE,
    "centre": _CENTRE,
    "offset": _OFFSET,
    "axes": _AXES,
    "postures": _POSTURES,
    "force_variance": _FORCE_VARIANCE,
    "force_echo": _FORCE_ECHO,
    "last_error": _LAST_ERROR,
}


class RelativeParams(NamedTuple):
    """Constants of the filter, each with its reason.

    Parameters
    ----------
    drift
        Random walk of the relative turn from gyroscope noise, rad/sqrt(s): 7 mdps/sqrt(Hz) (BMI270 data
        sheet) on each of two sensors, half again for temperature and vibration.
    scale, scale_time
        What scale and misalignment of the gyroscopes leave of a turn, share of it (data sheets: 0.4 to 1 %),
        and how long a turn goes one way, s. They are not learnt here: what a joint does off its axes comes
        back with every pass and looks just like them.
    rate_sigma, rate_time
        One sigma of the relative heading rate left by the orientation filters, rad/s, and how long it stays
        alike, s (bias instability of consumer gyroscopes; algorithms.md section 4).
    force_start, force_floor
        Noise of the force relation before it is learnt, which is also the least level force that speaks of
        heading, and the least it can be, m/s^2: 30 mg for two uncalibrated accelerometers; half the 20 mg of
        the BMI270 data sheet, because what an offset leaves turns slowly with its segment and passes for
        agreement.
    force_time
        How long an error of the force relation lasts until that is learnt, s: soft tissue and the wander of
        the
        joint's centre follow the limb's own movement.
    force_echo
        Bounds of the learnt correlation of one stretch's error with the next one's: some is always left by
        the filter itself; above, a tenth of the looks counts.
    force_memory
        Seconds over which its size is learnt.
    lever_walk
        Wander of the joint centre in a sensor, m/sqrt(s): it moves by a centimetre within a pass.
    offset_sigma, offset_walk
        One sigma of an accelerometer's offset before it is learnt, m/s^2, and its wander, m/s^2/sqrt(s): 20
        mg (BMI270 data sheet); warming by 10 K over half an hour at 0.25 mg/K.
    axis_walk
        Wander of an axis in its segment, rad/sqrt(s): skin creeps by some degrees in half an hour.
    posture_walk
        Wander of a posture that is taken again and again, rad/sqrt(s): 3 deg in five minutes, 8 in half an
        hour, which leaves room for a limb laid down anew and for what stretching gains (assumed, to verify).
    quiet_rate, quiet_sigma
        Below this rate, rad/s, a segment's vertical force is gravity within this sigma, m/s^2: a standing
        person sways below 5 deg/s. A slow pass that turns faster leaves its end or comes to it, accelerating
        towards its middle by 0.1 to 0.3 m/s^2 each time, which would pass for an offset. Local gravity
        differs by 0.03.
    """

    drift: float = math.radians(0.015)
    scale: float = 0.005
    scale_time: float = 2.0
    rate_sigma: float = math.radians(0.05)
    rate_time: float = 300.0
    force_start: float = 0.3
    force_floor: float = 0.1
    force_time: float = 0.5
    force_echo: tuple[float, float] = (0.2, 0.85)
    force_memory: float = 10.0
    lever_walk: float = 0.003
    offset_sigma: float = 0.2
    offset_walk: float = 0.003
    axis_walk: float = math.radians(0.1)
    posture_walk: float = math.radians(1.5) / math.sqrt(60.0)
    quiet_rate: float = math.radians(5.0)
    quiet_sigma: float = 0.1


class RelativeState:
    """Everything the next step depends on.

    Parameters
    ----------
    values : (VALUES,)
        turn (4,) as a quaternion, heading rate, place of the joint's centre in both sensors (6,), offset
        (6,), axes (2, 3) or NaN, how far the headings of two postures are off (2,), rad,
        variance of the force relation and its correlation from one stretch to the next, (m/s^2)^2, and its
        last error (3,), m/s^2. So what the error state has at e, from the rate on, is at e + 1.
    covariance : (SIZE, SIZE)
        Of the error state.
    """

    __slots__ = ("covariance", "values")

    def __init__(self, values: FloatArray | None = None, covariance: FloatArray | None = None) -> None:
        if values is None:
            values = np.zeros(VALUES)
            values[0], values[_AXES] = 1.0, np.nan
            values[_FORCE_VARIANCE], values[_FORCE_ECHO] = 0.09, 0.06
        self.values = values
        self.covariance = np.eye(SIZE) if covariance is None else covariance

    def copy(self) -> Self:
        """Return a state that later steps do not change."""
        return type(self)(self.values.copy(), self.covariance.copy())

    @property
    def turn(self) -> FloatArray:
        """The turn, (4,): a copy, like what the other properties return."""
        return self.values[_TURN].copy()

    @turn.setter
    def turn(self, turn: FloatArray) -> None:
        self.values[_TURN] = turn

    @property
    def rate(self) -> float:
        """Rate of the heading, rad/s."""
        return float(self.values[_RATE])

    @rate.setter
    def rate(self, rate: float) -> None:
        self.values[_RATE] = rate

    @property
    def centre(self) -> FloatArray:
        """Place of each sensor from the joint centre, (6,), m."""
        return self.values[_CENTRE].copy()

    @centre.setter
    def centre(self, centre: FloatArray) -> None:
        self.values[_CENTRE] = centre

    @property
    def axes(self) -> FloatArray:
        """The joint's axis in each segment, (2, 3)."""
        return self.values[_AXES].reshape(2, 3).copy()

    @axes.setter
    def axes(self, axes: FloatArray) -> None:
        self.values[_AXES] = axes.ravel()

    @property
    def has_axes(self) -> bool:
        """Whether the joint has axes."""
        return not math.isnan(self.values[_AXES.start])

    @property
    def force_variance(self) -> float:
        """Variance of the force relation, (m/s^2)^2."""
        return float(self.values[_FORCE_VARIANCE])

    def to_document(self) -> dict[str, Any]:
        """Return plain values."""
        document: dict[str, Any] = {name: self.values[at].tolist() for name, at in _NAMES.items()}
        return document | {"axes": self.axes.tolist(), "covariance": self.covariance.tolist()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the state of plain values."""
        state = cls(covariance=np.array(document["covariance"]))
        for name, at in _NAMES.items():
            state.values[at] = np.reshape(document[name], state.values[at].shape)
        return state


class Stretch(NamedTuple):
    """What two sensors felt and did in one stretch of time; everything in their own earth frames.

    Parameters
    ----------
    force : (2, 3)
        Mean specific force, m/s^2.
    lever, carried : (2, 3, 3)
        Maps from a point in the sensor, m, and from an offset in the sensor to mean force, m/s^2.
    begin, end : (4,)
        Turn of the two earth frames: the turn after is `begin * turn * end`.
    turned : (2,)
        Angles by which the sensors turned, rad.
    seconds
        How long it lasts, s.
    """

    force: FloatArray
    lever: FloatArray
    carried: FloatArray
    begin: FloatArray
    end: FloatArray
    turned: FloatArray
    seconds: float


def first_covariance(
    params: RelativeParams, heading_sigma: float, rate_sigma: float, reach: float, axis_variances: FloatArray
) -> FloatArray:
    """Return the covariance to start with.

    Parameters
    ----------
    heading_sigma, rate_sigma, reach
        One sigma of heading, rad, of its rate, rad/s, and of the place of the joint centre, m.
    axis_variances : (6,)
        Of the two axes about the axes of their segments, rad^2.
    """
    variances = np.empty(SIZE)
    variances[TURN] = math.radians(2.0) ** 2
    variances[HEADING] = heading_sigma**2
    variances[RATE] = rate_sigma**2
    variances[CENTRE] = reach**2
    variances[OFFSET] = params.offset_sigma**2
    variances[AXES] = axis_variances
    variances[POSTURES] = math.pi**2
    return np.diag(variances)
