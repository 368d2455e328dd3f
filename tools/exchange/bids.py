"""A BIDS-Motion data set: one tracking system per sensor, with its own clock, and one for the joint angle.

Source: the motion part of the BIDS specification (reference: clinical 5.2). Sensors are not on one grid and
resampling would invent samples; so each sensor is a tracking system of its own, whose LATENCY channel holds
the exact times.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imu.block import ImuBlock
from imu.recording import SensorInfo
from imu.recording_summary import sample_rate
from tools.exchange.outgoing import Outgoing

DROPS = "calibration, raw packets, status, and the free text of events; samples and their times stay exact"

CHANNEL_COLUMNS = ("name", "component", "type", "tracked_point", "units")
_SENSOR_CHANNELS = (("GYRO", "rad/s"), ("ACCEL", "m/s^2"), ("MAGN", "uT"))
_JOINT_CHANNELS = ("primary", "second", "third")
_NOT_LETTERS = re.compile(r"[^0-9a-zA-Z]")


def label(text: str, otherwise: str) -> str:
    """Return a text as a BIDS label, letters and digits alone."""
    return _NOT_LETTERS.sub("", text) or otherwise


def write_bids(trials: Sequence[Outgoing], folder: Path) -> None:
    """Write the trials as one data set.

    `sub` is the person, `ses` the trial's day, `task` the movement with its side, `run` the trial.
    """
    files = _Files(folder)
    files.document(
        "dataset_description.json",
        {
            "Name": "Range of motion from inertial sensors",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "Authors": ["not named"],
            "GeneratedBy": [{"Name": "romcap", "Version": _software(trials)}],
        },
    )
    files.text(
        "README",
        "Recordings of inertial sensors strapped to a limb, and the joint angles computed from them.\n"
        "Each sensor has its own clock: its LATENCY channel holds the times of its samples.\n",
    )
    subjects = dict.fromkeys(_subject(each) for each in trials)
    files.table("participants.tsv", ["participant_id"], [[f"sub-{subject}"] for subject in subjects])
    scans: dict[Path, list[list[str]]] = {}
    for each in trials:
        base, stem = _place(each, trials)
        for path in _write_trial(files, each, base, stem):
            moment = "n/a" if each.when is None else each.when.replace(tzinfo=None).isoformat()
            name = path.relative_to(base.parent).as_posix()
            scans.setdefault(base.parent, []).append([name, moment, _text(each.day), each.content])
    for session, rows in scans.items():
        prefix = "_".join(part for part in session.parts if part.startswith(("sub-", "ses-")))
        columns = ["filename", "acq_time", "day", "recording_sha256"]
        files.table(str(session / f"{prefix}_scans.tsv"), columns, rows)
        files.document(
            str(session / f"{prefix}_scans.json"),
            {
                "day": {"Description": "Days since the first trial of this person", "Units": "d"},
                "recording_sha256": {"Description": "Fingerprint of the recording"},
            },
        )


class _Files:
    """Writes below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def document(self, name: str, content: dict[str, Any]) -> None:
        self.text(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; without column names it has no header, as BIDS wants motion files."""
        lines = ["\t".join(columns)] if columns else []
        self.text(name, "\n".join([*lines, *("\t".join(row) for row in rows)]) + "\n")


def _place(each: Outgoing, trials: Sequence[Outgoing]) -> tuple[Path, str]:
    """Return the folder and the beginning of the names of a trial's files."""
    subject = _subject(each)
    moments = sorted({_session_key(other) for other in trials if _subject(other) == subject})
    session = f"{moments.index(_session_key(each)) + 1:02d}"
    task = label(each.movement + each.side.capitalize(), "unnamed")
    stem = f"sub-{subject}_ses-{session}_task-{task}"
    return Path(f"sub-{subject}") / f"ses-{session}" / "motion", stem


def _session_key(each: Outgoing) -> tuple[int, str]:
    return each.day or 0, "" if each.when is None else each.when.date().isoformat()


def _subject(each: Outgoing) -> str:
    return label(each.subject, "unnamed")


def _write_trial(files: _Files, each: Outgoing, base: Path, stem: str) -> list[Path]:
    written: list[Path] = []
    run = f"run-{each.number:02d}"
    for info in each.sensors:
        block = each.block(info.sensor)
        name = f"{stem}_tracksys-{label(info.segment, 'unnamed')}_{run}"
        columns, channels = _sensor_table(block, info)
        rate = info.rate_hz if math.isfinite(info.rate_hz) else sample_rate(block.t)
        document = _description(each, info.segment, rate, channels)
        document |= {
            "SamplingFrequencyEffective": sample_rate(block.t),
            "SoftwareVersions": info.firmware or "n/a",
        }
        written.append(_write_system(files, base / name, columns, channels, document))
        _write_events(files, each, base / name)
    if each.trial is not None:
        series, rate = each.trial.series, each.trial.setup.output_rate
        joint = label(each.movement, "joint")
        channels = [["time", "n/a", "LATENCY", joint, "s"]]
        channels += [[f"{joint}_{which}", "n/a", "JNTANG", joint, "deg"] for which in _JOINT_CHANNELS]
        columns = [series.t, *np.degrees(series.angle).T]
        name = f"{stem}_tracksys-joint_{run}"
        document = _description(each, "joint", rate, channels)
        written.append(_write_system(files, base / name, columns, channels, document))
        _write_events(files, each, base / name)
    return written


def _sensor_table(block: ImuBlock, info: SensorInfo) -> tuple[list[Any], list[list[str]]]:
    """Return the columns of a sensor, and the row of each in its table of channels."""
    columns: list[Any] = [block.t]
    point = label(info.segment, "unnamed")
    channels = [["time", "n/a", "LATENCY", point, "s"]]
    for (kind, unit), signal in zip(_SENSOR_CHANNELS, (block.gyr, block.acc, block.mag), strict=True):
        if signal is not None:
            columns += list(signal.T)
            channels += [[f"{kind.lower()}_{axis}", axis, kind, point, unit] for axis in "xyz"]
    return columns, channels


def _description(
    each: Outgoing, system: str, rate: float, channels: Sequence[Sequence[str]]
) -> dict[str, Any]:
    counts = {
        kind: sum(1 for row in channels if row[2] == kind) for kind in dict.fromkeys(r[2] for r in channels)
    }
    return {
        "SamplingFrequency": rate,
        "TaskName": label(each.movement + each.side.capitalize(), "unnamed"),
        "TaskDescription": f"{each.movement} {each.side} {each.phase}".strip(),
        "TrackingSystemName": label(system, "unnamed"),
        "TrackedPointsCount": 1,
        "MotionChannelCount": len(channels),
        "RecordingDuration": each.duration,
        "MissingValues": "n/a",
        **{f"{kind}ChannelCount": count for kind, count in counts.items()},
        "Simulated": each.simulated,
        "Segment": system,
    }


def _write_system(
    files: _Files,
    stem: Path,
    columns: Sequence[Any],
    channels: Sequence[Sequence[str]],
    document: dict[str, Any],
) -> Path:
    files.table(
        f"{stem}_motion.tsv",
        [],
        ([_text(v) for v in row] for row in zip(*(c.tolist() for c in columns), strict=True)),
    )
    files.document(f"{stem}_motion.json", document)
    files.table(f"{stem}_channels.tsv", CHANNEL_COLUMNS, channels)
    return Path(f"{stem}_motion.tsv")


def _write_events(files: _Files, each: Outgoing, stem: Path) -> None:
    rows = [[_text(event.t), "0", event.kind] for event in each.events]
    if each.trial is not None:
        rows += [
            [_text(r.rep.start), _text(r.duration), "rep" if r.valid else "rep_invalid"]
            for r in each.trial.reps
        ]
        rows += [
            [_text(p.found.start), _text(p.found.leave - p.found.start), "pass"] for p in each.trial.passes
        ]
    if rows:
        rows.sort(key=lambda row: float(row[0]))
        files.table(f"{stem}_events.tsv", ["onset", "duration", "trial_type"], rows)


def _software(trials: Sequence[Outgoing]) -> str:
    from rom.clinic.study_rows import software

    return software() if trials else ""


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    return repr(value) if isinstance(value, float) else str(value)
