"""How soon the watchdogs speak, and how often without reason: worlds with and without faults.

    python tests/bench/watch.py [--seeds N] [--first SEED]

Every world is recorded, calibrated from its own pose and movement, and replayed, as a person's would be.
"""

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.segment import JointCalibration
from imu.block import ImuBlock
from imu.errors import RomcapError
from imu.quaternion import from_axis_angle, multiply
from imu.recording import Recording, RecordingWriter
from imu.sensor_grade import RESEARCH
from rom.alert import Alert
from rom.catalogue.movement import Side
from rom.limb import LimbRecording, simulate_limb
from rom.limb_recording import write_recording
from rom.limb_script import Functional, Neutral, Passes, Phase, Reps, Rest, TableRest, TakePosition
from rom.limb_world import ELBOW, SHOULDER, WRIST, LimbSpec, Pad, Slip
from rom.replay import Replay

DEG = math.pi / 180.0
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START: tuple[Phase, ...] = (TableRest(), Neutral(), Functional(), TakePosition())
REPS = Reps(8, 90.0 * DEG, 20.0 * DEG, spread=1.5 * DEG, cold=3.0 * DEG)
PASSES = Passes(6, 90.0 * DEG, 15.0 * DEG, structure="hamstrings", halves=0.2)
KNEE = LimbSpec(programme=(*START, REPS, PASSES))
KICKS = Reps(3, 90.0 * DEG, 78.0 * DEG, seconds=0.15, hold=0.1, rest=0.6)
SHORT = LimbSpec(programme=(*START, Reps(4, 90.0 * DEG, 20.0 * DEG)))
CLEAN = {
    "knee": KNEE,
    "knee, axis 45 deg": replace(KNEE, inclination=45.0 * DEG),
    "knee, axis vertical": replace(KNEE, inclination=0.05),
    "knee, still thigh": replace(KNEE, sway=None),
    "knee, research": replace(KNEE, grade=RESEARCH),
    "knee, half squats": replace(
        KNEE, programme=(TableRest(), Neutral(), Functional(proximal_share=0.5), REPS)
    ),
    "knee, kicks": replace(KNEE, programme=(*START, KICKS, REPS)),
    "knee, 2 % lost": replace(KNEE, loss=0.02, packet=4, burst=3.0),
    "elbow": ELBOW,
    "wrist": WRIST,
    "shoulder": SHOULDER,
}


