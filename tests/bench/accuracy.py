"""Score joint angles on recordings with an optical reference, beside the peers, in one process.

    python tests/bench/accuracy.py --data ../shared/data [--json rows.json]

Every trial in the `.npz` layout of the data's README below the folder is scored: joints come from its
`meta`, samples count where `_ok` (or `movement`) says so, the reference is moved by `ref_shift_s`.

Modes
-----
end-to-end
    The folder holds a neutral pose and functional movements: alignment, heading and angles come from
    those and the trial's own inertial samples only, against the anatomical frames `_ref`. The angle is
    flexion (elbow), or the angle between the two long axes (shoulder elevation, wrist bend), which no
    convention of the transverse axes changes.
best-constant
    Against `_refc` (marker cluster on the sensor) where it exists, else `_ref`: two constant rotations
    and one constant heading, best for the whole trial, are given to every method alike. The relative
    heading of 6D peers is arbitrary by construction, so they need it; romcap and the 9D peer get the same
    in this mode and in no other. Joints of one axis are scored by the angle about it, others by the whole
    rotation.

End to end no heading is given to anybody; peers without one are reset to the neutral pose at the trial's
first sample, the usual way of using them.

Samples
-------
`rmse_deg` and `rom_error_deg` of every method are over every sample where the reference counts and the
method shows an angle, romcap's best guesses included. `known` is the share that the method vouches for
(end to end: whose sigma moves the angle by less than the product's limit for a statement; best-constant:
where a relative heading is claimed), `rmse_known_deg` and `rom_error_known_deg` are over those samples
alone, with the same constants. Peers claim no uncertainty, so they vouch for everything that they show.

ROM error is the root mean square error of single half-cycles of the main angle. Orientation filters of
one sensor are scored by inclination (6D) and whole error (9D).
"""

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from methods import OWN, PEERS, Estimate, filtered, own, peer
from optical import Joint, Trial, relative
from scoring import LEAST_SAMPLES, Row, bend, fit, flexion, judged, main_axis

from calibration.alignment import JointPlan, Movement, calibrate_limb
from calibration.gather import frames_of
from calibration.heading import HeadingEstimator
from calibration.segment import JointCalibration
from calibration.smoother import smooth
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.errors import RomcapError
from imu.fusion import make_filter
from rom.tracker import UNSURE_SIGMA

FUNCTIONAL = {
    "eFlex": ("elbow", "flexion", True),
    "ePro": ("elbow", "rotation", True),
    "wFlex": ("wrist", "flexion", False),
    "wDev": ("wrist", "adduction", False),
    "sRot": ("shoulder", "rotation", True),
    "sFlex": ("shoulder", "flexion", True),
    "sAbd": ("shoulder", "abduction", True),
}
"""Movement in the name of a functional trial: joint, axis, whether the joint goes that way only."""

_HEADINGS = np.radians(np.arange(0.0, 360.0, 10.0))

Angle = Callable[[FloatArray], FloatArray]


def main() -> None:
    """Score a folder; print a table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, dest="out", help="write the rows to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    walked = os.walk(options.data, followlinks=True)
    for folder in sorted(Path(at) for at, _, files in walked if any(f.endswith(".npz") for f in files)):
        for row in score_folder(folder):
            rows.append(row)
            print(_line(row), flush=True)
    _summary(rows)
    if options.out is not None:
        options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def score_folder(folder: Path) -> Iterator[Row]:
    """Yield the rows of every trial of a folder."""
    trials = [Trial(path) for path in sorted(folder.glob("*.npz"))]
    calibrations = _calibrate(trials)
    for trial in trials:
        if not trial.joints:
            for segment in trial.segments:
                yield from _score_sensor(trial, segment)
        if _is_calibration(trial):
            continue
        for joint in trial.joints:
            yield from _score_joint(trial, joint, calibrations.get(joint.name))


def _is_calibration(trial: Trial) -> bool:
    return "cali" in trial.name.lower()


def _calibrate(trials: list[Trial]) -> dict[str, JointCalibration]:
    """Return the calibrations that a folder's pose and functional movements give; none if it has none."""
    poses = [trial for trial in trials if _is_calibration(trial) and "_n_" in f"_{trial.name.lower()}_"]
    if not poses:
        return {}
    side = "left" if "left arm" in str(poses[0].meta.get("notes", "")) else "right"
    plans = [
        JointPlan(j.name, j.freedom, side, (j.parent, j.parent), (j.child, j.child)) for j in poses[0].joints
    ]
    names = {plan.joint for plan in plans}
    movements: list[Movement] = []
    for trial in trials:
        for word, (joint, axis, one_way) in FUNCTIONAL.items():
            if _is_calibration(trial) and word in trial.name and joint in names:
                movements.append(Movement(joint, axis, trial.blocks, one_way))
    try:
        return {c.joint: c for c in calibrate_limb(plans, poses[0].blocks, movements)}
    except RomcapError as error:
        print(f"{poses[0].path.parent.name}: calibration refused: {error}")
        return {}


