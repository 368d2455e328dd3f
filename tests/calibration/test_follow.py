"""The compiled steps of the follower, held to the textbook in plain numpy and scipy."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration import relative, smoother
from calibration.acquire import NOISE_SECONDS, OFFSET, REACH, SLOW, Acquisition
from calibration.hinge_fit import Movement, refine
from calibration.linear import backward, forward, root
from calibration.relative_state import (
    AXES,
    CENTRE,
    HEADING,
    NOTED,
    RATE,
    SIZE,
    TURN,
    VALUES,
    RelativeParams,
    Stretch,
)
from calibration.rotation import matrix_of, quaternion_at
from imu import quaternion
from imu.block import FloatArray

PARAMS = RelativeParams()
UNASKED = np.zeros((0, NOTED))
SECONDS = 0.2
FADE = math.exp(-SECONDS / PARAMS.rate_time)


def somewhere(seed: int) -> tuple[np.random.Generator, FloatArray, FloatArray]:
    """Return the values and the covariance of some state."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=VALUES) * 0.1
    values[:4] = quaternion.normalise(rng.normal(size=4))
    for start in (17, 20):
        values[start : start + 3] /= np.linalg.norm(values[start : start + 3])
    values[25], values[26] = 0.09, 0.03
    spread = rng.normal(size=(SIZE, SIZE)) * 0.05
    return rng, values, spread @ spread.T + np.eye(SIZE) * 1e-3


def some_stretch(rng: np.random.Generator) -> Stretch:
    """Return a stretch in which both sensors move."""
    begin, end = quaternion.from_rotation_vector(rng.normal(size=(2, 3)) * 0.1)
    force = rng.normal(size=(2, 3)) + np.array([0.0, 0.0, 9.8])
    maps = rng.normal(size=(2, 2, 3, 3)) * 0.2
    return Stretch(force, maps[0], maps[1], begin, end, np.array([0.3, 0.5]), SECONDS)


def moved_by(values: FloatArray, step: FloatArray) -> FloatArray:
    """Return values moved by an error vector, by scipy's rotations; axes to first order."""
    out = values.copy()
    turn = Rotation.from_quat(values[:4], scalar_first=True)
    x, y, z = step[:3] / 2.0
    small = Rotation.from_quat([math.sqrt(1.0 - x * x - y * y - z * z), x, y, z], scalar_first=True)
    out[:4] = (small * turn).as_quat(scalar_first=True)
    out[4:17] += step[3:16]
    out[23:25] += step[22:24]
    for at in (16, 19):
        axis = values[at + 1 : at + 4]
        axis = axis + np.cross(step[at : at + 3], axis)
        out[at + 1 : at + 4] = axis / np.linalg.norm(axis)
    return out


def assert_same_state(values: FloatArray, expected: FloatArray) -> None:
    sign = 1.0 if values[:4] @ expected[:4] > 0.0 else -1.0
    np.testing.assert_allclose(values[:4], sign * expected[:4], atol=1e-12)
    np.testing.assert_allclose(values[4:25], expected[4:25], atol=1e-12)


