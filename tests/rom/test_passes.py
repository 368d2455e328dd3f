"""Passes and reps: trains of known ones recovered, whatever shakes, drifts, stops or is missing."""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imu.block import FloatArray
from imu.errors import InputError
from rom.passes import Detected, PassDetector, PassParams
from rom.turning import MEMORY

RATE = 100.0
EDGE = 1.3
"""Boundaries are where speed crosses 2.5 deg/s: 1.2 s inside a minimum-jerk travel of 20 deg in 6 s."""


@dataclass(frozen=True)
class Meant:
    """One there and back as it was built: times in s, size in deg."""

    start: float
    reached: float
    left: float
    stop: float
    size: float


def ease(seconds: float) -> FloatArray:
    """Return a minimum-jerk rise from 0 to 1."""
    s = np.linspace(0.0, 1.0, round(seconds * RATE))
    return 10.0 * s**3 - 15.0 * s**4 + 6.0 * s**5


def train(
    seed: int, count: int, sizes: tuple[float, float] = (20.0, 120.0)
) -> tuple[FloatArray, list[Meant]]:
    """Return an angle curve, deg, of random passes with random holds and rests, and what was built."""
    rng = np.random.default_rng(seed)
    parts, meant, now = [np.zeros(round(rng.uniform(1.0, 3.0) * RATE))], list[Meant](), 0.0
    for _ in range(count):
        size, hold = rng.uniform(*sizes), float(rng.choice([0.0, rng.uniform(0.5, 5.0)]))
        there, back = ease(rng.uniform(2.0, 6.0)), ease(rng.uniform(2.0, 4.0))
        now = sum(len(part) for part in parts) / RATE
        held = round(hold * RATE)
        reached = now + len(there) / RATE
        left = reached + held / RATE
        meant.append(Meant(now, reached, left, left + len(back) / RATE, size))
        parts += [size * there, np.full(held, size), size * (1.0 - back)]
        parts.append(np.zeros(round(rng.uniform(0.3, 3.0) * RATE)))
    return np.concatenate([*parts, np.zeros(100)]), meant


def shaken(angle: FloatArray, seed: int) -> FloatArray:
    """Return a curve with tremor, sway, drift and noise, deg."""
    rng = np.random.default_rng(seed + 10**6)
    t = np.arange(len(angle)) / RATE
    tremor = 0.1 * np.sin(2.0 * np.pi * rng.uniform(8.0, 12.0) * t)
    sway = 0.3 * np.sin(2.0 * np.pi * t / 3.0)
    return angle + tremor + sway + t / 60.0 + rng.normal(0.0, 0.05, len(t))


def detect(angle_deg: FloatArray, detector: PassDetector | None = None) -> Detected:
    """Return what a detector finds in a whole curve."""
    each = detector or PassDetector()
    t = np.arange(len(angle_deg)) / RATE
    found, rest = each.feed(t, np.radians(angle_deg)), each.finish()
    return Detected(found.passes + rest.passes, found.reps + rest.reps)


def plain(found: Detected) -> list[object]:
    """Return detections as values that compare exactly."""
    return [asdict(each) for each in (*found.passes, *found.reps)]


@pytest.mark.parametrize("seed", range(60))
def test_trains_are_recovered_with_their_times_and_sizes(seed: int) -> None:
    angle, meant = train(seed, 1 + seed % 7)
    found = detect(shaken(angle, seed))
    assert len(found.passes) == len(found.reps) == len(meant)
    for one, rep, truth in zip(found.passes, found.reps, meant, strict=True):
        assert 0.0 <= one.start - truth.start + 0.15 <= EDGE + 0.15
        assert -EDGE <= one.stop - truth.reached <= 0.15
        assert -0.15 <= one.leave - truth.left <= EDGE
        assert -EDGE <= rep.stop - truth.stop <= 0.15
        assert math.degrees(one.travel) == pytest.approx(truth.size, abs=1.5)
        assert (rep.start, rep.turn, rep.leave) == (one.start, one.stop, one.leave)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 6000), max_size=40), resume=st.booleans())
def test_cuts_change_nothing_and_a_saved_detector_goes_on(seed: int, cuts: list[int], resume: bool) -> None:
    angle, _ = train(seed, 4)
    angle = shaken(angle, seed)
    angle[700:760] = np.nan
    t = np.arange(len(angle)) / RATE
    detector, parts = PassDetector(), list[Detected]()
    for piece in np.split(np.arange(len(t)), sorted(set(cuts))):
        parts.append(detector.feed(t[piece], np.radians(angle[piece])))
        if resume:
            state = json.loads(json.dumps(detector.save()))
            detector = PassDetector()
            detector.restore(state)
    parts.append(detector.finish())
    found = Detected(
        tuple(p for part in parts for p in part.passes), tuple(r for part in parts for r in part.reps)
    )
    assert plain(found) == plain(detect(angle))


