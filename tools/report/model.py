"""What a report says, before anyone decides how it looks. Degrees and seconds: this is the edge.

HTML, PDF and JSON are written from the same `ReportModel`, so they cannot disagree. Its texts are in the
language of the page already; only layout is left to do.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from imu.block import FloatArray

SCHEMA = "romcap.report/1"
"""Name and version of `ReportModel.to_document`."""

Kind = Literal["visit", "course", "retest", "trial"]
Phase = Literal["before", "after"]
Side = Literal["left", "right", "midline"]
Progress = Callable[[float], None]
"""Told which share of a page is drawn, from 0 to 1; what it raises stops the drawing."""


def untold(_share: float) -> None:
    """Tell nobody."""


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
    label
        What the legend says, the letter of the side first.
    t_s, angle_deg, sigma_deg : (N,)
        Time from the start of the test, the angle, and one standard error. NaN where not known.
    spans_s, counts
        Start and end of each rep, and whether it counts.
    """

    side: Side
    phase: Phase
    label: str
    t_s: FloatArray
    angle_deg: FloatArray
    sigma_deg: FloatArray
    spans_s: tuple[tuple[float, float], ...] = ()
    counts: tuple[bool, ...] = ()


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
class PassArrow:
    """One pass over a structure: where it started and ended, degrees."""

    side: Side
    structure: str
    start_deg: float
    end_deg: float


@dataclass(frozen=True)
class CoursePoint:
    """One visit of a course: x position in days, degrees and ratings; NaN where not known."""

    label: str
    day: float
    before_deg: float
    after_deg: float
    pain_before: float
    pain_after: float


@dataclass(frozen=True, eq=False)
class RepsData:
    """Reps of several tests side by side; the band of chance is `mdc_deg` around each side's first test."""

    groups: tuple[RepGroup, ...]
    mdc_deg: float | None


@dataclass(frozen=True, eq=False)
class CurvesData:
    """Angle against time, one panel a side; reps are numbered if `numbered`."""

    curves: tuple[Curve, ...]
    numbered: bool = False


@dataclass(frozen=True, eq=False)
class PassesData:
    """Passes, a row a structure."""

    passes: tuple[PassArrow, ...]


@dataclass(frozen=True, eq=False)
class CourseData:
    """Range over visits: points, tests at home (day, degrees), and the band around the first value."""

    side: Side
    points: tuple[CoursePoint, ...]
    home: tuple[tuple[float, float], ...]
    mdc_deg: float | None


@dataclass(frozen=True, eq=False)
class PainData:
    """Pain over visits."""

    points: tuple[CoursePoint, ...]


@dataclass(frozen=True, eq=False)
class BandData:
    """Today's value with its interval against the clinic's value and what could be chance, degrees."""

    side: Side
    clinic_deg: float
    chance_deg: float | None
    today_deg: float
    low_deg: float
    high_deg: float


FigureData = RepsData | CurvesData | PassesData | CourseData | PainData | BandData


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure: heading, caption, the same in words, axis labels and other texts in it, and its data."""

    title: str
    caption: str
    alt: str
    labels: Mapping[str, str]
    data: FigureData


@dataclass(frozen=True)
class Table:
    """A table with a caption; every cell is text. `numeric` columns are set to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class ReportModel:
    """Everything that one page says.

    Parameters
    ----------
    kind, language
        Which report, and its BCP 47 tag.
    title
        Side, joint and movement in plain words.
    who, when
        Pseudonym, date and place.
    banner
        What stands above all: that the data are simulated; empty otherwise.
    cards, verdicts
        The numbers and the sentences read first.
    warnings, missing
        What a reader must know, and one line for each thing that is not known.
    figures, tables
        In the order in which they are read.
    method, limits, evidence
        How it was measured (label, text), what it must not be used for, what is known of the therapy.
    headings
        Headings of the sections.
    version, fingerprint
        Of the software and the recordings, for the foot of every page.
    data
        The numbers behind the page as documents, for `--json`.
    """

    kind: Kind
    language: str
    title: str
    who: str
    when: str
    banner: str
    cards: tuple[Card, ...]
    verdicts: tuple[str, ...]
    warnings: tuple[str, ...]
    missing: tuple[str, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    method: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    evidence: str
    headings: Mapping[str, str]
    version: str
    fingerprint: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def footer(self) -> str:
        """The line at the foot of every page, without the page's number."""
        return " · ".join(part for part in (self.who, f"romcap {self.version}", self.fingerprint) if part)

    def to_document(self) -> dict[str, Any]:
        """Return the page for `--json`: schema `romcap.report/1`.

        Texts are those of the page in its language; `data` holds the numbers behind them, in degrees,
        under the schemas of their own documents.
        """
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "language": self.language,
            "title": self.title,
            "who": self.who,
            "when": self.when,
            "simulated": bool(self.banner),
            "cards": [asdict(card) for card in self.cards],
            "verdicts": list(self.verdicts),
            "warnings": list(self.warnings),
            "missing": list(self.missing),
            "figures": [{"title": f.title, "caption": f.caption, "text": f.alt} for f in self.figures],
            "tables": [asdict(table) for table in self.tables],
            "method": [list(line) for line in self.method],
            "limits": list(self.limits),
            "evidence": self.evidence,
            "footer": self.footer,
            "data": dict(self.data),
        }
