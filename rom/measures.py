"""Numbers of one rep or pass: end, range, hold, speed, smoothness, compensation, and whether it counts."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from imu.block import BoolArray, FloatArray
from rom.angles import GAP, UNSURE, JointSeries
from rom.catalogue.movement import Gate
from rom.passes import Rep
from rom.sensor_error import HINGE, Lasting, median, range_sigma


@dataclass(frozen=True, slots=True)
class MeasureParams:
    """How reps are measured; angles in degrees, times in seconds.

    Parameters
    ----------
    cutoff_hz
        Zero-lag low-pass before measuring: voluntary limb motion lies below 6 Hz (reference: clinical 2.1).
    hold_speed_deg_s, hold_s, hold_reach_deg
        A hold is slower than this, lasts at least so long, and lies so near to the farthest angle (2.1).
    still_s
        Within so long before a rep the limb must come to a stop: slower than `hold_speed_deg_s`. One that
        only turns there counts, with a remark: its start is a turning point and not a pose that was held.
    unsure_share
        A rep whose angles are too uncertain for a statement for more than this share of it is none.
    backward_share
        On the way out it may go back by this share of the travel in all, else it is no single movement.
    shortest_s, longest_s
        A rep outside this is a jerk or an interruption.
    """

    cutoff_hz: float = 6.0
    hold_speed_deg_s: float = 5.0
    hold_s: float = 0.5
    hold_reach_deg: float = 10.0
    still_s: float = 0.3
    unsure_share: float = 0.5
    backward_share: float = 0.15
    shortest_s: float = 0.8
    longest_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RepMeasures:
    """What one rep measured. Angles in rad, times in s; NaN where not known.

    Parameters
    ----------
    number
        Counted from 1 in the trial, invalid ones included.
    rep
        When it was.
    start
        Median angle at rest before it.
    end_peak
        The farthest angle.
    end_plateau
        Median angle of the hold at the end; NaN without a hold.
    end, end_kind
        The headline: the plateau if there is one, else the peak.
    range
        From start to end, positive.
    range_peak_to_peak
        Largest minus smallest angle inside.
    end_sigma, range_sigma
        One-sigma sensor-level error of both, straps included, soft tissue not.
    strap_sigma
        The straps' share of `end_sigma`.
    duration, out_duration
        Of the whole and of the way out.
    mean_speed, peak_speed
        On the way out, rad/s.
    time_to_peak_speed
        As a share of the way out.
    hold
        How long it was held at the end.
    sparc, ldlj
        Smoothness of the way out; nearer to 0 is smoother.
    off_axis : (2,)
        Largest change of the two other angles until the end is left.
    support, support_share
        Excursion of the proximal segment in the primary plane until then, and its share of the range.
    valid, reasons
        Whether it counts; if not, why, in words.
    warnings
        What does not cost its validity.
    """

    number: int
    rep: Rep
    start: float
    end_peak: float
    end_plateau: float
    range_peak_to_peak: float
    end_sigma: float
    range_sigma: float
    strap_sigma: float
    mean_speed: float
    peak_speed: float
    time_to_peak_speed: float
    hold: float
    sparc: float
    ldlj: float
    off_axis: tuple[float, float]
    support: float
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def end_kind(self) -> Literal["plateau", "peak"]:
        """Which end is the headline."""
        return "peak" if math.isnan(self.end_plateau) else "plateau"

    @property
    def end(self) -> float:
        """The headline angle, rad."""
        return self.end_peak if math.isnan(self.end_plateau) else self.end_plateau

    @property
    def range(self) -> float:
        """From start to end, rad, positive."""
        return abs(self.end - self.start)

    @property
    def support_share(self) -> float:
        """Excursion of the proximal segment as a share of the range."""
        return self.support / self.range if self.range > 0.0 else math.nan

    @property
    def duration(self) -> float:
        """There and back, s."""
        return self.rep.stop - self.rep.start

    @property
    def out_duration(self) -> float:
        """The way out, s."""
        return self.rep.turn - self.rep.start

    @property
    def valid(self) -> bool:
        """Whether the rep counts."""
        return not self.reasons

    def to_document(self) -> dict[str, Any]:
        """Return the measures for `--json`, degrees and seconds."""
        angles = ("start", "end", "end_peak", "end_plateau", "range", "range_peak_to_peak")
        sigmas = ("end_sigma", "range_sigma", "strap_sigma", "support")
        plain = ("time_to_peak_speed", "sparc", "ldlj", "support_share")
        document: dict[str, Any] = {"number": self.number, "valid": self.valid, "end_kind": self.end_kind}
        document |= {f"{name}_deg": math.degrees(getattr(self, name)) for name in angles + sigmas}
        document |= {
            f"{name}_deg_s": math.degrees(getattr(self, name)) for name in ("mean_speed", "peak_speed")
        }
        document |= {f"{name}_s": getattr(self, name) for name in ("hold", "duration", "out_duration")}
        document |= {name: getattr(self, name) for name in plain}
        document["off_axis_deg"] = [math.degrees(angle) for angle in self.off_axis]
        document |= {f"t_{name}_s": getattr(self.rep, name) for name in ("start", "turn", "leave", "stop")}
        document |= {"reasons": list(self.reasons), "warnings": list(self.warnings)}
        return document


def measure_rep(
    series: JointSeries,
    rep: Rep,
    *,
    number: int = 1,
    gate: Gate | None = None,
    lasting: Lasting = HINGE,
    params: MeasureParams | None = None,
) -> RepMeasures:
    """Measure one rep.

    Parameters
    ----------
    series
        The angles around it; at least from a second before its start to its stop.
    rep
        Where the detector found it.
    number
        Its place in the trial, from 1.
    gate
        Compensation limit of the movement, if its sources give one.
    lasting
        What errs alike at both ends of its range.
    params
        How it is measured.
    """
    p = params or MeasureParams()
    first = int(np.searchsorted(series.t, rep.start - 1.0))
    last = int(np.searchsorted(series.t, rep.stop, side="right"))
    part = series[first:last]
    t = part.t
    rate = 1.0 / float(np.median(np.diff(t)))
    smooth = low_pass(part.angle[:, 0], rate, p.cutoff_hz)
    speed = np.gradient(smooth, t)
    forward = 1.0 if rep.end_angle > rep.start_angle else -1.0
    inside = t >= rep.start
    returning = np.flatnonzero(~inside & (forward * speed < -math.radians(p.hold_speed_deg_s)))
    before = ~inside & (np.arange(len(t)) > (returning[-1] if len(returning) else -1))
    if not before.any():
        before = np.arange(len(t)) == max(int(np.argmax(inside)) - 1, 0)
    out = inside & (t <= rep.turn)
    just_before = ~inside & (t >= rep.start - p.still_s)
    start = float(np.nanmedian(smooth[before])) if np.isfinite(smooth[before]).any() else rep.start_angle
    top = int(np.argmax(np.where(inside, forward * smooth, -math.inf)))
    slow = inside & (np.abs(speed) < math.radians(p.hold_speed_deg_s))
    hold = _hold(t, slow & (np.abs(smooth - smooth[top]) <= math.radians(p.hold_reach_deg)), p.hold_s)
    plateau = float(np.median(smooth[hold])) if hold.any() else math.nan
    at_end = hold if hold.any() else np.arange(len(t)) == top
    end_sigma, strap = (median(values, at_end) for values in (part.sigma[:, 0], part.strap_sigma))
    out_speed = forward * speed[out]
    fastest = int(np.argmax(out_speed))
    end = forward * (smooth[top] if math.isnan(plateau) else plateau)
    travel = abs(end - forward * start)
    leading = forward * speed[just_before]
    slowest, usual = (float(leading.min()), float(np.median(np.abs(leading)))) if len(leading) else (0.0, 0.0)
    backward = -float(out_speed[out_speed < 0.0].sum()) / rate / max(travel, 1e-9)
    reasons = _reasons(part, rep, p, slowest, backward)
    there = inside & (t <= rep.leave)
    support = _excursion(part.support, there)
    turned = slowest <= math.radians(p.hold_speed_deg_s) < usual
    warnings: tuple[str, ...] = ("it began without a pause, at a turning point",) if turned else ()
    if gate is not None and support > gate.limit:
        sentence = (
            f"{gate.segment} moved by {math.degrees(support):.0f} deg, "
            f"more than the {math.degrees(gate.limit):.0f} deg allowed"
        )
        if gate.action == "invalid":
            reasons = (*reasons, sentence)
        else:
            warnings = (*warnings, sentence)
    return RepMeasures(
        number=number,
        rep=rep,
        start=start,
        end_peak=float(smooth[top]),
        end_plateau=plateau,
        range_peak_to_peak=float(np.ptp(smooth[inside])),
        end_sigma=end_sigma,
        range_sigma=range_sigma(part, before, at_end, lasting),
        strap_sigma=strap,
        mean_speed=travel / (rep.turn - rep.start) if rep.turn > rep.start else math.nan,
        peak_speed=float(out_speed[fastest]),
        time_to_peak_speed=fastest / max(len(out_speed) - 1, 1),
        hold=float(np.count_nonzero(hold)) / rate,
        sparc=sparc(np.abs(out_speed), rate),
        ldlj=ldlj(out_speed, rate),
        off_axis=(_excursion(part.angle[:, 1], there), _excursion(part.angle[:, 2], there)),
        support=support,
        reasons=reasons,
        warnings=warnings,
    )


def low_pass(values: FloatArray, rate: float, cutoff: float) -> FloatArray:
    """Return a curve without what is faster than `cutoff` Hz, without lag.

    Second-order Butterworth forwards and backwards; unknown values are bridged by straight lines. A curve
    too short for the filter, or sampled too slowly for the cutoff, comes back as it is.
    """
    from scipy.signal import butter, sosfiltfilt

    known = np.isfinite(values)
    if not known.any():
        return values
    n = np.arange(len(values), dtype=np.float64)
    whole = np.interp(n, n[known], values[known])
    if cutoff >= 0.45 * rate or len(values) < 16:
        return whole
    return np.asarray(sosfiltfilt(butter(2, cutoff, fs=rate, output="sos"), whole), dtype=np.float64)


def sparc(speed: FloatArray, rate: float) -> float:
    """Return the smoothness of a speed profile as spectral arc length; nearer to 0 is smoother.

    The length of the magnitude spectrum's curve, normalised by its value at rest, from 0 to the last
    frequency below 20 Hz at which it exceeds 0.05; zero-padded 16-fold. A minimum-jerk movement gives -1.41.

    Parameters
    ----------
    speed : (N,)
        Of one movement, any unit.
    rate
        Samples per second, Hz.

    References
    ----------
    S. Balasubramanian et al., "On the analysis of movement smoothness", J NeuroEng Rehabil 12:112, 2015 (to
    verify); valid on rotational speed: A. Melendez-Calderon et al., Front Bioeng 8:558771, 2021.
    """
    if len(speed) < 8 or not np.isfinite(speed).all() or not np.abs(speed).max() > 0.0:
        return math.nan
    size = 2 ** (math.ceil(math.log2(len(speed))) + 4)
    magnitude = np.abs(np.fft.rfft(speed, size))
    magnitude = magnitude / magnitude.max()
    frequency = np.fft.rfftfreq(size, 1.0 / rate)
    below = frequency <= 20.0
    strong = np.flatnonzero(below & (magnitude >= 0.05))
    span = slice(int(strong[0]), int(strong[-1]) + 1)
    f, m = frequency[span], magnitude[span]
    if len(f) < 2:
        return math.nan
    return -float(np.sum(np.hypot(np.diff(f) / (f[-1] - f[0]), np.diff(m))))


def ldlj(speed: FloatArray, rate: float) -> float:
    """Return the smoothness of a speed profile as log dimensionless jerk; nearer to 0 is smoother.

    -ln(T^3 / peak^2 times the integral of the squared second derivative of speed). A minimum-jerk
    movement gives -ln 204.8 = -5.32.

    Parameters
    ----------
    speed : (N,)
        Of one movement, any unit.
    rate
        Samples per second, Hz.
    """
    if len(speed) < 8 or not np.isfinite(speed).all():
        return math.nan
    step = 1.0 / rate
    duration, peak = (len(speed) - 1) * step, float(np.abs(speed).max())
    jerk = np.gradient(np.gradient(speed, step, edge_order=2), step, edge_order=2)
    total = float(np.sum(jerk[:-1] ** 2 + jerk[1:] ** 2)) * step / 2.0
    if not (peak > 0.0 and total > 0.0):
        return math.nan
    return -math.log(duration**3 / peak**2 * total)


def _hold(t: FloatArray, slow: BoolArray, shortest: float) -> BoolArray:
    """Return which samples are the longest slow stretch, none if it is shorter than `shortest` s."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], slow.astype(np.int8), [0]])))
    best = np.zeros(len(t), np.bool_)
    longest = shortest
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if t[end - 1] - t[begin] >= longest:
            longest = float(t[end - 1] - t[begin])
            best[:] = False
            best[begin:end] = True
    return best


