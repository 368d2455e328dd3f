"""Recordings with an optical reference, scored: every trial in the layout of the data's README.

Joints come from a trial's `meta`, samples count where `_ok` (or `movement`) says so, the reference is moved
by `ref_shift_s`.

Modes
-----
end-to-end
    The folder holds a neutral pose and functional movements: alignment, heading and angles come from
    those and the trial's own inertial samples only, against the anatomical frames `_ref`. The angle is
    flexion (elbow, knee), or the angle between the two long axes (shoulder elevation, wrist bend), which no
    convention of the transverse axes changes.
best-constant
    Against `_refc` (marker cluster on the sensor) where it exists, else `_ref`: two constant rotations
    and one constant heading, best for the whole trial, are given to every method alike. The relative
    heading of 6D peers is arbitrary by construction, so they need it; romcap and the others get the same
    in this mode and in no other. Joints of one axis are scored by the angle about it, others by the whole
    rotation. What romcap learns of a joint's axes while it runs moves segments in their sensors, not the
    sensors, so it counts end to end and not here. A heading that is the best for the whole trial comes from
    the reference, and who finds one while the trial runs can't profit from it: `romcap-told` is romcap live,
    told that heading at the first sample, as its 6D peers are told it throughout.

What the calibration tells of a sensor itself, the offsets of its gyroscope and its magnetometer, is romcap's;
peers get the samples as they were recorded, the usual way of using them.

End to end no heading is given to anybody; peers without one are reset to the neutral pose at the trial's
first sample, the usual way of using them.

Samples
-------
`rmse_deg` and `rom_error_deg` of every method are over every sample where the reference counts and the
method shows an angle, romcap's best guesses included. `known` is the share that the method vouches for
(end to end: whose sigma, straps aside, stays within the product's limit for a statement; best-constant:
where a relative heading is claimed), `rmse_known_deg` and `rom_error_known_deg` are over those samples
alone, with the same constants. Peers claim no uncertainty, so they vouch for everything that they show.
`coverage95` is the share of all shown samples whose true main angle lies in the 95 % interval as the product
states it, `range_coverage95` that of half-cycles whose range does; end to end the reference is bone, so the
product's allowance for soft tissue belongs to both. Markers on the sensors err, too: by how much, as each
sensor's own turn shows (`scoring.bending`), is `reference_sigma_deg`, and `range_coverage95_of_both` is the
share of half-cycles in the interval that allows for that.

ROM error is the root mean square error of single half-cycles of the main angle. Orientation filters of
one sensor are scored by inclination (6D) and whole error (9D); `offline` names the group of methods that know
the whole recording, where VQF's own offline filter is the peer.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calibration.gather import frames_of
from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import BoolArray, FloatArray
from imu.errors import RomcapError
from imu.fusion import hindsight, make_filter
from imu.sync import Frames
from rom.angles import joint_angles
from rom.catalogue.movement import AngleRule
from rom.soft_tissue import SoftTissue, soft_tissue
from rom.tracker import UNSURE_SIGMA
from tools.bench.calibrations import Note, calibrations_of, is_calibration, samples_of
from tools.bench.estimate import (
    LIVE,
    REVIEW,
    TOLD,
    Estimate,
    adrift,
    estimates,
    of_sensors,
    stated,
    told,
    turned,
)
from tools.bench.optical import Joint, Trial, relative
from tools.bench.peers import FILTERS, SLOW, filtered, filtered_offline
from tools.bench.scoring import LEAST_SAMPLES, Row, Stated, fit, judged, main_axis, rms

BEST_CONSTANT, END_TO_END = "best-constant", "end-to-end"

_FLEXION = AngleRule("cardan_zxy", 0, 1, 1)
_BEND = AngleRule("elevation", 0, 1, 1)
_Z = np.array([0.0, 0.0, 1.0])
_HEADINGS = np.radians(np.arange(0.0, 360.0, 10.0))


def trial_folders(data: Path, only: str = "") -> list[tuple[Path, list[Path]]]:
    """Return the folders at or below one that hold trials, and those trials whose path has a word in it."""
    found: list[tuple[Path, list[Path]]] = []
    for at, _, files in os.walk(data, followlinks=True):
        paths = sorted(Path(at) / name for name in files if name.endswith(".npz"))
        wanted = [path for path in paths if only in f"{path.parent.name}/{path.stem}"]
        if wanted:
            found.append((Path(at), wanted))
    return sorted(found)


def score_folder(
    folder: Path, wanted: list[Path], note: Note, *, ahrs: bool = True, qmt: bool = True
) -> Iterator[list[Row]]:
    """Yield the rows of each wanted trial of a folder, whose pose and functional movements calibrate all.

    Parameters
    ----------
    folder
        All its `.npz` files are read.
    wanted
        Which of them to score.
    note
        Told in one sentence what could not be done.
    ahrs, qmt
        Whether to run the slow filters of `ahrs`, and qmt if it is there.
    """
    trials: list[Trial] = []
    for path in sorted(folder.glob("*.npz")):
        try:
            trials.append(Trial(path))
        except RomcapError as error:
            note(str(error))
    calibrations = calibrations_of(trials, note)
    for trial in trials:
        if trial.path not in wanted:
            continue
        try:
            yield list(_score(trial, calibrations, ahrs=ahrs, qmt=qmt))
        except RomcapError as error:
            note(f"{trial.label} is not scored: {error}")


def _score(
    trial: Trial, calibrations: dict[str, JointCalibration], *, ahrs: bool, qmt: bool
) -> Iterator[Row]:
    if not trial.joints:
        for segment in trial.segments:
            if trial.has(segment, "ref"):
                yield from _score_sensor(trial, segment, ahrs)
    elif not is_calibration(trial):
        for joint in trial.joints:
            yield from _score_joint(trial, joint, calibrations.get(joint.name), ahrs=ahrs, qmt=qmt)


def _score_joint(
    trial: Trial, joint: Joint, calibration: JointCalibration | None, *, ahrs: bool, qmt: bool
) -> Iterator[Row]:
    sensors = [joint.parent, joint.child]
    if not all(trial.has(sensor, "ref") for sensor in sensors):
        return
    frames, rate = frames_of(sensors, samples_of(trial, calibration), trial.noise())
    constant = BestConstant.of(trial, joint, frames, rate)
    if np.count_nonzero(constant.ok) < LEAST_SAMPLES:
        return
    ends = (joint.parent, joint.parent), (joint.child, joint.child)
    known = calibration or JointCalibration.uncalibrated(joint.name, joint.freedom, *ends)
    found = estimates(trial, joint, calibration, frames, ahrs=ahrs, qmt=qmt)
    informed = {TOLD: told(known, frames, trial.rate, constant.heading(adrift(frames)))}
    for method, estimate in (found | informed).items():
        yield _row(trial, joint.name, method, BEST_CONSTANT) | constant.score(of_sensors(estimate, known))
    if calibration is None:
        return
    anatomical, ok = relative(trial, sensors, "ref", frames.t)
    rule = _FLEXION if any(hinge in joint.name for hinge in ("elbow", "knee")) else _BEND
    target = joint_angles(rule, "right", anatomical)[:, 0]
    end_to_end = _EndToEnd(rule, calibration, rate, target, ok)
    for method, estimate in found.items():
        yield _row(trial, joint.name, method, END_TO_END) | end_to_end.score(estimate)


@dataclass(frozen=True, slots=True, eq=False)
class _EndToEnd:
    """Scores methods on one joint by the calibration and the trial's own samples alone."""

    rule: AngleRule
    calibration: JointCalibration
    rate: float
    target: FloatArray
    ok: BoolArray

    def score(self, estimate: Estimate) -> Row:
        """Return the scores of a method."""
        joint = self.calibration
        delta = self._start_heading(estimate) if estimate.adrift else 0.0
        up = quaternion.conjugate(joint.proximal.q_sensor_from_segment)
        q = quaternion.multiply(up, estimate.joint(delta))
        q = quaternion.multiply(q, joint.distal.q_sensor_from_segment)
        angle = joint_angles(self.rule, "right", q)[:, 0]
        sure, own = np.ones_like(self.ok), None
        if estimate.heading is not None and estimate.frames is not None:
            series, lasting = stated(self.rule, joint, estimate.frames, estimate.heading, self.rate)
            sure = series.sigma[:, 0] ** 2 - series.strap_sigma**2 <= UNSURE_SIGMA**2
            own = Stated(series, lasting, self._tissue())
        error = quaternion.wrap(angle - self.target)
        return judged(error, angle, self.target, ok=self.ok, sure=sure, stated=own)

    def _tissue(self) -> SoftTissue:
        """Return the product's allowance for the movement: the wrist's bend is nearly all flexion."""
        ends = self.calibration.proximal.segment, self.calibration.distal.segment
        return soft_tissue(_FLEXION if "hand" in ends[1] else self.rule, *ends)

    def _start_heading(self, estimate: Estimate) -> float:
        """Return the heading that the neutral pose would mean at the first sample: the usual reset."""
        at = int(np.flatnonzero(self.ok & estimate.claimed)[0])
        upper = quaternion.multiply(estimate.first[at], self.calibration.proximal.q_sensor_from_segment)
        lower = quaternion.multiply(estimate.second[at], self.calibration.distal.q_sensor_from_segment)
        meant = quaternion.multiply(upper, self.calibration.q_neutral)
        turn = quaternion.multiply(meant, quaternion.conjugate(lower))
        return 2.0 * math.atan2(float(turn[3]), float(turn[0]))


