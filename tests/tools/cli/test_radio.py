"""`rom scan`, `rom pair`, `rom check`, `rom simulate` and `rom doctor` against emulated sensors."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from imu.block import ImuBlock
from imu.errors import RomcapError
from imu.pairing import PairedSensor, load_pairing, save_pairing
from imu.sensors.driver import Reading
from imu.sensors.registry import driver_named
from tools.cli.main import build
from tools.emulator import bus
from tools.emulator.device import Link
from tools.emulator.feed import BlockMotion, Motion
from tools.emulator.stage import Part

pytestmark = [pytest.mark.usefixtures("private"), pytest.mark.timeout(90)]

DOT = driver_named("movella-dot")


class Person:
    """Reads what the program prints, and moves sensors accordingly."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = ""
        self._print = print
        monkeypatch.setattr("builtins.print", self._read)
        monkeypatch.setattr("tools.cli.pair.LOOK", 0.3)

    def _read(self, *words: object, **options: Any) -> None:
        self.asked = " ".join(str(word) for word in words)
        self._print(*words, **options)


class Moving:
    """A sensor that turns at a rate of the moment."""

    def __init__(self, rate: Callable[[], float]) -> None:
        self._rate = rate

    def reading(self, t: float) -> Reading:
        return Reading(None, None, (self._rate(), 0.002 * math.sin(1e3 * t), 0.0), (0.0, 0.0, 9.81))


def still() -> BlockMotion:
    t = np.arange(0.0, 300.0, 1.0 / 60.0)
    rng = np.random.default_rng(1)
    gyr, acc = rng.normal(0.0, 1e-3, (len(t), 3)), rng.normal(0.0, 0.01, (len(t), 3))
    acc[:, 2] += 9.81
    return BlockMotion(ImuBlock("motion", t, gyr + 0.003, acc))