def _score_joint(trial: Trial, joint: Joint, calibration: JointCalibration | None) -> Iterator[Row]:
    sensors = [joint.parent, joint.child]
    if not (trial.has(joint.parent, "ref") and trial.has(joint.child, "ref")):
        return
    ends = (joint.parent, joint.parent), (joint.child, joint.child)
    known = calibration or JointCalibration.uncalibrated(joint.name, joint.freedom, *ends)
    frames, rate = frames_of(sensors, trial.blocks)
    estimates = {
        "romcap-live": own(frames, HeadingEstimator(known, rate).feed(frames)),
        "romcap-review": own(frames, smooth(known, frames, rate)),
    }
    for name in PEERS:
        found = peer(name, trial, sensors, frames)
        if found is not None:
            estimates[name] = found
    kind = "refc" if trial.has(joint.parent, "refc") and trial.has(joint.child, "refc") else "ref"
    reference, ok = relative(trial, sensors, kind, frames.t)
    if np.count_nonzero(ok) < LEAST_SAMPLES:
        return
    for method, estimate in estimates.items():
        row = _blank(trial, joint.name, method, "best-constant")
        row.update(_best_constant(joint, estimate, frames.t, reference, ok))
        yield row
    if calibration is None:
        return
    anatomical, ok = relative(trial, sensors, "ref", frames.t)
    read = _angle(joint.name)
    target = read(anatomical)
    for method, estimate in estimates.items():
        delta = _start_heading(calibration, estimate, ok) if estimate.adrift else 0.0
        angle = read(_aligned(calibration, estimate.joint(delta)))
        sure = np.ones_like(ok)
        for side in (-1.0, 1.0):
            other = read(_aligned(calibration, estimate.joint(delta + side * estimate.sigma)))
            sure &= np.abs(quaternion.wrap(other - angle)) < UNSURE_SIGMA
        row = _blank(trial, joint.name, method, "end-to-end")
        row.update(judged(quaternion.wrap(angle - target), angle, target, ok, sure))
        yield row


def _start_heading(calibration: JointCalibration, estimate: Estimate, ok: BoolArray) -> float:
    """Return the heading that the neutral pose would mean at a trial's first sample: the usual reset."""
    at = int(np.flatnonzero(ok & estimate.claimed)[0])
    upper = quaternion.multiply(estimate.first[at], calibration.proximal.q_sensor_from_segment)
    lower = quaternion.multiply(estimate.second[at], calibration.distal.q_sensor_from_segment)
    turn = quaternion.multiply(quaternion.multiply(upper, calibration.q_neutral), quaternion.conjugate(lower))
    return 2.0 * math.atan2(float(turn[3]), float(turn[0]))


def _aligned(calibration: JointCalibration, q: FloatArray) -> FloatArray:
    """Return the distal segment in the proximal one from the distal sensor in the proximal one."""
    up = quaternion.conjugate(calibration.proximal.q_sensor_from_segment)
    return quaternion.multiply(quaternion.multiply(up, q), calibration.distal.q_sensor_from_segment)