def replayed(
    limbs: Sequence[LimbRecording],
    change: Callable[[ImuBlock], ImuBlock | None] | None = None,
    *,
    range_dps: float | None = None,
    exchanged: bool = False,
    calibration: Callable[[JointCalibration], JointCalibration] | None = None,
) -> list[Alert]:
    """Return what is told of limbs whose samples are changed on the way."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "a.mcap", Path(folder) / "b.mcap"
        header = write_recording(first, limbs, NOW)
        own = Recording.open(first)
        mine, side = limbs[0].spec, side_of(limbs[0].spec)
        if not (change or range_dps or exchanged or calibration):
            return [alert for step in Replay(own, mine.movement, side).steps() for alert in step.alerts]
        known = Replay(own, mine.movement, side).setup.calibration if calibration or exchanged else None
        sensors = list(header.sensors)
        if exchanged:
            names = [sensor.sensor for sensor in sensors]
            sensors = [replace(s, sensor=n) for s, n in zip(sensors, reversed(names), strict=True)]
        if range_dps is not None:
            sensors = [replace(sensor, gyr_range_dps=range_dps) for sensor in sensors]
        with RecordingWriter(second, replace(header, sensors=tuple(sensors))) as writer:
            for event in own.events:
                writer.write_event(event)
            for block in own.blocks():
                changed = change(block) if change else block
                if changed is not None and len(changed):
                    writer.write(changed)
        given = [] if known is None else [calibration(known) if calibration else known]
        if exchanged and given:
            proximal, distal = given[0].proximal, given[0].distal
            given = [
                replace(
                    given[0],
                    proximal=replace(proximal, sensor=distal.sensor),
                    distal=replace(distal, sensor=proximal.sensor),
                )
            ]
        replay = Replay(Recording.open(second), mine.movement, side, calibrations=given)
        return [alert for step in replay.steps() for alert in step.alerts]


def clean(seeds: Sequence[int]) -> None:
    """Print false alarms per hour of worn recording."""
    hours, false = 0.0, Counter[str]()
    for name, spec in CLEAN.items():
        own, spent = Counter[str](), 0.0
        for seed in seeds:
            limb = simulate_limb(spec, seed)
            try:
                alerts = replayed([limb])
            except RomcapError as error:
                print(f"  {name}, seed {seed}: refused ({str(error)[:70]})")
                continue
            spent += (limb.truth.t[-1] - limb.truth.mounted) / 3600.0
            own.update(alert.kind for alert in alerts)
        hours, false = hours + spent, false + own
        print(f"  {name:22s} {spent:5.2f} h  {dict(own) or 'silent'}", flush=True)
    print(f"false alarms in {hours:.2f} h: {dict(false) or 'none'}")


def slips(seeds: Sequence[int]) -> None:
    """Print how often and how soon slips of several sizes are told."""
    for where in ("proximal", "distal"):
        for size in (3.0, 5.0, 6.0, 8.0, 12.0, 20.0):
            found, wrong, delays, errors = 0, 0, list[float](), list[float]()
            for seed in seeds:
                at = 65.0 + 3.0 * (seed % 10)
                limb = simulate_limb(replace(KNEE, slips=(Slip(at, size * DEG, where),)), seed)
                alerts = [alert for alert in replayed([limb]) if alert.kind == "slipped"]
                right = [a for a in alerts if a.segment == limb.spec.segments[where == "distal"] and a.t > at]
                wrong += len(alerts) - len(right)
                if right:
                    found += 1
                    delays.append(right[0].t - at)
                    errors.append(right[0].size / DEG - size)
            told = f"delay {np.median(delays):4.1f} s (max {max(delays):.1f}), " if delays else ""
            told += f"size {np.mean(errors):+.1f} +- {np.std(errors):.1f} deg" if delays else ""
            print(f"  slip {where} {size:4.0f} deg: {found}/{len(seeds)}  {told}  others {wrong}", flush=True)


def rate(name: str, seeds: Sequence[int], kind: str, told: Callable[[int], list[Alert]], at: float) -> None:
    """Print how often one kind of fault is told, and how long after `at`."""
    found, others, delays = 0, Counter[str](), list[float]()
    for seed in seeds:
        alerts = told(seed)
        mine = [alert for alert in alerts if alert.kind == kind]
        others.update(alert.kind for alert in alerts if alert.kind != kind)
        if mine:
            found += 1
            delays.append(mine[0].t - at)
    after = f"{np.median(delays):5.1f} s" if delays else "    -  "
    print(f"  {name:34s} {found}/{len(seeds)} after {after}  others {dict(others)}", flush=True)


def faults(seeds: Sequence[int]) -> None:
    """Print how often the other faults are told."""
    begin = next(e.t for e in simulate_limb(SHORT, 1).events if e.kind == "trial_start")
    rate("exchanged after calibration", seeds, "swapped",
         lambda s: replayed([simulate_limb(SHORT, s)], exchanged=True), begin)  # fmt: skip
    for angle in (10.0, 20.0, 30.0, 45.0, 90.0):
        rate(f"strapped on anew {angle:.0f} deg round", seeds, "remounted",
             lambda s, a=angle: replayed([simulate_limb(SHORT, s)], calibration=lambda c: turned(c, a)),
             begin)  # fmt: skip
    for angle in (10.0, 20.0, 30.0, 45.0):
        rate(f"field turned {angle:.0f} deg at the joint", seeds, "magnetic",
             lambda s, a=angle: replayed([simulate_limb(replace(SHORT, disturbance=a * DEG), s)]),
             0.0)  # fmt: skip
    for limit in (100.0, 60.0):
        rate(f"range {limit:.0f} deg/s", seeds, "saturated",
             lambda s, r=limit: replayed([simulate_limb(SHORT, s)], lambda b: clipped(b, r), range_dps=r),
             20.0)  # fmt: skip
    for hole in (0.3, 0.6, 2.0):
        rate(f"gap of {hole:g} s", seeds, "gap",
             lambda s, h=hole: replayed([simulate_limb(SHORT, s)], lambda b: holed(b, 50.0, 50.0 + h)),
             50.0 + hole)  # fmt: skip
    for frequency in (5.0, 8.0, 12.0, 16.0):
        for kicks in (True, False):
            programme = (*START, *((KICKS,) if kicks else ()), REPS)
            world = replace(SHORT, programme=programme, pad=Pad(frequency=frequency))
            rate(f"foam, {frequency:.0f} Hz, {'with' if kicks else 'without'} kicks", seeds, "soft_mount",
                 lambda s, w=world: replayed([simulate_limb(w, s)]), begin)  # fmt: skip
    still = replace(SHORT, programme=(*START, Rest(30.0)), side="left")
    rate("the other leg moves", seeds, "other_side", lambda s: other_leg(s, still), begin)
    rate("calibrated a week ago", seeds, "stale",
         lambda s: replayed([simulate_limb(SHORT, s)], calibration=aged), 0.0)  # fmt: skip


def side_of(spec: LimbSpec) -> Side:
    """Return the side of a limb."""
    return "left" if spec.side == "left" else "right"


def other_leg(seed: int, still: LimbSpec) -> list[Alert]:
    """Return what is told when the left knee is measured and the right one moves."""
    left = replace(still, programme=(*START, Reps(1, 90.0 * DEG, 88.0 * DEG, seconds=20.0)))
    try:
        return replayed([simulate_limb(left, seed), simulate_limb(replace(SHORT, side="right"), seed + 1)])
    except RomcapError as error:
        print(error)
        return []


def turned(calibration: JointCalibration, angle: float) -> JointCalibration:
    """Return a calibration whose distal sensor sat turned about its segment."""
    about = from_axis_angle(np.array([0.0, 1.0, 0.0]), angle * DEG)
    distal = calibration.distal
    moved = multiply(distal.q_sensor_from_segment, about)
    return replace(calibration, distal=replace(distal, q_sensor_from_segment=moved))


def aged(calibration: JointCalibration) -> JointCalibration:
    """Return a calibration of a week before."""
    return replace(calibration, made_at=NOW.replace(year=2025, month=12, day=26).isoformat())


def clipped(block: ImuBlock, limit: float) -> ImuBlock:
    """Return samples of a gyroscope with a smaller range."""
    return replace(block, gyr=np.clip(block.gyr, -limit * DEG, limit * DEG))


def holed(block: ImuBlock, start: float, stop: float) -> ImuBlock | None:
    """Return samples without those of the shank between two instants."""
    if "shank" not in block.sensor:
        return block
    keep = (block.t < start) | (block.t >= stop)
    return ImuBlock(block.sensor, block.t[keep], block.gyr[keep], block.acc[keep])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=10)
    arguments.add_argument("--first", type=int, default=1000)
    arguments.add_argument("--only", choices=("clean", "slips", "faults"))
    chosen = arguments.parse_args()
    use = range(chosen.first, chosen.first + chosen.seeds)
    for part in (clean, slips, faults):
        if chosen.only in (None, part.__name__):
            print(part.__name__)
            part(use)
