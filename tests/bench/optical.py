"""Trials with an optical reference in the `.npz` layout that the data's README describes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock


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


def relative(trial: Trial, sensors: list[str], kind: str, t: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the reference of a joint (M, 4), distal in proximal, at times t, and where it counts."""
    (first, ok1), (second, ok2) = (trial.reference(sensor, kind, t) for sensor in sensors)
    return quaternion.multiply(quaternion.conjugate(first), second), ok1 & ok2
