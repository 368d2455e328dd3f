"""Loops over numbers turned into machine code: the only importer of `numba`.

A live session works on a handful of samples at a time, where numpy costs by the call and not by the
number. What is decorated here is compiled once, kept on disk beside its source and loaded from there.
Arithmetic is kept as written (no fast-math), so a row gets the same bits alone as among a million.

The copy on disk is renewed when its own file changes, or one of the rooms whose compiled functions or types
it uses. A plain number of any other room is frozen in, so it is given as an argument instead.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeVar, cast

import numba
import numpy as np
from filelock import FileLock
from numba.core import config
from numba.extending import is_jitted
from platformdirs import user_cache_path

_LAYERS = ("imu.", "calibration.", "rom.")
_config: Any = config
_Function = TypeVar("_Function", bound=Callable[..., Any])


def rowwise(layout: str) -> Callable[[Callable[..., None]], Callable[..., Any]]:
    """Return the decorator that applies a function of rows to arrays that broadcast, as a ufunc would.

    Parameters
    ----------
    layout
        Core shapes in numpy's words, such as `(n),(n)->(n)`. The decorated function takes one float64 row of
        each input (a plain float where the layout says `()`) and fills one row of each output. Arrays in any
        memory order are taken, read-only ones too; several outputs come as a tuple.
    """
    inputs, outputs = (side.split("),(") for side in layout.split("->"))
    row = [_core(part, numba.float64) for part in inputs]
    row += [_core(part, numba.float64[:]) for part in outputs]

    def decorate(function: Callable[..., None]) -> Callable[..., Any]:
        with one_compiler(), _copy_of(function):
            loops: Any = numba.guvectorize([tuple(row)], layout, nopython=True, cache=True)(function)
        rows: Callable[..., Any] = loops.ufunc

        def apply(*arrays: Any) -> Any:
            with np.errstate(all="ignore"):  # comparing unknown numbers sets a flag, but is no mistake
                return rows(*arrays)

        return apply

    return decorate


def sequential(layout: str) -> Callable[[_Function], _Function]:
    """Return the decorator that compiles a function which walks through whole arrays in order.

    Parameters
    ----------
    layout
        Shapes as for `rowwise`, with another meaning: what is before the arrow is only read, float64 arrays
        in any memory order or plain floats; arrays behind the arrow are handed in as well and written to.
        What the function returns is returned.
    """
    read, _, written = layout.partition("->")
    types = [_whole(part, readonly=True) for part in read.split("),(")]
    types += [_whole(part, readonly=False) for part in written.split("),(") if part]

    def decorate(function: _Function) -> _Function:
        with _copy_of(function):
            return cast(_Function, numba.njit(tuple(types), cache=True, error_model="numpy")(function))

    return decorate


def one_compiler() -> FileLock:
    """Return the lock that keeps other processes of this user from compiling.

    numba keeps a `rowwise` function on disk in two parts that fit each other only if one process made both;
    parts of two, begun at once on a fresh machine, would crash every later process.
    """
    try:
        folder = user_cache_path("romcap", ensure_exists=True)
    except OSError:  # a home that is missing or read-only
        folder = Path(gettempdir())
    return FileLock(folder / "compiling.lock")


def compiled(function: _Function) -> _Function:
    """Return a function of floats and arrays as machine code; dividing by zero gives inf or NaN."""
    with _copy_of(function):
        return cast(_Function, numba.njit(cache=True, error_model="numpy")(function))


@contextmanager
def _copy_of(function: Callable[..., Any]) -> Generator[None]:
    """Let the copy on disk lie in a folder of its own for each state of the rooms that a function draws on.

    numba looks at the function's own file only, and would go on with what it took from an older room.
    """
    here = Path(function.__code__.co_filename)
    others = sorted(_rooms(function, set()) - {here})
    before = _config.CACHE_DIR
    if others:
        states = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in others]
        folder = Path(before) if before else here.parent / "__pycache__"
        _config.CACHE_DIR = str(folder / sha256(repr(states).encode()).hexdigest()[:16])
    try:
        yield
    finally:
        _config.CACHE_DIR = before


def _rooms(function: Callable[..., Any], known: set[Path]) -> set[Path]:
    """Return the files of the compiled functions and of the types that a room uses, its own included."""
    path = Path(function.__code__.co_filename)
    if path not in known:
        known.add(path)
        for each in list(function.__globals__.values()):
            if is_jitted(each):
                _rooms(each.py_func, known)
            elif isinstance(each, type) and each.__module__.startswith(_LAYERS):
                known.add(Path(str(sys.modules[each.__module__].__file__)))
    return known


def _sizes(part: str) -> int:
    return len([name for name in part.strip("()").split(",") if name])


def _core(part: str, lone: Any) -> Any:
    return numba.float64[(slice(None),) * _sizes(part)] if _sizes(part) else lone


def _whole(part: str, *, readonly: bool) -> Any:
    if not _sizes(part):
        return numba.float64
    return numba.types.Array(numba.float64, _sizes(part), "A", readonly=readonly)
