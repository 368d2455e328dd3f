"""Lint, format and types, as tests, so that there is one command to pass."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="lint"),
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["pyright", "--pythonpath", sys.executable], id="types"),
    ],
)
@pytest.mark.timeout(600)
def test_tool_finds_nothing(command: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=590
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
