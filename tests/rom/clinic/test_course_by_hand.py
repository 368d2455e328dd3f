"""A course of four visits through the command line, the process killed in every state and resumed.

The recordings are simulated, the process is the installed program, the kill is SIGKILL.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.segment import JointCalibration, SegmentAlignment
from imu.quaternion import conjugate
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Neutral, Passes, Phase, Reps, Supported, TakePosition
from rom.limb_world import LimbSpec, Sway
from tools.cli.main import build

PROGRAM = [sys.executable, "-c", "from tools.cli.main import main; main()"]
DEG = np.pi / 180.0
PROMPT = "P0042> "


def limb(side: str, end_deg: float, seed: int, *, passes: int = 0) -> LimbRecording:
    work: Phase = Reps(5, start=90 * DEG, end=end_deg * DEG, seconds=1.2, hold=1.0, rest=1.0)
    if passes:
        work = Passes(passes, start=90 * DEG, end=end_deg * DEG, fastest=2.0, slowest=2.5, hold=1.0, rest=1.0)
    programme = (Supported(3.0), Neutral(), TakePosition(3.0), work)
    person = {"left": 11, "right": 12}[side]
    return simulate_limb(
        replace(LimbSpec(programme), side=side, person=person, sway=Sway(), rate=100.0), seed
    )


def straps(of: LimbRecording) -> JointCalibration:
    """Return how the sensors of a limb really sit: its recordings embed it, as after a calibration."""
    parts = zip(of.sensors, of.spec.segments, of.truth.q_segment_from_sensor, strict=True)
    proximal, distal = (
        SegmentAlignment(sensor, segment, conjugate(q), np.eye(3) * (2 * DEG) ** 2)
        for sensor, segment, q in parts
    )
    axis = np.array([0.0, 0.0, 1.0])
    return JointCalibration(
        f"{of.spec.side}_knee", 1, proximal, distal, axis, axis, 2 * DEG, residual=2 * DEG
    )


@pytest.fixture(scope="module")
def limbs() -> dict[str, LimbRecording]:
    """Return what the sensors of a visit sent: both sides, the passes, the treated side again."""
    return {
        "right": limb("right", 28.0, 1),
        "left": limb("left", 40.0, 2),
        "passes": limb("left", 40.0, 3, passes=3),
        "after": limb("left", 30.0, 4),
    }


@dataclass
class Station:
    """A clinician's keyboard: one process that can be killed and started again at any time."""

    folder: Path
    url: str | None
    limbs: dict[str, LimbRecording]
    killed_in: list[str] = field(default_factory=list[str])
    process: subprocess.Popen[str] | None = None
    made: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ROM_PRACTICE": str(self.folder / "practice"),
            "ROM_CLINICIAN": "Ann",
            "ROM_STATION": "room 1",
            "ROM_DATABASE": self.url or "",
        }

    def run(self, *words: str) -> str:
        """Run one command in this process, where nothing is to be killed; return what it printed."""
        done = CliRunner().invoke(build(), list(words), env=self.environment)
        assert done.exit_code == 0, done.output
        return done.output

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("visit", "status", "P0042", "--json"))

    def sit_down(self, *words: str) -> str:
        """Start the process that stays; return what it says first."""
        self.process = subprocess.Popen(
            [*PROGRAM, "visit", *words, "--stay"],
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=0,
        )
        return self.listen()

    def listen(self) -> str:
        """Return what is printed until the next prompt."""
        assert self.process is not None
        assert self.process.stdout is not None
        heard = ""
        while not heard.endswith(PROMPT):
            letter = self.process.stdout.read(1)
            assert letter, heard
            heard += letter
        assert "Traceback" not in heard, heard
        return heard.removesuffix(PROMPT)

    def say(self, line: str) -> str:
        """Type a line; return the answer."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        return self.listen()

    def kill(self) -> None:
        """Kill the process, as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None

    def kill_and_resume(self, state: str) -> None:
        """Kill in a state; resume, and find the visit where it was."""
        self.kill()
        heard = self.sit_down("resume", "P0042")
        assert f"in {state}." in heard, heard
        self.killed_in.append(state)

    def recording(self, kind: str) -> str:
        """Return a new recording of a kind."""
        self.made += 1
        path = self.folder / f"{self.made}-{kind}.mcap"
        sent = self.limbs[kind]
        write_recording(
            path, [sent], datetime.now(UTC), client="P0042", calibrations=[straps(sent).to_document()]
        )
        return str(path)


@pytest.fixture
def new_station(tmp_path: Path, limbs: dict[str, LimbRecording]) -> Iterator[Callable[[str | None], Station]]:
    made: list[Station] = []

    def make(url: str | None) -> Station:
        made.append(Station(tmp_path, url, limbs))
        return made[-1]

    yield make
    for station in made:
        if station.process is not None:
            station.kill()


