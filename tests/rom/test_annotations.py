"""Remarks about a recording: every number honours them, the recording is not touched, none is lost."""

import hashlib
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.errors import InputError
from imu.recording import Recording
from imu.virtual import RESEARCH
from rom.annotations import Annotation, annotate, annotations_file, load_annotations
from rom.limb_recording import write_recording
from rom.limb_visit import VisitSpec, simulate_visit
from rom.trial import Trial, analyse
from rom.trials import compare_trials


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    spec = VisitSpec(effects=(("hamstrings", 0.14),), reps=3, passes=2, rate=60.0, grade=RESEARCH)
    parts = [part for part in simulate_visit(spec, 3) if part.side == "left"]
    for part in parts:
        write_recording(folder / f"{part.phase}.mcap", [part.recording], datetime.now(UTC), phase=part.phase)
    return folder


@pytest.fixture
def recording(made: Path) -> Recording:
    annotations_file(made / "baseline.mcap").unlink(missing_ok=True)
    return Recording.open(made / "baseline.mcap")


@pytest.fixture(scope="module")
def plain(made: Path) -> Trial:
    return analyse(Recording.open(made / "baseline.mcap"))


def test_a_discarded_rep_no_longer_counts_and_the_reason_is_told(recording: Recording, plain: Trial) -> None:
    before = hashlib.sha256(recording.path.read_bytes()).hexdigest()
    annotate(recording, Annotation("discard", "rep", 3, "a sneeze"))
    trial = analyse(Recording.open(recording.path))
    assert [rep.number for rep in trial.valid_reps] == [
        rep.number for rep in plain.valid_reps if rep.number != 3
    ]
    assert any("a sneeze" in warning for warning in trial.warnings)
    assert trial.provenance["annotations"][0]["reason"] == "a sneeze"
    assert trial.provenance["annotations_sha256"]
    assert hashlib.sha256(recording.path.read_bytes()).hexdigest() == before
    kept = [rep.end for rep in plain.reps if rep.number != 3]
    assert [rep.end for rep in trial.valid_reps] == kept


def test_a_restored_rep_counts_as_before_to_the_last_bit(recording: Recording, plain: Trial) -> None:
    rep = plain.reps[1].rep
    annotate(recording, Annotation("edit", "rep", 2, "too early", rep.start + 0.4, rep.stop))
    annotate(recording, Annotation("discard", "rep", 2, "doubtful"))
    annotate(recording, Annotation("restore", "rep", 2, "seen again"))
    trial = analyse(Recording.open(recording.path))
    assert trial.reps == plain.reps
    assert len(load_annotations(recording).items) == 3


def test_moved_boundaries_are_measured_anew(recording: Recording, plain: Trial) -> None:
    rep = plain.reps[1].rep
    annotate(recording, Annotation("edit", "rep", 2, "the hold only", rep.turn, rep.leave))
    edited = analyse(Recording.open(recording.path)).reps[1]
    assert (edited.rep.start, edited.rep.stop) == (rep.turn, rep.leave)
    inside = (plain.series.t >= rep.turn) & (plain.series.t <= rep.leave)
    assert edited.rep.start_angle == plain.series.angle[inside, 0][0]
    assert any("the hold only" in warning for warning in edited.warnings)


def test_a_pass_is_moved_too(made: Path) -> None:
    recording = Recording.open(made / "treatment.mcap")
    before = analyse(recording).passes[0].found
    annotate(recording, Annotation("edit", "pass", 1, "contact later", before.start + 0.5, before.stop))
    after = analyse(Recording.open(recording.path)).passes[0].found
    assert after.start == before.start + 0.5
    assert after.travel < before.travel
    assert after.stop == before.stop


def test_a_comparison_changes_with_the_remark(recording: Recording, plain: Trial, made: Path) -> None:
    post = analyse(Recording.open(made / "retest.mcap"))
    annotate(recording, Annotation("discard", "rep", 1, "cold"))
    pre = analyse(Recording.open(recording.path))
    with_it, without = compare_trials(plain, post), compare_trials(pre, post)
    assert len(without.pre.values) == len(with_it.pre.values) - 1
    assert np.array_equal(without.pre.values, with_it.pre.values[1:])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"reason": " "}, "say why"),
        ({"number": 0}, "counted from 1"),
        ({"of": "pass"}, "only a rep"),
        ({"kind": "edit", "start": 5.0, "stop": 5.0}, "before its stop"),
        ({"kind": "erase"}, "discard, restore or edit"),
    ],
)
def test_what_cannot_be_honoured_is_refused(change: dict[str, object], match: str) -> None:
    plain = Annotation("discard", "rep", 1, "why")
    with pytest.raises(InputError, match=match):
        replace(plain, **change)  # pyright: ignore[reportArgumentType]  wrong on purpose


def test_remarks_about_another_recording_are_refused(recording: Recording) -> None:
    annotate(recording, Annotation("discard", "rep", 1, "why"))
    file = annotations_file(recording.path)
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(document | {"recording_id": "another"}), encoding="utf-8")
    with pytest.raises(InputError, match="another recording"):
        analyse(recording)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="does not read"):
        analyse(recording)


def test_an_edit_where_no_angle_is_known_is_refused(recording: Recording) -> None:
    annotate(recording, Annotation("edit", "rep", 1, "far away", 1e6, 1e6 + 1.0))
    with pytest.raises(InputError, match="no angle is known"):
        analyse(Recording.open(recording.path))
    assert math.isfinite(recording.duration)
