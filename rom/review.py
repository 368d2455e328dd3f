"""The best estimate of a whole recording, through the very chain that made the live one.

Only its two sources are others: the orientation of each sensor and the relative heading of both, every
instant in the light of all others instead of those before.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from calibration.expected import heading_params
from calibration.gather import together
from calibration.heading_series import Heading
from calibration.smoother import smooth
from calibration.wearing import learn
from imu.block import ImuBlock, join
from imu.errors import InputError
from imu.fusion import OrientationFilter, hindsight
from imu.gaps import Orientation, stretches
from imu.sync import Frames
from rom.reading import HeadingSource, TrackedSensor, TrackerSetup
from rom.trusted import TrustedSamples


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """What a recording as a whole tells a `JointTracker` that goes over it once more.

    Parameters
    ----------
    filters
        Orientation of each sensor; none for the live ones.
    heading
        Relative heading; None for the live one, and without two calibrated sensors, which have none.
    """

    filters: Mapping[str, OrientationFilter]
    heading: HeadingSource | None


AS_LIVE = Review({}, None)
"""Nothing from hindsight: angles as they were seen live."""


def look_back(setup: TrackerSetup, blocks: Iterable[ImuBlock]) -> Review:
    """Return the best estimate of a recording's orientations and heading, for a second pass over it.

    Parameters
    ----------
    setup
        How it is tracked.
    blocks
        All blocks of the recording, in time order. Samples, frames and the smoother's tape are held in
        memory, about 400 MB for half an hour of two sensors at 120 Hz.
    """
    found, frames = in_hindsight(setup, blocks)
    filters = {sensor: _FinishedOrientation(each) for sensor, each in found.items()}
    calibration = setup.calibration
    if calibration is None or setup.proximal is None or setup.rule.kind == "inclination" or not len(frames):
        return Review(filters, None)
    heading = smooth(calibration, frames, setup.output_rate, params=heading_params(setup.expected))
    return Review(filters, _FinishedHeading(heading))


def in_hindsight(setup: TrackerSetup, blocks: Iterable[ImuBlock]) -> tuple[dict[str, Orientation], Frames]:
    """Return the orientation of each sensor, and all of them at common instants from when they were worn.

    Parameters are those of `look_back`. Raises `InputError` if a sensor has no samples.
    """
    samples = TrustedSamples(setup.sensors)
    kept: dict[str, list[ImuBlock]] = {each.sensor: [] for each in setup.sensors}
    for block in blocks:
        if block.sensor in kept and len(block):
            kept[block.sensor].append(samples.feed(block))
    whole = {
        each.sensor: _as_worn(setup, each, _whole(each.sensor, kept.pop(each.sensor)))
        for each in setup.sensors
    }
    name, magnetometer = setup.filter_name, setup.magnetometer
    found = {
        each.sensor: hindsight(name, whole[each.sensor], each.rate, each.noise, magnetometer)
        for each in setup.sensors
    }
    filters = {sensor: _FinishedOrientation(each) for sensor, each in found.items()}
    rates = {each.sensor: each.rate for each in setup.sensors}
    frames = together(whole, filters, rates, setup.output_rate)
    return found, frames[int(np.searchsorted(frames.t, setup.worn_from)) :]


def _as_worn(setup: TrackerSetup, sensor: TrackedSensor, block: ImuBlock) -> ImuBlock:
    """Return all samples of a sensor without what wearing it has shown to be its errors.

    How it sits on its segment was found with them: its signals are turned so that it saw the pose's vertical
    where it did. A filter without an offline form stays a second opinion on the samples as they came.
    """
    if setup.filter_name != "vqf":
        return block
    known, joint = sensor.calibration, setup.calibration
    up = None if joint is None else joint.up_in(sensor.sensor)
    fitted = known is not None and math.isfinite(known.residual)
    parts = [(part.gyr, part.acc) for part in stretches(replace(block, mag=None), sensor.rate)[0]]
    return learn(parts, sensor.rate, fitted=fitted).apply(block, up)


def _whole(sensor: str, parts: list[ImuBlock]) -> ImuBlock:
    """Return all samples of a sensor as one block; its magnetic field NaN where a part has none."""
    if not parts:
        raise InputError(f"sensor {sensor} has no samples; record again")
    if any(part.mag is not None for part in parts):
        parts = [p if p.mag is not None else replace(p, mag=np.full_like(p.acc, np.nan)) for p in parts]
    return join(parts)


class _FinishedOrientation:
    """Hands out a finished orientation, in the order of the samples it was made from."""

    def __init__(self, orientation: Orientation) -> None:
        self._orientation, self._next = orientation, 0

    def feed(self, block: ImuBlock) -> Orientation:
        rows = slice(self._next, self._next + len(block))
        self._next += len(block)
        return self._orientation[rows]

    def save(self) -> dict[str, Any]:
        return {"next": self._next}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])


class _FinishedHeading:
    """Hands out a finished heading, in the order of the frames it was made from."""

    def __init__(self, heading: Heading) -> None:
        self._heading, self._next = heading, 0

    def feed(self, frames: Frames) -> Heading:
        rows = slice(self._next, self._next + len(frames))
        self._next += len(frames)
        return Heading(**{each.name: getattr(self._heading, each.name)[rows] for each in fields(Heading)})

    def save(self) -> dict[str, Any]:
        return {"next": self._next}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._next = int(state["next"])
