"""A practice for a try: one simulated client with earlier visits, measured by the real chain."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imu.virtual import RESEARCH
from rom.catalogue.loader import Catalogue
from rom.clinic import closing, intake, treating
from rom.clinic.desk import Desk, Limits
from rom.clinic.person import add_client, open_episode
from rom.clinic.screening import RULES, Answer, Reply
from rom.clinic.store import Store
from rom.clinic.straps import measure_in_visit
from rom.clinic.treating import Technique
from rom.clinic.trials import attach
from rom.clinic.visit import State
from rom.limb_recording import write_recording
from rom.limb_visit import VisitSpec, simulate_visit

CLIENT = "P0042"
CLINICIAN = "demo clinician"
BETWEEN = timedelta(days=4)
LENGTH = timedelta(minutes=15)
GAIN_A_VISIT = math.radians(3.0)
PAIN = (6.0, 5.0, 3.0, 2.0)
SPEC = VisitSpec(effects=(("hamstrings", math.radians(5.0)),), reps=5, passes=4, rate=60.0, grade=RESEARCH)
DESPITE = "demo"


class _Clock:
    """The time of the demo, which jumps from visit to visit."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def demo_desk(
    folder: Path,
    catalogue: Catalogue,
    visits: int,
    report: Callable[[float], None] | None = None,
    *,
    before_retest: Path | None = None,
) -> Desk:
    """Return a desk whose only client has had so many visits; all data are simulated and say so.

    Parameters
    ----------
    folder
        Where the practice lives.
    catalogue
        Movements and structures.
    visits
        Earlier visits, four at most.
    report
        Told how far it is, from 0 to 1.
    before_retest
        Leave the last visit open where its re-test is due, and write the recording of that into this file.
    """
    today = datetime.now(UTC)
    clock = _Clock(today - (visits + 1) * BETWEEN)
    store = Store(folder, clock=clock)
    desk = Desk(store, catalogue, CLINICIAN)
    add_client(store, CLINICIAN, CLIENT)
    open_episode(
        store,
        CLINICIAN,
        catalogue,
        CLIENT,
        complaint="hamstring tightness (simulated)",
        regions=["knee"],
        side="left",
    )
    for number in range(min(visits, len(PAIN))):
        days_ago = visits - number if before_retest is None else visits - number - 1
        clock.now = today - days_ago * BETWEEN - LENGTH
        left_open = before_retest if number == visits - 1 else None
        _visit(desk, clock, number, left_open, lambda share, n=number: _tell(report, (n + share) / visits))
    store.close()
    return Desk(Store(folder), catalogue, CLINICIAN)


def _tell(report: Callable[[float], None] | None, share: float) -> None:
    if report is not None:
        report(share)


def _visit(
    desk: Desk, clock: _Clock, number: int, before_retest: Path | None, report: Callable[[float], None]
) -> None:
    left, right = SPEC.deficit
    parts = simulate_visit(replace(SPEC, deficit=(left - number * GAIN_A_VISIT, right)), number + 1)
    desk.start(CLIENT, Limits())
    intake.screen(desk, CLIENT, [Answer(rule.code, Reply.NO) for rule in RULES])
    desk.go(CLIENT, State.HISTORY)
    intake.tell(desk, CLIENT, PAIN[number])
    desk.go(CLIENT, State.SETUP)
    for place, part in enumerate(parts):
        report(place / len(parts))
        clock.now += timedelta(minutes=2)
        due = before_retest if part.phase == "retest" else None
        file = due or desk.store.folder / f"demo_{number}_{place}.mcap"
        write_recording(file, [part.recording], clock.now, client=CLIENT, phase=part.phase)
        if due is not None:
            return
        if part.phase == "treatment":
            treating.palpate(desk, CLIENT, part.structure, part.side, despite=DESPITE)
            treating.treat(desk, CLIENT, Technique.ART)
            treating.passes_from(desk, CLIENT, measure_in_visit(desk, CLIENT, file))
            continue
        came_off = False if part.phase == "retest" else None
        measured = measure_in_visit(desk, CLIENT, file, came_off=came_off)
        attach(desk, CLIENT, measured, came_off=came_off, despite=DESPITE)
    clock.now += timedelta(minutes=1)
    closing.close(desk, CLIENT, nprs=PAIN[number] - 1.0, despite=DESPITE)
    closing.sign(desk, CLIENT, None)
