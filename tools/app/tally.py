"""The reps or passes of a capture as they are counted: which warm up, which were taken back. No Qt."""

import math
from collections.abc import Sequence
from typing import Literal

from imu.counted import counted
from imu.recording import Event
from rom.passes import Pass, Rep
from rom.said import last_done
from tools.cli.capture_order import Order

Standing = Literal["counts", "warms up", "taken back"]
WARM_UPS = 2
"""The first reps of a test are shown as warming up, whatever follows: testing itself raises range, most of it
in the first reps (clinical reference 0.1). How many a comparison leaves out is decided once all are
there (`RepSample.warm_ups`)."""


class Tally:
    """What was counted so far.

    Parameters
    ----------
    order
        What is captured: reps of a test, or passes over a structure.
    """

    def __init__(self, order: Order) -> None:
        self._of_passes = bool(order.structure)
        self._farthest = max if order.movement.gain_sign > 0 else min
        self._done: list[Rep | Pass] = []
        self._taken_back: tuple[float, ...] = ()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._done)

    def take(self, reps: Sequence[Rep], passes: Sequence[Pass]) -> bool:
        """Take what was found next; return whether anything was counted."""
        found = passes if self._of_passes else reps
        self._done += found
        return bool(found)

    def hear(self, events: Sequence[Event]) -> None:
        """Take everything that was said by a key so far."""
        self._taken_back = tuple(event.t for event in events if event.kind == "discard")

    def standings(self) -> list[Standing]:
        """Return how each one stands."""
        if self._of_passes:
            return ["counts"] * len(self._done)
        back = {self._last(t) for t in self._taken_back}
        return [
            "taken back" if place in back else "warms up" if place < WARM_UPS else "counts"
            for place in range(len(self._done))
        ]

    def standing(self) -> list[tuple[Rep | Pass, Standing]]:
        """Return each one with how it stands, without those that were taken back."""
        both = zip(self._done, self.standings(), strict=True)
        return [(one, standing) for one, standing in both if standing != "taken back"]

    @property
    def counts(self) -> str:
        """How many there are, in words."""
        return counted(len(self), *(("pass", "passes") if self._of_passes else ("rep",)))

    @property
    def detail(self) -> str:
        """Which of them do not count as the others, in words."""
        standings = self.standings()
        if standings and all(standing == "warms up" for standing in standings):
            return "warming up"
        parts: list[str] = []
        for standing, words in (("warms up", "warming up"), ("taken back", "taken back")):
            numbers = [str(place) for place, one in enumerate(standings, start=1) if one == standing]
            if numbers:
                parts.append(f"{_listed(numbers)} {words}")
        return "   ".join(parts)

    @property
    def farthest(self) -> float | None:
        """The farthest end that was not taken back, rad; None before there is one."""
        ends = [one.end_angle for one, _ in self.standing()]
        return self._farthest(ends) if ends else None

    @property
    def ends(self) -> str:
        """Every end in whole degrees, in words."""
        parts: list[str] = []
        for standing, words in (("counts", ""), ("warms up", "warming up: "), ("taken back", "taken back: ")):
            degrees = [
                f"{math.degrees(one.end_angle):.0f}°"
                for one, its in zip(self._done, self.standings(), strict=True)
                if its == standing
            ]
            if degrees:
                parts.append(words + ", ".join(degrees))
        return "; ".join(parts) or "nothing was counted"

    def said(self, event: Event) -> str:
        """Return what a person reads after a key."""
        if event.kind == "mark":
            return "Marked"
        if event.kind == "pain":
            return (
                "Sharp pain is written down"
                if event.data.get("sharp")
                else f"Pain {event.data['nprs']} is written down"
            )
        if self._of_passes:
            return "A pass was done: it is not taken back"
        place = self._last(event.t)
        return "No rep to take back yet" if place is None else f"Rep {place + 1} is taken back"

    def _last(self, t: float) -> int | None:
        return last_done([one for one in self._done if isinstance(one, Rep)], t)


def _listed(numbers: Sequence[str]) -> str:
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)
