"""Calibrations as JSON documents of a kind and a version; what is not known is null."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imu.errors import CalibrationError

FORMAT_VERSION = 1
"""Version of all documents of this layer."""

Fields = Sequence[tuple[str, str]]
"""Name of an attribute, and its key in the document with the unit in the name."""


def expect(document: Mapping[str, Any], kind: str, source: str = "") -> None:
    """Raise `CalibrationError` unless a document is of a kind and of the version that is read here."""
    if document.get("kind") != kind or document.get("version") != FORMAT_VERSION:
        raise CalibrationError(
            f"{source and source + ': '}expected a {kind} document of version {FORMAT_VERSION}, got kind "
            f"{document.get('kind')!r} version {document.get('version')!r}; calibrate again with this "
            "version of rom"
        )


def written(value: object, fields: Fields) -> dict[str, Any]:
    """Return the numbers and arrays of a value under their keys."""
    arrays = {key: np.asarray(getattr(value, name), dtype=np.float64) for name, key in fields}
    return {key: array.tolist() if np.isfinite(array).all() else None for key, array in arrays.items()}


def read(document: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return the known numbers and arrays of a document by attribute.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a key is missing or is no number.
    """
    known: dict[str, Any] = {}
    for name, key in fields:
        if document[key] is not None:
            value = np.array(document[key], dtype=np.float64)
            known[name] = value if value.ndim else float(value)
    return known
