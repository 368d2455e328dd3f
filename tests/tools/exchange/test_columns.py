"""Tables with declared columns become recordings with the same numbers, or the cause is named."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from imu.block import ImuBlock
from imu.errors import InputError
from imu.quaternion import conjugate, from_rotation_vector, multiply, normalise, rotate
from imu.recording import Recording, RecordingHeader
from tools.exchange.columns import load_mapping
from tools.exchange.incoming import write_recording
from tools.exchange.reading import read_incoming

RATE = 100.0


def swing(n: int = 600, rate: float = RATE, seed: int = 0) -> ImuBlock:
    """Return a sensor that rests for a second and then swings 40 degrees to and fro about a level axis."""
    t = np.arange(n) / rate
    angle = np.where(t < 1.0, 0.0, np.radians(40.0) * np.sin(np.pi * (t - 1.0)) ** 2)
    axis = np.array([1.0, 0.2, 0.0]) / np.sqrt(1.04)
    q = from_rotation_vector(angle[:, None] * axis)
    acc = rotate(conjugate(q), np.array([0.0, 0.0, 9.81]))
    gyr = np.gradient(angle, t)[:, None] * axis
    rng = np.random.default_rng(seed)
    return ImuBlock("A", t, gyr + rng.normal(0.0, 0.002, (n, 3)), acc + rng.normal(0.0, 0.02, (n, 3)))


def csv_text(
    block: ImuBlock, factors: Mapping[str, float] = MappingProxyType({}), separator: str = ","
) -> str:
    """Return a table with the given factors applied to each quantity."""
    rows = np.column_stack(
        [
            signal * factors.get(name, 1.0)
            for name, signal in (("time", block.t), ("gyr", block.gyr), ("acc", block.acc))
        ]
    )
    lines = [separator.join(repr(float(value)) for value in row) for row in rows]
    return "\n".join([separator.join(["t", "gx", "gy", "gz", "ax", "ay", "az"]), *lines]) + "\n"


def mapping_text(time: str = "s", gyr: str = "rad/s", acc: str = "m/s2", **more: Any) -> str:
    extra = more.pop("sensor_extra", "")
    top = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return (
        f'{top}time = {{ column = "t", unit = "{time}" }}\n[[sensors]]\nsegment = "right_forearm"\n{extra}\n'
        f'gyr = {{ columns = ["gx", "gy", "gz"], unit = "{gyr}" }}\n'
        f'acc = {{ columns = ["ax", "ay", "az"], unit = "{acc}" }}\n'
    )


def imported(folder: Path, table: str, mapping: str) -> ImuBlock:
    """Return what a table becomes after import, out of the recording."""
    (folder / "arm.csv").write_text(table)
    (folder / "m.toml").write_text(mapping)
    incoming = read_incoming([folder / "arm.csv"], columns=folder / "m.toml")
    write_recording(incoming, folder / "arm.mcap", RecordingHeader(client="C1"))
    recording = Recording.open(folder / "arm.mcap")
    assert recording.damage == ()
    return recording.block("right_forearm")


def remarks(folder: Path, table: str, mapping: str | None = None) -> tuple[str, ...]:
    (folder / "arm.csv").write_text(table)
    (folder / "m.toml").write_text(mapping or mapping_text())
    return read_incoming([folder / "arm.csv"], columns=folder / "m.toml").all_remarks()


@pytest.mark.parametrize(
    ("unit", "factor", "key"),
    [
        ("ms", 1e3, "time"),
        ("us", 1e6, "time"),
        ("ns", 1e9, "time"),
        ("deg/s", 180.0 / np.pi, "gyr"),
        ("g", 1.0 / 9.80665, "acc"),
    ],
)
def test_the_same_motion_in_other_units_is_the_same_recording(
    tmp_path: Path, unit: str, factor: float, key: str
) -> None:
    block = swing()
    got = imported(tmp_path, csv_text(block, {key: factor}), mapping_text(**{key: unit}))
    np.testing.assert_allclose(got.t, block.t, atol=1e-9)
    np.testing.assert_allclose(got.gyr, block.gyr, rtol=1e-12)
    np.testing.assert_allclose(got.acc, block.acc, rtol=1e-12)


def test_si_numbers_come_through_to_the_last_bit(tmp_path: Path) -> None:
    block = swing()
    got = imported(tmp_path, csv_text(block), mapping_text())
    assert (got.t.tobytes(), got.gyr.tobytes(), got.acc.tobytes()) == (
        block.t.tobytes(),
        block.gyr.tobytes(),
        block.acc.tobytes(),
    )


def test_semicolons_decimal_commas_and_a_separator_line(tmp_path: Path) -> None:
    block = swing()
    text = "sep=;\r\n" + csv_text(block, separator=";").replace(".", ",").replace("\n", "\r\n")
    got = imported(tmp_path, text, mapping_text())
    assert got.acc.tobytes() == block.acc.tobytes()


def test_without_a_time_column_rows_step_by_the_rate(tmp_path: Path) -> None:
    block = swing()
    mapping = mapping_text(rate_hz=RATE).replace('time = { column = "t", unit = "s" }\n', "")
    np.testing.assert_array_equal(imported(tmp_path, csv_text(block), mapping).t, np.arange(600) / RATE)


@pytest.mark.parametrize(
    ("made", "declared", "cause"),
    [
        ({"acc": 1.0 / 9.80665}, {}, "looks like g: declare the unit of the accelerometer as g"),
        ({"acc": 1e3 / 9.80665}, {}, "looks like mg"),
        ({"acc": 1e3}, {}, "looks like mm/s"),
        ({}, {"acc": "g"}, "declare the unit of the accelerometer as m/s2"),
        ({"acc": 1e-9}, {}, "acceleration without gravity"),
        ({"acc": 0.5}, {}, "check its unit"),
        ({"gyr": 180.0 / np.pi}, {}, "probably in degree/s: declare its unit as deg/s"),
        ({"time": 1e3}, {}, "samples per second, expected .* unit of the time column"),
        ({}, {"time": "ms"}, "samples per second, expected .* unit of the time column"),
        (
            {"time": 1e3},
            {"rate_hz": 100},
            "100 Hz is declared, but the times say 0.1 Hz; the unit of the time",
        ),
        ({}, {"rate_hz": 60}, "60 Hz is declared, but the times say 100 Hz; the declared rate"),
    ],
)
def test_a_wrong_unit_is_named(
    tmp_path: Path, made: Mapping[str, float], declared: Mapping[str, Any], cause: str
) -> None:
    with pytest.raises(InputError, match=cause):
        imported(tmp_path, csv_text(swing(), made), mapping_text(**declared))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("speed", [0.3, 1.0, 5.0])
def test_a_slow_or_fast_turn_in_the_right_unit_is_believed(tmp_path: Path, seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    n, t = 1000, np.arange(1000) / RATE
    slow = np.array([np.interp(t, np.arange(0, 11), rng.normal(0.0, speed, 11)) for _ in range(3)]).T
    q = np.empty((n, 4))
    q[0] = [1.0, 0.0, 0.0, 0.0]
    for k in range(1, n):
        q[k] = normalise(multiply(q[k - 1], from_rotation_vector(slow[k - 1] / RATE)))
    acc = rotate(conjugate(q), np.array([0.0, 0.0, 9.81])) + rng.normal(0.0, 0.02, (n, 3))
    got = imported(tmp_path, csv_text(ImuBlock("A", t, slow, acc)), mapping_text())
    assert len(got) == n
    with pytest.raises(InputError, match="degree/s"):
        remarks(tmp_path, csv_text(ImuBlock("A", t, np.degrees(slow), acc)))


def test_acceleration_that_hides_some_turns_is_believed(tmp_path: Path) -> None:
    block = swing()
    still = slice(200, 400)
    acc = block.acc.copy()
    acc[still] = acc[200]
    gyr = block.gyr.copy()
    gyr[still] = [1.2, 0.0, 0.0]
    assert len(imported(tmp_path, csv_text(ImuBlock("A", block.t, gyr, acc)), mapping_text())) == 600


def edited(block: ImuBlock, row: int, text: str) -> str:
    lines = csv_text(block).splitlines()
    lines[row + 1] = text
    return "\n".join(lines) + "\n"


def test_repeated_and_backward_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    block = swing()
    lines = csv_text(block).splitlines()
    lines.insert(50, lines[49])
    lines.insert(300, lines[100])
    (tmp_path / "arm.csv").write_text("\n".join(lines) + "\n")
    notes = remarks(tmp_path, "\n".join(lines) + "\n")
    assert any("1 row with a time repeated left out" in note for note in notes)
    assert any("1 row back in time left out" in note for note in notes)
    got = imported(tmp_path, "\n".join(lines) + "\n", mapping_text())
    np.testing.assert_array_equal(got.t, block.t)
    np.testing.assert_array_equal(got.acc, block.acc)


def test_two_recordings_in_one_file_are_named(tmp_path: Path) -> None:
    text = csv_text(swing())
    with pytest.raises(InputError, match=r"goes back .* several sensors or recordings one after the other"):
        remarks(tmp_path, text + text.split("\n", 1)[1])


def test_a_coarse_clock_is_named(tmp_path: Path) -> None:
    block = swing()
    coarse = ImuBlock("A", block.t, block.gyr, block.acc)
    rows = csv_text(coarse).splitlines()
    text = (
        "\n".join([rows[0], *(f"{float(r.split(',')[0]):.1f},{r.split(',', 1)[1]}" for r in rows[1:])]) + "\n"
    )
    with pytest.raises(InputError, match=r"repeat the time before them .* too coarse"):
        remarks(tmp_path, text)


def test_unknown_cells_stay_unknown_and_are_counted(tmp_path: Path) -> None:
    block = swing()
    text = edited(block, 200, f"{float(block.t[200])!r},,nan,0.1,oops,9.0,inf")
    notes = remarks(tmp_path, text)
    assert any("1 of 600 samples not fully known" in note for note in notes)
    got = imported(tmp_path, text, mapping_text())
    np.testing.assert_array_equal(got.gyr[200], [np.nan, np.nan, 0.1])
    np.testing.assert_array_equal(got.acc[200], [np.nan, 9.0, np.nan])
    np.testing.assert_array_equal(got.acc[201:], block.acc[201:])


@pytest.mark.parametrize("declared", [True, False])
def test_saturated_samples_become_unknown_and_are_counted(tmp_path: Path, declared: bool) -> None:
    block = swing()
    limit = np.radians(125.0)
    gyr = np.clip(block.gyr * 1.2, -limit, limit)
    flat = np.abs(gyr) == limit
    assert flat.any(axis=1).sum() > 10
    flat = np.abs(gyr) >= 0.9999 * limit if declared else flat
    text = csv_text(ImuBlock("A", block.t, gyr, block.acc))
    mapping = mapping_text(sensor_extra="gyr_range_dps = 125" if declared else "")
    assert any(
        f"{flat.any(axis=1).sum()} samples of the gyroscope saturated" in note
        for note in remarks(tmp_path, text, mapping)
    )
    got = imported(tmp_path, text, mapping)
    np.testing.assert_array_equal(np.isnan(got.gyr), flat)
    np.testing.assert_array_equal(got.gyr[~flat], gyr[~flat])


def test_gaps_are_counted_and_marked_in_the_recording(tmp_path: Path) -> None:
    block = swing()
    kept = np.r_[0:100, 107:400, 401:600]
    text = csv_text(ImuBlock("A", block.t[kept], block.gyr[kept], block.acc[kept]))
    assert any(
        "8 samples missing in 2 gaps, the first at 0.990 s" in note for note in remarks(tmp_path, text)
    )
    imported(tmp_path, text, mapping_text())
    events = Recording.open(tmp_path / "arm.mcap").events
    assert [(event.kind, event.data["missing"]) for event in events] == [("gap", 7), ("gap", 1)]


def test_wrong_column_names_are_answered_with_those_that_came(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected the columns gx, gy, gz, but gy is not there; .* has t, gx, wy,"
    ):
        remarks(tmp_path, csv_text(swing()).replace("gy", "wy", 1))


@pytest.mark.parametrize("where", [0.0001, 0.3, 0.77, 0.999])
def test_a_cut_table_keeps_the_rows_before_the_cut_and_no_wrong_number(tmp_path: Path, where: float) -> None:
    block = swing()
    text = csv_text(block)
    part = text[: int(where * len(text))]
    if part.count("\n") < 30:
        with pytest.raises(InputError, match=r"empty or cut|expected the columns"):
            remarks(tmp_path, part)
        return
    got = imported(tmp_path, part, mapping_text())
    assert len(got) == part.count("\n") - 1
    np.testing.assert_array_equal(got.acc, block.acc[: len(got)])


def test_a_number_that_may_be_cut_is_left_out(tmp_path: Path) -> None:
    block = swing()
    text = csv_text(block)
    assert len(imported(tmp_path, text[: text.rindex(".") + 2], mapping_text())) == 599
    assert any("may be cut" in note for note in remarks(tmp_path, text[:-1]))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n", "is empty|got none"),
        (b"t,gx,gy,gz,ax,ay,az\n", "got none"),
        (b"t,gx,gx\n1,2,3\n", "gx comes more than once"),
        (bytes(1000), "binary data"),
        (
            b"t,gx,gy,gz,ax,ay,az\n" + b"a,b,c,d,e,f,g\n" * 9,
            "expected numbers, but line 2 has 'a' in column t",
        ),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "arm.csv").write_bytes(content)
    (tmp_path / "m.toml").write_text(mapping_text())
    with pytest.raises(InputError, match=sentence):
        read_incoming([tmp_path / "arm.csv"], columns=tmp_path / "m.toml")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("deg/s", "rpm"), "unit of gyr must be rad/s or deg/s, got rpm"),
        (('["gx", "gy", "gz"]', '["gx"]'), "gyr needs three columns"),
        (("segment", "segmnet"), "got segmnet"),
        (("[[sensors]]", "[[sensor]]"), "got sensor"),
        (("[[sensors]]", "[[sensors"), "expected a TOML file"),
        (('time = { column = "t", unit = "s" }', ""), "expected `time` .* or `rate_hz`; got neither"),
        (('time = { column = "t", unit = "s" }', "rate_hz = -3"), "rate_hz must be a number above 0, got -3"),
        (('acc = { columns = ["ax", "ay", "az"], unit = "m/s2" }', ""), "sensor 1 needs gyr and acc"),
        (('segment = "right_forearm"', ""), "which segment is this sensor on"),
    ],
)
def test_a_faulty_declaration_is_answered(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    text = mapping_text(gyr="deg/s")
    assert change[0] in text
    (tmp_path / "m.toml").write_text(text.replace(*change))
    (tmp_path / "arm.csv").write_text(csv_text(swing(), {"gyr": 180.0 / np.pi}))
    with pytest.raises(InputError, match=sentence):
        read_incoming([tmp_path / "arm.csv"], columns=tmp_path / "m.toml")


def test_one_file_per_sensor_with_segments_from_outside(tmp_path: Path) -> None:
    for name, late in (("a", 0.0), ("b", 0.5)):
        block = swing(seed=int(late * 2))
        (tmp_path / f"{name}.csv").write_text(
            csv_text(ImuBlock("A", block.t + 100.0 + late, block.gyr, block.acc))
        )
    (tmp_path / "m.toml").write_text(mapping_text().replace('segment = "right_forearm"', ""))
    incoming = read_incoming(
        [tmp_path / "a.csv", tmp_path / "b.csv"],
        columns=tmp_path / "m.toml",
        segments={"a.csv": "left_thigh", "b.csv": "left_shank"},
    )
    assert [sensor.info.segment for sensor in incoming.sensors] == ["left_thigh", "left_shank"]
    assert [sensor.block.t[0] for sensor in incoming.sensors] == pytest.approx([0.0, 0.5])
    write_recording(incoming, tmp_path / "x.mcap", RecordingHeader())
    order = [block.sensor for block in Recording.open(tmp_path / "x.mcap").blocks()]
    assert order[:3] == ["left_thigh", "left_shank", "left_thigh"]
    assert load_mapping(tmp_path / "m.toml").sensors[0].segment == ""


def test_a_side_or_segment_that_contradicts_the_declaration_is_refused(tmp_path: Path) -> None:
    table, mapping = tmp_path / "a.csv", tmp_path / "m.toml"
    table.write_text(csv_text(swing()))
    mapping.write_text(mapping_text())
    with pytest.raises(InputError, match="sensors of the left side, but these are on right_forearm"):
        read_incoming([table], columns=mapping, side="left")
    with pytest.raises(InputError, match=r"a\.csv=right_hand would change nothing"):
        read_incoming([table], columns=mapping, segments={"a.csv": "right_hand"})
    assert read_incoming([table], columns=mapping, side="right").sensors[0].info.segment == "right_forearm"
