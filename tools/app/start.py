"""Begin the application: the one place that makes a QApplication."""

# pyright: basic

import sys

from PySide6.QtWidgets import QApplication

from tools.app.setting import Setting
from tools.app.window import Window


def application() -> QApplication:
    """Return the application, made if there is none yet."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    made = QApplication(sys.argv[:1])
    made.setApplicationName("romcap")
    return made


def run(setting: Setting) -> int:
    """Show the window until it is closed; return the exit status."""
    app = application()
    window = Window(setting)
    window.resize(1400, 860)
    window.show()
    return app.exec()
