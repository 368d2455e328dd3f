"""A recording to its trial: what was done comes back; what cannot be measured is refused in a sentence."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibration.segment import JointCalibration, SegmentAlignment
from imu.errors import RomcapError
from imu.quaternion import conjugate
from imu.recording import Event, Recording, RecordingHeader, RecordingWriter
from rom.angles import UNCALIBRATED, join_series
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps, TableRest
from rom.limb_world import LimbSpec, Tissue
from rom.remarks import warnings_of
from rom.replay import Replay
from rom.said import discarded, stopped
from rom.trial import SCHEMA, Trial, analyse
from rom.worn import calibrate_recording

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FAR, NEAR = math.radians(85.0), math.radians(20.0)
PROGRAMME = (
    TableRest(4.0, 2.0),
    Neutral(2.0),
    Functional(3),
    Reps(3, FAR, NEAR, seconds=1.5, hold=1.0, rest=1.0),
    Passes(2, FAR, NEAR, structure="hamstrings", fastest=2.0, slowest=3.0),
)


def straps(of: LimbRecording) -> JointCalibration:
    """Return the calibration that a limb was really built with."""
    proximal, distal = [
        SegmentAlignment(sensor, segment, conjugate(q), np.zeros((3, 3)))
        for sensor, segment, q in zip(
            of.sensors, of.spec.segments, of.truth.q_segment_from_sensor, strict=True
        )
    ]
    axis = np.array([0.0, 0.0, 1.0])
    return JointCalibration("knee", 1, proximal, distal, axis, axis, math.radians(1.0))


@pytest.fixture(scope="module")
def limb() -> LimbRecording:
    """Return a left knee: calibrated, tested four times, treated with three passes."""
    return simulate_limb(
        LimbSpec(programme=PROGRAMME, side="left", sway=None, tissue=Tissue(0.0, 0.0, 0.0)), 7
    )


@pytest.fixture(scope="module")
def path(limb: LimbRecording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return it as a recording that embeds its calibration."""
    path = tmp_path_factory.mktemp("trial") / "knee.mcap"
    write_recording(path, [limb], NOW, calibrations=[straps(limb).to_document()])
    return path


