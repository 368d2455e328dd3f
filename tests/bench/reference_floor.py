"""What is left when nothing of a filter is: how far a reference and the gyroscopes under it part.

    python tests/bench/reference_floor.py --data ../shared/data/upperlimb_dot
    python tests/bench/reference_floor.py --data ../shared/data/linkrig --only 1D

Sensors
    The reference of each sensor against its gyroscope alone, integrated from a start, with an offset and on a
    mounting that the reference itself chose: RMS, median and worst, deg, and when. Then, over all trials, how
    much of what a gyroscope feels its reference follows, by frequency.
Joints
    RMSE / error of the range of half-cycles, deg, as `tools/bench/trials.py` scores at best-constant, where
    the reference chooses mountings and heading. *Gyroscopes*: both alone, without the offsets that the pose
    showed, begun so that their tilt agrees with gravity over the whole trial. What turns as its gyroscopes do
    comes below by luck only. Where nothing was calibrated, instead, romcap live without what only the whole
    recording shows (the reference has no part in it): offsets of the gyroscopes, of the accelerometers too.
"""

import argparse
import math
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import csd, welch

from calibration.gather import frames_of
from calibration.heading import HeadingEstimator
from calibration.segment import JointCalibration
from calibration.wearing import learn
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.fusion import hindsight
from tools.bench.calibrations import calibrations_of, is_calibration, samples_of
from tools.bench.estimate import LIVE, REVIEW, TOLD, Estimate, adrift, estimates, of_sensors, own, told
from tools.bench.optical import Joint, Trial
from tools.bench.scoring import fit, nearest
from tools.bench.trials import BestConstant

WINDOW = 4.0
"""Seconds of a window in which frequencies are told apart."""

HERTZ = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


