"""The errors that a person can act on. Each message says what was expected, what came, what to do."""

from pathlib import Path


class RomcapError(Exception):
    """Root of every error that is shown to a person as one sentence, without a traceback."""


class InputError(RomcapError):
    """What came from outside (a file, a column, a unit, an argument) is not what was expected."""


class RecordingError(RomcapError):
    """A recording cannot be read or written.

    Parameters
    ----------
    path
        The file concerned.
    problem
        One sentence: what was expected, what came, what to do.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class CalibrationError(RomcapError):
    """A calibration is refused; the message names the cause and the remedy."""


class CatalogueError(RomcapError):
    """A movement or structure is unknown, or a catalogue file breaks its schema."""


class PacketError(RomcapError):
    """Bytes from a sensor do not decode.

    Parameters
    ----------
    problem
        What was expected and what came.
    payload
        The bytes as they came; shown in hexadecimal.
    """

    def __init__(self, problem: str, payload: bytes) -> None:
        super().__init__(f"{problem}; got {len(payload)} bytes: {payload[:32].hex(' ')}")
        self.payload = payload


class RadioError(RomcapError):
    """Bluetooth does not do what was asked.

    Parameters
    ----------
    kind
        Why, for programs: `permission`, `no-service`, `no-adapter`, `off`, `not-found`, `no-answer`,
        `held`, `wrong-sensor`, `refused` or `link`.
    sentence
        Why, for a person, and what to do.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
