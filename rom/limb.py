"""A limb that exists only in memory: two segments, a joint, two sensors, and the truth about all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from imu.block import FloatArray, ImuBlock, join
from imu.quaternion import conjugate, multiply, to_matrix, wrap
from imu.recording_values import Event
from imu.virtual import SensorErrors, VirtualSensor, draw_errors
from rom.limb_body import Limb
from rom.limb_script import Stroke
from rom.limb_world import LimbSpec

_SPAN = 16384


@dataclass(frozen=True, slots=True, eq=False)
class LimbTruth:
    """What really happened, at the instants k / rate of the capture clock.

    Angles are in rad, (N, 3), primary first, as a clinician counts them: `angle` of the bones,
    `angle_sensor` as the sensors saw it (soft tissue and slips included, from the mounting of the neutral
    pose), NaN until the sensors are on. Orientations are `q_earth_from_...` (N, 4). `q_segment_from_sensor`
    are the mountings in the neutral pose, proximal and distal, (4,). `strokes` are what was meant.
    """

    t: FloatArray
    angle: FloatArray
    angle_sensor: FloatArray
    q_earth_from_proximal: FloatArray
    q_earth_from_distal: FloatArray
    q_earth_from_proximal_sensor: FloatArray
    q_earth_from_distal_sensor: FloatArray
    q_segment_from_sensor: tuple[FloatArray, FloatArray]
    strokes: tuple[Stroke, ...]
    mounted: float

    def extent(self, stroke: Stroke, *, bone: bool = False) -> tuple[float, float, float]:
        """Return start angle, end angle and range of a stroke, rad, of the sensors or of the bones.

        The end is the farthest angle reached; the range is never negative.
        """
        angle = (self.angle if bone else self.angle_sensor)[:, stroke.component]
        first = int(np.searchsorted(self.t, stroke.start))
        last = int(np.searchsorted(self.t, stroke.stop))
        forward = 1.0 if stroke.end_angle > stroke.start_angle else -1.0
        span = forward * angle[first : last + 1]
        start, end = float(angle[first]), forward * float(span.max())
        return start, end, abs(end - start)

    def relative_heading(self, q_proximal: FloatArray, q_distal: FloatArray) -> FloatArray:
        """Return the heading delta that two estimates lack, rad, (N,): the truth for an estimator of it.

        Parameters
        ----------
        q_proximal, q_distal : (N, 4)
            Estimated `q_earth_from_sensor` at `t`, each in an earth frame of its own.

        Returns
        -------
        (N,)
            delta such that `Rz(delta) q_distal` is in the earth frame of `q_proximal`, in (-pi, pi].
        """
        own = [
            multiply(estimate, conjugate(true))
            for estimate, true in (
                (q_proximal, self.q_earth_from_proximal_sensor),
                (q_distal, self.q_earth_from_distal_sensor),
            )
        ]
        turned = multiply(own[0], conjugate(own[1]))
        return wrap(2.0 * np.arctan2(turned[:, 3], turned[:, 0]))


@dataclass(frozen=True, slots=True, eq=False)
class LimbRecording:
    """What two sensors on an imagined limb sent, and the truth.

    Parameters
    ----------
    spec, seed
        What made it: the same two make the same recording.
    sensors
        Ids of the proximal and the distal sensor.
    blocks
        All samples of each sensor, by id.
    events
        Marks of the trial, in time order.
    truth
        What really happened.
    errors, gyr_bias
        Errors of each sensor, and its true gyroscope bias at each sample (N, 3), rad/s, by id.
    """

    spec: LimbSpec
    seed: int
    sensors: tuple[str, str]
    blocks: Mapping[str, ImuBlock]
    events: tuple[Event, ...]
    truth: LimbTruth
    errors: Mapping[str, SensorErrors]
    gyr_bias: Mapping[str, FloatArray]

    def merged(self, seconds: float = 1.0) -> Iterator[ImuBlock]:
        """Yield the samples of all sensors, `seconds` at a time, in time order."""
        filled = [block.t for block in self.blocks.values() if len(block)]
        last = max((float(t[-1]) for t in filled), default=0.0)
        for start in np.arange(0.0, last + seconds, seconds):
            for block in self.blocks.values():
                first, stop = np.searchsorted(block.t, [start, start + seconds])
                if stop > first:
                    yield block[int(first) : int(stop)]


def simulate_limb(spec: LimbSpec, seed: int) -> LimbRecording:
    """Return what two sensors on an imagined limb send, and the truth; same spec and seed, same recording."""
    person = seed if spec.person is None else spec.person
    limb = Limb(spec, _numbers(person, 0), _numbers(seed, 1))
    sensors = (f"sim-{spec.segments[0]}", f"sim-{spec.segments[1]}")
    blocks: dict[str, ImuBlock] = {}
    errors: dict[str, SensorErrors] = {}
    biases: dict[str, FloatArray] = {}
    for which, name in enumerate(sensors):
        sensor = VirtualSensor(
            name,
            spec.grade,
            spec.rate,
            np.random.SeedSequence(seed, spawn_key=(2 + which,)),
            loss=spec.loss,
            packet=spec.packet,
            burst=spec.burst,
            errors=draw_errors(spec.grade, _numbers(person, 4 + which)),
        )
        measured = [
            sensor.measure(limb.motion(which, sensor.instants(last - first))) for first, last in _spans(limb)
        ]
        blocks[name], errors[name] = join([part.block for part in measured]), sensor.errors
        biases[name] = np.concatenate([part.gyr_bias[part.arrived] for part in measured])
    events = tuple(sorted(limb.script.events, key=lambda event: event.t))
    return LimbRecording(spec, seed, sensors, blocks, events, _truth(limb), errors, biases)


def _numbers(seed: int, stream: int) -> np.random.Generator:
    """Return the random numbers of one stream of a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))


