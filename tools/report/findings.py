"""What a visit showed, wherever it comes from: recordings just analysed, or the clinic's store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rom.catalogue.movement import Movement, Side
from rom.catalogue.structure import Structure
from rom.compare import Comparison
from rom.sample import RepSample
from rom.symmetry import Symmetry
from tools.report.model import Curve


@dataclass(frozen=True)
class TestFacts:
    """How one test was measured.

    Parameters
    ----------
    movement, side, phase
        What was tested, and where in the visit: `baseline`, `retest`, `control`, `home`, ...
    recorded
        When; None if not known.
    sensors
        Segment, name and rate (Hz; None if not known) of each sensor.
    calibration, residual_deg
        Where the calibration came from (`given`, `embedded`, `computed`, `none`), and its residual.
    filter_name, magnetometer, rate_hz
        Of the orientation filter.
    software, sha256, simulated
        Version that measured, fingerprint of the recording, whether a person was measured.
    loss, longest_gap_s
        Of the worst sensor; None if not known.
    warnings
        What a reader must know, in English.
    elapsed_min, nprs
        Minutes since the last contact, pain with the movement; None if not known.
    """

    __test__ = False

    movement: Movement
    side: Side
    phase: str
    recorded: datetime | None
    sensors: tuple[tuple[str, str, float | None], ...]
    calibration: str
    residual_deg: float | None
    filter_name: str
    magnetometer: bool
    rate_hz: float | None
    software: str
    sha256: str
    simulated: bool
    loss: float | None
    longest_gap_s: float | None
    warnings: tuple[str, ...]
    elapsed_min: float | None = None
    nprs: float | None = None

    @classmethod
    def from_documents(
        cls,
        movement: Movement,
        side: Side,
        phase: str,
        provenance: dict[str, Any],
        quality: dict[str, Any],
        **known: Any,
    ) -> "TestFacts":
        """Return the facts that provenance and quality documents of a trial hold."""
        calibration: dict[str, Any] = provenance.get("calibration") or {}
        worst: list[dict[str, Any]] = quality.get("sensors", [])
        facts: dict[str, Any] = {
            "recorded": None,
            "sensors": (),
            "calibration": calibration.get("source", "none"),
            "residual_deg": None,
            "filter_name": str(provenance.get("filter", "")),
            "magnetometer": bool(provenance.get("magnetometer", False)),
            "rate_hz": provenance.get("rate_hz"),
            "software": str(provenance.get("software", {}).get("romcap", "")),
            "sha256": str(provenance.get("recording_sha256", "")),
            "simulated": bool(provenance.get("simulated", False)),
            "loss": max((each["loss"] for each in worst), default=None),
            "longest_gap_s": max((each["longest_gap_s"] for each in worst), default=None),
            "warnings": tuple(quality.get("warnings", ())),
        }
        return cls(movement, side, phase, **(facts | known))


@dataclass(frozen=True)
class PassFacts:
    """One pass, in degrees and seconds; None where it was not measured or said."""

    structure: str
    side: Side
    technique: str
    start_deg: float | None
    end_deg: float | None
    duration_s: float | None
    discomfort: float | None = None
    stop_reason: str = ""


@dataclass(frozen=True)
class Retest:
    """The structures treated before a re-test, and what it showed against the baseline."""

    structures: tuple[str, ...]
    comparison: Comparison


@dataclass(frozen=True, eq=False)
class VisitFindings:
    """What a visit adds up to.

    Parameters
    ----------
    client, when, clinician, complaint
        Pseudonym, wall time, who answers for it and the complaint; the last two empty if not known.
    movement, side
        The movement that the page is about, on the treated side; None if nothing was tested.
    baseline
        Its reps before treatment; None without enough of them.
    retests
        In order; the last one of `movement` is the visit's result.
    symmetry_before, symmetry_after
        Left against right; None without both sides.
    passes
        In order.
    pain_before, pain_after
        NPRS; None if not rated.
    tests
        How every test was measured, baseline of the treated side first.
    curves
        Recorded angles, where the recordings are at hand.
    structures
        The structures named, by id.
    """

    client: str
    when: datetime
    movement: Movement | None
    side: Side
    baseline: RepSample | None
    retests: tuple[Retest, ...]
    symmetry_before: Symmetry | None
    symmetry_after: Symmetry | None
    passes: tuple[PassFacts, ...]
    tests: tuple[TestFacts, ...]
    structures: dict[str, Structure]
    curves: tuple[Curve, ...] = ()
    pain_before: float | None = None
    pain_after: float | None = None
    clinician: str = ""
    complaint: str = ""

    @property
    def final(self) -> Comparison | None:
        """The result of the visit: the last re-test of its movement."""
        if self.movement is None:
            return None
        own = [r.comparison for r in self.retests if r.comparison.pre.movement.id == self.movement.id]
        return own[-1] if own else None

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The sentences of the visit in English: the change first, then left against right."""
        sentences = [self.final.sentence()] if self.final is not None else []
        if self.symmetry_after is not None:
            sentences.append(self.symmetry_after.sentence(self.symmetry_before))
        return tuple(sentences)
