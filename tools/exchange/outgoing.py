"""What leaves the house: everything an exporter may write, and nothing else.

An exporter sees an `Outgoing`, never a recording's header or notes. So what is taken out here, for a
de-identified export, is in no file of any format: names can hide in pseudonyms, notes, reasons, sensor and
file names; only words of the catalogue, numbers and fingerprints are let through.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from imu.block import ImuBlock
from imu.errors import InputError
from imu.recording import Event, Recording, SensorInfo
from imu.recording_values import EVENT_KINDS
from rom.catalogue.loader import load_catalogue
from rom.catalogue.movement import MIDLINE_SEGMENTS, SEGMENTS, Side
from rom.clinic.study_rows import marked_trials
from rom.trial import Trial, analyse

PHASES = frozenset({"", "baseline", "retest", "check", "home", "warmup"})
"""Places in a visit whose names are ours."""

TECHNIQUES = frozenset(
    {"ART", "Graston", "ASTYM", "massage", "stretching", "joint manipulation", "exercise", "none"}
)
OTHER = "other"
"""What a word that is not ours becomes."""

_SAFE_KEYS = frozenset(
    {"movement", "side", "phase", "structure", "technique", "joint", "step", "axis", "nprs"}
)
_KINDS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """One trial on its way out.

    Parameters
    ----------
    subject
        Pseudonym of the person; a number, `S01`, if de-identified.
    number
        Place among the trials of this subject in this export, from 1.
    content
        SHA-256 of the recording.
    simulated
        Whether no person was measured.
    when, day
        Date and time; if de-identified None, and days since the subject's first trial instead.
    movement, side, phase
        What was measured; movement may be empty where `trial` is None.
    sensors
        Sensors by what may be known of them.
    events
        Marks in the recording.
    notes
        Free text; empty if de-identified.
    trial
        The analysed movement; None for exports of samples alone.
    """

    subject: str
    number: int
    content: str
    simulated: bool
    when: datetime | None
    day: int | None
    movement: str
    side: str
    phase: str
    sensors: tuple[SensorInfo, ...]
    events: tuple[Event, ...]
    notes: str
    trial: Trial | None
    _recording: Recording
    _ids: Mapping[str, str]

    @property
    def duration(self) -> float:
        """From the first to the last sample, s."""
        return self._recording.duration

    def block(self, sensor: str) -> ImuBlock:
        """Return all samples of a sensor, by its outgoing id."""
        block = self._recording.block(next(own for own, new in self._ids.items() if new == sensor))
        return replace(block, sensor=sensor)

    def blocks(self) -> Iterable[ImuBlock]:
        """Yield the samples of all sensors, merged in time order, in bounded memory."""
        return (replace(block, sensor=self._ids[block.sensor]) for block in self._recording.blocks())

    def tracked(self) -> tuple[str, ...]:
        """Return the outgoing ids of the sensors that the trial was measured with, proximal first."""
        return tuple(self._ids[each.sensor] for each in self.measured().setup.sensors)

    def missing(self) -> list[str]:
        """Return what a reader of the export will look for and not find, in words."""
        what = f"{self.side} {self.movement} {self.phase}".strip()
        absent = [] if self.subject else ["the person has no pseudonym"]
        if self.trial is not None and not self.trial.valid_reps:
            absent.append("no rep counts, so there is no value")
        if self.trial is not None and self.trial.calibration_source == "none":
            absent.append("there is no calibration, so angles are turns since the start pose")
        return [f"{what}: {sentence}" if what else sentence for sentence in absent]

    def measured(self) -> Trial:
        """Return the trial of an export that needs one.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.trial is None:
            raise InputError("this export needs a measured movement")
        return self.trial


def gather(
    paths: Sequence[Path],
    *,
    movement: str = "",
    side: Side | str = "",
    measure: bool = True,
    deidentify: bool = False,
) -> list[Outgoing]:
    """Return the trials of recordings, ready to leave.

    Parameters
    ----------
    paths
        Recordings.
    movement, side
        Only these trials; all if empty.
    measure
        Whether to analyse them; otherwise each recording goes out once, samples and marks alone.
    deidentify
        Whether to take out everything that could say who it was and when.

    Raises
    ------
    RomcapError
        If a file is no recording, or a movement in it cannot be measured.
    """
    going: list[Outgoing] = []
    for path in paths:
        recording = Recording.open(path)
        if not measure:
            header = recording.header
            going.append(
                _outgoing(recording, None, movement or header.movement, side or header.side, header.phase)
            )
            continue
        for name, where, phase in marked_trials(recording, movement, side):
            asked: Any = where
            trial = analyse(recording, name, asked, phase=phase)
            going.append(_outgoing(recording, trial, trial.movement.id, trial.side, trial.phase))
    return _numbered(_deidentified(going) if deidentify else going)