def _spans(limb: Limb) -> list[tuple[int, int]]:
    """Return the samples of a limb in spans that fit into a processor's cache: first, last plus one."""
    total = int(limb.duration * limb.spec.rate)
    return [(first, min(first + _SPAN, total)) for first in range(0, total, _SPAN)]


def _truth(limb: Limb) -> LimbTruth:
    """Return the truth at the instants k / rate."""
    times = [np.arange(first, last) / limb.spec.rate for first, last in _spans(limb)]
    parts = [_truth_at(limb, t) for t in times]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    t, angle, angle_sensor, proximal, distal, proximal_sensor, distal_sensor = columns
    return LimbTruth(
        t=t,
        angle=angle,
        angle_sensor=angle_sensor,
        q_earth_from_proximal=proximal,
        q_earth_from_distal=distal,
        q_earth_from_proximal_sensor=proximal_sensor,
        q_earth_from_distal_sensor=distal_sensor,
        q_segment_from_sensor=limb.mounting,
        strokes=tuple(limb.script.strokes),
        mounted=limb.script.mounted,
    )


def _truth_at(limb: Limb, t: FloatArray) -> tuple[FloatArray, ...]:
    """Return the rows of a truth at some instants, in the order of its fields."""
    spec = limb.spec
    proximal = limb.proximal(t)
    distal = proximal.then(limb.joint(t))
    sensors = [limb.strapped(0, proximal, t).q, limb.strapped(1, distal, t).q]
    seen = [multiply(q, conjugate(mounting)) for q, mounting in zip(sensors, limb.mounting, strict=True)]
    angle = np.stack([curve.value for curve in limb.angles(t)], axis=-1)
    angle_sensor = spec.signs * cardan(multiply(conjugate(seen[0]), seen[1]), spec.order)
    angle_sensor[t < limb.script.mounted] = np.nan
    return t, angle, angle_sensor, proximal.q, distal.q, *sensors


def cardan(q_proximal_from_distal: FloatArray, order: tuple[int, int, int]) -> FloatArray:
    """Return the three intrinsic angles about a right-handed (cyclic) order of axes, rad, (N, 3).

    The rotation is first the turn about axis `order[0]`, then about the carried `order[1]`, then about the
    carried `order[2]`; the second angle is in [-pi / 2, pi / 2]. For (2, 0, 1), Z-X-Y, these are the angles
    of E. S. Grood and W. J. Suntay, J. Biomech. Eng. 105:136, 1983.
    """
    first, second, third = order
    matrix = to_matrix(q_proximal_from_distal)
    return np.stack(
        [
            np.arctan2(-matrix[..., second, third], matrix[..., third, third]),
            np.arcsin(np.clip(matrix[..., first, third], -1.0, 1.0)),
            np.arctan2(-matrix[..., first, second], matrix[..., first, first]),
        ],
        axis=-1,
    )
