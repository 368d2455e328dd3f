"""The best estimate: nearer to the truth than the live one, and the same where nothing can be smoothed."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.segment import JointCalibration, SegmentAlignment
from imu.quaternion import conjugate
from imu.recording import Recording
from rom.angles import JointSeries, join_series
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.replay import Estimator, Replay
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
    recording: Recording, estimate: Estimator, *, one_sensor: bool = False, seconds: float = 1.0
) -> JointSeries:
    """Return the angles of a recording."""
    played = Replay(recording, estimate=estimate, one_sensor=one_sensor)
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


def test_cuts_change_no_bit_of_it(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=PROGRAMME[:3], side="left"), 4)
    recording = recorded(limb, tmp_path / "r.mcap")
    whole, pieces = series(recording, "best"), series(recording, "best", seconds=0.21)
    np.testing.assert_array_equal(whole.angle, pieces.angle)
    np.testing.assert_array_equal(whole.sigma, pieces.sigma)


def test_one_sensor_has_nothing_to_smooth(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=PROGRAMME, side="left"), 5)
    recording = recorded(limb, tmp_path / "r.mcap")
    live, best = (series(recording, estimate, one_sensor=True) for estimate in ("live", "best"))
    np.testing.assert_array_equal(live.angle, best.angle)
    trial = analyse(recording, one_sensor=True, estimate="best")
    assert trial.provenance["estimate"] == "best"
