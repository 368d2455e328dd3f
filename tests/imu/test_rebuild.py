"""The samples of a recording made again from its raw bytes are those recorded live, to the last bit."""

import gc
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.acquisition import Acquisition
from imu.ble_link import LinkState, SensorRequest, Timing
from imu.block import ImuBlock, join
from imu.errors import RecordingError
from imu.rebuild import rebuild
from imu.recording import Recording, RecordingHeader, RecordingWriter, SensorInfo, repair
from imu.sensors.registry import driver_named
from imu.streams import rebuilt
from tools.emulator import bus
from tools.emulator.feed import BlockMotion

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="D-Bus exists on Linux only"),
    pytest.mark.skipif(not bus.available(), reason="dbus-daemon is not installed"),
    pytest.mark.timeout(90),
    # bleak keeps one bus for each event loop that ever was; it goes when the next loop begins.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FAMILIES = ("movella-dot", "open", "witmotion", "capture2go", "movesense", "polar-verity", "metamotion")
TIMING = Timing(quiet=0.5, stall=1.5, look=0.02, connect=8.0, disconnect=1.0, back_off=(0.05, 0.1, 0.2))
LEARNT = {"witmotion": 6e-3}


def swinging() -> BlockMotion:
    """Return a minute of a swing fast enough to saturate a gyroscope now and then."""
    t = np.arange(0.0, 60.0, 0.01)
    gyr, acc = np.zeros((len(t), 3)), np.tile([0.0, 0.0, 9.81], (len(t), 1))
    gyr[:, 0] = 40.0 * np.sin(5.0 * t)
    acc[:, 1] = 3.0 * np.cos(5.0 * t)
    return BlockMotion(ImuBlock("motion", t, gyr, acc, np.tile([20.0, 0.0, -40.0], (len(t), 1))))


@pytest.fixture(autouse=True)
def _leaks_stay_here() -> Iterator[None]:
    yield
    gc.collect()


def header(requests: list[SensorRequest], started: datetime) -> RecordingHeader:
    infos = tuple(
        SensorInfo(r.sensor, r.sensor, r.driver.capability.family, r.settings.rate_hz) for r in requests
    )
    return RecordingHeader(created_at=started, sensors=infos, simulated=True)


def capture(folder: Path) -> tuple[Path, Path]:
    """Capture every family; lose a link before and one in the first recording; return both recordings."""
    from tools.emulator.bus_stage import BusStage
    from tools.emulator.stage import Part

    parts = [
        Part(driver_named(family), f"D4:22:CD:00:00:{number:02X}", swinging(), rate_error=1e-5 * number)
        for number, family in enumerate(FAMILIES)
    ]
    requests = [
        SensorRequest(p.driver.capability.family, p.address, p.driver, p.driver.settings()) for p in parts
    ]
    learnt = {request.address: LEARNT[request.sensor] for request in requests if request.sensor in LEARNT}
    first, second = folder / "first.mcap", folder / "second.mcap"
    with (
        bus.PrivateBus() as private,
        BusStage(private.address, parts) as stage,
        Acquisition(requests, timing=TIMING, learnt=learnt) as acquisition,
    ):

        def lose(number: int) -> None:
            before = acquisition.health()[number].clock.samples
            stage.do(stage.feeders[number].device.lose_link)
            until(lambda: acquisition.health()[number].state is not LinkState.STREAMING)
            until(lambda: acquisition.health()[number].clock.samples > before + 20)

        acquisition.wait_for_all(20.0)
        lose(2)
        acquisition.shift({"open": 0.0123})
        with RecordingWriter(first, header(requests, acquisition.started_at)) as writer:
            acquisition.record(writer)
            time.sleep(1.0)
            lose(0)
            time.sleep(1.0)
            acquisition.record(None)
        with RecordingWriter(second, header(requests, acquisition.started_at)) as writer:
            acquisition.record(writer)
            time.sleep(0.7)
            acquisition.record(None)
    return first, second


def until(condition: object, within: float = 15.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return capture(tmp_path_factory.mktemp("raw"))


def again(recording: Recording) -> dict[str, ImuBlock]:
    blocks: dict[str, list[ImuBlock]] = {}
    for block in rebuilt(recording):
        blocks.setdefault(block.sensor, []).append(block)
    return {sensor: join(parts) for sensor, parts in blocks.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_made_again_are_those_recorded_live(recordings: tuple[Path, Path], family: str) -> None:
    """Before the recording a link was lost, in it another; one sensor's times were shifted by taps."""
    recording = Recording.open(recordings[0])
    assert recording.damage == ()
    live, made = recording.block(family), again(recording)[family]
    assert len(live) > 50
    for name in ("t", "gyr", "acc"):
        assert np.array_equal(getattr(live, name), getattr(made, name), equal_nan=True), name
    assert (live.mag is None) == (made.mag is None)
    if live.mag is not None and made.mag is not None:
        assert np.array_equal(live.mag, made.mag, equal_nan=True)


def test_the_command_writes_a_whole_recording_and_says_it_is_the_same(recordings: tuple[Path, Path]) -> None:
    report = rebuild(recordings[0])
    source, made = Recording.open(report.source), Recording.open(report.written)
    assert report.same
    assert made.damage == ()
    assert (made.events, made.statuses) == (source.events, source.statuses)
    assert list(made.raw()) == list(source.raw())
    assert made.header.provenance["rebuilt_from"]["sha256"] == source.sha256
    assert [each.rebuilt for each in report.differences] == list(source.samples.values())
    assert rebuild(report.written).same
    with pytest.raises(RecordingError, match="exists already"):
        rebuild(recordings[0])


def test_a_second_recording_of_a_capture_is_made_again_as_far_as_its_bytes_say(
    recordings: tuple[Path, Path],
) -> None:
    recording = Recording.open(recordings[1])
    assert not recording.streams[0]["whole"]
    live, made = recording.block("movella-dot"), again(recording)["movella-dot"]
    assert len(made) == len(live)
    assert np.array_equal(made.gyr, live.gyr, equal_nan=True)
    assert np.abs(made.t - live.t).max() < 0.05


def test_one_cut_off_is_made_again_and_repaired_all_the_same(
    recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    part = tmp_path / "cut.mcap.part"
    whole = recordings[0].read_bytes()
    part.write_bytes(whole[: int(0.7 * len(whole))])
    report = rebuild(part)
    source, made = Recording.open(part), Recording.open(report.written)
    for family, difference in zip(FAMILIES, report.differences, strict=True):
        one, two = source.block(family), made.block(family)
        both = min(len(one), len(two))
        assert both > 0.5 * len(one)
        assert np.array_equal(one[:both].t, two[:both].t)
        assert np.array_equal(one[:both].gyr, two[:both].gyr, equal_nan=True)
        assert np.isnan(difference.first) == (len(two) >= len(one))
    repaired = repair(part).written
    assert repaired is not None
    cut, mended = again(source), again(Recording.open(repaired))
    assert {sensor: len(block) for sensor, block in cut.items()} == {s: len(b) for s, b in mended.items()}


def test_a_recording_without_raw_bytes_is_refused(tmp_path: Path) -> None:
    request = SensorRequest("s", "", driver_named("open"), driver_named("open").settings())
    file = tmp_path / "imported.mcap"
    with RecordingWriter(file, header([request], datetime.now(UTC))) as writer:
        writer.write(ImuBlock("s", np.arange(3.0), np.zeros((3, 3)), np.zeros((3, 3))))
    with pytest.raises(RecordingError, match="holds no raw bytes with their settings"):
        rebuild(file)
