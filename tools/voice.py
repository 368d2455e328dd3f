"""Sentences read aloud by a program that the system has."""

import shutil
import subprocess

SPEAKERS = ("say", "spd-say", "espeak-ng", "espeak")
"""Programs that read a sentence aloud, if the system has one."""


class Voice:
    """Reads a sentence aloud; silent where there is no program for it."""

    def __init__(self) -> None:
        self._program = next(filter(None, map(shutil.which, SPEAKERS)), None)
        self._talking: subprocess.Popen[bytes] | None = None

    def say(self, words: str) -> None:
        """Say something; what was being said ends."""
        self.hush()
        if self._program is not None and words:
            quiet = subprocess.DEVNULL
            self._talking = subprocess.Popen([self._program, words], stdout=quiet, stderr=quiet)

    def hush(self) -> None:
        """Say no more."""
        if self._talking is not None:
            self._talking.terminate()
            self._talking.wait()
            self._talking = None
