"""`rom calibrate`: a pose and movements recorded apart align the straps for a test recorded apart."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from imu.errors import CalibrationError, InputError
from imu.recording import Recording, RecordingWriter
from imu.virtual import RESEARCH
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps, TakePosition
from rom.limb_world import LimbSpec
from tools.cli.main import build

DEG = np.pi / 180.0


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LimbRecording]:
    """One capture cut into three recordings without any marks: pose, movement, test."""
    folder = tmp_path_factory.mktemp("apart")
    programme = (Neutral(), Functional(proximal_share=0.5), TakePosition(), Reps(5, 90.0 * DEG, 35.0 * DEG))
    limb = simulate_limb(LimbSpec(programme, grade=RESEARCH), 11)
    write_recording(folder / "all.mcap", [limb], datetime(2026, 1, 1, tzinfo=UTC))
    whole = Recording.open(folder / "all.mcap")
    times = {(e.kind, str(e.data.get("step", ""))): e.t for e in whole.events}
    spans = {
        "pose": (times["calibration_start", "pose"], times["calibration_stop", "pose"]),
        "move": (times["calibration_start", "functional"], times["calibration_stop", "functional"]),
        "test": (times["trial_start", ""] - 1.0, whole.stop),
    }
    for name, (start, stop) in spans.items():
        with RecordingWriter(folder / f"{name}.mcap", replace(whole.header, recording_id=name)) as writer:
            for sensor in limb.sensors:
                block = whole.block(sensor)
                first, last = np.searchsorted(block.t, [start, stop])
                writer.write(block[int(first) : int(last)])
    return folder, limb


def test_recordings_made_apart_calibrate_and_measure(apart: tuple[Path, LimbRecording]) -> None:
    folder, limb = apart
    run, app = CliRunner(), build()
    made = run.invoke(
        app,
        ["calibrate", "--pose", f"{folder}/pose.mcap", "--move", f"{folder}/move.mcap=knee:flexion",
         "-o", f"{folder}/knee.json"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    measured = run.invoke(
        app,
        ["measure", f"{folder}/test.mcap", "--calibration", f"{folder}/knee.json", "--estimate", "best",
         "--json"],
    )  # fmt: skip
    assert measured.exit_code == 0, measured.output
    document = json.loads(measured.stdout)
    assert document["calibration"] == "given"
    true = np.degrees([limb.truth.extent(s)[1] for s in limb.truth.strokes if s.kind == "rep"])
    assert document["summary"]["valid_reps"] >= 3
    assert document["summary"]["end_mean_deg"] == pytest.approx(float(true.mean()), abs=4.0)
    assert abs(document["summary"]["end_mean_deg"] - true.mean()) < 2.0 * document["summary"]["end_sigma_deg"]


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        (["--pose", "pose.mcap"], InputError, "belong together"),
        (["--pose", "pose.mcap", "--move", "move.mcap"], InputError, "FILE=JOINT:AXIS"),
        (["--pose", "pose.mcap", "--move", "move.mcap=elbow:flexion"], CalibrationError, "expected one of"),
    ],
)
def test_what_does_not_fit_is_said(
    apart: tuple[Path, LimbRecording],
    arguments: list[str],
    error: type[Exception],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(apart[0])
    result = CliRunner().invoke(build(), ["calibrate", *arguments, "-o", "refused.json"])
    assert isinstance(result.exception, error)
    assert problem in str(result.exception)
    assert not Path("refused.json").exists()
