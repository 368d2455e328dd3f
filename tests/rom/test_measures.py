"""Measures of reps: closed forms, numbers that were put in, and the reasons why one does not count."""

import math
from dataclasses import replace

import numpy as np
import pytest

from imu import quaternion
from imu.block import FloatArray
from rom.angles import GAP, UNSURE, JointSeries
from rom.catalogue.movement import Gate
from rom.measures import RepMeasures, ldlj, low_pass, measure_rep, sparc
from rom.passes import PassDetector

RATE = 100.0
LEVEL = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), math.pi / 2.0)


def bell(n: int) -> FloatArray:
    """Return the speed of a minimum-jerk movement of size 1 in time 1."""
    s = np.linspace(0.0, 1.0, n)
    return 30.0 * (s**2 - 2.0 * s**3 + s**4)


def ease(seconds: float) -> FloatArray:
    """Return a minimum-jerk rise from 0 to 1."""
    s = np.linspace(0.0, 1.0, round(seconds * RATE))
    return 10.0 * s**3 - 15.0 * s**4 + 6.0 * s**5


def curve(size: float = 70.0, hold: float = 2.0, there: float = 3.0) -> FloatArray:
    """Return one there and back from 10 deg, deg."""
    out, back = size * ease(there), size * ease(2.5)[::-1]
    parts = [np.zeros(200), out, np.full(round(hold * RATE), size), back, np.zeros(200)]
    return 10.0 + np.concatenate(parts)


def series(
    angle_deg: FloatArray, sigma: float = 1.0, strap: float = 0.0, heading: float = 0.0
) -> JointSeries:
    """Return a turn about a level axis with constant sigmas, deg; the support stands still."""
    n = len(angle_deg)
    angle = np.zeros((n, 3))
    angle[:, 0] = np.radians(angle_deg)
    joint = quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), angle[:, 0])
    return JointSeries(
        np.arange(n) / RATE,
        angle,
        np.full((n, 3), math.radians(sigma)),
        np.zeros(n, np.uint8),
        np.zeros(n),
        np.full(n, math.radians(strap)),
        np.full(n, math.radians(heading)),
        np.stack([np.tile(LEVEL, (n, 1)), quaternion.multiply(LEVEL, joint)], axis=1),
    )


def measured(of: JointSeries, gate: Gate | None = None) -> RepMeasures:
    """Return the measures of the only rep in a series."""
    detector = PassDetector()
    found, rest = detector.feed(of.t, of.angle[:, 0]), detector.finish()
    (rep,) = found.reps + rest.reps
    return measure_rep(of, rep, gate=gate)


def test_smoothness_of_a_minimum_jerk_movement_is_the_closed_form() -> None:
    assert sparc(bell(101), 100.0) == pytest.approx(-1.406, abs=5e-4)
    assert ldlj(bell(2001), 1000.0) == pytest.approx(-5.322, abs=5e-4)
    assert ldlj(bell(2001), 1000.0) == pytest.approx(-math.log(204.8), abs=5e-4)


def test_two_movements_in_a_row_are_less_smooth_than_one() -> None:
    two = np.concatenate([bell(101), bell(101)])
    assert sparc(two, 100.0) == pytest.approx(-2.27, abs=0.01)
    assert ldlj(two, 100.0) < ldlj(bell(101), 100.0)


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_smoothness_knows_no_size_and_no_sampling_rate(scale: float) -> None:
    assert sparc(scale * bell(201), 200.0) == pytest.approx(sparc(bell(101), 100.0), abs=1e-3)
    assert ldlj(scale * bell(401), 200.0) == pytest.approx(ldlj(bell(201), 100.0), abs=5e-3)


def test_smoothness_of_nothing_is_unknown() -> None:
    assert math.isnan(sparc(np.zeros(100), 100.0))
    assert math.isnan(ldlj(np.zeros(100), 100.0))
    assert math.isnan(sparc(np.full(100, np.nan), 100.0))


def test_the_low_pass_keeps_the_movement_and_takes_the_tremor() -> None:
    t = np.arange(1000) / RATE
    slow, fast = np.sin(2.0 * np.pi * 0.5 * t), 0.2 * np.sin(2.0 * np.pi * 25.0 * t)
    found = low_pass(slow + fast, RATE, 6.0)
    assert np.abs(found - slow)[100:-100].max() < 0.01


@pytest.mark.parametrize("size", [20.0, 70.0, 120.0])
def test_what_was_moved_is_measured(size: float) -> None:
    found = measured(series(curve(size)))
    assert found.valid, found.reasons
    assert found.end_kind == "plateau"
    assert math.degrees(found.start) == pytest.approx(10.0, abs=0.1)
    assert math.degrees(found.end) == pytest.approx(10.0 + size, abs=0.1)
    assert math.degrees(found.end_peak) == pytest.approx(10.0 + size, abs=0.1)
    assert math.degrees(found.range) == pytest.approx(size, abs=0.2)
    assert math.degrees(found.peak_speed) == pytest.approx(1.875 * size / 3.0, rel=0.01)
    assert found.time_to_peak_speed == pytest.approx(0.5, abs=0.05)
    slow_edges = sum(way * math.sqrt(5.0 * way / (30.0 * size)) for way in (3.0, 2.5))
    assert 2.0 + slow_edges <= found.hold <= 2.0 + 1.3 * slow_edges


