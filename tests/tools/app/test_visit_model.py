"""A visit and a test at home through their view models: the steps and sentences of the command line."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from imu.recording import Recording
from rom.catalogue.loader import Catalogue
from rom.clinic.desk import Desk
from rom.clinic.home_desk import give_out
from rom.clinic.person import add_client, open_episode
from rom.clinic.sealed import load_keys
from rom.clinic.store import Store
from rom.clinic.treating import Technique
from rom.clinic.visit import State
from rom.trial import analyse
from rom.trials import analyse_pair, compare_trials
from tools.app.course_model import CourseModel
from tools.app.home_model import HomeModel
from tools.app.visit_model import PATH, VisitModel

pytestmark = pytest.mark.timeout(180)
CODE = "P0042"


@pytest.fixture
def desk(catalogue: Catalogue, tmp_path: Path) -> Desk:
    store = Store(tmp_path / "practice")
    add_client(store, "tester", CODE)
    open_episode(
        store, "tester", catalogue, CODE, complaint="tight hamstrings", regions=["knee"], side="left"
    )
    return Desk(store, catalogue, "tester")


def here(model: VisitModel) -> str:
    return next(station.name for station in model.stations if station.progress == "now")


def test_a_whole_visit_its_verdict_course_and_home_test(
    desk: Desk, catalogue: Catalogue, visit_files: dict[str, Path], tmp_path: Path
) -> None:
    model = VisitModel(desk)
    assert model.clients() == [CODE]
    model.choose(CODE)
    assert not model.running
    assert {station.progress for station in model.stations} == {"ahead"}
    model.start()
    assert here(model) == "Screening"
    model.screen([])
    model.tell(5.0)
    assert (model.problem, model.state) == ("", State.SETUP)
    model.take_test(visit_files["baseline_left"])
    assert "unaffected" in model.problem
    model.take_test(visit_files["baseline_right"])
    model.take_test(visit_files["baseline_left"], despite="test")
    assert model.problem == ""
    assert len(model.facts.baselines) == 2
    assert model.verdict is None
    model.treat("hamstrings", "left", Technique.ART, despite="three reps are enough here")
    assert (model.problem, here(model)) == ("", "Passes")
    order = model.order(catalogue.movement("kn_ake"), "left", tmp_path / "new.mcap")
    assert (order.structure, order.technique, order.phase) == ("hamstrings", "ART", "")
    model.take_passes(visit_files["treatment_left"])
    assert "2 passes" in model.note
    kept = model.calibrations(catalogue.movement("kn_ake"), "left")
    assert {one.proximal.segment for one in kept} == {"left_thigh"}
    baseline = model.baseline(catalogue.movement("kn_ake"), "left")
    assert baseline is not None
    retest = model.retest_order(catalogue.movement("kn_ake"), "left", tmp_path / "new.mcap")
    valid = sum(rep.valid for rep in analyse(Recording.open(visit_files["baseline_left"])).reps)
    assert (retest.phase, retest.reps) == ("retest", min(valid, 5))
    model.take_test(visit_files["retest_left"])
    assert "come off" in model.problem
    model.take_test(visit_files["retest_left"], came_off=False)
    assert (model.problem, here(model)) == ("", "Re-test")
    verdict = model.verdict
    assert verdict is not None
    pair = analyse_pair(
        Recording.open(visit_files["baseline_left"]), Recording.open(visit_files["retest_left"])
    )
    assert verdict.change.split(".")[0] == compare_trials(*pair).sentence().split(".")[0]
    assert verdict.low_deg < verdict.high_deg
    assert len(verdict.after_deg) >= 3
    assert verdict.symmetry
    model.retarget("fewer reps than wanted")
    assert model.suggested
    assert model.expected == tuple(one.id for one in model.suggested)
    model.close(3.0)
    assert "hamstring" in model.note
    model.sign(date(2999, 1, 1))
    assert (model.problem, model.running) == ("", False)
    assert {station.progress for station in model.stations} == {"done"}

    model.write_page(tmp_path / "page.pdf")
    assert model.problem == ""
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    model.write_page(tmp_path / "page.pdf" / "inside.pdf")
    assert model.problem != ""

    course = CourseModel(desk)
    course.choose(CODE)
    (line,) = course.lines
    assert line.pain == (5.0,)
    assert line.other_deg[0] is not None
    assert line.before_deg[0] == pytest.approx(baseline * 180.0 / 3.141592653589793)
    assert line.mdc_deg is not None

    file = tmp_path / "test.json"
    keys = load_keys(desk.store.folder, "a passphrase")
    file.write_text(json.dumps(give_out(desk.store, keys, CODE).to_document()), encoding="utf-8")
    home = HomeModel(catalogue)
    home.open(file)
    assert home.title == "Left knee straightening"
    home.measure(visit_files["retest_left"])
    assert home.result is not None
    assert "can be chance" in home.result.sentence
    home.send(tmp_path / "answer.age")
    assert home.sent is not None
    assert home.sent.stat().st_size > 1000


def test_a_yes_that_stops_is_said_and_a_visit_is_found_where_it_stopped(desk: Desk) -> None:
    model = VisitModel(desk)
    model.choose(CODE)
    model.start()
    model.screen(["RF03"])
    assert "infection" in model.problem
    assert model.state is State.SCREEN
    again = VisitModel(desk)
    again.choose(CODE)
    assert re.fullmatch(rf"Visit of {CODE} stopped at \d\d:\d\d in screen\. Continue\?", again.stopped_at)
    assert again.left_open() == [(CODE, again.stopped_at)]


def test_measuring_that_is_cancelled_leaves_the_visit_as_it_was(
    desk: Desk, visit_files: dict[str, Path]
) -> None:
    from tools.app.jobs import CancelledError

    model = VisitModel(desk)
    model.choose(CODE)
    model.start()
    model.screen([])
    model.tell(5.0)
    shares: list[float] = []

    def report(share: float) -> None:
        shares.append(share)
        if share > 0.5:
            raise CancelledError

    model.take_test(visit_files["baseline_right"], progress=report)
    assert 0.0 < shares[0] < shares[-1] <= 1.0
    assert "cancelled" in model.problem
    assert (model.state, model.trials) == (State.SETUP, ())
    model.take_test(visit_files["baseline_right"])
    assert (model.problem, len(model.trials)) == ("", 1)


def test_every_state_of_a_visit_has_its_place_on_the_path() -> None:
    shown = {state for _, states in PATH for state in states}
    assert shown == set(State) - {State.HALT}


def test_what_the_clinic_did_not_make_is_refused_at_home(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    home = HomeModel(catalogue)
    home.open(tmp_path / "other.json")
    assert "ask for it again" in home.problem
    assert home.test is None
