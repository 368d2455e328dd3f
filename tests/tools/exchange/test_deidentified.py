"""A de-identified export lets no name out: one is planted wherever text can be; every byte is searched."""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.recording import Event, Recording, RecordingWriter
from imu.sensor_grade import RESEARCH
from rom.annotations import Annotation, annotate
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Reps
from rom.limb_world import LimbSpec
from rom.worn import calibrate_recording
from tools.exchange.exporting import FORMATS, export
from tools.exchange.outgoing import gather

pytestmark = pytest.mark.usefixtures("measured_once")

NAME = "Wilhelmine Jürgen Ib"
LONG, UMLAUT, SHORT = NAME.split()
BORN = datetime(2031, 7, 19, 8, 9, 10, tzinfo=UTC)
LATER = BORN.replace(day=24)
DATES = ("2031-07", "20310719", "19.07.", "07/19/2031", "08:09:10", str(int(BORN.timestamp())))
SPEC = LimbSpec(
    programme=(
        Neutral(),
        Functional(),
        Reps(3, np.radians(80.0), np.radians(20.0)),
        Passes(1, np.radians(80.0), np.radians(20.0)),
    ),
    grade=RESEARCH,
    rate=60.0,
)


def planted(text: str) -> str:
    """Return a text with the name in it."""
    return f"{text} of {NAME}"


def names_in(content: bytes) -> list[str]:
    """Return which names a content holds, however it spells them.

    A short name is looked for as a word of text: two letters stand in any binary file by chance. An umlaut
    may be escaped, composed, decomposed, in another encoding, written out or dropped: what is left is `rgen`.
    """
    low = content.lower()
    found = [name for name in (LONG, UMLAUT[2:]) if name.lower().encode() in low]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return found
    return found + [SHORT] * bool(re.search(rf"(?<![a-z]){SHORT}(?![a-z])", text, re.IGNORECASE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two visits of one person, with the name in every place that holds text."""
    folder = tmp_path_factory.mktemp(f"visits_{NAME}")
    limb = simulate_limb(SPEC, 5)
    plain = write_recording(folder / "plain.mcap", [limb], BORN)
    worn = calibrate_recording(Recording.open(folder / "plain.mcap"))
    new_id = {info.sensor: f"{NAME} {info.segment}" for info in plain.sensors}
    sensors = tuple(
        replace(
            info,
            sensor=new_id[info.sensor],
            kind=planted("kind"),
            serial=planted("serial"),
            firmware=planted("1.0"),
            placement=planted("strap"),
        )
        for info in plain.sensors
    )
    joints = [
        replace(
            joint,
            proximal=replace(joint.proximal, sensor=new_id[joint.proximal.sensor]),
            distal=replace(joint.distal, sensor=new_id[joint.distal.sensor]),
            made_at=BORN.isoformat(),
        )
        for joint in worn
    ]
    for when, phase in ((BORN, planted("before")), (LATER, "retest")):
        header = replace(
            plain,
            recording_id=planted("id"),
            created_at=when,
            client=NAME,
            phase=phase,
            sensors=sensors,
            notes=planted("knee"),
            software={planted("program"): planted("1")},
            provenance={"imported_from": planted("C:/visits/")},
        )
        with RecordingWriter(folder / f"{NAME}_{when.day}.mcap", header) as writer:
            for joint in joints:
                writer.write_calibration({**joint.to_document(), "by": NAME})
            for event in spoiled(limb.events, phase):
                writer.write_event(event)
            for block in limb.merged():
                writer.write(replace(block, sensor=new_id[block.sensor]))
    (folder / "plain.mcap").unlink()
    recording = Recording.open(folder / f"{NAME}_{BORN.day}.mcap")
    annotate(recording, Annotation("discard", "rep", 1, planted("a sneeze"), by=NAME))
    return folder


def spoiled(events: tuple[Event, ...], phase: str) -> Iterator[Event]:
    """Yield events with the name in every field that may hold words."""
    for event in events:
        data = dict(event.data)
        if "phase" in data:
            data["phase"] = phase
        for key in ("structure", "technique"):
            if key in data:
                data[key] = planted(str(data[key]))
        yield Event(event.t, event.kind, {**data, "by": NAME, planted("key"): 1})
    last = events[-1].t
    yield Event(last, "note", {"text": planted("pain")})
    yield Event(last, "discard", {"of": 2, "reason": planted("slipped")})


def recordings(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.mcap"))


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file's name and bytes, and what is compressed in it in plain."""
    for path in folder.rglob("*"):
        yield path.name, path.name.encode()
        if path.is_file():
            yield path.name, path.read_bytes()
            if path.suffix == ".mcap":
                yield path.name, unpacked(path)


def unpacked(path: Path) -> bytes:
    from mcap.reader import make_reader

    with path.open("rb") as file:
        reader = make_reader(file)
        parts = [message.data for _, _, message in reader.iter_messages()]
        parts += [json.dumps(record.metadata).encode() for record in reader.iter_metadata()]
    return b"\n".join(parts)


@pytest.mark.parametrize("name", FORMATS)
def test_no_name_no_text_no_date_leaves(folder: Path, tmp_path: Path, name: str) -> None:
    chosen = recordings(folder) if FORMATS[name].several else recordings(folder)[:1]
    done = export(chosen, name, tmp_path / "out.x", deidentify=True)
    assert not names_in(" ".join([*done.remarks, done.drops]).encode())
    found = dict[str, bytes]()
    for where, content in contents(tmp_path):
        found[where] = content
        assert not names_in(content), where
        for date in DATES:
            assert date.encode() not in content, (where, date)
    assert found


@pytest.mark.parametrize("name", FORMATS)
def test_the_search_would_find_it(folder: Path, tmp_path: Path, name: str) -> None:
    export(recordings(folder)[:1], name, tmp_path / "out.x")
    found = {each for _, content in contents(tmp_path) for each in names_in(content)}
    assert found == (set() if name in {"opensim", "foxglove", "c3d"} else {LONG, UMLAUT[2:], SHORT})


@pytest.mark.parametrize(
    "spelled", ["Jürgen", "J\\u00fcrgen", "J%C3%BCrgen", "Juergen", "Jurgen", "Jrgen", "JÜRGEN"]
)
def test_the_search_knows_an_umlaut_in_disguise(spelled: str) -> None:
    assert names_in(spelled.encode()) == [UMLAUT[2:]]


def test_days_count_from_the_first_visit_and_people_are_numbered(folder: Path) -> None:
    first, second = gather(recordings(folder), deidentify=True)
    assert (first.subject, first.day, first.number) == ("S01", 0, 1)
    assert (second.subject, second.day, second.number) == ("S01", 5, 2)
    assert (first.when, first.notes, first.phase, second.phase) == (None, "", "other", "retest")
    assert [sensor.sensor for sensor in first.sensors] == ["sensor1", "sensor2"]
    assert [sensor.segment for sensor in first.sensors] == ["right_thigh", "right_shank"]
    trial = first.measured()
    assert [rep.valid for rep in trial.reps][:2] == [False, False]
    assert {each.structure for each in trial.passes} == {"other"}


def test_the_numbers_stay(folder: Path) -> None:
    for own, clean in zip(
        gather(recordings(folder)), gather(recordings(folder), deidentify=True), strict=True
    ):
        assert [rep.end for rep in own.measured().reps] == [rep.end for rep in clean.measured().reps]
        digest = [zlib.crc32(block.gyr.tobytes()) for block in own.blocks()]
        assert digest == [zlib.crc32(block.gyr.tobytes()) for block in clean.blocks()]
