"""What a method makes of two sensors on a joint: romcap live and afterwards, and its peers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from calibration.gather import rate_of
from calibration.heading import HeadingEstimator
from calibration.heading_series import AxisShift, Heading, unmoved
from calibration.segment import JointCalibration
from calibration.smoother import smooth
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.sync import Frames
from rom.angles import JointSeries
from rom.catalogue.movement import AngleRule
from rom.reading import TrackedSensor, TrackerSetup, reader
from rom.review import in_hindsight
from rom.sensor_error import Lasting
from tools.bench.optical import Joint, Trial
from tools.bench.peers import FILTERS, SLOW, at_instants, filtered, known, on_grid
from tools.bench.qmt_chain import CHAIN, GRID, joint, why_absent

LIVE, REVIEW, TOLD = "romcap-live", "romcap-review", "romcap-told"
OWN = (LIVE, REVIEW)
ROMCAP = (*OWN, TOLD)
METHODS = (*ROMCAP, *FILTERS, CHAIN)

TOLD_SIGMA = math.radians(5.0)
"""One sigma of a heading that romcap is told, rad: the step of the circle on which it finds one itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a method makes of two sensors, at the frames.

    Parameters
    ----------
    first, second : (M, 4)
        `q_earth_from_sensor`, proximal and distal; in one earth frame unless `adrift`.
    claimed : (M,)
        Where the method claims to know them.
    adrift
        Whether their relative heading is arbitrary by construction.
    heading
        romcap's own relative heading with its covariance; None for peers, who state no uncertainty.
    frames
        What that heading belongs to.
    """

    first: FloatArray
    second: FloatArray
    claimed: BoolArray
    adrift: bool
    heading: Heading | None = None
    frames: Frames | None = None

    def joint(self, delta: FloatArray | float = 0.0) -> FloatArray:
        """Return the distal sensor in the proximal one after a turn of its earth frame, (M, 4)."""
        turned = quaternion.multiply(quaternion.about_vertical(delta), self.second)
        return quaternion.multiply(quaternion.conjugate(self.first), turned)


def estimates(
    trial: Trial, each: Joint, calibration: JointCalibration | None, frames: Frames, *, ahrs: bool, qmt: bool
) -> dict[str, Estimate]:
    """Return what every method makes of a joint in a trial; those that lack an input are absent.

    Parameters
    ----------
    trial, each
        The trial and one of its joints.
    calibration
        What pose and functional movements gave, for every method alike; None if there were none.
    frames
        Both sensors at common instants, by romcap's own orientation filter as it is live.
    ahrs, qmt
        Whether to run the slow filters of `ahrs`, and qmt if it is there.
    """
    ends = (each.parent, each.parent), (each.child, each.child)
    joint_known = calibration or JointCalibration.uncalibrated(each.name, each.freedom, *ends)
    whole = _in_hindsight(trial, each, calibration)
    found = {
        LIVE: own(frames, HeadingEstimator(joint_known, trial.rate).feed(frames)),
        REVIEW: own(whole, smooth(joint_known, whole, trial.rate)),
    }
    for method in FILTERS:
        if ahrs or method not in SLOW:
            sensors = [filtered(method, trial.blocks[s], trial.rate) for s in (each.parent, each.child)]
            first, second = (None if q is None else at_instants(q, trial.t, frames.t) for q in sensors)
            if first is not None and second is not None:
                found[method] = Estimate(first, second, known(first, second), adrift=method != "vqf-9d")
    if qmt and why_absent() is None:
        chain = _chain(trial, each, calibration, frames)
        if chain is not None:
            found[CHAIN] = chain
    return found


def adrift(frames: Frames) -> Estimate:
    """Return both sensors of frames as they are, each in its own earth frame."""
    return Estimate(frames.q[:, 0], frames.q[:, 1], known(frames.q[:, 0], frames.q[:, 1]), adrift=True)


def told(joint: JointCalibration, frames: Frames, rate: float, heading: float) -> Estimate:
    """Return what romcap makes of frames live if somebody tells it the heading, rad, at the first one."""
    estimator = HeadingEstimator(joint, rate)
    first = quaternion.about_vertical(heading)
    estimator.start_from(HeadingEstimator(joint, rate), first, TOLD_SIGMA, math.inf)
    return own(frames, estimator.feed(frames))


def of_sensors(estimate: Estimate, joint: JointCalibration) -> Estimate:
    """Return how the sensors themselves lie: without what was learnt of the axes in their segments."""
    heading, frames = estimate.heading, estimate.frames
    if heading is None or frames is None:
        return estimate
    moved = AxisShift(joint).moved(heading.axes)[:, 1]
    if np.isnan(moved).any():
        return estimate
    mounting, lower = joint.distal.q_sensor_from_segment, frames.q[:, 1]
    seen = quaternion.multiply(quaternion.multiply(lower, mounting), moved)
    carried = quaternion.multiply(seen, quaternion.conjugate(quaternion.multiply(lower, mounting)))
    turn = quaternion.multiply(heading.q_earth1_from_shown, heading.q_earth1_from_earth2)
    turn = quaternion.multiply(turn, quaternion.conjugate(carried))
    nothing = unmoved(len(frames))
    return own(frames, replace(heading, q_earth1_from_earth2=turn, q_earth1_from_shown=nothing))


def stated(
    rule: AngleRule, calibration: JointCalibration, frames: Frames, heading: Heading, rate: float
) -> tuple[JointSeries, Lasting]:
    """Return what the product itself reads off frames and a heading, and what errs alike at a range's ends.

    The proximal segment's turn is left out: it is not known.
    """
    distal, proximal = (TrackedSensor(end.sensor, rate) for end in (calibration.distal, calibration.proximal))
    setup = TrackerSetup(rule, "right", distal, proximal, calibration)
    errors, flags, segments = reader(setup, _Given(heading)).read(frames)
    unknown = np.full(len(frames), np.nan)
    parts = errors.strap_sigma, errors.heading_sigma, segments
    return JointSeries(frames.t, errors.angle, errors.sigma, flags, unknown, *parts), setup.lasting


def turned(heading: Heading, delta: float) -> Heading:
    """Return a heading with a constant added."""
    turn = quaternion.multiply(quaternion.about_vertical(delta), heading.q_earth1_from_earth2)
    return replace(heading, q_earth1_from_earth2=turn)


def own(frames: Frames, heading: Heading) -> Estimate:
    """Return what romcap makes of two sensors, its best guess where it claims nothing."""
    second = quaternion.multiply(heading.q_earth1_from_earth2, frames.q[:, 1])
    claimed = np.isfinite(heading.delta) & known(frames.q[:, 0], second)
    return Estimate(frames.q[:, 0], second, claimed, adrift=False, heading=heading, frames=frames)


def _in_hindsight(trial: Trial, each: Joint, calibration: JointCalibration | None) -> Frames:
    """Return both sensors at common instants as the product's best estimate has them."""
    blocks, noise = trial.blocks, trial.noise()
    proximal, distal = (
        TrackedSensor(name, rate_of(blocks[name]), noise.get(name)) for name in (each.parent, each.child)
    )
    setup = TrackerSetup(AngleRule("elevation", 0, 1, 1), "right", distal, proximal, calibration)
    return in_hindsight(setup, blocks.values())[1]


def _chain(
    trial: Trial, each: Joint, calibration: JointCalibration | None, frames: Frames
) -> Estimate | None:
    rate = GRID * max(1, round(trial.rate / GRID))
    pair = on_grid((trial.blocks[each.parent], trial.blocks[each.child]), rate)
    found = joint(pair, each.freedom, calibration)
    if found is None:
        return None
    first, second = (at_instants(q, pair.t, frames.t) for q in found)
    return Estimate(first, second, known(first, second), adrift=False)


class _Given:
    """A heading that is already there, handed to the reader of angles."""

    def __init__(self, heading: Heading) -> None:
        self._heading = heading

    def feed(self, frames: Frames) -> Heading:
        del frames
        return self._heading

    def save(self) -> dict[str, Any]:
        raise NotImplementedError("a finished heading is read in one go")

    def restore(self, state: Mapping[str, Any]) -> None:
        raise NotImplementedError("a finished heading is read in one go")
