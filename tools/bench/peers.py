"""What other people's orientation filters make of the same sensors: their libraries, their defaults.

`vqf` is called here directly, because a peer must run as its authors ship it; the filters of `ahrs` go
through `imu.fusion`, whose border only fixes conventions. For `qmt` see `tools.bench.qmt_chain`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.fusion import make_filter

FILTERS = ("vqf-6d", "vqf-9d", "ahrs-madgwick", "ahrs-ekf")
SLOW = ("ahrs-madgwick", "ahrs-ekf")
"""Filters of `ahrs` are loops in Python: a quarter of a minute for five minutes of two sensors."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Samples of two sensors at common instants, proximal first: (M,) and (M, 2, 3); `mag` may be missing."""

    t: FloatArray
    gyr: FloatArray
    acc: FloatArray
    mag: FloatArray | None
    rate: float

    def block(self, which: int) -> ImuBlock:
        """Return one sensor's samples."""
        mag = None if self.mag is None else np.ascontiguousarray(self.mag[:, which])
        return ImuBlock(str(which), self.t, self.gyr[:, which], self.acc[:, which], mag)


def on_grid(blocks: tuple[ImuBlock, ImuBlock], rate: float) -> Pair:
    """Return two sensors' samples by linear interpolation at common instants, where both have data."""
    first = max(float(block.t[0]) for block in blocks)
    last = min(float(block.t[-1]) for block in blocks)
    t = np.arange(np.ceil(first * rate), np.floor(last * rate) + 1.0) / rate

    def resampled(name: str) -> FloatArray | None:
        columns: list[FloatArray] = []
        for block in blocks:
            signal = getattr(block, name)
            if signal is None:
                return None
            good = np.isfinite(signal).all(axis=1)
            columns.append(np.stack([np.interp(t, block.t[good], signal[good, k]) for k in range(3)], axis=1))
        return np.stack(columns, axis=1)

    gyr, acc = resampled("gyr"), resampled("acc")
    assert gyr is not None
    assert acc is not None
    return Pair(t, gyr, acc, resampled("mag"), rate)


def orientations(method: str, pair: Pair) -> FloatArray | None:
    """Return `q_earth_from_sensor` (M, 2, 4) by a filter of `FILTERS`; None if it lacks an input."""
    found = [filtered(method, pair.block(which), pair.rate) for which in (0, 1)]
    if found[0] is None or found[1] is None:
        return None
    return np.stack([found[0], found[1]], axis=1)


def filtered(method: str, block: ImuBlock, rate: float) -> FloatArray | None:
    """Return `q_earth_from_sensor` (N, 4) of one sensor; None if it lacks a magnetometer."""
    if method.startswith("ahrs-"):
        return make_filter(method.removeprefix("ahrs-"), rate).feed(block).q
    from vqf import VQF

    return _of_vqf(method, block, VQF(1.0 / rate).updateBatch)


def filtered_offline(method: str, block: ImuBlock, rate: float) -> FloatArray | None:
    """Return what VQF's authors offer for a recording that is over; `vqf-6d` or `vqf-9d`."""
    from vqf import offlineVQF

    def run(gyr: FloatArray, acc: FloatArray, mag: FloatArray | None = None) -> Any:
        return offlineVQF(gyr, acc, mag, 1.0 / rate)

    return _of_vqf(method, block, run)


def at_instants(q: FloatArray, t: FloatArray, instants: FloatArray) -> FloatArray:
    """Return orientations (N, 4) given at times t at other instants (M, 4), on the shorter arc between."""
    at = np.clip(np.searchsorted(t, instants, side="right") - 1, 0, len(t) - 2)
    share = np.clip((instants - t[at]) / (t[at + 1] - t[at]), 0.0, 1.0)
    return quaternion.slerp(q[at], q[at + 1], share)


def known(*q: FloatArray) -> BoolArray:
    """Return where all of some orientations (N, 4) are known, (N,)."""
    return np.logical_and.reduce([np.isfinite(each).all(axis=-1) for each in q])


def _of_vqf(method: str, block: ImuBlock, run: Any) -> FloatArray | None:
    signals = (block.gyr, block.acc) if method == "vqf-6d" else (block.gyr, block.acc, block.mag)
    if any(signal is None for signal in signals):
        return None
    found = run(*(np.nan_to_num(np.ascontiguousarray(signal)) for signal in signals))
    return found["quat6D" if method == "vqf-6d" else "quat9D"]
