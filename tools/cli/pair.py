"""`rom pair`: which sensor is worn where, by address or by shaking it, and a test for swapped sides."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError, RadioError
from tools.cli.check import CONNECT_SECONDS, PairingOption, watch

if TYPE_CHECKING:
    from imu.acquisition import Acquisition
    from imu.ble import Sighting
    from imu.pairing import PairedSensor

LOOK = 1.0
PATIENCE = 60.0
SIDES = ("left", "right")
NOT_SHAKEN = (
    f"no sensor was clearly shaken within {PATIENCE:g} s; shake one hard, the others not; start again"
)
NOT_LIFTED = f"no foot clearly moved within {PATIENCE:g} s; swing one, keep the other still, and start again"
STILL_MOVES = f"a sensor still moves after {PATIENCE:g} s; keep all of them still and start again"


def pair(
    segments: Annotated[
        list[str] | None,
        typer.Argument(
            help="SEGMENT=ADDRESS, or SEGMENT alone to find its sensor by shaking it.",
            metavar="left_shank=D4:22:CD:00:00:01 ...",
        ),
    ] = None,
    *,
    lift: Annotated[bool, typer.Option("--lift", help="Test for swapped sides: lift each foot.")] = False,
    seconds: Annotated[float, typer.Option(help="How long to look for sensors.")] = 8.0,
    pairing: PairingOption = None,
) -> None:
    """Remember which sensor is worn where; without arguments, show it."""
    from imu.pairing import load_pairing, pairing_file, save_pairing, with_pair

    file = pairing or pairing_file()
    sensors = load_pairing(file)
    if segments:
        _check_segments([text.partition("=")[0] for text in segments])
        heard = _heard(seconds, wanted=[text.partition("=")[2] for text in segments])
        for sensor in _named(segments, heard) + _shaken(segments, heard):
            sensors = with_pair(sensors, sensor)
        save_pairing(file, sensors)
    if lift:
        sensors = _test_sides(sensors)
        save_pairing(file, sensors)
    for sensor in sensors.values():
        print(f"{sensor.segment}: {sensor.name or sensor.family} ({sensor.address})")
    if not sensors:
        print("No sensor is paired. Example: rom pair left_thigh left_shank")


def _check_segments(segments: Sequence[str]) -> None:
    """Refuse names that no movement of the catalogue knows."""
    from rom.catalogue.loader import load_catalogue
    from rom.catalogue.movement import sided

    known = {
        sided(segment, side)
        for movement in load_catalogue().movements.values()
        for segment in (movement.proximal_segment, movement.distal_segment)
        for side in ("left", "right")
    }
    for segment in segments:
        if segment not in known:
            names = ", ".join(sorted(known))
            raise InputError(f"no segment is called {segment!r}; segments are {names}")


def _heard(seconds: float, wanted: Sequence[str]) -> "dict[str, Sighting]":
    """Return the sensors nearby, by address; done early once all wanted addresses were heard."""
    from imu.ble import Radio

    found: dict[str, Sighting] = {}
    addresses = {address.upper() for address in wanted}

    def heard(sighting: "Sighting") -> None:
        if sighting.driver is not None:
            found[sighting.address.upper()] = sighting

    async def look() -> None:
        radio = Radio()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not addresses <= found.keys():
            await radio.scan(min(0.5, deadline - time.monotonic()), heard)

    asyncio.run(look())
    return found


def _named(segments: Sequence[str], heard: "dict[str, Sighting]") -> "list[PairedSensor]":
    """Return the sensors that were given by address."""
    named: list[PairedSensor] = []
    for text in segments:
        segment, _, address = text.partition("=")
        if not address:
            continue
        sighting = heard.get(address.upper())
        if sighting is None:
            known = ", ".join(heard) or "none"
            raise RadioError(
                "not-found", f"no sensor with address {address} was heard (heard: {known}); switch it on"
            )
        named.append(_paired(segment, sighting))
    return named


def _shaken(segments: Sequence[str], heard: "dict[str, Sighting]") -> "list[PairedSensor]":
    """Return the sensors that are found by shaking them."""
    from imu.acquisition import Acquisition
    from imu.check import shaken

    wanted = [text for text in segments if "=" not in text]
    if not wanted:
        return []
    if not heard:
        raise RadioError("not-found", "no sensor was heard; switch them on, bring them near, then try again")
    candidates = {address: _paired(address, sighting) for address, sighting in heard.items()}
    found: list[PairedSensor] = []
    with Acquisition([item.request() for item in candidates.values()]) as acquisition:
        acquisition.wait_for_all(CONNECT_SECONDS)
        for segment in wanted:
            print(f"Shake the sensor for {segment} to find it.", flush=True)
            address = _until(acquisition, shaken, NOT_SHAKEN)
            found.append(_paired(segment, heard[address]))
            print(f"{segment}: {heard[address].name} ({address}). Put it down.", flush=True)
            _until(acquisition, lambda levels: "" if shaken(levels) is None else None, STILL_MOVES)
    return found


def _test_sides(sensors: "dict[str, PairedSensor]") -> "dict[str, PairedSensor]":
    """Ask for each foot to be lifted; return the pairing, with sides swapped if the wrong one moved."""
    from imu.acquisition import Acquisition
    from imu.check import lifted_side
    from imu.pairing import with_sides_swapped

    sides = [side for side in SIDES if any(segment.startswith(side) for segment in sensors)]
    if len(sides) < len(SIDES):
        raise InputError("the test for swapped sides needs sensors on both sides; pair them first")
    with Acquisition([item.request() for item in sensors.values()]) as acquisition:
        acquisition.wait_for_all(CONNECT_SECONDS)
        moved: list[str] = []
        for side in SIDES:
            print(f"Lift the {side.upper()} foot and swing it, then hold still.", flush=True)
            moved.append(_until(acquisition, lifted_side, NOT_LIFTED))
            _until(acquisition, lambda levels: "" if lifted_side(levels) is None else None, STILL_MOVES)
    if tuple(moved) == SIDES:
        print("Left is left, right is right.")
        return sensors
    if tuple(moved) == SIDES[::-1]:
        print("Left and right were swapped; this is corrected now.")
        return with_sides_swapped(sensors)
    raise InputError(f"the {moved[0]} side moved both times; lift one foot at a time and test again")


def _until(
    acquisition: "Acquisition", judge: Callable[[dict[str, float]], str | None], otherwise: str
) -> str:
    """Wait until the movement of the sensors gives an answer."""
    from imu.block import join
    from imu.check import liveliness

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        blocks = watch(acquisition, LOOK)
        answer = judge({name: liveliness(join(parts)) for name, parts in blocks.items() if parts})
        if answer is not None:
            return answer
    raise InputError(otherwise)


def _paired(segment: str, sighting: "Sighting") -> "PairedSensor":
    from imu.pairing import PairedSensor

    family = sighting.driver.capability.family if sighting.driver is not None else ""
    return PairedSensor(segment, sighting.address, family, sighting.name)
