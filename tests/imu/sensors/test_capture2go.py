"""capture2go: framing, resynchronisation, and the maker's own SDK as the judge of both our sides."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from imu.errors import PacketError
from imu.sensors import capture2go
from imu.sensors.capture2go_peripheral import pack_quaternion
from imu.sensors.checks import unit_quaternion, vector
from imu.sensors.driver import Battery, Driver, Item, Notification, Quaternion, Reading
from imu.sensors.registry import DRIVERS

TX = "80030003-e629-4c98-9324-aa7fc0c66de7"
DRIVER: Driver = DRIVERS["capture2go"]


def random_reading(rng: np.random.Generator) -> Reading:
    """Return a sample within all ranges."""
    gyr, acc, mag = (vector(rng.uniform(-limit, limit, 3).tolist()) for limit in (30.0, 150.0, 500.0))
    direction = rng.normal(size=4)
    quat = unit_quaternion((direction / np.linalg.norm(direction)).tolist(), b"")
    more = {"heading_delta": (float(rng.uniform(-3.0, 3.0)),), "error_flags": (float(rng.integers(32)),)}
    return Reading(None, None, gyr, acc, mag, quat, more)


def sent(mode: str, count: int, seed: int) -> tuple[list[Reading], list[Notification]]:
    """Return random samples and what the emulated sensor sends for them."""
    rng = np.random.default_rng(seed)
    settings = DRIVER.settings(mode=mode)
    peripheral = DRIVER.peripheral()
    for write in (*DRIVER.configure(settings), *DRIVER.start(settings)):
        peripheral.write(write.characteristic, write.payload)
    samples = [random_reading(rng) for _ in range(count)]
    packets = [
        packet
        for k, sample in enumerate(samples)
        for packet in peripheral.sample(5.0 + k / settings.rate_hz, sample)
    ]
    return samples, packets


def hear(packets: list[bytes]) -> list[Item]:
    """Return what one decoder makes of these payloads."""
    decoder = DRIVER.decoder(DRIVER.settings())
    return [item for payload in packets for item in decoder.feed(TX, payload)]


def same_turn(a: Quaternion, b: Any) -> float:
    """Return how far two quaternions are apart as rotations, 0 to 1."""
    return 1.0 - abs(float(np.dot(a, b)))


@pytest.mark.parametrize("mode", ["packed", "packed-6d", "fixed", "fixed-6d", "real-time"])
def test_the_makers_sdk_understands_our_sensor_as_we_do(mode: str) -> None:
    parsing = pytest.importorskip("capture2go.parsing", reason="the maker's SDK is not installed")
    _, packets = sent(mode, 200, seed=3)
    unpacker = parsing.Unpacker()
    theirs: dict[str, list[Any]] = {"timestamp": [], "gyr": [], "acc": [], "mag": []}
    quats: list[Any] = []
    for _, payload in packets:
        unpacker.feed(unpacker.extractRtPackages(payload))
        for package in unpacker:
            parsed = package.parse()
            for name, rows in theirs.items():
                if name in parsed:
                    rows.extend(np.reshape(parsed[name], (-1, 1 if name == "timestamp" else 3)))
            quats.append(np.reshape(parsed["quat"], (-1, 4))[0])
    ours = [item for item in hear([payload for _, payload in packets]) if isinstance(item, Reading)]
    assert len(ours) == 200
    assert [reading.ticks for reading in ours] == [int(stamp[0]) for stamp in theirs["timestamp"]]
    for name in ("gyr", "acc", "mag"):
        if theirs[name]:
            assert [getattr(reading, name) for reading in ours] == pytest.approx(np.array(theirs[name]))
        else:
            assert mode.endswith("6d")
            assert name == "mag"
    own = [reading.quat for reading in ours if reading.quat is not None]
    assert len(own) == len(quats)
    assert max(same_turn(a, b) for a, b in zip(own, quats, strict=True)) < 1e-12


def test_our_sensor_understands_the_makers_commands() -> None:
    pkg = pytest.importorskip("capture2go.pkg", reason="the maker's SDK is not installed")
    peripheral = DRIVER.peripheral(name="IMU_ab1234")
    mode = pkg.CmdSetMeasurementMode(fullPackedMode=pkg.SamplingMode.MODE_50HZ, syncMode=1, syncId=77)
    commands = [pkg.CmdGetDeviceInfo(), mode, pkg.CmdStartStreaming(), pkg.CmdGetStatus()]
    answers = [n for command in commands for n in peripheral.write(capture2go.RX, command.pack())]
    assert peripheral.streaming
    assert peripheral.rate_hz == 50.0
    parsing = pytest.importorskip("capture2go.parsing")
    unpacker = parsing.Unpacker()
    for _, payload in answers:
        unpacker.feed(unpacker.extractRtPackages(payload))
    info, taken, started, status = list(unpacker)
    assert info.parse()["serial"] == "ab1234"
    assert (taken.fullPackedMode, taken.syncId) == (3, 77)
    assert type(started).__name__ == "AckStartStreaming"
    assert status.parse()["batteryPercentage"] == 100
    assert status.parse()["synchronized"]


def test_our_commands_are_the_makers() -> None:
    pkg = pytest.importorskip("capture2go.pkg", reason="the maker's SDK is not installed")
    settings = DRIVER.settings(rate_hz=200, mode="packed-6d")
    mode = pkg.CmdSetMeasurementMode(
        fullPackedMode=1, statusMode=1, syncMode=2, syncId=2**63 + 5, disableMagData=True
    )
    assert capture2go.measurement_mode(settings, capture2go.SYNC_RECEIVER, 2**63 + 5).payload == mode.pack()
    time = pkg.CmdSetAbsoluteTime(newTimestamp=1_700_000_000_000_000_000)
    assert capture2go.set_time(1_700_000_000_000_000_000).payload == time.pack()
    trip = pkg.DataClockRoundtrip(hostSendTimestamp=12345)
    assert capture2go.ask_round_trip(12345).payload == trip.pack()
    assert [write.payload for write in DRIVER.stop(settings)] == [pkg.CmdStopStreaming().pack()]


@pytest.mark.parametrize("seed", range(10))
def test_a_packed_quaternion_is_the_same_turn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for direction in [*rng.normal(size=(200, 4)), *np.eye(4), *-np.eye(4), np.ones(4), [1, 1, 0, 0]]:
        quat = unit_quaternion((np.array(direction) / np.linalg.norm(direction)).tolist(), b"")
        packed = capture2go.unpack_quaternion(pack_quaternion(quat), b"")
        assert same_turn(packed, quat) < 1e-11


@pytest.mark.parametrize("seed", range(10))
def test_however_the_stream_is_cut_the_samples_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, packets = sent("packed", 80, seed=1)
    stream = b"".join(payload[1:] for _, payload in packets)
    whole = hear([b"\xff" + stream])
    cuts = sorted(rng.integers(0, len(stream), 30).tolist())
    pieces = [b"\xff" + stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [str(item) for item in hear(pieces)] == [str(item) for item in whole]
    assert len(whole) == 80


def test_a_lost_notification_costs_only_the_frames_in_it() -> None:
    _, packets = sent("packed", 160, seed=2)
    stream = b"".join(payload[1:] for _, payload in packets)
    pieces = [b"\xff" + stream[i : i + 243] for i in range(0, len(stream), 243)]
    decoder = DRIVER.decoder(DRIVER.settings())
    heard = 0
    for i, piece in enumerate(pieces):
        if i == 5:
            continue
        try:
            heard += len(decoder.feed(TX, piece))
        except PacketError:
            continue
    assert 160 - 24 <= heard <= 160 - 8


def test_a_wrong_checksum_is_refused() -> None:
    _, packets = sent("real-time", 1, seed=2)
    payload = bytearray(packets[0].payload)
    payload[20] ^= 1
    with pytest.raises(PacketError, match="checksum"):
        DRIVER.decoder(DRIVER.settings()).feed(TX, bytes(payload))


def test_status_typed_again() -> None:
    content = struct.pack("<qBB3hBBB", 5, 2, 2, 0, 0, 0, 1, 0x80 | 55, 90)
    data = struct.pack("<H", 0x0201) + content
    frame = b"\x02" + zlib.crc32(data).to_bytes(4, "little") + bytes((19,)) + data
    battery, sync = hear([b"\xff" + frame])
    assert battery == Battery(55.0, True)
    assert sync == ("sync-status", True, "synchronised")
