"""WitMotion's card files and program tables: samples and rates that were put in come out."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from imu.errors import InputError
from imu.sensors.driver import Reading
from imu.sensors.witmotion_peripheral import encode_frame
from tools.exchange.onsensor import is_witmotion, read_witmotion
from tools.exchange.reading import read_incoming

START = datetime(2026, 6, 22, 14, 41, 1, 793000, tzinfo=UTC)
G = 9.80665


def still(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return angular rate and acceleration of a sensor that hardly moves."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 0.05, (count, 3)), rng.normal(0.0, 0.1, (count, 3)) + np.array([0.0, 0.0, G])


def card(path: Path, count: int = 400, seed: int = 1, start: datetime = START, skip: int = -1) -> np.ndarray:
    """Write a card file at 20 Hz; return its accelerations."""
    gyr, acc = still(count, seed)
    first = round(start.timestamp() * 1000)
    frames = [
        encode_frame(Reading(first + 50 * i, None, tuple(gyr[i]), tuple(acc[i])))
        for i in range(count)
        if i != skip
    ]
    path.write_bytes(b"".join(frames))
    return acc


def table(path: Path, seconds: float = 40.0, rate: float = 198.61, devices: int = 1) -> np.ndarray:
    """Write a table as the maker's program does: eight rows a burst, stamped when they arrived."""
    count = int(seconds * rate)
    gyr, acc = still(count, 4)
    rng = np.random.default_rng(5)
    rows = [
        "time\tDeviceName\tAccX(g)\tAccY(g)\tAccZ(g)\tAsX(°/s)\tAsY(°/s)\tAsZ(°/s)\tHX(uT)\tHY(uT)\tHZ(uT)\tHeight(m)"
    ]
    arrival = 0.0
    for i in range(count):
        if i % 8 == 0:
            arrival = max((i + 7) / rate + 0.02 + rng.uniform(0, 0.03) + (rng.random() < 0.02) * 0.6, arrival)
        moment = (START + timedelta(seconds=arrival)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3].replace("-0", "-")
        numbers = [*(acc[i] / G), *np.degrees(gyr[i]), -28.1, -29.9, -23.0]
        rows.append("\t".join([moment, f"WT901BLE68({i % devices})", *(f"{x:.3f}" for x in numbers), "null"]))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return acc


def test_a_card_file_keeps_every_sample(tmp_path: Path) -> None:
    path = tmp_path / "WIT18.TXT"
    acc = card(path)
    incoming = read_incoming([path], segments={"WIT18.TXT": "left_shank"})
    (sensor,) = incoming.sensors
    assert incoming.layout == "witmotion"
    assert sensor.info.segment == "left_shank"
    assert sensor.info.rate_hz == pytest.approx(20.0)
    assert sensor.block.t == pytest.approx(np.arange(400) / 20.0)
    assert sensor.block.acc == pytest.approx(acc, abs=16 * G / 32768)
    assert sensor.block.mag is None


def test_a_lost_frame_is_a_gap_and_noise_costs_the_frame_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    card(path, skip=100)
    path.write_bytes(path.read_bytes()[:280] + b"\x00\x01\x02" + path.read_bytes()[280:])
    (sensor,) = read_witmotion([path], {"a.txt": "pelvis"}).sensors
    assert len(sensor.block) == 398
    assert any("31 bytes belong to no frame" in remark for remark in sensor.remarks)
    assert any("2 samples missing in 2 gaps" in remark for remark in sensor.remarks)


def test_files_of_one_trial_keep_their_distance(tmp_path: Path) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    card(a)
    card(b, start=START + timedelta(seconds=1.5))
    incoming = read_witmotion([b, a], {"a.txt": "left_thigh", "b.txt": "left_shank"})
    assert [sensor.block.t[0] for sensor in incoming.sensors] == pytest.approx([1.5, 0.0])
    assert "three taps" in incoming.remarks[0]


def test_a_table_gets_its_true_rate(tmp_path: Path) -> None:
    path = tmp_path / "salon.txt"
    acc = table(path)
    (sensor,) = read_incoming([path], segments={"salon.txt": "right_thigh"}).sensors
    assert 1.0 / np.diff(sensor.block.t) == pytest.approx(np.full(len(acc) - 1, 198.61), rel=1e-4)
    assert sensor.block.acc == pytest.approx(acc, abs=0.001 * G)
    assert sensor.block.mag is not None
    assert sensor.block.mag[0] == pytest.approx((-28.1, -29.9, -23.0))
    assert any("learnt" in remark for remark in sensor.remarks)


def test_a_table_of_two_sensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.txt"
    table(path, seconds=2.0, devices=2)
    with pytest.raises(InputError, match="one sensor was expected, found 2"):
        read_witmotion([path], {"two.txt": "thorax"})


def test_a_damaged_time_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    table(path, seconds=2.0)
    path.write_text(path.read_text(encoding="utf-8").replace("2026-6-22", "gestern", 1), encoding="utf-8")
    with pytest.raises(InputError, match="'gestern"):
        read_witmotion([path], {"t.txt": "thorax"})


def test_the_segment_must_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    card(path)
    with pytest.raises(InputError, match="which segment"):
        read_witmotion([path])


def test_frames_without_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    sample = Reading(None, None, (0.0, 0.0, math.pi), (0.0, 0.0, G))
    path.write_bytes(encode_frame(sample) * 50)
    assert is_witmotion(path)
    with pytest.raises(InputError, match="hold no time"):
        read_witmotion([path], {"a.txt": "thorax"})


def test_files_of_different_days_are_refused(tmp_path: Path) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    card(a)
    card(b, start=START + timedelta(days=1))
    with pytest.raises(InputError, match="86400 s apart"):
        read_witmotion([a, b], {"a.txt": "left_thigh", "b.txt": "left_shank"})


@pytest.mark.parametrize("content", [b"", b"\x00" * 500, b"a,b\n1,2\n", b"U" * 400])
def test_a_stranger_is_not_taken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert not is_witmotion(path)


def test_a_missing_file_is_not_taken(tmp_path: Path) -> None:
    assert not is_witmotion(tmp_path / "none.txt")
