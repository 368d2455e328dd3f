"""The watchdogs: what is injected is told, with the right sensor and time; what is well stays silent."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from calibration.segment import JointCalibration, SegmentAlignment
from imu.block import FloatArray, ImuBlock
from imu.quaternion import conjugate, from_axis_angle, multiply, normalise, rotate
from imu.recording import Event, Recording, RecordingHeader, SensorInfo
from rom.alert import Alert, AlertKind
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import Side
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Phase, Reps, Rest, TableRest
from rom.limb_world import LimbSpec, Pad, Slip
from rom.live import LiveTrial
from rom.reading import TrackedSensor, TrackerSetup
from rom.strokes import Stroke
from rom.tracker import JointTracker
from rom.trial import analyse
from rom.watch import Watch
from rom.watch_sensor import SensorWatch
from rom.watch_strap import StrapWatch

DEG = math.pi / 180.0
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SLIP_AT = 47.0
REPS = Reps(7, 85.0 * DEG, 15.0 * DEG, hold=0.5, rest=0.5, seconds=1.8, spread=1.5 * DEG)
TEST: tuple[Phase, ...] = (TableRest(6.0, 3.0), Neutral(2.0), Functional(2), REPS)
UP = np.array([0.0, 1.0, 0.0])
MOVEMENT = load_catalogue().movement("kn_ake")


@cache
def knee(slip: Slip | None = None, seed: int = 3, side: str = "right") -> LimbRecording:
    """Return a knee that is tested, with a strap that slips or without."""
    slips = () if slip is None else (slip,)
    return simulate_limb(LimbSpec(programme=TEST, slips=slips, side=side), seed)


def straps(of: LimbRecording, *, about: float = 0.0, made_at: str = "") -> JointCalibration:
    """Return the calibration a limb was built with, as if the distal sensor sat turned about its segment."""
    turned = from_axis_angle(np.array([0.0, 1.0, 0.0]), about)
    proximal, distal = [
        SegmentAlignment(sensor, segment, multiply(conjugate(q), more), np.eye(3) * DEG**2)
        for sensor, segment, q, more in zip(
            of.sensors,
            of.spec.segments,
            of.truth.q_segment_from_sensor,
            (np.array([1.0, 0.0, 0.0, 0.0]), turned),
            strict=True,
        )
    ]
    axis = np.array([0.0, 0.0, 1.0])
    return JointCalibration("knee", 1, proximal, distal, axis, axis, DEG, made_at=made_at)


def side_of(of: LimbRecording) -> Side:
    """Return the side of a limb."""
    return "left" if of.spec.side == "left" else "right"


def header_of(*limbs: LimbRecording) -> RecordingHeader:
    """Return the header of limbs captured side by side."""
    sensors = [
        SensorInfo(sensor, segment, "virtual", of.spec.rate, gyr_range_dps=2000.0)
        for of in limbs
        for sensor, segment in zip(of.sensors, of.spec.segments, strict=True)
    ]
    return RecordingHeader(created_at=NOW, sensors=tuple(sensors))


def setup_of(of: LimbRecording, calibration: JointCalibration | None) -> TrackerSetup:
    """Return how a limb is tracked."""
    proximal, distal = (
        TrackedSensor(sensor, of.spec.rate, gyr_range=math.radians(2000.0)) for sensor in of.sensors
    )
    return TrackerSetup(
        MOVEMENT.angle, side_of(of), distal, proximal, calibration, 70.0 * DEG, worn_from=of.truth.mounted
    )


def told(
    of: LimbRecording,
    blocks: Sequence[ImuBlock] | None = None,
    calibration: JointCalibration | None = None,
    others: Sequence[LimbRecording] = (),
) -> list[Alert]:
    """Return what the watchdogs say of a limb."""
    setup = setup_of(of, calibration or straps(of))
    watch = Watch(header_of(of, *others), setup, MOVEMENT, side_of(of), of.events)
    tracker = JointTracker(setup, watch.over(setup))
    found = list(watch.news())
    for block in blocks if blocks is not None else list(of.merged()):
        watch.feed(block)
        tracker.feed(block)
        found += watch.news()
    tracker.finish()
    return [*found, *watch.news()]


def only(alerts: Sequence[Alert], kind: AlertKind) -> Alert:
    """Return the one alert there is, of this kind."""
    assert [alert.kind for alert in alerts] == [kind], [alert.sentence() for alert in alerts]
    return alerts[0]


@pytest.mark.parametrize("seed", [3, 11])
def test_a_limb_that_is_well_strapped_is_left_in_peace(seed: int) -> None:
    assert told(knee(seed=seed)) == []


@pytest.mark.parametrize("where", ["proximal", "distal"])
def test_a_strap_that_slips_is_told_with_its_sensor_its_size_and_the_reps_that_stand(where: str) -> None:
    of = knee(Slip(SLIP_AT, 8.0 * DEG, where))
    alert = only(told(of), "slipped")
    assert alert.segment == f"right_{'thigh' if where == 'proximal' else 'shank'}"
    assert alert.size == pytest.approx(8.0 * DEG, abs=3.0 * DEG)
    assert SLIP_AT - 6.0 < alert.since <= SLIP_AT + 0.5
    assert alert.t < SLIP_AT + 12.0
    before, after = [
        [s for s in of.truth.strokes if early == (s.stop <= alert.since)] for early in (True, False)
    ]
    assert before
    assert after
    assert not any(alert.concerns(stroke.start, stroke.stop) for stroke in before)
    assert all(alert.concerns(stroke.start, stroke.stop) for stroke in after)
    words = alert.sentence(NOW)
    assert words.startswith(f"Right {alert.segment.removeprefix('right_')} sensor moved ")
    assert f"{(NOW + timedelta(seconds=alert.since)).astimezone():%H:%M:%S}" in words


def stroke(number: int, proximal: FloatArray, distal: FloatArray, sigma: float = DEG) -> Stroke:
    """Return the nth stroke of a hinge whose axis the two sensors see so."""
    way = 1.0 if number % 2 else -1.0
    axes = way * np.stack([proximal, distal])
    return Stroke(2.0 * number, 2.0 * number + 1.5, 70.0 * DEG, (2.0 * DEG, 70.0 * DEG), axes, UP, 0.3, sigma)


def judged(
    seed: int, proximal: float = 0.0, distal: float = 0.0, sigma: float = DEG, count: int = 16
) -> list[Alert]:
    """Return what is said of strokes whose axes turn by so much, rad, in each sensor after the eighth."""
    rng = np.random.default_rng(seed)
    judge = StrapWatch(straps(knee()), 0)
    found: list[Alert] = []
    for number in range(count):
        moved = [angle if number >= 8 else 0.0 for angle in (proximal, distal)]
        axes = [
            rotate(
                from_axis_angle(np.array([1.0, 0.0, 0.0]), angle),
                np.array([*(0.015 * rng.standard_normal(2)), 1.0]),
            )
            for angle in moved
        ]
        axes = [axis / math.sqrt(float((axis * axis).sum())) for axis in axes]
        found += judge.judge(stroke(number, axes[0], axes[1], sigma), measured=False)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_person_who_moves_otherwise_has_not_slipped(seed: int) -> None:
    """Both sensors see the axis of another movement elsewhere; a strap that slips shows in one."""
    assert judged(seed, 10.0 * DEG, 10.0 * DEG) == []
    assert judged(seed, 10.0 * DEG, 7.0 * DEG) == []
    assert only(judged(seed, distal=10.0 * DEG), "slipped").segment == "right_shank"
    assert only(judged(seed, proximal=10.0 * DEG), "slipped").segment == "right_thigh"


@pytest.mark.parametrize("seed", range(5))
def test_without_a_known_heading_only_the_distal_strap_is_judged(seed: int) -> None:
    assert judged(seed, proximal=15.0 * DEG, sigma=40.0 * DEG) == []
    assert only(judged(seed, distal=15.0 * DEG, sigma=40.0 * DEG), "slipped").segment == "right_shank"


def test_exchanged_sensors_are_told_in_a_later_trial() -> None:
    of = knee()
    names = dict(zip(of.sensors, reversed(of.sensors), strict=True))
    blocks = [replace(block, sensor=names[block.sensor]) for block in of.merged()]
    alert = only(told(of, blocks), "swapped")
    assert "Exchange them" in alert.sentence()


@pytest.mark.parametrize("about", [35.0, -60.0, 90.0])
def test_a_sensor_strapped_on_anew_no_longer_fits_the_calibration(about: float) -> None:
    alert = only(told(knee(), calibration=straps(knee(), about=about * DEG)), "remounted")
    assert alert.segment == "right_shank"
    assert alert.size == pytest.approx(abs(about) * DEG, abs=5.0 * DEG)


def test_a_skin_shift_is_no_new_strapping() -> None:
    assert told(knee(), calibration=straps(knee(), about=10.0 * DEG)) == []


@pytest.mark.parametrize(("age_h", "count"), [(1.0, 0), (3.0, 1), (24.0 * 7, 1), (-5.0, 0)])
def test_a_calibration_older_than_the_straps_is_told(age_h: float, count: int) -> None:
    """One made later, from an earlier recording, is no older for that."""
    made_at = (NOW - timedelta(hours=age_h)).isoformat()
    watch = Watch(header_of(knee()), setup_of(knee(), None), MOVEMENT, "right", ())
    watch.over(setup_of(knee(), straps(knee(), made_at=made_at)))
    assert [alert.kind for alert in watch.news()] == ["stale"] * count


def sensor_alerts(block: ImuBlock, reach: float = math.inf) -> list[Alert]:
    """Return what the samples of one sensor show, an empty last block ending the last stretch."""
    watch = SensorWatch(block.sensor, "left_shank", reach)
    last = ImuBlock(block.sensor, block.t[-1:] + 1.0, block.gyr[-1:], block.acc[-1:])
    return [*watch.feed(block), *watch.feed(last)]


def worn(of: LimbRecording, which: int = 1) -> ImuBlock:
    """Return one sensor's samples from when it is worn."""
    block = of.blocks[of.sensors[which]]
    return block[int(np.searchsorted(block.t, of.truth.mounted)) :]


