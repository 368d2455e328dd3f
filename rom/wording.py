"""How numbers read in sentences: whole degrees, a real minus sign, the yardstick with its decimal."""

import math


def degrees(angle: float, *, signed: bool = False) -> str:
    """Return an angle (rad) as whole degrees, such as "8°" or, signed, "+8°"."""
    return f"{number(angle, signed=signed)}°"


def number(angle: float, *, signed: bool = False) -> str:
    """Return an angle (rad) as whole degrees without the sign of degrees; "unknown" for NaN."""
    if math.isnan(angle):
        return "unknown"
    whole = round(math.degrees(angle))
    text = f"{whole:+d}" if signed and whole else f"{whole:d}"
    return text.replace("-", "−")


def yardstick(angle: float) -> str:
    """Return a limit (rad) with one decimal where it has one, such as "3.5°" or "8°"."""
    return f"{math.degrees(angle):.1f}".removesuffix(".0") + "°"


def span(low: float, high: float) -> str:
    """Return an interval (rad) in whole signed degrees, such as "+5 to +11"."""
    return f"{number(low, signed=True)} to {number(high, signed=True)}"


def difference(first: float, second: float) -> float:
    """Return how much more the second of two angles (rad) is as both read in whole degrees, rad.

    Where both are shown beside their difference, a reader expects the three to add up.
    """
    if math.isnan(first) or math.isnan(second):
        return math.nan
    return math.radians(round(math.degrees(second)) - round(math.degrees(first)))
