"""The moving limb: segments, joint, soft tissue and straps at any instants, and the field around them.

Whatever moves is a chain of rotations with exact derivatives (`rom/limb_motion.py`), so orientation,
angular rate and specific force of a sensor agree with each other to rounding.
"""

import numpy as np

from imu.block import STANDARD_GRAVITY, FloatArray
from imu.quaternion import (
    about_vertical,
    conjugate,
    from_axis_angle,
    from_matrix,
    multiply,
    normalise,
    rotate,
    to_rotation_vector,
)
from imu.virtual import Motion
from rom.limb_motion import Curve, Profile, Turning, chain, fixed, stroked, turn, waves
from rom.limb_pad import Nod, nodding
from rom.limb_script import SETTLING, Script
from rom.limb_world import LimbSpec, Sway, Tissue

EARTH_FIELD = np.array([0.0, 20.0, -44.0])
"""Magnetic field of central Europe, uT, with y to the north: 48 uT, 66 deg down (typical)."""

_MU0_OVER_4PI = 0.1
"""Magnetic constant over 4 pi in uT m / A: a dipole in A m^2 at a distance in m gives uT."""

_PROXIMAL_ARM = np.array([0.05, -0.28, 0.05])
_JOINT_ARM = np.array([0.0, -0.40, 0.0])
_DISTAL_ARM = np.array([0.04, -0.18, 0.0])
"""Places in the segment frame, m: on a thigh a sensor and the knee, from the hip; on a shank a sensor."""


_BARE = Tissue(shift=0.0, lag=0.0, wobble=0.0)