def passage() -> FloatArray:
    """Return how the error state passes through a stretch, as a matrix."""
    matrix = np.eye(SIZE)
    matrix[HEADING, RATE], matrix[RATE, RATE] = SECONDS, FADE
    return matrix


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_look_is_kalmans(rows: int) -> None:
    rng, values, covariance = somewhere(rows)
    slope, error = rng.normal(size=(rows, SIZE)), rng.normal(size=(rows, 1)) * 0.05
    before, prior = values.copy(), covariance.copy()
    relative.look(values, covariance, slope, error, 0.04, UNASKED)
    gain = prior @ slope.T @ np.linalg.inv(slope @ prior @ slope.T + 0.04 * np.eye(rows))
    assert_same_state(values, moved_by(before, (gain @ error)[:, 0]))
    np.testing.assert_allclose(covariance, (np.eye(SIZE) - gain @ slope) @ prior, atol=1e-12)
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_time_takes_the_covariance_the_way_it_says() -> None:
    rng, values, covariance = somewhere(4)
    stretch, prior, before = some_stretch(rng), covariance.copy(), values.copy()
    relative.predict(values, covariance, PARAMS, stretch, 1e-3)
    matrix = passage()
    added = covariance - matrix @ prior @ matrix.T
    np.testing.assert_allclose(added, np.diag(np.diag(added)), atol=1e-12)
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.diag(added).min() > -1e-12
    np.testing.assert_allclose(added[RATE, RATE], 1e-6 * (1.0 - FADE * FADE), atol=1e-12)
    np.testing.assert_allclose(np.diag(added)[CENTRE], PARAMS.lever_walk**2 * SECONDS, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > 0.0
    drift = Rotation.from_rotvec([0.0, 0.0, before[4] * 0.2])
    begin, turn, end = (
        Rotation.from_quat(q, scalar_first=True) for q in (stretch.begin, before[:4], stretch.end)
    )
    then = begin * drift * turn * end
    assert (Rotation.from_quat(values[:4], scalar_first=True) * then.inv()).magnitude() < 1e-5
    np.testing.assert_allclose(values[4], before[4] * math.exp(-0.2 / PARAMS.rate_time))


def test_the_slope_of_a_force_is_what_the_relation_loses_when_the_state_errs() -> None:
    """A force felt without noise pulls the state, of which only the centre is open, to where it was."""
    rng, values, _ = somewhere(5)
    stretch = some_stretch(rng)
    turn = np.array(matrix_of(quaternion_at(values)))
    centre, offset = values[5:11], values[11:17]
    carried = stretch.carried[1] @ offset[3:] + stretch.lever[1] @ centre[3:]
    first = stretch.lever[0] @ centre[:3] + stretch.carried[0] @ offset[:3]
    first = first + turn @ (stretch.force[1] - carried)
    exact = stretch._replace(force=np.stack([first, stretch.force[1]]), turned=np.array([9.0, 9.0]))
    believed = values.copy()
    believed[5:8] += 0.01
    believed[25], believed[26] = 1e-12, 0.0
    covariance = np.diag(np.full(SIZE, 1e-14))
    covariance[CENTRE, CENTRE] = np.diag([1.0, 1.0, 1.0, 1e-14, 1e-14, 1e-14])
    relative.feel(believed, covariance, PARAMS._replace(force_floor=1e-6), exact, True, UNASKED)
    np.testing.assert_allclose(believed[5:11], centre, atol=1e-4)


@pytest.mark.parametrize("carrying", [math.nan, 1.3])
def test_the_slope_of_the_axes_is_their_derivative(carrying: float) -> None:
    _, values, _ = somewhere(6)
    upper, lower = Rotation.from_rotvec(np.random.default_rng(1).normal(size=(2, 3))).as_matrix()
    error, slope = relative.axis_rows(values, upper, lower, carrying)
    for e in range(SIZE):
        step = np.zeros(SIZE)
        step[e] = 1e-6
        ahead, _ = relative.axis_rows(moved_by(values, step), upper, lower, carrying)
        back, _ = relative.axis_rows(moved_by(values, -step), upper, lower, carrying)
        np.testing.assert_allclose(slope[:, e], (back - ahead) / 2e-6, atol=1e-8)
    assert error.size == (3 if math.isnan(carrying) else 1)


def test_turn_and_axes_give_way_by_their_covariance_times_the_pull() -> None:
    rng, values, covariance = somewhere(7)
    pull = rng.normal(size=SIZE) * 0.1
    shared = np.r_[TURN, AXES]
    step = np.zeros(SIZE)
    step[shared] = covariance[shared] @ pull
    before = values.copy()
    relative.give_way(values, covariance[shared], pull)
    assert_same_state(values, moved_by(before, step))


def test_pull_and_weight_of_later_looks_give_the_sweep_of_rauch_tung_and_striebel() -> None:
    """Look, time, look, time, look: back through the five, by gains, and by pull and weight."""
    rng, values, covariance = somewhere(8)
    looks: list[tuple[FloatArray, FloatArray]] = []
    passed: list[tuple[FloatArray, FloatArray]] = []
    for rows in (1, 3, 2):
        slope, error, note = (
            rng.normal(size=(rows, SIZE)),
            rng.normal(size=(rows, 1)),
            np.zeros((rows, NOTED)),
        )
        gain = covariance @ slope.T @ np.linalg.inv(slope @ covariance @ slope.T + 0.04 * np.eye(rows))
        relative.look(values, covariance, slope, error, 0.04, note)
        looks.append((note, (gain @ error)[:, 0]))
        if rows != 2:
            looked = covariance.copy()
            relative.predict(values, covariance, PARAMS, some_stretch(rng), 1e-3)
            passed.append((looked, covariance.copy()))
    weight, pull, known, step = np.zeros((SIZE, SIZE)), np.zeros(SIZE), covariance, np.zeros(SIZE)
    for (note, seen), (looked, foreseen) in zip(looks[:0:-1], passed[::-1], strict=True):
        smoother.weigh_before(weight, note)
        smoother.pull_before(pull, note)
        for each in (weight, weight.T, pull.reshape(-1, 1)):
            relative.retreat(each, SECONDS, FADE)
        gain = looked @ passage().T @ np.linalg.inv(foreseen)
        known = looked + gain @ (known - foreseen) @ gain.T
        step = gain @ (seen + step)
        np.testing.assert_allclose(looked - looked @ weight @ looked, known, atol=1e-12)
        np.testing.assert_allclose(looked @ pull, step, atol=1e-12)


def test_roots_solve_what_numpy_solves() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=(9, 9)), rng.normal(size=(9, 4))
    m = a @ a.T + np.eye(9)
    upper = root(m)
    np.testing.assert_allclose(backward(upper, forward(upper, b)), np.linalg.solve(m, b), atol=1e-10)


def hear(circle: Acquisition, felt: FloatArray) -> None:
    """Let a circle hear stretches (K, 2, 3, 7): maps from lever and offset, and forces, all known."""
    lever, carried, force = (np.ascontiguousarray(felt[..., at]) for at in (slice(3), slice(3, 6), 6))
    circle.forces(lever, carried, force, np.ones(len(felt), np.bool_), 0.2)


