"""Tidy tables: one row a rep, or one row a sample. Samples are read back by `rom import`."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imu.errors import InputError
from tools.exchange.outgoing import Outgoing

REP_COLUMNS = (
    "subject",
    "date",
    "day",
    "movement",
    "side",
    "phase",
    "rep",
    "valid",
    "reasons",
    "start_deg",
    "end_deg",
    "end_kind",
    "range_deg",
    "end_sigma_deg",
    "range_sigma_deg",
    "strap_sigma_deg",
    "end_soft_tissue_deg",
    "range_soft_tissue_deg",
    "hold_s",
    "duration_s",
    "peak_speed_deg_s",
    "sparc",
    "t_start_s",
    "t_turn_s",
    "t_leave_s",
    "t_stop_s",
    "mdc95_deg",
    "simulated",
    "recording_sha256",
    "romcap",
)
SAMPLE_COLUMNS = (
    "recording_sha256",
    "sensor",
    "segment",
    "t_s",
    *(f"gyr_{axis}_rad_s" for axis in "xyz"),
    *(f"acc_{axis}_m_s2" for axis in "xyz"),
    *(f"mag_{axis}_uT" for axis in "xyz"),
)
REPS_DROP = "the angle curve, passes, samples and calibration"
SAMPLES_DROP = "events, calibration, raw packets and measuring ranges; angles come with `rom replay --csv`"


def write_reps(trials: Sequence[Outgoing], out: Path) -> None:
    """Write one row for each rep of each trial, valid or not; angles in degrees, what is not known empty."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(REP_COLUMNS)
        for each in trials:
            for row in _reps(each):
                writer.writerow([_cell(row[name]) for name in REP_COLUMNS])


def write_samples(trials: Sequence[Outgoing], out: Path) -> None:
    """Write one row for each sample as it was recorded, numbers exact to the last bit, in bounded memory."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(SAMPLE_COLUMNS)
        for each in trials:
            segment_of = {info.sensor: info.segment for info in each.sensors}
            for block in each.blocks():
                start = (each.content, block.sensor, segment_of[block.sensor])
                mags = [[math.nan] * 3] * len(block) if block.mag is None else block.mag.tolist()
                rows = zip(block.t.tolist(), block.gyr.tolist(), block.acc.tolist(), mags, strict=True)
                for t, gyr, acc, mag in rows:
                    writer.writerow([*start, *(_cell(value) for value in (t, *gyr, *acc, *mag))])


def _reps(each: Outgoing) -> Iterator[dict[str, Any]]:
    trial = each.measured()
    mdc95 = trial.movement.mdc95
    common = {
        "subject": each.subject,
        "date": "" if each.when is None else each.when.isoformat(),
        "day": each.day,
        "movement": each.movement,
        "side": each.side,
        "phase": each.phase,
        "mdc95_deg": None if mdc95 is None else math.degrees(mdc95),
        "simulated": each.simulated,
        "recording_sha256": each.content,
        "romcap": trial.provenance["software"]["romcap"],
    }
    if not trial.reps:
        raise InputError(f"{each.movement} {each.side}: expected reps, found only passes; export the samples")
    for rep, document in zip(trial.reps, trial.rep_documents(), strict=True):
        own = {"rep": rep.number, "reasons": "; ".join(rep.reasons), "hold_s": rep.hold}
        yield document | common | own | {"duration_s": rep.duration}


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
