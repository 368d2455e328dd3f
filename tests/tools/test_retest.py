"""The athlete's two minutes: from the clinic's file to one sealed file, with a recording that exists."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyrage import x25519  # pyright: ignore[reportAttributeAccessIssue] -- compiled, no types
from typer.testing import CliRunner

from calibration.segment import JointCalibration, SegmentAlignment
from imu.errors import RomcapError
from imu.quaternion import conjugate
from rom.clinic import sealed
from rom.clinic.sealed import Keys
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Reps, Supported, TakePosition
from rom.limb_world import LimbSpec
from tools.cli.cue_screen import CueScreen
from tools.cli.main import build

DEG = np.pi / 180.0
Call = Callable[..., str]


def recording(path: Path, end_deg: float, count: int = 5) -> str:
    """Write a recording of a left knee that is straightened to an angle."""
    reps = Reps(count, start=90 * DEG, end=end_deg * DEG, seconds=1.2, hold=1.0, rest=1.0)
    programme = (Supported(3.0), Neutral(), TakePosition(3.0), reps)
    of = simulate_limb(replace(LimbSpec(programme), side="left", person=5, rate=100.0), int(end_deg))
    parts = zip(of.sensors, of.spec.segments, of.truth.q_segment_from_sensor, strict=True)
    upper, lower = (SegmentAlignment(s, g, conjugate(q), np.eye(3) * (2 * DEG) ** 2) for s, g, q in parts)
    axis = np.array([0.0, 0.0, 1.0])
    joint = JointCalibration("left_knee", 1, upper, lower, axis, axis, 2 * DEG)
    write_recording(path, [of], datetime.now(UTC), client="P0042", calibrations=[joint.to_document()])
    return str(path)


@pytest.fixture
def rom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    keys = Keys(
        x25519.Identity.generate()
    )  # a passphrase costs seconds; tests/rom/clinic/test_sealed.py has it

    def known(_folder: Path, _passphrase: str) -> Keys:
        return keys

    monkeypatch.setattr(sealed, "load_keys", known)
    environment = {
        "ROM_PRACTICE": str(tmp_path / "practice"),
        "ROM_CLINICIAN": "Ann",
        "ROM_PASSPHRASE": "secret",
        "ROM_DATABASE": "",
    }
    app = build()

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, list(words), env=environment)
        if isinstance(result.exception, RomcapError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


@pytest.fixture
def clinics_file(rom: Call, tmp_path: Path) -> str:
    """Return the file for home after a visit in which the left knee was tested."""
    rom("client", "add", "--code", "P0042")
    rom("client", "episode", "P0042", "tight hamstring", "--region", "knee", "--side", "left")
    rom("visit", "start", "P0042")
    rom("visit", "screen", "P0042", "--no-to-all")
    rom("visit", "tell", "P0042", "--pain", "4")
    rom("visit", "record", "P0042", recording(tmp_path / "a.mcap", 40.0), "--despite", "one leg")
    rom("visit", "close", "P0042", "--despite", "test only")
    rom("visit", "sign", "P0042")
    rom("client", "home", "P0042", str(tmp_path / "home.json"))
    return str(tmp_path / "home.json")


def test_two_minutes_at_home_reach_the_clinic(rom: Call, clinics_file: str, tmp_path: Path) -> None:
    at_home, answer = recording(tmp_path / "b.mcap", 31.0), tmp_path / "answer.age"
    words = ("retest", clinics_file, "--recording", at_home, "-o", str(answer), "--soreness", "2")
    said: dict[str, Any] = json.loads(rom(*words, "--json"))
    assert said["simulated"]
    assert said["clinic_deg"] == pytest.approx(40.0, abs=2.0)
    assert said["today_deg"] == pytest.approx(31.0, abs=2.0)
    assert said["chance_deg"] >= 8.0
    assert "can be chance" in said["sentence"]
    read = rom(*words)
    assert read.startswith("Simulated: no person was measured.")
    assert f"Send this file to the clinic: {answer}" in read
    assert b"P0042" not in answer.read_bytes()
    got = json.loads(rom("client", "receive", str(answer), "--json"))
    assert (got["client"], got["known"]) == ("P0042", False)
    assert json.loads(rom("client", "receive", str(answer), "--json"))["known"]
    rows = json.loads(rom("client", "show", "P0042", "--json"))["rows"]
    assert [trial["phase"] for trial in rows["trial"]] == ["baseline", "home"]
    assert rows["home_log"][0]["soreness"] == 2


def test_too_few_reps_are_said_but_the_file_is_made(rom: Call, clinics_file: str, tmp_path: Path) -> None:
    short, answer = recording(tmp_path / "c.mcap", 35.0, count=1), tmp_path / "answer.age"
    with pytest.raises(RomcapError, match="record five"):
        rom("retest", clinics_file, "--recording", short, "-o", str(answer))
    assert answer.exists()
    assert "Too few valid reps" in rom("client", "receive", str(answer))


def test_wrong_files_are_refused_in_a_sentence(rom: Call, clinics_file: str, tmp_path: Path) -> None:
    with pytest.raises(RomcapError, match="ask for it again"):
        rom("retest", str(tmp_path / "a.mcap"))
    with pytest.raises(RomcapError, match="no such file"):
        rom("retest", clinics_file, "--recording", str(tmp_path / "none.mcap"))
    with pytest.raises(RomcapError, match="from 0 to 10"):
        rom("retest", clinics_file, "--soreness", "11")


def test_cues_are_printed_with_a_tone(capsys: pytest.CaptureFixture[str]) -> None:
    with CueScreen(aloud=False) as screen:
        screen.prompt("Stand still")
    heard = capsys.readouterr().err
    assert heard == "\a> Stand still\n\a\a> Done. You can take the straps off.\n"
