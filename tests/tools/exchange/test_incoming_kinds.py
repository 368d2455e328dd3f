"""Foreign files: what was exported comes back, what cannot be true is refused with its likely cause."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.quaternion import angle_of, conjugate, from_rotation_vector, multiply, rotate, to_matrix
from imu.recording import Recording, RecordingHeader
from imu.sensor_grade import RESEARCH
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Reps
from rom.limb_world import LimbSpec
from rom.trial import analyse
from tools.exchange import incoming
from tools.exchange.axes_check import check_orientation
from tools.exchange.exporting import export
from tools.exchange.orientation_only import from_orientations
from tools.exchange.orientations import orientations
from tools.exchange.outgoing import gather
from tools.exchange.reading import guess, read_incoming

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RATE = 60.0
SPEC = LimbSpec(
    programme=(Neutral(), Functional(), Reps(2, np.radians(80.0), np.radians(20.0))),
    grade=RESEARCH,
    rate=RATE,
    side="left",
)


@pytest.fixture(scope="module")
def limb() -> LimbRecording:
    return simulate_limb(SPEC, 5)


@pytest.fixture(scope="module")
def path(limb: LimbRecording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "knee.mcap"
    write_recording(path, [limb], NOW, client="P1")
    return path


def turning(n: int = 1200) -> tuple[FloatArray, ImuBlock]:
    """Return the orientation (N, 4) and samples of a sensor that turns slowly about all its axes."""
    t = np.arange(n) / RATE
    vector = np.stack(
        [0.9 * np.sin(0.7 * t), 0.7 * np.sin(1.1 * t + 1.0), 0.8 * np.sin(0.5 * t + 2.0)], axis=1
    )
    q = from_rotation_vector(vector)
    sensor = from_orientations("A", "left_shank", t, q)
    return q, sensor.block


def written(folder: Path, block: ImuBlock, **extra: FloatArray) -> Path:
    """Write a block as a text table with columns t, gx.., ax.. and more."""
    names = ["t", "gx", "gy", "gz", "ax", "ay", "az", *extra]
    table = np.column_stack([block.t, block.gyr, block.acc, *extra.values()])
    path = folder / "arm.csv"
    np.savetxt(path, table, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
    return path


def declared(folder: Path, *lines: str, gyr: str = '["gx", "gy", "gz"]', unit: str = "rad/s") -> Path:
    path = folder / "columns.toml"
    text = [
        'time = { column = "t", unit = "s" }',
        "[[sensors]]",
        'segment = "left_shank"',
        f'gyr = {{ columns = {gyr}, unit = "{unit}" }}',
        'acc = { columns = ["ax", "ay", "az"], unit = "m/s2" }',
        *lines,
    ]
    path.write_text("\n".join(text))
    return path


def same(block: ImuBlock, other: ImuBlock) -> None:
    np.testing.assert_array_equal(block.t - block.t[0], other.t - other.t[0])
    np.testing.assert_array_equal(block.gyr, other.gyr)
    np.testing.assert_array_equal(block.acc, other.acc)
    np.testing.assert_array_equal(np.asarray(block.mag), np.asarray(other.mag))


def test_samples_go_out_and_come_back_to_the_last_bit(path: Path, tmp_path: Path) -> None:
    export([path], "csv-samples", tmp_path / "samples.csv")
    assert guess([tmp_path / "samples.csv"]).name == "a table of samples of `rom export`"
    back = read_incoming([tmp_path / "samples.csv"])
    recording = Recording.open(path)
    for sensor in back.sensors:
        same(sensor.block, recording.block(sensor.info.sensor))
    assert [s.info.segment for s in back.sensors] == ["left_thigh", "left_shank"]
    (tmp_path / "samples.csv").write_text((tmp_path / "samples.csv").read_text()[:-30])
    with pytest.raises(InputError, match="cut or damaged"):
        read_incoming([tmp_path / "samples.csv"])


def test_bids_goes_out_and_comes_back_to_the_last_bit(path: Path, tmp_path: Path) -> None:
    export([path], "bids", tmp_path / "set")
    tables = sorted((tmp_path / "set").rglob("*_motion.tsv"))
    assert guess(tables).name == "BIDS-Motion tables"
    back = read_incoming(tables)
    assert {s.info.segment for s in back.sensors} == {"left_thigh", "left_shank"}
    assert any("tracksys-joint" in remark for remark in back.remarks)
    recording = Recording.open(path)
    for sensor in back.sensors:
        same(sensor.block, recording.block(f"sim-{sensor.info.segment}"))


Damage = Callable[[Path], object]
BAD_BIDS: Mapping[str, tuple[Damage, str]] = {
    "unit": (lambda p: replaced(p, "_channels.tsv", "rad/s", "rpm"), "unit of gyro_x must be rad/s or deg/s"),
    "no channels": (lambda p: beside(p, "_channels.tsv").unlink(), "expected .*_channels.tsv beside it"),
    "no json": (lambda p: beside(p, "_motion.json").write_text("{"), "expected JSON"),
    "columns": (lambda p: p.write_text("1\t2\n3\t4\n"), "do not belong together"),
    "names": (lambda p: p.write_text("a\tb\n" + p.read_text()), "do not belong together"),
}


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name.removesuffix("_motion.tsv") + ending)


def replaced(path: Path, ending: str, old: str, new: str) -> None:
    place = beside(path, ending)
    place.write_text(place.read_text().replace(old, new))


@pytest.mark.parametrize("what", BAD_BIDS)
def test_a_broken_data_set_is_a_sentence(path: Path, tmp_path: Path, what: str) -> None:
    export([path], "bids", tmp_path / "set")
    table = next((tmp_path / "set").rglob("*leftshank*_motion.tsv"))
    damage, sentence = BAD_BIDS[what]
    damage(table)
    with pytest.raises(InputError, match=sentence):
        read_incoming([table])


def test_opensense_orientations_give_the_angle_again(path: Path, tmp_path: Path) -> None:
    export([path], "opensim", tmp_path / "knee")
    assert guess([tmp_path / "knee.sto"]).name == "an OpenSim table"
    back = read_incoming([tmp_path / "knee.sto"])
    assert [sensor.info.segment for sensor in back.sensors] == ["left_thigh", "left_shank"]
    assert any("Angles, reps and comparisons are possible" in remark for remark in back.remarks)
    header = RecordingHeader(movement="kn_ake", side="left")
    incoming.write_recording(back, tmp_path / "back.mcap", header)
    again = analyse(Recording.open(tmp_path / "back.mcap"))
    assert len(again.reps) >= 2
    with pytest.raises(InputError, match="holds angles or forces"):
        read_incoming([tmp_path / "knee.mot"])


def test_orientations_alone_turn_as_they_did(path: Path) -> None:
    (going,) = gather([path])
    found = orientations(going)
    q = found.q_earth_from_sensor[np.isfinite(found.q_earth_from_sensor).all(axis=(1, 2)), 0]
    t = np.arange(len(q)) / RATE
    block = from_orientations("A", "left_thigh", t, q).block
    steps = from_rotation_vector(block.gyr[1:] / RATE)
    error = angle_of(multiply(conjugate(multiply(q[:-1], steps)), q[1:]))
    assert float(error.max()) < 1e-6
    np.testing.assert_allclose(rotate(q, block.acc)[:, 2], 9.80665)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("2,0,0,0", "a quaternion has length 1"),
        ("10,-20,35,0", "a quaternion has length 1"),
        ("nan,nan,nan,nan", "every row lacks a number"),
        ("0.5,0.5", "every row lacks a number"),
    ],
)
def test_what_is_no_quaternion_is_one_sentence(tmp_path: Path, cell: str, sentence: str) -> None:
    path = tmp_path / "a.sto"
    rows = [f"{k / 100}\t{cell}" for k in range(50)]
    head = ["DataRate=100", "DataType=Quaternion", "version=3", "endheader", "time\ttibia_l_imu"]
    path.write_text("\n".join([*head, *rows]) + "\n")
    with pytest.raises(InputError, match=sentence):
        read_incoming([path])
    path.write_text(path.read_text().replace("tibia_l_imu", "gadget"))
    with pytest.raises(InputError, match="on which segment is gadget"):
        read_incoming([path])


def xsens(folder: Path, block: ImuBlock, q: FloatArray, *, first: int = 65000, matrix: bool = False) -> Path:
    """Write a block as MT Manager does, with packet counts that wrap and an empty clock."""
    path = folder / "MT_0120_001-000_00B4D7CE.txt"
    names = [*(f"Acc_{axis}" for axis in "XYZ"), *(f"Gyr_{axis}" for axis in "XYZ")]
    orientation = q
    if matrix:
        names += [f"Mat[{row}][{column}]" for column in (1, 2, 3) for row in (1, 2, 3)]
        orientation = to_matrix(q).transpose(0, 2, 1).reshape(-1, 9)
    else:
        names += [f"Quat_q{at}" for at in range(4)]
    lines = ["// Start Time: Unknown", f"// Update Rate: {RATE}Hz", "// Firmware Version: 4.6.0"]
    lines.append("\t".join(["PacketCounter", "SampleTimeFine", *names]))
    for k, row in enumerate(np.column_stack([block.acc, block.gyr, orientation]).tolist()):
        lines.append("\t".join([f"{(first + k) % 65536:05d}", "", *(f"{value:.9f}" for value in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("matrix", [False, True])
def test_xsens_text_comes_in_with_wraps_and_losses(tmp_path: Path, matrix: bool) -> None:
    q, block = turning()
    path = xsens(tmp_path, block, q, matrix=matrix)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:100], *lines[103:]]) + "\n")
    assert guess([path]).name == "Xsens MT Manager exports"
    (sensor,) = read_incoming([path], segments={path.name: "left_shank"}).sensors
    assert sensor.info.serial == "00B4D7CE"
    assert len(sensor.block) == len(block) - 3
    kept = np.rint(sensor.block.t * RATE).astype(int)
    np.testing.assert_allclose(sensor.block.gyr, block.gyr[kept], atol=1e-8)
    assert any("3 samples missing in 1 gap" in remark for remark in sensor.remarks)
    with pytest.raises(InputError, match="which segment"):
        read_incoming([path])
    path.write_text(path.read_text().replace(f"// Update Rate: {RATE}Hz\n", ""))
    with pytest.raises(InputError, match="Update Rate"):
        read_incoming([path], segments={path.name: "left_shank"})


def test_xsens_files_without_samples_still_turn(tmp_path: Path) -> None:
    q, block = turning()
    path = xsens(tmp_path, block, q, matrix=True)
    rows = [line.split("\t") for line in path.read_text().splitlines()[3:]]
    bare = ["\t".join([*row[:2], *row[8:]]) for row in rows]
    path.write_text("\n".join([f"// Update Rate: {RATE}Hz", *bare]) + "\n")
    back = read_incoming([path], segments={path.name: "left_shank"})
    np.testing.assert_allclose(back.sensors[0].block.gyr, block.gyr, atol=1e-5)
    assert "no samples" in back.remarks[0]


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ((1, 2, 3, 0), "probably x, y, z, w:"),
        ((0, -1, -2, -3), "the inverse"),
        ((1, 0, 2, 3), "do not belong together"),
    ],
)
def test_the_order_of_a_quaternion_is_found(order: tuple[int, ...], sentence: str) -> None:
    q, block = turning()
    check_orientation("shank", q, block)
    check_orientation("shank", -q, block)
    wrong = q[:, np.abs(order)] * np.where(np.array(order) < 0, -1.0, 1.0)
    with pytest.raises(InputError, match=sentence):
        check_orientation("shank", wrong, block)


@pytest.mark.parametrize("order", ["wxyz", "xyzw"])
def test_a_declared_quaternion_is_checked_against_the_samples(tmp_path: Path, order: str) -> None:
    q, block = turning()
    path = written(tmp_path, block, qw=q[:, 0], qx=q[:, 1], qy=q[:, 2], qz=q[:, 3])
    names = '["qw", "qx", "qy", "qz"]'
    mapping = declared(tmp_path, f'quat = {{ columns = {names}, order = "{order}" }}')
    if order == "wxyz":
        assert len(read_incoming([path], columns=mapping).sensors[0].block) == len(block)
    else:
        with pytest.raises(InputError, match="gravity would lie"):
            read_incoming([path], columns=mapping)


@pytest.mark.parametrize(
    ("gyr", "sentence"),
    [
        ('["gy", "gx", "gz"]', r"\(y, x, z\) of the accelerometer"),
        ('["gz", "gx", "gy"]', r"\(z, x, y\) of the accelerometer"),
    ],
)
def test_swapped_axes_are_named(tmp_path: Path, gyr: str, sentence: str) -> None:
    _, block = turning()
    with pytest.raises(InputError, match=sentence):
        read_incoming([written(tmp_path, block)], columns=declared(tmp_path, gyr=gyr))


def test_a_wrong_sign_is_named(tmp_path: Path) -> None:
    _, block = turning()
    mirrored = ImuBlock("A", block.t, block.gyr * np.array([1.0, -1.0, 1.0]), block.acc)
    with pytest.raises(InputError, match=r"\(x, -y, z\)"):
        read_incoming([written(tmp_path, mirrored)], columns=declared(tmp_path))


def test_radians_taken_for_degrees_are_named(tmp_path: Path) -> None:
    _, block = turning()
    with pytest.raises(InputError, match="probably in rad/s"):
        read_incoming([written(tmp_path, block)], columns=declared(tmp_path, unit="deg/s"))


def test_real_movement_raises_no_doubt(limb: LimbRecording, tmp_path: Path) -> None:
    for block in limb.blocks.values():
        read_incoming([written(tmp_path, block)], columns=declared(tmp_path))


@pytest.mark.parametrize("order", ["wxyz", "xyzw"])
def test_bids_orientations_are_checked_against_the_samples(tmp_path: Path, order: str) -> None:
    q, block = turning()
    path = tmp_path / "sub-1_task-x_tracksys-imu_motion.tsv"
    names = [f"{kind}_{axis}" for kind in ("GYRO", "ACCEL") for axis in "xyz"]
    rows = [f"{n}\t{n[-1]}\t{n[:-2]}\tLeftShank\t{'rad/s' if n[0] == 'G' else 'm/s^2'}" for n in names]
    rows += [f"q{c}\tquat_{c}\tORNT\tLeftShank\tn/a" for c in order]
    head = "name\tcomponent\ttype\ttracked_point\tunits"
    beside(path, "_channels.tsv").write_text("\n".join([head, *rows]) + "\n")
    beside(path, "_motion.json").write_text(json.dumps({"SamplingFrequency": RATE}))
    np.savetxt(path, np.column_stack([block.gyr, block.acc, q]), delimiter="\t", fmt="%.9g")
    if order == "wxyz":
        (sensor,) = read_incoming([path]).sensors
        assert sensor.info.segment == "left_shank"
        np.testing.assert_allclose(sensor.block.t, block.t, atol=1e-12)
    else:
        with pytest.raises(InputError, match="gravity would lie"):
            read_incoming([path])


def test_sealed_answers_and_recordings_are_recognised(path: Path, tmp_path: Path) -> None:
    answer = tmp_path / "answer.age"
    answer.write_bytes(b"age-encryption.org/v1\n-> X25519 abc\n")
    with pytest.raises(InputError, match=r"rom client receive answer\.age"):
        read_incoming([answer])
    with pytest.raises(InputError, match="is a recording already"):
        read_incoming([path])


def test_a_mapping_of_orientations_needs_their_order(tmp_path: Path) -> None:
    q, block = turning()
    path = written(tmp_path, block, qw=q[:, 0], qx=q[:, 1], qy=q[:, 2], qz=q[:, 3])
    mapping = tmp_path / "q.toml"
    text = 'time = {{ column = "t", unit = "s" }}\n[[sensors]]\nsegment = "left_shank"\nquat = {}\n'
    columns = json.dumps(["qw", "qx", "qy", "qz"])
    mapping.write_text(text.format(f"{{ columns = {columns} }}"))
    with pytest.raises(InputError, match="order of quat must be wxyz or xyzw"):
        read_incoming([path], columns=mapping)
    mapping.write_text(text.format(f'{{ columns = {columns}, order = "wxyz" }}'))
    back = read_incoming([path], columns=mapping)
    np.testing.assert_allclose(back.sensors[0].block.gyr[1:], block.gyr[1:], atol=1e-5)
    assert "no samples" in back.remarks[0]
