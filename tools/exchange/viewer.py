"""A trial for public viewers (Foxglove, Rerun): dotted segments turning in space, and the angle's curve."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from imu.quaternion import multiply, rotate
from imu.recording_transforms import CurvePoint, Points, Transform, write_transforms
from tools.exchange.orientations import orientations
from tools.exchange.outgoing import Outgoing

DROPS = (
    "samples, reps, passes, events and calibration; the distance between the segments is drawn, not measured"
)

_LENGTH = 0.4
_FRAMES_PER_SECOND = 30.0
_DOTS = 21


def write_viewer(trials: Sequence[Outgoing], out: Path) -> None:
    """Write one trial; a segment without a calibration turns as its sensor does."""
    (trial,) = trials
    facts = {
        "movement": trial.movement,
        "side": trial.side,
        "simulated": str(trial.simulated).lower(),
        "recording_sha256": trial.content,
    }
    write_transforms(out, sorted(_messages(trial), key=lambda message: message.time_ns), facts)


def _messages(trial: Outgoing) -> Iterator[Transform | Points | CurvePoint]:
    start = 0 if trial.when is None else round(trial.when.timestamp() * 1e9)
    found = orientations(trial)
    mounting = found.q_sensor_from_segment.copy()
    mounting[~np.isfinite(mounting).all(axis=1)] = (1.0, 0.0, 0.0, 0.0)
    q = multiply(found.q_earth_from_sensor, mounting)
    down = np.array([0.0, -_LENGTH, 0.0])
    bone = tuple((0.0, -_LENGTH * dot / (_DOTS - 1), 0.0) for dot in range(_DOTS))
    for segment in found.segments:
        yield Points(start + round(float(found.t[0]) * 1e9), segment, bone)
    every = max(1, round(found.rate / _FRAMES_PER_SECOND))
    for row in range(0, len(found.t), every):
        if not np.isfinite(q[row]).all():
            continue
        time = start + round(float(found.t[row]) * 1e9)
        at = (0.0, 0.0, 1.0)
        for which, segment in enumerate(found.segments):
            turn = q[row, which]
            if which:
                at = tuple((np.array(at) + rotate(q[row, which - 1], down)).tolist())
            yield Transform(time, "earth", segment, at, tuple((turn / np.linalg.norm(turn)).tolist()))
    series = trial.measured().series
    for t, angle, sigma in zip(
        series.t.tolist(), series.angle[:, 0].tolist(), series.sigma[:, 0].tolist(), strict=True
    ):
        if math.isfinite(angle):
            spread = math.degrees(sigma) if math.isfinite(sigma) else 180.0
            yield CurvePoint(start + round(t * 1e9), math.degrees(angle), spread)
