"""What a study keeps of one recording: one row a rep, each with where it came from; no machine, no hour."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from imu.errors import InputError, RomcapError
from imu.recording import Recording
from rom.measures import RepMeasures
from rom.trial import Trial, analyse

_IN_WORDS = ("reasons", "warnings")

Row = dict[str, Any]
ColumnKind = Literal["text", "number", "count", "flag"]

COLUMNS: Mapping[str, ColumnKind] = {
    "file": "text",
    "recording_sha256": "text",
    "recording_id": "text",
    "client": "text",
    "created_at": "text",
    "simulated": "flag",
    "movement": "text",
    "side": "text",
    "phase": "text",
    "calibration": "text",
    "sensors": "text",
    "duration_s": "number",
    "loss": "number",
    "passes": "count",
    "rep": "count",
    "valid": "flag",
    "reasons": "text",
    "t_start_s": "number",
    "t_turn_s": "number",
    "t_leave_s": "number",
    "t_stop_s": "number",
    "start_deg": "number",
    "end_deg": "number",
    "end_kind": "text",
    "end_peak_deg": "number",
    "end_plateau_deg": "number",
    "range_deg": "number",
    "end_sigma_deg": "number",
    "range_sigma_deg": "number",
    "strap_sigma_deg": "number",
    "end_soft_tissue_deg": "number",
    "range_soft_tissue_deg": "number",
    "hold_s": "number",
    "duration_rep_s": "number",
    "peak_speed_deg_s": "number",
    "sparc": "number",
    "support_deg": "number",
    "warnings": "text",
    "problem": "text",
    "romcap": "text",
    "provenance": "text",
}
"""Columns of the table, in order. A recording without a rep has one row without rep columns; one that could
not be measured has one row whose `problem` says why. Angles in degrees, times in s on the capture clock."""


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """How every recording of a study is measured; empty means as the recording says.

    Parameters are those of `rom.trial.analyse`.
    """

    movement: str = ""
    side: Literal["left", "right", "midline", ""] = ""
    filter_name: str = "vqf"
    one_sensor: bool = False

    def fingerprint(self) -> str:
        """Return what tells the results of these options and this software from any others."""
        text = json.dumps({"romcap": software(), **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording.

    Parameters
    ----------
    rows
        At least one, with every column but `file` that is known.
    final
        Whether another try would give the same; a process that died, or a folder that was out of reach,
        is tried again by the next run.
    """

    rows: tuple[Row, ...]
    final: bool = True

    @property
    def problems(self) -> tuple[str, ...]:
        """The sentences about what could not be measured."""
        return tuple(row["problem"] for row in self.rows if row.get("problem"))


def software() -> str:
    """Return the version that a result carries."""
    return version("romcap")


def failed(sentence: str, *, final: bool, **known: Any) -> Outcome:
    """Return the outcome of a recording that gave nothing but a sentence."""
    return Outcome(({"problem": sentence, "romcap": software(), **known},), final)


def attempt(path: Path, options: StudyOptions) -> Outcome:
    """Return what `process` gives, or a row with the reason why not: one bad file never stops the rest."""
    if not path.is_file():
        return failed(
            "this worker cannot see the file; every worker needs the same folder under the same path",
            final=False,
        )
    try:
        return process(path, options)
    except RomcapError as error:
        return failed(_without_path(error, path), final=True)
    except Exception as error:  # noqa: BLE001  (whatever a file provokes is that file's row)
        words = f"{type(error).__name__}: {_without_path(error, path)}"
        return failed(f"measuring it failed in a way nobody foresaw ({words}); please report it", final=False)


def process(path: Path, options: StudyOptions) -> Outcome:
    """Measure every trial of one recording. The same file and options give the same rows everywhere.

    Parameters
    ----------
    path
        The recording.
    options
        How to measure.

    Raises
    ------
    RecordingError
        If it is no recording. A trial that cannot be measured is a row with its `problem` instead.
    """
    recording = Recording.open(path)
    header = recording.header
    known: Row = {
        "recording_sha256": recording.sha256,
        "recording_id": header.recording_id,
        "client": header.client,
        "created_at": header.created_at.isoformat(),
        "simulated": header.simulated,
        "duration_s": recording.duration,
        "romcap": software(),
    }
    rows: list[Row] = []
    for movement, side, phase in marked_trials(recording, options.movement, options.side):
        asked: Any = side
        try:
            trial = analyse(
                recording,
                movement,
                asked,
                phase=phase,
                filter_name=options.filter_name,
                one_sensor=options.one_sensor,
            )
        except RomcapError as error:
            place = {"movement": movement, "side": side, "phase": phase}
            problem = "; ".join([_without_path(error, path), *recording.damage])
            rows.append({**known, **place, "problem": problem})
        else:
            rows += [{**known, **row} for row in _rows(trial, path)]
    return Outcome(tuple(rows))


def marked_trials(recording: Recording, movement: str = "", side: str = "") -> list[tuple[str, str, str]]:
    """Return movement, side and phase of every trial that a recording marks and that is asked for.

    A recording that marks none gives what is asked for, with an empty phase: `analyse` then takes what the
    header says.

    Raises
    ------
    InputError
        If the recording marks trials, but none of this movement and side.
    """
    header = recording.header
    marked = [
        (
            str(event.data.get("movement") or header.movement),
            str(event.data.get("side") or header.side),
            str(event.data.get("phase") or ""),
        )
        for event in recording.events
        if event.kind == "trial_start"
    ]
    wanted = [
        trial for trial in dict.fromkeys(marked) if movement in ("", trial[0]) and side in ("", trial[1])
    ]
    if marked and not wanted:
        held = " and ".join(dict.fromkeys(f"{named} {where}" for named, where, _ in marked))
        raise InputError(f"expected a trial of {movement} {side}, but the recording holds {held}")
    return wanted or [(movement, side, "")]


def _rows(trial: Trial, path: Path) -> list[Row]:
    lost = [each.loss for each in trial.quality]
    common: Row = {
        "movement": trial.movement.id,
        "side": trial.side,
        "phase": trial.phase,
        "calibration": trial.calibration_source,
        "sensors": " ".join(sensor.sensor for sensor in trial.setup.sensors),
        "loss": max(lost, default=math.nan),
        "passes": len(trial.passes),
        "warnings": "; ".join(trial.warnings).replace(f"{path}: ", ""),
        "provenance": json.dumps(_lasting(trial.provenance), sort_keys=True),
    }
    documents = zip(trial.reps, trial.rep_documents(), strict=True)
    return [common | _rep(rep, document) for rep, document in documents] or [common]


def _lasting(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a provenance without the hour at which a calibration was computed on the way."""
    calibration = provenance["calibration"]
    if calibration is None or calibration["source"] != "computed":
        return provenance
    return {**provenance, "calibration": {k: v for k, v in calibration.items() if k != "made_at"}}


def _rep(rep: RepMeasures, document: Mapping[str, Any]) -> Row:
    named = {name: document[name] for name in COLUMNS if name in document and name not in _IN_WORDS}
    return named | {
        "rep": rep.number,
        "reasons": "; ".join(rep.reasons),
        "hold_s": rep.hold,
        "duration_rep_s": rep.duration,
    }


def _without_path(error: Exception, path: Path) -> str:
    """Return the sentence without the place of the file, which differs between machines and copies."""
    return str(error).replace(f"{path}: ", "").replace(str(path), "the recording")
