"""Read OpenSense's orientation tables: `.sto`, one quaternion per body's sensor and row."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imu.block import FloatArray
from imu.counted import counted
from imu.errors import InputError
from tools.exchange.incoming import Incoming
from tools.exchange.opensim import BODIES
from tools.exchange.orientation_only import REMARK, from_orientations

_RATE = re.compile(r"(?im)^\s*DataRate\s*=\s*([0-9.eE+-]+)")
_SEGMENTS = {
    "femur": "thigh",
    "tibia": "shank",
    "calcn": "foot",
    "talus": "foot",
    "humerus": "upperarm",
    "radius": "forearm",
    "ulna": "forearm",
    "hand": "hand",
    "pelvis": "pelvis",
    "torso": "thorax",
    "head": "head",
}


def is_opensense(path: Path) -> bool:
    """Return whether a file is a table of OpenSim, of whatever data."""
    try:
        with path.open("rb") as file:
            start = file.read(4096).decode("utf-8", errors="replace").lower()
    except OSError:
        return False
    return "endheader" in start and ("datatype=" in start.replace(" ", "") or "indegrees" in start)


def read_opensense(path: Path, segments: Mapping[str, str] | None = None) -> Incoming:
    """Read a table of orientations.

    Parameters
    ----------
    path
        The `.sto` file.
    segments
        Body segment of a column, by the column's name, where its name is no body of OpenSim's models.

    Raises
    ------
    InputError
        If it holds something else than orientations, is cut, or a column's segment is not known.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    head, _, body = text.partition("endheader")
    if "quaternion" not in head.lower():
        raise InputError(
            f"{path.name}: expected orientations (DataType=Quaternion), but this table holds angles "
            "or forces; export the sensors' orientations instead"
        )
    lines = [line for line in body.splitlines() if line.strip()]
    names = lines[0].split("\t") if lines else []
    if len(names) < 2 or names[0].strip().lower() != "time":
        raise InputError(f"{path.name}: expected a column time and one per sensor below the header")
    rows = [line.split("\t") for line in lines[1:]]
    whole = [row for row in rows if len(row) >= len(names)]
    if len(whole) < 2:
        raise InputError(
            f"{path.name}: expected lines of orientations below the names; the file is empty or cut"
        )
    t = np.array([_numbers(row[0], 1)[0] for row in whole])
    rate = _RATE.search(head)
    given = segments or {}
    sensors = tuple(
        from_orientations(
            name.strip(),
            _segment(path, name.strip(), given),
            t - t[0],
            _column(whole, at),
            float(rate[1]) if rate and float(rate[1]) > 0.0 else float("nan"),
        )
        for at, name in enumerate(names[1:], start=1)
    )
    lost = len(rows) - len(whole)
    remarks = [REMARK, *([f"{counted(lost, 'line')} with too few cells left out"] if lost else [])]
    return Incoming((path,), "opensense", sensors, tuple(remarks))


def _column(rows: list[list[str]], at: int) -> FloatArray:
    return np.array([_numbers(row[at], 4) for row in rows])


def _numbers(cell: str, count: int) -> list[float]:
    try:
        values = [float(value) for value in cell.split(",")]
    except ValueError:
        values = []
    return values if len(values) == count else [float("nan")] * count


def _segment(path: Path, name: str, given: Mapping[str, str]) -> str:
    if name in given:
        return given[name]
    body = re.sub(r"_imu$", "", name.lower())
    side = {"_l": "left_", "_r": "right_"}.get(body[-2:], "")
    known = _SEGMENTS.get(body.removesuffix("_l").removesuffix("_r"))
    if known is None:
        raise InputError(
            f"{path.name}: on which segment is {name}? expected a body like {', '.join(BODIES.values())} "
            f"with _l or _r, or --sensor {name}=right_forearm"
        )
    return side + known
