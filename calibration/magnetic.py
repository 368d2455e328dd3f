"""Two magnetometers as a pair: the heading between their sensors, where both see one undisturbed field.

Neither is trusted alone. Their fields, seen from the two inclinations, must agree in strength and in dip; how
far they do not is how far the field differs between the two places, and the heading is as unsure. Iron in
the sensor itself shifts its readings by a constant, which shows as soon as the sensor turns in the field:
movements made for a calibration tell it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.gather import rate_of
from calibration.rotation import minus, quaternion_at, rotated, vector_at, wrapped
from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.compiled import compiled
from imu.fusion import make_filter

OFFSET_SHARE = 0.2
"""One sigma of an uncalibrated magnetometer's offset, share of the field: hard iron of the board and steel
furniture (a dipole gives 10 to 15 deg in the simulated clinic, algorithms.md 5a)."""

FIELD_SIGMA = math.radians(3.0)
"""One sigma by which the direction of a field that seems undisturbed differs between two places of a limb,
rad: what a pair of dips that agree can't show (assumed, to verify)."""

SAME_STRENGTH = 0.25
"""Two magnetometers see one field if its strength agrees within this share."""

WIDEST = 1.0
"""A heading less sure than this, rad, is none."""

UNSEEN = 0.05
"""Share of the looks at a pair that agrees and is wrong all the same: iron near both sensors (assumed)."""

MEMORY = 60.0
"""Seconds over which looks count together: the heading between two 6-axis frames drifts by some 3 deg in
them, and a limb that moves on comes to another field."""

FIELD_TIME = 4.0
"""How long a place's disturbance stays alike, s: it follows the movement and returns with it."""

STEP = 0.1
"""Grid on which an offset is fitted, s."""


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """What a magnetometer reads without a field.

    Parameters
    ----------
    value : (3,)
        Sensor frame, in the sensor's own unit; 0 where nothing is known.
    sigma
        One sigma of each component, share of the field's strength.
    """

    value: FloatArray
    sigma: float

    @classmethod
    def unknown(cls) -> "Offset":
        """Return what is known of an uncalibrated magnetometer."""
        return cls(np.zeros(3), OFFSET_SHARE)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Relative heading from a pair of magnetometers at M instants; NaN where they don't see one field.

    Parameters
    ----------
    heading, sigma : (M,)
        As of `Heading.delta`, and its one sigma; rad.
    """

    heading: FloatArray
    sigma: FloatArray


def looks(q: FloatArray, mag: FloatArray, offsets: tuple[Offset, Offset]) -> Looks:
    """Return what a pair of magnetometers says at M instants, each instant by itself.

    Parameters
    ----------
    q : (M, 2, 4)
        `q_earth_from_sensor`, proximal first, each in its own earth frame.
    mag : (M, 2, 3)
        Fields in the sensor frames, each in its sensor's own unit.
    offsets
        Of the two magnetometers.
    """
    both = np.stack([offset.value for offset in offsets])
    own = FIELD_SIGMA**2 + offsets[0].sigma ** 2 + offsets[1].sigma ** 2
    plain = np.ascontiguousarray(q), np.ascontiguousarray(mag)
    return Looks(*_looks(*plain, both, own, (SAME_STRENGTH, WIDEST)))


@compiled
def _looks(
    q: FloatArray, mag: FloatArray, offsets: FloatArray, own: float, limits: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return headings and their sigmas; `own` is the variance of both directions where the dips agree."""
    same, widest = limits
    heading, sigma = np.full(len(q), np.nan), np.full(len(q), np.nan)
    for k in range(len(q)):
        x1, y1, z1 = rotated(quaternion_at(q[k, 0]), minus(vector_at(mag[k, 0]), vector_at(offsets[0])))
        x2, y2, z2 = rotated(quaternion_at(q[k, 1]), minus(vector_at(mag[k, 1]), vector_at(offsets[1])))
        level1, level2 = math.hypot(x1, y1), math.hypot(x2, y2)
        size1, size2 = math.hypot(level1, z1), math.hypot(level2, z2)
        if not (size1 > 0.0 and size2 > 0.0):
            continue
        flat = max(min(level1 / size1, level2 / size2), 1e-3)
        dips = math.atan2(z1, level1) - math.atan2(z2, level2)
        spread = math.sqrt(own + dips * dips) / flat
        if 2.0 * abs(size1 - size2) < same * (size1 + size2) and spread < widest:
            heading[k] = wrapped(math.atan2(y1, x1) - math.atan2(y2, x2))
            sigma[k] = spread
    return heading, sigma


