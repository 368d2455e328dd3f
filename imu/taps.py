"""Two sensors' time bases aligned by motion: three taps that both of them feel.

The fallback where no radio synchronisation exists (the project's sensor reference C.3): hold the sensors
together, tap three times, once at the start and once at the end of a recording. The residual says how
well the three taps agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError

TAPS = 3
APART_S = 0.25
CLEAR = 5.0
"""A tap moves the length of the acceleration by more than this, m/s^2, and others by less than half of it."""
GRID_S = 0.001
HALF_WINDOW_S = 0.1
RESIDUAL_MOST = 0.010
"""Taps that disagree by more than this, s, say less than the clocks know without them: arrivals alone leave
sensors up to 10.4 ms apart at worst (sensor reference C.3)."""
ALIKE = 0.6
"""Below this correlation the two sensors did not feel the same tap."""


@dataclass(frozen=True, slots=True)
class TapAlignment:
    """How far two time bases are apart.

    Parameters
    ----------
    offset
        Seconds to add to the other sensor's times so that they agree with the reference's.
    residual
        Largest deviation of one tap's offset from the mean of all three, s.
    taps : (3,)
        Times of the taps on the reference's clock, s.
    """

    offset: float
    residual: float
    taps: tuple[float, ...]


def align_all(blocks: Mapping[str, ImuBlock]) -> dict[str, TapAlignment]:
    """Return the time offset of every sensor but the first from it, from three taps that all of them felt.

    Parameters
    ----------
    blocks
        Samples around the taps, by sensor; the first one is the reference.

    Raises
    ------
    InputError
        If a sensor did not feel three clear taps as the first did, or its taps disagree by more than
        `RESIDUAL_MOST`: then nothing may be corrected by them.
    """
    reference, *others = blocks.values()
    found = {block.sensor: align_by_taps(reference, block) for block in others}
    for sensor, alignment in found.items():
        if alignment.residual > RESIDUAL_MOST:
            raise InputError(
                f"the taps of {sensor} and {reference.sensor} disagree by {alignment.residual * 1e3:.0f} ms, "
                f"at most {RESIDUAL_MOST * 1e3:.0f} ms can be used; hold them firmly together and tap again"
            )
    return found


def align_by_taps(reference: ImuBlock, other: ImuBlock, search: float = 0.2) -> TapAlignment:
    """Return the time offset of two sensors from three taps.

    For each tap the lengths of the two accelerations are correlated on a 1 ms grid; the peak is refined by
    a parabola.

    Parameters
    ----------
    reference, other
        Samples of both sensors around the taps, and nothing livelier than the taps.
    search
        Largest offset looked for, s.

    Raises
    ------
    InputError
        If the reference does not hold three clear taps, or the other sensor did not feel them.
    """
    taps = _find_taps(reference)
    lags = np.array([_lag(reference, other, tap, search) for tap in taps])
    offset = float(np.mean(lags))
    return TapAlignment(offset, float(np.max(np.abs(lags - offset))), tuple(taps))


def _liveliness(block: ImuBlock) -> FloatArray:
    """Return how far the length of the acceleration is off its median, (N,), m/s^2, 0 where unknown."""
    length = np.sqrt(np.sum(block.acc**2, axis=1))
    return np.nan_to_num(np.abs(length - np.nanmedian(length)))


def _find_taps(block: ImuBlock) -> list[float]:
    from scipy.signal import find_peaks

    lively = _liveliness(block)
    period = float(np.median(np.diff(block.t)))
    peaks, _ = find_peaks(lively, distance=max(1, round(APART_S / period)))
    by_height = peaks[np.argsort(-lively[peaks])]
    heights = [float(lively[at]) for at in by_height[: TAPS + 1]] + [0.0] * (TAPS + 1)
    if heights[TAPS - 1] < CLEAR or heights[TAPS] > heights[TAPS - 1] / 2.0:
        clear = sum(height > CLEAR for height in heights)
        raise InputError(
            f"sensor {block.sensor}: three clear taps were expected, found {clear} lively moments; hold the "
            f"sensors together, tap three times, half a second apart, and keep still otherwise"
        )
    return sorted(float(block.t[at]) for at in by_height[:TAPS])


def _lag(reference: ImuBlock, other: ImuBlock, tap: float, search: float) -> float:
    grid = np.arange(-HALF_WINDOW_S, HALF_WINDOW_S, GRID_S)
    lags = np.arange(-search, search + GRID_S / 2.0, GRID_S)
    mine = _centred(np.interp(tap + grid, reference.t, _liveliness(reference)))
    lively = _liveliness(other)
    shifted = (tap + grid)[None, :] - lags[:, None]
    theirs = _centred(np.interp(shifted, other.t, lively))
    strength = np.sqrt(np.sum(theirs**2, axis=1) * np.sum(mine**2))
    likeness = np.sum(theirs * mine, axis=1) / np.maximum(strength, 1e-9)
    best = int(np.argmax(likeness))
    felt = float(np.max(lively, initial=0.0, where=np.abs(other.t - tap) < search + HALF_WINDOW_S))
    if felt < CLEAR or likeness[best] < ALIKE or best in (0, len(lags) - 1):
        raise InputError(
            f"sensor {other.sensor} did not feel the tap at {tap:.2f} s as {reference.sensor} did (likeness "
            f"{likeness[best]:.2f} within ±{search:g} s); hold the sensors together and tap again"
        )
    below, peak, above = likeness[best - 1 : best + 2]
    bend = below - 2.0 * peak + above
    return float(lags[best] + (0.5 * (below - above) / bend * GRID_S if bend < 0.0 else 0.0))


def _centred(values: FloatArray) -> FloatArray:
    return values - np.mean(values, axis=-1, keepdims=True)
