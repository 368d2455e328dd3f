"""Clinic worlds: slow passes on imagined limbs, where the truth is known."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imu.virtual import CONSUMER, MID, RESEARCH, SensorGrade
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, Passes, TableRest, TakePosition
from rom.limb_world import LimbSpec

INCLINATIONS = {"horizontal": 90.0, "oblique": 45.0, "near-vertical": 15.0, "vertical": 0.0}
"""Angle of the joint's axis from the vertical, deg."""

GRADES: dict[str, SensorGrade] = {grade.name: grade for grade in (CONSUMER, MID, RESEARCH)}
MINUTES = (5.0, 30.0)

SECONDS_A_PASS = 12.2
"""Mean duration of a pass with its hold, way back and rest in `rom.limb_script.Passes`, s."""

BEND = (math.radians(3.5), math.radians(2.5), math.radians(5.0))
"""How far knees are from straight in the neutral pose, one sigma between people of flexion, varus and turn
about the length, rad. Flexion: genu recurvatum of healthy adults spreads by 3 to 4 deg (A.-D. Nguyen and
S. J. Shultz, JOSPT 37:389, 2007 [K], to verify). Varus: 2.2 to 3.0 deg (table 2 of PMC3560206 [S]). The turn
is assumed."""


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
            bend=BEND,
        )
        return replace(spec, sway=None) if self.still else spec

    def limb(self, seed: int) -> LimbRecording:
        """Return one treatment: every world and seed treats a person of its own."""
        person = zlib.crc32(f"{self.name}, {seed}".encode())
        return simulate_limb(replace(self.spec, person=person), seed)


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
