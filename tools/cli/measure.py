"""`rom replay` and `rom measure`: a recording's angles as they were live, and what they amount to."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from imu.counted import counted
from imu.errors import InputError
from tools.cli.output import JsonOption, emit, progress

if TYPE_CHECKING:
    from calibration.segment import JointCalibration
    from rom.replay import Estimator, Replay, ReplayStep
    from rom.trial import Trial

RecordingArgument = Annotated[Path, typer.Argument(help="A recording.", metavar="REC", show_default=False)]
MovementOption = Annotated[
    str,
    typer.Option("--movement", "-m", help="Movement id, see `rom movements`; default: the recording's own."),
]
SideOption = Annotated[
    str, typer.Option("--side", "-s", help="left, right or midline; default: the recording's.")
]
PhaseOption = Annotated[str, typer.Option("--phase", help="Which trial, if there are several: baseline, ...")]
FilterOption = Annotated[
    str, typer.Option("--filter", help="Orientation filter: vqf, madgwick, mahony, ekf, aqua.")
]
CalibrationOption = Annotated[
    list[Path] | None,
    typer.Option("--calibration", "-c", help="Calibration file to use instead of the recording's own."),
]
EstimateOption = Annotated[
    str,
    typer.Option("--estimate", help="live: as it was seen; best: in the light of the whole recording."),
]
OneSensorOption = Annotated[
    bool, typer.Option("--one-sensor", help="Use the distal sensor alone: inclination from the start pose.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("replay")(replay)
    app.command("measure")(measure)


def replay(
    recording: RecordingArgument,
    *,
    movement: MovementOption = "",
    side: SideOption = "",
    phase: PhaseOption = "",
    speed: Annotated[
        float, typer.Option("--speed", help="Times real time; 0 is as fast as possible.", min=0.0)
    ] = 0.0,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the angle series to this file.")] = None,
    filter_name: FilterOption = "vqf",
    calibration: CalibrationOption = None,
    one_sensor: OneSensorOption = False,
    estimate: EstimateOption = "live",
    as_json: JsonOption = False,
) -> None:
    """Play a recording through the live chain: the angles, reps and passes as they were live."""
    from imu.recording import Recording
    from rom.replay import STRETCH, Replay

    played = Replay(
        Recording.open(recording),
        movement,
        side_named(side),
        phase=phase,
        calibrations=_calibrations(calibration),
        one_sensor=one_sensor,
        filter_name=filter_name,
        estimate=_estimate(estimate),
    )
    pace = _Pace(speed)
    count, found, alerts = 0, list[dict[str, Any]](), list[dict[str, Any]]()
    with _AngleFile(csv) as angles:
        for step in played.steps(0.1 if speed else STRETCH):
            if len(step.series):
                pace.wait(float(step.series.t[-1]))
            angles.write(step)
            count += len(step.series)
            for alert in step.alerts:
                alerts.append(alert.to_document())
                if not as_json:
                    print(f"{alert.t:8.2f} s  !     {alert.sentence()}", flush=True)
            for line, document in _found(played, step):
                found.append(document)
                if not as_json:
                    print(line, flush=True)
    played.quality()
    document = {
        "schema": "romcap.replay/1",
        "movement": played.movement.id,
        "side": played.side,
        "calibration": played.calibration_source,
        "estimate": estimate,
        "frames": count,
        "csv": None if csv is None else str(csv),
        "found": found,
        "alerts": alerts,
    }
    where = f", written to {csv}" if csv is not None else ""
    emit(
        document,
        f"{played.movement.title(played.side)}: {count} angles{where}, {len(found)} found",
        as_json=as_json,
    )


def measure(
    recording: RecordingArgument,
    *,
    movement: MovementOption = "",
    side: SideOption = "",
    phase: PhaseOption = "",
    filter_name: FilterOption = "vqf",
    calibration: CalibrationOption = None,
    one_sensor: OneSensorOption = False,
    estimate: EstimateOption = "live",
    as_json: JsonOption = False,
) -> None:
    """Measure one movement in a recording: reps, range of motion, and how far to trust them."""
    from imu.recording import Recording
    from rom.trial import analyse

    opened = Recording.open(recording)
    begin = opened.start if math.isfinite(opened.start) else 0.0
    with progress("measuring") as moved:
        trial = analyse(
            opened,
            movement,
            side_named(side),
            phase=phase,
            calibrations=_calibrations(calibration),
            one_sensor=one_sensor,
            filter_name=filter_name,
            estimate=_estimate(estimate),
            progress=lambda t: moved((t - begin) / max(opened.duration, 1e-9)),
        )
    emit(trial.to_document(), _page(trial), as_json=as_json)


def side_named(side: str) -> "Literal['left', 'right', 'midline', '']":
    """Return a side given on the command line; refuse any other word."""
    if side not in ("left", "right", "midline", ""):
        raise InputError(f"--side must be left, right or midline, got {side}")
    return side


def _estimate(name: str) -> "Estimator":
    if name not in ("live", "best"):
        raise InputError(f"--estimate must be live or best, got {name}")
    return name


def _calibrations(paths: list[Path] | None) -> "list[JointCalibration]":
    from calibration.store import load_joints

    return [joint for path in paths or [] for joint in load_joints(path)]


class _Pace:
    """Waits until a capture time is due."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began: tuple[float, float] | None = None

    def wait(self, t: float) -> None:
        import time

        if not self._speed:
            return
        if self._began is None:
            self._began = time.monotonic(), t
        due = self._began[0] + (t - self._began[1]) / self._speed
        time.sleep(max(0.0, due - time.monotonic()))


