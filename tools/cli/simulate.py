"""`rom simulate`: emulated sensors that the unmodified driver scans, connects to and streams from."""

import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError

if TYPE_CHECKING:
    from tools.emulator.limbs import WornPart

ELSEWHERE = (
    "On this system emulated sensors cannot be published to other programs: that takes Linux with "
    "dbus-daemon. The same sensors feed through bleak's injected back end instead: run "
    "`rom capture --virtual`."
)


def simulate(
    *,
    sensors: Annotated[int, typer.Option(help="How many, 1 to 8: two on each limb.")] = 2,
    kind: Annotated[str, typer.Option(help="Sensor family, as in `rom sensors`.")] = "movella-dot",
    side: Annotated[str, typer.Option(help="Side of the first limb.")] = "right",
    fault: Annotated[
        list[str] | None,
        typer.Option(help="NAME[:VALUE][@SECONDS[+DURATION]][#SENSOR]; may be given several times."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long; 0 is until Ctrl-C.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the simulated limbs.")] = 1,
) -> None:
    """Publish emulated sensors on a private bus, for trying everything without hardware."""
    from imu.sensors.registry import driver_named
    from rom.limb_script import Functional, Neutral, Reps
    from rom.limb_world import LimbSpec
    from tools.emulator import bus
    from tools.emulator.faults import parse
    from tools.emulator.limbs import worn_parts

    if side not in ("left", "right"):
        raise InputError(f"--side must be left or right, got {side!r}")
    faults = [parse(text) for text in fault or ()]
    if sys.platform != "linux" or not bus.available():
        print(ELSEWHERE)
        return
    programme = (Neutral(6.0), Functional(6), Reps(60, start=0.0, end=1.6))
    worn = worn_parts(driver_named(kind), LimbSpec(programme, side=side), sensors, seed).sensors

    from tools.emulator.bus import PrivateBus
    from tools.emulator.bus_stage import BusStage
    from tools.emulator.faults import cast, timeline

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parts = cast([item.part for item in worn], faults)
    with PrivateBus() as private, BusStage(private.address, parts) as stage:
        print(_how_to_connect(worn, private.address), flush=True)
        began = time.monotonic()
        moments = timeline(stage, faults)
        try:
            while not seconds or time.monotonic() - began < seconds:
                while moments and time.monotonic() - began >= moments[0][0]:
                    moments.pop(0)[1]()
                time.sleep(0.02)
        except KeyboardInterrupt:
            print("ended")


def _how_to_connect(worn: "Sequence[WornPart]", address: str) -> str:
    from tools.emulator.bus import VARIABLE

    table = [
        f"  {item.part.address}  {item.part.driver.capability.title}, on {item.segment}" for item in worn
    ]
    pairs = " ".join(f"{item.segment}={item.part.address}" for item in worn)
    return "\n".join(
        [
            f"{len(worn)} emulated sensors:",
            *table,
            "In another terminal:",
            f"  export {VARIABLE}={address}",
            "  rom scan",
            f"  rom pair {pairs}",
            "  rom check",
            "Ctrl-C ends them.",
        ]
    )
