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
one sensor are scored by inclination (6D) and whole error (9D). End to end, peers without a heading are
reset to the neutral pose at the trial's first sample. Samples that romcap itself flags, because its sigma is
too large for a statement, are not scored for it, unless it flags nearly all of a trial: then all are.
`known` in the rows is the share that is not flagged, `rmse_all_deg` the end-to-end error of everything that
is shown, best guesses included.
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
from scoring import bend, fit, flexion, main_axis, rom_error

from calibration.alignment import JointPlan, Movement, calibrate_limb
from calibration.gather import frames_of
from calibration.heading import HeadingEstimator
from calibration.heading_series import Heading
from calibration.segment import JointCalibration
from calibration.smoother import smooth
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.errors import RomcapError
from imu.fusion import make_filter
from imu.sync import Frames
from rom.tracker import UNSURE_SIGMA

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

_HEADINGS = np.radians(np.arange(0.0, 360.0, 5.0))

LEAST_KNOWN = 0.2
"""Below this share of unflagged samples everything that romcap shows is scored, flagged as it is."""

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
    """What a method makes of two sensors, at the frames.

    Parameters
    ----------
    first, second : (M, 4)
        `q_earth_from_sensor`, proximal and distal; in one earth frame unless `adrift`.
    known : (M,)
        Where the method claims to know them.
    sigma : (M,)
        One sigma of the relative heading that the method claims, rad.
    adrift
        Whether their relative heading is arbitrary, so that the best constant one is given.
    """

    first: FloatArray
    second: FloatArray
    known: BoolArray
    adrift: bool
    sigma: FloatArray | float = 0.0

    def joint(self, delta: FloatArray | float = 0.0) -> FloatArray:
        """Return the distal sensor in the proximal one after a turn of its earth frame, (M, 4)."""
        turned = quaternion.multiply(quaternion.about_vertical(delta), self.second)
        return quaternion.multiply(quaternion.conjugate(self.first), turned)


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
        "romcap-live": _own(frames, HeadingEstimator(known, rate).feed(frames)),
        "romcap-review": _own(frames, smooth(known, frames, rate)),
    }
    for peer in PEERS:
        found = _peer(peer, trial, sensors, frames)
        if found is not None:
            estimates[peer] = found
    kind = "refc" if trial.has(joint.parent, "refc") and trial.has(joint.child, "refc") else "ref"
    reference, ok = _relative(trial, sensors, kind, frames.t)
    if np.count_nonzero(ok) < 100:
        return
    for method, estimate in estimates.items():
        row = _blank(trial, joint.name, method, "best-constant")
        yield _best_constant(row, joint, estimate, frames, (reference, ok))
    if calibration is None:
        return
    anatomical, ok = _relative(trial, sensors, "ref", frames.t)
    read = _angle(joint.name)
    target = read(anatomical)
    for method, estimate in estimates.items():
        delta = _start_heading(calibration, estimate, ok) if estimate.adrift else 0.0
        angle = read(_aligned(calibration, estimate.joint(delta)))
        use = everything = ok & estimate.known
        if method in OWN:
            everything = ok & np.isfinite(angle)
            use = everything.copy()
            for side in (-1.0, 1.0):
                other = read(_aligned(calibration, estimate.joint(side * estimate.sigma)))
                use &= np.abs(quaternion.wrap(other - angle)) < UNSURE_SIGMA
        row = _blank(trial, joint.name, method, "end-to-end")
        row["known"] = float(np.count_nonzero(use) / np.count_nonzero(ok))
        if method in OWN and row["known"] < LEAST_KNOWN:
            use = everything
        if np.count_nonzero(use) >= 100:
            error = quaternion.wrap(angle - target)[use]
            row["rmse_deg"] = math.degrees(math.sqrt(float((error**2).mean())))
            row["rom_error_deg"] = rom_error(np.unwrap(angle[use]), np.unwrap(target[use]))
            whole = quaternion.wrap(angle - target)[everything]
            row["rmse_all_deg"] = math.degrees(math.sqrt(float((whole**2).mean())))
        yield row


def _start_heading(calibration: JointCalibration, estimate: Estimate, ok: BoolArray) -> float:
    """Return the heading that the neutral pose would mean at a trial's first sample: the usual reset."""
    at = int(np.flatnonzero(ok & estimate.known)[0])
    upper = quaternion.multiply(estimate.first[at], calibration.proximal.q_sensor_from_segment)
    lower = quaternion.multiply(estimate.second[at], calibration.distal.q_sensor_from_segment)
    turn = quaternion.multiply(quaternion.multiply(upper, calibration.q_neutral), quaternion.conjugate(lower))
    return 2.0 * math.atan2(float(turn[3]), float(turn[0]))


