"""`rom capture`: record a movement with sensors on the limb, and see the angle while it happens."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from imu.errors import InputError
from tools.cli.check import PairingOption, SyncOption, TapsOption
from tools.cli.output import JsonOption


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
    from tools.cli.capture_order import Order
    from tools.cli.capture_record import record
    from tools.cli.capture_screen import LiveScreen, Screen
    from tools.cli.capture_steps import distal_alone
    from tools.cli.keys import keyboard
    from tools.cli.measure import measure
    from tools.sources import virtual_sensors, worn_sensors

    chosen = load_catalogue().movement(movement)
    if side not in ("left", "right", "midline"):
        raise InputError(f"--side must be left, right or midline, got {side!r}")
    chosen.check_side(side)
    if not (seconds or virtual or sys.stdin.isatty()):
        raise InputError("without a keyboard --seconds must say how long the test lasts")
    file = output or Path(f"{movement}_{side}_{datetime.now().astimezone():%Y%m%d-%H%M%S}.mcap")
    if taps and virtual:
        raise InputError("emulated sensors cannot be tapped; leave --taps out, or --virtual")
    order = Order(chosen, side, phase, client, file, seconds or None, structure, technique, taps)
    given = [joint for path in calibration or () for joint in load_joints(path)]
    with keyboard() as keys, LiveScreen() if sys.stdout.isatty() and not as_json else Screen() as screen:
        say = screen.prompt if sync else None
        source = (
            virtual_sensors(chosen, side, kind=kind, synchronise=say)
            if virtual
            else worn_sensors(chosen, side, pairing, synchronise=say)
        )
        screen.prompt("Getting ready: once after installing this takes half a minute")
        with source() as opened:
            record(order, opened, screen, keys, given=given)
    if not as_json:
        print(f"Recorded {file}")
    worn = [sensor.segment for sensor in Recording.open(file).header.sensors]
    measure(file, movement=movement, side=side, one_sensor=distal_alone(chosen, side, worn), as_json=as_json)
