"""Describe a recording: the one document behind `rom info`, and its page for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imu.counted import counted
from imu.recording import Recording
from imu.recording_summary import SensorSummary, summarise


def describe(path: Path) -> dict[str, Any]:
    """Return what a recording holds as a JSON mapping.

    Its fields are those of `romcap.info/1` in `docs/json.md`; `repairs` is what was wrong with the
    file that this one was repaired from.

    Raises
    ------
    RecordingError
        If the file is no recording.
    """
    recording = Recording.open(path)
    header = recording.header.to_document()
    del header["sensors"]
    return {
        "schema": "romcap.info/1",
        "recording": str(path),
        **header,
        "duration_s": recording.duration,
        "sha256": recording.sha256,
        "damage": list(recording.damage),
        "repairs": [dict(entry) for entry in recording.repairs],
        "calibrations": [str(document.get("kind", "calibration")) for document in recording.calibrations],
        "events": [
            {"t_s": event.t, "kind": event.kind, "data": dict(event.data)} for event in recording.events
        ],
        "sensors": [_sensor(recording, summary) for summary in summarise(recording)],
    }


def _sensor(recording: Recording, summary: SensorSummary) -> dict[str, Any]:
    info = summary.info
    statuses = [status for status in recording.statuses if status.sensor == info.sensor]
    return {
        "sensor": info.sensor,
        "segment": info.segment,
        "kind": info.kind,
        "serial": info.serial,
        "firmware": info.firmware,
        "placement": info.placement,
        "rate_hz": summary.rate_hz,
        "nominal_rate_hz": info.rate_hz,
        "samples": summary.samples,
        "start_s": summary.start,
        "stop_s": summary.stop,
        "unknown": summary.unknown,
        "gaps": summary.gaps,
        "missing": summary.missing,
        "longest_gap_s": summary.longest_gap,
        "loss": summary.loss,
        "status": dict(statuses[-1].data) if statuses else None,
    }


def page(document: Mapping[str, Any]) -> str:
    """Return the document as lines for people."""
    what = (
        " ".join(str(document[key]) for key in ("side", "movement", "phase") if document[key])
        or "no movement named"
    )
    lines = [
        f"{document['recording']}",
        f"  what      {what}{' (simulated: no person was measured)' if document['simulated'] else ''}",
        f"  client    {document['client'] or 'not named'}",
        f"  when      {document['created_at']}, {document['duration_s']:.2f} s",
        f"  sha256    {document['sha256']}",
    ]
    if document["notes"]:
        lines.append(f"  notes     {document['notes']}")
    lines.append("  sensors")
    for sensor in document["sensors"]:
        lines.append(
            f"    {sensor['segment']:<18} {sensor['sensor']} ({sensor['kind']}): {sensor['samples']} samples "
            f"at {sensor['rate_hz']:.2f} Hz, {counted(sensor['gaps'], 'gap')}, "
            f"{100.0 * sensor['loss']:.2f} % lost, {sensor['unknown']} unknown"
        )
    lines.append(f"  calibrations {', '.join(document['calibrations']) or 'none'}")
    lines.append(f"  events    {_counts([event['kind'] for event in document['events']])}")
    for repaired in document["repairs"]:
        lines.append(f"  repaired from {repaired['source']}")
        lines += [f"    was: {sentence}" for sentence in repaired["damage"]]
    lines += [f"  DAMAGE    {sentence}" for sentence in document["damage"]] or ["  damage    none"]
    return "\n".join(lines)


def _counts(kinds: list[str]) -> str:
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"
