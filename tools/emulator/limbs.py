"""Emulated sensors on imagined limbs: the limb simulator's samples, sent by real sensor families."""

from dataclasses import dataclass, replace

from imu.ble_link import SensorRequest
from imu.errors import InputError
from imu.recording_values import Event
from imu.sensors.driver import Driver
from imu.virtual import CONSUMER
from rom.catalogue.movement import Movement, Side
from rom.limb import simulate_limb
from rom.limb_script import Functional, Neutral, Reps, TakePosition
from rom.limb_world import ELBOW, SHOULDER, WRIST, LimbSpec
from tools.emulator.feed import BlockMotion
from tools.emulator.stage import Part

MOST = 8
GRADE = replace(CONSUMER, name="emulated", clock=0.0, stamp=0.0)
"""Clock and delays come from the emulated sensor and its link, not from the simulated samples."""
CRYSTALS = (8e-6, -13e-6, 21e-6, -4e-6, 17e-6, -25e-6, 2e-6, -9e-6)
"""Rate errors of the sensors, within the 20 ppm of a usual crystal."""
KNEE = LimbSpec()
LOW, HIGH = 0.15, 0.75
"""Where the played reps start and end, as shares of the plausible range of a movement."""


@dataclass(frozen=True, slots=True)
class WornPart:
    """An emulated sensor and the segment it is strapped to."""

    segment: str
    part: Part

    def request(self) -> SensorRequest:
        """Return what a capture asks of this sensor."""
        driver = self.part.driver
        return SensorRequest(self.segment, self.part.address, driver, driver.settings())


@dataclass(frozen=True, slots=True)
class WornLimbs:
    """Emulated sensors on limbs, and what happens to the first limb, s since the motion began."""

    sensors: tuple[WornPart, ...]
    events: tuple[Event, ...]


def worn_parts(driver: Driver, spec: LimbSpec, count: int, seed: int) -> WornLimbs:
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
    events: tuple[Event, ...] = ()
    for limb in range((count + 1) // 2):
        side = spec.side if limb % 2 == 0 else _other(spec.side)
        world = replace(spec, side=side, rate=rate, grade=GRADE)
        made = simulate_limb(world, seed + limb)
        events = events or made.events
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
    return WornLimbs(tuple(worn), events)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the phases of a played movement take, s, and how often."""

    still: float = 5.0
    functional: float = 1.5
    functional_times: int = 4
    rep: float = 2.5
    hold: float = 2.0
    rest: float = 1.5
    reps: int = 5


def world_of(movement: Movement, side: Side, pace: Pace | None = None) -> LimbSpec:
    """Return a limb that stands still, calibrates itself and then does reps of a movement.

    Raises
    ------
    InputError
        If no imagined limb has the movement's joint.
    """
    pace = Pace() if pace is None else pace
    joints = {(limb.proximal, limb.distal): limb for limb in (KNEE, ELBOW, WRIST, SHOULDER)}
    template = joints.get((movement.proximal_segment, movement.distal_segment))
    if template is None or movement.angle.kind not in ("cardan_zxy", "elevation"):
        raise InputError(
            f"virtual sensors can play knee, elbow, wrist and shoulder movements, got {movement.id}; "
            f"try kn_ake or el_flexion"
        )
    component = movement.angle.component
    sign = movement.angle.sign_right * (template.sign if component == 0 else 1)
    span = movement.plausible_max - movement.plausible_min
    low, high = movement.plausible_min + LOW * span, movement.plausible_min + HIGH * span
    start, end = (low, high) if movement.gain_sign > 0 else (high, low)
    calibration = [
        replace(phase, times=pace.functional_times, seconds=pace.functional)
        for phase in template.programme
        if isinstance(phase, Functional)
    ]
    reps = Reps(
        pace.reps,
        start=sign * start,
        end=sign * end,
        seconds=pace.rep,
        hold=pace.hold,
        rest=pace.rest,
        component=component,
    )
    position = [phase for phase in template.programme if isinstance(phase, TakePosition)]
    programme = (Neutral(pace.still), *calibration, *position, reps)
    return replace(template, programme=programme, movement=movement.id, side=side)


def _other(side: str) -> str:
    return {"left": "right", "right": "left"}.get(side, side)