@pytest.mark.parametrize(("length", "count"), [(0.04, 0), (0.4, 0), (0.6, 1), (3.0, 1)])
def test_a_gap_that_loses_the_heading_is_told_with_its_length(length: float, count: int) -> None:
    block = worn(knee())
    keep = (block.t < 30.0) | (block.t >= 30.0 + length)
    found = sensor_alerts(ImuBlock("s", block.t[keep], block.gyr[keep], block.acc[keep]))
    assert [alert.kind for alert in found] == ["gap"] * count
    for alert in found:
        assert alert.size == pytest.approx(length, abs=0.02)
        assert alert.concerns(29.0, 30.5)
        assert not alert.concerns(31.0 + length, 40.0)


def test_unknown_samples_are_a_gap_too() -> None:
    block = worn(knee())
    acc = block.acc.copy()
    acc[(block.t > 30.0) & (block.t < 31.0)] = np.nan
    assert only(sensor_alerts(replace(block, acc=acc)), "gap").size == pytest.approx(1.0, abs=0.02)


def test_the_end_of_the_range_is_told_once_for_each_bout() -> None:
    block = worn(knee())
    fastest = float(np.abs(block.gyr).max())
    assert sensor_alerts(block, fastest * 1.05) == []
    gyr = block.gyr.copy()
    for start in (20.0, 21.0, 40.0):
        gyr[(block.t > start) & (block.t < start + 0.05), 1] = -fastest * 2.0
    found = sensor_alerts(replace(block, gyr=gyr), fastest * 2.0)
    assert [alert.kind for alert in found] == ["saturated"] * 2
    assert [alert.since for alert in found] == pytest.approx([20.0, 40.0], abs=0.02)


