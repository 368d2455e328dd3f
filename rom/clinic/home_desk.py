"""The clinic's side of the test at home: give the file out, take the answer in."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rom.catalogue.loader import Catalogue
from rom.clinic.home import HomeTest, open_answer
from rom.clinic.measuring import measure
from rom.clinic.outcomes import FEWEST_REPS, change_between, sample_of, valid_reps, write_change
from rom.clinic.sealed import Keys
from rom.clinic.store import Store
from rom.clinic.store_people import Client, HomeLog, HomeTask
from rom.clinic.store_visits import RecordingFile, TrialRecord, Visit
from rom.clinic.trials import keep, write_reps
from rom.clinic.visit import VisitError


@dataclass(frozen=True)
class Received:
    """An answer that is now in the store."""

    code: str
    known: bool
    sentence: str


def give_out(store: Store, keys: Keys, code: str) -> HomeTest:
    """Return the newest home test of a client, as the file for it.

    Raises
    ------
    VisitError
        If no visit of the client was signed after a test.
    """
    with store.reading() as ledger:
        client = ledger.client(code)
        tasks = ledger.find(HomeTask, client_id=client.id, kind="retest")
        if not tasks:
            raise VisitError(
                f"{client.code} has no test to repeat at home: close and sign a visit with a test"
            )
        task = tasks[-1]
        trial = ledger.get(TrialRecord, task.trial_id or "")
        return HomeTest(
            client=client.code,
            task=task.id,
            key=task.key or "",
            recipient=keys.recipient,
            movement=trial.movement,
            side=trial.side,
            aggregate=trial.aggregate,
            measured_at=trial.recorded_at,
            sample=dict(trial.sample or {}),
        )


def receive(store: Store, catalogue: Catalogue, actor: str, keys: Keys, content: bytes) -> Received:
    """Take an answer in: its recording is analysed here, by the same analysis as any other.

    An answer that is here already changes nothing.
    """
    with store.reading() as ledger:
        key_of = {task.id: task.key for task in ledger.find(HomeTask, kind="retest") if task.key}
    answer = open_answer(keys, content, key_of)
    with store.reading() as ledger:
        task = ledger.get(HomeTask, answer.task)
        clinic = ledger.get(TrialRecord, task.trial_id or "")
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory())) / "answer.mcap"
        path.write_bytes(answer.recording)
        measured = measure(
            path, catalogue, movement=clinic.movement, side=clinic.side, aggregate=clinic.aggregate
        )
        ledger = stack.enter_context(store.writing(actor))
        code = ledger.get(Client, task.client_id).code
        if ledger.one(RecordingFile, sha256=measured.sha256) is not None:
            return Received(code, known=True, sentence="This answer is here already; nothing was added.")
        visit = ledger.get(Visit, task.visit_id)
        file = keep(store.folder, measured, ledger, visit.id)
        trial = ledger.add(
            TrialRecord(
                visit_id=visit.id,
                recording_id=file.id,
                n=len(ledger.find(TrialRecord, visit_id=visit.id)) + 1,
                movement=measured.movement,
                side=measured.side,
                phase="home",
                aggregate=measured.aggregate,
                recorded_at=measured.recorded_at,
                restrapped_since_baseline=True,
                sample=dict(measured.sample),
                quality=dict(measured.quality),
                provenance=dict(measured.provenance),
            )
        )
        sentence = "Too few valid reps to compare."
        if min(valid_reps(trial), valid_reps(clinic)) >= FEWEST_REPS:
            ledger.change(trial, value_deg=math.degrees(sample_of(trial, catalogue).value))
            change = change_between(catalogue, clinic, trial)
            write_change(ledger, visit, clinic, trial, change)
            sentence = change.sentence()
        write_reps(ledger, trial, measured)
        ledger.add(
            HomeLog(
                client_id=task.client_id,
                task_id=task.id,
                trial_id=trial.id,
                day=answer.day,
                done=True,
                soreness=answer.soreness,
                rom_deg=trial.value_deg,
                note=answer.note or None,
            )
        )
        return Received(code, known=False, sentence=sentence)
