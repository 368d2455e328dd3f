"""How sensors are brought to one time beyond what their arrivals tell: by their own radio, or by taps."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imu.acquisition import Acquisition
from imu.ble import Backend
from imu.ble_link import SensorRequest
from imu.block import join
from imu.errors import InputError, RadioError
from tools.cli.check import watch

if TYPE_CHECKING:
    from imu.taps import TapAlignment

TAP_SECONDS = 8.0
TRIES = 3
Say = Callable[[str], None]


def by_radio(
    requests: Sequence[SensorRequest], say: Say, backend: Backend | None = None
) -> tuple[tuple[SensorRequest, ...], dict[str, Any]]:
    """Synchronise what can be; return what to ask of the sensors then, and a note for the recording.

    Raises
    ------
    InputError
        If no two sensors can.
    RadioError
        If it did not succeed; the sentence says at which sensor and why.
    """
    from imu.hardware_sync import synchronise

    say("Synchronising clocks by radio: keep the sensors together and switched on, up to half a minute")
    found = synchronise(requests, backend=backend)
    for result in found.results:
        say(f"{result.sensor}: {result.words}")
    failed = [f"{result.sensor}: {result.words}" for result in found.results if not result.ok]
    if failed:
        raise RadioError("sync", f"the clocks could not be synchronised by radio ({'; '.join(failed)})")
    return found.requests, {
        "of": "common-time",
        "by": "radio",
        "sensors": [asdict(result) for result in found.results],
    }


def by_taps(acquisition: Acquisition, say: Say) -> dict[str, Any]:
    """Ask for three taps, shift the sensors' times by what they say, and return a note for the recording.

    From then on all times are shifted, on the screen and in the recording alike. If the taps are not clear or
    disagree, it asks again; after the last try nothing is shifted.

    Raises
    ------
    InputError
        If no try gave three clear taps that agree, with what was wrong with the last.
    """
    found = _tapped(acquisition, say)
    acquisition.shift({sensor: alignment.offset for sensor, alignment in found.items()})
    for sensor, alignment in found.items():
        say(
            f"{sensor}: times moved by {alignment.offset * 1e3:+.1f} ms, the three taps agree within "
            f"{alignment.residual * 1e3:.1f} ms"
        )
    shifts = {
        sensor: {"offset_s": alignment.offset, "residual_s": alignment.residual}
        for sensor, alignment in found.items()
    }
    return {"of": "common-time", "by": "taps", "reference": acquisition.requests[0].sensor, "sensors": shifts}


def _tapped(acquisition: Acquisition, say: Say) -> "dict[str, TapAlignment]":
    """Ask until taps are clear and agree; the last failure is passed on."""
    from imu.taps import align_all

    left = TRIES
    while True:
        say(f"Hold all sensors firmly together and tap them three times, within {TAP_SECONDS:g} s")
        blocks = watch(acquisition, TAP_SECONDS)
        left -= 1
        try:
            silent = [sensor for sensor, got in blocks.items() if not got]
            if silent or len(blocks) < 2:
                raise InputError(
                    f"two or more sensors that stream were expected, got {len(blocks)}, silent: {silent}"
                )
            return align_all({sensor: join(got) for sensor, got in blocks.items()})
        except InputError as error:
            if not left:
                raise
            say(f"Again: {error}")
