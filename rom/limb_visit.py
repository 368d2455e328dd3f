"""A visit that exists only in memory: both knees tested, one treated structure by structure, re-tested.

Its truth is known: what testing alone does to both sides, and what each structure adds on the treated one.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from imu.virtual import CONSUMER, SensorGrade
from rom.limb import LimbRecording, simulate_limb
from rom.limb_script import Functional, Neutral, Passes, Phase, Reps, Supported, TableRest, TakePosition
from rom.limb_world import LimbSpec, Sway

_DEG = np.pi / 180.0
_WARM_UPS = 2
_AGAINST_BAR = Sway(fast=0.3 * _DEG, slow=1.0 * _DEG)
"""The thigh rests against a bar or strap (`kn_ake`), so it sways less than a leg in the air (assumed)."""


@dataclass(frozen=True, slots=True)
class VisitSpec:
    """A visit for a short hamstring, tested by active knee extension from 90/90 (`kn_ake`).

    Angles are the knee's deficit from straight, rad: less is better.

    Parameters
    ----------
    treated
        Side that is treated; the other is the control.
    deficit
        Where a warm rep ends at baseline: treated and control side.
    effects
        How much each structure gives, in order: its id and the gain.
    warm_up
        What the visit's testing gives to both sides by the time of the re-tests.
    cold
        How much the first rep of a baseline falls short (`../shared/reference/clinical.md` 0.1).
    spread
        Standard deviation from rep to rep.
    reps, passes
        Reps that count, after two to warm up, and passes over each structure.
    grade, rate
        Of the sensors.
    """

    treated: str = "left"
    deficit: tuple[float, float] = (38.0 * _DEG, 28.0 * _DEG)
    effects: tuple[tuple[str, float], ...] = (
        ("hamstrings", 4.0 * _DEG),
        ("popliteus", 1.0 * _DEG),
        ("gastrocnemius", 1.0 * _DEG),
    )
    warm_up: float = 2.0 * _DEG
    cold: float = 3.0 * _DEG
    spread: float = 1.0 * _DEG
    reps: int = 5
    passes: int = 5
    grade: SensorGrade = CONSUMER
    rate: float = 120.0


@dataclass(frozen=True, slots=True)
class VisitTrial:
    """One recording of a visit.

    Parameters
    ----------
    phase
        `baseline`, `treatment` or `retest`.
    side
        `left` or `right`.
    structure
        Treated in this trial, or just before it; empty at baseline and on the control side.
    recording
        The samples and their truth.
    meant
        Angle at which a warm rep was meant to end, rad; before rep-to-rep spread.
    warm_ups
        Reps at the start that do not count.
    """

    phase: str
    side: str
    structure: str
    recording: LimbRecording
    meant: float
    warm_ups: int

    def ends(self, *, bone: bool = False) -> tuple[float, ...]:
        """Return where each counting rep truly ended, rad, as the sensors or the bones saw it."""
        truth = self.recording.truth
        reps = [stroke for stroke in truth.strokes if stroke.kind == "rep"][self.warm_ups :]
        return tuple(truth.extent(stroke, bone=bone)[1] for stroke in reps)


def simulate_visit(spec: VisitSpec, seed: int) -> tuple[VisitTrial, ...]:
    """Return the trials of a visit in the order in which they are recorded.

    Control side first, then the treated one; passes over each structure and a re-test; at last the control
    side again. Sensors keep their straps and their errors throughout.
    """
    control = "right" if spec.treated == "left" else "left"
    deficits = {spec.treated: spec.deficit[0], control: spec.deficit[1]}
    plan = [
        _Step("baseline", control, "", deficits[control]),
        _Step("baseline", spec.treated, "", deficits[spec.treated]),
    ]
    reach = deficits[spec.treated] - spec.warm_up
    for structure, effect in spec.effects:
        plan.append(_Step("treatment", spec.treated, structure, reach))
        reach -= effect
        plan.append(_Step("retest", spec.treated, structure, reach))
    plan.append(_Step("retest", control, "", deficits[control] - spec.warm_up))
    seeds = np.random.SeedSequence(seed).generate_state(len(plan) + 2).tolist()
    persons = {control: seeds.pop(), spec.treated: seeds.pop()}
    return tuple(
        VisitTrial(
            step.phase,
            step.side,
            step.structure,
            simulate_limb(_world(spec, step, persons[step.side]), own),
            step.meant,
            _WARM_UPS if step.phase == "baseline" else 0,
        )
        for step, own in zip(plan, seeds, strict=True)
    )


class _Step(NamedTuple):
    """One recording to be made; the fields are those of `VisitTrial`."""

    phase: str
    side: str
    structure: str
    meant: float


def _world(spec: VisitSpec, step: _Step, person: int) -> LimbSpec:
    """Return the limb of one trial."""
    first = step.phase == "baseline"
    bent = 90.0 * _DEG
    work: Phase
    if step.phase == "treatment":
        work = Passes(spec.passes, start=bent, end=step.meant, structure=step.structure)
    else:
        work = Reps(
            spec.reps + (_WARM_UPS if first else 0),
            start=bent,
            end=step.meant,
            phase=step.phase,
            cold=spec.cold if first else spec.cold / 6.0,
            spread=spec.spread,
            creep=0.5 * _DEG,
        )
    still: Phase = TableRest() if first else Supported()
    return replace(
        LimbSpec((still, Neutral(), Functional(proximal_share=0.5), TakePosition(), work)),
        side=step.side,
        person=person,
        sway=_AGAINST_BAR,
        grade=spec.grade,
        rate=spec.rate,
    )
