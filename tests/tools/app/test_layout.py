"""At 1280 x 720, in a smaller window and at twice the pixels: nothing leaves its frame or is cut off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("screen")]
ROOT = Path(__file__).parents[3]
LAW = """
import sys, tempfile
from pathlib import Path
import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QLabel, QWidget
from rom.catalogue.loader import load_catalogue
from rom.clinic.desk import Desk
from rom.clinic.person import add_client, open_episode
from rom.clinic.store import Store
from tools.app.setting import Setting
from tools.app.start import application
from tools.app.window import Window
from tools.sources import virtual_sensors

app = application()
catalogue, faults = load_catalogue(), []
SIZE = tuple(int(each) for each in sys.argv[1].split("x"))


def within_a_view(widget):
    parent = widget.parentWidget()
    while parent is not None and not parent.isWindow():
        if isinstance(parent, QAbstractScrollArea):
            return True
        parent = parent.parentWidget()
    return False


def look(window, name):
    QTest.qWait(60)
    assert (window.width(), window.height()) == SIZE, (name, window.size())
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or widget.isWindow() or within_a_view(widget):
            continue
        told = widget.accessibleName() or getattr(widget, "text", str)()
        said = f"{name}: {type(widget).__name__} {told!r}"
        frame = QRect(QPoint(0, 0), widget.parentWidget().size())
        if widget.width() > 0 and widget.height() > 0 and not frame.contains(widget.geometry()):
            faults.append(f"{said} leaves its frame: {widget.geometry()} in {frame}")
        if isinstance(widget, QLabel) and widget.text():
            flags = int(widget.alignment()) | (int(Qt.TextFlag.TextWordWrap) if widget.wordWrap() else 0)
            room = QRect(0, 0, widget.contentsRect().width(), 10000)
            needed = widget.fontMetrics().boundingRect(room, flags, widget.text())
            if needed.width() > room.width() + 1 or needed.height() > widget.height() + 1:
                faults.append(f"{said} is cut off: {needed} in {widget.size()}")
        if isinstance(widget, QAbstractButton) and widget.text():
            if widget.width() < widget.fontMetrics().horizontalAdvance(widget.text()):
                faults.append(f"{said} is cut off")


with tempfile.TemporaryDirectory() as folder:
    store = Store(Path(folder) / "practice")
    add_client(store, "tester", "P0042")
    open_episode(store, "tester", catalogue, "P0042", complaint="tight", regions=["knee"], side="left")
    desk = Desk(store, catalogue, "tester")
    for theme in ("dark", "contrast"):
        window = Window(Setting(catalogue, theme, Path(folder), virtual_sensors, virtual=True, desk=desk))
        window.resize(*SIZE)
        window.show()
        window.say_problem("Something went wrong here (OSError: no space left on device). " * 2)
        for name in ("Capture", "Review", "Visit", "Course"):
            window.show_page(name)
            look(window, name)
        window.say_problem("")
        for movement in ("cerv_rotation", "kn_ake", "sh_er90", "an_wblt"):
            window.show_page("Capture")
            window.capture.chooser.choose("P0042", movement, "right")
            look(window, movement)
        live = window.capture.live
        live._counts.setText("12 reps")
        live._counted.setText("1 and 2 warming up   3, 4 and 7 taken back")
        live._warnings.setText("Left shank sensor moved 6 deg on the limb. Reps before that stand. " * 2)
        live._again.show()
        window.capture._pages.setCurrentWidget(live)
        look(window, "live")
        page = window.page("Visit")
        window.show_page("Visit")
        page.choose("P0042")
        look(window, "no visit")
        if theme == "contrast":
            desk.halt("P0042", "stop", reason="a test", action="none", told="nobody")
            page.model.close(2.0)
            page.show_state()
            look(window, "halted")
            window.close()
            continue
        for step, deed in (
            ("screening", page.model.start),
            ("stopped", lambda: page.model.screen(["RF03", "RF12"])),
            ("history", lambda: page.model.go_on_past("Dr Lee", "treated")),
            ("tests", lambda: page.model.tell(3.0)),
        ):
            deed()
            page.show_state()
            look(window, step)
        page._turn_to(page._show_structures)
        look(window, "structures")
        page._turn_to(page._ask_after)
        look(window, "after")
        window.close()
print(*faults, sep="\\n")
sys.exit(bool(faults))
"""


@pytest.mark.parametrize(("size", "scale"), [("1280x720", "1"), ("1280x720", "2"), ("1024x640", "1")])
def test_nothing_leaves_its_frame_and_no_words_are_cut_off(tmp_path: Path, size: str, scale: str) -> None:
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME"), str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", LAW, size],
        cwd=ROOT,
        env={
            **os.environ,
            **homes,
            "QT_QPA_PLATFORM": "offscreen",
            "QT_SCALE_FACTOR": scale,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
