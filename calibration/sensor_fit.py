"""Compute the calibration of one sensor: at rest on a table, put down in positions, turned all ways.

Each function takes samples of one sensor and returns a `SensorCalibration` that knows its part; `combine`
joins them. What cannot give a good calibration is refused with the cause and what to do.
"""

from itertools import pairwise
from typing import NoReturn

import numpy as np

from calibration.ellipsoid import Ellipsoid, fit
from calibration.sensor import SensorCalibration
from imu.block import STANDARD_GRAVITY, BoolArray, FloatArray, ImuBlock
from imu.errors import CalibrationError
from imu.triad import through

_DEG = np.pi / 180.0

WINDOW = 0.5
"""Signals are judged in windows this long, s."""

SHORTEST_REST = 3.0
"""Shortest rest that gives a gyroscope bias, s: the neutral pose of a test lasts as long."""

_REST_RATE = 0.05 * _DEG
"""How far the mean rate of a window may be off, beyond noise, rad/s: well below the 0.3 deg/s of a swaying
limb, well above the wander of a bias in seconds (`../shared/reference/algorithms.md` 3)."""

_REST_FORCE = 0.03
"""The same for specific force, m/s^2: a tilt of 0.17 deg."""

_NOISIEST_RATE, _NOISIEST_FORCE = 0.5 * _DEG, 0.1
"""No sensor at rest scatters more than this within a window, rad/s and m/s^2: twice what 14 mdps/rtHz and
300 ug/rtHz, worse than any data sheet here, give at 400 Hz."""

_LARGEST_BIAS = 10.0 * _DEG
"""No data sheet allows a larger bias, rad/s (BMI270 and LSM6DSO: about 1 deg/s, some parts 3)."""

_APART = 20.0 * _DEG
"""Two positions count as different if gravity differs by this much."""

_FEWEST_POSITIONS = 6

_POSITION_SIGMA = 0.01
"""Hysteresis and step size of an accelerometer from position to position, m/s^2 (assumed: 1 mg)."""

_ACC_BIAS, _ACC_SHAPE = 0.5, 0.02
"""What data sheets allow beforehand, one sigma: offset in m/s^2, relative sensitivity and misalignment."""

_ACC_RESIDUAL, _ACC_BIAS_KNOWN = 0.1, 0.05
"""Largest residual and largest uncertainty of a bias that is still worth having, m/s^2: 0.6 and 0.3 deg."""

_MAG_BIAS, _MAG_SHAPE = 200.0, 0.3
"""What may be expected beforehand, one sigma: hard iron in uT, soft iron."""

_MAG_RESIDUAL, _MAG_BIAS_KNOWN = 0.05, 0.03
"""Largest residual and uncertainty of the centre, as a share of the field: 3 and 2 deg of heading."""


def gyroscope_at_rest(block: ImuBlock, made_at: str = "") -> SensorCalibration:
    """Return gyroscope bias and noise of a sensor lying still.

    The standard error of the bias is the larger of two: white noise over the number of samples, and the
    scatter of window means, which also holds what wanders.

    Raises
    ------
    CalibrationError
        If the rest is too short, the sensor moved or was knocked, or no sensor has such a bias.
    """
    t, gyr, acc = _known(block)
    seconds = float(t[-1] - t[0]) if len(t) else 0.0
    if seconds < SHORTEST_REST:
        _refuse(block, f"{seconds:.1f} s of rest", f"leave it still for at least {SHORTEST_REST:.0f} s")
    windows = _windows(t)
    for signal, allowed, noisiest, unit in (
        (gyr, _REST_RATE, _NOISIEST_RATE, "rad/s"),
        (acc, _REST_FORCE, _NOISIEST_FORCE, "m/s^2"),
    ):
        moved = _movement(signal, windows, allowed, noisiest)
        if np.isfinite(moved):
            at = float(t[0] + moved)
            _refuse(
                block,
                f"movement {at - float(t[0]):.1f} s after the start (seen in {unit})",
                "put it down, take the hand away and start again",
            )
    bias = gyr.mean(axis=0)
    if np.abs(bias).max() > _LARGEST_BIAS:
        _refuse(
            block,
            f"a steady rate of {np.abs(bias).max() / _DEG:.1f} deg/s",
            "put it on something that does not turn; if it is still, the sensor is defective",
        )
    means = _means(gyr, windows)
    white = gyr.std(axis=0, ddof=1) / np.sqrt(len(gyr))
    wander = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    return SensorCalibration(
        block.sensor,
        made_at,
        gyr_bias=bias,
        gyr_bias_sigma=np.maximum(white, wander),
        gyr_noise=float(np.median(gyr.std(axis=0, ddof=1))),
        acc_noise=float(np.median(acc.std(axis=0, ddof=1))),
    )


