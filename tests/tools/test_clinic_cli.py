"""The clinic's commands: what they print, what they refuse in one sentence, what they leave on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519  # pyright: ignore[reportAttributeAccessIssue] -- compiled, no types
from typer.testing import CliRunner

from imu.errors import RomcapError
from imu.whole_file import write_whole
from rom.clinic import sealed
from rom.clinic.screening import RULES
from rom.clinic.sealed import IDENTITY_FILE, Keys
from rom.clinic.visit import State
from tools.cli.main import build


class Rom:
    """The program, called in this process with a practice of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "ROM_PRACTICE": str(folder / "practice"),
            "ROM_CLINICIAN": "Ann",
            "ROM_STATION": "room 1",
            "ROM_DATABASE": "",
        }
        self.app = build()

    def __call__(self, *words: str, status: int = 0, **environment: str) -> str:
        result = CliRunner().invoke(self.app, list(words), env={**self.environment, **environment})
        assert result.exit_code == status, result.output
        return result.output

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))

    def refusal(self, *words: str, **environment: str) -> str:
        result = CliRunner().invoke(self.app, list(words), env={**self.environment, **environment})
        assert isinstance(result.exception, RomcapError), result.output
        return str(result.exception)


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the keys without the seconds that a passphrase takes; the tests of `sealed` take those."""
    keys = Keys(x25519.Identity.generate())

    def known(folder: Path, _passphrase: str) -> Keys:
        write_whole(folder / IDENTITY_FILE, b"kept elsewhere in this test")
        return keys

    monkeypatch.setattr(sealed, "load_keys", known)


@pytest.fixture
def rom(tmp_path: Path) -> Rom:
    return Rom(tmp_path)


@pytest.fixture
def rom_with_client(rom: Rom) -> Rom:
    rom("client", "add", "--code", "p0042", "--birth-year", "1990")
    rom("client", "episode", "P0042", "tight hamstring", "--region", "knee", "--side", "left")
    return rom


def test_clients_are_taken_in_listed_and_shown_under_pseudonyms(rom: Rom) -> None:
    drawn = rom.json("client", "add")["client"]
    assert drawn.startswith("P")
    rom("client", "add", "--code", "P0042", "--height-cm", "181.5")
    assert [row["client"] for row in rom.json("client", "list")["clients"]] == sorted([drawn, "P0042"])
    assert "height_cm: 181.5" in rom("client", "show", "p0042")
    assert "P0042 is taken" in rom.refusal("client", "add", "--code", "P0042")
    assert "names go to --name" in rom.refusal("client", "add", "--code", "Max Muster")
    assert "four digits" in rom.refusal("client", "add", "--birth-year", "90")
    assert "no client P0001" in rom.refusal("client", "show", "P0001")
    assert "say who you are" in rom.refusal("client", "add", ROM_CLINICIAN="")


@pytest.mark.usefixtures("quick_keys")
def test_a_name_is_in_the_sealed_file_only(rom: Rom) -> None:
    rom("client", "add", "--code", "P0042", "--name", "Max Muster", ROM_PASSPHRASE="secret")
    assert "P0042: Max Muster" in rom("client", "show", "P0042", ROM_PASSPHRASE="secret")
    assert "Muster" not in rom("client", "show", "P0042", ROM_PASSPHRASE="")
    for path in (rom.folder / "practice").rglob("*"):
        assert not path.is_file() or b"Muster" not in path.read_bytes()
    assert "repeat with --yes" in rom.refusal("client", "forget", "P0042", ROM_PASSPHRASE="secret")
    assert "is erased" in rom("client", "forget", "P0042", "--yes", ROM_PASSPHRASE="secret")
    rom("client", "add", "--code", "P0042")
    assert "Muster" not in rom("client", "show", "P0042", ROM_PASSPHRASE="secret")


@pytest.mark.usefixtures("quick_keys")
def test_a_sealed_practice_is_not_opened_by_mistake(rom_with_client: Rom) -> None:
    rom = rom_with_client
    assert "files are sealed" in rom("seal", ROM_PASSPHRASE="secret")
    assert not (rom.folder / "practice" / "clinic.sqlite").exists()
    assert "is sealed; open it with `rom unseal` first" in rom.refusal("client", "list")
    assert "files are open" in rom("unseal", ROM_PASSPHRASE="secret")
    assert "P0042" in rom("client", "list")


def test_the_screening_is_asked_answered_held_and_passed(rom_with_client: Rom) -> None:
    rom = rom_with_client
    asked = rom.json("visit", "questions")["questions"]
    assert [question["code"] for question in asked] == [rule.code for rule in RULES]
    rom("visit", "start", "P0042")
    first = rom.json("visit", "screen", "P0042", "--yes", "RF05", "--unknown", "RF12")
    assert first["open_stops"] == ["RF05"]
    assert len(first["missing"]) == 15
    rom(
        "visit",
        "screen",
        "P0042",
        "--no-to-all",
        "--yes",
        "RF05",
        "--yes",
        "RF04=elbow",
        "--detail",
        "RF04=cut",
    )
    assert "RF05 stop" in rom.refusal("visit", "tell", "P0042", "--pain", "5")
    assert "name of a clinician and a reason" in rom.refusal(
        "visit", "screen", "P0042", "--override", "RF05", "--by", "Dr Bob"
    )
    assert "--by and --reason belong" in rom.refusal("visit", "screen", "P0042", "--by", "Dr Bob")
    words = ("--override", "RF05", "--by", "Dr Bob", "--reason", "ultrasound clear")
    assert rom.json("visit", "screen", "P0042", *words)["open_stops"] == []
    assert "pain 5" in rom("visit", "tell", "P0042", "--pain", "5")
    assert rom.json("visit", "status", "P0042")["state"] == "history"
    assert "Passed by Dr Bob: ultrasound clear" in rom("visit", "status", "P0042")


def test_steps_out_of_order_are_refused_with_what_follows(rom_with_client: Rom) -> None:
    rom = rom_with_client
    assert "no open visit" in rom.refusal("visit", "palpate", "P0042", "hamstrings", "left")
    rom("visit", "start", "P0042")
    said = rom.refusal("visit", "palpate", "P0042", "hamstrings", "left")
    assert "stands at screen and palpate does not follow it" in said
    assert "is open: `rom visit resume P0042`" in rom.refusal("visit", "start", "P0042")
    assert "fits" in rom.refusal("visit", "palpate", "P0042", "xyzzy", "left")
    assert "techniques are ART" in rom.refusal("visit", "treat", "P0042", "voodoo")
    assert "say one of --on, --off or a recording" in rom.refusal("visit", "pass", "P0042")
    assert "no such file" in rom.refusal("visit", "record", "P0042", str(rom.folder / "none.mcap"))
    assert "no state 'dancing'" in rom.refusal("visit", "go", "P0042", "dancing")


def test_a_visit_is_halted_and_closed_from_any_state(rom_with_client: Rom) -> None:
    rom = rom_with_client
    rom("visit", "start", "P0042")
    rom(
        "visit", "halt", "P0042", "dizziness", "--reason", "dizzy", "--action", "lay down", "--told", "Dr Bob"
    )
    assert rom.json("visit", "status", "P0042")["state"] == "halt"
    rom("visit", "score", "P0042", "NDI", "12", "points")
    rom("visit", "pressure", "P0042", "trapezius", "left", "310", "290")
    assert "kPa" in rom.refusal("visit", "pressure", "P0042", "trapezius", "left", "0")
    rom("visit", "close", "P0042")
    note = rom("visit", "sign", "P0042", "--next", "2099-01-01")
    assert "Halted: dizzy; lay down; told: Dr Bob." in note
    assert rom.json("visit", "status", "P0042")["state"] == "home"
    rom("visit", "adverse", "P0042", "mild", "bruise at the thigh")
    assert "Adverse event (mild): bruise at the thigh" in rom("visit", "note", "P0042", "--visit", "1")
    assert "no visit 7" in rom.refusal("visit", "note", "P0042", "--visit", "7")
    course = rom("course", "P0042")
    assert "visit 1: NDI 12 points" in course
    assert "trapezius left 300 kPa" in course


def test_logs_performance_and_consent_are_kept(rom_with_client: Rom) -> None:
    rom = rom_with_client
    rom("client", "performance", "P0042", "run", "12.5", "km", "--day", "2026-03-01")
    rom("client", "log", "P0042", "--soreness", "3", "--done")
    rom("client", "consent", "P0042", "1.0", "treatment")
    rom("client", "consent", "P0042", "1.1", "treatment")
    rows = rom.json("client", "show", "P0042")["rows"]
    assert [bool(row.get("withdrawn_at")) for row in rows["consent"]] == [True, False]
    assert rows["home_log"][0]["soreness"] == 3
    assert "2026-03-01: run 12.5 km" in rom("course", "P0042")
    assert "from 0 to 10" in rom.refusal("client", "log", "P0042", "--soreness", "12")
    assert "lies ahead" in rom.refusal("client", "log", "P0042", "--done", "--day", "2099-01-01")
    assert "say what to write down" in rom.refusal("client", "log", "P0042")


def test_verify_exits_with_one_when_something_is_wrong(rom_with_client: Rom) -> None:
    rom = rom_with_client
    head = rom.json("verify")["head"]
    assert "Everything is as it was left." in rom("verify", "--head", head[:12])
    assert "was rewritten, or an older backup" in rom("verify", "--head", "0" * 12, status=1)
    (rom.folder / "practice" / "recordings" / "stray.mcap").write_bytes(b"x")
    assert "stray.mcap belongs to no visit" in rom("verify", status=1)


def test_the_state_machine_is_drawn_without_a_practice(rom: Rom) -> None:
    for form in ("text", "mermaid", "dot"):
        drawn = rom("visit", "--diagram", "--form", form)
        assert all(str(state).replace(" ", "_" if form == "mermaid" else " ") in drawn for state in State)
    assert rom("visit", "--diagram") == rom("visit", "--diagram", "--form", "text")
    assert not (rom.folder / "practice").exists()


def test_the_self_check_asks_and_ends_with_a_clinician(rom: Rom) -> None:
    asked = CliRunner().invoke(rom.app, ["self-check"], input="y\ny\nn\ny\nn\nn\n")
    assert "3 of 6 points apply" in asked.output
    assert "talk to a clinician" in asked.output
    assert rom.json("self-check", "--yes", "muscle")["apply"] == 1
    assert "the questions are" in rom.refusal("self-check", "--yes", "magic")


def test_export_makes_one_file_and_never_overwrites(rom_with_client: Rom) -> None:
    rom = rom_with_client
    target = rom.folder / "out.zip"
    assert rom.json("client", "export", "P0042", str(target))["problems"] == []
    assert "exists already" in rom.refusal("client", "export", "P0042", str(target))


def test_dexa_is_imported_from_a_table(rom_with_client: Rom) -> None:
    rom = rom_with_client
    table = rom.folder / "scan.csv"
    table.write_text("date,region,side,lean_kg\n2026-01-10,legs,left,9\n2026-01-10,legs,right,9.4\n")
    assert "2 rows imported, 0 were there already." in rom("import-dexa", "P0042", str(table))
    assert "0 rows imported, 2 were there already." in rom("import-dexa", "P0042", str(table))
    assert "Lean mass of the legs" in rom("course", "P0042")
