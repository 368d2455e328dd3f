"""`ImuBlock`: what cannot be right is refused in a sentence, and cutting loses nothing."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from imu.block import FloatArray, ImuBlock, join
from imu.errors import InputError


def block(n: int, seed: int = 0, *, mag: bool = True, sensor: str = "A", start: float = 0.0) -> ImuBlock:
    rng = np.random.default_rng(seed)
    t = start + np.cumsum(rng.uniform(0.001, 0.02, n))
    gyr, acc, field = rng.normal(size=(3, n, 3))
    gyr[rng.random((n, 3)) < 0.1] = np.nan
    return ImuBlock(sensor, t, gyr, acc, field if mag else None)


def parts(of: ImuBlock) -> list[FloatArray]:
    return [of.t, of.gyr, of.acc, *([] if of.mag is None else [of.mag])]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("mag", [True, False])
def test_cut_anywhere_and_joined_it_is_the_same_block(seed: int, mag: bool) -> None:
    whole = block(60, seed, mag=mag)
    edges = [0, *np.sort(np.random.default_rng(seed).integers(0, 61, 6)).tolist(), 60]
    pieces = [whole[start:stop] for start, stop in itertools.pairwise(edges)]
    assert sum(map(len, pieces)) == 60
    again = join(pieces)
    assert [part.tobytes() for part in parts(again)] == [part.tobytes() for part in parts(whole)]
    assert again.sensor == "A"


def test_an_empty_block_is_a_block() -> None:
    assert len(block(5)[2:2]) == 0
    assert block(5)[2:2].acc.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"t": np.zeros((4, 1))}, r"time must have shape \(N,\), got \(4, 1\)"),
        ({"gyr": np.zeros((3, 3))}, r"sensor S: gyr must have shape \(4, 3\), got \(3, 3\)"),
        ({"acc": np.zeros((4, 4))}, r"acc must have shape \(4, 3\), got \(4, 4\)"),
        ({"mag": np.zeros(4)}, r"mag must have shape \(4, 3\), got \(4,\)"),
        ({"t": np.array([0.0, 1.0, np.nan, 3.0])}, "every sample needs a finite time"),
        ({"t": np.array([0.0, 1.0, np.inf, 3.0])}, "every sample needs a finite time"),
        ({"t": np.array([0.0, 1.0, 1.0, 3.0])}, r"sample 2 is at 1\.000000 s after 1\.000000 s"),
        (
            {"t": np.array([0.0, 2.0, 1.0, 3.0])},
            r"sample 2 is at 1\.000000 s after 2\.000000 s; sort the file",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(change: Mapping[str, Any], sentence: str) -> None:
    fields: dict[str, Any] = {
        "t": np.arange(4.0),
        "gyr": np.zeros((4, 3)),
        "acc": np.zeros((4, 3)),
        "mag": np.zeros((4, 3)),
    }
    ImuBlock("S", **fields)
    with pytest.raises(InputError, match=sentence):
        ImuBlock("S", **{**fields, **change})


def test_unknown_samples_are_allowed() -> None:
    nothing = np.full((4, 3), np.nan)
    assert len(ImuBlock("S", np.arange(4.0), nothing, nothing, nothing)) == 4


def test_only_consecutive_blocks_of_one_sensor_are_joined() -> None:
    whole = block(10)
    with pytest.raises(InputError, match=r"exactly one sensor can be joined, got \['A', 'B'\]"):
        join([whole, block(3, sensor="B", start=9.0)])
    with pytest.raises(InputError, match=r"got \[\]"):
        join([])
    with pytest.raises(InputError, match="time must increase"):
        join([whole[5:], whole[:5]])


def test_a_magnetometer_in_some_blocks_only_is_no_magnetometer() -> None:
    assert join([block(5), block(5, mag=False, start=9.0)]).mag is None