class Limb:
    """The moving limb of a spec, which can be asked for any instants.

    Parameters
    ----------
    spec
        Its world.
    person, trial
        Random numbers for what stays the same from trial to trial (straps, skin, joint, room) and for what
        does not (how the programme is carried out, sway, tremor).
    """

    def __init__(self, spec: LimbSpec, person: np.random.Generator, trial: np.random.Generator) -> None:
        self.spec = spec
        self._draw_person(person)
        start = self.start.tolist()
        self.script = Script(start, spec.movement, spec.side, spec.sided_joint, spec.axes)
        for phase in spec.programme:
            phase.write(self.script, trial)
        self.duration = self.script.now
        self._profiles = self.script.profiles()
        self._leans = self.script.leans()
        self._life = _life(self.script)
        self._draw_trial(trial)
        self._nod: Nod | None = None
        if spec.pad is not None:
            self._nod = nodding(spec.pad, spec.order[0], self.duration, self._segment)
        self._carry = [np.zeros(3), np.zeros(3)]
        if self.script.mounted > 0.0:
            # On the table both sensors lie flat, any way round.
            ways = trial.uniform(-np.pi, np.pi, 2) + spec.heading
            first = np.zeros(1)
            mounted = [self.sensor(which, first)[0].q[0] for which in range(2)]
            self._carry = [
                to_rotation_vector(multiply(conjugate(on), about_vertical(way)))
                for on, way in zip(mounted, ways, strict=True)
            ]

    def _draw_person(self, rng: np.random.Generator) -> None:
        """Draw straps, skin, joint and room; the order of draws never depends on the spec."""
        spec, size = self.spec, self.spec.non_hinge
        drawn = normalise(rng.standard_normal((2, 4)))
        self.mounting = spec.mounting or (drawn[0], drawn[1])
        self._coupling = [(size * rng.uniform(0.5, 1.0), rng.uniform(0.0, 2.0 * np.pi)) for _ in range(2)]
        tissue = spec.tissue or _BARE
        self._lag = tissue.lag
        self._shift = tissue.shift * self._softness[:, None] * rng.standard_normal((2, 3))
        self._shift_phase = rng.uniform(0.0, 2.0 * np.pi, (2, 3))
        where, direction = rng.standard_normal(3), rng.standard_normal(3)
        self._dipole_at = 0.35 * where / np.linalg.norm(where)
        self._dipole = direction / np.linalg.norm(direction)
        self._dipole *= self._strength()
        self.start = np.array(spec.start) + np.array(spec.bend) * rng.standard_normal(3)

    def _draw_trial(self, rng: np.random.Generator) -> None:
        """Draw what is irregular."""
        spec = self.spec
        sway = spec.sway or Sway(fast=0.0, slow=0.0)
        fast, slow = 1.0 / sway.fast_period, 1.0 / sway.slow_period
        self._sway = [
            (waves(rng, sway.fast, 0.7 * fast, 1.4 * fast), waves(rng, sway.slow, 0.7 * slow, 1.4 * slow))
            for _ in range(3)
        ]
        self._tremor = waves(rng, spec.tremor, 8.0, 12.0)
        self._irregular = [waves(rng, spec.non_hinge / 3.0, 0.05, 0.4) for _ in range(2)]
        wobble = (spec.tissue or _BARE).wobble * self._softness
        self._wobble = [[waves(rng, size, 1.0, 4.0, 3) for _ in range(3)] for size in wobble]

    @property
    def _softness(self) -> FloatArray:
        """Return how much of the soft tissue each sensor feels, (2,): the thigh half; none if it is still."""
        return np.array([0.5 if self.spec.sway else 0.0, 1.0])

    def _strength(self) -> float:
        """Return the dipole moment, A m^2, that turns the field at the joint by the spec's angle."""
        along = self._dipole_at / np.linalg.norm(self._dipole_at)
        unit = _MU0_OVER_4PI * (3.0 * along * np.dot(along, self._dipole) - self._dipole)
        unit /= np.linalg.norm(self._dipole_at) ** 3
        across = unit - EARTH_FIELD * np.dot(unit, EARTH_FIELD) / np.dot(EARTH_FIELD, EARTH_FIELD)
        return float(
            np.tan(self.spec.disturbance) * np.linalg.norm(EARTH_FIELD) / max(np.linalg.norm(across), 1e-9)
        )

    def _awake(self, t: FloatArray) -> Curve:
        """Return the share of life in the limb: 0 while it or its sensors lie still, else 1."""
        return self._life.at(t)

    def angles(self, t: FloatArray) -> list[Curve]:
        """Return the three angles of the joint at instants (N,), as a clinician counts them."""
        awake = self._awake(t)
        curves = [profile.at(t) for profile in self._profiles]
        curves[0] += awake * self._tremor.at(t)
        travelled = curves[0].shifted(-self.start[0])
        for k in (1, 2):
            if k not in self.spec.free:
                size, phase = self._coupling[k - 1]
                curves[k] += travelled.sine(phase).scaled(size) + awake * self._irregular[k - 1].at(t)
        if 2 not in self.spec.free:
            # Screw-home: the last 20 deg towards straight end in axial rotation, zero in the neutral pose.
            turning = curves[0].step(np.radians(15.0), np.radians(10.0))
            at_start = 0.5 * (1.0 + np.tanh((self.start[0] - np.radians(15.0)) / np.radians(10.0)))
            curves[2] += turning.shifted(-at_start).scaled(self.spec.non_hinge)
        return curves

    def proximal(self, t: FloatArray) -> Turning:
        """Return the proximal segment in the earth frame."""
        n, awake = len(t), self._awake(t)
        steps = [fixed(about_vertical(self.spec.heading), n)]
        for axis, (fast, slow) in zip(np.eye(3), self._sway, strict=True):
            steps.append(turn(axis, awake * (fast.at(t) + slow.at(t))))
        if self.script.positioned is not None:
            way = to_rotation_vector(multiply(_position(self.spec), conjugate(_UPRIGHT)))
            angle = float(np.linalg.norm(way))
            steps.append(turn(way / angle, stroked(0.0, [(*self.script.positioned, angle)]).at(t)))
        axes = np.eye(3)[list(self.spec.order)]
        leans = [
            turn(axis, profile.at(t).scaled(-sign))
            for axis, profile, sign in zip(axes, self._leans, self.spec.signs, strict=True)
        ]
        return chain(*steps, fixed(_UPRIGHT, n), *leans)

    def joint(self, t: FloatArray) -> Turning:
        """Return the distal segment in the frame of the proximal one."""
        axes = np.eye(3)[list(self.spec.order)]
        return chain(
            *[
                turn(axis, curve.scaled(sign))
                for axis, curve, sign in zip(axes, self.angles(t), self.spec.signs, strict=True)
            ]
        )

    def sensor(self, which: int, t: FloatArray) -> tuple[Turning, FloatArray, FloatArray]:
        """Return a sensor (0 proximal, 1 distal) in the earth frame.

        Returns
        -------
        tuple
            Its turning; its acceleration, earth frame, m/s^2, (N, 3); its place, earth frame, m, (N, 3),
            from the proximal end of the proximal segment.
        """
        proximal = self.proximal(t)
        if which == 0:
            segment, acceleration = proximal, rotate(proximal.q, proximal.acceleration_of(_PROXIMAL_ARM))
            place = rotate(proximal.q, _PROXIMAL_ARM)
        else:
            segment = proximal.then(self.joint(t))
            acceleration = rotate(proximal.q, proximal.acceleration_of(_JOINT_ARM)) + rotate(
                segment.q, segment.acceleration_of(_DISTAL_ARM)
            )
            place = rotate(proximal.q, _JOINT_ARM) + rotate(segment.q, _DISTAL_ARM)
        return self.strapped(which, segment, t), acceleration, place

    def _segment(self, which: int, t: FloatArray) -> Turning:
        """Return the proximal (0) or the distal (1) segment in the earth frame."""
        proximal = self.proximal(t)
        return proximal if which == 0 else proximal.then(self.joint(t))

    def strapped(self, which: int, segment: Turning, t: FloatArray) -> Turning:
        """Return a sensor strapped to its segment: soft tissue, slips, mounting, the way from the table."""
        spec, awake, n = self.spec, self._awake(t), len(t)
        primary = self._profiles[0].at(t)
        travelled = primary.shifted(-self.start[0])
        steps = [segment]
        for i, axis in enumerate(np.eye(3)):
            skin = travelled.sine(self._shift_phase[which, i]).scaled(self._shift[which, i])
            steps.append(turn(axis, skin + awake * self._wobble[which][i].at(t)))
        if which == 1:
            # Its acceleration would need the jerk, and is not used: the sensor's place is fixed to the bone.
            lag = Curve(primary.rate, primary.acceleration, np.zeros(n)).scaled(-self._lag * spec.signs[0])
            steps.append(turn(np.eye(3)[spec.order[0]], lag))
        for slip in spec.slips:
            if slip.segment == ("proximal", "distal")[which]:
                moved = stroked(0.0, [(slip.t, slip.t + slip.seconds, slip.angle)])
                steps.append(turn(np.array([0.0, 1.0, 0.0]), moved.at(t)))
        if self._nod is not None and self._nod.which == which:
            steps.append(turn(np.eye(3)[spec.order[0]], self._nod.at(t)))
        steps.append(fixed(self.mounting[which], n))
        carry = self._carry[which]
        angle = float(np.linalg.norm(carry))
        if angle > 0.0:
            mounting = (self.script.stillness[0][1], self.script.mounted, 0.0)
            steps.append(turn(carry / angle, stroked(angle, [mounting]).at(t)))
        return chain(*steps)

    def motion(self, which: int, t: FloatArray) -> Motion:
        """Return what a sensor (0 proximal, 1 distal) undergoes at instants (N,)."""
        sensor, acceleration, place = self.sensor(which, t)
        inverse = conjugate(sensor.q)
        force = rotate(inverse, acceleration + np.array([0.0, 0.0, STANDARD_GRAVITY]))
        mag = rotate(inverse, self.field(place)) if self.spec.magnetometer else None
        return Motion(t, sensor.q, sensor.rate, force, mag)

    def field(self, place: FloatArray) -> FloatArray:
        """Return the magnetic field, uT, earth frame, at places (N, 3): the earth's and a dipole's."""
        if self.spec.disturbance == 0.0:
            return np.broadcast_to(EARTH_FIELD, place.shape)
        joint = rotate(multiply(about_vertical(self.spec.heading), _position(self.spec)), _JOINT_ARM)
        away = place - joint - self._dipole_at
        distance = np.linalg.norm(away, axis=-1, keepdims=True)
        along = away / distance
        moment = (along * self._dipole).sum(axis=-1, keepdims=True)
        return EARTH_FIELD + _MU0_OVER_4PI * (3.0 * along * moment - self._dipole) / distance**3


