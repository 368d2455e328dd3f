"""Whether a sensor is fit for a measurement, from ten seconds on a table; and which one is being moved."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.clock import ClockReport
from imu.fusion import RestNoise
from imu.sensors.driver import G

MOVED = 0.1
"""Rate above which a sensor does not lie still, rad/s: ten times a poor gyroscope's offset spread."""
NOISY = 5.0
"""Multiple of the typical noise (`RestNoise.typical`) from which a sensor counts as noisy."""
GRAVITY_SLACK = 0.5
"""Specific force at rest may miss gravity by this much, m/s^2: 50 mg, 2.5 times the BMI270's offset."""
LOSS_NOTED, LOSS_REFUSED = 0.01, 0.10
"""Shares of lost samples: doubled or crowded radio from 1 % on (sensor reference C.4, rule 5); unusable at
10 %, where gaps beyond the 50 ms that may be interpolated become common at 60 Hz."""
RATE_SLACK = 0.02
"""How far the true rate may be off its name: a real WitMotion runs 0.7 % slow [K]."""
FIELD_UT = (25.0, 65.0)
"""Range of the Earth's field at sea level, uT (International Geomagnetic Reference Field)."""
SPREAD_MOST = 0.01
"""Time spread of a clock that has settled, s: rule of the reference, 4 ms, and as much again."""
LOW_BATTERY = 15.0

SHAKEN = 2.0
"""Rate of a sensor shaken by hand, rad/s; a limb at ease stays far below."""
LIFTED = 0.5
CLEARLY = 3.0
"""The moving one must move so many times as much as the next."""


@dataclass(frozen=True, slots=True)
class SensorCheck:
    """What ten seconds tell of one sensor. NaN: not known.

    Parameters
    ----------
    sensor
        Its id.
    samples
        How many came.
    nominal_hz
        The rate it was set to.
    verdict
        `good`, `usable` or `not usable`.
    findings
        Why, in words, with what to do.
    rate_hz
        True rate by the capture clock.
    loss
        Share of samples lost.
    gyr_noise, acc_noise
        One sigma per axis from sample to sample, rad/s and m/s^2.
    gyr_offset
        Length of the mean rate at rest, rad/s.
    gravity
        Length of the mean specific force, m/s^2.
    field
        Mean length of the magnetic field, uT.
    time_spread
        One sigma of its time against other sensors', s.
    late
        95 % of packets arrived within this time, s.
    battery
        Percent.
    shared_clock
        Whether it runs on one time base with other sensors; `time_spread` is then that of all of them.
    """

    sensor: str
    samples: int
    nominal_hz: float
    verdict: str
    findings: tuple[str, ...]
    rate_hz: float = math.nan
    loss: float = math.nan
    gyr_noise: float = math.nan
    acc_noise: float = math.nan
    gyr_offset: float = math.nan
    gravity: float = math.nan
    field: float = math.nan
    time_spread: float = math.nan
    late: float = math.nan
    battery: float = math.nan
    shared_clock: bool = False

    def sentence(self) -> str:
        """Return the verdict with its reasons."""
        return f"{self.verdict}: {'; '.join(self.findings)}" if self.findings else self.verdict


