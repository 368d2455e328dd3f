"""The window stands before the engine is loaded, and works once it is; tried in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("screen")]
ROOT = Path(__file__).parents[3]
BEGIN = """
import sys
from rom.catalogue.loader import load_catalogue
from tools.app.setting import usual_setting
from tools.app.start import application, preload
from tools.cli.main import build

build()
app = application()
setting = usual_setting(load_catalogue(), "dark", None, virtual=False)
"""
LOADED = """
window.show()
app.processEvents()
HEAVY = {"numba", "scipy", "bleak", "mcap", "pyqtgraph", "sqlalchemy", "matplotlib"}
assert window.isVisible() and HEAVY.isdisjoint(sys.modules), HEAVY.intersection(sys.modules)
"""
CAPTURE = """
from tools.app.window import Window

window = Window(setting)
"""
CAPTURED = """
import time
from PySide6.QtTest import QTest

preload(setting)
page = window.capture
page.chooser.chosen.emit(page.chooser.choice)
assert {"numba", "scipy", "pyqtgraph"} <= set(sys.modules)
assert page.live.isVisible()
end = time.monotonic() + 60.0
while page.running and time.monotonic() < end:
    QTest.qWait(20)
model = page.live.model
assert "no sensor of this movement is paired" in model.session.error, model.session.error
window.close()
"""
HOME = """
from tools.app.home_window import HomeWindow

window = HomeWindow(setting)
"""


@pytest.mark.parametrize("steps", [(CAPTURE, LOADED, CAPTURED), (HOME, LOADED)], ids=["capture", "home"])
def test_the_window_stands_before_the_engine_is_loaded(tmp_path: Path, steps: tuple[str, ...]) -> None:
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DOCUMENTS_DIR", "APPDATA"), str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", "".join((BEGIN, *steps))],
        cwd=ROOT,
        env={**os.environ, **homes, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr
