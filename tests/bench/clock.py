"""Clock mapping over half an hour against two peers: arrival times as they are, and a recursive mean fit.

Run `python tests/bench/clock.py [SECONDS] [SEEDS]`; the default is 1800 s and 2 seeds. Seven sensors at
±40 ppm with thermal wobble; the figure is the spread of their errors, after the first 10 s for our clock
and after the first minute for the recursive mean, which has not settled earlier.
"""

import runpy
import sys
import time
from pathlib import Path

import numpy as np

from imu.block import FloatArray
from imu.virtual_link import Link, stalls

SUITE = runpy.run_path(str(Path(__file__).parents[1] / "imu" / "test_clock.py"))
CASES = {
    "60 Hz, interval 15 ms": (60.0, Link(0.015)),
    "60 Hz, interval 30 ms": (60.0, Link(0.030)),
    "60 Hz, interval 48.75 ms": (60.0, Link(0.04875)),
    "60 Hz, 30 ms, 20 % repeated, stalls": (60.0, Link(0.030, 0.2, stall_every=5.0)),
    "60 Hz, 30 ms, 5 % lost": (60.0, Link(0.030, lost=0.05)),
    "100 Hz, 20 ms (locked: cannot be seen)": (100.0, Link(0.020)),
}


def mean_fit(t: FloatArray, arrival: FloatArray, rate: float, halftime: float = 90.0) -> FloatArray:
    """Return arrival fitted on device time by recursive least squares, causally: the usual mean fit."""
    forget = 2.0 ** (-1.0 / (rate * halftime))
    p00, p01, p11 = 1e10, 0.0, 1e10
    offset = slope = 0.0
    out = np.empty_like(t)
    for i, (x, y) in enumerate(zip(t - t[0], (arrival - arrival[0]) - (t - t[0]), strict=True)):
        g0, g1 = p00 + p01 * x, p01 + p11 * x
        scale = forget + g0 + g1 * x
        k0, k1 = g0 / scale, g1 / scale
        wrong = y - offset - slope * x
        offset, slope = offset + k0 * wrong, slope + k1 * wrong
        p00, p01, p11 = (p00 - k0 * g0) / forget, (p01 - k0 * g1) / forget, (p11 - k1 * g1) / forget
        out[i] = arrival[0] + x + offset + slope * x
    return out


def spread(runs: list[tuple[FloatArray, FloatArray]], start: float, stop: float) -> FloatArray:
    """Return the spread of errors on a common grid; each run is truth and estimate."""
    grid = np.arange(start, stop - 1.0, 0.05)
    return np.ptp([np.interp(grid, truth, estimate - truth) for truth, estimate in runs], axis=0)


def main() -> None:
    """Print p95 and maximum of the spread, ms, for each case and seed."""
    duration = float(sys.argv[1]) if len(sys.argv) > 1 else 1800.0
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    print(f"{duration:.0f} s, 7 sensors; spread p95 / max, ms")
    for title, (rate, link) in CASES.items():
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            stalled = stalls(link, duration, rng)
            began = time.perf_counter()
            runs = [SUITE["run"](rate, duration, link, stalled, rng) for _ in range(7)]
            cost = (time.perf_counter() - began) / sum(len(r.truth) for r in runs)
            ours = spread([(r.truth, r.estimate) for r in runs], 10.0, duration)
            raw = spread([(r.truth, r.arrival) for r in runs], 10.0, duration)
            fits = [(r.truth, mean_fit(r.device, r.arrival, rate)) for r in runs]
            mean = spread(fits, min(60.0, duration / 2), duration)
            columns = "   ".join(
                f"{name} {np.percentile(x, 95) * 1e3:7.2f} / {x.max() * 1e3:7.2f}"
                for name, x in (("envelope", ours), ("mean fit", mean), ("arrival", raw))
            )
            print(f"{title:40s} seed {seed}   {columns}   {cost * 1e6:.0f} us a sample", flush=True)


if __name__ == "__main__":
    main()
