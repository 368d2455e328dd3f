"""Emulated sensors on imagined limbs: the limb simulator's samples, sent by real sensor families."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imu.errors import InputError
from imu.sensors.driver import Driver
from imu.virtual import CONSUMER
from rom.limb import simulate_limb
from rom.limb_world import LimbSpec
from tools.emulator.feed import BlockMotion
from tools.emulator.stage import Part

MOST = 8
GRADE = replace(CONSUMER, name="emulated", clock=0.0, stamp=0.0)
"""Clock and delays come from the emulated sensor and its link, not from the simulated samples."""
CRYSTALS = (8e-6, -13e-6, 21e-6, -4e-6, 17e-6, -25e-6, 2e-6, -9e-6)
"""Rate errors of the sensors, within the 20 ppm of a usual crystal."""


@dataclass(frozen=True, slots=True)
class WornPart:
    """An emulated sensor and the segment it is strapped to."""

    segment: str
    part: Part


def worn_parts(driver: Driver, spec: LimbSpec, count: int, seed: int) -> list[WornPart]:
    """Return sensors on one limb after the other, each limb on the other side than the one before.

    Parameters
    ----------
    driver
        Family of all sensors.
    spec
        The first limb; the rate is the family's own.
    count
        Number of sensors, 1 to 8; one alone is on the distal segment.
    seed
        Of the first limb.

    Raises
    ------
    InputError
        If the count is out of range.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"1 to {MOST} emulated sensors are possible, got {count}")
    rate = driver.capability.default_rate_hz
    worn: list[WornPart] = []
    for limb in range((count + 1) // 2):
        side = spec.side if limb % 2 == 0 else _other(spec.side)
        world = replace(spec, side=side, rate=rate, grade=GRADE)
        made = simulate_limb(world, seed + limb)
        pairs = list(zip(made.sensors, world.segments, strict=True))
        if count == 1:
            pairs = pairs[1:]
        for sensor, segment in pairs[: count - len(worn)]:
            number = len(worn) + 1
            part = Part(
                driver,
                f"D4:22:CD:00:00:{number:02X}",
                BlockMotion(made.blocks[sensor]),
                rate_error=CRYSTALS[number - 1],
            )
            worn.append(WornPart(segment, part))
    return worn


def segments_of(worn: Sequence[WornPart]) -> dict[str, str]:
    """Return the address of each segment's sensor."""
    return {item.segment: item.part.address for item in worn}


def _other(side: str) -> str:
    return {"left": "right", "right": "left"}.get(side, side)
