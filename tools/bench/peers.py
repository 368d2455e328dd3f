"""What other people's methods make of the same two sensors: their libraries, their defaults.

`vqf` and `qmt` are called here directly, because a peer must run as its authors ship it; romcap's own filters
go through `imu.fusion`. `qmt` is optional: without it its rows are absent.
"""

import contextlib
import io
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from imu import quaternion
from imu.block import FloatArray, ImuBlock
from imu.fusion import make_filter

FILTERS = ("vqf-6d", "vqf-9d", "ahrs-madgwick", "ahrs-ekf")
CHAIN = "qmt-chain"


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

    gyr, acc = (np.nan_to_num(np.ascontiguousarray(signal)) for signal in (block.gyr, block.acc))
    if method == "vqf-6d":
        return VQF(1.0 / rate).updateBatch(gyr, acc)["quat6D"]
    if block.mag is None:
        return None
    return VQF(1.0 / rate).updateBatch(gyr, acc, np.nan_to_num(np.ascontiguousarray(block.mag)))["quat9D"]


def has_qmt() -> bool:
    """Return whether the optional library is there."""
    return find_spec("qmt") is not None


def hinge_chain(pair: Pair, calibration: tuple[float, float]) -> FloatArray:
    """Return the flexion angle (M,), rad, of qmt's public chain: VQF 6D, Olsson's axes, heading correction.

    Parameters
    ----------
    pair
        Both sensors over the whole recording.
    calibration
        Start and stop of the movement that the axes are estimated from, s.
    """
    qmt = import_module("qmt")
    inside = (pair.t >= calibration[0]) & (pair.t <= calibration[1])
    stride = max(1, np.count_nonzero(inside) // 1200)
    gyr, acc = (np.ascontiguousarray(signal[inside][::stride]) for signal in (pair.gyr, pair.acc))
    with contextlib.redirect_stdout(io.StringIO()):
        axes = qmt.jointAxisEstHingeOlsson(
            acc[:, 0], acc[:, 1], gyr[:, 0], gyr[:, 1], estSettings={"w0": 50.0, "quiet": True}
        )
    j1, j2 = (np.ravel(axis) / np.linalg.norm(axis) for axis in axes[:2])
    q = orientations("vqf-6d", pair)
    assert q is not None
    # qmt's Euler residual is singular about z, so both segments get frames whose y axis is the joint's
    frames = [quaternion.between(np.array([0.0, 1.0, 0.0]), axis) for axis in (j1, j2)]
    segments = [quaternion.multiply(q[:, k], frames[k]) for k in (0, 1)]
    rates = [quaternion.rotate(quaternion.conjugate(frames[k]), pair.gyr[:, k]) for k in (0, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        corrected = qmt.headingCorrection(
            rates[0], rates[1], segments[0], segments[1], pair.t, np.array([0.0, 1.0, 0.0]), {},
            {"alignment": "backward"},
        )  # fmt: skip
    relative = quaternion.multiply(quaternion.conjugate(segments[0]), corrected[0])
    return np.unwrap(quaternion.twist(relative, np.array([0.0, 1.0, 0.0])))
