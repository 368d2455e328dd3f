"""How an imagined limb moves: curves and rotations over time, with their exact derivatives.

Nothing here is differentiated numerically, so integrating a perfect gyroscope gives the orientation back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from imu.block import FloatArray
from imu.quaternion import conjugate, from_axis_angle, multiply, rotate


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A number over time with its first two derivatives, each (N,), per s and per s^2."""

    value: FloatArray
    rate: FloatArray
    acceleration: FloatArray

    def __add__(self, other: Self) -> "Curve":
        """Return the sum of two curves."""
        return Curve(self.value + other.value, self.rate + other.rate, self.acceleration + other.acceleration)

    def __mul__(self, other: Self) -> "Curve":
        """Return the product of two curves."""
        return Curve(
            self.value * other.value,
            self.rate * other.value + self.value * other.rate,
            self.acceleration * other.value + 2.0 * self.rate * other.rate + self.value * other.acceleration,
        )

    def scaled(self, factor: float) -> "Curve":
        """Return the curve times a constant."""
        return Curve(factor * self.value, factor * self.rate, factor * self.acceleration)

    def shifted(self, offset: float) -> "Curve":
        """Return the curve plus a constant."""
        return Curve(self.value + offset, self.rate, self.acceleration)

    def sine(self, phase: float) -> "Curve":
        """Return sin(phase + curve) - sin(phase): a smooth function that is 0 where the curve is 0."""
        sine, cosine = np.sin(self.value + phase), np.cos(self.value + phase)
        return Curve(
            sine - np.sin(phase), cosine * self.rate, cosine * self.acceleration - sine * self.rate**2
        )

    def step(self, centre: float, width: float) -> "Curve":
        """Return a smooth step of the curve's value, from 0 well below `centre` to 1 well above it."""
        u = np.tanh((self.value - centre) / width)
        slope = (1.0 - u**2) / width
        bend = -2.0 * u * slope / width
        return Curve(
            (1.0 + u) / 2.0,
            slope * self.rate / 2.0,
            (slope * self.acceleration + bend * self.rate**2) / 2.0,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A number that rests and moves in minimum-jerk strokes.

    Source of the stroke: T. Flash and N. Hogan, "The coordination of arm movements", J. Neurosci. 5:1688,
    1985: x(u) = 10 u^3 - 15 u^4 + 6 u^5 with u the share of the duration gone.

    Parameters
    ----------
    initial
        Value before the first stroke.
    start, stop : (K,)
        Times of the strokes, s; in order and not overlapping.
    target : (K,)
        Value that each stroke reaches and that holds until the next.
    """

    initial: float
    start: FloatArray
    stop: FloatArray
    target: FloatArray

    def at(self, t: FloatArray) -> Curve:
        """Return the curve at instants (N,)."""
        if len(self.start) == 0:
            return constant(self.initial, len(t))
        index = np.searchsorted(self.start, t, side="right") - 1
        k = np.maximum(index, 0)
        origin = np.concatenate([[self.initial], self.target[:-1]])
        duration = (self.stop - self.start)[k]
        u = np.clip((t - self.start[k]) / duration, 0.0, 1.0)
        reach = self.target[k] - origin[k]
        share = u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
        rate = 30.0 * u**2 * (1.0 - u) ** 2
        acceleration = 60.0 * u * (1.0 - u) * (1.0 - 2.0 * u)
        return Curve(origin[k] + reach * share, reach * rate / duration, reach * acceleration / duration**2)


def stroked(initial: float, moves: Sequence[tuple[float, float, float]]) -> Profile:
    """Return a profile from (start s, stop s, target) strokes in order."""
    table = np.array(moves, dtype=np.float64).reshape(-1, 3)
    return Profile(initial, table[:, 0], table[:, 1], table[:, 2])


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """A sum of sines: amplitude (K,), angular frequency (K,) rad/s and phase (K,) rad."""

    amplitude: FloatArray
    frequency: FloatArray
    phase: FloatArray

    def at(self, t: FloatArray) -> Curve:
        """Return the curve at instants (N,)."""
        total = constant(0.0, len(t))
        for size, omega, phase in zip(self.amplitude, self.frequency, self.phase, strict=True):
            sine, cosine = np.sin(omega * t + phase), np.cos(omega * t + phase)
            total += Curve(size * sine, size * omega * cosine, -size * omega**2 * sine)
        return total


def waves(rng: np.random.Generator, amplitude: float, lowest: float, highest: float, count: int = 5) -> Waves:
    """Return an irregular wave whose mean square is that of one sine of `amplitude`.

    Parameters
    ----------
    lowest, highest
        Band of its frequencies, Hz.
    """
    size = amplitude / np.sqrt(count)
    edges = np.linspace(lowest, highest, count + 1)
    frequency = rng.uniform(edges[:-1], edges[1:])
    return Waves(np.full(count, size), 2.0 * np.pi * frequency, rng.uniform(0.0, 2.0 * np.pi, count))


def constant(value: float, n: int) -> Curve:
    """Return a curve that stays at one value for n instants."""
    return Curve(np.full(n, value), np.zeros(n), np.zeros(n))


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """Frame b turning in frame a.

    Parameters
    ----------
    q : (N, 4)
        `q_a_from_b`.
    rate, acceleration : (N, 3)
        Angular rate of b against a, rad/s, and its derivative, rad/s^2, both in frame b.
    """

    q: FloatArray
    rate: FloatArray
    acceleration: FloatArray

    def then(self, inner: Self) -> "Turning":
        """Return frame c in frame a, `inner` being c in b."""
        inverse = conjugate(inner.q)
        carried = rotate(inverse, self.rate)
        return Turning(
            multiply(self.q, inner.q),
            carried + inner.rate,
            rotate(inverse, self.acceleration) - np.cross(inner.rate, carried) + inner.acceleration,
        )

    def acceleration_of(self, arm: FloatArray) -> FloatArray:
        """Return how a point fixed in b at `arm` (3,) m accelerates against b's origin, frame b, (N, 3)."""
        return np.cross(self.acceleration, arm) + np.cross(self.rate, np.cross(self.rate, arm))


def turn(axis: FloatArray, angle: Curve) -> Turning:
    """Return the turning by `angle` about a fixed unit axis (3,)."""
    return Turning(
        from_axis_angle(axis, angle.value),
        angle.rate[:, None] * axis,
        angle.acceleration[:, None] * axis,
    )


def fixed(q: FloatArray, n: int) -> Turning:
    """Return a frame that stays at orientation q (4,) for n instants."""
    return Turning(np.broadcast_to(q, (n, 4)), np.zeros((n, 3)), np.zeros((n, 3)))


def chain(*turnings: Turning) -> Turning:
    """Return turnings carried out one inside the other, outermost first."""
    total = turnings[0]
    for inner in turnings[1:]:
        total = total.then(inner)
    return total