def _outgoing(recording: Recording, trial: Trial | None, movement: str, side: str, phase: str) -> Outgoing:
    header = recording.header
    return Outgoing(
        subject=header.client,
        number=0,
        content=recording.sha256,
        simulated=header.simulated,
        when=header.created_at,
        day=None,
        movement=movement,
        side=side,
        phase=phase,
        sensors=header.sensors,
        events=tuple(sorted(recording.events, key=lambda event: event.t)),
        notes=header.notes,
        trial=trial,
        _recording=recording,
        _ids={info.sensor: info.sensor for info in header.sensors},
    )


def _numbered(going: Sequence[Outgoing]) -> list[Outgoing]:
    counts: dict[str, int] = {}
    numbered: list[Outgoing] = []
    for each in going:
        counts[each.subject] = counts.get(each.subject, 0) + 1
        numbered.append(replace(each, number=counts[each.subject]))
    return numbered


def _deidentified(going: Sequence[Outgoing]) -> list[Outgoing]:
    """Return trials with numbered people, days since their first trial, and only words of ours."""
    by_time = sorted(
        (each for each in going if each.when is not None), key=lambda each: each.when or datetime.max
    )
    firsts = {each.subject: each for each in reversed(by_time)}
    order = [each.subject for each in by_time if firsts[each.subject] is each]
    return [
        _clean(each, f"S{order.index(each.subject) + 1:02d}", firsts[each.subject].when) for each in going
    ]


def _clean(each: Outgoing, subject: str, first: datetime | None) -> Outgoing:
    sensors = tuple(_clean_sensor(info, number) for number, info in enumerate(each.sensors, start=1))
    day = None if first is None or each.when is None else (each.when.date() - first.date()).days
    ids = {own.sensor: new.sensor for own, new in zip(each.sensors, sensors, strict=True)}
    catalogue = load_catalogue()
    return replace(
        each,
        subject=subject,
        when=None,
        day=day,
        movement=_ours(each.movement, catalogue.movements),
        side=_ours(each.side, ("left", "right", "midline")),
        phase=_ours(each.phase, PHASES),
        sensors=sensors,
        events=tuple(_clean_event(event) for event in each.events if event.kind in EVENT_KINDS),
        notes="",
        trial=None if each.trial is None else _clean_trial(each.trial, ids),
        _ids=ids,
    )


def _clean_sensor(info: SensorInfo, number: int) -> SensorInfo:
    segment = info.segment.removeprefix("left_").removeprefix("right_")
    known = segment in SEGMENTS and (segment == info.segment) == (segment in MIDLINE_SEGMENTS)
    family = info.kind if _KINDS.fullmatch(info.kind) and info.kind in _families() else OTHER
    return SensorInfo(
        f"sensor{number}",
        info.segment if known else f"segment{number}",
        family,
        info.rate_hz,
        gyr_range_dps=info.gyr_range_dps,
        acc_range_g=info.acc_range_g,
    )


def _families() -> frozenset[str]:
    from imu.sensor_grade import GRADES
    from imu.sensors.registry import DRIVERS

    imported = ("import-npz", "import-csv", "xsens", "bids", "import-orientation", "polar")
    return frozenset((*DRIVERS, *imported, *(f"virtual-{name}" for name in GRADES)))


def _clean_event(event: Event) -> Event:
    data = {key: _clean_word(key, value) for key, value in event.data.items() if key in _SAFE_KEYS}
    return Event(event.t, event.kind, data)


def _clean_word(key: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return value
    catalogue = load_catalogue()
    ours: Mapping[str, Iterable[str]] = {
        "movement": catalogue.movements,
        "structure": catalogue.structures,
        "technique": TECHNIQUES,
        "phase": PHASES,
        "side": ("left", "right", "midline"),
        "step": ("pose", "functional"),
        "axis": ("flexion", "adduction", "rotation", "abduction"),
    }
    return _ours(str(value), ours.get(key, ()))


def _ours(word: str, known: Iterable[str]) -> str:
    return word if not word or word in set(known) else OTHER


def _clean_trial(trial: Trial, ids: Mapping[str, str]) -> Trial:
    """Return the trial without free text: reasons a person typed, warnings that quote file names, dates."""
    reps = tuple(
        replace(rep, reasons=tuple(reason.split(":")[0] for reason in rep.reasons)) for rep in trial.reps
    )
    passes = tuple(
        replace(
            each,
            structure=_clean_word("structure", each.structure),
            technique=_clean_word("technique", each.technique),
        )
        for each in trial.passes
    )
    kept = ("software", "recording_sha256", "simulated", "filter", "magnetometer", "one_sensor", "rate_hz")
    return replace(
        trial,
        phase=_ours(trial.phase, PHASES),
        reps=reps,
        passes=passes,
        quality=tuple(replace(each, sensor=ids[each.sensor]) for each in trial.quality),
        alerts=(),
        warnings=(),
        provenance={name: trial.provenance[name] for name in kept},
    )
