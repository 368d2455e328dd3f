"""The worlds of an imagined limb: what may be chosen about it, each choice with its reason."""

from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError
from imu.virtual import CONSUMER, SensorGrade
from rom.catalogue.movement import MIDLINE_SEGMENTS
from rom.limb_script import Functional, Neutral, Passes, Phase, Reps, TableRest, TakePosition

_ORDER = {"x": (0, 1, 2), "y": (1, 2, 0), "z": (2, 0, 1)}
_NAMES = ("adduction", "rotation", "flexion")


@dataclass(frozen=True, slots=True)
class Sway:
    """A proximal segment that is held, not clamped: amplitudes in rad, periods in s, about all three axes.

    Default: 0.7 deg in 3 s and 4 deg in 30 s (`../shared/reference/algorithms.md` 5a).
    """

    fast: float = np.radians(0.7)
    fast_period: float = 3.0
    slow: float = np.radians(4.0)
    slow_period: float = 30.0


@dataclass(frozen=True, slots=True)
class Tissue:
    """Skin and muscle between bone and sensor.

    Parameters
    ----------
    shift
        How far a sensor turns against its bone over a large movement, rad, one sigma per axis; a function
        of the angle. 2 to 3 deg for skin (`../shared/reference/algorithms.md` 3, soft tissue).
    lag
        The distal sensor follows its bone so much later, s (assumed).
    wobble
        Irregular motion at 1 to 4 Hz, amplitude, rad (assumed).
    """

    shift: float = np.radians(2.0)
    lag: float = 0.01
    wobble: float = np.radians(0.1)


@dataclass(frozen=True, slots=True)
class Slip:
    """A strap that slips: at time `t` s the sensor turns by `angle` rad about the segment's long axis."""

    t: float
    angle: float
    segment: str = "distal"
    seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Pad:
    """Foam between strap and limb: a spring and a damper that let a sensor nod about the primary axis.

    Parameters
    ----------
    segment
        `proximal` or `distal`.
    frequency
        Of its resonance, Hz.
    damping
        Share of critical damping.
    sag
        How far the sensor's weight nods it when gravity pulls across the pad's full lever, rad. A sensor
        whose middle is h above the pad, with moment of inertia I and mass m, sags by m g h / (I omega^2):
        for 11 g of 36 x 30 x 11 mm and h = 8 mm 6 deg at 10 Hz, 25 deg at 5 Hz (rigid body, computed here).
    """

    segment: str = "distal"
    frequency: float = 8.0
    damping: float = 0.1
    sag: float = np.radians(6.0)


