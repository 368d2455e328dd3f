"""`rom demo`: what was put in comes out inside the interval, and the page says that it is simulated."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tools.cli.main import build


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("demo") / "visit"
    result = CliRunner().invoke(build(), ["demo", "--out", str(folder), "--seed", "1", "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), folder


def test_the_injected_gain_lies_in_the_interval(demo: tuple[dict[str, Any], Path]) -> None:
    document, _ = demo
    change = document["retests"][-1]["change"]
    low, high = change["interval95_deg"]
    assert low <= document["injected_gain_deg"]["treated"] <= high
    assert high - low < 12.0
    assert change["class"] == "beyond error"


def test_the_untreated_side_gained_its_warm_up(demo: tuple[dict[str, Any], Path]) -> None:
    document, _ = demo
    low, high = document["retests"][-1]["control"]["change"]["interval95_deg"]
    assert low <= document["injected_gain_deg"]["warm_up"] <= high
    assert any("warm-up" in sentence for sentence in document["verdicts"])


def test_the_page_needs_nothing_else_and_says_it_is_simulated(demo: tuple[dict[str, Any], Path]) -> None:
    document, _ = demo
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert "Simulated data. No person was measured" in page
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "@import" not in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    for sentence in document["verdicts"]:
        assert sentence in html.unescape(page)


def test_every_trial_is_a_recording_of_its_own(demo: tuple[dict[str, Any], Path]) -> None:
    document, folder = demo
    assert len(document["recordings"]) == 9
    assert all(
        Path(path).parent == folder / "recordings" and Path(path).exists() for path in document["recordings"]
    )
