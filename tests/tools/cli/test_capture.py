"""Capture with emulated sensors through the real driver, then replay: the numbers must be identical."""

import gc
import math
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imu.acquisition import Acquisition
from imu.ble import Backend
from imu.recording import Recording
from imu.sensors.registry import driver_named
from rom.angles import GAP, JointSeries, join_series
from rom.catalogue.loader import load_catalogue
from rom.trial import Trial, analyse
from tools.cli.capture_flow import Found
from tools.cli.capture_order import Order
from tools.cli.capture_record import record
from tools.cli.capture_screen import Screen
from tools.cli.keys import Keys, NoKeys
from tools.emulator import bus
from tools.emulator.injected import InjectedRadio, backend
from tools.emulator.limbs import Pace, WornLimbs, world_of, worn_parts
from tools.emulator.stage import feeders
from tools.sources import Opened

if TYPE_CHECKING:
    from tools.emulator.bus_stage import BusStage

pytestmark = [
    pytest.mark.timeout(120),
    # bleak keeps one bus for each event loop that ever was; it goes when the next loop begins.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUICK = Pace(still=1.3, functional=0.6, functional_times=2, rep=0.7, hold=0.3, rest=0.5, reps=2)
ELBOW = load_catalogue().movement("el_flexion")


@pytest.fixture(autouse=True)
def _leaks_stay_here() -> Iterator[None]:
    yield
    gc.collect()


def limbs() -> WornLimbs:
    return worn_parts(driver_named("movella-dot"), world_of(ELBOW, "left", QUICK), 2, 3)


def order(file: Path, **more: object) -> Order:
    plain: dict[str, object] = {
        "movement": ELBOW,
        "side": "left",
        "phase": "baseline",
        "client": "P0042",
        "file": file,
        "seconds": None,
        "structure": "",
        "technique": "",
    }
    return Order(**{**plain, **more})  # pyright: ignore[reportArgumentType]  the fields by name


class Run:
    """One capture and what the live chain said."""

    def __init__(self, file: Path, worn: WornLimbs, air: Backend) -> None:
        parts: list[JointSeries] = []
        requests = [item.request() for item in worn.sensors]
        with Acquisition(requests, backend=air) as acquisition:
            self.found: Found = record(
                order(file),
                Opened(acquisition, worn),
                Screen(),
                NoKeys(),
                seen=lambda step: parts.append(step.series),
            )
        self.series = join_series(parts)


class Fingers(Keys, Screen):
    """Presses one key after the other, half a second apart, once it reads that a test can begin."""

    def __init__(self, keys: str) -> None:
        self._keys = list(keys)
        self._next = math.inf

    def prompt(self, words: str) -> None:
        if "press space to start" in words:
            self._next = time.monotonic()

    def pressed(self) -> str:
        if not self._keys or time.monotonic() < self._next:
            return ""
        self._next = time.monotonic() + 0.5
        return self._keys.pop(0)


def same(live: Run, trial: Trial) -> None:
    """Demand the same bits from the replay as were seen live."""
    for name in ("t", "angle", "sigma", "flags"):
        one, two = getattr(live.series, name), getattr(trial.series, name)
        assert np.array_equal(one, two, equal_nan=True), name
    assert tuple(live.found.reps) == tuple(rep.rep for rep in trial.reps)


def sabotage(stage: "BusStage", moment: float) -> threading.Thread:
    """Break a sensor's link some seconds after its first sample, for a second; return who does it."""
    feeder = stage.feeders[1]

    def work() -> None:
        while not feeder.sent:
            time.sleep(0.005)
        time.sleep(moment)
        stage.do(lambda: feeder.device.lose_link(gone=True))
        time.sleep(1.0)
        feeder.device.advertising = True

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_live_and_replay_give_the_same_bits(tmp_path: Path) -> None:
    """Through the back end injected into bleak, as on systems without D-Bus."""
    worn = limbs()
    file = tmp_path / "capture.mcap"
    live = Run(file, worn, Backend(*backend(InjectedRadio(feeders([item.part for item in worn.sensors])))))
    recording = Recording.open(file)
    assert recording.damage == ()
    assert recording.header.simulated
    assert [s.segment for s in recording.header.sensors] == ["left_upperarm", "left_forearm"]
    kinds = [event.kind for event in recording.events]
    assert kinds == ["calibration_start", "calibration_stop"] * 3 + ["trial_start", "trial_stop"]
    trial = analyse(recording)
    assert trial.calibration_source == "embedded"
    same(live, trial)
    assert len(trial.reps) > 0
    known = trial.series.angle[np.isfinite(trial.series.angle[:, 0]), 0]
    assert np.ptp(known) > np.radians(60.0)


@pytest.mark.skipif(sys.platform != "linux" or not bus.available(), reason="dbus-daemon is not installed")
def test_a_link_lost_in_a_rep_is_the_same_gap_live_and_replayed(tmp_path: Path) -> None:
    from tools.emulator.bus_stage import BusStage

    worn = limbs()
    file = tmp_path / "capture.mcap"
    start = next(event.t for event in worn.events if event.kind == "trial_start")
    parts = [item.part for item in worn.sensors]
    with bus.PrivateBus() as private, BusStage(private.address, parts) as stage:
        saboteur = sabotage(stage, start + 1.9)
        live = Run(file, worn, Backend())
        saboteur.join()
    recording = Recording.open(file)
    trial = analyse(recording)
    same(live, trial)
    (lost,) = [event for event in recording.events if event.kind == "dropout"]
    (gap,) = [event for event in recording.events if event.kind == "gap"]
    assert lost.data["sensor"] == gap.data["sensor"] == "left_forearm"
    assert 1.0 < gap.data["seconds"] < 4.0
    inside = (trial.series.t > gap.data["start"] + 0.6) & (trial.series.t < gap.data["stop"])
    assert inside.any()
    assert np.isnan(trial.series.angle[inside, 0]).all()
    assert (trial.series.flags[inside] & GAP).all()
    assert np.isfinite(trial.series.angle[trial.series.t > gap.data["stop"] + 1.0, 0]).any()
    assert not any(rep.valid and rep.rep.start < gap.t < rep.rep.stop for rep in trial.reps)


def test_a_test_ends_by_itself_with_the_last_rep_that_was_asked_for(tmp_path: Path) -> None:
    worn = limbs()
    air = Backend(*backend(InjectedRadio(feeders([item.part for item in worn.sensors]))))
    file = tmp_path / "capture.mcap"
    with Acquisition([item.request() for item in worn.sensors], backend=air) as acquisition:
        found = record(order(file, reps=1), Opened(acquisition, worn), Screen(), NoKeys())
    trial = analyse(Recording.open(file))
    meant = next(event.t for event in worn.events if event.kind == "trial_stop")
    stop = next(event.t for event in Recording.open(file).events if event.kind == "trial_stop")
    assert len(found.reps) == len(trial.reps) == 1
    assert found.reps[0].stop <= stop < meant


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        (" m7d ", ["trial_start", "mark", "pain", "discard", "trial_stop"]),
        (" q", ["trial_start", "trial_stop"]),
    ],
)
def test_keys_mark_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, kinds: list[str]
) -> None:
    monkeypatch.setattr("tools.cli.capture_flow.SETTLE", 0.5)
    worn = limbs()
    air = Backend(*backend(InjectedRadio(feeders([worn.sensors[1].part]))))
    file = tmp_path / "capture.mcap"
    with Acquisition([worn.sensors[1].request()], backend=air) as acquisition:
        fingers = Fingers(keys)
        record(order(file), Opened(acquisition), fingers, fingers)
    recording = Recording.open(file)
    assert [event.kind for event in recording.events] == kinds
    data = {event.kind: event.data for event in recording.events}
    assert data["trial_start"] == {"movement": "el_flexion", "side": "left", "phase": "baseline"}
    assert data.get("pain", {"nprs": 7}) == {"nprs": 7}
    assert data.get("discard", {"of": "rep"})["of"] == "rep"
    assert not recording.header.simulated
