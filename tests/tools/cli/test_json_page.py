"""docs/json.md says what `--json` prints: the page and the documents name the same fields."""

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import Side
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.sample import RepSample
from rom.symmetry import symmetry
from tools.cli.main import build

PAGE = Path(__file__).parents[3] / "docs" / "json.md"
FAR, NEAR = math.radians(85.0), math.radians(20.0)


def documented() -> dict[str, set[str]]:
    """Return the fields of each schema: what stands in backticks in the first column of its table."""
    found: dict[str, set[str]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        rows = [row.split("|")[1] for row in body.splitlines() if row.startswith("| `")]
        fields = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)}
        for schema in re.findall(r"`(romcap\.[a-z-]+/\d+)`", title):
            found[schema] = fields | {"schema"}
    return found


SCHEMAS = documented()


def said(*words: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(build(), [*map(str, words), "--json"])
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recorded left knee with three reps."""
    programme = (TableRest(5.0, 3.0), Neutral(), Functional(), Reps(3, FAR, NEAR))
    path = tmp_path_factory.mktemp("json") / "knee.mcap"
    limb = simulate_limb(LimbSpec(programme=programme, side="left", sway=None), 5)
    write_recording(path, [limb], datetime(2026, 1, 2, tzinfo=UTC))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    arrays: dict[str, Any] = {"rate": 50.0}
    arrays["thorax_acc"] = np.array([0.0, 0.0, 9.81]) + rng.normal(0.0, 0.02, (250, 3))
    arrays["thorax_gyr"] = rng.normal(0.0, 0.002, (250, 3))
    np.savez(tmp_path / "still.npz", **arrays)
    return tmp_path / "still.npz"


def holds(document: dict[str, Any], schema: str) -> None:
    assert document["schema"] == schema
    assert set(document) == SCHEMAS[schema]


@pytest.mark.parametrize(
    ("command", "schema"),
    [
        ("info", "romcap.info/1"),
        ("repair", "romcap.repair/1"),
        ("replay", "romcap.replay/1"),
        ("measure", "romcap.trial/1"),
    ],
)
def test_a_recordings_documents(recording: Path, command: str, schema: str) -> None:
    holds(said(command, recording), schema)


def test_a_comparison(recording: Path) -> None:
    document = said("compare", recording, recording)
    holds(document, "romcap.comparison/1")
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in document["change"])


def test_an_import(archive: Path, tmp_path: Path) -> None:
    holds(said("import", archive, "-o", tmp_path / "x.mcap"), "romcap.import/1")


@pytest.mark.parametrize(
    ("words", "schema", "field"),
    [
        (("movements", "knee"), "romcap.movements/1", "movements"),
        (("structures", "popliteus"), "romcap.structures/1", "structures"),
        (("doctor",), "romcap.doctor/1", "findings"),
    ],
)
def test_lists_share_a_section(words: tuple[str, ...], schema: str, field: str) -> None:
    document = said(*words)
    assert document["schema"] == schema
    assert set(document) == {"schema", field}
    assert field in SCHEMAS[schema]


def test_sides() -> None:
    def sample(side: Side) -> RepSample:
        return RepSample(np.radians([100.0, 101.0, 102.0]), load_catalogue().movement("kn_flexion"), side)

    document = symmetry(sample("left"), sample("right")).to_document()
    holds(document | {"recordings": {}}, "romcap.symmetry/1")


def test_the_page_describes_the_demo_and_the_calibration() -> None:
    assert {"romcap.demo/1", "romcap.calibration/1"} <= set(SCHEMAS)
