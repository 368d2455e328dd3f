"""`rom measure` and `rom replay`: pages for people, documents for programs, sentences for mistakes."""

import csv
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.recording import Recording
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.trial import analyse
from tools.cli import main as command_line

FAR, NEAR = math.radians(85.0), math.radians(20.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recorded left knee with two reps and two passes."""
    programme = (
        TableRest(5.0, 3.0),
        Neutral(),
        Functional(),
        Reps(2, FAR, NEAR),
        Passes(2, FAR, NEAR, structure="hamstrings"),
    )
    path = tmp_path_factory.mktemp("cli") / "knee.mcap"
    limb = simulate_limb(LimbSpec(programme=programme, side="left", sway=None), 5)
    write_recording(path, [limb], datetime(2026, 1, 2, tzinfo=UTC))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Run `rom` with these words; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["rom", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    return int(end.value.code or 0)


def test_measure_prints_a_page(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "measure", recording) == 0
    page = capsys.readouterr().out
    for words in ("Left knee straightening", "2 passes", "hamstrings", "simulated: no person was measured"):
        assert words in page


def test_measure_prints_the_trials_document(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "measure", recording, "--movement", "kn_ake", "--side", "left", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "romcap.trial/1"
    assert len(document["reps"]) == 2
    trial = analyse(Recording.open(recording), "kn_ake", "left")
    assert document["summary"]["valid_reps"] == len(trial.valid_reps)
    assert document["reps"][0]["end_deg"] == math.degrees(trial.reps[0].end)


def test_replay_writes_the_angles_that_the_trial_has(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "angles.csv"
    assert run(monkeypatch, "replay", recording, "--csv", file, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in document["found"]] == ["rep", "rep", "pass", "pass"]
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == ["t_s", "angle_deg", "sigma_deg", "off_axis_1_deg", "off_axis_2_deg"]
    series = analyse(Recording.open(recording)).series
    assert len(rows) == len(series) + 1 == document["frames"] + 1
    written = np.array([[float(cell) if cell else math.nan for cell in row] for row in rows[1:]])
    np.testing.assert_allclose(written[:, 0], series.t, atol=1e-6)
    np.testing.assert_allclose(written[:, 1], np.degrees(series.angle[:, 0]), atol=1e-6)
    np.testing.assert_allclose(written[:, 2], np.degrees(series.sigma[:, 0]), atol=1e-6)


def test_replay_tells_what_it_finds_as_it_goes(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "replay", recording, "--speed", "1000") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[:-1]] == ["rep", "rep", "pass", "pass"]
    assert lines[-1].endswith("4 found")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--side", "right"), "this one is of the left side"),
        (("--movement", "kn_bend"), "the catalogue knows no movement 'kn_bend'"),
        (("--filter", "kalman"), "unknown orientation filter 'kalman'"),
        (("--calibration", "nowhere.json"), "nowhere.json: there is no such file"),
        (("--calibration", __file__), "expected a calibration file written by `rom calibrate`, got no JSON"),
        (("--calibration", "."), ".: cannot be read (Is a directory)"),
        (("--side", "lft"), "--side must be left, right or midline, got lft"),
        (("--estimate", "finest"), "--estimate must be live or best, got finest"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_1(
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    assert run(monkeypatch, "measure", recording, *words) == 1
    out = capsys.readouterr()
    assert sentence in out.err
    assert out.out == ""
    assert out.err.startswith("rom: ")
    assert out.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_sentence(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "replay", recording, "--csv", tmp_path / "no" / "where.csv") == 1
    assert "cannot be written (No such file or directory); make its folder" in capsys.readouterr().err
