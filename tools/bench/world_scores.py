"""Clinic worlds scored, for every method alike.

Every method gets the same samples; those without axes of their own also get romcap's alignment from the same
pose and movement, and are reset to the neutral pose. Methods are compared by the angle that the sensors as
mounted really saw, so soft tissue is not held against anyone. The live angle is the tracker's own over
second-long blocks; a test holds that a replay shows the same to the last bit.
"""

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from calibration.limits import zero_sigma
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.recording import Recording
from rom.angles import JointSeries, join_series, joint_angles
from rom.catalogue.movement import AngleRule
from rom.limb import LimbRecording
from rom.limb_recording import write_recording
from rom.limb_script import Stroke
from rom.reading import TrackerSetup
from rom.replay import STRETCH, Replay
from rom.review import AS_LIVE, Review, look_back
from rom.soft_tissue import soft_tissue
from rom.tracker import JointTracker
from tools.bench.estimate import LIVE, REVIEW
from tools.bench.intervals import Held, Reach, bone_sigma, coverage, held_ranges, minutes_inside
from tools.bench.peers import FILTERS, SLOW, Pair, on_grid, orientations
from tools.bench.qmt_chain import CHAIN, hinge_flexion, why_absent
from tools.bench.scoring import rms
from tools.bench.worlds import World

Result = TypeVar("Result")

SETTLED = 60.0
"""Passes in this time after the start are not scored: axes and heading are still being found, s."""


BEFORE, NEAR_TOP = 0.5, 0.1
"""Where a range's ends are read: so long before its start, and around its farthest instant, s."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far one method was off in one world with one seed; deg, deg/min, shares, microseconds.

    `rom_deg` is the RMS error of the range of single passes, `angle_deg` the RMSE of the angle once its
    median error of the first scored ten seconds is taken off, `drift_deg_min` the slope of the error.
    `held` are the shares of the 95 % intervals that hold the truth, first minute included; `minutes_inside`
    that of the minutes whose mean error since the pose lies in the mean interval (NaN for methods without
    one). `frame_us` is the processor time for each instant of two sensors; for `romcap-review` it is the
    whole second look: both sensors' orientation in both directions of time, the smoother, the angles, in
    blocks as long as those of a replay.
    """

    world: World
    seed: int
    method: str
    rom_deg: float
    angle_deg: float
    drift_deg_min: float
    frame_us: float
    held: Held = field(default_factory=Held)
    minutes_inside: float = math.nan

    def to_document(self) -> dict[str, object]:
        """Return the row for JSON."""
        return {
            "world": self.world.name,
            "minutes": self.world.minutes,
            "axis": self.world.axis,
            "grade": self.world.grade.name,
            "proximal": self.world.proximal,
            "seed": self.seed,
            "method": self.method,
            "rom_rms_deg": self.rom_deg,
            "angle_rmse_deg": self.angle_deg,
            "drift_deg_per_min": self.drift_deg_min,
            "coverage95": self.held.angle,
            "since_pose_coverage95": self.held.since_pose,
            "range_coverage95": self.held.ranges,
            "minutes_inside": self.minutes_inside,
            "us_per_frame": self.frame_us,
        }


