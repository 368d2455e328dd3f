"""Clinic worlds: slow passes on imagined limbs, where the truth is known, scored for every method alike.

Every method gets the same samples; those without axes of their own also get romcap's alignment from the same
pose and movement, and are reset to the neutral pose. The truth is the angle that the sensors as mounted
really saw, so soft tissue is not held against anyone.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from imu.recording import Recording
from imu.virtual import CONSUMER, MID, RESEARCH, SensorGrade
from rom.angles import join_series, joint_angles
from rom.catalogue.movement import AngleRule
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Stroke, TableRest, TakePosition
from rom.limb_world import LimbSpec
from rom.replay import Estimator, Replay
from tools.bench.peers import CHAIN, FILTERS, has_qmt, hinge_chain, on_grid, orientations

INCLINATIONS = {"horizontal": 90.0, "oblique": 45.0, "near-vertical": 15.0, "vertical": 0.0}
GRADES: tuple[SensorGrade, ...] = (CONSUMER, MID, RESEARCH)
SETTLED = 60.0
"""Passes in this time after the start are not scored: axes and heading are still being found, s."""

SECONDS_A_PASS = 12.2
"""Mean duration of a pass with its hold, way back and rest in `rom.limb_script.Passes`, s."""

OWN: dict[str, Estimator] = {"romcap-live": "live", "romcap-review": "best"}

_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class World:
    """One kind of imagined treatment."""

    minutes: float
    axis: str
    grade: SensorGrade
    still: bool

    @property
    def name(self) -> str:
        """Return the world in words."""
        proximal = "still" if self.still else "moving"
        return f"{self.minutes:g} min, axis {self.axis}, {self.grade.name}, {proximal} proximal"

    @property
    def spec(self) -> LimbSpec:
        """Return the limb: table, pose, half squats, the position of the test, passes to the end."""
        spec = LimbSpec(
            (
                TableRest(),
                Neutral(),
                Functional(proximal_share=0.0 if self.still else 0.5),
                TakePosition(),
                Passes(
                    round(self.minutes * 60.0 / SECONDS_A_PASS),
                    start=math.radians(100.0),
                    end=math.radians(5.0),
                ),
            ),
            inclination=math.radians(INCLINATIONS[self.axis]),
            grade=self.grade,
            disturbance=math.radians(12.0),
        )
        return replace(spec, sway=None) if self.still else spec


@dataclass(frozen=True, slots=True)
class Score:
    """How far one method was off in one world with one seed; degrees, degrees a minute, a share.

    `rom_deg` is the RMS error of the range of single passes, `angle_deg` the RMSE of the angle once its mean
    error of the first scored ten seconds is taken off, `drift_deg_min` the slope of the error, `coverage` the
    share of the instants whose 95 % interval holds the truth (NaN for methods without one).
    """

    world: World
    seed: int
    method: str
    rom_deg: float
    angle_deg: float
    drift_deg_min: float
    coverage: float

    def to_document(self) -> dict[str, object]:
        """Return the row for JSON."""
        return {
            "world": self.world.name,
            "minutes": self.world.minutes,
            "axis": self.world.axis,
            "grade": self.world.grade.name,
            "proximal": "still" if self.world.still else "moving",
            "seed": self.seed,
            "method": self.method,
            "rom_rms_deg": self.rom_deg,
            "angle_rmse_deg": self.angle_deg,
            "drift_deg_per_min": self.drift_deg_min,
            "coverage95": self.coverage,
        }


def clinic_worlds(minutes: tuple[float, ...], *, all_grades: bool) -> list[World]:
    """Return the worlds: every axis with a moving and a still proximal segment, one or all sensor grades."""
    grades = GRADES if all_grades else (CONSUMER,)
    return [
        World(length, axis, grade, still)
        for length in minutes
        for axis in INCLINATIONS
        for grade in grades
        for still in (False, True)
    ]


def score_world(world: World, seed: int, *, ahrs: bool = True) -> Iterator[Score]:
    """Yield the score of every method in one world; those that refuse or lack an input are absent."""
    limb = simulate_limb(world.spec, seed)
    scorer = _Scorer(world, seed, limb)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.mcap"
        write_recording(path, [limb], datetime.now(UTC))
        recording = Recording.open(path)
        setup = Replay(recording).setup
        for method, estimate in OWN.items():
            replay = Replay(recording, estimate=estimate)
            series = join_series([step.series for step in replay.steps() if len(step.series)])
            yield scorer.score(method, series.t, series.angle[:, 0], series.sigma[:, 0])
    first, second = (limb.blocks[name] for name in limb.sensors)
    pair = on_grid((first, second), world.spec.rate)
    for method in FILTERS:
        if method.startswith("ahrs-") and not ahrs:
            continue
        q = orientations(method, pair)
        if q is not None and setup.calibration is not None:
            angle = _by_alignment(q, setup.calibration, setup.rule, limb, pair.t, reset=method != "vqf-9d")
            yield scorer.score(method, pair.t, angle)
    if has_qmt():
        flexion = hinge_chain(pair, _span(limb, "functional"))
        truth = np.interp(pair.t, limb.truth.t, limb.truth.angle_sensor[:, 0])
        later = pair.t > _start(limb)
        sign = float(np.sign(np.cov(flexion[later], truth[later])[0, 1]))
        yield scorer.score(CHAIN, pair.t, sign * flexion)


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
class _Scorer:
    """Holds one limb against which methods are scored."""

    world: World
    seed: int
    limb: LimbRecording

    def score(self, method: str, t: FloatArray, angle: FloatArray, sigma: FloatArray | None = None) -> Score:
        start = _start(self.limb) + SETTLED
        truth = np.interp(t, self.limb.truth.t, self.limb.truth.angle_sensor[:, 0])
        error = angle - truth
        scored = (t >= start) & np.isfinite(error)
        if not scored.any():
            return Score(self.world, self.seed, method, math.nan, math.nan, math.nan, math.nan)
        zeroed = error[scored] - np.median(error[scored & (t < start + 10.0)])
        coverage = math.nan
        if sigma is not None:
            coverage = float(np.mean(np.abs(error[scored]) <= _NORMAL_95 * sigma[scored]))
        ranges = [_range_error(stroke, self.limb, t, angle) for stroke in _passes(self.limb, start)]
        return Score(
            self.world,
            self.seed,
            method,
            math.degrees(_rms(ranges)),
            math.degrees(float(np.sqrt((zeroed**2).mean()))),
            math.degrees(float(np.polyfit(t[scored], zeroed, 1)[0]) * 60.0),
            coverage,
        )


def _range_error(stroke: Stroke, limb: LimbRecording, t: FloatArray, angle: FloatArray) -> float:
    """Return estimated minus true range of one pass, rad: from its start to its farthest angle."""
    true = _range(stroke, limb.truth.t, limb.truth.angle_sensor[:, 0])
    return _range(stroke, t, angle) - true


def _range(stroke: Stroke, t: FloatArray, angle: FloatArray) -> float:
    first, last = (int(np.searchsorted(t, moment)) for moment in (stroke.start, stroke.left))
    forward = 1.0 if stroke.end_angle > stroke.start_angle else -1.0
    return float(np.nanmax(forward * angle[first : last + 1]) - forward * angle[first])


def _passes(limb: LimbRecording, start: float) -> list[Stroke]:
    return [s for s in limb.truth.strokes if s.kind == "pass" and s.start >= start]


def _start(limb: LimbRecording) -> float:
    return next(event.t for event in limb.events if event.kind == "treatment_start")


def _span(limb: LimbRecording, step: str) -> tuple[float, float]:
    begun = next(e for e in limb.events if e.kind == "calibration_start" and e.data.get("step") == step)
    return begun.t, next(e.t for e in limb.events if e.kind == "calibration_stop" and e.t > begun.t)


def _rms(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return math.sqrt(sum(value * value for value in known) / len(known)) if known else math.nan
