"""The static neutral pose: which way is up in each sensor, and what cannot be a pose."""

import math

import numpy as np

from calibration.lever import Heights
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.errors import CalibrationError
from imu.sync import Frames

LEAST_SECONDS = 1.0
"""A shorter pose says nothing about whether the person stood still."""

LARGEST_RATE = math.radians(12.0)
"""Root mean square rate above which the pose was not held, rad/s: a standing person sways below 5 deg/s."""

LARGEST_FORCE_ERROR = 0.6
"""Mean specific force may differ from gravity by so much, m/s^2: 60 mg, three data-sheet offsets (BMI270)."""

SWAPPED = 2.0
"""The distal sensor turns less than the proximal one by this factor: they are likely swapped."""

HANGING = ("thigh", "shank", "upperarm", "forearm", "hand")
"""Segments that hang from their upper joint in the neutral pose, standing or sitting upright."""

LEAST_HEIGHT = 0.03
"""Heights of a sensor above or below a joint that skin and soft mounts may feign, m."""

SURE = 4.0
"""How many sigma a height must be from none before a pose is refused for it."""


def up_in(block: ImuBlock) -> FloatArray:
    """Return the upward vertical (3,) in the sensor frame during a static pose.

    Raises
    ------
    CalibrationError
        If the pose is too short or was not held, or the force is not gravity's.
    """
    known = np.isfinite(block.acc).all(axis=1) & np.isfinite(block.gyr).all(axis=1)
    seconds = float(block.t[-1] - block.t[0]) if len(block) > 1 else 0.0
    if seconds < LEAST_SECONDS or np.count_nonzero(known) < 10:
        raise CalibrationError(
            f"sensor {block.sensor}: the pose lasts {seconds:.1f} s, expected at least {LEAST_SECONDS:g}; "
            "hold it for three seconds"
        )
    gyr, acc = block.gyr[known], block.acc[known]
    rate = math.sqrt(float(((gyr - np.median(gyr, axis=0)) ** 2).sum(axis=1).mean()))
    if rate > LARGEST_RATE:
        raise CalibrationError(
            f"sensor {block.sensor} moved during the pose ({math.degrees(rate):.0f} deg/s, expected below "
            f"{math.degrees(LARGEST_RATE):.0f}); stand still and hold the pose for three seconds"
        )
    mean = acc.mean(axis=0)
    size = float(np.linalg.norm(mean))
    if abs(size - STANDARD_GRAVITY) > LARGEST_FORCE_ERROR:
        raise CalibrationError(
            f"sensor {block.sensor}: the force in the pose is {size:.2f} m/s^2, expected "
            f"{STANDARD_GRAVITY:.2f} "
            f"within {LARGEST_FORCE_ERROR:g}; hold still, or calibrate the accelerometer"
        )
    return mean / size


def refuse_swapped(label: str, frames: Frames, proximal: tuple[str, str], distal: tuple[str, str]) -> None:
    """Raise `CalibrationError` if the proximal sensor does the distal one's movement, or none moves.

    Parameters
    ----------
    label
        What was asked to move.
    proximal, distal
        (sensor id, segment name).
    """
    rate = np.sqrt((frames.gyr**2).sum(axis=-1))
    good = np.isfinite(rate).all(axis=1)
    if not good.any():
        raise CalibrationError(f"{label}: the two sensors have no time in common; record both together")
    upper, lower = (math.sqrt(float((rate[good, k] ** 2).mean())) for k in (0, 1))
    if max(upper, lower) < math.radians(5.0):
        raise CalibrationError(
            f"{label}: neither {proximal[0]} on {proximal[1]} nor {distal[0]} on {distal[1]} moved; "
            f"check that they "
            "sit on the limb that moves (left and right), then move there and back three times"
        )
    if upper > SWAPPED * lower:
        raise CalibrationError(
            f"{label}: {proximal[0]} on {proximal[1]} moved {upper / max(lower, 1e-9):.0f} times as much as "
            f"{distal[0]} on {distal[1]}; the two are swapped, or the sensor sits on the other "
            f"side: exchange them"
        )


def refuse_upside_down(
    label: str, heights: Heights, proximal: tuple[str, str], distal: tuple[str, str]
) -> None:
    """Raise `CalibrationError` if the movement shows the joint below the distal sensor of the pose.

    However a sensor sits in its strap, the pose says which way is up in it, and the movement where the joint
    is. On a segment that hangs from the joint the two must be on one side. They are not if the limb was
    raised or lying in the pose, if the sensor was turned over between pose and movement, or if the sensors
    are exchanged while both segments move, which their rates do not tell. Where both segments hang, the
    height of one sensor above the other says the same, and more surely. Nothing is refused where the movement
    tells too little or the distal segment does not hang (foot, head, trunk).

    Parameters
    ----------
    label
        What was asked to move.
    heights
        Of both sensors above the joint in the pose.
    proximal, distal
        (sensor id, segment name).
    """
    if not distal[1].endswith(HANGING):
        return
    apart, sigma = heights.apart
    limit = max(LEAST_HEIGHT, SURE * sigma)
    above = heights.distal > max(LEAST_HEIGHT, SURE * heights.distal_sigma) and apart < limit
    reversed_order = proximal[1].endswith(HANGING) and apart < -limit
    if above or reversed_order:
        raise CalibrationError(
            f"{label}: expected {distal[0]} on {distal[1]} to hang below the joint in the pose, but the "
            "movement shows it above; the limb was upside down or lying, the sensor was turned over after "
            f"the pose, or it is exchanged with {proximal[0]}: check the straps, let the limb hang in the "
            "pose and repeat both"
        )