@pytest.mark.timeout(900)
def test_four_visits_killed_in_every_state(
    new_station: Callable[[str | None], Station], url: str | None
) -> None:
    station = new_station(url)
    station.run("client", "add", "--code", "P0042", "--birth-year", "1990")
    station.run("client", "episode", "P0042", "tight hamstring", "--region", "knee", "--side", "left")
    _first_visit(station)
    _quick_visit(station, random.Random("second"))
    _quick_visit(station, None)
    station.run("visit", "review", "P0042", "continue: still short of the goal")
    _halted_visit(station)
    station.run("visit", "review", "P0042", "refer to a neurologist", "--discharge")
    assert station.status()["state"] == "discharge"
    assert {
        *("screen", "history", "setup", "calibrate", "baseline", "palpate", "treat", "pass", "retest"),
        *("retarget", "close", "halt"),
    } <= set(station.killed_in)
    _everything_is_there(station)


def _first_visit(station: Station) -> None:
    station.sit_down("start", "P0042")
    steps = [
        ("screen --no-to-all", "screen"),
        ("tell --pain 6 --news 'runs again'", "history"),
        (f"setup {station.recording('right')}", "setup"),
        ("go calibrate", "calibrate"),
        (f"record {station.recording('right')}", "baseline"),
        (f"record {station.recording('left')}", "baseline"),
        ("palpate hamstrings left --tender 2 --familiar --despite 'as it is'", "palpate"),
        ("treat ART", "treat"),
        ("pass --on", "pass"),
        ("pass --off --discomfort 4 --start-deg 90 --end-deg 42", "treat"),
        (f"pass {station.recording('passes')}", "treat"),
        (f"record {station.recording('after')} --stayed-on", "retest"),
        ("retarget --despite 'no time for more reps'", "retarget"),
        ("close --pain 3 --reaction 'light'", "close"),
    ]
    station.kill_and_resume("screen")
    for line, state in steps:
        said = station.say(line)
        assert "rom:" not in said, said
        if state not in station.killed_in:
            station.kill_and_resume(state)
    said = station.say("sign --next 2099-01-01 --credential 'ART, as told'")
    assert "Says to hold: ART, as told (not verified)." in said
    assert "Treatment time:" in said
    assert json.loads(station.say("status --json"))["state"] == "home"
    station.kill()


def _quick_visit(station: Station, chance: random.Random | None) -> None:
    """Go through a visit; with a chance, kill long steps at random moments and repeat them."""
    station.sit_down("start", "P0042")
    station.say("screen --as-last-time")
    station.say("tell --pain 4")
    before = [station.recording("right"), station.recording("left")]
    _until_it_is_there(station, f"record {before[0]}", "trials", 1, None)
    _until_it_is_there(station, f"record {before[1]}", "trials", 2, chance)
    station.say("palpate hamstrings left --despite 'as it is'")
    station.say("treat Graston")
    _until_it_is_there(station, f"pass {station.recording('passes')}", "passes", 3, chance)
    _until_it_is_there(station, f"record {station.recording('after')} --stayed-on", "trials", 3, chance)
    assert "Left knee straightening" in station.say("close --despite 'time'")
    station.say("sign")
    station.kill()


def _until_it_is_there(
    station: Station, line: str, what: str, count: int, chance: random.Random | None
) -> None:
    """Type a line; killed somewhere in it, resume and type it again: it counts once."""
    if chance is not None:
        assert station.process is not None
        assert station.process.stdin is not None
        station.process.stdin.write(line + "\n")
        time.sleep(chance.uniform(0.0, 1.2))
        station.kill()
        station.sit_down("resume", "P0042")
    said = station.say(line)
    assert "rom:" not in said, said
    assert json.loads(station.say("status --json"))["counts"][what] == count


def _halted_visit(station: Station) -> None:
    station.sit_down("start", "P0042")
    station.say("screen --as-last-time")
    station.say("tell --pain 4")
    station.say(f"record {station.recording('right')}")
    station.say(f"record {station.recording('left')}")
    station.say("palpate hamstrings left --despite 'as it is'")
    station.say("treat ART")
    station.say("pass --on")
    assert "the session ends" in station.say("pass --off --stopped numbness --discomfort 8")
    station.kill_and_resume("halt")
    assert "who was told" in station.say("close")
    station.say("halt numbness --reason 'numb toes' --action 'sat up' --told 'Dr Bob'")
    station.say("close")
    station.say("sign")
    station.kill()


def _everything_is_there(station: Station) -> None:
    verified = json.loads(station.run("verify", "--json"))
    assert verified["problems"] == []
    assert verified["recordings"] == station.made - 1
    rows = json.loads(station.run("client", "show", "P0042", "--json"))["rows"]
    assert [visit["seq"] for visit in rows["visit"]] == [1, 2, 3, 4]
    assert [len(rows[kind]) for kind in ("trial", "treatment", "treatment_pass")] == [11, 4, 11]
    for trial in rows["trial"]:
        reps = [rep for rep in rows["rep"] if rep["trial_id"] == trial["id"]]
        assert [rep["n"] for rep in reps] == list(range(1, len(reps) + 1))
    changes = [row for row in rows["outcome"] if row["kind"] == "change"]
    assert len(changes) == 3
    course = station.run("course", "P0042")
    for words in ("Left knee straightening", "Techniques are not compared", "visit 3", "does not diagnose"):
        assert words in course
    assert "numb toes; sat up; told: Dr Bob" in station.run("visit", "note", "P0042")
    recorded = [row["sha256"] for row in rows["recording"]]
    assert len(set(recorded)) == len(recorded)
