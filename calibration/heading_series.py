"""What is known of the relative heading at every frame, and what is done to such a series as a whole."""

import math
from dataclasses import dataclass, replace

import numpy as np

from calibration.relative import put_axes
from calibration.relative_state import AXES, HEADING
from calibration.rotation import (
    Quaternion,
    Vector,
    conjugate,
    heading_of,
    product,
    put_quaternion,
    quaternion_at,
    rotated,
    scaled,
    shortest,
    turn_about,
    vector_at,
    vector_of,
)
from calibration.segment import JointCalibration
from imu.block import BoolArray, FloatArray
from imu.compiled import compiled, rowwise, sequential
from imu.sync import Frames

TURN, SHOWN = 3, 22
"""Delta, sigma, whether observable, turn 4, covariance 9 and axes 6: what is shown at a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Relative heading at the instants of frames.

    Parameters
    ----------
    delta : (M,)
        rad, in (-pi, pi]; NaN until first known.
    sigma : (M,)
        One sigma of delta, rad; pi while not known.
    observable : (M,)
        Whether evidence spoke within the last seconds.
    q_earth1_from_earth2 : (M, 4)
        The full turn from the distal sensor's earth frame into the proximal one's: delta about the vertical,
        and the small relative tilt found. Use this one to form the joint's orientation. While delta is not
        known it holds the likeliest one, with a covariance to match.
    covariance : (M, 3, 3)
        Of its error as a rotation vector in the proximal sensor's earth frame, rad^2.
    axes : (M, 2, 3)
        The joint's axes in the proximal and the distal segment, as refined while the session runs; NaN where
        the calibration has none. Already part of `q_earth1_from_earth2`.
    q_earth1_from_shown : (M, 4)
        Turns the proximal segment as its alignment shows it to where its refined axis says that it lies; no
        turn where nothing was refined. `covariance` speaks of the segment so turned.
    """

    delta: FloatArray
    sigma: FloatArray
    observable: BoolArray
    q_earth1_from_earth2: FloatArray
    covariance: FloatArray
    axes: FloatArray
    q_earth1_from_shown: FloatArray


def unmoved(size: int) -> FloatArray:
    """Return turns (size, 4) by nothing."""
    out = np.zeros((size, 4))
    out[:, 0] = 1.0
    return out


def blank(size: int) -> Heading:
    """Return a heading of which nothing is known."""
    covariance = np.zeros((size, 3, 3))
    covariance[:, HEADING, HEADING] = math.pi**2
    return Heading(
        np.full(size, np.nan),
        np.full(size, math.pi),
        np.zeros(size, dtype=np.bool_),
        np.full((size, 4), np.nan),
        covariance,
        np.full((size, 2, 3), np.nan),
        unmoved(size),
    )


@compiled
def row_of(
    values: FloatArray, covariance: FloatArray, hidden: float, known: bool, observable: bool
) -> FloatArray:
    """Return what is known as a row (SHOWN,); `hidden` is heading variance that the state has no part in."""
    row = np.empty(SHOWN)
    row[0], row[1], row[2] = math.nan, math.pi, 0.0
    for k in range(4):
        row[TURN + k] = values[k]
    for i in range(3):
        for j in range(3):
            row[7 + 3 * i + j] = covariance[i, j]
    row[15] += hidden
    put_axes(row[16:], values)
    if known:
        row[0], row[1], row[2] = heading_of(values), math.sqrt(row[15]), 1.0 if observable else 0.0
    return row


