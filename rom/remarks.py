"""What a reader must know of a trial, in words."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from imu.counted import counted
from rom.alert import clock
from rom.angles import HEADING_UNKNOWN, UNCALIBRATED, UNSURE, JointSeries
from rom.measures import RepMeasures
from rom.passes import PassParams
from rom.quality import SensorQuality
from rom.replay import Replay

_LOSS_TO_MENTION = 0.02
"""Share of lost samples from which a reader is told."""


def renewed(since: float) -> str:
    """Return what a reader must know of a calibration that was done again, at `since`, s."""
    return f"calibrated again at {clock(since, None)}: what came before keeps its calibration"


def nothing_found(replay: Replay, series: JointSeries) -> str:
    """Return why there is no rep and no pass, and what to do."""
    where = f"{replay.recording.path}: no {replay.movement.id} movement was found"
    known = series.angle[np.isfinite(series.angle[:, 0]), 0]
    if not len(known):
        return (
            f"{where}: no angle could be computed ("
            + (
                "the relative heading of the two sensors never became known"
                if (series.flags & HEADING_UNKNOWN).any()
                else "the sensors have no samples at the same time"
            )
            + "); calibrate with a pose and a functional movement, or name the calibration"
        )
    least = (replay.pass_params or PassParams()).min_travel_deg
    return (
        f"{where}: expected there-and-back movements of at least {least:g} deg inside the marked trial, "
        f"the angle covered {math.degrees(float(np.ptp(known))):.1f} deg in the whole recording; "
        "check the movement, the side and the marks"
    )


def warnings_of(
    replay: Replay, series: JointSeries, quality: Sequence[SensorQuality], reps: Sequence[RepMeasures]
) -> tuple[str, ...]:
    """Return what a reader must know, in words."""
    found: list[str] = [f"recording: {sentence}" for sentence in replay.recording.damage]
    if replay.recording.header.simulated:
        found.append("simulated: no person was measured")
    if (series.flags & UNCALIBRATED).any():
        found.append("no calibration: angles are turns since the start pose, without sign or anatomical axis")
    if replay.setup.proximal is None and replay.movement.angle.kind != "inclination":
        found.append("one sensor: right only while the proximal segment kept still")
    inside = np.zeros(len(series), np.bool_)
    for rep in reps:
        inside |= (series.t >= rep.rep.start) & (series.t <= rep.rep.stop)
    for flag, words in (
        (HEADING_UNKNOWN, "the relative heading was not observable"),
        (UNSURE, "the uncertainty was too large for a statement"),
    ):
        share = float(np.mean((series.flags[inside] & flag) > 0)) if inside.any() else 0.0
        if share > 0.1:
            found.append(f"{words} in {share:.0%} of the reps' time")
    for each in quality:
        if each.loss > _LOSS_TO_MENTION:
            found.append(f"sensor {each.sensor} lost {each.loss:.1%} of its samples")
        if each.saturated:
            where = counted(each.saturated, "sample")
            found.append(f"sensor {each.sensor} was at the end of its range in {where}")
    for numbers, words in _alike({rep.number: rep.reasons for rep in reps}):
        verb = "does" if len(numbers) == 1 else "do"
        found.append(f"{_reps(numbers)} {verb} not count: {words}")
    for numbers, words in _alike({rep.number: rep.warnings for rep in reps}):
        found.append(f"{_reps(numbers)}: {words}")
    return tuple(found)


def _alike(said: Mapping[int, Sequence[str]]) -> list[tuple[list[int], str]]:
    """Return of which numbers the same is said, and what; in the order in which it was said first."""
    numbers: dict[str, list[int]] = {}
    for number, words in said.items():
        if words:
            numbers.setdefault("; ".join(words), []).append(number)
    return [(alike, words) for words, alike in numbers.items()]


def _reps(numbers: Sequence[int]) -> str:
    """Return "rep 2", or "reps 2, 3, 5"."""
    return f"rep{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
