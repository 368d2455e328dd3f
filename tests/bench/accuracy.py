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
    and one constant heading, best for the trial, are given to every method alike, romcap too. Joints of one
    axis are scored by the angle about it, others by the whole rotation.

ROM error is the root mean square error of single half-cycles of the main angle. Orientation filters of
one sensor are scored by inclination (6D) and whole error (9D). Peers without a heading get the best
constant one in both modes. Samples before romcap says that it knows the heading are not scored for it;
`known` in the rows is the share that is.
"""

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from calibration.alignment import JointPlan, Movement, calibrate_limb
from calibration.gather import frames_of
from calibration.heading import Heading, HeadingEstimator
from calibration.segment import JointCalibration
from calibration.smoother import smooth
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.errors import RomcapError
from imu.fusion import make_filter
from imu.sync import Frames

PEERS = ("vqf-6d", "vqf-9d", "ahrs-madgwick", "ahrs-ekf")
OWN = ("romcap-live", "romcap-review")

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

Row = dict[str, str | float | None]
Angle = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """A joint of a trial as its `meta` names it."""

    name: str
    parent: str
    child: str
    freedom: int


class Trial:
    """One `.npz` file."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        with np.load(path) as file:
            self._arrays = {key: file[key] for key in file.files if key != "meta"}
            self.meta = json.loads(str(file["meta"])) if "meta" in file.files else {}
        self.rate = float(self._arrays["rate"])
        self.segments = sorted(key[:-4] for key in self._arrays if key.endswith("_acc"))
        self.joints = [
            Joint(str(j["name"]), str(j["parent"]), str(j["child"]), int(j["dof"]))
            for j in self.meta.get("joints", [])
            if {j["parent"], j["child"]} <= set(self.segments)
        ]
        self.blocks = {segment: self._block(segment) for segment in self.segments}

    def _block(self, segment: str) -> ImuBlock:
        acc = self._arrays[f"{segment}_acc"].astype(np.float64)
        gyr = self._arrays[f"{segment}_gyr"].astype(np.float64)
        mag = self._arrays.get(f"{segment}_mag")
        t = np.arange(len(acc)) / self.rate
        return ImuBlock(segment, t, gyr, acc, None if mag is None else mag.astype(np.float64))

    def has(self, segment: str, kind: str) -> bool:
        """Return whether a segment has a reference of a kind, `ref` or `refc`."""
        found = self._arrays.get(f"{segment}_{kind}")
        return found is not None and bool(np.isfinite(found).any())

    def reference(self, segment: str, kind: str, t: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Return the reference (M, 4) at inertial times t, and where it counts."""
        q = self._arrays[f"{segment}_{kind}"].astype(np.float64)
        ok = np.isfinite(q).all(axis=1)
        for mask in (f"{segment}_ok", "movement"):
            if mask in self._arrays:
                ok &= self._arrays[mask].astype(np.bool_)
        times = np.arange(len(q)) / self.rate + float(self.meta.get("ref_shift_s", 0.0) or 0.0)
        at = np.clip(np.searchsorted(times, t + 1e-9, side="right") - 1, 0, len(q) - 2)
        share = (t - times[at]) * self.rate
        good = ok[at] & ok[at + 1] & (share > -1e-6) & (share < 1.0 + 1e-6)
        return quaternion.slerp(q[at], q[at + 1], np.clip(share, 0.0, 1.0)), good


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A method's distal in proximal sensor (M, 4), and where it claims to know it."""

    q: FloatArray
    known: BoolArray


def main() -> None:
    """Score a folder; print a table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, dest="out", help="write the rows to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    for folder in sorted({path.parent for path in options.data.rglob("*.npz")}):
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
    known = calibration or JointCalibration.uncalibrated(
        joint.name, joint.freedom, (joint.parent, joint.parent), (joint.child, joint.child)
    )
    frames, rate = frames_of(sensors, trial.blocks)
    estimates = {"romcap-live": _estimate(frames, HeadingEstimator(known, rate).feed(frames))}
    estimates["romcap-review"] = _estimate(frames, smooth(known, frames, rate))
    pairs = {peer: _peer(peer, trial, sensors, frames) for peer in PEERS}
    kind = "refc" if trial.has(joint.parent, "refc") and trial.has(joint.child, "refc") else "ref"
    reference, ok = _relative(trial, sensors, kind, frames.t)
    if np.count_nonzero(ok) < 100:
        return
    for method in (*OWN, *PEERS):
        if method in estimates:
            estimate = estimates[method]
            pair = None
        else:
            pair = pairs[method]
            if pair is None:
                continue
            estimate = Estimate(
                _join(*pair), np.isfinite(pair[0]).all(axis=1) & np.isfinite(pair[1]).all(axis=1)
            )
        yield _best_constant(trial, joint, method, estimate, pair, frames, reference, ok)
    if calibration is None:
        return
    anatomical, ok = _relative(trial, sensors, "ref", frames.t)
    read = _angle(joint.name)
    target = read(anatomical)
    for method in (*OWN, *PEERS):
        if method in estimates:
            estimate = estimates[method]
            angle = read(_aligned(calibration, estimate.q))
            yield _row(trial, joint.name, method, "end-to-end", angle, target, ok & estimate.known, ok)
        elif (pair := pairs[method]) is not None:
            choices = np.radians(np.arange(0.0, 360.0, 5.0)) if method != "vqf-9d" else np.zeros(1)
            rows = [
                _row(
                    trial,
                    joint.name,
                    method,
                    "end-to-end",
                    read(_aligned(calibration, _join(*pair, delta))),
                    target,
                    ok & np.isfinite(pair[0]).all(axis=1) & np.isfinite(pair[1]).all(axis=1),
                    ok,
                )
                for delta in choices.tolist()
            ]
            yield min(rows, key=lambda row: float(row["rmse_deg"] or math.inf))


def _aligned(calibration: JointCalibration, q: FloatArray) -> FloatArray:
    """Return the distal segment in the proximal one from the distal sensor in the proximal one."""
    up = quaternion.conjugate(calibration.proximal.q_sensor_from_segment)
    return quaternion.multiply(quaternion.multiply(up, q), calibration.distal.q_sensor_from_segment)


def _estimate(frames: Frames, heading: Heading) -> Estimate:
    lower = quaternion.multiply(heading.q_earth1_from_earth2, frames.q[:, 1])
    q = quaternion.multiply(quaternion.conjugate(frames.q[:, 0]), lower)
    return Estimate(q, np.isfinite(heading.delta) & np.isfinite(q).all(axis=1))


def _peer(
    method: str, trial: Trial, sensors: list[str], frames: Frames
) -> tuple[FloatArray, FloatArray] | None:
    """Return `q_earth_from_sensor` of two sensors by a peer, at the frames; None if it lacks an input."""
    found: list[FloatArray] = []
    for sensor in sensors:
        block = trial.blocks[sensor]
        if method == "vqf-9d" and block.mag is None:
            return None
        name = method.removeprefix("ahrs-") if method.startswith("ahrs") else "vqf"
        q = make_filter(name, trial.rate, magnetometer=method == "vqf-9d").feed(block).q
        at = np.clip(np.rint(frames.t * trial.rate).astype(np.int64), 0, len(q) - 1)
        found.append(q[at])
    return found[0], found[1]


def _join(first: FloatArray, second: FloatArray, delta: float = 0.0) -> FloatArray:
    turned = quaternion.multiply(quaternion.about_vertical(delta), second)
    return quaternion.multiply(quaternion.conjugate(first), turned)


def _relative(trial: Trial, sensors: list[str], kind: str, t: FloatArray) -> tuple[FloatArray, BoolArray]:
    (first, ok1), (second, ok2) = (trial.reference(sensor, kind, t) for sensor in sensors)
    return quaternion.multiply(quaternion.conjugate(first), second), ok1 & ok2


def _best_constant(
    trial: Trial,
    joint: Joint,
    method: str,
    estimate: Estimate,
    pair: tuple[FloatArray, FloatArray] | None,
    frames: Frames,
    reference: FloatArray,
    ok: BoolArray,
) -> Row:
    """Return the row of a method after the best constant rotations and heading."""
    use = ok & estimate.known
    if np.count_nonzero(use) < 100:
        return _blank(trial, joint.name, method, "best-constant")
    first, second = (
        pair if pair is not None else (frames.q[:, 0], quaternion.multiply(frames.q[:, 0], estimate.q))
    )
    some = np.flatnonzero(use)[:: max(1, np.count_nonzero(use) // 400)]

    def misfit(delta: float) -> float:
        _, _, error = _fit(_join(first[some], second[some], delta), reference[some])
        return error

    coarse = (
        np.radians(np.arange(0.0, 360.0, 10.0))
        if pair is not None
        else np.radians([-20.0, -10.0, 0.0, 10.0, 20.0])
    )
    delta = float(min(coarse.tolist(), key=misfit))
    for step in np.radians([5.0, 2.0, 1.0, 0.5]).tolist():
        delta = min((delta - step, delta, delta + step), key=misfit)
    q = _join(first, second, delta)
    before, after, _ = _fit(q[some], reference[some])
    aligned = quaternion.multiply(quaternion.multiply(before, q), after)
    axis = _main_axis(reference[ok], frames.t[ok])
    middle = quaternion.conjugate(quaternion.mean(reference[ok]))
    angle = np.unwrap(quaternion.twist(quaternion.multiply(aligned, middle), axis)[use])
    target = np.unwrap(quaternion.twist(quaternion.multiply(reference, middle), axis)[use])
    if joint.freedom == 1:
        error = angle - target
        error -= 2.0 * np.pi * np.round(np.median(error) / (2.0 * np.pi))
    else:
        error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(aligned), reference))[use]
    row = _blank(trial, joint.name, method, "best-constant")
    row["rmse_deg"] = math.degrees(math.sqrt(float((error**2).mean())))
    row["rom_error_deg"] = _rom_error(angle, target)
    row["known"] = float(np.count_nonzero(use) / np.count_nonzero(ok))
    return row


def _fit(q: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return the constant rotations before and after q that bring it nearest to the reference, and the misfit."""
    best = (np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0]), math.inf)
    matrices_q, matrices_r = quaternion.to_matrix(q), quaternion.to_matrix(reference)
    for start in _CUBE:
        after = start
        before = start
        for _ in range(15):
            turned = matrices_q @ quaternion.to_matrix(after)
            before = _nearest((matrices_r @ np.swapaxes(turned, 1, 2)).sum(axis=0))
            turned = quaternion.to_matrix(before) @ matrices_q
            after = _nearest((np.swapaxes(turned, 1, 2) @ matrices_r).sum(axis=0))
        whole = quaternion.multiply(quaternion.multiply(before, q), after)
        error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(whole), reference))
        misfit = float((np.minimum(error, 0.5) ** 2).mean())
        if misfit < best[2]:
            best = (before, after, misfit)
    return best


