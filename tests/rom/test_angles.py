"""Joint angles: scipy as the oracle, mirrored sides alike, errors that arrive as large as they were sent."""

from typing import Literal

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from imu import quaternion
from imu.block import FloatArray
from imu.errors import InputError
from rom.angles import angle_errors, inclination_errors, joint_angles, period, segment_inclination
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import AngleRule, Side

MOVEMENTS = load_catalogue().movements
BETWEEN = {name: m.angle for name, m in MOVEMENTS.items() if m.angle.kind != "inclination"}
RULES = [
    AngleRule("cardan_zxy", 0, 1, 1),
    AngleRule("cardan_zxy", 1, 1, -1),
    AngleRule("cardan_xzy", 2, -1, 1),
    AngleRule("elevation", 0, 1, 1),
    AngleRule("plane_of_elevation", 2, 1, -1),
]
N = 400


def turns(seed: int, n: int = N) -> FloatArray:
    """Return random rotations."""
    return quaternion.normalise(np.random.default_rng(seed).normal(size=(n, 4)))


def mirrored(q: FloatArray) -> FloatArray:
    """Return rotations seen in the sagittal mirror: turns about X and Y change sign."""
    return q * np.array([1.0, -1.0, -1.0, 1.0])


@pytest.mark.parametrize("kind", ["cardan_zxy", "cardan_xzy"])
@pytest.mark.parametrize("component", [0, 1, 2])
def test_cardan_angles_are_scipys(
    kind: Literal["cardan_zxy", "cardan_xzy"], component: Literal[0, 1, 2]
) -> None:
    q = turns(1)
    order = "ZXY" if kind == "cardan_zxy" else "XZY"
    euler = dict(zip(order, Rotation.from_quat(q, scalar_first=True).as_euler(order).T, strict=True))
    expected = [euler["ZXY"[component]], *(euler[a] for a in "ZXY" if a != "ZXY"[component])]
    found = joint_angles(AngleRule(kind, component, 1, -1), "right", q)
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), atol=1e-12)


def test_elevation_and_its_plane_are_those_of_the_y_x_y_sequence() -> None:
    q = turns(2)
    plane, elevation, axial = Rotation.from_quat(q, scalar_first=True).as_euler("YXY").T
    found = joint_angles(AngleRule("elevation", 0, 1, 1), "right", q)
    np.testing.assert_allclose(found[:, 0], np.abs(elevation), atol=1e-9)
    flipped = quaternion.wrap(plane + np.pi)
    np.testing.assert_allclose(quaternion.wrap(found[:, 1] - flipped), 0.0, atol=1e-9)
    np.testing.assert_allclose(quaternion.wrap(found[:, 2] - plane - axial), 0.0, atol=1e-7)


@pytest.mark.parametrize(("forwards", "plane"), [(False, 0.0), (True, np.pi / 2.0)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_an_arm_to_its_own_side_is_in_plane_0_and_to_the_front_in_90(
    side: Side, forwards: bool, plane: float
) -> None:
    outwards = np.array([-1.0, 0.0, 0.0]) * (1.0 if side == "right" else -1.0)
    axis = np.array([0.0, 0.0, 1.0]) if forwards else outwards
    arm = quaternion.from_axis_angle(axis, np.array([1.0]))
    rule = MOVEMENTS["sh_flexion"].angle
    elevation, found, _ = joint_angles(rule, side, arm)[0]
    assert elevation == pytest.approx(1.0)
    assert found == pytest.approx(plane, abs=1e-12)


@pytest.mark.parametrize("name", sorted(n for n in BETWEEN if MOVEMENTS[n].laterality == "L/R"))
def test_mirrored_limbs_give_the_same_clinical_numbers(name: str) -> None:
    rule = BETWEEN[name]
    q = turns(3)
    right, left = joint_angles(rule, "right", q), joint_angles(rule, "left", mirrored(q))
    np.testing.assert_allclose(quaternion.wrap(right - left), 0.0, atol=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind}{rule.component}")
def test_q_and_minus_q_are_one_pose(rule: AngleRule) -> None:
    q = turns(4)
    found = joint_angles(rule, "left", -q) - joint_angles(rule, "left", q)
    np.testing.assert_allclose(quaternion.wrap(found), 0.0, atol=1e-12)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("angle", [-1.2, 0.4, 1.5])
def test_an_inclination_is_what_was_leant(side: Side, angle: float) -> None:
    upright = quaternion.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.pi / 2.0)
    turned = quaternion.multiply(
        quaternion.about_vertical(np.array([0.7])),
        quaternion.multiply(
            upright, quaternion.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array([angle]))
        ),
    )
    rule = AngleRule("inclination", 0, -1, -1, "shank", "vertical")
    found = segment_inclination(rule, side, turned)[0]
    assert found[0] == pytest.approx(-angle)
    assert found[1] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(found[2])


