"""Straps that slipped, sensors that were exchanged or strapped on anew: told from the axes of strokes.

Whatever a person does with a joint, both segments see the axis of the turn; a sensor that has moved on its
limb sees it elsewhere than before while the other one does not. A slip about the joint's own axis looks
like the joint's own turn to every sensor there is, and is not seen. Nor is one of the proximal sensor of a
joint with three axes, where no law holds the relative heading from stroke to stroke.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from calibration.pose import SWAPPED
from calibration.segment import JointCalibration
from imu.block import FloatArray
from rom.alert import Alert, place
from rom.strokes import LEAST_TURN, Stroke

REMEMBERED = 8
"""Strokes that make the axis to compare with: four there and back, under a minute of reps."""
LEAST_REMEMBERED = 3

SLIP_FLOOR = math.radians(4.0)
"""Smallest slip that is told, rad: skin and non-hinge motion turn the axis of one stroke by about 1.2 deg
(one sigma in each of two directions, simulated clinic), the difference of two strokes to six by 0.9, of
which 4 deg is 4.5 sigma. It moves an end angle by 4 deg at most, the MDC95 of a knee on kept straps."""

OTHER_TASK = 2.0
"""How many times as far a slip must be between the calibration's movement and the test: skin shifts with the
range that is moved through, by 2 to 3 deg (algorithm reference 3)."""

SLIP_SPREADS = 4.5
"""The same in the spreads of this person's own strokes, where they are larger."""

ALONE = 0.5
"""The other sensor's view of the axis moved less than this share: else the person moves differently."""

SAME_MOVEMENT = math.radians(45.0)
"""Axes farther apart than this, seen by both sensors, are another movement, rad."""

LAG = 4
"""The proximal sensor's view is taken with the relative heading of so many strokes ago: after a slip the
heading follows the strap, within half a minute, and would hide it; the sensors' own frames drift less."""

FOUND_ANEW = math.radians(6.0)
"""Relative heading that changes by this from stroke to stroke was found anew, rad; it follows a slip of 10
deg by 2 to 3 deg a stroke (simulated clinic)."""

SAME_POSTURE = math.radians(30.0)
"""A proximal segment that has come to lie otherwise by this, rad: skin hangs differently, and an error of the
heading turns the axis another way."""

HEADING_KNOWN = math.radians(20.0)
"""The proximal sensor's view needs the relative heading, to this sigma, rad: a constant error turns every
axis alike, and only changes of the axis count."""

AZIMUTH_KNOWN = math.radians(5.0)
"""A calibrated proximal axis of a joint of two can be compared with, to this sigma about its segment, rad."""

REMOUNTED = math.radians(20.0)
"""Axis of the movement against that of the calibration, rad: 3 to 7 deg between functional and anatomical
axes and up to 10 deg of skin over a large movement (`calibration.alignment`, algorithm reference 3)."""


SAME_SHARE = 0.25
"""Share of the proximal segment in the turn that may change: a half squat is another movement than a kick."""


class _Seen(NamedTuple):
    """A stroke as it is remembered: axes (2, 3), its end, s, if both are sure, if it was part of a test."""

    axes: FloatArray
    stop: float
    sure: bool
    measured: bool


