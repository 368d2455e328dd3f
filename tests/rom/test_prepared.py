"""After the preparation a live session finds everything compiled."""

import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibration.segment import JointCalibration, SegmentAlignment
from imu.quaternion import conjugate
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Reps, TableRest
from rom.limb_world import LimbSpec
from rom.prepared import swing

SESSION = """
import sys
from pathlib import Path
from numba.extending import is_jitted
from imu.recording import Recording
from rom.prepared import prepare
from rom.replay import Replay

def compiled():
    return {
        f"{name}.{key}": len(each.signatures)
        for name, room in list(sys.modules.items()) if name.split(".")[0] in ("imu", "calibration", "rom")
        for key, each in vars(room).items() if is_jitted(each)
    }

if sys.argv[2:]:
    prepare()
before = compiled()
for step in Replay(Recording.open(Path(sys.argv[1]))).steps():
    pass
after = compiled()
print(sorted(name for name in after if after[name] != before.get(name, 0)))
"""


@pytest.mark.parametrize("freedom", [1, 2, 3])
def test_the_imagined_joint_swings_as_far_as_it_was_told(freedom: int) -> None:
    angle = np.concatenate([series.angle[:, 0] for series in swing(freedom)])
    assert np.nanmax(np.abs(angle)) == pytest.approx(1.0, abs=0.02)


def test_nothing_is_left_to_compile_for_a_live_session(tmp_path: Path) -> None:
    programme = (TableRest(2.0, 1.0), Neutral(2.0), Reps(3, math.radians(80), math.radians(15)))
    limb = simulate_limb(LimbSpec(programme=programme, side="left"), 3)
    proximal, distal = (
        SegmentAlignment(sensor, segment, conjugate(q), np.eye(3) * 1e-4)
        for sensor, segment, q in zip(
            limb.sensors, limb.spec.segments, limb.truth.q_segment_from_sensor, strict=True
        )
    )
    axis = np.array([0.0, 0.0, 1.0])
    joint = JointCalibration("knee", 1, proximal, distal, axis, axis, math.radians(1.0))
    file = tmp_path / "r.mcap"
    write_recording(file, [limb], datetime(2026, 1, 2, tzinfo=UTC), calibrations=[joint.to_document()])

    def compiled_late(*words: str) -> str:
        command = [sys.executable, "-c", SESSION, str(file), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout.strip()

    assert compiled_late() != "[]"
    assert compiled_late("prepared") == "[]"
