"""A guided capture in the terminal: steps, keys, live angle. It computes nothing itself."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty
from typing import Any

from calibration.segment import JointCalibration
from calibration.store import joints_of
from calibration.swings import Swings
from imu.acquisition import Acquisition
from imu.block import ImuBlock
from imu.errors import CalibrationError, RecordingError
from imu.health import Notice
from imu.recording import Recording, RecordingWriter
from rom.live import LiveTrial
from rom.passes import Pass, Rep
from rom.relay import COUNTS_FROM
from rom.replay import ReplayStep
from rom.said import last_done
from rom.worn import calibrate_recording
from tools.cli.capture_screen import Screen, View
from tools.cli.capture_steps import Step
from tools.cli.keys import AGAIN, DISCARD, MARK, QUIT, SHARP, START_STOP, Keys

SETTLE = 3.0
"""Every time base needs three seconds of data before it is worth using (sensor reference C.4, rule 8), s."""
GET_READY = 3.0
"""Pause before a test that begins by itself, s."""
PATIENCE = 3.0
"""Longest wait for a sensor's samples of the calibration; its message says what it is without them, s."""
LOOK = 0.01
"""Keys and clocks are looked at this often while nothing comes, s."""
HEALTH_S = 0.1
"""How often it is asked how the sensors do, s."""
LONGEST_REST = 10.0
"""Wait for the last recorded samples at the end, s; much less is usual."""


class EndedError(Exception):
    """The person ended the capture."""


@dataclass
class Found:
    """What the live chain found."""

    reps: list[Rep] = field(default_factory=list[Rep])
    passes: list[Pass] = field(default_factory=list[Pass])