@given(seed=st.integers(0, 10**6), offset=st.floats(-300.0, 300.0))
@settings(max_examples=30)
def test_where_zero_is_does_not_matter(seed: int, offset: float) -> None:
    angle, meant = train(seed, 3)
    here, there = detect(angle), detect(angle + offset)
    assert len(here.passes) == len(there.passes) == len(meant)
    for a, b in zip(here.passes, there.passes, strict=True):
        assert b.travel == pytest.approx(a.travel, abs=1e-9)
        assert (a.start, a.stop) == (b.start, b.stop)


def test_a_falling_angle_is_a_pass_where_less_is_longer() -> None:
    angle, meant = train(5, 3)
    rising, falling = detect(angle), detect(-angle, PassDetector(-1))
    assert len(falling.passes) == len(meant)
    for a, b in zip(rising.passes, falling.passes, strict=True):
        assert (a.start, a.stop, a.travel) == (b.start, b.stop, pytest.approx(b.travel))


def test_a_broken_off_pass_is_found_and_called_so() -> None:
    whole, half = 80.0 * ease(4.0), 40.0 * ease(2.5)
    rest = np.zeros(150)
    angle = np.concatenate(
        [rest, *[np.concatenate([up, up[::-1], rest]) for up in (whole, whole, whole, half, whole)]]
    )
    assert [each.partial for each in detect(angle).passes] == [False, False, False, True, False]


def test_holds_creeps_pauses_and_slips_of_the_grip_do_not_split_a_pass() -> None:
    creep = 80.0 + np.linspace(0.0, 3.0, 800)
    slip = 83.0 - 10.0 * np.concatenate([ease(0.6), ease(0.6)[::-1]])
    first = 40.0 * ease(3.0)
    paused = np.concatenate([first, np.full(150, 40.0), 40.0 + first])
    back = 83.0 * ease(3.0)[::-1]
    rest = np.zeros(200)
    usual = np.concatenate([80.0 * ease(3.0), np.full(100, 80.0), 80.0 * ease(3.0)[::-1], rest])
    angle = np.concatenate([rest, usual, usual, paused, creep, slip, np.full(200, 83.0), back, rest])
    found = detect(angle)
    assert len(found.passes) == len(found.reps) == 3
    assert math.degrees(found.passes[2].end_angle) == pytest.approx(83.0, abs=0.1)
    assert found.passes[2].leave - found.passes[2].stop > 9.0


def test_drift_sway_and_tremor_alone_are_no_movement() -> None:
    t = np.arange(0.0, 600.0, 1.0 / RATE)
    angle = 4.0 * np.sin(2.0 * np.pi * t / 30.0) + 0.7 * np.sin(2.0 * np.pi * t / 3.0) + 5.0 * t / 600.0
    angle += 0.3 * np.sin(2.0 * np.pi * 9.0 * t)
    assert detect(angle) == Detected()


def test_a_hole_marks_what_it_hits_and_nothing_else() -> None:
    angle, meant = train(11, 3, (60.0, 90.0))
    middle = round((meant[1].start + meant[1].reached) / 2.0 * RATE)
    angle[middle : middle + 40] = np.nan
    found = detect(angle)
    assert [each.gap for each in found.passes] == [False, True, False]
    assert [each.gap for each in found.reps] == [False, True, False]


def test_a_rep_is_given_out_once_the_limb_is_back_and_still() -> None:
    angle, meant = train(2, 1)
    detector, t = PassDetector(), np.arange(len(angle)) / RATE
    seen = math.nan
    for i in range(len(t)):
        if detector.feed(t[i : i + 1], np.radians(angle[i : i + 1])).reps:
            seen = float(t[i])
            break
    assert meant[0].stop - EDGE < seen < meant[0].stop + PassParams().settle_s + 0.2


def test_ten_minutes_of_stillness_take_no_more_memory_than_the_detector_keeps() -> None:
    detector = PassDetector()
    n = 200_000
    detector.feed(np.linspace(0.0, 0.05 * n, n, endpoint=False), np.zeros(n))
    looks = detector.save()["curve"]["looks"]
    assert len(looks) == MEMORY
    assert looks[-1][0] == pytest.approx(0.05 * (n - 1)), "the oldest are forgotten, not the newest"


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="min_travel_deg must be positive, got -1"):
        PassParams(min_travel_deg=-1.0)
    with pytest.raises(InputError, match="forward must be"):
        PassDetector(0)  # pyright: ignore[reportArgumentType]  # what an untyped caller may pass