def middle(seen: Looks) -> tuple[float, float] | None:
    """Return the heading of a whole movement and its sigma, rad; None if the pair mostly saw two fields."""
    known = np.isfinite(seen.heading)
    if np.count_nonzero(known) < max(20, len(known) // 2):
        return None
    heading = seen.heading[known]
    mean = math.atan2(float(np.sin(heading).mean()), float(np.cos(heading).mean()))
    return mean, float(np.median(seen.sigma[known]))


class FieldLook:
    """What a pair of magnetometers has said lately, as one look: its error stays, so that more don't help."""

    def __init__(self) -> None:
        self._memory = np.zeros(4)

    def take(self, heading: FloatArray, sigma: FloatArray, dt: float) -> None:
        """Take looks at K instants, rad, NaN where there is none, each dt seconds after the one before."""
        _hear(self._memory, heading, sigma, dt)

    def wait(self, times: int, dt: float) -> None:
        """Let dt seconds pass so many times without a look."""
        nothing = np.full(times, np.nan)
        self.take(nothing, nothing, dt)

    def heading(self) -> tuple[float, float] | None:
        """Return the heading and its sigma, rad; None if the pair has not seen one field."""
        cosine, sine, weight, seconds = self._memory.tolist()
        if weight <= 0.0:
            return None
        alike = min(1.0, math.hypot(cosine, sine) / weight)
        sigma = math.sqrt(seconds / weight - 2.0 * math.log(max(alike, 1e-9)))
        return (math.atan2(sine, cosine), sigma) if sigma < WIDEST else None

    def weighed(self, weight: FloatArray) -> FloatArray:
        """Return likelihoods (G,) of headings around the circle, from 0, in the light of the pair."""
        return _weighed(weight, *(self.heading() or (0.0, math.inf)))

    def against(self, heading: float) -> tuple[float, float] | None:
        """Return by how much the pair puts a heading higher, rad, and the variance of that look, rad^2.

        None without a look. The farther off, the likelier the pair is wrong (`UNSEEN`), and the less it says.
        """
        found = self.heading()
        if found is None:
            return None
        apart, variance = wrapped(found[0] - heading), found[1] ** 2
        right = (1.0 - UNSEEN) * math.exp(-0.5 * apart * apart / variance)
        return apart, variance * (1.0 + UNSEEN / max(right, 1e-300))

    def save(self) -> list[float]:
        """Return the memory."""
        return self._memory.tolist()

    def restore(self, state: Sequence[float]) -> None:
        """Take up the memory of `save`."""
        self._memory = np.array(state, dtype=np.float64)


@compiled
def _hear(memory: FloatArray, heading: FloatArray, sigma: FloatArray, dt: float) -> None:
    """Let looks (K,) fade into a memory: sums of cosine, sine and weight, and the time they cover."""
    keep = math.exp(-dt / MEMORY)
    for k in range(sigma.size):
        for each in range(4):
            memory[each] *= keep
        memory[3] += dt
        if math.isfinite(sigma[k]):
            share = dt / sigma[k] ** 2
            memory[0] += share * math.cos(heading[k])
            memory[1] += share * math.sin(heading[k])
            memory[2] += share


@compiled
def _weighed(weight: FloatArray, heading: float, sigma: float) -> FloatArray:
    """Return likelihoods (G,) in the light of a heading, which may be wrong, so that they sum to 1."""
    seen, total = np.empty(weight.size), 0.0
    for g in range(weight.size):
        apart = wrapped(g * (2.0 * math.pi / weight.size) - heading) / sigma
        seen[g] = weight[g] * (UNSEEN + (1.0 - UNSEEN) * math.exp(-0.5 * apart * apart))
        total += seen[g]
    for g in range(weight.size):
        seen[g] /= total
    return seen


def offsets_of(recordings: Iterable[Mapping[str, ImuBlock]]) -> dict[str, Offset]:
    """Return the offset of every sensor that recordings of one strapping hold, by its id."""
    parts: dict[str, list[tuple[FloatArray, FloatArray, float]]] = {}
    for blocks in recordings:
        for sensor, block in blocks.items():
            parts.setdefault(sensor, [])
            if block.mag is not None:
                rate = rate_of(block)
                parts[sensor].append((make_filter("vqf", rate).feed(block).q, block.mag, rate))
    return {sensor: fit_offset(each) for sensor, each in parts.items()}


def fit_offset(parts: Iterable[tuple[FloatArray, FloatArray, float]]) -> Offset:
    """Return the offset of one magnetometer from movements, each in its own field.

    What the sensor reads less its offset, seen from the earth, is one constant vector for every movement: a
    linear least-squares problem, with a prior of `OFFSET_SHARE`. A movement whose field is not constant
    counts less.

    Parameters
    ----------
    parts
        Of each movement `q_earth_from_sensor` (N, 4), readings (N, 3), samples per second.
    """
    normals: list[FloatArray] = []
    rights: list[FloatArray] = []
    scatters: list[tuple[float, float]] = []
    sizes: list[float] = []
    for q, mag, rate in parts:
        stride = max(1, round(STEP * rate))
        good = np.isfinite(q).all(axis=1) & np.isfinite(mag).all(axis=1)
        some, read = q[good][::stride], mag[good][::stride]
        if len(read) < 10:
            continue
        turn, seen = quaternion.to_matrix(some), quaternion.rotate(some, read)
        turn, seen = turn - turn.mean(axis=0), seen - seen.mean(axis=0)
        normals.append(np.einsum("nij,nik->jk", turn, turn))
        rights.append(np.einsum("nij,ni->j", turn, seen))
        scatters.append((float((seen * seen).sum()), float(len(read))))
        sizes.append(float(np.median(np.sqrt((read * read).sum(axis=1)))))
    if not sizes:
        return Offset.unknown()
    strength = float(np.median(sizes))
    least = (FIELD_SIGMA * strength) ** 2
    weights = np.full(len(normals), 1.0 / least)
    value, covariance = np.zeros(3), np.eye(3)
    for _ in range(4):
        shares = weights / max(1.0, 2.0 * FIELD_TIME / STEP)
        normal = np.eye(3) / (OFFSET_SHARE * strength) ** 2
        normal = normal + (np.stack(normals) * shares[:, None, None]).sum(axis=0)
        covariance = np.asarray(np.linalg.inv(normal), np.float64)
        value = covariance @ (np.stack(rights) * shares[:, None]).sum(axis=0)
        left = [
            (total - 2.0 * float(value @ right) + float(value @ n @ value)) / (3.0 * count)
            for n, right, (total, count) in zip(normals, rights, scatters, strict=True)
        ]
        weights = 1.0 / np.maximum(np.array(left), least)
    return Offset(value, math.sqrt(float(np.trace(covariance)) / 3.0) / strength)
