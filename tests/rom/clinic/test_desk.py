"""A visit on the store, step by step: what is refused, what is kept, what a stop ends."""

import hashlib
import json
import math
import sqlite3
import threading
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imu.errors import InputError
from imu.recording_values import SensorInfo
from rom.catalogue.loader import Catalogue, load_catalogue
from rom.clinic.closing import close, end_course, sign, visit_note
from rom.clinic.course_page import course_page
from rom.clinic.desk import Desk, Limits
from rom.clinic.intake import answers_last_time, put_on, screen, take_off, tell
from rom.clinic.measured import Measured, MeasuredPass, MeasuredRep
from rom.clinic.outcomes import sample_of
from rom.clinic.person import add_client, export_client, forget_client, open_episode
from rom.clinic.screening import RULES, Answer, Reply
from rom.clinic.stops import Reach
from rom.clinic.store import Store, StoreError
from rom.clinic.store_people import HomeTask
from rom.clinic.store_visits import (
    CalibrationRecord,
    Outcome,
    PassRecord,
    RecordingFile,
    RepRecord,
    StateChange,
    Treatment,
    TrialRecord,
    Visit,
)
from rom.clinic.treating import Technique, contact_off, contact_on, palpate, passes_from, retarget, treat
from rom.clinic.trials import attach
from rom.clinic.verify import verify
from rom.clinic.visit import State, VisitError
from rom.compare import compare

BEFORE = (48.0, 46.5, 46.0, 45.8, 46.1)
AFTER = (38.2, 37.9, 38.3, 38.0, 37.6)
NO = [Answer(rule.code, Reply.NO) for rule in RULES]


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, minutes: float = 0.0, days: float = 0.0) -> None:
        self.now += timedelta(minutes=minutes, days=days)


class Bench:
    """A practice with one client, its clock, and recordings that exist as small files."""

    def __init__(self, folder: Path, url: str | None, catalogue: Catalogue) -> None:
        self.clock, self.url = Clock(), url
        self.store = Store(folder / "practice", url, station="room 1", clock=self.clock)
        self.catalogue = catalogue
        self.desk = Desk(self.store, catalogue, "Ann")
        self.folder, self.made = folder, 0
        add_client(self.store, "Ann", "P0042", birth_year=1990)
        self.episode()

    def episode(self) -> None:
        open_episode(
            self.store,
            "Ann",
            self.catalogue,
            "P0042",
            complaint="tight hamstring",
            regions=["knee"],
            side="left",
            onset=self.clock.now.date() - timedelta(days=30),
        )

    def recording(
        self,
        values: tuple[float, ...] = BEFORE,
        *,
        side: str = "left",
        movement: str = "kn_ake",
        passes: int = 0,
        aggregate: str = "mean_2_to_k",
        client: str = "",
    ) -> Measured:
        self.made += 1
        path = self.folder / f"{self.made}.mcap"
        path.write_bytes(b"recording %d" % self.made)
        reps = tuple(MeasuredRep(3.0 * n, 3.0 * n + 2, v, valid=True) for n, v in enumerate(values))
        return Measured(
            path=path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            recording_id=f"r{self.made}",
            recorded_at=self.clock.now,
            duration_s=60.0,
            simulated=not client,
            client=client,
            sensors=tuple(
                SensorInfo(f"{side}-{s}", f"{side}_{s}", "virtual", 100.0) for s in ("thigh", "shank")
            ),
            movement=movement,
            side=side,
            aggregate=aggregate,
            reps=() if passes else reps,
            passes=tuple(MeasuredPass(9.0 * n, 9.0 * n + 4, 90.0, 40.0, 12.0, 5.0) for n in range(passes)),
            residual_deg=2.0,
            calibration={"source": "embedded"},
            sample={
                "peak": [math.radians(v) for v in values],
                "plateau": [None for _ in values],
                "numbers": list(range(1, len(values) + 1)),
                "sensor_sigma": 0.01,
                "strap_sigma": 0.02,
                "alignment": "as worn",
            },
        )

    def until_baseline(self) -> None:
        self.desk.start("P0042", Limits())
        screen(self.desk, "P0042", NO)
        tell(self.desk, "P0042", 5)
        attach(self.desk, "P0042", self.recording((30.0, 29.0, 28.5, 28.6, 28.4), side="right"))
        attach(self.desk, "P0042", self.recording())

    def until_treated(self) -> None:
        self.until_baseline()
        palpate(self.desk, "P0042", "hamstrings", "left", tender=2, familiar=True)
        treat(self.desk, "P0042", Technique.ART)
        passes_from(self.desk, "P0042", self.recording(passes=3))
        self.clock.wait(minutes=3)

    def state(self) -> State:
        with self.store.reading() as ledger:
            return State(ledger.find(Visit)[-1].state)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def bench(tmp_path: Path, catalogue: Catalogue, url: str | None) -> Bench:
    return Bench(tmp_path, url, catalogue)


