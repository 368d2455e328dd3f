"""One movement of the catalogue: what turns, how its angle is read, what is known about its error."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from imu.errors import CatalogueError

Side = Literal["left", "right", "midline"]
AngleKind = Literal["cardan_zxy", "cardan_xzy", "elevation", "plane_of_elevation", "inclination"]
AngleZero = Literal["vertical", "horizontal"]

ANGLE_KINDS: tuple[str, ...] = ("cardan_zxy", "cardan_xzy", "elevation", "plane_of_elevation", "inclination")
GATE_ACTIONS: tuple[str, ...] = ("flag", "invalid")
SEGMENTS: tuple[str, ...] = (
    "head",
    "thorax",
    "upper_thorax",
    "lower_thorax",
    "pelvis",
    "upperarm",
    "forearm",
    "hand",
    "thigh",
    "shank",
    "foot",
)
MIDLINE_SEGMENTS = frozenset({"head", "thorax", "upper_thorax", "lower_thorax", "pelvis"})


@dataclass(frozen=True, slots=True)
class AngleRule:
    """How the primary clinical angle is read from segment orientations.

    The angle is `sign(side)` times the raw angle of `kind`. `component` always names an axis of the
    ISB segment frame: 0 is Z (medio-lateral, pointing right), 1 is X (anterior), 2 is Y (upwards or
    proximal); turns about it count by the right-hand rule.

    ==================== ==============================================================================
    kind                 raw angle
    ==================== ==============================================================================
    `cardan_zxy`         angle about `component` of the intrinsic Z-X-Y decomposition of
                         R = R_proximal^T R_distal; equals Grood & Suntay's joint coordinates
    `cardan_xzy`         the same of the intrinsic X-Z-Y decomposition (shoulder, Phadke 2011)
    `elevation`          angle between the longitudinal (Y) axes of both segments, never negative;
                         `component` is the axis of the anatomical plane in which it should happen
    `plane_of_elevation` first angle of the intrinsic Y-X-Y decomposition: about the proximal Y axis, 0
                         where the limb points to its own side (abduction)
    `inclination`        turn of `segment` about its own `component` axis, between its longitudinal (Y)
                         axis and the vertical or horizontal line that `zero` names; gravity alone tells
    ==================== ==============================================================================

    Parameters
    ----------
    kind, component
        As above.
    sign_right, sign_left
        +1 or -1: makes the clinical direction positive on either side. Midline movements use `sign_right`.
    segment
        The inclined segment, without side; None for angles between two segments.
    zero
        "vertical" or "horizontal" for inclinations; None otherwise.

    References
    ----------
    Wu 2002 J Biomech 35:543 and Grood & Suntay 1983 J Biomech Eng 105:136 (both to verify),
    Wu 2005 J Biomech 38:981, Phadke 2011 J Biomech 44:700.
    """

    kind: AngleKind
    component: Literal[0, 1, 2]
    sign_right: Literal[-1, 1]
    sign_left: Literal[-1, 1]
    segment: str | None = None
    zero: AngleZero | None = None

    def sign(self, side: Side) -> int:
        """Return the factor from the raw to the clinical angle on this side."""
        return self.sign_left if side == "left" else self.sign_right


@dataclass(frozen=True, slots=True)
class Gate:
    """A compensation limit that the sources put into a number.

    Parameters
    ----------
    segment
        The segment to watch, without side.
    component
        Axis of its turn, as in `AngleRule`.
    limit
        Largest turn away from its position at the start of the rep, rad.
    action
        "invalid" rejects the rep, "flag" marks it.
    """

    segment: str
    component: Literal[0, 1, 2]
    limit: float
    action: Literal["flag", "invalid"]


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement. Angles in rad; None where nothing is published. Texts are kept as the sources gave them.

    `mdc95` is None for rows of evidence grade C too: their figure is a placeholder, kept in
    `placeholder_mdc95`, that must not serve as a yardstick. `gain_sign` is -1 where less angle means
    more range (a deficit from straight), else +1. `norms` maps the name of a norm column without
    "norm_" and "_deg" to rad. `pointer` is another way to the same angle, where the sources offer one:
    the next segment used as a pendulum. `to_verify` names the columns that were not re-read.
    """

    id: str
    title_pattern: str
    region: str
    joint: str
    movement: str
    laterality: Literal["L/R", "midline"]
    proximal_segment: str
    proximal_segment_text: str
    distal_segment: str
    distal_segment_text: str
    proximal_sensor: str
    distal_sensor: str
    start_position: str
    plane: str
    axis_isb_proximal: str
    jcs_reference: str
    euler_sequence: str
    clinical_angle_rule: str
    rh_sign_right: int
    rh_sign_left: int
    gravity_observable: Literal["yes", "no", "position"]
    drift_note_or_alt_position: str
    norms: Mapping[str, float]
    plausible_min: float
    plausible_max: float
    sem: float | None
    mdc95: float | None
    placeholder_mdc95: float | None
    mdc_basis: str
    reliability_manual: str
    reliability_imu: str
    evidence_grade: Literal["A", "B", "C"]
    shortened_at_end: str
    lengthened_at_end: str
    neural_structures_loaded: str
    compensation_to_monitor: str
    loinc_arom_found: str
    norm_source: str
    notes: str
    angle: AngleRule
    pointer: AngleRule | None
    gain_sign: Literal[-1, 1]
    gate: Gate | None
    to_verify: tuple[str, ...]

    def title(self, side: Side) -> str:
        """Return the movement in plain words with its side, such as "Left knee straightening".

        Raises
        ------
        CatalogueError
            If the movement has no such side.
        """
        self.check_side(side)
        return self.title_pattern.replace("{side}", side).replace("{Side}", side.capitalize())

    def check_side(self, side: str) -> None:
        """Raise `CatalogueError` unless this movement is measured on this side."""
        allowed = ("midline",) if self.laterality == "midline" else ("left", "right")
        if side not in allowed:
            raise CatalogueError(f"{self.id} is measured {' or '.join(allowed)}, got side {side!r}")

    def segments(self, side: Side) -> tuple[str, str]:
        """Return the proximal and the distal segment with their side, such as "left_thigh"."""
        self.check_side(side)
        return sided(self.proximal_segment, side), sided(self.distal_segment, side)

    @property
    def published_sem(self) -> float | None:
        """The SEM, rad; from MDC95 = 1.96 sqrt(2) SEM where only that is published; None if neither is."""
        if self.sem is not None:
            return self.sem
        return None if self.mdc95 is None else self.mdc95 / (1.959963984540054 * math.sqrt(2.0))

    @property
    def error_note(self) -> str:
        """One line on the published error: its source, or that there is none."""
        if self.mdc95 is None:
            return "no published MDC; using your own repeatability"
        return self.mdc_basis + (" (to verify)" if "mdc95_deg" in self.to_verify else "")


def sided(segment: str, side: Side) -> str:
    """Return the name of a segment on a side; segments of the midline have none."""
    return segment if segment in MIDLINE_SEGMENTS else f"{side}_{segment}"