class StrapWatch:
    """Judge the strokes of a joint.

    Parameters
    ----------
    calibration
        Of the joint.
    component
        Axis of the movement in the segment frames: 0 Z, 1 X, 2 Y, as in `AngleRule`.
    """

    def __init__(self, calibration: JointCalibration, component: int) -> None:
        self._ends = (calibration.proximal, calibration.distal)
        self._laws = _laws(calibration, component)
        self._held = calibration.freedom in (1, 2)
        self._seen: list[_Seen] = []
        self._headings: list[float] = []
        self._up = np.zeros(3)
        self._share = 0.0
        self._wrong_way = 0
        self._off: list[float] = []
        self._told: list[str] = []

    def judge(self, stroke: Stroke, *, measured: bool) -> list[Alert]:
        """Take the next stroke, and whether a test or a treatment was going on; return what it shows."""
        swapped = self._swapped(stroke, measured=measured)
        if swapped or stroke.turn < LEAST_TURN:
            return swapped
        if self._headings and self._anew(stroke):
            self._headings = []
            self._forget(0)
        self._up, self._share = stroke.up, _share(stroke)
        self._headings = [*self._headings[-LAG:], stroke.heading]
        axes = stroke.seen_with(self._headings[0])
        if self._seen and float((axes[1] * self._seen[-1].axes[1]).sum()) < 0.0:
            axes = -axes
        self._seen.append(_Seen(axes, stroke.stop, stroke.heading_sigma < HEADING_KNOWN, measured))
        slipped = self._slipped(stroke)
        return slipped + (self._remounted(stroke) if measured else [])

    def _anew(self, stroke: Stroke) -> bool:
        """Return whether a stroke cannot be compared with those before."""
        found = abs(math.remainder(stroke.heading - self._headings[-1], math.tau)) > FOUND_ANEW
        leans = float((stroke.up * self._up).sum()) < math.cos(SAME_POSTURE)
        return found or leans or abs(_share(stroke) - self._share) > SAME_SHARE

    def _swapped(self, stroke: Stroke, *, measured: bool) -> list[Alert]:
        """Tell of two strokes in which the proximal segment turned: in every test the distal one does."""
        upper, lower = stroke.own_turns
        self._wrong_way = self._wrong_way + 1 if measured and upper > SWAPPED * max(lower, 1e-9) else 0
        if self._wrong_way < 2 or "swapped" in self._told:
            return []
        self._told.append("swapped")
        proximal, distal = self._ends
        return [
            Alert(
                "swapped",
                "warning",
                stroke.stop,
                0.0,
                math.inf,
                proximal.sensor,
                proximal.segment,
                f"{place(proximal.segment)} sensor turned {math.degrees(upper):.0f}° and "
                f"{place(distal.segment).lower()} sensor {math.degrees(lower):.0f}°",
                "They look exchanged, so the angle is not the joint's",
                "Exchange them or check which limb they are on, then calibrate again",
                upper / max(lower, math.radians(1.0)),
            )
        ]

    def _slipped(self, stroke: Stroke) -> list[Alert]:
        """Compare the last two strokes with those before."""
        if len(self._seen) < LEAST_REMEMBERED + 2:
            return []
        every = np.stack([seen.axes for seen in self._seen])
        before, after = every[:-2], every[-2:]
        reference = before.sum(axis=0)
        reference /= np.sqrt((reference * reference).sum(axis=1, keepdims=True))
        spread = np.sqrt((_apart(before, reference) ** 2).sum(axis=0) / (2.0 * len(before) - 2.0))
        latest = after.sum(axis=0)
        latest /= np.sqrt((latest * latest).sum(axis=1, keepdims=True))
        shift = _apart(latest[None], reference)[0]
        each = _apart(after, reference).min(axis=0)
        tasks = {seen.measured for seen in self._seen}
        floor = SLIP_FLOOR * (OTHER_TASK if len(tasks) > 1 else 1.0)
        least = np.maximum(floor, SLIP_SPREADS * spread * math.sqrt(0.5 + 1.0 / len(before)))
        if shift.min() > SAME_MOVEMENT:
            self._forget(2)
            return []
        moved = int(np.argmax(shift))
        far = bool(shift[moved] > least[moved] and each[moved] > 0.6 * shift[moved])
        sure = moved == 1 or (self._held and all(seen.sure for seen in self._seen))
        if not (far and sure and shift[1 - moved] < ALONE * shift[moved]):
            self._forget(REMEMBERED + 1)
            return []
        touched = (_apart(before, reference) > ALONE * shift[moved]).any(axis=1).tolist()
        last = max(k for k in range(len(before)) if k < 2 or not touched[k])
        end, since, size = self._ends[moved], self._seen[last].stop, float(shift[moved])
        self._forget(2)
        self._off = []
        return [
            Alert(
                "slipped",
                "warning",
                stroke.stop,
                since,
                math.inf,
                end.sensor,
                end.segment,
                f"{place(end.segment)} sensor moved {math.degrees(size):.0f}° on the limb after {{since}}",
                "Reps before that stand",
                "Tighten the strap and calibrate again (8 s)",
                size,
            )
        ]

    def _remounted(self, stroke: Stroke) -> list[Alert]:
        """Compare the stroke's axis with those of the calibration."""
        if not self._laws or self._told:
            return []
        cosines = [abs(float((stroke.axes[which] * axis).sum())) for which, axis in self._laws]
        self._off = [*self._off[-2:], math.acos(min(max(cosines), 1.0))]
        if len(self._off) < LEAST_REMEMBERED or min(self._off) < REMOUNTED:
            return []
        self._told.append("remounted")
        end, size = self._ends[self._laws[0][0]], sorted(self._off)[1]
        return [
            Alert(
                "remounted",
                "warning",
                stroke.stop,
                0.0,
                math.inf,
                end.sensor,
                end.segment,
                f"{place(end.segment)} sensor sees the movement {math.degrees(size):.0f}° off the "
                "calibrated axis",
                "It was strapped on anew, exchanged or put on the other limb since the calibration, or "
                "another movement is done",
                "Calibrate again as it sits now",
                size,
            )
        ]

    def _forget(self, kept: int) -> None:
        self._seen = self._seen[max(len(self._seen) - kept, 0) :]

    def save(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "seen": [[seen.axes.tolist(), *seen[1:]] for seen in self._seen],
            "share": self._share,
            "headings": list(self._headings),
            "up": self._up.tolist(),
            "wrong_way": self._wrong_way,
            "off": list(self._off),
            "told": list(self._told),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self._seen = [
            _Seen(np.array(axes, dtype=np.float64), float(stop), bool(sure), bool(measured))
            for axes, stop, sure, measured in state["seen"]
        ]
        self._share = float(state["share"])
        self._headings = [float(heading) for heading in state["headings"]]
        self._up = np.array(state["up"], dtype=np.float64)
        self._wrong_way = int(state["wrong_way"])
        self._off = [float(angle) for angle in state["off"]]
        self._told = [str(kind) for kind in state["told"]]


def _share(stroke: Stroke) -> float:
    """Return how much of the joint's turn the proximal segment did."""
    return stroke.own_turns[0] / stroke.turn


def _laws(calibration: JointCalibration, component: int) -> list[tuple[int, FloatArray]]:
    """Return which sensors see an axis of the joint stand still, and where the calibration saw it.

    A hinge keeps its axis in both segments, of which the distal one needs no heading to see it. Of two axes
    flexion stays with the proximal segment, the other with the distal one, and a stroke may be about
    either: that of the movement comes first; with an open azimuth neither can be compared. Three axes have
    none.
    """
    if calibration.freedom == 2 and calibration.azimuth_sigma > AZIMUTH_KNOWN:
        return []
    axes = (calibration.axis_proximal, calibration.axis_distal)
    order = {1: (1,), 2: (0, 1) if component == 0 else (1, 0)}.get(calibration.freedom, ())
    return [(which, axes[which]) for which in order if not bool(np.isnan(axes[which]).any())]


def _apart(axes: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the angles (n, 2) between axes (n, 2, 3) and their reference (2, 3), rad."""
    chord = np.sqrt(((axes - reference) ** 2).sum(axis=2))
    return 2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0))
