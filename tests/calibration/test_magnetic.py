"""Magnetometers as a pair: an offset is found, one field gives the heading, two fields give none."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.heading import HeadingEstimator
from calibration.magnetic import OFFSET_SHARE, SAME_STRENGTH, FieldLook, Offset, fit_offset, looks
from calibration.segment import JointCalibration, SegmentAlignment
from calibration.smoother import smooth
from imu import quaternion
from imu.block import FloatArray
from imu.sync import Frames

RATE = 100.0
UNKNOWN = Offset.unknown()


def field(size: float = 50.0, dip: float = 1.15) -> FloatArray:
    return size * np.array([math.cos(dip), 0.0, -math.sin(dip)])


def tumbled(rng: np.random.Generator, count: int, reach: float) -> FloatArray:
    """Return orientations (N, 4) that wander smoothly by about `reach` rad from a random one."""
    t = np.linspace(0.0, 1.0, count)
    p = rng.uniform(0.0, 6.0, 3)
    turns = reach * np.stack([np.sin(6.0 * t + p[k]) for k in range(3)], axis=1)
    start = quaternion.normalise(rng.normal(size=4))
    return quaternion.multiply(start, quaternion.from_rotation_vector(turns))


def read_by(q: FloatArray, seen: FloatArray, offset: FloatArray) -> FloatArray:
    return quaternion.rotate(quaternion.conjugate(q), np.broadcast_to(seen, (len(q), 3))) + offset


def pair(
    rng: np.random.Generator, delta: float, count: int = 400, other: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return orientations (M, 2, 4) a turn delta apart and readings (M, 2, 3) of one field, or of two."""
    first, second = tumbled(rng, count, 0.5), tumbled(rng, count, 0.5)
    mags = [
        read_by(first, field(), np.zeros(3)),
        read_by(second, field() if other is None else other, np.zeros(3)),
    ]
    return np.stack([first, quaternion.multiply(quaternion.about_vertical(-delta), second)], 1), np.stack(
        mags, 1
    )


@pytest.mark.parametrize("seed", range(8))
def test_an_offset_is_found_whatever_the_unit_and_the_heading_of_each_movement(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offset, unit = rng.normal(0.0, 8.0, 3), 10.0 ** rng.uniform(-3.0, 2.0)
    parts: list[tuple[FloatArray, FloatArray, float]] = []
    for _ in range(4):
        q = tumbled(rng, 1500, 0.8)
        turned = quaternion.rotate(quaternion.about_vertical(rng.uniform(0.0, 6.0)), field())
        read = read_by(q, turned, offset) + rng.normal(0.0, 0.5, (1500, 3))
        parts.append((q, unit * read, RATE))
    found = fit_offset(parts)
    assert float(np.linalg.norm(found.value / unit - offset)) < 3.0 * math.sqrt(3.0) * found.sigma * 50.0
    assert found.sigma < 0.3 * OFFSET_SHARE


def test_a_sensor_that_never_turned_keeps_its_unknown_offset() -> None:
    q = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (500, 1))
    found = fit_offset([(q, read_by(q, field(), np.full(3, 5.0)), RATE)])
    assert found.sigma == pytest.approx(OFFSET_SHARE, rel=1e-6)
    assert fit_offset([(q, np.full((500, 3), np.nan), RATE)]).sigma == OFFSET_SHARE


def test_a_movement_in_a_bent_field_counts_less() -> None:
    rng = np.random.default_rng(5)
    offset = np.array([6.0, -4.0, 3.0])
    good = [(q, read_by(q, field(), offset), RATE) for q in (tumbled(rng, 1500, 0.8) for _ in range(3))]
    q = tumbled(rng, 1500, 0.8)
    bent = field() + 30.0 * np.sin(np.linspace(0.0, 9.0, 1500))[:, None] * np.array([1.0, 0.5, 0.2])
    spoilt = (q, quaternion.rotate(quaternion.conjugate(q), bent) + offset, RATE)
    alone, together = fit_offset(good), fit_offset([*good, spoilt])
    assert float(np.linalg.norm(together.value - offset)) < float(np.linalg.norm(alone.value - offset)) + 1.0


