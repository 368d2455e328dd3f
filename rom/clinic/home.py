"""The test at home: a file from the clinic to the client, and one sealed file back.

The clinic's file holds what the test needs and no name. The answer holds the recording, sealed to the
clinic, with a code that only the holder of the clinic's file can make; so the clinic can tell whose answer
it is, and that nobody altered it on the way.
"""

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from imu.errors import InputError
from rom.catalogue.loader import Catalogue
from rom.clinic.outcomes import sample_from
from rom.clinic.sealed import Keys, seal_for
from rom.compare import Comparison, compare
from rom.sample import End, RepSample

SCHEMA = "romcap.home/1"


@dataclass(frozen=True)
class HomeTest:
    """What the client gets: which movement, and what the clinic measured.

    Parameters
    ----------
    client, task, key
        Pseudonym, id of the home task, and the secret that marks the answer.
    recipient
        To whom the answer is sealed.
    movement, side, aggregate
        What is measured, as in the clinic.
    measured_at
        When the clinic measured it.
    sample
        What the clinic measured, as `rom.clinic.outcomes.sample_of` reads it, rad.
    """

    client: str
    task: str
    key: str
    recipient: str
    movement: str
    side: str
    aggregate: str
    measured_at: datetime
    sample: dict[str, Any]

    def to_document(self) -> dict[str, Any]:
        """Return the file's content."""
        return {"schema": SCHEMA, **self.__dict__, "measured_at": self.measured_at.isoformat()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the clinic's file.

        Raises
        ------
        InputError
            If it is something else.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            moment = datetime.fromisoformat(document.pop("measured_at"))
            return cls(measured_at=moment, **document)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                f"{path}: expected the file that the clinic made with `rom client home`; ask for it again"
            ) from None

    def baseline(self, catalogue: Catalogue, end: End) -> RepSample:
        """Return what the clinic measured."""
        side: Any = self.side
        aggregate: Any = self.aggregate
        return sample_from(self.sample, catalogue.movement(self.movement), side, aggregate, end=end)

    def against(self, sample: Mapping[str, Any], catalogue: Catalogue) -> Comparison:
        """Compare a test at home with the clinic's: the straps were put on again.

        Parameters
        ----------
        sample
            Of the test at home, as `rom.clinic.measured.Measured.sample`.
        catalogue
            The movements.
        """
        ends = [angle for one in (self.sample, sample) for angle in one["plateau"]]
        end: End = "peak" if None in ends else "plateau"
        side: Any = self.side
        aggregate: Any = self.aggregate
        movement = catalogue.movement(self.movement)
        post = sample_from(sample, movement, side, aggregate, end=end, restrapped=True)
        return compare(self.baseline(catalogue, end), post)

    def called(self, today: date) -> str:
        """Return what the client calls the clinic's test: the day of the week, or the date."""
        days = (today - self.measured_at.date()).days
        return f"{self.measured_at:%A}" if 0 < days < 7 else f"{self.measured_at:%Y-%m-%d}"


@dataclass(frozen=True)
class HomeAnswer:
    """What came back: the recording and what the client said."""

    task: str
    day: date
    soreness: float | None
    note: str
    recording: bytes
    recording_name: str


def seal_answer(
    test: HomeTest, recording: Path, day: date, soreness: float | None = None, note: str = ""
) -> bytes:
    """Return the one file that goes to the clinic."""
    content = recording.read_bytes()
    said = json.dumps(
        {
            "schema": SCHEMA,
            "task": test.task,
            "day": day.isoformat(),
            "soreness": soreness,
            "note": note,
            "recording": hashlib.sha256(content).hexdigest(),
        },
        sort_keys=True,
    ).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("answer.json", said)
        bundle.writestr("mark", _mark(test.key, said))
        bundle.writestr("recording.mcap", content)
    return seal_for(test.recipient, packed.getvalue())


def open_answer(keys: Keys, content: bytes, key_of: Mapping[str, str]) -> HomeAnswer:
    """Return an answer that was sealed to this practice.

    Parameters
    ----------
    keys
        Of the practice.
    content
        The sealed file.
    key_of
        The secret of each home task, by id.

    Raises
    ------
    SealError
        If it was sealed to another practice, or is damaged.
    InputError
        If it answers no task of this practice, or was altered.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(keys.open(content, "the answer"))) as bundle:
            said, mark, recording = (bundle.read(name) for name in ("answer.json", "mark", "recording.mcap"))
        document: dict[str, Any] = json.loads(said)
        task, day = str(document["task"]), date.fromisoformat(document["day"])
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise InputError("expected the file that `rom retest` makes, got something else") from None
    key = key_of.get(task)
    if key is None:
        raise InputError("this answers a home test that this store does not know; was the client erased?")
    if not hmac.compare_digest(mark, _mark(key, said)):
        raise InputError(
            "this answer does not carry the mark of the file that the clinic gave out; refuse it"
        )
    if hashlib.sha256(recording).hexdigest() != document["recording"]:
        raise InputError("the recording in this answer was altered; ask for it again")
    return HomeAnswer(task, day, document["soreness"], str(document["note"]), recording, "recording.mcap")


def _mark(key: str, said: bytes) -> bytes:
    return hmac.new(bytes.fromhex(key), said, hashlib.sha256).hexdigest().encode()
