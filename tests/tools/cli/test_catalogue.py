"""`rom movements` and `rom structures` as a person and a program read them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from imu.errors import CatalogueError
from tools.cli import catalogue


def run(*words: str) -> str:
    app = typer.Typer()
    catalogue.register(app)
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_all_movements_are_listed_with_their_error() -> None:
    lines = run("movements").splitlines()
    assert len(lines) == 50
    assert any(line.startswith("kn_ake ") and "MDC95 8°" in line for line in lines)
    assert sum("no published MDC" in line for line in lines) == 24


def test_one_movement_is_shown_in_full() -> None:
    page = run("movements", "kn_ake")
    assert "hip leaving 90" in page
    assert "more range is   less angle" in page


def test_what_was_not_re_read_is_marked_for_the_reader() -> None:
    assert "us38cfr 125° (to verify)" in run("movements", "hip_flexion")
    assert "own knowledge" in run("structures", "psoas")


def test_a_few_letters_show_the_structure() -> None:
    page = run("structures", "biceps", "f")
    assert page.startswith("hamstrings: Biceps femoris")
    assert "re-test         kn_ake, hip_slr" in page


def test_json_is_in_degrees() -> None:
    (ake,) = json.loads(run("movements", "kn_ake", "--json"))["movements"]
    assert (ake["sem_deg"], ake["mdc95_deg"]) == (pytest.approx(2.9), pytest.approx(8.0))
    assert ake["gate"]["limit_deg"] == pytest.approx(5.0)
    assert ake["angle"]["kind"] == "cardan_zxy"
    found = json.loads(run("structures", "--json"))["structures"]
    assert len(found) == 51


def test_an_own_catalogue_is_laid_over(tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("movement_id,sem_deg\nkn_ake,1.5\n")
    assert "SEM 1.5°" in run("movements", "kn_ake", "--catalogue", str(own))


def test_nothing_found_says_what_to_do() -> None:
    with pytest.raises(CatalogueError, match="no movement fits 'zzz'; `rom movements` lists all"):
        run("movements", "zzz")
    with pytest.raises(CatalogueError, match="no structure fits 'zzz'"):
        run("structures", "zzz")