def score_world(world: World, seed: int, *, ahrs: bool = True, qmt: bool = True) -> Iterator[Score]:
    """Yield the score of every method in one world; those that lack an input are absent.

    Parameters
    ----------
    world, seed
        The two make the limb.
    ahrs, qmt
        Whether to run the slow filters of `ahrs`, and qmt if it is there.
    """
    limb = world.limb(seed)
    setup = setup_of(limb)
    scorer = Scorer(world, seed, limb, setup)
    live, cost = _timed(lambda: _tracked(setup, limb, AS_LIVE))
    yield scorer.own(LIVE, live, cost / len(live))
    best, cost = _timed(lambda: _tracked(setup, limb, look_back(setup, limb.merged(STRETCH)), STRETCH))
    yield scorer.own(REVIEW, best, cost / len(best))
    first, second = (limb.blocks[name] for name in limb.sensors)
    pair = on_grid((first, second), world.spec.rate)
    for method in FILTERS:
        if ahrs or method not in SLOW:
            found, cost = _timed(lambda name=method: _peer(name, pair, setup, limb))
            if found is not None:
                yield scorer.score(method, pair.t, found, cost / len(pair.t))
    if qmt and why_absent() is None:
        flexion, cost = _timed(lambda: hinge_flexion(pair, _span(limb, "functional")))
        truth = np.interp(pair.t, limb.truth.t, limb.truth.angle_sensor[:, 0])
        later = pair.t > _start(limb)
        sign = float(np.sign(np.cov(flexion[later], truth[later])[0, 1]))
        yield scorer.score(CHAIN, pair.t, sign * flexion, cost / len(pair.t))


def setup_of(limb: LimbRecording) -> TrackerSetup:
    """Return how the product would track the limb once its recording is opened, calibration included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.mcap"
        write_recording(path, [limb], datetime.now(UTC))
        return Replay(Recording.open(path)).setup


def _tracked(setup: TrackerSetup, limb: LimbRecording, best: Review, seconds: float = 1.0) -> JointSeries:
    tracker = JointTracker(setup, best.heading, best.filters)
    parts = [tracker.feed(block) for block in limb.merged(seconds)]
    return join_series([part for part in (*parts, tracker.finish()) if len(part)])


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of some work and its processor time, us."""
    begun = time.process_time()
    result = work()
    return result, 1e6 * (time.process_time() - begun)


def _peer(method: str, pair: Pair, setup: TrackerSetup, limb: LimbRecording) -> FloatArray | None:
    q = orientations(method, pair)
    if q is None or setup.calibration is None:
        return None
    return _by_alignment(q, setup.calibration, setup.rule, limb, pair.t, reset=method != "vqf-9d")


