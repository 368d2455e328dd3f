"""How far a segment is turned about its length: what a still upper arm hides, and how sure that is said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from calibration.alignment import calibrate_limb
from calibration.azimuth import AZIMUTHS, Length, Readings, middle, weighed
from calibration.bent import plane
from calibration.directions import Direction
from calibration.plan import JointPlan, Movement
from calibration.segment import SegmentAlignment
from imu import quaternion
from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock

RATE = 60.0
X, Y, Z = np.eye(3)
ELBOW = JointPlan("elbow", 2, "right", ("U", "right_upperarm"), ("F", "right_forearm"))
UPRIGHT = quaternion.from_matrix(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
FIELD = np.array([20.0, 0.0, -40.0])


def about(axis: FloatArray, angle: FloatArray | float) -> FloatArray:
    return quaternion.from_axis_angle(axis, np.asarray(angle, np.float64))


def chain(*turns: FloatArray) -> FloatArray:
    out = turns[0]
    for turn in turns[1:]:
        out = quaternion.multiply(out, turn)
    return out


@dataclass(frozen=True)
class Person:
    """An arm whose every deviation is drawn as large as calibration takes it to be, from a seed."""

    rng: np.random.Generator
    mounted: FloatArray  # q_segment_from_sensor (2, 4), upper arm and forearm
    lean: FloatArray  # of both segments in the pose, about X and Z (2, 2)
    hinge: FloatArray  # q_upperarm_from_upperarm whose Z flexes the elbow
    iron: FloatArray  # of both magnetometers, uT

    @classmethod
    def of(cls, seed: int) -> "Person":
        rng = np.random.default_rng(seed)
        mounted = quaternion.normalise(rng.normal(size=(2, 4)))
        off = np.radians([5.0, math.hypot(5.0, 12.0), 0.0]) * rng.normal(size=3)
        lean = np.radians(7.0) * rng.normal(size=(2, 2))
        return cls(rng, mounted, lean, quaternion.from_rotation_vector(off), 4.0 * rng.normal(size=(2, 3)))

    def worn(self, upper: FloatArray, flexed: FloatArray, pronated: FloatArray) -> dict[str, ImuBlock]:
        """Return what the sensors read, of an upper arm (N, 4) in the earth frame and the elbow's angles."""
        n = len(upper)
        lower = chain(upper, self.hinge, about(Z, flexed), about(Y, pronated))
        elbow = quaternion.rotate(upper, -0.3 * Y)
        places = quaternion.rotate(upper, -0.15 * Y), elbow + quaternion.rotate(lower, -0.2 * Y)
        out: dict[str, ImuBlock] = {}
        for k, (name, segment) in enumerate((("U", upper), ("F", lower))):
            t, phase = np.arange(n) / RATE, self.rng.uniform(0.0, 2.0 * math.pi, 3)
            slid = np.sin(2.0 * math.pi * t[:, None] / 3.0 + phase) * np.radians((1.5, 3.0)[k])
            q = chain(segment, quaternion.from_rotation_vector(slid), self.mounted[k])
            step = quaternion.to_rotation_vector(quaternion.multiply(quaternion.conjugate(q[:-1]), q[1:]))
            rate = np.concatenate([step[:1], step]) * RATE + 0.002 * self.rng.normal(size=(n, 3))
            moved = np.gradient(np.gradient(places[k], axis=0), axis=0) * RATE**2
            back = quaternion.conjugate(q)
            force = quaternion.rotate(back, moved + STANDARD_GRAVITY * np.array([0.0, 0.0, 1.0]))
            force = force + 0.02 * self.rng.normal(size=(n, 3))
            bent = np.radians(10.0) * self.rng.normal()
            field = quaternion.rotate(back, quaternion.rotate(quaternion.about_vertical(bent), FIELD))
            out[name] = ImuBlock(name, np.arange(n) / RATE, rate, force, field + self.iron[k])
        return out


def wave(seconds: float, period: float, reach: float) -> FloatArray:
    t = np.arange(round(seconds * RATE)) / RATE
    return reach * 0.5 * (1.0 - np.cos(2.0 * math.pi * t / period))


