"""What is asked of a person for a calibration: which joint with which sensors, and which movements."""

from collections.abc import Mapping
from dataclasses import dataclass

from imu.block import ImuBlock


@dataclass(frozen=True, slots=True)
class JointPlan:
    """Which joint is calibrated, with which sensors.

    Parameters
    ----------
    joint
        Name, for example ``"right_elbow"``.
    freedom
        Axes of the joint, 1 to 3.
    side
        ``"left"``, ``"right"`` or ``"midline"``.
    proximal, distal
        (sensor id, segment name).
    flexion_sign
        Right-hand sign of flexion about Z: -1 for knee, neck and trunk, else +1.
    """

    joint: str
    freedom: int
    side: str
    proximal: tuple[str, str]
    distal: tuple[str, str]
    flexion_sign: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """A functional movement: from the neutral position into the named direction and back, three times.

    Parameters
    ----------
    joint
        Name of the joint that moved.
    axis
        ``"flexion"``, ``"adduction"``, ``"abduction"`` or ``"rotation"`` (inwards, pronation).
    blocks
        Samples of at least the joint's two sensors, by sensor id.
    one_way
        Whether the joint can only go the named way from neutral (an elbow flexes, a wrist goes both ways), so
        that the first way tells the sign.
    """

    joint: str
    axis: str
    blocks: Mapping[str, ImuBlock]
    one_way: bool = True
