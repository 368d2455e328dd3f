"""Trials made comparable: one end for all, the straps' error where it belongs. Built by hand, no sensors."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from imu.errors import InputError
from rom.catalogue.loader import load_catalogue
from rom.sample import RepSample
from rom.trial import Trial
from rom.trials import compare_trials, symmetry_of_trials

CATALOGUE = load_catalogue()
AKE = CATALOGUE.movement("kn_ake")
STRAP, SENSOR = math.radians(3.0), math.radians(0.5)


class Standing:
    """A trial reduced to what comparing asks of it."""

    def __init__(
        self,
        peaks: list[float],
        plateaus: list[float] | None = None,
        side: Any = "left",
        alignment: str = "as strapped",
    ) -> None:
        holds = plateaus or [math.nan] * len(peaks)
        self.movement, self.side = AKE, side
        self.reps: tuple[object, ...] = ()
        self.passes: tuple[object, ...] = ()
        self.valid_reps = tuple(
            SimpleNamespace(
                number=number,
                end_peak=math.radians(peak),
                end_plateau=math.radians(hold),
                end_kind="peak" if math.isnan(hold) else "plateau",
            )
            for number, (peak, hold) in enumerate(zip(peaks, holds, strict=True), start=1)
        )
        self.alignment = alignment

    def sample(self, aggregate: Any, *, restrapped: bool) -> RepSample:
        return RepSample(
            np.array([rep.end_peak for rep in self.valid_reps]),
            AKE,
            self.side,
            aggregate,
            restrapped=restrapped,
            sensor_sigma=SENSOR,
            strap_sigma=STRAP,
            alignment=self.alignment,
            numbers=tuple(rep.number for rep in self.valid_reps),
        )


def standing(*given: Any, **more: Any) -> Trial:
    return cast("Trial", Standing(*given, **more))


BEFORE, AFTER = [43.0, 42, 43, 41, 42], [35.0, 34, 35, 33, 34]


def test_the_plateau_counts_only_if_every_rep_of_every_trial_has_one() -> None:
    held, less = [44.0, 43, 44, 42, 43], [37.0, 36, 37, math.nan, 36]
    all_held = compare_trials(standing(BEFORE, held), standing(AFTER, [36.0, 35, 36, 34, 35]))
    assert all_held.pre.end == all_held.post.end == "plateau"
    assert math.degrees(all_held.pre.value) == pytest.approx(43.0)
    mixed = compare_trials(standing(BEFORE, held), standing(AFTER, less))
    assert mixed.pre.end == mixed.post.end == "peak"
    assert math.degrees(mixed.pre.value) == pytest.approx(42.0)


def test_a_common_calibration_cancels_and_another_one_does_not() -> None:
    kept = compare_trials(standing(BEFORE), standing(AFTER)).change.session_variance
    again = compare_trials(standing(BEFORE), standing(AFTER, alignment="once more")).change.session_variance
    assert kept == pytest.approx(2 * SENSOR**2)
    assert again == pytest.approx(2 * (SENSOR**2 + STRAP**2))


def test_restrapping_counts_the_straps_or_the_published_error_whichever_is_larger() -> None:
    result = compare_trials(standing(BEFORE), standing(AFTER), restrapped=True)
    larger = max(STRAP, math.radians(2.9))
    assert result.change.session_variance == pytest.approx(2 * SENSOR**2 + 2 * larger**2)
    assert "straps put on again" in result.change.yardstick.basis


def test_the_control_goes_the_same_way() -> None:
    right = standing([31.0, 30, 31, 29, 30], side="right"), standing([29.0, 28, 29, 27, 28], side="right")
    result = compare_trials(standing(BEFORE), standing(AFTER), control=right, elapsed=90.0)
    assert result.control is not None
    assert math.degrees(result.control.beyond.value) == pytest.approx(6.0)
    assert result.post.elapsed == 90.0


def test_sides_are_compared_from_trials() -> None:
    result = symmetry_of_trials(standing(BEFORE), standing([31.0, 30, 31, 29, 30], side="right"))
    assert math.degrees(result.right_minus_left) == pytest.approx(-12.0)


@pytest.mark.parametrize(
    ("reps", "passes", "problem"),
    [
        (
            [SimpleNamespace(number=1, reasons=("it took 0.7 s", "samples are missing inside"))] * 2,
            [],
            ("none of 2 does \\(rep 1: it took 0.7 s; samples are missing inside\\); record the test again"),
        ),
        ([], [None], "it holds 1 pass of a treatment and no test; record"),
        ([], [None] * 5, "it holds 5 passes of a treatment and no test"),
        ([], [], "it holds no movement there and back"),
    ],
)
def test_a_trial_without_a_valid_rep_says_so(reps: list[object], passes: list[object], problem: str) -> None:
    empty = Standing(BEFORE)
    empty.valid_reps, empty.reps, empty.passes = (), tuple(reps), tuple(passes)
    with pytest.raises(InputError, match=problem):
        compare_trials(cast("Trial", empty), standing(AFTER))


def test_reps_keep_their_numbers() -> None:
    second = Standing(BEFORE)
    second.valid_reps = second.valid_reps[1:]
    result = compare_trials(cast("Trial", second), standing(AFTER))
    assert result.pre.numbers == (2, 3, 4, 5)
    assert result.pre.warm_ups == 0
    assert replace(result.pre, numbers=()).warm_ups == 1
