"""qmt's public chain for a joint: VQF without magnetometers, its axes, its heading correction.

`qmt` is optional, for the bench only: without it its rows are absent and the bench says why. It names axes
for hinges alone (`jointAxisEstHingeOlsson`); joints of two or three axes get those of the shared calibration.
"""

import contextlib
import io
from importlib import import_module
from typing import Any

import numpy as np

from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import FloatArray
from tools.bench.peers import Pair, orientations

CHAIN = "qmt-chain"
GRID = 5.0
"""qmt asks for a sampling rate that is a multiple of this, Hz."""

_Y = np.array([0.0, 1.0, 0.0])


def why_absent() -> str | None:
    """Return why qmt cannot be used here; None if it can."""
    try:
        import_module("qmt")
    except Exception as error:  # noqa: BLE001 - whatever a foreign library raises at import
        return f"qmt-chain is absent: {type(error).__name__}: {error}; pip install 'romcap[bench]'"
    return None


def hinge_axes(gyr: FloatArray, acc: FloatArray) -> FloatArray:
    """Return the axis of a hinge in both sensors, (2, 3), from a movement of both (N, 2, 3).

    F. Olsson, M. Kok, T. Seel, K. Halvorsen, Sensors 20:3534, 2020, as qmt ships it, on at most 1200 samples.
    """
    stride = max(1, len(gyr) // 1200)
    g, a = (np.ascontiguousarray(signal[::stride]) for signal in (gyr, acc))
    settings = {"w0": 50.0, "quiet": True}
    found = _quietly("jointAxisEstHingeOlsson", a[:, 0], a[:, 1], g[:, 0], g[:, 1], estSettings=settings)
    return np.stack([np.ravel(axis) / np.linalg.norm(axis) for axis in found[:2]])


def hinge_flexion(pair: Pair, calibration: tuple[float, float]) -> FloatArray:
    """Return the flexion (M,), rad, of a hinge whose axes are estimated between two times, s."""
    inside = (pair.t >= calibration[0]) & (pair.t <= calibration[1])
    frames = _upright(hinge_axes(pair.gyr[inside], pair.acc[inside]))
    first, second = _corrected(pair, frames, _Y, {})
    return np.unwrap(quaternion.twist(quaternion.multiply(quaternion.conjugate(first), second), _Y))


def joint(
    pair: Pair, freedom: int, calibration: JointCalibration | None
) -> tuple[FloatArray, FloatArray] | None:
    """Return both sensors' orientations, (M, 4) each, in the earth frame of the first.

    Parameters
    ----------
    pair
        Both sensors over the whole trial, at a rate that is a multiple of `GRID`.
    freedom
        Axes of the joint, 1 to 3.
    calibration
        Alignments, axes and limits that every method gets; without, axes are estimated on the trial itself.

    Returns
    -------
    tuple or None
        None where qmt has nothing to go by: two or three axes and no calibration.
    """
    if calibration is None:
        if freedom != 1:
            return None
        frames, axes, info = _upright(hinge_axes(pair.gyr, pair.acc)), _Y, {}
    else:
        frames = np.stack([each.q_sensor_from_segment for each in (calibration.proximal, calibration.distal)])
        axes = np.stack([calibration.axis_proximal, calibration.axis_distal])
        info: dict[str, Any] = {}
        if freedom == 1:
            frames, axes = quaternion.multiply(frames, _upright(axes)), _Y
        elif freedom == 3:
            axes, info = np.eye(3), {"convention": "zxy", "angle_ranges": calibration.limits}
            if not np.isfinite(calibration.limits).all():
                return None
    if not np.isfinite(axes).all():
        return None
    first, second = _corrected(pair, frames, axes, info)
    back = quaternion.conjugate(frames)
    return quaternion.multiply(first, back[0]), quaternion.multiply(second, back[1])


def _upright(axes: FloatArray) -> FloatArray:
    """Return frames (2, 4) whose y axis is the joint's: qmt's residual for hinges is singular about z."""
    return np.stack([quaternion.between(_Y, axis) for axis in axes])


def _corrected(
    pair: Pair, frames: FloatArray, axes: FloatArray, info: dict[str, Any]
) -> tuple[FloatArray, FloatArray]:
    """Return both segments (M, 4), the second turned into the earth frame of the first."""
    q = orientations("vqf-6d", pair)
    assert q is not None
    segments = [quaternion.multiply(q[:, k], frames[k]) for k in (0, 1)]
    rates = [quaternion.rotate(quaternion.conjugate(frames[k]), pair.gyr[:, k]) for k in (0, 1)]
    corrected = _quietly(
        "headingCorrection", *rates, *segments, pair.t, axes, info, {"alignment": "backward"}
    )
    return segments[0], np.asarray(corrected[0], np.float64)


def _quietly(name: str, *given: Any, **settings: Any) -> Any:
    """Call a function of qmt without its printing."""
    with contextlib.redirect_stdout(io.StringIO()):
        return getattr(import_module("qmt"), name)(*given, **settings)
