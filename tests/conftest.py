"""What every test may rely on: one thread of linear algebra, a repeatable hypothesis, Qt, its own bus."""

import gc
import os
import sys
from collections.abc import Iterator
from importlib import import_module

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
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


def pytest_configure(config: pytest.Config) -> None:
    """Compile before the whole suite, as a capture does before it connects: no test's limit has it inside."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        import_module("rom.prepared").prepare()


@pytest.fixture(scope="module")
def private() -> Iterator[str]:
    """Return the address of a D-Bus that nobody else uses; where there can't be one, the test is skipped."""
    if sys.platform != "linux":
        pytest.skip("D-Bus exists on Linux only")
    from tools.emulator import bus

    if not bus.available():
        pytest.skip("dbus-daemon is not installed")
    with bus.PrivateBus() as running:
        yield running.address


@pytest.fixture(autouse=True)
def _leaks_stay_in_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "private" in request.fixturenames:
        gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bleak keeps one bus for each event loop that ever was; it goes when the next loop begins."""
    late = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if "private" in getattr(item, "fixturenames", ()):
            item.add_marker(late)
