"""What the tests of exports share."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.exchange.outgoing import Outgoing, gather


@pytest.fixture(scope="module")
def measured_once() -> Iterator[None]:
    """Let exports of the same recordings share one analysis: it is the slow part, and not what is tested."""
    known: dict[str, list[Outgoing]] = {}

    def once(paths: Sequence[Path], **options: Any) -> list[Outgoing]:
        key = repr((paths, options))
        known[key] = known.get(key) or gather(paths, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.exchange.exporting.gather", once)
        yield