def check_sensor(
    sensor: str, block: ImuBlock | None, nominal_hz: float, clock: ClockReport, battery: float = math.nan
) -> SensorCheck:
    """Judge a sensor that was asked to lie still; one that sent nothing is judged, too.

    Parameters
    ----------
    sensor
        Its id.
    block
        Its samples, about ten seconds of them; None if none came.
    nominal_hz
        The rate it was set to.
    clock
        How its time base did.
    battery
        Percent; NaN if not told.
    """
    if block is None or len(block) < nominal_hz:
        words = "it sent almost nothing; switch it off and on, bring it near"
        samples = 0 if block is None else len(block)
        return SensorCheck(sensor, samples, nominal_hz, "not usable", (words,), battery=battery)
    steps = np.diff(block.t)
    rate = 1.0 / float(np.median(steps))
    missing = float(np.sum(np.rint(steps * rate) - 1.0))
    loss = missing / (missing + len(block))
    gyr_noise, acc_noise = _noise(block.gyr), _noise(block.acc)
    offset, gravity = _mean_length(block.gyr), _mean_length(block.acc)
    field = math.nan if block.mag is None else float(np.nanmean(_length(block.mag)))
    still = float(np.nanpercentile(_length(block.gyr), 95)) < MOVED + offset
    usual = RestNoise.typical(rate)
    serious = [
        (loss > LOSS_REFUSED, f"{loss:.0%} of its samples are lost; bring it nearer, use fewer sensors"),
        (
            abs(rate / nominal_hz - 1.0) > RATE_SLACK,
            f"it sends {rate:.1f} instead of {nominal_hz:g} samples a second; switch it off and on",
        ),
    ]
    lesser = [
        (not still, "it moved; put it on a table and check again"),
        (LOSS_NOTED < loss <= LOSS_REFUSED, f"{loss:.1%} of its samples are lost; bring it nearer"),
        (
            still and (gyr_noise > NOISY * usual.gyr or acc_noise > NOISY * usual.acc),
            "it is noisier than its kind; keep it off machines and loudspeakers",
        ),
        (
            still and abs(gravity - G) > GRAVITY_SLACK,
            f"it feels {gravity:.2f} instead of {G:.2f} m/s^2 of gravity; calibrate it",
        ),
        (
            not math.isnan(field) and not FIELD_UT[0] <= field <= FIELD_UT[1],
            f"the magnetic field is {field:.0f} uT, the Earth's is {FIELD_UT[0]:.0f} to {FIELD_UT[1]:.0f}; "
            f"iron is near (angles do not use it)",
        ),
        (
            clock.sigma > SPREAD_MOST and not clock.shared,
            f"its time is known to {clock.sigma * 1e3:.0f} ms; let it run on",
        ),
        (battery < LOW_BATTERY, f"its battery is at {battery:.0f} %; charge it"),
    ]
    reasons = [words for found, words in serious if found]
    verdict = "not usable" if reasons else "good"
    reasons += [words for found, words in lesser if found]
    if verdict == "good" and reasons:
        verdict = "usable"
    return SensorCheck(
        sensor,
        len(block),
        nominal_hz,
        verdict,
        tuple(reasons),
        rate_hz=rate,
        loss=loss,
        gyr_noise=gyr_noise,
        acc_noise=acc_noise,
        gyr_offset=offset,
        gravity=gravity,
        field=field,
        time_spread=clock.sigma,
        late=clock.late_p95,
        battery=battery,
        shared_clock=clock.shared,
    )


def liveliness(block: ImuBlock) -> float:
    """Return the root mean square rate of a block, rad/s; 0 without a known sample."""
    square = (block.gyr * block.gyr).sum(axis=1)
    return math.sqrt(float(np.nanmean(square))) if np.isfinite(square).any() else 0.0


def shaken(levels: Mapping[str, float]) -> str | None:
    """Return the sensor that is being shaken, by `liveliness` of each; None if none clearly is."""
    return _outstanding(levels, SHAKEN)


def lifted_side(levels: Mapping[str, float]) -> str | None:
    """Return the side, `left` or `right`, whose sensors move; None if neither clearly does.

    Parameters
    ----------
    levels
        `liveliness` by segment; segments on the midline do not count.
    """
    sides = {
        side: max((level for segment, level in levels.items() if segment.startswith(side)), default=0.0)
        for side in ("left", "right")
    }
    return _outstanding(sides, LIFTED)


def _outstanding(levels: Mapping[str, float], least: float) -> str | None:
    ranked = sorted(levels, key=lambda name: levels[name], reverse=True)
    if not ranked or levels[ranked[0]] < least:
        return None
    if len(ranked) > 1 and levels[ranked[0]] < CLEARLY * levels[ranked[1]]:
        return None
    return ranked[0]


def _length(vectors: FloatArray) -> FloatArray:
    """Return the lengths (N,) of vectors (N, 3)."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.sqrt(x * x + y * y + z * z)


def _mean_length(vectors: FloatArray) -> float:
    """Return the length of the mean of vectors (N, 3), unknown rows left out."""
    known = vectors[np.isfinite(vectors).all(axis=1)]
    return float(_length(known.mean(axis=0, keepdims=True))[0]) if len(known) else math.nan


def _noise(vectors: FloatArray) -> float:
    """Return one sigma of white noise per axis: from differences of neighbours, so that drift is left out."""
    steps = np.diff(vectors, axis=0)
    return math.sqrt(float(np.nanmean(steps * steps)) / 2.0) if np.isfinite(steps).any() else math.nan
