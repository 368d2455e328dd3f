"""Between visits: what the client did, felt and could do."""

from datetime import date

from imu.errors import InputError
from rom.clinic.intake import check_nprs
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import HomeLog, Performance


def log_home(
    store: Store,
    actor: str,
    code: str,
    *,
    day: date | None = None,
    soreness: float | None = None,
    done: bool | None = None,
    note: str = "",
) -> HomeLog:
    """Write a day of the home log down; without a day it is today.

    Raises
    ------
    InputError
        If nothing is said, the rating is not from 0 to 10, or the day lies ahead.
    """
    if soreness is None and done is None and not note:
        raise InputError("say what to write down: soreness, whether the tasks were done, or a note")
    if soreness is not None:
        check_nprs(soreness, "soreness")
    with store.writing(actor) as ledger:
        client = ledger.client(code)
        return ledger.add(
            HomeLog(
                client_id=client.id,
                day=_past(ledger, day),
                soreness=soreness,
                done=done,
                note=note or None,
            )
        )


def log_performance(
    store: Store,
    actor: str,
    code: str,
    *,
    kind: str,
    value: float,
    unit: str,
    day: date | None = None,
    note: str = "",
) -> Performance:
    """Write down what the client could do on a day; without a day it is today."""
    with store.writing(actor) as ledger:
        client = ledger.client(code)
        return ledger.add(
            Performance(
                client_id=client.id,
                day=_past(ledger, day),
                kind=kind,
                value=value,
                unit=unit,
                note=note or None,
            )
        )


def _past(ledger: Ledger, day: date | None) -> date:
    today = ledger.now.date()
    if day is not None and day > today:
        raise InputError(f"{day} lies ahead of today, {today}; check the day")
    return day or today
