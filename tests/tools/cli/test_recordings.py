"""`rom import`, `rom info`, `rom repair`: what people and programs see, and one sentence when it fails."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from imu.errors import InputError, RomcapError
from imu.recording import RawPacket, Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.driver import Reading
from imu.sensors.registry import driver_named
from imu.streams import StreamLog, StreamPlan
from tools.cli.main import build


def rom(*arguments: str | Path) -> str:
    """Return what a command prints; raise what `main` would show as a sentence."""
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    if isinstance(result.exception, RomcapError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def rom_json(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(rom(*arguments, "--json"))


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """Return an archive of an arm that lies still for five seconds, with a hole of unknown samples."""
    rng = np.random.default_rng(5)
    arrays: dict[str, Any] = {"rate": 50.0, "meta": json.dumps({"notes": "right arm"})}
    for segment in ("upperarm", "forearm"):
        arrays[f"{segment}_acc"] = np.array([0.0, 0.0, 9.81]) + rng.normal(0.0, 0.02, (250, 3))
        arrays[f"{segment}_gyr"] = rng.normal(0.0, 0.002, (250, 3))
    arrays["forearm_gyr"][100:110] = np.nan
    np.savez(tmp_path / "trial.npz", **arrays)
    return tmp_path / "trial.npz"


def test_import_then_info_tells_what_was_given(trial: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mcap"
    made = rom_json(
        "import", trial, "-o", out, "--movement", "el_flexion", "--client", "C-9", "--phase", "baseline"
    )
    assert made["layout"] == "npz"
    assert {sensor["segment"]: sensor["samples"] for sensor in made["sensors"]} == {
        "right_forearm": 250,
        "right_upperarm": 250,
    }
    assert any("10 of 250 samples" in remark for remark in made["remarks"])
    told = rom_json("info", out)
    assert (told["client"], told["movement"], told["side"], told["phase"]) == (
        "C-9",
        "el_flexion",
        "right",
        "baseline",
    )
    assert told["duration_s"] == pytest.approx(249 / 50.0)
    assert told["damage"] == []
    assert told["provenance"]["imported_from"][0]["file"] == "trial.npz"
    assert [event["kind"] for event in told["events"]] == ["trial_start", "trial_stop"]
    forearm = next(sensor for sensor in told["sensors"] if sensor["segment"] == "right_forearm")
    assert (forearm["samples"], forearm["unknown"], forearm["gaps"], forearm["loss"]) == (250, 10, 0, 0.0)
    assert forearm["rate_hz"] == pytest.approx(50.0)
    assert told["sha256"] == Recording.open(out).sha256
    page = rom("info", out)
    for expected in ("el_flexion", "C-9", "right_forearm", "10 unknown", "damage    none"):
        assert expected in page


def test_gaps_and_loss_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    t = np.delete(np.arange(300) / 100.0, np.r_[50:55, 200:205])
    rows = np.column_stack(
        [t, rng.normal(0.0, 0.001, (290, 3)), rng.normal(0.0, 0.01, (290, 2)), np.full(290, 9.81)]
    )
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header="t,gx,gy,gz,ax,ay,az", comments="")
    (tmp_path / "m.toml").write_text(
        'time = { column = "t", unit = "s" }\n[[sensors]]\n'
        'gyr = { columns = ["gx", "gy", "gz"], unit = "rad/s" }\n'
        'acc = { columns = ["ax", "ay", "az"], unit = "m/s2" }\n'
    )
    rom(
        "import",
        tmp_path / "a.csv",
        "-o",
        tmp_path / "x.mcap",
        "--columns",
        tmp_path / "m.toml",
        "--sensor",
        "a.csv=pelvis",
    )
    (sensor,) = rom_json("info", tmp_path / "x.mcap")["sensors"]
    assert (sensor["segment"], sensor["gaps"], sensor["missing"]) == ("pelvis", 2, 10)
    assert sensor["loss"] == pytest.approx(10 / 300)
    assert sensor["longest_gap_s"] == pytest.approx(0.06)


def test_a_damaged_recording_says_so_and_can_be_repaired(trial: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mcap"
    rom("import", trial, "-o", out)
    data = out.read_bytes()
    out.write_bytes(data[: len(data) // 2])
    assert "DAMAGE" in rom("info", out)
    repaired = rom_json("repair", out)
    assert repaired["written"] == str(tmp_path / "x.repaired.mcap")
    assert any("cut off" in sentence for sentence in repaired["damage"])
    told = rom_json("info", tmp_path / "x.repaired.mcap")
    assert told["damage"] == []
    assert told["repairs"][0]["source"] == "x.mcap"
    assert "repaired from x.mcap" in rom("info", tmp_path / "x.repaired.mcap")
    assert "intact, nothing to repair" in rom("repair", tmp_path / "x.repaired.mcap")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--side", "up"), "must be left, right or midline, got up"),
        (("--movement", "elbow_dance"), "knows no movement 'elbow_dance'"),
        (("--sensor", "forearm"), "expects FILE=SEGMENT"),
        (("--sensor", "other.csv=thorax"), "--sensor names other.csv"),
        (("--sensor", "trial.npz=thorax"), r"would change nothing: .* \(right_forearm, right_upperarm\)"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    trial: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RomcapError, match=sentence):
        rom("import", trial, "-o", tmp_path / "x.mcap", *options)
    assert not list(tmp_path.glob("x.mcap*"))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        rom("import", tmp_path / "none.npz", "-o", tmp_path / "x.mcap")


def test_samples_are_made_again_from_raw_bytes_or_it_says_why_not(trial: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mcap"
    rom("import", trial, "-o", out)
    with pytest.raises(RomcapError, match="holds no raw bytes with their settings"):
        rom("repair", "--from-raw", out)
    assert not (tmp_path / "x.rebuilt.mcap").exists()

    driver = driver_named("open")
    settings = driver.settings()
    sensor = SensorInfo("left_shank", "left_shank", "open", settings.rate_hz)
    raw = tmp_path / "raw.mcap"
    log = StreamLog({"left_shank": StreamPlan(driver, settings)}, 0)
    stream, turning = driver.peripheral(), Reading(None, None, (0.1, 0.0, 0.0), (0.0, 0.0, 9.8))
    for write in (*driver.configure(settings), *driver.start(settings)):
        stream.write(write.characteristic, write.payload)
    with RecordingWriter(raw, RecordingHeader(sensors=(sensor,), simulated=True)) as writer:
        log.begin(writer, {"left_shank": 0.0})
        for k in range(300):
            for note in stream.sample(k / settings.rate_hz, turning):
                arrival = round((k / settings.rate_hz + 0.02) * 1e9)
                log.take(RawPacket("left_shank", arrival, note.characteristic, note.payload), writer)
    made = rom_json("repair", "--from-raw", raw)
    (told,) = made["sensors"]
    assert (told["sensor"], told["recorded"], told["first"]) == ("left_shank", 0, None)
    assert told["rebuilt"] == sum(Recording.open(Path(made["written"])).samples.values()) > 250


@pytest.mark.parametrize("command", ["info", "repair"])
def test_the_whole_program_ends_with_a_sentence_and_status_one(tmp_path: Path, command: str) -> None:
    (tmp_path / "x.mcap").write_text("not a recording\n")
    program = [
        sys.executable,
        "-c",
        "from tools.cli.main import main; main()",
        command,
        str(tmp_path / "x.mcap"),
    ]
    outcome = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("rom: ")
    assert outcome.stderr.count("\n") == 1
    assert "is not a recording" in outcome.stderr