def still(person: Person, seconds: float, lean: FloatArray) -> FloatArray:
    """Return an upper arm (N, 4) that hangs, leans and sways by a degree."""
    t = np.arange(round(seconds * RATE)) / RATE
    heading = quaternion.about_vertical(person.rng.uniform(-math.pi, math.pi))
    phases = zip((1.9, 0.0, 2.7), person.rng.uniform(0.0, 6.0, 3), strict=True)
    sway = np.stack([np.radians(1.0) * np.sin(w * t + p) for w, p in phases], axis=1)
    return chain(
        heading, UPRIGHT, about(X, lean[0]), about(Z, lean[1]), quaternion.from_rotation_vector(sway)
    )


def calibrated(seed: int, *, mag: bool, pronation: bool) -> tuple[Person, list[SegmentAlignment]]:
    person = Person.of(seed)
    nothing = np.zeros(round(4.0 * RATE))
    hanging = still(person, 4.0, person.lean[0])
    turned = np.full_like(nothing, person.rng.uniform(-1.2, 1.2))
    # The forearm hangs from the elbow: its own lean is a bend and nothing else.
    pose = person.worn(hanging, nothing + abs(person.lean[1, 1]), turned)
    lean = np.radians(10.0) * person.rng.normal(size=(2, 2))
    bend = wave(12.0, 3.0, 1.2)
    pronated = np.full_like(bend, person.rng.uniform(-1.2, 1.2))
    moves = [("flexion", person.worn(still(person, 12.0, person.lean[0] + lean[0]), bend, pronated))]
    if pronation:
        bend = np.full_like(bend, np.radians(80.0)) + wave(12.0, 3.0, 0.1)
        arm = still(person, 12.0, person.lean[0] + lean[1])
        moves.append(("rotation", person.worn(arm, bend, wave(12.0, 3.0, 1.8))))

    def seen(blocks: Mapping[str, ImuBlock]) -> dict[str, ImuBlock]:
        return {s: b if mag else ImuBlock(s, b.t, b.gyr, b.acc) for s, b in blocks.items()}

    movements = [Movement("elbow", axis, seen(blocks)) for axis, blocks in moves]
    (joint,) = calibrate_limb([ELBOW], seen(pose), movements)
    return person, [joint.proximal, joint.distal]


def upper_arm_error(person: Person, alignment: SegmentAlignment) -> FloatArray:
    found = quaternion.multiply(person.mounted[0], alignment.q_sensor_from_segment)
    return quaternion.to_rotation_vector(found)


@pytest.mark.parametrize(("mag", "pronation"), [(True, True), (True, False), (False, False)])
def test_a_still_upper_arm_is_off_by_as_much_as_is_said(mag: bool, pronation: bool) -> None:
    scores: list[float] = []
    for seed in range(24):
        person, (upper, _) = calibrated(seed, mag=mag, pronation=pronation)
        scores.append(upper_arm_error(person, upper)[1] / math.sqrt(upper.covariance[1, 1]))
    # The mean of 24 squares is 0.33 to 2.13 in 998 of 1000 cases if errors are normal.
    assert 0.33 < float((np.array(scores) ** 2).mean()) < 2.13


def test_a_bent_forearm_adds_to_what_a_still_upper_arm_shows() -> None:
    off, sigma = np.zeros((2, 24)), np.zeros((2, 24))
    for k, pronation in enumerate((False, True)):
        for seed in range(24):
            person, (upper, _) = calibrated(seed, mag=True, pronation=pronation)
            off[k, seed] = upper_arm_error(person, upper)[1]
            sigma[k, seed] = math.sqrt(upper.covariance[1, 1])
    assert (off[1] ** 2).mean() < (off[0] ** 2).mean()
    assert (sigma[1] ** 2).mean() < 0.75 * (sigma[0] ** 2).mean()


LENGTH = Length(Y, math.radians(5.0))


def sharp(axis: FloatArray, segment: FloatArray) -> Direction:
    return Direction(axis, segment, np.eye(3) / math.radians(5.0) ** 2)


