"""Findings, treatments, passes and stops of a visit, and where to look next."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from imu.errors import InputError
from rom.catalogue.loader import Catalogue
from rom.catalogue.structure import Structure
from rom.clinic.desk import Desk, Step
from rom.clinic.facts import region_closed, screening_of
from rom.clinic.intake import check_nprs
from rom.clinic.measured import Measured
from rom.clinic.stops import NO_STOP, Reach, reach, stop
from rom.clinic.store import Ledger
from rom.clinic.store_visits import Halt, PalpationFinding, PassRecord, RecordingFile, Treatment, Visit
from rom.clinic.trials import keep, take_over_calibration
from rom.clinic.visit import State, VisitError


class Technique(StrEnum):
    """What is done to the tissue; a label, no judgement."""

    ART = "ART"
    GRASTON = "Graston"
    ASTYM = "ASTYM"
    IASTM = "other IASTM"
    MASSAGE = "massage"
    STRETCH = "static stretch"
    MANIPULATION = "joint manipulation"
    EXERCISE = "exercise"
    NONE = "none"


class Texture(StrEnum):
    """What the tissue feels like under the fingers."""

    TIGHT = "tight"
    THICKENED = "thickened"
    GRITTY = "gritty"
    NONE = "none"


@dataclass(frozen=True)
class PassEnd:
    """How a pass ended, and how far a stop reached."""

    record: PassRecord
    reach: Reach | None


def palpate(
    desk: Desk,
    code: str,
    structure: str,
    side: str,
    *,
    texture: Texture = Texture.NONE,
    tender: int = 0,
    familiar: bool | None = None,
    despite: str = "",
) -> PalpationFinding:
    """Write a finding down; the structure is the one that is treated next.

    Raises
    ------
    VisitError
        If the screening closes the structure's region.
    """
    if not 0 <= tender <= 3:
        raise InputError(f"tenderness is rated from 0 to 3, got {tender}")
    if side not in ("left", "right", "midline"):
        raise InputError(f"a side is left, right or midline, got {side!r}")
    found = desk.catalogue.structure(structure)
    with desk.step(code, State.PALPATE, despite=despite) as step:
        closed = region_closed(screening_of(step.ledger, step.visit), desk.catalogue, structure)
        if closed:
            raise VisitError(f"{found.name}: {closed}")
        return step.ledger.add(
            PalpationFinding(
                visit_id=step.visit.id,
                structure=structure,
                side=side,
                texture=str(texture),
                tender=tender,
                reproduces_familiar=familiar,
            )
        )


def treat(desk: Desk, code: str, technique: Technique, tool: str = "") -> Treatment:
    """Begin the work on the structure that was palpated last."""
    with desk.step(code, State.TREAT) as step:
        finding = step.ledger.one(PalpationFinding, visit_id=step.visit.id)
        if finding is None:
            raise VisitError("no structure is chosen; palpate first")
        _end_treatment(step.ledger, step.visit, "next treatment")
        return step.ledger.add(
            Treatment(
                visit_id=step.visit.id,
                structure=finding.structure,
                side=finding.side,
                technique=str(technique),
                started_at=step.ledger.now,
                tool=tool or None,
            )
        )


def contact_on(desk: Desk, code: str, contact: str = "") -> PassRecord:
    """Begin a pass."""
    with desk.step(code, State.PASS) as step:
        treatment = _treatment(step)
        if _open_pass(step.ledger, treatment) is not None:
            raise VisitError("a pass is under contact already; end it first")
        number = len(step.ledger.find(PassRecord, treatment_id=treatment.id)) + 1
        return step.ledger.add(
            PassRecord(
                treatment_id=treatment.id,
                n=number,
                started_at=step.ledger.now,
                movement=desk.catalogue.structure(treatment.structure).pass_movement,
                contact=contact or None,
            )
        )


def contact_off(
    desk: Desk,
    code: str,
    *,
    discomfort: float | None = None,
    stopped: str = NO_STOP,
    start_deg: float | None = None,
    end_deg: float | None = None,
) -> PassEnd:
    """End the pass under contact, with the client's discomfort and why it ended.

    A second stop on one structure ends the work on it; a neurological sign halts the visit.
    """
    _check_end(discomfort, stopped)
    with desk.step(code, State.TREAT) as step:
        treatment = _treatment(step)
        running = _open_pass(step.ledger, treatment)
        if running is None:
            raise VisitError("no pass is under contact")
        step.ledger.change(
            running,
            ended_at=step.ledger.now,
            discomfort=discomfort,
            stop_reason=stopped,
            start_deg=start_deg,
            end_deg=end_deg,
        )
        return PassEnd(running, _apply_stop(step, treatment, running))


def passes_from(desk: Desk, code: str, measured: Measured) -> list[PassRecord]:
    """Write the passes of a recording down, in order, until their limit or a stop that reaches farther.

    A recording that is part of the visit already adds nothing.
    """
    with desk.step(code, State.TREAT) as step:
        treatment = _treatment(step)
        known = step.ledger.one(RecordingFile, sha256=measured.sha256)
        if known is not None:
            return step.ledger.find(PassRecord, recording_id=known.id)
        file = keep(desk.store.folder, measured, step.ledger, step.visit.id)
        done = len(step.ledger.find(PassRecord, treatment_id=treatment.id))
        if done + len(measured.passes) > step.visit.passes_max:
            raise VisitError(
                f"{measured.path.name} holds {len(measured.passes)} passes, {done} are done and "
                f"{step.visit.passes_max} are the limit of this visit; nothing was added"
            )
        take_over_calibration(step, measured)
        added: list[PassRecord] = []
        for n, one in enumerate(measured.passes, start=done + 1):
            added.append(
                step.ledger.add(
                    PassRecord(
                        treatment_id=treatment.id,
                        n=n,
                        started_at=measured.recorded_at + timedelta(seconds=one.t0_s),
                        ended_at=measured.recorded_at + timedelta(seconds=one.t1_s),
                        recording_id=file.id,
                        movement=measured.movement,
                        t0_s=one.t0_s,
                        t1_s=one.t1_s,
                        start_deg=one.start_deg,
                        end_deg=one.end_deg,
                        mean_speed_dps=one.mean_speed_dps,
                        discomfort=one.discomfort,
                        stop_reason=one.stop_reason or NO_STOP,
                    )
                )
            )
            _apply_stop(step, treatment, added[-1])
        return added


def neighbours(catalogue: Catalogue, structure: str) -> tuple[list[Structure], list[Structure]]:
    """Return the anatomical neighbours of a structure, up and down the chain: suggestions only."""
    found = catalogue.structure(structure)
    return (
        [catalogue.structure(name) for name in found.chain_up],
        [catalogue.structure(name) for name in found.chain_down],
    )


def retarget(desk: Desk, code: str, despite: str = "") -> tuple[list[Structure], list[Structure]]:
    """Move on from a re-test; return the neighbours of the structure that was treated."""
    with desk.step(code, State.RETARGET, despite=despite) as step:
        treatment = _treatment(step)
        _end_treatment(step.ledger, step.visit, "re-tested")
        return neighbours(desk.catalogue, treatment.structure)


def _end_treatment(ledger: Ledger, visit: Visit, because: str) -> None:
    for treatment in ledger.find(Treatment, visit_id=visit.id):
        if treatment.ended_at is None:
            ledger.change(treatment, ended_at=ledger.now, ended_because=treatment.ended_because or because)


def _treatment(step: Step) -> Treatment:
    treatment = step.ledger.one(Treatment, visit_id=step.visit.id)
    if treatment is None:
        raise VisitError("no treatment has begun; say which technique first")
    return treatment


def _open_pass(ledger: Ledger, treatment: Treatment) -> PassRecord | None:
    return next((p for p in ledger.find(PassRecord, treatment_id=treatment.id) if p.ended_at is None), None)


def _check_end(discomfort: float | None, stopped: str) -> None:
    if discomfort is not None:
        check_nprs(discomfort, "discomfort")
    if stopped != NO_STOP:
        stop(stopped)


def _apply_stop(step: Step, treatment: Treatment, ended: PassRecord) -> Reach | None:
    """Write down what a stop ends beyond its pass."""
    limit = step.visit.discomfort_max
    over = ended.discomfort is not None and ended.discomfort > limit
    why = ended.stop_reason or NO_STOP
    if why == NO_STOP and not over:
        return None
    same = [
        t
        for t in step.ledger.find(Treatment, visit_id=step.visit.id)
        if (t.structure, t.side) == (treatment.structure, treatment.side)
    ]
    earlier = [
        p.stop_reason or NO_STOP
        for t in same
        for p in step.ledger.find(PassRecord, treatment_id=t.id)
        if p.id != ended.id
    ]
    if over and why == NO_STOP:
        step.ledger.change(ended, f"discomfort {ended.discomfort:g} over {limit:g}", stop_reason="stop")
        why = "stop"
    how_far = reach(earlier, why)
    if how_far is not Reach.PASS:
        said = "two stops on it" if how_far is Reach.STRUCTURE else stop(why).says
        step.ledger.change(treatment, ended_at=step.ledger.now, ended_because=said)
    if how_far is Reach.SESSION:
        step.move(State.HALT)
        step.ledger.add(
            Halt(
                visit_id=step.visit.id,
                code=why,
                reason=stop(why).says,
                action="contact ended, session ended",
                told="",
            )
        )
    return how_far
