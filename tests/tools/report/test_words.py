"""The catalogues of texts: both say as much, English what the program says, German in its own numbers."""

import math
import re
import string
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.errors import InputError
from rom.catalogue.loader import load_catalogue
from rom.compare import Comparison, compare
from rom.sample import RepSample
from rom.symmetry import Symmetry, symmetry
from rom.watch_sensor import SensorWatch
from tools.report.sentences import change_sentence, home_sentence, symmetry_sentence
from tools.report.words import load_words

CATALOGUE = load_catalogue()
ENGLISH, GERMAN = load_words("en"), load_words("de")
DEG = np.pi / 180.0
WORLDS = 200


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def sample(rng: np.random.Generator, movement: str, side: Any, **known: Any) -> RepSample:
    """Return reps around an angle that may be anything, so that every branch of the sentences is met."""
    count = int(rng.integers(3, 7))
    middle = rng.choice([rng.uniform(-5, 5), rng.uniform(5, 40), rng.uniform(60, 200)])
    ramp = rng.choice([0.0, 5.0]) * np.arange(count)
    values = (middle + ramp + rng.normal(0, rng.choice([0.2, 2.0]), count)) * DEG
    return RepSample(values, CATALOGUE.movement(movement), side, **known)


def moved(rng: np.random.Generator, pre: RepSample, **known: Any) -> RepSample:
    shift = rng.choice([0.0, 1.0, 2.0, 4.0, 8.0, -6.0, 40.0]) * DEG
    values = pre.values + shift + rng.normal(0, 0.3 * DEG, pre.values.size)
    return replace(pre, values=values, **known)


def comparison(rng: np.random.Generator) -> Comparison:
    movement = str(rng.choice(["kn_ake", "kn_flexion", "hip_extension", "wr_radial"]))
    strap = {"strap_sigma": float(rng.choice([0.0, 0.02])), "sensor_sigma": 0.005}
    pre = sample(rng, movement, "left", **strap)
    post = moved(rng, pre, restrapped=bool(rng.integers(2)))
    control = None
    other: tuple[str, Any] | None = [None, (movement, "right"), ("sh_flexion", "left")][rng.integers(3)]
    if other is not None:
        before = sample(rng, *other)
        control = (before, moved(rng, before))
    return compare(pre, post, control=control)


