"""A picture of every screen, made by using the application with virtual sensors and simulated visits."""

# pyright: basic

import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rom.catalogue.loader import Catalogue, load_catalogue
from rom.catalogue.movement import Movement, Side
from rom.clinic.desk import Desk
from rom.clinic.home_desk import give_out
from rom.clinic.sealed import load_keys
from tools.app.bindings import Bindings
from tools.app.chooser_model import order_for
from tools.app.demo_practice import CLIENT, demo_desk
from tools.app.setting import Setting
from tools.emulator.limbs import Pace
from tools.sources import Source, virtual_sensors

SIZE = (1280, 720)
VISITS = 3
PACE = Pace(still=3.0, functional=1.2, functional_times=3, rep=1.6, hold=1.0, rest=1.0, reps=20)
LONGEST_S = 120.0


def draw_all(folder: Path) -> list[Path]:
    """Draw every screen into a folder; return the files."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder.mkdir(parents=True, exist_ok=True)
    _pause(0.0)
    catalogue = load_catalogue()
    made: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="romcap-pictures-") as room:
        place = Path(room)
        made += _capture(folder, catalogue, place)
        retest = place / "retest.mcap"
        desk = demo_desk(place / "practice", catalogue, VISITS, before_retest=retest)
        made += _visit_and_course(folder, catalogue, desk, retest)
        made += _review(folder, catalogue, place / "practice")
        made += _home(folder, catalogue, desk, place)
    return made


def _setting(catalogue: Catalogue, place: Path, desk: Desk | None = None, theme: str = "dark") -> Setting:
    def source_of(movement: Movement, side: Side) -> Source:
        return virtual_sensors(movement, side, pace=PACE)

    return Setting(catalogue, theme, place, source_of, virtual=True, desk=desk, bindings=Bindings())


def _visit_and_course(folder: Path, catalogue: Catalogue, desk: Desk, retest: Path) -> list[Path]:
    from tools.app.visit_page import VisitPage
    from tools.app.window import Window

    window = Window(_setting(catalogue, retest.parent, desk))
    window.resize(*SIZE)
    window.show()
    window.show_page("Visit")
    page = window.page("Visit")
    assert isinstance(page, VisitPage)
    made = [_grab(window, folder / "visit-client.png")]
    page.choose(CLIENT)
    page.model.take_test(retest, came_off=False)
    page.show_state()
    made.append(_grab(window, folder / "visit-verdict.png"))
    page.model.retarget("for the picture")
    page.show_state()
    made.append(_grab(window, folder / "visit-next-structure.png"))
    page.model.close(2.0)
    page.show_state()
    made.append(_grab(window, folder / "visit-close.png"))
    page.model.sign(None)
    page.model.start()
    page.show_state()
    made.append(_grab(window, folder / "visit-screening.png"))
    window.show_course(CLIENT)
    made.append(_grab(window, folder / "course.png"))
    window.close()
    return made


def _review(folder: Path, catalogue: Catalogue, practice: Path) -> list[Path]:
    from tools.app.review_page import ReviewPage
    from tools.app.window import Window

    window = Window(_setting(catalogue, practice))
    window.resize(*SIZE)
    window.show()
    window.review(practice / "demo_0_1.mcap", practice / "demo_0_3.mcap")
    page = window.page("Review")
    assert isinstance(page, ReviewPage)
    _until(lambda: page.model.job is None)
    page.model.jump(2)
    page.model.seek(page.model.at + 1.5)
    page.tick()
    made = [_grab(window, folder / "review-compare.png")]
    window.review(practice / "demo_0_2.mcap")
    _until(lambda: page.model.job is None)
    page.model.jump(1)
    page.tick()
    made.append(_grab(window, folder / "review-passes.png"))
    window.review(practice / "demo_0_3.mcap")
    _until(lambda: page.model.job is None)
    page.model.estimate_best()
    _until(lambda: page.model.job is None)
    page.model.jump(2)
    page.tick()
    made.append(_grab(window, folder / "review-best.png"))
    window.close()
    return made


def _home(folder: Path, catalogue: Catalogue, desk: Desk, place: Path) -> list[Path]:
    from tools.app.home_window import HomeWindow

    test_file = place / "test_at_home.json"
    keys = load_keys(desk.store.folder, "only for a picture")
    test_file.write_text(json.dumps(give_out(desk.store, keys, CLIENT).to_document()), encoding="utf-8")
    window = HomeWindow(_setting(catalogue, place))
    window.resize(*SIZE)
    window.show()
    window.page.open(test_file)
    made = [_grab(window, folder / "home-1-strap.png")]
    window.page.model.measure(desk.store.folder / "demo_2_1.mcap")
    window.page.show_state()
    made.append(_grab(window, folder / "home-3-result.png"))
    window.close()
    return made


def _capture(folder: Path, catalogue: Catalogue, place: Path) -> list[Path]:
    from tools.app.window import Window

    made: list[Path] = []
    for theme in ("dark", "light", "contrast"):
        window = Window(_setting(catalogue, place / theme, theme=theme))
        window.resize(*SIZE)
        window.show()
        capture = window.capture
        capture.chooser.choose(CLIENT, "kn_ake", "left" if theme != "light" else "right")
        if theme == "dark":
            made.append(_grab(window, folder / "capture-choose.png"))
        choice = capture.chooser.choice
        assert choice is not None
        order = order_for(choice, place / theme, theme, phase="retest")
        capture.begin(order, baseline=math.radians(20.0))
        model = capture.live.model
        assert model is not None
        if theme == "dark":
            _until(lambda m=model: m.step.words.startswith("Bend") and (m.step.left or 99.0) < 5.5)
            made.append(_grab(window, folder / "capture-calibrate.png"))
        _until(lambda m=model: int(m.counts.split()[0]) >= 2 or m.session.over)
        _pause(0.5)
        made.append(_grab(window, folder / f"capture-live-{theme}.png"))
        if theme == "dark":
            window.show_patient()
            assert window.patient is not None
            made.append(_grab(window.patient, folder / "patient-window.png"))
            model.press("q")
            _until(lambda m=model: m.session.over)
            _pause(0.2)
            made.append(_grab(window, folder / "capture-result.png"))
        window.close()
    return made


def _grab(window, path: Path) -> Path:
    _pause(0.15)
    window.grab().save(str(path))
    return path


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not done() and time.monotonic() < end:
        _pause(0.02)


def _pause(seconds: float) -> None:
    from tools.app.start import application

    app = application()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.processEvents()
        time.sleep(0.004)