@pytest.mark.parametrize("seed", range(6))
def test_one_field_shows_the_heading(seed: int) -> None:
    rng = np.random.default_rng(30 + seed)
    delta = rng.uniform(-math.pi, math.pi)
    seen = looks(*pair(rng, delta), (UNKNOWN, UNKNOWN))
    assert np.abs(quaternion.wrap(seen.heading - delta)).max() < 1e-9
    q, mag = pair(rng, delta)
    alone = looks(q[100:101], mag[100:101], (UNKNOWN, UNKNOWN))
    assert alone.heading[0] == looks(q, mag, (UNKNOWN, UNKNOWN)).heading[100]


def test_two_fields_show_nothing() -> None:
    rng = np.random.default_rng(4)
    stronger = (1.0 + 1.2 * SAME_STRENGTH) * field()
    assert np.isnan(looks(*pair(rng, 0.4, other=stronger), (UNKNOWN, UNKNOWN)).heading).all()
    assert np.isnan(looks(*pair(rng, 0.4, other=field(dip=0.3)), (UNKNOWN, UNKNOWN)).heading).all()
    unlike = looks(*pair(rng, 0.4, other=field(dip=1.05)), (UNKNOWN, UNKNOWN))
    alike = looks(*pair(rng, 0.4), (UNKNOWN, UNKNOWN))
    assert (unlike.sigma > alike.sigma).all()


def hear(look: FieldLook, heading: float, sigma: float) -> None:
    """Let one look pass, a fifth of a second after the one before."""
    look.take(np.array([heading]), np.array([sigma]), 0.2)


def test_many_looks_are_one_look() -> None:
    look = FieldLook()
    hear(look, 0.7, 0.3)
    first = look.heading()
    for _ in range(500):
        hear(look, 0.7, 0.3)
    assert first is not None
    assert look.heading() == pytest.approx(first)
    flat = np.full(72, 1.0 / 72.0)
    assert look.weighed(flat).argmax() == round(math.degrees(0.7) / 5.0)
    assert look.weighed(flat).min() > 0.04 * look.weighed(flat).max()
    again = FieldLook()
    again.restore(json.loads(json.dumps(look.save())))
    assert again.heading() == look.heading()


def test_looks_that_scatter_or_mostly_fail_are_trusted_less() -> None:
    scattered, rare, plain = FieldLook(), FieldLook(), FieldLook()
    for k in range(100):
        hear(scattered, 0.7 + 0.8 * (-1.0) ** k, 0.3)
        hear(plain, 0.7, 0.3)
        hear(rare, *((0.7, 0.3) if k % 4 == 0 else (math.nan, math.nan)))
    sigmas = [found[1] for each in (scattered, rare, plain) if (found := each.heading()) is not None]
    assert sigmas[0] > sigmas[2]
    assert sigmas[1] == pytest.approx(0.6, rel=0.05)


def resting(delta: float, mag: bool, *, other: FloatArray | None = None) -> Frames:
    """Return two sensors at rest for three seconds, nothing but magnetometers to tell their heading."""
    rng = np.random.default_rng(1)
    count = int(3 * RATE)
    q, read = pair(rng, delta, 1, other=other)
    q, read = np.repeat(q, count, axis=0), np.repeat(read, count, axis=0)
    acc = quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 9.80665]))
    still, none = np.ones((count, 2), np.bool_), np.zeros((count, 2, 3))
    seen = read if mag else np.full_like(read, np.nan)
    return Frames(np.arange(count) / RATE, q, still, none, acc, np.full((count, 2), 2e-4), None, seen)


