"""Trials made comparable: one end of the reps for all, and the straps' error where it belongs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from imu.counted import counted
from imu.errors import InputError
from imu.recording import Recording
from rom.catalogue.movement import Movement, Side
from rom.compare import Comparison, Target, compare
from rom.replay import ReplayStep
from rom.sample import Aggregate, End, RepSample
from rom.symmetry import Symmetry, symmetry
from rom.trial import Trial, analyse


def analyse_pair(
    pre: Recording,
    post: Recording,
    movement: Movement | str = "",
    side: Side | Literal[""] = "",
    *,
    restrapped: bool = False,
    seen: Callable[[int, ReplayStep], None] | None = None,
) -> tuple[Trial, Trial]:
    """Return two recordings analysed so that their error is as common as their straps.

    With the straps kept on, the calibration of the first serves both: what it gets wrong is the same
    before and after, and cancels. With straps put on again each recording needs its own.

    Parameters
    ----------
    pre, post
        Open recordings.
    movement, side
        As in `rom.trial.analyse`.
    restrapped
        Whether sensors came off or were moved in between.
    seen
        Called with 0 for the first or 1 for the second, and every step of its replay.

    Raises
    ------
    RomcapError
        As `rom.trial.analyse`; also if the second is of another movement or side than the first, or the
        straps are said to be kept on, but the sensors are others.
    """
    watch = [None, None] if seen is None else [partial(seen, 0), partial(seen, 1)]
    first = analyse(pre, movement, side, seen=watch[0])
    calibration = first.setup.calibration
    _check_same_test(first, post, movement, side)
    what = movement or first.movement, side or first.side
    if restrapped or calibration is None:
        return first, analyse(post, *what, seen=watch[1])
    second = analyse(post, *what, calibrations=(calibration,), seen=watch[1])
    used = [[sensor.sensor for sensor in trial.setup.sensors] for trial in (first, second)]
    if used[0] != used[1]:
        raise InputError(
            f"straps kept on means the same sensors, but before it was {' and '.join(used[0])} and after "
            f"{' and '.join(used[1])}; say that the straps were put on again"
        )
    return first, second


def _check_same_test(first: Trial, post: Recording, movement: Movement | str, side: str) -> None:
    """Raise `InputError` if nobody asked for a movement or side and the second recording names another."""
    header = post.header
    if not side and {header.side, first.side} == {"left", "right"}:
        raise InputError(
            f"{post.path.name}: is of the {header.side} side, but the recording before it is of the "
            f"{first.side} side; compare one side with itself, and the two sides with `rom symmetry`"
        )
    if not movement and header.movement and header.movement != first.movement.id:
        raise InputError(
            f"{post.path.name}: is of {header.movement}, but the recording before it is of "
            f"{first.movement.id}; compare recordings of one movement"
        )


def compare_trials(
    pre: Trial,
    post: Trial,
    *,
    restrapped: bool = False,
    control: tuple[Trial, Trial] | None = None,
    aggregate: Aggregate = "mean_2_to_k",
    elapsed: float | None = None,
    target: Target | None = None,
    mcid: float | None = None,
    own_sem: float | None = None,
) -> Comparison:
    """Return what changed between two trials of one movement and side.

    The end of a rep is the held plateau if every valid rep of every trial has one, else the peak.

    Parameters
    ----------
    pre, post
        Before and after.
    restrapped
        Whether sensors came off or were moved in between. If they did not but the joint was calibrated
        again, the error of the alignments does not cancel; see `analyse_pair`.
    control
        The untreated side or movement, before and after.
    aggregate
        How the reps are summed up.
    elapsed
        Seconds since treatment ended.
    target, mcid, own_sem
        As in `rom.compare.compare`.

    Raises
    ------
    InputError
        If a trial has too few valid reps, or they do not measure the same thing in the same way.
    """
    end = _common_end(pre, post, *(control or ()))
    before = _sample(pre, end, aggregate, restrapped=False)
    after = replace(_sample(post, end, aggregate, restrapped=restrapped), elapsed=elapsed)
    untreated = None
    if control is not None:
        first, second = control
        untreated = (
            _sample(first, end, aggregate, restrapped=False),
            _sample(second, end, aggregate, restrapped=restrapped),
        )
    return compare(before, after, control=untreated, target=target, mcid=mcid, own_sem=own_sem)


def symmetry_of_trials(
    left: Trial,
    right: Trial,
    *,
    involved: Literal["left", "right"] = "left",
    aggregate: Aggregate = "mean_2_to_k",
    own_sem: float | None = None,
) -> Symmetry:
    """Return how the left side compares with the right one in two trials of one movement.

    Parameters
    ----------
    left, right
        One trial a side.
    involved
        The side of the complaint.
    aggregate
        How the reps are summed up.
    own_sem
        As in `rom.symmetry.symmetry`.

    Raises
    ------
    InputError
        If a trial has too few valid reps, or they do not measure the same thing in the same way.
    """
    end = _common_end(left, right)
    one, other = (_sample(trial, end, aggregate, restrapped=False) for trial in (left, right))
    return symmetry(one, other, involved=involved, own_sem=own_sem)


def _without_reps(trial: Trial) -> str:
    """Return what a trial without valid reps holds instead."""
    if trial.reps:
        first = trial.reps[0]
        return f"none of {len(trial.reps)} does (rep {first.number}: {'; '.join(first.reasons)})"
    if trial.passes:
        return f"it holds {counted(len(trial.passes), 'pass', 'passes')} of a treatment and no test"
    return "it holds no movement there and back"


def _common_end(*trials: Trial) -> End:
    held = all(rep.end_kind == "plateau" for trial in trials for rep in trial.valid_reps)
    return "plateau" if held else "peak"


def _sample(trial: Trial, end: End, aggregate: Aggregate, *, restrapped: bool) -> RepSample:
    reps = trial.valid_reps
    if not reps:
        raise InputError(
            f"{trial.movement.title(trial.side)}: expected a recording with reps that count, but "
            f"{_without_reps(trial)}; record the test again or name another recording"
        )
    ends = [rep.end_plateau if end == "plateau" else rep.end_peak for rep in reps]
    sample = trial.sample(aggregate, restrapped=restrapped)
    return replace(sample, values=np.array(ends, dtype=np.float64), end=end)
