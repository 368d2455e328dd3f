"""The best estimate of a whole recording, through the very chain that made the live one.

Only the relative heading is another: every instant in the light of all others instead of those before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from calibration.gather import join_frames
from calibration.heading_series import Heading, blank
from calibration.smoother import smooth
from imu.block import ImuBlock
from imu.sync import Frames
from rom.reading import HeadingSource, TrackerSetup
from rom.tracker import JointTracker


def best_heading(setup: TrackerSetup, blocks: Iterable[ImuBlock]) -> HeadingSource | None:
    """Return the smoothed relative heading of a recording as a source for a second pass over it.

    Parameters
    ----------
    setup
        How it is tracked. Without two calibrated sensors there is no relative heading to estimate, and the
        answer is None: the live reading is then the best one.
    blocks
        All blocks of the recording, in time order. The frames of the whole recording are held in memory,
        about 17 MB for ten minutes of two sensors at 120 Hz.
    """
    if setup.calibration is None or setup.proximal is None or setup.rule.kind == "inclination":
        return None
    tape = _Tape()
    tracker = JointTracker(setup, tape)
    for block in blocks:
        tracker.feed(block)
    tracker.finish()
    frames = [part for part in tape.frames if len(part)]
    if not frames:
        return None
    return _Finished(smooth(setup.calibration, join_frames(frames), setup.output_rate))


class _Tape:
    """Keeps the frames that pass by."""

    def __init__(self) -> None:
        self.frames: list[Frames] = []

    def feed(self, frames: Frames) -> Heading:
        self.frames.append(frames)
        return blank(len(frames))

    def save(self) -> dict[str, Any]:
        raise NotImplementedError("a tape is read in one go")

    def restore(self, state: Mapping[str, Any]) -> None:
        raise NotImplementedError("a tape is read in one go")


class _Finished:
    """Hands out a finished estimate, in the order of the frames it was made from."""

    def __init__(self, heading: Heading) -> None:
        self._heading, self._next = heading, 0

    def feed(self, frames: Frames) -> Heading:
        rows = slice(self._next, self._next + len(frames))
        self._next += len(frames)
        return Heading(
            **{each.name: np.copy(getattr(self._heading, each.name)[rows]) for each in fields(Heading)}
        )

    def save(self) -> dict[str, Any]:
        return {"next": self._next}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])
