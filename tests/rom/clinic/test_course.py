"""A course in numbers: slopes recovered, retention by the formula, questions asked when they are due."""

import math
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from imu.errors import InputError
from rom.clinic.course import CAVEAT, Plan, VisitPoint, kept, plan_for, prompts, techniques, trend
from rom.clinic.self_check import QUESTIONS, self_check

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PLAN = Plan(3, 6, 2.0, 4.0, "test")


def visits(pre: list[float], post: list[float | None] | None = None, days: int = 4) -> list[VisitPoint]:
    after = post or [None] * len(pre)
    return [
        VisitPoint(n + 1, START + timedelta(days=days * n), before, later)
        for n, (before, later) in enumerate(zip(pre, after, strict=True))
    ]


@given(st.floats(-20, 20), st.integers(3, 9), st.floats(-90, 90))
def test_a_straight_course_gives_its_slope(per_week: float, count: int, first: float) -> None:
    values = [first + per_week * 4 * n / 7 for n in range(count)]
    found = trend(visits(values))
    assert found is not None
    assert found.per_week == pytest.approx(per_week, abs=1e-6)
    assert found.low == pytest.approx(per_week, abs=1e-6)
    assert trend(visits(values), gain=-1).per_week == pytest.approx(-per_week, abs=1e-6)  # type: ignore[union-attr]


