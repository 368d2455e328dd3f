"""Cues for somebody who moves and cannot read: a printed line, a tone, and a voice where there is one."""

import sys

from tools.cli.capture_screen import Screen
from tools.voice import Voice

BELL = "\a"


class CueScreen(Screen):
    """Says each step in print and with a tone, and aloud if asked: nobody reads while moving.

    Parameters
    ----------
    aloud
        Whether to speak; without a speech program only the tone sounds.
    """

    def __init__(self, *, aloud: bool) -> None:
        self._voice = Voice() if aloud else None

    def prompt(self, words: str) -> None:
        """Say what to do now."""
        print(f"{BELL}> {words}", file=sys.stderr, flush=True)
        if self._voice is not None:
            self._voice.say(words)

    def __exit__(self, *_: object) -> None:
        """End with two tones."""
        if self._voice is not None:
            self._voice.hush()
        print(f"{BELL}{BELL}> Done. You can take the straps off.", file=sys.stderr, flush=True)