@dataclass(frozen=True, slots=True, eq=False)
class BestConstant:
    """Scores methods on one joint after the constant rotations and heading that suit each of them best."""

    joint: Joint
    frames: Frames
    rate: float
    reference: FloatArray
    markers: FloatArray
    ok: BoolArray

    @classmethod
    def of(cls, trial: Trial, joint: Joint, frames: Frames, rate: float) -> Self:
        """Return what scores a joint of a trial at the instants of frames."""
        sensors = [joint.parent, joint.child]
        kind = "refc" if all(trial.has(sensor, "refc") for sensor in sensors) else "ref"
        cluster, ok = relative(trial, sensors, kind, frames.t)
        markers = np.stack([trial.reference(sensor, kind, frames.t)[0] for sensor in sensors], axis=1)
        return cls(joint, frames, rate, cluster, markers, ok)

    def score(self, estimate: Estimate) -> Row:
        """Return the scores of a method; none of few samples."""
        shown = self._shown(estimate)
        if shown.size < LEAST_SAMPLES:
            return {}
        some, delta = shown[:: max(1, shown.size // 200)], self.heading(estimate)
        q = estimate.joint(delta)
        before, after, _ = fit(q[some], self.reference[some])
        aligned = quaternion.multiply(quaternion.multiply(before, q), after)
        axis = main_axis(self.reference[self.ok], self.frames.t[self.ok])
        middle = quaternion.conjugate(quaternion.mean(self.reference[self.ok]))
        angle = quaternion.twist(quaternion.multiply(aligned, middle), axis)
        target = quaternion.twist(quaternion.multiply(self.reference, middle), axis)
        if self.joint.freedom == 1:
            error = quaternion.wrap(angle - target)
        else:
            error = quaternion.angle_of(quaternion.multiply(quaternion.conjugate(aligned), self.reference))
        ends = before, quaternion.multiply(after, middle)
        own = self._stated(estimate, delta, quaternion.between(_Z, axis), ends)
        return judged(error, angle, target, ok=self.ok, sure=estimate.claimed, stated=own)

    def _shown(self, estimate: Estimate) -> NDArray[np.intp]:
        return np.flatnonzero(self.ok & np.isfinite(estimate.joint()[:, 0]))

    def heading(self, estimate: Estimate) -> float:
        """Return the constant that suits a method best if it is added to its heading, rad."""
        shown = self._shown(estimate)
        few = shown[:: max(1, shown.size // 200)][::4]

        def misfit(delta: float) -> float:
            return fit(estimate.joint(delta)[few], self.reference[few], 5)[2]

        delta = float(min(_HEADINGS.tolist(), key=misfit))
        for step in np.radians([5.0, 2.0, 1.0, 0.5]).tolist():
            delta = min((delta - step, delta, delta + step), key=misfit)
        return delta

    def _stated(
        self, estimate: Estimate, delta: float, along: FloatArray, ends: tuple[FloatArray, FloatArray]
    ) -> Stated | None:
        """Return what is stated of the turn about the main axis, made the flexion axis of both segments."""
        if estimate.heading is None or estimate.frames is None:
            return None
        names = (self.joint.parent, self.joint.parent), (self.joint.child, self.joint.child)
        mountings = quaternion.conjugate(ends[0]), ends[1]
        proximal, distal = (
            replace(SegmentAlignment.identity(*name), q_sensor_from_segment=quaternion.multiply(q, along))
            for name, q in zip(names, mountings, strict=True)
        )
        calibration = JointCalibration(self.joint.name, self.joint.freedom, proximal, distal)
        heading = turned(estimate.heading, delta)
        series, lasting = stated(_FLEXION, calibration, estimate.frames, heading, self.rate)
        return Stated(series, lasting, markers=self.markers)


def _row(trial: Trial, joint: str, method: str, mode: str) -> Row:
    return {
        "trial": trial.label,
        "joint": joint,
        "method": method,
        "mode": mode,
        "rmse_deg": None,
        "rom_error_deg": None,
        "known": 0.0,
        "rmse_known_deg": None,
        "rom_error_known_deg": None,
        "coverage95": None,
        "range_coverage95": None,
        "reference_sigma_deg": None,
        "range_coverage95_of_both": None,
    }


def _score_sensor(trial: Trial, segment: str, ahrs: bool) -> Iterator[Row]:
    """Yield inclination (6D) and whole orientation error (9D) of the filters on one sensor.

    Beside romcap's best estimate of a lone sensor stands VQF's own offline filter.
    """
    block = trial.blocks[segment]
    reference, ok = trial.reference(segment, "ref", block.t)
    noise = trial.noise().get(segment)
    for nine in (False, True) if block.mag is not None else (False,):
        live = make_filter("vqf", trial.rate, noise, nine).feed(block).q
        review = hindsight("vqf", block, trial.rate, noise, nine).q
        kind = "whole" if nine else "inclination"
        peers = {
            method: filtered(method, block, trial.rate)
            for method in FILTERS
            if (method == "vqf-9d") == nine and (ahrs or method not in SLOW)
        }
        offline = "vqf-9d" if nine else "vqf-6d"
        groups = {
            f"{segment} {kind}": {LIVE: live, REVIEW: review} | peers,
            f"{segment} {kind} offline": {
                REVIEW: review,
                offline: filtered_offline(offline, block, trial.rate),
            },
        }
        for name, methods in groups.items():
            for method, each in methods.items():
                if each is not None:
                    row = _row(trial, name, method, BEST_CONSTANT)
                    error = quaternion.multiply(reference, quaternion.conjugate(each))[ok]
                    row["rmse_deg"] = math.degrees(rms(_whole(error) if nine else _inclination(error)))
                    row["known"] = 1.0
                    yield row


def _whole(error: FloatArray) -> FloatArray:
    middle = quaternion.conjugate(quaternion.mean(error))
    return quaternion.angle_of(quaternion.multiply(middle, error))


def _inclination(error: FloatArray) -> FloatArray:
    return 2.0 * np.arctan2(np.hypot(error[:, 1], error[:, 2]), np.hypot(error[:, 0], error[:, 3]))