KICKS = (
    TableRest(4.0, 2.0),
    Reps(5, 10.0 * DEG, 22.0 * DEG, seconds=0.15, hold=0.7, rest=0.9),
)


@pytest.mark.parametrize("frequency", [5.0, 8.0])
def test_a_sensor_on_foam_rings_after_kicks_and_one_strapped_fast_does_not(frequency: float) -> None:
    fast, soft = (
        simulate_limb(LimbSpec(programme=KICKS, pad=pad), 5) for pad in (None, Pad(frequency=frequency))
    )
    assert sensor_alerts(worn(fast)) == []
    alert = only(sensor_alerts(worn(soft)), "soft_mount")
    assert alert.size == pytest.approx(frequency, rel=0.3)


def test_foam_inflates_or_hides_range_as_its_sag_says() -> None:
    """The sensor on the pad sees another range than the bone by the sag between upright and level."""
    programme = (Rest(1.0), Reps(1, 0.0, 90.0 * DEG, seconds=4.0))
    for sag in (-6.0 * DEG, 6.0 * DEG):
        spec = LimbSpec(programme=programme, pad=Pad(sag=sag), tissue=None, sway=None, non_hinge=0.0)
        truth = simulate_limb(spec, 1).truth
        seen, bone = truth.extent(truth.strokes[0])[2], truth.extent(truth.strokes[0], bone=True)[2]
        assert seen - bone == pytest.approx(-sag, abs=0.3 * DEG)


def test_steel_bends_the_field_and_a_turning_limb_does_not() -> None:
    """Of a field that is one and the same, a sensor with hard iron sees the end on a sphere."""
    rng = np.random.default_rng(4)
    t = np.arange(0.0, 60.0, 0.02)
    ways = normalise(np.cumsum(rng.standard_normal((len(t), 4)), axis=0) + 40.0 * np.eye(4)[0])
    field = rotate(ways, np.array([20.0, 0.0, -44.0])) + np.array([12.0, -9.0, 14.0])
    field += 0.5 * rng.standard_normal(field.shape)
    still = np.zeros((len(t), 3))
    acc = still + np.array([0.0, 0.0, 9.81])
    assert sensor_alerts(ImuBlock("s", t, still, acc, field)) == []
    bent = np.where(t[:, None] > 40.0, 1.5, 1.0) * field
    alert = only(sensor_alerts(ImuBlock("s", t, still, acc, bent)), "magnetic")
    assert alert.severity == "note"
    assert 40.0 < alert.t < 45.0
    assert sensor_alerts(ImuBlock("s", t, still, acc, 1e-3 * field)) == [], "any unit will do"


