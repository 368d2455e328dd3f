"""Long work in a thread of its own: it shows how far it is, can be cancelled, and keeps its result. No Qt."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from imu.errors import RomcapError

Result = TypeVar("Result")


class CancelledError(Exception):
    """The person cancelled the work."""


class Job(Generic[Result]):
    """One piece of work, looked at from a timer of the window.

    Parameters
    ----------
    words
        What is being done.
    work
        Does it; it calls its argument with how far it is, from 0 to 1, and is stopped there if cancelled.
    """

    def __init__(self, words: str, work: Callable[[Callable[[float], None]], Result]) -> None:
        self.words = words
        self.share = 0.0
        self.error = ""
        self.result: Result | None = None
        self._work = work
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=words, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it has ended: with a result, an error, or cancelled."""
        return not self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask it to stop; it does at its next report."""
        self._cancelled.set()

    def wait(self, timeout: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout)

    def _report(self, share: float) -> None:
        self.share = share
        if self._cancelled.is_set():
            raise CancelledError

    def _run(self) -> None:
        try:
            self.result = self._work(self._report)
        except CancelledError:
            self.error = f"{self.words}: cancelled"
        except RomcapError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001  a window must say it, whatever it is
            self.error = f"{self.words} failed ({type(error).__name__}: {error}); nothing was changed"
