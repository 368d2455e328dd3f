"""The course of a client as it is seen, without Qt: the page of `rom course`, its numbers and sentences."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from imu.errors import RomcapError
from rom.clinic.course_page import course_page
from rom.clinic.desk import Desk
from rom.clinic.store_people import Client, HomeLog


@dataclass(frozen=True)
class CourseLine:
    """One movement over the visits: values in degrees, pain 0 to 10; None where not known."""

    title: str
    side: str
    before_deg: tuple[float | None, ...]
    after_deg: tuple[float | None, ...]
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
                log = ledger.find(HomeLog, client_id=ledger.client(code).id)
        except RomcapError as error:
            self.problem = str(error)
            return
        self.title = page.title
        sections = {section.title: section.lines for section in page.sections}
        movements: list[dict[str, Any]] = page.document.get("movements", [])
        self.lines = tuple(self._line(document, sections) for document in movements)
        named = {line.title for line in self.lines}
        self.sections = tuple((title, lines) for title, lines in sections.items() if title not in named)
        self.home = tuple(HomeTestPoint(row.day, row.rom_deg) for row in log if row.rom_deg is not None)

    def _line(self, document: dict[str, Any], sections: dict[str, tuple[str, ...]]) -> CourseLine:
        side: Any = document["side"]
        title = self._desk.catalogue.movement(document["movement"]).title(side)
        return CourseLine(
            title,
            side,
            tuple(document["pre_deg"]),
            tuple(document["post_deg"]),
            tuple(document["pain"]),
            document["mdc95_deg"],
            sections.get(title, ()),
        )
