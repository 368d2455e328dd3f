"""How far every segment is turned about its length: all readings of all movements, weighed at once.

The pose leaves one freedom of each segment open, its azimuth about the vertical. Movements speak of it, but
with a still segment the heading between two sensors is open too, and what a movement says depends on it.
So nothing is chosen: each movement offers its readings, one for every heading it leaves possible, and the
segments, joined in a tree by their joints, pass on to each other on a grid of azimuths what those mean
(sum-product: J. Pearl, Probabilistic Reasoning in Intelligent Systems, 1988; exact on a tree).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.directions import Direction
from imu import quaternion
from imu.block import FloatArray

AZIMUTHS: FloatArray = np.radians(np.arange(0.0, 360.0, 5.0))
"""Azimuths of a segment that are weighed, rad."""

_SETTLED = math.radians(3.0)
"""How near a settled azimuth the others see a segment, rad: about a step of the grid."""

_TINY = 1e-300
_Y: FloatArray = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What the R readings of a movement cost, and the log-likelihoods that they give to two segments.

    Parameters
    ----------
    proximal, distal
        Sensor ids.
    cost : (R,)
        Without regard to the segments.
    first, second : (R, AZIMUTHS.size)
        Of the azimuths of the proximal and the distal segment.
    """

    proximal: str
    distal: str
    cost: FloatArray
    first: FloatArray
    second: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Length:
    """The direction along a segment, about which its azimuth is counted from an arbitrary zero.

    Parameters
    ----------
    up : (3,)
        Towards its proximal end, in its sensor.
    sigma
        Of that direction, rad.
    """

    up: FloatArray
    sigma: float

    def turned(self, azimuth: FloatArray) -> FloatArray:
        """Return `q_sensor_from_segment` (..., 4) at azimuths (...), rad."""
        return quaternion.multiply(quaternion.between(_Y, self.up), quaternion.from_axis_angle(_Y, azimuth))

    def spoken(self, direction: Direction) -> FloatArray:
        """Return what a direction of the segment says of its azimuth: log-likelihood (AZIMUTHS.size,)."""
        level = 1.0 - float(direction.segment[1]) ** 2
        along = np.outer(self.up, self.up)
        lean = self.sigma**2 * (level * along + (1.0 - level) * (np.eye(3) - along))
        weight = np.linalg.inv(np.linalg.inv(direction.weight) + lean)
        error = direction.sensor - quaternion.rotate(self.turned(AZIMUTHS), direction.segment)
        return -0.5 * ((error @ weight) * error).sum(axis=1)


def weighed(
    movements: Sequence[Readings], alone: Mapping[str, FloatArray]
) -> tuple[list[FloatArray], dict[str, FloatArray]]:
    """Return the likelihood of each reading of each movement (R,), and of the azimuths of each segment.

    Parameters
    ----------
    movements
        Whose joints make a tree of the segments.
    alone
        By sensor id, for every segment: log-likelihood (AZIMUTHS.size,) of what speaks of it alone.
    """
    own = [_pair(movement) for movement in movements]
    joints: dict[tuple[str, str], FloatArray] = {}
    for movement, table in zip(movements, own, strict=True):
        key = movement.proximal, movement.distal
        joints[key] = joints.get(key, 0.0) + table
    news = {(joint, end): np.zeros(AZIMUTHS.size) for joint in joints for end in joint}

    def told(end: str, besides: tuple[str, str] | None = None) -> FloatArray:
        heard = [said for (joint, to), said in news.items() if to == end and joint != besides]
        return np.asarray(sum(heard, alone[end]))

    for _ in joints:
        news = {
            (joint, joint[k]): _summed(table if k else table.T, told(joint[1 - k], joint))
            for joint, table in joints.items()
            for k in (0, 1)
        }
    weights: list[FloatArray] = []
    for movement, table in zip(movements, own, strict=True):
        key = movement.proximal, movement.distal
        rest = joints[key] - table + told(key[0], key)[:, None] + told(key[1], key)
        first, second = _raised(movement.first), _raised(movement.second)
        share = ((first[1] @ np.exp(rest - rest.max())) * second[1]).sum(axis=1)
        weights.append(_likelihood(np.log(share + _TINY) + first[0] + second[0] - movement.cost))
    return weights, {end: _likelihood(told(end)) for end in alone}


def settled(
    movements: Sequence[Readings], alone: Mapping[str, FloatArray]
) -> tuple[list[tuple[FloatArray, FloatArray]], dict[str, tuple[float, float]]]:
    """Return azimuths that go together, each with its one sigma, rad, and what they make of the movements.

    The surest segment is settled first, each next one in the light of those before, so that two likely places
    of one never meet the wrong ones of another. Sigma knows all places that are possible without them. Of
    each movement come the likelihood of its readings (R,), and that with all azimuths settled.

    Parameters are those of `weighed`.
    """
    free, possible = weighed(movements, alone)
    fixed, azimuths = dict(alone), dict[str, tuple[float, float]]()
    for end in sorted(possible, key=lambda each: middle(possible[each])[1]):
        azimuth, _ = middle(weighed(movements, fixed)[1][end])
        off = quaternion.wrap(AZIMUTHS - azimuth)
        fixed[end] = fixed[end] - 0.5 * (off / _SETTLED) ** 2
        azimuths[end] = azimuth, math.sqrt(float((possible[end] * off * off).sum()))
    return list(zip(free, weighed(movements, fixed)[0], strict=True)), azimuths


def middle(likelihood: FloatArray) -> tuple[float, float]:
    """Return the mean of the half circle about the likeliest azimuth, and sigma of the whole circle, rad."""
    apart = quaternion.wrap(AZIMUTHS - AZIMUTHS[int(np.argmax(likelihood))])
    near = np.where(np.abs(apart) < math.pi / 2.0, likelihood, 0.0)
    mean = float(AZIMUTHS[int(np.argmax(likelihood))]) + float((near * apart).sum() / near.sum())
    return mean, math.sqrt(float((likelihood * quaternion.wrap(AZIMUTHS - mean) ** 2).sum()))


def _pair(movement: Readings) -> FloatArray:
    """Return what a movement says of two azimuths together, all its readings summed, log (A, A)."""
    first, second = _raised(movement.first), _raised(movement.second)
    cost = movement.cost - first[0] - second[0]
    weight = np.exp(cost.min() - cost)
    return np.log((first[1] * weight[:, None]).T @ second[1] + _TINY)


def _raised(logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the largest of each row (R,) and the rows over it, no longer as logarithms."""
    top = logs.max(axis=1)
    return top, np.exp(logs - top[:, None])


def _summed(table: FloatArray, heard: FloatArray) -> FloatArray:
    """Return what a joint tells one segment, (A,), of what the other has heard."""
    both = table + heard[:, None]
    return np.log(np.exp(both - both.max()).sum(axis=0) + _TINY)


def _likelihood(logs: FloatArray) -> FloatArray:
    likelihood = np.exp(logs - logs.max())
    return likelihood / likelihood.sum()