def _aligned(calibration: JointCalibration, q: FloatArray) -> FloatArray:
    """Return the distal segment in the proximal one from the distal sensor in the proximal one."""
    up = quaternion.conjugate(calibration.proximal.q_sensor_from_segment)
    return quaternion.multiply(quaternion.multiply(up, q), calibration.distal.q_sensor_from_segment)


def _own(frames: Frames, heading: Heading) -> Estimate:
    second = quaternion.multiply(heading.q_earth1_from_earth2, frames.q[:, 1])
    good = _finite(frames.q[:, 0]) & _finite(second)
    return Estimate(
        frames.q[:, 0],
        second,
        np.isfinite(heading.delta) & good,
        adrift=False,
        sigma=np.sqrt(heading.covariance[:, 2, 2]),
    )


def _peer(method: str, trial: Trial, sensors: list[str], frames: Frames) -> Estimate | None:
    """Return what a peer makes of two sensors; None if it lacks an input."""
    found: list[FloatArray] = []
    for sensor in sensors:
        q = _filtered(method, trial.blocks[sensor], trial.rate)
        if q is None:
            return None
        at = np.clip(np.rint(frames.t * trial.rate).astype(np.int64), 0, len(q) - 1)
        found.append(q[at])
    good = _finite(found[0]) & _finite(found[1])
    return Estimate(found[0], found[1], good, adrift=method != "vqf-9d")


def _filtered(method: str, block: ImuBlock, rate: float) -> FloatArray | None:
    """Return `q_earth_from_sensor` (N, 4) of one sensor by a peer with its library's own defaults."""
    if method.startswith("ahrs-"):
        return make_filter(method.removeprefix("ahrs-"), rate).feed(block).q
    from vqf import VQF

    gyr, acc = (np.nan_to_num(np.ascontiguousarray(signal)) for signal in (block.gyr, block.acc))
    if method == "vqf-6d":
        return VQF(1.0 / rate).updateBatch(gyr, acc)["quat6D"]
    if block.mag is None:
        return None
    return VQF(1.0 / rate).updateBatch(gyr, acc, np.nan_to_num(np.ascontiguousarray(block.mag)))["quat9D"]


def _finite(q: FloatArray) -> BoolArray:
    return np.isfinite(q[:, 0])


def _relative(trial: Trial, sensors: list[str], kind: str, t: FloatArray) -> tuple[FloatArray, BoolArray]:
    (first, ok1), (second, ok2) = (trial.reference(sensor, kind, t) for sensor in sensors)
    return quaternion.multiply(quaternion.conjugate(first), second), ok1 & ok2


def _best_constant(
    row: Row,
    joint: Joint,
    estimate: Estimate,
    frames: Frames,
    target_of: tuple[FloatArray, BoolArray],
) -> Row:
    """Return the row of a method after the best constant rotations and heading.

    Where romcap does not know the heading of most of a trial, its orientations are given the best constant
    one as the peers' are; `known` tells.
    """
    reference, ok = target_of
    use = ok & estimate.known
    row["known"] = float(np.count_nonzero(use) / np.count_nonzero(ok))
    adrift = estimate.adrift
    if row["method"] in OWN and row["known"] < 0.5:
        good = _finite(frames.q[:, 0]) & _finite(frames.q[:, 1])
        estimate, use, adrift = Estimate(frames.q[:, 0], frames.q[:, 1], good, adrift=True), ok & good, True
    if np.count_nonzero(use) < 100:
        return row
    some = np.flatnonzero(use)[:: max(1, np.count_nonzero(use) // 200)]
    few = some[::4]

    def misfit(delta: float) -> float:
        return fit(estimate.joint(delta)[few], reference[few], 5)[2]

    coarse = _HEADINGS[::2] if adrift else np.radians([-20.0, -10.0, 0.0, 10.0, 20.0])
    delta = float(min(coarse.tolist(), key=misfit))
    for step in np.radians([5.0, 2.0, 1.0, 0.5]).tolist():
        delta = min((delta - step, delta, delta + step), key=misfit)
    q = estimate.joint(delta)
    before, after, _ = fit(q[some], reference[some])
    aligned = quaternion.multiply(quaternion.multiply(before, q), after)
    axis = main_axis(reference[ok], frames.t[ok])
    middle = quaternion.conjugate(quaternion.mean(reference[ok]))
    angle = np.unwrap(quaternion.twist(quaternion.multiply(aligned, middle), axis)[use])
    target = np.unwrap(quaternion.twist(quaternion.multiply(reference, middle), axis)[use])
    if joint.freedom == 1:
        error = angle - target
        error -= 2.0 * np.pi * np.round(np.median(error) / (2.0 * np.pi))
    else:
        error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(aligned), reference))[use]
    row["rmse_deg"] = math.degrees(math.sqrt(float((error**2).mean())))
    row["rom_error_deg"] = rom_error(angle, target)
    return row


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
            q = _filtered(method, block, trial.rate)
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