class Flow:
    """One guided capture.

    Parameters
    ----------
    acquisition
        Streaming, and recording into `writer`.
    writer
        The recording.
    live
        The live chain.
    screen, keys
        The terminal.
    seen
        Called with every step of the live chain.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        writer: RecordingWriter,
        live: LiveTrial,
        screen: Screen,
        keys: Keys,
        *,
        seen: Callable[[ReplayStep], None] | None = None,
    ) -> None:
        self.found = Found()
        self._acquisition = acquisition
        self._writer = writer
        self._live = live
        self._screen = screen
        self._keys = keys
        self._seen = seen
        self._view = View()
        self._known: Future[tuple[JointCalibration, ...]] = Future()
        self._again: Sequence[Step] = ()
        self._worn = False
        self._waiting: list[ImuBlock | Notice] = []
        self._asked = -math.inf
        self._reached: dict[str, float] = {request.sensor: -math.inf for request in acquisition.requests}
        self._moving = False
        self._swings: Swings | None = None

    def run(
        self, steps: Sequence[Step], given: Sequence[JointCalibration] = (), again: Sequence[Step] = ()
    ) -> Found:
        """Go through the steps; Ctrl-C and the key q end the capture early, in good order.

        Parameters
        ----------
        steps
            In order.
        given
            Calibrations that are known; without, the calibration steps make one.
        again
            The steps of a calibration that a key asks for in the middle of a movement.

        Raises
        ------
        CalibrationError
            If the calibration steps say too little; what was recorded is kept. Where there is a person with
            a key, they are told why and may do the steps again.
        RecordingError
            If the disk fails; what it took is kept.
        """
        calibrating = [step for step in steps if step.kind == "calibration"]
        if not calibrating:
            self._known.set_result(tuple(given))
        self._again = again
        with ThreadPoolExecutor(1, "calibration") as worker:
            try:
                self._say("Keep still")
                if all(step.begin is None for step in steps):
                    self._until(self._acquisition.now + SETTLE)
                if calibrating:
                    self._calibrate_by(calibrating, worker)
                for step in steps[len(calibrating) :]:
                    self._do_whole(step, worker)
            except (KeyboardInterrupt, EndedError):
                self._say("Ending")
                if self._live.renewing is not None:
                    self._take_back("the capture was ended before it was done")
        self._acquisition.record(None)
        self._take_the_rest()
        if self._known.done():
            self._begin()
        self._show(self._live.finish())
        return self.found

    def _calibrate_by(self, steps: Sequence[Step], worker: ThreadPoolExecutor) -> None:
        """Do the calibration steps, and again as often as what they say is refused and the person agrees."""
        while True:
            for step in steps:
                self._do(step)
            self._known = worker.submit(self._calibrate, self._acquisition.now)
            if steps[-1].begin is not None:
                break
            self._say("Computing the calibration")
            self._until(over=self._known.done)
            refusal = self._known.exception()
            if not isinstance(refusal, CalibrationError) or not self._keys.there:
                break
            self._known = Future()
            self._take_back(str(refusal))
            self._ask_again(str(refusal), f"Calibration refused: {AGAIN} does it again, {QUIT} ends")
            self._until(keys=(AGAIN,))
            self._view.problem = ""
        self._view.calibrating = False

    def _do_whole(self, step: Step, worker: ThreadPoolExecutor) -> None:
        """Do a step, and what is left of it after each time that a key asks to calibrate again."""
        left: Step | None = step
        while left is not None:
            left = self._do(left)
            if left is not None:
                self._calibrate_again(worker)

    def _calibrate_again(self, worker: ThreadPoolExecutor) -> None:
        """Calibrate in the middle of a movement; refused, do it again or go on with the one before."""
        wanted = True
        while wanted:
            for step in self._again:
                self._do(step)
            computing = worker.submit(self._calibrate, self._acquisition.now, self._live.renewing)
            self._say("Computing the calibration")
            self._until(over=computing.done)
            refusal = computing.exception()
            if not isinstance(refusal, CalibrationError):
                self._view.calibrations = computing.result()
                self._show(self._live.renew(self._view.calibrations))
                break
            self._take_back(str(refusal))
            self._ask_again(str(refusal), f"Calibration refused: {AGAIN} does it again, space goes on")
            wanted = self._until(keys=(AGAIN, START_STOP)) == AGAIN
            self._view.problem = ""
        self._view.calibrating = False

    def _take_back(self, reason: str) -> None:
        """Take the calibration back that was done last."""
        self._tell("discard", {"of": "calibration", "reason": reason}, self._acquisition.now)
        self._show(self._live.keep())

    def _ask_again(self, problem: str, words: str) -> None:
        self._view.problem = problem
        self._screen.warn(problem)
        self._say(words)

    def _do(self, step: Step) -> Step | None:
        """Do one step, between its two events; return what is left of it if a key asks to calibrate first."""
        if step.begin is not None:
            self._say(f"Next: {step.words}")
            self._until(step.begin)
        elif step.seconds is None:
            self._say(f"{step.words}: press space to start")
            self._until()
        elif step.kind != "calibration" or (self._live.begun and self._live.renewing is None):
            self._say(f"Get ready: {step.words}")
            self._until(self._acquisition.now + GET_READY)
        start = self._acquisition.now if step.begin is None else step.begin
        self._event(f"{step.kind}_start", step, start)
        self._say(step.words)
        self._moving = step.kind != "calibration"
        self._view.calibrating = not self._moving
        self._swings = Swings() if step.data.get("step") == "functional" else None
        end = math.inf if step.seconds is None else start + step.seconds
        reps = math.inf if step.reps is None else step.reps
        try:
            key = self._until(end, keys=(START_STOP, AGAIN), reps=reps, swings=step.swings)
        finally:
            self._moving, self._swings = False, None
            now = self._acquisition.now
            self._event(f"{step.kind}_stop", step, min(end, now))
        return replace(step, begin=None, seconds=step.seconds and end - now) if key == AGAIN else None

    def _event(self, kind: str, step: Step, t: float) -> None:
        self._worn = True
        self._tell(kind, step.data, t)

    def _tell(self, kind: str, data: Mapping[str, Any], t: float) -> None:
        """Put an event into the recording and the live chain."""
        self._live.take(self._acquisition.event(kind, data, t))

    def _calibrate(self, until: float, since: float | None = None) -> tuple[JointCalibration, ...]:
        """Compute the calibration from the disk, as a replay does, and embed it; in a thread of its own.

        It waits for the samples up to a time on the capture clock: a sensor may be late by a burst or more.
        One that was done again counts from `since` on.
        """
        patience = time.monotonic() + PATIENCE
        while min(self._reached.values()) < until and time.monotonic() < patience:
            time.sleep(LOOK)
        self._acquisition.catch_up()
        self._writer.flush()
        calibrations = calibrate_recording(Recording.open(self._writer.part), since)
        if not calibrations:
            raise CalibrationError("no samples came during the calibration; check the sensors, start again")
        counts = {} if since is None else {COUNTS_FROM: since}
        documents = [calibration.to_document() | counts for calibration in calibrations]
        for document in documents:
            self._acquisition.calibration(document)
        return tuple(joint for document in documents for joint in joints_of(document))

    def _begin(self) -> None:
        """Begin to show angles, from the first sample of the recording on."""
        if not self._live.begun:
            self._view.calibrations = self._known.result()
            self._show(self._live.begin(self._view.calibrations))

    def _until(
        self,
        deadline: float = math.inf,
        over: Callable[[], bool] | None = None,
        keys: Collection[str] = (START_STOP,),
        reps: float = math.inf,
        swings: float = math.inf,
    ) -> str:
        """Take what comes until a time on the capture clock, until something is over, a key, or so many reps.

        Samples of the deadline and later wait: what happens then is told first, however late this program
        gets to it. A key ends the wait unless something must be over, and is returned.
        """
        while self._acquisition.now < deadline:
            self._drain(deadline)
            if over is not None and over():
                break
            if self._worn and over is None and self._known.done():
                self._begin()
            if self._acquisition.recording_error is not None:
                raise self._acquisition.recording_error
            if self._acquisition.error is not None:
                raise RecordingError(
                    self._writer.part, f"the capture ended by itself ({self._acquisition.error}); start again"
                )
            key = self._key(self._keys.pressed())
            if key in keys and over is None and (key != AGAIN or self._may_calibrate):
                return key
            if self._standing >= reps or (self._swings is not None and self._swings.times >= swings):
                break
            self._refresh(deadline)
            with suppress(Empty):
                self._waiting.append(self._acquisition.queue.get(timeout=LOOK))
        return ""

    @property
    def _may_calibrate(self) -> bool:
        """Whether a key may ask for a calibration: one was refused, or a movement runs that has angles."""
        return bool(self._view.problem) or (self._moving and bool(self._again) and self._live.begun)

    def _key(self, key: str) -> str:
        """Do what a key says; return it, or the start/stop key if that is what it comes to."""
        if key == QUIT:
            raise EndedError
        if key == MARK:
            self._say_by_key("mark")
        elif key == DISCARD:
            self._say_by_key("discard", {"of": "rep", "reason": "taken back by key during the capture"})
        elif key.isdigit():
            self._say_by_key("pain", {"nprs": int(key)})
        elif key == SHARP and self._moving:
            self._say_by_key("pain", {"sharp": True})
            return START_STOP
        return key

    @property
    def _standing(self) -> int:
        """How many reps are done and not taken back."""
        said = (last_done(self.found.reps, event.t) for event in self._view.keyed if event.kind == "discard")
        return len(self.found.reps) - len(set(said) - {None})

    def _say_by_key(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        self._view.keyed = (*self._view.keyed, self._acquisition.event(kind, data))

    def _drain(self, deadline: float) -> None:
        """Take what has come, up to a time on the capture clock."""
        queue, waiting = self._acquisition.queue, self._waiting
        self._waiting = []
        while waiting or not queue.empty():
            item = waiting.pop(0) if waiting else queue.get()
            if isinstance(item, Notice):
                self._view.notice = f"{item.sensor}: {item.words}" if item.sensor else item.words
                continue
            self._reached[item.sensor] = float(item.t[-1])
            if item.t[-1] >= deadline:
                self._waiting.append(item)
            else:
                if self._swings is not None:
                    self._swings.feed(item)
                self._show(self._live.feed(item))

    def _take_the_rest(self) -> None:
        """Take what was still recorded, and nothing that came after: the replay will not have it."""
        queue, waiting = self._acquisition.queue, self._waiting
        with suppress(Empty):
            while True:
                item = waiting.pop(0) if waiting else queue.get(timeout=LONGEST_REST)
                if not isinstance(item, Notice):
                    self._show(self._live.feed(item))
                elif item.kind in ("not-recording", "failed"):
                    return

    def _show(self, step: ReplayStep) -> None:
        for alert in step.alerts:
            self._view.warning = alert.sentence(self._acquisition.started_at)
            self._screen.warn(self._view.warning)
        self.found.reps += step.reps
        self.found.passes += step.passes
        self._view.reps, self._view.passes = len(self.found.reps), len(self.found.passes)
        if len(step.series):
            self._view.angle = float(step.series.angle[-1, 0])
            self._view.sigma = float(step.series.sigma[-1, 0])
        if self._seen is not None:
            self._seen(step)

    def _say(self, words: str) -> None:
        self._view.words = words
        self._screen.prompt(words)

    def _refresh(self, deadline: float) -> None:
        now = self._acquisition.now
        self._view.left = None if math.isinf(deadline) else deadline - now
        self._view.again = self._may_calibrate
        if now - self._asked >= HEALTH_S:
            self._asked, self._view.health = now, self._acquisition.health()
        self._view.shown = None if self._swings is None else self._swings.times
        self._screen.show(self._view)
