"""Short tones for busy eyes: made here, played by the system's own player. Every tone has a visual twin.

Qt's own sound is a part that is not installed (415 MB); a player of the system is started and not waited for.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np

RATE = 22050
LEVEL = 0.4
FADE = 0.012
"""Each note swells and fades for so long, or it would click, s."""


class Tone(StrEnum):
    """What is told."""

    COUNTED = "counted"
    START = "start"
    STOP = "stop"
    LOST = "lost"
    DONE = "done"


NOTES: Mapping[Tone, tuple[tuple[float, float], ...]] = {
    Tone.COUNTED: ((880.0, 0.07),),
    Tone.START: ((523.3, 0.12), (784.0, 0.16)),
    Tone.STOP: ((784.0, 0.12), (523.3, 0.16)),
    Tone.LOST: ((220.0, 0.22), (0.0, 0.06), (220.0, 0.22)),
    Tone.DONE: ((523.3, 0.1), (659.3, 0.1), (784.0, 0.2)),
}
"""Hz and s of each note, 0 Hz for a rest."""

PLAYERS: tuple[tuple[str, ...], ...] = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("afplay",),
)


def wav(tone: Tone) -> bytes:
    """Return a tone as a WAV file: mono, 16 bit."""
    parts: list[np.ndarray] = []
    for hertz, seconds in NOTES[tone]:
        t = np.arange(round(seconds * RATE)) / RATE
        swell = np.clip(np.minimum(t, seconds - t) / FADE, 0.0, 1.0)
        parts.append(LEVEL * swell * np.sin(2.0 * np.pi * hertz * t))
    samples = (np.concatenate(parts) * 32767.0).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return content.getvalue()


class Speaker:
    """Plays tones with the system's player; silent where there is none, and `silent` says so."""

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        found = [command for command in PLAYERS if shutil.which(command[0])]
        self._player = found[0] if found else None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def silent(self) -> bool:
        """Whether this computer has no player."""
        return self._player is None and sys.platform != "win32"

    def play(self, tone: Tone) -> None:
        """Play a tone; returns at once, and a player that fails is no reason to stop measuring."""
        if not self.on or self.silent:
            return
        if sys.platform == "win32":
            import winsound

            winsound.PlaySound(str(self._file(tone)), winsound.SND_FILENAME | winsound.SND_ASYNC)
            return
        assert self._player is not None
        quiet = subprocess.DEVNULL
        try:
            subprocess.Popen([*self._player, str(self._file(tone))], stdin=quiet, stdout=quiet, stderr=quiet)
        except OSError:
            self._player = None

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _file(self, tone: Tone) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="romcap-tones-")
        path = Path(self._folder.name) / f"{tone}.wav"
        if not path.exists():
            path.write_bytes(wav(tone))
        return path
