"""What one recording says to a visit: reps, passes, calibration and sensors as values, angles in degrees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from imu.recording_values import SensorInfo


@dataclass(frozen=True)
class MeasuredRep:
    """There and back once; times in s on the capture clock, angles in degrees, NaN where not known.

    `value_deg` is the end angle that counts for the test; `details` are further columns of the store.
    """

    t0_s: float
    t1_s: float
    value_deg: float
    valid: bool
    reject_reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class MeasuredPass:
    """One travel under contact; times in s on the capture clock, angles in degrees."""

    t0_s: float
    t1_s: float
    start_deg: float
    end_deg: float
    mean_speed_dps: float
    discomfort: float | None = None
    stop_reason: str = ""


@dataclass(frozen=True)
class Measured:
    """One recording, analysed.

    Parameters
    ----------
    path, sha256, recording_id, recorded_at, duration_s, simulated, client
        The file, and what its header says.
    sensors
        The sensors of the capture.
    movement, side, aggregate
        What was measured and how its reps are summed up.
    reps, passes
        What was found.
    residual_deg
        Residual of the calibration that was used, NaN if there was none.
    calibration
        The calibration as a document, None if there was none.
    sample
        What comparisons use, in rad: `peak` and `plateau` (None where not held) of the valid reps in order,
        their `numbers`, and their shared errors as `rom.sample.RepSample` takes them.
    quality, provenance
        Documents that go with the trial.
    """

    path: Path
    sha256: str
    recording_id: str
    recorded_at: datetime
    duration_s: float
    simulated: bool
    client: str
    sensors: tuple[SensorInfo, ...]
    movement: str
    side: str
    aggregate: str
    reps: tuple[MeasuredRep, ...]
    passes: tuple[MeasuredPass, ...] = ()
    residual_deg: float = float("nan")
    calibration: Mapping[str, Any] | None = None
    sample: Mapping[str, Any] = field(default_factory=dict[str, Any])
    quality: Mapping[str, Any] = field(default_factory=dict[str, Any])
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