def test_one_wild_visit_does_not_move_the_trend_much() -> None:
    calm = [10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    wild = [*calm[:3], 60.0, *calm[4:]]
    found = trend(visits(wild))
    assert found is not None
    assert found.per_week == pytest.approx(3.5, abs=0.5)


@pytest.mark.parametrize(("count", "confidence"), [(3, 0.667), (4, 0.917), (5, 0.95), (8, 0.95)])
def test_few_visits_say_how_sure_they_can_be(count: int, confidence: float) -> None:
    found = trend(visits([10.0, 13.0, 11.0, 15.0, 14.0, 18.0, 16.0, 20.0][:count]))
    assert found is not None
    assert found.confidence == pytest.approx(confidence, abs=1e-3)
    assert ("cannot give a 95 % interval" in found.sentence()) == (count < 5)


@pytest.mark.parametrize("count", [3, 4])
def test_the_widest_interval_covers_as_often_as_it_says(count: int) -> None:
    orders = list(permutations(range(count)))
    covered = sum(
        found.low <= 0 <= found.high for order in orders if (found := trend(visits(list(map(float, order)))))
    )
    assert covered / len(orders) == pytest.approx(1 - 2 / math.factorial(count))


def test_five_visits_and_more_are_scipys() -> None:
    values = [10.0, 13.0, 11.0, 15.0, 14.0, 18.0]
    weeks = np.arange(6) * 4 / 7
    found = trend(visits(values))
    assert found is not None
    assert (found.per_week, found.low, found.high) == pytest.approx(
        tuple(theilslopes(values, weeks, alpha=0.95)[i] for i in (0, 2, 3))
    )


def test_two_visits_or_one_day_give_no_trend() -> None:
    assert trend(visits([10.0, 20.0])) is None
    assert trend(visits([10.0, 20.0, 30.0], days=0)) is None


def test_retention_follows_its_formula_and_is_refused_within_error() -> None:
    one, two = kept(visits([40.0, 34.0, 32.0], [30.0, 28.0, None]), mdc_deg=5.0, gain=-1)
    assert (one.seq, one.carry_over_deg, one.percent) == (2, -4.0, pytest.approx(60.0))
    assert (two.seq, two.carry_over_deg, two.percent) == (3, -4.0, pytest.approx(100 * 8 / 12))
    (small,) = kept(visits([40.0, 39.0], [37.0, None]), mdc_deg=5.0, gain=-1)
    assert small.percent is None
    assert "within the MDC of 5.0°" in small.sentence()
    (unknown,) = kept(visits([40.0, 39.0], [30.0, None]), mdc_deg=None, gain=-1)
    assert "no published MDC" in unknown.sentence()


@pytest.mark.parametrize(("weeks", "visits_max"), [(None, 6), (2, 6), (12, 6), (13, 10)])
def test_the_plan_follows_the_age_of_the_complaint(weeks: int | None, visits_max: int) -> None:
    today = date(2026, 3, 2)
    plan = plan_for(None if weeks is None else today - timedelta(weeks=weeks), today)
    assert plan.visits_max == visits_max
    assert ("weeks" in plan.sentence().split("(")[0]) == (visits_max == 6)


def painful(pre: list[float], pain: list[float], days: int = 4) -> list[VisitPoint]:
    return [
        VisitPoint(n + 1, START + timedelta(days=days * n), value, pain=rating)
        for n, (value, rating) in enumerate(zip(pre, pain, strict=True))
    ]


def test_no_response_after_three_visits_is_asked_about() -> None:
    assert any("re-evaluate" in q for q in prompts(painful([40, 39, 38], [6, 6, 5]), PLAN, 5.0, gain=-1))
    assert not any("re-evaluate" in q for q in prompts(painful([40, 39, 33], [6, 6, 6]), PLAN, 5.0, gain=-1))
    assert not any("re-evaluate" in q for q in prompts(painful([40, 39, 38], [6, 5, 4]), PLAN, 5.0, gain=-1))
    assert not any("re-evaluate" in q for q in prompts(painful([40, 39], [6, 6]), PLAN, 5.0, gain=-1))
    neck = prompts(painful([40, 39, 38], [6, 6, 4.6]), PLAN, 5.0, gain=-1, neck=True)
    assert not any("re-evaluate" in q for q in neck)


def test_reviews_the_end_of_the_plan_worse_pain_and_long_soreness_are_asked_about() -> None:
    assert any("Visit 3 is done" in q for q in prompts(painful([1, 2, 3], [1, 1, 1]), PLAN, None))
    six = prompts(painful([1] * 6, [1] * 6), PLAN, None)
    assert any("6 visits are done and the plan was 3 to 6 visits" in q for q in six)
    assert any("weeks have passed" in q for q in prompts(painful([1, 2], [1, 1], days=40), PLAN, None))
    assert any("Pain has risen from 2 to 5" in q for q in prompts(painful([1, 2], [2, 5]), PLAN, None))
    day = START.date() + timedelta(days=4)
    for later, asked in ((1, False), (2, False), (3, True)):
        sore = [(day + timedelta(days=later), 3.0)]
        found = prompts(painful([1, 2], [2, 2]), PLAN, None, soreness=sore)
        assert any("adverse event" in q for q in found) == asked
    assert prompts([], PLAN, None) == []


def treated(done: list[tuple[str, float]]) -> list[VisitPoint]:
    return [
        VisitPoint(n + 1, START + timedelta(days=5 * n), 1.0, techniques=(name,), change_deg=change)
        for n, (name, change) in enumerate(done)
    ]


def test_techniques_are_compared_only_with_two_visits_each_and_the_caveat() -> None:
    few = techniques(treated([("ART", 6.0), ("massage", 2.0), ("ART", 8.0)]))
    assert few.refusal
    assert few.sentences() == [f"Techniques are not compared: {few.refusal}."]
    both = techniques(treated([("ART", 6.0), ("massage", 2.0), ("ART", 8.0), ("massage", 4.0)]))
    assert [(row.technique, row.visits, row.mean_deg) for row in both.lines] == [
        ("ART", 2, 7.0),
        ("massage", 2, 3.0),
    ]
    assert both.sentences()[-1] == CAVEAT
    mixed = [VisitPoint(9, START, 1.0, techniques=("ART", "massage"), change_deg=50.0)]
    assert (
        techniques(treated([("ART", 6.0), ("massage", 2.0), ("ART", 8.0), ("massage", 4.0)]) + mixed) == both
    )


@given(st.sets(st.sampled_from(sorted(QUESTIONS))))
def test_the_self_check_ends_with_a_clinician_and_never_with_a_verdict(yes: set[str]) -> None:
    sentence = self_check({key: key in yes for key in QUESTIONS}).sentence()
    assert "This is no diagnosis: talk to a clinician." in sentence
    assert sentence.startswith(f"{len(yes)} of 6 points apply")
    assert not any(word in sentence for word in ("suitable", "candidate", "you have", "recommended"))


def test_the_self_check_needs_every_answer() -> None:
    with pytest.raises(InputError, match="an answer to each"):
        self_check({"muscle": True})
