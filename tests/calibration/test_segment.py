"""What is open about two alignments: errors that make up their covariances and turn both segments alike."""

import math
from dataclasses import replace

import numpy as np
import pytest

from calibration.segment import JointCalibration, SegmentAlignment
from imu import quaternion
from imu.block import FloatArray

ZERO, AXIS = math.radians(3.5), math.radians(1.0)


def joint(rng: np.random.Generator, freedom: int, zero: float = ZERO) -> JointCalibration:
    """Return a joint whose alignments are open in all directions."""
    ends: list[SegmentAlignment] = []
    for name in ("right_thigh", "right_shank"):
        root = np.radians(5.0) * rng.standard_normal((3, 3))
        ends.append(replace(SegmentAlignment.identity(name, name), covariance=root @ root.T))
    bent = quaternion.normalise(np.array([1.0, *(0.1 * rng.standard_normal(3))]))
    joint = JointCalibration("right_knee", freedom, ends[0], ends[1])
    return replace(joint, zero_sigma=zero, axis_sigma=AXIS, q_neutral=bent)


def squares(errors: FloatArray, which: int) -> FloatArray:
    """Return the covariance (3, 3) that errors (K, 2, 3) make of one segment."""
    return errors[:, which].T @ errors[:, which]


@pytest.fixture(params=range(10))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_without_a_pose_the_errors_are_those_of_two_alignments(rng: np.random.Generator) -> None:
    found = joint(rng, 2, math.nan)
    errors = found.alignment_errors()
    np.testing.assert_allclose(squares(errors, 0), found.proximal.covariance, atol=1e-12)
    np.testing.assert_allclose(squares(errors, 1), found.distal.covariance, atol=1e-12)
    assert not (errors[:, 0] * errors[:, 1]).any()


@pytest.mark.parametrize("freedom", [1, 2, 3])
def test_who_leans_in_the_pose_takes_both_segments_along(rng: np.random.Generator, freedom: int) -> None:
    found = joint(rng, freedom)
    errors = found.alignment_errors()
    shared = errors[np.abs(errors).sum(axis=2).min(axis=1) > 0.0]
    assert len(shared) == (3 if freedom == 1 else 2)
    upper, lower = (quaternion.from_rotation_vector(shared[:, k]) for k in (0, 1))
    seen = quaternion.multiply(quaternion.conjugate(upper), quaternion.multiply(found.q_neutral, lower))
    np.testing.assert_allclose(seen, np.tile(found.q_neutral, (len(shared), 1)), atol=1e-12)
    leans = np.sqrt(np.diag(found.proximal.covariance))[[0, 2]]
    assert sorted(np.abs(shared[:, 0][:, [0, 2]]).max(axis=1))[-2:] == pytest.approx(sorted(leans))


def test_a_hinge_has_one_axis_in_both_segments(rng: np.random.Generator) -> None:
    hinge, saddle = joint(rng, 1), joint(rng, 2)
    surer = min(math.sqrt(each.covariance[1, 1]) for each in (hinge.proximal, hinge.distal))
    assert squares(hinge.alignment_errors(), 0)[1, 1] == pytest.approx(surer**2 + AXIS**2)
    for which, end in enumerate((saddle.proximal, saddle.distal)):
        own = saddle.alignment_errors()
        own = own[np.abs(own[:, 1 - which]).sum(axis=1) == 0.0]
        assert squares(own, which)[1, 1] == pytest.approx(end.covariance[1, 1])
    lost = replace(hinge, axis_sigma=math.nan)
    assert np.isfinite(lost.alignment_errors()).all()


def test_how_bent_the_joint_was_is_on_the_distal_side(rng: np.random.Generator) -> None:
    errors = joint(rng, 1).alignment_errors()
    own = errors[np.abs(errors[:, 0]).sum(axis=1) == 0.0]
    np.testing.assert_allclose(squares(own, 1), np.diag([ZERO**2, 0.0, ZERO**2]), atol=1e-15)
