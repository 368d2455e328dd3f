"""Doubts about imported samples, each with its likely cause: a wrong unit gives a plausible-looking angle.

Every check either passes, or raises a sentence that says what was expected, what came and what to do, or
marks what cannot be trusted and counts it.
"""

from dataclasses import replace

import numpy as np

from imu.block import STANDARD_GRAVITY, BoolArray, FloatArray, ImuBlock
from imu.counted import counted
from imu.errors import InputError
from imu.recording_summary import gaps, sample_rate
from tools.exchange.axes_check import check_axes
from tools.exchange.incoming import IncomingSensor

_WINDOW_SECONDS = 0.25
_REST_GYR = 0.35
_REST_ACC_SPREAD = 0.05
_GRAVITY_TOLERANCE = 0.2
_RATE_TOLERANCE = 0.1
_PLAUSIBLE_RATES = (5.0, 4000.0)
_FASTEST_TURN = 75.0
_DEGREE_SLOPE = 0.13
_TURN_PER_WINDOW = 0.2
_FEWEST_TURNS = 4
_LAGGING_SHARE = 0.7
_END_OF_RANGE = 0.9999
_LOWEST_GYR_LIMIT = np.radians(120.0)
_LOWEST_ACC_LIMIT = 1.9 * STANDARD_GRAVITY
_NOT_GRAVITY = (
    (1.0, "g", "declare the unit of the accelerometer as g"),
    (1000.0, "mg", "convert it from mg to g or m/s^2 first"),
    (STANDARD_GRAVITY**2, "m/s^2 declared as g", "declare the unit of the accelerometer as m/s2"),
    (STANDARD_GRAVITY * 1000.0, "mm/s^2", "convert it to m/s^2 first"),
    (0.0, "acceleration without gravity", "export the calibrated acceleration, with gravity, instead"),
)


def checked(sensor: IncomingSensor) -> IncomingSensor:
    """Return a sensor whose samples can be believed, saturated ones as NaN, with what was noticed.

    Raises
    ------
    InputError
        If time, acceleration or angular rate contradict physics or what was declared.
    """
    name = sensor.info.segment or sensor.info.sensor
    block = sensor.block
    if len(block) < 2:
        raise InputError(
            f"{name}: a recording needs at least 2 samples, got {len(block)}; the file is empty or cut"
        )
    _check_rate(name, block.t, sensor.info.rate_hz)
    block, saturated = _without_saturation(sensor, block)
    _check_gravity(name, block)
    _check_turning(name, block)
    acc, gyr, _, length = _windows(block)
    check_axes(name, acc, gyr, length)
    remarks = [*sensor.remarks, *saturated]
    unknown = int((~np.isfinite(block.gyr).all(axis=1) | ~np.isfinite(block.acc).all(axis=1)).sum())
    if unknown:
        remarks.append(f"{unknown} of {len(block)} samples not fully known (NaN)")
    holes = gaps(block.t)
    if holes:
        missing = sum(count for _, _, count in holes)
        remarks.append(
            f"{counted(missing, 'sample')} missing in {counted(len(holes), 'gap')}, the first at "
            f"{holes[0][0]:.3f} s"
        )
    rate = sensor.info.rate_hz if np.isfinite(sensor.info.rate_hz) else sample_rate(block.t)
    return IncomingSensor(replace(sensor.info, rate_hz=rate), block, tuple(remarks))


def _check_rate(name: str, t: FloatArray, declared: float) -> None:
    measured = sample_rate(t)
    if np.isfinite(declared) and abs(measured / declared - 1.0) > _RATE_TOLERANCE:
        factor = min(
            (1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9), key=lambda unit: abs(np.log(measured / declared / unit))
        )
        unit_error = abs(measured / declared / factor - 1.0) <= _RATE_TOLERANCE
        cause = (
            "the unit of the time column is probably wrong (s, ms, us, ns)"
            if unit_error
            else (
                "the declared rate or the time column is wrong; leave the rate out to take it from the times"
            )
        )
        raise InputError(f"{name}: {declared:g} Hz is declared, but the times say {measured:.4g} Hz; {cause}")
    lowest, highest = _PLAUSIBLE_RATES
    if not lowest <= measured <= highest:
        raise InputError(
            f"{name}: the times say {measured:.4g} samples per second, expected {lowest:g} to {highest:g}; "
            "the unit of the time column is probably wrong (s, ms, us, ns)"
        )


