"""Decoders against bytes that makers and third parties published, with constants typed again here."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from imu.errors import PacketError
from imu.sensors import dot_messages, polar_frames
from imu.sensors.driver import Ack, Polled, Reading
from imu.sensors.registry import DRIVERS

VECTORS = Path(__file__).parents[3] / ".." / "shared" / "data" / "packets" / "vectors.json"

DOT_SHORT = "15172004-4947-11e9-8646-d663bd873d93"
WIT_NOTIFY = "0000ffe4-0000-1000-8000-00805f9a34fb"
META_NOTIFY = "326a9006-85cb-9195-d9dd-464cfbbae75a"
POLAR_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
MOVESENSE_DATA = "34800002-7185-4d5d-b431-630e7050e8f0"
G = 9.80665
DEG = math.pi / 180.0


def vectors(device: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the published vectors of one device; the test that asks is skipped where they are absent."""
    if not VECTORS.exists():
        pytest.skip("../shared/data/packets/vectors.json is not here")
    found = [v for v in json.loads(VECTORS.read_text()) if v["device"] == device and v["kind"] in kinds]
    assert found
    return found


def reading(family: str, characteristic: str, hexadecimal: str, **settings: Any) -> Reading:
    """Return the single reading in these bytes."""
    driver = DRIVERS[family]
    items = driver.decoder(driver.settings(**settings)).feed(characteristic, bytes.fromhex(hexadecimal))
    assert len(items) == 1
    assert isinstance(items[0], Reading)
    return items[0]


def test_every_published_dot_message_keeps_the_framing() -> None:
    messages = vectors("dot", "msg")
    assert len(messages) == 20
    for vector in messages:
        payload = bytes.fromhex(vector["hex"])
        mid, data = dot_messages.parse(payload)
        assert (mid, data.hex()) == (vector["expected"]["mid"], vector["expected"]["data"])
        assert dot_messages.message(mid, data) == payload
        if "root" in vector["expected"]:
            assert dot_messages.start_sync(vector["expected"]["root"]) == payload


@pytest.mark.parametrize(
    ("built", "printed"),
    [
        (dot_messages.start_sync("D4:CA:6E:F1:69:3D"), "0207013D69F16ECAD453"),
        (dot_messages.start_sync("D4:22:CD:AA:BB:CC"), "020701CCBBAACD22D402"),
        (dot_messages.ask_sync_status(), "020108F5"),
        (dot_messages.stop_sync(), "020102FB"),
    ],
)
def test_dot_sync_commands_are_the_printed_ones(built: bytes, printed: str) -> None:
    assert built == bytes.fromhex(printed)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("02020300F9", Ack("sync", True, "clocks are synchronised")),
        ("02025104A7", Ack("sync-status", True, "synchronised")),
        ("02025109A2", Ack("sync-status", False, "not synchronised")),
        ("02025000AC", Ack("sync-stop", True, "stopped")),
    ],
)
def test_dot_sync_replies_are_understood(printed: str, expected: Ack) -> None:
    assert dot_messages.parse_reply(bytes.fromhex(printed)) == expected


@pytest.mark.parametrize("printed", ["02020300F8", "0202030", "020203", "02030300F9"])
def test_dot_messages_with_a_wrong_length_or_sum_are_refused(printed: str) -> None:
    with pytest.raises(PacketError, match="DOT message"):
        dot_messages.parse(bytes.fromhex(printed.ljust(len(printed) + len(printed) % 2, "0")))


@pytest.mark.parametrize(
    ("printed", "ticks", "expected"),
    [
        ("d8052244af9640406b2aa7405add14c000000000", 1143080408, (3.009197, 5.223928, -2.326010)),
        ("f34622440da53c409c13a640f01009c000000000", 1143097075, (2.947574, 5.189894, -2.141659)),
    ],
)
def test_dot_free_acceleration_captured_from_a_sensor(
    printed: str, ticks: int, expected: tuple[float, ...]
) -> None:
    got = reading("movella-dot", DOT_SHORT, printed, mode="free-acceleration")
    assert got.ticks == ticks
    assert got.more["free_acc"] == pytest.approx(expected, abs=1e-6)
    assert all(math.isnan(value) for value in (*got.gyr, *got.acc))


def test_dot_vectors_of_the_file() -> None:
    for vector in vectors("dot", "meas"):
        got = reading("movella-dot", DOT_SHORT, vector["hex"], mode="free-acceleration")
        assert got.ticks == vector["expected"]["t_us"]
        assert got.more["free_acc"] == pytest.approx(vector["expected"]["fa"], abs=vector["tol"])


def check_witmotion(got: Reading, expected: dict[str, Any], tolerance: float) -> None:
    """Compare a frame with values in g, deg/s and deg."""
    assert got.acc == pytest.approx([a * G for a in expected["a_g"]], abs=tolerance * G)
    assert got.gyr == pytest.approx([g * DEG for g in expected["g_dps"]], abs=tolerance * DEG)
    assert got.more["euler_deg"] == pytest.approx(expected["euler_deg"], abs=tolerance)


