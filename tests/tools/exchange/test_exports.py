"""Every export: other people's readers understand it, the numbers are ours, and nothing is overwritten."""

import csv
import json
import math
import struct
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu.errors import InputError
from imu.quaternion import conjugate, multiply
from imu.recording import Recording
from imu.recording_transforms import Points, Transform, descriptor, encode_points, encode_transform
from imu.sensor_grade import RESEARCH
from rom.angles import joint_angles
from rom.limb import simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps
from rom.limb_world import LimbSpec
from rom.trial import Trial, analyse
from rom.worn import calibrate_recording
from tools.exchange import fhir
from tools.exchange.exporting import FORMATS, export
from tools.exchange.opensim import body, coordinate
from tools.exchange.orientations import orientations
from tools.exchange.outgoing import gather

pytestmark = pytest.mark.usefixtures("measured_once")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPEC = LimbSpec(
    programme=(Neutral(), Functional(), Reps(2, np.radians(80.0), np.radians(20.0))),
    grade=RESEARCH,
    rate=60.0,
    side="left",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a left knee's test with its calibration."""
    path = tmp_path_factory.mktemp("export") / "knee.mcap"
    limb = simulate_limb(SPEC, 5)
    plain = path.with_name("plain.mcap")
    write_recording(plain, [limb], NOW)
    worn = [joint.to_document() for joint in calibrate_recording(Recording.open(plain))]
    write_recording(path, [limb], NOW, client="P0042", phase="baseline", calibrations=worn)
    return path


@pytest.fixture(scope="module")
def trial(path: Path) -> Trial:
    """Return what our own analysis says."""
    return analyse(Recording.open(path))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_overwritten_without_force_and_every_format_says_what_it_drops(
    path: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    for target in FORMATS[name].targets(out):
        taken = target / "participants.tsv" if name == "bids" else target
        taken.parent.mkdir(exist_ok=True)
        taken.write_text("mine")
        with pytest.raises(InputError, match="--force"):
            export([path], name, out)
        assert taken.read_text() == "mine"
    done = export([path], name, out, force=True)
    assert done.drops
    assert all(each.read_bytes() != b"mine" for each in done.files)
    assert [each for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_failed_export_leaves_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a format"):
        export([path], "xlsx", tmp_path / "x")
    with pytest.raises(InputError, match="holds one trial, got 2"):
        export([path, path], "c3d", tmp_path / "x.c3d")
    with pytest.raises(InputError, match="cannot be written"):
        export([path], "fhir", tmp_path / "no" / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_reps_are_the_numbers_of_the_analysis(path: Path, trial: Trial, tmp_path: Path) -> None:
    export([path, path], "csv-reps", tmp_path / "reps.csv")
    with (tmp_path / "reps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(trial.reps)
    for row, rep in zip(rows, trial.reps, strict=False):
        assert float(row["end_deg"]) == math.degrees(rep.end)
        assert float(row["t_turn_s"]) == rep.rep.turn
        assert (row["subject"], row["side"], row["phase"]) == ("P0042", "left", "baseline")
        assert row["valid"] == str(rep.valid)


def test_bids_passes_the_official_validator(path: Path, tmp_path: Path) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed")
    later = tmp_path / "later.mcap"
    write_recording(later, [simulate_limb(SPEC, 5)], NOW.replace(day=9), client="P0042", phase="retest")
    other = tmp_path / "other.mcap"
    write_recording(other, [simulate_limb(SPEC, 5)], NOW, client="Q-7")
    export([path, later, other], "bids", tmp_path / "set")
    done = subprocess.run(
        [validator, tmp_path / "set", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    issues: list[dict[str, Any]] = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert done.returncode == 0
    sessions = sorted(each.name for each in (tmp_path / "set" / "sub-P0042").iterdir())
    assert sessions == ["ses-01", "ses-02"]


def test_the_official_models_accept_the_bundle(path: Path, trial: Trial, tmp_path: Path) -> None:
    models = pytest.importorskip("fhir.resources.R4B.bundle", reason="fhir.resources is not installed")
    export([path], "fhir", tmp_path / "b.json")
    text = (tmp_path / "b.json").read_text()
    bundle = models.Bundle.model_validate_json(text)
    found = {type(entry.resource).__name__ for entry in bundle.entry}
    assert {"Patient", "Device", "Observation", "CodeSystem"} <= found
    observation: Any = next(e.resource for e in bundle.entry if type(e.resource).__name__ == "Observation")
    ends = [math.degrees(rep.end) for rep in trial.valid_reps]
    assert float(observation.valueQuantity.value) == pytest.approx(np.mean(ends), abs=0.006)
    assert observation.valueQuantity.code == "deg"
    assert observation.code.coding[0].code == "kn_ake"
    references = {observation.subject.reference, *(e.valueReference.reference for e in observation.extension)}
    assert references <= {entry.fullUrl for entry in bundle.entry}
    assert '"name": "P0042"' not in text


def test_only_codes_that_were_verified_are_used(path: Path) -> None:
    (going,) = gather([path])
    trial = going.measured()
    from rom.catalogue.loader import load_catalogue

    catalogue = load_catalogue()
    listed = json.dumps([movement.loinc_arom_found for movement in catalogue.movements.values()])
    assert all(code in listed for code in fhir.ACTIVE_LOINC.values())
    flexion = replace(trial, movement=catalogue.movement("kn_flexion"))
    bundle = fhir.bundle([replace(going, movement="kn_flexion", trial=flexion)])
    resources = [entry["resource"] for entry in bundle["entry"]]
    observation = next(each for each in resources if each["resourceType"] == "Observation")
    assert [each["code"] for each in observation["code"]["coding"]] == ["kn_flexion", "41343-5"]
    concepts = next(each for each in resources if each["resourceType"] == "ConceptMap")
    targets = concepts["group"][0]["element"][0]["target"]
    assert {each["code"] for each in targets} == {"41343-5", "41347-6"}
    assert {each["equivalence"] for each in targets} == {"narrower"}
    assert not any(e["resource"]["resourceType"] == "ConceptMap" for e in fhir.bundle([going])["entry"])


def test_orientations_share_a_heading_and_give_the_angle_back(path: Path, trial: Trial) -> None:
    (going,) = gather([path])
    found = orientations(going)
    assert found.one_heading
    q = multiply(found.q_earth_from_sensor, found.q_sensor_from_segment)
    angle = joint_angles(trial.movement.angle, trial.side, multiply(conjugate(q[:, 0]), q[:, 1]))
    assert len(angle) == len(trial.series)
    known = np.isfinite(trial.series.angle[:, 0])
    assert known.sum() > 1000
    np.testing.assert_allclose(angle[known], trial.series.angle[known], atol=1e-9)


def test_orientations_of_a_joint_that_was_calibrated_again_begin_there(tmp_path: Path) -> None:
    file = tmp_path / "again.mcap"
    reps = Reps(2, start=1.3, end=0.3, seconds=1.5, hold=0.5, rest=0.5)
    calibrated = (Neutral(2.0), Functional(3, seconds=0.9))
    limb = simulate_limb(LimbSpec((*calibrated, reps, *calibrated, reps), side="left", grade=RESEARCH), 5)
    write_recording(file, [limb], NOW, client="P0042")
    (going,) = gather([file])
    trial, found = going.measured(), orientations(going)
    (renewal,) = trial.renewals
    q = multiply(found.q_earth_from_sensor, found.q_sensor_from_segment)
    angle = joint_angles(trial.movement.angle, trial.side, multiply(conjugate(q[:, 0]), q[:, 1]))[:, 0]
    assert np.isnan(angle[found.t < renewal.since]).all()
    late = found.t > renewal.since + 1.0
    ours = np.interp(found.t[late], trial.series.t, trial.series.angle[:, 0])
    assert np.abs(angle[late] - ours).max() < math.radians(1.5)


def test_opensim_files_hold_our_numbers(path: Path, trial: Trial, tmp_path: Path) -> None:
    done = export([path], "opensim", tmp_path / "knee")
    mot = (tmp_path / "knee.mot").read_text().split("endheader\n")[1].splitlines()
    assert mot[0].split("\t") == ["time", "knee_angle_l"]
    table = np.array([[float(cell) for cell in line.split("\t")] for line in mot[1:]])
    known = np.isfinite(trial.series.angle[:, 0])
    np.testing.assert_allclose(table[:, 1], np.degrees(trial.series.angle[known, 0]), rtol=1e-8)
    sto = (tmp_path / "knee.sto").read_text().split("endheader\n")[1].splitlines()
    assert sto[0].split("\t") == ["time", "femur_l_imu", "tibia_l_imu"]
    q = np.array([[float(value) for value in cell.split(",")] for cell in sto[1].split("\t")[1:]])
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, atol=1e-9)
    assert "z up" in done.remarks[0]


def test_opensim_itself_reads_them(path: Path, tmp_path: Path) -> None:
    opensim = pytest.importorskip("opensim", reason="OpenSim is not installed")
    export([path], "opensim", tmp_path / "knee")
    quaternions = opensim.TimeSeriesTableQuaternion(str(tmp_path / "knee.sto"))
    assert list(quaternions.getColumnLabels()) == ["femur_l_imu", "tibia_l_imu"]
    first = quaternions.getRowAtIndex(0).getElt(0, 0)
    line = (tmp_path / "knee.sto").read_text().split("endheader\n")[1].splitlines()[1]
    assert [first.get(i) for i in range(4)] == pytest.approx(
        [float(value) for value in line.split("\t")[1].split(",")], abs=1e-9
    )
    assert list(opensim.TimeSeriesTable(str(tmp_path / "knee.mot")).getColumnLabels()) == ["knee_angle_l"]


@pytest.mark.parametrize(
    ("movement", "name", "factor"),
    [
        ("kn_flexion", "knee_angle_l", 1),
        ("kn_extension", "knee_angle_l", -1),
        ("kn_prone_flex", "knee_angle_l", 1),
    ],
)
def test_coordinates_count_as_the_model_does(path: Path, movement: str, name: str, factor: int) -> None:
    from rom.catalogue.loader import load_catalogue

    (going,) = gather([path])
    trial = replace(going.measured(), movement=load_catalogue().movement(movement))
    assert coordinate(replace(going, movement=movement, trial=trial)) == (name, factor)
    assert body("right_forearm") == "radius_r"
    assert body("thorax") == "torso"


def test_c3d_comes_back(path: Path, trial: Trial, tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    done = export([path], "c3d", tmp_path / "knee.c3d")
    assert done.remarks == ()
    back: Any = ezc3d.c3d(str(tmp_path / "knee.c3d"))
    angles = back["data"]["points"][:3, 0].T
    np.testing.assert_allclose(angles, np.degrees(trial.series.angle), atol=1e-3)
    assert back["parameters"]["POINT"]["ANGLES"]["value"] == ["L_kn_ake"]
    assert back["parameters"]["ROMCAP"]["RECORDING_SHA256"]["value"] == [Recording.open(path).sha256]
    labels = back["parameters"]["ANALOG"]["LABELS"]["value"]
    assert labels[0] == "GYR1_X_left_thigh"
    block = Recording.open(path).block("sim-left_thigh")
    z = back["data"]["analogs"][0][labels.index("ACC1_Z_left_thigh")]
    np.testing.assert_allclose(z, np.interp(trial.series.t, block.t, block.acc[:, 2]), atol=2e-3)


def test_c3d_warns_of_frames_it_cannot_count(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    monkeypatch.setattr("tools.exchange.c3d.MOST_FRAMES", 1000)
    (remark,) = export([path], "c3d", tmp_path / "knee.c3d").remarks
    assert "first 0.3 minutes" in remark


def test_what_a_reader_will_miss_is_said(tmp_path: Path) -> None:
    bare = LimbSpec(programme=(Neutral(), Reps(1, np.radians(80.0), np.radians(20.0))), grade=RESEARCH)
    write_recording(tmp_path / "bare.mcap", [simulate_limb(bare, 3)], NOW, client="")
    done = export([tmp_path / "bare.mcap"], "fhir", tmp_path / "bare.json")
    assert [remark.split(": ", 1)[1] for remark in done.remarks] == [
        "the person has no pseudonym",
        "no rep counts, so there is no value",
        "there is no calibration, so angles are turns since the start pose",
    ]


def test_viewers_read_frames_and_curve(path: Path, trial: Trial, tmp_path: Path) -> None:
    from mcap.reader import make_reader

    pool_module = pytest.importorskip("google.protobuf.descriptor_pool", reason="protobuf is not installed")
    export([path], "foxglove", tmp_path / "knee.mcap")
    with (tmp_path / "knee.mcap").open("rb") as file:
        messages = list(make_reader(file).iter_messages())
    frames = [(schema, m) for schema, channel, m in messages if channel.topic == "/tf"]
    curve = [(schema, m.data) for schema, channel, m in messages if channel.topic == "/angle"]
    known = np.isfinite(trial.series.angle[:, 0])
    points = [struct.unpack("<4x2d", data) for _, data in curve]
    assert [angle for angle, _ in points] == np.degrees(trial.series.angle[known, 0]).tolist()
    assert curve[0][0] is not None
    assert (curve[0][0].encoding, curve[0][0].name) == ("ros2msg", "romcap/msg/Angle")
    decoder = pytest.importorskip("mcap_ros2.decoder", reason="mcap-ros2-support is not installed")
    decode_point = decoder.DecoderFactory().decoder_for("cdr", curve[0][0])
    assert decode_point(curve[0][1]).sigma_deg == points[0][1]
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.message_factory import GetMessageClass

    schema, first = frames[1]
    assert schema is not None
    described = FileDescriptorSet.FromString(schema.data)
    pool = pool_module.DescriptorPool()
    for each in described.file:
        pool.Add(each)
    decode: Any = GetMessageClass(pool.FindMessageTypeByName(schema.name))
    transform = decode.FromString(first.data)
    assert (transform.parent_frame_id, transform.child_frame_id) == ("earth", "left_shank")
    q = transform.rotation
    assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1.0)
    assert transform.timestamp.seconds == pytest.approx(NOW.timestamp(), abs=2)
    assert first.log_time == transform.timestamp.seconds * 10**9 + transform.timestamp.nanos


def test_a_transform_decodes_to_what_was_encoded() -> None:
    pytest.importorskip("google.protobuf", reason="protobuf is not installed")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    pool: Any = DescriptorPool()
    for each in FileDescriptorSet.FromString(descriptor()).file:
        pool.Add(each)
    decode: Any = GetMessageClass(pool.FindMessageTypeByName("foxglove.FrameTransform"))
    sent = Transform(1_700_000_000_123_456_789, "a", "b", (1.0, 2.0, 3.0), (0.5, -0.5, 0.5, -0.5))
    got = decode.FromString(encode_transform(sent))
    assert (got.timestamp.seconds, got.timestamp.nanos) == (1_700_000_000, 123_456_789)
    assert (got.translation.x, got.translation.y, got.translation.z) == sent.position
    assert (got.rotation.w, got.rotation.x, got.rotation.y, got.rotation.z) == sent.q_parent_from_child


def test_points_decode_to_what_was_encoded() -> None:
    pytest.importorskip("google.protobuf", reason="protobuf is not installed")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    pool: Any = DescriptorPool()
    for each in FileDescriptorSet.FromString(descriptor()).file:
        pool.Add(each)
    decode: Any = GetMessageClass(pool.FindMessageTypeByName("foxglove.PointCloud"))
    sent = Points(1_700_000_000_000_000_001, "left_shank", ((0.0, -0.5, 0.25), (1.0, 2.0, 3.0)))
    got = decode.FromString(encode_points(sent))
    assert (got.frame_id, got.point_stride, got.timestamp.nanos) == ("left_shank", 12, 1)
    assert [(field.name, field.offset, field.type) for field in got.fields] == [
        ("x", 0, 7),
        ("y", 4, 7),
        ("z", 8, 7),
    ]
    assert got.pose.orientation.w == 1.0
    assert tuple(struct.iter_unpack("<3f", got.data)) == sent.points
