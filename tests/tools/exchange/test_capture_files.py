"""Files that sensors' own apps and recorders leave: what was measured comes back, what can't be is named."""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.quaternion import conjugate, from_rotation_vector
from imu.sensors.capture2go import FIXED_6D, INFO, PACKED, STATUS, frame
from imu.sensors.capture2go_peripheral import encode_packed, encode_single
from imu.sensors.driver import G, Reading
from tools.exchange.capture2go_log import read_capture2go
from tools.exchange.incoming import Incoming
from tools.exchange.movesense_log import read_movesense
from tools.exchange.orientation_only import from_orientations
from tools.exchange.reading import guess, read_incoming

RATE = 50.0
DAY = datetime(2026, 6, 10, 21, 15, 41, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Motion:
    """A sensor that turns about all its axes: orientation (N, 4) and samples, with a steady field."""

    q: FloatArray
    block: ImuBlock


@pytest.fixture(scope="module")
def motion() -> Motion:
    t = np.arange(800) / RATE
    turns = [0.9 * np.sin(0.7 * t), 0.7 * np.sin(1.1 * t + 1.0), 0.8 * np.sin(0.5 * t + 2.0)]
    q = from_rotation_vector(np.stack(turns, axis=1))
    block = from_orientations("A", "left_shank", t, q).block
    return Motion(q, ImuBlock("A", t, block.gyr, block.acc, np.tile([20.0, -5.0, 40.0], (len(t), 1))))


def polar(folder: Path, block: ImuBlock, name: str, *, year: int = 2026, late: float = 0.0) -> list[Path]:
    """Write the three files of one Polar sensor; its clock may stand in another year, its phone is late."""
    own = round((DAY.replace(year=year) - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e9)
    columns = {
        "ACC": ("[mg]", block.acc / G * 1e3, "{:.0f}"),
        "GYRO": ("[dps]", np.degrees(block.gyr), "{:.4f}"),
        "MAGN": ("[G]", np.asarray(block.mag) / 100.0, "{:.4f}"),
    }
    paths: list[Path] = []
    for quantity, (unit, values, form) in columns.items():
        lines = [f"Phone timestamp;sensor timestamp [ns];X {unit};Y {unit};Z {unit} "]
        for i, (t, row) in enumerate(zip(block.t.tolist(), values.tolist(), strict=True)):
            arrival = DAY + timedelta(seconds=t + late + 0.3 * (i % 7) / 7)
            moment = arrival.replace(tzinfo=None).isoformat(timespec="milliseconds")
            numbers = ";".join(form.format(x) for x in row)
            lines.append(f"{moment};{own + round(t * 1e9)};{numbers}")
        paths.append(folder / f"Polar_Sense_{name}_20260610_211541_{quantity}.txt")
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def metabase(folder: Path, block: ImuBlock, spelling: str = "epoc (ms),timestamp (-0800)") -> list[Path]:
    columns = {"Accelerometer": ("(g)", block.acc / G), "Gyroscope": ("(deg/s)", np.degrees(block.gyr))}
    paths: list[Path] = []
    for quantity, (unit, values) in columns.items():
        lines = [f"{spelling},elapsed (s),x-axis {unit},y-axis {unit},z-axis {unit}"]
        for t, row in zip(block.t.tolist(), values.tolist(), strict=True):
            numbers = ",".join(f"{x:.4f}" for x in row)
            epoch = round((DAY.timestamp() + t) * 1e3)
            lines.append(f"{epoch},2026-06-10T13.15.41.{epoch % 1000:03d},{t:.3f},{numbers}")
        paths.append(folder / f"knee_2026-06-10T13.15.41_D4B1A2C3E4F5_{quantity}_{RATE:.3f}Hz_1.7.3.csv")
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def movesense(folder: Path, block: ImuBlock, *, nested: bool = False, dated: bool = True) -> Path:
    """Write a converted log of four samples a chunk, each way that converters nest them."""

    def vectors(values: FloatArray) -> list[Any]:
        if nested:
            return [dict(zip("xyz", values.T.tolist(), strict=True))]
        return [dict(zip("xyz", row, strict=True)) for row in values.tolist()]

    samples: list[Any] = []
    if dated:
        utc = round(DAY.timestamp() * 1e6)
        samples.append({"TimeDetailed": {"relativeTime": 5000, "utcTime": utc + 5_000_000}})
    for at in range(0, len(block), 4):
        part = block[at : at + 4]
        content = {
            "Timestamp": round(float(part.t[0]) * 1e3),
            "ArrayAcc": vectors(part.acc),
            "ArrayGyro": vectors(np.degrees(part.gyr)),
            "ArrayMagn": vectors(np.asarray(part.mag)),
        }
        samples.append({"MeasIMU9": content})
    path = folder / "log_3.json"
    path.write_text(json.dumps({"Samples": samples}))
    return path


def readings(motion: Motion, q: FloatArray | None = None) -> list[tuple[float, Reading]]:
    block = motion.block
    rows = zip(
        block.t.tolist(),
        block.gyr.tolist(),
        block.acc.tolist(),
        np.asarray(block.mag).tolist(),
        (motion.q if q is None else q).tolist(),
        strict=True,
    )
    return [(DAY.timestamp() + t, Reading(None, None, g, a, m, quat)) for t, g, a, m, quat in rows]


def capture2go(path: Path, motion: Motion, q: FloatArray | None = None) -> Path:
    """Write a recording of packed frames at 50 Hz, with the sensor's identity in front."""
    all_of_it = readings(motion, q)
    info = frame(
        INFO, b"\x01\x00" + b"c2g042" + b"hw000001" + b"fw000001" + b"1.2.3".ljust(12, b"\0") + b"." * 11
    )
    packed = [
        encode_packed(PACKED + 3, all_of_it[i : i + 8], with_mag=True) for i in range(0, len(all_of_it), 8)
    ]
    status = frame(STATUS, b"\0" * 16 + b"\x01" + b"\x50\x32")
    path.write_bytes(info + b"".join(packed) + status)
    return path


def mvnx(folder: Path, motion: Motion, **changes: str) -> Path:
    """Write an export of a thigh's and a prop's sensor, and of the pelvis as a segment."""

    def part(name: str, values: FloatArray) -> str:
        return f"<{name}>{' '.join(f'{x:.6f}' for x in values)}</{name}>"

    block = motion.block
    frames = ['<frame time="0" type="tpose"><orientation>1 0 0 0</orientation></frame>']
    for i, t in enumerate(block.t.tolist()):
        still = np.array([1.0, 0.0, 0.0, 0.0])
        parts = [
            part("orientation", still),
            part("sensorAcceleration", np.r_[block.acc[i], 0, 0, G]),
            part("sensorAngularVelocity", np.r_[block.gyr[i], 0, 0, 0]),
            part("sensorOrientation", np.r_[motion.q[i], still]),
        ]
        frames.append(f'<frame time="{1000 * t:.0f}" index="{i}" type="normal">{"".join(parts)}</frame>')
    text = (
        '<?xml version="1.0"?><mvnx xmlns="http://www.xsens.com/mvn/mvnx" version="3">'
        f'<subject label="Suit" frameRate="{RATE:g}"><segments><segment label="Pelvis" id="1"/></segments>'
        '<sensors><sensor label="RightUpperLeg"/><sensor label="Prop1"/></sensors>'
        f"<frames>{''.join(frames)}</frames></subject></mvnx>"
    )
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "walk.mvnx"
    path.write_text(text)
    return path


def close(incoming: Incoming, block: ImuBlock, *, acc: float, gyr: float) -> None:
    (sensor,) = incoming.sensors
    n = len(sensor.block)
    assert len(block) - n <= 1
    known = np.isfinite(sensor.block.acc).all(axis=1)
    assert known.sum() >= len(block) - 8
    assert sensor.block.t == pytest.approx(block.t[:n], abs=6e-4)
    assert sensor.block.gyr == pytest.approx(block.gyr[:n], abs=gyr)
    assert sensor.block.acc[known] == pytest.approx(block.acc[:n][known], abs=acc)
    assert sensor.info.rate_hz == pytest.approx(RATE, rel=1e-3)


def test_polar_files_become_one_sensor(tmp_path: Path, motion: Motion) -> None:
    paths = polar(tmp_path, motion.block, "B5B2C12A")
    assert guess(paths).name == "files of Polar Sensor Logger"
    incoming = read_incoming(paths, segments={paths[1].name: "left_shank"})
    close(incoming, motion.block, acc=0.006, gyr=1e-5)
    (sensor,) = incoming.sensors
    assert sensor.info.sensor == "Polar_Sense_B5B2C12A_20260610_211541"
    assert np.asarray(sensor.block.mag)[100] == pytest.approx([20.0, -5.0, 40.0])


def test_polar_clocks_years_apart_are_laid_together_by_the_phone(tmp_path: Path, motion: Motion) -> None:
    right = polar(tmp_path, motion.block, "AA", year=2019)
    left = polar(tmp_path, motion.block, "BB", late=1.5)
    incoming = read_incoming(
        [*right, *left], segments={right[0].name: "left_thigh", left[0].name: "left_shank"}
    )
    thigh, shank = incoming.sensors
    assert shank.block.t[0] - thigh.block.t[0] == pytest.approx(1.5, abs=2e-3)
    assert any("three taps" in remark for remark in incoming.remarks)


@pytest.mark.parametrize("spelling", ["epoc (ms),timestamp (-0800)", "epoch (ms),time (-08:00)"])
def test_metabase_files_become_one_sensor(tmp_path: Path, motion: Motion, spelling: str) -> None:
    paths = metabase(tmp_path, motion.block, spelling)
    assert guess(paths).name == "MetaBase exports of MbientLab sensors"
    incoming = read_incoming(paths, segments={paths[0].name: "left_shank"})
    close(incoming, motion.block, acc=0.001, gyr=1e-5)
    assert incoming.sensors[0].info.kind == "metamotion"


def test_a_quantity_that_starts_later_is_unknown_until_then(tmp_path: Path, motion: Motion) -> None:
    acc, gyr = metabase(tmp_path, motion.block)
    lines = acc.read_text().splitlines()
    acc.write_text("\n".join([lines[0], *lines[51:300], *lines[340:]]) + "\n")
    (sensor,) = read_incoming([acc, gyr], segments={acc.name: "left_shank"}).sensors
    unknown = np.flatnonzero(~np.isfinite(sensor.block.acc).all(axis=1))
    assert {*range(50), *range(300, 338)} <= set(unknown.tolist())
    assert len(unknown) < 100
    known = np.isfinite(sensor.block.acc).all(axis=1)
    assert sensor.block.acc[known] == pytest.approx(motion.block.acc[known], abs=0.02)


@pytest.mark.parametrize("nested", [False, True])
def test_a_movesense_log_comes_back(tmp_path: Path, motion: Motion, nested: bool) -> None:
    path = movesense(tmp_path, motion.block, nested=nested)
    assert guess([path]).name == "Movesense logs"
    close(read_incoming([path], segments={path.name: "left_shank"}), motion.block, acc=1e-9, gyr=1e-9)


def test_the_moment_of_the_measurement_is_kept(tmp_path: Path, motion: Motion) -> None:
    log = movesense(tmp_path, motion.block)
    recorded = capture2go(tmp_path / "knee.bin", motion)
    for paths in (metabase(tmp_path, motion.block), [log], [recorded]):
        incoming = read_incoming(paths, segments={paths[0].name: "left_shank"})
        assert incoming.created_at is not None
        assert abs((incoming.created_at - DAY).total_seconds()) < 1e-3
    phone = polar(tmp_path, motion.block, "A")
    local = read_incoming(phone, segments={phone[0].name: "left_shank"}).created_at
    assert local is not None
    assert abs((local.replace(tzinfo=None) - DAY.replace(tzinfo=None)).total_seconds()) < 0.1
    undated = movesense(tmp_path, motion.block, dated=False)
    assert read_incoming([undated], segments={undated.name: "left_shank"}).created_at is None


def test_two_movesense_logs_need_a_time_of_day(tmp_path: Path, motion: Motion) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = movesense(tmp_path / "a", motion.block), movesense(tmp_path / "b", motion.block, dated=False)
    one, other = one.rename(tmp_path / "one.json"), other.rename(tmp_path / "other.json")
    with pytest.raises(InputError, match=r"other\.json: says no time of day"):
        read_movesense([one, other], {"one.json": "left_thigh", "other.json": "left_shank"})


def test_a_capture2go_recording_comes_back_packed_or_not(tmp_path: Path, motion: Motion) -> None:
    path = capture2go(tmp_path / "knee.bin", motion)
    assert guess([path]).name == "capture2go recordings"
    incoming = read_incoming([path], segments={path.name: "left_shank"})
    close(incoming, motion.block, acc=16 * 9.81 / 32768, gyr=np.radians(2000) / 32768)
    assert incoming.sensors[0].info.serial == "c2g042"
    packed = tmp_path / "knee.bin.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    again = read_incoming([packed], segments={packed.name: "left_shank"})
    np.testing.assert_array_equal(again.sensors[0].block.gyr, incoming.sensors[0].block.gyr)


def test_the_makers_software_reads_the_same_file(tmp_path: Path, motion: Motion) -> None:
    parsing = pytest.importorskip("capture2go.parsing", reason="the maker's SDK is not installed")
    path = capture2go(tmp_path / "knee.bin", motion)
    (sensor,) = read_capture2go([path], {path.name: "left_shank"}).sensors
    theirs = parsing.loadBinaryFile(path)["DataFullPacked50Hz"]
    assert sensor.block.gyr == pytest.approx(theirs["gyr"], abs=1e-9)
    assert sensor.block.acc == pytest.approx(theirs["acc"], abs=1e-9)
    assert np.asarray(sensor.block.mag) == pytest.approx(theirs["mag"], abs=1e-9)


def test_a_damaged_capture2go_recording_loses_only_what_is_damaged(tmp_path: Path, motion: Motion) -> None:
    path = capture2go(tmp_path / "knee.bin", motion)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    (sensor,) = read_incoming([path], segments={path.name: "left_shank"}).sensors
    assert len(sensor.block) == 792
    assert any("8 samples missing in 1 gap" in remark for remark in sensor.remarks)


def test_an_mvn_export_comes_back(tmp_path: Path, motion: Motion) -> None:
    path = mvnx(tmp_path, motion)
    assert guess([path]).name == "an MVN export"
    incoming = read_incoming([path])
    close(incoming, motion.block, acc=1e-5, gyr=1e-5)
    assert incoming.sensors[0].info.segment == "right_thigh"
    assert "Prop1 are left out" in incoming.remarks
    (named,) = read_incoming([path], segments={"RightUpperLeg": "left_shank"}).sensors
    assert named.info.segment == "left_shank"


def test_an_mvn_export_without_samples_gives_orientations(tmp_path: Path, motion: Motion) -> None:
    path = mvnx(tmp_path, motion, sensorAcceleration="sensorFreeAcceleration")
    incoming = read_incoming([path])
    assert incoming.sensors[0].info.kind == "import-orientation"
    assert incoming.sensors[0].block.gyr[1:] == pytest.approx(motion.block.gyr[1:], abs=2e-4)
    model = mvnx(tmp_path, motion, sensorOrientation="other", sensorAcceleration="more")
    incoming = read_incoming([model])
    assert [sensor.info.segment for sensor in incoming.sensors] == ["pelvis"]
    assert any("body model" in remark for remark in incoming.remarks)


Make = Callable[[Path, Motion], tuple[list[Path], Mapping[str, str]]]


def _polar_without_gyroscope(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    paths = polar(folder, motion.block, "A")
    return paths[:1], {paths[0].name: "left_shank"}


def _polar_unnamed(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    return polar(folder, motion.block, "A"), {}


def _polar_twice_on_one_segment(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    paths = [*polar(folder, motion.block, "A"), *polar(folder, motion.block, "B")]
    return paths, {path.name: "left_shank" for path in paths}


def _polar_in_g(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    small = ImuBlock("A", motion.block.t, motion.block.gyr, motion.block.acc / 1e3, motion.block.mag)
    paths = polar(folder, small, "A")
    return paths, {paths[0].name: "left_shank"}


def _metabase_in_radians(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    wrong = ImuBlock("A", motion.block.t, np.radians(motion.block.gyr), motion.block.acc)
    paths = metabase(folder, wrong)
    return paths, {paths[0].name: "left_shank"}


def _metabase_fusion(folder: Path, _: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "knee_Euler.csv"
    path.write_text(
        "epoc (ms),timestamp (-0800),elapsed (s),pitch (deg),x-axis (deg)\n1,a,0.0,1,2\n2,a,0.1,1,2\n"
    )
    return [path], {path.name: "left_shank"}


def _movesense_unconverted(folder: Path, _: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "log.sbem"
    path.write_bytes(b"SBEM0112" + b"\x00" * 64)
    return [path], {path.name: "left_shank"}


def _movesense_cut(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = movesense(folder, motion.block)
    path.write_text(path.read_text()[:-400])
    return [path], {path.name: "left_shank"}


def _movesense_of_heart(folder: Path, _: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "log.json"
    path.write_text('{"Samples": [{"MeasHR": {"Timestamp": 0, "average": 72.0, "rrData": [820]}}]}')
    return [path], {path.name: "left_shank"}


def _movesense_torn(folder: Path, _: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "log.json"
    torn = {"Timestamp": 0, "ArrayAcc": [{"x": 1.0}], "ArrayGyro": [{"x": 1.0, "y": 0.0, "z": 0.0}]}
    path.write_text(json.dumps({"Samples": [{"MeasIMU6": torn}]}))
    return [path], {path.name: "left_shank"}


def _capture2go_of_orientations(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "knee.bin"
    path.write_bytes(frame(STATUS, b"\0" * 19) * 3)
    return [path], {path.name: "left_shank"}


def _capture2go_turned_round(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = folder / "knee.bin"
    all_of_it = readings(motion, conjugate(motion.q))
    path.write_bytes(b"".join(encode_single(FIXED_6D + 3, t, item, with_mag=False) for t, item in all_of_it))
    return [path], {path.name: "left_shank"}


def _mvn_cut(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    path = mvnx(folder, motion)
    path.write_text(path.read_text()[:-300])
    return [path], {}


def _mvn_stranger(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    return [mvnx(folder, motion)], {"Knee": "left_shank"}


def _mvn_without_labels(folder: Path, motion: Motion) -> tuple[list[Path], Mapping[str, str]]:
    return [mvnx(folder, motion, RightUpperLeg="S1", Pelvis="S2")], {}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            _polar_without_gyroscope,
            "expected accelerometer and gyroscope, got .*_ACC.txt; add the file of its",
        ),
        (_polar_unnamed, "which segment is this sensor on"),
        (_polar_twice_on_one_segment, "are not different quantities of one sensor"),
        (_polar_in_g, "at rest the accelerometer should show 9.81"),
        (_metabase_in_radians, "gravity turns .* times as far in the sensor as the gyroscope says"),
        (_metabase_fusion, "expected three axes in g or deg/s or T"),
        (_movesense_unconverted, "convert it with the maker's tool, `sbem2json"),
        (_movesense_cut, "the file is cut or damaged"),
        (_movesense_of_heart, "expected MeasIMU6, MeasIMU9, .* found MeasHR"),
        (_movesense_torn, "expected x, y and z in every sample"),
        (_capture2go_of_orientations, "expected angular rate and acceleration, found 0"),
        (_capture2go_turned_round, "from earth to sensor"),
        (_mvn_cut, "expected an .mvnx file of MVN, but"),
        (_mvn_stranger, "--sensor names Knee, but walk.mvnx has RightUpperLeg, Prop1"),
        (_mvn_without_labels, "no body segment of MVN's among its labels"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_cannot_be_is_named(tmp_path: Path, motion: Motion, make: Make, sentence: str) -> None:
    paths, segments = make(tmp_path, motion)
    with pytest.raises(InputError, match=sentence):
        read_incoming(paths, segments=segments)
