"""A joint calibrated again in the middle: a slip is cured from then on, live as on replay, and no more."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.quaternion import conjugate, from_axis_angle, rotate
from imu.recording import Event, Recording, RecordingHeader, RecordingWriter
from rom.alert import Alert
from rom.angles import JointSeries, join_series
from rom.catalogue.loader import load_catalogue
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.live import LiveTrial
from rom.passes import Rep
from rom.phases import calibrating
from rom.relay import COUNTS_FROM
from rom.replay import Estimator, ReplayStep
from rom.trial import Trial, analyse
from rom.trials import analyse_pair
from rom.worn import calibrate_recording

DEG = math.pi / 180.0
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KNEE = load_catalogue().movement("kn_ake")
REPS = Reps(3, 85.0 * DEG, 15.0 * DEG, seconds=1.5, hold=0.8, rest=0.5)
AGAIN = (Neutral(3.0), Functional(4, seconds=0.9), REPS)
PROGRAMME = (TableRest(4.0, 3.0), Neutral(3.0), Functional(4), REPS, *AGAIN)
SLIPS_AT = 37.1
"""Between the second and the third rep of the first test, s."""
SLIP = 10.0 * DEG


@pytest.fixture(scope="module")
def knee() -> LimbRecording:
    """Return a knee that is calibrated, tested, calibrated again and tested again."""
    return simulate_limb(LimbSpec(programme=PROGRAMME, side="right"), 11)


@pytest.fixture(scope="module")
def slipped(knee: LimbRecording) -> LimbRecording:
    """Return it with a shank sensor that turns by 10 deg about the flexion axis, the worst way."""
    sensor = knee.sensors[1]
    axis = rotate(conjugate(knee.truth.q_segment_from_sensor[1]), np.array([0.0, 0.0, 1.0]))
    block = knee.blocks[sensor]
    share = np.clip((block.t - SLIPS_AT) / 0.4, 0.0, 1.0)
    rate = np.where((share > 0.0) & (share < 1.0), SLIP / 0.4, 0.0)
    back = conjugate(from_axis_angle(axis, SLIP * share))
    moved = ImuBlock(sensor, block.t, rotate(back, block.gyr) + rate[:, None] * axis, rotate(back, block.acc))
    return replace(knee, blocks={**knee.blocks, sensor: moved})


def written(of: LimbRecording, file: Path, events: Sequence[Event] | None = None) -> Recording:
    """Return a limb as a recording, if need be with other events."""
    write_recording(file, [of if events is None else replace(of, events=tuple(events))], NOW)
    return Recording.open(file)


def once(of: LimbRecording) -> list[Event]:
    """Return the events of a limb as if nobody had calibrated again."""
    (since,) = again_at(of)
    return [event for event in of.events if event.t < since or not event.kind.startswith("calibration")]


def again_at(of: LimbRecording) -> list[float]:
    """Return when it was calibrated again."""
    return [each.since for each in calibrating(of.events) if each.since is not None]


def off_deg(of: LimbRecording, trial: Trial) -> list[float]:
    """Return by how much each rep's end misses that of the bones."""
    reps = [stroke for stroke in of.truth.strokes if stroke.kind == "rep"]
    ends = [of.truth.extent(stroke, bone=True)[1] for stroke in reps]
    return [math.degrees(rep.end_peak - end) for rep, end in zip(trial.reps, ends, strict=True)]


def test_a_slip_is_cured_from_the_new_calibration_on_and_what_came_before_stands(
    slipped: LimbRecording, tmp_path: Path
) -> None:
    plain = analyse(written(slipped, tmp_path / "once.mcap", once(slipped)))
    cured = analyse(written(slipped, tmp_path / "again.mcap"))
    before, after = off_deg(slipped, plain), off_deg(slipped, cured)
    assert min(abs(off) for off in before[2:]) > 6.0
    assert max(abs(off) for off in after[3:]) < 4.0
    for old, new in zip(plain.reps[:3], cured.reps[:3], strict=True):
        assert (old.end, old.end_sigma, old.range) == (new.end, new.end_sigma, new.range)


def test_calibrating_again_without_need_changes_no_rep_beyond_its_error(
    knee: LimbRecording, tmp_path: Path
) -> None:
    plain = analyse(written(knee, tmp_path / "once.mcap", once(knee)))
    again = analyse(written(knee, tmp_path / "again.mcap"))
    for old, new in zip(plain.reps, again.reps, strict=True):
        assert abs(old.end - new.end) <= 2.0 * math.hypot(old.end_sigma, new.end_sigma)
        assert abs(old.end - new.end) < 3.0 * DEG


