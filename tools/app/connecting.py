"""Before a capture records: wait for its sensors, and see that they sit on the right side. No Qt."""

import time

from imu.acquisition import HOPELESS, Acquisition
from imu.block import join
from imu.check import lifted_side, liveliness
from imu.errors import RadioError
from rom.catalogue.movement import Movement, Side
from tools.cli.capture_screen import Screen
from tools.cli.check import CONNECT_SECONDS, watch
from tools.cli.keys import QUIT, START_STOP, Keys

LOOK_S = 0.3
LIFT_LOOK_S = 0.8
"""How long each look at the lifted limb takes, s."""
LIFT_PATIENCE_S = 8.0
"""Without any movement of the sensors for so long, they may sit on the other side, s."""
LEGS = ("thigh", "shank", "foot")


class LeftError(Exception):
    """The person ended the capture before it recorded anything."""


def connect(acquisition: Acquisition, screen: Screen, keys: Keys) -> None:
    """Wait until every sensor streams.

    Raises
    ------
    RadioError
        As `Acquisition.wait_for_all`.
    LeftError
        If the person does not want to wait.
    """
    screen.prompt("Connecting")
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            acquisition.wait_for_all(LOOK_S)
        except RadioError as error:
            if error.kind in HOPELESS or acquisition.error is not None or time.monotonic() > deadline:
                raise
            if keys.pressed() == QUIT:
                raise LeftError from None
        else:
            return


def lift_words(movement: Movement, side: Side) -> str:
    """Return what a person does to show which side is worn; empty where there are no sides."""
    if side == "midline":
        return ""
    limb = "leg" if movement.distal_segment in LEGS else "arm"
    return f"Lift the {side.upper()} {limb}, then hold it still"


def check_side(acquisition: Acquisition, movement: Movement, side: Side, screen: Screen, keys: Keys) -> None:
    """Let a person lift the limb that is measured; its sensors must move, and those of the other side not.

    The space key goes on without.

    Raises
    ------
    LeftError
        If the person ends it.
    """
    words = lift_words(movement, side)
    if not words:
        return
    limb = words.split()[3].rstrip(",")
    other = "RIGHT" if side == "left" else "LEFT"
    since = time.monotonic()
    screen.prompt(words)
    while True:
        key = keys.pressed()
        if key == QUIT:
            raise LeftError
        if key == START_STOP:
            return
        blocks = watch(acquisition, LIFT_LOOK_S)
        moved = lifted_side({name: liveliness(join(parts)) for name, parts in blocks.items() if parts})
        if moved == side:
            return
        if moved is not None:
            screen.prompt(
                f"The sensors of the {other} {limb} moved: they are swapped. Put them on the other side, or "
                f"run `rom pair --lift`. {words}; space goes on without"
            )
        elif time.monotonic() - since > LIFT_PATIENCE_S:
            screen.prompt(
                f"No sensor of the {side.upper()} {limb} moved: do they sit on the {other} one? "
                f"{words}; space goes on without"
            )