def accelerometer_in_positions(block: ImuBlock, made_at: str = "") -> SensorCalibration:
    """Return accelerometer bias and matrix of a sensor put down in at least six positions, every face once.

    The stretches in which it lay still are found by themselves; more than six, on edges too, tell the matrix
    better. Only the length of gravity is used, so the table need not be level.

    Raises
    ------
    CalibrationError
        If there are too few or too similar positions, or the fit leaves too much.
    """
    forces, sigma = still_positions(block)
    if len(forces) < _FEWEST_POSITIONS:
        _refuse(
            block,
            f"{len(forces)} different positions in which it lay still",
            f"put it down on each of its six faces, {2 * WINDOW:.0f} s or more each",
        )
    found = fit(forces, sigma, STANDARD_GRAVITY, _ACC_BIAS, _ACC_SHAPE)
    if found.residual > _ACC_RESIDUAL:
        _refuse(
            block,
            f"gravity that differs by {found.residual:.2f} m/s^2 from position to position",
            "lay it down without holding it, away from vibration, and repeat; a range or unit may be wrong",
        )
    uncertain = float(np.sqrt(np.diag(found.covariance)[:3].max()))
    if uncertain > _ACC_BIAS_KNOWN:
        _refuse(
            block,
            f"an offset known to {uncertain:.2f} m/s^2 only",
            "lay it on each of its six faces: opposite faces are what tells the offset",
        )
    return SensorCalibration(
        block.sensor,
        made_at,
        acc_matrix=found.matrix,
        acc_bias=found.bias,
        acc_covariance=found.covariance,
        residual=found.residual,
    )


def magnetometer_turned(block: ImuBlock, made_at: str = "") -> SensorCalibration:
    """Return hard and soft iron of a sensor turned slowly in all directions, in one place.

    Raises
    ------
    CalibrationError
        If it has no magnetometer, was not turned all ways, or the field was not the same all along.
    """
    if block.mag is None:
        _refuse(block, "no magnetometer", "choose a sensor and a payload with magnetometer")
    points = block.mag[np.isfinite(block.mag).all(axis=1)]
    if len(points) < 100:
        _refuse(block, f"{len(points)} magnetometer samples", "record at least 20 s while turning it")
    # Steps from sample to sample tell the noise apart from the turning.
    noise = float(np.median(np.abs(np.diff(points, n=2, axis=0)))) / 0.6745 / np.sqrt(6.0)
    found = fit(points, np.full(len(points), max(noise, 1e-3)), None, _MAG_BIAS, _MAG_SHAPE)
    found = _correlated(found, points)
    if found.residual > _MAG_RESIDUAL * found.radius:
        _refuse(
            block,
            f"a field whose strength varies by {found.residual:.1f} of {found.radius:.0f} uT",
            "turn it in one place, away from steel, motors and magnets",
        )
    uncertain = float(np.sqrt(np.diag(found.covariance)[:3].max()))
    if uncertain > _MAG_BIAS_KNOWN * found.radius:
        _refuse(
            block,
            f"too little rotation: the offset is known to {uncertain:.1f} uT only",
            "turn it about all three axes, upside down too, like a figure of eight",
        )
    return SensorCalibration(
        block.sensor,
        made_at,
        mag_matrix=found.matrix,
        mag_bias=found.bias,
        mag_covariance=found.covariance,
        mag_field=found.radius,
        mag_residual=found.residual,
    )


