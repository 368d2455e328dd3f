"""Begin the application: the one place that makes a QApplication."""

# pyright: basic

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from threading import Thread
from traceback import extract_tb
from types import TracebackType

from PySide6.QtCore import QSize, QTimer
from PySide6.QtWidgets import QApplication

from imu.errors import RomcapError
from tools.app.setting import Setting
from tools.app.window import Window

SIZE = (1400, 860)
PRELOAD_MS = 50
"""After the window stands, what it needs next is loaded behind it."""
NEXT = ("tools.app.live_page", "tools.app.session", "tools.app.review_page")


def application() -> QApplication:
    """Return the application, made if there is none yet."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    made = QApplication(sys.argv[:1])
    made.setApplicationName("romcap")
    return made


def preload(setting: Setting) -> None:
    """Load, beside the window, what the next pages need: the engine takes longer than the window."""
    setting.shown.set()

    def load() -> None:
        for name in NEXT:
            import_module(name)
        import_module("rom.prepared").prepare()

    Thread(target=load, name="loading", daemon=True).start()


def told(error: BaseException, place: TracebackType | None) -> str:
    """Return what a person is told of an error that nobody expected."""
    where = extract_tb(place)
    line = f" at {Path(where[-1].filename).name}:{where[-1].lineno}" if where else ""
    return (
        f"Something went wrong here ({type(error).__name__}{line}: {error}). What is recorded is safe and a "
        "capture that runs goes on; try again, or start the application anew."
    )


def survive(say: Callable[[str], None]) -> None:
    """Let no error end the application: the window says it and goes on."""

    def hook(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, place)
        else:
            say(str(error) if isinstance(error, RomcapError) else told(error, place))

    sys.excepthook = hook


def run(setting: Setting, files: Sequence[Path] = ()) -> int:
    """Show the window until it is closed; return the exit status."""
    app = application()
    window = Window(setting)
    survive(window.say_problem)
    window.resize(QSize(*SIZE).boundedTo(app.primaryScreen().availableSize()))
    window.show()
    QTimer.singleShot(PRELOAD_MS, lambda: preload(setting))
    if files:
        window.review(*files)
    return app.exec()


def run_home(setting: Setting, files: Sequence[Path] = ()) -> int:
    """Show the three steps at home until the window is closed; return the exit status."""
    from tools.app.home_window import HomeWindow

    app = application()
    window = HomeWindow(setting)
    survive(window.say_problem)
    window.resize(QSize(*SIZE).boundedTo(app.primaryScreen().availableSize()))
    window.show()
    QTimer.singleShot(PRELOAD_MS, lambda: preload(setting))
    if files:
        window.page.open(files[0])
    return app.exec()
