"""The course of a client as it is seen, without Qt: the page of `rom course`, its numbers and sentences."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from imu.errors import RomcapError
from rom.clinic.course_page import course_page
from rom.clinic.desk import Desk, visits_of
from rom.clinic.store_people import Client, HomeLog
from rom.clinic.store_visits import TrialRecord


@dataclass(frozen=True)
class CourseLine:
    """One movement over the visits: values in degrees, pain 0 to 10; None where not known.

    `other_deg` is the other side before treatment; none of it is known for the midline.
    """

    title: str
    side: str
    before_deg: tuple[float | None, ...]
    after_deg: tuple[float | None, ...]
    other_deg: tuple[float | None, ...]
    pain: tuple[float | None, ...]
    mdc_deg: float | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class HomeTestPoint:
    """One test at home."""

    day: date
    value_deg: float


class CourseModel:
    """One client's course.

    Parameters
    ----------
    desk
        The practice.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.title = "Choose a client"
        self.lines: tuple[CourseLine, ...] = ()
        self.home: tuple[HomeTestPoint, ...] = ()
        self.sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self.problem = ""

    def clients(self) -> list[str]:
        """Return the pseudonyms of the practice."""
        with self._desk.store.reading() as ledger:
            return sorted(client.code for client in ledger.find(Client))

    def choose(self, code: str) -> None:
        """Read the course of a client."""
        self.lines, self.home, self.sections, self.problem = (), (), (), ""
        try:
            page = course_page(self._desk.store, self._desk.catalogue, code)
            with self._desk.store.reading() as ledger:
                client = ledger.client(code)
                log = ledger.find(HomeLog, client_id=client.id)
                trials = [
                    ledger.find(TrialRecord, visit_id=visit.id, phase="baseline")
                    for visit in visits_of(ledger, client)
                ]
        except RomcapError as error:
            self.problem = str(error)
            return
        self.title = page.title
        sections = {section.title: section.lines for section in page.sections}
        movements: list[dict[str, Any]] = page.document.get("movements", [])
        self.lines = tuple(self._line(document, sections, trials) for document in movements)
        named = {line.title for line in self.lines}
        self.sections = tuple((title, lines) for title, lines in sections.items() if title not in named)
        self.home = tuple(HomeTestPoint(row.day, row.rom_deg) for row in log if row.rom_deg is not None)

    def _line(
        self,
        document: dict[str, Any],
        sections: dict[str, tuple[str, ...]],
        trials: list[list[TrialRecord]],
    ) -> CourseLine:
        side: Any = document["side"]
        title = self._desk.catalogue.movement(document["movement"]).title(side)
        return CourseLine(
            title,
            side,
            tuple(document["pre_deg"]),
            tuple(document["post_deg"]),
            _other_side(trials, document["movement"], side, len(document["pre_deg"])),
            tuple(document["pain"]),
            document["mdc95_deg"],
            sections.get(title, ()),
        )


def _other_side(
    trials: list[list[TrialRecord]], movement: str, side: str, visits: int
) -> tuple[float | None, ...]:
    """Return the last baseline of the other side at each visit; nothing if the visits are not the same."""
    other = {"left": "right", "right": "left"}.get(side, "")
    if len(trials) != visits:
        return (None,) * visits
    values = [
        [trial.value_deg for trial in of_visit if (trial.movement, trial.side) == (movement, other)]
        for of_visit in trials
    ]
    return tuple(found[-1] if found else None for found in values)
