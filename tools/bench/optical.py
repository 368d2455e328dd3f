"""Trials with an optical reference in the `.npz` layout that the data's README describes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.errors import InputError
from imu.fusion import RestNoise
from imu.quiet import NoiseMeter


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """A joint of a trial as its `meta` names it."""

    name: str
    parent: str
    child: str
    freedom: int


class Trial:
    """One `.npz` file: sensors' samples as blocks, joints as its `meta` names them, the reference.

    Parameters
    ----------
    path
        The file; arrays as the data's README describes them.

    Raises
    ------
    InputError
        If it holds no trial.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        with np.load(path) as file:
            self._arrays = {key: file[key] for key in file.files if key != "meta"}
            self.meta = json.loads(str(file["meta"])) if "meta" in file.files else {}
        self.segments = sorted(
            key[:-4] for key in self._arrays if key.endswith("_acc") and f"{key[:-4]}_gyr" in self._arrays
        )
        if "rate" not in self._arrays or not self.segments:
            raise InputError(
                f"{path}: expected the arrays rate, SEGMENT_acc and SEGMENT_gyr of a trial, got "
                f"{', '.join(sorted(self._arrays)) or 'none'}; see the data's README for the layout"
            )
        self.rate = float(self._arrays["rate"])
        self.joints = [
            Joint(str(j["name"]), str(j["parent"]), str(j["child"]), int(j.get("dof", 3)))
            for j in self.meta.get("joints", [])
            if {j["parent"], j["child"]} <= set(self.segments)
        ]
        self.t = np.arange(max(len(self._arrays[f"{s}_acc"]) for s in self.segments)) / self.rate
        self.blocks = {segment: self._block(segment) for segment in self.segments}

    def _block(self, segment: str) -> ImuBlock:
        acc = self._arrays[f"{segment}_acc"].astype(np.float64)
        gyr = self._arrays[f"{segment}_gyr"].astype(np.float64)
        mag = self._arrays.get(f"{segment}_mag")
        return ImuBlock(
            segment, self.t[: len(acc)], gyr, acc, None if mag is None else mag.astype(np.float64)
        )

    @property
    def label(self) -> str:
        """Return folder and name."""
        return f"{self.path.parent.name}/{self.name}"

    def noise(self) -> dict[str, RestNoise]:
        """Return the noise of the sensors that lie still before the movement begins, if the file marks it."""
        if "movement" not in self._arrays:
            return {}
        begun = int(np.argmax(self._arrays["movement"].astype(np.bool_)))
        found: dict[str, RestNoise] = {}
        for segment, block in self.blocks.items():
            meter = NoiseMeter(self.rate)
            meter.add(block[:begun])
            noise = meter.result()
            if noise is not None:
                found[segment] = noise
        return found

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


def relative(trial: Trial, sensors: list[str], kind: str, t: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the reference of a joint (M, 4), distal in proximal, at times t, and where it counts."""
    (first, ok1), (second, ok2) = (trial.reference(sensor, kind, t) for sensor in sensors)
    return quaternion.multiply(quaternion.conjugate(first), second), ok1 & ok2