def test_a_whole_visit_ends_in_a_note_with_every_number(bench: Bench) -> None:
    bench.until_treated()
    result = attach(bench.desk, "P0042", bench.recording(AFTER), came_off=False)
    assert result.comparison is not None
    assert result.symmetry is not None
    bench.clock.wait(minutes=1)
    control = bench.recording((28.0, 27.0, 26.6, 26.4, 26.5), side="right")
    attach(bench.desk, "P0042", control, came_off=False)
    up, down = retarget(bench.desk, "P0042")
    assert [s.id for s in up + down] == [
        *bench.catalogue.structure("hamstrings").chain_up,
        *bench.catalogue.structure("hamstrings").chain_down,
    ]
    close(bench.desk, "P0042", reaction="none", nprs=3)
    sign(bench.desk, "P0042", bench.clock.now.date() + timedelta(days=4))
    note = visit_note(bench.store, "P0042")
    for words in (
        "hamstrings left: ART, 3 passes, discomfort up to 5",
        "5 before, 3 after",
        "the untreated right",
    ):
        assert words in note
    for words in (
        "Use the new range",
        "5 minutes a day",
        "Strengthen",
        "training load",
        "Next visit: 2026-03-07",
    ):
        assert words in note
    assert "Treatment time: 4 min" in note
    with bench.store.reading() as ledger:
        trials = ledger.find(TrialRecord)
        assert [t.phase for t in trials] == ["baseline", "baseline", "retest", "control"]
        assert [t.elapsed_min for t in trials[2:]] == pytest.approx([3 - 22 / 60, 4 - 22 / 60], abs=0.01)
        assert len(ledger.find(RepRecord, trial_id=trials[0].id)) == 5
        change = ledger.one(Outcome, kind="change", second_trial_id=trials[2].id)
        assert change is not None
        direct = compare(
            sample_of(trials[1], bench.catalogue),
            sample_of(trials[2], bench.catalogue),
            control=(sample_of(trials[0], bench.catalogue), sample_of(trials[3], bench.catalogue)),
        )
        assert change.difference_deg == math.degrees(direct.change.value)
        assert change.sentence == direct.sentence()
        assert len([t for t in ledger.find(HomeTask) if t.kind == "retest" and t.key]) == 1
    assert verify(bench.store).problems == ()


def test_the_affected_side_waits_for_the_other(bench: Bench) -> None:
    bench.desk.start("P0042", Limits())
    screen(bench.desk, "P0042", NO)
    tell(bench.desk, "P0042", 5)
    with pytest.raises(VisitError, match="right side is unaffected and is tested first"):
        attach(bench.desk, "P0042", bench.recording())
    attach(bench.desk, "P0042", bench.recording(), despite="right leg in a cast")
    assert bench.state() is State.BASELINE


def test_too_few_reps_hold_the_baseline_until_tested_again_or_a_reason(bench: Bench) -> None:
    bench.desk.start("P0042", Limits())
    screen(bench.desk, "P0042", NO)
    tell(bench.desk, "P0042", 5)
    attach(bench.desk, "P0042", bench.recording((30.0, 29.0, 28.0), side="right"))
    with pytest.raises(VisitError, match="5 valid reps are wanted, 3 came"):
        palpate(bench.desk, "P0042", "hamstrings", "left")
    attach(bench.desk, "P0042", bench.recording((30.0, 29.0, 28.0, 36.0, 28.0), side="right"))
    with pytest.raises(VisitError, match="still differ"):
        palpate(bench.desk, "P0042", "hamstrings", "left")
    palpate(bench.desk, "P0042", "hamstrings", "left", despite="client tires")
    with bench.store.reading() as ledger:
        assert [c.reason for c in ledger.find(StateChange) if c.reason] == ["client tires"]


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        (
            {"side": "left", "movement": "hip_slr"},
            "this re-test is hip_slr left, but the baseline .* kn_ake left",
        ),
        ({"aggregate": "best_of_3"}, "summed up as mean_2_to_k and this re-test as best_of_3"),
    ],
)
def test_unlike_things_are_not_compared(bench: Bench, recording: dict[str, Any], sentence: str) -> None:
    bench.until_treated()
    with pytest.raises(VisitError, match=sentence):
        attach(bench.desk, "P0042", bench.recording(AFTER, **recording), came_off=False)
    assert bench.state() is State.TREAT
    with bench.store.reading() as ledger:
        assert ledger.find(Outcome) == []


