"""Sensors that stay connected from one capture to the next, until they have rested for long. No Qt."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from rom.catalogue.movement import Movement, Side
from tools.sources import Opened, Source

SourceOf = Callable[[Movement, Side], Source]
LONGEST_REST_S = 600.0
"""Sensors that nobody used for so long are let go: their batteries are worth more than a few seconds, s."""


class Station:
    """Keeps the links of one capture for the next with the same sensors.

    Emulated limbs are not kept: they have played their part.

    Parameters
    ----------
    source_of
        Where the samples of a movement come from.
    """

    def __init__(self, source_of: SourceOf) -> None:
        self._source_of = source_of
        self._in_use = threading.Lock()
        self._worn: tuple[str, ...] = ()
        self._opened: Opened | None = None
        self._links = ExitStack()
        self._since = 0.0

    @property
    def connected(self) -> bool:
        """Whether sensors are held."""
        return self._opened is not None

    def source(self, movement: Movement, side: Side) -> Source:
        """Return the sensors of a movement, connected still or anew."""

        @contextmanager
        def begin() -> Generator[Opened]:
            with self._in_use:
                opened = self._take(movement, side)
                try:
                    yield opened
                except BaseException:
                    self._let_go()
                    raise
                if opened.limbs is not None:
                    self._let_go()
                self._since = time.monotonic()

        return begin

    def idle(self) -> None:
        """Throw away what resting sensors send, and let them go after a while; call every second or so."""
        if not self._in_use.acquire(blocking=False):
            return
        try:
            if self._opened is None:
                return
            queue = self._opened.acquisition.queue
            while not queue.empty():
                queue.get()
            if time.monotonic() - self._since > LONGEST_REST_S:
                self._let_go()
        finally:
            self._in_use.release()

    def close(self) -> None:
        """Let the sensors go once no capture uses them; may take seconds."""
        with self._in_use:
            self._let_go()

    def _take(self, movement: Movement, side: Side) -> Opened:
        from tools.cli.capture_steps import useful_segments

        worn = tuple(useful_segments(movement, side))
        opened = self._opened
        if opened is not None and worn == self._worn and opened.acquisition.error is None:
            opened.acquisition.begin_anew()
            return opened
        self._let_go()
        self._opened = self._links.enter_context(self._source_of(movement, side)())
        self._worn = worn
        return self._opened

    def _let_go(self) -> None:
        self._opened = None
        self._links.close()