def part(number: int, motion: Motion | None = None, link: Link | None = None, battery: float = 80.0) -> Part:
    address = f"D4:22:CD:00:00:{number:02X}"
    return Part(DOT, address, motion or still(), link=link or Link(), battery_percent=battery)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build(), [str(item) for item in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def paired(file: Path, **segments: int) -> Path:
    sensors = {
        segment: PairedSensor(segment, part(number).address, "movella-dot", "Movella DOT")
        for segment, number in segments.items()
    }
    save_pairing(file, sensors)
    return file


def test_scan_lists_name_kind_battery_and_signal(private: str) -> None:
    from tools.emulator.bus_stage import BusStage

    with BusStage(private, [part(1), part(2, battery=3.0)]):
        document = json.loads(run("scan", "--seconds", "1.5", "--json"))
        text = run("scan", "--seconds", "0.6", "--no-battery")
    rows = {row["address"]: row for row in document["devices"]}
    assert {row["kind"] for row in rows.values()} == {"movella-dot"}
    assert rows["D4:22:CD:00:00:02"]["battery_percent"] == 3.0
    assert all(-75 < row["rssi_dbm"] < -45 for row in rows.values())
    assert text.count("Movella DOT") == 2


def test_pairing_by_address_and_what_it_refuses(private: str, tmp_path: Path) -> None:
    from tools.emulator.bus_stage import BusStage

    file = tmp_path / "sensors.json"
    with BusStage(private, [part(1), part(2)]):
        run("pair", "left_thigh=D4:22:CD:00:00:01", "left_shank=d4:22:cd:00:00:02", "--pairing", file)
        with pytest.raises(RomcapError, match="no sensor with address D4:22:CD:00:00:09"):
            run("pair", "left_foot=D4:22:CD:00:00:09", "--seconds", "0.6", "--pairing", file)
        with pytest.raises(RomcapError, match="no segment is called 'left_leg'"):
            run("pair", "left_leg=D4:22:CD:00:00:01", "--pairing", file)
        run("pair", "right_thigh=D4:22:CD:00:00:01", "--pairing", file)
    worn = {segment: sensor.address[-2:] for segment, sensor in load_pairing(file).items()}
    assert worn == {"left_shank": "02", "right_thigh": "01"}, "a sensor is worn in one place only"
    assert "right_thigh: Movella DOT" in run("pair", "--pairing", file)


def test_the_shaken_sensor_is_found(private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.emulator.bus_stage import BusStage

    file, person = tmp_path / "sensors.json", Person(monkeypatch)
    shaken = Moving(lambda: 6.0 if "Shake the sensor for left_shank" in person.asked else 0.01)
    with BusStage(private, [part(1), part(2, shaken), part(3)]):
        text = run("pair", "left_shank", "--seconds", "1", "--pairing", file)
    assert "Put it down" in text
    assert load_pairing(file)["left_shank"].address == "D4:22:CD:00:00:02"


@pytest.mark.parametrize("swapped", [False, True])
def test_lifting_each_foot_catches_swapped_sides(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: bool
) -> None:
    from tools.emulator.bus_stage import BusStage

    numbers = (2, 1) if swapped else (1, 2)
    file, person = tmp_path / "sensors.json", Person(monkeypatch)
    paired(file, left_shank=numbers[0], right_shank=numbers[1])

    def lifts(side: str) -> Callable[[], float]:
        """Swing while this foot is asked for, for a second and a half at most."""
        begun: list[float] = []

        def rate() -> float:
            if side in person.asked and not begun:
                begun.append(time.monotonic())
            return 2.0 if begun and time.monotonic() - begun[0] < 1.5 else 0.01

        return rate

    with BusStage(private, [part(1, Moving(lifts("LEFT"))), part(2, Moving(lifts("RIGHT")))]):
        text = run("pair", "--lift", "--pairing", file)
    assert ("were swapped" in text) is swapped
    worn = load_pairing(file)
    assert (worn["left_shank"].address[-2:], worn["right_shank"].address[-2:]) == ("01", "02")


def test_check_judges_each_sensor_in_words(private: str, tmp_path: Path) -> None:
    from tools.emulator.bus_stage import BusStage

    file = paired(tmp_path / "sensors.json", left_thigh=1, left_shank=2, left_foot=3)
    wobbly = Moving(lambda: 0.5 * math.sin(8.0 * time.monotonic()))
    parts = [part(1, battery=5.0), part(2, wobbly), part(3, link=Link(loss=0.2))]
    with BusStage(private, parts):
        document = json.loads(run("check", "--seconds", "3", "--pairing", file, "--json"))
    verdicts = {row["sensor"]: (row["verdict"], " ".join(row["findings"])) for row in document["sensors"]}
    assert "battery is at 5 %" in verdicts["left_thigh"][1]
    assert verdicts["left_thigh"][0] == "usable"
    assert "it moved" in verdicts["left_shank"][1]
    assert verdicts["left_foot"][0] == "not usable"
    assert "samples are lost" in verdicts["left_foot"][1]
    good = document["sensors"][0]
    assert good["rate_hz"] == pytest.approx(60.0, rel=0.02)
    assert good["gyr_noise"] == pytest.approx(1e-3, rel=0.3)


def test_check_without_a_pairing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RomcapError, match="rom pair"):
        run("check", "--pairing", tmp_path / "none.json")


def test_simulate_publishes_sensors_for_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "from tools.cli.main import main; main()"]
    command += [
        "simulate",
        "--kind",
        "witmotion",
        "--sensors",
        "1",
        "--seconds",
        "25",
        "--fault",
        "battery:9",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
        told = next(line for line in lines if bus.VARIABLE in line)
        monkeypatch.setenv(bus.VARIABLE, told.split("=", 1)[1].strip())
        document = json.loads(run("scan", "--seconds", "1", "--no-battery", "--json"))
        process.terminate()
    assert [row["kind"] for row in document["devices"]] == ["witmotion"]
    assert any("on right_shank" in line for line in lines)


def test_simulate_refuses_what_it_cannot_play() -> None:
    with pytest.raises(RomcapError, match="NAME one of"):
        run("simulate", "--fault", "gremlins")
    with pytest.raises(RomcapError, match="no sensor family"):
        run("simulate", "--kind", "sundial")
    with pytest.raises(RomcapError, match="1 to 8"):
        run("simulate", "--sensors", "9")


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path: Path, private: str) -> None:
    from tools.emulator.bus_stage import BusStage

    (tmp_path / "visit.mcap.part").touch()
    with BusStage(private, [part(1)]):
        document = json.loads(run("doctor", tmp_path, "--json"))
    found = {item["subject"]: item for item in document["findings"]}
    assert found["package names"]["state"] == "good"
    assert found["Bluetooth"]["words"] == "1 sensors and 0 other devices heard"
    assert "visit.mcap.part is unfinished" in found["recording"]["words"]
    assert "rom repair" in found["recording"]["remedy"]
    assert "romcap" in found["libraries"]["words"]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", "notice"),
        (
            "[LE]\nMinConnectionInterval=6\nMaxConnectionInterval=12\nConnectionSupervisionTimeout=200\n",
            "good",
        ),
        ("[LE]\nMinConnectionInterval=24\n", "notice"),
    ],
)
def test_doctor_reads_the_link_settings(tmp_path: Path, text: str, state: str) -> None:
    from tools.cli.doctor import link_settings

    file = tmp_path / "main.conf"
    file.write_text(text, encoding="utf-8")
    finding = link_settings(file)
    assert finding.state == state
    assert state == "good" or "ConnectionSupervisionTimeout=200" in finding.remedy
