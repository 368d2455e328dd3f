"""What a report says in a language: texts from a catalogue, numbers as they are written there.

A catalogue is a TOML file in this folder. Both hold the same keys with the same fields, so a page cannot
say less in one language than in the other; a test holds them to it.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from imu.errors import InputError
from rom import wording
from rom.catalogue.movement import Movement, Side
from rom.catalogue.structure import Structure

LANGUAGES: tuple[str, ...] = ("en", "de")
"""Languages with a catalogue; the first is the one that the rest of the program speaks."""

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Words:
    """One language.

    Parameters
    ----------
    language
        BCP 47 tag.
    texts
        Sections of the catalogue.
    """

    language: str
    texts: Mapping[str, Mapping[str, str]]

    def say(self, key: str, **fields: object) -> str:
        """Return the text of a key such as "card.before", with its fields filled in."""
        section, _, name = key.partition(".")
        return self.texts[section][name].format(**fields)

    def section(self, name: str) -> Mapping[str, str]:
        """Return every text of a section."""
        return self.texts[name]

    def plain(self, value: float, decimals: int = 1, *, signed: bool = False) -> str:
        """Return a number as this language writes it, "unknown" for NaN."""
        if math.isnan(value):
            return self.say("number.unknown")
        text = f"{value:{'+' if signed else ''}.{decimals}f}"
        if not float(text):
            text = text.lstrip("+-")
        return self.decimal(text.replace("-", "−"))

    def tenths(self, angle: float, *, signed: bool = False) -> str:
        """Return an angle (rad) in degrees with one decimal and no sign of degrees, for tables."""
        return self.plain(math.degrees(angle), signed=signed)

    def degrees(self, angle: float, *, signed: bool = False) -> str:
        """Return an angle (rad) in whole degrees, as `rom.wording.degrees`."""
        return f"{self.number(angle, signed=signed)}°"

    def number(self, angle: float, *, signed: bool = False) -> str:
        """Return an angle (rad) in whole degrees without the sign of degrees."""
        return self.say("number.unknown") if math.isnan(angle) else wording.number(angle, signed=signed)

    def limit(self, angle: float) -> str:
        """Return a limit (rad), as `rom.wording.yardstick`."""
        return self.decimal(wording.yardstick(angle))

    def decimal(self, text: str) -> str:
        """Return a text that is a number with the decimal sign of this language."""
        return text.replace(".", self.say("number.decimal"))

    def title(self, movement: Movement, side: Side) -> str:
        """Return a movement with its side in plain words; in English as the catalogue of movements has it."""
        own = self.texts.get("movement", {}).get(movement.id)
        return movement.title(side) if own is None else own.format(side=self.say(f"side.{side}"))

    def structure(self, structure: Structure) -> str:
        """Return the name of a structure."""
        return self.texts.get("structure", {}).get(structure.id, structure.name)

    def segment(self, segment: str) -> str:
        """Return the name of a segment, with its side where it has one; a dash if it is not known."""
        known = self.section("segment")
        if segment in known:
            return known[segment]
        side, _, own = segment.partition("_")
        if own not in known or side not in self.section("side"):
            return segment or self.say("table.none")
        return self.say("method.segment", segment=known[own], side=self.say(f"side.{side}"))

    def called(self, earlier: date, today: date) -> str:
        """Return what people call an earlier day: its weekday within a week, else its date."""
        days = (today - earlier).days
        return self.say(f"weekday.{earlier.isoweekday()}") if 0 < days < 7 else self.day(earlier)

    def day(self, day: date) -> str:
        """Return a date as it is written."""
        return day.strftime(self.say("number.date"))

    def phrase(self, text: str) -> str:
        """Return what another room said in English, in this language.

        Templates of the section `phrase` are tried in order; their fields are kept, those named `why...` are
        phrases and those named `part...` segments; parts after a semicolon are phrases of their own. What no
        template knows stays as it is.
        """
        if self.language == LANGUAGES[0]:
            return text
        for key, pattern in _patterns():
            found = pattern.fullmatch(text)
            if found:
                fields = {name: self._field(name, value) for name, value in found.groupdict().items()}
                return self.say(f"phrase.{key}", **fields)
        if "; " in text:
            return "; ".join(self.phrase(part) for part in text.split("; "))
        return text

    def _field(self, name: str, value: str) -> str:
        if name.startswith("why"):
            return self.phrase(value)
        if name.startswith("part"):
            return self.segment(value.lower().replace(" ", "_"))
        if _ISO_DAY.fullmatch(value):
            return self.day(date.fromisoformat(value))
        return re.sub(r"(?<=\d)\.(?=\d)", self.say("number.decimal"), value)


@cache
def load_words(language: str = "en") -> Words:
    """Return a language.

    Raises
    ------
    InputError
        If there is no catalogue for it.
    """
    if language not in LANGUAGES:
        raise InputError(f"reports are written in {' or '.join(LANGUAGES)}, got {language!r}; choose one")
    source = files("tools.report") / f"texts_{language}.toml"
    texts: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    return Words(language, texts)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the English phrases as patterns, each field a group."""
    found: list[tuple[str, re.Pattern[str]]] = []
    for key, template in load_words().section("phrase").items():
        parts = re.split(r"\{(\w+)\}", template)
        text = "".join(
            f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        found.append((key, re.compile(text)))
    return tuple(found)