_UPRIGHT = from_matrix(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
"""q_earth_from_proximal of a person who stands and looks along the earth's x axis."""


def _position(spec: LimbSpec) -> FloatArray:
    """Return q_earth_from_proximal in the position of the test, (4,): the primary axis at its inclination.

    With the axis horizontal the third axis points down: for a flexion axis that is the segment's long axis,
    a thigh held upright under a patient on the back.
    """
    first, second, third = spec.order
    matrix = np.zeros((3, 3))
    matrix[:, first], matrix[:, third] = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    matrix[:, second] = np.cross(matrix[:, third], matrix[:, first])
    tilt = from_axis_angle(np.array([1.0, 0.0, 0.0]), spec.inclination - np.pi / 2.0)
    return multiply(tilt, from_matrix(matrix))


def _life(script: Script) -> Profile:
    """Return the share of sway and tremor over time: 0 in each stretch of stillness, 1 elsewhere."""
    moves: list[tuple[float, float, float]] = []
    for start, stop in script.stillness:
        if start > 0.0:
            moves.append((start - SETTLING, start, 0.0))
        moves.append((stop, stop + SETTLING, 1.0))
    asleep = bool(script.stillness) and script.stillness[0][0] == 0.0
    return stroked(0.0 if asleep else 1.0, moves)
