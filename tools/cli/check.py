"""`rom check`: ten seconds on a table tell whether the paired sensors are fit for a measurement."""

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imu.errors import InputError
from tools.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from imu.acquisition import Acquisition
    from imu.block import ImuBlock
    from imu.check import SensorCheck

CONNECT_SECONDS = 30.0
SyncOption = Annotated[
    bool, typer.Option("--sync", help="Synchronise clocks by radio first (DOT: about 25 s; capture2go).")
]
TapsOption = Annotated[
    bool, typer.Option("--taps", help="Align the sensors' times by three taps on all of them together.")
]
PairingOption = Annotated[Path | None, typer.Option(help="Pairing file instead of your own.")]


def check(
    *,
    seconds: Annotated[float, typer.Option(help="How long to watch.")] = 10.0,
    sync: SyncOption = False,
    taps: TapsOption = False,
    pairing: PairingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge every paired sensor at rest: noise, true rate, loss, clock, magnetic field, in words."""
    from imu.acquisition import Acquisition
    from imu.pairing import load_pairing, pairing_file, save_pairing, with_rates
    from tools.cli.common_time import by_radio, by_taps

    file = pairing or pairing_file()
    sensors = load_pairing(file)
    if not sensors:
        raise InputError("no sensor is paired yet; run `rom pair` first")
    say = _say_aside if as_json else _say
    requests, notes = [sensor.request() for sensor in sensors.values()], list[dict[str, Any]]()
    if sync:
        requests, note = by_radio(requests, say)
        notes.append(note)
    learnt = {s.address: s.rate_error for s in sensors.values() if s.rate_error is not None}
    with ExitStack() as stack:
        acquisition = stack.enter_context(Acquisition(requests, learnt=learnt))
        acquisition.wait_for_all(CONNECT_SECONDS)
        if taps:
            notes.append(by_taps(acquisition, say))
        say(f"Put all sensors on a table and let them lie still for {seconds:g} s.")
        checks = _judge(acquisition, watch(acquisition, seconds))
        save_pairing(file, with_rates(sensors, acquisition.learnt()))
    document = {
        "schema": "rom.check/1",
        "sensors": [asdict(item) for item in checks],
        "common_time": notes,
    }
    emit(document, "\n".join(_lines(item) for item in checks), as_json=as_json)


def _say(words: str) -> None:
    print(words, flush=True)


def _say_aside(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def watch(acquisition: "Acquisition", seconds: float) -> "dict[str, list[ImuBlock]]":
    """Return the blocks of the next seconds, by sensor; what waited before is left out."""
    from imu.health import Notice

    while not acquisition.queue.empty():
        acquisition.queue.get()
    time.sleep(seconds)
    blocks: dict[str, list[ImuBlock]] = {request.sensor: [] for request in acquisition.requests}
    while not acquisition.queue.empty():
        item = acquisition.queue.get()
        if not isinstance(item, Notice):
            blocks[item.sensor].append(item)
    return blocks


def _judge(acquisition: "Acquisition", blocks: "dict[str, list[ImuBlock]]") -> "list[SensorCheck]":
    from imu.block import join
    from imu.check import check_sensor

    rates = {request.sensor: request.settings.rate_hz for request in acquisition.requests}
    return [
        check_sensor(
            health.sensor,
            join(blocks[health.sensor]) if blocks[health.sensor] else None,
            rates[health.sensor],
            health.clock,
            health.battery,
        )
        for health in acquisition.health()
    ]


def _lines(item: "SensorCheck") -> str:
    clock = "clock shared" if item.shared_clock else f"clock ±{item.time_spread * 1e3:.1f} ms"
    field = "" if item.field != item.field else f", field {item.field:.0f} µT"
    return (
        f"{item.sensor}: {item.sentence()}\n"
        f"    {item.rate_hz:.2f} of {item.nominal_hz:g} samples/s, {item.loss:.1%} lost, "
        f"noise {item.gyr_noise * 57.29578:.3f} °/s and {item.acc_noise:.4f} m/s², "
        f"{clock}, late {item.late * 1e3:.0f} ms{field}"
    )
