"""Sensors stay connected between captures, and each recording is still one of its own."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from imu.acquisition import Acquisition
from imu.block import join
from imu.errors import InputError
from imu.recording import Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.registry import driver_named
from imu.streams import rebuilt
from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from tools.app import station as room
from tools.app.station import Station
from tools.emulator.limbs import Pace, world_of, worn_parts
from tools.emulator.stage import on_air
from tools.sources import Opened, Source

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PACE = Pace(still=1.0, functional=0.6, functional_times=1, reps=30)
SECONDS = 1.2


def worn(opened: list[Acquisition], *, emulated: bool = False) -> Callable[[Movement, Side], Source]:
    """Return sensors that move on their own, taken for a person's; what is opened is noted down."""

    def source_of(movement: Movement, side: Side) -> Source:
        @contextmanager
        def begin() -> Generator[Opened]:
            limbs = worn_parts(driver_named("movella-dot"), world_of(movement, side, PACE), 2, 3)
            requests = [item.request() for item in limbs.sensors]
            with (
                on_air([item.part for item in limbs.sensors]) as backend,
                Acquisition(requests, backend=backend) as acquisition,
            ):
                opened.append(acquisition)
                yield Opened(acquisition, limbs if emulated else None)

        return begin

    return source_of


def sensors(acquisition: Acquisition) -> tuple[SensorInfo, ...]:
    """Return what a header says of the sensors."""
    return tuple(SensorInfo(r.sensor, r.sensor, "movella-dot", 60.0) for r in acquisition.requests)


def record(source: Source, file: Path) -> Recording:
    """Record for a moment."""
    with source() as opened:
        acquisition = opened.acquisition
        acquisition.wait_for_all(20.0)
        header = RecordingHeader(created_at=acquisition.started_at, sensors=sensors(acquisition))
        with RecordingWriter(file, header) as writer:
            acquisition.record(writer)
            time.sleep(SECONDS)
            acquisition.record(None)
    return Recording.open(file)


def test_links_are_kept_and_every_recording_begins_at_its_own_zero(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    opened: list[Acquisition] = []
    station = Station(worn(opened))
    source = station.source(catalogue.movement("el_flexion"), "left")
    first = record(source, tmp_path / "first.mcap")
    time.sleep(0.5)
    station.idle()
    assert opened[0].queue.qsize() < 60
    second = record(source, tmp_path / "second.mcap")
    assert len(opened) == 1
    assert station.connected
    apart = (second.header.created_at - first.header.created_at).total_seconds()
    assert apart > SECONDS
    for recording in (first, second):
        for sensor in recording.header.sensors:
            block = recording.block(sensor.sensor)
            assert -0.2 < block.t[0] < 30.0
            assert block.t[-1] - block.t[0] == pytest.approx(SECONDS, abs=0.5)
            assert np.isfinite(block.gyr).all()
            again = join([one for one in rebuilt(recording) if one.sensor == sensor.sensor])
            assert np.array_equal(again.t, block.t)
            assert np.array_equal(again.gyr, block.gyr)
    # a second recording that began on the first one's clock would begin after the first one's end
    assert second.block("left_forearm").t[0] < apart
    station.close()
    assert not station.connected


def test_other_sensors_a_dead_capture_and_emulated_limbs_are_connected_anew(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    opened: list[Acquisition] = []
    station = Station(worn(opened))
    record(station.source(catalogue.movement("el_flexion"), "left"), tmp_path / "left.mcap")
    record(station.source(catalogue.movement("el_flexion"), "right"), tmp_path / "right.mcap")
    assert len(opened) == 2
    opened[-1].error = RuntimeError("gone")
    record(station.source(catalogue.movement("el_flexion"), "right"), tmp_path / "again.mcap")
    assert len(opened) == 3
    station.close()
    emulated = Station(worn(opened, emulated=True))
    record(emulated.source(catalogue.movement("el_flexion"), "left"), tmp_path / "played.mcap")
    assert not emulated.connected


def test_sensors_that_rest_for_long_are_let_go(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(worn([]))
    record(station.source(catalogue.movement("el_flexion"), "left"), tmp_path / "one.mcap")
    station.idle()
    assert station.connected
    monkeypatch.setattr(room, "LONGEST_REST_S", 0.0)
    station.idle()
    assert not station.connected


def test_a_capture_cannot_begin_anew_while_it_records(catalogue: Catalogue, tmp_path: Path) -> None:
    with worn([])(catalogue.movement("el_flexion"), "left")() as opened:
        opened.acquisition.wait_for_all(20.0)
        header = RecordingHeader(sensors=sensors(opened.acquisition))
        with RecordingWriter(tmp_path / "runs.mcap", header) as writer:
            opened.acquisition.record(writer)
            with pytest.raises(InputError, match="after a recording has ended"):
                opened.acquisition.begin_anew()
            opened.acquisition.record(None)
