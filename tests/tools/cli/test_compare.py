"""`rom compare` and `rom symmetry` on a simulated visit: truth recovered, words right, refusals clear."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from imu.errors import RomcapError
from rom.limb_recording import write_recording
from rom.limb_visit import VisitSpec, simulate_visit
from tools.cli import compare


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return paths and true ends (deg, sensor level) of baseline and re-test of both knees."""
    folder = tmp_path_factory.mktemp("visit")
    spec = VisitSpec(
        effects=(("hamstrings", math.radians(8.0)),), spread=math.radians(0.7), passes=1, rate=60.0
    )
    found: dict[str, Any] = {}
    for trial in simulate_visit(spec, 11):
        if trial.phase == "treatment":
            continue
        name = f"{trial.phase}_{trial.side}"
        path = folder / f"{name}.mcap"
        write_recording(path, [trial.recording], datetime(2026, 1, 5, tzinfo=UTC), phase=trial.phase)
        found[name] = (str(path), float(np.mean(np.degrees(trial.ends()))))
    return found


def run(*words: str) -> str:
    app = typer.Typer()
    compare.register(app)
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def controlled(visit: dict[str, Any]) -> dict[str, Any]:
    control = ["--control-pre", visit["baseline_right"][0], "--control-post", visit["retest_right"][0]]
    return json.loads(run("compare", visit["baseline_left"][0], visit["retest_left"][0], *control, "--json"))


def test_the_interval_holds_the_true_change(visit: dict[str, Any], controlled: dict[str, Any]) -> None:
    truth = visit["baseline_left"][1] - visit["retest_left"][1]
    low, high = controlled["change"]["interval95_deg"]
    assert low <= truth <= high
    assert controlled["change"]["class"] == "beyond error"
    assert high - low < 14.0, "an interval that says nothing always holds the truth"


def test_the_untreated_side_shows_the_warm_up(visit: dict[str, Any], controlled: dict[str, Any]) -> None:
    left, right = (visit[f"baseline_{s}"][1] - visit[f"retest_{s}"][1] for s in ("left", "right"))
    low, high = controlled["control"]["difference_in_differences"]["interval95_deg"]
    assert low <= left - right <= high
    assert controlled["sentence"].startswith("Left knee straightening: +")
    assert "straps kept on" in controlled["sentence"]
    assert "untreated right side" in controlled["sentence"]


def test_the_document_says_where_it_comes_from(controlled: dict[str, Any]) -> None:
    assert controlled["schema"] == "romcap.comparison/1"
    source = controlled["recordings"]["pre"]
    assert source["provenance"]["simulated"] is True
    assert source["provenance"]["recording_sha256"]
    assert any("simulated" in text for text in source["warnings"])


def test_people_read_the_sentence_first(visit: dict[str, Any]) -> None:
    page = run("compare", visit["baseline_left"][0], visit["retest_left"][0], "--restrapped")
    assert page.startswith("Left knee straightening: +")
    assert "straps put on again" in page.splitlines()[0]
    assert "simulated: no person was measured" in page


def test_left_against_right(visit: dict[str, Any]) -> None:
    document = json.loads(run("symmetry", visit["baseline_left"][0], visit["baseline_right"][0], "--json"))
    truth = visit["baseline_right"][1] - visit["baseline_left"][1]
    low, high = document["difference"]["interval95_deg"]
    assert low <= truth <= high, "more range on the involved left side is less deficit there"
    assert document["schema"] == "romcap.symmetry/1"
    assert document["sentence"].startswith("Left knee straightening against right: ")


def test_what_does_not_fit_is_refused_in_a_sentence(visit: dict[str, Any], tmp_path: Path) -> None:
    left, right = visit["baseline_left"][0], visit["baseline_right"][0]
    with pytest.raises(RomcapError, match="give both --control-pre and --control-post"):
        run("compare", left, left, "--control-pre", right)
    with pytest.raises(RomcapError, match="no movement 'kn_fly'"):
        run("compare", left, left, "--movement", "kn_fly")
    with pytest.raises(RomcapError, match="--side must be left, right or midline, got up"):
        run("compare", left, left, "--side", "up")
    with pytest.raises(
        RomcapError, match=r"is of the right side, .*; compare one side with itself, and the two"
    ):
        run("compare", left, right)
    with pytest.raises(RomcapError, match="got left and left; for two tests of one side use compare"):
        run("symmetry", left, left)
    with pytest.raises(RomcapError):
        run("compare", str(tmp_path / "absent.mcap"), left)
