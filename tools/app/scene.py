"""What the views draw, as plain values: a view model makes them, a view only looks at them. No Qt."""

from dataclasses import dataclass
from typing import Literal

from imu.block import FloatArray

Shape = Literal["dot", "triangle", "cross", "ring"]
Light = Literal["live", "weak", "lost", "waiting"]


@dataclass(frozen=True)
class Sweep:
    """The way of one rep or pass on the arc, degrees; `warming` ones are drawn grey and dotted."""

    start: float
    end: float
    warming: bool = False


@dataclass(frozen=True)
class ArcState:
    """What the arc shows, degrees of the joint.

    `low` is the shortened and `high` the lengthened end of the scale (`low` may be the larger number);
    `now` is None without data; `baseline` is None before a baseline exists; `spans` are the passes so far,
    oldest first, the current one last.
    """

    low: float
    high: float
    now: float | None
    sigma: float
    baseline: float | None
    spans: tuple[Sweep, ...]
    side: str


@dataclass(frozen=True)
class ReadoutState:
    """The huge number: whole degrees or None, the words under it, and whether it is live."""

    value: int | None
    detail: str
    live: bool


@dataclass(frozen=True)
class StepState:
    """What the person does now, the seconds left (None: until a key), and whether it calibrates.

    `bars` are the times a movement is asked for, each by how much of it was seen, from 0 to 1.
    """

    words: str
    left: float | None
    calibrating: bool
    result: str
    bars: tuple[float, ...] = ()


@dataclass(frozen=True)
class SensorLight:
    """One sensor in the strip: where it sits, its state as colour, shape and word, and what it tells."""

    segment: str
    side: str
    light: Light
    shape: Shape
    word: str
    facts: str


@dataclass(frozen=True, eq=False)
class Bone:
    """A capsule between two points, m, z up.

    `side` colours it, `measured` makes it bold, `sensor` draws a sensor at its middle, `width` is in m.
    """

    start: FloatArray
    end: FloatArray
    side: str
    width: float
    measured: bool = False
    sensor: bool = False


@dataclass(frozen=True, eq=False)
class Pose:
    """A figure at one instant: its bones, the head, and the joint whose angle is written beside it.

    `caption` stands above a figure that acts something out instead of following the sensors.
    """

    bones: tuple[Bone, ...]
    head: FloatArray | None
    joint: FloatArray | None
    label: str
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """A stretch of a curve: s, degrees, and one sigma in degrees; NaN where not known."""

    seconds: FloatArray
    degrees: FloatArray
    sigma_deg: FloatArray


@dataclass(frozen=True)
class Span:
    """A rep or a pass in a strip: its number, when, its end in words, and why it doesn't count."""

    kind: Literal["rep", "pass"]
    number: int
    start: float
    stop: float
    value: str
    doubt: str = ""
