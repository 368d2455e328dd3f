"""The methods that are compared: romcap's two and the peers, each with its own library's defaults."""

from dataclasses import dataclass

import numpy as np
from optical import Trial

from calibration.heading_series import Heading
from imu import quaternion
from imu.block import BoolArray, FloatArray, ImuBlock
from imu.fusion import make_filter
from imu.sync import Frames

PEERS = ("vqf-6d", "vqf-9d", "ahrs-madgwick", "ahrs-ekf")
OWN = ("romcap-live", "romcap-review")


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a method makes of two sensors, at the frames.

    Parameters
    ----------
    first, second : (M, 4)
        `q_earth_from_sensor`, proximal and distal; in one earth frame unless `adrift`.
    claimed : (M,)
        Where the method claims to know them.
    adrift
        Whether their relative heading is arbitrary by construction.
    sigma : (M,)
        One sigma of the relative heading that the method claims, rad.
    """

    first: FloatArray
    second: FloatArray
    claimed: BoolArray
    adrift: bool
    sigma: FloatArray | float = 0.0

    def joint(self, delta: FloatArray | float = 0.0) -> FloatArray:
        """Return the distal sensor in the proximal one after a turn of its earth frame, (M, 4)."""
        turned = quaternion.multiply(quaternion.about_vertical(delta), self.second)
        return quaternion.multiply(quaternion.conjugate(self.first), turned)


def own(frames: Frames, heading: Heading) -> Estimate:
    """Return what romcap makes of two sensors, its best guess where it claims nothing."""
    second = quaternion.multiply(heading.q_earth1_from_earth2, frames.q[:, 1])
    good = _finite(frames.q[:, 0]) & _finite(second)
    return Estimate(
        frames.q[:, 0],
        second,
        np.isfinite(heading.delta) & good,
        adrift=False,
        sigma=np.sqrt(heading.covariance[:, 2, 2]),
    )


def peer(method: str, trial: Trial, sensors: list[str], frames: Frames) -> Estimate | None:
    """Return what a peer makes of two sensors; None if it lacks an input."""
    found: list[FloatArray] = []
    for sensor in sensors:
        q = filtered(method, trial.blocks[sensor], trial.rate)
        if q is None:
            return None
        at = np.clip(np.rint(frames.t * trial.rate).astype(np.int64), 0, len(q) - 1)
        found.append(q[at])
    good = _finite(found[0]) & _finite(found[1])
    return Estimate(found[0], found[1], good, adrift=method != "vqf-9d")


def filtered(method: str, block: ImuBlock, rate: float) -> FloatArray | None:
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
