"""Left against right: the difference in degrees first, percentages only where they mean something."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from imu.errors import InputError
from rom.sample import RepSample, check_comparable, doubts
from rom.verdict import Difference, weigh
from rom.wording import degrees, number, span, yardstick

SCHEMA = "romcap.symmetry/1"


def limb_symmetry_index(involved: float, uninvolved: float) -> float:
    """Return 100 involved / uninvolved, %."""
    return 100.0 * involved / uninvolved


def robinson_index(right: float, left: float) -> float:
    """Return 100 (R - L) / ((R + L) / 2), % (Robinson 1987); it runs away where the sum nears zero."""
    return 100.0 * (right - left) / (0.5 * (right + left))


def symmetry_angle(right: float, left: float) -> float:
    """Return 100 (45° - atan2(L, R)) / 90°, % (Zifchock 2008 Gait Posture 27:622), within -100 and 100.

    Where 45° - angle is beyond 90° in size, 180° are taken off (to verify). No reference side is needed.
    """
    angle = 45.0 - math.degrees(math.atan2(left, right))
    if abs(angle) > 90.0:
        angle -= math.copysign(180.0, angle)
    return 100.0 * angle / 90.0


def normalised_index(right: float, left: float, highest: float, lowest: float) -> float:
    """Return 100 (R - L) / (highest - min(0, lowest)) over all trials, % (Queen 2020, to verify)."""
    return 100.0 * (right - left) / (highest - min(0.0, lowest))


def bilateral_asymmetry_index(right: float, left: float) -> float:
    """Return 100 (strong - weak) / strong, % (Bishop 2016), never negative for positive sides."""
    strong = max(right, left)
    return 100.0 * (strong - min(right, left)) / strong


@dataclass(frozen=True, slots=True)
class Indices:
    """The percentages; see the functions of this module. `lsi` refers to the involved side."""

    lsi: float
    robinson: float
    angle: float
    normalised: float
    bilateral: float


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Left against right of one movement, in rad.

    Parameters
    ----------
    left, right
        What was compared.
    involved
        The side that `short_by` and the LSI refer to.
    difference
        Involved minus other side, positive where the involved side has more range. Its yardstick is
        that of another strapping: the sensors sit on another limb.
    indices
        None where they would mislead.
    refusal
        Why there are none; empty if there are.
    """

    left: RepSample
    right: RepSample
    involved: Literal["left", "right"]
    difference: Difference
    indices: Indices | None
    refusal: str

    @property
    def right_minus_left(self) -> float:
        """D = R - L of the clinical angle, rad."""
        return self.right.value - self.left.value

    def sentence(self, before: "Symmetry | None" = None) -> str:
        """Return the difference in degrees, its yardstick, then the percentage or why there is none.

        Parameters
        ----------
        before
            The same sides at an earlier test, to say what the difference was.
        """
        other = "right" if self.involved == "left" else "left"
        low, high = self.difference.estimate.interval()
        was = f"; was {_gap(before.difference.value)}" if before else ""
        title = self.left.movement.title(self.involved)
        first = (
            f"{title} against {other}: {_gap(self.difference.value)} (95 % {span(low, high)}{was}). "
            f"{self._judgement()}"
        )
        first = " ".join((*(f"{doubt}." for doubt in doubts(self.left, self.right)), first))
        if self.indices is None:
            return f"{first} No percentage: {self.refusal}."
        share = f"{self.indices.lsi:.0f} % of the {other} side"
        if self.left.movement.gain_sign < 0:
            return f"{first} Its deficit is {share}'s."
        return f"{first} Limb symmetry {share}."

    def to_document(self) -> dict[str, object]:
        """Return the symmetry for `--json`: schema `romcap.symmetry/1`.

        Angles in degrees, null is not known. `difference` is described at
        `rom.verdict.Difference.document`; it is positive where the involved side has more range, while
        `right_minus_left_deg` is that of the bare angles. `indices` is null where percentages mislead,
        and `index_refusal` says why.
        """
        indices = self.indices
        return {
            "schema": SCHEMA,
            "movement": self.left.movement.id,
            "title": self.left.movement.title(self.involved),
            "aggregate": self.left.aggregate,
            "end": self.left.end,
            "involved": self.involved,
            "left_deg": math.degrees(self.left.value),
            "right_deg": math.degrees(self.right.value),
            "left_reps_deg": np.degrees(self.left.values).tolist(),
            "right_reps_deg": np.degrees(self.right.values).tolist(),
            "right_minus_left_deg": math.degrees(self.right_minus_left),
            "positive_is": "more range on the involved side",
            "difference": self.difference.document(),
            "indices": None
            if indices is None
            else {
                "lsi_percent": indices.lsi,
                "robinson_percent": indices.robinson,
                "symmetry_angle_percent": indices.angle,
                "normalised_percent": indices.normalised,
                "bilateral_asymmetry_percent": indices.bilateral,
            },
            "index_refusal": self.refusal or None,
            "index_of": "deficit from straight" if self.left.movement.gain_sign < 0 else "end angle",
            "doubts": list(doubts(self.left, self.right)),
            "evidence_grade": self.left.movement.evidence_grade,
            "published_error": self.left.movement.error_note,
            "sentence": self.sentence(),
        }

    def _judgement(self) -> str:
        stick = self.difference.yardstick
        limit = "" if stick.mdc95 is None else f" (MDC {yardstick(stick.mdc95)})"
        match self.difference.judgement:
            case "beyond error":
                return f"Within error of equal? No{limit}."
            case "probably real":
                return f"Within error of equal? Probably not{limit}."
            case "within error":
                return f"Within error of equal? Yes{limit}."
            case _ if self.difference.reps_would_tell is not None:
                done, would = self.difference.reps_done, self.difference.reps_would_tell
                return f"Within error of equal? Can't tell ({done} reps; {would} would)."
            case _:
                return f"Within error of equal? Can't tell ({stick.basis})."


