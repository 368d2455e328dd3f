"""`rom report`: from recordings to a page, without overwriting, with one sentence for what is wrong."""

import html
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from typer.testing import CliRunner

from calibration.segment import JointCalibration, SegmentAlignment
from imu.errors import InputError, RomcapError
from imu.quaternion import conjugate
from imu.recording import Event
from imu.virtual import PERFECT
from rom.catalogue.loader import load_catalogue
from rom.clinic.home import HomeTest
from rom.clinic.measuring import measure
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Passes, Phase, Reps, Supported, TakePosition
from rom.limb_world import LimbSpec
from tools.cli.main import build

DEG = np.pi / 180.0
RUNNER = CliRunner()
APP = build()


def rom(*words: object) -> str:
    """Run a command that must succeed; return what it printed."""
    result = RUNNER.invoke(APP, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def record(folder: Path, side: str, end_deg: float, discard: str = "", structure: str = "") -> Path:
    work: Phase = Reps(5, start=90 * DEG, end=end_deg * DEG, seconds=1.2, hold=1.0, rest=1.0)
    if structure:
        work = Passes(3, start=90 * DEG, end=end_deg * DEG, structure=structure)
    programme = (Supported(3.0), Neutral(), TakePosition(3.0), work)
    spec = replace(LimbSpec(programme), side=side, person=5, rate=100.0, grade=PERFECT)
    limb = simulate_limb(spec, int(end_deg))
    if discard:
        last = max(event.t for event in limb.events)
        limb = replace(limb, events=(*limb.events, Event(last, "discard", {"of": 3, "reason": discard})))
    parts = zip(limb.sensors, spec.segments, limb.truth.q_segment_from_sensor, strict=True)
    upper, lower = (SegmentAlignment(s, g, conjugate(q), np.eye(3) * (2 * DEG) ** 2) for s, g, q in parts)
    axis = np.array([0.0, 0.0, 1.0])
    joint = JointCalibration(f"{side}_knee", 1, upper, lower, axis, axis, axis_sigma=2 * DEG)
    path = folder / f"{side}_{end_deg:.0f}{structure}.mcap"
    write_recording(
        path, [limb], datetime(2026, 3, 3, 10, tzinfo=UTC), client="P0042", calibrations=[joint.to_document()]
    )
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    return {
        "pre": record(folder, "left", 40.0),
        "post": record(folder, "left", 30.0, discard="a sneeze"),
        "control_pre": record(folder, "right", 29.0),
        "control_post": record(folder, "right", 28.0),
        "treatment": record(folder, "left", 35.0, structure="hamstrings"),
    }


def test_a_visit_from_recordings_says_what_compare_and_symmetry_say(
    recordings: dict[str, Path], tmp_path: Path
) -> None:
    given = [part for name, path in recordings.items() for part in (f"--{name.replace('_', '-')}", path)]
    out = tmp_path / "visit.pdf"
    document = json.loads(rom("report", "visit", *given, "--out", out, "--json"))
    control = [f"--{name.replace('_', '-')}={recordings[name]}" for name in ("control_pre", "control_post")]
    direct = json.loads(rom("compare", recordings["pre"], recordings["post"], *control, "--json"))
    sides = json.loads(rom("symmetry", recordings["pre"], recordings["control_pre"], "--json"))
    assert document["verdicts"][0] == direct["sentence"]
    assert document["data"]["retests"][0]["comparison"]["change"] == direct["change"]
    assert document["data"]["symmetry_before"]["difference"] == sides["difference"]
    assert document["simulated"]
    assert any("a sneeze" in warning for warning in document["warnings"])
    assert document["missing"] == ["Pain was not rated."]
    assert [figure["title"] for figure in document["figures"]] == ["Every rep", "The tests", "Passes"]
    measured, _, passes = document["tables"]
    assert measured["rows"][0][0] == "after Biceps femoris, semitendinosus, semimembranosus"
    assert passes["rows"][0][3] == "3"
    assert len(pypdf.PdfReader(io.BytesIO(out.read_bytes())).pages) == 1


def test_one_test_from_its_recording_in_german(recordings: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "trial.html"
    said = rom("report", "trial", recordings["post"], "--out", out, "--language", "de", "--ama")
    measured = json.loads(rom("measure", recordings["post"], "--json"))
    assert re.match(r"Knie links: aktive Streckung \(AKE\): \d+° \(95-%-KI \d+ bis \d+\), Mittelwert", said)
    page = out.read_text(encoding="utf-8")
    assert "verworfen: a sneeze" in page
    for rep in measured["reps"]:
        assert f"{rep['end_deg']:.1f}".replace(".", ",") in page
    assert "Simulierte Daten" in page
    assert "<script" not in page


def test_the_athletes_page_from_the_clinics_file(recordings: dict[str, Path], tmp_path: Path) -> None:
    catalogue = load_catalogue()
    clinic, home = (measure(recordings[name], catalogue) for name in ("pre", "post"))
    day = datetime(2026, 2, 27, 9, tzinfo=UTC)
    test = HomeTest("P0042", "t", "00", "r", "kn_ake", "left", "mean_2_to_k", day, dict(clinic.sample))
    file, out = tmp_path / "test.json", tmp_path / "home.html"
    file.write_text(json.dumps(test.to_document()), encoding="utf-8")
    words = ("report", "retest", file, "--recording", recordings["post"], "--out", out)
    document = json.loads(rom(*words, "--json"))
    expected = test.against(home.sample, catalogue).home_sentence(test.called(home.recorded_at.date()))
    assert document["verdicts"] == [expected]
    assert "Friday" in expected
    assert expected in html.unescape(out.read_text(encoding="utf-8"))
    with pytest.raises(InputError, match="name the recording too"):
        rom("report", "retest", file, "--out", tmp_path / "other.html")


def test_nothing_is_overwritten_unless_asked(recordings: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    out.write_text("mine", encoding="utf-8")
    words = ("report", "trial", recordings["pre"], "--out", out)
    with pytest.raises(InputError, match="exists; choose another name, or replace it with --force"):
        rom(*words)
    assert out.read_text(encoding="utf-8") == "mine"
    rom(*words, "--force")
    assert "<html" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("trial", "x.mcap", "-o", "page.docx"), "written as .html or .pdf"),
        (("trial", "x.mcap", "-o", "page.pdf", "-l", "fr"), "written in en or de"),
        (("trial", "x.mcap", "-o", "page.pdf"), "x.mcap"),
        (("trial", "x.mcap", "-o", "nowhere/page.pdf"), "no such folder"),
        (("visit", "-o", "page.pdf"), "name either a client of the store, or recordings"),
        (("visit", "P1", "--pre", "x.mcap", "-o", "page.pdf"), "name either a client"),
        (("visit", "--pre", "x.mcap", "-o", "page.pdf"), "needs recordings before and after"),
        (
            ("visit", "--pre", "x", "--post", "y", "--control-pre", "z", "-o", "page.pdf"),
            "a control needs two recordings",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: tuple[str, ...], match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RomcapError, match=match) as caught:
        rom("report", *words)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "page.pdf").exists()


def test_the_store_is_asked_by_pseudonym(tmp_path: Path) -> None:
    out: Any = tmp_path / "page.pdf"
    with pytest.raises(InputError, match="no such folder"):
        rom("report", "--practice", tmp_path / "nowhere", "visit", "P0042", "-o", out)
    (tmp_path / "practice").mkdir()
    for command in ("visit", "course", "retest", "trial"):
        with pytest.raises(RomcapError, match="no client P0042"):
            rom("report", "--practice", tmp_path / "practice", command, "P0042", "-o", out)
    assert not out.exists()
