"""Which sensors of a capture measure which movement, and what its calibration phases say about them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.alignment import calibrate_limb
from calibration.expected import Expected
from calibration.gyroscope import Bias
from calibration.plan import JointPlan, Movement
from calibration.readings import AXES
from calibration.segment import JointCalibration
from calibration.sensor import SensorCalibration, apply
from imu.block import ImuBlock, join
from imu.errors import CalibrationError, InputError
from imu.fusion import OrientationFilter, make_filter
from imu.recording import Event, Recording, RecordingHeader, SensorInfo
from rom.catalogue.movement import Movement as CatalogueMovement
from rom.catalogue.movement import Side, sided
from rom.phases import calibrating
from rom.reading import TrackedSensor, TrackerSetup
from rom.sensing import sensors_of

ALIASES = {"upper_thorax": "thorax"}
"""A segment whose sensor may also have been called so."""


@dataclass(frozen=True, slots=True)
class JointKind:
    """A joint between two segments (named without side).

    Parameters
    ----------
    name
        As calibration events call it.
    proximal, distal
        Its segments.
    freedom
        Axes about which it really turns.
    flexion_sign
        Right-hand sign of flexion about Z (reference: clinical 1.1).
    one_way
        Whether flexion is the only way out of the neutral pose.
    """

    name: str
    proximal: str
    distal: str
    freedom: int
    flexion_sign: int
    one_way: bool = True


JOINTS = (
    JointKind("neck", "thorax", "head", 3, -1),
    JointKind("trunk", "pelvis", "upper_thorax", 3, -1),
    JointKind("lumbar spine", "pelvis", "lower_thorax", 3, -1),
    JointKind("shoulder", "thorax", "upperarm", 3, 1),
    JointKind("elbow", "upperarm", "forearm", 2, 1),
    JointKind("wrist", "forearm", "hand", 2, 1, one_way=False),
    JointKind("hip", "pelvis", "thigh", 3, 1),
    JointKind("knee", "thigh", "shank", 1, -1),
    JointKind("ankle", "shank", "foot", 2, 1, one_way=False),
)


def sensor_for(header: RecordingHeader, segment: str) -> SensorInfo | None:
    """Return the sensor on a segment (with its side), or on what is also called so; None without one."""
    found = header.sensor_on(segment)
    return found or (header.sensor_on(ALIASES[segment]) if segment in ALIASES else None)


def tracker_setup(
    header: RecordingHeader,
    movement: CatalogueMovement,
    side: Side,
    calibration: JointCalibration | None = None,
    *,
    one_sensor: bool = False,
    filter_name: str = "vqf",
    magnetometer: bool = False,
    worn_from: float = -math.inf,
    rates: Mapping[str, float] | None = None,
    known: Mapping[str, SensorCalibration] | None = None,
) -> TrackerSetup:
    """Return how the sensors of a capture measure a movement; the live screen and a replay use the same.

    Parameters
    ----------
    header
        The capture's sensors and their segments.
    movement, side
        What is measured.
    calibration
        Of the joint; None measures from the start pose.
    one_sensor
        Measure with the distal sensor alone, as inclination from the start pose: right only while the
        proximal segment keeps still.
    filter_name, magnetometer, worn_from
        See `TrackerSetup`.
    rates
        Sampling rates, Hz, where the header doesn't know them.
    known
        What is known of each sensor's errors and noise; see `rom.sensing.known_sensors`.

    Raises
    ------
    InputError
        If the capture is of the other side, or a sensor is missing.
    CatalogueError
        If the movement has no such side.
    """
    proximal, distal = movement.segments(side)
    if side != "midline" and header.side not in ("", side, "midline"):
        raise InputError(
            f"expected a recording of the {side} side, but this one is of the {header.side} side; "
            f"measure it with --side {header.side} or name another recording"
        )
    if not header.sensors:
        raise InputError(
            f"{movement.title(side)} needs sensors, but the recording names none: its beginning is missing "
            "or nothing was recorded; name another recording, or see what is left with `rom info`"
        )
    rule = movement.angle
    pointed = movement.pointer
    worn = {segment: sensor_for(header, segment) for segment in (proximal, distal)}
    if rule.kind == "inclination" and rule.segment is not None:
        one_sensor, distal = True, sided(rule.segment, side)
    elif worn[proximal] is None and pointed is not None and pointed.segment is not None:
        pointer = sided(pointed.segment, side)
        if sensor_for(header, pointer) is not None:
            rule, one_sensor, distal = pointed, True, pointer
    needed = [distal] if one_sensor else [proximal, distal]
    found = [sensor_for(header, segment) for segment in needed]
    missing = [segment for segment, sensor in zip(needed, found, strict=True) if sensor is None]
    if missing:
        there = ", ".join(sorted(sensor.segment for sensor in header.sensors))
        hint = "; with the distal sensor alone use --one-sensor" if missing == [proximal] else ""
        raise InputError(
            f"{movement.title(side)} needs a sensor on {' and on '.join(missing)}, but the sensors are on "
            f"{there}; strap one there or name another movement or side{hint}"
        )
    tracked = [_tracked(sensor, rates or {}, known or {}) for sensor in found if sensor is not None]
    return TrackerSetup(
        rule=rule,
        side=side,
        distal=tracked[-1],
        proximal=None if one_sensor else tracked[0],
        calibration=calibration,
        centre=(movement.plausible_min + movement.plausible_max) / 2.0,
        worn_from=worn_from,
        filter_name=filter_name,
        magnetometer=magnetometer,
    )


def _tracked(
    info: SensorInfo, rates: Mapping[str, float], known: Mapping[str, SensorCalibration]
) -> TrackedSensor:
    rate = rates.get(info.sensor, info.rate_hz)
    if not (math.isfinite(rate) and rate > 0.0):
        raise InputError(
            f"sensor {info.sensor}: expected its sampling rate in the header, got {rate}; import with a rate"
        )
    reach = None if info.gyr_range_dps is None else math.radians(info.gyr_range_dps)
    errors = known.get(info.sensor)
    corrects = errors if errors is not None and errors.corrects else None
    return TrackedSensor(
        info.sensor,
        rate,
        noise=None if errors is None else errors.rest_noise,
        gyr_range=reach,
        calibration=corrects,
        expected=Expected.of(info.kind, corrects),
    )


def choose_calibration(
    calibrations: Sequence[JointCalibration], setup_sensors: Sequence[str]
) -> JointCalibration | None:
    """Return the newest calibration that aligns every one of these sensors; None without one."""
    for calibration in reversed(calibrations):
        aligned = {calibration.proximal.sensor, calibration.distal.sensor}
        if aligned >= set(setup_sensors):
            return calibration
    return None


def calibrate_recording(recording: Recording, since: float | None = None) -> list[JointCalibration]:
    """Return the joint calibrations that a recording's own pose and functional movements give.

    Empty if it holds no such phases. A joint is calibrated if both its sensors are there and either one of
    its movements was recorded or it shares a sensor with one whose was.

    Parameters
    ----------
    recording
        An open recording, whole or still being written.
    since
        When the pose began of a calibration that was done again, s; None for the first. See `rom.phases`.

    Raises
    ------
    CalibrationError
        If the phases are there but say too little, or contradict each other.
    """
    events = sorted(recording.events, key=lambda event: event.t)
    phases = next((each.phases for each in calibrating(events) if each.since == since), [])
    poses = [phase for phase in phases if phase.event.data.get("step") == "pose"]
    moves = [phase for phase in phases if phase.event.data.get("step") == "functional"]
    if not poses or not moves:
        return []
    cut, seen = _cut(recording, [poses[-1], *moves])
    marked = [phase.event for phase in moves]
    return _calibrated(recording.header, cut[0], list(zip(marked, cut[1:], strict=True)), seen)


def calibrate_recordings(
    pose: Recording, moves: Sequence[tuple[Recording, str, str]]
) -> list[JointCalibration]:
    """Return the joint calibrations of a pose and functional movements that are recordings of their own.

    Parameters
    ----------
    pose
        The neutral pose, all of it held still.
    moves
        A recording each, with the joint it moves (with or without its side) and the axis: flexion,
        adduction, abduction or rotation. The same sensors on the same segments.

    Raises
    ------
    CalibrationError
        If they say too little, contradict each other, or the sensors are others.
    """
    worn = {(sensor.sensor, sensor.segment) for sensor in pose.header.sensors}
    parts: list[tuple[Event, Mapping[str, ImuBlock]]] = []
    for recording, joint, axis in moves:
        if {(sensor.sensor, sensor.segment) for sensor in recording.header.sensors} != worn:
            raise CalibrationError(
                f"{recording.path}: expected the sensors of the pose on the same segments; calibrate with "
                "recordings of one strapping"
            )
        event = Event(recording.start, "calibration_start", {"joint": joint, "axis": axis})
        parts.append((event, _cut(recording, [(recording.start, recording.stop, event)])[0][0]))
    event = Event(pose.start, "calibration_start", {"step": "pose"})
    held, seen = _cut(pose, [(pose.start, pose.stop, event)])
    return _calibrated(pose.header, held[0], parts, seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of one sensor before the pose: its gyroscope's offset, and what its samples err by."""

    rested: Bias
    expected: Expected


