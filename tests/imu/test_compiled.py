"""Compiled loops: the same bits alone as among many, scipy's rotations, and a copy on disk one can trust."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from imu import quaternion
from imu.block import FloatArray
from imu.compiled import one_compiler, rowwise, sequential

ROOT = Path(__file__).parent.parent.parent
LAYERS = ("imu", "calibration", "rom", "tools")
NATURE = {"STANDARD_GRAVITY"}
N = 64


def rotations(rng: np.random.Generator, n: int = N) -> FloatArray:
    return quaternion.normalise(rng.normal(size=(n, 4)))


def about(v: FloatArray) -> FloatArray:
    return quaternion.from_axis_angle(v, v[..., 0])


def part_of_the_way(q: FloatArray, p: FloatArray, v: FloatArray) -> FloatArray:
    return quaternion.slerp(q, p, np.abs(v[..., 0]))


def onto_mirrored(v: FloatArray) -> FloatArray:
    return quaternion.between(v, v[..., ::-1])


OF_ROTATIONS: dict[str, tuple[str, Callable[..., FloatArray]]] = {
    "multiply": ("qp", quaternion.multiply),
    "conjugate": ("q", quaternion.conjugate),
    "rotate": ("qv", quaternion.rotate),
    "normalise": ("v", quaternion.normalise),
    "from_rotation_vector": ("v", quaternion.from_rotation_vector),
    "to_rotation_vector": ("q", quaternion.to_rotation_vector),
    "from_axis_angle": ("v", about),
    "angle_of": ("q", quaternion.angle_of),
    "to_matrix": ("q", quaternion.to_matrix),
    "slerp": ("qpv", part_of_the_way),
    "between": ("v", onto_mirrored),
}


@pytest.mark.parametrize("name", OF_ROTATIONS)
def test_a_row_alone_has_the_bits_it_has_among_many_in_any_memory_order(name: str) -> None:
    inputs, apply = OF_ROTATIONS[name]
    rng = np.random.default_rng(5)
    all_rows = {"q": rotations(rng), "p": rotations(rng), "v": rng.normal(size=(N, 3))}
    if name == "normalise":
        all_rows["v"] = rng.normal(size=(N, 4))
    for k, rows in enumerate(all_rows.values()):
        rows[3 + k] = np.nan
    rows = [all_rows[each] for each in inputs]
    together = apply(*rows)
    for i in range(N):
        np.testing.assert_array_equal(apply(*(each[i] for each in rows)), together[i])
        np.testing.assert_array_equal(apply(*(each[i:] for each in rows))[0], together[i])
    strange = [np.asfortranarray(each) for each in rows]
    for each in strange:
        each.flags.writeable = False
    np.testing.assert_array_equal(apply(*strange), together)


def test_rows_agree_with_scipy_and_broadcast() -> None:
    rng = np.random.default_rng(6)
    q, v = rotations(rng), rng.normal(size=(7, 1, 3))
    expected = np.stack([Rotation.from_quat(q, scalar_first=True).apply(np.tile(one, (N, 1))) for one in v])
    np.testing.assert_allclose(quaternion.rotate(q, v), expected, atol=1e-14)


def test_several_rows_come_back_as_a_tuple_and_plain_numbers_are_taken() -> None:
    @rowwise("(n),()->(n),()")
    def apply(row: FloatArray, factor: float, scaled: FloatArray, total: FloatArray) -> None:
        total[0] = 0.0
        for k in range(len(row)):
            scaled[k] = factor * row[k]
            total[0] += scaled[k]

    scaled, total = apply(np.arange(6.0).reshape(2, 3), 2)
    np.testing.assert_array_equal(scaled, [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]])
    np.testing.assert_array_equal(total, [6.0, 24.0])


def test_a_walk_reads_any_array_and_writes_where_it_is_told() -> None:
    @sequential("(n),()->(n)")
    def walk(steps: FloatArray, start: float, out: FloatArray) -> float:
        for i in range(len(steps)):
            start += steps[i]
            out[i] = start
        return start

    steps = np.arange(8.0)[::2]
    steps.flags.writeable = False
    out = np.zeros((4, 2))
    assert walk(steps, 1.0, out[:, 1]) == 13.0
    np.testing.assert_array_equal(out, [[0.0, 1.0], [0.0, 3.0], [0.0, 7.0], [0.0, 13.0]])


def test_compiling_waits_for_another_process_that_compiles() -> None:
    def compile_one() -> float:
        @rowwise("(n)->()")
        def first(row: FloatArray, out: FloatArray) -> None:
            out[0] = row[0]

        return float(first(np.array([3.0, 4.0])))

    with ThreadPoolExecutor(1) as worker:
        with one_compiler():
            waiting = worker.submit(compile_one)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=60.0) == 3.0


ROOM = """
from imu.compiled import compiled
{imported}

@compiled
def {name}(x):
    return {result}
"""


def test_a_copy_on_disk_does_not_outlive_the_room_it_drew_on(tmp_path: Path) -> None:
    run = [sys.executable, "-c", "import upper; print(upper.doubled(1.0))"]
    (tmp_path / "upper.py").write_text(
        ROOM.format(imported="from lower import number", name="doubled", result="2.0 * number(x)")
    )
    for value in ("x", "x + 10.0"):
        (tmp_path / "lower.py").write_text(ROOM.format(imported="", name="number", result=value))
        path = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HOME": str(tmp_path), "PATH": ""}
        done = subprocess.run(
            run, cwd=tmp_path, env=path, check=True, stdout=subprocess.PIPE, text=True, timeout=120
        )
        assert float(done.stdout) == 2.0 * eval(value, {"x": 1.0})  # the room's own words


def compiled_rooms() -> list[Path]:
    rooms = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
    return [path for path in rooms if "from imu.compiled import" in path.read_text(encoding="utf-8")]


def frozen_numbers(path: Path) -> list[str]:
    """Return the numbers in compiled functions that come from a room of which nothing else is used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    origin: dict[str, str] = {}
    trusted: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in LAYERS:
            room = importlib.import_module(node.module)
            for alias in node.names:
                value = getattr(room, alias.name, None)
                if isinstance(value, (int, float, slice, np.ndarray)) and alias.name not in NATURE:
                    origin[alias.asname or alias.name] = node.module
                elif isinstance(value, type) or hasattr(value, "py_func"):
                    trusted.add(node.module)
    return [
        f"{node.name} uses {name.id} of {origin[name.id]}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and name.id in origin and origin[name.id] not in trusted
    ]


@pytest.mark.parametrize("path", compiled_rooms(), ids=lambda path: path.stem)
def test_no_number_of_another_room_is_frozen_into_a_compiled_function(path: Path) -> None:
    assert frozen_numbers(path) == []