@pytest.mark.parametrize("estimate", ["live", "best"])
def test_the_best_estimate_is_calibrated_again_too(
    slipped: LimbRecording, tmp_path: Path, estimate: Estimator
) -> None:
    trial = analyse(written(slipped, tmp_path / "again.mcap"), estimate=estimate)
    assert max(abs(off) for off in off_deg(slipped, trial)[3:]) < 4.0


def test_a_trial_says_when_it_was_calibrated_again(slipped: LimbRecording, tmp_path: Path) -> None:
    recording = written(slipped, tmp_path / "again.mcap")
    trial = analyse(recording)
    (since,) = again_at(slipped)
    assert [renewal.since for renewal in trial.renewals] == [since]
    assert trial.setup.calibration is trial.renewals[0].calibration
    assert trial.begun_with is not trial.setup.calibration
    assert any(sentence.startswith("calibrated again at 0:44") for sentence in trial.warnings)
    assert trial.to_document()["calibrated_again_s"] == [since]
    assert trial.provenance["calibration"]["again"][0]["since_s"] == since
    plain = analyse(written(slipped, tmp_path / "once.mcap", once(slipped)))
    assert trial.sample().alignment != plain.sample().alignment


def test_the_next_recording_of_the_same_straps_goes_on_with_the_last_calibration(
    slipped: LimbRecording, tmp_path: Path
) -> None:
    recording = written(slipped, tmp_path / "again.mcap")
    first, second = analyse_pair(recording, recording)
    assert second.begun_with is first.renewals[0].calibration


def test_a_warning_of_a_slip_holds_until_it_was_calibrated_again() -> None:
    alert = Alert("slipped", "warning", 40.0, 38.0, math.inf, "s", "left_shank", "", "", "", 0.1)
    assert alert.cured([30.0]).concerns(60.0, 62.0)
    assert alert.cured([44.0]).concerns(39.0, 41.0)
    assert not alert.cured([44.0]).concerns(60.0, 62.0)
    assert replace(alert, kind="gap").cured([44.0]).concerns(60.0, 62.0)


class Live:
    """The live chain over a limb, told its events in time and its calibrations when they are known."""

    def __init__(self, of: LimbRecording, header: RecordingHeader) -> None:
        self.trial = LiveTrial(header, KNEE, "right")
        self.events = list(of.events)
        self.parts: list[JointSeries] = []
        self.reps: list[Rep] = []

    def step(self, step: ReplayStep) -> None:
        self.parts.append(step.series)
        self.reps += step.reps

    def feed(self, block: ImuBlock) -> None:
        while self.events and self.events[0].t <= block.t[0]:
            self.trial.take(self.events.pop(0))
        self.step(self.trial.feed(block))


def cut(of: LimbRecording, rng: np.random.Generator) -> Iterator[ImuBlock]:
    """Yield the samples in pieces of any length, neither sensor far ahead of the other, in order of time."""
    at = dict.fromkeys(of.sensors, 0)
    while any(at[sensor] < len(of.blocks[sensor]) for sensor in of.sensors):
        sensor = min(of.sensors, key=lambda s: of.blocks[s].t[min(at[s], len(of.blocks[s]) - 1)])
        if at[sensor] >= len(of.blocks[sensor]):
            sensor = next(s for s in of.sensors if at[s] < len(of.blocks[s]))
        size = int(rng.choice([1, 6, 50, 400]))
        block = of.blocks[sensor][at[sensor] : at[sensor] + size]
        at[sensor] += size
        starts = [event.t for event in of.events if block.t[0] < event.t <= block.t[-1]]
        edges = [0, *np.searchsorted(block.t, starts).tolist(), len(block)]
        yield from (block[a:b] for a, b in pairwise(edges) if b > a)