def test_whether_sensors_came_off_is_asked_and_checked_against_what_was_seen(bench: Bench) -> None:
    bench.until_treated()
    with pytest.raises(VisitError, match="came-off or --stayed-on"):
        attach(bench.desk, "P0042", bench.recording(AFTER))
    kept_on = attach(bench.desk, "P0042", bench.recording(AFTER), came_off=False).comparison
    take_off(bench.desk, "P0042", "left_shank")
    put_on(bench.desk, "P0042", [SensorInfo("left-shank", "left_shank", "virtual", 100.0)])
    again = bench.recording(AFTER)
    with pytest.raises(VisitError, match="put on left_shank after the baseline"):
        attach(bench.desk, "P0042", again, came_off=False)
    moved = attach(bench.desk, "P0042", again).comparison
    assert kept_on is not None
    assert moved is not None
    assert kept_on.change.yardstick.basis == "straps kept on"
    assert moved.change.yardstick.basis == "straps put on again"
    assert (moved.change.yardstick.mdc95 or 0) > (kept_on.change.yardstick.mdc95 or 0)


def test_a_recording_counts_once(bench: Bench) -> None:
    bench.until_baseline()
    again = bench.recording()
    first = attach(bench.desk, "P0042", again)
    assert attach(bench.desk, "P0042", again).known
    with bench.store.reading() as ledger:
        assert len(ledger.find(TrialRecord)) == 3
    close(bench.desk, "P0042", despite="fire drill")
    sign(bench.desk, "P0042")
    bench.clock.wait(days=2)
    bench.desk.start("P0042", Limits())
    screen(bench.desk, "P0042", answers_last_time(bench.desk, "P0042"))
    tell(bench.desk, "P0042", 4)
    with pytest.raises(VisitError, match=f"already is trial {first.trial.n} of visit 1 of P0042"):
        attach(bench.desk, "P0042", again)


def test_somebody_elses_recording_is_refused(bench: Bench) -> None:
    bench.until_baseline()
    with pytest.raises(VisitError, match="recorded for P0007 and this visit is of P0042"):
        attach(bench.desk, "P0042", bench.recording(client="P0007"))


def test_a_closed_region_is_neither_tested_nor_touched(bench: Bench) -> None:
    bench.desk.start("P0042", Limits())
    answers = [Answer("RF04", Reply.YES, regions=frozenset({"knee"})) if a.code == "RF04" else a for a in NO]
    screen(bench.desk, "P0042", answers)
    tell(bench.desk, "P0042", 5)
    with pytest.raises(VisitError, match="RF04"):
        attach(bench.desk, "P0042", bench.recording(side="right"))


def test_an_open_stop_holds_the_visit_and_an_override_is_audited(bench: Bench) -> None:
    bench.desk.start("P0042", Limits())
    screen(bench.desk, "P0042", [Answer("RF05", Reply.YES) if a.code == "RF05" else a for a in NO])
    with pytest.raises(VisitError, match="RF05 stop"):
        tell(bench.desk, "P0042", 5)
    passed = Answer("RF05", Reply.YES, override_by="Dr Bob", override_reason="ultrasound clear today")
    screen(bench.desk, "P0042", [passed])
    tell(bench.desk, "P0042", 5)
    with bench.store.reading() as ledger:
        events = bench.store.events_about(ledger.owned(ledger.client("P0042")))
    assert any(event["note"] == "RF05 passed by Dr Bob" and event["actor"] == "Ann" for event in events)


