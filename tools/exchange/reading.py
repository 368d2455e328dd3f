"""Which importer a file needs, and all of them behind one function that says what it took the files for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imu.errors import InputError
from tools.exchange.archive import read_archive
from tools.exchange.bids_reading import is_bids, read_bids
from tools.exchange.capture2go_log import is_capture2go, read_capture2go
from tools.exchange.columns import load_mapping, read_columns
from tools.exchange.incoming import Incoming
from tools.exchange.movella import is_movella, read_movella
from tools.exchange.movesense_log import is_movesense, read_movesense
from tools.exchange.mvn import is_mvn, read_mvn
from tools.exchange.onsensor import is_witmotion, read_witmotion
from tools.exchange.opensense import is_opensense, read_opensense
from tools.exchange.phone_logs import is_metabase, is_polar, read_metabase, read_polar
from tools.exchange.samples_reading import is_samples, read_samples
from tools.exchange.xsens import is_xsens, read_xsens

Segments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    Parameters
    ----------
    name
        In a sentence.
    sign
        By what it is recognised, in a sentence.
    recognises
        Whether a file is of this kind.
    read
        Reads the files of one trial; takes the files, a side, and segments by name.
    whole
        Whether one file is a whole trial; otherwise a trial may be several.
    by_file
        Whether segments are named by file; otherwise by what is in the file.
    """

    name: str
    sign: str
    recognises: Callable[[Path], bool]
    read: Callable[[Sequence[Path], str, Segments], Incoming]
    whole: bool = False
    by_file: bool = True


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _is_answer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(21) == b"age-encryption.org/v1"


def _is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89MCAP0\r\n"


def _read_answer(paths: Sequence[Path], _side: str, _segments: Segments) -> Incoming:
    raise InputError(
        f"{paths[0].name}: is a client's sealed test; `rom client receive {paths[0].name}` opens it "
        "and puts it beside the clinic's test"
    )


def _read_recording(paths: Sequence[Path], _side: str, _segments: Segments) -> Incoming:
    raise InputError(
        f"{paths[0].name}: is a recording already; use it as it is, `rom measure {paths[0].name}`"
    )


KINDS: tuple[Kind, ...] = (
    Kind("an .npz trial", "its name", _is_archive, lambda p, side, _: read_archive(p[0], side), whole=True),
    Kind("a recording", "its first bytes", _is_recording, _read_recording, whole=True),
    Kind("a client's sealed test", "its first bytes", _is_answer, _read_answer, whole=True),
    Kind(
        "BIDS-Motion tables",
        "their names",
        is_bids,
        lambda p, _, segments: read_bids(p, segments),
        by_file=False,
    ),
    Kind(
        "an OpenSim table",
        "its header",
        is_opensense,
        lambda p, _, segments: read_opensense(p[0], segments),
        whole=True,
        by_file=False,
    ),
    Kind(
        "Xsens MT Manager exports",
        "the // lines and the packet counter",
        is_xsens,
        lambda p, _, segments: read_xsens(p, segments),
    ),
    Kind(
        "a table of samples of `rom export`",
        "its columns",
        is_samples,
        lambda p, _side, _segments: read_samples(p[0]),
        whole=True,
    ),
    Kind(
        "Movella DOT exports",
        "the column SampleTimeFine",
        is_movella,
        lambda p, _, segments: read_movella(p, segments),
    ),
    Kind(
        "files of Polar Sensor Logger",
        "the column sensor timestamp [ns]",
        is_polar,
        lambda p, _, segments: read_polar(p, segments),
    ),
    Kind(
        "MetaBase exports of MbientLab sensors",
        "the columns epoc (ms) and x-axis",
        is_metabase,
        lambda p, _, segments: read_metabase(p, segments),
    ),
    Kind(
        "Movesense logs",
        "their first bytes",
        is_movesense,
        lambda p, _, segments: read_movesense(p, segments),
    ),
    Kind(
        "capture2go recordings",
        "a frame with a right checksum",
        is_capture2go,
        lambda p, _, segments: read_capture2go(p, segments),
    ),
    Kind(
        "an MVN export",
        "the element mvnx",
        is_mvn,
        lambda p, _, segments: read_mvn(p[0], segments),
        whole=True,
        by_file=False,
    ),
    Kind(
        "WitMotion files",
        "their columns or frames",
        is_witmotion,
        lambda p, _, segments: read_witmotion(p, segments),
    ),
)


def guess(paths: Sequence[Path], columns: Path | None = None) -> Kind:
    """Return what the files of one trial are; with a declaration of columns, what it declares.

    Raises
    ------
    InputError
        If a file is missing or empty, or they are of no known kind or of several.
    """
    names = ", ".join(path.name for path in paths)
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        if path.stat().st_size == 0:
            raise InputError(f"{path.name}: is empty; export or copy it again")
    if columns is not None:
        mapping = load_mapping(columns)
        return Kind(
            "text tables",
            columns.name,
            lambda _: True,
            lambda p, _, segments: read_columns(p, mapping, segments),
        )
    found = [next((kind for kind in KINDS if kind.recognises(path)), None) for path in paths]
    kinds = list(dict.fromkeys(kind for kind in found if kind is not None))
    whole = [kind for kind in kinds if kind.whole]
    if whole and len(paths) > 1:
        raise InputError(f"{whole[0].name} is a whole trial: import one at a time, got {names}")
    if None in found or not kinds:
        known = " nor ".join(kind.name for kind in KINDS if not kind.name.startswith("a "))
        raise InputError(
            f"{names}: neither {known}; for other tables declare columns and units with --columns FILE.toml"
        )
    if len(kinds) > 1:
        raise InputError(f"{names}: are {' and '.join(k.name for k in kinds)}; import one kind at a time")
    return kinds[0]


def read_incoming(
    paths: Sequence[Path],
    *,
    side: str = "",
    columns: Path | None = None,
    segments: Segments | None = None,
) -> Incoming:
    """Read the files of one trial, whatever program they came from.

    Parameters
    ----------
    paths
        One file that is a whole trial, or one per sensor.
    side
        `left`, `right` or `midline`: of the segments in an `.npz` trial.
    columns
        TOML file that declares columns and units of text tables; None for files with a known layout.
    segments
        Body segment of each file, by file name; of columns or tracked points, where a file has several.

    Raises
    ------
    InputError
        If the files are of no known layout, of several, or break the rules of theirs, or if they name other
        segments or another side than asked for.
    """
    kind = guess(paths, columns)
    strangers = sorted(set(segments or {}) - {path.name for path in paths})
    if strangers and kind.by_file:
        names = ", ".join(path.name for path in paths)
        raise InputError(f"--sensor names {', '.join(strangers)}, but the files are {names}")
    incoming = kind.read(paths, side, segments or {})
    _check_as_asked(incoming, side, segments or {})
    return incoming


def _check_as_asked(incoming: Incoming, side: str, segments: Segments) -> None:
    worn = [sensor.info.segment for sensor in incoming.sensors]
    ignored = [f"{name}={segment}" for name, segment in segments.items() if segment not in worn]
    if ignored:
        raise InputError(
            f"--sensor {' and '.join(ignored)} would change nothing: what is read names its segments itself "
            f"({', '.join(worn)}); leave it out, or leave the segment out there"
        )
    strangers = [segment for segment in worn if {side, segment.partition("_")[0]} == {"left", "right"}]
    if strangers:
        raise InputError(
            f"expected sensors of the {side} side, but these are on {' and '.join(strangers)}; name the "
            "other side or correct the segment"
        )
