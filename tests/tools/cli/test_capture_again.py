"""A guided calibration that is refused is done again in the same capture, and only the new one counts."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.segment import JointCalibration
from imu.acquisition import Acquisition
from imu.ble import Backend
from imu.errors import CalibrationError
from imu.recording import Event, Recording, RecordingHeader, RecordingWriter, SensorInfo
from imu.sensors.registry import driver_named
from rom.catalogue.loader import load_catalogue
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, Reps
from rom.limb_world import LimbSpec
from rom.phases import calibrating
from rom.relay import COUNTS_FROM
from rom.said import discarded
from rom.worn import calibrate_recording
from tools.cli.capture_order import Order
from tools.cli.capture_record import record
from tools.cli.capture_screen import Screen
from tools.cli.keys import AGAIN, QUIT, START_STOP, Keys, NoKeys
from tools.emulator.feed import BlockMotion
from tools.emulator.injected import InjectedRadio, backend
from tools.emulator.limbs import WornPart
from tools.emulator.stage import Part, feeders
from tools.sources import Opened

pytestmark = [
    pytest.mark.timeout(90),
    # bleak keeps one bus for each event loop that ever was; it goes when the next loop begins.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
REFUSAL = "the joint was hardly moved; move it all the way"
KNEE = load_catalogue().movement("kn_ake")
DOT = driver_named("movella-dot")


@pytest.fixture(autouse=True)
def _leaks_stay_here() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def limb() -> LimbRecording:
    return simulate_limb(LimbSpec((Neutral(4.0), Functional(4), Reps(2, start=0.0, end=1.2)), side="left"), 3)


def written(limb: LimbRecording, file: Path, events: list[Event]) -> Recording:
    infos = tuple(
        SensorInfo(sensor, segment, "simulated", limb.spec.rate)
        for sensor, segment in zip(limb.sensors, limb.spec.segments, strict=True)
    )
    header = RecordingHeader(movement="kn_ake", side="left", sensors=infos, simulated=True)
    with RecordingWriter(file, header) as writer:
        for event in events:
            writer.write_event(event)
        for sensor in limb.sensors:
            writer.write(limb.blocks[sensor])
    return Recording.open(file)


@pytest.fixture(scope="module")
def known(limb: LimbRecording, tmp_path_factory: pytest.TempPathFactory) -> JointCalibration:
    """Return a calibration whose sensors are called as in a capture: by their segments."""
    recording = written(limb, tmp_path_factory.mktemp("known") / "known.mcap", list(limb.events))
    (joint,) = calibrate_recording(recording)
    return replace(
        joint,
        proximal=replace(joint.proximal, sensor="left_thigh"),
        distal=replace(joint.distal, sensor="left_shank"),
    )


class Person(Keys, Screen):
    """Answers what the flow asks, each question once and a little later."""

    def __init__(self, answers: dict[str, str], after: float = 0.1) -> None:
        self._answers = answers
        self._after = after
        self._due: list[tuple[float, str]] = []
        self.asked: list[str] = []

    def prompt(self, words: str) -> None:
        self.asked.append(words)
        for question in [each for each in self._answers if words.startswith(each)]:
            self._due += [(time.monotonic() + self._after, self._answers.pop(question))]

    def pressed(self) -> str:
        if self._due and time.monotonic() >= self._due[0][0]:
            return self._due.pop(0)[1]
        return ""


def run(
    limb: LimbRecording,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: list[object],
    person: Person | None,
    *,
    asked: list[float | None] | None = None,
) -> None:
    """Capture a person, whose calibrations come out as `found` says; `asked` hears of which pose each is."""

    def calibrate(_: Recording, since: float | None = None) -> list[JointCalibration]:
        result = found.pop(0)
        if asked is not None:
            asked.append(since)
        if isinstance(result, CalibrationError):
            raise result
        assert isinstance(result, JointCalibration)
        return [result]

    monkeypatch.setattr("tools.cli.capture_flow.calibrate_recording", calibrate)
    for name, seconds in {"capture_flow.SETTLE": 0.3, "capture_flow.GET_READY": 0.2}.items():
        monkeypatch.setattr(f"tools.cli.{name}", seconds)
    monkeypatch.setattr("tools.cli.capture_steps.POSE_SECONDS", 0.3)
    monkeypatch.setattr("tools.cli.capture_steps.FUNCTIONAL_SECONDS", 0.4)
    worn = [
        WornPart(segment, Part(DOT, f"D4:22:CD:00:00:0{n}", BlockMotion(limb.blocks[sensor])))
        for n, (sensor, segment) in enumerate(zip(limb.sensors, limb.spec.segments, strict=True), 1)
    ]
    air = Backend(*backend(InjectedRadio(feeders([item.part for item in worn]))))
    order = Order(KNEE, "left", "", "", file, 1.0, "", "")
    with Acquisition([item.request() for item in worn], backend=air) as acquisition:
        record(order, Opened(acquisition), person or Screen(), person or NoKeys())


def test_a_refused_calibration_is_done_again_and_the_capture_goes_on(
    limb: LimbRecording, known: JointCalibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person({"Calibration refused": AGAIN})
    file = tmp_path / "again.mcap"
    run(limb, file, monkeypatch, [CalibrationError(REFUSAL), known], person)
    recording = Recording.open(file)
    once = ["calibration_start", "calibration_stop"] * 2
    assert [e.kind for e in recording.events] == [*once, "discard", *once, "trial_start", "trial_stop"]
    (refused,) = [event.data for event in recording.events if event.kind == "discard"]
    assert refused == {"of": "calibration", "reason": REFUSAL}
    assert REFUSAL in person.asked
    assert len(recording.calibrations) == 1
    assert discarded([], recording.events) == ([], [])


def test_one_who_gives_up_keeps_what_was_recorded(
    limb: LimbRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person({"Calibration refused": QUIT})
    file = tmp_path / "given_up.mcap"
    run(limb, file, monkeypatch, [CalibrationError(REFUSAL)], person)
    recording = Recording.open(file)
    assert [e.kind for e in recording.events][-1] == "discard"
    assert recording.damage == ()
    assert recording.calibrations == ()


def test_without_anybody_to_press_a_key_the_refusal_ends_the_capture(
    limb: LimbRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CalibrationError, match="hardly moved"):
        run(limb, tmp_path / "alone.mcap", monkeypatch, [CalibrationError(REFUSAL)], None)
    assert Recording.open(tmp_path / "alone.mcap").damage == ()


def test_only_what_was_done_after_a_refusal_calibrates(limb: LimbRecording, tmp_path: Path) -> None:
    """The same recording with an attempt before, taken back, whose movement would contradict the pose."""
    starts = [event for event in limb.events if event.kind.startswith("calibration")]
    wrong = [
        Event(0.1, "calibration_start", {"step": "pose", "joint": "left_knee", "axis": ""}),
        Event(0.5, "calibration_stop"),
        Event(0.6, "calibration_start", {"step": "functional", "joint": "left_knee", "axis": "flexion"}),
        Event(0.9, "calibration_stop"),
    ]
    taken_back = Event(0.95, "discard", {"of": "calibration", "reason": REFUSAL})
    later = [replace(event, t=max(event.t, 1.0)) for event in starts]
    plain = calibrate_recording(written(limb, tmp_path / "plain.mcap", later))
    mended = calibrate_recording(written(limb, tmp_path / "mended.mcap", [*wrong, taken_back, *later]))
    for one, two in zip(plain, mended, strict=True):
        assert one.to_document() | {"made_at": ""} == two.to_document() | {"made_at": ""}


ONCE = ["calibration_start", "calibration_stop"] * 2
TRIAL = ["trial_start", "trial_stop"]
MOVING = KNEE.title("left")


def test_a_key_calibrates_again_in_the_middle_and_the_movement_goes_on(
    limb: LimbRecording, known: JointCalibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, asked = Person({MOVING: AGAIN}), list[float | None]()
    file = tmp_path / "middle.mcap"
    run(limb, file, monkeypatch, [known, known], person, asked=asked)
    recording = Recording.open(file)
    assert [e.kind for e in recording.events] == [*ONCE, *TRIAL, *ONCE, *TRIAL]
    first, again = recording.calibrations
    since = recording.events[6].t
    assert asked == [None, since]
    assert COUNTS_FROM not in first
    assert again[COUNTS_FROM] == since
    starts = [e.t for e in recording.events if e.kind == "trial_start"]
    stops = [e.t for e in recording.events if e.kind == "trial_stop"]
    lasted = sum(stops) - sum(starts)
    assert lasted == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("answer", [START_STOP, QUIT])
def test_one_that_is_refused_in_the_middle_is_taken_back(
    limb: LimbRecording, known: JointCalibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    person = Person({MOVING: AGAIN, "Calibration refused": answer})
    file = tmp_path / "refused.mcap"
    run(limb, file, monkeypatch, [known, CalibrationError(REFUSAL)], person)
    recording = Recording.open(file)
    left = TRIAL if answer == START_STOP else []
    assert [e.kind for e in recording.events] == [*ONCE, *TRIAL, *ONCE, "discard", *left]
    assert len(recording.calibrations) == 1
    assert [each.since for each in calibrating(recording.events)] == [None]


def test_one_that_is_broken_off_in_the_middle_is_taken_back(
    limb: LimbRecording, known: JointCalibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person({MOVING: AGAIN, "Get ready: Stand still": QUIT}, after=0.35)
    file = tmp_path / "broken_off.mcap"
    run(limb, file, monkeypatch, [known], person)
    recording = Recording.open(file)
    assert [e.kind for e in recording.events] == [*ONCE, *TRIAL, *ONCE[:2], "discard"]
    assert [each.since for each in calibrating(recording.events)] == [None]
