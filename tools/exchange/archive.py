"""Read a trial of the `.npz` layout: `<seg>_acc`, `<seg>_gyr`, perhaps `<seg>_mag`, at one rate."""

import json
import re
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812  (the class has a lower-case name that says nothing here)

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.incoming import SIDED_SEGMENTS, Incoming, IncomingSensor, with_side
from tools.exchange.plausibility import checked

_SIDE_IN_NOTES = re.compile(r"\b(left|right) (?:arm|leg|side)\b")


def read_archive(path: Path, side: str = "") -> Incoming:
    """Read one trial.

    Parameters
    ----------
    path
        The `.npz` file: `rate` Hz, `meta` a JSON text, `<seg>_acc` (N, 3) m/s^2 specific force,
        `<seg>_gyr` (N, 3) rad/s, `<seg>_mag` (N, 3). Time starts at 0 and steps by 1 / rate.
    side
        `left` or `right`, of the segments that have a side; if empty, what the notes of the file say.

    Returns
    -------
    Incoming
        One sensor per segment with its name in the file; the numbers are exactly those of the file. A
        reference (`<seg>_ref`) is mentioned, not read: it is no evidence of this recording.

    Raises
    ------
    InputError
        If the file is no such archive, a signal is missing or has the wrong shape, or the samples
        contradict physics.
    """
    arrays = _arrays(path)
    segments = sorted(name.removesuffix("_acc") for name in arrays if name.endswith("_acc"))
    if not segments or "rate" not in arrays:
        raise InputError(
            f"{path.name}: expected `rate` and, per segment, `<seg>_acc` and `<seg>_gyr`; got "
            f"{', '.join(sorted(arrays)) or 'nothing'}"
        )
    meta = _meta(path, arrays)
    rate = float(arrays["rate"])
    if not 0.0 < rate < 1e5:
        raise InputError(f"{path.name}: rate must be samples per second, got {rate:g}")
    known = _SIDE_IN_NOTES.search(str(meta.get("notes", "")))
    side = side or (known[1] if known else "")
    sensors = [_sensor(path, arrays, name, rate, side) for name in _ordered(segments, meta)]
    references = sorted(name for name in arrays if name.endswith(("_ref", "_refc")))
    remarks = ["the reference in the file is not imported"] if references else []
    if any(sensor.block.mag is not None for sensor in sensors):
        remarks.append("the magnetic field is in an arbitrary unit and kept as it is")
    source = {
        "reference_in_file": references,
        "licence": meta.get("licence", ""),
        "source": meta.get("source", ""),
    }
    return Incoming((path,), "npz", tuple(sensors), tuple(remarks), source, side)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if not name.endswith(("_ref", "_refc"))} | {
                name: None for name in archive.files if name.endswith(("_ref", "_refc"))
            }
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (BadZipFile, ValueError, EOFError, KeyError, OSError, ZlibError, NotImplementedError) as error:
        found = str(error).rstrip(".")
        raise InputError(
            f"{path.name}: expected an .npz archive of arrays, but {found}; copy the file again"
        ) from None


def _meta(path: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    try:
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}: `meta` must be a JSON text ({error})") from None
    if not isinstance(meta, dict):
        raise InputError(f"{path.name}: `meta` must be a JSON object, got {type(meta).__name__}")
    return meta


def _ordered(segments: list[str], meta: dict[str, Any]) -> list[str]:
    """Return the segments from the trunk outwards, as the joints in the file say."""
    joints = [joint for joint in meta.get("joints", []) if isinstance(joint, dict)]
    chain = dict.fromkeys(str(joint[end]) for joint in joints for end in ("parent", "child") if end in joint)
    return sorted(
        segments, key=lambda segment: list(chain).index(segment) if segment in chain else len(chain)
    )


def _sensor(path: Path, arrays: dict[str, Any], name: str, rate: float, side: str) -> IncomingSensor:
    signals = {kind: _signal(path, arrays, f"{name}_{kind}") for kind in ("acc", "gyr", "mag")}
    acc, gyr, mag = signals["acc"], signals["gyr"], signals["mag"]
    if acc is None or gyr is None:
        raise InputError(f"{path.name}: segment {name} needs both {name}_acc and {name}_gyr")
    lengths = {kind: len(signal) for kind, signal in signals.items() if signal is not None}
    if len(set(lengths.values())) != 1:
        raise InputError(f"{path.name}: the signals of {name} must have one length, got {lengths}")
    segment = with_side(name, side) if name in SIDED_SEGMENTS else name
    info = SensorInfo(name, segment, "import-npz", rate)
    return checked(IncomingSensor(info, ImuBlock(name, np.arange(len(acc)) / rate, gyr, acc, mag)))


def _signal(path: Path, arrays: dict[str, Any], name: str) -> FloatArray | None:
    if name not in arrays:
        return None
    signal = np.asarray(arrays[name])
    if signal.ndim != 2 or signal.shape[1] != 3 or signal.dtype.kind not in "fiu":
        raise InputError(
            f"{path.name}: {name} must be numbers of shape (N, 3), got {signal.dtype} {signal.shape}"
        )
    return np.where(np.isfinite(signal), signal, np.nan).astype(np.float64)
