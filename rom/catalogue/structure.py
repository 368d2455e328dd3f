"""One soft-tissue structure of the catalogue: its pass, its re-tests, its neighbours."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Structure:
    """A muscle, tendon, ligament, fascia or nerve path that is treated in passes.

    Functional anatomy only, from own knowledge and to be verified by the user; no proprietary
    protocol. The chains are anatomical neighbours: suggestions, never instructions.

    Parameters
    ----------
    id, name, type, region
        Names as people search for them.
    pass_start_shortened, pass_end_lengthened
        The two ends of a pass, in words.
    pass_movement
        Id of the movement that the pass sweeps.
    pass_direction
        As the source gives it; see `pass_is_away`.
    secondary_movements, retest_movements
        Ids of movements; the first re-test is the one to do first.
    chain_up, chain_down
        Ids of neighbouring structures, nearer to and farther from the trunk.
    contact_caution, complaints, basis
        Texts for the practitioner, and where the row comes from.
    """

    id: str
    name: str
    type: str
    region: str
    pass_start_shortened: str
    pass_end_lengthened: str
    pass_movement: str
    pass_direction: str
    secondary_movements: tuple[str, ...]
    retest_movements: tuple[str, ...]
    chain_up: tuple[str, ...]
    chain_down: tuple[str, ...]
    contact_caution: str
    complaints: str
    basis: str

    @property
    def pass_is_away(self) -> bool:
        """Whether the pass moves towards the other side, as in side-bending away."""
        return "(away)" in self.pass_direction

    @property
    def summary(self) -> str:
        """The pass in one line: name, start -> end."""
        return f"{self.name}, {self.pass_start_shortened} -> {self.pass_end_lengthened}"