def test_the_joint_centre_on_the_circle_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(9)
    felt = rng.normal(size=(40, 2, 3, 7))
    circle, keep = Acquisition(), math.exp(-0.2 / SLOW)
    slow, brisk = felt[0], np.empty_like(felt)
    for part in (felt[:25], felt[25:]):
        hear(circle, part)
    circle.take_in(0.2, 0.0)
    for k, each in enumerate(felt):
        slow = keep * slow + (1.0 - keep) * each
        brisk[k] = each - slow
    noise, lasting = 0.3, 5.0
    likelihood = circle.solve(0.2, noise, 0.5)
    known = np.diag([noise * math.sqrt(lasting) / REACH] * 3 + [noise * math.sqrt(lasting) / OFFSET] * 3)
    misfits: list[float] = []
    for at in range(72):
        turn = Rotation.from_euler("z", 5.0 * at, degrees=True).as_matrix()
        rows = np.concatenate([np.hstack([one[:, :6], -turn @ two[:, :6]]) for one, two in brisk])
        errors = np.concatenate([one[:, 6] - turn @ two[:, 6] for one, two in brisk])
        rows = np.concatenate([rows, np.kron(np.eye(2), known)])
        errors = np.concatenate([errors, np.zeros(12)])
        expected = np.linalg.lstsq(rows, errors, rcond=None)[0]
        centre = circle.centre(at, 0.2, noise, 0.5)
        np.testing.assert_allclose(centre, expected[[0, 1, 2, 6, 7, 8]], atol=1e-9)
        misfits.append(float(((rows @ expected - errors) ** 2).sum()))
    told = NOISE_SECONDS / 0.2
    variance = lasting * (told * noise**2 + min(misfits) / 3.0) / (told + 40.0)
    expected = np.exp(-0.5 * (np.array(misfits) - min(misfits)) / variance)
    np.testing.assert_allclose(likelihood, expected / expected.sum(), atol=1e-9)


def test_an_error_of_inclination_that_lasts_says_nothing_of_heading() -> None:
    """Constant forces, as gravity leaves them where a filter is wrong about the vertical, weigh nothing."""
    rng = np.random.default_rng(11)
    circle, felt = Acquisition(), np.zeros((2, 3, 7))
    felt[:, :, 6] = rng.normal(size=(2, 3))
    hear(circle, np.tile(felt, (50, 1, 1, 1)))
    circle.take_in(0.2, 0.0)
    likelihood = circle.solve(0.2, 0.3, 0.5)
    np.testing.assert_allclose(likelihood, 1.0 / 72.0, atol=1e-12)


def test_a_refined_axis_is_where_no_small_step_costs_less() -> None:
    rng = np.random.default_rng(10)
    count = 200
    bend = Rotation.from_rotvec(np.outer(np.sin(np.arange(count) * 0.2), [0.0, 0.0, 0.8]))
    first = Rotation.from_rotvec(np.cumsum(rng.normal(size=(count, 3)) * 0.05, axis=0))
    noise = Rotation.from_rotvec(rng.normal(size=(count, 3)) * 0.02)
    second = Rotation.from_euler("z", -0.7) * first * bend * noise
    rates = rng.normal(size=(2, count, 3)) * 0.01
    rates[1] += first.apply(np.outer(np.cos(np.arange(count) * 0.2), [0.0, 0.0, 0.8]))
    turned = Rotation.from_euler("z", -0.7)
    rates[1] = turned.apply(rates[1])
    lines = np.array([[0.1, 0.0, 1.0], [np.nan, np.nan, np.nan]])
    lines[0] /= np.linalg.norm(lines[0])
    place = np.linspace(0.0, 2.0, count)
    data = Movement(first.as_matrix(), second.as_matrix(), rates, place, lines, 0.6, 0.2, 4.0)
    fit = np.array([0.1, 0.2, 0.9, -0.1, 0.1, 0.9, 0.5, 0.6, 0.7])
    fit[:3], fit[3:6] = fit[:3] / np.linalg.norm(fit[:3]), fit[3:6] / np.linalg.norm(fit[3:6])
    cost, normal = refine(data, fit, 40)
    np.testing.assert_allclose(np.abs(fit[[2, 5]]), 1.0, atol=0.01)
    np.testing.assert_allclose(fit[6:], 0.7, atol=0.05)
    np.testing.assert_array_equal(normal, normal.T)
    assert np.linalg.eigvalsh(normal).min() > 0.0
    for k in range(9):
        for step in (-1e-2, 1e-2):
            near = fit.copy()
            near[k] += step
            near[:3], near[3:6] = near[:3] / np.linalg.norm(near[:3]), near[3:6] / np.linalg.norm(near[3:6])
            wander = 0.5 * (np.diff(near[6:]) ** 2).sum() / math.radians(1.0) ** 2 * data.inflation
            held = 0.5 * (np.diff(fit[6:]) ** 2).sum() / math.radians(1.0) ** 2 * data.inflation
            assert refine(data, near, 0)[0] + wander > cost + held - 1e-3
