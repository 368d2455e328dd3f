"""`rom export` and `rom study`: pages for people, documents for programs, sentences for mistakes."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.sensor_grade import RESEARCH
from rom.clinic.study_table import read_table
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps
from rom.limb_world import LimbSpec
from tools.cli import main as command_line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one recorded left knee and one file that is no recording."""
    programme = (Neutral(), Functional(), Reps(2, np.radians(80.0), np.radians(20.0)))
    folder = tmp_path_factory.mktemp("visits")
    limb = simulate_limb(LimbSpec(programme=programme, grade=RESEARCH, rate=60.0, side="left"), 5)
    write_recording(folder / "knee.mcap", [limb], datetime(2026, 1, 2, tzinfo=UTC), client="P7")
    (folder / "text.mcap").write_text("no recording")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["rom", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    return int(end.value.code or 0)


def test_a_study_makes_a_table_and_says_what_is_bad(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study.parquet"
    assert run(monkeypatch, "study", folder, "-o", out, "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["done"], plan["todo"]) == (0, ["knee.mcap", "text.mcap"])
    assert not out.exists()
    assert run(monkeypatch, "study", folder, "-o", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["recordings"], document["measured_now"], document["reps"]) == (2, 2, 2)
    assert [problem["file"] for problem in document["problems"]] == ["text.mcap"]
    assert len(read_table(out)) == 3
    assert run(monkeypatch, "study", folder, "-o", out) == 0
    page = capsys.readouterr().out
    assert "2 reps of 2 recordings, 0 measured now, 2 known before" in page
    assert "! text.mcap:" in page


def test_an_export_says_what_it_leaves_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "knee.csv"
    assert run(monkeypatch, "export", folder / "knee.mcap", "-f", "csv-samples", "-o", out) == 0
    assert "left out: events, calibration" in capsys.readouterr().out
    assert run(monkeypatch, "export", folder / "knee.mcap", "-f", "csv-samples", "-o", out) == 1
    assert capsys.readouterr().err.count("\n") == 1
    words = ("-f", "csv-samples", "-o", out, "--force", "--deidentify", "--json")
    assert run(monkeypatch, "export", folder / "knee.mcap", *words) == 0
    assert json.loads(capsys.readouterr().out)["deidentified"] is True
    assert "P7" not in out.read_text()


def test_an_import_says_what_it_took_the_file_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = tmp_path / "samples.csv"
    assert run(monkeypatch, "export", folder / "knee.mcap", "-f", "csv-samples", "-o", samples) == 0
    assert run(monkeypatch, "import", samples, "-o", tmp_path / "back.mcap") == 0
    assert "taken for a table of samples of `rom export`, by its columns" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("export", "x", "-f", "xlsx", "-o", "y"), ("study", "nowhere")])
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("rom: ")
    assert said.count("\n") == 1


def test_help_loads_no_heavy_library() -> None:
    heavy = "{'scipy', 'distributed', 'arro3', 'ezc3d', 'matplotlib', 'sqlalchemy', 'mcap'}"
    code = f"import sys; from tools.cli.main import build; build(); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
