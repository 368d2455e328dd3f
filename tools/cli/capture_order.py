"""What is to be captured: light enough to be known before anything that captures is loaded."""

from dataclasses import dataclass
from pathlib import Path

from rom.catalogue.movement import Movement, Side


@dataclass(frozen=True)
class Order:
    """What is to be captured, how it is called in the recording, and how times are made to agree before.

    With `reps` a test ends by itself once so many are done that were not taken back.
    """

    movement: Movement
    side: Side
    phase: str
    client: str
    file: Path
    seconds: float | None
    structure: str
    technique: str
    taps: bool = False
    reps: int | None = None