def main() -> None:
    """Print a line a sensor, what references follow, a line a joint, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/upperlimb_dot"))
    parser.add_argument("--only", default="", help="only trials whose name holds this")
    options = parser.parse_args()
    trials = [Trial(path) for path in sorted(options.data.glob("*.npz"))]
    calibrations = calibrations_of(trials, print)
    wanted = [trial for trial in trials if options.only in trial.name and not is_calibration(trial)]
    _tell_sensors(wanted)
    table: dict[str, list[dict[str, FloatArray]]] = {}
    for trial in wanted:
        for joint in trial.joints:
            row = _joint(trial, joint, calibrations.get(joint.name))
            table.setdefault(joint.name, []).append(row)
            print(f"{trial.name:22s} {joint.name:9s} {_told(row)}", flush=True)
    for name, rows in table.items():
        medians = {method: np.median([row[method] for row in rows], axis=0) for method in rows[0]}
        print(f"{'median':22s} {name:9s} {_told(medians)}")


def _tell_sensors(trials: list[Trial]) -> None:
    spectra: list[FloatArray] = []
    for trial in trials:
        for segment, block in trial.blocks.items():
            reference, ok = trial.reference(segment, "refc" if trial.has(segment, "refc") else "ref", block.t)
            apart = np.degrees(_apart(block, trial.rate, reference, ok))
            worst, size = int(np.nanargmax(apart)), math.sqrt(float(np.nanmean(apart**2)))
            print(
                f"{trial.name:22s} {segment:9s} reference and gyroscope part by {size:.2f}, median "
                f"{np.nanmedian(apart):.2f}, worst {apart[worst]:.1f} at {block.t[worst]:.1f} s"
            )
            spectra.append(_spectrum(block, trial.rate, reference, ok))
    shared, felt = np.sum(spectra, axis=0)
    follows = [f"{abs(s) / f:.2f} at {hertz:g} Hz" for hertz, s, f in zip(HERTZ, shared, felt, strict=True)]
    print(f"what references follow of what gyroscopes feel: {', '.join(follows)}")


def _apart(block: ImuBlock, rate: float, reference: FloatArray, ok: BoolArray) -> FloatArray:
    """Return the angle between a reference and its gyroscope alone, (N,), rad; NaN where it doesn't count."""
    some = np.flatnonzero(ok)[:: max(1, np.count_nonzero(ok) // 300)]
    before, after, _ = fit(_turned(block.gyr, rate)[some], reference[some], 20)
    ends = quaternion.to_rotation_vector(np.stack([before, after])).ravel()

    def off(chosen: FloatArray) -> FloatArray:
        first, last = quaternion.from_rotation_vector(chosen[:6].reshape(2, 3))
        q = quaternion.multiply(quaternion.multiply(first, _turned(block.gyr - chosen[6:], rate)), last)
        return quaternion.to_rotation_vector(quaternion.multiply(quaternion.conjugate(reference), q))

    def cost(chosen: FloatArray) -> FloatArray:
        return off(chosen)[ok].ravel()

    start, size = np.append(ends, np.zeros(3)), np.repeat([0.05, 0.005], [6, 3])
    found = least_squares(cost, start, x_scale=size, max_nfev=15)
    return np.where(ok, np.sqrt((off(found.x) ** 2).sum(axis=1)), np.nan)


def _spectrum(block: ImuBlock, rate: float, reference: FloatArray, ok: BoolArray) -> FloatArray:
    """Return what rates of reference and gyroscope share and what the latter holds, by frequency, (2, F)."""
    steps = quaternion.multiply(quaternion.conjugate(reference[:-1]), reference[1:])
    seen, felt = quaternion.to_rotation_vector(steps) * rate, 0.5 * (block.gyr[1:] + block.gyr[:-1])
    first, last = _longest(ok[:-1] & ok[1:])
    seen, felt = seen[first:last], felt[first:last]
    seen = quaternion.rotate(nearest(felt.T @ seen), seen)
    window = min(round(WINDOW * rate), len(seen))
    hertz, shared = csd(felt, seen, fs=rate, nperseg=window, axis=0)
    held = welch(felt, fs=rate, nperseg=window, axis=0)[1]
    rows = np.real(shared).sum(axis=1), held.sum(axis=1)
    return np.stack([np.interp(HERTZ, hertz, row) for row in rows]) * len(seen)


def _longest(ok: BoolArray) -> tuple[int, int]:
    """Return where the longest run of true begins and ends."""
    borders = np.flatnonzero(np.concatenate([[True], ~ok, [True]]))
    longest = int(np.argmax(np.diff(borders)))
    return int(borders[longest]), int(borders[longest + 1]) - 1


def _joint(trial: Trial, joint: Joint, calibration: JointCalibration | None) -> dict[str, FloatArray]:
    """Return RMSE and range error of every method, deg."""
    ends = (joint.parent, joint.parent), (joint.child, joint.child)
    known = calibration or JointCalibration.uncalibrated(joint.name, joint.freedom, *ends)
    sensors, blocks = [joint.parent, joint.child], samples_of(trial, calibration)
    frames, rate = frames_of(sensors, blocks, trial.noise())
    constant = BestConstant.of(trial, joint, frames, rate)
    found = estimates(trial, joint, calibration, frames, ahrs=False, qmt=False)
    methods = {REVIEW: found[REVIEW], LIVE: found[LIVE]}
    if calibration is None:
        for name, both in (("gyroscopes' offsets off", False), ("accelerometers' too", True)):
            better, _ = frames_of(sensors, {s: _true(blocks[s], rate, both) for s in sensors}, trial.noise())
            methods[f"live, {name}"] = own(better, HeadingEstimator(known, rate).feed(better))
    else:
        first, second = (_alone(blocks[sensor], rate, frames.t) for sensor in sensors)
        methods["gyroscopes"] = Estimate(first, second, constant.ok, adrift=True)
        methods[TOLD] = told(known, frames, trial.rate, constant.heading(adrift(frames)))
    scores = {name: constant.score(of_sensors(each, known)) for name, each in methods.items()}
    return {name: np.array([row["rmse_deg"], row["rom_error_deg"]], float) for name, row in scores.items()}


def _alone(block: ImuBlock, rate: float, t: FloatArray) -> FloatArray:
    """Return a sensor as its gyroscope alone turns it, (M, 4), upright over the whole trial."""
    turned, upright = _turned(block.gyr, rate), hindsight("vqf", block, rate).q
    begin = quaternion.mean(quaternion.multiply(upright, quaternion.conjugate(turned)))
    return quaternion.multiply(begin, turned)[np.searchsorted(block.t, t - 0.5 / rate)]


def _true(block: ImuBlock, rate: float, both: bool) -> ImuBlock:
    """Return samples without the offset of the gyroscope and, if both, the errors of the accelerometer.

    The former is the median of what VQF's offline form finds, the latter what wearing teaches.
    """
    gyr = block.gyr - np.median(hindsight("vqf", block, rate).gyr_bias, axis=0)
    acc = learn([(gyr, block.acc)], rate).true_acc(block.acc) if both else block.acc
    return ImuBlock(block.sensor, block.t, gyr, acc, block.mag)


def _turned(gyr: FloatArray, rate: float) -> FloatArray:
    """Return where a sensor is that turns by these rates from (1, 0, 0, 0), (N, 4)."""
    steps = quaternion.from_rotation_vector(0.5 * (gyr[1:] + gyr[:-1]) / rate)
    whole = np.empty((len(gyr), 4))
    whole[0] = 1.0, 0.0, 0.0, 0.0
    for k, step in enumerate(steps):
        whole[k + 1] = quaternion.multiply(whole[k], step)
    return whole


def _told(row: dict[str, FloatArray]) -> str:
    return "  ".join(f"{name} {rmse:.2f}/{ranges:.2f}" for name, (rmse, ranges) in row.items())


if __name__ == "__main__":
    main()
