"""Orientation of every sensor over time in one earth frame, as other programs want it."""

from dataclasses import dataclass, replace

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError
from imu.fusion import make_filter
from imu.quaternion import multiply
from imu.sync import Frames, Synchroniser
from rom.trusted import TrustedSamples
from tools.exchange.outgoing import Outgoing


@dataclass(frozen=True, slots=True, eq=False)
class Orientations:
    """Sensors at common instants.

    Parameters
    ----------
    t : (M,)
        Instants k / rate, s on the capture clock.
    rate
        Instants per second, Hz.
    sensors, segments
        Ids, and where they are worn; S of each.
    q_earth_from_sensor : (M, S, 4)
        Earth frame z up; NaN inside gaps.
    q_sensor_from_segment : (S, 4)
        How each sits on its segment; NaN where no calibration says so.
    one_heading
        Whether the sensors share a heading. Otherwise each has its own, which drifts.
    """

    t: FloatArray
    rate: float
    sensors: tuple[str, ...]
    segments: tuple[str, ...]
    q_earth_from_sensor: FloatArray
    q_sensor_from_segment: FloatArray
    one_heading: bool


def orientations(trial: Outgoing) -> Orientations:
    """Return the orientation of the sensors that measure a movement, by the filter of its analysis.

    With a calibrated joint both sensors are brought into the proximal one's earth frame by the relative
    heading of the analysis; the direction of that frame's x axis is arbitrary. Of a joint that was calibrated
    again, instants before the last calibration are NaN: the sensors sat otherwise than it says.

    Raises
    ------
    InputError
        If there are no instants with all sensors.
    """
    setup = trial.measured().setup
    rate = setup.output_rate
    ids = {own.sensor: sensor for own, sensor in zip(setup.sensors, trial.tracked(), strict=True)}
    names = tuple(ids.values())
    tracked = {ids[each.sensor]: each for each in setup.sensors}
    samples = TrustedSamples(setup.sensors)
    filters = {
        name: make_filter(setup.filter_name, each.rate, each.noise, setup.magnetometer)
        for name, each in tracked.items()
    }
    synchroniser = Synchroniser(names, rate, {name: each.rate for name, each in tracked.items()})
    parts = [
        synchroniser.feed(filters[block.sensor].feed(block), block)
        for block in (
            replace(samples.feed(replace(block, sensor=tracked[block.sensor].sensor)), sensor=block.sensor)
            for block in trial.blocks()
            if block.sensor in tracked
        )
    ]
    parts = [part for part in [*parts, synchroniser.finish()] if len(part)]
    if not parts:
        raise InputError("expected instants with all sensors, found none; the sensors do not overlap in time")
    t, q = np.concatenate([part.t for part in parts]), np.concatenate([part.q for part in parts])
    mounting = np.full((len(names), 4), np.nan)
    calibration = setup.calibration
    one_heading = len(names) == 1
    if calibration is not None:
        ends = {end.sensor: end.q_sensor_from_segment for end in (calibration.proximal, calibration.distal)}
        for at, own in enumerate(ids):
            mounting[at] = ends.get(own, mounting[at])
        if len(names) == 2 and calibration.freedom > 0:
            heading = setup.estimator(calibration)
            worn = int(np.searchsorted(t, setup.worn_from))
            turns = [heading.feed(_since(part, setup.worn_from)).q_earth1_from_earth2 for part in parts]
            q[worn:, 1] = multiply(np.concatenate(turns), q[worn:, 1])
            one_heading = True
    if trial.measured().renewals:
        q[t < setup.worn_from] = np.nan
    segment_of = {info.sensor: info.segment for info in trial.sensors}
    return Orientations(
        t,
        rate,
        names,
        tuple(segment_of[name] for name in names),
        q,
        mounting,
        one_heading,
    )


def _since(frames: Frames, moment: float) -> Frames:
    """Return the instants from when the sensors were worn: before, the joint's laws do not hold."""
    return frames[int(np.searchsorted(frames.t, moment)) :]