def _nearest(matrix: FloatArray) -> FloatArray:
    u, _, vt = np.linalg.svd(matrix)
    return quaternion.from_matrix(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)


_CUBE = [
    np.array([1.0, 0.0, 0.0, 0.0]),
    np.array([0.0, 1.0, 0.0, 0.0]),
    np.array([0.0, 0.0, 1.0, 0.0]),
    np.array([0.0, 0.0, 0.0, 1.0]),
]


def _main_axis(q: FloatArray, t: FloatArray) -> FloatArray:
    """Return the axis (3,), in the proximal frame, about which the reference turns most."""
    step = quaternion.to_rotation_vector(quaternion.multiply(q[1:], quaternion.conjugate(q[:-1])))
    step = step[np.diff(t) < 1.5 * float(np.median(np.diff(t)))]
    step = step[np.sqrt((step**2).sum(axis=1)) < 0.5]
    return np.linalg.eigh(step.T @ step)[1][:, -1]


def _angle(joint: str) -> Angle:
    return _flexion if joint in ("elbow", "knee") else _bend


def _flexion(q: FloatArray) -> FloatArray:
    m = quaternion.to_matrix(q)
    return np.arctan2(-m[:, 0, 1], m[:, 1, 1])


def _bend(q: FloatArray) -> FloatArray:
    return np.arccos(np.clip(quaternion.rotate(q, np.array([0.0, 1.0, 0.0]))[:, 1], -1.0, 1.0))