class _AngleFile:
    """Writes the angle series as comma-separated values, degrees; nothing without a path."""

    def __init__(self, path: Path | None) -> None:
        try:
            self._file = None if path is None else path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); make its folder or choose another name"
            ) from error
        if self._file is not None:
            self._file.write("t_s,angle_deg,sigma_deg,off_axis_1_deg,off_axis_2_deg\n")

    def __enter__(self) -> "_AngleFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, step: "ReplayStep") -> None:
        """Add the angles of a step; what is not known stays empty."""
        if self._file is None:
            return
        s = step.series
        for i in range(len(s)):
            angle = [math.degrees(value) for value in s.angle[i].tolist()]
            values = [float(s.t[i]), angle[0], math.degrees(float(s.sigma[i, 0])), *angle[1:]]
            cells = ["" if math.isnan(value) else f"{value:.6f}" for value in values]
            self._file.write(",".join(cells) + "\n")


def _found(played: "Replay", step: "ReplayStep") -> list[tuple[str, dict[str, Any]]]:
    """Return reps and passes of a step, as a line and as a document."""
    out: list[tuple[str, dict[str, Any]]] = []
    for rep in step.reps:
        out.append(
            (
                f"{rep.start:8.2f} s  rep   {math.degrees(rep.start_angle):6.1f} -> "
                f"{math.degrees(rep.end_angle):6.1f} deg, back at {rep.stop:.2f} s",
                {
                    "kind": "rep",
                    "t_start_s": rep.start,
                    "t_turn_s": rep.turn,
                    "t_stop_s": rep.stop,
                    "start_deg": math.degrees(rep.start_angle),
                    "end_deg": math.degrees(rep.end_angle),
                },
            )
        )
    for each in step.passes:
        marked = played.mark(each)
        name = f"  {marked.structure}" if marked.structure else ""
        half = "  broken off" if each.partial else ""
        out.append(
            (
                f"{each.start:8.2f} s  pass  {math.degrees(each.start_angle):6.1f} -> "
                f"{math.degrees(each.end_angle):6.1f} deg, held {each.leave - each.stop:.1f} s{name}{half}",
                {"kind": "pass"} | marked.to_document(),
            )
        )
    return out


def _known(value_deg: float | None) -> str:
    return "not known" if value_deg is None else f"{value_deg:.1f} deg"


def _cell(angle: float) -> str:
    return f"{math.degrees(angle):6.1f}" if math.isfinite(angle) else "     ?"


def _page(trial: "Trial") -> str:
    """Return a trial as a page of text."""
    document = trial.to_document()
    summary = document["summary"]
    lines = [f"{document['title']}" + (f", {trial.phase}" if trial.phase else "")]
    if summary["valid_reps"]:
        kinds = {rep.end_kind for rep in trial.valid_reps}
        lines.append(
            f"  end {summary['end_mean_deg']:.1f} deg ({' and '.join(sorted(kinds))}, mean of "
            f"{counted(summary['valid_reps'], 'rep')}); one sigma {_known(summary['end_sigma_deg'])}, "
            f"of which {_known(summary['strap_sigma_deg'])} stays the same while the straps stay on"
        )
        lines.append(
            f"  range {summary['range_mean_deg']:.1f} deg, one sigma {_known(summary['range_sigma_deg'])}"
        )
        skin = (_known(summary[f"soft_tissue_{name}_deg"]) for name in ("angle", "range"))
        lines.append(
            f"  not in it: skin against bone, one sigma {' of the end, '.join(skin)} of the range "
            f"({summary['soft_tissue_source']})"
        )
    lines.append(f"  published error: {summary['error_note']}; calibration: {document['calibration']}")
    if trial.reps:
        lines.append("  rep  start    end  sigma  range  sigma   hold  peak deg/s  smoothness")
    for rep in trial.reps:
        note = "" if rep.valid else "  does not count"
        angles = (rep.start, rep.end, rep.end_sigma, rep.range, rep.range_sigma)
        lines.append(
            f"  {rep.number:3d} {' '.join(_cell(angle) for angle in angles)} {rep.hold:5.1f}s "
            f"{math.degrees(rep.peak_speed):11.0f} {rep.sparc:11.2f}{note}"
        )
    if trial.passes:
        lines.append(f"  {counted(len(trial.passes), 'pass', 'passes')}")
    for marked in trial.passes:
        p = marked.found
        start, end = math.degrees(p.start_angle), math.degrees(p.end_angle)
        lines.append(
            f"  {p.start:7.1f} s {start:6.1f} -> {end:6.1f} deg (sigma of the travel "
            f"{_cell(marked.travel_sigma).strip()}) in {p.stop - p.start:.1f} s, "
            f"held {p.leave - p.stop:.1f} s  {marked.structure}{'  broken off' if p.partial else ''}"
            f"{'  ! ' if marked.doubts else ''}{'; '.join(marked.doubts)}"
        )
    lines += [f"  ! {warning}" for warning in trial.warnings]
    return "\n".join(lines)
