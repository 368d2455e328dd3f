"""The README's commands, in its own words, in a folder that has never seen the project."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def readme_commands() -> list[str]:
    """Return the one-line shell blocks of the README, in order."""
    return re.findall(
        r"^```sh\n([^\n]+)\n```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_there_are_two_commands_and_ci_runs_the_second() -> None:
    commands = readme_commands()
    assert len(commands) == 2
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    choice = next(line for line in lines if line.startswith("command=$("))
    chosen = subprocess.run(
        choice.removeprefix("command=$(").removesuffix(")"),
        shell=True, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert chosen.stdout.strip() == commands[1]
    assert 'bash -c "$command"' in lines


@pytest.mark.timeout(900)
def test_first_command_sets_up_and_runs_the_demo(tmp_path: Path) -> None:
    fresh = tmp_path / "romcap"
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True, timeout=60
    ).stdout.split("\0")
    for file in filter(None, files):
        if (ROOT / file).exists():
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, fresh / file)
    run = subprocess.run(
        readme_commands()[0], shell=True, cwd=fresh, capture_output=True, text=True, check=False, timeout=880
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert "simulated" in run.stdout.lower()
    reports = list((fresh / "demo").rglob("*.html"))
    assert len(reports) == 1
    assert "simulated" in reports[0].read_text(encoding="utf-8").lower()

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    installed = subprocess.run(
        [fresh / ".venv" / "bin" / "rom", "--help"],
        cwd=elsewhere, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    assert "range of motion" in installed.stdout
