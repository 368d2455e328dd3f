"""What is asked for, acted out by the figure while no angle is known: a picture needs no words. No Qt."""

import math
from dataclasses import replace

from rom.catalogue.movement import Movement, Side
from tools.app.body import pose_lifted, pose_of, pose_turned
from tools.app.connecting import lift_words
from tools.app.scene import Pose
from tools.cli.capture_steps import FUNCTIONAL_SECONDS, TIMES, calibration_steps

PERIOD_S = FUNCTIONAL_SECONDS / TIMES
CAPTION = "Like this"
HOLD_CAPTION = "Keep still"
REACH_DEG = {"flexion": 90.0, "adduction": 35.0, "rotation": 50.0}
"""How far the figure goes; a person goes all the way."""
LIFT_DEG = 60.0
COMPONENTS = {"flexion": 0, "adduction": 1, "rotation": 2}
SHORTENED, LENGTHENED = 0.1, 0.9
"""Where the acted test begins and ends, as shares of the plausible range."""


def acted(movement: Movement, side: Side, words: str, seconds: float) -> Pose | None:
    """Return the figure that does what is asked for.

    Parameters
    ----------
    movement, side
        What is captured.
    words
        What the person is told now; a step that is only announced is acted too.
    seconds
        Since these words came.

    Returns
    -------
    Pose or None
        None where nothing is to be acted: nothing was asked, or the test itself is under way.
    """
    way = 0.5 - 0.5 * math.cos(2.0 * math.pi * seconds / PERIOD_S)
    lift = lift_words(movement, side)
    if lift and lift in words:
        return replace(pose_lifted(movement, side, way * math.radians(LIFT_DEG)), caption=CAPTION)
    for step in calibration_steps(movement, side):
        if step.words in words:
            axis = str(step.data["axis"])
            if not axis:
                return replace(pose_of(movement, side, math.nan), label="", caption=HOLD_CAPTION)
            reach = math.radians(REACH_DEG[axis])
            return replace(pose_turned(movement, side, COMPONENTS[axis], way * reach), caption=CAPTION)
    title = movement.title(side)
    if title not in words or words == title:
        return None
    low, high = movement.plausible_min, movement.plausible_max
    first, last = (SHORTENED, LENGTHENED) if movement.gain_sign > 0 else (LENGTHENED, SHORTENED)
    angle = low + (first + (last - first) * way) * (high - low)
    return replace(pose_of(movement, side, angle), label="", caption=CAPTION)
