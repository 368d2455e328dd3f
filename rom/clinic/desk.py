"""The steps of a visit on the store: start, resume, move on, halt.

Each step is one transaction: it finds the open visit of a client, checks station and clock, moves the
state machine where the step needs it, and writes. What was not written did not happen, so a process that
dies leaves a visit that can be resumed. What each step writes is in `intake`, `trials`, `treating` and
`closing` beside this room.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from imu.errors import InputError
from rom.catalogue.loader import Catalogue
from rom.clinic.facts import facts_of
from rom.clinic.store import Ledger, Store
from rom.clinic.store_people import Client, Episode, Practitioner
from rom.clinic.store_visits import Halt, StateChange, Visit
from rom.clinic.visit import ENDED, State, VisitError, check

LONGEST_VISIT = timedelta(hours=12)
"""A visit open for longer was left behind or its clock jumped: it can only be closed."""


@dataclass(frozen=True)
class Limits:
    """What a visit allows: valid reps of a test, passes over a structure, discomfort (NPRS)."""

    reps: int = 5
    passes: int = 5
    discomfort: float = 7.0

    def __post_init__(self) -> None:
        """Refuse what the protocol does not know (clinical.md 3.2: at least 3 reps)."""
        if self.reps < 3 or self.passes < 1 or not 0 <= self.discomfort <= 10:
            raise InputError(
                "a visit needs at least 3 reps, at least 1 pass and a discomfort limit from 0 to 10, got "
                f"{self.reps}, {self.passes}, {self.discomfort:g}"
            )


@dataclass
class Step:
    """One step under way: the ledger it writes to and the visit it belongs to."""

    ledger: Ledger
    client: Client
    episode: Episode
    visit: Visit
    actor: str
    catalogue: Catalogue

    @property
    def state(self) -> State:
        """Where the visit stands."""
        return State(self.visit.state)

    def move(self, target: State, reason: str = "") -> None:
        """Take one row of the table; raise `VisitError` if its guard holds."""
        source = self.state
        row = check(source, target, facts_of(self.ledger, self.visit, self.catalogue), reason)
        self.ledger.change(self.visit, f"{source} to {target}", state=str(target))
        earlier = self.ledger.find(StateChange, visit_id=self.visit.id)
        self.ledger.add(
            StateChange(
                visit_id=self.visit.id,
                n=len(earlier) + 1,
                source=str(source),
                target=str(target),
                actor=self.actor,
                reason=reason.strip() or None if row.soft else None,
            )
        )


class Desk:
    """Where one clinician works on visits.

    Parameters
    ----------
    store, catalogue
        What it works on.
    actor
        Name of the clinician who answers for every step.
    """

    def __init__(self, store: Store, catalogue: Catalogue, actor: str) -> None:
        self.store, self.catalogue, self.actor = store, catalogue, actor

    @contextmanager
    def step(self, code: str, *states: State, despite: str = "") -> Generator[Step]:
        """Open a step of the open visit of a client, moved to the first of `states` unless it is in one.

        Raises
        ------
        VisitError
            If there is no open visit, another station holds it, it is too old, or a guard holds.
        """
        with self.store.writing(self.actor) as ledger:
            client = ledger.client(code)
            visit = open_visit(ledger, client)
            if visit is None:
                raise VisitError(
                    f"{client.code} has no open visit; start one with `rom visit start {client.code}`"
                )
            self._check_hold(client, visit)
            age = ledger.now - visit.started_at
            if age > LONGEST_VISIT and State.CLOSE not in states and State.HALT not in states:
                raise VisitError(
                    f"visit {visit.seq} of {client.code} was started {age.total_seconds() / 3600:.0f} hours "
                    f"ago ({visit.started_at:%Y-%m-%d %H:%M} UTC): close it with `rom visit close "
                    f"{client.code}` and start another, or set the clock if it is wrong"
                )
            step = Step(
                ledger, client, ledger.get(Episode, visit.episode_id), visit, self.actor, self.catalogue
            )
            if states and step.state not in states:
                step.move(states[0], despite)
            yield step

    def _check_hold(self, client: Client, visit: Visit) -> None:
        if visit.station != self.store.station:
            raise VisitError(
                f"visit {visit.seq} of {client.code} is open at station {visit.station!r} since "
                f"{visit.started_at:%H:%M} UTC and this is {self.store.station!r}: go on there, or take it "
                f"over with `rom visit resume {client.code} --take-over`"
            )

    def start(self, code: str, limits: Limits, episode: str = "", location: str = "") -> Visit:
        """Start a visit of the client's open episode; it stands at the screening.

        Raises
        ------
        VisitError
            If one is open already, or it is not clear for which episode.
        """
        with self.store.writing(self.actor) as ledger:
            client = ledger.client(code)
            open_now = open_visit(ledger, client)
            if open_now is not None:
                raise VisitError(
                    f"visit {open_now.seq} of {client.code}, of {open_now.started_at:%Y-%m-%d %H:%M} UTC, "
                    f"stopped in {open_now.state!r} and is open: `rom visit resume {client.code}`"
                )
            chosen = _episode(ledger, client, episode)
            visit = ledger.add(
                Visit(
                    episode_id=chosen.id,
                    practitioner_id=practitioner(ledger, self.actor).id,
                    seq=len(ledger.find(Visit, episode_id=chosen.id)) + 1,
                    started_at=ledger.now,
                    state=str(State.NEW),
                    station=self.store.station,
                    software_version=version("romcap"),
                    reps_wanted=limits.reps,
                    passes_max=limits.passes,
                    discomfort_max=limits.discomfort,
                    location=location or None,
                )
            )
            Step(ledger, client, chosen, visit, self.actor, self.catalogue).move(State.SCREEN)
        return visit

    def take_over(self, code: str) -> Visit:
        """Take the open visit of a client over to this station."""
        with self.store.writing(self.actor) as ledger:
            client = ledger.client(code)
            visit = open_visit(ledger, client)
            if visit is None:
                raise VisitError(f"{client.code} has no open visit to take over")
            if visit.station != self.store.station:
                ledger.change(visit, f"taken over from {visit.station}", station=self.store.station)
        return visit

    def go(self, code: str, target: State, despite: str = "") -> State:
        """Take one row of the table."""
        with self.step(code) as step:
            step.move(target, despite)
            return step.state

    def halt(self, code: str, why: str, *, reason: str, action: str, told: str) -> None:
        """Break the visit off for safety: what happened, what was done, who was told."""
        if not (reason.strip() and action.strip() and told.strip()):
            raise InputError("a halt needs what happened, what was done and who was told")
        with self.step(code, State.HALT) as step:
            step.ledger.add(Halt(visit_id=step.visit.id, code=why, reason=reason, action=action, told=told))


def open_visit(ledger: Ledger, client: Client) -> Visit | None:
    """Return the visit of a client that has not ended, or None."""
    running = [visit for visit in visits_of(ledger, client) if State(visit.state) not in ENDED]
    return running[-1] if running else None


def visits_of(ledger: Ledger, client: Client) -> list[Visit]:
    """Return the visits of a client, oldest first."""
    episodes = ledger.find(Episode, client_id=client.id)
    visits = [visit for episode in episodes for visit in ledger.find(Visit, episode_id=episode.id)]
    return sorted(visits, key=lambda visit: visit.started_at)


def practitioner(ledger: Ledger, name: str, **columns: Any) -> Practitioner:
    """Return the practitioner of a name, added if new; other columns are set if given."""
    found = ledger.one(Practitioner, name=name)
    if found is None:
        return ledger.add(Practitioner(name=name, **columns))
    given: Mapping[str, Any] = {key: value for key, value in columns.items() if value is not None}
    return ledger.change(found, **given) if given else found


def _episode(ledger: Ledger, client: Client, wanted: str) -> Episode:
    episodes = [e for e in ledger.find(Episode, client_id=client.id) if e.status == "open"]
    fitting = [e for e in episodes if wanted.lower() in e.complaint.lower()]
    if not fitting:
        known = "; ".join(e.complaint for e in episodes) or "none"
        raise VisitError(
            f"{client.code} has no open episode {wanted!r}; open ones: {known}. Open one with "
            f"`rom client episode {client.code} COMPLAINT --region ... --side ...`"
        )
    if len(fitting) > 1:
        several = "; ".join(e.complaint for e in fitting)
        raise VisitError(
            f"{client.code} has {len(fitting)} open episodes ({several}): say which with --episode"
        )
    return fitting[0]
