"""Put what an imagined limb sent into a recording file, like any other capture, marked as simulated."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain as joined
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import STANDARD_GRAVITY
from imu.errors import InputError
from imu.recording_values import RecordingHeader, SensorInfo
from rom.limb import LimbRecording


def write_recording(
    path: Path,
    limbs: Sequence[LimbRecording],
    created_at: datetime,
    *,
    client: str = "simulated",
    phase: str = "",
    calibrations: Sequence[Mapping[str, Any]] = (),
) -> RecordingHeader:
    """Write one or several limbs, captured side by side, as one recording.

    Parameters
    ----------
    path
        The file to make; it must not exist.
    limbs
        At least one; with different sensors. Movement and side go into the header if there is only one.
    created_at
        Wall time, with time zone, at which the capture clock reads 0 s.
    client, phase
        As in the header of any recording.
    calibrations
        Calibration documents to carry along.

    Returns
    -------
    RecordingHeader
        The header that was written.

    Raises
    ------
    InputError
        If there is no limb, or two share a sensor.
    RecordingError
        If the file exists or cannot be made.
    """
    from imu.recording import RecordingWriter

    if not limbs:
        raise InputError("a recording needs at least one limb, got none")
    alone = limbs[0].spec if len(limbs) == 1 else None
    header = RecordingHeader(
        created_at=created_at,
        client=client,
        movement=alone.movement if alone else "",
        side=alone.side if alone else "",
        phase=phase,
        sensors=tuple(joined.from_iterable(_sensors(limb) for limb in limbs)),
        simulated=True,
        notes="Simulated: no person was measured.",
        provenance={"simulator": "rom.limb", "seeds": [limb.seed for limb in limbs]},
    )
    with RecordingWriter(path, header) as writer:
        for calibration in calibrations:
            writer.write_calibration(calibration)
        for event in sorted(joined.from_iterable(limb.events for limb in limbs), key=lambda event: event.t):
            writer.write_event(event)
        blocks = joined.from_iterable(limb.merged() for limb in limbs)
        for block in sorted(blocks, key=lambda block: float(block.t[0])):
            writer.write(block)
    return header


def _sensors(limb: LimbRecording) -> list[SensorInfo]:
    """Return what the header says about the two sensors of a limb."""
    grade = limb.spec.grade
    return [
        SensorInfo(
            sensor,
            segment,
            kind=f"virtual-{grade.name}",
            rate_hz=limb.spec.rate,
            placement="simulated",
            gyr_range_dps=float(np.degrees(grade.gyr_range)) if np.isfinite(grade.gyr_range) else None,
            acc_range_g=grade.acc_range / STANDARD_GRAVITY if np.isfinite(grade.acc_range) else None,
        )
        for sensor, segment in zip(limb.sensors, limb.spec.segments, strict=True)
    ]
