"""A recording cut or changed anywhere: no exception, no wrong sample, one chunk lost at most."""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.records import Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import Writer

from imu.block import ImuBlock
from imu.errors import RecordingError
from imu.recording import (
    Event,
    RawPacket,
    Recording,
    RecordingHeader,
    RecordingWriter,
    SensorInfo,
    Status,
    repair,
)

HEADER = RecordingHeader(
    recording_id="r2",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    client="C-001",
    sensors=(SensorInfo("A", "left_thigh", "test", 100.0), SensorInfo("B", "left_shank", "test", 100.0)),
)
CALIBRATION = {"kind": "segment", "q": [0.5, 0.5, 0.5, 0.5]}
MOST_PER_CHUNK = 8192 // 123 + 1


@dataclass(frozen=True)
class Original:
    """A finished recording of 10 s, as bytes, with what was written into it."""

    data: bytes
    blocks: dict[str, ImuBlock]
    events: tuple[Event, ...]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    path = tmp_path_factory.mktemp("original") / "x.mcap"
    rng = np.random.default_rng(7)
    blocks = {
        sensor: ImuBlock(sensor, np.arange(n) / 100.0, *rng.normal(size=(3, n, 3)))
        for sensor, n in (("A", 1000), ("B", 990))
    }
    events = tuple(Event(float(k), "mark", {"k": k}) for k in range(10))
    with RecordingWriter(path, HEADER) as writer:
        for k in range(100):
            for block in blocks.values():
                writer.write(block[10 * k : 10 * k + 10])
            if k % 10 == 0:
                writer.write_event(events[k // 10])
                writer.write_raw(RawPacket("A", k, "2a37", bytes([k])))
                writer.write_status(Status("B", float(k), {"battery": k}))
            if k == 50:
                writer.write_calibration(CALIBRATION)
    return Original(path.read_bytes(), blocks, events)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the damaged file goes; written anew by every example."""
    return tmp_path_factory.mktemp("damaged") / "x.mcap"


def check_no_wrong_sample(recording: Recording, original: Original) -> int:
    """Return how many samples are lost, after comparing every other one, whole and in blocks."""
    kept = 0
    for sensor in recording.samples:
        truth = original.blocks[sensor]
        block = recording.block(sensor)
        rows = np.round(block.t * 100.0).astype(int)
        assert truth.t[rows].tobytes() == block.t.tobytes()
        assert truth.gyr[rows].tobytes() == block.gyr.tobytes()
        assert truth.acc[rows].tobytes() == block.acc.tobytes()
        if truth.mag is not None and block.mag is not None:
            assert truth.mag[rows].tobytes() == block.mag.tobytes()
        kept += len(block)
    assert sum(len(block) for block in recording.blocks()) == kept == sum(recording.samples.values())
    assert set(map(str, recording.events)) <= set(map(str, original.events))
    assert all(document == CALIBRATION for document in recording.calibrations)
    return 1990 - kept


@pytest.fixture(scope="module")
def chunks(original: Original) -> list[tuple[int, int]]:
    """Return, by a stock reader, where each chunk ends and how many samples it holds."""
    with BytesIO(original.data) as file:
        summary = make_reader(file).get_summary()
        assert summary is not None
        ends = sorted(index.chunk_start_offset + index.chunk_length for index in summary.chunk_indexes)
        file.seek(0)
        contents = [
            breakup_chunk(r) for r in StreamReader(file, emit_chunks=True).records if isinstance(r, Chunk)
        ]
    sizes = [sum(isinstance(r, Message) and len(r.data) == 92 for r in content) for content in contents]
    return list(zip(ends, sizes, strict=True))


MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(where=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
@example(where=0.0, bit=0)
def test_one_flipped_bit_costs_one_chunk_at_most(
    original: Original, path: Path, where: float, bit: int
) -> None:
    data = bytearray(original.data)
    data[int(where * len(data))] ^= 1 << bit
    path.write_bytes(data)
    recording = Recording.open(path)
    assert recording.header == HEADER
    assert recording.damage != ()
    assert check_no_wrong_sample(recording, original) <= MOST_PER_CHUNK
    assert len(recording.calibrations) == 1


@pytest.mark.parametrize("region", ["start", "end"])
def test_one_flipped_bit_in_the_head_or_the_index(original: Original, path: Path, region: str) -> None:
    places = range(0, 2600, 7) if region == "start" else range(len(original.data) - 200, len(original.data))
    for place in places:
        data = bytearray(original.data)
        data[place] ^= 1 << (place // 7 % 8)
        path.write_bytes(data)
        recording = Recording.open(path)
        assert recording.header == HEADER
        assert recording.damage != ()
        lost = 1990 - sum(recording.samples.values())
        assert lost <= (MOST_PER_CHUNK if region == "start" else 0)


def test_a_record_that_lies_about_its_length_costs_one_chunk_at_most(
    original: Original, chunks: list[tuple[int, int]], path: Path
) -> None:
    end = chunks[3][0]
    for bit in range(30 * 8):
        data = bytearray(original.data)
        data[end + bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(data)
        recording = Recording.open(path)
        assert recording.damage != ()
        assert 1990 - sum(recording.samples.values()) <= MOST_PER_CHUNK, bit


@MANY
@given(where=st.floats(0.0, 1.0, exclude_max=True), junk=st.binary(min_size=1, max_size=40))
def test_overwritten_bytes_cost_two_chunks_at_most(
    original: Original, path: Path, where: float, junk: bytes
) -> None:
    data = bytearray(original.data)
    at = int(where * len(data))
    data[at : at + len(junk)] = junk[: len(data) - at]
    path.write_bytes(data)
    assert check_no_wrong_sample(Recording.open(path), original) <= 2 * MOST_PER_CHUNK


@MANY
@given(where=st.floats(0.0, 1.0, exclude_max=True))
def test_a_cut_keeps_every_chunk_before_it(
    original: Original, chunks: list[tuple[int, int]], path: Path, where: float
) -> None:
    at = max(1, int(where * len(original.data)))
    before = sum(size for end, size in chunks if end <= at)
    path.write_bytes(original.data[:at])
    recording = Recording.open(path)
    kept = 1990 - check_no_wrong_sample(recording, original) if recording.samples else 0
    assert kept == before
    assert recording.damage != ()


@MANY
@given(where=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7), stop=st.floats(0.0, 1.0))
def test_a_repair_keeps_all_that_could_be_read_and_reads_clean(
    original: Original, tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, stop: float
) -> None:
    data = bytearray(original.data)
    data[int(where * len(data))] ^= 1 << bit
    damaged = tmp_path_factory.mktemp("repair") / "x.mcap"
    damaged.write_bytes(data[: max(3000, int(stop * len(data)))])
    as_found = damaged.read_bytes()
    before = Recording.open(damaged)
    report = repair(damaged)
    assert report.written == damaged.with_name("x.repaired.mcap")
    after = Recording.open(damaged.with_name("x.repaired.mcap"))
    assert after.damage == ()
    assert (after.header, after.samples, after.events) == (before.header, before.samples, before.events)
    assert (after.statuses, after.calibrations) == (before.statuses, before.calibrations)
    assert list(after.raw()) == list(before.raw())
    check_no_wrong_sample(after, original)
    assert after.repairs[0]["damage"] == list(report.damage) == list(before.damage)
    assert damaged.read_bytes() == as_found
    with damaged.with_name("x.repaired.mcap").open("rb") as file:
        topics = [channel.topic for _, channel, _ in make_reader(file, validate_crcs=True).iter_messages()]
    assert sum(topic.startswith("/imu/") for topic in topics) == report.samples == sum(after.samples.values())


def test_the_damage_says_what_is_missing_and_when(
    original: Original, chunks: list[tuple[int, int]], path: Path
) -> None:
    data = bytearray(original.data)
    data[chunks[10][0] - 5] ^= 1
    path.write_bytes(data)
    recording = Recording.open(path)
    missing = {sensor: 1000 if sensor == "A" else 990 for sensor in "AB"}
    for segment, sensor in (("left_thigh", "A"), ("left_shank", "B")):
        t = recording.block(sensor).t
        hole = int(np.argmax(np.diff(t)))
        count = missing[sensor] - len(t)
        lost = f"{count} sample{'' if count == 1 else 's'} missing"
        expected = f"{segment}: {lost} between {t[hole]:.3f} s and {t[hole + 1]:.3f} s"
        assert expected in recording.damage


def test_the_damage_of_the_last_chunk_is_noticed(
    original: Original, chunks: list[tuple[int, int]], path: Path
) -> None:
    data = bytearray(original.data)
    data[chunks[-1][0] - 5] ^= 1
    path.write_bytes(data)
    assert any(
        "left_thigh" in sentence and "after 9." in sentence for sentence in Recording.open(path).damage
    )


def test_an_unfinished_recording_is_repaired_to_its_own_name(original: Original, tmp_path: Path) -> None:
    part = tmp_path / "x.mcap.part"
    part.write_bytes(original.data[:50_000])
    report = repair(part)
    assert report.written == tmp_path / "x.mcap"
    assert Recording.open(tmp_path / "x.mcap").damage == ()
    assert part.read_bytes() == original.data[:50_000]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.mcap", "x.mcap.part"]
    with pytest.raises(RecordingError, match="is not overwritten"):
        repair(part)


def test_a_clean_recording_needs_no_repair(original: Original, path: Path) -> None:
    path.write_bytes(original.data)
    assert repair(path).written is None


def test_a_repair_of_a_repair_keeps_the_history(original: Original, tmp_path: Path) -> None:
    damaged = tmp_path / "x.mcap"
    damaged.write_bytes(original.data[:100_000])
    repair(damaged)
    again = tmp_path / "y.mcap"
    again.write_bytes((tmp_path / "x.repaired.mcap").read_bytes()[:-9])
    repair(again)
    repairs = Recording.open(tmp_path / "y.repaired.mcap").repairs
    assert [entry["source"] for entry in repairs] == ["x.mcap", "y.mcap"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"t,ax,ay\n0,1,2\n", "is not a recording .it begins with 74 2c 61"),
        (bytes(100_000), "is not a recording"),
    ],
)
def test_what_is_no_recording_is_named(path: Path, content: bytes, sentence: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=sentence):
        Recording.open(path)


def test_an_mcap_of_another_program_is_named(path: Path) -> None:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        schema = writer.register_schema("x", "jsonschema", b"{}")
        for topic in ("/a", "/b", "/c"):
            channel = writer.register_channel(topic, "json", schema)
            writer.add_message(channel, 0, b"{}" + bytes(90), 0)
        writer.finish()
    with pytest.raises(RecordingError, match=r"MCAP file of another program \(profile 'ros2'\)"):
        Recording.open(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        Recording.open(tmp_path / "nothing.mcap")


def test_a_file_that_changes_under_the_reader_is_noticed(original: Original, path: Path) -> None:
    path.write_bytes(original.data)
    recording = Recording.open(path)
    path.write_bytes(original.data[:9000] + bytes(len(original.data) - 9000))
    with pytest.raises(RecordingError, match="has changed since it was opened"):
        list(recording.blocks())