def test_without_a_hold_the_peak_is_the_headline() -> None:
    found = measured(series(curve(hold=0.0, there=1.0)))
    assert found.end_kind == "peak"
    assert math.isnan(found.end_plateau)
    assert found.end == found.end_peak


def test_a_peak_before_the_hold_does_not_become_the_plateau() -> None:
    angle = curve()
    angle[480:500] += 5.0 * np.hanning(20)
    found = measured(series(angle))
    assert math.degrees(found.end_plateau) == pytest.approx(80.0, abs=0.1)
    assert math.degrees(found.end_peak) > 81.5


def test_sigma_of_a_range_drops_what_both_ends_share() -> None:
    plain = measured(series(curve(), 1.0))
    assert math.degrees(plain.end_sigma) == pytest.approx(1.0)
    straps = measured(series(curve(), math.hypot(1.0, 8.0), strap=8.0))
    assert straps.range_sigma == pytest.approx(plain.range_sigma, rel=1e-6)
    assert straps.strap_sigma == pytest.approx(math.radians(8.0))
    heading = measured(series(curve(), math.hypot(1.0, 6.0), heading=6.0))
    assert heading.range_sigma == pytest.approx(plain.range_sigma, rel=1e-6)


def test_compensation_is_seen_and_gated() -> None:
    leaning = series(curve())
    leaning.support[:] = np.interp(np.arange(len(leaning)), [260, 460], [0.0, math.radians(7.0)])
    gate = Gate("thigh", 0, math.radians(5.0), "invalid")
    found = measured(leaning, gate)
    assert math.degrees(found.support) == pytest.approx(7.0, abs=0.3)
    assert found.support_share == pytest.approx(0.1, abs=0.01)
    assert found.reasons == ("thigh moved by 7 deg, more than the 5 deg allowed",)
    assert measured(leaning, replace(gate, action="flag")).warnings == found.reasons
    assert measured(leaning, replace(gate, limit=math.radians(9.0))).valid


def test_off_axis_movement_is_seen() -> None:
    of = series(curve())
    of.angle[:, 2] = np.interp(np.arange(len(of)), [260, 460], [0.3, 0.5])
    assert measured(of).off_axis[1] == pytest.approx(0.2, abs=0.01)


def test_a_gap_inside_a_rep_costs_its_validity() -> None:
    of = series(curve())
    of.flags[400] = GAP
    assert measured(of).reasons == ("samples are missing inside",)


def test_a_rep_that_starts_in_motion_does_not_count() -> None:
    creeping = np.concatenate([np.full(100, -4.0), np.linspace(-4.0, 10.0, 200)])
    found = measured(series(np.concatenate([creeping, curve(there=0.6)[200:]])))
    assert any("not still at the start" in reason for reason in found.reasons)


def test_reps_without_a_pause_count_from_their_turning_point() -> None:
    swing = 10.0 + 35.0 * (1.0 - np.cos(2.0 * np.pi * np.arange(round(4 * 4.0 * RATE)) / (4.0 * RATE)))
    swinging = series(np.concatenate([np.full(200, 10.0), swing, np.full(200, 10.0)]))
    detector = PassDetector()
    found, rest = detector.feed(swinging.t, swinging.angle[:, 0]), detector.finish()
    reps = [measure_rep(swinging, rep) for rep in found.reps + rest.reps]
    assert len(reps) == 4
    for rep in reps:
        assert rep.valid, rep.reasons
        assert math.degrees(rep.start) == pytest.approx(10.0, abs=1.0)
        assert math.degrees(rep.range) == pytest.approx(70.0, abs=1.5)
        assert rep.range_sigma > 0.0
    assert any("without a pause" in warning for warning in reps[2].warnings)


def test_a_rep_that_nobody_can_be_sure_of_does_not_count() -> None:
    flagged = series(curve())
    flagged.flags[:] = UNSURE
    assert any("too large for a statement" in reason for reason in measured(flagged).reasons)


def test_going_back_on_the_way_out_does_not_count() -> None:
    out = np.concatenate([50.0 * ease(2.0), 50.0 - 15.0 * ease(1.0), 35.0 + 45.0 * ease(2.0)])
    angle = np.concatenate([np.zeros(200), out, np.full(200, 80.0), 80.0 * ease(3.0)[::-1], np.zeros(200)])
    detector = PassDetector()
    of = series(angle)
    found = detector.feed(of.t, of.angle[:, 0])
    rep = (found.reps + detector.finish().reps)[-1]
    whole = replace(rep, start=2.0, start_angle=0.0, turn=7.0)
    assert any("went back" in reason for reason in measure_rep(of, whole).reasons)


def test_a_jerk_is_too_short() -> None:
    angle = np.concatenate([np.zeros(200), 30.0 * ease(0.3), 30.0 * ease(0.3)[::-1], np.zeros(200)])
    assert any("it took 0." in reason for reason in measured(series(angle)).reasons)


def test_the_document_is_in_degrees_and_seconds() -> None:
    document = measured(series(curve())).to_document()
    assert document["end_deg"] == pytest.approx(80.0, abs=0.1)
    assert document["valid"] is True
    assert document["t_start_s"] == pytest.approx(2.2, abs=0.3)
