"""Single keys from the terminal, without Enter, while something else runs."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

START_STOP, MARK, DISCARD, QUIT, SHARP, AGAIN = " ", "m", "d", "q", "s", "c"
"""What single keys mean during a capture."""


class Keys:
    """The keyboard: `pressed` never waits."""

    there = True
    """Whether a person can press anything."""

    def pressed(self) -> str:
        """Return a key that was pressed, "" if none."""
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.getwch() if msvcrt.kbhit() else ""
        import select

        terminal = sys.stdin.fileno()
        ready, _, _ = select.select([terminal], [], [], 0.0)
        return os.read(terminal, 1).decode("ascii", "ignore") if ready else ""


class NoKeys(Keys):
    """No keyboard: a script, a pipe."""

    there = False

    def pressed(self) -> str:
        """Return no key."""
        return ""


@contextmanager
def keyboard() -> Generator[Keys]:
    """Return the keyboard with single keys switched on, or none if there is no terminal."""
    if not sys.stdin.isatty():
        yield NoKeys()
        return
    if sys.platform == "win32":
        yield Keys()
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield Keys()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
