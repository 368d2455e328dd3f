"""`rom statistics` on tables of our own."""

import json
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

from tools.cli import tables


def run(*words: str) -> str:
    app = typer.Typer()
    tables.register(app)
    result = CliRunner().invoke(app, ["statistics", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def repeats(path: Path) -> Path:
    rng = np.random.default_rng(1)
    lines = ["person,device,rep,deg"]
    for person in range(40):
        truth = rng.normal(60, 8)
        lines += [
            f"{person},{device},{rep},{truth + shift + rng.normal(0, 1.0)}"
            for device, shift in (("a", 0.0), ("b", 2.0))
            for rep in range(3)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def changes(path: Path) -> Path:
    rng = np.random.default_rng(2)
    lines = ["person,group,knee_pre,knee_post"]
    for person in range(60):
        before = rng.normal(100, 8)
        gain = 6.0 if person % 2 else 1.0
        group = "treated" if person % 2 else "control"
        lines.append(f"{person},{group},{before},{100 + 0.7 * (before - 100) + gain + rng.normal(0, 2)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_reliability_finds_the_injected_error(tmp_path: Path) -> None:
    document = json.loads(run("reliability", str(repeats(tmp_path / "x.csv")), "--json"))
    assert document["schema"] == "romcap.reliability/1"
    assert 0.85 < document["analysis"]["sem_intra"] < 1.15
    assert -2.4 < document["agreement"]["bias"] < -1.6
    text = run("reliability", str(repeats(tmp_path / "x.csv")))
    assert text.startswith("40 people, devices a and b, 3 repetitions each")
    assert "ICC(2,1)" in text


def test_change_finds_the_injected_effect(tmp_path: Path) -> None:
    (knee,) = json.loads(run("change", str(changes(tmp_path / "x.csv")), "--json"))["measures"]
    assert 4.0 < knee["ancova"]["value"] < 6.0
    assert knee["treated"] == "treated"
    text = run("change", str(changes(tmp_path / "x.csv")))
    assert "ANCOVA, treated against the other group at the same value before" in text
    assert "d_z = mean change / SD of the changes" in text


def test_the_other_group_turns_the_sign(tmp_path: Path) -> None:
    path = str(changes(tmp_path / "x.csv"))
    (one,) = json.loads(run("change", path, "--json"))["measures"]
    (other,) = json.loads(run("change", path, "--treated", "control", "--json"))["measures"]
    assert np.isclose(one["ancova"]["value"], -other["ancova"]["value"])