@pytest.mark.parametrize("azimuth", [0.3, 2.0, -1.2])
def test_a_level_direction_tells_the_azimuth_and_the_length_does_not(azimuth: float) -> None:
    seen = quaternion.rotate(about(Y, azimuth), Z)
    likelihood = np.exp(LENGTH.spoken(sharp(seen, Z)))
    found, sigma = middle(likelihood / likelihood.sum())
    assert abs(float(quaternion.wrap(np.array(found - azimuth)))) < math.radians(0.5)
    assert sigma == pytest.approx(math.radians(5.0), rel=0.2)
    assert np.ptp(LENGTH.spoken(sharp(Y, Y))) < 1e-9


def test_a_second_likely_place_makes_it_wide() -> None:
    one = np.exp(LENGTH.spoken(sharp(Z, Z)))
    both = one + 0.5 * np.roll(one, AZIMUTHS.size // 2)
    assert abs(middle(both / both.sum())[0]) < math.radians(1.0)
    assert middle(both / both.sum())[1] == pytest.approx(math.pi * math.sqrt(1.0 / 3.0), rel=0.02)


def test_segments_tell_each_other_what_only_all_together_know() -> None:
    # Three segments in a chain; each joint's movement tells the difference of two azimuths, the last its own.
    bins = AZIMUTHS.size
    circle = np.eye(bins) * 20.0
    first, second = (
        Readings(a, b, np.zeros(bins), circle, np.roll(circle, 6, axis=1)) for a, b in ("AB", "BC")
    )
    alone = {"A": np.zeros(bins), "B": np.zeros(bins), "C": circle[40]}
    weights, found = weighed([first, second], alone)
    assert [int(np.argmax(found[s])) for s in "ABC"] == [28, 34, 40]
    assert [int(np.argmax(each)) for each in weights] == [28, 34]
    _, nothing = weighed([first, second], alone | {"C": np.zeros(bins)})
    assert max(float(np.ptp(nothing[s])) for s in "ABC") < 1e-9


def test_the_chain_weighs_like_all_combinations_one_by_one() -> None:
    rng = np.random.default_rng(3)
    bins, sizes = AZIMUTHS.size, (3, 4)
    tables = [rng.normal(size=(2, n, bins)) for n in sizes]
    costs = [rng.normal(size=n) for n in sizes]
    ends = [("A", "B"), ("B", "C")]
    readings = [Readings(*e, c, *t) for e, c, t in zip(ends, costs, tables, strict=True)]
    alone = {s: rng.normal(size=bins) for s in "ABC"}
    weights, found = weighed(readings, alone)
    # Every reading of one movement with every reading of the other, every azimuth of the middle segment.
    whole = np.zeros((3, 4, bins))
    for i in range(3):
        for j in range(4):
            left = np.exp(tables[0][0, i] + alone["A"]).sum() * np.exp(tables[0][1, i] - costs[0][i])
            right = np.exp(tables[1][1, j] + alone["C"]).sum() * np.exp(tables[1][0, j] - costs[1][j])
            whole[i, j] = left * right * np.exp(alone["B"])
    whole /= whole.sum()
    np.testing.assert_allclose(found["B"], whole.sum(axis=(0, 1)), rtol=1e-9)
    np.testing.assert_allclose(weights[0], whole.sum(axis=(1, 2)), rtol=1e-9)
    np.testing.assert_allclose(weights[1], whole.sum(axis=(0, 2)), rtol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bent_limb_shows_to_which_side_it_flexes_and_a_straight_one_nothing(sign: int) -> None:
    upper = quaternion.multiply(quaternion.about_vertical(0.7), np.broadcast_to(UPRIGHT, (40, 4)))
    for bend in (np.radians(80.0), np.radians(15.0)):
        lower = chain(quaternion.about_vertical(-0.4), upper, about(Z, sign * bend))
        q = np.stack([upper, lower], axis=1)
        said = plane(q, (0.4, math.radians(8.0)), (LENGTH, LENGTH), sign)
        likelihood = np.exp(said - said.max())
        found, sigma = middle(likelihood / likelihood.sum())
        if bend > 1.0:
            assert abs(found) < math.radians(1.0)
            assert math.radians(9.0) < sigma < math.radians(30.0)  # 1 in 20 looks at a heading is wrong
        else:
            assert np.ptp(said) < 1e-9