def test_a_second_stop_ends_the_structure_and_numbness_the_session(bench: Bench) -> None:
    bench.until_baseline()
    palpate(bench.desk, "P0042", "hamstrings", "left")
    treat(bench.desk, "P0042", Technique.ART)
    contact_on(bench.desk, "P0042")
    assert contact_off(bench.desk, "P0042", stopped="sharp", discomfort=6).reach is Reach.PASS
    contact_on(bench.desk, "P0042")
    assert contact_off(bench.desk, "P0042", discomfort=9).reach is Reach.STRUCTURE
    with pytest.raises(VisitError, match="the work on hamstrings has ended: two stops"):
        contact_on(bench.desk, "P0042")
    attach(bench.desk, "P0042", bench.recording(AFTER), came_off=False)
    retarget(bench.desk, "P0042")
    palpate(bench.desk, "P0042", "gastrocnemius", "left")
    treat(bench.desk, "P0042", Technique.ART)
    contact_on(bench.desk, "P0042")
    assert contact_off(bench.desk, "P0042", stopped="numbness").reach is Reach.SESSION
    assert bench.state() is State.HALT
    with pytest.raises(VisitError, match="who was told"):
        close(bench.desk, "P0042")
    bench.desk.halt("P0042", "numbness", reason="numb toes", action="sat up, cleared in 2 min", told="Dr Bob")
    close(bench.desk, "P0042")
    assert "numb toes; sat up, cleared in 2 min; told: Dr Bob" in visit_note(bench.store, "P0042")


def test_a_halt_under_contact_leaves_no_pass_open(bench: Bench) -> None:
    bench.until_baseline()
    palpate(bench.desk, "P0042", "hamstrings", "left")
    treat(bench.desk, "P0042", Technique.ART)
    contact_on(bench.desk, "P0042")
    assert bench.state() is State.PASS
    bench.desk.halt("P0042", "stop", reason="fire alarm", action="left the room", told="everybody")
    close(bench.desk, "P0042")
    with bench.store.reading() as ledger:
        assert [(p.stop_reason, p.ended_at is None) for p in ledger.find(PassRecord)] == [("stop", False)]


def test_a_joint_calibrated_again_among_the_passes_serves_the_recordings_after_it(bench: Bench) -> None:
    bench.until_treated()

    def kept() -> int:
        with bench.store.reading() as ledger:
            return len(ledger.find(CalibrationRecord))

    before = kept()
    passes_from(bench.desk, "P0042", bench.recording(passes=1))
    assert kept() == before
    again = {"source": "given", "again": True}
    passes_from(bench.desk, "P0042", replace(bench.recording(passes=1), calibration=again))
    assert kept() == before + 1


def test_passes_have_a_limit(bench: Bench) -> None:
    bench.until_treated()
    with pytest.raises(VisitError, match="3 passes, 3 are done and 5 are the limit"):
        passes_from(bench.desk, "P0042", bench.recording(passes=3))
    passes_from(bench.desk, "P0042", bench.recording(passes=2))
    with pytest.raises(VisitError, match="5 are the limit"):
        contact_on(bench.desk, "P0042")


def test_a_second_station_is_refused_until_it_takes_over(bench: Bench) -> None:
    bench.until_baseline()
    other = Desk(
        Store(bench.store.folder, bench.url, station="room 2", clock=bench.clock), bench.catalogue, "Bob"
    )
    with pytest.raises(VisitError, match=r"open at station 'room 1' since 10:00 UTC and this is 'room 2'"):
        palpate(other, "P0042", "hamstrings", "left")
    with pytest.raises(VisitError, match="is open: `rom visit resume"):
        other.start("P0042", Limits())
    other.take_over("P0042")
    palpate(other, "P0042", "hamstrings", "left")
    with pytest.raises(VisitError, match="station 'room 2'"):
        treat(bench.desk, "P0042", Technique.ART)


def test_two_stations_that_start_at_the_same_moment_open_one_visit(bench: Bench) -> None:
    desks = [
        Desk(Store(bench.store.folder, bench.url, station=name, clock=bench.clock), bench.catalogue, name)
        for name in ("room 2", "room 3")
    ]
    refused: list[str] = []

    def start(desk: Desk) -> None:
        try:
            desk.start("P0042", Limits())
        except VisitError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(refused) == 1
    assert "is open: `rom visit resume P0042`" in refused[0]
    with bench.store.reading() as ledger:
        assert [visit.seq for visit in ledger.find(Visit)] == [1]


def test_a_clock_that_jumps_ahead_closes_the_way_and_loses_nothing(bench: Bench) -> None:
    bench.until_baseline()
    bench.clock.wait(days=2)
    with pytest.raises(VisitError, match="was started 48 hours ago"):
        palpate(bench.desk, "P0042", "hamstrings", "left")
    close(bench.desk, "P0042", despite="left open")
    sign(bench.desk, "P0042")
    bench.clock.wait(days=-1)
    with pytest.raises(StoreError, match="set the clock"):
        bench.desk.start("P0042", Limits())
    bench.clock.wait(days=1)
    assert bench.desk.start("P0042", Limits()).seq == 2


