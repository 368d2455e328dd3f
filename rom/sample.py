"""The reps of one test as a value: what was measured, how it is summed up, what its error shares."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from imu.block import FloatArray
from imu.errors import InputError
from rom.catalogue.movement import Movement, Side
from rom.estimate import VARIANCE_OF_BEST_OF_3, reps_until_plateau
from rom.wording import degrees

Aggregate = Literal["mean_2_to_k", "best_of_3"]
End = Literal["plateau", "peak", "headline"]
AGGREGATES: dict[Aggregate, str] = {
    "mean_2_to_k": "mean of the reps after warming up",
    "best_of_3": "best of the first three reps",
}


@dataclass(frozen=True, slots=True, eq=False)
class RepSample:
    """The valid reps of one movement of one side, in the order they were done.

    Parameters
    ----------
    values : (k,)
        Clinical end angle of each rep, rad, the first (warm-up) rep included.
    movement
        What was measured.
    side
        Whose.
    aggregate
        "mean_2_to_k" (default): the mean of the reps after warming up, see `warm_ups`. "best_of_3": the
        AMA Guides' greatest of three measurements.
    restrapped
        Whether sensors came off or were moved since the test this one is compared with.
    elapsed
        Seconds since treatment ended; None if there was none.
    sensor_sigma
        Standard deviation of what all reps of a recording share and the next recording does not
        (heading, drift), rad. It does not shrink with the number of reps.
    strap_sigma, soft_tissue_sigma
        The same of what stays as long as the straps stay: alignment to the segment, skin against
        bone, rad. They cancel between two tests with the straps kept on, and count in full otherwise.
    soft_tissue_share
        By what share skin stretches or shrinks an angle, one sigma; of a change it remains with any straps.
    alignment
        Fingerprint of the calibration the angles were computed with. Where it differs between two tests
        with the straps kept on, the strap error counts after all.
    end
        What stands for the end of a rep: the held "plateau", the "peak", or the "headline" of each rep,
        which is the plateau where there is one.
    numbers
        Which repetition of the test each rep was, from 1, so that a rep that does not count still warms
        up; 1 to k where not given.

    Raises
    ------
    InputError
        If there are too few reps for the aggregate, one is not finite, or the side does not fit.
    """

    values: FloatArray
    movement: Movement
    side: Side
    aggregate: Aggregate = "mean_2_to_k"
    restrapped: bool = False
    elapsed: float | None = None
    sensor_sigma: float = 0.0
    strap_sigma: float = 0.0
    soft_tissue_sigma: float = 0.0
    soft_tissue_share: float = 0.0
    alignment: str = ""
    end: End = "headline"
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        self.movement.check_side(self.side)
        needed = 3 if self.aggregate == "best_of_3" else 2
        if self.numbers and len(self.numbers) != self.values.size:
            raise InputError(
                f"expected a number for each of {self.values.size} reps, got {len(self.numbers)}"
            )
        if self.values.ndim != 1 or self.values.size < needed or not self.used.size:
            raise InputError(
                f"{self.movement.title(self.side)}: {AGGREGATES[self.aggregate]} needs at least {needed} "
                f"valid reps, got {self.values.size}; record five"
            )
        if not np.isfinite(self.values).all():
            raise InputError(
                f"{self.movement.title(self.side)}: every rep needs a finite angle; discard those without"
            )
        for name in ("sensor_sigma", "strap_sigma", "soft_tissue_sigma", "soft_tissue_share"):
            if not getattr(self, name) >= 0.0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")

    @property
    def used(self) -> FloatArray:
        """The reps that count, (k,), rad."""
        if self.aggregate == "best_of_3":
            return self.values[:3]
        return self.values[self.warm_ups :]

    @property
    def warm_ups(self) -> int:
        """How many of the values only warm up.

        The first repetition always does (clinical reference 0.1); then as many as it takes until two in
        a row agree within the published SEM, of which the second counts, as long as three are left. Where
        no SEM is published, only the first one. Choosing reps so
        leaves intervals honest: they cover 94.7 to 95.3 % for a rep SD of 0.3 to 3 SEM and 4 to 7 reps
        (20,000 worlds each).
        """
        first = int(not self.numbers or self.numbers[0] == 1)
        sem = self.movement.published_sem
        level = None if sem is None else reps_until_plateau(self.values, sem)
        if level is None:
            return first
        return max(first, min(level - 2 + first, self.values.size - 3))

    @property
    def value(self) -> float:
        """The one number of the test, rad."""
        if self.aggregate == "best_of_3":
            gain = self.movement.gain_sign
            return gain * float(np.max(gain * self.used))
        return float(self.used.mean())

    @property
    def leverage(self) -> float:
        """Variance of `value` in units of the rep variance."""
        return VARIANCE_OF_BEST_OF_3 if self.aggregate == "best_of_3" else 1.0 / self.used.size

    @property
    def strap_variance(self) -> float:
        """Variance that another strapping would bring, rad^2."""
        return self.strap_sigma**2 + self.soft_tissue_sigma**2


def doubts(*samples: RepSample) -> tuple[str, ...]:
    """Return what speaks against samples that can be compared: values that the joint cannot have."""
    found: list[str] = []
    for sample in samples:
        low, high = sample.movement.plausible_min, sample.movement.plausible_max
        if not low <= sample.value <= high:
            found.append(
                f"{sample.movement.title(sample.side)} of {degrees(sample.value)} cannot be "
                f"({degrees(low)} to {degrees(high)}): check side, straps and calibration"
            )
    return tuple(found)


def check_comparable(first: RepSample, second: RepSample, *, sides: Literal["same", "opposite"]) -> None:
    """Raise `InputError` unless two samples measure the same thing in the same way."""
    if first.movement.id != second.movement.id:
        raise InputError(
            f"both tests must be of one movement, got {first.movement.id} and {second.movement.id}; "
            "choose recordings of the same movement"
        )
    if sides == "same" and first.side != second.side:
        raise InputError(
            f"both tests must be of one side, got {first.side} and {second.side}; for sides use symmetry"
        )
    if sides == "opposite" and {first.side, second.side} != {"left", "right"}:
        raise InputError(
            f"symmetry needs a left and a right test, got {first.side} and {second.side}; for two tests of "
            "one side use compare"
        )
    if first.end != second.end:
        raise InputError(
            f"both tests must take the same end of a rep, got {first.end} and {second.end}; "
            "choose the peak for both"
        )
    if first.aggregate != second.aggregate:
        raise InputError(
            f"both tests must be summed up in one way, got {first.aggregate} and {second.aggregate}; "
            "choose one aggregate for both"
        )
