"""Clinic worlds: slow passes on imagined limbs, where the truth is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imu.virtual import CONSUMER, MID, RESEARCH, SensorGrade
from rom.limb_script import Functional, Neutral, Passes, TableRest, TakePosition
from rom.limb_world import LimbSpec

INCLINATIONS = {"horizontal": 90.0, "oblique": 45.0, "near-vertical": 15.0, "vertical": 0.0}
"""Angle of the joint's axis from the vertical, deg."""

GRADES: dict[str, SensorGrade] = {grade.name: grade for grade in (CONSUMER, MID, RESEARCH)}
MINUTES = (5.0, 30.0)

SECONDS_A_PASS = 12.2
"""Mean duration of a pass with its hold, way back and rest in `rom.limb_script.Passes`, s."""


@dataclass(frozen=True, slots=True)
class World:
    """One kind of imagined treatment."""

    minutes: float
    axis: str
    grade: SensorGrade
    still: bool

    @property
    def proximal(self) -> str:
        """Return how the proximal segment is: moving or still."""
        return "still" if self.still else "moving"

    @property
    def name(self) -> str:
        """Return the world in words."""
        return f"{self.minutes:g} min, {self.grade.name}, {self.proximal} proximal, axis {self.axis}"

    @property
    def spec(self) -> LimbSpec:
        """Return the limb: table, pose, half squats, the position of the test, passes to the end."""
        spec = LimbSpec(
            (
                TableRest(),
                Neutral(),
                Functional(proximal_share=0.0 if self.still else 0.5),
                TakePosition(),
                Passes(
                    round(self.minutes * 60.0 / SECONDS_A_PASS),
                    start=math.radians(100.0),
                    end=math.radians(5.0),
                ),
            ),
            inclination=math.radians(INCLINATIONS[self.axis]),
            grade=self.grade,
            disturbance=math.radians(12.0),
        )
        return replace(spec, sway=None) if self.still else spec


def clinic_worlds(
    minutes: Sequence[float] = MINUTES,
    grades: Sequence[str] = tuple(GRADES),
    axes: Sequence[str] = tuple(INCLINATIONS),
    proximals: Sequence[str] = ("moving", "still"),
) -> list[World]:
    """Return the worlds of every length, sensor grade, proximal segment and axis that are named."""
    return [
        World(length, axis, GRADES[grade], proximal == "still")
        for length in minutes
        for grade in grades
        for proximal in proximals
        for axis in axes
    ]
