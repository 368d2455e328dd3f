"""Find an entry from the few letters that a person types with busy hands."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from math import inf

_CLOSE = 0.75


def rank(query: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the ids of the entries that fit a query, best first.

    Every word of the query has to fit: as the beginning of a word of the entry ("biceps f" fits "biceps
    femoris"), as the end of a number ("42" fits "P0042"), or, where nothing fits as typed, as a near
    miss ("hamstrngs"). An exact id comes first, then fits in the id and in earlier names; ties keep the
    order.

    Parameters
    ----------
    query
        What was typed. Nothing typed fits everything.
    names
        For every id, the names to search, the most telling first.

    Returns
    -------
    list of str
        Ids.
    """
    typed = _words(query)
    if not typed:
        return list(names)
    for fits in (_fits_as_typed, _fits_nearly):
        scores = {entry: _score(query, typed, entry, texts, fits) for entry, texts in names.items()}
        found = sorted((entry for entry in scores if scores[entry] < inf), key=scores.__getitem__)
        if found:
            return found
    return []


def _score(
    query: str, typed: list[str], entry: str, texts: Sequence[str], fits: Callable[[str, str], bool]
) -> float:
    if query.strip().lower() == entry.lower():
        return -1.0
    levels = [_words(text) for text in (entry, *texts)]
    places = [
        next((place for place, words in enumerate(levels) if any(fits(part, word) for word in words)), inf)
        for part in typed
    ]
    return float(sum(places))


def _fits_as_typed(part: str, word: str) -> bool:
    return word.startswith(part) or (part.isdigit() and re.fullmatch(rf"\D*0*{part}", word) is not None)


def _fits_nearly(part: str, word: str) -> bool:
    return _fits_as_typed(part, word) or SequenceMatcher(None, part, word).ratio() >= _CLOSE


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
