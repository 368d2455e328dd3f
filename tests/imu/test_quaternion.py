"""Quaternions against scipy's rotations, and the laws that every caller leans on."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from imu import quaternion as qt
from imu.block import FloatArray


@pytest.fixture(params=range(12))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def some(rng: np.random.Generator, *shape: int) -> FloatArray:
    """Return unit quaternions, among them exact quarter and half turns."""
    q = qt.normalise(rng.normal(size=(*shape, 4)))
    exact = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, -1], [0.5, 0.5, -0.5, 0.5], [-1, 0, 0, 0]], float)
    pick = rng.integers(0, len(exact), shape)
    return np.where(rng.random(shape)[..., None] < 0.2, exact[pick], q)


def scipy(q: FloatArray) -> Rotation:
    return Rotation.from_quat(q, scalar_first=True)


def assert_same_rotation(got: FloatArray, expected: FloatArray, atol: float = 1e-12) -> None:
    """Compare up to the sign that means nothing."""
    dot = (got * expected).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(np.where(dot < 0.0, -got, got), expected, atol=atol)


def test_product_inverse_and_rotation_are_scipys(rng: np.random.Generator) -> None:
    q, p, v = some(rng, 50), some(rng, 50), rng.normal(size=(50, 3))
    assert_same_rotation(qt.multiply(q, p), (scipy(q) * scipy(p)).as_quat(scalar_first=True))
    assert_same_rotation(qt.conjugate(q), scipy(q).inv().as_quat(scalar_first=True))
    np.testing.assert_allclose(qt.rotate(q, v), scipy(q).apply(v), atol=1e-12)
    np.testing.assert_allclose(qt.to_matrix(q), scipy(q).as_matrix(), atol=1e-12)


def test_products_read_by_cancellation(rng: np.random.Generator) -> None:
    q_b_from_a, q_c_from_b, v_a = some(rng, 20), some(rng, 20), rng.normal(size=(20, 3))
    q_c_from_a = qt.multiply(q_c_from_b, q_b_from_a)
    np.testing.assert_allclose(
        qt.rotate(q_c_from_a, v_a), qt.rotate(q_c_from_b, qt.rotate(q_b_from_a, v_a)), atol=1e-12
    )
    np.testing.assert_allclose(
        qt.rotate(qt.conjugate(q_b_from_a), qt.rotate(q_b_from_a, v_a)), v_a, atol=1e-12
    )


def test_rotation_vectors_are_scipys_and_come_back(rng: np.random.Generator) -> None:
    direction = rng.normal(size=(60, 3))
    direction /= np.sqrt((direction**2).sum(axis=-1, keepdims=True))
    sizes = np.concatenate([[0.0, 1e-300, 1e-13, 1e-9, 1e-5, np.pi - 1e-6], rng.uniform(0.0, np.pi, 54)])
    vector = direction * sizes[:, None]
    q = qt.from_rotation_vector(vector)
    assert_same_rotation(q, Rotation.from_rotvec(vector).as_quat(scalar_first=True))
    np.testing.assert_allclose(qt.to_rotation_vector(q), vector, atol=1e-9)
    np.testing.assert_allclose(qt.angle_of(q), sizes, atol=1e-9)


def test_small_rotation_vectors_keep_their_relative_precision() -> None:
    vector = np.array([3e-10, -4e-10, 1e-11])
    np.testing.assert_allclose(qt.to_rotation_vector(qt.from_rotation_vector(vector)), vector, rtol=1e-12)


def test_axis_and_angle(rng: np.random.Generator) -> None:
    axis = rng.normal(size=3)
    axis /= np.sqrt((axis**2).sum())
    angle = rng.uniform(-7.0, 7.0, 30)
    assert_same_rotation(
        qt.from_axis_angle(axis, angle),
        Rotation.from_rotvec(axis * angle[:, None]).as_quat(scalar_first=True),
    )
    vertical = angle[:, None] * np.array([0.0, 0.0, 1.0])
    assert_same_rotation(qt.about_vertical(angle), Rotation.from_rotvec(vertical).as_quat(scalar_first=True))
    np.testing.assert_allclose(qt.twist(qt.from_axis_angle(axis, angle), axis), qt.wrap(angle), atol=1e-9)


def test_twist_takes_only_the_part_about_its_axis(rng: np.random.Generator) -> None:
    axis = np.array([0.0, 0.0, 1.0])
    angle = rng.uniform(-3.0, 3.0, 40)
    heading = rng.uniform(0.0, 2.0 * np.pi, 40)
    level = np.stack([np.cos(heading), np.sin(heading), np.zeros(40)], axis=-1)
    swing = qt.from_rotation_vector(level * rng.uniform(0.0, 2.9, 40)[:, None])
    np.testing.assert_allclose(qt.twist(qt.multiply(swing, qt.about_vertical(angle)), axis), angle, atol=1e-9)
    np.testing.assert_allclose(qt.twist(qt.multiply(qt.about_vertical(angle), swing), axis), angle, atol=1e-9)


def test_wrap_ends_in_the_half_open_interval() -> None:
    turns = np.array([np.pi, -np.pi, 0.0, 3.0 * np.pi, 7.0, -7.0, 1e6])
    got = qt.wrap(turns)
    assert ((got > -np.pi) & (got <= np.pi)).all()
    assert got[0] == got[1] == np.pi
    np.testing.assert_allclose(np.exp(1j * got), np.exp(1j * turns), atol=1e-9)


def test_matrices_come_back_for_every_face_of_the_cube(rng: np.random.Generator) -> None:
    faces = Rotation.create_group("O").as_matrix()
    matrices = np.concatenate([faces, Rotation.random(100, rng=rng).as_matrix()])
    q = qt.from_matrix(matrices)
    assert (q[:, 0] >= 0.0).all()
    np.testing.assert_allclose(qt.to_matrix(q), matrices, atol=1e-12)


def test_slerp_is_scipys_on_the_shorter_arc(rng: np.random.Generator) -> None:
    q0, q1, share = some(rng), some(rng), rng.uniform(0.0, 1.0, 9)
    if qt.angle_of(qt.multiply(qt.conjugate(q0), q1)) > 3.14:
        pytest.skip("the two lie opposite each other: either arc is the shorter one")
    expected = Slerp([0.0, 1.0], scipy(np.stack([q0, q1])))(share).as_quat(scalar_first=True)
    assert_same_rotation(qt.slerp(q0, q1, share), expected)
    assert_same_rotation(qt.slerp(q0, -q1, share), expected)


def test_between_turns_one_onto_the_other_by_the_shortest_way(rng: np.random.Generator) -> None:
    a, b = (qt.rotate(some(rng, 40), np.array([0.0, 1.0, 0.0])) for _ in range(2))
    b[:10] = -a[:10]
    b[10:20] = a[10:20]
    q = qt.between(a, b)
    np.testing.assert_allclose(qt.rotate(q, a), b, atol=1e-7)
    np.testing.assert_allclose(qt.angle_of(q), np.arccos(np.clip((a * b).sum(axis=-1), -1.0, 1.0)), atol=1e-7)


def test_the_mean_is_scipys_whatever_the_signs(rng: np.random.Generator) -> None:
    centre = some(rng)
    q = qt.multiply(centre, qt.from_rotation_vector(rng.normal(0.0, 0.3, (30, 3))))
    signs = np.where(rng.random(30) < 0.5, -1.0, 1.0)
    q[5] = np.nan
    got = qt.mean(q * signs[:, None])
    assert got[0] >= 0.0
    assert_same_rotation(got, scipy(np.delete(q, 5, axis=0)).mean().as_quat(scalar_first=True), atol=1e-9)


def test_the_mean_of_nothing_is_unknown() -> None:
    assert np.isnan(qt.mean(np.full((3, 4), np.nan))).all()
    assert np.isnan(qt.mean(np.empty((0, 4)))).all()


def test_a_zero_quaternion_is_unknown_not_a_rotation() -> None:
    assert np.isnan(qt.normalise(np.zeros((2, 4)))).all()


AXIS = np.array([0.6, 0.0, 0.8])
VECTOR = np.array([1.0, -2.0, 0.5])
OTHER = np.array([0.5, -0.5, 0.5, 0.5])
ROWWISE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "multiply_left": lambda q: qt.multiply(q, OTHER),
    "multiply_right": lambda q: qt.multiply(OTHER, q),
    "conjugate": qt.conjugate,
    "rotate": lambda q: qt.rotate(q, VECTOR),
    "normalise": qt.normalise,
    "to_rotation_vector": qt.to_rotation_vector,
    "angle_of": qt.angle_of,
    "twist": lambda q: qt.twist(q, AXIS),
    "to_matrix": qt.to_matrix,
    "from_matrix": lambda q: qt.from_matrix(qt.to_matrix(q)),
    "slerp": lambda q: qt.slerp(OTHER, q, np.full(q.shape[:-1], 0.3)),
    "from_rotation_vector": lambda q: qt.from_rotation_vector(q[..., 1:]),
    "between": lambda q: qt.between(qt.rotate(q, AXIS), np.broadcast_to(AXIS, (*q.shape[:-1], 3))),
}


@pytest.mark.parametrize("name", ROWWISE)
def test_a_row_does_not_depend_on_the_rows_that_come_with_it(name: str) -> None:
    function = ROWWISE[name]
    q = some(np.random.default_rng(11), 257)
    together = function(q)
    for edges in ([0, 1, 2, 5, 257], [0, 128, 257], list(range(258))):
        pieces = [function(q[start:stop]) for start, stop in itertools.pairwise(edges)]
        assert np.concatenate(pieces).tobytes() == together.tobytes()
    assert function(q[100]).tobytes() == together[100].tobytes()


@pytest.mark.parametrize("name", ROWWISE)
def test_unknown_in_gives_unknown_out_and_touches_no_other_row(name: str) -> None:
    function = ROWWISE[name]
    q = some(np.random.default_rng(12), 7)
    clean = function(q)
    q[3] = np.nan
    dirty = function(q)
    assert np.isnan(dirty[3]).all()
    assert np.delete(dirty, 3, axis=0).tobytes() == np.delete(clean, 3, axis=0).tobytes()


@pytest.mark.parametrize(
    "name", ["rotate", "to_rotation_vector", "angle_of", "twist", "to_matrix", "from_matrix", "slerp"]
)
def test_q_and_minus_q_are_the_same_rotation(name: str) -> None:
    q = some(np.random.default_rng(13), 50)
    q = q[(qt.angle_of(q) < 3.14) & (qt.angle_of(qt.multiply(qt.conjugate(OTHER), q)) < 3.14)]
    one, other = ROWWISE[name](q), ROWWISE[name](-q)
    if name == "slerp":
        assert_same_rotation(one, other)
    else:
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_arguments_broadcast(rng: np.random.Generator) -> None:
    q, v = some(rng, 5, 1), rng.normal(size=(3, 3))
    assert qt.rotate(q, v).shape == (5, 3, 3)
    assert qt.multiply(q, some(rng, 3)).shape == (5, 3, 4)
    assert qt.from_axis_angle(AXIS, np.zeros((2, 6))).shape == (2, 6, 4)
    np.testing.assert_array_equal(qt.rotate(q, v)[2, 1], qt.rotate(q[2, 0], v[1]))
