"""What a re-test showed, as values for the screen. No Qt."""

import math
from dataclasses import dataclass

from rom.clinic.trials import Attached


@dataclass(frozen=True)
class Verdict:
    """What a re-test showed: reps before and after in degrees, the sentences, the yardstick.

    The first `before_warming` and `after_warming` reps are left out of the change: they warmed up.
    """

    title: str
    side: str
    before_deg: tuple[float, ...]
    after_deg: tuple[float, ...]
    low_deg: float
    high_deg: float
    mdc_deg: float | None
    change: str
    symmetry: str
    before_warming: int = 0
    after_warming: int = 0


def verdict_of(done: Attached) -> Verdict | None:
    """Return what a re-test showed, for the screen; None at baseline or with too few reps."""
    if done.comparison is None:
        return None
    found = done.comparison.to_document()
    low, high = (math.degrees(end) for end in done.comparison.change.estimate.interval())
    limit = done.comparison.change.yardstick.mdc95
    return Verdict(
        str(found["title"]),
        str(found["side"]),
        tuple(found["pre_reps_deg"]),  # pyright: ignore[reportArgumentType]  a document of the comparison
        tuple(found["post_reps_deg"]),  # pyright: ignore[reportArgumentType]
        low,
        high,
        None if limit is None else math.degrees(limit),
        str(found["sentence"]),
        "" if done.symmetry is None else done.symmetry.sentence(),
        done.comparison.pre.warm_ups,
        done.comparison.post.warm_ups,
    )