def slopes(rule: AngleRule, q: FloatArray, nudge: FloatArray, after: bool) -> FloatArray:
    """Return the change of the angles (N, 3, 3) per small turn about axes (3, N, 3), by differences."""
    step = 1e-6
    base = joint_angles(rule, "right", q)
    columns: list[FloatArray] = []
    for axis in nudge:
        turn = quaternion.from_rotation_vector(axis * step)
        moved = quaternion.multiply(q, turn) if after else quaternion.multiply(turn, q)
        columns.append(quaternion.wrap(joint_angles(rule, "right", moved) - base) / step)
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind}{rule.component}")
@pytest.mark.parametrize("where", ["earth", "proximal", "distal"])
def test_errors_arrive_as_large_as_they_were_sent(rule: AngleRule, where: str) -> None:
    q, q_earth = turns(5), turns(6)
    root = np.random.default_rng(7).normal(0.0, 0.03, (3, 3))
    covariance, none = root @ root.T, np.zeros((3, 3))
    axes = np.broadcast_to(np.eye(3)[:, None], (3, N, 3))
    if where == "earth":
        axes = np.stack([quaternion.rotate(quaternion.conjugate(q_earth), axis) for axis in np.eye(3)])
    slope = slopes(rule, q, axes, where == "distal")
    expected = np.sqrt(np.einsum("nai,ij,naj->na", slope, covariance, slope))
    found = angle_errors(
        rule,
        "right",
        q_earth_from_proximal=q_earth,
        q_proximal_from_distal=q,
        turn_covariance=np.broadcast_to(covariance if where == "earth" else none, (N, 3, 3)),
        proximal_covariance=covariance if where == "proximal" else none,
        distal_covariance=covariance if where == "distal" else none,
    )
    np.testing.assert_allclose(found.sigma, np.minimum(expected, np.pi), rtol=2e-3, atol=1e-6)
    straps = np.zeros(N) if where == "earth" else found.sigma[:, 0]
    np.testing.assert_allclose(found.strap_sigma, straps, atol=1e-12)
    if where == "earth":
        vertical = np.abs(slope[:, 0, 2]) * np.sqrt(covariance[2, 2])
        np.testing.assert_allclose(found.heading_sigma, np.minimum(vertical, np.pi), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("component", [0, 1])
def test_an_inclinations_error_is_what_was_sent(component: Literal[0, 1]) -> None:
    rule = AngleRule("inclination", component, 1, 1, "shank", "vertical")
    q = turns(8)
    sigma = 0.02
    found = inclination_errors(rule, "right", q, tilt_sigma=0.0, covariance=np.eye(3) * sigma**2)
    slope = [
        quaternion.wrap(
            2.0
            * (
                segment_inclination(rule, "right", quaternion.multiply(q, quaternion.from_rotation_vector(e)))
                - found.angle
            )
        )
        / 2e-6
        for e in np.eye(3) * 1e-6
    ]
    expected = sigma * np.sqrt(sum(s**2 for s in slope))
    np.testing.assert_allclose(found.sigma[:, :2], np.minimum(expected, np.pi)[:, :2], rtol=2e-3, atol=1e-6)


def test_unknown_in_is_unknown_out() -> None:
    q = np.full((2, 4), np.nan)
    for rule in RULES:
        assert np.isnan(joint_angles(rule, "right", q)).all()


def test_the_wrong_function_for_a_rule_says_so() -> None:
    rule = AngleRule("inclination", 0, 1, 1, "shank", "vertical")
    with pytest.raises(InputError, match="use segment_inclination"):
        joint_angles(rule, "right", turns(1))
    with pytest.raises(InputError, match="a turn about Z or X, got cardan_zxy about Z"):
        segment_inclination(RULES[0], "right", turns(1))


def test_the_same_pose_comes_back_after_a_period() -> None:
    assert period(AngleRule("inclination", 0, 1, 1, "shank", "vertical")) == np.pi
    assert period(RULES[0]) == 2.0 * np.pi
    assert np.isinf(period(RULES[3]))
