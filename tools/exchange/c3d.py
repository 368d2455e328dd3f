"""One trial as C3D: the joint's angles and, on the same grid, what the sensors measured."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording_summary import gaps
from tools.exchange.outgoing import Outgoing

MOST_FRAMES = 65535
"""Frames that the header of a C3D file can count (16 bits)."""

DROPS = (
    "sigma, flags, events, passes, calibration, and the sensors' own sample times (interpolated to one grid)"
)

_SIGNALS = (("GYR", "rad/s"), ("ACC", "m/s2"), ("MAG", "uT"))


def write_c3d(trials: Sequence[Outgoing], out: Path) -> list[str]:
    """Write one trial; return what the user must know.

    Raises
    ------
    InputError
        If the library is not installed.
    """
    try:
        import ezc3d
    except ImportError:
        raise InputError("C3D needs a library; install the extra: pip install 'romcap[c3d]'") from None
    (trial,) = trials
    measured = trial.measured()
    series, rate = measured.series, measured.setup.output_rate
    name = f"{trial.side[:1].upper()}_{trial.movement}"
    labels, units, analogs = _analogs(trial, series.t)
    file: Any = ezc3d.c3d()
    points = np.ones((4, 1, len(series)))
    points[:3, 0] = np.degrees(series.angle).T
    parameters = file["parameters"]
    parameters["POINT"]["UNITS"]["value"] = ["deg"]
    parameters["POINT"]["RATE"]["value"] = [rate]
    parameters["POINT"]["LABELS"]["value"] = [name]
    parameters["ANALOG"]["RATE"]["value"] = [rate]
    parameters["ANALOG"]["LABELS"]["value"] = labels
    parameters["ANALOG"]["UNITS"]["value"] = units
    file["data"]["points"] = points
    file["data"]["analogs"] = analogs[np.newaxis]
    file.add_parameter("POINT", "ANGLES", [name])
    file.add_parameter("POINT", "ANGLE_UNITS", ["deg"])
    file.add_parameter("ROMCAP", "MOVEMENT", [trial.movement])
    file.add_parameter("ROMCAP", "SIDE", [trial.side])
    file.add_parameter("ROMCAP", "RECORDING_SHA256", [trial.content])
    file.add_parameter("ROMCAP", "SIMULATED", [int(trial.simulated)])
    file.add_parameter("ROMCAP", "FIRST_TIME_S", [float(series.t[0])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        file.write(str(out))
    if len(series) <= MOST_FRAMES:
        return []
    minutes = MOST_FRAMES / rate / 60.0
    return [
        f"{len(series)} frames are more than the {MOST_FRAMES} that C3D counts: most programs will see the "
        f"first {minutes:.1f} minutes; export trials one by one"
    ]


def _analogs(trial: Outgoing, t: FloatArray) -> tuple[list[str], list[str], FloatArray]:
    """Return labels, units and values (channels, N) of every sensor at the instants t."""
    labels: list[str] = []
    units: list[str] = []
    rows: list[FloatArray] = []
    for number, info in enumerate(trial.sensors, start=1):
        block = trial.block(info.sensor)
        for (signal, unit), values in zip(_SIGNALS, (block.gyr, block.acc, block.mag), strict=True):
            if values is None:
                continue
            labels += [f"{signal}{number}_{axis}_{info.segment}" for axis in "XYZ"]
            units += [unit] * 3
            rows += [_at(t, block, values[:, axis]) for axis in range(3)]
    return labels, units, np.stack(rows)


def _at(t: FloatArray, block: ImuBlock, values: FloatArray) -> FloatArray:
    """Return a signal at other instants, linearly; NaN outside the samples and inside gaps."""
    out = np.interp(t, block.t, values, left=np.nan, right=np.nan)
    for start, stop, _ in gaps(block.t):
        out[(t > start) & (t < stop)] = np.nan
    return out
