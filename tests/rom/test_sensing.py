"""Sensor calibrations and the rest on the table reach the angles, live and replayed alike."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibration.segment import JointCalibration, SegmentAlignment
from calibration.sensor import SensorCalibration
from imu.block import ImuBlock
from imu.errors import CalibrationError
from imu.quaternion import conjugate
from imu.recording import Recording, RecordingWriter
from rom.angles import join_series
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.live import LiveTrial
from rom.replay import Replay
from rom.sensing import known_sensors, worn_since

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCALE = np.array([[1.06, 0.02, 0.0], [0.0, 0.95, 0.01], [0.01, 0.0, 1.03]])
OFFSET = np.array([0.4, -0.3, 0.5])
BIAS = np.array([0.05, -0.04, 0.03])


@pytest.fixture(scope="module")
def limb() -> LimbRecording:
    """Return a knee on the table, worn, and bent twice."""
    programme = (TableRest(6.0, 2.0), Neutral(2.0), Reps(2, math.radians(80), math.radians(20), hold=1.0))
    return simulate_limb(LimbSpec(programme=programme, side="left"), 4)


def distorted(block: ImuBlock) -> ImuBlock:
    """Return what a sensor with known errors would have delivered."""
    acc = block.acc @ np.linalg.inv(SCALE).T + OFFSET
    return ImuBlock(block.sensor, block.t, block.gyr + BIAS, acc)


def documents(limb: LimbRecording) -> list[SensorCalibration]:
    """Return the calibrations that take these errors off."""
    return [
        SensorCalibration(sensor, gyr_bias=BIAS, acc_matrix=SCALE, acc_bias=OFFSET, residual=0.01)
        for sensor in limb.sensors
    ]


def straps(limb: LimbRecording) -> JointCalibration:
    """Return the calibration that the limb was built with."""
    proximal, distal = [
        SegmentAlignment(sensor, segment, conjugate(q), np.zeros((3, 3)))
        for sensor, segment, q in zip(
            limb.sensors, limb.spec.segments, limb.truth.q_segment_from_sensor, strict=True
        )
    ]
    axis = np.array([0.0, 0.0, 1.0])
    return JointCalibration("knee", 1, proximal, distal, axis, axis, math.radians(1.0))


def recorded(
    limb: LimbRecording, path: Path, calibrations: list[SensorCalibration], *, bad: bool
) -> Recording:
    """Write a limb, with bad sensors or good ones, and open it."""
    header = write_recording(path.with_name(f"first_{path.name}"), [limb], NOW)
    with RecordingWriter(path, header) as writer:
        for document in [straps(limb), *calibrations]:
            writer.write_calibration(document.to_document())
        for event in limb.events:
            writer.write_event(event)
        for block in limb.merged():
            writer.write(distorted(block) if bad else block)
    return Recording.open(path)


def angles(recording: Recording) -> np.ndarray:
    """Return the primary angle of a replay."""
    return join_series([step.series for step in Replay(recording).steps()]).angle[:, 0]


def test_embedded_sensor_calibrations_take_the_errors_off(limb: LimbRecording, tmp_path: Path) -> None:
    good = angles(recorded(limb, tmp_path / "good.mcap", [], bad=False))
    mended = angles(recorded(limb, tmp_path / "mended.mcap", documents(limb), bad=True))
    spoilt = angles(recorded(limb, tmp_path / "spoilt.mcap", [], bad=True))
    np.testing.assert_allclose(mended, good, atol=1e-5)
    assert np.nanmax(np.abs(spoilt - good)) > math.radians(1.0)


def test_the_rest_on_the_table_tells_the_noise(limb: LimbRecording, tmp_path: Path) -> None:
    replay = Replay(recorded(limb, tmp_path / "r.mcap", [], bad=False))
    begin = worn_since(limb.events)
    for sensor in replay.setup.sensors:
        block = limb.blocks[sensor.sensor]
        table = block[: int(np.searchsorted(block.t, min(begin, 6.0)))]
        assert sensor.noise is not None
        assert sensor.noise.gyr == pytest.approx(float(np.median(table.gyr.std(axis=0))), rel=0.15)
        assert sensor.noise.acc == pytest.approx(float(np.median(table.acc.std(axis=0))), rel=0.15)
        assert sensor.calibration is None


def test_a_document_tells_the_noise_where_there_was_no_table(limb: LimbRecording) -> None:
    name = limb.sensors[0]
    told = SensorCalibration(name, gyr_noise=0.004, acc_noise=0.05)
    found = known_sensors([told], [], dict.fromkeys(limb.sensors, 120.0), -math.inf)
    assert list(found) == [name]
    assert found[name].gyr_noise == 0.004


def test_live_is_the_replay_with_sensor_calibrations_and_a_table(limb: LimbRecording, tmp_path: Path) -> None:
    recording = recorded(limb, tmp_path / "r.mcap", documents(limb), bad=True)
    played = Replay(recording)
    replayed = list(played.steps())
    live = LiveTrial(recording.header, played.movement, played.side, sensor_calibrations=documents(limb))
    waiting = sorted(limb.events, key=lambda event: event.t)
    steps = []
    for block in map(distorted, limb.merged()):
        while waiting and waiting[0].t <= block.t[0]:
            live.take(waiting.pop(0))
        if not live.begun and block.t[0] > 12.0:
            steps.append(live.begin([straps(limb)]))
        steps.append(live.feed(block))
    for event in waiting:
        live.take(event)
    steps.append(live.finish())
    one, two = (join_series([step.series for step in each]) for each in (steps, replayed))
    np.testing.assert_array_equal(one.t, two.t)
    np.testing.assert_array_equal(one.angle, two.angle)
    np.testing.assert_array_equal(one.sigma, two.sigma)
    reps = [[rep for step in each for rep in step.reps] for each in (steps, replayed)]
    assert len(reps[0]) == 2
    assert reps[0] == reps[1]


def test_a_damaged_document_is_refused_in_a_sentence(limb: LimbRecording, tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    recorded(limb, path, [], bad=False)
    other = replace(documents(limb)[0]).to_document() | {"version": 99}
    with RecordingWriter(tmp_path / "bad.mcap", Recording.open(path).header) as writer:
        writer.write_calibration(other)
        for block in limb.merged():
            writer.write(block)
    with pytest.raises(CalibrationError, match="expected a sensor document of version"):
        Replay(Recording.open(tmp_path / "bad.mcap"), "kn_ake", "left")