def joint() -> JointCalibration:
    offset = Offset(np.zeros(3), 0.03)
    ends = [
        SegmentAlignment(name, name, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros((3, 3)), 0.0, offset)
        for name in ("a", "b")
    ]
    return JointCalibration("hip", 3, ends[0], ends[1])


def heading_of(q: FloatArray) -> FloatArray:
    return quaternion.wrap(2.0 * np.arctan2(q[:, 3], q[:, 0]))


@pytest.mark.parametrize("delta", [-2.0, 0.4, 2.9])
def test_what_is_shown_before_any_movement_is_the_pairs_heading(delta: float) -> None:
    shown = HeadingEstimator(joint(), RATE).feed(resting(delta, mag=True))
    off = np.abs(quaternion.wrap(heading_of(shown.q_earth1_from_earth2) - delta))
    assert off.max() < math.radians(6.0)


def test_a_pair_in_two_fields_changes_nothing() -> None:
    apart = HeadingEstimator(joint(), RATE).feed(resting(2.0, mag=True, other=2.0 * field()))
    none = HeadingEstimator(joint(), RATE).feed(resting(2.0, mag=False))
    np.testing.assert_array_equal(apart.q_earth1_from_earth2, none.q_earth1_from_earth2)


def posed(frames: Frames, delta: float) -> JointCalibration:
    """Return the joint, held in its neutral pose in the first frame if the heading were delta."""
    one, two = frames.q[0]
    turned = quaternion.multiply(quaternion.about_vertical(delta), two)
    ups = [quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 1.0])) for q in (one, two)]
    return replace(
        joint(),
        q_neutral=quaternion.multiply(quaternion.conjugate(one), turned),
        up_proximal=ups[0],
        up_distal=ups[1],
        neutral_sigma=math.radians(20.0),
    )


def test_hindsight_does_not_forget_what_the_pair_said_before_the_heading_was_found() -> None:
    frames = resting(0.4, mag=True)
    assert frames.mag is not None
    calibration = posed(frames, 0.8)
    live = HeadingEstimator(calibration, RATE).feed(frames)
    best = smooth(calibration, frames, RATE)
    ends = calibration.proximal.magnetometer, calibration.distal.magnetometer
    pair = looks(frames.q[:1], frames.mag[:1], ends).sigma[0] ** 2
    both = 0.4 + 0.4 * pair / (pair + calibration.neutral_sigma**2)
    assert live.delta[-1] == pytest.approx(both, abs=math.radians(5.0))
    assert best.delta[0] == pytest.approx(both, abs=math.radians(1.0))
    assert best.sigma[0] == pytest.approx(math.sqrt(pair), rel=0.1)
    without = smooth(calibration, resting(0.4, mag=False), RATE)
    assert without.delta[0] == pytest.approx(0.8, abs=math.radians(3.0))


def test_a_pair_far_from_a_heading_that_is_followed_is_taken_to_be_wrong() -> None:
    look = FieldLook()
    hear(look, 0.7, 0.2)
    near, far = look.against(0.6), look.against(0.7 - 8.0 * 0.2)
    assert near == pytest.approx((0.1, 0.04), rel=0.1)
    assert far is not None
    assert far[1] > math.pi**2
    assert FieldLook().against(0.6) is None


def test_the_offset_stays_with_the_alignment() -> None:
    end = SegmentAlignment(
        "a",
        "right_hand",
        np.array([1.0, 0.0, 0.0, 0.0]),
        np.eye(3),
        0.0,
        Offset(np.array([1.0, 2.0, 3.0]), 0.05),
    )
    back = SegmentAlignment.from_document(json.loads(json.dumps(end.to_document())))
    assert back.magnetometer.value.tolist() == [1.0, 2.0, 3.0]
    assert back.magnetometer.sigma == 0.05
    older = {k: v for k, v in end.to_document().items() if not k.startswith("magnetometer")}
    assert SegmentAlignment.from_document(older).magnetometer.sigma == OFFSET_SHARE