def _excursion(values: FloatArray, inside: BoolArray) -> float:
    """Return the largest change since the start of the rep, rad."""
    known = values[inside]
    known = known[np.isfinite(known)]
    return float(np.abs(known - known[0]).max()) if len(known) else math.nan


def _reasons(
    part: JointSeries, rep: Rep, p: MeasureParams, start_speed: float, backward_share: float
) -> tuple[str, ...]:
    """Return why a rep does not count, in words."""
    reasons: list[str] = []
    inside = (part.t >= rep.start) & (part.t <= rep.stop)
    if rep.gap or (part.flags[inside] & GAP).any() or not np.isfinite(part.angle[inside, 0]).all():
        reasons.append("samples are missing inside")
    if start_speed > math.radians(p.hold_speed_deg_s):
        reasons.append(f"the limb was not still at the start ({math.degrees(start_speed):.0f} deg/s)")
    unsure = float(np.mean((part.flags[inside] & UNSURE) > 0))
    if unsure > p.unsure_share:
        reasons.append(f"the uncertainty was too large for a statement in {unsure:.0%} of it")
    if backward_share > p.backward_share:
        reasons.append(f"the way out went back by {backward_share:.0%} of the range")
    duration = rep.stop - rep.start
    if not p.shortest_s <= duration <= p.longest_s:
        reasons.append(f"it took {duration:.1f} s, not {p.shortest_s:g} to {p.longest_s:g} s")
    return tuple(reasons)
