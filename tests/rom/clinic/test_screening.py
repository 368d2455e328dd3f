"""Screening: every row of the reference is there, a stop holds until a named clinician passes it."""

import itertools

import pytest

from imu.errors import InputError
from rom.clinic.screening import RULES, Answer, Level, Reply, assess, rule
from rom.clinic.stops import STOPS, Reach, reach

STOPPING = {"RF03", "RF05", "RF06", "RF07", "RF08", "RF09", "RF10", "RF11", "RF14"}
REGIONAL = {"RF01", "RF02", "RF04", "RF15", "RF16"}
WARNING = {"RF12", "RF13", "RF17"}


def _answers(**given: Answer) -> list[Answer]:
    return [given.get(r.code, Answer(r.code, Reply.NO)) for r in RULES]


def test_the_reference_is_complete_and_each_rule_has_its_level() -> None:
    assert [r.code for r in RULES] == [f"RF{n:02d}" for n in range(1, 18)]
    for level, codes in ((Level.STOP, STOPPING), (Level.STOP_REGION, REGIONAL), (Level.WARN, WARNING)):
        assert {r.code for r in RULES if r.level is level} == codes
    assert all(r.source and r.says.endswith(".") and r.question.endswith("?") for r in RULES)


def test_nothing_said_is_not_nothing_wrong() -> None:
    assert assess([]).missing == tuple(r.code for r in RULES)
    clear = assess(_answers())
    assert not clear.missing
    assert not clear.findings


@pytest.mark.parametrize("code", [r.code for r in RULES])
def test_unknown_is_a_warning_for_every_rule(code: str) -> None:
    result = assess(_answers(**{code: Answer(code, Reply.UNKNOWN)}))
    assert [f.rule.code for f in result.warnings] == [code]
    assert not result.open_stops
    assert not result.closed_for(["knee", "neck", "abdomen"])


@pytest.mark.parametrize("code", sorted(STOPPING))
def test_a_stop_holds_until_a_named_clinician_gives_a_reason(code: str) -> None:
    held = assess(_answers(**{code: Answer(code, Reply.YES)}))
    assert [f.rule.code for f in held.open_stops] == [code]
    passed = assess(
        _answers(**{code: Answer(code, Reply.YES, override_by="Dr A", override_reason="seen today")})
    )
    assert not passed.open_stops
    assert "Passed by Dr A: seen today" in passed.findings[0].sentence()


@pytest.mark.parametrize(("by", "reason"), [("Dr A", ""), ("", "seen"), ("  ", "seen"), ("Dr A", " ")])
def test_half_an_override_is_refused(by: str, reason: str) -> None:
    with pytest.raises(InputError, match="name of a clinician and a reason"):
        Answer("RF05", Reply.YES, override_by=by, override_reason=reason)


@pytest.mark.parametrize("code", [r.code for r in RULES if r.softer])
def test_the_softer_circumstance_has_to_be_said(code: str) -> None:
    softer = rule(code).softer
    assert softer is not None
    assert assess(_answers(**{code: Answer(code, Reply.YES)})).open_stops
    mild = assess(_answers(**{code: Answer(code, Reply.YES, detail=f"it is {softer.key}, really")}))
    assert not mild.open_stops
    assert [f.level for f in mild.findings] == [Level.WARN]


@pytest.mark.parametrize("code", ["RF01", "RF02", "RF04"])
def test_a_region_that_is_not_named_closes_the_whole_body(code: str) -> None:
    anywhere = assess(_answers(**{code: Answer(code, Reply.YES)}))
    assert anywhere.closed_for(["knee"])
    assert anywhere.closed_for(["neck"])
    knee = assess(_answers(**{code: Answer(code, Reply.YES, regions=frozenset({"knee"}))}))
    assert knee.closed_for(["hip/knee"])
    assert not knee.closed_for(["neck"])


def test_neck_signs_close_the_neck_and_pregnancy_the_abdomen_only() -> None:
    neck = assess(_answers(RF15=Answer("RF15", Reply.YES)))
    assert neck.closed_for(["neck"])
    assert not neck.closed_for(["knee", "abdomen"])
    pregnant = assess(_answers(RF13=Answer("RF13", Reply.YES)))
    assert pregnant.warnings
    assert pregnant.closed_for(["abdomen"])
    assert not pregnant.closed_for(["hip"])


def test_unknown_codes_are_named() -> None:
    with pytest.raises(InputError, match="RF99"):
        Answer("RF99", Reply.NO)
    with pytest.raises(InputError, match="sharp, radiating, numbness, dizziness, stop"):
        reach([], "boredom")


def test_two_stops_end_the_structure_and_a_neurological_sign_the_session() -> None:
    plain = [s.code for s in STOPS if not s.neurological]
    assert {s.code for s in STOPS if s.neurological} == {"numbness", "dizziness"}
    for first, second in itertools.product(plain, plain):
        assert reach(["end"], first) is Reach.PASS
        assert reach(["end", first, "end"], second) is Reach.STRUCTURE
    assert reach([], "numbness") is Reach.SESSION
    assert reach(["sharp"], "dizziness") is Reach.SESSION
