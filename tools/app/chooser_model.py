"""What is captured next, picked by a few letters: client, movement, side, structure. No Qt."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from rom.catalogue.search import rank
from rom.catalogue.structure import Structure
from tools.cli.capture_order import Order


@dataclass(frozen=True)
class Choice:
    """What was picked."""

    client: str
    movement: Movement
    side: Side
    structure: Structure | None = None


class ChooserModel:
    """Clients and movements, found by what a person types.

    Parameters
    ----------
    catalogue
        Movements and structures.
    clients
        Pseudonyms that are known.
    """

    def __init__(self, catalogue: Catalogue, clients: Sequence[str] = ()) -> None:
        self.catalogue = catalogue
        self._clients = tuple(clients)

    def clients(self, typed: str) -> list[str]:
        """Return the clients that fit: "42" finds P0042."""
        return rank(typed, {code: (code,) for code in self._clients})

    def movements(self, typed: str) -> list[Movement]:
        """Return the movements that fit."""
        return self.catalogue.find_movements(typed)

    def structures(self, typed: str, movement: Movement | None = None) -> list[Structure]:
        """Return the structures that fit; those whose re-test is a movement come first."""
        found = self.catalogue.find_structures(typed)
        if movement is None:
            return found
        return sorted(found, key=lambda one: movement.id not in one.retest_movements)

    def title(self, movement: Movement) -> str:
        """Return a movement as it stands in a list, without a side."""
        name = movement.title_pattern.replace("{Side}", "").replace("{side}", "").strip()
        return f"{name[:1].upper()}{name[1:]}   ({movement.id})"

    def sides(self, movement: Movement) -> tuple[Side, ...]:
        """Return the sides a movement is measured on."""
        return ("midline",) if movement.laterality == "midline" else ("left", "right")

    def placement(self, movement: Movement, side: Side) -> str:
        """Return where the sensors sit, in words."""
        proximal, distal = (name.replace("_", " ") for name in movement.segments(side))
        return (
            f"{proximal}: {movement.proximal_sensor}\n{distal}: {movement.distal_sensor}\n"
            f"Start: {movement.start_position}"
        )


def order_for(choice: Choice, folder: Path, stamp: str, *, phase: str = "", technique: str = "") -> Order:
    """Return the capture that a choice means; it ends with a key."""
    movement, side = choice.movement, choice.side
    structure = "" if choice.structure is None else choice.structure.id
    name = "_".join(part for part in (choice.client, movement.id, side, phase or structure, stamp) if part)
    file = folder / f"{name}.mcap"
    return Order(movement, side, phase, choice.client, file, None, structure, technique)
