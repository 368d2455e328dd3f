"""Where the degrees against an anatomical frame come from: skin, alignment, tilt and heading, peers included.

    python tests/bench/error_budget.py --data ../shared/data/upperlimb_dot

Every trial of the folder that is no calibration is scored against the anatomical frames `_ref`:

skin
    The marker clusters on the sensors, with the constant rotations that fit this very trial best: what is
    left is skin that moves on the bone.
alignment
    The same clusters, as perfect orientation sensors, with romcap's alignment.
romcap-live, romcap-review, vqf-6d, vqf-9d
    The orientations of `rom bench`, end to end, with the same alignment; then, in brackets, the same with
    the relative heading that the clusters show at each instant: what is left is tilt and what `alignment`
    has. Peers without a heading are reset to the neutral pose at the first sample.

A cluster's place on its sensor comes from the angular rates of all trials. RMSE / error of the range of
half-cycles, deg, and the mean of the error, which is a matter of zero; the angle is flexion (elbow) or the
angle between the long axes. `medians` are over trials.
"""

import argparse
import math
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from calibration.gather import frames_of
from calibration.gyroscope import steadied
from calibration.segment import JointCalibration
from imu import quaternion
from imu.block import BoolArray, FloatArray
from tools.bench.calibrations import calibrations_of
from tools.bench.estimate import LIVE, REVIEW, Estimate, estimates
from tools.bench.optical import Joint, Trial, relative
from tools.bench.scoring import fit, nearest, rms, rom_error

STEP = 6
"""Samples over which a cluster's angular rate is taken."""

Score = tuple[float, float, float]
"""RMSE, error of the range, mean error; deg."""

HEADED = (LIVE, REVIEW, "vqf-6d", "vqf-9d")


