"""How a command answers: a page for people or, with `--json`, one JSON document for programs."""

import json
import math
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def emit(document: object, text: str, *, as_json: bool) -> None:
    """Print the document as JSON or its text for people.

    Parameters
    ----------
    document
        Mappings, sequences, strings, numbers, booleans and None. NaN and infinities become null.
    text
        What a person reads; printed as it is.
    as_json
        Which of the two.
    """
    if as_json:
        print(json.dumps(_finite(document), indent=2, ensure_ascii=False))
    else:
        print(text)


def probability(value: float) -> str:
    """Return a probability with three decimals; nothing is certain, so not 0 nor 1."""
    if value > 0.9995:
        return "above 0.999"
    return f"{value:.3f}" if value >= 0.0005 else "below 0.001"


@contextmanager
def progress(title: str) -> Generator[Callable[[float], None]]:
    """Show progress on the error stream, if a person watches; yield what moves it (share done, 0 to 1)."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda share: bar.update(task, total=1.0, completed=share)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_finite(item) for item in value]
    return value
