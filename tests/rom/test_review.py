"""The best estimate: nearer to the truth than the live one, unknown where that is, the same at every time."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.segment import JointCalibration, SegmentAlignment
from imu.block import FloatArray, ImuBlock
from imu.fusion import make_filter
from imu.quaternion import conjugate, rotate
from imu.recording import Recording
from imu.sensor_grade import PERFECT
from rom.angles import GAP, JointSeries, join_series
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps, TableRest, TakePosition
from rom.limb_world import LimbSpec
from rom.replay import Estimator, Replay
from rom.review import in_hindsight
from rom.trial import analyse

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROGRAMME = (TableRest(4.0, 2.0), Neutral(2.0), Functional(2), Reps(2, math.radians(80), math.radians(15)))


def recorded(limb: LimbRecording, path: Path) -> Recording:
    """Write a limb with the calibration it was built with, and open it."""
    proximal, distal = [
        SegmentAlignment(sensor, segment, conjugate(q), np.eye(3) * 1e-4)
        for sensor, segment, q in zip(
            limb.sensors, limb.spec.segments, limb.truth.q_segment_from_sensor, strict=True
        )
    ]
    axis = np.array([0.0, 0.0, 1.0])
    joint = JointCalibration("knee", 1, proximal, distal, axis, axis, math.radians(1.0))
    write_recording(path, [limb], NOW, calibrations=[joint.to_document()])
    return Recording.open(path)


def series(
    recording: Recording,
    estimate: Estimator,
    *,
    one_sensor: bool = False,
    filter_name: str = "vqf",
    seconds: float = 1.0,
) -> JointSeries:
    """Return the angles of a recording."""
    played = Replay(recording, estimate=estimate, one_sensor=one_sensor, filter_name=filter_name)
    return join_series([step.series for step in played.steps(seconds)])


def test_the_whole_recording_knows_more_than_its_past(tmp_path: Path) -> None:
    squares = np.zeros(2)
    for seed in (1, 2, 3, 4):
        limb = simulate_limb(LimbSpec(programme=PROGRAMME, side="left", heading=1.0), seed)
        recording = recorded(limb, tmp_path / f"{seed}.mcap")
        live, best = series(recording, "live"), series(recording, "best")
        np.testing.assert_array_equal(live.t, best.t)
        truth = np.interp(live.t, limb.truth.t, limb.truth.angle_sensor[:, 0])
        moving = live.t > 8.0
        errors = [np.abs(each.angle[moving, 0] - truth[moving]) for each in (live, best)]
        known = np.isfinite(errors[0]) & np.isfinite(errors[1])
        squares += [float(np.mean(error[known] ** 2)) for error in errors]
        assert np.isfinite(errors[1]).mean() >= np.isfinite(errors[0]).mean()
    assert squares[1] < squares[0]


def test_what_a_limb_does_off_its_hinge_is_not_taken_for_a_gyroscopes_error(tmp_path: Path) -> None:
    """Sensors without error on a limb that leaves its oblique hinge alike in forty passes."""
    passes = Passes(40, start=math.radians(100.0), end=math.radians(5.0))
    programme = (TableRest(4.0, 2.0), Neutral(), Functional(proximal_share=0.5), TakePosition(), passes)
    errors = list[float]()
    for seed in (1, 2):
        spec = LimbSpec(programme, inclination=math.radians(45.0), rate=60.0, grade=PERFECT)
        limb = simulate_limb(spec, seed)
        best = series(recorded(limb, tmp_path / f"{seed}.mcap"), "best")
        truth = np.interp(best.t, limb.truth.t, limb.truth.angle_sensor[:, 0])
        for stroke in (each for each in limb.truth.strokes if each.kind == "pass"):
            span = slice(*np.searchsorted(best.t, (stroke.start, stroke.left)))
            seen, true = (np.ptp(angle[span]) for angle in (best.angle[:, 0], truth))
            errors.append(math.degrees(seen - true))
    assert math.sqrt(float(np.mean(np.square(errors)))) < 0.13


def test_cuts_change_no_bit_of_it(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=PROGRAMME[:3], side="left"), 4)
    recording = recorded(limb, tmp_path / "r.mcap")
    whole, pieces = series(recording, "best"), series(recording, "best", seconds=0.21)
    np.testing.assert_array_equal(whole.angle, pieces.angle)
    np.testing.assert_array_equal(whole.sigma, pieces.sigma)


def tilt_errors(q: FloatArray, limb: LimbRecording, sensor: str) -> FloatArray:
    """Return the angle between estimated and true vertical at every sample of the distal sensor, rad."""
    nearest = np.searchsorted(limb.truth.t, limb.blocks[sensor].t).clip(max=len(limb.truth.t) - 1)
    truth = limb.truth.q_earth_from_distal_sensor[nearest]
    found, true = (rotate(conjugate(each), np.array([0.0, 0.0, 1.0])) for each in (q, truth))
    return np.arccos(np.clip((found * true).sum(axis=1), -1.0, 1.0))


def test_each_sensor_knows_its_inclination_better_afterwards(tmp_path: Path) -> None:
    squares = np.zeros(2)
    for seed in (5, 6, 7):
        limb = simulate_limb(LimbSpec(programme=PROGRAMME, side="left"), seed)
        recording = recorded(limb, tmp_path / f"{seed}.mcap")
        setup = Replay(recording).setup
        sensor, distal = setup.distal.sensor, setup.distal
        found, frames = in_hindsight(setup, recording.blocks())
        block = limb.blocks[sensor]
        assert frames.t[0] >= setup.worn_from
        live = make_filter("vqf", distal.rate, distal.noise).feed(block)
        best = found[sensor]
        squares += [float(np.mean(tilt_errors(each.q, limb, sensor) ** 2)) for each in (live, best)]
    assert squares[1] < squares[0]


def test_one_sensor_is_looked_back_at_too_but_not_with_a_filter_that_cannot(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=PROGRAMME, side="left"), 5)
    recording = recorded(limb, tmp_path / "r.mcap")
    live, best = (series(recording, estimate, one_sensor=True) for estimate in ("live", "best"))
    np.testing.assert_array_equal(live.t, best.t)
    assert 0.0 < float(np.nanmax(np.abs(live.angle[:, 0] - best.angle[:, 0]))) < math.radians(5.0)
    trial = analyse(recording, one_sensor=True, estimate="best")
    assert (trial.provenance["estimate"], trial.provenance["filter"]) == ("best", "vqf")
    live, best = (
        series(recording, estimate, one_sensor=True, filter_name="mahony") for estimate in ("live", "best")
    )
    np.testing.assert_array_equal(live.angle, best.angle)


def test_a_gap_stays_a_gap_afterwards(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=PROGRAMME, side="left"), 5)
    sensor = limb.sensors[1]
    block = limb.blocks[sensor]
    keep = (block.t < 16.0) | (block.t > 17.5)
    mag = None if block.mag is None else block.mag[keep]
    blocks = {**limb.blocks, sensor: ImuBlock(sensor, block.t[keep], block.gyr[keep], block.acc[keep], mag)}
    recording = recorded(replace(limb, blocks=blocks), tmp_path / "r.mcap")
    live, best = series(recording, "live"), series(recording, "best")
    inside = (best.t > 16.1) & (best.t < 17.4)
    assert np.isnan(best.angle[inside]).all()
    assert (best.flags[inside] & GAP).all()
    np.testing.assert_array_equal((live.flags & GAP) > 0, (best.flags & GAP) > 0)
    assert np.isfinite(best.angle[best.t > 18.0, 0]).any()
