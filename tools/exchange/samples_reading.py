"""Read the table of samples that `rom export --format csv-samples` writes: every number comes back."""

import csv
from pathlib import Path

import numpy as np

from imu.block import ImuBlock
from imu.errors import InputError
from imu.recording import SensorInfo
from tools.exchange.incoming import Incoming, IncomingSensor
from tools.exchange.plausibility import checked
from tools.exchange.spreadsheet import SAMPLE_COLUMNS


def is_samples(path: Path) -> bool:
    """Return whether a file has the columns of such a table."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return tuple(file.readline(4096).strip().split(",")) == SAMPLE_COLUMNS
    except OSError:
        return False


def read_samples(path: Path) -> Incoming:
    """Read the samples of one recording.

    Raises
    ------
    InputError
        If the table holds several recordings, a line is cut or no number, or the samples contradict physics.
    """
    rows: dict[tuple[str, str, str], list[list[float]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if number == 1:
                continue
            try:
                values = [float(cell or "nan") for cell in row[3:]]
                if len(row) != len(SAMPLE_COLUMNS):
                    raise ValueError
            except ValueError:
                raise InputError(
                    f"{path.name}: expected {len(SAMPLE_COLUMNS)} cells and numbers, but line {number} is "
                    "cut or damaged; export it again"
                ) from None
            rows.setdefault((row[0], row[1], row[2]), []).append(values)
    recordings = sorted({key[0] for key in rows})
    if len(recordings) != 1:
        raise InputError(
            f"{path.name}: expected the samples of one recording, got {len(recordings)}; export each alone"
        )
    sensors = tuple(_sensor(sensor, segment, values) for (_, sensor, segment), values in rows.items())
    source = {"exported_from_sha256": recordings[0]}
    return Incoming((path,), "csv-samples", sensors, (), source)


def _sensor(sensor: str, segment: str, values: list[list[float]]) -> IncomingSensor:
    table = np.array(values)
    mag = table[:, 7:10] if np.isfinite(table[:, 7:10]).any() else None
    block = ImuBlock(sensor, table[:, 0].copy(), table[:, 1:4].copy(), table[:, 4:7].copy(), mag)
    return checked(IncomingSensor(SensorInfo(sensor, segment, "import-csv", float("nan")), block))
