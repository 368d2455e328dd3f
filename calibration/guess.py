"""What a posture and two magnetometers say of the relative heading before any movement does.

Joint limits rule headings out, the worst posture once; the magnetometers speak as a pair. Both weigh the
circle of `calibration.acquire`. While no heading is sure enough to be followed, a guess is held: two plain
6-axis orientations a constant turn apart, which changes only when the evidence moves it.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.acquire import best
from calibration.limits import Overreach
from calibration.magnetic import MEMORY, FieldLook, Looks, looks
from calibration.relative_state import NOTED, RelativeState
from calibration.returns import look_at_heading
from calibration.rotation import heading_of
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames

AS_LIKELY = math.exp(-0.5)
"""A guess is kept while it is so likely against the likeliest: one sigma. A plain constant heading is better
than one that wanders with the evidence."""


def begin_beside(fields: Looks | None, state: RelativeState, dt: float) -> None:
    """Let what a pair of magnetometers says of a recording's beginning speak of the heading begun with there.

    Where a heading is found, the pair has its part in it; one that is begun with has not, and whoever starts
    from it without this forgets what the pair said. It is one look, however long it lasts, and looks a minute
    away no longer belong to the beginning.

    Parameters
    ----------
    fields
        Looks of the recording, each `dt` seconds after the one before; None of none.
    state
        At its beginning.
    """
    if fields is None:
        return
    pair, backwards = FieldLook(), slice(round(5.0 * MEMORY / dt), None, -1)
    pair.take(fields.heading[backwards], fields.sigma[backwards], dt)
    said = pair.against(heading_of(state.values))
    if said is not None:
        look_at_heading(state, *said, np.zeros((0, NOTED)))


class Guess:
    """The likeliest heading from standing evidence, and the one that is held.

    Parameters
    ----------
    joint
        Alignments, magnetometers and limits.
    pair
        Which sensors of the frames.
    """

    def __init__(self, joint: JointCalibration, pair: tuple[int, int]) -> None:
        self._joint, self._pair = joint, list(pair)
        self._field, self._beyond = FieldLook(), Overreach(joint)
        self._begun = False
        self.heading = 0.0

    @property
    def has_limits(self) -> bool:
        """Whether the joint's limits tell anything."""
        return self._beyond.known

    def begin(self, frames: Frames, dt: float) -> None:
        """Guess from the first frame alone, for what is shown until the first stretch of dt s is over."""
        if self._begun or not len(frames):
            return
        self._begun = True
        self.take_field(self.fields(frames, np.zeros(1, np.intp)), 0, 1, dt)
        both = frames.q[0, self._pair]
        if self.has_limits and bool(np.isfinite(both).all()):
            ends = self._joint.proximal, self._joint.distal
            upper, lower = (
                quaternion.multiply(q, end.q_sensor_from_segment) for q, end in zip(both, ends, strict=True)
            )
            self.take_posture(upper, lower, dt)
        self.settle(self.weighed(np.ones(self._beyond.table.size)))

    def hold(self, heading: float) -> None:
        """Hold a heading that was found otherwise."""
        self._begun, self.heading = True, heading

    def fields(self, frames: Frames, at: NDArray[np.intp]) -> Looks | None:
        """Return what the pair of magnetometers says at some of the frames; None if nothing."""
        mag = None if frames.mag is None else frames.mag[at]
        if mag is None or bool(np.isnan(mag).all()):
            return None
        q, mag = frames.q[at][:, self._pair], mag[:, self._pair]
        return looks(q, mag, (self._joint.proximal.magnetometer, self._joint.distal.magnetometer))

    def take_field(self, seen: Looks | None, start: int, stop: int, dt: float) -> None:
        """Take the looks of the pair from `start` to `stop`, if any, each dt seconds after the last."""
        if seen is None:
            self._field.wait(stop - start, dt)
            return
        self._field.take(seen.heading[start:stop], seen.sigma[start:stop], dt)

    def take_posture(self, upper: FloatArray, lower: FloatArray, dt: float) -> None:
        """Take both segments (4,), each in its sensor's own earth frame, dt seconds after the last time."""
        self._beyond.take(upper, lower, dt)

    def weighed(self, weight: FloatArray) -> FloatArray:
        """Return likelihoods (G,) of headings around the circle in the light of limits and magnetometers."""
        return self._field.weighed(weight * self._beyond.likelihood())

    def settle(self, weight: FloatArray) -> None:
        """Take the likeliest heading as the new guess, unless the old one is about as likely."""
        at, delta, _ = best(weight)
        kept = weight[round(self.heading / (2.0 * math.pi / weight.size)) % weight.size]
        if kept <= AS_LIKELY * weight[at]:
            self.heading = delta

    def turn(self) -> FloatArray:
        """Return the turn (4,) that is held."""
        return quaternion.about_vertical(self.heading)

    def save(self) -> dict[str, Any]:
        """Return the memory, JSON-serialisable."""
        memory = {"field": self._field.save(), "beyond": self._beyond.save()}
        return memory | {"begun": self._begun, "heading": self.heading}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the memory of `save`."""
        self._field.restore(state["field"])
        self._beyond.restore(state["beyond"])
        self._begun, self.heading = bool(state["begun"]), float(state["heading"])