def sides(rng: np.random.Generator) -> Symmetry:
    movement = str(rng.choice(["kn_ake", "kn_flexion", "hip_extension"]))
    left = sample(rng, movement, "left")
    involved: Any = rng.choice(["left", "right"])
    return symmetry(left, replace(moved(rng, left), side="right"), involved=involved)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_english_sentences_are_those_of_the_comparison_word_for_word(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change, one, earlier = comparison(rng), sides(rng), sides(rng)
    assert change_sentence(ENGLISH, change) == change.sentence()
    assert home_sentence(ENGLISH, change, "Tuesday") == change.home_sentence("Tuesday")
    assert symmetry_sentence(ENGLISH, one) == one.sentence()
    assert symmetry_sentence(ENGLISH, one, earlier) == one.sentence(earlier)


def test_every_sentence_is_met_by_the_worlds_above() -> None:
    said = " ".join(
        text
        for seed in range(WORLDS)
        for rng in [np.random.default_rng(seed)]
        for change in [comparison(rng)]
        for text in (change.sentence(), change.home_sentence("Tuesday"), sides(rng).sentence(sides(rng)))
    )
    for key, text in ENGLISH.section("sentence").items():
        if key == "baseline":
            continue
        longest = max(re.split(r"\{\w+\}", text), key=len)
        assert longest in said, key


@pytest.mark.parametrize("seed", range(40))
def test_german_says_the_same_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change, one = comparison(rng), sides(rng)
    for german, english in (
        (change_sentence(GERMAN, change), change.sentence()),
        (symmetry_sentence(GERMAN, one), one.sentence()),
        (home_sentence(GERMAN, change, "Tuesday"), change.home_sentence("Tuesday")),
    ):
        assert numbers(german) == [text.replace(".", ",") for text in numbers(english)]
        assert "." not in re.sub(r"\.(?= |$)", "", german), (
            "a decimal point, or a word without space after it"
        )


def numbers(text: str) -> list[str]:
    return re.findall(r"[+−]?\d+(?:[.,]\d+)?", text)


def test_both_catalogues_have_the_same_keys_and_fields() -> None:
    own = {"movement", "structure"}
    assert set(GERMAN.texts) - set(ENGLISH.texts) == own
    for section in ENGLISH.texts:
        english, german = ENGLISH.section(section), GERMAN.section(section)
        assert list(english) == list(german), section
        for key in english:
            loose = {"lower", "title"} if key == "untreated_movement" else set[str]()
            assert fields(english[key]) - loose == fields(german[key]) - loose, f"{section}.{key}"


def test_german_names_every_movement_and_structure() -> None:
    assert set(GERMAN.section("movement")) == {movement.id for movement in CATALOGUE.movements.values()}
    assert set(GERMAN.section("structure")) == {structure.id for structure in CATALOGUE.structures.values()}
    for movement in CATALOGUE.movements.values():
        assert ("{side}" in GERMAN.section("movement")[movement.id]) == (movement.laterality == "L/R")


def test_phrases_of_other_rooms_are_known_in_german() -> None:
    assert GERMAN.phrase("straps kept on; no published MDC, own repeatability") == (
        "Gurte blieben angelegt; keine veröffentlichte MDC, eigene Wiederholbarkeit"
    )
    said = "rep 3 does not count: samples are missing inside; it took 0.7 s, not 0.8 to 60 s"
    assert GERMAN.phrase(said) == (
        "Wiederholung 3 zählt nicht: darin fehlen Messwerte; sie dauerte 0,7 s, nicht 0,8 bis 60 s"
    )
    assert GERMAN.phrase("reps 2, 5 do not count: it took 0.7 s, not 0.8 to 60 s") == (
        "Wiederholungen 2, 5 zählen nicht: sie dauerte 0,7 s, nicht 0,8 bis 60 s"
    )
    assert GERMAN.phrase("the uncertainty was too large for a statement in 12% of it") == (
        "die Unsicherheit war in 12% davon zu groß für eine Aussage"
    )
    assert GERMAN.phrase("sharp pain during it, at 3.2 s") == "stechender Schmerz währenddessen, bei 3,2 s"
    assert GERMAN.phrase("something new") == "something new"
    assert ENGLISH.phrase(said) == said


def test_warnings_of_the_watchdogs_are_known_in_german() -> None:
    sample = {
        "part": "Left shank",
        "part_other": "left thigh",
        "size": "12",
        "why_time": "10:14:22",
        "other": "3",
    }
    sample |= {
        "title": "Left knee bending",
        "rate": "9",
        "share": "31%",
        "seconds": "2.5",
        "why_old": "3 days",
    }
    for key, text in ENGLISH.section("phrase").items():
        if key.startswith("alert_"):
            said = GERMAN.phrase(text.format(**sample))
            assert said == GERMAN.section("phrase")[key].format(
                **sample | {"part": "Unterschenkel links", "part_other": "Oberschenkel links"}
            ).replace("3 days", "3 Tage").replace("2.5", "2,5"), key


def test_a_gap_that_a_watchdog_saw_is_said_in_german() -> None:
    watch = SensorWatch("A", "left_shank", math.radians(2000.0))
    t = np.concatenate([np.arange(0.0, 4.0, 0.01), np.arange(7.0, 20.0, 0.01)])
    still = np.zeros((len(t), 3))
    alerts = watch.feed(ImuBlock("A", t, still, still + np.array([0.0, 0.0, 9.81])))
    (gap,) = [alert for alert in alerts if alert.kind == "gap"]
    said = GERMAN.phrase(gap.sentence().removesuffix("."))
    assert said.startswith("Sensor Unterschenkel links: ab 0:03 der Aufnahme 3,0 s lang keine Daten")


def test_a_day_in_a_phrase_is_written_as_in_the_language() -> None:
    text = ENGLISH.section("phrase")["soreness"].format(rating=2, day="2026-03-15", days=4, seq=3)
    assert "am 15.03.2026," in GERMAN.phrase(text)


@pytest.mark.parametrize(
    ("value", "signed"), list(product([0.04, -0.04, 3.25, -12.5, float("nan")], [True, False]))
)
def test_numbers_read_as_in_the_language(value: float, signed: bool) -> None:
    english, german = ENGLISH.plain(value, signed=signed), GERMAN.plain(value, signed=signed)
    if np.isnan(value):
        assert (english, german) == ("unknown", "unbekannt")
    else:
        assert float(english.replace("−", "-")) == pytest.approx(value, abs=0.051)
        assert german == english.replace(".", ",")
        assert "-" not in english
        assert not (english.startswith(("+", "−")) and float(english[1:]) == 0.0)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="en or de"):
        load_words("fr")