def test_witmotion_frame_typed_again() -> None:
    expected = {
        "a_g": (0.30811, -0.16797, -0.17871),
        "g_dps": (31.616, -28.320, -3.113),
        "euler_deg": (-21.138, -5.169, -83.436),
    }
    got = reading("witmotion", WIT_NOTIFY, "55617702a8fe92fe060230fecdfff8f053fcabc4")
    assert got.ticks is None
    check_witmotion(got, expected, 1e-3)


def test_witmotion_vectors_of_the_file() -> None:
    for vector in vectors("wit", "frame", "frame28"):
        mode = "28-byte frames" if vector["kind"] == "frame28" else "20-byte frames"
        got = reading("witmotion", WIT_NOTIFY, vector["hex"], mode=mode)
        check_witmotion(got, vector["expected"], vector["tol"])
        if mode == "28-byte frames":
            assert vector["expected"]["rtc"] == "2026-06-22T14:41:01.793"
            assert got.ticks == 1782139261793
    for vector in vectors("wit", "reg"):
        driver = DRIVERS["witmotion"]
        items = driver.decoder(driver.settings()).feed(WIT_NOTIFY, bytes.fromhex(vector["hex"]))
        assert items == [Polled("magnetic_field_counts", tuple(map(float, vector["expected"]["words3"])))]


@pytest.mark.parametrize(
    ("printed", "ranges", "expected"),
    [
        ("030416c494a22ad0", {"acc_range_g": 4}, (-1.872, -2.919, -1.495)),
        ("13053e43ff7f0080", {"gyr_range_dps": 500}, (262.409, 499.497, -499.512)),
        ("15054ef0530a7504", {}, (-251.125, 165.1875, 71.3125)),
    ],
)
def test_metamotion_single_samples_typed_again(
    printed: str, ranges: dict[str, float], expected: tuple[float, ...]
) -> None:
    assert metamotion("bmi160", printed, ranges) == [pytest.approx(expected, abs=0.00101)]


def metamotion(chip: str, hexadecimal: str, ranges: dict[str, float]) -> list[tuple[float, ...]]:
    """Return the samples of a message in g, deg/s or uT, whether or not the other stream came."""
    driver = DRIVERS["metamotion"]
    settings = driver.settings(mode=chip, **ranges)
    payload = bytes.fromhex(hexadecimal)
    decoder = driver.decoder(settings)
    items = decoder.feed(META_NOTIFY, payload)
    if payload[0] == 0x15:
        return [item.values for item in items if isinstance(item, Polled)]
    count = (len(payload) - 2) // 6
    module, single = (0x13, 0x05 if chip == "bmi160" else 0x04) if payload[0] == 0x03 else (0x03, 0x04)
    for _ in range(count):
        items += decoder.feed(META_NOTIFY, bytes((module, single)) + bytes(6))
    readings = [item for item in items if isinstance(item, Reading)]
    assert len(readings) == count
    if payload[0] == 0x03:
        return [tuple(a / G for a in got.acc) for got in readings]
    return [tuple(w / DEG for w in got.gyr) for got in readings]


def test_metamotion_vectors_of_the_file() -> None:
    for vector in vectors("metawear", "notify"):
        chip = "bmi270" if "bmi270" in vector["source"] else "bmi160"
        ranges = {
            name: vector[key]
            for name, key in (("acc_range_g", "acc_range"), ("gyr_range_dps", "gyr_range"))
            if key in vector
        }
        got = metamotion(chip, vector["hex"], ranges)
        assert len(got) == len(vector["expected"])
        for sample, expected in zip(got, vector["expected"], strict=True):
            assert sample == pytest.approx(expected, abs=vector["tol"])


def test_metamotion_fusion_outputs_of_the_file() -> None:
    driver = DRIVERS["metamotion"]
    units = {"fusion_acc": G, "fusion_gyr": DEG, "fusion_linear_acc": G}
    seen: set[str] = set()
    for vector in vectors("metawear", "fusion"):
        (got,) = driver.decoder(driver.settings()).feed(META_NOTIFY, bytes.fromhex(vector["hex"]))
        assert isinstance(got, Polled)
        values = [value / units.get(got.name, 1.0) for value in got.values]
        assert values == pytest.approx(vector["expected"], abs=vector["tol"])
        seen.add(got.name)
    assert len(seen) == 6


def test_polar_acceleration_typed_again() -> None:
    frame = polar_frames.decode(
        bytes.fromhex("6500000000000000".join(("02", "81F1FF1400F00306017B0F08"))), 1.0, 8 * G
    )
    assert [[value / G * 1000 for value in row] for row in frame.values] == [
        pytest.approx((-15, 20, 1008)),
        pytest.approx((-20, 17, 1008)),
    ]
    assert polar_frames.sample_times(100, frame.last_ns, 2, 1e9) == [100, 101]


