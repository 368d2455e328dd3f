"""The application without a screen; skipped by name where Qt or what it needs from the system is missing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imu.virtual import RESEARCH
from rom.catalogue.loader import Catalogue, load_catalogue
from rom.limb_recording import write_recording
from rom.limb_visit import VisitSpec, simulate_visit
from tools.emulator.limbs import Pace
from tools.sources import virtual_sensors

if TYPE_CHECKING:
    from tools.app.setting import Setting
    from tools.app.window import Window

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def screen(request: pytest.FixtureRequest) -> Iterator[object]:
    """Return the robot that works the window."""
    try:
        import_module("PySide6.QtWidgets")
        import_module("pyqtgraph")
    except ImportError as error:
        pytest.skip(
            f"the application's extra is not installed, or a library of the system is missing: {error}"
        )
    yield request.getfixturevalue("qtbot")
    from PySide6.QtWidgets import QApplication

    for window in QApplication.topLevelWidgets():
        window.close()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Return the shipped catalogue."""
    return load_catalogue()


@pytest.fixture(scope="session")
def visit_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return short simulated recordings of one visit by phase and side."""
    folder = tmp_path_factory.mktemp("visit")
    spec = VisitSpec(effects=(("hamstrings", 0.14),), reps=3, passes=2, rate=60.0, grade=RESEARCH)
    files: dict[str, Path] = {}
    for part in simulate_visit(spec, 5):
        name = f"{part.phase}_{part.side}"
        files[name] = folder / f"{name}.mcap"
        write_recording(files[name], [part.recording], datetime.now(UTC), client="P0042", phase=part.phase)
    return files


@pytest.fixture
def setting(catalogue: Catalogue, tmp_path: Path) -> "Setting":
    """Return a program with emulated sensors on a person in a hurry."""
    from tools.app.setting import Setting

    pace = Pace(still=1.3, functional=0.6, functional_times=2, rep=0.7, hold=0.3, rest=0.5, reps=2)
    return Setting(
        catalogue,
        "dark",
        tmp_path,
        lambda movement, side: virtual_sensors(movement, side, pace=pace),
        virtual=True,
    )


@pytest.fixture
def window(screen: Any, setting: "Setting") -> "Iterator[Window]":
    """Return a window that is open."""
    from tools.app.window import Window

    made = Window(setting)
    screen.addWidget(made)
    with screen.waitExposed(made):
        made.show()
    yield made
    made.close()
