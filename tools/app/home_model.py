"""The two minutes at home, without Qt, as `rom retest` does them: three steps, one sentence, one file."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imu.errors import RomcapError
from imu.whole_file import write_whole
from rom.catalogue.loader import Catalogue
from tools.cli.capture_order import Order

if TYPE_CHECKING:
    from rom.clinic.home import HomeTest

SECONDS = 45.0
"""Length of the movement; `rom retest` takes as long."""


@dataclass(frozen=True)
class HomeResult:
    """What came of it: degrees today and in the clinic, what could be chance, one sentence."""

    side: str
    today_deg: float
    clinic_deg: float
    chance_deg: float | None
    sentence: str


class HomeModel:
    """One test at home.

    Parameters
    ----------
    catalogue
        The movements.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.test: HomeTest | None = None
        self.test_file: Path | None = None
        self.recording: Path | None = None
        self.result: HomeResult | None = None
        self.sent: Path | None = None
        self.problem = ""

    @property
    def title(self) -> str:
        """What is measured, in words."""
        if self.test is None:
            return "Open the file that the clinic sent"
        side = self.test.side
        movement = self._catalogue.movement(self.test.movement)
        return movement.title("left" if side == "left" else "right" if side == "right" else "midline")

    def open(self, file: Path) -> None:
        """Read the clinic's file."""
        from rom.clinic.home import HomeTest

        self.problem = ""
        try:
            self.test, self.test_file = HomeTest.load(file), file
        except RomcapError as error:
            self.problem = str(error)

    def order(self) -> Order:
        """Return the capture of the test."""
        if self.test is None or self.test_file is None:
            raise RomcapError("open the file that the clinic sent first")
        stamp = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        file = self.test_file.with_name(f"retest_{stamp}.mcap")
        side = "left" if self.test.side == "left" else "right" if self.test.side == "right" else "midline"
        movement = self._catalogue.movement(self.test.movement)
        return Order(movement, side, "home", self.test.client, file, SECONDS, "", "")

    def measure(self, recording: Path, report: Callable[[float], None] | None = None) -> None:
        """Measure what was recorded and compare it with the clinic's test; may take seconds."""
        from rom.clinic.measuring import measure

        test = self.test
        if test is None:
            return
        self.recording = recording
        try:
            measured = measure(
                recording,
                self._catalogue,
                movement=test.movement,
                side=test.side,
                aggregate=test.aggregate,
                progress=report,
            )
            change = test.against(measured.sample, self._catalogue)
        except RomcapError as error:
            self.problem = str(error)
            return
        limit = change.change.yardstick.mdc95
        self.result = HomeResult(
            test.side,
            math.degrees(change.post.value),
            math.degrees(change.pre.value),
            None if limit is None else math.degrees(limit),
            change.home_sentence(test.called(datetime.now().astimezone().date())),
        )

    def send(self, target: Path, soreness: float | None = None, note: str = "") -> None:
        """Make the one sealed file for the clinic."""
        from rom.clinic.home import seal_answer

        if self.test is None or self.recording is None:
            return
        try:
            today = datetime.now().astimezone().date()
            write_whole(target, seal_answer(self.test, self.recording, today, soreness, note))
            self.sent = target
        except (RomcapError, OSError) as error:
            self.problem = str(error)