def same(one: JointSeries, two: JointSeries) -> None:
    for name in ("t", "angle", "sigma", "flags", "support", "strap_sigma", "heading_sigma"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("late", [0.0, 1.3, 8.0])
def test_replay_is_live_to_the_last_bit_whenever_the_calibration_became_known(
    slipped: LimbRecording, tmp_path: Path, seed: int, late: float
) -> None:
    recording = written(slipped, tmp_path / "again.mcap")
    (since,) = again_at(slipped)
    first, again = calibrate_recording(recording), calibrate_recording(recording, since)
    known = sorted(event.t for event in slipped.events if event.kind == "calibration_stop")
    live = Live(slipped, recording.header)
    for block in cut(slipped, np.random.default_rng(seed)):
        if not live.trial.begun and block.t[0] > known[1] + late:
            live.step(live.trial.begin(first))
        if live.trial.renewing is not None and block.t[0] > known[3] + late:
            live.step(live.trial.renew(again))
        live.feed(block)
    live.step(live.trial.finish())
    trial = analyse(recording)
    same(join_series(live.parts), trial.series)
    assert [(rep.start, rep.stop) for rep in live.reps] == [(r.rep.start, r.rep.stop) for r in trial.reps]


def test_one_that_is_taken_back_leaves_everything_as_it_was(slipped: LimbRecording, tmp_path: Path) -> None:
    stop = max(event.t for event in slipped.events if event.kind == "calibration_stop")
    refused = Event(stop + 0.3, "discard", {"of": "calibration", "reason": "the joint was hardly moved"})
    taken_back = replace(slipped, events=tuple(sorted([*slipped.events, refused], key=lambda event: event.t)))
    recording = written(taken_back, tmp_path / "back.mcap")
    plain = analyse(written(slipped, tmp_path / "once.mcap", once(slipped)))
    trial = analyse(recording)
    assert trial.renewals == ()
    same(trial.series, plain.series)
    live = Live(taken_back, recording.header)
    first = calibrate_recording(recording)
    for block in cut(taken_back, np.random.default_rng(1)):
        if not live.trial.begun and block.t[0] > 26.0:
            live.step(live.trial.begin(first))
        if live.trial.renewing is not None and block.t[0] > refused.t:
            live.step(live.trial.keep())
        live.feed(block)
    live.step(live.trial.finish())
    same(join_series(live.parts), trial.series)


def test_one_that_was_never_finished_leaves_everything_as_it_was(
    slipped: LimbRecording, tmp_path: Path
) -> None:
    (since,) = again_at(slipped)
    cut_short = [event for event in slipped.events if event.t < since + 4.0 or event.kind.startswith("trial")]
    trial = analyse(written(slipped, tmp_path / "short.mcap", cut_short))
    assert trial.renewals == ()


def test_one_that_says_too_little_is_not_used_and_that_is_said(
    slipped: LimbRecording, tmp_path: Path
) -> None:
    """Its movement is marked where the limb stood still."""
    (since,) = again_at(slipped)
    still = {"step": "functional", "joint": "right_knee", "axis": "flexion"}
    marked = [
        Event(since + 3.05, "calibration_start", still),
        Event(since + 3.45, "calibration_stop", still),
    ]
    kept = [event for event in slipped.events if not since + 3.1 < event.t < since + 13.0]
    recording = written(slipped, tmp_path / "still.mcap", sorted([*kept, *marked], key=lambda e: e.t))
    trial = analyse(recording)
    assert trial.renewals == ()
    assert any("but not used: " in sentence for sentence in trial.warnings)


def embedded(of: LimbRecording, folder: Path, spread: float = 1.0) -> Recording:
    """Return a limb that holds both calibrations, the later one's alignments with a share of their sigma."""
    recording = written(of, folder / "again.mcap")
    (since,) = again_at(of)
    (first,) = calibrate_recording(recording)
    (own,) = calibrate_recording(recording, since)
    ends = {end: getattr(own, end) for end in ("proximal", "distal")}
    own = replace(own, **{e: replace(a, covariance=a.covariance * spread**2) for e, a in ends.items()})
    file = folder / "embedded.mcap"
    with RecordingWriter(file, recording.header) as writer:
        writer.write_calibration(first.to_document())
        writer.write_calibration({**own.to_document(), COUNTS_FROM: since, "made_at": "2026-01-02T03:05:00"})
        for event in recording.events:
            writer.write_event(event)
        for block in recording.blocks():
            writer.write(block)
    return Recording.open(file)


def test_an_embedded_one_spares_computing_it(slipped: LimbRecording, tmp_path: Path) -> None:
    trial = analyse(embedded(slipped, tmp_path))
    assert trial.calibration_source == "embedded"
    assert trial.renewals[0].calibration.made_at == "2026-01-02T03:05:00"
    same(trial.series, analyse(Recording.open(tmp_path / "again.mcap")).series)


def test_each_range_is_as_sure_as_the_calibration_it_was_read_with(
    slipped: LimbRecording, tmp_path: Path
) -> None:
    (tmp_path / "unsure").mkdir()
    sure = analyse(embedded(slipped, tmp_path))
    unsure = analyse(embedded(slipped, tmp_path / "unsure", spread=3.0))
    for old, new in zip(sure.reps[:3], unsure.reps[:3], strict=True):
        assert old.range_sigma == new.range_sigma
    for old, new in zip(sure.reps[3:], unsure.reps[3:], strict=True):
        assert old.range_sigma < new.range_sigma
