"""What a capture knows of its own sensors before they are worn: their calibrations and noise at rest."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from calibration.sensor import SensorCalibration, combine
from imu.block import ImuBlock
from imu.quiet import NoiseMeter
from imu.recording import Event, Recording
from imu.sync import PATIENCE

ON_THE_LIMB = ("calibration_start", "trial_start", "treatment_start", "pass_start")
"""Events that only happen once the sensors are worn."""


def worn_since(events: Iterable[Event]) -> float:
    """Return when the sensors were on the limb at the latest, s; minus infinity if nothing says so."""
    return min((event.t for event in events if event.kind in ON_THE_LIMB), default=-math.inf)


def sensor_documents(documents: Iterable[Mapping[str, Any]]) -> list[SensorCalibration]:
    """Return the calibrations of sensors among the documents of a recording.

    Raises
    ------
    CalibrationError
        If one is of another version or damaged.
    """
    return [SensorCalibration.from_document(each) for each in documents if each.get("kind") == "sensor"]


def known_sensors(
    calibrations: Sequence[SensorCalibration],
    blocks: Iterable[ImuBlock],
    rates: Mapping[str, float],
    worn_from: float,
) -> dict[str, SensorCalibration]:
    """Return what is known of each sensor: its calibrations and, first of all, its own rest on the table.

    Parameters
    ----------
    calibrations
        Of any sensors; of several of one sensor the later one counts.
    blocks
        Those of the capture from its beginning, in order for each sensor; read up to `worn_from`.
    rates
        Nominal sampling rate of each sensor, Hz; others are left out.
    worn_from
        When the sensors are on the limb at the latest, s.
    """
    meters = {sensor: NoiseMeter(rate) for sensor, rate in rates.items()}
    if math.isfinite(worn_from):
        waiting = set(meters)
        for block in blocks:
            early = int(block.t.searchsorted(worn_from))
            if early < len(block):
                waiting.discard(block.sensor)
            if not waiting or (early == 0 and len(block) and block.t[0] > worn_from + PATIENCE):
                break
            if block.sensor in meters:
                meters[block.sensor].add(block[:early])
    found: dict[str, SensorCalibration] = {}
    for sensor, meter in meters.items():
        known = [each for each in calibrations if each.sensor == sensor]
        noise = meter.result()
        if noise is not None:
            known.append(SensorCalibration(sensor, gyr_noise=noise.gyr, acc_noise=noise.acc))
        if known:
            found[sensor] = combine(*known)
    return found


def sensors_of(recording: Recording, rates: Mapping[str, float]) -> dict[str, SensorCalibration]:
    """Return what a recording knows of its sensors; see `known_sensors`."""
    return known_sensors(
        sensor_documents(recording.calibrations), recording.blocks(), rates, worn_since(recording.events)
    )