def _best_constant(
    joint: Joint, estimate: Estimate, t: FloatArray, reference: FloatArray, ok: BoolArray
) -> Row:
    """Return the scores of a method after the best constant rotations and heading; none of few samples."""
    shown = np.flatnonzero(ok & np.isfinite(estimate.joint()[:, 0]))
    if shown.size < LEAST_SAMPLES:
        return {}
    some = shown[:: max(1, shown.size // 200)]
    few = some[::4]

    def misfit(delta: float) -> float:
        return fit(estimate.joint(delta)[few], reference[few], 5)[2]

    delta = float(min(_HEADINGS.tolist(), key=misfit))
    for step in np.radians([5.0, 2.0, 1.0, 0.5]).tolist():
        delta = min((delta - step, delta, delta + step), key=misfit)
    q = estimate.joint(delta)
    before, after, _ = fit(q[some], reference[some])
    aligned = quaternion.multiply(quaternion.multiply(before, q), after)
    axis = main_axis(reference[ok], t[ok])
    middle = quaternion.conjugate(quaternion.mean(reference[ok]))
    angle = quaternion.twist(quaternion.multiply(aligned, middle), axis)
    target = quaternion.twist(quaternion.multiply(reference, middle), axis)
    if joint.freedom == 1:
        error = quaternion.wrap(angle - target)
    else:
        error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(aligned), reference))
    return judged(error, angle, target, ok, estimate.claimed)


def _angle(joint: str) -> Angle:
    return flexion if joint in ("elbow", "knee") else bend


def _blank(trial: Trial, joint: str, method: str, mode: str) -> Row:
    name = f"{trial.path.parent.name}/{trial.name}"
    return {
        "trial": name,
        "joint": joint,
        "method": method,
        "mode": mode,
        "rmse_deg": None,
        "rom_error_deg": None,
        "known": 0.0,
        "rmse_known_deg": None,
        "rom_error_known_deg": None,
    }


def _score_sensor(trial: Trial, segment: str) -> Iterator[Row]:
    """Yield inclination (6D) and whole orientation error (9D) of the filters on one sensor."""
    block = trial.blocks[segment]
    reference, ok = trial.reference(segment, "ref", block.t)
    for method in ("romcap-live", *PEERS):
        nine = method == "vqf-9d"
        if method in OWN:
            q = make_filter("vqf", trial.rate).feed(block).q
        else:
            q = filtered(method, block, trial.rate)
        if q is None:
            continue
        error = quaternion.multiply(reference, quaternion.conjugate(q))[ok]
        if nine:
            error = quaternion.multiply(quaternion.conjugate(quaternion.mean(error)), error)
            angle = quaternion.angle_of(error)
        else:
            angle = 2.0 * np.arctan2(np.hypot(error[:, 1], error[:, 2]), np.hypot(error[:, 0], error[:, 3]))
        row = _blank(trial, f"{segment} {'whole' if nine else 'inclination'}", method, "best-constant")
        row["rmse_deg"] = math.degrees(math.sqrt(float((angle**2).mean())))
        row["known"] = 1.0
        yield row


def _line(row: Row) -> str:
    numbers = [
        f"{v:7.2f}" if isinstance(v, float) else "      -" for v in (row["rmse_deg"], row["rom_error_deg"])
    ]
    known = row["known"]
    share = f"{100 * known:4.0f} %" if isinstance(known, float) else ""
    names = f"{row['trial']:42s} {row['joint']:16s} {row['method']:14s} {row['mode']:14s}"
    return f"{names} {numbers[0]} {numbers[1]} {share}"


def _summary(rows: list[Row]) -> None:
    print("\nmedian over trials (deg): RMSE / ROM error")
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        folder = str(row["trial"]).split("/", maxsplit=1)[0]
        groups.setdefault((folder, str(row["joint"]), str(row["mode"])), []).append(row)
    for (folder, joint, mode), members in groups.items():
        parts: list[str] = []
        for method in (*OWN, *PEERS):
            mine = [r for r in members if r["method"] == method]
            rmse = [float(r["rmse_deg"]) for r in mine if r["rmse_deg"] is not None]
            rom = [float(r["rom_error_deg"]) for r in mine if r["rom_error_deg"] is not None]
            if rmse:
                second = f"{np.median(rom):.2f}" if rom else "-"
                parts.append(f"{method} {np.median(rmse):.2f}/{second} ({len(rmse)}/{len(mine)})")
        print(f"{folder:14s} {joint:16s} {mode:14s} " + "  ".join(parts))


if __name__ == "__main__":
    main()
