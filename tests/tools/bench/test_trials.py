"""Recordings with a reference: what is put into a folder in that layout is what the bench reads out of it."""

import json
import math
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imu import quaternion
from imu.sensor_grade import PERFECT
from rom.limb import simulate_limb
from rom.limb_script import Functional, Neutral
from rom.limb_world import LimbSpec
from tools.bench.estimate import LIVE, REVIEW, TOLD
from tools.bench.optical import Trial
from tools.bench.peers import on_grid
from tools.bench.qmt_chain import CHAIN, why_absent
from tools.bench.scoring import Row
from tools.bench.trials import score_folder, trial_folders

RATE = 50.0
CONTRACT = {"trial", "joint", "method", "mode", "rmse_deg", "rom_error_deg"}


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    """Return a trial of a perfect hinge whose both segments move, as the layout has it."""
    spec = LimbSpec(
        (Neutral(3.0), Functional(8), Functional(8, reach=math.radians(60.0))),
        grade=PERFECT,
        rate=RATE,
        non_hinge=0.0,
        tissue=None,
        tremor=0.0,
    )
    limb = simulate_limb(spec, 7)
    first, second = (limb.blocks[name] for name in limb.sensors)
    pair = on_grid((first, second), RATE)
    at = np.rint(pair.t * RATE).astype(np.int64)
    truth = limb.truth
    found: dict[str, Any] = {"rate": np.float64(RATE)}
    references = truth.q_earth_from_proximal_sensor, truth.q_earth_from_distal_sensor
    for k, (segment, reference) in enumerate(zip(("upper", "lower"), references, strict=True)):
        found[f"{segment}_acc"], found[f"{segment}_gyr"] = pair.acc[:, k], pair.gyr[:, k]
        found[f"{segment}_ref"] = reference[at]
    return found


def write(folder: Path, arrays: dict[str, Any], name: str = "odd_name", **meta: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    joints = [{"name": "hinge", "parent": "upper", "child": "lower", "dof": 1}]
    path = folder / f"{name}.npz"
    np.savez(path, meta=json.dumps({"joints": joints} | meta), **arrays)
    return path


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any]
) -> tuple[dict[str, Row], list[str]]:
    """Return the rows by method of a folder with a trial and a stray file, and what was said about it."""
    data = tmp_path_factory.mktemp("data")
    folder = data / "deep" / "set"
    write(folder, arrays)
    np.savez(folder / "table.npz", column=np.zeros(3))
    notes: list[str] = []
    ((found, wanted),) = trial_folders(data)
    rows = [row for part in score_folder(found, wanted, notes.append, ahrs=False) for row in part]
    return {str(row["method"]): row for row in rows}, notes


def test_any_folder_gives_rows_of_the_agreed_form(told: tuple[dict[str, Row], list[str]]) -> None:
    rows, _ = told
    assert {LIVE, REVIEW, TOLD, "vqf-6d"} <= set(rows)
    assert "vqf-9d" not in rows, "there is no magnetometer"
    for row in rows.values():
        assert set(row) >= CONTRACT
        assert (row["trial"], row["joint"], row["mode"]) == ("set/odd_name", "hinge", "best-constant")
    best = rows[REVIEW]["rmse_deg"]
    assert isinstance(best, float)
    assert best < 1.0
    assert rows[REVIEW]["coverage95"] is not None
    assert rows["vqf-6d"]["coverage95"] is None, "peers state no interval"


def test_the_script_writes_exactly_the_agreed_columns(
    tmp_path: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "set", arrays)
    out = tmp_path / "rows.json"
    script = Path(__file__).parents[2] / "bench" / "accuracy.py"
    words = ["--data", str(tmp_path / "set"), "--json", str(out), "--no-ahrs", "--no-qmt"]
    monkeypatch.setattr(sys, "argv", [str(script), *words])
    monkeypatch.setattr(sys, "path", [*sys.path])
    runpy.run_path(str(script), run_name="__main__")
    rows = json.loads(out.read_text())
    assert {row["method"] for row in rows} == {LIVE, REVIEW, "vqf-6d"}
    for row in rows:
        assert set(row) == CONTRACT
        assert isinstance(row["rmse_deg"], float)


def test_who_is_told_the_heading_vouches_for_the_first_sample_too(
    told: tuple[dict[str, Row], list[str]],
) -> None:
    rows, _ = told
    assert rows[TOLD]["known"] == 1.0
    found, informed = (rows[method] for method in (LIVE, TOLD))
    assert isinstance(found["known"], float)
    assert found["known"] < 1.0
    assert isinstance(found["rmse_deg"], float)
    assert isinstance(informed["rmse_deg"], float)
    assert informed["rmse_deg"] < found["rmse_deg"]


def test_a_file_that_is_no_trial_is_named(told: tuple[dict[str, Row], list[str]]) -> None:
    (note,) = told[1]
    assert "table.npz" in note


def test_qmt_joins_in_where_it_is_installed(told: tuple[dict[str, Row], list[str]]) -> None:
    absent = why_absent()
    if absent is not None:
        pytest.skip(absent)
    rmse = told[0][CHAIN]["rmse_deg"]
    assert isinstance(rmse, float)
    assert rmse < 3.0


def test_masked_samples_do_not_count(tmp_path: Path, arrays: dict[str, Any]) -> None:
    bad = np.zeros(len(arrays["lower_ref"]), np.bool_)
    bad[700:760] = True
    trial = Trial(write(tmp_path, arrays | {"lower_ok": ~bad, "movement": np.arange(len(bad)) > 100}))
    _, ok = trial.reference("lower", "ref", trial.t)
    assert not ok[bad].any()
    assert not ok[:100].any()
    assert ok[110:690].all()
    _, upper = trial.reference("upper", "ref", trial.t)
    assert upper[bad].all(), "the mask is the lower segment's own"


def test_the_shift_of_the_reference_is_respected(tmp_path: Path, arrays: dict[str, Any]) -> None:
    late = 5
    true = arrays["lower_ref"]
    moved = np.concatenate([true[late:], np.full((late, 4), np.nan)])
    trial = Trial(write(tmp_path, arrays | {"lower_ref": moved}, ref_shift_s=late / RATE))
    found, ok = trial.reference("lower", "ref", trial.t)
    assert np.count_nonzero(ok) > len(true) - 4 * late
    assert quaternion.angle_of(quaternion.multiply(quaternion.conjugate(found), true))[ok].max() < 1e-6


def test_noise_is_measured_before_the_movement_only(tmp_path: Path, arrays: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    count = len(arrays["lower_ref"])
    still = np.arange(count) < 500
    noisy = {
        "lower_gyr": np.where(still[:, None], rng.normal(0.0, 0.002, (count, 3)), arrays["lower_gyr"]),
        "lower_acc": np.where(still[:, None], rng.normal(0.0, 0.05, (count, 3)), arrays["lower_acc"]),
    }
    found = Trial(write(tmp_path, arrays | noisy | {"movement": ~still})).noise()
    assert set(found) == {"lower"}
    assert found["lower"].gyr == pytest.approx(0.002, rel=0.15)
    assert Trial(write(tmp_path, arrays | noisy)).noise() == {}


def test_words_choose_trials(tmp_path: Path, arrays: dict[str, Any]) -> None:
    for name in ("a1", "a2", "b1"):
        write(tmp_path / "set", arrays, name)
    ((_, wanted),) = trial_folders(tmp_path, "set/a")
    assert [path.stem for path in wanted] == ["a1", "a2"]
    assert trial_folders(tmp_path, "elsewhere") == []
