"""The offset of a gyroscope from a pose that is held: who sways goes nowhere.

A rest on a table tells it ten times better; where the sensors were never laid down, the pose of the
calibration is what there is, and half a degree a second of offset is ten degrees of heading in a trial.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.fusion import TURN_ON_BIAS

SWAY = math.radians(0.5)
"""One sigma of a segment's direction while its pose is held, rad: 5 mm of sway at 0.9 m is 0.3 deg of the
body, a hanging limb sways a little more (assumed, to verify)."""


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """What a gyroscope reads while it does not turn.

    Parameters
    ----------
    value : (3,)
        Sensor frame, rad/s; 0 where nothing is known.
    sigma
        One sigma of each component, rad/s.
    """

    value: FloatArray
    sigma: float

    @classmethod
    def unknown(cls) -> "Bias":
        """Return what is known of a sensor that was just switched on."""
        return cls(np.zeros(3), TURN_ON_BIAS)

    @property
    def known(self) -> bool:
        """Whether more is known than of any sensor."""
        return self.sigma < TURN_ON_BIAS


def held(block: ImuBlock, before: Bias) -> Bias:
    """Return the bias of a sensor from its pose, in the light of what was known before.

    The mean rate is off by how far the segment swayed from the first moment to the last, over the duration.
    Gravity shows about how far that is.

    Parameters
    ----------
    block
        Samples of a pose, as `calibration.pose.up_in` accepts them.
    before
        What was known, about these very samples.
    """
    known = np.isfinite(block.acc).all(axis=1) & np.isfinite(block.gyr).all(axis=1)
    gyr, acc, seconds = block.gyr[known], block.acc[known], float(block.t[-1] - block.t[0])
    first, last = (half.mean(axis=0) for half in np.array_split(acc, 2))
    leant = math.atan2(float(np.linalg.norm(np.cross(first, last))), float((first * last).sum()))
    sigma = math.sqrt(2.0) * math.hypot(SWAY, leant) / seconds
    share = before.sigma**2 / (before.sigma**2 + sigma**2)
    value = before.value + share * (gyr.mean(axis=0) - before.value)
    return Bias(value, before.sigma * math.sqrt(1.0 - share))


def steadied(blocks: Mapping[str, ImuBlock], biases: Mapping[str, Bias]) -> dict[str, ImuBlock]:
    """Return blocks without the offsets of their gyroscopes, by sensor id; those of others as they are."""
    return {
        sensor: block
        if sensor not in biases
        else ImuBlock(block.sensor, block.t, block.gyr - biases[sensor].value, block.acc, block.mag)
        for sensor, block in blocks.items()
    }