def test_clocks_that_do_not_fit_give_no_elapsed_time(bench: Bench) -> None:
    bench.until_treated()
    late = bench.recording(AFTER)
    jumped = replace(late, recorded_at=late.recorded_at - timedelta(days=400))
    assert attach(bench.desk, "P0042", jumped, came_off=False).trial.elapsed_min is None


def test_a_missing_or_altered_recording_is_named_and_results_are_kept(bench: Bench) -> None:
    bench.until_treated()
    with bench.store.reading() as ledger:
        files = ledger.find(RecordingFile)
    bench.store.path_of(files[0].path).unlink()
    bench.store.path_of(files[1].path).write_bytes(b"other")
    (bench.store.folder / "recordings" / "stray.mcap").write_bytes(b"stray")
    problems = verify(bench.store).problems
    assert len(problems) == 3
    assert "is missing: restore it from the backup; its results are kept (visit 1 of P0042)" in problems[0]
    assert "was altered" in problems[1]
    assert "stray.mcap belongs to no visit" in problems[2]
    assert attach(bench.desk, "P0042", bench.recording(AFTER), came_off=False).comparison is not None


def _other_reader(bench: Bench) -> sqlite3.Connection:
    """Return a connection of another program, which keeps the write-ahead log of SQLite from going away."""
    connection = sqlite3.connect(":memory:" if bench.url else bench.store.folder / "clinic.sqlite")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def test_export_is_complete_and_erasure_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    bench.until_treated()
    add_client(bench.store, "Ann", "P0007")
    with bench.store.reading() as ledger:
        rows = ledger.owned(ledger.client("P0042"))
    count, problems = export_client(bench.store, "P0042", tmp_path / "out.zip", "Zoë")
    assert (count, problems) == (len(rows), [])
    with zipfile.ZipFile(tmp_path / "out.zip") as bundle:
        document = json.loads(bundle.read("client.json"))
        assert {row["id"] for group in document["rows"].values() for row in group} == {row.id for row in rows}
        for file in document["rows"]["recording"]:
            assert hashlib.sha256(bundle.read(file["path"])).hexdigest() == file["sha256"]
    assert len(document["audit"]) >= len(rows)
    with closing(_other_reader(bench)):
        erased = forget_client(bench.store, "Ann", "P0042")
        files = [path for path in bench.store.folder.rglob("*") if path.is_file()]
        assert [path for path in files if b"tight hamstring" in path.read_bytes()] == []
    assert (erased.rows, erased.recordings, erased.copies) == (len(rows), 3, ())
    assert verify(bench.store).problems == ()
    with bench.store.reading() as ledger:
        assert ledger.client("P0007")
        with pytest.raises(StoreError, match="no client P0042"):
            ledger.client("P0042")


def test_three_visits_ask_for_a_review(bench: Bench) -> None:
    for _ in range(3):
        bench.until_treated()
        attach(bench.desk, "P0042", bench.recording(BEFORE), came_off=False)
        close(bench.desk, "P0042", nprs=5)
        sign(bench.desk, "P0042")
        bench.clock.wait(days=4)
    page = course_page(bench.store, bench.catalogue, "P0042")
    asked = page.document["questions"]
    assert any("re-evaluate, change or refer?" in line for line in asked)
    assert any("review the course" in line for line in asked)
    assert "67 %" in page.text()
    end_course(bench.desk, "P0042", State.COURSE_REVIEW, "refer to Dr Bob")
    end_course(bench.desk, "P0042", State.DISCHARGE, "referred")
    with bench.store.reading() as ledger:
        assert [t.ended_because for t in ledger.find(Treatment)] == ["closed"] * 3
    with pytest.raises(VisitError, match="no open episode"):
        bench.desk.start("P0042", Limits())


def test_limits_and_ratings_out_of_range_are_refused(bench: Bench) -> None:
    with pytest.raises(InputError, match="at least 3 reps"):
        Limits(reps=2)
    bench.desk.start("P0042", Limits())
    screen(bench.desk, "P0042", NO)
    with pytest.raises(InputError, match="from 0 to 10, got 11"):
        tell(bench.desk, "P0042", 11)
    with pytest.raises(StoreError, match="no client P9999"):
        bench.desk.start("P9999", Limits())
