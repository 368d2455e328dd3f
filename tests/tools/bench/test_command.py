"""`rom bench` in one run: a short world, what it prints, and what it refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imu.errors import InputError
from tools.cli.main import build

RUN = CliRunner()


def test_a_short_run_gives_every_method_a_row(tmp_path: Path) -> None:
    picture = tmp_path / "bench.svg"
    short = ["--minutes", "2", "--grade", "mid", "--axis", "oblique", "--proximal", "moving", "--no-ahrs"]
    result = RUN.invoke(build(), ["bench", *short, "--json", "--out", str(picture)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == "romcap.bench/2"
    methods = {score["method"] for score in document["worlds"]}
    assert {"romcap-live", "romcap-review", "vqf-6d", "vqf-9d"} <= methods
    assert "qmt-chain" in methods or any("qmt-chain is absent" in note for note in document["notes"])
    live = next(score for score in document["worlds"] if score["method"] == "romcap-live")
    assert live["rom_rms_deg"] < 2.0
    assert live["us_per_frame"] > 0.0
    assert picture.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--grade", "military"], "--grade must be one of consumer, mid, research"),
        (["--axis", "sideways"], "--axis must be one of"),
        (["--minutes", "0"], "--minutes must lie between 2 and 240"),
        (["--out", "x.gif"], "--out must end in .svg or .png"),
        (["--data", "nowhere"], "--data must be a folder"),
        (["--no-worlds"], "leaves nothing to score"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options: list[str], said: str) -> None:
    result = RUN.invoke(build(), ["bench", *options])
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)


def test_a_folder_without_trials_is_refused(tmp_path: Path) -> None:
    result = RUN.invoke(build(), ["bench", "--data", str(tmp_path), "--no-worlds"])
    assert isinstance(result.exception, InputError)
    assert "holds no .npz trial" in str(result.exception)
