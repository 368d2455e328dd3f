"""Do gyroscope, accelerometer and orientation of a file speak of one sensor? If not, the likely reason.

Gravity is fixed in the earth: in the sensor its direction g turns by dg/dt = -gyr x g. What turns with
another sign, about another axis or by another factor was exported in other axes or another unit.
"""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

from imu.block import STANDARD_GRAVITY, FloatArray, ImuBlock
from imu.errors import InputError
from imu.quaternion import conjugate, multiply, rotate, to_rotation_vector

_NEAR_GRAVITY = 0.15
_SMALLEST_TURN = 0.03
_FEWEST = 8
_LEAST_TURNING = 1.0
_FITS, _FITS_NOT = 0.9, 0.5
_DEGREES = 20.0
_UNIT_TOLERANCE, _UNIT_SHARE = 0.02, 0.01
_UPRIGHT = np.radians(15.0)
_ORDERS = {
    "w, x, y, z from sensor to earth": (0, 1, 2, 3, 1),
    "w, x, y, z from earth to sensor (the inverse)": (0, 1, 2, 3, -1),
    "x, y, z, w": (3, 0, 1, 2, 1),
    "x, y, z, w from earth to sensor (the inverse)": (3, 0, 1, 2, -1),
}


def check_axes(name: str, acc: FloatArray, gyr: FloatArray, seconds: FloatArray) -> None:
    """Raise if the gyroscope turns in other axes, or by far less, than gravity does in the sensor.

    Parameters
    ----------
    name
        Of the sensor.
    acc, gyr : (W, 3)
        Means over consecutive short windows, m/s^2 and rad/s.
    seconds : (W,)
        Length of each window.

    Raises
    ------
    InputError
        If other axes or another unit fit well and those given do not.
    """
    size = np.sqrt((acc**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = acc / size[:, None]
        still = np.abs(size / STANDARD_GRAVITY - 1.0) < _NEAR_GRAVITY
    seen = np.diff(direction, axis=0)
    middle = 0.5 * (direction[1:] + direction[:-1])
    turn = 0.5 * (gyr[1:] + gyr[:-1]) * seconds[1:, None]
    far = np.sqrt((seen**2).sum(axis=1))
    good = still[1:] & still[:-1] & (far > _SMALLEST_TURN) & np.isfinite(turn).all(axis=1)
    if good.sum() < _FEWEST or far[good].sum() < _LEAST_TURNING:
        return
    seen, middle, turn = seen[good], middle[good], turn[good]
    fit, factor = _agreement(seen, _moved(turn, middle))
    if fit > _FITS and factor > _DEGREES:
        raise InputError(
            f"{name}: gravity turns {factor:.0f} times as far in the sensor as the gyroscope says; it is "
            "probably in rad/s: declare its unit as rad/s"
        )
    if fit > _FITS_NOT:
        return
    best, axes = max(
        (_agreement(seen, _moved(turn @ matrix.T, middle))[0], axes) for matrix, axes in _turned()
    )
    if best > _FITS:
        raise InputError(
            f"{name}: the gyroscope turns about other axes than gravity does in the sensor; its columns are "
            f"probably {axes} of the accelerometer's axes: name them in the accelerometer's order and sign"
        )


def _moved(turn: FloatArray, direction: FloatArray) -> FloatArray:
    """Return how far directions fixed in the earth move in a sensor that turns."""
    return np.asarray(np.cross(direction, turn), dtype=np.float64)


def _agreement(seen: FloatArray, said: FloatArray) -> tuple[float, float]:
    """Return the correlation of two sets of vectors, and by which factor the first is larger."""
    both, own = float((seen * said).sum()), float((said**2).sum())
    if own == 0.0:
        return 0.0, 0.0
    return both / np.sqrt(own * float((seen**2).sum())), both / own


def _turned() -> Iterator[tuple[FloatArray, str]]:
    """Yield the 47 other ways to name and sign three axes, and their names."""
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            back = matrix.T
            names = [f"{'-' if row.sum() < 0 else ''}{'xyz'[int(np.argmax(np.abs(row)))]}" for row in back]
            if not np.array_equal(matrix, np.eye(3)):
                yield matrix, f"({', '.join(names)})"


def check_unit(name: str, q: FloatArray) -> None:
    """Raise unless quaternions (N, 4) have length 1; rows with NaN do not count."""
    size = np.sqrt((q**2).sum(axis=1))
    size = size[np.isfinite(size)]
    if not len(size):
        raise InputError(f"{name}: expected orientations, but every row lacks a number; export them again")
    wrong = np.abs(size - 1.0) > _UNIT_TOLERANCE
    if wrong.mean() > _UNIT_SHARE:
        raise InputError(
            f"{name}: a quaternion has length 1, but {int(wrong.sum())} of {len(size)} rows have others "
            f"(median {np.median(size[wrong]):.3g}); the columns are probably not the four of one"
        )


def check_orientation(name: str, q_earth_from_sensor: FloatArray, block: ImuBlock) -> None:
    """Raise if orientations (N, 4) contradict what the sensor felt and another order of numbers does not.

    Raises
    ------
    InputError
        If they have not length 1, or are in another order or direction; the sentence names it.
    """
    check_unit(name, q_earth_from_sensor)
    declared, *others = (
        (words, *_misfit(q_earth_from_sensor[:, order] * np.array([1.0, sign, sign, sign]), block))
        for words, (*order, sign) in _ORDERS.items()
    )
    if declared[1] < _UPRIGHT and declared[2] < _FITS_NOT:
        return
    for words, lean, slip in others:
        if lean < _UPRIGHT and slip < _FITS_NOT:
            raise InputError(
                f"{name}: with these orientations gravity would lie {np.degrees(declared[1]):.0f} degrees "
                f"from the vertical; the four numbers are probably {words}: declare them so"
            )
    raise InputError(
        f"{name}: orientation, gyroscope and accelerometer do not belong together (gravity would lie "
        f"{np.degrees(declared[1]):.0f} degrees from the vertical); check axes and columns"
    )


def _misfit(q: FloatArray, block: ImuBlock) -> tuple[float, float]:
    """Return how far felt gravity is from the vertical, rad, and which share of the turning nobody felt.

    The second compares with the gyroscope, and is 0 while nothing turns.
    """
    up = rotate(q, block.acc)
    size = np.sqrt((up**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        lean = float(np.nanmedian(np.arccos(np.clip(up[:, 2] / size, -1.0, 1.0))))
    turn = to_rotation_vector(multiply(conjugate(q[:-1]), q[1:]))
    said = 0.5 * (block.gyr[1:] + block.gyr[:-1]) * np.diff(block.t)[:, None]
    known = np.isfinite(turn).all(axis=1) & np.isfinite(said).all(axis=1)
    turn, said = turn[known], said[known]
    total = float(np.sqrt((said**2).sum(axis=1)).sum())
    if total < _LEAST_TURNING:
        return lean, 0.0
    return lean, float(np.sqrt(((turn - said) ** 2).sum(axis=1)).sum()) / total