def main() -> None:
    """Print a line a trial, joint and column, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/upperlimb_dot"))
    trials = [Trial(path) for path in sorted(parser.parse_args().data.glob("*.npz"))]
    calibrations = calibrations_of(trials, print)
    clusters = {segment: _cluster(trials, segment) for segment in trials[0].segments}
    table: dict[str, list[dict[str, Score]]] = {}
    for trial in trials:
        for joint in trial.joints if "cali" not in trial.name.lower() else []:
            row = _row(trial, joint, calibrations[joint.name], clusters)
            table.setdefault(joint.name, []).append(row)
            print(f"{trial.name:22s} {joint.name:9s} {_told(row)}", flush=True)
    for name, rows in table.items():
        medians = {key: _median(rows, key) for key in rows[0]}
        print(f"{'medians':22s} {name:9s} {_told(medians)}")


def _cluster(trials: list[Trial], segment: str) -> FloatArray:
    """Return `q_cluster_from_sensor` (4,): both turn alike in every trial."""
    profile = np.zeros((3, 3))
    for trial in trials:
        block = trial.blocks[segment]
        if not trial.has(segment, "refc") or "ref_shift_s" not in trial.meta:
            continue
        q, ok = trial.reference(segment, "refc", block.t)
        turned = quaternion.multiply(quaternion.conjugate(q[:-STEP]), q[STEP:])
        seen = quaternion.to_rotation_vector(turned) * (trial.rate / STEP)
        summed = np.cumsum(np.vstack([np.zeros((1, 3)), block.gyr]), axis=0)
        felt = (summed[STEP:-1] - summed[: -STEP - 1]) / STEP
        good = ok[:-STEP] & ok[STEP:] & np.isfinite(seen).all(axis=1) & np.isfinite(felt).all(axis=1)
        profile += seen[good].T @ felt[good]
    return nearest(profile)


def _row(
    trial: Trial, joint: Joint, calibration: JointCalibration, clusters: dict[str, FloatArray]
) -> dict[str, Score]:
    sensors = [joint.parent, joint.child]
    ends = calibration.proximal, calibration.distal
    steady = steadied(trial.blocks, {end.sensor: end.gyroscope for end in ends})
    frames, _ = frames_of(sensors, steady)
    anatomical, ok = relative(trial, sensors, "ref", frames.t)
    cluster, also = relative(trial, sensors, "refc", frames.t)
    ok &= also
    back = quaternion.conjugate(clusters[joint.parent])
    seen = quaternion.multiply(quaternion.multiply(back, cluster), clusters[joint.child])
    before, after, _ = fit(cluster[ok][::10], anatomical[ok][::10])
    angles = {"skin": quaternion.multiply(quaternion.multiply(before, cluster), after)}
    angles["alignment"] = _aligned(calibration, seen)
    found = estimates(trial, joint, calibration, frames, ahrs=False, qmt=False)
    for name in HEADED:
        if name in found:
            own = found[name].joint(_reset(found[name], calibration, ok) if found[name].adrift else 0.0)
            angles[name] = _aligned(calibration, own)
            angles[f"{name} turned"] = _aligned(calibration, _turned(found[name].first, own, seen))
    target = _angle(joint.name, anatomical)
    return {name: _score(_angle(joint.name, q), target, ok) for name, q in angles.items()}


def _reset(estimate: Estimate, calibration: JointCalibration, ok: BoolArray) -> float:
    """Return the heading, rad, that the neutral pose would mean at the first sample."""
    at = int(np.flatnonzero(ok & estimate.claimed)[0])
    upper = quaternion.multiply(estimate.first[at], calibration.proximal.q_sensor_from_segment)
    lower = quaternion.multiply(estimate.second[at], calibration.distal.q_sensor_from_segment)
    meant = quaternion.multiply(upper, calibration.q_neutral)
    return float(_heading(quaternion.multiply(meant, quaternion.conjugate(lower))))


def _turned(first: FloatArray, own: FloatArray, seen: FloatArray) -> FloatArray:
    """Return the distal sensor in the proximal one (M, 4), turned about the vertical nearest to `seen`."""
    there = quaternion.multiply(first, own)
    off = quaternion.multiply(quaternion.multiply(first, seen), quaternion.conjugate(there))
    right = quaternion.multiply(quaternion.about_vertical(_heading(off)), there)
    return quaternion.multiply(quaternion.conjugate(first), right)


def _heading(q: FloatArray) -> FloatArray:
    return 2.0 * np.arctan2(q[..., 3], q[..., 0])


def _aligned(calibration: JointCalibration, q: FloatArray) -> FloatArray:
    """Return the distal segment in the proximal one from the distal sensor in the proximal one."""
    up = quaternion.conjugate(calibration.proximal.q_sensor_from_segment)
    return quaternion.multiply(quaternion.multiply(up, q), calibration.distal.q_sensor_from_segment)


def _angle(joint: str, q: FloatArray) -> FloatArray:
    m = quaternion.to_matrix(q)
    if joint == "elbow":
        return np.arctan2(-m[:, 0, 1], m[:, 1, 1])
    return np.arccos(np.clip(m[:, 1, 1], -1.0, 1.0))


def _score(angle: FloatArray, target: FloatArray, ok: BoolArray) -> Score:
    ok = ok & np.isfinite(angle)
    ranges = rom_error(np.unwrap(angle[ok]), np.unwrap(target[ok]))
    error = quaternion.wrap(angle - target)[ok]
    return math.degrees(rms(error)), math.nan if ranges is None else ranges, math.degrees(error.mean())


def _median(rows: list[dict[str, Score]], key: str) -> Score:
    rmse, ranges, mean = np.median([row[key] for row in rows], axis=0).tolist()
    return rmse, ranges, mean


def _told(row: dict[str, Score]) -> str:
    parts: list[str] = []
    for key, score in row.items():
        if not key.endswith("turned"):
            plain = "{:.1f}/{:.1f} ({:+.1f})".format(*score)
            turned = row.get(f"{key} turned")
            parts.append(f"{key} {plain}" + ("" if turned is None else " [{:.1f}/{:.1f}]".format(*turned)))
    return "  ".join(parts)


if __name__ == "__main__":
    main()
