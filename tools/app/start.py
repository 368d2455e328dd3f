"""Begin the application: the one place that makes a QApplication."""

# pyright: basic

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QApplication

from tools.app.setting import Setting
from tools.app.window import Window

SIZE = (1400, 860)


def application() -> QApplication:
    """Return the application, made if there is none yet."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    made = QApplication(sys.argv[:1])
    made.setApplicationName("romcap")
    return made


def run(setting: Setting, files: Sequence[Path] = ()) -> int:
    """Show the window until it is closed; return the exit status."""
    app = application()
    window = Window(setting)
    window.resize(*SIZE)
    window.show()
    if files:
        window.review(*files)
    return app.exec()


def run_home(setting: Setting, files: Sequence[Path] = ()) -> int:
    """Show the three steps at home until the window is closed; return the exit status."""
    from tools.app.home_window import HomeWindow

    app = application()
    window = HomeWindow(setting)
    window.resize(*SIZE)
    window.show()
    if files:
        window.page.open(files[0])
    return app.exec()
