"""One capture in a thread of its own: the flow of `rom capture`, with queues for its screen and its keys.

The window may hang or close; the recording goes on or ends in good order, and what was recorded is kept.
"""

import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from queue import Empty, SimpleQueue

from calibration.segment import JointCalibration
from imu.acquisition import Acquisition
from imu.errors import RomcapError
from imu.health import Health
from rom.replay import ReplayStep
from tools.app.connecting import LeftError, check_side, connect
from tools.cli.capture_flow import Found
from tools.cli.capture_order import Order
from tools.cli.capture_record import record
from tools.cli.capture_screen import Screen, View
from tools.cli.keys import QUIT, Keys
from tools.sources import Opened, Source

LEFT = "Ended before anything was recorded."


class _Panel(Screen):
    """Keeps what the flow would show, for a window to look at."""

    def __init__(self) -> None:
        self.view = View()

    def prompt(self, words: str) -> None:
        """Keep what to do now."""
        self.view = replace(self.view, words=words)

    def warn(self, words: str) -> None:
        """Leave it to the view: it is not what to do now."""
        del words

    def show(self, view: View) -> None:
        """Keep a copy: the flow goes on writing into its own."""
        self.view = replace(view)


class _Pressed(Keys):
    """Keys that a window hands over."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[str] = SimpleQueue()

    def press(self, key: str) -> None:
        """Hand a key over."""
        self._queue.put(key)

    def pressed(self) -> str:
        """Return the next key, "" without one."""
        try:
            return self._queue.get_nowait()
        except Empty:
            return ""


class Session:
    """One capture.

    Parameters
    ----------
    order
        What is captured.
    source
        Where the samples come from.
    given
        Calibrations that are known; without, the capture begins with the calibration.
    """

    def __init__(self, order: Order, source: Source, given: Sequence[JointCalibration] = ()) -> None:
        self.order = order
        self.found: Found | None = None
        self.error: str = ""
        self._source = source
        self._given = tuple(given)
        self._panel = _Panel()
        self._keys = _Pressed()
        self._arrived: SimpleQueue[ReplayStep] = SimpleQueue()
        self._acquisition: Acquisition | None = None
        self._recording = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def thread(self) -> threading.Thread:
        """The thread of the flow."""
        return self._thread

    @property
    def over(self) -> bool:
        """Whether the capture has ended, well or not."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def recording(self) -> bool:
        """Whether samples go to disk: the guided steps begin with it."""
        return self._recording

    @property
    def started_at(self) -> datetime | None:
        """Wall time of the zero of the capture clock; None before the sensors are looked for."""
        return None if self._acquisition is None else self._acquisition.started_at

    @property
    def now(self) -> float:
        """Time on the capture clock, s; NaN before the sensors are looked for."""
        return math.nan if self._acquisition is None else self._acquisition.now

    @property
    def view(self) -> View:
        """What the flow shows now."""
        return self._panel.view

    def health(self) -> tuple[Health, ...]:
        """Return how each sensor does; nothing before the capture has begun."""
        acquisition = self._acquisition
        return () if acquisition is None else acquisition.health()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def press(self, key: str) -> None:
        """Press a key of the flow."""
        self._keys.press(key)

    def end(self, wait: float = 0.0) -> None:
        """End the capture in good order; if it is recording, wait for it for so many seconds.

        One that still looks for its sensors has nothing to lose and ends by itself.
        """
        self.press(QUIT)
        if self._thread.ident is not None and self.recording:
            self._thread.join(wait)

    @property
    def fresh(self) -> bool:
        """Whether the live chain said anything since `arrived` was called."""
        return not self._arrived.empty()

    def arrived(self) -> list[ReplayStep]:
        """Return what the live chain said since the last call; never waits."""
        found: list[ReplayStep] = []
        while True:
            try:
                found.append(self._arrived.get_nowait())
            except Empty:
                return found

    def live_step(self, step: ReplayStep) -> None:
        """Take what the live chain says; it never waits for a window."""
        self._arrived.put(step)

    def _capture(self, opened: Opened) -> None:
        if opened.limbs is None and not self._given:
            movement, side = self.order.movement, self.order.side
            check_side(opened.acquisition, movement, side, self._panel, self._keys)
        self._recording = True
        self.found = record(
            self.order, opened, self._panel, self._keys, given=self._given, seen=self.live_step
        )

    def _run(self) -> None:
        try:
            with self._source() as opened:
                self._acquisition = opened.acquisition
                connect(opened.acquisition, self._panel, self._keys)
                # whoever leaves sensors that stream may come back to them: they stay connected
                with suppress(LeftError):
                    self._capture(opened)
                    return
            self.error = LEFT
        except LeftError:
            self.error = LEFT
        except RomcapError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001  a window must say it, whatever it is
            self.error = (
                f"the capture ended by itself ({type(error).__name__}: {error}); what came until then is in "
                f"{self.order.file}; start again"
            )