def _without_saturation(sensor: IncomingSensor, block: ImuBlock) -> tuple[ImuBlock, list[str]]:
    """Set NaN what is flat at the end of the measuring range."""
    info = sensor.info
    gyr_limit = None if info.gyr_range_dps is None else np.radians(info.gyr_range_dps)
    acc_limit = None if info.acc_range_g is None else info.acc_range_g * STANDARD_GRAVITY
    gyr_flat = _flat_at_limit(block.gyr, gyr_limit, _LOWEST_GYR_LIMIT)
    acc_flat = _flat_at_limit(block.acc, acc_limit, _LOWEST_ACC_LIMIT)
    remarks = [
        f"{counted(int(flat.any(axis=1).sum()), 'sample')} of the {what} saturated (flat at {limit:.4g} "
        f"{unit}), taken as unknown"
        for flat, what, limit, unit in (
            (gyr_flat, "gyroscope", np.degrees(np.nanmax(np.abs(block.gyr), initial=0.0)), "degree/s"),
            (acc_flat, "accelerometer", np.nanmax(np.abs(block.acc), initial=0.0), "m/s^2"),
        )
        if flat.any()
    ]
    gyr, acc = np.where(gyr_flat, np.nan, block.gyr), np.where(acc_flat, np.nan, block.acc)
    return ImuBlock(block.sensor, block.t, gyr, acc, block.mag), remarks


def _flat_at_limit(signal: FloatArray, limit: float | None, lowest: float) -> BoolArray:
    """Return where a signal (N, 3) stays at the end of its range; the range is guessed if not given."""
    size = np.abs(signal)
    top = np.nanmax(size, initial=0.0)
    if limit is not None:
        return size >= _END_OF_RANGE * limit
    if top < lowest:
        return np.zeros(signal.shape, bool)
    at_top = size == top
    run = at_top[:-2] & at_top[1:-1] & at_top[2:]
    flat = np.zeros(signal.shape, bool)
    for shift in range(3):
        flat[shift : len(flat) - 2 + shift] |= run
    return flat


def _windows(block: ImuBlock) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return, per window of a quarter second, mean acc, mean gyr, spread of acc, and its length in s."""
    n = max(2, round(_WINDOW_SECONDS * sample_rate(block.t)))
    count = len(block) // n
    acc, gyr = (signal[: count * n].reshape(count, n, 3) for signal in (block.acc, block.gyr))
    length = block.t[n - 1 : count * n : n] - block.t[0 : count * n : n]
    spread = acc.std(axis=1).max(axis=1) if count else np.empty(0)
    return acc.mean(axis=1), gyr.mean(axis=1), spread, length * n / (n - 1)


def _check_gravity(name: str, block: ImuBlock) -> None:
    acc, gyr, spread, _ = _windows(block)
    size = np.sqrt((acc**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        still = (spread < _REST_ACC_SPREAD * np.maximum(size, 1e-9)) & (np.abs(gyr).max(axis=1) < _REST_GYR)
    if not still.any():
        still = np.isfinite(size)
    if not still.any():
        return
    got = float(np.median(size[still]))
    if abs(got / STANDARD_GRAVITY - 1.0) <= _GRAVITY_TOLERANCE:
        return
    for value, unit, remedy in _NOT_GRAVITY:
        if abs(got - value) <= max(_GRAVITY_TOLERANCE * value, 0.3 if value == 0.0 else 0.0):
            cause = f"it looks like {unit}: {remedy}"
            break
    else:
        cause = "check its unit and its calibration"
    raise InputError(
        f"{name}: at rest the accelerometer should show 9.81 m/s^2, but shows {got:.4g}; {cause}"
    )


def _check_turning(name: str, block: ImuBlock) -> None:
    """Compare how fast gravity turns in the sensor with what the gyroscope says.

    Gravity is fixed in the earth, so in the sensor frame dg/dt = -gyr x g. A gyroscope in degree/s passed
    as rad/s says 57 times too much. Acceleration of the limb adds turns of the measured direction but
    hardly ever takes away nearly all of one, so the check is how often the direction turns less than
    a seventh (the geometric mean of 1 and 1/57) of what the gyroscope says.
    """
    remedy = "it is probably in degree/s: declare its unit as deg/s"
    fastest = float(np.nanmax(np.abs(block.gyr), initial=0.0))
    if fastest > _FASTEST_TURN:
        raise InputError(
            f"{name}: the gyroscope should stay below {_FASTEST_TURN:.0f} rad/s, but reaches {fastest:.4g}; "
            f"{remedy}"
        )
    acc, gyr, _, length = _windows(block)
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = acc / np.sqrt((acc**2).sum(axis=1))[:, None]
    turn = 0.5 * (gyr[1:] + gyr[:-1]) * length[1:, None]
    expected = np.sqrt((np.cross(turn, 0.5 * (direction[1:] + direction[:-1])) ** 2).sum(axis=1))
    seen = np.sqrt((np.diff(direction, axis=0) ** 2).sum(axis=1))
    turning = expected > _TURN_PER_WINDOW
    lagging = turning & (seen < _DEGREE_SLOPE * expected)
    if lagging.sum() >= _FEWEST_TURNS and lagging.sum() > _LAGGING_SHARE * turning.sum():
        ratio = float(np.median(expected[lagging] / np.maximum(seen[lagging], 1e-9)))
        raise InputError(
            f"{name}: the gyroscope should turn as gravity does in the sensor, but says {ratio:.0f} times as "
            f"much; {remedy}"
        )