@pytest.fixture(scope="module")
def trial(path: Path) -> Trial:
    """Return what the recording says."""
    return analyse(Recording.open(path))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one rep at 60 Hz, for filters that are slow."""
    programme = (TableRest(2.0, 1.0), Neutral(1.0), Reps(1, FAR, NEAR, seconds=1.5, hold=1.0))
    limb = simulate_limb(LimbSpec(programme=programme, side="left", rate=60.0, sway=None), 5)
    path = tmp_path_factory.mktemp("short") / "knee.mcap"
    write_recording(path, [limb], NOW, calibrations=[straps(limb).to_document()])
    return path


Edit = Callable[[RecordingHeader], RecordingHeader]


def beginning(recording: Recording) -> Recording:
    """Return what is left of a recording that was cut off within its header."""
    path = recording.path.with_name("cut.mcap")
    path.write_bytes(recording.path.read_bytes()[:200])
    return Recording.open(path)


def rewritten(
    limb: LimbRecording,
    path: Path,
    *,
    header: Edit = lambda header: header,
    events: Callable[[Event], bool] = lambda _: True,
    extra: tuple[Event, ...] = (),
    sensors: int = 2,
) -> Recording:
    """Write a limb with another header or other events, and open it."""
    first = path.with_name("first.mcap")
    whole = write_recording(first, [limb], NOW)
    with RecordingWriter(path, header(whole)) as writer:
        for event in sorted([*filter(events, limb.events), *extra], key=lambda event: event.t):
            writer.write_event(event)
        for block in limb.merged():
            if block.sensor in limb.sensors[2 - sensors :]:
                writer.write(block)
    first.unlink()
    return Recording.open(path)


def test_reps_and_passes_come_back_as_they_were_done(trial: Trial, limb: LimbRecording) -> None:
    reps = [stroke for stroke in limb.truth.strokes if stroke.kind == "rep"]
    passes = [stroke for stroke in limb.truth.strokes if stroke.kind != "rep"]
    assert [rep.valid for rep in trial.reps] == [True] * len(reps)
    assert len(trial.passes) == len(passes)
    for found, stroke in zip(trial.reps, reps, strict=True):
        _, end, size = limb.truth.extent(stroke)
        assert abs(found.end - end) < 2.0 * found.end_sigma
        assert abs(found.range - size) < 2.0 * found.range_sigma
        assert found.end_kind == "plateau"
        assert found.rep.start == pytest.approx(stroke.start, abs=0.4)
    for found, stroke in zip(trial.passes, passes, strict=True):
        assert found.structure == "hamstrings"
        assert found.technique == "ART"
        assert found.found.travel == pytest.approx(limb.truth.extent(stroke)[2], abs=math.radians(3.0))
    assert trial.calibration_source == "embedded"
    assert trial.phase == "baseline"


def test_what_several_reps_share_is_said_once(trial: Trial, path: Path) -> None:
    first, second, *_ = trial.reps
    late = replace(first, number=7, reasons=("it took 0.7 s",), warnings=())
    reps = [
        replace(first, number=1, reasons=("samples are missing inside",), warnings=("it began late",)),
        replace(second, number=2, reasons=(), warnings=("it began late",)),
        late,
        replace(late, number=9),
    ]
    said = warnings_of(Replay(Recording.open(path)), trial.series, trial.quality, reps)
    assert said[-3:] == (
        "rep 1 does not count: samples are missing inside",
        "reps 7, 9 do not count: it took 0.7 s",
        "reps 1, 2: it began late",
    )


def test_the_document_has_its_schema_and_can_be_done_again(trial: Trial, path: Path) -> None:
    document = json.loads(json.dumps(trial.to_document()))
    assert document["schema"] == SCHEMA
    assert document["summary"]["valid_reps"] == 3
    assert document["summary"]["end_mean_deg"] == pytest.approx(20.0, abs=4.0)
    assert document["provenance"]["recording_sha256"] == Recording.open(path).sha256
    assert document["provenance"]["filter"] == "vqf"
    assert any("simulated" in warning for warning in document["warnings"])
    again = json.loads(json.dumps(analyse(Recording.open(path)).to_document()))
    assert again == document


def test_a_trial_makes_a_sample_for_comparison(trial: Trial) -> None:
    sample = trial.sample()
    np.testing.assert_array_equal(sample.values, [rep.end for rep in trial.valid_reps])
    assert sample.sensor_sigma > 0.0
    assert sample.strap_sigma == 0.0


def test_a_replay_is_the_trial_and_does_not_depend_on_its_pieces(trial: Trial, path: Path) -> None:
    for seconds in (0.3, 5.0):
        steps = list(Replay(Recording.open(path)).steps(seconds))
        series = join_series([step.series for step in steps])
        np.testing.assert_array_equal(series.angle, trial.series.angle)
        np.testing.assert_array_equal(series.sigma, trial.series.sigma)
        assert [rep for step in steps for rep in step.reps] == [rep.rep for rep in trial.reps]
        assert [each for step in steps for each in step.passes] == [each.found for each in trial.passes]


def test_a_recordings_own_phases_calibrate_it(limb: LimbRecording, tmp_path: Path) -> None:
    recording = rewritten(limb, tmp_path / "r.mcap")
    (joint,) = calibrate_recording(recording)
    assert joint.joint == "left_knee"
    assert joint.freedom == 1
    found = analyse(recording)
    assert found.calibration_source == "computed"
    reps = [stroke for stroke in limb.truth.strokes if stroke.kind == "rep"]
    for rep, stroke in zip(found.reps, reps, strict=True):
        assert rep.range == pytest.approx(limb.truth.extent(stroke)[2], abs=3.0 * rep.range_sigma)
        assert rep.end == pytest.approx(limb.truth.extent(stroke)[1], abs=2.0 * rep.end_sigma)


def test_without_any_calibration_the_start_pose_is_zero_and_it_says_so(
    limb: LimbRecording, tmp_path: Path
) -> None:
    recording = rewritten(
        limb, tmp_path / "r.mcap", events=lambda event: not event.kind.startswith("calibration")
    )
    found = analyse(recording)
    assert found.calibration_source == "none"
    assert (found.series.flags & UNCALIBRATED).any()
    assert any("no calibration" in warning for warning in found.warnings)
    assert not math.isnan(found.reps[0].range)


def test_marks_are_not_needed(limb: LimbRecording, tmp_path: Path) -> None:
    recording = rewritten(
        limb, tmp_path / "r.mcap", events=lambda event: event.kind.startswith("calibration")
    )
    found = analyse(recording, calibrations=[straps(limb)])
    assert len(found.reps) == len(limb.truth.strokes)
    assert len(found.passes) == len(limb.truth.strokes)


@pytest.mark.parametrize(
    ("of", "valid"),
    [(2, [True, False, True]), ("trial", [False] * 3), ("rep", [True, True, False])],
)
def test_a_discard_takes_back_what_it_names(
    limb: LimbRecording, trial: Trial, of: object, valid: list[bool]
) -> None:
    end = next(event.t for event in limb.events if event.kind == "trial_stop")
    discard = Event(end + 0.1, "discard", {"of": of, "reason": "slipped"})
    reps, said = discarded(trial.reps, (discard,))
    assert [rep.valid for rep in reps] == valid
    assert said == []
    assert all("discarded: slipped" in rep.reasons for rep in reps if not rep.valid)


@pytest.mark.parametrize("of", [0, 4, "reps", None, True, 2.5])
def test_a_discard_that_names_no_rep_is_said(trial: Trial, of: object) -> None:
    reps, said = discarded(trial.reps, (Event(1e9, "discard", {"of": of, "reason": "slipped"}),))
    assert reps == list(trial.reps)
    (sentence,) = said
    assert "slipped" in sentence
    assert f"got {of!r}" in sentence


def test_sharp_pain_ends_a_trial(trial: Trial, limb: LimbRecording) -> None:
    second = trial.reps[1].rep
    during = Event((second.start + second.stop) / 2.0, "pain", {"nprs": 7, "sharp": True})
    reps = stopped(trial.reps, (*limb.events, during))
    assert [rep.valid for rep in reps] == [True, False, False]
    assert any("sharp pain during it" in reason for reason in reps[1].reasons)
    assert any("sharp pain before it" in reason for reason in reps[2].reasons)
    after = Event(second.stop + 1e3, "pain", {"nprs": 7, "reason": "stop"})
    assert stopped(trial.reps, (*limb.events, after)) == list(trial.reps)
    assert stopped(trial.reps, (replace(during, data={"nprs": 3}),)) == list(trial.reps)


def test_what_was_said_in_the_recording_reaches_the_trial(
    limb: LimbRecording, trial: Trial, tmp_path: Path
) -> None:
    third = trial.reps[2].rep
    extra = (
        Event(third.turn, "pain", {"nprs": 8, "sharp": True}),
        Event(third.stop + 0.1, "discard", {"of": 1, "reason": "slipped"}),
        Event(third.stop + 0.2, "discard", {"of": 9}),
    )
    found = analyse(rewritten(limb, tmp_path / "r.mcap", extra=extra), calibrations=[straps(limb)])
    assert found.calibration_source == "given"
    assert [rep.valid for rep in found.reps] == [False, True, False]
    for words in ("discarded: slipped", "sharp pain during it", "got 9"):
        assert any(words in warning for warning in found.warnings)


def test_one_sensor_is_enough_if_that_is_asked_for(limb: LimbRecording, path: Path) -> None:
    found = analyse(Recording.open(path), one_sensor=True)
    assert found.setup.proximal is None
    assert any("one sensor" in warning for warning in found.warnings)
    reps = [stroke for stroke in limb.truth.strokes if stroke.kind == "rep"]
    for rep, stroke in zip(found.reps, reps, strict=True):
        assert rep.range == pytest.approx(limb.truth.extent(stroke)[2], abs=math.radians(6.0))


@pytest.mark.parametrize("name", ["madgwick", "ekf"])
def test_other_filters_measure_the_same_movement(short: Path, name: str) -> None:
    trial, found = analyse(Recording.open(short)), analyse(Recording.open(short), filter_name=name)
    assert len(found.reps) == len(trial.reps) == 1
    assert found.reps[0].range == pytest.approx(trial.reps[0].range, abs=math.radians(6.0))


def test_quality_counts_what_is_missing(tmp_path: Path) -> None:
    spec = LimbSpec(programme=PROGRAMME[:4], side="left", loss=0.05, packet=4)
    limb = simulate_limb(spec, 3)
    path = tmp_path / "lossy.mcap"
    write_recording(path, [limb], NOW, calibrations=[straps(limb).to_document()])
    found = analyse(Recording.open(path))
    for quality in found.quality:
        assert quality.loss == pytest.approx(0.05, abs=0.02)
        assert quality.rate == pytest.approx(120.0, rel=0.01)
    assert any("of its samples" in warning for warning in found.warnings)


def refusals() -> dict[str, tuple[Callable[[LimbRecording, Path], object], str]]:
    """Return what must be refused, and in which words."""
    return {
        "side": (
            lambda limb, p: analyse(rewritten(limb, p), side="right"),
            "expected a recording of the right side, but this one is of the left side",
        ),
        "movement": (
            lambda limb, p: analyse(rewritten(limb, p), "kn_bend"),
            "the catalogue knows no movement 'kn_bend'",
        ),
        "no side": (
            lambda limb, p: analyse(rewritten(limb, p, header=lambda h: replace(h, side=""))),
            "expected a side, but the recording names none",
        ),
        "other trial": (
            lambda limb, p: analyse(rewritten(limb, p), "kn_flexion"),
            "expected a trial of kn_flexion left, but this recording's trials are of kn_ake left",
        ),
        "segments": (
            lambda limb, p: analyse(rewritten(limb, p), "el_flexion"),
            "needs a sensor on left_upperarm and on left_forearm",
        ),
        "one sensor": (
            lambda limb, p: analyse(
                rewritten(limb, p, sensors=1, header=lambda h: replace(h, sensors=h.sensors[1:]))
            ),
            "needs a sensor on left_thigh, but the sensors are on left_shank; .* --one-sensor",
        ),
        "no sensor": (
            lambda limb, p: analyse(beginning(rewritten(limb, p)), "kn_ake", "left"),
            "needs sensors, but the recording names none: its beginning is missing",
        ),
        "silent sensor": (
            lambda limb, p: analyse(rewritten(limb, p, sensors=1)),
            "sensor sim-left_thigh has no samples",
        ),
        "rate": (
            lambda limb, p: analyse(
                rewritten(
                    limb,
                    p,
                    header=lambda h: replace(h, sensors=tuple(replace(s, rate_hz=100.0) for s in h.sensors)),
                ),
                calibrations=[straps(limb)],
            ),
            "its timestamps give 120.* Hz, but the recording says 100 Hz",
        ),
        "calibration": (
            lambda limb, p: analyse(
                rewritten(limb, p),
                calibrations=[
                    JointCalibration.uncalibrated("knee", 1, ("X", "left_thigh"), ("Y", "left_shank"))
                ],
            ),
            "expected a calibration of sensors sim-left_thigh and sim-left_shank, but those .* of X, Y",
        ),
        "phase": (
            lambda limb, p: analyse(rewritten(limb, p), phase="retest"),
            "expected the phase retest, but the recording holds baseline",
        ),
    }


@pytest.mark.parametrize("case", sorted(refusals()))
def test_what_cannot_be_measured_is_refused_in_one_sentence(
    limb: LimbRecording, tmp_path: Path, case: str
) -> None:
    call, words = refusals()[case]
    with pytest.raises(RomcapError, match=words) as caught:
        call(limb, tmp_path / "r.mcap")
    assert "\n" not in str(caught.value)


def test_where_nothing_moved_nothing_is_found(tmp_path: Path) -> None:
    limb = simulate_limb(LimbSpec(programme=(TableRest(2.0, 1.0), Neutral(8.0)), side="left"), 1)
    recording = rewritten(limb, tmp_path / "r.mcap")
    with pytest.raises(RomcapError, match="no kn_ake movement was found"):
        analyse(recording, calibrations=[straps(limb)])
