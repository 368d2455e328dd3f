"""Typing with busy hands finds the entry."""

from rom.catalogue.search import rank

PEOPLE = {"P0042": ("knee",), "P0420": ("hip",), "P0007": ("neck",)}


def test_a_number_finds_the_id_that_ends_in_it() -> None:
    assert rank("42", PEOPLE) == ["P0042"]
    assert rank("7", PEOPLE) == ["P0007"]
    assert rank("p0042", PEOPLE) == ["P0042"]


def test_every_word_has_to_fit() -> None:
    assert rank("knee 42", PEOPLE) == ["P0042"]
    assert rank("neck 42", PEOPLE) == []


def test_an_exact_id_comes_first() -> None:
    assert rank("hip", {"hip_deep": ("hip",), "hip": ("joint",)})[0] == "hip"


def test_nothing_typed_keeps_all_in_order() -> None:
    assert rank("  ", PEOPLE) == list(PEOPLE)
