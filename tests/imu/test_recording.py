"""Recordings: what goes in comes out to the last bit, through every door, also after a crash."""

import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from imu.block import ImuBlock, join
from imu.errors import InputError, RecordingError
from imu.recording import Event, RawPacket, Recording, RecordingHeader, RecordingWriter, SensorInfo, Status

CREATED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HEADER = RecordingHeader(
    recording_id="r1",
    created_at=CREATED,
    client="C-017",
    movement="elbow_flexion",
    side="right",
    phase="baseline",
    sensors=(
        SensorInfo("A", "right_upperarm", "movella-dot", 120.0, serial="D4:22", gyr_range_dps=2000.0),
        SensorInfo("B", "right_forearm", "movella-dot", 60.0, placement="wrist, dorsal"),
    ),
    simulated=True,
    notes="Gelenk 20° gebeugt",
    provenance={"seed": 4},
)


def random_block(
    rng: np.random.Generator,
    sensor: str,
    n: int,
    *,
    start: float = 0.0,
    rate: float = 120.0,
    mag: bool = True,
) -> ImuBlock:
    """Return samples whose every bit is random, with NaN of any payload among them."""
    t = start + np.arange(n) / rate + rng.uniform(0.0, 0.2 / rate, n)
    signals = [rng.integers(0, 2**64, (n, 3), dtype=np.uint64).view(np.float64) for _ in range(3)]
    return ImuBlock(sensor, t, signals[0], signals[1], signals[2] if mag else None)


def cut(rng: np.random.Generator, block: ImuBlock) -> list[ImuBlock]:
    """Return a block in random pieces, some of them empty."""
    edges = np.sort(rng.integers(0, len(block) + 1, 7)).tolist()
    return [block[start:stop] for start, stop in zip([0, *edges], [*edges, len(block)], strict=True)]