def symmetry(
    left: RepSample,
    right: RepSample,
    *,
    involved: Literal["left", "right"] = "left",
    own_sem: float | None = None,
) -> Symmetry:
    """Return how one side compares with the other.

    Parameters
    ----------
    left, right
        The same movement and aggregate on both sides.
    involved
        The side of the complaint.
    own_sem
        The client's own SEM between strappings, rad, where none is published.

    Raises
    ------
    InputError
        If movement or aggregate differ, the sides are not a left and a right one, or reps are too few.
    """
    check_comparable(left, right, sides="opposite")
    if left.side != "left":
        raise InputError("symmetry takes the left test first and the right test second; swap the two")
    first, second = (right, left) if involved == "left" else (left, right)
    difference = weigh(first, second, "another limb", own_sem=own_sem)
    refusal = _refusal(left, right, difference)
    return Symmetry(
        left, right, involved, difference, None if refusal else _indices(left, right, involved), refusal
    )


def _refusal(left: RepSample, right: RepSample, difference: Difference) -> str:
    limit = difference.yardstick.mdc95
    smaller = left if left.value <= right.value else right
    if smaller.value <= 0.0:
        return f"the {smaller.side} side is {degrees(smaller.value)}, and percentages need angles above 0°"
    if limit is None:
        return "the error between the sides is not known"
    if smaller.value < 2.0 * limit:
        side = f"the {smaller.side} side ({degrees(smaller.value)})"
        return f"{side} is less than twice the MDC ({yardstick(limit)})"
    return ""


def _indices(left: RepSample, right: RepSample, involved: Literal["left", "right"]) -> Indices:
    one, other = (left, right) if involved == "left" else (right, left)
    trials = np.concatenate((left.used, right.used))
    return Indices(
        lsi=limb_symmetry_index(one.value, other.value),
        robinson=robinson_index(right.value, left.value),
        angle=symmetry_angle(right.value, left.value),
        normalised=normalised_index(right.value, left.value, float(trials.max()), float(trials.min())),
        bilateral=bilateral_asymmetry_index(right.value, left.value),
    )


def _gap(value: float) -> str:
    if round(math.degrees(value)) == 0:
        return "equal"
    return f"{number(abs(value))}° {'more' if value > 0 else 'short'}"
