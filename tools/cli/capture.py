"""`rom capture`: record a movement with sensors on the limb, and see the angle while it happens."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.check import PairingOption, SyncOption, TapsOption
from tools.cli.output import JsonOption

if TYPE_CHECKING:
    from calibration.segment import JointCalibration
    from imu.ble import Backend
    from imu.ble_link import SensorRequest
    from tools.cli.capture_record import Order
    from tools.cli.capture_screen import Screen
    from tools.cli.keys import Keys

SEED = 7
"""Of the imagined limb: the same one each time."""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("capture")(capture)


def capture(
    *,
    movement: Annotated[
        str, typer.Option("--movement", "-m", help="Movement id, see `rom movements`.")
    ] = "kn_ake",
    side: Annotated[str, typer.Option("--side", "-s", help="left, right or midline.")] = "left",
    phase: Annotated[str, typer.Option(help="Of the visit: baseline, retest, ...")] = "",
    client: Annotated[str, typer.Option(help="Pseudonym, never a name.")] = "",
    virtual: Annotated[bool, typer.Option("--virtual", help="Emulated sensors, real driver.")] = False,
    kind: Annotated[str, typer.Option(help="Family of the emulated sensors.")] = "movella-dot",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The recording to make.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the test; 0: until the space key.")] = 0.0,
    structure: Annotated[str, typer.Option(help="Passes over this structure instead of a test.")] = "",
    technique: Annotated[str, typer.Option(help="Of the passes.")] = "",
    calibration: Annotated[
        list[Path] | None, typer.Option("--calibration", "-c", help="Use this instead of calibrating.")
    ] = None,
    sync: SyncOption = False,
    taps: TapsOption = False,
    pairing: PairingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a movement: guided calibration, live angle and passes; then its measures."""
    from calibration.store import load_joints
    from imu.recording import Recording
    from rom.catalogue.loader import load_catalogue
    from tools.cli.capture_record import Order
    from tools.cli.capture_screen import LiveScreen, Screen
    from tools.cli.capture_steps import distal_alone
    from tools.cli.keys import keyboard
    from tools.cli.measure import measure

    chosen = load_catalogue().movement(movement)
    if side not in ("left", "right", "midline"):
        raise InputError(f"--side must be left, right or midline, got {side!r}")
    chosen.check_side(side)
    if not (seconds or virtual or sys.stdin.isatty()):
        raise InputError("without a keyboard --seconds must say how long the test lasts")
    file = output or Path(f"{movement}_{side}_{datetime.now().astimezone():%Y%m%d-%H%M%S}.mcap")
    if taps and virtual:
        raise InputError("emulated sensors cannot be tapped; leave --taps out, or --virtual")
    order = Order(chosen, side, phase, client, file, seconds or None, structure, technique, sync, taps)
    given = [joint for path in calibration or () for joint in load_joints(path)]
    with keyboard() as keys, LiveScreen() if sys.stdout.isatty() and not as_json else Screen() as screen:
        if virtual:
            capture_virtual(order, kind, given, screen, keys)
        else:
            capture_worn(order, pairing, given, screen, keys)
    if not as_json:
        print(f"Recorded {file}")
    worn = [sensor.segment for sensor in Recording.open(file).header.sensors]
    measure(file, movement=movement, side=side, one_sensor=distal_alone(chosen, side, worn), as_json=as_json)


def capture_worn(
    order: "Order", pairing: Path | None, given: "Sequence[JointCalibration]", screen: "Screen", keys: "Keys"
) -> None:
    """Capture with the sensors that are paired, and keep what was learnt of their clocks."""
    from imu.acquisition import Acquisition
    from imu.pairing import load_pairing, pairing_file, save_pairing, with_rates
    from tools.cli.capture_record import record
    from tools.cli.capture_steps import useful_segments

    file = pairing or pairing_file()
    sensors = load_pairing(file)
    worn = [sensors[segment] for segment in useful_segments(order.movement, order.side) if segment in sensors]
    if not worn:
        needed = " ".join(order.movement.segments(order.side))
        raise InputError(f"no sensor of this movement is paired; run `rom pair {needed}` first")
    learnt = {sensor.address: sensor.rate_error for sensor in worn if sensor.rate_error is not None}
    requests, notes = prepared(order, [sensor.request() for sensor in worn], screen)
    with Acquisition(requests, learnt=learnt) as acquisition:
        record(order, acquisition, screen, keys, given=given, notes=notes)
        save_pairing(file, with_rates(sensors, acquisition.learnt()))


def capture_virtual(
    order: "Order", kind: str, given: "Sequence[JointCalibration]", screen: "Screen", keys: "Keys"
) -> None:
    """Capture with emulated sensors on an imagined limb that does what the steps ask for."""
    from imu.acquisition import Acquisition
    from imu.sensors.registry import driver_named
    from tools.cli.capture_record import record
    from tools.emulator.limbs import world_of, worn_parts
    from tools.emulator.stage import on_air

    limbs = worn_parts(driver_named(kind), world_of(order.movement, order.side), 2, SEED)
    with on_air([item.part for item in limbs.sensors]) as backend:
        requests, notes = prepared(order, [item.request() for item in limbs.sensors], screen, backend)
        with Acquisition(requests, backend=backend) as acquisition:
            record(order, acquisition, screen, keys, given=given, limbs=limbs, notes=notes)


def prepared(
    order: "Order", requests: "Sequence[SensorRequest]", screen: "Screen", backend: "Backend | None" = None
) -> "tuple[Sequence[SensorRequest], list[dict[str, Any]]]":
    """Return what to ask of the sensors, synchronised by radio if that is ordered, and notes on that."""
    if not order.sync:
        return requests, []
    from tools.cli.common_time import by_radio

    synchronised, note = by_radio(requests, screen.prompt, backend)
    return synchronised, [note]
