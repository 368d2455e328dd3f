"""What a report says, before anyone decides how it looks. Degrees and seconds: this is the edge.

HTML, PDF and JSON are written from the same `ReportModel`, so they cannot disagree.
"""

from dataclasses import dataclass, field
from typing import Literal

from imu.block import FloatArray

Phase = Literal["before", "after"]
Side = Literal["left", "right", "midline"]


@dataclass(frozen=True)
class Card:
    """One number that is read first: a label, the value with its unit, and what it rests on."""

    label: str
    value: str
    basis: str


@dataclass(frozen=True, eq=False)
class Curve:
    """One recorded angle.

    Parameters
    ----------
    side, phase
        Decide colour, letter and line style.
    t_s, angle_deg, sigma_deg : (N,)
        Time from the start of the test, the angle, and one standard error. NaN where not known.
    spans_s
        Start and end of each rep or pass that counts.
    label
        What the legend says.
    """

    side: Side
    phase: Phase
    label: str
    t_s: FloatArray
    angle_deg: FloatArray
    sigma_deg: FloatArray
    spans_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class RepGroup:
    """The reps of one test, degrees: each value, which of them count, their mean and its 95 % interval."""

    side: Side
    phase: Phase
    label: str
    values_deg: tuple[float, ...]
    counts: tuple[bool, ...]
    mean_deg: float
    low_deg: float
    high_deg: float


@dataclass(frozen=True)
class PassRow:
    """One pass over a structure: where it started and ended, degrees, how long, and what the client felt."""

    side: Side
    structure: str
    number: int
    start_deg: float
    end_deg: float
    duration_s: float
    discomfort: int | None = None


@dataclass(frozen=True)
class Table:
    """A table with a caption; every cell is text."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReportModel:
    """Everything that one page says.

    Parameters
    ----------
    title
        Side, joint and movement in plain words.
    who, when
        Pseudonym, date and place.
    simulated
        Whether the data come from the simulator; the page then says so in a banner.
    cards, verdicts
        The numbers and the sentences read first.
    groups, mdc_deg, curves, passes
        What the figures show; `mdc_deg` is the smallest change beyond measurement error.
    tables
        Measurement table first.
    method, limits
        How it was measured (label, text) and what it must not be used for.
    """

    title: str
    who: str
    when: str
    simulated: bool
    cards: tuple[Card, ...]
    verdicts: tuple[str, ...]
    groups: tuple[RepGroup, ...] = ()
    mdc_deg: float | None = None
    curves: tuple[Curve, ...] = ()
    passes: tuple[PassRow, ...] = ()
    tables: tuple[Table, ...] = ()
    method: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