def _calibrated(
    header: RecordingHeader,
    pose: Mapping[str, ImuBlock],
    moves: Sequence[tuple[Event, Mapping[str, ImuBlock]]],
    seen: Mapping[str, _Seen],
) -> list[JointCalibration]:
    """Return the calibrations that a pose and movements give, each movement named by its event."""
    plans = _plans(header, [event for event, _ in moves])
    movements: list[Movement] = []
    for event, blocks in moves:
        plan = _plan_of(event, plans, header.side)
        axis = str(event.data.get("axis", "")) or "flexion"
        if plan is None or axis not in AXES:
            raise CalibrationError(
                f"calibration step of {event.data.get('joint')!r} about {axis!r}: expected one of "
                f"{', '.join(sorted({plan.joint for plan in plans}))} about {', '.join(sorted(AXES))}"
            )
        kind = next(joint for joint in JOINTS if plan.joint.endswith(joint.name))
        movements.append(Movement(plan.joint, axis, blocks, bool(event.data.get("one_way", kind.one_way))))
    rested = {sensor: each.rested for sensor, each in seen.items()}
    expected = {sensor: each.expected for sensor, each in seen.items()}
    return calibrate_limb(plans, pose, movements, rested, expected)


def _cut(
    recording: Recording, spans: Sequence[tuple[float, float, Event]]
) -> tuple[list[dict[str, ImuBlock]], dict[str, _Seen]]:
    """Return the samples of each span by sensor, and what is known of each; one pass.

    The filter has seen everything before the end of the first span, a rest on the table above all, so that
    the calibration does not take half a degree a second of offset for a turn of the joint.
    """
    parts: list[dict[str, list[ImuBlock]]] = [{} for _ in spans]
    filters: dict[str, OrientationFilter] = {}
    rates = {info.sensor: _rate(recording, info.sensor) for info in recording.header.sensors}
    known = sensors_of(recording, rates)
    kinds = {info.sensor: info.kind for info in recording.header.sensors}
    rested: dict[str, _Seen] = {}
    last_stop = max(stop for _, stop, _ in spans)
    for block in recording.blocks():
        if float(block.t[0]) > last_stop:
            break
        errors = known.get(block.sensor)
        true = apply(errors, block) if errors is not None and errors.corrects else block
        if block.t[0] <= spans[0][1]:
            if block.sensor not in filters:
                noise = None if errors is None else errors.rest_noise
                filters[block.sensor] = make_filter("vqf", rates[block.sensor], noise)
            seen = filters[block.sensor].feed(true)
            bias = Bias(seen.gyr_bias[-1], float(seen.gyr_bias_sigma[-1]))
            rested[block.sensor] = _Seen(bias, Expected.of(kinds[block.sensor], errors))
        for (start, stop, _), found in zip(spans, parts, strict=True):
            first, last = np.searchsorted(block.t, [start, stop])
            if last > first:
                found.setdefault(block.sensor, []).append(true[int(first) : int(last)])
    return [{sensor: join(blocks) for sensor, blocks in found.items()} for found in parts], rested


