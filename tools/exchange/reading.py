"""Which importer a file needs, and all of them behind one function."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from imu.errors import InputError
from tools.exchange.archive import read_archive
from tools.exchange.columns import load_mapping, read_columns
from tools.exchange.incoming import Incoming
from tools.exchange.movella import is_movella, read_movella
from tools.exchange.onsensor import is_witmotion, read_witmotion


def read_incoming(
    paths: Sequence[Path],
    *,
    side: str = "",
    columns: Path | None = None,
    segments: Mapping[str, str] | None = None,
) -> Incoming:
    """Read the files of one trial, whatever program they came from.

    Parameters
    ----------
    paths
        One `.npz` trial, or one text table per sensor or for all.
    side
        `left`, `right` or `midline`: of the segments in an `.npz` trial.
    columns
        TOML file that declares columns and units of text tables; None for tables with a known layout.
    segments
        Body segment of each text table, by file name.

    Raises
    ------
    InputError
        If the files are of no known layout, of several, or break the rules of theirs.
    """
    names = ", ".join(path.name for path in paths)
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        if path.stat().st_size == 0:
            raise InputError(f"{path.name}: is empty; export or copy it again")
    strangers = sorted(set(segments or {}) - {path.name for path in paths})
    if strangers:
        raise InputError(f"--sensor names {', '.join(strangers)}, but the files are {names}")
    archives = [path for path in paths if path.suffix.lower() == ".npz"]
    if archives:
        if len(paths) > 1:
            raise InputError(f"an .npz file is a whole trial: import one at a time, got {names}")
        return read_archive(paths[0], side)
    if columns is not None:
        return read_columns(paths, load_mapping(columns), segments)
    if all(is_movella(path) for path in paths):
        return read_movella(paths, segments)
    if all(is_witmotion(path) for path in paths):
        return read_witmotion(paths, segments)
    raise InputError(
        f"{names}: neither an .npz trial nor a Movella DOT export nor a WitMotion file; for other tables "
        "declare columns and units with --columns FILE.toml"
    )
