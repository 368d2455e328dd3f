"""Cues for somebody who moves and cannot read: a printed line, a tone, and a voice where there is one."""

import shutil
import subprocess
import sys

from tools.cli.capture_screen import Screen

BELL = "\a"
SPEAKERS = ("say", "spd-say", "espeak-ng", "espeak")
"""Programs that read a sentence aloud, if the system has one."""


class CueScreen(Screen):
    """Says each step in print and with a tone, and aloud if asked: nobody reads while moving.

    Parameters
    ----------
    aloud
        Whether to speak; without a speech program only the tone sounds.
    """

    def __init__(self, *, aloud: bool) -> None:
        self._speaker = next(filter(None, map(shutil.which, SPEAKERS)), None) if aloud else None
        self._voice: subprocess.Popen[bytes] | None = None

    def prompt(self, words: str) -> None:
        """Say what to do now."""
        print(f"{BELL}> {words}", file=sys.stderr, flush=True)
        if self._speaker is not None:
            self._hush()
            self._voice = subprocess.Popen([self._speaker, words])

    def __exit__(self, *_: object) -> None:
        """End with two tones."""
        self._hush()
        print(f"{BELL}{BELL}> Done. You can take the straps off.", file=sys.stderr, flush=True)

    def _hush(self) -> None:
        if self._voice is not None:
            self._voice.terminate()
            self._voice.wait()
            self._voice = None