def _by_alignment(
    q: FloatArray,
    calibration: JointCalibration,
    rule: AngleRule,
    limb: LimbRecording,
    t: FloatArray,
    *,
    reset: bool,
) -> FloatArray:
    """Return the primary angle from two orientations by the alignment, reset to the neutral pose if asked."""
    upper = quaternion.multiply(q[:, 0], calibration.proximal.q_sensor_from_segment)
    lower = quaternion.multiply(q[:, 1], calibration.distal.q_sensor_from_segment)
    if reset:
        at = int(np.searchsorted(t, _span(limb, "pose")[1]))
        meant = quaternion.multiply(upper[at], calibration.q_neutral)
        turn = quaternion.multiply(meant, quaternion.conjugate(lower[at]))
        heading = 2.0 * math.atan2(float(turn[3]), float(turn[0]))
        lower = quaternion.multiply(quaternion.about_vertical(heading), lower)
    relative = quaternion.multiply(quaternion.conjugate(upper), lower)
    return np.unwrap(joint_angles(rule, "left" if limb.spec.side == "left" else "right", relative)[:, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Holds one limb against which methods are scored."""

    world: World
    seed: int
    limb: LimbRecording
    setup: TrackerSetup

    def score(self, method: str, t: FloatArray, angle: FloatArray, frame_us: float) -> Score:
        """Return how far an angle (N,), rad, at times t is from what the sensors saw."""
        start = _start(self.limb) + SETTLED
        error = angle - self._seen(t)
        scored = (t >= start) & np.isfinite(error)
        rom = rmse = drift = math.nan
        if scored.any():
            zeroed = error[scored] - np.median(error[scored & (t < start + 10.0)])
            rmse = rms(quaternion.wrap(zeroed))
            drift = float(np.polyfit(t[scored], zeroed, 1)[0]) * 60.0
            rom = rms(np.array([_range_error(s, self.limb, t, angle) for s in _passes(self.limb, start)]))
        rom, rmse, drift = (math.degrees(value) for value in (rom, rmse, drift))
        return Score(self.world, self.seed, method, rom, rmse, drift, frame_us)

    def own(self, method: str, series: JointSeries, frame_us: float) -> Score:
        """Return the same for an angle that says how sure it is, and whether that is so."""
        t, angle = series.t, series.angle[:, 0]
        score = self.score(method, t, angle, frame_us)
        start, truth = _start(self.limb), self.limb.truth
        treated = (t >= start) & np.isfinite(angle)
        if not treated.any():
            return score
        bone = quaternion.wrap(angle - np.interp(t, truth.t, truth.angle[:, 0]))[treated]
        begun, ended = _span(self.limb, "pose")
        posed = (truth.t >= begun) & (truth.t <= ended)
        turned = self._seen(t) - truth.angle_sensor[posed, 0].mean()
        off = quaternion.wrap(angle - turned)[treated]
        bend = zero_sigma(self.world.spec.segments[1])
        tissue = soft_tissue(self.setup.rule, *self.world.spec.segments)
        sigma = series.sigma[treated, 0]
        own = np.sqrt(np.maximum(sigma**2 - bend**2, 0.0))
        reaches = [_reach(s, self.limb, t, angle) for s in _passes(self.limb, start)]
        held = Held(
            coverage(bone, bone_sigma(series, tissue)[treated]) or 0.0,
            coverage(off, own) or 0.0,
            held_ranges(series, reaches, lasting=self.setup.lasting),
        )
        settled = t[treated] >= start + SETTLED
        minutes = t[treated][settled] - start - SETTLED
        inside = minutes_inside(minutes, off[settled], own[settled]) if settled.any() else math.nan
        return replace(score, held=held, minutes_inside=inside)

    def _seen(self, t: FloatArray) -> FloatArray:
        """Return the angle that the sensors saw at times t, rad."""
        return np.interp(t, self.limb.truth.t, self.limb.truth.angle_sensor[:, 0])


def _reach(stroke: Stroke, limb: LimbRecording, t: FloatArray, angle: FloatArray) -> Reach:
    """Return the range of one pass: from the stillness before its start to its farthest angle."""
    inside = (t >= stroke.start) & (t <= stroke.left) & np.isfinite(angle)
    forward = 1.0 if stroke.end_angle > stroke.start_angle else -1.0
    top = t[int(np.argmax(np.where(inside, forward * angle, -np.inf)))]
    return Reach(
        (t >= stroke.start - BEFORE) & (t <= stroke.start),
        np.abs(t - top) <= NEAR_TOP,
        _range(stroke, t, angle),
        _range(stroke, limb.truth.t, limb.truth.angle_sensor[:, 0]),
    )


def _range_error(stroke: Stroke, limb: LimbRecording, t: FloatArray, angle: FloatArray) -> float:
    """Return estimated minus true range of one pass, rad: from its start to its farthest angle."""
    true = _range(stroke, limb.truth.t, limb.truth.angle_sensor[:, 0])
    return _range(stroke, t, angle) - true


def _range(stroke: Stroke, t: FloatArray, angle: FloatArray) -> float:
    first, last = (int(np.searchsorted(t, moment)) for moment in (stroke.start, stroke.left))
    forward = 1.0 if stroke.end_angle > stroke.start_angle else -1.0
    span = forward * angle[first : last + 1]
    return float(np.nanmax(span) - span[0]) if np.isfinite(span).any() else math.nan


def _passes(limb: LimbRecording, start: float) -> list[Stroke]:
    return [s for s in limb.truth.strokes if s.kind == "pass" and s.start >= start]


def _start(limb: LimbRecording) -> float:
    return next(event.t for event in limb.events if event.kind == "treatment_start")


def _span(limb: LimbRecording, step: str) -> tuple[float, float]:
    begun = next(e for e in limb.events if e.kind == "calibration_start" and e.data.get("step") == step)
    return begun.t, next(e.t for e in limb.events if e.kind == "calibration_stop" and e.t > begun.t)
