"""The laws of the tree: imports only downwards, one door per outside library, names nobody else owns."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("imu", "calibration", "rom", "tools")
ROOM_LIMIT = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}

DOORS: dict[str, tuple[str, ...]] = {
    "bleak": ("imu/ble.py", "tools/emulator/"),
    "vqf": ("imu/fusion.py", "tools/bench/peers.py"),
    "ahrs": ("imu/fusion.py",),
    "numba": ("imu/compiled.py",),
    "mcap": ("imu/recording",),
    "zstandard": ("imu/recording",),
    "dbus_fast": ("tools/emulator/",),
    "PySide6": ("tools/app/",),
    "pyqtgraph": ("tools/app/",),
    "sqlalchemy": ("rom/clinic/store", "rom/clinic/migrations/"),
    "alembic": ("rom/clinic/store", "rom/clinic/migrations/"),
    "pyrage": ("rom/clinic/sealed.py",),
    "matplotlib": ("tools/report/", "tools/bench/"),
    "reportlab": ("tools/report/",),
    "typer": ("tools/cli/",),
    "dask": ("rom/clinic/study",),
    "distributed": ("rom/clinic/study",),
}


def rooms() -> list[Path]:
    return sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node.lineno


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_point_downwards() -> None:
    wrong = [
        f"{name(path)}:{line} imports {module}"
        for path in rooms()
        for module, line in imported(path)
        if module.split(".")[0] in LAYERS
        and LAYERS.index(module.split(".")[0]) > LAYERS.index(path.relative_to(ROOT).parts[0])
    ]
    assert wrong == []


def test_product_never_imports_its_tests() -> None:
    assert [
        name(path) for path in rooms() if any(module.split(".")[0] == "tests" for module, _ in imported(path))
    ] == []


@pytest.mark.parametrize("library", DOORS)
def test_each_outside_library_has_one_door(library: str) -> None:
    elsewhere = [
        f"{name(path)}:{line}"
        for path in rooms()
        for module, line in imported(path)
        if module.split(".")[0] == library and not name(path).startswith(DOORS[library])
    ]
    assert elsewhere == []


def test_rooms_are_small_and_named_for_what_they_know() -> None:
    large = [
        name(path) for path in rooms() if len(path.read_text(encoding="utf-8").splitlines()) > ROOM_LIMIT
    ]
    vague = [name(path) for path in rooms() if path.stem in VAGUE_NAMES]
    shadowing = [
        name(path) for path in rooms() if path.parent == ROOT and path.stem in sys.stdlib_module_names
    ]
    assert (large, vague, shadowing) == ([], [], [])


def test_every_package_says_what_it_is_and_does_nothing() -> None:
    for path in rooms():
        if path.name == "__init__.py":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) == 1, f"{name(path)} must hold its docstring and nothing else"
            assert ast.get_docstring(ast.Module(body, [])), f"{name(path)} has no docstring"


def test_nobody_else_owns_our_package_names() -> None:
    owners = packages_distributions()
    assert {layer: set(owners.get(layer, ())) - {"romcap"} for layer in LAYERS} == {
        layer: set() for layer in LAYERS
    }
