"""What every test may rely on: one thread of linear algebra, a repeatable hypothesis, Qt where it loads."""

import os
from importlib import import_module

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


def _qt_plugin() -> list[str]:
    """Return pytest-qt's plugin; none where Qt lacks a library of the system, which would end the run."""
    try:
        import_module("PySide6.QtWidgets")
    except ImportError:
        return []
    return ["pytestqt.plugin"]


pytest_plugins = _qt_plugin()
