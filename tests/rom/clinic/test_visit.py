"""The state machine as a table: every state reachable and leavable, guards hold, drawings complete."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imu.errors import InputError
from rom.clinic.screening import RULES, Answer, Reply, assess
from rom.clinic.visit import (
    ENDED,
    RUNNING,
    TRANSITIONS,
    Facts,
    MovementFact,
    State,
    Transition,
    VisitError,
    check,
    diagram,
    following,
)

CLEAR = assess(Answer(rule.code, Reply.NO) for rule in RULES)
DONE = MovementFact("Left knee straightening", 5, 5, plateau=True)
READY = Facts(
    screening=CLEAR,
    seq=3,
    complaint=True,
    pain_rated=True,
    sensors=2,
    calibrated=True,
    baselines=(DONE,),
    retests=(DONE,),
    structure="hamstrings",
    technique="ART",
    passes=3,
    halted=True,
    signed=True,
)

REFERENCE = """new>screen>history>setup>calibrate>baseline>palpate>treat>retest>retarget>palpate
treat>pass>treat
retest>treat
retest>close>home>screen
halt>close
home>course review>discharge"""

BREAKS = [
    (
        State.SCREEN,
        State.HISTORY,
        {"screening": assess([])},
        "17 questions are unanswered, RF01 first",
        False,
    ),
    (State.HISTORY, State.SETUP, {"complaint": False}, "complaint", False),
    (State.HISTORY, State.SETUP, {"pain_rated": False}, "NPRS", False),
    (State.SETUP, State.CALIBRATE, {"sensors": 0}, "no sensor", False),
    (State.CALIBRATE, State.BASELINE, {"calibrated": False}, "not calibrated", False),
    (State.BASELINE, State.PALPATE, {"baselines": ()}, "unaffected side first", True),
    (
        State.BASELINE,
        State.PALPATE,
        {"baselines": (replace(DONE, valid=4),)},
        "5 valid reps are wanted, 4 came",
        True,
    ),
    (State.BASELINE, State.PALPATE, {"baselines": (replace(DONE, plateau=False),)}, "still differ", True),
    (State.PALPATE, State.TREAT, {"structure": ""}, "no structure", False),
    (State.PALPATE, State.TREAT, {"closed": "RF04 stop this region"}, "RF04", False),
    (State.TREAT, State.PASS, {"passes": 5}, "5 are the limit", False),
    (State.TREAT, State.PASS, {"ended_because": "two stops"}, "two stops", False),
    (State.TREAT, State.RETEST, {"passes": 0}, "no pass", False),
    (State.RETEST, State.RETARGET, {"retests": ()}, "no re-test", True),
    (State.HALT, State.CLOSE, {"halted": False}, "who was told", False),
    (State.CLOSE, State.HOME, {"signed": False}, "not signed", False),
    (State.HOME, State.COURSE_REVIEW, {"seq": 2}, "visits 3 and 6; this is visit 2", False),
]


def test_the_chains_of_the_reference_are_in_the_table() -> None:
    rows = {(str(row.source), str(row.target)) for row in TRANSITIONS}
    for chain in REFERENCE.splitlines():
        steps = chain.split(">")
        assert set(pairwise(steps)) <= rows
    assert {row.source for row in TRANSITIONS if row.target is State.HALT} == set(RUNNING)


def test_every_state_is_reached_and_only_discharge_is_final() -> None:
    reached = {State.NEW}
    for _ in State:
        reached |= {row.target for row in TRANSITIONS if row.source in reached}
    assert reached == set(State)
    assert {state for state in State if not following(state)} == {State.DISCHARGE}
    assert len({(row.source, row.target) for row in TRANSITIONS}) == len(TRANSITIONS)


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.source}-{row.target}")
def test_a_visit_with_everything_done_goes_every_way(row: Transition) -> None:
    assert check(row.source, row.target, READY) is row


@pytest.mark.parametrize(("source", "target", "broken", "sentence", "soft"), BREAKS)
def test_each_guard_holds_and_says_what_is_missing(
    source: State, target: State, broken: dict[str, Any], sentence: str, soft: bool
) -> None:
    facts = replace(READY, **broken)
    with pytest.raises(VisitError, match=sentence):
        check(source, target, facts)
    if soft:
        assert check(source, target, facts, "the client has to leave").target is target
    else:
        with pytest.raises(VisitError, match=sentence):
            check(source, target, facts, "the client has to leave")


def test_a_stop_is_not_passed_by_a_reason_alone() -> None:
    answers = [Answer(r.code, Reply.YES if r.code == "RF05" else Reply.NO) for r in RULES]
    with pytest.raises(VisitError, match="RF05 stop"):
        check(State.SCREEN, State.HISTORY, replace(READY, screening=assess(answers)), "in a hurry")


@given(st.sampled_from(list(State)), st.sampled_from(list(State)))
def test_what_is_not_in_the_table_is_refused_with_the_ways_that_are(source: State, target: State) -> None:
    ways = {row.target for row in following(source)}
    if target in ways:
        return
    with pytest.raises(VisitError) as refused:
        check(source, target, READY)
    assert all(str(way) in str(refused.value) for way in ways)


def test_technique_without_passes_can_be_retested() -> None:
    facts = replace(READY, technique="exercise", passes=0)
    assert check(State.TREAT, State.RETEST, facts).target is State.RETEST


def test_drawings_hold_every_row() -> None:
    text, mermaid, dot = diagram(), diagram("mermaid"), diagram("dot")
    assert len(re.findall("-->", mermaid)) == len(TRANSITIONS) + 1
    assert len(re.findall("->", dot)) == len(TRANSITIONS)
    for row in TRANSITIONS:
        assert f'"{row.source}" -> "{row.target}"' in dot
        if row.target is not State.HALT:
            assert f"{row.source} -> {row.target}: {row.when}" in text
    assert all(row.guard is None or row.needs for row in TRANSITIONS)
    with pytest.raises(InputError, match="text, mermaid or dot"):
        diagram("oil")


def test_after_the_visit_nothing_can_be_halted() -> None:
    assert not ENDED & set(RUNNING)
