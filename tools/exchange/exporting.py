"""Every export behind one function: what it writes, what it leaves out, and that nothing is overwritten."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from imu.errors import InputError
from tools.exchange import bids, c3d, fhir, opensim, spreadsheet, viewer
from tools.exchange.outgoing import Outgoing, gather


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Parameters
    ----------
    write
        Writes trials to a place; may return sentences for the user.
    drops
        What of a trial is not in it.
    several
        Whether one export holds several trials.
    measured
        Whether it needs the analysed movement.
    targets
        The files that a place stands for.
    """

    write: Callable[[Sequence[Outgoing], Path], Sequence[str] | None]
    drops: str
    several: bool
    measured: bool
    targets: Callable[[Path], tuple[Path, ...]] = lambda out: (out,)


FORMATS: Mapping[str, Format] = {
    "csv-reps": Format(spreadsheet.write_reps, spreadsheet.REPS_DROP, several=True, measured=True),
    "csv-samples": Format(spreadsheet.write_samples, spreadsheet.SAMPLES_DROP, several=True, measured=False),
    "bids": Format(bids.write_bids, bids.DROPS, several=True, measured=True),
    "opensim": Format(
        opensim.write_opensim, opensim.DROPS, several=False, measured=True, targets=opensim.targets
    ),
    "c3d": Format(c3d.write_c3d, c3d.DROPS, several=False, measured=True),
    "fhir": Format(fhir.write_bundle, fhir.DROPS, several=True, measured=True),
    "foxglove": Format(viewer.write_viewer, viewer.DROPS, several=False, measured=True),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made, what it left out, and what the user must know."""

    files: tuple[Path, ...]
    drops: str
    remarks: tuple[str, ...]
    trials: int


def export(
    paths: Sequence[Path],
    name: str,
    out: Path,
    *,
    movement: str = "",
    side: str = "",
    deidentify: bool = False,
    force: bool = False,
) -> Exported:
    """Export recordings.

    Parameters
    ----------
    paths
        Recordings.
    name
        One of `FORMATS`.
    out
        File or, for `bids`, folder to make.
    movement, side
        Only these trials; all if empty.
    deidentify
        Whether to take out everything that could say who it was and when.
    force
        Whether files that exist may be replaced.

    Raises
    ------
    RomcapError
        If the format is unknown, something exists, or a recording cannot be measured.
    """
    if name not in FORMATS:
        raise InputError(f"expected a format of {', '.join(FORMATS)}, got {name}")
    chosen = FORMATS[name]
    taken = [path for path in chosen.targets(out) if path.exists() and not _is_empty_folder(path)]
    if taken and not force:
        raise InputError(f"{taken[0]}: exists already; choose another name, or pass --force to replace it")
    trials = gather(paths, movement=movement, side=side, measure=chosen.measured, deidentify=deidentify)
    if len(trials) > 1 and not chosen.several:
        found = ", ".join(f"{each.movement} {each.side} {each.phase}".strip() for each in trials)
        raise InputError(
            f"{name} holds one trial, got {len(trials)}: {found}; name one with --movement or --side"
        )
    try:
        with TemporaryDirectory(dir=out.parent, prefix=".rom-export-") as folder:
            made = list(chosen.write(trials, Path(folder) / out.name) or ())
            files = tuple(_moved(Path(folder), out.parent))
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror or error}); check folder and disk"
        ) from None
    missing = [sentence for trial in trials for sentence in trial.missing()]
    return Exported(files, chosen.drops, (*made, *missing), len(trials))


def _moved(source: Path, target: Path) -> Iterator[Path]:
    """Put every file written into its place, once all of them are whole; yield where they are."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
        yield place


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
