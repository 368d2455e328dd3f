"""The checks that every decoder shares: lengths, ranges, unit quaternions, and settings a family can do."""

import math
from collections.abc import Iterable

from imu.errors import InputError, PacketError
from imu.sensors.driver import Battery, Capability, Quaternion, Settings, Vector, Wish

HEADROOM = 1.25
"""A calibrated float up to this multiple of full scale is a saturated sample; beyond, a broken packet."""


def in_range(values: Iterable[float], limit: float, what: str, payload: bytes) -> tuple[float, ...]:
    """Return calibrated floats with saturated ones as NaN.

    Parameters
    ----------
    values
        As decoded, in any unit.
    limit
        Full scale in the same unit; beyond it a value is saturated and becomes NaN.
    what
        Name of the quantity, for the message.
    payload
        The packet, for the message.

    Raises
    ------
    PacketError
        If a value is not finite or beyond `HEADROOM` times full scale: no sensor sends that.
    """
    kept: list[float] = []
    for value in values:
        if not abs(value) <= limit * HEADROOM:
            raise PacketError(f"{what} must lie within ±{limit:g}, got {value:g}; packet dropped", payload)
        kept.append(value if abs(value) <= limit else math.nan)
    return tuple(kept)


def vector(values: Iterable[float]) -> Vector:
    """Return three numbers as a vector."""
    x, y, z = values
    return (x, y, z)


def unit_quaternion(values: Iterable[float], payload: bytes) -> Quaternion:
    """Return four numbers (w, x, y, z) as a quaternion.

    Raises
    ------
    PacketError
        If their length is off 1 by more than 1 %.
    """
    w, x, y, z = values
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if not abs(length - 1.0) <= 0.01:
        raise PacketError(f"a quaternion of length 1 was expected, its length is {length:g}", payload)
    return (w, x, y, z)


def expect_length(payload: bytes, allowed: int | tuple[int, ...], what: str) -> None:
    """Raise PacketError unless the payload has one of the allowed lengths."""
    lengths = (allowed,) if isinstance(allowed, int) else allowed
    if len(payload) not in lengths:
        words = " or ".join(str(length) for length in lengths)
        raise PacketError(f"{what} must be {words} bytes long", payload)


def battery_percent(percent: float, payload: bytes, charging: bool | None = None) -> Battery:
    """Return a battery level. Raises PacketError unless it lies in 0 to 100."""
    if not 0 <= percent <= 100:
        raise PacketError(f"a battery level of 0 to 100 percent was expected, got {percent:g}", payload)
    return Battery(float(percent), charging)


def settle(capability: Capability, wish: Wish) -> Settings:
    """Return complete settings within a family's capability.

    Raises
    ------
    InputError
        If the family cannot do what is wished for; the message lists what it can.
    """
    rates, modes = capability.rates_hz, capability.modes
    rate = _pick(capability, "a rate in Hz", wish.get("rate_hz"), rates, capability.default_rate_hz)
    gyr = _pick_range(
        capability, "a gyroscope range in deg/s", wish.get("gyr_range_dps"), capability.gyr_ranges_dps
    )
    acc = _pick_range(
        capability, "an accelerometer range in g", wish.get("acc_range_g"), capability.acc_ranges_g
    )
    mode = wish.get("mode") or modes[0]
    if mode not in modes:
        raise InputError(f"{capability.title} has no mode {mode!r}; choose one of {', '.join(modes)}")
    return Settings(rate, gyr, acc, mode, magnetometer=mode in capability.magnetic_modes)


def _pick_range(
    capability: Capability, what: str, wanted: float | None, allowed: tuple[float, ...]
) -> float | None:
    if allowed:
        return _pick(capability, what, wanted, allowed, allowed[0])
    if wanted is not None:
        raise InputError(f"{capability.title} has no such sensor, so {what} cannot be set; leave it out")
    return None


def _pick(
    capability: Capability, what: str, wanted: float | None, allowed: tuple[float, ...], default: float
) -> float:
    if wanted is None:
        return default
    for value in allowed:
        if math.isclose(wanted, value):
            return value
    can = ", ".join(f"{value:g}" for value in allowed)
    raise InputError(f"{capability.title} can be set to {what} of {can}, not {wanted:g}; choose one of these")


def sendable(values: Iterable[float], limit: float) -> list[float]:
    """Return what a sensor would send: clipped to full scale, and 0 for NaN."""
    return [0.0 if math.isnan(value) else min(max(value, -limit), limit) for value in values]
