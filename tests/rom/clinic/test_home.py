"""The test at home: out of the clinic, back sealed, taken in once, and nothing forged gets in."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyrage import x25519  # pyright: ignore[reportAttributeAccessIssue] -- compiled, no types

from calibration.segment import JointCalibration, SegmentAlignment
from imu.errors import InputError
from imu.quaternion import conjugate
from rom.catalogue.loader import Catalogue, load_catalogue
from rom.clinic.closing import close, sign
from rom.clinic.desk import Desk, Limits
from rom.clinic.home import HomeTest, seal_answer
from rom.clinic.home_desk import give_out, receive
from rom.clinic.intake import screen, tell
from rom.clinic.measuring import measure
from rom.clinic.person import add_client, open_episode
from rom.clinic.screening import RULES, Answer, Reply
from rom.clinic.sealed import Keys, SealError
from rom.clinic.store import Store
from rom.clinic.store_people import HomeLog
from rom.clinic.store_visits import TrialRecord
from rom.clinic.trials import attach
from rom.clinic.verify import verify
from rom.clinic.visit import VisitError
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Reps, Supported, TakePosition
from rom.limb_world import LimbSpec

DEG = np.pi / 180.0
Recorder = Callable[[str, float], Path]


def limb(side: str, end_deg: float) -> LimbRecording:
    reps = Reps(5, start=90 * DEG, end=end_deg * DEG, seconds=1.2, hold=1.0, rest=1.0)
    programme = (Supported(3.0), Neutral(), TakePosition(3.0), reps)
    return simulate_limb(replace(LimbSpec(programme), side=side, person=5, rate=100.0), int(end_deg))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Return what makes a recording of a left knee that knows how its sensors sit."""
    folder = tmp_path_factory.mktemp("recordings")

    def make(side: str, end_deg: float) -> Path:
        of = limb(side, end_deg)
        parts = zip(of.sensors, of.spec.segments, of.truth.q_segment_from_sensor, strict=True)
        upper, lower = (SegmentAlignment(s, g, conjugate(q), np.eye(3) * (2 * DEG) ** 2) for s, g, q in parts)
        axis = np.array([0.0, 0.0, 1.0])
        joint = JointCalibration(f"{side}_knee", 1, upper, lower, axis, axis, 2 * DEG)
        path = folder / f"{len(list(folder.iterdir()))}.mcap"
        write_recording(path, [of], datetime.now(UTC), client="P0042", calibrations=[joint.to_document()])
        return path

    return make


@pytest.fixture
def practice(tmp_path: Path, catalogue: Catalogue, recorder: Recorder) -> tuple[Store, Keys, HomeTest]:
    """Return a practice after one visit in which the left knee was tested, and its home test."""
    store, keys = Store(tmp_path / "practice", station="room 1"), Keys(x25519.Identity.generate())
    desk = Desk(store, catalogue, "Ann")
    add_client(store, "Ann", "P0042")
    open_episode(store, "Ann", catalogue, "P0042", complaint="tight", regions=["knee"], side="left")
    with pytest.raises(VisitError, match="no test to repeat at home"):
        give_out(store, keys, "P0042")
    desk.start("P0042", Limits())
    screen(desk, "P0042", [Answer(rule.code, Reply.NO) for rule in RULES])
    tell(desk, "P0042", 4)
    attach(desk, "P0042", measure(recorder("left", 40.0), catalogue), despite="one leg only")
    close(desk, "P0042", despite="test only")
    sign(desk, "P0042")
    return store, keys, give_out(store, keys, "P0042")


def test_the_answer_comes_back_whole_and_counts_once(
    practice: tuple[Store, Keys, HomeTest], catalogue: Catalogue, recorder: Recorder
) -> None:
    store, keys, test = practice
    at_home = recorder("left", 30.0)
    sealed = seal_answer(test, at_home, date.today(), 2.0, "felt fine")
    assert b"felt fine" not in sealed
    got = receive(store, catalogue, "Ann", keys, sealed)
    measured = measure(at_home, catalogue, movement="kn_ake", side="left")
    assert got.sentence == test.against(measured.sample, catalogue).sentence()
    assert "straps put on again" in got.sentence
    with store.reading() as ledger:
        trial = ledger.one(TrialRecord, phase="home")
        log = ledger.one(HomeLog)
        assert trial is not None
        assert log is not None
        assert (log.soreness, log.note, log.rom_deg, log.trial_id) == (
            2.0,
            "felt fine",
            trial.value_deg,
            trial.id,
        )
        assert trial.provenance is not None
        assert trial.provenance["recording_sha256"] == measured.sha256
    assert receive(store, catalogue, "Ann", keys, sealed).known
    assert verify(store).problems == ()


def test_the_sentence_for_the_athlete_names_the_day_and_the_chance(
    practice: tuple[Store, Keys, HomeTest], catalogue: Catalogue, recorder: Recorder
) -> None:
    _, _, test = practice
    same = measure(recorder("left", 39.0), catalogue)
    change = test.against(same.sample, catalogue)
    tuesday = replace(test, measured_at=datetime(2026, 3, 3, tzinfo=UTC))
    assert tuesday.called(date(2026, 3, 8)) == "Tuesday"
    assert tuesday.called(date(2026, 3, 20)) == "2026-03-03"
    sentence = change.home_sentence(tuesday.called(date(2026, 3, 8)))
    assert sentence.startswith("About the same as Tuesday (")
    assert "can be chance" in sentence


def test_nothing_forged_altered_or_foreign_gets_in(
    practice: tuple[Store, Keys, HomeTest], catalogue: Catalogue, recorder: Recorder
) -> None:
    store, keys, test = practice
    path = recorder("left", 35.0)
    forged = seal_answer(replace(test, key="00" * 16), path, date.today())
    with pytest.raises(InputError, match="does not carry the mark"):
        receive(store, catalogue, "Ann", keys, forged)
    unknown = seal_answer(replace(test, task="nobody"), path, date.today())
    with pytest.raises(InputError, match="does not know"):
        receive(store, catalogue, "Ann", keys, unknown)
    elsewhere = replace(test, recipient=Keys(x25519.Identity.generate()).recipient)
    with pytest.raises(SealError, match="another practice"):
        receive(store, catalogue, "Ann", keys, seal_answer(elsewhere, path, date.today()))
    with pytest.raises(InputError, match="got something else"):
        receive(store, catalogue, "Ann", keys, keys.seal(b"hello"))
    other_side = seal_answer(test, recorder("right", 30.0), date.today())
    with pytest.raises(InputError):
        receive(store, catalogue, "Ann", keys, other_side)
    with store.reading() as ledger:
        assert ledger.one(TrialRecord, phase="home") is None
    assert verify(store).problems == ()


def test_the_clinics_file_is_read_back_and_anything_else_refused(
    practice: tuple[Store, Keys, HomeTest], tmp_path: Path
) -> None:
    _, _, test = practice
    path = tmp_path / "home.json"
    path.write_text(json.dumps(test.to_document()))
    assert HomeTest.load(path) == test
    assert test.measured_at > datetime.now(UTC) - timedelta(minutes=5)
    for text in ("", "[]", "{}", json.dumps({**test.to_document(), "schema": "romcap.home/9"})):
        path.write_text(text)
        with pytest.raises(InputError, match="ask for it again"):
            HomeTest.load(path)
