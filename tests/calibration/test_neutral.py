"""How two segments stand in the neutral pose: looks at it tell, and where none does nothing is made up."""

import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.limits import widest_ranges
from calibration.neutral import Look, neutral
from calibration.plan import JointPlan
from calibration.segment import SegmentAlignment
from imu import quaternion
from imu.block import FloatArray

Y = np.array([0.0, 1.0, 0.0])
ELBOW = JointPlan("right_elbow", 2, "right", ("a", "right_upperarm"), ("b", "right_forearm"))
WRIST = replace(ELBOW, joint="right_wrist", proximal=("a", "right_forearm"), distal=("b", "right_hand"))


def stood(plan: JointPlan, turned: float | None, *, sigma: float = 0.1) -> tuple[float, float]:
    """Return how far the distal segment is found to be turned about its length in the pose, and the sigma."""
    ends = SegmentAlignment.identity(*plan.proximal), SegmentAlignment.identity(*plan.distal)
    upright = quaternion.between(Y, np.array([0.0, 0.0, 1.0]))
    distal = quaternion.multiply(upright, quaternion.from_axis_angle(Y, turned or 0.0))
    heading = 0.7
    seen: FloatArray = np.stack([upright, quaternion.multiply(quaternion.about_vertical(-heading), distal)])
    looks = [] if turned is None else [Look(seen, heading, sigma)]
    q, spread = neutral(plan, {end.sensor: end for end in ends}, {"a": Y, "b": Y}, looks)
    found = quaternion.to_rotation_vector(q)
    np.testing.assert_allclose(found[[0, 2]], 0.0, atol=1e-9)
    return float(found[1]), spread


@pytest.mark.parametrize("turned", [-1.2, 0.0, 0.8, 1.6])
def test_a_sure_look_at_the_pose_counts_whatever_was_assumed(turned: float) -> None:
    assert stood(ELBOW, turned, sigma=0.01)[0] == pytest.approx(turned, abs=0.01)
    assert stood(WRIST, turned, sigma=0.01)[0] == pytest.approx(turned, abs=0.01)


def test_a_look_that_began_elsewhere_does_not_count() -> None:
    ends = SegmentAlignment.identity(*WRIST.proximal), SegmentAlignment.identity(*WRIST.distal)
    level = np.stack([np.array([1.0, 0.0, 0.0, 0.0])] * 2)
    q, _ = neutral(WRIST, {end.sensor: end for end in ends}, {"a": Y, "b": Y}, [Look(level, 1.0, 0.01)])
    np.testing.assert_allclose(quaternion.to_rotation_vector(q), 0.0, atol=1e-9)


def test_nobody_knows_how_a_forearm_hangs() -> None:
    found, sigma = stood(ELBOW, None)
    left = replace(ELBOW, side="left", proximal=("a", "left_upperarm"), distal=("b", "left_forearm"))
    mirrored, _ = stood(left, None)
    assert mirrored == pytest.approx(-found)
    for palm in (0.0, math.pi / 2.0):
        assert abs(found - palm) < sigma
    assert sigma > 1.5 * stood(WRIST, None)[1]


@pytest.mark.parametrize("zero", [0.0, math.pi / 2.0])
def test_every_healthy_forearm_is_within_its_limits_whichever_its_zero(zero: float) -> None:
    low, high = widest_ranges("right_forearm", "right", 1)[2]
    assert low < zero - math.radians(85.0)
    assert high > zero + math.radians(85.0)
    np.testing.assert_allclose(widest_ranges("left_forearm", "left", 1)[2], [-high, -low])