def _row(
    trial: Trial,
    joint: str,
    method: str,
    mode: str,
    angle: FloatArray,
    target: FloatArray,
    use: BoolArray,
    ok: BoolArray,
) -> Row:
    row = _blank(trial, joint, method, mode)
    if np.count_nonzero(use) < 100:
        return row
    error = quaternion.wrap(angle - target)[use]
    row["rmse_deg"] = math.degrees(math.sqrt(float((error**2).mean())))
    row["rom_error_deg"] = _rom_error(np.unwrap(angle[use]), np.unwrap(target[use]))
    row["known"] = float(np.count_nonzero(use) / np.count_nonzero(ok))
    return row


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
    }


def _rom_error(angle: FloatArray, target: FloatArray) -> float | None:
    """Return the RMS error of the ranges of single half-cycles, deg; of the whole range if there is no cycle."""
    least = max(math.radians(15.0), 0.3 * float(np.percentile(target, 98) - np.percentile(target, 2)))
    turns: list[int] = []
    low = high = 0
    way = 0
    for k in range(len(target)):
        if target[k] > target[high]:
            high = k
        if target[k] < target[low]:
            low = k
        if way >= 0 and target[high] - target[k] > least:
            turns.append(high)
            way, low, high = -1, k, k
        elif way <= 0 and target[k] - target[low] > least:
            turns.append(low)
            way, low, high = 1, k, k
    if len(turns) < 2:
        spans = [(float(np.ptp(angle)), float(np.ptp(target)))]
    else:
        spans = []
        for a, b in zip(turns, turns[1:], strict=False):
            found = angle[max(a - 5, 0) : b + 6]
            spans.append((float(np.ptp(found)), abs(float(target[b] - target[a]))))
    return math.degrees(math.sqrt(sum((a - b) ** 2 for a, b in spans) / len(spans)))


def _score_sensor(trial: Trial, segment: str) -> Iterator[Row]:
    """Yield inclination (6D) and whole orientation error (9D) of the filters on one sensor."""
    block = trial.blocks[segment]
    reference, ok = trial.reference(segment, "ref", block.t)
    for method in ("romcap-live", *PEERS):
        nine = method == "vqf-9d"
        if nine and block.mag is None:
            continue
        name = method.removeprefix("ahrs-") if method.startswith("ahrs") else "vqf"
        q = make_filter(name, trial.rate, magnetometer=nine).feed(block).q
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
    rmse, rom, known = row["rmse_deg"], row["rom_error_deg"], row["known"]
    numbers = [f"{value:7.2f}" if isinstance(value, float) else "      -" for value in (rmse, rom)]
    share = f"{100 * known:4.0f} %" if isinstance(known, float) else ""
    return f"{row['trial']:42s} {row['joint']:16s} {row['method']:14s} {row['mode']:14s} {numbers[0]} {numbers[1]} {share}"


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
