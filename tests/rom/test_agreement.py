"""Two estimates of one angle: they contradict each other exactly where their error bars do not touch."""

from dataclasses import replace

import numpy as np
import pytest

from rom.agreement import INTERVAL, apart
from rom.angles import JointSeries


def series(t: np.ndarray, angle: np.ndarray, sigma: float) -> JointSeries:
    three = np.stack([angle, angle, angle], axis=1)
    none = np.full(len(t), np.nan)
    nowhere = np.full((len(t), 2, 4), np.nan)
    return JointSeries(
        t, three, np.full_like(three, sigma), np.zeros(len(t), np.uint8), none, none, none, nowhere
    )


def test_a_bump_that_leaves_the_bars_is_found_where_it_is() -> None:
    t = np.arange(0.0, 10.0, 0.01)
    plain = series(t, np.zeros(len(t)), 0.01)
    bump = np.where((t >= 3.0) & (t <= 4.0), 1.05 * INTERVAL * 0.03, 0.0)
    ((start, stop),) = apart(plain, series(t, bump, 0.02))
    assert (start, stop) == (pytest.approx(3.0), pytest.approx(4.0))
    assert apart(plain, series(t, bump / 1.2, 0.02)) == ()


def test_order_does_not_matter_and_what_is_not_known_contradicts_nothing() -> None:
    t = np.arange(0.0, 5.0, 0.02)
    one, two = series(t, np.sin(t), 0.001), series(t, np.cos(t), 0.001)
    assert apart(one, two) == apart(two, one) != ()
    unknown = replace(two, angle=np.full_like(two.angle, np.nan))
    assert apart(one, unknown) == ()
    assert apart(one, one) == ()


def test_series_of_other_length_are_matched_by_their_instants() -> None:
    t = np.arange(0.0, 5.0, 0.02)
    one = series(t, np.zeros(len(t)), 0.001)
    two = series(t, np.ones(len(t)), 0.001)
    assert apart(one, two[100:150]) == ((t[100], t[149]),)