def test_the_other_leg_is_told() -> None:
    mine, other = knee(side="left"), knee(seed=4)
    still = (TableRest(6.0, 3.0), Neutral(2.0), Functional(2), Rest(40.0))
    lazy = simulate_limb(LimbSpec(programme=still, side="left"), 3)
    start = next(event.t for event in other.events if event.kind == "trial_start")
    lazy = replace(lazy, events=(*lazy.events, Event(start, "trial_start", {})))
    both = sorted([*lazy.merged(), *other.merged()], key=lambda block: float(block.t[0]))
    alert = only(told(lazy, both, others=[other]), "other_side")
    assert alert.segment == "right_shank"
    assert alert.t - start < 10.0
    both = sorted([*mine.merged(), *other.merged()], key=lambda block: float(block.t[0]))
    assert told(mine, both, others=[other]) == [], "both legs move alike"


@cache
def faulty() -> tuple[LimbRecording, tuple[ImuBlock, ...]]:
    """Return a limb with a slip between two strokes, a gap and a saturated bout; one block a sensor."""
    of = knee(Slip(SLIP_AT - 1.2, 9.0 * DEG))
    blocks: list[ImuBlock] = []
    for number, sensor in enumerate(of.sensors):
        block = of.blocks[sensor]
        keep = (block.t < 51.5) | (block.t >= 52.3 + number)
        gyr = block.gyr.copy()
        gyr[(block.t > 33.0) & (block.t < 33.03)] = math.radians(2000.0)
        blocks.append(ImuBlock(sensor, block.t[keep], gyr[keep], block.acc[keep]))
    return of, tuple(blocks)


def in_order(alerts: Sequence[Alert]) -> list[Alert]:
    """Return alerts in an order that does not depend on when each block came."""
    return sorted(alerts, key=lambda alert: (alert.t, alert.kind, alert.sensor))


@pytest.mark.parametrize("seed", range(3))
def test_alerts_are_the_same_however_the_samples_are_cut_and_after_a_restart(seed: int) -> None:
    of, blocks = faulty()
    expected = in_order(told(of, blocks))
    assert {alert.kind for alert in expected} == {"slipped", "gap", "saturated"}
    rng = np.random.default_rng(seed)
    setup = setup_of(of, straps(of))

    def begun() -> tuple[Watch, JointTracker]:
        watch = Watch(header_of(of), setup, MOVEMENT, "right", of.events)
        return watch, JointTracker(setup, watch.over(setup))

    watch, tracker = begun()
    found: list[Alert] = []
    at = [0, 0]
    while at[0] < len(blocks[0]) or at[1] < len(blocks[1]):
        which = (
            int(rng.integers(2))
            if at[0] < len(blocks[0]) and at[1] < len(blocks[1])
            else int(at[0] >= len(blocks[0]))
        )
        size = int(rng.choice([1, 5, 60, 700]))
        part = blocks[which][at[which] : at[which] + size]
        at[which] += size
        watch.feed(part)
        tracker.feed(part)
        found += watch.news()
        if rng.random() < 0.02:
            kept = json.loads(json.dumps([watch.save(), tracker.save()]))
            watch, tracker = begun()
            watch.restore(kept[0])
            tracker.restore(kept[1])
    tracker.finish()
    assert in_order([*found, *watch.news()]) == expected


def test_live_says_what_the_replay_says_and_marks_the_reps(tmp_path: Path) -> None:
    of, blocks = faulty()
    samples = {block.sensor: block for block in blocks}
    path = tmp_path / "slipped.mcap"
    header = write_recording(
        path, [replace(of, blocks=samples)], NOW, calibrations=[straps(of).to_document()]
    )
    trial = analyse(Recording.open(path))
    live = LiveTrial(header, MOVEMENT, "right")
    events = list(of.events)
    found: list[Alert] = []
    for block in replace(of, blocks=samples).merged(0.25):
        while events and events[0].t <= block.t[0]:
            live.take(events.pop(0))
        if not live.begun and block.t[0] > 25.0:
            found += live.begin([straps(of)]).alerts
        found += live.feed(block).alerts
    found += live.finish().alerts
    assert in_order(found) == in_order(trial.alerts)
    slip = next(alert for alert in trial.alerts if alert.kind == "slipped")
    for rep in trial.reps:
        doubted = "after the right shank sensor slipped" in rep.warnings
        assert doubted == (rep.rep.stop > slip.since)
    assert any(sentence.startswith("Right shank sensor moved") for sentence in trial.warnings)
    document = json.loads(json.dumps(trial.to_document()))
    assert [each["kind"] for each in document["alerts"]] == [alert.kind for alert in trial.alerts]
