"""How far skin lets a sensor stray from the bone: an allowance from the literature, apart from sensor errors.

No sensor measures it. A row holds what was measured, on whose skin, and where it was published; where nothing
was found for a joint, the lower limb's figures stand in and say so.
"""

import math
from dataclasses import dataclass

from rom.catalogue.movement import AngleRule

_Z, _X, _Y, _ELEVATION, _PLANE = "flexion", "sideways", "axial", "elevation", "plane of elevation"
_AXES = (_Z, _X, _Y)

_MEAN_TO_SIGMA = math.sqrt(math.pi / 2.0)
"""One sigma of normal errors for each unit of their mean absolute value."""


@dataclass(frozen=True, slots=True)
class SoftTissue:
    """One sigma of what soft tissue adds to a clinical angle.

    Parameters
    ----------
    angle, range
        What it adds to any angle and to any range of motion, rad.
    share
        What it adds for each unit of the angle that is read, because skin follows the bone only in part, or
        bulges as the joint bends. Much of it is the same in all people.
    spread
        How much of that differs from one strapping, limb or person to the next.
    source
        Where the figures come from.
    """

    angle: float
    range: float
    share: float
    spread: float
    source: str

    def of_angle(self, angle: float) -> float:
        """Return one sigma of an angle that is counted from the pose, rad."""
        return math.hypot(self.angle, self.share * angle)

    def of_range(self, travel: float) -> float:
        """Return one sigma of a range, rad."""
        return math.hypot(self.range, self.share * travel)

    def of_strapping(self, angle: float) -> float:
        """Return one sigma of how differently another strapping would read an angle, rad."""
        return math.hypot(self.angle, self.spread * angle)

    def of_change(self, change: float) -> float:
        """Return one sigma of a change under the same straps, rad.

        Skin does the same in the same posture (D. L. Benoit et al., Gait & Posture 24:152, 2006, abstract:
        repeatable, though not the bone's motion), so what it adds to both tests cancels; what remains is
        that it stretches or shrinks the change itself.
        """
        return self.share * abs(change)


_LEGS = math.radians(2.2), math.radians(2.9)
"""Of an angle and of a range: 2.2 ± 1.5 and 2.9 ± 1.7 deg, which markers on the skin add to markers on the
sensors; hip, knee and ankle of 28 people walking (abstract read)."""

_LEGS_SOURCE = "Teufl 2018, Sensors 18:1980, legs in walking"
_STANDS_IN = f"{_LEGS_SOURCE}, for want of this joint"
_LEG_SEGMENTS = frozenset({"thigh", "shank", "foot"})

_HAMMING = "Hamming 2012, PMC3327809"
_CLUSTERS = "doi 10.1177/0954411919872400"


@dataclass(frozen=True, slots=True)
class _Grows:
    """An allowance that grows with the angle; the fields of `SoftTissue`."""

    share: float
    spread: float
    source: str


def _wholly(share: float, source: str) -> _Grows:
    """Return an allowance of which nothing tells how much is the same in all people."""
    return _Grows(share, share, source)


def _lost(*shares: float) -> float:
    """Return what is missing for each unit that is read, root mean square, if such shares are lost."""
    return math.sqrt(sum((share / (1.0 - share)) ** 2 for share in shares) / len(shares))


_GROWS = {
    # Cuff against bone pins, 19 people: 0 to 4 deg on average over the elevation, 0 to 2 deg of its plane
    # (abstract read); that the largest belong to 120 and 90 deg is to verify.
    ("thorax", "upperarm", _ELEVATION): _wholly(4.0 * _MEAN_TO_SIGMA / 120.0, f"{_HAMMING} (to verify)"),
    ("thorax", "upperarm", _PLANE): _wholly(2.0 * _MEAN_TO_SIGMA / 90.0, f"{_HAMMING} (to verify)"),
    # Upper-arm cluster against one on the ulna: 0.64 ± 0.10, 0.74 ± 0.05 and 0.73 ± 0.04 of the turn
    # ("Humeral axial rotation measurement through a proximal ulna marker cluster", abstract read, authors
    # and year to verify). Bone pins: up to 30 deg on average at the ends of the turn (Hamming 2012).
    ("thorax", "upperarm", _Y): _Grows(
        _lost(0.36, 0.26, 0.27), 0.10 / 0.64, f"proximal-ulna cluster study (to verify); {_HAMMING}"
    ),
    # Clusters read 5.3 to 9.1 % more flexion and 14.9 to 43.2 % less turning of the forearm than markers on
    # landmarks, 12 people (abstract read); less is lost nearer to the wrist. Spread: half of the span.
    ("upperarm", "forearm", _Z): _Grows(
        math.sqrt((0.053**2 + 0.091**2) / 2.0), 0.5 * (0.091 - 0.053), _CLUSTERS
    ),
    ("upperarm", "forearm", _Y): _Grows(_lost(0.149, 0.432), 0.5 * (_lost(0.432) - _lost(0.149)), _CLUSTERS),
    # Goniometer on the skin against optical markers, 6 people: 7.2 deg on average in flexion and extension,
    # below 1 deg on a mechanical wrist (abstract read); that they belong to 130 deg is to verify.
    ("forearm", "hand", _Z): _wholly(7.2 / 130.0, "PMC7058510 (to verify)"),
}
"""What grows with the angle, by segments and axis, beside the constant allowance."""

_CONSTANT = {
    # Squats and jumps, 28 people: hip flexion errs by 4.9 to 8.3 deg RMS against markers on landmarks, below
    # 3 deg of it technical (abstract read); that the range errs as much is to verify.
    ("pelvis", "thigh", _Z): (
        math.radians(5.9),
        math.radians(5.9),
        "Teufl 2019, PLOS ONE 14:e0213064 (range: to verify)",
    ),
    # Thigh cluster against fluoroscopy, about 10 deg (algorithm reference 3, abstract of 2021); that it is
    # the turn about the thigh's length is to verify.
    ("pelvis", "thigh", _Y): (
        math.radians(10.0),
        math.radians(10.0),
        "fluoroscopy 2021 in the algorithm reference (to verify)",
    ),
}
"""The constant allowance where it is not that of the legs as a whole: of an angle, of a range, source."""


def soft_tissue(rule: AngleRule, proximal: str, distal: str) -> SoftTissue:
    """Return the allowance for the primary angle of a movement.

    Parameters
    ----------
    rule
        How the angle is read.
    proximal, distal
        Segments, with or without their side.
    """
    upper, lower = (name.removeprefix("left_").removeprefix("right_") for name in (proximal, distal))
    named = {"elevation": _ELEVATION, "plane_of_elevation": _PLANE, "inclination": ""}
    place = upper, lower, named.get(rule.kind, _AXES[rule.component])
    legs = _LEGS_SOURCE if lower in _LEG_SEGMENTS else _STANDS_IN
    angle, span, source = _CONSTANT.get(place, (*_LEGS, legs))
    grows = _GROWS.get(place)
    if grows is None:
        return SoftTissue(angle, span, 0.0, 0.0, source)
    return SoftTissue(angle, span, grows.share, grows.spread, f"{grows.source}; {source}")