def test_polar_deltas_are_packed_from_the_lowest_bit_on() -> None:
    """3-bit deltas 1 -2 3, -1 0 2, written by hand: 1 + 6*8 + 3*64 + 7*512 + 0 + 2*32768 = 0x010ef1."""
    frame = polar_frames.decode(
        bytes.fromhex("02 6500000000000000 81 6400 c800 2c01 03 02 f10e01"), 1.0, 8 * G
    )
    assert [[value / G * 1000 for value in row] for row in frame.values] == [
        pytest.approx((100, 200, 300)),
        pytest.approx((101, 198, 303)),
        pytest.approx((100, 198, 305)),
    ]


def test_polar_field_typed_again() -> None:
    frame = polar_frames.decode(bytes.fromhex("0600943577000000008137FF51FD6CF600000301F802"), 1.0, 5000.0)
    assert frame.last_ns == 2_000_000_000
    assert [[value / 100 for value in row] for row in frame.values] == [
        pytest.approx((-0.201, -0.687, -2.452)),
        pytest.approx((-0.201, -0.688, -2.449)),
    ]


def test_polar_frames_of_the_file() -> None:
    units = {2: G / 1000.0, 5: DEG, 6: 100.0}
    for vector in vectors("polar", "pmd"):
        frame = polar_frames.decode(bytes.fromhex(vector["hex"]), vector["factor"], 1e9)
        expected = vector["expected"]
        assert len(frame.values) == expected["n"]
        assert frame.last_ns == expected.get("last_ts", frame.last_ns)
        for row, wanted in zip(frame.values, expected["first"], strict=False):
            got = [value / units[frame.kind] for value in row]
            assert got == pytest.approx(wanted[:3], rel=1e-6, abs=max(vector["tol"], 1e-9))


def test_polar_times_of_the_file() -> None:
    for vector in vectors("polar", "times"):
        before = vector["prev_ts"] or None
        times = polar_frames.sample_times(before, vector["ts"], vector["n"], 1e9 / vector["rate"])
        assert times == vector["expected"]


def test_a_polar_sample_before_the_sensors_time_began_is_refused() -> None:
    with pytest.raises(ValueError, match="time 0"):
        polar_frames.sample_times(None, 10, 2, 1e9)


def test_movesense_field_typed_again() -> None:
    got = reading(
        "movesense", MOVESENSE_DATA, "0263aca10200de9cfe41708636c2a5026cc1", mode="Magn", rate_hz=13
    )
    assert got.ticks == 172460 * 1000
    assert got.mag == pytest.approx((31.8266, -45.6313, -14.7506), abs=1e-4)


def test_movesense_packets_of_the_file() -> None:
    names = {"ArrayAcc": "acc", "ArrayGyro": "gyr", "ArrayMagn": "mag"}
    driver = DRIVERS["movesense"]
    for vector in vectors("movesense", "payload"):
        _, _, mode, rate = vector["path"].split("/")
        settings = driver.settings(mode=mode, rate_hz=float(rate))
        payload = b"\x02\x63" + bytes.fromhex(vector["hex"])
        got = [r for r in driver.decoder(settings).feed(MOVESENSE_DATA, payload) if isinstance(r, Reading)]
        assert got[0].ticks == vector["expected"]["Timestamp"] * 1000
        for key, name in names.items():
            for sample, wanted in zip(got, vector["expected"].get(key, []), strict=False):
                scale = DEG if name == "gyr" else 1.0
                values = [value / scale for value in getattr(sample, name)]
                assert values == pytest.approx([wanted[axis] for axis in "xyz"], abs=1e-5)


def test_movesense_joins_two_parts_at_any_cut() -> None:
    driver = DRIVERS["movesense"]
    settings = driver.settings(mode="IMU9", rate_hz=104)
    whole = struct.pack("<I72f", 5000, *(float(i % 7) for i in range(72)))
    one = driver.decoder(settings).feed(MOVESENSE_DATA, b"\x02\x63" + whole)
    assert len(one) == 8
    for cut in range(1, len(whole)):
        decoder = driver.decoder(settings)
        assert decoder.feed(MOVESENSE_DATA, b"\x02\x63" + whole[:cut]) == []
        assert decoder.feed(MOVESENSE_DATA, b"\x03\x63" + whole[cut:]) == one


def test_movesense_refuses_a_second_part_without_its_first() -> None:
    driver = DRIVERS["movesense"]
    decoder = driver.decoder(driver.settings(mode="IMU9", rate_hz=104))
    with pytest.raises(PacketError, match="292 bytes"):
        decoder.feed(MOVESENSE_DATA, b"\x03\x63" + bytes(100))
