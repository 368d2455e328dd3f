"""`rom sensors`: every family in the table, everything about one, and JSON that says the same."""

import json

import pytest

from imu.errors import InputError
from imu.sensors.registry import DRIVERS
from tools.cli.sensors import sensors


def test_the_table_names_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    sensors()
    shown = capsys.readouterr().out
    assert all(family in shown for family in DRIVERS)
    assert "cannot" in shown


@pytest.mark.parametrize("family", list(DRIVERS))
def test_a_page_says_what_a_family_cannot_do_and_what_is_to_verify(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sensors(family)
    shown = capsys.readouterr().out
    capability = DRIVERS[family].capability
    for sentence in (*capability.cannot, *capability.to_verify, *capability.modes, capability.source):
        assert sentence in shown


def test_the_doubtful_facts_of_witmotion_stay_marked(capsys: pytest.CaptureFixture[str]) -> None:
    sensors("witmotion")
    doubts = [row for row in capsys.readouterr().out.splitlines() if "to verify" in row]
    assert any("200 Hz" in row for row in doubts)
    assert any("magnetic field" in row for row in doubts)


def test_json_is_the_same_list(capsys: pytest.CaptureFixture[str]) -> None:
    sensors(as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [entry["family"] for entry in document] == list(DRIVERS)
    assert all(entry["cannot"] and entry["rates_hz"] for entry in document)
    sensors("movella-dot", as_json=True)
    assert json.loads(capsys.readouterr().out) == document[1]


def test_an_unknown_family_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="choose one of capture2go"):
        sensors("shimmer")
