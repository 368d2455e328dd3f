"""`--sync` and `--taps` against emulated sensors: what is applied live is in the recording, and right."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from imu.acquisition import Acquisition
from imu.ble_link import SensorRequest
from imu.block import ImuBlock, join
from imu.errors import InputError, RadioError
from imu.hardware_sync import Synchronisation, SyncResult
from imu.health import Notice
from imu.pairing import PairedSensor, save_pairing
from imu.recording import Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.driver import Reading
from imu.sensors.registry import driver_named
from imu.taps import align_by_taps
from tools.cli import common_time
from tools.cli.main import build
from tools.emulator.stage import Part

pytestmark = [pytest.mark.usefixtures("private"), pytest.mark.timeout(90)]

DOT = driver_named("movella-dot")
LATE = 0.06
TAPS = (0.8, 1.5, 2.3)


class Hands:
    """A person who holds all sensors together and taps when asked; `count` times."""

    def __init__(self, count: int = 3) -> None:
        self.now = 0.0
        self.begun = -math.inf
        self.count = count
        self.told: list[str] = []

    def hear(self, words: str) -> None:
        self.told.append(words)
        if "tap them three times" in words:
            self.begun = self.now

    def reading(self, t: float, late: float) -> Reading:
        self.now = max(self.now, t)
        since = [t - late - self.begun - tap for tap in TAPS[: self.count]]
        knock = sum(25.0 * math.exp(-0.5 * (one / 0.015) ** 2) for one in since)
        return Reading(None, None, (0.0, 0.0, 0.0), (0.0, 0.0, 9.81 + knock))


class Felt:
    """What one sensor feels of the hands; the time base of a late one is behind by so much."""

    def __init__(self, hands: Hands, late: float) -> None:
        self._hands, self._late = hands, late

    def reading(self, t: float) -> Reading:
        return self._hands.reading(t, self._late)


def parts(hands: Hands) -> list[Part]:
    return [Part(DOT, f"D4:22:CD:00:00:0{n}", Felt(hands, late)) for n, late in ((1, 0.0), (2, LATE))]


def requests() -> list[SensorRequest]:
    return [SensorRequest(f"s{n}", f"D4:22:CD:00:00:0{n}", DOT, DOT.settings()) for n in (1, 2)]


def paired(file: Path) -> Path:
    worn = {"left_thigh": "D4:22:CD:00:00:01", "left_shank": "D4:22:CD:00:00:02"}
    save_pairing(file, {segment: PairedSensor(segment, at, "movella-dot") for segment, at in worn.items()})
    return file


def blocks_in(acquisition: Acquisition) -> dict[str, ImuBlock]:
    got: dict[str, list[ImuBlock]] = {}
    while not acquisition.queue.empty():
        item = acquisition.queue.get()
        if not isinstance(item, Notice):
            got.setdefault(item.sensor, []).append(item)
    return {sensor: join(pieces) for sensor, pieces in got.items()}


def test_after_three_taps_live_and_recorded_times_agree(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.emulator.bus_stage import BusStage

    monkeypatch.setattr(common_time, "TAP_SECONDS", 3.2)
    hands, file = Hands(), tmp_path / "tapped.mcap"
    acquisition = Acquisition(requests())
    sensors = tuple(SensorInfo(f"s{n}", f"s{n}", "movella-dot", 60.0) for n in (1, 2))
    header = RecordingHeader(created_at=acquisition.started_at, sensors=sensors, simulated=True)
    with BusStage(private, parts(hands)), RecordingWriter(file, header) as writer, acquisition:
        acquisition.wait_for_all(8.0)
        time.sleep(0.5)
        note = common_time.by_taps(acquisition, hands.hear)
        assert note["sensors"]["s2"]["offset_s"] == pytest.approx(-LATE, abs=0.008)
        assert note["sensors"]["s2"]["residual_s"] < 0.01
        assert "times moved by -" in hands.told[-1]
        blocks_in(acquisition)
        acquisition.record(writer)
        acquisition.event("note", note)
        with pytest.raises(InputError, match="before the recording begins"):
            acquisition.shift({"s2": 0.1})
        hands.hear("tap them three times")
        time.sleep(3.2)
        acquisition.record(None)
        live = blocks_in(acquisition)
    recording = Recording.open(file)
    disk = {sensor: recording.block(sensor) for sensor in live}
    assert [event.data for event in recording.events if event.kind == "note"] == [note]
    for sensor, block in disk.items():
        begin = int(np.searchsorted(live[sensor].t, block.t[0]))
        assert np.array_equal(block.t, live[sensor].t[begin : begin + len(block)])
    assert abs(align_by_taps(disk["s1"], disk["s2"]).offset) < 0.008


def test_taps_that_are_not_felt_are_asked_for_again_and_shift_nothing(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.emulator.bus_stage import BusStage

    monkeypatch.setattr(common_time, "TAP_SECONDS", 1.0)
    hands, shifted = Hands(count=0), list[object]()
    with BusStage(private, parts(hands)), Acquisition(requests()) as acquisition:
        monkeypatch.setattr(acquisition, "shift", shifted.append)
        acquisition.wait_for_all(8.0)
        with pytest.raises(InputError, match="three clear taps"):
            common_time.by_taps(acquisition, hands.hear)
    assert sum("tap them three times" in words for words in hands.told) == common_time.TRIES
    assert sum(words.startswith("Again: ") for words in hands.told) == common_time.TRIES - 1
    assert shifted == []


def test_check_with_taps_reports_the_residual(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.emulator.bus_stage import BusStage

    monkeypatch.setattr(common_time, "TAP_SECONDS", 3.2)
    monkeypatch.setattr("tools.cli.check._say_aside", (hands := Hands()).hear)
    file = paired(tmp_path / "sensors.json")
    with BusStage(private, parts(hands)):
        arguments = ["check", "--taps", "--seconds", "1.5", "--pairing", str(file), "--json"]
        result = CliRunner().invoke(build(), arguments, catch_exceptions=False)
    (note,) = json.loads(result.stdout)["common_time"]
    assert (note["by"], note["reference"]) == ("taps", "left_thigh")
    assert note["sensors"]["left_shank"]["offset_s"] == pytest.approx(-LATE, abs=0.008)


def test_check_synchronises_first_if_asked(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.emulator.bus_stage import BusStage

    monkeypatch.setattr("imu.hardware_sync.SyncTiming", quick_timing())
    file = paired(tmp_path / "sensors.json")
    with BusStage(private, parts(Hands())):
        arguments = ["check", "--sync", "--seconds", "1.5", "--pairing", str(file), "--json"]
        result = CliRunner().invoke(build(), arguments, catch_exceptions=False)
    document = json.loads(result.stdout)
    (note,) = document["common_time"]
    assert note["by"] == "radio"
    assert [row["words"] for row in note["sensors"]] == ["clocks are synchronised"] * 2
    assert all(row["shared_clock"] for row in document["sensors"])
    assert not any("time is known" in words for row in document["sensors"] for words in row["findings"])
    assert len({row["time_spread"] for row in document["sensors"]}) == 1, "one time base has one sigma"


def quick_timing() -> object:
    from functools import partial

    from imu.hardware_sync import SyncTiming

    return partial(SyncTiming, leave=0.05, alone=0.1)


def test_a_failed_synchronisation_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    results = (SyncResult("left_shank", False, "clock skew too large; try again"),)

    def failed(*_: object, **__: object) -> Synchronisation:
        return Synchronisation((), results)

    monkeypatch.setattr("imu.hardware_sync.synchronise", failed)
    with pytest.raises(RadioError, match=r"could not be synchronised by radio .left_shank: clock skew too"):
        common_time.by_radio(requests(), lambda _: None)