def _rate(recording: Recording, sensor: str) -> float:
    """Return the sampling rate of a sensor, Hz: the header's, else what counts and times give."""
    named = next((info.rate_hz for info in recording.header.sensors if info.sensor == sensor), math.nan)
    return named if math.isfinite(named) else recording.samples.get(sensor, 0) / recording.duration


def _plan_of(event: Event, plans: Sequence[JointPlan], side: str) -> JointPlan | None:
    """Return the joint of a calibration step: named with its side, or the recording's side is meant."""
    name = str(event.data.get("joint", "")).lower()
    exact = [plan for plan in plans if plan.joint == name]
    alike = [plan for plan in plans if plan.joint == f"{plan.side}_{name}"]
    return next(iter(exact + [plan for plan in alike if plan.side == side] + alike), None)


def _joint_name(event: Event) -> str:
    """Return the joint of a calibration step without its side."""
    name = str(event.data.get("joint", "")).lower()
    return name.removeprefix("left_").removeprefix("right_")


def _plans(header: RecordingHeader, moves: Sequence[Event]) -> list[JointPlan]:
    """Return the joints that the sensors of a recording can calibrate."""
    axes: dict[str, set[str]] = {}
    for event in moves:
        axes.setdefault(_joint_name(event), set()).add(str(event.data.get("axis", "")) or "flexion")
    plans: list[JointPlan] = []
    for kind in JOINTS:
        for side in ("left", "right", "midline"):
            segments = sided(kind.proximal, side), sided(kind.distal, side)
            if (side == "midline") != (segments[1] == kind.distal):
                continue
            sensors = [sensor_for(header, segment) for segment in segments]
            if kind.name not in axes or sensors[0] is None or sensors[1] is None:
                continue
            freedom = kind.freedom if kind.freedom == 3 else min(kind.freedom, len(axes[kind.name]))
            plans.append(
                JointPlan(
                    kind.name if side == "midline" else f"{side}_{kind.name}",
                    freedom,
                    side,
                    (sensors[0].sensor, segments[0]),
                    (sensors[1].sensor, segments[1]),
                    kind.flexion_sign,
                )
            )
    return plans
