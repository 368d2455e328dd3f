"""Where the samples of a capture come from: worn or emulated sensors, opened alike by terminal and app."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu.errors import InputError
from rom.catalogue.movement import Movement, Side

if TYPE_CHECKING:
    from imu.acquisition import Acquisition
    from imu.ble import Backend
    from imu.ble_link import SensorRequest
    from tools.emulator.limbs import Pace, WornLimbs

SEED = 7
"""Of the imagined limb: the same one each time."""
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Opened:
    """Sensors that are being connected.

    Parameters
    ----------
    acquisition
        Just begun.
    limbs
        The emulated limbs, None if a person is measured.
    notes
        What the recording should tell of how the sensors were prepared.
    """

    acquisition: "Acquisition"
    limbs: "WornLimbs | None" = None
    notes: tuple[Mapping[str, Any], ...] = ()


Source = Callable[[], AbstractContextManager[Opened]]
"""Begins an acquisition; leaving the context ends it and keeps what was learnt."""


def worn_sensors(
    movement: Movement, side: Side, pairing: Path | None = None, *, synchronise: Say | None = None
) -> Source:
    """Return the paired sensors of a movement; what is learnt of their clocks is kept.

    Parameters
    ----------
    movement, side
        Which segments are worth a sensor.
    pairing
        Pairing file; None for the user's own.
    synchronise
        If given, the clocks are synchronised by radio first, and this is told how it goes.

    Raises
    ------
    InputError
        On opening, if no sensor of this movement is paired.
    RadioError
        On opening, if the radio synchronisation fails.
    """

    @contextmanager
    def begin() -> Generator[Opened]:
        from imu.acquisition import Acquisition
        from imu.pairing import load_pairing, pairing_file, save_pairing, with_rates
        from rom.prepared import prepare
        from tools.cli.capture_steps import useful_segments

        file = pairing or pairing_file()
        sensors = load_pairing(file)
        worn = [sensors[segment] for segment in useful_segments(movement, side) if segment in sensors]
        if not worn:
            needed = " ".join(movement.segments(side))
            raise InputError(f"no sensor of this movement is paired; run `rom pair {needed}` first")
        learnt = {sensor.address: sensor.rate_error for sensor in worn if sensor.rate_error is not None}
        prepare()
        requests, notes = _synchronised([sensor.request() for sensor in worn], synchronise, None)
        with Acquisition(requests, learnt=learnt) as acquisition:
            yield Opened(acquisition, notes=notes)
            save_pairing(file, with_rates(sensors, acquisition.learnt()))

    return begin


def virtual_sensors(
    movement: Movement,
    side: Side,
    *,
    kind: str = "movella-dot",
    seed: int = SEED,
    pace: "Pace | None" = None,
    synchronise: Say | None = None,
) -> Source:
    """Return emulated sensors on an imagined limb that does what the steps ask for, through the real driver.

    Parameters
    ----------
    movement, side
        What the limb does.
    kind
        Family of the sensors.
    seed, pace
        Of the limb.
    synchronise
        As of `worn_sensors`.

    Raises
    ------
    InputError
        On opening, if no imagined limb can do the movement.
    """

    @contextmanager
    def begin() -> Generator[Opened]:
        from imu.acquisition import Acquisition
        from imu.sensors.registry import driver_named
        from rom.prepared import prepare
        from tools.emulator.limbs import world_of, worn_parts
        from tools.emulator.stage import on_air

        prepare()
        limbs = worn_parts(driver_named(kind), world_of(movement, side, pace), 2, seed)
        with on_air([item.part for item in limbs.sensors]) as backend:
            requests, notes = _synchronised([item.request() for item in limbs.sensors], synchronise, backend)
            with Acquisition(requests, backend=backend) as acquisition:
                yield Opened(acquisition, limbs, notes)

    return begin


def _synchronised(
    requests: "Sequence[SensorRequest]", synchronise: Say | None, backend: "Backend | None"
) -> "tuple[Sequence[SensorRequest], tuple[Mapping[str, Any], ...]]":
    """Return what to ask of the sensors, synchronised by radio if that is wanted, and notes on that."""
    if synchronise is None:
        return requests, ()
    from tools.cli.common_time import by_radio

    synchronised, note = by_radio(requests, synchronise, backend)
    return synchronised, (note,)