class AxisShift:
    """Puts what a session has learnt about a joint's axes between the calibration's alignments and the turn.

    The joint's orientation is formed with the calibration's alignments; with this, every reader of
    `q_earth1_from_earth2` has the refined axes too. What a stretch moved is computed once for the stretch.

    Parameters
    ----------
    joint
        Alignments and axes as the calibration saw them; a joint without axes is left as it is.
    """

    def __init__(self, joint: JointCalibration) -> None:
        self._axes = np.stack([joint.axis_proximal, joint.axis_distal])
        self._alignments = np.stack(
            [joint.proximal.q_sensor_from_segment, joint.distal.q_sensor_from_segment]
        )
        self._known = joint.freedom in (1, 2) and not bool(np.isnan(self._axes).any())

    def moved(self, axes: FloatArray) -> FloatArray:
        """Return the turns (..., 2, 4) of both segments that bring the calibration's axes to (..., 2, 3).

        First about the segment's length, which is what a calibration leaves open, then the shortest way.
        """
        if not self._known:
            return np.full((*axes.shape[:-1], 4), np.nan)
        return _moved(axes, self._axes, self._alignments)

    def segments(
        self, upper: FloatArray, lower: FloatArray, axes: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return two segments (4,), seen by the alignments alone, as axes (2, 3) show them."""
        return _as_shown(upper, lower, axes, self._axes) if self._known else (upper, lower)

    def at_frames(
        self,
        frames: Frames,
        pair: tuple[int, int],
        shown: FloatArray,
        moved: FloatArray,
        span: tuple[int, int],
    ) -> Heading:
        """Return as a heading what is shown during stretches, its turn carrying the axes to where they are.

        Parameters
        ----------
        frames, pair
            The frames, and which of their sensors.
        shown : (K + 1, SHOWN)
            Rows of `row_of`, one for each stretch and one for what comes after the last.
        moved : (K + 1, 2, 4)
            What `moved` gives for the axes in each.
        span
            Frame at which the first stretch begins, and how many frames each lasts. The first row also
            holds for frames before.
        """
        rows = np.empty((len(frames), SHOWN + 4))
        _spread(shown, moved, frames.q, self._alignments, *pair, *span, rows)
        return _heading(rows)

    def between(  # noqa: PLR0917 -- as many as `at_frames` has
        self,
        frames: Frames,
        pair: tuple[int, int],
        states: FloatArray,
        covariances: FloatArray,
        observable: BoolArray,
        span: tuple[int, int],
    ) -> Heading:
        """Return as a heading what was found at the borders of stretches, on the shorter arc between them.

        Parameters
        ----------
        frames, pair, span
            As for `at_frames`.
        states, covariances, observable : (K + 1, VALUES), (K + 1, 3, 3), (K + 1,)
            Values of `relative_state.RelativeState` and covariance of the turn at each border, and whether
            evidence spoke before; the axes are those of the border before a frame.
        """
        rows = np.empty((len(frames), SHOWN + 4))
        moved = self.moved(states[:, AXES.start + 1 : AXES.stop + 1].reshape(-1, 2, 3))
        spoke = observable.astype(np.float64)
        _blend(states, covariances, moved, spoke, frames.q, self._alignments, *pair, *span, rows)
        return _heading(rows)

    def carry(self, heading: Heading, moved: FloatArray, frames: Frames, pair: tuple[int, int]) -> Heading:
        """Return a heading whose turn also carries the axes, moved (M, 2, 4), to where they are now."""
        if not self._known:
            return heading
        upper, lower = frames.q[:, pair[0]], frames.q[:, pair[1]]
        turn, shown = _carried(
            heading.q_earth1_from_earth2,
            *(upper, self._alignments[0], moved[:, 0]),
            *(lower, self._alignments[1], moved[:, 1]),
        )
        return replace(heading, q_earth1_from_earth2=turn, q_earth1_from_shown=shown)


def _heading(rows: FloatArray) -> Heading:
    """Return as a heading what rows (M, SHOWN + 4) hold: as of `row_of`, then what turned the segment."""
    return Heading(
        delta=rows[:, 0],
        sigma=rows[:, 1],
        observable=rows[:, 2] > 0.0,
        q_earth1_from_earth2=rows[:, TURN : TURN + 4],
        covariance=rows[:, 7:16].reshape(-1, 3, 3),
        axes=rows[:, 16:22].reshape(-1, 2, 3),
        q_earth1_from_shown=rows[:, SHOWN:],
    )


@compiled
def _turn_of(axis: Vector, calibrated: Vector) -> Quaternion:
    """Return the turn to one axis from another: about the segment's length (Y), then the shortest way.

    An axis along the length is only turned the shortest way.
    """
    level = math.hypot(axis[0], axis[2]) * math.hypot(calibrated[0], calibrated[2])
    azimuth = math.atan2(axis[0], axis[2]) - math.atan2(calibrated[0], calibrated[2])
    about = turn_about((0.0, azimuth if level > 0.1 else 0.0, 0.0))
    return product(shortest(rotated(about, calibrated), axis), about)


@rowwise("(c),(c),(q)->(q)")
def _moved(axis: FloatArray, calibrated: FloatArray, _alignment: FloatArray, out: FloatArray) -> None:
    """Fill what `_turn_of` returns."""
    put_quaternion(out, _turn_of(vector_at(axis), vector_at(calibrated)))


@compiled
def _as_shown(
    upper: FloatArray, lower: FloatArray, axes: FloatArray, calibrated: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return two segments (4,) turned as their axes (2, 3) are."""
    first, second = np.empty(4), np.empty(4)
    put_quaternion(
        first, product(quaternion_at(upper), _turn_of(vector_at(axes[0]), vector_at(calibrated[0])))
    )
    put_quaternion(
        second, product(quaternion_at(lower), _turn_of(vector_at(axes[1]), vector_at(calibrated[1])))
    )
    return first, second


@compiled
def _in_sensor(alignment: Quaternion, moved: Quaternion) -> Quaternion:
    """Return a turn of a segment as its sensor sees it."""
    return product(product(alignment, moved), conjugate(alignment))


@compiled
def _in_sensors(alignments: FloatArray, moved: FloatArray) -> tuple[Quaternion, Quaternion]:
    """Return the turns (2, 4) of both segments as their sensors, aligned as (2, 4), see them."""
    first = _in_sensor(quaternion_at(alignments[0]), quaternion_at(moved[0]))
    return first, _in_sensor(quaternion_at(alignments[1]), quaternion_at(moved[1]))


@compiled
def _carried_turn(
    turn: Quaternion, ends: tuple[Quaternion, Quaternion], moves: tuple[Quaternion, Quaternion]
) -> tuple[Quaternion, Quaternion]:
    """Return the turn that carries the axes of both segments, and by how much the proximal one was turned.

    `ends` are both sensors in their earth frames, `moves` what `_in_sensor` says of the segments' turns.
    """
    first = product(product(ends[0], moves[0]), conjugate(ends[0]))
    second = product(product(ends[1], moves[1]), conjugate(ends[1]))
    return product(product(conjugate(first), turn), second), first


@rowwise("(n),(n),(n),(n),(n),(n),(n)->(n),(n)")
def _carried(  # noqa: PLR0917 -- a ufunc has no keywords
    turn: FloatArray,
    upper: FloatArray,
    upper_alignment: FloatArray,
    upper_moved: FloatArray,
    lower: FloatArray,
    lower_alignment: FloatArray,
    lower_moved: FloatArray,
    out: FloatArray,
    shown: FloatArray,
) -> None:
    """Fill what `_carried_turn` returns."""
    ends = quaternion_at(upper), quaternion_at(lower)
    first_move = _in_sensor(quaternion_at(upper_alignment), quaternion_at(upper_moved))
    second_move = _in_sensor(quaternion_at(lower_alignment), quaternion_at(lower_moved))
    whole, first = _carried_turn(quaternion_at(turn), ends, (first_move, second_move))
    put_quaternion(out, whole)
    put_quaternion(shown, first)


@sequential("(k,w),(k,p,q),(n,s,q),(p,q),(),(),(),()->(n,r)")
def _spread(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    shown: FloatArray,
    moved: FloatArray,
    q: FloatArray,
    alignments: FloatArray,
    proximal: float,
    distal: float,
    begin: float,
    stride: float,
    rows: FloatArray,
) -> None:
    """Fill, for each frame, the row that is shown, its turn carrying the axes, and what turned the segment.

    Moved axes that are not known (NaN) are not carried.
    """
    last, moves = -1, ((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    first_frame, frames = int(begin), int(stride)
    for i in range(len(rows)):
        k = max((i - first_frame) // frames, 0)
        carried = not math.isnan(moved[k, 0, 0])
        if carried and k != last:
            moves = _in_sensors(alignments, moved[k])
            last = k
        turn, first = quaternion_at(shown[k], TURN), (1.0, 0.0, 0.0, 0.0)
        if carried:
            ends = quaternion_at(q[i, int(proximal)]), quaternion_at(q[i, int(distal)])
            turn, first = _carried_turn(turn, ends, moves)
        row = rows[i]
        row[:SHOWN] = shown[k]
        put_quaternion(row[TURN:], turn)
        put_quaternion(row[SHOWN:], first)


@sequential("(k,v),(k,c,c),(k,p,q),(k),(n,s,q),(p,q),(),(),(),()->(n,r)")
def _blend(  # noqa: PLR0917 -- compiled with its shapes, which are given by position
    states: FloatArray,
    covariances: FloatArray,
    moved: FloatArray,
    observable: FloatArray,
    q: FloatArray,
    alignments: FloatArray,
    proximal: float,
    distal: float,
    begin: float,
    stride: float,
    rows: FloatArray,
) -> None:
    """Fill, for each frame, what `_spread` fills, from borders before and after it."""
    last, moves = -1, ((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    start, way, carried = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), False
    first_frame, frames = int(begin), int(stride)
    for i in range(len(rows)):
        row, border = rows[i], max((i - first_frame) // frames, 0)
        k = min(border, len(states) - 2)
        share = min(max((i - first_frame - k * frames) / stride, 0.0), 1.0)
        if k != last:
            last, start = k, quaternion_at(states[k])
            way = vector_of(product(quaternion_at(states[k + 1]), conjugate(start)))
            carried = not math.isnan(moved[k, 0, 0])
            if carried:
                moves = _in_sensors(alignments, moved[k])
        turn, first = product(turn_about(scaled(way, share)), start), (1.0, 0.0, 0.0, 0.0)
        put_quaternion(row[TURN:], turn)
        row[0] = heading_of(row[TURN:])
        for e in range(9):
            before, after = covariances[k, e // 3, e % 3], covariances[k + 1, e // 3, e % 3]
            row[7 + e] = before + share * (after - before)
        put_axes(row[16:], states[k])
        row[1], row[2] = math.sqrt(max(row[15], 0.0)), observable[border]
        if carried:
            ends = quaternion_at(q[i, int(proximal)]), quaternion_at(q[i, int(distal)])
            turn, first = _carried_turn(turn, ends, moves)
        put_quaternion(row[TURN:], turn)
        put_quaternion(row[SHOWN:], first)
