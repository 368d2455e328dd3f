"""One recording of one movement: from its blocks to reps, passes, quality and provenance."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from calibration.segment import JointCalibration
from imu.block import FloatArray
from imu.errors import InputError
from imu.recording import Recording
from rom.alert import Alert
from rom.angles import JointSeries, join_series
from rom.annotations import fingerprint, load_annotations
from rom.catalogue.movement import Movement, Side
from rom.measures import MeasureParams, RepMeasures, measure_rep
from rom.passes import Pass, PassParams, Rep
from rom.quality import SensorQuality
from rom.reading import TrackerSetup
from rom.relay import Renewal
from rom.remarks import nothing_found, renewed, warnings_of
from rom.replay import CalibrationSource, Estimator, MarkedPass, Replay, ReplayStep
from rom.said import discarded, stopped
from rom.sample import Aggregate, RepSample
from rom.sensor_error import range_sigma
from rom.soft_tissue import SoftTissue, soft_tissue

SCHEMA = "romcap.trial/1"
"""Name and version of `Trial.to_document`."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a recording says about one movement of one side.

    Parameters
    ----------
    movement, side, phase
        What was measured, and where in the visit.
    series
        Joint angles over the whole recording, as they were live.
    reps
        Reps of the test, in order, valid or not.
    passes
        Passes of the treatments (of the whole recording if it marks none).
    setup, calibration_source
        How it was tracked at its end, and where its first calibration came from.
    quality
        Of every sensor used.
    alerts
        What the watchdogs said, in order.
    warnings
        What a reader must know, in words; the alerts among it.
    provenance
        Software, parameters and the recording's fingerprint: enough to do it again.
    begun_with
        The first calibration, None without one.
    renewals
        Calibrations done again in the middle, in order: each counts from its own moment on.
    """

    movement: Movement
    side: Side
    phase: str
    series: JointSeries
    reps: tuple[RepMeasures, ...]
    passes: tuple[MarkedPass, ...]
    setup: TrackerSetup
    calibration_source: CalibrationSource
    quality: tuple[SensorQuality, ...]
    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...]
    provenance: dict[str, Any]
    begun_with: JointCalibration | None = None
    renewals: tuple[Renewal, ...] = ()

    @property
    def valid_reps(self) -> tuple[RepMeasures, ...]:
        """The reps that count."""
        return tuple(rep for rep in self.reps if rep.valid)

    @property
    def soft_tissue(self) -> SoftTissue:
        """What skin on the bone adds to the primary angle: never measured, apart from what sensors err."""
        movement = self.movement
        return soft_tissue(movement.angle, movement.proximal_segment, movement.distal_segment)

    def rep_documents(self) -> list[dict[str, Any]]:
        """Return the reps for `--json`: what each measured, sensors and straps, and soft tissue apart."""
        tissue = self.soft_tissue
        return [
            rep.to_document()
            | {"end_soft_tissue_deg": math.degrees(tissue.of_angle(rep.end))}
            | {"range_soft_tissue_deg": math.degrees(tissue.of_range(rep.range))}
            for rep in self.reps
        ]

    def sample(
        self, aggregate: Aggregate = "mean_2_to_k", *, restrapped: bool = False, elapsed: float | None = None
    ) -> RepSample:
        """Return the valid reps for a comparison; see `RepSample`."""
        reps = self.valid_reps
        strap = [rep.strap_sigma for rep in reps if math.isfinite(rep.strap_sigma)]
        own = [
            math.sqrt(max(rep.end_sigma**2 - rep.strap_sigma**2, 0.0))
            for rep in reps
            if math.isfinite(rep.end_sigma)
        ]
        ends = np.array([rep.end for rep in reps], dtype=np.float64)
        tissue = self.soft_tissue
        return RepSample(
            ends,
            self.movement,
            self.side,
            aggregate,
            restrapped=restrapped,
            elapsed=elapsed,
            sensor_sigma=float(np.median(own)) if own else 0.0,
            strap_sigma=float(np.median(strap)) if strap else 0.0,
            soft_tissue_sigma=tissue.of_strapping(float(np.median(ends)) if len(ends) else 0.0),
            soft_tissue_share=tissue.share,
            alignment=_alignment(self._calibrations_of(reps)),
            numbers=tuple(rep.number for rep in reps),
        )

    def _calibrations_of(self, reps: Sequence[RepMeasures]) -> list[JointCalibration]:
        """Return the calibrations that these reps were measured with; none without any."""
        found: list[JointCalibration] = []
        for rep in reps:
            used = self.begun_with
            for renewal in self.renewals:
                used = renewal.calibration if renewal.since <= rep.rep.start else used
            if used is not None and used not in found:
                found.append(used)
        return found

    def to_document(self) -> dict[str, Any]:
        """Return the trial for `--json`: schema `romcap.trial/1`.

        Angles in degrees, times in s on the capture clock. `reps` and `passes` are lists in time order;
        `summary` holds means over valid reps; the angle series itself is not in it (`rom replay --csv`).
        """
        ends = np.degrees([rep.end for rep in self.valid_reps])
        ranges = np.degrees([rep.range for rep in self.valid_reps])
        tissue = self.soft_tissue
        return {
            "schema": SCHEMA,
            "movement": self.movement.id,
            "title": self.movement.title(self.side),
            "side": self.side,
            "phase": self.phase,
            "calibration": self.calibration_source,
            "calibrated_again_s": [renewal.since for renewal in self.renewals],
            "sensors": [sensor.sensor for sensor in self.setup.sensors],
            "summary": {
                "valid_reps": len(ends),
                "end_mean_deg": float(ends.mean()) if len(ends) else None,
                "end_best_deg": float(_best(ends, self.movement.gain_sign)) if len(ends) else None,
                "end_sd_deg": float(ends.std(ddof=1)) if len(ends) > 1 else None,
                "range_mean_deg": float(ranges.mean()) if len(ranges) else None,
                "end_sigma_deg": _median_deg([rep.end_sigma for rep in self.valid_reps]),
                "strap_sigma_deg": _median_deg([rep.strap_sigma for rep in self.valid_reps]),
                "range_sigma_deg": _median_deg([rep.range_sigma for rep in self.valid_reps]),
                "soft_tissue_angle_deg": _median_deg([tissue.of_angle(rep.end) for rep in self.valid_reps]),
                "soft_tissue_range_deg": _median_deg([tissue.of_range(rep.range) for rep in self.valid_reps]),
                "soft_tissue_source": tissue.source,
                "error_note": self.movement.error_note,
            },
            "reps": self.rep_documents(),
            "passes": [
                each.to_document()
                | {"travel_soft_tissue_deg": math.degrees(tissue.of_range(each.found.travel))}
                for each in self.passes
            ],
            "quality": [each.to_document() for each in self.quality],
            "alerts": [each.to_document() for each in self.alerts],
            "warnings": list(self.warnings),
            "provenance": self.provenance,
        }


def analyse(
    recording: Recording,
    movement: Movement | str = "",
    side: Side | Literal[""] = "",
    *,
    phase: str = "",
    calibrations: Sequence[JointCalibration] = (),
    one_sensor: bool = False,
    filter_name: str = "vqf",
    magnetometer: bool = False,
    pass_params: PassParams | None = None,
    measure_params: MeasureParams | None = None,
    estimate: Estimator = "live",
    progress: Callable[[float], None] | None = None,
    seen: Callable[[ReplayStep], None] | None = None,
) -> Trial:
    """Return what a recording says about a movement: the one function for a recording.

    Reps are looked for inside the trials that the recording marks for this movement, passes inside its
    treatments; in a recording that marks neither, both in all of it but the calibration.

    Parameters
    ----------
    recording
        An open recording, whole or damaged.
    movement, side
        What to measure; as the recording's header says where empty.
    phase
        Which trials, if the recording holds several phases of a visit.
    calibrations
        Calibrations to use instead of the recording's own: those it embeds, else those its own pose and
        functional movements give.
    one_sensor
        See `tracker_setup`.
    filter_name, magnetometer
        See `TrackerSetup`.
    pass_params, measure_params
        What counts as a rep or pass, and how it is measured.
    estimate
        "live": the angles as they were seen. "best": each in the light of the whole recording.
    progress
        Called with the capture time reached, s.
    seen
        Called with every step of the replay, so that a window can show what is known so far.

    Raises
    ------
    RomcapError
        If the movement is unknown, the side or the sensors are not in the recording, or nothing moved.
    """
    replay = Replay(
        recording,
        movement,
        side,
        phase=phase,
        calibrations=calibrations,
        one_sensor=one_sensor,
        filter_name=filter_name,
        magnetometer=magnetometer,
        pass_params=pass_params,
        estimate=estimate,
    )
    parts: list[JointSeries] = []
    reps: list[Rep] = []
    passes: list[Pass] = []
    alerts: list[Alert] = []
    for step in replay.steps():
        parts.append(step.series)
        alerts += step.alerts
        reps += step.reps
        passes += step.passes
        if seen is not None:
            seen(step)
        if progress is not None and len(step.series):
            progress(float(step.series.t[-1]))
    series = join_series(parts)
    alerts = [alert.cured(renewal.since for renewal in replay.renewals) for alert in alerts]
    quality = replay.quality()
    if not reps and not passes:
        raise InputError(nothing_found(replay, series))
    notes = load_annotations(recording)
    reps, passes = notes.edited_reps(reps, series), notes.edited_passes(passes, series)
    measured = [
        measure_rep(
            series,
            rep,
            number=number,
            gate=replay.movement.gate,
            lasting=replay.setup_at(rep.start).lasting,
            params=measure_params,
        )
        for number, rep in enumerate(reps, start=1)
    ]
    measured, misnamed = discarded(measured, recording.events)
    measured = notes.judged(stopped(measured, recording.events))
    measured = [_doubted(rep, alerts) for rep in measured]
    return Trial(
        movement=replay.movement,
        side=replay.side,
        phase=replay.phase,
        series=series,
        reps=tuple(measured),
        passes=tuple(_marked(replay, found, alerts, series) for found in passes),
        setup=replay.setups[-1],
        calibration_source=replay.calibration_source,
        quality=quality,
        alerts=tuple(alerts),
        warnings=(
            *warnings_of(replay, series, quality, measured),
            *(each.sentence().removesuffix(".") for each in alerts),
            *(renewed(renewal.since) for renewal in replay.renewals),
            *replay.refusals,
            *misnamed,
        ),
        provenance={
            "software": {"romcap": version("romcap")},
            "recording_id": recording.header.recording_id,
            "recording_sha256": recording.sha256,
            "annotations_sha256": fingerprint(notes),
            "annotations": notes.to_documents(),
            "simulated": recording.header.simulated,
            "filter": filter_name,
            "estimate": estimate,
            "magnetometer": magnetometer,
            "one_sensor": replay.setup.proximal is None,
            "rate_hz": replay.setup.output_rate,
            "calibration": None
            if replay.setup.calibration is None
            else {
                "joint": replay.setup.calibration.joint,
                "made_at": replay.setup.calibration.made_at,
                "source": replay.calibration_source,
                "again": [
                    {"since_s": each.since, "made_at": each.calibration.made_at} for each in replay.renewals
                ],
            },
            "pass_params": asdict(pass_params or PassParams()),
            "measure_params": asdict(measure_params or MeasureParams()),
        },
        begun_with=replay.setup.calibration,
        renewals=replay.renewals,
    )


def _doubted(rep: RepMeasures, alerts: Sequence[Alert]) -> RepMeasures:
    """Return a rep with a warning for each alert that bears on it."""
    doubts = _doubts(alerts, rep.rep.start, rep.rep.stop)
    return replace(rep, warnings=(*rep.warnings, *doubts)) if doubts else rep


def _marked(replay: Replay, found: Pass, alerts: Sequence[Alert], series: JointSeries) -> MarkedPass:
    """Return a pass with its treatment, the alerts that bear on it, and how sure its travel is."""
    first, last = np.searchsorted(series.t, (found.start - 1.0, found.leave), side="right").tolist()
    part = series[first:last]
    before, at_end = part.t <= found.start, part.t >= found.stop
    sigma = range_sigma(part, before, at_end, replay.setup_at(found.start).lasting)
    return replace(replay.mark(found), doubts=_doubts(alerts, found.start, found.stop), travel_sigma=sigma)


def _doubts(alerts: Sequence[Alert], start: float, stop: float) -> tuple[str, ...]:
    """Return what bears on a stretch of time; what holds for the whole recording is said once, of it."""
    return tuple(dict.fromkeys(a.doubt for a in alerts if a.since > 0.0 and a.concerns(start, stop)))


def _alignment(calibrations: Sequence[JointCalibration]) -> str:
    """Return a fingerprint of how the sensors are taken to sit; empty without a calibration."""
    if not calibrations:
        return ""
    ends = [end for each in calibrations for end in (each.proximal, each.distal)]
    return sha256(b"".join(end.q_sensor_from_segment.tobytes() for end in ends)).hexdigest()[:16]


def _best(ends: FloatArray, gain_sign: int) -> float:
    """Return the end that means most range."""
    return float(ends.max() if gain_sign > 0 else ends.min())


def _median_deg(values: Sequence[float]) -> float | None:
    """Return the median of the known values in degrees."""
    known = [value for value in values if math.isfinite(value)]
    return math.degrees(float(np.median(known))) if known else None