def still_positions(block: ImuBlock) -> tuple[FloatArray, FloatArray]:
    """Return the mean specific force (P, 3) in each position in which a sensor lay still, and its sigma (P,).

    A stretch counts from two windows on; stretches in which gravity differs by less than 20 deg are one
    position, and the longest of them stands for it.
    """
    t, gyr, acc = _known(block)
    windows = _windows(t)
    if len(windows) == 0:
        return np.zeros((0, 3)), np.zeros(0)
    quiet = _quiet(gyr, windows, _REST_RATE, _NOISIEST_RATE)
    quiet &= _quiet(acc, windows, _REST_FORCE, _NOISIEST_FORCE)
    noise = float(np.median(_spreads(acc, windows)[quiet])) if quiet.any() else 0.0
    stretches: list[tuple[int, FloatArray]] = []
    begin = 0
    means = _means(acc, windows)
    for end in range(1, len(windows) + 1):
        same = (
            end < len(windows)
            and quiet[end]
            and quiet[end - 1]
            and np.abs(means[end] - means[begin]).max() < 4.0 * _REST_FORCE
        )
        if not same:
            if quiet[begin] and end - begin >= 2:
                first, last = windows[begin][0], windows[end - 1][1]
                stretches.append((last - first, acc[first:last].mean(axis=0)))
            begin = end
    chosen: list[tuple[int, FloatArray]] = []
    for samples, force in sorted(stretches, key=lambda stretch: -stretch[0]):
        unit = force / np.linalg.norm(force)
        others = (other / np.linalg.norm(other) for _, other in chosen)
        if all(float(unit @ other) < np.cos(_APART) for other in others):
            chosen.append((samples, force))
    sigma = [float(np.hypot(noise / np.sqrt(samples), _POSITION_SIGMA)) for samples, _ in chosen]
    return np.array([force for _, force in chosen]).reshape(-1, 3), np.array(sigma)


def _correlated(found: Ellipsoid, points: FloatArray) -> Ellipsoid:
    """Return the fit with the covariance that its correlated residuals deserve.

    Means of 50 residuals in a row scatter as 1/sqrt(50) if neighbours are independent; what they scatter
    more by, the covariance is short of.
    """
    off = np.linalg.norm(through(found.matrix, points - found.bias), axis=1) - found.radius
    runs = off[: len(off) // 50 * 50].reshape(-1, 50)
    excess = max(1.0, float(runs.mean(axis=1).var() * 50.0 / off.var())) if len(runs) > 1 else 1.0
    return Ellipsoid(found.matrix, found.bias, found.radius, found.covariance * excess, found.residual)


def _known(block: ImuBlock) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return time, rate and force of the samples that have both."""
    good = np.isfinite(block.gyr).all(axis=1) & np.isfinite(block.acc).all(axis=1)
    return block.t[good], block.gyr[good], block.acc[good]


def _windows(t: FloatArray) -> list[tuple[int, int]]:
    """Return first and last-plus-one sample of each whole window; windows with few samples do not count."""
    if len(t) < 2:
        return []
    edges = np.searchsorted(t, np.arange(t[0], t[-1], WINDOW))
    typical = np.median(np.diff(edges)) if len(edges) > 1 else 0
    return [
        (int(first), int(last)) for first, last in pairwise(edges) if last - first >= max(3.0, typical / 2.0)
    ]


def _means(signal: FloatArray, windows: list[tuple[int, int]]) -> FloatArray:
    return np.array([signal[first:last].mean(axis=0) for first, last in windows]).reshape(-1, 3)


def _spreads(signal: FloatArray, windows: list[tuple[int, int]]) -> FloatArray:
    """Return the scatter of each window about its mean, all axes together, (W,)."""
    return np.array([np.sqrt(signal[first:last].var(axis=0).mean()) for first, last in windows])


def _quiet(signal: FloatArray, windows: list[tuple[int, int]], allowed: float, noisiest: float) -> BoolArray:
    """Return which windows hold no more than noise, (W,): their scatter is that of the quietest fifth."""
    spreads = _spreads(signal, windows)
    return spreads <= min(2.0 * float(np.quantile(spreads, 0.2)) + allowed, noisiest)


def _movement(signal: FloatArray, windows: list[tuple[int, int]], allowed: float, noisiest: float) -> float:
    """Return when a movement is seen, s after the start; NaN if there is none."""
    spreads, means = _spreads(signal, windows), _means(signal, windows)
    samples = float(np.median([last - first for first, last in windows]))
    noise = float(np.median(spreads))
    off = np.abs(means - np.median(means, axis=0)).max(axis=1)
    seen = off > 6.0 * noise / np.sqrt(samples) + allowed
    seen |= spreads > min(3.0 * noise + allowed, noisiest)
    return float(np.argmax(seen) * WINDOW) if seen.any() else np.nan


def _refuse(block: ImuBlock, cause: str, remedy: str) -> NoReturn:
    raise CalibrationError(f"sensor {block.sensor}: calibration refused, {cause}; {remedy}")