def assert_same_bits(got: ImuBlock, expected: ImuBlock) -> None:
    assert got.sensor == expected.sensor
    for name in ("t", "gyr", "acc", "mag"):
        one, other = getattr(got, name), getattr(expected, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.shape == other.shape, name
            assert one.dtype == other.dtype, name
            assert one.tobytes() == other.tobytes(), name


def write_all(path: Path, blocks: Sequence[ImuBlock], header: RecordingHeader = HEADER) -> None:
    with RecordingWriter(path, header) as writer:
        for block in blocks:
            writer.write(block)


@pytest.fixture(params=range(8))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_every_bit_of_every_sample_comes_back(rng: np.random.Generator, tmp_path: Path) -> None:
    a = random_block(rng, "A", 700)
    b = random_block(rng, "B", 350, rate=60.0, mag=False)
    write_all(tmp_path / "x.mcap", [*cut(rng, a), *cut(rng, b)])
    recording = Recording.open(tmp_path / "x.mcap")
    assert recording.damage == ()
    assert recording.samples == {"A": 700, "B": 350}
    assert_same_bits(recording.block("A"), a)
    assert_same_bits(recording.block("B"), b)
    assert recording.duration == max(a.t[-1], b.t[-1]) - min(a.t[0], b.t[0])


@pytest.mark.parametrize("seconds", [0.1, 0.37, 1.0, 1000.0])
def test_blocks_merge_in_time_order_however_the_sensors_arrived(
    rng: np.random.Generator, tmp_path: Path, seconds: float
) -> None:
    a, b = random_block(rng, "A", 500), random_block(rng, "B", 500, start=0.8)
    pieces = [*cut(rng, a), *cut(rng, b)]
    order = rng.permutation(len(pieces))
    arrival = sorted(range(len(pieces)), key=lambda i: (pieces[i].sensor, i))
    queues = {"A": [i for i in arrival if i < 8], "B": [i for i in arrival if i >= 8]}
    mixed = [pieces[queues["A" if i < 8 else "B"].pop(0)] for i in order]
    write_all(tmp_path / "x.mcap", mixed)
    blocks = list(Recording.open(tmp_path / "x.mcap").blocks(seconds))
    assert_same_bits(join([block for block in blocks if block.sensor == "A"]), a)
    assert_same_bits(join([block for block in blocks if block.sensor == "B"]), b)
    spans = [np.unique(np.floor(block.t / seconds + 1e-12)) for block in blocks]
    assert all(len(span) <= 2 for span in spans)
    keys = [(round(float(block.t[0] // seconds)), block.sensor) for block in blocks]
    assert keys == sorted(keys)


def test_how_it_was_written_does_not_change_what_is_read(rng: np.random.Generator, tmp_path: Path) -> None:
    a = random_block(rng, "A", 400)
    write_all(tmp_path / "one.mcap", [a])
    write_all(tmp_path / "many.mcap", [a[i : i + 1] for i in range(400)])
    one, many = (list(Recording.open(tmp_path / f"{name}.mcap").blocks(0.5)) for name in ("one", "many"))
    assert len(one) == len(many)
    for left, right in zip(one, many, strict=True):
        assert_same_bits(left, right)


def write_of_everything(path: Path) -> ImuBlock:
    block = random_block(np.random.default_rng(1), "A", 300)
    with RecordingWriter(path, HEADER) as writer:
        writer.write_calibration({"kind": "segment", "q": [1.0, 0.0, 0.0, 0.0]})
        writer.write_event(Event(0.0, "trial_start", {"movement": "elbow_flexion", "side": "right"}))
        writer.write_raw(RawPacket("B", 123456789012345, "2a37", bytes(range(256))))
        writer.write(block[:150])
        writer.write_event(Event(1.2, "note", {"text": "„ruhig“ gehalten\0"}))
        writer.write_status(Status("A", 1.3, {"battery": 0.5, "rssi": -60}))
        writer.write_raw(RawPacket("A", 123456789999999, "", b""))
        writer.write(block[150:])
        writer.write_calibration({"kind": "sensor"})
    return block


def test_everything_else_comes_back_too(tmp_path: Path) -> None:
    write_of_everything(tmp_path / "x.mcap")
    recording = Recording.open(tmp_path / "x.mcap")
    assert recording.header == HEADER
    assert recording.events == (
        Event(0.0, "trial_start", {"movement": "elbow_flexion", "side": "right"}),
        Event(1.2, "note", {"text": "„ruhig“ gehalten\0"}),
    )
    assert recording.statuses == (Status("A", 1.3, {"battery": 0.5, "rssi": -60}),)
    assert [document["kind"] for document in recording.calibrations] == ["segment", "sensor"]
    assert list(recording.raw()) == [
        RawPacket("B", 123456789012345, "2a37", bytes(range(256))),
        RawPacket("A", 123456789999999, "", b""),
    ]
    assert recording.damage == ()
    assert len(recording.sha256) == 64


@pytest.mark.parametrize("t", [float("nan"), float("inf"), -5.0, 1e15])
def test_an_event_of_unknown_or_absurd_time_is_kept_as_it_is(tmp_path: Path, t: float) -> None:
    with RecordingWriter(tmp_path / "x.mcap", HEADER) as writer:
        writer.write_event(Event(t, "note"))
    (event,) = Recording.open(tmp_path / "x.mcap").events
    assert event.t == pytest.approx(t, nan_ok=True)


def test_a_stock_reader_understands_the_file(tmp_path: Path) -> None:
    block = write_of_everything(tmp_path / "x.mcap")
    with (tmp_path / "x.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        messages = list(reader.iter_decoded_messages())
    samples = [
        message.decoded_message for message in messages if message.channel.topic == "/imu/right_upperarm"
    ]
    assert [sample.number for sample in samples] == list(range(300))
    assert np.array([sample.t for sample in samples]).tobytes() == block.t.tobytes()
    assert np.array([sample.gyr for sample in samples]).tobytes() == block.gyr.tobytes()
    assert np.array([sample.acc for sample in samples]).tobytes() == block.acc.tobytes()
    assert np.array([sample.mag for sample in samples]).tobytes() == np.asarray(block.mag).tobytes()
    others = {message.channel.topic: message.decoded_message for message in messages}
    assert bytes(others["/raw/A"].payload) == b""
    assert (others["/event"].t, others["/event"].kind) == (1.2, "note")
    assert others["/status"].data == '{"battery": 0.5, "rssi": -60}'
    first = next(message.message for message in messages if message.channel.topic == "/imu/right_upperarm")
    assert first.log_time == pytest.approx((CREATED.timestamp() + block.t[0]) * 1e9, abs=1000)


def test_the_name_appears_only_when_the_recording_is_finished(tmp_path: Path) -> None:
    path, part = tmp_path / "x.mcap", tmp_path / "x.mcap.part"
    writer = RecordingWriter(path, HEADER)
    assert part.exists()
    assert not path.exists()
    writer.close()
    writer.close()
    assert path.exists()
    assert not part.exists()
    with pytest.raises(RecordingError, match="closed already"):
        writer.write_event(Event(0.0, "mark"))


def test_an_error_elsewhere_still_leaves_a_finished_recording(tmp_path: Path) -> None:
    block = random_block(np.random.default_rng(2), "A", 10)

    def fail() -> None:
        with RecordingWriter(tmp_path / "x.mcap", HEADER) as writer:
            writer.write(block)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Recording.open(tmp_path / "x.mcap").samples["A"] == 10


def test_an_existing_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    write_all(path, [])
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="never overwritten"):
        RecordingWriter(path, HEADER)
    assert path.read_bytes() == before
    writer = RecordingWriter(tmp_path / "y.mcap", HEADER)
    with pytest.raises(RecordingError, match="unfinished recording"):
        RecordingWriter(tmp_path / "y.mcap", HEADER)
    (tmp_path / "y.mcap").write_bytes(b"somebody else's")
    with pytest.raises(RecordingError, match="appeared meanwhile"):
        writer.close()
    assert (tmp_path / "y.mcap").read_bytes() == b"somebody else's"
    assert (tmp_path / "y.mcap.part").exists()


def test_what_cannot_be_right_is_refused_and_the_recording_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a = random_block(rng, "A", 50)
    with RecordingWriter(tmp_path / "x.mcap", HEADER) as writer:
        writer.write(a[:20])
        with pytest.raises(InputError, match="sensors A, B, got samples of Z"):
            writer.write(random_block(rng, "Z", 3))
        with pytest.raises(InputError, match="sensors A, B, got a packet of Z"):
            writer.write_raw(RawPacket("Z", 0, "", b""))
        with pytest.raises(InputError, match="must follow those recorded up to"):
            writer.write(a[10:30])
        with pytest.raises(InputError, match="magnetometer"):
            writer.write(ImuBlock("A", a.t[20:], a.gyr[20:], a.acc[20:]))
        with pytest.raises(InputError, match="in ms, us or ns"):
            writer.write(random_block(rng, "B", 3, start=2.8e12))
        writer.write(a[20:])
    assert_same_bits(Recording.open(tmp_path / "x.mcap").block("A"), a)


@pytest.mark.parametrize("sensors", [(), (HEADER.sensors[0], HEADER.sensors[0])])
def test_a_header_without_or_with_repeated_sensors_is_refused(
    tmp_path: Path, sensors: tuple[SensorInfo, ...]
) -> None:
    with pytest.raises(InputError, match="different ids"):
        RecordingWriter(tmp_path / "x.mcap", RecordingHeader(sensors=sensors))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_sensor_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    write_all(tmp_path / "x.mcap", [])
    with pytest.raises(RecordingError, match="no sensor Q; its sensors are A, B"):
        Recording.open(tmp_path / "x.mcap").block("Q")


def test_an_empty_recording_is_a_recording(tmp_path: Path) -> None:
    write_all(tmp_path / "x.mcap", [])
    recording = Recording.open(tmp_path / "x.mcap")
    assert (recording.damage, recording.duration, list(recording.blocks())) == ((), 0.0, [])
    assert len(recording.block("A")) == 0


WRITES_UNTIL_KILLED = """
import sys
import tracemalloc
from pathlib import Path
import numpy as np
from imu.block import ImuBlock
from imu.recording import RecordingHeader, RecordingWriter, SensorInfo

header = RecordingHeader(sensors=(SensorInfo("A", "left_shank", "test", 10.0),))
writer = RecordingWriter(Path(sys.argv[1]), header)
for k in range(2370):
    t = k / 10.0
    signal = np.full((1, 3), float(k))
    writer.write(ImuBlock("A", np.array([t]), signal, signal))
print("written", flush=True)
sys.stdin.readline()
"""


def test_a_killed_program_loses_the_last_second_at_most(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    command = [sys.executable, "-c", WRITES_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "written\n"
        program.kill()
    recording = Recording.open(tmp_path / "x.mcap.part")
    block = recording.block("A")
    assert len(block) >= 2370 - 10
    np.testing.assert_array_equal(block.gyr[:, 0], np.arange(len(block)))
    np.testing.assert_array_equal(block.t, np.arange(len(block)) / 10.0)
    assert any("not closed" in sentence for sentence in recording.damage)


FILLS_THE_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from imu.block import ImuBlock
from imu.errors import RecordingError
from imu.recording import RecordingHeader, RecordingWriter, SensorInfo

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
rng = np.random.default_rng(0)
header = RecordingHeader(sensors=(SensorInfo("A", "left_shank", "test", 100.0),))
with RecordingWriter(Path(sys.argv[1]), header) as writer:
    for k in range(10**5):
        rows = rng.normal(size=(10, 3))
        try:
            writer.write(ImuBlock("A", (k * 10 + np.arange(10)) / 100.0, rows, rows))
        except RecordingError as error:
            print(k * 10, error)
            raise
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the size limit that stands in for a full disk is POSIX")
def test_a_full_disk_says_so_and_keeps_what_it_took(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILLS_THE_DISK, str(tmp_path / "x.mcap")]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    accepted, sentence = outcome.stdout.split(" ", 1)
    assert "the disk takes no more" in sentence
    assert "rom repair" in sentence
    assert not (tmp_path / "x.mcap").exists()
    block = Recording.open(tmp_path / "x.mcap.part").block("A")
    assert len(block) >= int(accepted) - 200
    rng = np.random.default_rng(0)
    expected = np.concatenate([rng.normal(size=(10, 3)) for _ in range(len(block) // 10 + 1)])[: len(block)]
    np.testing.assert_array_equal(block.gyr, expected)


def test_reading_blocks_takes_no_more_memory_from_a_longer_recording(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    peaks: list[int] = []
    for seconds in (20, 200):
        path = tmp_path / f"{seconds}.mcap"
        whole = {sensor: random_block(rng, sensor, 100 * seconds, rate=100.0) for sensor in "AB"}
        write_all(path, [whole[sensor][k : k + 50] for k in range(0, 100 * seconds, 50) for sensor in "AB"])
        recording = Recording.open(path)
        tracemalloc.start()
        assert sum(len(block) for block in recording.blocks()) == 200 * seconds
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_writing_takes_no_more_memory_for_a_longer_recording(tmp_path: Path) -> None:
    block = random_block(np.random.default_rng(10), "A", 400, rate=1.0)
    held: list[int] = []
    with RecordingWriter(tmp_path / "x.mcap", HEADER) as writer:
        tracemalloc.start()
        for k in range(len(block)):
            writer.write(block[k : k + 1])
            writer.flush()
            held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert max(held[350:]) - max(held[50:100]) < 250 * 100
    with (tmp_path / "x.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    assert len(summary.chunk_indexes) == 400
