"""Which reps count on the screen: two warm up, one may be taken back, none changes later."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from imu.recording import Event
from rom.catalogue.loader import Catalogue
from rom.measures import RepMeasures
from rom.passes import Pass, Rep
from rom.said import discarded
from tools.app.tally import WARM_UPS, Tally
from tools.cli.capture_order import Order


def rep(number: int, end: float = 0.5) -> Rep:
    start = 10.0 * number
    return Rep(start, start + 1.0, start + 2.0, start + 4.0, 0.0, end, 0.0, gap=False)


def measures(number: int, one: Rep) -> RepMeasures:
    numbers = [0.0] * 12
    return RepMeasures(number, one, 0.0, *numbers, off_axis=(0.0, 0.0), support=1.0, reasons=(), warnings=())


def order(catalogue: Catalogue, structure: str = "") -> Order:
    return Order(
        catalogue.movement("el_flexion"), "left", "baseline", "P0042", Path("x.mcap"), None, structure, ""
    )


def back(t: float) -> Event:
    return Event(t, "discard", {"of": "rep", "reason": "key"})


@pytest.fixture
def tally(catalogue: Catalogue) -> Tally:
    return Tally(order(catalogue))


def test_the_first_two_reps_warm_up_and_never_change_their_meaning(tally: Tally) -> None:
    seen: list[list[str]] = []
    for number in range(1, 7):
        tally.take([rep(number)], ())
        seen.append(list(tally.standings()))
    for shorter, longer in pairwise(seen):
        assert longer[: len(shorter)] == shorter
    assert seen[-1] == ["warms up"] * WARM_UPS + ["counts"] * 4


def test_words_of_the_count(tally: Tally) -> None:
    assert (tally.counts, tally.detail) == ("0 reps", "")
    tally.take([rep(1, 0.5)], ())
    assert (tally.counts, tally.detail) == ("1 rep", "warming up")
    tally.take([rep(2, 0.6), rep(3, 0.8), rep(4, 0.7)], ())
    tally.hear([back(35.0)])
    assert (tally.counts, tally.detail) == ("4 reps", "1 and 2 warming up   3 taken back")
    assert tally.ends == "40°; warming up: 29°, 34°; taken back: 46°"
    assert tally.farthest == 0.7


def test_what_is_taken_back_is_what_the_measurement_takes_back(tally: Tally) -> None:
    reps = [rep(number) for number in range(1, 6)]
    tally.take(reps, ())
    for t in (5.0, 14.0, 14.5, 33.9, 34.0, 99.0):
        tally.hear([back(t)])
        measured = [measures(number, one) for number, one in enumerate(reps, start=1)]
        judged, _ = discarded(measured, [back(t)])
        expected = [one.number for one in judged if one.reasons]
        assert [n for n, s in enumerate(tally.standings(), start=1) if s == "taken back"] == expected


def test_a_rep_that_is_found_only_after_the_key_is_the_one_taken_back(tally: Tally) -> None:
    tally.take([rep(1), rep(2)], ())
    tally.hear([back(34.2)])
    assert tally.standings()[1] == "taken back"
    tally.take([rep(3)], ())
    assert tally.standings() == ["warms up", "warms up", "taken back"]


def test_keys_are_answered_in_words(tally: Tally) -> None:
    assert tally.said(back(1.0)) == "No rep to take back yet"
    tally.take([rep(1)], ())
    assert tally.said(back(20.0)) == "Rep 1 is taken back"
    assert tally.said(Event(1.0, "pain", {"nprs": 7})) == "Pain 7 is written down"
    assert tally.said(Event(1.0, "pain", {"sharp": True})) == "Sharp pain is written down"
    assert tally.said(Event(1.0, "mark", {})) == "Marked"


def test_passes_neither_warm_up_nor_are_taken_back(catalogue: Catalogue) -> None:
    tally = Tally(order(catalogue, "biceps_femoris"))
    one = Pass(1.0, 2.0, 2.5, 0.0, 1.0, 1.0, gap=False, partial=False)
    tally.take([rep(1)], [one, replace(one, start=3.0, stop=4.0)])
    tally.hear([back(9.0)])
    assert (tally.counts, tally.detail) == ("2 passes", "")
    assert tally.standings() == ["counts", "counts"]
    assert "not taken back" in tally.said(back(9.0))
