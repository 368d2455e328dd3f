"""Trials of known layouts become recordings with the same numbers, or a sentence that names the cause."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu.block import FloatArray, ImuBlock
from imu.errors import InputError
from imu.recording import Recording, RecordingHeader
from tools.exchange.incoming import write_recording
from tools.exchange.movella import unwrap
from tools.exchange.reading import read_incoming

DATA = Path(__file__).parents[3].parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.exists(), reason="../shared/data, the recordings with reference, is absent"
)
RATE = 100.0


def resting(n: int = 600) -> ImuBlock:
    """Return a sensor that lies still."""
    rng = np.random.default_rng(3)
    acc = np.array([0.0, 9.81, 0.0]) + rng.normal(0.0, 0.02, (n, 3))
    return ImuBlock("A", np.arange(n) / RATE, rng.normal(0.0, 0.002, (n, 3)), acc)


def archive(folder: Path, **changes: Any) -> Path:
    block = resting()
    arrays: dict[str, Any] = {
        "rate": RATE,
        "meta": json.dumps(
            {"notes": "one healthy person, left arm", "joints": [{"parent": "z", "child": "forearm"}]}
        ),
        "forearm_acc": block.acc.astype(np.float32),
        "forearm_gyr": block.gyr.astype(np.float32),
        "z_acc": block.acc.astype(np.float32),
        "z_gyr": block.gyr.astype(np.float32),
        "forearm_ref": np.zeros((600, 4)),
    } | changes
    path = folder / "trial.npz"
    np.savez_compressed(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_an_archive_comes_through_exactly_and_its_reference_stays_out(tmp_path: Path) -> None:
    path = archive(tmp_path)
    incoming = read_incoming([path])
    assert [(s.info.sensor, s.info.segment) for s in incoming.sensors] == [
        ("z", "z"),
        ("forearm", "left_forearm"),
    ]
    assert "the reference in the file is not imported" in incoming.remarks
    write_recording(incoming, tmp_path / "x.mcap", RecordingHeader(side="left"))
    block = Recording.open(tmp_path / "x.mcap").block("forearm")
    expected: FloatArray = resting().acc.astype(np.float32).astype(np.float64)
    assert block.acc.tobytes() == expected.tobytes()
    assert block.mag is None
    np.testing.assert_array_equal(block.t, np.arange(600) / RATE)
    assert read_incoming([path], side="right").sensors[1].info.segment == "right_forearm"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"forearm_gyr": None}, "forearm needs both forearm_acc and forearm_gyr"),
        ({"rate": None}, "expected `rate`"),
        ({"rate": -1.0}, "rate must be samples per second"),
        ({"forearm_gyr": np.zeros((600, 2))}, r"must be numbers of shape \(N, 3\)"),
        ({"forearm_gyr": np.zeros((6, 3))}, "must have one length"),
        ({"meta": "{"}, "must be a JSON text"),
        ({"meta": "{}"}, "segment forearm needs a side"),
        ({"forearm_acc": np.full((600, 3), np.array([0.0, 0.0, 1.0]))}, "looks like g"),
    ],
)
def test_a_faulty_archive_is_answered(tmp_path: Path, changes: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_incoming([archive(tmp_path, **changes)])


@pytest.mark.parametrize("share", np.linspace(0.001, 0.999, 23).tolist())
def test_a_cut_or_changed_archive_is_answered_or_right(tmp_path: Path, share: float) -> None:
    path = archive(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"expected an .npz archive"):
        read_incoming([path])
    changed = bytearray(data)
    changed[int(share * len(data))] ^= 16
    path.write_bytes(changed)
    try:
        incoming = read_incoming([path])
    except InputError:
        return
    expected = resting().acc.astype(np.float32).astype(np.float64)
    assert all(sensor.block.acc.tobytes() == expected.tobytes() for sensor in incoming.sensors)


def dot_text(block: ImuBlock, start: int) -> str:
    lines = ["sep=,", "PacketCounter,SampleTimeFine,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z,"]
    for k in range(len(block)):
        tick = (start + round(block.t[k] * 1e6)) % 2**32
        values = np.concatenate([block.acc[k], np.degrees(block.gyr[k])]) if k else np.zeros(6)
        lines.append(", ".join([str(k), str(tick), *(repr(float(value)) for value in values), ""]))
    return "\n".join(lines) + "\n"


def test_a_dot_export_across_the_wrap_of_its_clock(tmp_path: Path) -> None:
    block = resting()
    near = 2**32 - 3_000_000
    (tmp_path / "3RUA_AAAAAAAAAAAA_20230110_155009.csv").write_text(dot_text(block, near))
    (tmp_path / "4RLA_BBBBBBBBBBBB_20230110_155009.csv").write_text(
        dot_text(block, (near + 3_500_000) % 2**32)
    )
    incoming = read_incoming(sorted(tmp_path.glob("*.csv")))
    first, second = incoming.sensors
    assert [s.info.segment for s in incoming.sensors] == ["right_upperarm", "right_forearm"]
    assert (first.info.serial, second.info.sensor) == ("AAAAAAAAAAAA", "BBBBBBBBBBBB")
    np.testing.assert_allclose(first.block.t, block.t, atol=1e-6)
    np.testing.assert_allclose(second.block.t, block.t + 3.5, atol=1e-6)
    assert np.isnan(first.block.acc[0]).all()
    assert np.isnan(first.block.gyr[0]).all()
    np.testing.assert_allclose(first.block.gyr[1:], block.gyr[1:], rtol=1e-12)
    assert incoming.created_at is not None
    assert incoming.created_at.strftime("%Y-%m-%d %H:%M:%S") == "2023-01-10 15:50:09"


def test_dot_files_of_different_trials_are_named(tmp_path: Path) -> None:
    (tmp_path / "3RUA_1.csv").write_text(dot_text(resting(), 0))
    (tmp_path / "4RLA_1.csv").write_text(dot_text(resting(), 900_000_000))
    with pytest.raises(InputError, match="clocks start 900 s apart"):
        read_incoming(sorted(tmp_path.glob("*.csv")))


def test_an_unknown_prefix_asks_for_the_segment(tmp_path: Path) -> None:
    (tmp_path / "sensor7.csv").write_text(dot_text(resting(), 0))
    with pytest.raises(InputError, match=r"--sensor sensor7.csv=right_forearm"):
        read_incoming([tmp_path / "sensor7.csv"])
    incoming = read_incoming([tmp_path / "sensor7.csv"], segments={"sensor7.csv": "left_shank"})
    assert incoming.sensors[0].info.segment == "left_shank"


@pytest.mark.parametrize("seed", range(20))
def test_unwrapping_recovers_the_count_that_was_wrapped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.cumsum(rng.integers(0, 2**30 - 1, 50)).astype(np.float64)
    wrapped = counts % 2**32
    wrapped[7] = np.nan
    got = unwrap(wrapped)
    assert np.isnan(got[7])
    np.testing.assert_array_equal(np.delete(got - got[0], 7), np.delete(counts - counts[0], 7))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["a.npz", "b.csv"], "whole trial: import one at a time"), (["b.csv"], "neither an .npz trial nor")],
)
def test_mixed_or_unknown_files_are_answered(tmp_path: Path, names: list[str], sentence: str) -> None:
    for name in names:
        (tmp_path / name).write_text("hello\n1\n")
    with pytest.raises(InputError, match=sentence):
        read_incoming([tmp_path / name for name in names])


@needs_data
@pytest.mark.parametrize(
    "name", ["broad/10_undisturbed_slow_translation_A", "linkrig/2D_01", "upperlimb_dot/10_sProCali"]
)
def test_real_trials_are_believed_and_keep_every_number(name: str) -> None:
    path = DATA / f"{name}.npz"
    incoming = read_incoming([path])
    with np.load(path) as archive_:
        for sensor in incoming.sensors:
            raw = archive_[f"{sensor.info.sensor}_gyr"].astype(np.float64)
            assert sensor.block.gyr.tobytes() == raw.tobytes()


@needs_data
def test_the_makers_export_agrees_with_the_same_trial_as_an_archive() -> None:
    files = sorted((DATA / "dot_export").glob("*_155835.csv"))
    exported = {sensor.info.segment: sensor.block for sensor in read_incoming(files).sensors}
    same = read_incoming([DATA / "upperlimb_dot" / "11_elbowFlexion.npz"])
    for sensor in same.sensors:
        block, other = sensor.block, exported[sensor.info.segment]
        at = int(np.nanargmin(np.abs(other.acc - block.acc[0]).sum(axis=1)))
        rows = slice(at, at + len(block))
        n = len(other.acc[rows])
        assert n > 1400
        np.testing.assert_allclose(other.acc[rows], block.acc[:n], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(other.gyr[rows], block.gyr[:n], rtol=1e-5, atol=1e-6)