@dataclass(frozen=True, slots=True)
class LimbSpec:
    """A world for two sensors and one joint.

    Parameters
    ----------
    programme
        What happens, phase by phase.
    joint, movement, side
        What the events call them; `side` also mirrors the angles.
    proximal, distal
        Names of the segments, without side.
    primary
        Axis of the primary angle in the proximal ISB frame: `x` (ab-/adduction), `y` (axial rotation) or
        `z` (flexion). The other two angles follow in cyclic order; the joint is the intrinsic Cardan
        sequence of the three, Z-X-Y for `z`: the joint coordinate system of Grood and Suntay.
    sign
        Right-hand sign of the primary angle on the right side, +1 or -1 (knee flexion: -1). Angles about X
        and Y are mirrored on the left (`../shared/reference/clinical.md` 1.1).
    free
        Which of the three angles the programme moves: `(0,)` a hinge, two of them a saddle, all a ball.
    start
        Neutral pose: the three angles at which segments are calibrated, rad.
    bend
        How far a person's own neutral pose is from it, one sigma of the three angles, rad; drawn from the
        seed. An estimator calls that pose zero.
    inclination
        Angle of the primary axis from the vertical once the limb has taken its position, rad; pi / 2 is
        horizontal. A programme without `TakePosition` leaves the limb upright.
    heading
        The whole person turned about the vertical, rad.
    non_hinge
        Size of the motion in the angles that are not free, rad: partly a function of the primary angle
        (screw-home included), partly irregular.
    sway
        Of the proximal segment; None: segment and sensor are perfectly still.
    tremor
        Amplitude of the 8 to 12 Hz tremor of the primary angle, rad.
    tissue
        None: sensors are fixed to the bone.
    person
        Seed of what stays the same from trial to trial: straps, skin, joint, room, sensors' own errors;
        None: drawn from the seed of the recording.
    mounting
        `q_segment_from_sensor` of the proximal and the distal sensor; None: drawn from the seed.
    slips
        Straps that slip.
    pad
        Foam under one of the sensors; None: straps hold them fast.
    grade, rate, loss, packet, burst
        Of both sensors, see `imu.virtual`.
    magnetometer
        Whether the sensors have one.
    disturbance
        A magnetised object near the joint turns the field there by about this angle, rad.
    """

    programme: tuple[Phase, ...] = (
        TableRest(),
        Neutral(),
        Functional(),
        TakePosition(),
        Passes(10, start=np.radians(100.0), end=np.radians(5.0)),
    )
    joint: str = "knee"
    movement: str = "kn_ake"
    side: str = "right"
    proximal: str = "thigh"
    distal: str = "shank"
    primary: str = "z"
    sign: int = -1
    free: tuple[int, ...] = (0,)
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bend: tuple[float, float, float] = (0.0, 0.0, 0.0)
    inclination: float = np.pi / 2.0
    heading: float = 0.0
    non_hinge: float = np.radians(3.0)
    sway: Sway | None = Sway()
    tremor: float = np.radians(0.05)
    tissue: Tissue | None = Tissue()
    person: int | None = None
    mounting: tuple[FloatArray, FloatArray] | None = None
    slips: tuple[Slip, ...] = ()
    pad: Pad | None = None
    grade: SensorGrade = CONSUMER
    rate: float = 120.0
    loss: float = 0.0
    packet: int = 1
    burst: float = 1.0
    magnetometer: bool = True
    disturbance: float = 0.0

    def __post_init__(self) -> None:
        """Refuse worlds that cannot be."""
        if self.side not in ("left", "right", "midline"):
            raise InputError(f"side must be left, right or midline, got {self.side!r}")
        if self.primary not in _ORDER:
            raise InputError(f"the primary axis must be x, y or z, got {self.primary!r}")
        if self.sign not in (-1, 1):
            raise InputError(f"sign must be +1 or -1, got {self.sign}")
        if not self.programme:
            raise InputError("a limb needs a programme of at least one phase, got none")

    @property
    def segments(self) -> tuple[str, str]:
        """Return the names of the proximal and the distal segment, with side unless on the midline."""
        proximal, distal = (
            name if name in MIDLINE_SEGMENTS else f"{self.side}_{name}"
            for name in (self.proximal, self.distal)
        )
        return proximal, distal

    @property
    def sided_joint(self) -> str:
        """Return the name of the joint, with side."""
        return self.joint if self.side == "midline" else f"{self.side}_{self.joint}"

    @property
    def signs(self) -> FloatArray:
        """Return what turns rotations about the three joint axes into the angles of a clinician, (3,)."""
        rows = [self.sign, 1.0, 1.0]
        mirrored = [self.side == "left" and axis != 2 for axis in self.order]
        return np.where(mirrored, -1.0, 1.0) * np.array(rows)

    @property
    def order(self) -> tuple[int, int, int]:
        """Return which ISB axes (0 X, 1 Y, 2 Z) the three angles turn about, primary first: right-handed."""
        return _ORDER[self.primary]

    @property
    def axes(self) -> tuple[str, str, str]:
        """Return the names of the three angles."""
        first, second, third = self.order
        return _NAMES[first], _NAMES[second], _NAMES[third]


ELBOW = LimbSpec(
    (
        TableRest(),
        Neutral(),
        Functional(reach=np.radians(110.0)),
        Functional(reach=np.radians(70.0), component=2),
        Reps(5, start=np.radians(5.0), end=np.radians(130.0)),
        Reps(5, start=np.radians(-60.0), end=np.radians(70.0), component=2),
    ),
    joint="elbow",
    movement="el_flexion",
    proximal="upperarm",
    distal="forearm",
    sign=1,
    free=(0, 2),
    start=(0.0, np.radians(10.0), 0.0),
)
"""Two axes: flexion and pronation, with a constant carrying angle between them."""

WRIST = LimbSpec(
    (
        TableRest(),
        Neutral(),
        Functional(reach=np.radians(60.0)),
        Functional(reach=np.radians(25.0), component=1),
        Reps(5, start=0.0, end=np.radians(65.0)),
        Reps(5, start=np.radians(-15.0), end=np.radians(25.0), component=1),
    ),
    joint="wrist",
    movement="wr_flexion",
    proximal="forearm",
    distal="hand",
    sign=1,
    free=(0, 1),
)
"""Two axes that cross at a right angle: flexion and ulnar deviation."""

SHOULDER = LimbSpec(
    (
        TableRest(),
        Neutral(),
        Functional(reach=np.radians(90.0)),
        Functional(reach=np.radians(-60.0), component=1),
        Functional(reach=np.radians(60.0), component=2),
        Reps(5, start=0.0, end=np.radians(150.0)),
    ),
    joint="shoulder",
    movement="sh_flexion",
    proximal="thorax",
    distal="upperarm",
    sign=1,
    free=(0, 1, 2),
)
"""Three axes."""
