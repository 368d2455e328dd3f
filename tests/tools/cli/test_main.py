"""The command line as a whole: it starts light, and every mistake ends in one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "ahrs",
    "alembic",
    "bleak",
    "dask",
    "jinja2",
    "matplotlib",
    "mcap",
    "numpy",
    "pyqtgraph",
    "PySide6",
    "numba",
    "scipy",
    "sqlalchemy",
    "vqf",
}


def rom(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from tools.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_help_lists_the_commands_and_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom tools.cli.main import main\nsys.argv = ['rom', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.splitlines()[-1] == "loaded: []"
    for command in (
        "demo",
        "import",
        "info",
        "replay",
        "measure",
        "compare",
        "symmetry",
        "movements",
        "doctor",
    ):
        assert f" {command} " in run.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "absent.mcap"),
        ("measure", "absent.mcap"),
        ("replay", "empty.mcap"),
        ("measure", "text.mcap"),
        ("compare", "empty.mcap", "text.mcap"),
        ("symmetry", "absent.mcap", "absent.mcap"),
        ("import", "text.csv", "-o", "out.mcap"),
        ("repair", "text.mcap"),
        ("demo", "--out", "taken"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_status_1(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty.mcap").touch()
    (tmp_path / "text.mcap").write_text("this is not a recording\n" * 50, encoding="utf-8")
    (tmp_path / "text.csv").write_text("a;b\nx;y\n", encoding="utf-8")
    (tmp_path / "taken" / "recordings").mkdir(parents=True)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    run = rom(*arguments, cwd=tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith("rom: ")
    assert len(run.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
