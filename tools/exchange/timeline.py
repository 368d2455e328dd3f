"""Make a capture clock of the times in somebody else's file: sorted, without repeats, from 0."""

import numpy as np

from imu.block import BoolArray, FloatArray
from imu.counted import counted
from imu.errors import InputError

_MOST_BACKWARD = 0.01


def increasing(name: str, t: FloatArray) -> tuple[BoolArray, list[str]]:
    """Return which rows to keep so that time strictly increases, and what was left out.

    Parameters
    ----------
    name
        What the sentences call the sensor or file.
    t : (N,)
        Time of each row, s.

    Raises
    ------
    InputError
        If more than one row in a hundred has no time, or one that is not later than those before it.
    """
    timed = np.isfinite(t)
    latest = np.maximum.accumulate(np.where(timed, t, -np.inf))
    keep = timed & np.concatenate([[True], t[1:] > latest[:-1]])
    repeated = timed & np.concatenate([[False], t[1:] == latest[:-1]])
    back = timed & ~keep & ~repeated
    if (~keep).sum() > _MOST_BACKWARD * len(t):
        at = int(np.argmin(keep))
        if back.sum() >= repeated.sum():
            before = float(latest[at - 1]) if at else float("nan")
            what = (
                f"time goes back {int(back.sum())} times (row {at + 1}: {t[at]:.6g} s after {before:.6g} s)"
            )
            cause = (
                "the file holds several sensors or recordings one after the other, or is not sorted; split it"
            )
        else:
            what = f"{int(repeated.sum())} of {len(t)} rows repeat the time before them (first: row {at + 1})"
            cause = "the time column is too coarse; use the sensor's own clock, or declare the rate instead"
        raise InputError(f"{name}: time should increase from row to row, but {what}; {cause}")
    counts = ((repeated, "with a time repeated"), (back, "back in time"), (~timed, "without a time"))
    return keep, [f"{counted(int(rows.sum()), 'row')} {what} left out" for rows, what in counts if rows.any()]
