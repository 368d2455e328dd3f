"""Which stretches a sensor's watch looks at when many come at once."""

import math

import numpy as np

from imu.block import FloatArray, ImuBlock
from rom.watch_mount import MountWatch
from rom.watch_sensor import SPAN, SensorWatch


def test_a_jolt_is_looked_at_with_the_stretches_before_and_behind_it() -> None:
    seen: list[int] = []

    class Listening(MountWatch):
        def judge(self, t: FloatArray, gyr: FloatArray, largest: float) -> tuple[float, float] | None:
            seen.append(int(t[0] // SPAN))
            return super().judge(t, gyr, largest)

    watch = SensorWatch("s", "left_shank")
    watch._mount = Listening()  # pyright: ignore[reportPrivateUsage]  to see what is asked of it
    t = np.arange(800) / 100.0
    gyr = np.zeros((800, 3))
    gyr[(t >= 3.1) & (t < 3.4), 0] = math.radians(120.0)
    watch.feed(ImuBlock("s", t, gyr, np.tile([0.0, 0.0, 9.81], (800, 1))))
    jolt = int(3.1 // SPAN)
    assert set(seen) >= {0, jolt - 1, jolt, jolt + 1}
    assert jolt + 3 not in seen
