"""A posture that changes slowly is no drift: what treatment gains must reach the reader, about any axis."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.recording import Recording
from rom.compare import compare
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps, TableRest, TakePosition
from rom.limb_world import LimbSpec
from rom.trial import analyse

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START, END, GAIN = math.radians(100.0), math.radians(20.0), math.radians(8.0)
STEPS = 10


def treated(inclination: float, seed: int) -> LimbRecording:
    """Return a knee whose passes reach 8 deg farther after ten minutes, tested before and after."""
    ends = END - GAIN * (np.arange(STEPS) + 1.0) / STEPS
    spec = LimbSpec(
        (
            TableRest(),
            Neutral(),
            Functional(proximal_share=0.5),
            TakePosition(),
            Reps(5, START, END, phase="baseline"),
            *(Passes(5, START, end, creep=0.0) for end in ends.tolist()),
            Reps(5, START, END - GAIN, phase="retest"),
        ),
        inclination=inclination,
        rate=60.0,
    )
    return simulate_limb(spec, seed)


@pytest.mark.parametrize("degrees", [0.0, 90.0], ids=["vertical", "horizontal"])
def test_a_slow_gain_is_kept_by_ranges_and_lies_in_the_intervals(degrees: float, tmp_path: Path) -> None:
    limb = treated(math.radians(degrees), 320)
    path = tmp_path / "slow.mcap"
    write_recording(path, [limb], NOW)
    recording = Recording.open(path)
    before, after = (analyse(recording, phase=phase) for phase in ("baseline", "retest"))
    reps = before.reps + after.reps
    tested = [limb.truth.extent(stroke) for stroke in limb.truth.strokes if stroke.kind == "rep"]
    assert len(reps) == len(tested)
    for rep, (_, end, reached) in zip(reps, tested, strict=True):
        assert abs(rep.end - end) < 1.96 * rep.end_sigma
        assert abs(rep.range - reached) < 1.96 * rep.range_sigma
    first, last = (np.mean([rep.range for rep in trial.reps]) for trial in (before, after))
    gained = np.mean([reached for *_, reached in tested[5:]]) - np.mean([r for *_, r in tested[:5]])
    assert abs(last - first - gained) < math.radians(1.0)
    if degrees == 0.0:
        assert not after.valid_reps, "where a drift can't be told from a gain, end angles make no statement"
    else:
        low, high = compare(
            before.sample(elapsed=0.0), after.sample(elapsed=600.0)
        ).change.estimate.interval()
        assert low < GAIN < high
        assert low > 0.0
